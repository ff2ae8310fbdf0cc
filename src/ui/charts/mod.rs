//! The charts of runs: loss, accuracy, learning rate, gradient norm; the present run and stored ones over each other.

mod axis;
mod export;
mod picture;
mod plot;
mod series;

pub(super) use export::{Exported, csv};
pub(super) use picture::Picture;
pub(super) use plot::rate_text;

use super::kit;
use super::run_choice;
use super::runs::RunView;
use super::runs_view::{RunsCommand, RunsView};
use super::theme::{Tokens, size};
use super::{PanelCx, UiCommand};
use egui::containers::menu::{MenuButton, MenuConfig};
use egui::{Color32, Ui, vec2};
use plot::Seen;
use series::{Along, Look, RunCurves, What};

/// Space that a chart never goes below.
const MIN_CHART: f32 = size::STEP * 18.0;
/// Width from which charts stand side by side.
const MIN_WIDTH: f32 = 250.0;

/// A run in the charts.
struct Shown<'a> {
    run: &'a RunView,
    name: String,
    /// What a person wrote about it.
    note: String,
    /// The present run has two colours, others one.
    color: Option<Color32>,
}

/// The charts and how they are looked at.
#[derive(Debug)]
pub(super) struct Charts {
    look: Look,
    is_open: [bool; 4],
    must_reset: bool,
    curves: Vec<RunCurves>,
    /// What of each chart is seen, where a person chose that.
    seen: [Seen; 4],
    /// What is to be seen instead, in a picture.
    fixed: Option<[Seen; 4]>,
}

impl Default for Charts {
    fn default() -> Self {
        let look = Look { along: Along::Epoch, smoothing: 0.9, log: false };
        let is_open = [true, true, false, false];
        let seen = <[Seen; 4]>::default();
        Self { look, is_open, must_reset: false, curves: Vec::new(), seen, fixed: None }
    }
}

/// Name and hover text of a chart.
fn words(what: What) -> (&'static str, &'static str) {
    match what {
        What::Loss => ("Loss", "What training makes smaller: cross entropy, lower is better"),
        What::Accuracy => ("Accuracy", "Share of images whose likeliest class is the right one"),
        What::Rate => ("Learning rate", "How far each step goes, as the schedule has it"),
        What::Norm => ("Gradient norm", "Length of all gradients together before clipping; a jump is a step too far"),
    }
}

impl Charts {
    /// Which charts, smoothing, scale, axis, export.
    pub(super) fn options_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let mut export = None;
        ui.horizontal_wrapped(|ui| {
            for (what, is_open) in What::ALL.into_iter().zip(&mut self.is_open) {
                let (name, hover) = words(what);
                ui.toggle_value(is_open, name).on_hover_text(format!("Show or hide this chart. {hover}"));
            }
            ui.separator();
            let label = kit::weak(ui, "Smoothing");
            ui.spacing_mut().slider_width = 72.0;
            let slider = egui::Slider::new(&mut self.look.smoothing, 0.0..=0.99).show_value(false);
            ui.add(slider)
                .labelled_by(label.id)
                .on_hover_text("How far the thick line is smoothed; the thin one is the raw value");
            let log = ui.checkbox(&mut self.look.log, "Log scale");
            self.must_reset |=
                log.on_hover_text("Show loss, learning rate and gradients on a logarithmic axis").changed();
            self.along_ui(ui);
            ui.separator();
            earlier_ui(cx, ui, out);
            ui.menu_button("Export", |ui| {
                if ui.button("Numbers as CSV…").on_hover_text("Every step and epoch of all shown runs").clicked() {
                    export = Some(true);
                    ui.close();
                }
                if ui
                    .button("Picture as PNG…")
                    .on_hover_text("The charts as they are looked at here, whole, on a sheet of their own")
                    .clicked()
                {
                    export = Some(false);
                    ui.close();
                }
            });
        });
        match export {
            Some(true) => out.push(UiCommand::Runs(RunsCommand::ExportCsv)),
            Some(false) => out.push(UiCommand::Runs(RunsCommand::ExportPng(Box::new(self.picture(ui))))),
            None => {}
        }
    }

    fn along_ui(&mut self, ui: &mut Ui) {
        let now = self.look.along.name();
        let combo = egui::ComboBox::from_id_salt("along").width(68.0).selected_text(now).show_ui(ui, |ui| {
            for along in Along::ALL {
                self.must_reset |= ui.selectable_value(&mut self.look.along, along, along.name()).changed();
            }
        });
        combo.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, format!("Along: {now}")));
        combo.response.on_hover_text("What stands on the x axis");
    }

    /// Draws the charts in the room that there is.
    pub(super) fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui) {
        let shown = shown(cx.run, cx.runs, Tokens::of(ui));
        self.draw(&shown, ui);
    }

    /// Draws the charts of these runs in the room that there is.
    fn draw(&mut self, shown: &[Shown<'_>], ui: &mut Ui) {
        self.curves.resize_with(shown.len(), RunCurves::default);
        for (curves, shown) in self.curves.iter_mut().zip(shown) {
            curves.update(shown.run, self.look);
        }
        let open: Vec<What> =
            What::ALL.into_iter().zip(self.is_open).filter(|(_, is_open)| *is_open).map(|(what, _)| what).collect();
        if open.is_empty() {
            kit::weak(ui, "All charts are hidden. Choose one above.");
            return;
        }
        let room = ui.available_size();
        let gap = ui.spacing().item_spacing;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few charts; `as` saturates")]
        let fits = ((room.x + gap.x) / (MIN_WIDTH + gap.x)).max(1.0) as usize;
        let columns = open.len().min(fits).min(if room.y > MIN_CHART * 2.0 { 2 } else { 4 });
        let rows = open.len().div_ceil(columns);
        let width = (room.x - gap.x * (columns - 1) as f32) / columns as f32;
        let height = ((room.y - gap.y * (rows - 1) as f32) / rows as f32).max(MIN_CHART);
        for row in open.chunks(columns) {
            ui.horizontal(|ui| {
                for what in row {
                    let (name, hover) = words(*what);
                    let chart = plot::Chart {
                        what: *what,
                        name,
                        hover,
                        look: self.look,
                        must_reset: self.must_reset,
                        room: vec2(width, height),
                    };
                    let fixed = self.fixed.as_ref().map(|fixed| &fixed[Self::place(*what)]);
                    self.seen[Self::place(*what)] = chart.ui(ui, shown, &mut self.curves, fixed);
                }
            });
        }
        self.must_reset = false;
    }
}

/// A menu of earlier runs, to show their curves beside the present ones.
pub(super) fn earlier_ui(cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let config = MenuConfig::new().close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside);
    let (button, _) = MenuButton::new("Earlier runs").config(config).ui(ui, |ui| {
        let area = egui::ScrollArea::vertical().max_height(run_choice::HEIGHT);
        area.show(ui, |ui| {
            let choices = run_choice::choices(cx);
            let others = choices.iter().filter(|choice| cx.run.is_none_or(|run| run.folder != choice.row.folder));
            let tokens = Tokens::of(ui);
            let chosen = run_choice::list_ui(ui, others, |choice| {
                let folder = &choice.row.folder;
                let color = tokens.run(cx.runs.color(folder));
                let is_empty = choice.summary.record.step == 0 && choice.summary.epochs_done == 0;
                (cx.runs.shown.contains(folder), Some(color), is_empty.then(|| "has no steps".to_owned()))
            });
            if let Some(choice) = chosen {
                let folder = choice.row.folder.clone();
                let is_shown = cx.runs.shown.contains(&folder);
                out.push(UiCommand::Runs(RunsCommand::Show(folder, !is_shown)));
            }
        });
    });
    run_choice::refresh_when_opened(&button, out);
    button.on_hover_text("Show the curves of earlier runs over those of this network");
}

/// The present run, then the stored ones that are shown.
fn shown<'a>(present: Option<&'a RunView>, runs: &'a RunsView, tokens: &Tokens) -> Vec<Shown<'a>> {
    let mut all: Vec<Shown<'a>> = present
        .map(|run| Shown { run, name: runs.name(&run.folder), note: runs.note(&run.folder), color: None })
        .into_iter()
        .collect();
    for folder in &runs.shown {
        if present.is_some_and(|run| run.folder == *folder) {
            continue;
        }
        if let Some(stored) = runs.loaded.get(folder) {
            let color = Some(tokens.run(runs.color(folder)));
            all.push(Shown { run: &stored.view, name: runs.name(folder), note: runs.note(folder), color });
        }
    }
    all
}

/// Whether there is anything to draw.
pub(super) fn has_content(cx: &PanelCx<'_>) -> bool {
    cx.run.is_some() || cx.runs.shown.iter().any(|folder| cx.runs.loaded.contains_key(folder))
}
