//! Engines that fail, seen from the window: killed, crashed, silent, without memory; and closing during a run.
//!
//! With `STRIATE_PICTURES=<folder>` every dialog and banner is also drawn there, to be looked at.

use crate::files::{change, closes, wait_for_copy, window};
use crate::hand::{
    Window, ask_to_close, button, click, click_near, ctrl, has, options, picture, steps, tab, train, wait,
};
use crate::pictures::pictures;
use crate::scratch::scratch;
use egui::{Key, Role};
use egui_kittest::kittest::Queryable as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use striate::engine::run::RunFolder;
use striate::graph::Document;
use striate::presets;
use striate::ui::Options;
use striate::ui::runs::RunState;

fn last_step(window: &Window) -> u64 {
    window.state().run().and_then(|run| run.steps.last()).map_or(0, |step| step.step)
}

/// The folder of the copies is in the way of itself; then it is free again, and nothing more is asked of the person.
#[test]
fn copies_that_fail_are_said_beside_the_way_to_resume_and_the_news_end_when_they_work_again() {
    let folder = scratch();
    let mut window = struck(folder.path(), quick(folder.path()), "abort@8");
    wait(&mut window, "the crash", |window| window.query_by_role_and_label(Role::Button, "Resume").is_some());
    let copies: Vec<PathBuf> =
        std::fs::read_dir(folder.path().join("recovery")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let own = copies.iter().find(|path| path.is_dir()).unwrap();
    std::fs::remove_dir_all(own).unwrap();
    std::fs::write(own, "in the way").unwrap();
    change(&mut window);
    wait(&mut window, "the news", |window| has(window, "Unsaved changes are copied to"));
    // Both are in sight.
    window.get_by_role_and_label(Role::Button, "Resume");
    picture(&mut window, "banner-two");
    std::fs::remove_file(own).unwrap();
    wait(&mut window, "the copy", |window| own.is_dir() && !has(window, "Unsaved changes are copied to"));
    wait_for_copy(&mut window, folder.path());
    button(&mut window, "Resume");
    wait(&mut window, "further steps", |window| last_step(window) > 12);
    assert!(window.state().bad_news().is_none(), "{:?}", window.state().bad_news());
}

#[test]
fn closing_during_a_run_writes_its_checkpoint_first() {
    let folder = scratch();
    let mut window = window(options(folder.path()));
    train(&mut window, 3);
    let run = window.state().run().unwrap().folder.clone();
    ask_to_close(&mut window);
    window.get_by_label("A run is under way");
    picture(&mut window, "closing-run");
    window.get_by_role_and_label(Role::Button, "Stop and save checkpoint").click();
    window.step();
    assert!(closes(&mut window));
    let run = RunFolder::open(run).unwrap();
    // Every step that was told is in the checkpoint, and the engine is gone.
    assert_eq!(run.checkpoint().unwrap().0, run.metrics().unwrap().steps.last().unwrap().step);
    assert!(run.checkpoint().unwrap().0 >= last_step(&window));
}

#[cfg(unix)]
#[test]
fn a_killed_engine_is_called_killed_and_one_click_goes_on() {
    let folder = scratch();
    let mut window = window(Options { document: Some(quick(folder.path())), ..options(folder.path()) });
    train(&mut window, 3);
    // Before its first checkpoint, a run can only begin anew.
    kill_engine(&mut window);
    assert!(window.state().bad_news().unwrap().contains("no checkpoint yet"));
    button(&mut window, "Start again");
    let has_checkpoint = |window: &Window| {
        let run = window.state().run().and_then(|run| RunFolder::open(run.folder.clone()).ok());
        run.is_some_and(|run| run.checkpoint().is_some())
    };
    wait(&mut window, "a checkpoint", has_checkpoint);
    kill_engine(&mut window);
    let words = window.state().bad_news().unwrap().to_owned();
    assert!(words.contains("killed from outside") && words.contains("checkpoint of step"), "{words}");
    let before = last_step(&window);
    picture(&mut window, "banner-killed");
    button(&mut window, "Resume");
    wait(&mut window, "further steps", |window| last_step(window) > before + 5);
    assert!(window.state().bad_news().is_none());
    // The curve goes on: no step is missing and none comes twice.
    let run = window.state().run().unwrap();
    assert!(run.steps.iter().map(|step| step.step).eq(1..=last_step(&window)));
}

#[cfg(unix)]
/// LeNet-5 with forty small pictures in ten classes: 20 to 24 to train in batches of 8 are 3 steps, and a checkpoint after
/// them.
fn quick(folder: &Path) -> PathBuf {
    let path = folder.join("quick.json");
    let mut document = presets::find("lenet5").unwrap();
    document.data.source = striate::graph::DataSource::Folder { path: pictures(folder) };
    document.training.batch = 8;
    document.training.epochs = 10_000;
    document.save(&path).unwrap();
    path
}

/// A window whose engine fails at a step, with training under way.
fn struck(storage: &Path, document: PathBuf, fault: &str) -> Window {
    let fault = format!("{fault}:{}", storage.join("struck").display());
    let worker_env = vec![("STRIATE_TEST_FAULT".into(), fault)];
    let mut window = window(Options { document: Some(document), worker_env, ..options(storage) });
    ctrl(&mut window, Key::Enter);
    window
}

#[cfg(unix)]
fn kill_engine(window: &mut Window) {
    let pid = window.state().worker_pid().unwrap();
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    wait(window, "the bad news", |window| window.state().bad_news().is_some());
}

/// The supervisor names every end (tests/process/failures.rs); here the window says it, and one click goes on.
#[cfg(unix)]
#[test]
fn every_end_of_the_engine_is_named_in_the_window_and_one_click_goes_on() {
    for (fault, words) in [
        ("device_lost", "driver was reset"),
        ("hang_up", "closed its connection"),
        ("panic", "a fault on demand"),
        ("abort", "SIGABRT"),
    ] {
        let folder = scratch();
        let mut window = struck(folder.path(), quick(folder.path()), &format!("{fault}@8"));
        wait(&mut window, fault, |window| window.state().bad_news().is_some());
        let said = window.state().bad_news().unwrap().to_owned();
        assert!(said.contains(words) && said.contains("The network is unchanged"), "{fault}: {said}");
        // 20 to 24 images in batches of 8: an epoch and its checkpoint are 3 steps, so that the last one is that of step 6.
        assert!(said.contains("the checkpoint of step 6 is safe"), "{fault}: {said}");
        button(&mut window, "Resume");
        wait(&mut window, "further steps", |window| last_step(window) > 12);
        assert!(window.state().bad_news().is_none(), "{fault}: {:?}", window.state().bad_news());
        let run = window.state().run().unwrap();
        assert!(run.steps.iter().map(|step| step.step).eq(1..=last_step(&window)), "{fault}");
    }
}

#[test]
fn a_silent_engine_may_go_on_or_is_restarted() {
    let folder = scratch();
    let fault = format!("hang@8:{}", folder.path().join("struck").display());
    let mut window = window(Options {
        worker_env: vec![("STRIATE_TEST_FAULT".into(), fault)],
        patience: Some(Duration::from_secs(1)),
        ..options(folder.path())
    });
    ctrl(&mut window, Key::Enter);
    let is_silent = |window: &Window| window.state().bad_news().is_some_and(|words| words.contains("said nothing"));
    wait(&mut window, "the watchdog", |window| last_step(window) == 8 && is_silent(window));
    picture(&mut window, "banner-silent");
    button(&mut window, "Wait");
    assert!(!is_silent(&window));
    wait(&mut window, "the watchdog again", is_silent);
    button(&mut window, "Restart");
    wait(&mut window, "further steps", |window| last_step(window) > 20);
    assert!(window.state().bad_news().is_some_and(|words| words.contains("restarted")));
    let run = window.state().run().unwrap();
    assert!(run.steps.iter().map(|step| step.step).eq(1..=last_step(&window)));
}

/// The first look of the second engine never ends. It is ended after ten seconds, another one answers, and the run that trains
/// meanwhile notices nothing.
#[test]
fn a_silent_second_engine_is_started_anew_and_the_run_goes_on() {
    let folder = scratch();
    let struck = folder.path().join("struck");
    let mut window = window(Options {
        worker_env: vec![("STRIATE_TEST_FAULT".into(), format!("hang_look@1:{}", struck.display()))],
        patience: Some(Duration::from_secs(10)),
        ..options(folder.path())
    });
    train(&mut window, 3);
    tab(&mut window, "Feature maps");
    let looks_at_step = |window: &Window| window.state().look().probe.as_ref().map(|probe| probe.step);
    wait(&mut window, "live maps", |window| looks_at_step(window).is_some_and(|step| step > 0));
    assert!(!struck.exists(), "a look into the run is not the second engine's");
    click_near(&mut window, "Weights: ");
    click(&mut window, "Untrained");
    wait(&mut window, "the fault", |_| struck.exists());
    wait(&mut window, "untrained maps", |window| looks_at_step(window) == Some(0));
    let log = window.state().log();
    assert!(log.iter().any(|line| line.contains("second engine") && line.contains("said nothing for 1")), "{log:#?}");
    assert!(window.state().bad_news().is_none());
    let before = last_step(&window);
    wait(&mut window, "further steps", |window| last_step(window) > before);
}

/// Nothing trains, and the first look never ends: the engine is ended for it, which is said, and another one answers.
#[test]
fn an_engine_that_answers_no_look_is_started_anew_and_that_is_said() {
    let folder = scratch();
    let struck = folder.path().join("struck");
    let mut window = window(Options {
        worker_env: vec![("STRIATE_TEST_FAULT".into(), format!("hang_look@1:{}", struck.display()))],
        patience: Some(Duration::from_secs(10)),
        ..options(folder.path())
    });
    tab(&mut window, "Feature maps");
    wait(&mut window, "the fault", |_| struck.exists());
    let first = window.state().worker_pid();
    wait(&mut window, "the maps", |window| window.state().look().probe.is_some());
    let words = window.state().bad_news().unwrap().to_owned();
    assert!(words.contains("said nothing for 1") && words.contains("The network is unchanged"), "{words}");
    assert!(window.state().worker_pid() != first);
    picture(&mut window, "banner-look");
    // Read, it is gone, and looking goes on.
    click(&mut window, "Dismiss");
    assert!(window.state().bad_news().is_none());
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_that_outgrows_its_memory_goes_on_by_itself_with_half_the_batch() {
    let folder = scratch();
    let path = folder.path().join("large.json");
    let mut document = presets::find("lenet5").unwrap();
    document.training.batch = 800;
    document.save(&path).unwrap();
    // Planned for 800 images: 122 MB; for 400: 61 MB. Data and batches read ahead come on top.
    let mut window = window(Options {
        document: Some(path),
        worker_env: vec![("STRIATE_MEMORY_LIMIT".into(), "100000000".into())],
        ..options(folder.path())
    });
    ctrl(&mut window, Key::Enter);
    button(&mut window, "Train anyway");
    wait(&mut window, "the news", |window| window.state().bad_news().is_some());
    let words = window.state().bad_news().unwrap().to_owned();
    assert!(words.contains("with 800 images") && words.contains("400 at a time, 2 gradients"), "{words}");
    // LeNet-5 has no batch norm.
    assert!(words.contains("same but for rounding"), "{words}");
    picture(&mut window, "banner-memory");
    wait(&mut window, "further steps", |window| last_step(window) >= 2);
    let run = window.state().run().unwrap();
    assert_eq!(RunFolder::open(run.folder.clone()).unwrap().record().unwrap().halvings, 1);
    assert_eq!(run.state, RunState::Training);
}

#[test]
fn running_out_in_the_middle_goes_on_from_the_checkpoint_and_batch_norm_is_named() {
    let folder = scratch();
    let path = quick(folder.path());
    let mut document = Document::open(&path).unwrap().document;
    let after = document.graph.by_name("c1").unwrap().id;
    let layer = striate::layers::Layer::from(striate::layers::BatchNorm::default());
    let content = Box::new(striate::graph::Content::Layer(layer));
    let edit = striate::graph::Edit::Insert { content, place: striate::graph::Place::After(after) };
    document = striate::graph::apply(&document, &[], &edit).unwrap().0;
    document.save(&path).unwrap();
    let mut window = struck(folder.path(), path, "allocate@6");
    wait(&mut window, "the news", |window| window.state().bad_news().is_some());
    let words = window.state().bad_news().unwrap().to_owned();
    assert!(words.contains("over 4 images instead of 8") && words.contains("not the same mathematics"), "{words}");
    assert!(words.contains("goes on from step 3 "), "{words}");
    picture(&mut window, "banner-memory-norm");
    wait(&mut window, "further steps", |window| last_step(window) > 12);
    let run = window.state().run().unwrap();
    assert!(run.steps.iter().map(|step| step.step).eq(1..=last_step(&window)));
}

#[test]
fn a_step_that_will_not_fit_is_asked_about_with_what_helps() {
    let folder = scratch();
    let path = folder.path().join("large.json");
    let mut document = presets::find("lenet5").unwrap();
    document.training.batch = 1_024;
    document.save(&path).unwrap();
    // 0.15 MB an image: 156 MB are planned for 1,024, 39 MB for 256, 20 MB for 128. Nine tenths of the limit are 36 MB.
    let mut window = window(Options {
        document: Some(path),
        worker_env: vec![("STRIATE_MEMORY_LIMIT".into(), "40000000".into())],
        ..options(folder.path())
    });
    ctrl(&mut window, Key::Enter);
    window.get_by_label("This will probably run out of memory");
    assert!(window.state().run().is_none());
    picture(&mut window, "memory-warning");
    button(&mut window, "Use batches of 512");
    // Still too much: the figures are those of the half now.
    window.get_by_label("This will probably run out of memory");
    let sizes = |window: &Window| {
        let training = &window.state().document().training;
        (training.batch, training.accumulate)
    };
    assert_eq!(sizes(&window), (512, 2));
    // Half of the half would still be too much: a quarter of it is offered as well.
    window.get_by_role_and_label(Role::Button, "Use batches of 256");
    window.get_by_role_and_label(Role::Button, "Use batches of 128");
    button(&mut window, "Cancel");
    assert!(!has(&window, "This will probably run out of memory") && window.state().run().is_none());
    ctrl(&mut window, Key::Z);
    assert_eq!(sizes(&window), (1_024, 1));
    ctrl(&mut window, Key::Enter);
    window.get_by_role_and_label(Role::Button, "Use batches of 128").click();
    wait(&mut window, "the run", |window| window.state().run().is_some());
    assert_eq!(sizes(&window), (128, 8));
    // And the plan was right: it trains within the limit.
    wait(&mut window, "a step", |window| last_step(window) >= 1);
    assert!(window.state().bad_news().is_none(), "{:?}", window.state().bad_news());
}

#[test]
fn the_chosen_device_is_checked_on_demand_case_by_case() {
    let folder = scratch();
    let mut window = window(options(folder.path()));
    wait(&mut window, "the engine", |window| {
        window.state().log().iter().any(|line| line.contains("Engine")) && window.query_by_label("Help").is_some()
    });
    click(&mut window, "Help");
    wait(&mut window, "the menu", |window| has(window, "Check device…"));
    click_near(&mut window, "Check device…");
    window.get_by_label("Device check");
    wait(&mut window, "the result", |window| has(window, "cases run and repeat"));
    assert!(has(&window, "compared with itself") && has(&window, "Convolution 3x3"));
    // The dialog has grown by its last row.
    steps(&mut window, 4);
    picture(&mut window, "device-check");
    button(&mut window, "Close");
    assert!(!has(&window, "compared with itself"));
}
