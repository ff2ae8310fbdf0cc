//! Every way in which the engine fails, forced through the real process: the supervisor names it, the checkpoint is good,
//! and the run goes on from there.

use crate::scratch::scratch;
use crate::worker::{PATIENCE, RUN, start, train, wait, wait_for_end, wait_for_step};
use std::path::Path;
use std::time::{Duration, Instant};
use striate::engine::protocol::{EndCause, Event, TrainRequest};
use striate::engine::run::{RunFolder, RunStatus};

/// LeNet-5 on drawn digits, ten steps, a checkpoint after each.
fn request(folder: &Path) -> TrainRequest {
    let document = striate::presets::find("lenet5").unwrap();
    let request = TrainRequest::new(document.to_json(), folder.to_path_buf());
    TrainRequest { checkpoint_secs: 0, max_steps: Some(10), ..request }
}

#[test]
fn every_failure_is_named_and_the_run_goes_on_from_its_checkpoint() {
    let scratch = scratch();
    let cases = [
        ("abort", EndCause::Crashed, "SIGABRT"),
        ("exit", EndCause::Crashed, "exit code 7"),
        ("panic", EndCause::Crashed, "a fault on demand"),
        ("hang_up", EndCause::Connection, "closed its connection"),
        ("babble", EndCause::Connection, "at most"),
        ("device_lost", EndCause::DeviceLost, "driver was reset"),
        ("pool", EndCause::OutOfMemory, "smaller batch"),
        ("allocate", EndCause::OutOfMemory, "smaller batch"),
    ];
    for (fault, cause, words) in cases {
        let folder = scratch.path().join(fault);
        let marker = scratch.path().join(format!("{fault}.struck"));
        let env = format!("{fault}@6:{}", marker.display());
        let worker = start(&[("STRIATE_TEST_FAULT", &env)]);
        train(&worker, request(&folder));
        let report = wait_for_end(&worker);
        assert_eq!((report.cause, report.run), (cause, Some(RUN)), "{fault}: {report:?}");
        assert!(report.message.contains(words), "{fault}: {}", report.message);
        assert_eq!(report.out_of_memory, cause == EndCause::OutOfMemory, "{fault}");
        assert!(!report.expected && marker.exists(), "{fault}");
        let run = RunFolder::open(&folder).unwrap();
        assert_eq!(run.status_now(&run.record().unwrap()), RunStatus::Interrupted, "{fault}");
        // The checkpoint of the step before: the fault struck before that of its own.
        assert_eq!(run.checkpoint().unwrap().0, 5, "{fault}");

        let worker = start(&[("STRIATE_TEST_FAULT", &env)]);
        train(&worker, TrainRequest { resume: true, ..request(&folder) });
        wait(&worker, |event| matches!(event, Event::Finished { .. }));
        let steps = run.metrics().unwrap().steps;
        assert!(steps.iter().map(|step| step.step).eq(1..=10), "{fault}");
    }
}

#[test]
fn a_kill_from_outside_is_not_blamed_on_memory_unless_it_was_short() {
    let scratch = scratch();
    // LeNet-5 needs 16 MB allocated; with program and libraries more than 36 MB are resident, nine tenths of this limit.
    for (name, env, cause) in [
        ("free", &[][..], EndCause::Killed),
        ("tight", &[("STRIATE_MEMORY_LIMIT", "40000000")][..], EndCause::OutOfMemory),
    ] {
        let worker = start(env);
        let folder = scratch.path().join(name);
        train(&worker, TrainRequest { max_steps: None, ..request(&folder) });
        wait(&worker, |event| matches!(event, Event::Steps { .. }));
        // The supervisor must have looked while the memory was in use.
        let end = Instant::now() + PATIENCE;
        while worker.resident_bytes().is_none_or(|bytes| bytes < 36_000_000) {
            assert!(Instant::now() < end, "{name}: {:?}", worker.resident_bytes());
            std::thread::sleep(Duration::from_millis(20));
        }
        let kill = std::process::Command::new("kill").args(["-9", &worker.pid().to_string()]).status().unwrap();
        assert!(kill.success());
        let report = wait_for_end(&worker);
        assert_eq!(report.cause, cause, "{name}: {report:?}");
    }
}

#[test]
fn a_silent_worker_that_is_ended_for_it_is_called_silent() {
    let scratch = scratch();
    let folder = scratch.path().join("run");
    let worker = start(&[("STRIATE_TEST_FAULT", "hang@3")]);
    train(&worker, request(&folder));
    wait_for_step(&worker, 3);
    worker.kill_silent();
    assert_eq!(wait_for_end(&worker).cause, EndCause::Silent);
    assert_eq!(RunFolder::open(&folder).unwrap().checkpoint().unwrap().0, 2);
}

#[test]
fn half_the_batch_goes_on_inside_the_epoch_where_it_stopped() {
    let scratch = scratch();
    let folder = scratch.path().join("run");
    let worker = start(&[]);
    train(&worker, TrainRequest { max_steps: Some(4), ..request(&folder) });
    wait(&worker, |event| matches!(event, Event::Finished { .. }));
    let again = TrainRequest { max_steps: Some(6), ..request(&folder) }.with_half_the_batch();
    assert_eq!((again.resume, again.halvings), (true, 1));
    train(&worker, again);
    wait(&worker, |event| matches!(event, Event::Finished { .. }));
    let run = RunFolder::open(&folder).unwrap();
    // 64 images a step before; two times 32 after.
    let steps = run.metrics().unwrap().steps;
    assert!(steps.iter().map(|step| (step.step, step.images)).eq((1..=6).map(|step| (step, 64))));
    // Four steps of 64 images are 8 batches of 32; two more steps make 12.
    let progress = run.checkpoint().unwrap().1.join("progress.json");
    let progress: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(progress).unwrap()).unwrap();
    assert_eq!((&progress["position"], &progress["batch"]), (&12.into(), &32.into()));
}
