//! `striate devices`: what there is to compute on, and the self-test. Drivers are touched in the worker only.

use super::client::{Client, start, wait};
use crate::engine::protocol::{CheckRow, Command, DeviceInfo, Event};
use crate::text::bytes;
use anyhow::Result;
use serde_json::json;
use std::fmt::Write as _;

/// What `striate devices` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct DevicesArgs {
    /// Compare a device with the CPU on small fixed cases, forward and backward.
    #[arg(long)]
    check: bool,
    /// Which device to check: auto, cpu, an id or a name.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The list, or the test; and whether the test was passed.
pub(super) fn devices(args: &DevicesArgs) -> Result<(String, bool)> {
    if args.check {
        let client = Client::connect(&args.device, None)?;
        let (device, rows) = client.ask(Command::CheckDevice, |event| match event {
            Event::Checked { device, rows } => Some((device, rows)),
            _ => None,
        })?;
        let passed = rows.iter().all(CheckRow::passes);
        return Ok((if args.json { check_json(&device, &rows) } else { check_table(&device, &rows) }, passed));
    }
    let worker = start()?;
    worker.send(Command::ListDevices)?;
    let list = wait(&worker, |event| match event {
        Event::Devices(list) => Some(list),
        _ => None,
    })?;
    Ok((if args.json { list_json(&list) } else { list_table(&list) }, true))
}

fn capacity(info: &DeviceInfo) -> String {
    info.capacity_bytes.map_or_else(|| "unknown".into(), bytes)
}

fn list_table(list: &[DeviceInfo]) -> String {
    let mut text = String::from("id     kind            memory      name\n");
    for info in list {
        let auto = if info.automatic { "  <- auto" } else { "" };
        let (kind, memory) = (info.kind.label(), capacity(info));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:<6} {kind:<15} {memory:<11} {} ({}){auto}", info.id, info.name, info.backend);
    }
    text
}

fn list_json(list: &[DeviceInfo]) -> String {
    let rows: Vec<_> = list
        .iter()
        .map(|info| {
            json!({
                "id": info.id, "name": info.name, "kind": info.kind.label(), "backend": info.backend,
                "driver": info.driver, "capacity_bytes": info.capacity_bytes, "auto": info.automatic,
            })
        })
        .collect();
    format!("{:#}\n", json!(rows))
}

fn check_table(device: &DeviceInfo, rows: &[CheckRow]) -> String {
    let mut text = format!("{} ({}) against the CPU, largest relative errors\n", device.name, device.backend);
    text.push_str("case                              forward    backward   seconds\n");
    for row in rows {
        let verdict = if row.passes() { "ok" } else { "WRONG" };
        let _ = writeln!(
            text,
            "{:<33} {:<10.1e} {:<10.1e} {:>6.2}   {verdict}",
            row.case, row.forward_error, row.backward_error, row.secs
        );
        if let Some(problem) = &row.problem {
            let _ = writeln!(text, "    {problem}");
        }
    }
    text
}

fn check_json(device: &DeviceInfo, rows: &[CheckRow]) -> String {
    let finite = |value: f64| value.is_finite().then_some(value);
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "case": row.case, "forward_error": finite(row.forward_error),
                "backward_error": finite(row.backward_error), "secs": row.secs, "ok": row.passes(),
                "problem": row.problem,
            })
        })
        .collect();
    format!("{:#}\n", json!({"device": device.name, "backend": device.backend, "cases": rows}))
}
