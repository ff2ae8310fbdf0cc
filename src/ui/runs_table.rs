//! The table of the run list: head in sight, a click selects, Ctrl+click selects a second one; then the keys are its own:
//! arrows walk, Space shows curves, Enter shows them in their panel, Delete asks.

use super::runs_panel::state_words;
use super::runs_view::{RunRow, RunSummary, RunsCommand, RunsView};
use super::theme::{Tokens, size};
use super::{UiCommand, kit, run_choice};
use crate::engine::run::RunStatus;
use crate::plan::Sketch;
use crate::text;
use egui::{Align, Color32, Key, Layout, Modifiers, RichText, Sense, Ui, vec2};
use std::path::PathBuf;

/// Titles, widths and what they mean.
const COLUMNS: [(&str, f32, &str); 8] = [
    ("", 26.0, "Whether its curves are shown in the Training panel"),
    ("Run", 118.0, "The name that you gave it, else its folder's"),
    ("Network", 88.0, "Name of the network"),
    ("Started", 92.0, "When it was started"),
    ("Epochs", 62.0, "Epochs done, and how many were asked for"),
    ("Best accuracy", 92.0, "Validation accuracy of the epoch with the lowest validation loss"),
    ("State", 84.0, "How it stands"),
    ("Note", 80.0, "What you wrote about it"),
];

/// What the table shows.
pub(super) struct RunsTable<'a> {
    pub(super) runs: &'a RunsView,
    /// The network in front.
    pub(super) own: &'a Sketch,
    pub(super) selected: &'a mut Vec<PathBuf>,
    pub(super) out: &'a mut Vec<UiCommand>,
    /// A run was clicked: the list takes the keys.
    pub(super) takes_focus: bool,
}

impl RunsTable<'_> {
    /// Draws it.
    pub(super) fn ui(&mut self, ui: &mut Ui) {
        let area = ui.available_rect_before_wrap();
        let list = ui.interact(area, ui.scope_id().with("runs-list"), Sense::click());
        list.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ListBox, true, "List of runs"));
        kit::hold_arrows(ui, &list);
        let shown = if list.has_focus() { self.keys(ui) } else { None };
        let own: f32 = COLUMNS.iter().map(|column| column.1).sum();
        let spare = (ui.available_width() - own - size::STEP).max(0.0);
        let columns: Vec<_> = COLUMNS
            .iter()
            .map(|(title, width, _)| {
                let width = match *title {
                    "Note" => width + spare * 0.6,
                    "Run" | "Network" => width + spare * 0.2,
                    _ => *width,
                };
                egui_table::Column::new(width).range(width..=width).resizable(false)
            })
            .collect();
        let mut table = egui_table::Table::new()
            .id_salt("runs-table")
            .num_rows(self.runs.rows.len() as u64)
            .columns(columns)
            .num_sticky_cols(2)
            .headers([egui_table::HeaderRow::new(size::ROW)]);
        if let Some(row) = shown {
            table = table.scroll_to_row(row as u64, None);
        }
        table.show(ui, self);
        if self.takes_focus {
            list.request_focus();
        }
        if list.has_focus() {
            let color = Tokens::of(ui).accent;
            ui.painter().rect_stroke(area, 3.0, egui::Stroke::new(1.0, color), egui::StrokeKind::Inside);
        }
    }

    /// Acts on the keys of the list; gives the row that was walked to.
    fn keys(&mut self, ui: &Ui) -> Option<usize> {
        let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
        let at = self.selected.last().and_then(|folder| self.runs.rows.iter().position(|row| row.folder == *folder));
        let last = self.runs.rows.len().saturating_sub(1);
        let mut walked = None;
        for (key, next) in [
            (Key::ArrowUp, at.map_or(last, |at| at.saturating_sub(1))),
            (Key::ArrowDown, at.map_or(0, |at| (at + 1).min(last))),
            (Key::Home, 0),
            (Key::End, last),
        ] {
            // Matching ignores an extra Shift, so that comes first.
            let adds = pressed(Modifiers::SHIFT, key);
            if (adds || pressed(Modifiers::NONE, key))
                && let Some(row) = self.runs.rows.get(next)
            {
                let folder = row.folder.clone();
                let kept = self.selected.last().filter(|own| adds && **own != folder).cloned();
                *self.selected = kept.into_iter().chain([folder]).collect();
                walked = Some(next);
            }
        }
        let row = at.and_then(|at| self.runs.rows.get(at)).filter(|_| walked.is_none());
        if let Some(row) = row {
            let folder = || row.folder.clone();
            let (is_good, is_shown) = (row.summary.is_ok(), self.runs.shown.contains(&row.folder));
            if pressed(Modifiers::NONE, Key::Space) && is_good {
                self.out.push(UiCommand::Runs(RunsCommand::Show(folder(), !is_shown)));
            }
            if pressed(Modifiers::NONE, Key::Enter) && is_good {
                self.out.push(UiCommand::Runs(RunsCommand::Show(folder(), true)));
                self.out.push(UiCommand::ShowPanel("training"));
            }
            let is_running = row.summary.as_ref().is_ok_and(|summary| summary.status == RunStatus::Running);
            if pressed(Modifiers::NONE, Key::Delete) && is_good && !is_running {
                self.out.push(UiCommand::Runs(RunsCommand::Delete(folder())));
            }
        }
        walked
    }

    fn row(&self, nr: u64) -> Option<&RunRow> {
        self.runs.rows.get(usize::try_from(nr).ok()?)
    }

    /// A click chooses a run, with Ctrl or Shift a second one.
    fn choose(&mut self, ui: &Ui, folder: PathBuf) {
        self.takes_focus = true;
        let adds = ui.input(|input| input.modifiers.command || input.modifiers.shift);
        if !adds {
            *self.selected = vec![folder];
        } else if self.selected.contains(&folder) {
            self.selected.retain(|other| *other != folder);
        } else {
            // Two at most: the newest two of what was chosen.
            let first = self.selected.pop();
            *self.selected = first.into_iter().chain([folder]).collect();
        }
    }

    fn shown_ui(&mut self, ui: &mut Ui, nr: u64) {
        let tokens = Tokens::of(ui);
        let Some(row) = self.row(nr).filter(|row| row.summary.is_ok()) else { return };
        let is_shown = self.runs.shown.contains(&row.folder);
        let (name, folder) = (row.name(), row.folder.clone());
        let color = tokens.run(self.runs.color(&folder));
        let (rect, response) = ui.allocate_exact_size(vec2(18.0, 18.0), Sense::click());
        if is_shown {
            ui.painter().circle_filled(rect.center(), 5.5, color);
        }
        let ring = if response.hovered() || response.has_focus() { tokens.text_strong } else { tokens.text_weak };
        ui.painter().circle_stroke(rect.center(), 5.5, egui::Stroke::new(1.5, if is_shown { color } else { ring }));
        response.widget_info(|| {
            egui::WidgetInfo::selected(egui::Role::CheckBox, true, is_shown, format!("Show {name} in charts"))
        });
        if response.on_hover_text("Show or hide its curves in the Training panel").clicked() {
            self.out.push(UiCommand::Runs(RunsCommand::Show(folder, !is_shown)));
        }
    }
}

fn state_color(summary: &RunSummary, tokens: &Tokens) -> Color32 {
    match summary.status {
        RunStatus::Running => tokens.accent,
        RunStatus::Interrupted => tokens.warning,
        RunStatus::Failed => tokens.error,
        RunStatus::Finished => tokens.text,
    }
}

/// Text, colour and hover text of a cell.
fn cell(row: &RunRow, column: usize, own: &Sketch, tokens: &Tokens) -> (String, Color32, Option<String>) {
    let summary = match &row.summary {
        Ok(summary) => summary,
        Err(why) => {
            return match column {
                1 => (row.folder_name(), tokens.warning, Some(row.folder.display().to_string())),
                6 => ("Cannot be read".into(), tokens.warning, Some(why.clone())),
                7 => (why.clone(), tokens.text_weak, Some(why.clone())),
                _ => (String::new(), tokens.text_weak, None),
            };
        }
    };
    let record = &summary.record;
    match column {
        1 => (row.name(), tokens.text_strong, Some(row.folder.display().to_string())),
        2 => match run_choice::reason(run_choice::fit(own, summary), summary.sketch.as_deref()) {
            None => (record.name.clone(), tokens.text, Some("Its weights fit the network in front".into())),
            Some(why) => (record.name.clone(), tokens.text_weak, Some(text::sentence(&why))),
        },
        3 => (text::ago(record.created), tokens.text, Some(text::date(record.created))),
        4 => (format!("{} of {}", summary.epochs_done, record.epochs), tokens.text, None),
        5 => match summary.best {
            Some((epoch, accuracy, loss)) => (
                format!("{:.2} %", accuracy * 100.0),
                tokens.text_strong,
                Some(format!("Epoch {epoch}, validation loss {loss:.4}")),
            ),
            None => ("–".into(), tokens.text_weak, None),
        },
        6 => {
            let label = text::sentence(summary.status.label());
            (label, state_color(summary, tokens), Some(state_words(summary)))
        }
        _ => (summary.note.note.replace('\n', " "), tokens.text_weak, Some(summary.note.note.clone())),
    }
}

impl egui_table::TableDelegate for RunsTable<'_> {
    fn header_cell_ui(&mut self, ui: &mut Ui, cell: &egui_table::HeaderCellInfo) {
        let tokens = Tokens::of(ui);
        ui.painter().rect_filled(ui.max_rect(), 0.0, tokens.panel);
        let Some((title, _, hover)) = COLUMNS.get(cell.col_range.start) else { return };
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.add_space(6.0);
            let title = RichText::new(*title).small().color(tokens.text_weak);
            ui.add(egui::Label::new(title).truncate()).on_hover_text(*hover);
        });
    }

    fn row_ui(&mut self, ui: &mut Ui, nr: u64) {
        let tokens = Tokens::of(ui);
        let rect = ui.max_rect();
        let Some(row) = self.row(nr) else { return };
        let folder = row.folder.clone();
        let is_selected = self.selected.contains(&folder);
        // The name's cell is what keys and screen readers find; the rest of the row only takes clicks.
        let response = ui.interact(rect, ui.scope_id().with(("run", nr)), Sense::CLICK);
        if is_selected {
            ui.painter().rect_filled(rect, 0.0, tokens.selection);
        } else if response.hovered() {
            ui.painter().rect_filled(rect, 0.0, tokens.hover);
        }
        if response.clicked() {
            self.choose(ui, folder);
        }
    }

    fn cell_ui(&mut self, ui: &mut Ui, at: &egui_table::CellInfo) {
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.add_space(6.0);
            if at.col_nr == 0 {
                self.shown_ui(ui, at.row_nr);
                return;
            }
            let Some(row) = self.row(at.row_nr) else { return };
            let (words, color, hover) = cell(row, at.col_nr, self.own, Tokens::of(ui));
            let label = egui::Label::new(RichText::new(words).color(color)).truncate().selectable(false);
            let label = if at.col_nr == 1 {
                let (folder, name) = (row.folder.clone(), row.name());
                let is_selected = self.selected.contains(&folder);
                let label = ui.add(label.sense(Sense::click()));
                label.widget_info(|| {
                    egui::WidgetInfo::selected(egui::Role::Row, true, is_selected, format!("Run {name}"))
                });
                if label.has_focus() {
                    let color = Tokens::of(ui).accent;
                    let frame = label.rect.expand(2.0);
                    ui.painter().rect_stroke(frame, 3.0, egui::Stroke::new(1.0, color), egui::StrokeKind::Outside);
                }
                if label.clicked() {
                    self.choose(ui, folder);
                }
                label
            } else {
                ui.add(label)
            };
            if let Some(hover) = hover.filter(|hover| !hover.is_empty()) {
                label.on_hover_text(hover);
            }
        });
    }

    fn default_row_height(&self) -> f32 {
        size::ROW
    }
}
