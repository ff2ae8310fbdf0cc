//! The table of the cost panel: head and totals stay in sight, a click selects the layer, a click on a head sorts.

use super::UiCommand;
use super::cost_rows::{COLUMNS, PLANNED, Row, Rows, SHARE, Sorting};
use super::kit;
use super::theme::{Tokens, size};
use crate::graph::NodeId;
use egui::{Align, Layout, Rect, RichText, Ui, Vec2, pos2, vec2};

/// Room at both sides of a cell's text.
const PADDING: f32 = 6.0;
/// Length of the bars.
const BAR: f32 = 48.0;
/// Room below which a bar is left out.
const LEAST_BAR: f32 = 20.0;
/// Width to which names are cut where there is no room.
const NAME: f32 = 84.0;

/// What the table shows.
pub(super) struct CostTable<'a> {
    /// Layers and their sum.
    pub(super) rows: &'a Rows,
    /// Width of each column, by its index in [`COLUMNS`].
    pub(super) widths: &'a [Width],
    /// Room for the bars beside planned bytes and textbook shares, the same in all rows.
    pub(super) bars: [f32; 2],
    /// In which order.
    pub(super) sorting: &'a mut Sorting,
    /// Selected layers.
    pub(super) selected: &'a [NodeId],
    /// Where clicks go.
    pub(super) out: &'a mut Vec<UiCommand>,
}

/// How wide a column is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width {
    /// With its bars, and names in full.
    pub(super) wanted: f32,
    /// Without bars, and with cut names.
    pub(super) least: f32,
    /// Of the longest text.
    pub(super) text: f32,
}

/// The widths of the columns that are shown, so that all have room if they can: bars give way first, then names. Numbers and
/// shapes are never cut.
fn fitted(shown: &[usize], widths: &[Width], room: f32) -> Vec<f32> {
    let of = |at: &usize| widths.get(*at).copied().unwrap_or(Width { wanted: 80.0, least: 80.0, text: 68.0 });
    let mut columns: Vec<f32> = shown.iter().map(|at| of(at).wanted).collect();
    for column in [SHARE, PLANNED, 1, 0] {
        let missing = columns.iter().sum::<f32>() - room;
        if let Some(at) = shown.iter().position(|at| *at == column).filter(|_| missing > 0.0) {
            columns[at] = (columns[at] - missing).max(of(&column).least);
        }
    }
    columns
}

/// The width that each column needs: numbers and shapes are never cut, names where they are very long.
pub(super) fn widths(ui: &Ui, rows: &Rows) -> Vec<Width> {
    let measure = |text: &str, points: f32| {
        let font = egui::FontId::proportional(points);
        ui.painter().layout_no_wrap(text.to_owned(), font, egui::Color32::PLACEHOLDER).size().x
    };
    COLUMNS
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let text = measure(&rows.longest(at), size::FONT_BODY) + 2.0;
            let (before, most) = match at {
                0 => (14.0, 220.0),
                1 => (0.0, 170.0),
                PLANNED | SHARE => (BAR + PADDING, f32::INFINITY),
                _ => (0.0, f32::INFINITY),
            };
            // The mark of the order stands beside the head.
            let head = measure(column.title, size::FONT_SMALL) + 12.0;
            let wanted = (text + before).min(most).max(head).max(column.width - 2.0 * PADDING) + 2.0 * PADDING;
            let least = match at {
                0 | 1 => wanted.min(NAME),
                PLANNED | SHARE => text.max(head) + 2.0 * PADDING,
                _ => wanted,
            };
            Width { wanted, least, text }
        })
        .collect()
}

impl CostTable<'_> {
    /// Draws it.
    pub(super) fn ui(&mut self, ui: &mut Ui) {
        let columns = fitted(&self.rows.columns, self.widths, ui.available_width() - size::STEP);
        self.bars = [PLANNED, SHARE].map(|column| {
            let at = self.rows.columns.iter().position(|at| *at == column);
            let width = at.and_then(|at| columns.get(at)).copied().unwrap_or_default();
            let text = self.widths.get(column).map_or(0.0, |width| width.text);
            (width - text - 3.0 * PADDING).min(BAR)
        });
        // Where there is more room than needed, names get it.
        let spare = (ui.available_width() - columns.iter().sum::<f32>() - size::STEP).clamp(0.0, 200.0);
        let columns: Vec<_> = self
            .rows
            .columns
            .iter()
            .zip(columns)
            .map(|(at, width)| {
                let width = width + if *at < 2 { spare / 2.0 } else { 0.0 };
                egui_table::Column::new(width).range(width..=width).resizable(false)
            })
            .collect();
        egui_table::Table::new()
            .id_salt(("cost-table", self.rows.columns.len()))
            .num_rows(self.rows.len() as u64)
            .columns(columns)
            .num_sticky_cols(1)
            .headers([egui_table::HeaderRow::new(size::ROW), egui_table::HeaderRow::new(size::ROW + 2.0)])
            .show(ui, self);
    }

    fn row(&self, nr: u64) -> Option<&Row> {
        self.rows.get(usize::try_from(nr).ok()?)
    }

    fn value_ui(row: &Row, column: usize, is_total: bool, bars: [f32; 2], ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        ui.with_layout(cell_layout(column), |ui| {
            ui.add_space(PADDING);
            ui.spacing_mut().item_spacing.x = PADDING;
            if column == 0 && row.id.is_some() {
                let color = row.family.map_or(tokens.text_weak, |family| tokens.family(family));
                let (dot, _) = ui.allocate_exact_size(vec2(8.0, 8.0), egui::Sense::hover());
                ui.painter().circle_filled(dot.center(), 4.0, color);
            }
            let value = row.cell(column);
            let quiet = matches!(value.as_ref(), "0" | "0 B" | "–" | "0.0 %") || column == 1;
            let color = match (is_total || column == 0 || column == PLANNED, quiet) {
                (_, true) if !is_total => tokens.text_weak,
                (true, _) => tokens.text_strong,
                _ => tokens.text,
            };
            let text = RichText::new(value.into_owned()).color(color);
            let label = egui::Label::new(text).selectable(false);
            let label = if column < 2 { label.truncate() } else { label.extend() };
            let response = ui.add(label);
            if column == PLANNED {
                response.on_hover_ui(|ui| {
                    ui.label(format!("{:.1} % of the network\n{}", row.cost.planned_share * 100.0, row.parts()));
                });
            }
            if is_total || !matches!(column, PLANNED | SHARE) {
                return;
            }
            let (share, color) = match column {
                PLANNED if row.cost.planned_share > 0.4 => (row.cost.planned_share, tokens.warning),
                PLANNED => (row.cost.planned_share, tokens.bar),
                _ => (row.cost.ram_share, tokens.text_weak.gamma_multiply(0.6)),
            };
            #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
            let share = share as f32;
            let width = bars[usize::from(column == SHARE)];
            if width >= LEAST_BAR {
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    ui.add_space(PADDING);
                    kit::thin_bar(ui, share, width, color);
                });
            }
        });
    }

    /// The head of a column: a click sorts.
    fn head_ui(&mut self, ui: &mut Ui, at: usize) {
        let Some(column) = COLUMNS.get(at) else { return };
        let tokens = Tokens::of(ui);
        let response = ui.interact(ui.max_rect(), ui.scope_id().with(("sort", at)), egui::Sense::click());
        let order = match (self.sorting.by == Some(at), self.sorting.is_rising) {
            (false, _) => "",
            (true, true) => ", least first",
            (true, false) => ", most first",
        };
        let name = format!("Sort by {}{order}", column.title);
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ColumnHeader, true, &name));
        let is_active = response.hovered() || response.has_focus();
        let color = if is_active || !order.is_empty() { tokens.text_strong } else { tokens.text_weak };
        ui.with_layout(cell_layout(at), |ui| {
            ui.add_space(PADDING);
            ui.spacing_mut().item_spacing.x = 3.0;
            let title = RichText::new(column.title).small().color(color);
            ui.add(egui::Label::new(title).selectable(false).extend());
            if !order.is_empty() {
                let (mark, _) = ui.allocate_exact_size(Vec2::splat(8.0), egui::Sense::hover());
                triangle(ui, mark, self.sorting.is_rising, color);
            }
        });
        let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
        if response.on_hover_text(format!("{}.\nClick to sort.", column.help)).clicked() {
            *self.sorting = self.sorting.clicked(at);
        }
    }
}

/// Points up or down.
fn triangle(ui: &Ui, area: Rect, is_up: bool, color: egui::Color32) {
    let (c, r) = (area.center(), if is_up { -3.0 } else { 3.0 });
    let points = vec![pos2(c.x - 3.5, c.y - r * 0.7), pos2(c.x + 3.5, c.y - r * 0.7), pos2(c.x, c.y + r)];
    ui.painter().add(egui::Shape::convex_polygon(points, color, egui::Stroke::NONE));
}

/// Numbers stand to the right, words to the left.
fn cell_layout(column: usize) -> Layout {
    if column >= 2 { Layout::right_to_left(Align::Center) } else { Layout::left_to_right(Align::Center) }
}

impl egui_table::TableDelegate for CostTable<'_> {
    fn header_cell_ui(&mut self, ui: &mut Ui, cell: &egui_table::HeaderCellInfo) {
        let tokens = Tokens::of(ui);
        ui.painter().rect_filled(ui.max_rect(), 0.0, tokens.panel);
        let Some(column) = self.rows.columns.get(cell.col_range.start).copied() else { return };
        if cell.row_nr == 1 {
            ui.painter().rect_filled(ui.max_rect(), 0.0, tokens.card);
            if let Some(totals) = &self.rows.totals {
                Self::value_ui(totals, column, true, self.bars, ui);
            }
            return;
        }
        self.head_ui(ui, column);
    }

    fn row_ui(&mut self, ui: &mut Ui, nr: u64) {
        let tokens = Tokens::of(ui);
        let rect = ui.max_rect();
        let Some((row, id)) = self.row(nr).and_then(|row| Some((row, row.id?))) else { return };
        let response = ui.interact(rect, ui.scope_id().with(("row", nr)), egui::Sense::click());
        let label = format!("Cost of {}: planned RAM {}", row.cell(0), row.cell(PLANNED));
        let is_selected = self.selected.contains(&id);
        response.widget_info(|| egui::WidgetInfo::selected(egui::Role::Row, true, is_selected, &label));
        if is_selected {
            ui.painter().rect_filled(rect, 0.0, tokens.selection);
        } else if response.hovered() {
            ui.painter().rect_filled(rect, 0.0, tokens.hover);
        }
        if response.clicked() {
            self.out.push(UiCommand::Select(vec![id]));
        }
    }

    fn cell_ui(&mut self, ui: &mut Ui, cell: &egui_table::CellInfo) {
        if let (Some(row), Some(column)) = (self.row(cell.row_nr), self.rows.columns.get(cell.col_nr)) {
            Self::value_ui(row, *column, false, self.bars, ui);
        }
    }

    fn default_row_height(&self) -> f32 {
        size::ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_columns_have_room_as_long_as_bars_and_names_can_give_it() {
        let mut widths = vec![Width { wanted: 60.0, least: 60.0, text: 48.0 }; COLUMNS.len()];
        widths[0] = Width { wanted: 100.0, least: 84.0, text: 88.0 };
        widths[PLANNED] = Width { wanted: 130.0, least: 76.0, text: 64.0 };
        widths[SHARE] = Width { wanted: 112.0, least: 58.0, text: 46.0 };
        let shown: Vec<usize> = (0..COLUMNS.len()).collect();
        let sum = |room: f32| fitted(&shown, &widths, room).iter().sum::<f32>();
        let is = |found: f32, wanted: f32| assert!((found - wanted).abs() < 0.01, "{found} instead of {wanted}");
        // 100 + 130 + 112 and eight of 60.
        is(sum(822.0), 822.0);
        is(sum(900.0), 822.0);
        is(sum(740.0), 740.0);
        let tight = fitted(&shown, &widths, 740.0);
        is(tight[SHARE], 58.0);
        is(tight[PLANNED], 102.0);
        is(tight[0], 100.0);
        // 84 + 76 + 58 + 480 is the least.
        is(sum(300.0), 698.0);
    }
}
