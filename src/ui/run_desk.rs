//! Carries out what panels ask about runs: stored ones, waiting ones, the learning rate of the present one, exports.

use super::app::App;
use super::charts::{Exported, Picture, csv};
use super::dialogs::Purpose;
use super::library::{Job, Library};
use super::queue_store::QueueStore;
use super::run_dialogs;
use super::runs::RunView;
use super::runs_view::RunsCommand;
use super::status::Message;
use crate::engine::protocol::Command;
use crate::engine::run::RunFolder;
use crate::graph::Document;
use crate::plan::{Kept, LayerDiff, compare, kept_weights, plan};
use eframe::egui_wgpu::RenderState;
use std::path::PathBuf;
use std::sync::Arc;

/// What waits for a place to be written to.
enum Export {
    Csv(Vec<Exported>),
    Png(Box<Picture>, Vec<Exported>, RenderState),
    Text(String),
}

/// Weights of an earlier run that the network in front could start with.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// Name of that run.
    pub(super) run: String,
    /// Where it is.
    pub(super) folder: PathBuf,
    /// What fits.
    pub(super) kept: Kept,
}

/// What a stored run is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opening {
    /// To open its network.
    Network,
    /// To go on from its checkpoint.
    Continue,
    /// To go on for so many more epochs.
    Extend(u32),
}

/// Everything of the app that is about runs, besides the session.
#[derive(Default)]
pub(super) struct RunDesk {
    pub(super) library: Library,
    /// The queue on the disk.
    pub(super) queue: QueueStore,
    deleting: Option<PathBuf>,
    offer: Option<Offer>,
    export: Option<Export>,
    place: Option<PathBuf>,
    /// A run that is being read, and what for.
    opening: Option<(PathBuf, Opening)>,
    /// What the list was read for last: the run, its epochs, whether it goes on.
    seen: Option<(PathBuf, usize, bool)>,
}

/// Whether two documents have the same layers and links, however their files were written.
pub(super) fn is_same_network(one: &Document, other: &Document) -> bool {
    let found = compare(one, other);
    !found.is_rewired && found.layers.iter().all(LayerDiff::is_same)
}

impl RunDesk {
    /// A desk for the runs of a folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { library: Library::new(folder), ..Self::default() }
    }

    /// A text that waits for its place.
    pub(super) fn export_text(&mut self, text: String) {
        self.export = Some(Export::Text(text));
    }

    /// A place that a person chose for an export.
    pub(super) fn export_to(&mut self, path: PathBuf) {
        self.place = Some(path);
    }
}

impl App {
    /// Once a frame, also while the window is hidden.
    pub(super) fn runs_logic(&mut self, ctx: &egui::Context) {
        for said in self.desk.library.drain() {
            match said {
                Ok(words) if words.is_empty() => self.desk.library.refresh(ctx),
                Ok(words) => {
                    self.desk.library.refresh(ctx);
                    self.message = Some(Message::new(words));
                }
                Err(why) => self.failure = Some(("This could not be done".into(), why)),
            }
        }
        self.follow_run(ctx);
        self.follow_opening(ctx);
        self.follow_export(ctx);
        let is_busy = self.session.is_busy();
        let training = self.session.busy_with().map(|(_, name)| name.to_owned());
        let view = self.desk.library.view_mut();
        (view.is_busy, view.training) = (is_busy, training);
        if view.search != self.session.search {
            view.search.clone_from(&self.session.search);
        }
        self.advance_queue(ctx);
        if self.desk.library.is_busy() {
            ctx.request_repaint_after(std::time::Duration::from_millis(100));
        }
    }

    /// Reads the list when the run starts, ends, or has another epoch.
    fn follow_run(&mut self, ctx: &egui::Context) {
        let now = self.session.run().map(|run| (run.folder.clone(), run.epochs.len(), run.is_active()));
        if self.desk.seen == now && (self.desk.library.view().is_read || self.desk.library.is_busy()) {
            return;
        }
        if let Some((folder, ..)) = &now {
            // It has grown since it was read.
            self.desk.library.view_mut().loaded.remove(folder);
        }
        let shown: Vec<PathBuf> = self.desk.library.view().shown.clone();
        for folder in shown {
            self.desk.library.load(&folder, ctx);
        }
        self.desk.seen = now;
        self.desk.library.refresh(ctx);
    }

    fn follow_opening(&mut self, ctx: &egui::Context) {
        let Some((folder, opening)) = self.desk.opening.clone() else { return };
        let view = self.desk.library.view();
        if let Some(why) = view.broken.get(&folder) {
            self.failure = Some(("This run was not opened".into(), format!("{}: {why}", folder.display())));
            self.desk.opening = None;
            return;
        }
        let Some(run) = view.loaded.get(&folder).cloned() else { return };
        self.desk.opening = None;
        let name = view.name(&folder);
        let (open, session) = (&self.workspace.documents, &self.session);
        let is_own = |serial: u64| session.run_of(serial).is_some_and(|run| run.folder == folder);
        // Of several such tabs, the one whose run it is; else the one in front.
        let best = (0..open.len())
            .filter(|&at| is_same_network(open[at].history.document(), &run.document))
            .max_by_key(|&at| (is_own(open[at].serial), at == self.workspace.active, std::cmp::Reverse(at)));
        if let Some(at) = best {
            self.workspace.active = at;
        } else {
            let named = self.network_name(&run.document.name, &name);
            self.workspace.open(Document { name: named, ..(*run.document).clone() }, None);
        }
        let epochs = match opening {
            Opening::Network => {
                self.message = Some(Message::new(format!("The network of {name} is open.")));
                return;
            }
            Opening::Continue => None,
            Opening::Extend(more) => Some(run.document.training.epochs.saturating_add(more)),
        };
        let front = self.workspace.front();
        let key = (front.serial, front.revision());
        self.show_panel("training");
        if let Err(error) = self.session.resume_stored(run.view.clone(), &run.document, key, epochs, ctx) {
            self.session.warn(error, false);
        }
    }

    /// A tab of its own needs a name that tells it from the tabs that are open.
    fn network_name(&self, own: &str, run: &str) -> String {
        let is_taken = self.workspace.documents.iter().any(|open| open.title() == own);
        if is_taken { format!("{own} ({run})") } else { own.to_owned() }
    }

    fn follow_export(&mut self, ctx: &egui::Context) {
        if let Some(path) = self.desk.place.take() {
            match self.desk.export.take() {
                Some(Export::Csv(runs)) => {
                    self.desk.library.ask(Job::Write(path, Box::new(move || Ok(csv(&runs).into_bytes()))), ctx);
                }
                Some(Export::Png(picture, runs, device)) => {
                    self.desk.library.ask(Job::Write(path, Box::new(move || picture.png(runs, &device))), ctx);
                }
                Some(Export::Text(text)) => {
                    self.desk.library.ask(Job::Write(path, Box::new(move || Ok(text.into_bytes()))), ctx);
                }
                None => {}
            }
        }
    }

    /// Carries out one command about runs.
    pub(super) fn apply_runs(&mut self, command: RunsCommand, frame: &eframe::Frame, ctx: &egui::Context) {
        match command {
            RunsCommand::Refresh => self.desk.library.refresh(ctx),
            RunsCommand::Load(folder) => self.desk.library.load(&folder, ctx),
            RunsCommand::Show(folder, is_shown) => {
                let shown = &mut self.desk.library.view_mut().shown;
                shown.retain(|other| *other != folder);
                if is_shown {
                    shown.push(folder.clone());
                    self.desk.library.load(&folder, ctx);
                }
            }
            RunsCommand::Annotate(folder, note) => self.desk.library.ask(Job::Annotate(folder, note), ctx),
            RunsCommand::OpenNetwork(folder) => self.open_run(folder, Opening::Network, ctx),
            RunsCommand::Continue(folder) => self.go_on(folder, Opening::Continue, ctx),
            RunsCommand::Extend(folder, more) => self.go_on(folder, Opening::Extend(more), ctx),
            RunsCommand::ResumePresent => {
                self.show_present();
                self.resume(ctx);
            }
            RunsCommand::ShowPresent => self.show_present(),
            RunsCommand::StartFrom(folder) => self.start_run(Some(folder), ctx),
            RunsCommand::StartFresh => self.start_run(None, ctx),
            RunsCommand::Delete(folder) => self.desk.deleting = Some(folder),
            RunsCommand::Reveal(folder) => {
                if let Err(error) = crate::platform::open_folder(&folder) {
                    self.message = Some(Message::new(format!("{} could not be shown: {error}.", folder.display())));
                }
            }
            RunsCommand::Enqueue => self.enqueue(),
            RunsCommand::MoveQueued { from, to } => {
                let queue = &mut self.desk.library.view_mut().queue;
                if from < queue.len() && to < queue.len() {
                    let moved = queue.remove(from);
                    queue.insert(to, moved);
                }
            }
            RunsCommand::RemoveQueued(at) => {
                let queue = &mut self.desk.library.view_mut().queue;
                if at < queue.len() {
                    queue.remove(at);
                }
            }
            RunsCommand::HoldQueue(is_held) => {
                let view = self.desk.library.view_mut();
                (view.is_held, view.is_restored) = (is_held, view.is_restored && is_held);
            }
            RunsCommand::SetRate(rate) => self.tell(Command::SetLearningRate(rate)),
            RunsCommand::SetSchedule(schedule) => {
                self.tell(Command::SetSchedule(serde_json::to_string(&schedule).unwrap_or_default()));
            }
            RunsCommand::FindRate => self.find_rate(ctx),
            RunsCommand::StopSearch => self.tell(Command::Stop { keep_best: false }),
            RunsCommand::CloseSearch => self.session.search = None,
            RunsCommand::Pictures(folder, indices) => self.desk.library.pictures(&folder, indices, ctx),
            RunsCommand::ExportCsv => {
                let runs = self.exported();
                let name = runs.first().map_or_else(|| "runs".into(), |run| run.name.replace(['/', '\\', ' '], "-"));
                self.desk.export = Some(Export::Csv(runs));
                self.waiting.ask(Purpose::Export(format!("{name}.csv")), self.dialogs.as_mut(), frame, ctx);
            }
            RunsCommand::ExportPng(picture) => {
                let Some(device) = frame.wgpu_render_state().cloned() else {
                    let words = "A picture needs the graphics device that draws the window. There is none.";
                    self.message = Some(Message::new(words));
                    return;
                };
                self.desk.export = Some(Export::Png(picture, self.exported(), device));
                self.waiting.ask(Purpose::Export("charts.png".into()), self.dialogs.as_mut(), frame, ctx);
            }
        }
    }

    fn open_run(&mut self, folder: PathBuf, opening: Opening, ctx: &egui::Context) {
        self.desk.library.view_mut().broken.remove(&folder);
        self.desk.library.load(&folder, ctx);
        self.desk.opening = Some((folder, opening));
    }

    fn go_on(&mut self, folder: PathBuf, opening: Opening, ctx: &egui::Context) {
        if self.session.is_busy() {
            self.message = Some(Message::new("One run at a time. Stop the present one first."));
            return;
        }
        // Read anew: it may have grown since.
        self.desk.library.view_mut().loaded.remove(&folder);
        self.open_run(folder, opening, ctx);
    }

    fn find_rate(&mut self, ctx: &egui::Context) {
        if self.session.is_busy() {
            self.message = Some(Message::new("Rates are searched while nothing trains. Stop the run first."));
            return;
        }
        let front = self.workspace.front();
        if let Some(error) = front.derived().plan.training_problem() {
            self.message = Some(Message::new(error));
            return;
        }
        let (document, revision) = (Arc::clone(front.history.document()), front.revision());
        self.show_panel("training");
        if let Err(error) = self.session.find_rate(&document, revision, ctx) {
            self.session.warn(error, false);
        }
    }

    /// The present run and those shown beside it, by name.
    fn exported(&self) -> Vec<Exported> {
        let view = self.desk.library.view();
        let present = self.session.run_of(self.workspace.front().serial);
        let exported = |run: &RunView, color: Option<usize>| Exported {
            name: view.name(&run.folder),
            note: view.note(&run.folder),
            color,
            run: run.clone(),
        };
        let mut runs: Vec<Exported> = present.map(|run| exported(run, None)).into_iter().collect();
        for folder in view.shown.iter().filter(|folder| present.is_none_or(|own| own.folder != **folder)) {
            runs.extend(view.loaded.get(folder).map(|run| exported(&run.view, Some(view.color(folder)))));
        }
        runs
    }

    /// Weights of this network's last run that could be kept, where the network was changed since.
    pub(super) fn keep_offer(&self) -> Option<Offer> {
        let front = self.workspace.front();
        let old = self.session.trained_of(front.serial)?;
        let run = self.session.run_of(front.serial).filter(|run| !run.is_active())?;
        let new = front.history.document();
        if old.graph == new.graph {
            return None;
        }
        // Without weights there is nothing to keep.
        RunFolder::open(&run.folder).ok()?.weights_path()?;
        let kept = kept_weights(&plan(old).program, &front.derived().plan.program);
        let name = self.desk.library.view().name(&run.folder);
        (kept.count() > 0).then(|| Offer { run: name, folder: run.folder.clone(), kept })
    }

    /// Asks whether weights are kept.
    pub(super) fn offer_weights(&mut self, offer: Offer) {
        self.desk.offer = Some(offer);
    }

    /// Trains the network in front.
    pub(super) fn start_run(&mut self, start_from: Option<PathBuf>, ctx: &egui::Context) {
        self.desk.offer = None;
        if self.session.is_busy() {
            self.message = Some(Message::new("One run at a time. Stop the present one first, or use Add to queue."));
            return;
        }
        let front = self.workspace.front();
        if let Some(error) = front.derived().plan.training_problem() {
            self.message = Some(Message::new(error));
            return;
        }
        if !self.warns_of_memory(start_from.as_deref()) {
            self.start_training(start_from, ctx);
        }
    }

    /// Trains the network in front without asking anything.
    pub(super) fn start_training(&mut self, start_from: Option<PathBuf>, ctx: &egui::Context) {
        let front = self.workspace.front();
        let (document, serial, revision) = (Arc::clone(front.history.document()), front.serial, front.revision());
        self.show_run();
        let start = (start_from, self.looker.image_of(serial));
        if let Err(error) = self.session.train(&document, serial, revision, start, ctx) {
            self.session.warn(error, false);
        }
    }

    /// The questions about runs; `true` while one is open.
    pub(super) fn run_dialogs_ui(&mut self, ctx: &egui::Context) -> bool {
        if let Some(folder) = self.desk.deleting.clone() {
            let name = self.desk.library.view().name(&folder);
            match run_dialogs::delete_ui(ctx, &name, &folder) {
                Some(true) => {
                    self.desk.library.ask(Job::Delete(folder), ctx);
                    self.desk.deleting = None;
                }
                Some(false) => self.desk.deleting = None,
                None => {}
            }
            return true;
        }
        if let Some(offer) = self.desk.offer.clone() {
            match run_dialogs::offer_ui(ctx, &offer) {
                Some(run_dialogs::Choice::Keep) => self.start_run(Some(offer.folder), ctx),
                Some(run_dialogs::Choice::Fresh) => self.start_run(None, ctx),
                Some(run_dialogs::Choice::Cancel) => self.desk.offer = None,
                None => {}
            }
            return true;
        }
        false
    }
}
