//! Documents and pictures that nobody should have to open: each gets a message that names place, rule and finding, in
//! little time and memory.

use cap::Cap;
use serde_json::{Value, json};
use std::alloc::System;
use std::path::Path;
use std::time::{Duration, Instant};
use striate::data::{Dataset, Split};
use striate::graph::{DataSource, DataSpec, Document};
use striate::op::Shape;
use striate::plan::{CostSettings, cost, layout, plan};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn document(nodes: &[Value], links: &[Value]) -> String {
    json!({"format": "striate-document", "version": 1, "graph": {"nodes": nodes, "links": links}}).to_string()
}

fn node(id: usize, kind: &str, settings: &Value) -> Value {
    json!({"id": id, "name": format!("n{id}"), "kind": kind, "settings": settings})
}

/// An input and layers in a row behind it.
fn chain(kinds: impl IntoIterator<Item = (&'static str, Value)>) -> String {
    let input = ("input", json!({"height": 16, "width": 16, "channels": 1}));
    let nodes: Vec<Value> =
        std::iter::once(input).chain(kinds).zip(1..).map(|((kind, settings), id)| node(id, kind, &settings)).collect();
    let links: Vec<Value> = (1..nodes.len()).map(|id| json!({"from": id, "to": id + 1})).collect();
    document(&nodes, &links)
}

/// Everything that a window does with a document that it opens.
fn look_at(document: &Document) -> Option<String> {
    let plan = plan(document);
    let _ = cost(&plan.program, CostSettings::default());
    let _ = layout(&document.graph);
    plan.first_error()
}

fn within<T>(limit: Duration, what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < limit, "{what} took {:?}", start.elapsed());
    result
}

#[test]
fn a_circle_is_opened_marked_and_offered_to_be_cut() {
    let pool = json!({});
    let nodes = [node(1, "input", &json!({})), node(2, "flatten", &pool), node(3, "flatten", &pool)];
    let text = document(&nodes, &[json!({"from": 2, "to": 3}), json!({"from": 3, "to": 2})]);
    let document = Document::from_json(&text).unwrap();
    assert!(look_at(&document).unwrap().contains("feed back"));
    let plan = plan(&document);
    let found = plan.diagnostics.iter().find(|found| found.message.contains("feed back")).unwrap();
    assert_eq!(found.fixes.len(), 1);
}

#[test]
fn ten_thousand_layers_open_in_a_row_in_a_circle_and_side_by_side() {
    const COUNT: usize = 10_000;
    let relu = || (2..=COUNT).map(|id| node(id, "activation", &json!({})));
    let input = node(1, "input", &json!({"height": 4, "width": 4, "channels": 1}));
    let nodes: Vec<Value> = std::iter::once(input).chain(relu()).collect();
    let row: Vec<Value> = (1..COUNT).map(|id| json!({"from": id, "to": id + 1})).collect();
    let circle: Vec<Value> =
        (2..COUNT).map(|id| json!({"from": id, "to": id + 1})).chain([json!({"from": COUNT, "to": 2})]).collect();
    let fan: Vec<Value> = (2..=COUNT).map(|id| json!({"from": 1, "to": id})).collect();
    for (name, links, is_sound) in [("a row", row, true), ("a circle", circle, false), ("a fan", fan, true)] {
        let text = document(&nodes, &links);
        let document = within(Duration::from_secs(20), name, || Document::from_json(&text).unwrap());
        let error = within(Duration::from_secs(30), name, || look_at(&document));
        assert_eq!(error.is_none(), is_sound, "{name}: {error:?}");
    }
    // One more than the limit of 20,000.
    let many: Vec<Value> = (1..=20_001).map(|id| node(id, "flatten", &json!({}))).collect();
    let error = Document::from_json(&document(&many, &[])).unwrap_err().to_string();
    assert!(error.contains("at most 20000") && error.contains("20001"), "{error}");
}

#[test]
fn groups_may_be_nested_sixteen_deep_and_no_deeper() {
    let nested = |depth: usize| {
        let mut graph = json!({"nodes": []});
        for _ in 0..depth {
            graph = json!({"nodes": [{"id": 1, "name": "g", "kind": "group", "group": {"graph": graph}}]});
        }
        json!({"format": "striate-document", "version": 1, "graph": graph}).to_string()
    };
    assert!(look_at(&Document::from_json(&nested(16)).unwrap()).is_some());
    let error = Document::from_json(&nested(17)).unwrap_err().to_string();
    assert!(error.contains("nested at most 16"), "{error}");
    // Repeats multiply: 1,000 copies in each of 16 levels are more layers than there are atoms in a hand.
    let mut graph = json!({"nodes": [node(1, "activation", &json!({}))]});
    for _ in 0..16 {
        graph = json!({"nodes": [{"id": 1, "name": "g", "kind": "group", "group": {"repeat": 1000, "graph": graph}}]});
    }
    let text = json!({"format": "striate-document", "version": 1, "graph": graph}).to_string();
    let document = Document::from_json(&text).unwrap();
    assert!(within(Duration::from_secs(20), "repeats", || look_at(&document)).is_some());
}

#[test]
fn numbers_out_of_range_are_refused_or_marked_and_never_a_panic() {
    let huge =
        [json!(0), json!(-1), json!(u32::MAX), json!(i64::MAX), json!(u64::MAX), json!(1e300), json!(0.5), json!("9")];
    let fields: [(&str, &[&str]); 9] = [
        ("conv2d", &["filters", "kernel", "stride", "dilation", "groups", "padding"]),
        ("conv_transpose2d", &["filters", "kernel", "stride", "output_padding", "padding"]),
        ("max_pool", &["kernel", "stride", "padding"]),
        ("avg_pool", &["kernel", "stride", "padding"]),
        ("dense", &["features"]),
        ("dropout", &["rate"]),
        ("upsample", &["factor"]),
        ("zero_pad", &["top", "bottom"]),
        ("group_norm", &["groups"]),
    ];
    for (kind, names) in fields {
        for name in names {
            for value in &huge {
                for value in [value.clone(), json!([value, value])] {
                    let text = chain([(kind, json!({*name: value}))]);
                    match Document::from_json(&text) {
                        Ok(document) => drop(look_at(&document)),
                        Err(error) => assert!(error.to_string().contains("n2"), "{kind}.{name} = {value}: {error}"),
                    }
                }
            }
        }
    }
    for (name, value) in
        [("batch", json!(-1)), ("epochs", json!(5e9)), ("learning_rate", json!("fast")), ("dtype", json!("f8"))]
    {
        let text = json!({"format": "striate-document", "version": 1, "training": {name: value}}).to_string();
        let error = Document::from_json(&text).unwrap_err().to_string();
        assert!(error.contains("training"), "{name}: {error}");
    }
    let input = json!({"height": u32::MAX, "width": u32::MAX, "channels": u32::MAX});
    let text = document(&[node(1, "input", &input), node(2, "flatten", &json!({}))], &[json!({"from": 1, "to": 2})]);
    if let Ok(document) = Document::from_json(&text) {
        assert!(look_at(&document).is_some(), "2^96 numbers were planned");
    }
}

/// A PNG's head for any size, its checksum right, with nothing behind it.
fn png_head(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    // CRC-32 as RFC 2083 gives it, appendix 15.
    let crc = !chunk.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 })
    });
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    bytes.extend(chunk);
    bytes.extend(crc.to_be_bytes());
    // An empty chunk of pixels, so that a decoder gets as far as it can.
    bytes.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    bytes
}

fn gif_head(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"GIF89a".to_vec();
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend([0, 0, 0, 0x3b]);
    bytes
}

#[test]
fn a_folder_of_hostile_pictures_opens_with_a_row_for_each_and_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    for (class, value) in [("cat", 40), ("dog", 200)] {
        for n in 0..4 {
            let path = folder.path().join(class).join(format!("good{n}.png"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            image::GrayImage::from_pixel(8, 8, image::Luma([value])).save(path).unwrap();
        }
    }
    let bad: [(&str, Vec<u8>); 7] = [
        ("cat/huge.png", png_head(30_000, 30_000)),
        ("cat/wide.png", png_head(u32::MAX / 2, 1)),
        ("cat/flat.png", png_head(0, 0)),
        ("dog/flat.gif", gif_head(0, 0)),
        ("dog/empty.jpg", Vec::new()),
        ("dog/text.png", b"this is no picture".to_vec()),
        ("dog/cut.png", png_head(64, 64)[..20].to_vec()),
    ];
    for (name, bytes) in &bad {
        write(name, bytes);
    }
    let spec = DataSpec { source: DataSource::Folder { path: folder.path().into() }, ..DataSpec::default() };
    let before = ALLOCATOR.allocated();
    let data = Dataset::open(&spec, &Shape::map(1, 8, 8), 1).unwrap();
    // Other tests of this file run beside this one: their documents are megabytes, a picture of 30,000 x 30,000 is 2.7 GB.
    assert!(ALLOCATOR.max_allocated() < before + 1_000_000_000, "{} bytes", ALLOCATOR.max_allocated());
    assert_eq!(data.len(Split::Train) + data.len(Split::Validation) + data.len(Split::Test), 8);
    let problems = data.problems();
    for (name, _) in &bad {
        let problem = problems.iter().find(|problem| problem.file.ends_with(&**name));
        let problem = problem.unwrap_or_else(|| panic!("{name} is no row of {problems:?}"));
        let file = Path::new(name).file_name().unwrap().to_string_lossy().into_owned();
        assert!(problem.reason.contains(&file) && problem.reason.contains("must be"), "{name}: {}", problem.reason);
    }
}

#[test]
fn a_folder_of_nothing_but_broken_pictures_says_so() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        std::fs::create_dir(folder.path().join(class)).unwrap();
        std::fs::write(folder.path().join(class).join("1.png"), "broken").unwrap();
    }
    let spec = DataSpec { source: DataSource::Folder { path: folder.path().into() }, ..DataSpec::default() };
    let error = Dataset::open(&spec, &Shape::map(1, 8, 8), 1).err().unwrap().to_string();
    assert!(error.contains("at least one image") && error.contains("1.png"), "{error}");
}
