//! Events on their way out: every step is told, in at most 30 messages a second. If nobody listens any more, nothing is
//! sent any more, and the worker is told so.

use super::super::channel::write_message;
use super::super::protocol::{Event, RunId, StepReport};
use std::io::{BufWriter, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Least time between two messages of steps.
const BETWEEN: Duration = Duration::from_millis(33);

struct State {
    stream: Box<dyn Write + Send>,
    run: RunId,
    steps: Vec<StepReport>,
    last: Option<Instant>,
    is_broken: bool,
}

/// Where events are put; clones write to the same stream.
#[derive(Clone)]
pub(super) struct Outbox(Arc<Mutex<State>>);

impl Outbox {
    pub(super) fn new(stream: impl Write + Send + 'static) -> Self {
        let stream = Box::new(BufWriter::new(stream));
        let state = State { stream, run: RunId::default(), steps: Vec::new(), last: None, is_broken: false };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Sends an event, after the steps that wait.
    pub(super) fn send(&self, event: &Event) {
        let mut state = self.lock();
        state.flush();
        state.write(event);
    }

    /// Tells a step, now or with the next ones.
    pub(super) fn step(&self, run: RunId, step: StepReport) {
        let mut state = self.lock();
        if state.run != run {
            state.flush();
            state.run = run;
        }
        state.steps.push(step);
        if state.last.is_none_or(|last| last.elapsed() >= BETWEEN) {
            state.flush();
        }
    }

    /// Sends the steps that wait: before anything that takes a while.
    pub(super) fn flush(&self) {
        self.lock().flush();
    }

    /// Closes the connection and goes on as if nothing were: for tests of the other side.
    pub(super) fn hang_up(&self) {
        self.lock().stream = Box::new(std::io::sink());
    }

    /// Sends bytes that are no message: for tests of the other side.
    pub(super) fn babble(&self) {
        let mut state = self.lock();
        // It is broken on purpose.
        let _ = state.stream.write_all(&[0xff; 64]).and_then(|()| state.stream.flush());
    }

    /// Whether the other side is gone.
    pub(super) fn is_broken(&self) -> bool {
        self.lock().is_broken
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn flush(&mut self) {
        if !self.steps.is_empty() {
            let event = Event::Steps { run: self.run, steps: std::mem::take(&mut self.steps) };
            self.write(&event);
            self.last = Some(Instant::now());
        }
    }

    fn write(&mut self, event: &Event) {
        if !self.is_broken && write_message(&mut self.stream, event).is_err() {
            self.is_broken = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::channel::read_message;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn step(step: u64) -> StepReport {
        StepReport { step, epoch: 1, loss: 1.0, images: 1, ..StepReport::default() }
    }

    #[test]
    fn quick_steps_share_messages_none_is_lost_and_they_come_before_what_follows() {
        let sink = Sink::default();
        let outbox = Outbox::new(sink.clone());
        for n in 1..=100 {
            outbox.step(RunId(1), step(n));
        }
        outbox.send(&Event::Resumed { run: RunId(1) });
        let bytes = sink.0.lock().unwrap().clone();
        let mut stream = bytes.as_slice();
        let (mut messages, mut told) = (0, Vec::new());
        while let Some(event) = read_message::<Event>(&mut stream).unwrap() {
            match event {
                Event::Steps { steps, .. } => {
                    messages += 1;
                    told.extend(steps.into_iter().map(|step| step.step));
                }
                event => assert!(matches!(event, Event::Resumed { .. }) && stream.is_empty()),
            }
        }
        assert!(told.into_iter().eq(1..=100));
        assert!(messages < 50, "{messages}");
    }
}
