//! The second worker: looks into networks that are not in training, on one thread of the CPU, while the first one trains.
//! Started when it is first asked, ended when the run ends, and ended and started anew when it says nothing any more.

use crate::engine::Supervisor;
use crate::engine::protocol::{Command, DeviceChoice, Event};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long it may leave a question open. One thread beside a run is slow: this is more than the training engine gets.
const PATIENCE: Duration = Duration::from_mins(1);

/// Its supervisor, and how long it has been silent.
#[derive(Debug)]
pub(super) struct SecondEngine {
    exe: PathBuf,
    env: Vec<(String, String)>,
    patience: Duration,
    worker: Option<Supervisor>,
    awake: Arc<AtomicBool>,
    /// When it last said something or was first asked.
    heard: Instant,
    /// The longest time an answer took.
    longest: Duration,
    /// Times in a row that it was ended for its silence: each doubles the patience, or a slow network would never be seen.
    silences: u32,
}

impl Default for SecondEngine {
    fn default() -> Self {
        Self::new(PathBuf::new(), Vec::new(), None)
    }
}

impl SecondEngine {
    /// Will start `exe worker`.
    pub(super) fn new(exe: PathBuf, env: Vec<(String, String)>, patience: Option<Duration>) -> Self {
        Self {
            exe,
            env,
            patience: patience.unwrap_or(PATIENCE),
            worker: None,
            awake: Arc::default(),
            heard: Instant::now(),
            longest: Duration::ZERO,
            silences: 0,
        }
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
            self.heard = Instant::now();
        }
        if !is_asked {
            self.heard = Instant::now();
        }
        // Nothing else may wake a window whose run pauses.
        ctx.request_repaint_after(self.limit());
        let worker = self.worker.as_ref().ok_or("A second engine must run to look inside. It ended.")?;
        worker.send(command).map_err(|error| error.to_string())
    }

    /// How long it may be silent.
    fn limit(&self) -> Duration {
        self.patience.max(self.longest * 4).saturating_mul(1 << self.silences.min(6))
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
                self.longest = self.longest.max(self.heard.elapsed());
                self.silences = 0;
            }
            self.heard = Instant::now();
            events.push(event);
        }
        if is_asked && self.heard.elapsed() >= self.limit() {
            if let Some(worker) = self.worker.take() {
                worker.kill_silent();
                note(format!(
                    "Warning: the second engine, which looks into networks while a run trains, said nothing for {} s. It \
                     was ended and is started anew.",
                    self.heard.elapsed().as_secs()
                ));
            }
            self.silences += 1;
        }
        events
    }

    /// Ends it: its memory is of use again.
    pub(super) fn close(&mut self) {
        self.worker = None;
    }
}

fn is_answer(event: &Event) -> bool {
    matches!(
        event,
        Event::Probed(_) | Event::Explained(_) | Event::Sensed(_) | Event::Spread(_) | Event::Unanswered { .. }
    )
}
