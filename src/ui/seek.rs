//! The app's side of finding things: commands by id, the command palette, Find, the next problem.

use super::app::App;
use super::command;
use super::finder::Action;
use super::status::Message;
use super::{UiCommand, fields, inspector, maps, preferences, problems};
use egui::Context;
use std::sync::Arc;

impl App {
    /// Does a command of the table, as its key would.
    pub(super) fn command(&mut self, id: &'static str, ctx: &Context, out: &mut Vec<UiCommand>) {
        match id {
            "help" => self.is_help_open = true,
            "close" => out.push(UiCommand::CloseDocument(self.workspace.active)),
            "palette" => self.open_finder(ctx),
            "find" => self.find.open(),
            "find_next" => {
                let front = self.workspace.front();
                out.extend(self.find.next(front.history.document(), front.revision(), false));
            }
            "next_problem" => self.next_problem(out),
            "preferences" => self.is_preferences_open = true,
            "histograms" => {
                out.push(UiCommand::ShowPanel("feature-maps"));
                maps::show_histograms(ctx);
            }
            "map" => {
                self.prefs.shows_map = !preferences::shows_map(ctx);
                self.apply_preferences(ctx);
            }
            _ => out.extend(command::ui_command(id)),
        }
    }

    /// Takes Escape for what lies on top, before the canvas lets its selection go.
    pub(super) fn take_escape(&mut self, ctx: &Context) {
        // A menu would close in this frame before the canvas asks whether one is open.
        let is_menu = egui::Popup::is_any_open(ctx) && !self.finder.is_open();
        if is_menu && ctx.input_mut(|input| input.consume_key(egui::Modifiers::NONE, egui::Key::Escape)) {
            egui::Popup::close_all(ctx);
            return;
        }
        let is_meant = self.finder.is_open() || self.is_preferences_open || self.find.has_keyboard();
        if !is_meant || !ctx.input_mut(|input| input.consume_key(egui::Modifiers::NONE, egui::Key::Escape)) {
            return;
        }
        if self.finder.is_open() {
            self.finder.close();
        } else if self.is_preferences_open {
            self.is_preferences_open = false;
        } else {
            self.find.close();
        }
    }

    fn open_finder(&mut self, ctx: &Context) {
        if self.finder.is_open() {
            self.finder.close();
            return;
        }
        let mut finder = std::mem::take(&mut self.finder);
        finder.open(ctx, &self.panel_cx(), &self.panels);
        self.finder = finder;
    }

    /// The command palette and the bar of Find, over everything else.
    pub(super) fn search_ui(&mut self, ctx: &Context, out: &mut Vec<UiCommand>) {
        let front = self.workspace.front();
        self.find.ui(ctx, front.history.document(), front.revision(), out);
        self.preferences_ui(ctx);
        match self.finder.ui(ctx) {
            Some(Action::Command(id)) => self.command(id, ctx, out),
            Some(Action::Ui(command)) => out.push(command),
            Some(Action::Field { name, of_network }) => {
                self.prefs.show_inspector = true;
                if of_network {
                    out.push(UiCommand::Select(Vec::new()));
                }
                if name == "Name" && !of_network {
                    inspector::focus_name(ctx);
                } else {
                    fields::focus(ctx, &name);
                }
            }
            Some(Action::Control(name, panel)) => {
                out.push(UiCommand::ShowPanel(panel));
                fields::focus(ctx, name);
            }
            None => {}
        }
    }

    fn next_problem(&mut self, out: &mut Vec<UiCommand>) {
        let front = self.workspace.front();
        let list = problems::worst_first(&front.derived().plan.diagnostics);
        if list.is_empty() {
            self.problem_at = None;
            self.message = Some(Message::new("No problems: every layer fits what feeds it."));
            return;
        }
        let at = self.problem_at.map_or(0, |at| (at + 1) % list.len());
        if let Some(found) = list.get(at) {
            self.message = Some(Message::new(format!("Problem {} of {}: {}", at + 1, list.len(), found.message)));
            out.push(problems::reveal(found));
        }
        self.problem_at = Some(at);
    }

    /// Asks the system, on a thread of its own, whether it wants less motion.
    pub(super) fn ask_about_motion(&mut self, ctx: &Context) {
        let (answer, ctx) = (Arc::clone(&self.system_reduces), ctx.clone());
        let ask = move || {
            if let Some(reduces) = crate::platform::reduces_motion() {
                // Nobody else answers.
                let _ = answer.set(reduces);
                ctx.request_repaint();
            }
        };
        // Without the thread the window moves as if the system did not tell.
        let _ = std::thread::Builder::new().name("striate-motion".into()).spawn(ask);
    }

    /// Takes up the system's answer.
    pub(super) fn follow_system(&mut self, ctx: &Context) {
        if !self.knows_system && self.system_reduces.get().is_some() {
            self.knows_system = true;
            self.apply_preferences(ctx);
        }
    }

    /// Measures how long each layer takes.
    pub(super) fn time_layers(&mut self, ctx: &Context) {
        let front = self.workspace.front();
        if let Some(error) = front.derived().plan.first_error() {
            self.message = Some(Message::new(error));
            return;
        }
        let (document, revision) = (Arc::clone(front.history.document()), front.revision());
        if let Err(error) = self.session.time_layers(&document, revision, ctx) {
            self.session.warn(error, false);
        }
    }
}
