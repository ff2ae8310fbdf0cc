//! See `readers.rs`.
#![no_main]
#![allow(dead_code, reason = "each target uses one of the readers")]

mod readers;

libfuzzer_sys::fuzz_target!(
    init: readers::sow(&readers::layers_seeds()),
    |bytes: &[u8]| readers::layers(bytes)
);
