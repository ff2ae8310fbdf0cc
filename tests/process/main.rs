//! The engine as a real process, driven through its supervisor: what it does, and every way in which it can fail.
#![cfg(feature = "train")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

#[cfg(target_os = "linux")]
mod damage;
#[cfg(target_os = "linux")]
mod failures;
mod networks;
mod running;
#[path = "../common/scratch.rs"]
mod scratch;
mod worker;
