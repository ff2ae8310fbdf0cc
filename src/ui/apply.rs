//! Carries out what panels, menus and keys ask for.

use super::UiCommand;
use super::app::{App, RECENT};
use super::dialogs::{Closing, Purpose};
use super::disk::Stamp;
use super::look::{Look, Offered};
use super::status::Message;
use super::train_action::TrainAction;
use super::{canvas, looker, workspace};
use crate::engine::protocol::Command;
use crate::graph::{DataSource, Document, Edit};
use crate::ui::runs::RunState;
use egui::ViewportCommand;
use std::path::PathBuf;

impl App {
    /// Carries out one command. The only way to a changed document.
    pub(super) fn apply(&mut self, command: UiCommand, frame: &eframe::Frame, ctx: &egui::Context) {
        match workspace::apply(self.workspace.front_mut(), &command) {
            Ok(true) => return,
            Ok(false) => {}
            Err(refused) => {
                self.message = Some(Message::new(refused));
                return;
            }
        }
        match command {
            UiCommand::Canvas(id) => {
                // Enter on a layer goes to its settings, which may be hidden.
                self.prefs.show_inspector |= id == "enter";
                if matches!(id, "add" | "link" | "rename") {
                    self.show_panel("canvas");
                }
                let asked = canvas::run(id, (&self.panel_cx()).into(), ctx);
                for command in asked {
                    self.apply(command, frame, ctx);
                }
            }
            UiCommand::New => self.workspace.open(Document::fresh(), None),
            UiCommand::Open(Some(path)) => self.open_file(path),
            UiCommand::Open(None) => self.waiting.ask(Purpose::Open, self.dialogs.as_mut(), frame, ctx),
            UiCommand::OpenPreset(id) => {
                if let Some(document) = crate::presets::find(&id) {
                    self.workspace.open(document, None);
                }
            }
            UiCommand::Save => match self.workspace.front().file.clone() {
                Some(path) if self.workspace.front().read_only.is_none() => {
                    let serial = self.workspace.front().serial;
                    self.save_checked(serial, path);
                }
                _ => self.ask_where(frame, ctx),
            },
            UiCommand::SaveAs => self.ask_where(frame, ctx),
            UiCommand::CloseDocument(index) => self.close_tab(index),
            UiCommand::ShowDocument(index) => {
                self.workspace.active = index.min(self.workspace.documents.len() - 1);
            }
            UiCommand::Train => self.train(ctx),
            UiCommand::Pause => {
                let is_paused = self.session.run().is_some_and(|run| run.state == RunState::Paused);
                self.tell(if is_paused { Command::Resume } else { Command::Pause });
            }
            UiCommand::Stop { keep_best } => {
                if self.session.is_busy() {
                    self.tell(Command::Stop { keep_best });
                    self.session.stopping();
                }
            }
            UiCommand::ResumeRun => {
                let serial = self.workspace.front().serial;
                if !self.session.is_busy() && self.session.recall(serial) {
                    self.resume(ctx);
                }
            }
            UiCommand::ChooseDevice(id) => {
                self.session.choose_device(&id, ctx);
                self.check_if_new(ctx);
            }
            UiCommand::CheckDevice => self.start_check(ctx),
            UiCommand::Probe(node) => {
                if let Some((last, path)) = node.split_last() {
                    let front = self.workspace.front_mut();
                    front.path = path.to_vec();
                    front.selection = vec![*last];
                }
                self.show_panel("feature-maps");
            }
            UiCommand::LookAt { run, index } => {
                self.looker.offer(Offered::OfRun { run, index });
                self.show_panel("feature-maps");
            }
            UiCommand::Look(look) => self.ask_engine(&look, ctx),
            UiCommand::ChooseImage => self.waiting.ask(Purpose::Image, self.dialogs.as_mut(), frame, ctx),
            UiCommand::Export(export) => {
                let name = export.name.clone();
                self.exports.prepare(*export);
                self.waiting.ask(Purpose::Picture(name), self.dialogs.as_mut(), frame, ctx);
            }
            UiCommand::ChooseData { idx } => self.waiting.ask(Purpose::Data(idx), self.dialogs.as_mut(), frame, ctx),
            UiCommand::ClearLog => self.session.clear_log(),
            UiCommand::ShowPanel(id) => self.show_panel(id),
            UiCommand::GiveRoom(room) => self.give_room(room),
            UiCommand::Copy(text) => {
                ctx.copy_text(text);
                self.message = Some(Message::new("Copied to the clipboard."));
            }
            UiCommand::CopyCost { as_markdown } => {
                let text = super::cost_rows::copied(&self.panel_cx(), as_markdown);
                self.apply(UiCommand::Copy(text), frame, ctx);
            }
            UiCommand::ExportCost => {
                let table = super::cost_rows::copied(&self.panel_cx(), false);
                let name = self.workspace.front().title().replace(['/', '\\', ' '], "-");
                self.desk.export_text(table);
                self.waiting.ask(Purpose::Export(format!("{name}-cost.csv")), self.dialogs.as_mut(), frame, ctx);
            }
            UiCommand::ReduceMemory => {
                self.show_panel("cost");
                super::cost_panel::show_memory(ctx);
            }
            UiCommand::Notify(text) => self.message = Some(Message::new(text)),
            UiCommand::Runs(command) => self.apply_runs(command, frame, ctx),
            UiCommand::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),
            UiCommand::Fit => canvas::request(ctx, canvas::Request::Fit),
            UiCommand::ActualSize => canvas::request(ctx, canvas::Request::ActualSize),
            UiCommand::Reveal { path, node, link } => {
                let front = self.workspace.front_mut();
                front.path = path;
                front.selection = node.into_iter().collect();
                self.show_panel("canvas");
                canvas::reveal(ctx, node, link);
            }
            UiCommand::TimeLayers => self.time_layers(ctx),
            UiCommand::Edit { .. }
            | UiCommand::AddAfterSelection(_)
            | UiCommand::Select(_)
            | UiCommand::OpenPath(_)
            | UiCommand::Undo
            | UiCommand::Redo => {}
        }
    }

    /// Takes the answer of a file dialog, once there is one.
    pub(super) fn answers(&mut self) {
        if let Some((purpose, path)) = self.waiting.answer() {
            self.take_answer(&purpose, path);
        }
        match self.exports.outcome() {
            Some(Ok(done)) => self.message = Some(Message::new(done)),
            Some(Err(error)) => self.failure = Some(("This file was not written".into(), error)),
            None => {}
        }
    }

    /// Does with a chosen path what it was asked for.
    pub(super) fn take_answer(&mut self, purpose: &Purpose, path: PathBuf) {
        match purpose {
            Purpose::Open => self.open_file(path),
            // The dialog has asked whether an existing file may be replaced.
            Purpose::Save(serial, _) => self.write_file(*serial, path),
            Purpose::Data(idx) => self.set_data_folder(path, *idx),
            Purpose::Export(_) => self.desk.export_to(path),
            Purpose::Image => self.looker.offer(Offered::File(path)),
            Purpose::Picture(_) => self.exports.write(path),
        }
    }

    /// Asks the engine what a panel on show wants to know.
    fn ask_engine(&mut self, look: &Look, ctx: &egui::Context) {
        let front = self.workspace.front();
        let asked = looker::Front {
            document: front.history.document(),
            revision: front.revision(),
            serial: front.serial,
            classes: &self.loader.view().classes,
            counts: self.loader.counts(front.history.document()),
        };
        self.looker.ask(look, &mut self.session, &asked, ctx);
    }

    /// Trains the network in front, goes on after a pause, or adds it to the queue; asks first if it will probably not fit.
    pub(super) fn train(&mut self, ctx: &egui::Context) {
        match TrainAction::of(&self.panel_cx()) {
            TrainAction::GoOn => self.tell(Command::Resume),
            TrainAction::Start => match self.keep_offer() {
                Some(offer) => self.offer_weights(offer),
                None => self.start_run(None, ctx),
            },
            TrainAction::Enqueue(_) => self.enqueue(),
            TrainAction::Running => self.message = Some(Message::new("This network is being trained already.")),
            TrainAction::Blocked(problem) => self.message = Some(Message::new(problem)),
        }
    }

    /// Goes on with the present run.
    pub(super) fn resume(&mut self, ctx: &egui::Context) {
        self.show_run();
        if let Err(error) = self.session.resume_run(false, ctx) {
            self.session.warn(error, false);
        }
    }

    /// Brings the network of the present run to the front, in a tab of its own if that was closed.
    pub(super) fn show_present(&mut self) {
        let serial = self.session.serial;
        if let Some(at) = self.workspace.documents.iter().position(|open| open.serial == serial) {
            self.workspace.active = at;
        } else if let Some(trained) = self.session.document.clone() {
            self.workspace.open((*trained).clone(), None);
            self.session.serial = self.workspace.front().serial;
        }
        self.show_panel("training");
    }

    /// Tells the engine something.
    pub(super) fn tell(&mut self, command: Command) {
        if let Err(error) = self.session.send(command) {
            self.session.warn(error, false);
        }
    }

    fn close_tab(&mut self, index: usize) {
        let Some(open) = self.workspace.documents.get(index) else { return };
        if open.history.is_modified() {
            self.closing = Some(Closing { tab: Some(index), unsaved: vec![open.title()], is_training: false });
            return;
        }
        if self.session.busy_with().is_some_and(|(serial, _)| serial == open.serial) {
            let words =
                format!("{} is closed. Its run goes on: click on it at the lower right to see it.", open.title());
            self.message = Some(Message::new(words));
        }
        self.workspace.close(index);
    }

    fn ask_where(&mut self, frame: &eframe::Frame, ctx: &egui::Context) {
        self.ask_where_of(self.workspace.front().serial, frame, ctx);
    }

    /// Opens a file in a tab of its own; says why if that cannot be.
    pub(super) fn open_file(&mut self, path: PathBuf) {
        match Document::open(&path) {
            Ok(opened) => {
                self.workspace.open(opened.document, Some(path.clone()));
                let front = self.workspace.front_mut();
                front.read_only = opened.read_only;
                // A network that was open already keeps the stamp of what it was read from.
                if !front.history.is_modified() {
                    front.stamp = Stamp::of(&path).ok().flatten();
                }
                for warning in opened.warnings {
                    self.session.note(format!("Warning: {}: {warning}", path.display()));
                    self.message = Some(Message::new(warning));
                }
                self.remember(path);
            }
            Err(error) => {
                self.failure = Some(("This file was not opened".into(), format!("{}: {error}", path.display())));
            }
        }
    }

    /// Makes a folder the data of the document in front.
    pub(super) fn set_data_folder(&mut self, path: PathBuf, idx: bool) {
        let mut data = self.document().data.clone();
        data.source = if idx { DataSource::Idx { path } } else { DataSource::Folder { path } };
        let edit = Edit::SetData(Box::new(data));
        if let Err(refused) = self.workspace.front_mut().edit(&edit, Some(Vec::new()), None) {
            self.message = Some(Message::new(refused));
        }
        self.show_panel("data");
    }

    pub(super) fn remember(&mut self, path: PathBuf) {
        self.prefs.recent.retain(|other| *other != path);
        self.prefs.recent.insert(0, path);
        self.prefs.recent.truncate(RECENT);
    }
}
