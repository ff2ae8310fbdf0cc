//! The table of the cost panel: head and totals stay in sight, a click selects the layer.

use super::UiCommand;
use super::cost_panel::{COLUMNS, Row};
use super::kit;
use super::theme::{Tokens, size};
use crate::graph::NodeId;
use egui::{Align, Layout, RichText, Ui, vec2};

/// What the table shows.
pub(super) struct CostTable<'a> {
    /// Layers.
    pub(super) rows: &'a [Row],
    /// Their sum.
    pub(super) totals: Option<&'a Row>,
    /// Indices of the columns in [`COLUMNS`].
    pub(super) columns: &'a [usize],
    /// Selected layers.
    pub(super) selected: &'a [NodeId],
    /// Where clicks go.
    pub(super) out: &'a mut Vec<UiCommand>,
}

impl CostTable<'_> {
    /// Draws it.
    pub(super) fn ui(&mut self, ui: &mut Ui) {
        let width = |at: &usize| COLUMNS.get(*at).map_or(80.0, |column| column.1);
        // Where there is more room than needed, names get it.
        let spare = (ui.available_width() - self.columns.iter().map(width).sum::<f32>() - size::STEP).clamp(0.0, 240.0);
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|at| {
                let width = width(at) + if *at < 2 { spare / 2.0 } else { 0.0 };
                egui_table::Column::new(width).range(width..=width.max(360.0)).resizable(false)
            })
            .collect();
        egui_table::Table::new()
            .id_salt(("cost-table", self.columns.len()))
            .num_rows(self.rows.len() as u64)
            .columns(columns)
            .num_sticky_cols(1)
            .headers([egui_table::HeaderRow::new(size::ROW), egui_table::HeaderRow::new(size::ROW + 2.0)])
            .show(ui, self);
    }

    fn row(&self, nr: u64) -> Option<&Row> {
        self.rows.get(usize::try_from(nr).ok()?)
    }

    fn value_ui(row: &Row, column: usize, is_total: bool, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        ui.with_layout(cell_layout(column), |ui| {
            ui.add_space(6.0);
            ui.spacing_mut().item_spacing.x = 6.0;
            if column == 0 && !is_total {
                let color = row.family.map_or(tokens.text_weak, |family| tokens.family(family));
                let (dot, _) = ui.allocate_exact_size(vec2(8.0, 8.0), egui::Sense::hover());
                ui.painter().circle_filled(dot.center(), 4.0, color);
            }
            let Some(value) = row.cells.get(column) else {
                if !is_total {
                    #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
                    let share = row.share as f32;
                    kit::thin_bar(ui, share, 56.0, tokens.bar);
                    ui.label(RichText::new(format!("{:.1} %", row.share * 100.0)).small().color(tokens.text_weak));
                }
                return;
            };
            let quiet = matches!(value.as_str(), "0" | "0 B" | "–") || column == 1;
            let color = match (is_total || column == 0, quiet) {
                (true, _) => tokens.text_strong,
                (_, true) => tokens.text_weak,
                _ => tokens.text,
            };
            ui.add(egui::Label::new(RichText::new(value).color(color)).truncate().selectable(false));
        });
    }
}

/// Numbers stand to the right, words to the left.
fn cell_layout(column: usize) -> Layout {
    if (2..=8).contains(&column) { Layout::right_to_left(Align::Center) } else { Layout::left_to_right(Align::Center) }
}

impl egui_table::TableDelegate for CostTable<'_> {
    fn header_cell_ui(&mut self, ui: &mut Ui, cell: &egui_table::HeaderCellInfo) {
        let tokens = Tokens::of(ui);
        ui.painter().rect_filled(ui.max_rect(), 0.0, tokens.panel);
        let Some(column) = self.columns.get(cell.col_range.start).copied() else { return };
        if cell.row_nr == 1 {
            ui.painter().rect_filled(ui.max_rect(), 0.0, tokens.card);
            if let Some(totals) = self.totals {
                Self::value_ui(totals, column, true, ui);
            }
            return;
        }
        let Some((title, _, hover)) = COLUMNS.get(column) else { return };
        ui.with_layout(cell_layout(column), |ui| {
            ui.add_space(6.0);
            let title = RichText::new(*title).small().color(tokens.text_weak);
            ui.add(egui::Label::new(title).truncate()).on_hover_text(*hover);
        });
    }

    fn row_ui(&mut self, ui: &mut Ui, nr: u64) {
        let tokens = Tokens::of(ui);
        let rect = ui.max_rect();
        let Some(row) = self.row(nr) else { return };
        let id = row.id;
        let response = ui.interact(rect, ui.scope_id().with(("row", nr)), egui::Sense::click());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Row, true, format!("Cost of {}", row.cells[0])));
        if self.selected.contains(&id) {
            ui.painter().rect_filled(rect, 0.0, tokens.selection);
        } else if response.hovered() {
            ui.painter().rect_filled(rect, 0.0, tokens.hover);
        }
        if response.clicked() {
            self.out.push(UiCommand::Select(vec![id]));
        }
    }

    fn cell_ui(&mut self, ui: &mut Ui, cell: &egui_table::CellInfo) {
        if let (Some(row), Some(column)) = (self.row(cell.row_nr), self.columns.get(cell.col_nr)) {
            Self::value_ui(row, *column, false, ui);
        }
    }

    fn default_row_height(&self) -> f32 {
        size::ROW
    }
}
