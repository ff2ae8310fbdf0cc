//! The engine as a real process: it trains, obeys, survives being killed, and says how it ended.

use crate::networks::{pictures, small, wide};
use crate::scratch::scratch;
use crate::worker::{PATIENCE, RUN, finish, start, train, wait, wait_for_end, wait_for_step};
use std::path::Path;
use striate::data::Split;
use striate::engine::protocol::{
    Command, EvaluateRequest, Event, FinishReason, ImageRef, NetworkRef, PredictRequest, ProbeRequest,
    RateSearchRequest, TimeRequest, TrainRequest,
};
use striate::engine::run::{Metrics, RunFolder, RunStatus, snapshots};

/// What must be the same to the last bit: steps and epochs without their times.
fn numbers(metrics: &Metrics) -> Vec<(u64, Vec<u64>)> {
    let steps = metrics
        .steps
        .iter()
        .map(|step| (step.step, [step.loss, step.learning_rate, step.grad_norm].map(f64::to_bits).to_vec()));
    let epochs = metrics.epochs.iter().map(|epoch| {
        let losses = [epoch.train_loss, epoch.validation_loss.unwrap_or(0.0)];
        (epoch.step, losses.map(f64::to_bits).to_vec())
    });
    steps.chain(epochs).collect()
}

/// Kills a run after some steps, several times over, resumes it each time, and gives all its numbers.
fn killed_and_resumed(document: &str, folder: &Path, kills: &[u64], checkpoint_secs: u32) -> Metrics {
    let mut request = TrainRequest { checkpoint_secs, ..TrainRequest::new(document.to_owned(), folder.to_path_buf()) };
    for &kill in kills {
        let worker = start(&[]);
        train(&worker, request.clone());
        wait_for_step(&worker, kill);
        worker.kill();
        assert_eq!(wait_for_end(&worker).signal, Some(9));
        let run = RunFolder::open(folder).unwrap();
        assert_eq!(run.status_now(&run.record().unwrap()), RunStatus::Interrupted);
        request = TrainRequest { checkpoint_secs, ..TrainRequest::resuming(folder.to_path_buf()) };
    }
    let worker = start(&[]);
    train(&worker, request);
    assert_eq!(finish(&worker), FinishReason::Completed);
    RunFolder::open(folder).unwrap().metrics().unwrap()
}

fn uninterrupted(document: &str, folder: &Path) -> Metrics {
    let worker = start(&[]);
    train(&worker, TrainRequest::new(document.to_owned(), folder.to_path_buf()));
    assert_eq!(finish(&worker), FinishReason::Completed);
    RunFolder::open(folder).unwrap().metrics().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_goes_on_with_the_very_same_losses() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    // 24 training images in batches of 5: 5 steps an epoch, 40 in all, the last of each smaller.
    let document = small(&data, 8);
    let whole = uninterrupted(&document, &scratch.path().join("whole"));
    assert!(whole.steps.iter().map(|step| step.step).eq(1..=40));
    assert_eq!(whole.epochs.len(), 8);
    // A checkpoint after every step; one after every epoch only.
    for (name, kills, secs) in [("often", &[2, 9, 23][..], 0), ("seldom", &[3, 14, 31][..], 3_600)] {
        let pieces = killed_and_resumed(&document, &scratch.path().join(name), kills, secs);
        assert_eq!(numbers(&pieces), numbers(&whole), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_with_millions_of_weights_and_clipped_gradients_does_too() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    // 24 images in batches of 8: 3 steps an epoch, 9 in all.
    let document = wide(&data, 3);
    let whole = uninterrupted(&document, &scratch.path().join("whole"));
    assert_eq!(whole.steps.len(), 9);
    let pieces = killed_and_resumed(&document, &scratch.path().join("pieces"), &[2, 5], 0);
    assert_eq!(numbers(&pieces), numbers(&whole));
}

#[test]
fn a_run_pauses_answers_goes_on_and_stops_without_any_display() {
    let scratch = scratch();
    let folder = scratch.path().join("run");
    // The names of a display that does not exist: opening a window would fail.
    let worker = start(&[("DISPLAY", ":987"), ("WAYLAND_DISPLAY", "none")]);
    let mut document = striate::presets::find("lenet5").unwrap();
    document.training.epochs = 1_000;
    train(&worker, TrainRequest::new(document.to_json(), folder.clone()));
    wait(&worker, |event| matches!(event, Event::Started { started, .. } if started.classes.len() == 10));
    let memory = wait(&worker, |event| matches!(event, Event::Memory { .. }));
    let Event::Memory { memory, .. } = memory else { unreachable!() };
    // 61,706 parameters, their gradients and Adam's two moments, 4 bytes each: 987,296 bytes at the very least.
    assert!(memory.peak_bytes.unwrap() > 987_296, "{memory:?}");

    worker.send(Command::Pause).unwrap();
    let Event::Paused { step, .. } = wait(&worker, |event| matches!(event, Event::Paused { .. })) else {
        unreachable!()
    };
    assert!(step >= 2);
    let image = ImageRef::Item { split: Split::Test, index: 0 };
    worker.send(Command::Probe(Box::new(ProbeRequest::new(image.clone(), vec!["c1".into(), "no".into()])))).unwrap();
    let Event::Probed(probe) = wait(&worker, |event| matches!(event, Event::Probed(_))) else { unreachable!() };
    let [conv, unknown] = &probe.layers[..] else { panic!("{probe:?}") };
    // LeNet-5's first layer: 6 maps of 28 x 28, from 6 filters of 5 x 5.
    assert_eq!((&conv.shape[..], conv.planes.len(), conv.channels.len()), (&[6, 28, 28][..], 6, 6));
    assert_eq!((conv.filters.len(), conv.filters[0].width), (6, 5));
    assert!(unknown.problem.is_some());
    assert_eq!((probe.step, probe.top.len()), (Some(step), 5));
    worker.send(Command::Resume).unwrap();
    wait(&worker, |event| matches!(event, Event::Resumed { .. }));
    worker.send(Command::SetLearningRate(1e-5)).unwrap();
    wait(&worker, |event| matches!(event, Event::RateChanged { .. }));
    worker.send(Command::Checkpoint).unwrap();
    wait(&worker, |event| matches!(event, Event::Saved { .. }));
    worker.send(Command::Stop { keep_best: false }).unwrap();
    assert_eq!(finish(&worker), FinishReason::Stopped);

    let run = RunFolder::open(&folder).unwrap();
    let metrics = run.metrics().unwrap();
    let last = metrics.steps.last().unwrap();
    assert!(metrics.steps.iter().map(|step| step.step).eq(1..=last.step));
    assert_eq!(run.record().unwrap().status, RunStatus::Finished);
    assert!(run.last_path().is_file() && run.checkpoint().unwrap().0 == last.step);
    // The stored run answers like any other.
    let request = PredictRequest { id: 3, network: NetworkRef::Stored(folder), images: vec![image], top: 3 };
    worker.send(Command::Predict(Box::new(request))).unwrap();
    let answer = wait(&worker, |event| matches!(event, Event::Predicted { id: 3, .. }));
    let Event::Predicted { predictions, .. } = answer else { unreachable!() };
    assert_eq!(predictions[0].top.len(), 3);
    let report = worker.shut_down(PATIENCE).unwrap();
    assert!(report.expected && report.code == Some(0), "{report:?}");
}

#[test]
fn the_end_of_input_writes_a_checkpoint_and_early_stopping_keeps_the_best() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    let folder = scratch.path().join("run");
    let worker = start(&[]);
    train(&worker, TrainRequest::new(small(&data, 100_000), folder.clone()));
    wait(&worker, |event| matches!(event, Event::Epoch { .. }));
    let report = worker.shut_down(PATIENCE).unwrap();
    assert!(report.expected, "{report:?}");
    let run = RunFolder::open(&folder).unwrap();
    let metrics = run.metrics().unwrap();
    assert_eq!(run.checkpoint().unwrap().0, metrics.steps.last().unwrap().step);
    assert_eq!(run.record().unwrap().status, RunStatus::Interrupted);

    // A loss must fall by 100 to count as better: two epochs later it has not.
    let mut json: serde_json::Value = serde_json::from_str(&small(&data, 50)).unwrap();
    json["training"]["early_stop"] = serde_json::json!({"patience": 2, "min_delta": 100.0});
    let folder = scratch.path().join("early");
    let worker = start(&[]);
    train(&worker, TrainRequest::new(json.to_string(), folder.clone()));
    assert_eq!(finish(&worker), FinishReason::EarlyStop);
    let run = RunFolder::open(&folder).unwrap();
    let epochs = run.metrics().unwrap().epochs;
    assert_eq!(epochs.len(), 3);
    let best = epochs.iter().rfind(|epoch| epoch.is_best).unwrap();
    // The stored best weights give the validation loss that was told for them.
    let request = EvaluateRequest {
        run: RUN,
        network: NetworkRef::Stored(run.best_path()),
        data: None,
        split: Split::Validation,
        worst: 3,
    };
    worker.send(Command::Evaluate(Box::new(request))).unwrap();
    let answer = wait(&worker, |event| matches!(event, Event::Evaluated(_)));
    let Event::Evaluated(report) = answer else { unreachable!() };
    assert_eq!(report.loss.to_bits(), best.validation_loss.unwrap().to_bits());
    // 2 classes of 4 validation images.
    assert_eq!((report.count, report.confusion.iter().sum::<u64>()), (8, 8));
}

#[test]
fn what_cannot_be_trained_is_said_and_survived() {
    let scratch = scratch();
    let worker = start(&[]);
    let fail = |request: TrainRequest, word: &str| {
        train(&worker, request);
        let end = wait(&worker, |event| matches!(event, Event::Failed { .. }));
        let Event::Failed { run: Some(RUN), message } = end else { panic!("{end:?}") };
        assert!(message.contains(word), "{message}");
    };
    let folder = scratch.path().join("run");
    fail(TrainRequest::new("{".into(), folder.clone()), "");
    fail(TrainRequest::new(small(Path::new("/no/pictures"), 1), folder.clone()), "/no/pictures");
    fail(TrainRequest::resuming(folder.clone()), "run");
    assert!(!folder.exists(), "a run that never began left a folder");
    let probe = ProbeRequest::new(ImageRef::File("a.png".into()), Vec::new());
    worker.send(Command::Probe(Box::new(probe))).unwrap();
    let look = wait(&worker, |event| matches!(event, Event::Unanswered { .. }));
    assert!(matches!(&look, Event::Unanswered { id: 0, message } if message.contains("Name a run")), "{look:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn running_out_of_memory_is_recognised_and_half_the_batch_goes_on() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    let folder = scratch.path().join("run");
    // Weights alone need 17 MB: a limit of 12 MB is reached while the network is built.
    let worker = start(&[("STRIATE_MEMORY_LIMIT", "12000000")]);
    let request = TrainRequest::new(wide(&data, 1), folder.clone());
    train(&worker, request.clone());
    let report = wait_for_end(&worker);
    assert!(report.out_of_memory && report.run == Some(RUN), "{report:?}");
    // No run was begun: the next attempt is a new one, with batches of 4 and twice as many micro-steps.
    let again = request.with_half_the_batch();
    assert_eq!((again.resume, again.halvings), (false, 1));
    let worker = start(&[]);
    train(&worker, again);
    assert_eq!(finish(&worker), FinishReason::Completed);
    let run = RunFolder::open(&folder).unwrap();
    // 24 images in steps of 2 x 4.
    let images: Vec<_> = run.metrics().unwrap().steps.iter().map(|step| step.images).collect();
    assert_eq!((images, run.record().unwrap().halvings), (vec![8, 8, 8], 1));
}

#[test]
fn weights_of_an_earlier_run_are_taken_where_they_fit_and_the_rest_is_named() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    let first = scratch.path().join("first");
    uninterrupted(&small(&data, 1), &first);
    let mut json: serde_json::Value = serde_json::from_str(&small(&data, 1)).unwrap();
    json["graph"]["nodes"][5]["name"] = "head".into();
    let worker = start(&[]);
    let request = TrainRequest::new(json.to_string(), scratch.path().join("second"));
    train(&worker, TrainRequest { start_from: Some(first), ..request });
    let event = wait(&worker, |event| matches!(event, Event::Started { .. }));
    let Event::Started { started, .. } = event else { unreachable!() };
    let weights = started.weights.unwrap();
    // conv weight and bias, batch norm's four; the dense layer has another name on either side.
    assert_eq!(weights.matched.len(), 6, "{weights:?}");
    assert_eq!(weights.missing, ["head.weight", "head.bias"]);
    assert_eq!(weights.unused, ["fc.bias", "fc.weight"]);
    assert_eq!(finish(&worker), FinishReason::Completed);
}

/// Kept out of the way of other tests' folders.
#[test]
fn a_run_in_use_is_not_resumed_by_a_second_process() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    let folder = scratch.path().join("run");
    let first = start(&[]);
    train(&first, TrainRequest::new(small(&data, 100_000), folder.clone()));
    wait(&first, |event| matches!(event, Event::Steps { .. }));
    let second = start(&[]);
    train(&second, TrainRequest::resuming(folder));
    let end = wait(&second, |event| matches!(event, Event::Failed { .. }));
    assert!(matches!(&end, Event::Failed { message, .. } if message.contains("one process")), "{end:?}");
    first.shut_down(PATIENCE);
}

#[test]
fn layers_are_timed_on_request_but_not_beside_a_run() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    let worker = start(&[]);
    let ask = |id, document: String| {
        let request = TimeRequest { id, document, batch: 4, repeats: 3 };
        worker.send(Command::TimeLayers(Box::new(request))).unwrap();
        match wait(&worker, |event| matches!(event, Event::LayerTimes(report) if report.id == id)) {
            Event::LayerTimes(report) => report,
            _ => unreachable!(),
        }
    };
    let report = ask(3, small(&data, 1));
    assert_eq!((report.problem.as_deref(), report.batch), (None, 4));
    let paths: Vec<&str> = report.layers.iter().map(|row| row.path.as_str()).collect();
    assert_eq!(paths, ["conv1", "bn1", "drop", "flat", "fc"]);
    let (forward, backward) = report.total();
    assert!(forward > 0.0 && backward > 0.0, "{report:?}");
    assert!(report.of("conv1").is_some_and(|(forward, backward)| forward > 0.0 && backward > 0.0), "{report:?}");
    assert!(report.of("conv").is_none(), "a name that only begins alike is another layer");

    let broken = ask(4, "{}".into());
    assert!(broken.problem.is_some() && broken.layers.is_empty());

    train(&worker, TrainRequest::new(small(&data, 100_000), scratch.path().join("run")));
    wait(&worker, |event| matches!(event, Event::Steps { .. }));
    let busy = ask(5, small(&data, 1));
    assert!(busy.problem.is_some_and(|problem| problem.contains("A run is training")));
    worker.shut_down(PATIENCE);
}

#[test]
fn every_epoch_leaves_its_confusion_in_the_run_as_an_evaluation_counts_it() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    let folder = scratch.path().join("run");
    let worker = start(&[]);
    train(&worker, TrainRequest::new(small(&data, 3), folder.clone()));
    let told = wait(&worker, |event| matches!(event, Event::Results { results, .. } if results.epoch == 2));
    assert_eq!(finish(&worker), FinishReason::Completed);
    let results = RunFolder::open(&folder).unwrap().results().unwrap();
    assert_eq!(results.iter().map(|epoch| (epoch.epoch, epoch.step)).collect::<Vec<_>>(), [(1, 5), (2, 10), (3, 15)]);
    assert!(matches!(told, Event::Results { results: told, .. } if *told == results[1]));
    // The network is as it was at the end of the last epoch.
    let request =
        EvaluateRequest { run: RUN, network: NetworkRef::Live, data: None, split: Split::Validation, worst: 99 };
    worker.send(Command::Evaluate(Box::new(request))).unwrap();
    let Event::Evaluated(report) = wait(&worker, |event| matches!(event, Event::Evaluated(_))) else { unreachable!() };
    let last = &results[2];
    assert_eq!(last.totals(), (report.count, report.correct));
    for truth in 0..2 {
        for guess in 0..2 {
            assert_eq!(last.at(truth, guess), report.confusion[(truth * 2 + guess) as usize]);
        }
    }
    let worst: Vec<u64> = last.worst().map(|answer| answer.index).collect();
    assert_eq!(worst, report.worst.iter().map(|mistake| mistake.index).collect::<Vec<_>>());
}

#[test]
fn changes_of_rate_and_schedule_are_made_again_when_a_killed_run_is_resumed() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    let folder = scratch.path().join("run");
    // One image a step: 24 steps from one checkpoint to the next, so that the changes mostly lie between two.
    let document = small(&data, 100_000).replace("\"batch\":5", "\"batch\":1");
    let worker = start(&[]);
    train(&worker, TrainRequest::new(document, folder.clone()));
    wait_for_step(&worker, 30);
    worker.send(Command::SetLearningRate(0.003)).unwrap();
    wait(&worker, |event| matches!(event, Event::RateChanged { .. }));
    worker.send(Command::SetSchedule("{\"kind\":\"step\",\"every_epochs\":1,\"gamma\":0.7}".into())).unwrap();
    let Event::RateChanged { change, .. } = wait(&worker, |event| matches!(event, Event::RateChanged { .. })) else {
        unreachable!()
    };
    assert!((change.base_rate - 0.003).abs() < 1e-15 && change.since == change.step, "{change:?}");
    let after = change.step + 5;
    wait_for_step(&worker, after);
    worker.kill();
    wait_for_end(&worker);
    let run = RunFolder::open(&folder).unwrap();
    let before = run.metrics().unwrap();
    assert_eq!(run.changes().unwrap().len(), 2);
    let last = before.steps.last().unwrap().step;
    let worker = start(&[]);
    train(&worker, TrainRequest { max_steps: Some(last + 30), ..TrainRequest::resuming(folder) });
    assert_eq!(finish(&worker), FinishReason::StepLimit);
    let resumed = run.metrics().unwrap();
    let same = |metrics: &Metrics| -> Vec<(u64, [u64; 3])> {
        let bits = |step: &striate::engine::protocol::StepReport| {
            (step.step, [step.loss, step.learning_rate, step.grad_norm].map(f64::to_bits))
        };
        metrics.steps.iter().filter(|step| step.step <= last).map(bits).collect()
    };
    assert_eq!(same(&before), same(&resumed));
    // The schedule counts from its change: one epoch of 24 steps later the rate is 0.003 times 0.7.
    let at = |step: u64| resumed.steps.iter().find(|report| report.step == step).unwrap().learning_rate;
    assert!((at(change.step + 1) - 0.003).abs() < 1e-12 && (at(change.step + 25) - 0.0021).abs() < 1e-12);
}

#[test]
fn a_search_for_a_learning_rate_leaves_the_trained_network_alone_and_waits_its_turn() {
    let scratch = scratch();
    let data = scratch.path().join("pictures");
    pictures(&data);
    let worker = start(&[]);
    train(&worker, TrainRequest::new(small(&data, 2), scratch.path().join("run")));
    assert_eq!(finish(&worker), FinishReason::Completed);
    let loss = || {
        let request =
            EvaluateRequest { run: RUN, network: NetworkRef::Live, data: None, split: Split::Validation, worst: 0 };
        worker.send(Command::Evaluate(Box::new(request))).unwrap();
        match wait(&worker, |event| matches!(event, Event::Evaluated(_))) {
            Event::Evaluated(report) => report.loss.to_bits(),
            _ => unreachable!(),
        }
    };
    let before = loss();
    let request = RateSearchRequest { steps: 40, ..RateSearchRequest::new(3, small(&data, 2)) };
    worker.send(Command::FindRate(Box::new(request))).unwrap();
    let Event::RateSearch(found) = wait(&worker, |event| matches!(event, Event::RateSearch(search) if search.is_done))
    else {
        unreachable!()
    };
    assert_eq!((found.id, found.steps), (3, 40));
    assert!(found.points.len() > 10 && found.points.windows(2).all(|pair| pair[0].rate < pair[1].rate), "{found:?}");
    assert!((found.points[0].rate - 1e-7).abs() < 1e-15);
    assert_eq!(loss(), before);
    // While a run trains there is no search.
    train(&worker, TrainRequest::new(small(&data, 100_000), scratch.path().join("long")));
    wait(&worker, |event| matches!(event, Event::Steps { .. }));
    worker.send(Command::FindRate(Box::new(RateSearchRequest::new(4, small(&data, 2))))).unwrap();
    let refused = wait(&worker, |event| matches!(event, Event::Failed { .. }));
    assert!(matches!(&refused, Event::Failed { run: None, message } if message.contains("rates")), "{refused:?}");
    worker.send(Command::Stop { keep_best: false }).unwrap();
    assert_eq!(finish(&worker), FinishReason::Stopped);
}

#[test]
fn snapshots_are_of_the_picture_that_was_chosen_also_after_a_resume_without_it() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("pictures");
    pictures(&data);
    let folder = scratch.path().join("run");
    // A picture of one's own: left half dark, right half bright.
    let chosen = scratch.path().join("mine.png");
    image::RgbImage::from_fn(12, 12, |x, _| image::Rgb([if x < 6 { 0 } else { 255 }; 3])).save(&chosen).unwrap();
    let watched = Some(ImageRef::File(chosen.clone()));
    let worker = start(&[]);
    let request = TrainRequest { watched, ..TrainRequest::new(small(&data, 8), folder.clone()) };
    train(&worker, TrainRequest { max_steps: Some(7), ..request });
    assert_eq!(finish(&worker), FinishReason::StepLimit);
    std::fs::remove_file(&chosen).unwrap();
    train(&worker, TrainRequest::resuming(folder.clone()));
    assert_eq!(finish(&worker), FinishReason::Completed);
    let kept: Vec<_> = snapshots::list(&folder).iter().map(|(_, path)| snapshots::read(path).unwrap()).collect();
    // 5 steps an epoch, 8 epochs: powers of two and the ends of epochs.
    let steps: Vec<u64> = kept.iter().map(|snapshot| snapshot.step).collect();
    assert_eq!(steps, [0, 1, 2, 4, 5, 8, 10, 15, 16, 20, 25, 30, 32, 35, 40]);
    for snapshot in &kept {
        let input = snapshot.input.as_ref().unwrap();
        assert_eq!((snapshot.image.as_ref(), snapshot.label), (Some(&ImageRef::File(chosen.clone())), None));
        assert_eq!((&input.pixels[..3], &input.pixels[33..36]), (&[0; 3][..], &[255; 3][..]), "{}", snapshot.step);
        // 6 filters of 3 × 3 over three colours.
        let conv = snapshot.layers.iter().find(|layer| layer.path == "conv1").unwrap();
        assert_eq!((conv.filters.len(), conv.filters[0].depth), (6, 3));
    }
    // One that cannot be had is told, and the first validation image stands in for it.
    let other = scratch.path().join("other");
    let watched = Some(ImageRef::Item { split: Split::Validation, index: 999 });
    train(&worker, TrainRequest { watched, max_steps: Some(1), ..TrainRequest::new(small(&data, 1), other.clone()) });
    finish(&worker);
    let first = snapshots::read(&snapshots::list(&other)[0].1).unwrap();
    assert_eq!(first.image, Some(ImageRef::Item { split: Split::Validation, index: 0 }));
}
