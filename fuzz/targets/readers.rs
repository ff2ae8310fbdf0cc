//! What is fuzzed: the three readers of bytes that come from elsewhere. Each takes any bytes and must neither panic, nor
//! take long, nor ask for much memory; what is read must survive being written and read again.
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
