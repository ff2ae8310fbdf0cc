//! The cost of every layer in one table, and RAM three times over: textbook, planned, measured.

use super::cost_rows::{Rows, Sorting};
use super::cost_table::{CostTable, Width, widths};
use super::kit;
use super::memory_view::MemoryView;
use super::theme::size;
use super::{Panel, PanelCx, UiCommand, command};
use crate::graph::NodeId;
use egui::{Align, Id, Layout, Ui, UiBuilder};

/// Width that the RAM needs beside the table.
const MEMORY: f32 = 320.0;

/// Shows the RAM, and what would make it less, when the panel is drawn next.
pub(super) fn show_memory(ctx: &egui::Context) {
    ctx.data_mut(|data| data.insert_temp(Id::unique("cost-memory"), true));
    ctx.request_repaint();
}

/// The panel.
#[derive(Debug, Default)]
pub struct CostPanel {
    key: Option<(usize, u64, Vec<NodeId>, crate::plan::CostSettings)>,
    rows: Rows,
    widths: Vec<Width>,
    sorting: Sorting,
    memory: MemoryView,
    is_memory: bool,
}

impl Panel for CostPanel {
    fn id(&self) -> &'static str {
        "cost"
    }

    fn title(&self) -> &'static str {
        "Cost"
    }

    fn help(&self) -> &'static str {
        "Parameters, multiply-adds and RAM of every layer and of the whole network, before anything is trained"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.update(cx, ui);
        if self.rows.is_empty() {
            kit::empty_ui(ui, "Nothing to count yet", "Drag an Input and some layers onto the canvas.", None);
            return;
        }
        if ui.data_mut(|data| data.remove_temp::<bool>(Id::unique("cost-memory"))).is_some() {
            self.is_memory = true;
            self.memory.show_savings();
        }
        // Both side by side where there is room for most columns; one at a time where not.
        let is_wide = ui.available_width() >= self.table_width().min(760.0) + MEMORY;
        if !is_wide {
            ui.horizontal(|ui| {
                ui.selectable_value(&mut self.is_memory, false, "Layers").on_hover_text("The cost of every layer");
                ui.selectable_value(&mut self.is_memory, true, "RAM")
                    .on_hover_text("RAM of the whole network, three times over, and what would make it less");
                if !self.is_memory {
                    copy_buttons(ui, out);
                }
            });
            ui.add_space(2.0);
        }
        let room = ui.available_rect_before_wrap();
        let memory_width = (room.width() - self.table_width() - size::STEP * 4.0).clamp(MEMORY, 440.0);
        let (table, memory) = if is_wide {
            let (table, memory) = room.split_left_right_at_x(room.right() - memory_width);
            ui.painter().vline(memory.left(), room.y_range(), ui.visuals().widgets.noninteractive.bg_stroke);
            (table.with_max_x(table.right() - size::STEP), memory.with_min_x(memory.left() + size::STEP * 2.0))
        } else {
            (room, room)
        };
        if is_wide || !self.is_memory {
            ui.scope_builder(UiBuilder::new().max_rect(table), |ui| {
                if is_wide {
                    ui.horizontal(|ui| {
                        kit::weak(ui, "For one image; planned RAM is of training the whole batch.");
                        copy_buttons(ui, out);
                    });
                    ui.add_space(2.0);
                }
                self.table_ui(cx, ui, out);
            });
        }
        if is_wide || self.is_memory {
            ui.scope_builder(UiBuilder::new().max_rect(memory), |ui| {
                egui::ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
                    ui.set_max_width(ui.available_width() - size::STEP);
                    self.memory.ui(cx, ui, out);
                });
            });
        }
    }
}

impl CostPanel {
    fn update(&mut self, cx: &PanelCx<'_>, ui: &Ui) {
        let key = (std::ptr::from_ref(cx.document).addr(), cx.revision, cx.path.to_vec(), cx.cost.settings);
        if self.key.as_ref() == Some(&key) {
            return;
        }
        self.key = Some(key);
        self.rows = Rows::new(cx);
        self.rows.sort(self.sorting);
        self.widths = widths(ui, &self.rows);
    }

    fn table_width(&self) -> f32 {
        let widths = self.rows.columns.iter().filter_map(|at| self.widths.get(*at));
        widths.map(|width| width.wanted).sum::<f32>() + size::STEP
    }

    fn table_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let (selected, before) = (cx.selection, self.sorting);
        let (rows, widths, sorting) = (&self.rows, &self.widths, &mut self.sorting);
        CostTable { rows, widths, bars: [0.0; 2], sorting, selected, out }.ui(ui);
        if self.sorting != before {
            self.rows.sort(self.sorting);
        }
    }
}

/// The commands that copy the table, at the right.
fn copy_buttons(ui: &mut Ui, out: &mut Vec<UiCommand>) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        for (id, label) in [("copy_cost_markdown", "Copy as Markdown"), ("copy_cost_csv", "Copy as CSV")] {
            if ui.button(label).on_hover_text(command::hover_text(ui.ctx(), id)).clicked() {
                out.extend(command::ui_command(id));
            }
        }
    });
}
