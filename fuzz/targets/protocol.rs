//! See `readers.rs`.
#![no_main]
#![allow(dead_code, reason = "each target uses one of the readers")]

mod readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| readers::protocol(bytes));
