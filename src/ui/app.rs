//! The window as a whole: it owns documents, engine and panels, draws the frame, and alone changes documents.

use super::command;
use super::dialogs::{self, Answer, Closing, FileDialogs, Waiting};
use super::dock::{self, Dock, Pane};
use super::export::Exports;
use super::finder::Finder;
use super::loader::Loader;
use super::locate::Find;
use super::looker::Looker;
use super::preferences::Prefs;
use super::run_desk::RunDesk;
use super::safety::Safety;
use super::second_engine::SecondEngine;
use super::session::Session;
use super::status::Message;
use super::system_dialogs::SystemDialogs;
use super::theme::{self, Tokens, size};
use super::workspace::Workspace;
use super::{Panel, PanelCx, UiCommand, all_panels};
use egui::{ThemePreference, Ui, ViewportCommand};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Key of the stored preferences.
const PREFS: &str = "prefs.v1";
/// Recent files that are remembered.
pub(super) const RECENT: usize = 12;

/// How the window is started.
#[derive(Default)]
pub struct Options {
    /// Open this file, or the preset of this id.
    pub document: Option<PathBuf>,
    /// The program that is started as `… worker`; this program itself if none.
    pub worker_exe: Option<PathBuf>,
    /// Where runs are kept; the user's data folder if none.
    pub storage: Option<PathBuf>,
    /// Whether layout and preferences are read and written.
    pub is_persistent: bool,
    /// Who asks for files; the system's dialogs if none.
    pub dialogs: Option<Box<dyn FileDialogs>>,
    /// Colours, over what is stored.
    pub theme: Option<ThemePreference>,
    /// CPU threads of the engine; all cores if none.
    pub threads: Option<u32>,
    /// What the worker's environment has besides; for tests.
    pub worker_env: Vec<(String, String)>,
    /// How long the engine may be silent while it trains, if not the usual time; for tests.
    pub patience: Option<Duration>,
}

/// The window.
pub struct App {
    pub(super) workspace: Workspace,
    pub(super) session: Session,
    pub(super) loader: Loader,
    pub(super) desk: RunDesk,
    pub(super) looker: Looker,
    pub(super) exports: Exports,
    pub(super) panels: Vec<Box<dyn Panel>>,
    palette: Box<dyn Panel>,
    inspector: Box<dyn Panel>,
    dock: egui_tiles::Tree<Pane>,
    pub(super) prefs: Prefs,
    pub(super) dialogs: Box<dyn FileDialogs>,
    pub(super) waiting: Waiting,
    pub(super) failure: Option<(String, String)>,
    pub(super) closing: Option<Closing>,
    pub(super) message: Option<Message>,
    pub(super) is_help_open: bool,
    pub(super) is_preferences_open: bool,
    /// A new scale that waits for the slider to be let go.
    pub(super) scale_waits: bool,
    /// Whether the system asks for less motion, once it has answered.
    pub(super) system_reduces: Arc<OnceLock<bool>>,
    /// Whether that answer was taken up.
    pub(super) knows_system: bool,
    pub(super) finder: Finder,
    pub(super) find: Find,
    /// Which problem was shown last.
    pub(super) problem_at: Option<usize>,
    pub(super) safety: Safety,
    is_persistent: bool,
    pub(super) may_close: bool,
    title: String,
}

impl App {
    /// Builds the window: LeNet-5 with the built-in digits, or the document that is asked for.
    pub fn new(cc: &eframe::CreationContext<'_>, options: Options) -> Self {
        theme::install(&cc.egui_ctx);
        super::pointer::install(&cc.egui_ctx);
        let stored = cc.storage.filter(|_| options.is_persistent);
        let mut prefs: Prefs = stored.and_then(|storage| eframe::get_value(storage, PREFS)).unwrap_or_default();
        prefs.theme = options.theme.unwrap_or(prefs.theme);
        cc.egui_ctx.set_theme(prefs.theme);
        let panels = all_panels();
        let dock = stored
            .and_then(|storage| eframe::get_value(storage, dock::KEY))
            .filter(|tree| dock::is_whole(tree, &panels))
            .unwrap_or_else(|| dock::default_layout(&panels));
        // Without a home folder runs live as long as the system keeps its temporary files.
        let storage = options.storage.or_else(|| eframe::storage_dir(super::APP_ID)).unwrap_or_else(std::env::temp_dir);
        // A program that does not know its own path is looked for where commands are.
        let exe = options.worker_exe.or_else(|| std::env::current_exe().ok()).unwrap_or_else(|| "striate".into());
        let second = SecondEngine::new(exe.clone(), options.worker_env.clone(), options.patience);
        let looker = Looker::new(second);
        let mut session = Session::new(exe, storage.join("runs"));
        session.limit_threads(options.threads);
        session.worker_env = options.worker_env;
        if let Some(patience) = options.patience {
            session.watch.set_patience(patience);
        }
        session.choose_device(&prefs.device, &cc.egui_ctx);
        let desk = RunDesk::new(session.runs_folder().to_path_buf());
        let (safety, warning) = Safety::open(&storage);
        if let Some(warning) = warning {
            session.warn(warning, false);
        }
        super::test_hook::install(&cc.egui_ctx);
        let document = crate::presets::find("lenet5").unwrap_or_default();
        let mut app = Self {
            workspace: Workspace::new(document, None),
            session,
            loader: Loader::default(),
            desk,
            looker,
            exports: Exports::default(),
            panels,
            palette: Box::new(super::palette::Palette::default()),
            inspector: Box::new(super::inspector::Inspector::default()),
            dock,
            prefs,
            dialogs: options.dialogs.unwrap_or_else(|| Box::new(SystemDialogs)),
            waiting: Waiting::default(),
            failure: None,
            closing: None,
            message: None,
            is_help_open: false,
            is_preferences_open: false,
            scale_waits: false,
            system_reduces: Arc::default(),
            knows_system: false,
            finder: Finder::default(),
            find: Find::default(),
            problem_at: None,
            safety,
            is_persistent: options.is_persistent,
            may_close: false,
            title: String::new(),
        };
        app.restore_queue(&storage);
        app.apply_preferences(&cc.egui_ctx);
        if options.is_persistent {
            app.ask_about_motion(&cc.egui_ctx);
        }
        if let Some(path) = options.document {
            match path.to_str().filter(|_| !path.exists()).and_then(crate::presets::find) {
                Some(preset) => app.workspace = Workspace::new(preset, None),
                None => app.open_file(path),
            }
        }
        app
    }

    /// The document in front.
    pub fn document(&self) -> &Arc<crate::graph::Document> {
        self.workspace.front().history.document()
    }

    /// The open documents.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The run under way, of whatever document, or the last one that was.
    pub fn run(&self) -> Option<&super::runs::RunView> {
        self.session.run()
    }

    /// The last run of the document in front.
    pub fn run_in_front(&self) -> Option<&super::runs::RunView> {
        self.session.run_of(self.workspace.front().serial)
    }

    /// What looking inside brought.
    pub fn look(&self) -> &super::look::LookView {
        self.looker.view()
    }

    /// The data as far as they are open.
    pub fn data(&self) -> &super::data_view::DataView {
        self.loader.view()
    }

    /// Stored and waiting runs.
    pub fn runs(&self) -> &super::runs_view::RunsView {
        self.desk.library.view()
    }

    /// Bad news that is shown.
    pub fn bad_news(&self) -> Option<&str> {
        self.session.news.newest().map(|banner| banner.message.as_str())
    }

    /// Lines of the log.
    pub fn log(&self) -> &[String] {
        self.session.log()
    }

    /// Number of the worker's process.
    pub fn worker_pid(&self) -> Option<u32> {
        self.session.worker_pid()
    }

    /// Puts every panel back to its place.
    pub(super) fn reset_layout(&mut self) {
        dock::reset(&mut self.dock, &self.panels);
        self.prefs.show_palette = true;
        self.prefs.show_inspector = true;
    }

    pub(super) fn set_theme(&mut self, ctx: &egui::Context, theme: ThemePreference) {
        self.prefs.theme = theme;
        ctx.set_theme(theme);
    }

    pub(super) fn show_panel(&mut self, id: &str) {
        dock::show(&mut self.dock, id);
    }

    /// Gives the network or the panels all the room, or takes that back.
    pub(super) fn give_room(&mut self, room: dock::Room) {
        let is_so = dock::room(&self.dock) == room;
        dock::give_room(&mut self.dock, if is_so { dock::Room::Shared } else { room });
    }

    /// Who has the room of the dock.
    pub fn room(&self) -> dock::Room {
        dock::room(&self.dock)
    }

    /// Brings the charts of a run that starts to the front, unless something that follows the run is in sight already.
    pub(super) fn show_run(&mut self) {
        if !["training", "feature-maps", "results"].iter().any(|id| dock::is_in_sight(&self.dock, id)) {
            self.show_panel("training");
        }
    }

    /// What follows from the document, the run and the data, brought up to date.
    fn refresh(&mut self, ctx: &egui::Context) {
        self.workspace.refresh(self.session.engine());
        let front = self.workspace.front();
        let document = front.history.document();
        let program = &front.derived().plan.program;
        let input = program.inputs.first().map(|input| program.value(input.value).shape.clone());
        self.loader.update(document, input, ctx);
        // Undoing all changes since the start of a run makes it this network's run again.
        let (serial, revision) = (front.serial, front.revision());
        let is_stale = self.session.run_of(serial).is_some_and(|run| run.revision != revision);
        let is_same = is_stale
            && self
                .session
                .trained_of(serial)
                .is_some_and(|trained| Arc::ptr_eq(trained, document) || trained.graph == document.graph);
        if let (true, Some(run)) = (is_same, self.session.run_of_mut(serial)) {
            run.revision = revision;
        }
        let open = &self.workspace.documents;
        self.session.keep_only(|serial| open.iter().any(|open| open.serial == serial));
    }

    fn handle_close(&mut self, ctx: &egui::Context) {
        if !ctx.input(|input| input.viewport().close_requested()) || self.may_close {
            return;
        }
        let closing = Closing { tab: None, unsaved: self.workspace.modified(), is_training: self.session.is_busy() };
        if closing.unsaved.is_empty() && !closing.is_training {
            return;
        }
        ctx.send_viewport_cmd(ViewportCommand::CancelClose);
        ctx.send_viewport_cmd(ViewportCommand::Minimized(false));
        self.closing = Some(closing);
    }

    fn modals_ui(&mut self, ctx: &egui::Context, frame: &eframe::Frame) {
        if self.failure.is_none() && self.closing.is_none() && self.run_dialogs_ui(ctx) {
            return;
        }
        if let Some((title, text)) = &self.failure {
            if dialogs::failure_ui(ctx, title, text) {
                self.failure = None;
            }
        } else if let Some(closing) = &self.closing {
            match (dialogs::closing_ui(ctx, closing), closing.tab) {
                (Some(Answer::Save), _) => {
                    let closing = closing.clone();
                    self.closing = None;
                    self.save_and_leave(&closing);
                }
                (Some(Answer::Close), Some(tab)) => {
                    self.workspace.close(tab);
                    self.closing = None;
                }
                (Some(Answer::Close), None) => {
                    self.closing = None;
                    self.close_now(ctx);
                }
                (Some(Answer::Stay), _) => self.closing = None,
                (None, _) => {}
            }
        } else if self.safety_ui(ctx, frame) {
            // One dialog at a time.
        } else if self.waiting.is_own_open() {
            if let Some((purpose, path)) = self.waiting.ui(ctx) {
                self.take_answer(&purpose, path);
            }
        } else if self.is_help_open && dialogs::help_ui(ctx) {
            self.is_help_open = false;
        }
    }

    fn dropped_files(&mut self, ctx: &egui::Context) {
        let paths: Vec<PathBuf> =
            ctx.input(|input| input.raw.dropped_files.iter().map(|file| file.path().to_path_buf()).collect());
        for path in paths {
            if self.waiting.take_dropped(&path) {
                // It is what the open dialog asks for.
            } else if path.is_dir() {
                let is_idx = crate::data::IdxSource::lies_in(&path);
                self.set_data_folder(path, is_idx);
            } else if super::export::is_picture(&path) {
                self.looker.offer(super::look::Offered::File(path));
                self.show_panel("feature-maps");
            } else {
                self.open_file(path);
            }
        }
    }

    /// What panels see of the document in front.
    pub(super) fn panel_cx(&self) -> PanelCx<'_> {
        let front = self.workspace.front();
        let derived = front.derived();
        let device = self.session.device_info();
        PanelCx {
            document: front.history.document(),
            revision: front.revision(),
            plan: &derived.plan,
            cost: &derived.cost,
            layout: &derived.layout,
            path: &front.path,
            selection: &front.selection,
            run: self.session.run_of(front.serial),
            runs: self.desk.library.view(),
            look: self.looker.view(),
            data: self.loader.view(),
            capacity_bytes: device.and_then(|device| device.capacity_bytes),
            device: device.map_or("the CPU", |device| device.name.as_str()),
            log: self.session.log(),
            times: self.session.times(),
        }
    }

    fn body_ui(&mut self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let mut panels = std::mem::take(&mut self.panels);
        let mut palette = std::mem::replace(&mut self.palette, Box::new(super::log_panel::LogPanel));
        let mut inspector = std::mem::replace(&mut self.inspector, Box::new(super::log_panel::LogPanel));
        let mut dock = std::mem::replace(&mut self.dock, egui_tiles::Tree::empty(egui::Id::unique("dock")));
        let (mut show_palette, mut show_inspector) = (self.prefs.show_palette, self.prefs.show_inspector);
        {
            let cx = self.panel_cx();
            let tokens = Tokens::of(ui);
            dock::tell_room(ui.ctx(), dock::room(&dock));
            // A narrow window has sides of their own width, so that a wide one keeps the width it was given.
            let is_narrow = ui.available_width() < size::NARROW;
            let side = |ids: [&'static str; 2], widths: [f32; 2]| {
                let at = usize::from(is_narrow);
                (ids[at], widths[at], tokens.panel_frame())
            };
            let (id, width, frame) = side(["palette", "palette-narrow"], [size::PALETTE, size::PALETTE_NARROW]);
            egui::Panel::left(id).default_size(width).size_range(150.0..=340.0).frame(frame).show_collapsible(
                ui,
                &mut show_palette,
                |ui| palette.ui(&cx, ui, out),
            );
            let (id, width, frame) = side(["inspector", "inspector-narrow"], [size::INSPECTOR, size::INSPECTOR_NARROW]);
            egui::Panel::right(id).default_size(width).size_range(240.0..=480.0).frame(frame).show_collapsible(
                ui,
                &mut show_inspector,
                |ui| inspector.ui(&cx, ui, out),
            );
            let tabs = egui::Frame::new().fill(tokens.panel).inner_margin(egui::Margin::symmetric(6, 0));
            egui::Panel::top("documents")
                .exact_size(size::TABS + 4.0)
                .resizable(false)
                .frame(tabs)
                .show(ui, |ui| self.tabs_ui(ui, out));
            egui::CentralPanel::no_frame().show(ui, |ui| {
                let canvas = dock::place(&dock, "canvas");
                dock.ui(&mut Dock { panels: &mut panels, canvas, cx: &cx, out }, ui);
            });
        }
        (self.prefs.show_palette, self.prefs.show_inspector) = (show_palette, show_inspector);
        self.panels = panels;
        self.palette = palette;
        self.inspector = inspector;
        self.dock = dock;
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &egui::Context, _frame: &mut eframe::Frame) {
        super::window_size::settle(ctx);
        self.session.drain();
        self.follow_system(ctx);
        self.runs_logic(ctx);
        self.looker.drain(&mut self.session);
        self.remember_check();
        self.handle_close(ctx);
        self.refresh(ctx);
        self.keep_copies();
        if self.session.is_busy() || self.loader.is_busy() {
            // Elapsed time goes on even when no event comes.
            ctx.request_repaint_after(std::time::Duration::from_millis(250));
        }
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        let mut out = Vec::new();
        self.take_escape(&ctx);
        for id in command::pressed(&ctx) {
            self.command(id, &ctx, &mut out);
        }
        self.dropped_files(&ctx);
        let tokens = Tokens::of(ui);
        // Shows as thin lines between the panels.
        ui.painter().rect_filled(ui.max_rect(), 0.0, tokens.separator);
        let bar = egui::Frame::new().fill(tokens.panel).inner_margin(egui::Margin::symmetric(8, 0));
        egui::Panel::top("top")
            .exact_size(size::TOOLBAR)
            .resizable(false)
            .frame(bar)
            .show(ui, |ui| self.top_ui(ui, &mut out));
        self.banner_ui(ui, &mut out);
        egui::Panel::bottom("status")
            .exact_size(size::STATUS)
            .resizable(false)
            .frame(bar.inner_margin(egui::Margin::symmetric(12, 0)))
            .show(ui, |ui| self.status_ui(ui, &mut out));
        self.body_ui(ui, &mut out);
        self.modals_ui(&ctx, frame);
        self.search_ui(&ctx, &mut out);
        self.message_ui(&ctx);
        self.answers();
        self.leave(frame, &ctx);
        if !out.is_empty() {
            let revision = self.workspace.front().revision();
            for command in out {
                self.apply(command, frame, &ctx);
            }
            self.refresh(&ctx);
            if self.workspace.front().revision() != revision {
                // Drawn again at once, so that this very frame shows the new numbers.
                ctx.request_discard("the document changed");
            }
        }
        let title = format!(
            "{}{} – Striate",
            if self.workspace.front().history.is_modified() { "* " } else { "" },
            self.workspace.front().title()
        );
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        if self.is_persistent {
            self.session.device().clone_into(&mut self.prefs.device);
            eframe::set_value(storage, dock::KEY, &self.dock);
            eframe::set_value(storage, PREFS, &self.prefs);
        }
    }

    fn on_exit(&mut self) {
        self.looker.close();
        self.safety.finish();
        self.session.close();
    }
}
