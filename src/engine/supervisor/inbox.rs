//! Events that wait for a side that sleeps. They are merged so that they cannot grow without end, and steps are never lost.

use super::super::protocol::Event;
use std::collections::VecDeque;

/// Waiting log lines; older ones make room.
const LOG_LINES: usize = 500;
/// What waits.
#[derive(Default)]
pub(super) struct Inbox {
    events: VecDeque<Event>,
    log_lines: usize,
    /// The worker has ended: nothing more will come.
    pub(super) ended: bool,
}

impl Inbox {
    /// The oldest event.
    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.log_lines -= usize::from(matches!(event, Event::Log { .. }));
        Some(event)
    }

    /// Adds an event; merges what a slow reader would otherwise let grow without end.
    pub(super) fn push(&mut self, event: Event) {
        match &event {
            Event::Steps { run, steps } => {
                // Steps of one run that come after each other become one message; none is lost.
                if let Some(Event::Steps { run: last, steps: waiting }) = self.events.back_mut()
                    && *last == *run
                {
                    waiting.extend_from_slice(steps);
                    return;
                }
            }
            Event::Probed(_) => self.events.retain(|waiting| !matches!(waiting, Event::Probed(_))),
            Event::Memory { run, .. } => {
                self.events.retain(|waiting| !matches!(waiting, Event::Memory { run: old, .. } if old == run));
            }
            Event::Log { .. } => {
                if self.log_lines >= LOG_LINES
                    && let Some(oldest) = self.events.iter().position(|waiting| matches!(waiting, Event::Log { .. }))
                {
                    self.events.remove(oldest);
                    self.log_lines -= 1;
                }
                self.log_lines += 1;
            }
            Event::Exited(_) => self.ended = true,
            _ => {}
        }
        self.events.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::{LogLevel, MemoryReport, RunId, StepReport};

    fn steps(run: u64, first: u64, count: u64) -> Event {
        let step = |step| StepReport { step, epoch: 1, loss: 1.0, images: 1, ..StepReport::default() };
        Event::Steps { run: RunId(run), steps: (first..first + count).map(step).collect() }
    }

    #[test]
    fn a_reader_that_sleeps_loses_no_step_and_holds_one_message() {
        let mut inbox = Inbox::default();
        for batch in 0..1_000 {
            inbox.push(steps(1, batch * 3, 3));
        }
        let Some(Event::Steps { steps, .. }) = inbox.pop() else { panic!("no steps") };
        assert_eq!(steps.len(), 3_000);
        assert!(steps.iter().map(|step| step.step).eq(0..3_000));
        assert!(inbox.pop().is_none());
    }

    #[test]
    fn steps_never_pass_other_events_and_runs_stay_apart() {
        let mut inbox = Inbox::default();
        inbox.push(steps(1, 0, 1));
        inbox.push(Event::Resumed { run: RunId(1) });
        inbox.push(steps(1, 1, 1));
        inbox.push(steps(2, 0, 1));
        let kinds: Vec<_> = std::iter::from_fn(|| inbox.pop()).collect();
        assert_eq!(kinds.len(), 4);
        assert!(matches!(kinds.get(1), Some(Event::Resumed { .. })));
    }

    #[test]
    fn newer_memory_reports_replace_waiting_ones_and_old_log_lines_make_room() {
        let mut inbox = Inbox::default();
        for now in 0..10 {
            let memory = MemoryReport { now_bytes: Some(now), ..MemoryReport::default() };
            inbox.push(Event::Memory { run: RunId(1), memory });
        }
        for line in 0..10_000 {
            inbox.push(Event::Log { level: LogLevel::Info, text: line.to_string() });
        }
        let all: Vec<_> = std::iter::from_fn(|| inbox.pop()).collect();
        assert_eq!(all.len(), 1 + LOG_LINES);
        assert!(matches!(all.first(), Some(Event::Memory { memory, .. }) if memory.now_bytes == Some(9)));
        assert!(matches!(all.last(), Some(Event::Log { text, .. }) if text == "9999"));
    }
}
