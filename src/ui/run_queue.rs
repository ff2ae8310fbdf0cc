//! The queue of runs: what waits, when the next one starts, and the question about memory before it does.

use super::app::App;
use super::memory_warning::{Choice, For, MemoryWarning};
use super::queue_store::{MOST, QueueStore, Waiting};
use super::run_desk::is_same_network;
use super::runs_view::QueuedRun;
use super::status::Message;
use super::workspace::cost_settings;
use crate::graph::Document;
use crate::plan::{cost, is_tight, plan};
use std::path::Path;
use std::sync::Arc;

impl App {
    /// Takes up what waited when the last window closed. Nothing of it starts by itself.
    pub(super) fn restore_queue(&mut self, storage: &Path) {
        let (store, waiting, warnings) = QueueStore::open(storage);
        self.desk.queue = store;
        if !warnings.is_empty() {
            self.session.warn(warnings.join(" "), false);
        }
        if waiting.is_empty() {
            return;
        }
        let words = match waiting.len() {
            1 => "1 run waits from an earlier session. It is".to_owned(),
            count => format!("{count} runs wait from an earlier session. They are"),
        };
        self.message = Some(Message::new(format!("{words} on hold: see the Training panel.")));
        let view = self.desk.library.view_mut();
        (view.is_held, view.is_restored) = (true, true);
        view.queue = waiting
            .into_iter()
            .map(|Waiting { document, start_from }| QueuedRun { document, start_from, ..QueuedRun::default() })
            .collect();
    }

    /// Adds the network in front to the queue; asks first if it will probably not fit.
    pub(super) fn enqueue(&mut self) {
        let front = self.workspace.front();
        if let Some(error) = front.derived().plan.training_problem() {
            self.message = Some(Message::new(error));
            return;
        }
        let planned = front.derived().cost.memory.training_planned_bytes;
        if let Some(available) = self.session.free_bytes_when_idle().filter(|free| is_tight(planned, *free)) {
            let derived = front.derived();
            let spec = &front.history.document().training;
            let warning = MemoryWarning::new(&derived.plan.program, &derived.cost, spec, available, For::Enqueue);
            self.safety.memory = Some(warning);
            return;
        }
        self.enqueue_now(false);
    }

    /// Adds the network in front to the queue.
    pub(super) fn enqueue_now(&mut self, is_asked: bool) {
        let front = self.workspace.front();
        let document = Arc::clone(front.history.document());
        let (serial, revision, title) = (front.serial, front.revision(), front.title());
        let queued = QueuedRun { document, serial, revision, start_from: None, is_asked };
        let queue = &mut self.desk.library.view_mut().queue;
        if queue.len() >= MOST {
            self.message = Some(Message::new(format!("At most {MOST} runs wait. Remove one first.")));
            return;
        }
        queue.push(queued);
        self.message = Some(Message::new(format!("{title} waits for its turn.")));
    }

    /// Keeps the queue on the disk, and starts the next waiting run if nothing is under way. Unread bad news hold it.
    pub(super) fn advance_queue(&mut self, ctx: &egui::Context) {
        self.keep_queue();
        let is_searching = self.session.search.as_ref().is_some_and(|search| search.is_running);
        let view = self.desk.library.view_mut();
        if view.queue.is_empty() {
            // An empty queue has nothing to hold: what is added next goes on by itself.
            (view.is_held, view.is_restored) = (view.is_held && !view.is_restored, false);
            return;
        }
        let is_asking = self.safety.memory.is_some();
        let is_unread = self.session.news.newest().is_some();
        if view.is_held || self.session.is_busy() || is_searching || is_asking || is_unread {
            return;
        }
        let Some(next) = view.queue.first().cloned() else { return };
        if !next.is_asked && self.warns_of_queued(&next) {
            return;
        }
        self.desk.library.view_mut().queue.remove(0);
        let (serial, revision) = self.tab_of(&next);
        let start = (next.start_from.clone(), self.looker.image_of(serial));
        if let Err(error) = self.session.train(&next.document, serial, revision, start, ctx) {
            // It keeps its place until the engine can be started.
            let view = self.desk.library.view_mut();
            view.queue.insert(0, next);
            view.is_held = true;
            self.session.warn(error, false);
        }
    }

    /// Does what a person chose about the next waiting run, which will probably not fit.
    pub(super) fn answer_queued(&mut self, choice: Choice) {
        let view = self.desk.library.view_mut();
        let Some(next) = view.queue.first_mut() else { return };
        match choice {
            // It is asked again where that is not enough.
            Choice::Use(spec) => {
                next.document = Arc::new(Document { training: spec, ..(*next.document).clone() });
            }
            Choice::Anyway => next.is_asked = true,
            Choice::Cancel => view.is_held = true,
        }
    }

    fn keep_queue(&mut self) {
        let run = |run: &QueuedRun| Waiting { document: Arc::clone(&run.document), start_from: run.start_from.clone() };
        let waiting: Vec<Waiting> = self.desk.library.view().queue.iter().map(run).collect();
        if let Err(why) = self.desk.queue.keep(&waiting) {
            self.session.warn(why, false);
        }
    }

    /// Whether the next waiting run would probably not fit; asks then.
    fn warns_of_queued(&mut self, next: &QueuedRun) -> bool {
        let Some(available) = self.session.free_bytes() else { return false };
        let program = plan(&next.document).program;
        let cost = cost(&program, cost_settings(&next.document, self.session.engine()));
        let is_tight = is_tight(cost.memory.training_planned_bytes, available);
        if is_tight {
            let purpose = For::Queued(next.document.name.clone());
            self.safety.memory = Some(MemoryWarning::new(&program, &cost, &next.document.training, available, purpose));
        }
        is_tight
    }

    /// The tab that a waiting run belongs to, and its revision. A network whose tab was closed gets one behind the others, so
    /// that its run can be seen.
    fn tab_of(&mut self, next: &QueuedRun) -> (u64, u64) {
        let open = &self.workspace.documents;
        if open.iter().any(|open| open.serial == next.serial) {
            return (next.serial, next.revision);
        }
        // The settings may differ: it is one network all the same, of one name.
        let is_it = |other: &Document| other.name == next.document.name && is_same_network(other, &next.document);
        let same = open.iter().position(|open| is_it(open.history.document()));
        let at = same.unwrap_or_else(|| self.workspace.open_behind((*next.document).clone(), None));
        let open = &self.workspace.documents[at];
        (open.serial, open.revision())
    }
}
