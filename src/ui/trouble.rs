//! What the window does when the engine fails: it says which failure it was, keeps document and checkpoint, offers one
//! click to go on, and after running out of memory goes on by itself with half the batch.
//!
//! What it says is in `news.rs`.

use super::device_check::CheckState;
use super::news::{Banner, Kind};
use super::runs::RunState;
use super::session::Session;
use super::silence::Silence;
use crate::engine::protocol::{EndCause, ExitReport};
use crate::engine::run::RunFolder;
use crate::text;
use std::time::Duration;

/// How often a batch is halved by itself after running out of memory.
const HALVINGS: u32 = 5;
/// How long a training engine may say nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many times longer it may be silent before the first step: a GPU tunes its kernels then.
const PREPARING: u32 = 10;

/// Watches over the engine while a run is under way, and over its looks while none is.
#[derive(Debug)]
pub(super) struct Watch {
    run: Silence,
    looks: Silence,
    /// Go on from the last checkpoint once the engine is gone.
    restarts: bool,
    /// It was ended because it owed an answer for so long while nothing trained.
    ended_for_silence: Option<Duration>,
}

impl Default for Watch {
    fn default() -> Self {
        Self { run: Silence::new(PATIENCE), looks: Silence::new(PATIENCE), restarts: false, ended_for_silence: None }
    }
}

impl Watch {
    /// Another patience than the usual one, for tests.
    pub(super) fn set_patience(&mut self, patience: Duration) {
        self.run.set_patience(patience);
        self.looks.set_patience(patience);
    }

    /// A run begins.
    pub(super) fn begin(&mut self) {
        self.run.begin();
        (self.restarts, self.ended_for_silence) = (false, None);
    }

    /// The engine said something; how long it took counts once steps are made.
    pub(super) fn heard(&mut self, is_training: bool) {
        self.run.heard(is_training);
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
        let ended_for_silence = self.watch.ended_for_silence.take();
        if self.fail_check(&report.message) {
            self.warn(report.message, false);
            return;
        }
        let was_busy = self.is_busy();
        if let (true, Some(run)) = (was_busy, &mut self.run) {
            run.state = RunState::Failed(report.message.clone());
        }
        if let (Some(silent), false) = (ended_for_silence, was_busy) {
            let secs = text::duration(silent.as_secs_f64());
            let words = format!(
                "The engine was asked something and said nothing for {secs}. It was ended; the next question starts it anew. \
                 The network is unchanged."
            );
            self.mended(words);
            return;
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
            self.tell(Banner { from_start: step.is_none(), ..Banner::new(words, was_busy) });
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
        } else if now.images_of_a_step() != before.images_of_a_step() {
            format!("A step now sees {} images.", text::count(now.images_of_a_step()))
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

    /// Says what failed and was mended without a person.
    pub(super) fn mended(&mut self, words: String) {
        self.note(format!("Warning: {words}"));
        self.news.add(Banner { kind: Kind::Mended, ..Banner::new(words, false) });
    }

    /// Starts the run again without a person, and says so.
    fn go_on(&mut self, halve: bool, words: String) {
        let Some(ctx) = self.ctx.clone() else { return };
        match self.resume_run(halve, &ctx) {
            Ok(()) => {
                self.mended(words);
            }
            Err(error) => self.warn(error, true),
        }
    }

    /// Shows a banner when the engine has been silent for too long, and takes it away when it speaks again.
    pub(super) fn look_for_silence(&mut self) {
        let state = self.run.as_ref().map(|run| &run.state);
        let is_preparing = state == Some(&RunState::Preparing);
        let is_silent = (is_preparing || matches!(state, Some(RunState::Training | RunState::Stopping)))
            && self.supervisor.is_some()
            && self.watch.run.lasts() > self.watch.run.limit(if is_preparing { PREPARING } else { 1 });
        let is_shown = self.news.has(Kind::Silent);
        if is_silent {
            let secs = text::duration(self.watch.run.lasts().as_secs_f64());
            let step = self.checkpoint_step();
            let message = format!(
                "The engine has said nothing for {secs}. It may be busy with something long, or hang.{}",
                safe_words(true, step)
            );
            if !is_shown {
                self.note(format!("Warning: {message}"));
            }
            self.news.add(Banner { kind: Kind::Silent, ..Banner::new(message, false) });
        } else if is_shown {
            self.news.end(Kind::Silent);
        }
    }

    /// A look is asked of the engine; `is_asked`: an earlier one waits already. Gives the time after which to look again.
    pub(super) fn asked_to_look(&mut self, is_asked: bool) -> Duration {
        if !is_asked {
            self.watch.looks.asked();
        }
        self.watch.looks.limit(1)
    }

    /// The engine answered a look.
    pub(super) fn looked(&mut self) {
        self.watch.looks.answered();
    }

    /// Something other than a look is asked of an engine that trains nothing.
    pub(super) fn asked_something(&mut self) {
        self.watch.run.begin();
    }

    /// Ends an engine that trains nothing and owes an answer for too long; the next question starts another one.
    /// `is_asked`: a look waits.
    pub(super) fn look_for_unanswered(&mut self, is_asked: bool) {
        let is_searching = self.search.as_ref().is_some_and(|search| search.is_running);
        let is_checking = self.check.as_ref().is_some_and(|check| check.state == CheckState::Running);
        // A run has its own watch.
        if self.is_busy() || self.watch.ended_for_silence.is_some() {
            return;
        }
        let silence = if self.times.is_busy || is_searching || is_checking {
            // Looks have to wait meanwhile.
            self.watch.looks.asked();
            Some(&self.watch.run).filter(|silence| silence.lasts() >= silence.limit(PREPARING))
        } else {
            Some(&self.watch.looks).filter(|silence| is_asked && silence.is_over())
        };
        if let (Some(lasts), Some(worker)) = (silence.map(Silence::lasts), &self.supervisor) {
            self.watch.ended_for_silence = Some(lasts);
            self.watch.looks.double();
            worker.kill_silent();
        }
    }

    /// Gives a silent engine twice as long.
    pub(super) fn keep_waiting(&mut self) {
        self.watch.run.double();
        self.news.end(Kind::Silent);
    }

    /// Ends a silent engine; the run goes on from its last checkpoint.
    pub(super) fn restart(&mut self) {
        self.news.end(Kind::Silent);
        if let Some(worker) = &self.supervisor {
            self.watch.restarts = true;
            worker.kill_silent();
        }
    }
}

/// What is safe, in words.
pub(super) fn safe_words(was_busy: bool, step: Option<u64>) -> String {
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
    fn batch_norm_is_found_inside_groups_and_blocks() {
        assert!(uses_batch_norm(&crate::presets::find("resnet-mini").unwrap().graph));
        assert!(!uses_batch_norm(&crate::presets::find("lenet5").unwrap().graph));
    }
}
