//! See `readers.rs`.
#![no_main]
#![allow(dead_code, reason = "each target uses one of the readers")]

mod readers;

use std::sync::LazyLock;

/// In memory where the system has such a folder: a million inputs are a million files.
static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.unwrap_or_else(|error| panic!("a scratch folder is needed: {error}"))
});

libfuzzer_sys::fuzz_target!(
    init: readers::sow(&readers::run_seeds()),
    |bytes: &[u8]| readers::run(bytes, FOLDER.path())
);
