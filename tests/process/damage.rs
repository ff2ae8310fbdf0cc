//! Damaged run folders, full and read-only disks, no GPU, no display: the engine says which file and what is wrong, goes on
//! living, and nothing good is written over.

use crate::scratch::scratch;
use crate::worker::{EXE, PATIENCE, start, start_program, train, wait, wait_for_step};
use std::path::{Path, PathBuf};
use striate::data::Split;
use striate::engine::Supervisor;
use striate::engine::protocol::{
    Command, DeviceChoice, DeviceKind, Event, ImageRef, NetworkRef, PredictRequest, TrainRequest,
};
use striate::engine::run::RunFolder;
use striate::graph::Document;

/// How a run ended: `Ok` as it should, else what was said.
fn outcome(worker: &Supervisor) -> Result<(), String> {
    let end = |event: &Event| matches!(event, Event::Finished { .. } | Event::Failed { run: Some(_), .. });
    match wait(worker, end) {
        Event::Failed { message, .. } => Err(message),
        _ => Ok(()),
    }
}

fn request(folder: &Path, steps: u64) -> TrainRequest {
    let mut document = striate::presets::find("lenet5").unwrap();
    document.training.batch = 400;
    let request = TrainRequest::new(document.to_json(), folder.to_path_buf());
    TrainRequest { max_steps: Some(steps), checkpoint_secs: 0, ..request }
}

fn resume(folder: &Path, steps: u64) -> TrainRequest {
    TrainRequest { max_steps: Some(steps), checkpoint_secs: 0, ..TrainRequest::resuming(folder.to_path_buf()) }
}

/// Two classes of ten small pictures, and a network of one dense layer: what is tried is reading, not learning.
fn tiny(data: &Path) -> Document {
    for (class, value) in [("dark", 30), ("light", 220)] {
        std::fs::create_dir_all(data.join(class)).unwrap();
        for n in 0..10 {
            let picture = image::GrayImage::from_pixel(8, 8, image::Luma([value + n]));
            picture.save(data.join(class).join(format!("{n}.png"))).unwrap();
        }
    }
    let text = serde_json::json!({
        "format": "striate-document", "version": 1, "name": "Tiny",
        "graph": {
            "nodes": [
                {"id": 1, "name": "input", "kind": "input", "settings": {"height": 8, "width": 8, "channels": 1}},
                {"id": 2, "name": "flat", "kind": "flatten"},
                {"id": 3, "name": "fc", "kind": "dense", "settings": {"features": 2}},
            ],
            "links": [{"from": 1, "to": 2}, {"from": 2, "to": 3}],
        },
        "training": {"batch": 4, "epochs": 100},
        "data": {"source": {"kind": "folder", "path": data}, "splits": {"validation": 0.2, "test": 0.2}},
    });
    Document::from_json(&text.to_string()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn every_file_of_a_run_may_be_missing_cut_or_garbage() {
    let scratch = scratch();
    let good = scratch.path().join("good");
    let worker = start(&[]);
    // 12 training pictures in batches of 4: 3 steps an epoch, so that there are best weights. The epoch's checkpoint and
    // that of the end; what is tried here is the last one alone.
    let document = tiny(&scratch.path().join("pictures")).to_json();
    train(&worker, TrainRequest { document, ..request(&good, 4) });
    outcome(&worker).unwrap();
    for (_, older) in RunFolder::open(&good).unwrap().checkpoints().into_iter().skip(1) {
        std::fs::remove_dir_all(older).unwrap();
    }
    let checkpoint = RunFolder::open(&good).unwrap().checkpoint().unwrap().1;
    let checkpoint = checkpoint.strip_prefix(&good).unwrap().to_path_buf();
    assert!(good.join("best.safetensors").is_file() && good.join("last.safetensors").is_file());
    // What each file is needed for: to go on, and to answer.
    let files: [(PathBuf, bool, bool); 8] = [
        ("run.json".into(), true, true),
        ("document.json".into(), true, false),
        ("metrics.jsonl".into(), false, false),
        (checkpoint.join("weights.safetensors"), true, false),
        (checkpoint.join("optimizer.safetensors"), true, false),
        (checkpoint.join("state.json"), true, false),
        (checkpoint.join("progress.json"), true, false),
        ("best.safetensors".into(), false, true),
    ];
    for (file, to_go_on, to_answer) in files {
        for how in ["missing", "cut", "garbage", "empty"] {
            let case = format!("{} {how}", file.display());
            let folder = scratch.path().join("damaged");
            let _ = std::fs::remove_dir_all(&folder);
            copy(&good, &folder);
            let path = folder.join(&file);
            let bytes = std::fs::read(&path).unwrap();
            match how {
                "missing" => std::fs::remove_file(&path).unwrap(),
                "cut" => std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                "garbage" => std::fs::write(&path, vec![0xa5; bytes.len()]).unwrap(),
                _ => std::fs::write(&path, "").unwrap(),
            }
            let names_it = |message: &str| {
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                assert!(message.contains(&name) || message.contains("damaged"), "{case}: {message}");
                assert!(
                    message.contains("must") || message.contains("holds") || message.contains("needs"),
                    "{case}: {message}"
                );
            };

            let image = ImageRef::Item { split: Split::Test, index: 0 };
            let network = NetworkRef::Stored(folder.clone());
            worker
                .send(Command::Predict(Box::new(PredictRequest { id: 1, network, images: vec![image], top: 1 })))
                .unwrap();
            let answer = wait(&worker, |event| matches!(event, Event::Predicted { .. } | Event::Failed { .. }));
            match answer {
                Event::Failed { message, .. } => {
                    // A run without its best weights answers with its last.
                    assert!(to_answer || file.ends_with("document.json"), "{case}: {message}");
                    names_it(&message);
                }
                _ => assert!(!to_answer || how == "missing" || file.ends_with("run.json"), "{case} answered"),
            }

            train(&worker, resume(&folder, 5));
            match outcome(&worker) {
                Ok(()) => assert!(!to_go_on, "{case} went on"),
                Err(message) => {
                    assert!(to_go_on, "{case}: {message}");
                    names_it(&message);
                }
            }
        }
    }
}

#[test]
fn a_damaged_checkpoint_is_said_and_the_one_before_is_gone_on_from() {
    let scratch = scratch();
    let good = scratch.path().join("good");
    let worker = start(&[]);
    let document = tiny(&scratch.path().join("pictures")).to_json();
    train(&worker, TrainRequest { document, ..request(&good, 5) });
    outcome(&worker).unwrap();
    let whole = RunFolder::open(&good).unwrap().metrics().unwrap();
    for file in ["weights.safetensors", "optimizer.safetensors", "state.json", "progress.json"] {
        for how in ["missing", "cut", "garbage"] {
            let case = format!("{file} {how}");
            let folder = scratch.path().join("damaged");
            let _ = std::fs::remove_dir_all(&folder);
            copy(&good, &folder);
            let run = RunFolder::open(&folder).unwrap();
            let steps = |run: &RunFolder| run.checkpoints().iter().map(|found| found.0).collect::<Vec<_>>();
            assert_eq!(steps(&run), [5, 4]);
            let path = run.checkpoint().unwrap().1.join(file);
            let bytes = std::fs::read(&path).unwrap();
            match how {
                "missing" => std::fs::remove_file(&path).unwrap(),
                "cut" => std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
                _ => std::fs::write(&path, vec![0xa5; bytes.len()]).unwrap(),
            }
            train(&worker, resume(&folder, 6));
            let told = wait(&worker, |event| matches!(event, Event::Mended { .. }));
            let Event::Mended { message, .. } = told else { panic!("{case}: {told:?}") };
            assert!(message.contains(file) && message.contains("the one before, of step 4"), "{case}: {message}");
            outcome(&worker).unwrap_or_else(|message| panic!("{case}: {message}"));
            // The fifth step was taken once more, and it is the very same.
            let again = run.metrics().unwrap();
            let losses = |metrics: &striate::engine::run::Metrics| -> Vec<u64> {
                metrics.steps.iter().take(5).map(|step| step.loss.to_bits()).collect()
            };
            assert_eq!(losses(&again), losses(&whole), "{case}");
            assert_eq!(steps(&run), [6, 5], "{case}");
        }
    }
}

/// Found by hand: the run went on into a folder without document and steps, and nobody was told.
#[test]
fn a_run_whose_folder_is_deleted_while_it_trains_is_written_again_and_that_is_said() {
    let scratch = scratch();
    let document = Document { name: "Tiny".into(), ..tiny(&scratch.path().join("pictures")) };
    for what in ["the folder", "document.json", "metrics.jsonl", "moved"] {
        let folder = scratch.path().join(what.replace(' ', "-"));
        let worker = start(&[]);
        let endless = TrainRequest { max_steps: None, checkpoint_secs: 3_600, ..request(&folder, 0) };
        let endless =
            TrainRequest { document: document.to_json().replace("\"epochs\": 100", "\"epochs\": 100000"), ..endless };
        train(&worker, endless);
        wait_for_step(&worker, 7);
        match what {
            "the folder" => {
                // A step may be written while its folder is emptied.
                while std::fs::remove_dir_all(&folder).is_err() && folder.exists() {}
            }
            "moved" => std::fs::rename(&folder, scratch.path().join("elsewhere")).unwrap(),
            file => std::fs::remove_file(folder.join(file)).unwrap(),
        }
        let told = wait(&worker, |event| matches!(event, Event::Mended { .. }));
        let Event::Mended { message, .. } = told else { panic!("{what}: {told:?}") };
        assert!(message.contains("deleted or moved") && message.contains(&*folder.to_string_lossy()), "{message}");
        let report = worker.shut_down(PATIENCE).unwrap();
        assert!(report.expected, "{what}: {report:?}");
        let run = RunFolder::open(&folder).unwrap();
        let last = run.checkpoint().unwrap().0;
        assert!(run.metrics().unwrap().steps.iter().map(|step| step.step).eq(1..=last), "{what}");
        let worker = start(&[]);
        train(&worker, resume(&folder, last + 2));
        outcome(&worker).unwrap_or_else(|message| panic!("{what}: {message}"));
    }
}

/// A shell around the engine that limits the size of its files; writing past it is an error then and no signal.
fn with_small_files(folder: &Path, blocks: u32) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let script = folder.join("small-files.sh");
    let text = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f {blocks}\nexec {EXE} \"$@\"\n");
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[test]
fn a_file_that_cannot_grow_is_named_and_the_checkpoint_before_stays() {
    let scratch = scratch();
    let folder = scratch.path().join("run");
    let worker = start(&[]);
    train(&worker, request(&folder, 4));
    outcome(&worker).unwrap();
    drop(worker);
    // LeNet-5's weights take 247 kB: more than 200 blocks of 512 bytes.
    let limited = start_program(&with_small_files(scratch.path(), 200), &[]);
    train(&limited, resume(&folder, 8));
    let message = outcome(&limited).unwrap_err();
    assert!(message.contains("safetensors") && message.to_lowercase().contains("file too large"), "{message}");
    assert_eq!(RunFolder::open(&folder).unwrap().checkpoint().unwrap().0, 4);
    let worker = start(&[]);
    train(&worker, resume(&folder, 8));
    outcome(&worker).unwrap();
    assert!(RunFolder::open(&folder).unwrap().metrics().unwrap().steps.iter().map(|step| step.step).eq(1..=8));
}

/// A small file system of its own, if this user may mount one.
struct Mounted(PathBuf);

impl Mounted {
    fn new(path: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap();
        let mounted = Self(path.to_path_buf());
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], path).then_some(mounted)
    }

    /// Mounts it with other options; read-only has to wait until the engine has closed the last file of its run.
    fn again(&self, options: &str) {
        let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while !mount(&["-o", &format!("remount,{options}")], &self.0) {
            assert!(std::time::Instant::now() < end, "the file system is busy: {options}");
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A mount that never came needs no end.
        let _ =
            std::process::Command::new("umount").arg("-l").arg(&self.0).stderr(std::process::Stdio::null()).status();
    }
}

fn mount(arguments: &[&str], path: &Path) -> bool {
    let mount =
        std::process::Command::new("mount").args(arguments).arg(path).stderr(std::process::Stdio::null()).status();
    mount.is_ok_and(|status| status.success())
}

#[test]
fn a_full_and_a_read_only_disk_are_named_and_nothing_good_is_lost() {
    let scratch = scratch();
    let Some(disk) = Mounted::new(&scratch.path().join("disk"), "size=1200k") else {
        // The test before shows the same for one file; this needs root.
        eprintln!("NOT RUN: a full disk and a read-only disk need the right to mount a file system (root).");
        return;
    };
    let folder = disk.0.join("run");
    let worker = start(&[]);
    // One checkpoint takes 0.75 MB: the first fits, the second does not fit beside it.
    train(&worker, request(&folder, 40));
    let message = outcome(&worker).unwrap_err();
    assert!(message.contains("No space left on device") && message.contains("disk"), "{message}");
    let step = RunFolder::open(&folder).unwrap().checkpoint().unwrap().0;

    // The same for a document: the old file stays whole.
    let document = striate::presets::find("lenet5").unwrap();
    let path = disk.0.join("net.json");
    std::fs::write(&path, "old").unwrap();
    let filler = std::fs::File::create(disk.0.join("filler")).unwrap();
    while std::io::Write::write_all(&mut &filler, &[0; 4096]).is_ok() {}
    let error = document.save(&path).unwrap_err().to_string();
    assert!(error.contains("net.json") && error.contains("No space left"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");

    // Room again: the run goes on from its checkpoint.
    drop(filler);
    std::fs::remove_file(disk.0.join("filler")).unwrap();
    disk.again("size=40m");
    train(&worker, resume(&folder, step + 3));
    outcome(&worker).unwrap();

    // Read-only: looked at, but not written.
    document.save(&path).unwrap();
    disk.again("ro");
    assert!(Document::open(&path).is_ok());
    let error = document.save(&path).unwrap_err().to_string();
    assert!(error.contains("net.json") && error.contains("Read-only"), "{error}");
    train(&worker, resume(&folder, step + 6));
    let message = outcome(&worker).unwrap_err();
    assert!(message.contains("Read-only") && message.contains("run"), "{message}");
    drop(worker);
}

#[test]
fn a_folder_where_nothing_can_be_made_is_named() {
    let worker = start(&[]);
    // Nobody, not even root, makes folders there.
    train(&worker, request(Path::new("/proc/striate-run"), 2));
    let message = outcome(&worker).unwrap_err();
    assert!(message.contains("/proc/striate-run"), "{message}");
    let error = striate::presets::find("lenet5").unwrap().save(Path::new("/proc/net.json")).unwrap_err().to_string();
    assert!(error.contains("/proc/net.json"), "{error}");
}

/// An environment in which no driver is found.
const NO_DRIVERS: [(&str, &str); 5] = [
    ("VK_DRIVER_FILES", "/nowhere.json"),
    ("VK_ICD_FILENAMES", "/nowhere.json"),
    ("__EGL_VENDOR_LIBRARY_FILENAMES", "/nowhere.json"),
    ("DISPLAY", ""),
    ("WAYLAND_DISPLAY", ""),
];

#[test]
fn without_a_gpu_the_cpu_trains_and_another_device_is_refused_in_words() {
    let scratch = scratch();
    let worker = start(&NO_DRIVERS);
    worker.send(Command::ListDevices).unwrap();
    let Event::Devices(devices) = wait(&worker, |event| matches!(event, Event::Devices(_))) else { unreachable!() };
    assert!(devices.iter().all(|device| device.kind == DeviceKind::Cpu), "{devices:?}");
    worker.send(Command::Open { device: DeviceChoice::Named("gpu0".into()), threads: None }).unwrap();
    let refused = wait(&worker, |event| matches!(event, Event::Failed { .. }));
    let Event::Failed { message, .. } = refused else { unreachable!() };
    assert!(message.contains("gpu0") && message.contains("cpu ("), "{message}");
    worker.send(Command::Open { device: DeviceChoice::Auto, threads: None }).unwrap();
    wait(&worker, |event| matches!(event, Event::Ready { device, .. } if device.kind == DeviceKind::Cpu));
    train(&worker, request(&scratch.path().join("run"), 2));
    outcome(&worker).unwrap();
}

#[cfg(feature = "gui")]
#[test]
fn without_a_display_the_window_says_what_it_needs() {
    let mut command = std::process::Command::new(EXE);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env_remove("WAYLAND_SOCKET");
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("needs a display"), "{words}");
}
