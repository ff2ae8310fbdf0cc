//! The measured column: bytes that this process really allocates, and what the devices' pools hold.
//!
//! The counting allocator belongs to the program (`main.rs` declares and installs it); this file only reads it. Knows no
//! burn. A program without the allocator still gets the resident set.

use super::protocol::MemoryReport;
use crate::platform;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Environment variable with the most bytes that a worker may allocate: for tests, and for computers shared with others.
pub const LIMIT: &str = "STRIATE_MEMORY_LIMIT";

/// How to read the program's allocator.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    /// Bytes allocated now.
    pub allocated: fn() -> usize,
    /// Most bytes allocated at any time since the start.
    pub peak: fn() -> usize,
    /// Refuses allocations past so many bytes from now on; `false` if more are allocated already.
    pub limit: fn(usize) -> bool,
}

static METER: OnceLock<Meter> = OnceLock::new();

/// Makes the program's allocator known. Only the first call counts.
pub fn install(meter: Meter) {
    METER.get_or_init(|| meter);
}

/// Limits what this process may allocate; `false` if it cannot be limited so low, or at all.
pub fn set_limit(bytes: usize) -> bool {
    METER.get().is_some_and(|meter| (meter.limit)(bytes))
}

/// A measurement that began before a network was built.
#[derive(Debug)]
pub struct Measurement {
    /// Bytes allocated when it began.
    before: usize,
    /// The process's peak when it began.
    old_peak: usize,
    /// Highest value seen by looking often: the peak, as long as the process held more at an earlier time.
    seen: Arc<AtomicUsize>,
    running: Arc<AtomicBool>,
}

impl Measurement {
    /// Begins. Call before the network is built.
    pub fn begin() -> Self {
        let (before, old_peak) = METER.get().map_or((0, 0), |meter| ((meter.allocated)(), (meter.peak)()));
        let measurement = Self {
            before,
            old_peak,
            seen: Arc::new(AtomicUsize::new(before)),
            running: Arc::new(AtomicBool::new(true)),
        };
        if let Some(&meter) = METER.get() {
            let (seen, running) = (Arc::clone(&measurement.seen), Arc::clone(&measurement.running));
            let look = move || {
                while running.load(Ordering::Relaxed) {
                    seen.fetch_max((meter.allocated)(), Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(1));
                }
            };
            // Without this thread the exact peak still counts whenever it is a new one.
            let _ = std::thread::Builder::new().name("striate-memory".into()).spawn(look);
        }
        measurement
    }

    /// Ends looking often: after the first steps.
    pub fn settle(&self) {
        self.running.store(false, Ordering::Relaxed);
    }

    /// What was found so far; `gpu` is the pool's bytes in use and reserved.
    pub fn report(&self, steps: u64, gpu: Option<(u64, u64)>) -> MemoryReport {
        let since = |bytes: usize| bytes.saturating_sub(self.before) as u64;
        let cpu = METER.get().map(|meter| {
            let peak = (meter.peak)();
            // A new record of the process is exact; below an older one, what was seen by looking.
            let peak = if peak > self.old_peak { peak } else { self.seen.load(Ordering::Relaxed) };
            (since(peak), since((meter.allocated)()))
        });
        MemoryReport {
            steps,
            peak_bytes: cpu.map(|(peak, _)| peak),
            now_bytes: cpu.map(|(_, now)| now),
            resident_bytes: platform::resident_bytes(),
            gpu_in_use_bytes: gpu.map(|(in_use, _)| in_use),
            gpu_reserved_bytes: gpu.map(|(_, reserved)| reserved),
        }
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.settle();
    }
}
