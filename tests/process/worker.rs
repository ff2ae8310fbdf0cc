//! A worker as the tests have it: started, told what to do, waited for. And the pictures that most of them train on.

use std::path::Path;
use std::time::{Duration, Instant};
use striate::engine::Supervisor;
use striate::engine::protocol::{Command, DeviceChoice, Event, ExitReport, FinishReason, RunId, TrainRequest};

/// The run of every test.
pub(crate) const RUN: RunId = RunId(7);
/// The program.
pub(crate) const EXE: &str = env!("CARGO_BIN_EXE_striate");
/// Workers run at low priority: on a busy machine they take long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(10);

/// Starts a worker on two threads of the CPU, with additions to its environment.
pub(crate) fn start(env: &[(&str, &str)]) -> Supervisor {
    start_program(Path::new(EXE), env)
}

/// Starts another program as a worker.
pub(crate) fn start_program(exe: &Path, env: &[(&str, &str)]) -> Supervisor {
    let env: Vec<_> = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let worker = Supervisor::start(exe, &env).unwrap();
    worker.send(Command::Open { device: DeviceChoice::Cpu, threads: Some(2) }).unwrap();
    wait(&worker, |event| matches!(event, Event::Ready { .. }));
    worker
}

/// Waits for an event; a failure or the end of the worker fails the test, unless it is what
/// is waited for.
pub(crate) fn wait(worker: &Supervisor, wanted: impl Fn(&Event) -> bool) -> Event {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        let Some(event) = worker.recv_timeout(Duration::from_millis(100)) else { continue };
        if wanted(&event) {
            return event;
        }
        assert!(!matches!(event, Event::Failed { .. } | Event::Exited(_)), "{event:?}");
    }
    panic!("waited in vain");
}

/// Waits until a step has been told.
pub(crate) fn wait_for_step(worker: &Supervisor, step: u64) {
    let is_there = |event: &Event| matches!(event, Event::Steps { steps, .. } if steps.last().is_some_and(|last| last.step >= step));
    wait(worker, is_there);
}

/// Waits for the end of the worker, whatever it says before.
pub(crate) fn wait_for_end(worker: &Supervisor) -> ExitReport {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(Event::Exited(report)) = worker.recv_timeout(Duration::from_millis(100)) {
            return report;
        }
    }
    panic!("waited in vain for the end");
}

/// Begins a run.
pub(crate) fn train(worker: &Supervisor, request: TrainRequest) {
    worker.send(Command::Train { run: RUN, request: Box::new(request) }).unwrap();
}

/// Waits for the end of the run.
pub(crate) fn finish(worker: &Supervisor) -> FinishReason {
    match wait(worker, |event| matches!(event, Event::Finished { .. })) {
        Event::Finished { reason, .. } => reason,
        _ => unreachable!(),
    }
}
