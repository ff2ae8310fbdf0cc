//! A worker for one command: start, choose the device, ask, wait for the answer.

use crate::engine::Supervisor;
use crate::engine::protocol::{Command, DeviceChoice, DeviceInfo, Event, LogLevel};
use anyhow::{Context as _, Result, anyhow, bail};
use std::time::Duration;

/// A worker whose device is open.
pub(super) struct Client {
    pub(super) worker: Supervisor,
    pub(super) device: DeviceInfo,
    pub(super) threads: u32,
}

/// Starts this program a second time, as the engine.
pub(super) fn start() -> Result<Supervisor> {
    let exe = std::env::current_exe().context("this program cannot find itself")?;
    Ok(Supervisor::start(&exe, &[])?)
}

impl Client {
    /// Starts a worker and opens a device.
    pub(super) fn connect(device: &str, threads: Option<u32>) -> Result<Self> {
        let worker = start()?;
        worker.send(Command::Open { device: DeviceChoice::parse(device), threads })?;
        let (device, threads) = wait(&worker, |event| match event {
            Event::Ready { device, threads } => Some((device, threads)),
            _ => None,
        })?;
        Ok(Self { worker, device, threads })
    }

    /// Sends a command and waits for the event that `pick` wants.
    pub(super) fn ask<T>(&self, command: Command, pick: impl FnMut(Event) -> Option<T>) -> Result<T> {
        self.worker.send(command)?;
        wait(&self.worker, pick)
    }
}

/// Waits for the event that `pick` wants; failures and the end of the worker are errors.
pub(super) fn wait<T>(worker: &Supervisor, mut pick: impl FnMut(Event) -> Option<T>) -> Result<T> {
    loop {
        match worker.recv_timeout(Duration::from_millis(500)) {
            Some(Event::Failed { message, .. } | Event::Unanswered { message, .. }) => return Err(anyhow!(message)),
            Some(Event::Exited(report)) => bail!("{}", report.message),
            Some(Event::Log { level, text }) => log(level, &text),
            Some(event) => {
                if let Some(answer) = pick(event) {
                    return Ok(answer);
                }
            }
            None if worker.has_ended() => bail!("The engine has ended."),
            None => {}
        }
    }
}

/// Warnings and errors of the engine, on standard error.
pub(super) fn log(level: LogLevel, text: &str) {
    if level >= LogLevel::Warn {
        eprintln!("engine: {text}");
    }
}
