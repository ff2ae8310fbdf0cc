//! What is always in sight: the network's figures and findings, the run, bad news, short messages.

use super::UiCommand;
use super::app::App;
use super::kit;
use super::news::{Banner, Kind};
use super::runs::RunState;
use super::runs_view::RunsCommand;
use super::theme::{Tokens, size};

use crate::plan::Severity;
use crate::text;
use egui::{RichText, Ui};
use std::time::{Duration, Instant};

/// How long a short message stays.
const STAY: Duration = Duration::from_secs(5);

/// A short message and when it came.
#[derive(Clone, Debug)]
pub(super) struct Message {
    text: String,
    since: Instant,
}

impl Message {
    /// A message from now on.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), since: Instant::now() }
    }
}

impl App {
    /// The bar at the bottom.
    pub(super) fn status_ui(&self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let tokens = Tokens::of(ui);
        let derived = self.workspace.front().derived();
        ui.horizontal_centered(|ui| {
            ui.spacing_mut().item_spacing.x = 14.0;
            let totals = derived.cost.totals;
            let small = |text: String| RichText::new(text).small().color(tokens.text_weak);
            ui.label(small(format!("{} parameters", text::count(totals.params()))))
                .on_hover_text("Trained and frozen parameters; statistics of batch norm are not among them");
            ui.label(small(format!("{} MACs an image", text::short_count(totals.macs))))
                .on_hover_text(format!("{} multiply-adds for one image", text::count(totals.macs)));
            let count = |wanted| derived.plan.diagnostics.iter().filter(|found| found.severity == wanted).count();
            for (severity, one, many, color) in [
                (Severity::Error, "error", "errors", tokens.error),
                (Severity::Warning, "warning", "warnings", tokens.warning),
            ] {
                let found = count(severity);
                if found > 0 {
                    let words = format!("{found} {}", if found == 1 { one } else { many });
                    let label = egui::Label::new(RichText::new(words).small().color(color)).sense(egui::Sense::click());
                    let first = derived.plan.diagnostics.iter().find(|found| found.severity == severity);
                    let hover = first.map_or("", |found| found.message.as_str());
                    let label = ui.add(label).on_hover_text(format!("{hover}\nClick for the list; F8 shows the next"));
                    if label.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
                        out.push(UiCommand::ShowPanel("problems"));
                        out.extend(first.map(super::problems::reveal));
                    }
                }
            }
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                self.run_ui(ui, out);
                self.queue_ui(ui, out);
                if let Some(why) = &self.workspace.front().read_only {
                    ui.label(RichText::new("Read-only").small().color(tokens.warning)).on_hover_text(why);
                }
            });
        });
    }

    /// The run that is under way, of whatever network; else the last one of the network in front.
    fn run_ui(&self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let cx = self.panel_cx();
        let elsewhere = cx.elsewhere();
        let shown = if elsewhere.is_some() { self.session.run() } else { cx.run };
        let Some(run) = shown else { return };
        let state = match &run.state {
            RunState::Preparing => format!("Getting ready: {}", run.activity),
            RunState::Training => match run.time_left() {
                Some((left, _)) => format!("Training, {left} left"),
                None => "Training".into(),
            },
            RunState::Paused => "Paused".into(),
            RunState::Stopping => "Stopping after this batch".into(),
            RunState::Finished(how) => format!("Run done. {how}"),
            RunState::Failed(_) => "Run failed".into(),
        };
        let words = elsewhere.map_or_else(|| state.clone(), |name| format!("{name}: {state}"));
        let text = RichText::new(words).small().color(Tokens::of(ui).text_weak);
        let label = ui.add(egui::Label::new(text).sense(egui::Sense::click()).selectable(false));
        let hover = match (elsewhere, run.time_left()) {
            (Some(name), _) => format!("Click to show {name} and its run"),
            (None, Some((_, left))) => format!("{left}.\nClick to show the Training panel"),
            (None, None) => "Click to show the Training panel".into(),
        };
        if label.on_hover_text(hover).on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
            out.push(if elsewhere.is_some() {
                UiCommand::Runs(RunsCommand::ShowPresent)
            } else {
                UiCommand::ShowPanel("training")
            });
        }
    }

    /// How many runs wait.
    fn queue_ui(&self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let runs = self.panel_cx().runs;
        if runs.queue.is_empty() {
            return;
        }
        let tokens = Tokens::of(ui);
        let (words, color) = if runs.is_held {
            (format!("{} waiting, on hold", runs.queue.len()), tokens.warning)
        } else {
            (format!("{} waiting", runs.queue.len()), tokens.text_weak)
        };
        let label = egui::Label::new(RichText::new(words).small().color(color)).sense(egui::Sense::click());
        let names: Vec<&str> = runs.queue.iter().take(5).map(|queued| queued.document.name.as_str()).collect();
        let hover = format!("Next: {}.\nClick to show the queue in the Training panel", names.join(", "));
        let label = ui.add(label.selectable(false)).on_hover_text(hover);
        if label.on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
            out.push(UiCommand::ShowPanel("training"));
        }
    }

    /// News of the engine, below the top bar.
    pub(super) fn banner_ui(&mut self, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let tokens = Tokens::of(ui);
        let news = self.session.news.all().to_vec();
        for (at, banner) in news.iter().enumerate() {
            let is_failure = matches!(banner.kind, Kind::Failure | Kind::Copies);
            egui::Panel::top(format!("banner {at}")).frame(tokens.banner(is_failure)).show(ui, |ui| {
                // The row gives the buttons their height; a long message makes it higher.
                ui.horizontal(|ui| {
                    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                        self.banner_buttons_ui(ui, at, banner, out);
                        ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
                            ui.add_space(2.0);
                            let color = if is_failure { tokens.error } else { tokens.warning };
                            ui.add(egui::Label::new(RichText::new(&banner.message).color(color)).wrap());
                        });
                    });
                });
            });
        }
    }

    fn banner_buttons_ui(&mut self, ui: &mut Ui, at: usize, banner: &Banner, out: &mut Vec<UiCommand>) {
        if banner.kind == Kind::Silent {
            if ui.button("Wait").on_hover_text("Give the engine twice as long").clicked() {
                self.session.keep_waiting();
            }
            let hover = "End the engine, start it again and go on from the last checkpoint";
            if kit::main_button(ui, "Restart").on_hover_text(hover).clicked() {
                self.session.restart();
            }
            return;
        }
        if ui.button("Dismiss").on_hover_text("Put this message away; the log keeps it").clicked() {
            self.session.news.dismiss(at);
        }
        let (label, hover) = if banner.from_start {
            ("Start again", "Start the engine and begin this run anew")
        } else {
            ("Resume", "Go on from the last checkpoint")
        };
        if banner.can_resume && kit::main_button(ui, label).on_hover_text(hover).clicked() {
            out.push(UiCommand::Runs(RunsCommand::ResumePresent));
        }
    }

    /// A short message over the lower edge.
    pub(super) fn message_ui(&mut self, ctx: &egui::Context) {
        let Some(message) = &self.message else { return };
        let age = message.since.elapsed();
        if age >= STAY {
            self.message = None;
            return;
        }
        ctx.request_repaint_after(STAY.saturating_sub(age));
        let offset = egui::vec2(0.0, -(size::STATUS + size::STEP * 2.0));
        egui::Area::new(egui::Id::unique("message"))
            .anchor(egui::Align2::CENTER_BOTTOM, offset)
            .order(egui::Order::Foreground)
            .interactable(false)
            .show(ctx, |ui| {
                egui::Frame::popup(ui.style()).inner_margin(egui::Margin::symmetric(14, 8)).show(ui, |ui| {
                    ui.set_max_width(560.0);
                    ui.label(&message.text);
                });
            });
    }
}
