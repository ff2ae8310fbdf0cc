//! The command line from end to end, as a person or a script uses it.
#![cfg(feature = "train")]
#![expect(clippy::unwrap_used, reason = "a helper that cannot go on fails its test")]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn striate(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_striate"));
    command.current_dir(folder).args(arguments).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_network_is_trained_resumed_measured_and_asked() {
    let scratch = tempfile::tempdir().unwrap();
    let at = scratch.path();
    let cpu = ["--device", "cpu"];
    let train = ["train", "lenet5", "--data", "digits", "--epochs", "1", "--steps", "30", "--json"];
    let output = striate(at, &[&train[..], &cpu].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<Value> = text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps = lines.iter().filter(|line| line["kind"] == "step").map(|line| line["step"].as_u64().unwrap());
    assert!(steps.eq(1..=30));
    assert_eq!(lines.last().unwrap()["kind"], "finished");
    let run = "runs/lenet-5-1";
    assert!(at.join(run).join("last.safetensors").is_file());

    let output = striate(at, &[&["train", "--resume", run, "--steps", "32", "--json"][..], &cpu].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout).lines().filter(|line| line.contains("\"kind\":\"step\"")).count(), 2);

    let report =
        json(&striate(at, &[&["eval", run, "--data", "digits", "--split", "test", "--json"][..], &cpu].concat()));
    let (accuracy, count) = (report["accuracy"].as_f64().unwrap(), report["count"].as_u64().unwrap());
    assert_eq!(count, 1_000);
    // Guessing gives 10 %.
    assert!((0.2..=1.0).contains(&accuracy), "{accuracy}");
    assert!(report["loss"].as_f64().unwrap() > 0.0);

    let picture =
        image::GrayImage::from_fn(28, 28, |x, y| image::Luma([if x == 14 && (4..24).contains(&y) { 255 } else { 0 }]));
    picture.save(at.join("one.png")).unwrap();
    let answers = json(&striate(at, &[&["predict", run, "one.png", "test:1", "--json"][..], &cpu].concat()));
    let rows = answers.as_array().unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert!(row["class"].as_u64().unwrap() < 10 && row["top"].as_array().unwrap().len() == 5, "{row}");
    }

    let probe = ["probe", run, "one.png", "--layer", "c1", "--out", "maps.png"];
    let output = striate(at, &[&probe[..], &cpu].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    // 6 maps in 3 x 2 cells of 28 + 2 pixels.
    assert_eq!(image::open(at.join("maps.png")).unwrap().into_rgb8().dimensions(), (90, 60));

    let output = striate(at, &[&["predict", run, "nowhere.png"][..], &cpu].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("nowhere.png"));
}

#[test]
fn wrong_arguments_give_2_and_failures_1_with_one_error() {
    let scratch = tempfile::tempdir().unwrap();
    for arguments in [&["train"][..], &["nonsense"], &["train", "lenet5", "--data", "cats"], &["eval"]] {
        assert_eq!(striate(scratch.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [
        &["train", "no-such-net"][..],
        &["eval", "no-such-run"],
        &["layers", "no-such-layer"],
        &["train", "lenet5", "--device", "no-such-gpu"],
        &["train", "lenet5", "--data", "mnist:/no/such/folder", "--device", "cpu"],
    ] {
        let output = striate(scratch.path(), arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
        assert_eq!(errors.matches("error:").count(), 1, "{errors}");
    }
    assert!(!scratch.path().join("runs").exists());
}

#[test]
fn devices_are_listed_with_the_cpu_first_and_the_cpu_passes_its_test() {
    let scratch = tempfile::tempdir().unwrap();
    let list = json(&striate(scratch.path(), &["devices", "--json"]));
    assert_eq!(list[0]["id"], "cpu");
    for device in list.as_array().unwrap() {
        assert!(!(device["kind"] == "software GPU" && device["auto"] == true), "{device}");
    }
    let test = json(&striate(scratch.path(), &["devices", "--check", "--device", "cpu", "--json"]));
    let cases = test["cases"].as_array().unwrap();
    assert!(cases.len() <= 8 && cases.iter().all(|case| case["ok"] == true), "{test}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_writes_a_checkpoint_and_says_how_to_go_on() {
    let scratch = tempfile::tempdir().unwrap();
    let arguments = ["train", "lenet5", "--epochs", "500", "--device", "cpu", "--out", "run"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_striate"));
    command.current_dir(scratch.path()).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let metrics = scratch.path().join("run/metrics.jsonl");
    let end = Instant::now() + Duration::from_mins(5);
    while std::fs::metadata(&metrics).map_or(0, |file| file.len()) == 0 {
        assert!(Instant::now() < end, "no step was taken");
        std::thread::sleep(Duration::from_millis(50));
    }
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(text(&output.stderr).contains("striate train --resume"), "{}", text(&output.stderr));
    assert!(std::fs::read_dir(scratch.path().join("run/ckpt")).unwrap().next().is_some());
}
