//! How long an engine may say nothing: four times the longest it took so far, and twice as long each time that this was too
//! short. One of these watches over the run, one over looks while nothing trains, one over the second engine.

use std::time::{Duration, Instant};

/// Most doublings.
const MOST: u32 = 6;

/// The silence of one engine.
#[derive(Debug)]
pub(super) struct Silence {
    since: Instant,
    longest: Duration,
    patience: Duration,
    doublings: u32,
}

impl Silence {
    /// From now on; with at least this patience.
    pub(super) fn new(patience: Duration) -> Self {
        Self { since: Instant::now(), longest: Duration::ZERO, patience, doublings: 0 }
    }

    /// Another least patience, for tests.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Everything from the start, with the same patience.
    pub(super) fn begin(&mut self) {
        *self = Self::new(self.patience);
    }

    /// It was asked something: the silence before is no sign of anything.
    pub(super) fn asked(&mut self) {
        self.since = Instant::now();
    }

    /// It said something; `counts`: how long that took says how long it may take.
    pub(super) fn heard(&mut self, counts: bool) {
        if counts {
            self.longest = self.longest.max(self.since.elapsed());
        }
        self.since = Instant::now();
    }

    /// It said what was waited for: no doubling is needed any more.
    pub(super) fn answered(&mut self) {
        self.heard(true);
        self.doublings = 0;
    }

    /// Twice as long from now on: it was too short, or a person says so.
    pub(super) fn double(&mut self) {
        self.doublings += 1;
    }

    /// How long it has been silent.
    pub(super) fn lasts(&self) -> Duration {
        self.since.elapsed()
    }

    /// How long it may be silent, with the least patience so many times as long.
    pub(super) fn limit(&self, times: u32) -> Duration {
        (self.patience * times).max(self.longest * 4).saturating_mul(1 << self.doublings.min(MOST))
    }

    /// Whether it has been silent for too long.
    pub(super) fn is_over(&self) -> bool {
        self.lasts() >= self.limit(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_what_took_long_and_with_waiting() {
        let mut silence = Silence::new(Duration::from_secs(30));
        assert_eq!(silence.limit(1), Duration::from_secs(30));
        assert_eq!(silence.limit(10), Duration::from_mins(5));
        // Steps of 20 s: four of them.
        silence.longest = Duration::from_secs(20);
        assert_eq!(silence.limit(1), Duration::from_secs(80));
        silence.double();
        silence.double();
        assert_eq!(silence.limit(1), Duration::from_secs(320));
        silence.answered();
        assert_eq!(silence.limit(1), Duration::from_secs(80));
        silence.begin();
        assert_eq!(silence.limit(1), Duration::from_secs(30));
    }
}
