//! What the window does when the engine fails: it says which failure it was, keeps document and checkpoint, offers one
//! click to go on, and after running out of memory goes on by itself with half the batch.
//!
//! The banner is plain data; `status.rs` draws it.

use super::runs::RunState;
use super::session::Session;
use crate::engine::protocol::{EndCause, ExitReport};
use crate::engine::run::RunFolder;
use crate::text;
use std::time::{Duration, Instant};

/// How often a batch is halved by itself after running out of memory.
const HALVINGS: u32 = 5;
/// How long a training engine may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many times longer it may be silent before the first step: a GPU tunes its kernels then.
const PREPARING: u32 = 10;

/// What a banner is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something failed.
    Failure,
    /// The engine has said nothing for a while.
    Silent,
    /// Something failed and was mended without a person.
    Mended,
}

/// News that stay until they are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Banner {
    /// In words.
    pub message: String,
    /// Whether a run can go on from its last checkpoint.
    pub can_resume: bool,
    /// Going on means from the start: there was no checkpoint yet.
    pub from_start: bool,
    /// What it is about.
    pub kind: Kind,
}

impl Banner {
    /// Bad news.
    pub(super) fn new(message: String, can_resume: bool) -> Self {
        Self { message, can_resume, from_start: false, kind: Kind::Failure }
    }
}

/// Watches over the engine's silence.
#[derive(Debug)]
pub(super) struct Watch {
    last: Instant,
    longest: Duration,
    patience: Duration,
    extensions: u32,
    /// Go on from the last checkpoint once the engine is gone.
    restarts: bool,
}

impl Default for Watch {
    fn default() -> Self {
        let last = Instant::now();
        Self { last, longest: Duration::ZERO, patience: PATIENCE, extensions: 0, restarts: false }
    }
}

impl Watch {
    /// Another patience than the usual one, for tests.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// A run begins.
    pub(super) fn begin(&mut self) {
        *self = Self { patience: self.patience, ..Self::default() };
    }

    /// The engine said something; how long it took counts once steps are made.
    pub(super) fn heard(&mut self, is_training: bool) {
        if is_training {
            self.longest = self.longest.max(self.last.elapsed());
        }
        self.last = Instant::now();
    }

    /// How long it may be silent: a network whose steps take long is given longer.
    fn limit(&self, is_preparing: bool) -> Duration {
        let base = if is_preparing { self.patience * PREPARING } else { self.patience.max(self.longest * 4) };
        base.saturating_mul(1 << self.extensions.min(6))
    }
}

impl Session {
    /// Step of the last checkpoint of the run, if it has one.
    pub(super) fn checkpoint_step(&self) -> Option<u64> {
        let folder = RunFolder::open(self.run.as_ref()?.folder.clone()).ok()?;
        folder.checkpoint().map(|(step, _)| step)
    }

    /// Takes in the end of the worker.
    pub(super) fn ended(&mut self, report: ExitReport) {
        self.supervisor = None;
        self.times.is_busy = false;
        if let Some(search) = &mut self.search {
            search.is_running = false;
        }
        let restarts = std::mem::take(&mut self.watch.restarts);
        if self.fail_check(&report.message) {
            self.warn(report.message, false);
            return;
        }
        let was_busy = self.is_busy();
        if let (true, Some(run)) = (was_busy, &mut self.run) {
            run.state = RunState::Failed(report.message.clone());
        }
        if report.expected && !was_busy {
            self.note(report.message);
            return;
        }
        let step = self.checkpoint_step().filter(|_| was_busy);
        if was_busy && report.cause == EndCause::OutOfMemory {
            self.halve(&report, step);
        } else if was_busy && restarts {
            self.note(format!("Warning: {}", report.message));
            let words = step.map_or_else(
                || "The engine was restarted; the run began anew, it had no checkpoint yet.".into(),
                |step| format!("The engine was restarted; the run goes on from step {}.", text::count(step)),
            );
            self.go_on(false, words);
        } else {
            let words = format!("{}{}", report.message, safe_words(was_busy, step));
            self.warn(words, was_busy);
            if let Some(banner) = &mut self.banner {
                banner.from_start = step.is_none();
            }
        }
    }

    /// After running out of memory: half the batch, from the last checkpoint.
    fn halve(&mut self, report: &ExitReport, step: Option<u64>) {
        let Some(request) = self.request.clone() else { return };
        let Some(document) = self.document.clone() else { return };
        let next = request.with_half_the_batch();
        let before = document.training.halved(next.halvings.saturating_sub(1));
        let now = document.training.halved(next.halvings);
        if next.halvings > HALVINGS || now.batch == before.batch {
            let words = format!(
                "{} Batches of {} do not fit either. Use a smaller network or input, or freeze layers.{}",
                report.message,
                text::count(u64::from(before.batch)),
                safe_words(true, step)
            );
            self.warn(words, false);
            return;
        }
        self.note(format!("Warning: {}", report.message));
        let from = step.map_or_else(|| "from the start".into(), |step| format!("from step {}", text::count(step)));
        let norm = if uses_batch_norm(&document.graph) {
            format!(
                "Batch norm now takes its mean and deviation over {} images instead of {}: with it this is not the same mathematics.",
                text::count(u64::from(now.batch)),
                text::count(u64::from(before.batch))
            )
        } else {
            "No layer here looks across the images of a batch, so the steps are the same but for rounding.".into()
        };
        let words = format!(
            "Memory ran out with {} images at a time. The run goes on {from} with {} at a time, {} gradients added up to a step. {norm}",
            text::count(u64::from(before.batch)),
            text::count(u64::from(now.batch)),
            text::count(u64::from(now.accumulate)),
        );
        self.go_on(true, words);
    }

    /// Starts the run again without a person, and says so.
    fn go_on(&mut self, halve: bool, words: String) {
        let Some(ctx) = self.ctx.clone() else { return };
        match self.resume_run(halve, &ctx) {
            Ok(()) => {
                self.note(format!("Warning: {words}"));
                self.banner = Some(Banner { kind: Kind::Mended, ..Banner::new(words, false) });
            }
            Err(error) => self.warn(error, true),
        }
    }

    /// Shows a banner when the engine has been silent for too long, and takes it away when it speaks again.
    pub(super) fn look_for_silence(&mut self) {
        let state = self.run.as_ref().map(|run| &run.state);
        let is_preparing = state == Some(&RunState::Preparing);
        let is_silent = (is_preparing || state == Some(&RunState::Training))
            && self.supervisor.is_some()
            && self.watch.last.elapsed() > self.watch.limit(is_preparing);
        let is_shown = self.banner.as_ref().is_some_and(|banner| banner.kind == Kind::Silent);
        if is_silent && (is_shown || self.banner.is_none()) {
            let secs = text::duration(self.watch.last.elapsed().as_secs_f64());
            let step = self.checkpoint_step();
            let message = format!(
                "The engine has said nothing for {secs}. It may be busy with something long, or hang.{}",
                safe_words(true, step)
            );
            if !is_shown {
                self.note(format!("Warning: {message}"));
            }
            self.banner = Some(Banner { kind: Kind::Silent, ..Banner::new(message, false) });
        } else if is_shown && !is_silent {
            self.banner = None;
        }
    }

    /// Gives a silent engine twice as long.
    pub(super) fn keep_waiting(&mut self) {
        self.watch.extensions += 1;
        self.banner = None;
    }

    /// Ends a silent engine; the run goes on from its last checkpoint.
    pub(super) fn restart(&mut self) {
        self.banner = None;
        if let Some(worker) = &self.supervisor {
            self.watch.restarts = true;
            worker.kill_silent();
        }
    }
}

/// What is safe, in words.
fn safe_words(was_busy: bool, step: Option<u64>) -> String {
    match (was_busy, step) {
        (true, Some(step)) => {
            format!(" The network is unchanged, and the checkpoint of step {} is safe.", text::count(step))
        }
        (true, None) => " The network is unchanged; the run had no checkpoint yet.".into(),
        (false, _) => " The network is unchanged.".into(),
    }
}

/// Whether a layer takes statistics over the batch.
fn uses_batch_norm(graph: &crate::graph::Graph) -> bool {
    let document = crate::graph::Document { graph: graph.clone(), ..crate::graph::Document::default() };
    let program = crate::plan::plan(&document).program;
    program.ops.iter().any(|op| matches!(op.op, crate::op::Op::BatchNorm { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_grows_with_the_steps_and_with_waiting() {
        let mut watch = Watch::default();
        assert_eq!(watch.limit(false), Duration::from_secs(30));
        assert_eq!(watch.limit(true), Duration::from_mins(5));
        // Steps of 20 s: four of them.
        watch.longest = Duration::from_secs(20);
        assert_eq!(watch.limit(false), Duration::from_secs(80));
        watch.extensions = 2;
        assert_eq!(watch.limit(false), Duration::from_secs(320));
    }

    #[test]
    fn batch_norm_is_found_inside_groups_and_blocks() {
        assert!(uses_batch_norm(&crate::presets::find("resnet-mini").unwrap().graph));
        assert!(!uses_batch_norm(&crate::presets::find("lenet5").unwrap().graph));
    }
}
