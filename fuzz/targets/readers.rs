//! What is fuzzed: the readers of bytes that come from elsewhere. Each takes any bytes and must neither panic, nor take
//! long, nor ask for much memory; what is read must survive being written and read again.
//!
//! Shared by the libFuzzer targets in `fuzz/` and by the seeded round in `tests/fuzz.rs`.

use striate::engine::channel::{read_message, write_message};
use striate::engine::protocol::{Command, Event};

/// A document: read, everything that follows from it computed, written, read again.
pub(crate) fn document(bytes: &[u8]) {
    use striate::graph::Document;
    use striate::plan::{CostSettings, cost, layout, plan};
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(opened) = Document::read(text) else { return };
    let plan = plan(&opened.document);
    let _ = cost(&plan.program, CostSettings::default());
    let _ = layout(&opened.document.graph);
    let once = opened.document.to_json();
    // What was opened must be savable: the saved file opens, and saving it again changes nothing.
    let again =
        Document::from_json(&once).unwrap_or_else(|error| panic!("a saved document does not open: {error}\n{once}"));
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
    assert!(same(&value(&again.to_json()), &value(&once)), "saving is not stable: {once}");
}

/// Equal, keys in the same order.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value::{Array, Object};
    match (a, b) {
        (Array(a), Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Object(a), Object(b)) => a.len() == b.len() && a.iter().zip(b).all(|((k, a), (l, b))| k == l && same(a, b)),
        (a, b) => a == b,
    }
}

/// A folder of IDX files, one of which is made of the bytes: the first byte says which.
pub(crate) fn idx(bytes: &[u8], folder: &std::path::Path) {
    use striate::data::{IdxSource, Source as _};
    let Some((&which, content)) = bytes.split_first() else { return };
    let words = |magic: u32, sizes: &[u32], body: Vec<u8>| -> Vec<u8> {
        std::iter::once(&magic).chain(sizes).flat_map(|word| word.to_be_bytes()).chain(body).collect()
    };
    let pixels = |count: u32| words(0x0803, &[count, 2, 2], (0..count * 4).map(|n| n.to_le_bytes()[0]).collect());
    let labels = |count: u32| words(0x0801, &[count], (0..count).map(|n| n.to_le_bytes()[0] % 10).collect());
    let files = [
        ("train-images-idx3-ubyte", pixels(8)),
        ("train-labels-idx1-ubyte", labels(8)),
        ("t10k-images-idx3-ubyte", pixels(4)),
        ("t10k-labels-idx1-ubyte", labels(4)),
    ];
    let write = |name: &str, bytes: &[u8]| {
        let result = std::fs::write(folder.join(name), bytes);
        result.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    };
    // The good ones stay from input to input.
    for (name, good) in files.iter().filter(|(name, _)| !folder.join(name).exists()) {
        write(name, good);
    }
    let Some((name, good)) = files.get(usize::from(which % 4)) else { return };
    write(name, content);
    let source = IdxSource::open(folder);
    write(name, good);
    let Ok(source) = source else { return };
    for index in [0, source.len() / 2, source.len().saturating_sub(1), source.len()] {
        if let Ok(item) = source.item(index) {
            assert!((item.label as usize) < source.classes().len(), "a label without a class");
        }
    }
}

/// Copied layers: read, written, read again.
pub(crate) fn layers(bytes: &[u8]) {
    use striate::graph::Graph;
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(graph) = Graph::from_fragment(text) else { return };
    let once = graph.to_fragment();
    let again = Graph::from_fragment(&once);
    let again = again.unwrap_or_else(|error| panic!("copied layers cannot be pasted: {error}\n{once}"));
    assert_eq!(again.to_fragment(), once, "copying is not stable");
}

/// Files of a run, one of which is made of the bytes: the first byte says which, the second to which step it is cut back.
pub(crate) fn run(bytes: &[u8], folder: &std::path::Path) {
    use striate::engine::protocol::{EpochResults, StepReport};
    use striate::engine::run::{MetricsWriter, RunFolder, epochs_only, snapshots};
    let [which, step, content @ ..] = bytes else { return };
    let step = u64::from(*step);
    let done = |what: &str, result: std::io::Result<()>| result.unwrap_or_else(|error| panic!("{what}: {error}"));
    done("the folder", std::fs::create_dir_all(folder.join("snapshots")));
    let files = [
        "run.json",
        "document.json",
        "metrics.jsonl",
        "results.jsonl",
        "changes.jsonl",
        "note.json",
        "snapshots/1.snap",
    ];
    for name in files {
        let path = folder.join(name);
        let is_there = name == "run.json" || name == "document.json";
        done(name, if is_there { std::fs::write(path, "{}") } else { std::fs::write(path, "") });
    }
    let Some(name) = files.get(usize::from(*which) % files.len()) else { return };
    done(name, std::fs::write(folder.join(name), content));
    let Ok(run) = RunFolder::open(folder) else { panic!("there is a run") };
    if let Ok(record) = run.record() {
        done("the record", run.write_record(&record).map_err(std::io::Error::other));
        assert_eq!(run.record().ok(), Some(record), "a record changes when it is written");
    }
    if let Ok(note) = run.note() {
        done("the note", run.write_note(&note).map_err(std::io::Error::other));
        assert_eq!(run.note().ok(), Some(note), "a note changes when it is written");
    }
    if let Ok(snapshot) = snapshots::read(&folder.join("snapshots/1.snap")) {
        assert!(postcard_again(&snapshot), "a snapshot changes when it is written");
    }
    // What comes after a cut must be read again, whatever the file held before.
    let _ = epochs_only(&run);
    assert!(run.cut_metrics(step).is_ok() && run.cut_results(step).is_ok() && run.cut_changes(step).is_ok());
    let before = run.metrics().map_or(0, |metrics| metrics.steps.len());
    let report = StepReport { step: step + 1, epoch: 1, loss: 1.0, images: 1, ..StepReport::default() };
    assert!(MetricsWriter::open(&run).and_then(|mut writer| writer.step(&report)).is_ok());
    assert_eq!(run.metrics().map_or(0, |metrics| metrics.steps.len()), before + 1, "a step after a cut is lost");
    let results = run.results().unwrap_or_default();
    for epoch in &results {
        let (_, _) = (epoch.totals(), epoch.confused());
        let (_, _) = (epoch.worst().count(), epoch.scores());
    }
    assert!(run.add_results(&EpochResults { step: step + 1, ..EpochResults::default() }).is_ok());
    assert_eq!(run.results().map_or(0, |now| now.len()), results.len() + 1, "results after a cut are lost");
}

/// A folder for files of inputs, in memory where the system has such a place: a million inputs are a million files.
pub(crate) fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.unwrap_or_else(|error| panic!("a scratch folder is needed: {error}"))
}

/// Writes inputs to begin with into the folder that the script names, before the corpus is read.
pub(crate) fn sow(seeds: &[Vec<u8>]) {
    let Some(folder) = std::env::var_os("STRIATE_FUZZ_SEEDS").map(std::path::PathBuf::from) else { return };
    for (seed, number) in seeds.iter().zip(0..) {
        let path = folder.join(format!("seed-{number}"));
        std::fs::write(&path, seed).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

/// The presets as layers on the clipboard, to begin with.
pub(crate) fn layers_seeds() -> Vec<Vec<u8>> {
    let presets = striate::presets::ALL.iter().filter_map(|preset| striate::presets::find(preset.id));
    presets.map(|document| document.graph.to_fragment().into_bytes()).collect()
}

/// Good IDX files, to begin with: eight images of 2 x 2, and their labels.
pub(crate) fn idx_seeds() -> Vec<Vec<u8>> {
    let mut images = vec![0, 0, 0, 8, 3, 0, 0, 0, 8, 0, 0, 0, 2, 0, 0, 0, 2];
    images.extend(0..32);
    let mut labels = vec![1, 0, 0, 8, 1, 0, 0, 0, 8];
    labels.extend(0..8);
    vec![images, labels]
}

/// Good files of a run, to begin with.
pub(crate) fn run_seeds() -> Vec<Vec<u8>> {
    let step = r#"{"kind":"step","step":1,"epoch":1,"loss":2.5,"metrics":{"accuracy":0.5},"learning_rate":0.001,"grad_norm":1.5,"images":64,"secs":0.25,"images_per_sec":256.0}"#;
    let epoch = r#"{"kind":"epoch","epoch":1,"step":2,"train_loss":2.0,"train_metrics":{"accuracy":0.4},"validation_loss":null,"validation_metrics":{},"secs":9.0,"is_best":true}"#;
    let results = r#"{"epoch":1,"step":2,"classes":3,"cells":[[0,0,5],[0,2,1]],"examples":[[4,0,2,0.9],[1,0,0,0.6]]}"#;
    let change = r#"{"step":1,"base_rate":"0.003","schedule":"{\"kind\":\"constant\"}","since":1}"#;
    let record = r#"{"id":"a-1","name":"LeNet-5","created":1,"status":"finished","reason":"completed","pid":7,"classes":["0","1"],"steps_per_epoch":3,"epochs":2,"step":6,"halvings":1}"#;
    let note = r#"{"name":"First","note":"dropout","color":3}"#;
    let snapshot = striate::engine::run::snapshots::Snapshot { step: 1, label: Some(2), ..Default::default() };
    let mut bytes = b"STRS\x01".to_vec();
    bytes.extend(postcard::to_allocvec(&snapshot).unwrap_or_default());
    let lines = |line: &str| format!("{line}\n{line}\n").into_bytes();
    let files = [
        record.into(),
        "{}".into(),
        format!("{step}\n{epoch}\n").into_bytes(),
        lines(results),
        lines(change),
        note.into(),
        bytes,
    ];
    let named = files.into_iter().zip(0_u8..);
    named.map(|(file, which): (Vec<u8>, u8)| [&[which, 9], &file[..]].concat()).collect()
}

/// A small picture of each format.
pub(crate) fn picture_seeds() -> Vec<Vec<u8>> {
    use image::ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    let picture = image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([x, y, x * y].map(|n| n.to_le_bytes()[0] * 9)));
    let encoded = [Bmp, Gif, Jpeg, Png, Tiff, WebP].map(|format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        // What the program was built without is no seed.
        let _ = picture.write_to(&mut bytes, format);
        bytes.into_inner()
    });
    encoded.into_iter().filter(|bytes| !bytes.is_empty()).collect()
}

/// Whether a snapshot is the same after being written and read. Numbers that are none are equal here.
fn postcard_again(snapshot: &striate::engine::run::snapshots::Snapshot) -> bool {
    let Ok(bytes) = postcard::to_allocvec(snapshot) else { return false };
    let again: Result<striate::engine::run::snapshots::Snapshot, _> = postcard::from_bytes(&bytes);
    again.is_ok_and(|again| postcard::to_allocvec(&again).is_ok_and(|now| now == bytes))
}

/// A picture of any format.
pub(crate) fn picture(bytes: &[u8], folder: &std::path::Path) {
    let path = folder.join("picture");
    let written = std::fs::write(&path, bytes);
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if let Ok(picture) = striate::data::load_picture(&path) {
        let numbers = u64::from(picture.width()) * u64::from(picture.height()) * u64::from(picture.channels());
        assert_eq!(picture.pixels().len() as u64, numbers, "a picture of another size than it says");
    }
}

/// A stream of messages, read as commands and as events.
pub(crate) fn protocol(bytes: &[u8]) {
    let mut stream = bytes;
    while let Ok(Some(command)) = read_message::<Command>(&mut stream) {
        let mut again = Vec::new();
        // A message at the limit may become longer than that when written in full.
        if write_message(&mut again, &command).is_ok() {
            let back = read_message::<Command>(&mut again.as_slice());
            assert!(matches!(back, Ok(Some(_))), "a command that was read cannot be read again");
        }
    }
    let mut stream = bytes;
    while let Ok(Some(event)) = read_message::<Event>(&mut stream) {
        let mut again = Vec::new();
        if write_message(&mut again, &event).is_ok() {
            let back = read_message::<Event>(&mut again.as_slice());
            assert!(matches!(back, Ok(Some(_))), "an event that was read cannot be read again");
        }
    }
}
