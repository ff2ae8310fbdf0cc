//! How often looks are answered while a network trains, so that training hardly notices.

use super::super::protocol::Command;
use std::mem::Discriminant;
use std::time::{Duration, Instant};

/// Least time between looks: ten a second.
const EVERY: Duration = Duration::from_millis(100);
/// Looks take at most one part in so many of the time.
const SHARE: u32 = 20;
/// What the first look of its kind counts at most. It readies buffers, on a GPU tunes kernels, and says little about the next.
const FIRST: Duration = Duration::from_millis(20);

/// When the next look may be answered.
pub(super) struct Pace {
    after: Instant,
    known: Vec<Discriminant<Command>>,
}

impl Pace {
    /// Looks may be answered from now on.
    pub(super) fn start(now: Instant) -> Self {
        Self { after: now, known: Vec::new() }
    }

    /// Whether a look may be answered.
    pub(super) fn allows(&self, now: Instant) -> bool {
        now >= self.after
    }

    /// A look was answered at `now` and took so long.
    pub(super) fn answered(&mut self, look: Discriminant<Command>, took: Duration, now: Instant) {
        let is_first = !self.known.contains(&look);
        if is_first {
            self.known.push(look);
        }
        let counted = if is_first { took.min(FIRST) } else { took };
        self.after = now + EVERY.max(counted * (SHARE - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::{ImageRef, ProbeRequest};
    use std::mem::discriminant;

    fn probe() -> Discriminant<Command> {
        discriminant(&Command::Probe(Box::new(ProbeRequest::new(ImageRef::File("a.png".into()), Vec::new()))))
    }

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn quick_looks_come_ten_times_a_second_and_slow_ones_take_a_twentieth_of_the_time() {
        let now = Instant::now();
        let mut pace = Pace::start(now);
        assert!(pace.allows(now));
        pace.answered(probe(), ms(2), now);
        assert!(!pace.allows(now + ms(99)) && pace.allows(now + ms(100)));
        // 30 ms of every 600 ms are a twentieth: the rest is 570 ms.
        pace.answered(probe(), ms(30), now);
        assert!(!pace.allows(now + ms(569)) && pace.allows(now + ms(570)));
    }

    #[test]
    fn a_first_look_that_tunes_kernels_for_seconds_does_not_hold_up_the_next() {
        let now = Instant::now();
        let mut pace = Pace::start(now);
        pace.answered(probe(), ms(4_000), now);
        // Counted as 20 ms: 19 · 20 = 380.
        assert!(!pace.allows(now + ms(379)) && pace.allows(now + ms(380)));
        pace.answered(probe(), ms(4_000), now);
        assert!(!pace.allows(now + ms(75_999)) && pace.allows(now + ms(76_000)));
    }
}
