//! The second worker: looks into networks that are not in training, on one thread of the CPU, while the first one trains.
//! Started when it is first asked, ended when the run ends, and ended and started anew when it says nothing any more.

use super::silence::Silence;
use crate::engine::Supervisor;
use crate::engine::protocol::{Command, DeviceChoice, Event};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long it may leave a question open. One thread beside a run is slow: this is more than the training engine gets.
const PATIENCE: Duration = Duration::from_mins(1);

/// Its supervisor, and how long it has been silent.
#[derive(Debug)]
pub(super) struct SecondEngine {
    exe: PathBuf,
    env: Vec<(String, String)>,
    worker: Option<Supervisor>,
    awake: Arc<AtomicBool>,
    /// Since it last said something or was first asked. Being ended for it doubles the patience, or a slow network would
    /// never be seen.
    silence: Silence,
}

impl Default for SecondEngine {
    fn default() -> Self {
        Self::new(PathBuf::new(), Vec::new(), None)
    }
}

impl SecondEngine {
    /// Will start `exe worker`.
    pub(super) fn new(exe: PathBuf, env: Vec<(String, String)>, patience: Option<Duration>) -> Self {
        Self { exe, env, worker: None, awake: Arc::default(), silence: Silence::new(patience.unwrap_or(PATIENCE)) }
    }

    /// Number of its process.
    pub(super) fn pid(&self) -> Option<u32> {
        self.worker.as_ref().map(Supervisor::pid)
    }

    /// Hands it a question; starts it if it does not run. `is_asked`: an earlier question waits already.
    pub(super) fn ask(&mut self, command: Command, is_asked: bool, ctx: &egui::Context) -> Result<(), String> {
        if self.worker.as_ref().is_none_or(Supervisor::has_ended) {
            let worker = Supervisor::start(&self.exe, &self.env).map_err(|error| error.to_string())?;
            let (awake, waker) = (Arc::clone(&self.awake), ctx.clone());
            worker.set_waker(Box::new(move || {
                if !awake.swap(true, Ordering::AcqRel) {
                    waker.request_repaint();
                }
            }));
            worker.send(Command::Open { device: DeviceChoice::Cpu, threads: Some(1) }).map_err(|e| e.to_string())?;
            self.worker = Some(worker);
            self.silence.asked();
        }
        if !is_asked {
            self.silence.asked();
        }
        // Nothing else may wake a window whose run pauses.
        ctx.request_repaint_after(self.silence.limit(1));
        let worker = self.worker.as_ref().ok_or("A second engine must run to look inside. It ended.")?;
        worker.send(command).map_err(|error| error.to_string())
    }

    /// What it said since; `is_asked`: a question waits for its answer. Called once a frame.
    pub(super) fn drain(&mut self, is_asked: bool, mut note: impl FnMut(String)) -> Vec<Event> {
        self.awake.store(false, Ordering::Release);
        let mut events = Vec::new();
        while let Some(event) = self.worker.as_ref().and_then(Supervisor::try_recv) {
            if let Event::Exited(report) = &event {
                if !report.expected {
                    note(format!("The second engine ended: {}", report.message));
                }
                self.worker = None;
                return events;
            }
            if is_asked && is_answer(&event) {
                self.silence.answered();
            } else {
                self.silence.heard(false);
            }
            events.push(event);
        }
        if is_asked && self.silence.is_over() {
            if let Some(worker) = self.worker.take() {
                worker.kill_silent();
                note(format!(
                    "Warning: the second engine, which looks into networks while a run trains, said nothing for {} s. It \
                     was ended and is started anew.",
                    self.silence.lasts().as_secs()
                ));
            }
            self.silence.double();
        }
        events
    }

    /// Ends it: its memory is of use again.
    pub(super) fn close(&mut self) {
        self.worker = None;
    }
}

/// Whether an event answers a look, or says that it cannot be answered.
pub(super) fn is_answer(event: &Event) -> bool {
    matches!(
        event,
        Event::Probed(_) | Event::Explained(_) | Event::Sensed(_) | Event::Spread(_) | Event::Unanswered { .. }
    )
}
