//! The list of all stored runs, also those of earlier sessions: look at them, name them, compare two, go on with one.

use super::kit;
use super::more_epochs::MoreEpochs;
use super::run_choice;
use super::run_compare::RunCompare;
use super::runs_table::RunsTable;
use super::runs_view::{RunRow, RunSummary, RunsCommand, RunsView};
use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand};
use crate::engine::protocol::FinishReason;
use crate::engine::run::{RunNote, RunStatus};
use crate::plan::{Fit, Sketch};
use crate::text;
use egui::{RichText, ScrollArea, Sense, Ui, UiBuilder, vec2};
use std::path::{Path, PathBuf};

/// Width of the part beside the list.
const DETAILS: f32 = 340.0;
/// Side of a colour to choose.
const COLOR: f32 = 20.0;

/// What a person writes about a run, until it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
struct Draft {
    folder: PathBuf,
    note: RunNote,
    /// It was handed over to be stored; shown until the list has it too.
    is_stored: bool,
}

/// The panel.
#[derive(Debug, Default)]
pub struct RunsPanel {
    selected: Vec<PathBuf>,
    draft: Draft,
    compare: RunCompare,
    was_asked: bool,
    more: MoreEpochs,
}

impl Panel for RunsPanel {
    fn id(&self) -> &'static str {
        "runs"
    }

    fn title(&self) -> &'static str {
        "Runs"
    }

    fn help(&self) -> &'static str {
        "All stored runs: compare two, open a run's network, go on with it, or delete it"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        if !std::mem::replace(&mut self.was_asked, true) {
            out.push(UiCommand::Runs(RunsCommand::Refresh));
        }
        self.selected.retain(|folder| cx.runs.row(folder).is_some());
        if cx.runs.rows.is_empty() {
            empty_ui(cx, ui, out);
            return;
        }
        let own = run_choice::own(cx);
        let room = ui.available_rect_before_wrap();
        let is_two = self.selected.len() == 2;
        let beside = if is_two { (room.width() * 0.55).max(DETAILS) } else { DETAILS };
        let (list, details) = room.split_left_right_at_x(room.right() - beside.min(room.width() * 0.6));
        ui.painter().vline(details.left(), room.y_range(), ui.visuals().widgets.noninteractive.bg_stroke);
        ui.scope_builder(UiBuilder::new().max_rect(list.with_max_x(list.right() - size::STEP)), |ui| {
            head_ui(cx.runs, ui, out);
            let selected = &mut self.selected;
            RunsTable { runs: cx.runs, own: &own, selected, out, takes_focus: false }.ui(ui);
        });
        let details = details.with_min_x(details.left() + size::STEP * 1.5);
        ui.scope_builder(UiBuilder::new().max_rect(details), |ui| {
            ScrollArea::both()
                .id_salt("run-details")
                .auto_shrink([false; 2])
                .show(ui, |ui| self.details_ui(cx, &own, ui, out));
        });
    }
}

impl RunsPanel {
    fn details_ui(&mut self, cx: &PanelCx<'_>, own: &Sketch, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        match self.selected.clone().as_slice() {
            [] => {
                self.store(out);
                self.draft = Draft::default();
                kit::title(ui, "No run chosen");
                kit::weak(ui, "Click a run to see its details.\nCtrl+click another one to compare both.");
            }
            [one] => self.one_ui(cx, own, one, ui, out),
            [left, right, ..] => {
                self.store(out);
                self.draft = Draft::default();
                let pair = [left, right];
                for folder in pair {
                    if !cx.runs.loaded.contains_key(folder)
                        && !cx.runs.broken.contains_key(folder)
                        && !cx.runs.is_reading
                    {
                        out.push(UiCommand::Runs(RunsCommand::Load(folder.clone())));
                    }
                }
                ui.horizontal(|ui| {
                    let is_shown = pair.iter().all(|folder| cx.runs.shown.contains(folder));
                    let words = if is_shown { "Hide both in charts" } else { "Show both in charts" };
                    if ui.button(words).on_hover_text("Their curves, over each other in the Training panel").clicked() {
                        for folder in pair {
                            out.push(UiCommand::Runs(RunsCommand::Show(folder.clone(), !is_shown)));
                        }
                        if !is_shown {
                            out.push(UiCommand::ShowPanel("training"));
                        }
                    }
                    if ui.button("Swap").on_hover_text("Change sides").clicked() {
                        self.selected.reverse();
                    }
                });
                self.compare.ui(cx.runs, left, right, ui);
            }
        }
    }

    /// Another run to compare with.
    fn compare_ui(&mut self, cx: &PanelCx<'_>, folder: &Path, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let menu = ui.menu_button("Compare with…", |ui| {
            ScrollArea::vertical().max_height(run_choice::HEIGHT).show(ui, |ui| {
                let choices = run_choice::choices(cx);
                let others = choices.iter().filter(|choice| choice.row.folder != folder);
                if let Some(other) = run_choice::list_ui(ui, others, |_| (false, None, None)) {
                    self.selected = vec![folder.to_path_buf(), other.row.folder.clone()];
                    ui.close();
                }
            });
        });
        run_choice::refresh_when_opened(&menu.response, out);
        menu.response.on_hover_text("Put another run beside it: what both reached, settings and layers that differ");
    }

    /// Stores what was written, if it changed.
    fn store(&mut self, out: &mut Vec<UiCommand>) {
        let draft = &mut self.draft;
        if !draft.folder.as_os_str().is_empty() && !std::mem::replace(&mut draft.is_stored, true) {
            out.push(UiCommand::Runs(RunsCommand::Annotate(draft.folder.clone(), draft.note.clone())));
        }
    }

    fn one_ui(&mut self, cx: &PanelCx<'_>, own: &Sketch, folder: &Path, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let Some(row) = cx.runs.row(folder) else { return };
        match &row.summary {
            Ok(summary) => {
                self.written_ui(row, summary, ui, out);
                ui.add_space(size::HALF);
                let fit = run_choice::fit(own, summary);
                actions_ui(cx, row, summary, fit, ui, out);
                self.compare_ui(cx, folder, ui, out);
                if is_done(summary) {
                    ui.horizontal(|ui| self.more.ui(folder, None, cx, ui, out));
                }
                ui.add_space(size::HALF);
                figures_ui(summary, fit, ui);
            }
            Err(why) => {
                let tokens = Tokens::of(ui);
                kit::title(ui, row.folder_name());
                ui.label(RichText::new(why).color(tokens.error));
                ui.add_space(size::STEP);
                reveal_ui(folder, ui, out);
            }
        }
    }

    /// Name, note and colour. They are stored when their field is left.
    fn written_ui(&mut self, row: &RunRow, summary: &RunSummary, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let mut is_editing = false;
        if self.draft.folder != row.folder {
            self.store(out);
        }
        if self.draft.is_stored && (self.draft.folder != row.folder || self.draft.note == summary.note) {
            self.draft = Draft::default();
        }
        let mut note = if self.draft.folder == row.folder { self.draft.note.clone() } else { summary.note.clone() };
        let before = note.clone();
        ui.horizontal(|ui| {
            let label = kit::weak(ui, "Run name");
            let colors = Tokens::RUNS as f32 * (COLOR + 2.0) + size::STEP;
            let width = (ui.available_width() - colors).max(80.0);
            let field = egui::TextEdit::singleline(&mut note.name).hint_text(row.folder_name()).desired_width(width);
            let field =
                ui.add(field).labelled_by(label.id).on_hover_text("A name of your own; the folder keeps its name");
            is_editing |= field.has_focus();
            ui.spacing_mut().item_spacing.x = 2.0;
            for number in 0..Tokens::RUNS {
                color_ui(u8::try_from(number).unwrap_or(0), &mut note, ui);
            }
        });
        let field = egui::TextEdit::multiline(&mut note.note)
            .hint_text("Note: what was tried, what came out")
            .desired_rows(2)
            .desired_width(f32::INFINITY);
        let field = ui.add(field).accessible_name("Note").on_hover_text("Anything worth remembering about this run");
        is_editing |= field.has_focus();
        let has_changed = note != before;
        if has_changed {
            self.draft = Draft { folder: row.folder.clone(), note, is_stored: false };
        }
        // Text is stored when its field is left; a colour at once.
        if !is_editing && self.draft.folder == row.folder {
            self.store(out);
        }
    }
}

fn empty_ui(cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    if !cx.runs.is_read {
        kit::weak(ui, "Reading the runs…");
        return;
    }
    let text = format!(
        "Every training is kept here, with its curves and weights. The folder is {}.",
        cx.runs.folder.display()
    );
    cx.untrained_ui(ui, "No runs yet", &text, out);
}

fn head_ui(runs: &RunsView, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    ui.horizontal(|ui| {
        let broken = runs.rows.iter().filter(|row| row.summary.is_err()).count();
        let count = runs.rows.len() - broken;
        kit::weak(ui, format!("{} {}", text::count(count as u64), if count == 1 { "run" } else { "runs" }))
            .on_hover_text(format!("Kept in {}", runs.folder.display()));
        if broken > 0 {
            let color = Tokens::of(ui).warning;
            let words = if broken == 1 { "1 cannot be read".to_owned() } else { format!("{broken} cannot be read") };
            ui.label(RichText::new(words).color(color)).on_hover_text("They stand in the list with their reason");
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.small_button("Refresh").on_hover_text("Read the folder of runs again").clicked() {
                out.push(UiCommand::Runs(RunsCommand::Refresh));
            }
            kit::weak(ui, "Ctrl+click a second run to compare")
                .on_hover_text("With the keys: arrows walk, with Shift they take a second run; Space shows the curves, Enter shows them in the Training panel, Delete asks and deletes");
        });
    });
}

/// A colour to choose.
fn color_ui(number: u8, note: &mut RunNote, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(COLOR, COLOR), Sense::click());
    let is_own = note.color == Some(number);
    ui.painter().circle_filled(rect.center(), 6.5, tokens.run(usize::from(number)));
    if is_own || response.has_focus() || response.hovered() {
        let color = if is_own { tokens.text_strong } else { tokens.text_weak };
        ui.painter().circle_stroke(rect.center(), 8.5, egui::Stroke::new(1.5, color));
    }
    response.widget_info(|| {
        egui::WidgetInfo::selected(egui::Role::RadioButton, true, is_own, format!("Colour {}", number + 1))
    });
    if response.on_hover_text("Colour of this run in charts").clicked() {
        note.color = (!is_own).then_some(number);
    }
}

fn figures_ui(summary: &RunSummary, fit: Fit, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    let record = &summary.record;
    egui::Grid::new("run-figures").num_columns(2).spacing([16.0, 2.0]).show(ui, |ui| {
        let mut row = |name: &str, value: String| {
            ui.label(RichText::new(name).color(tokens.text_weak));
            ui.label(value);
            ui.end_row();
        };
        row("Network", record.name.clone());
        let reason = run_choice::reason(fit, summary.sketch.as_deref());
        row("Weights", reason.map_or_else(|| "fit the network in front".into(), |reason| text::sentence(&reason)));
        row("Started", format!("{} ({})", text::ago(record.created), text::date(record.created)));
        row("State", state_words(summary));
        if let Some((epoch, accuracy, loss)) = summary.best {
            let loss = if loss.is_finite() { format!(", loss {loss:.4}") } else { String::new() };
            row("Best", format!("{:.2} % in epoch {epoch}{loss}", accuracy * 100.0));
        }
        row("Device", format!("{}, {} threads", record.device, record.threads));
    });
}

/// How a run stands, in words.
pub(super) fn state_words(summary: &RunSummary) -> String {
    let mut words = text::sentence(match (summary.status, summary.record.reason) {
        (RunStatus::Finished, Some(reason)) => reason.label(),
        (status, _) => status.label(),
    });
    if let (RunStatus::Failed, Some(message)) = (summary.status, &summary.record.message) {
        words = format!("{words}: {message}");
    }
    words
}

fn reveal_ui(folder: &Path, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    if ui.button("Show folder").on_hover_text(format!("Open {}", folder.display())).clicked() {
        out.push(UiCommand::Runs(RunsCommand::Reveal(folder.to_path_buf())));
    }
}

/// Whether all its epochs are done, and it could go on for more.
fn is_done(summary: &RunSummary) -> bool {
    let is_completed = summary.record.reason == Some(FinishReason::Completed);
    is_completed && summary.status == RunStatus::Finished && summary.has_checkpoint
}

fn actions_ui(cx: &PanelCx<'_>, row: &RunRow, summary: &RunSummary, fit: Fit, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let folder = || row.folder.clone();
    let mut wanted = Vec::new();
    let mut push = |command: RunsCommand| wanted.push(UiCommand::Runs(command));
    let is_running = summary.status == RunStatus::Running;
    let is_shown = cx.runs.shown.contains(&row.folder);
    ui.horizontal_wrapped(|ui| {
        let words = if is_shown { "Hide in charts" } else { "Show in charts" };
        if ui.button(words).on_hover_text("Its curves, over those of the network in front").clicked() {
            push(RunsCommand::Show(folder(), !is_shown));
        }
        if ui.button("Open network").on_hover_text("The network as it was trained, in a tab of its own").clicked() {
            push(RunsCommand::OpenNetwork(folder()));
        }
        let can_go_on = summary.has_checkpoint && !is_running && !is_done(summary) && !cx.runs.is_busy;
        let why_not = if is_done(summary) {
            "All its epochs are done. Train more epochs below"
        } else if is_running || cx.runs.is_busy {
            "A run is under way. Stop it first"
        } else {
            "It has no checkpoint to go on from"
        };
        let go_on = ui.add_enabled(can_go_on, egui::Button::new("Continue"));
        let go_on = go_on.on_hover_text("Go on from its last checkpoint, as if it had never stopped");
        if go_on.on_disabled_hover_text(why_not).clicked() {
            push(RunsCommand::Continue(folder()));
        }
        let can_start = summary.has_weights && !cx.runs.is_busy && fit != Fit::Nothing;
        let why_not = match (summary.has_weights, cx.runs.is_busy) {
            (false, _) => "It has no weights yet",
            (true, true) => "A run is under way. Stop it first",
            (true, false) => "No layer of the network in front has its weights by path and shape",
        };
        let start = ui.add_enabled(can_start, egui::Button::new("Start from its weights"));
        let hover =
            "Train the network in front as a new run that starts with this run's weights, where path and shape match";
        if start.on_hover_text(hover).on_disabled_hover_text(why_not).clicked() {
            push(RunsCommand::StartFrom(folder()));
        }
        reveal_ui(&row.folder, ui, out);
        let color = Tokens::of(ui).error;
        let delete = ui.add_enabled(!is_running, egui::Button::new(RichText::new("Delete…").color(color)));
        let delete = delete.on_hover_text("Remove the run from the disk; asks first");
        if delete.on_disabled_hover_text("It is being trained. Stop it first").clicked() {
            out.push(UiCommand::Runs(RunsCommand::Delete(row.folder.clone())));
        }
    });
    out.append(&mut wanted);
}
