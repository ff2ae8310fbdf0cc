//! The device self-test as a person runs it, on the GPU that every machine with Mesa has: the software one.
//!
//! `scripts/setup.sh test` installs it. Where there is none this fails, and says what to install: a check that is skipped in
//! silence is none.
#![cfg(all(feature = "gpu", target_os = "linux"))]
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs the program to its end, or kills it after a while. Gives its standard output and whether it succeeded.
fn striate(arguments: &[&str], patience: Duration) -> (String, bool) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_striate"));
    // One candidate per kernel: what is tested is that kernels are right, not which is fastest.
    command.args(arguments).env("CUBECL_AUTOTUNE_LEVEL", "minimal");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + patience;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            panic!("striate {arguments:?} took more than {} s; it said {text:?}", patience.as_secs());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = child.wait_with_output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

#[test]
fn the_software_gpu_computes_what_the_cpu_computes() {
    let (list, listed) = striate(&["devices", "--json"], Duration::from_mins(5));
    assert!(listed, "{list}");
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let devices = list.as_array().unwrap();
    let software = devices.iter().find(|device| device["kind"] == "software GPU");
    let Some(software) = software else {
        panic!(
            "No software GPU is here, so the GPU kernels cannot be checked. scripts/setup.sh test installs it: libegl1, \
             libgles2, libgl1-mesa-dri, mesa-vulkan-drivers. Found {list:#}"
        );
    };
    assert_eq!(software["auto"], false, "a software GPU is never chosen by itself");
    let start = Instant::now();
    let id = software["id"].as_str().unwrap();
    let (report, passed) = striate(&["devices", "--check", "--device", id, "--json"], Duration::from_mins(20));
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    println!("{:.0} s: {report:#}", start.elapsed().as_secs_f64());
    let cases = report["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8, "{report:#}");
    assert!(passed && cases.iter().all(|case| case["ok"] == true), "{report:#}");
}
