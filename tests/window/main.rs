//! The real window, driven by labels and keys, with a real worker process behind it; no display is needed.
//!
//! One program, so that all of it is linked once and nothing that the tests share stands in two places.
#![cfg(feature = "gui")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

mod basics;
mod canvas;
mod charts;
mod docks;
mod files;
mod hand;
mod keyboard;
mod looking;
mod looks;
mod memory;
mod panels;
mod past;
mod paths;
#[path = "../common/pictures.rs"]
mod pictures;
mod pointing;
mod queue;
mod runs;
mod safety;
#[path = "../common/scratch.rs"]
mod scratch;
mod training;
