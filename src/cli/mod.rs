//! Headless commands.

pub mod summary;
