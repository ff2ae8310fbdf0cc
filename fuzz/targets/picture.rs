//! See `readers.rs`.
#![no_main]
#![allow(dead_code, reason = "each target uses one of the readers")]

mod readers;

use std::sync::LazyLock;

static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(readers::scratch);

libfuzzer_sys::fuzz_target!(
    init: readers::sow(&readers::picture_seeds()),
    |bytes: &[u8]| readers::picture(bytes, FOLDER.path())
);
