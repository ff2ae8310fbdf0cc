//! The cost of every layer in one table, and RAM three times over: textbook, planned, measured.

use super::kit;
use super::memory_view::MemoryView;
use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand};
use crate::graph::NodeId;
use crate::layers::Family;
use crate::plan::NodeCost;
use crate::text;
use egui::{Align, Layout, RichText, Ui, vec2};
use std::fmt::Write as _;

/// One row, ready to draw.
#[derive(Clone, Debug)]
struct Row {
    id: NodeId,
    family: Option<Family>,
    cells: [String; 9],
    share: f64,
}

const COLUMNS: [(&str, f32, &str); 10] = [
    ("Layer", 130.0, "Name of the layer. Click a row to select it"),
    ("Kind", 128.0, "What the layer is"),
    ("Output", 108.0, "Height × width × channels of what it gives for one image"),
    ("Trainable", 92.0, "Parameters that training changes"),
    ("Frozen", 76.0, "Parameters that stay as they are"),
    ("State", 66.0, "Running statistics of batch norm: stored, but no gradient changes them"),
    ("MACs", 108.0, "Multiply-adds for one image: one multiplication and one addition together"),
    ("Activations", 92.0, "Bytes of its output for one image; 0 where it shares the memory of its input"),
    ("Receptive field", 100.0, "How much of the input one output value can see, height × width in pixels"),
    ("Share of RAM", 110.0, "Share of the textbook's training RAM: its parameters and its output for the whole batch"),
];

/// The panel.
#[derive(Debug, Default)]
pub struct CostPanel {
    key: Option<(u64, Vec<NodeId>, crate::plan::CostSettings)>,
    rows: Vec<Row>,
    totals: Option<Row>,
    memory: MemoryView,
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
        self.update(cx);
        if self.rows.is_empty() {
            kit::empty_ui(ui, "Nothing to count yet", "Drag an Input and some layers onto the canvas.", None);
            return;
        }
        egui::Panel::right("memory")
            .resizable(true)
            .default_size(360.0)
            .size_range(280.0..=520.0)
            .frame(egui::Frame::new().inner_margin(egui::Margin { left: 16, right: 4, top: 0, bottom: 0 }))
            .show(ui, |ui| {
                egui::ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| self.memory.ui(cx, ui, out));
            });
        egui::CentralPanel::no_frame().show(ui, |ui| self.table_ui(cx, ui, out));
    }
}

impl CostPanel {
    fn update(&mut self, cx: &PanelCx<'_>) {
        let key = (cx.revision, cx.path.to_vec(), cx.cost.settings);
        if self.key.as_ref() == Some(&key) {
            return;
        }
        self.key = Some(key);
        let row = |id, family, name: String, kind: String, output: String, cost: NodeCost| {
            let [h, w] = cost.field.pixels();
            let field = if h == 0 { "–".into() } else { format!("{} × {}", text::count(h), text::count(w)) };
            Row {
                id,
                family,
                share: cost.ram_share,
                cells: [
                    name,
                    kind,
                    output,
                    text::count(cost.trainable),
                    text::count(cost.frozen),
                    text::count(cost.state),
                    text::count(cost.macs),
                    text::bytes(cost.activation_bytes),
                    field,
                ],
            }
        };
        let graph = cx.graph();
        let (order, rest) = graph.topological();
        self.rows = order
            .iter()
            .chain(&rest)
            .filter_map(|&at| graph.nodes.get(at))
            .map(|node| {
                let cost = cx.plan.node(cx.path, node.id).map(|plan| cx.cost.node(plan)).unwrap_or_default();
                let output = cx.plan.output_shape(cx.path, node.id).map_or_else(|| "–".into(), shape_text);
                let family = node.content.about().map(|about| about.family);
                row(node.id, family, node.name.clone(), node.content.kind_name().to_owned(), output, cost)
            })
            .collect();
        let totals = cx.cost.totals;
        let sum = NodeCost {
            trainable: totals.trainable,
            frozen: totals.frozen,
            state: totals.state,
            macs: totals.macs,
            activation_bytes: totals.activation_bytes,
            field: totals.field,
            ram_share: 1.0,
        };
        let params = format!("{} parameters", text::count(totals.params()));
        self.totals = (!self.rows.is_empty()).then(|| row(NodeId(0), None, "Total".into(), params, String::new(), sum));
    }

    fn table_ui(&self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        ui.horizontal(|ui| {
            kit::weak(ui, "One image, unless said otherwise. A MAC is one multiplication with its addition.");
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if ui.button("Copy as Markdown").on_hover_text("Put the table on the clipboard as Markdown").clicked() {
                    out.push(UiCommand::Copy(self.markdown()));
                }
                if ui.button("Copy as CSV").on_hover_text("Put the table on the clipboard as CSV").clicked() {
                    out.push(UiCommand::Copy(self.csv()));
                }
            });
        });
        ui.add_space(2.0);
        let columns: Vec<_> = COLUMNS
            .iter()
            .map(|(_, width, _)| egui_table::Column::new(*width).range(48.0..=320.0).resizable(true))
            .collect();
        let mut view = View { panel: self, cx, out };
        egui_table::Table::new()
            .id_salt("cost_table")
            .num_rows(self.rows.len() as u64 + 1)
            .columns(columns)
            .num_sticky_cols(1)
            .headers([egui_table::HeaderRow::new(size::ROW + 2.0)])
            .show(ui, &mut view);
    }

    fn all_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().chain(&self.totals)
    }

    fn csv(&self) -> String {
        let mut text = COLUMNS.map(|(title, ..)| title).join(",");
        text.push('\n');
        for row in self.all_rows() {
            let cells: Vec<String> =
                row.cells.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect();
            let _ = writeln!(text, "{},{:.4}", cells.join(","), row.share);
        }
        text
    }

    fn markdown(&self) -> String {
        let mut text =
            format!("| {} |\n|{}\n", COLUMNS.map(|(title, ..)| title).join(" | "), "---|".repeat(COLUMNS.len()));
        for row in self.all_rows() {
            let _ = writeln!(text, "| {} | {:.1} % |", row.cells.join(" | ").replace('\n', " "), row.share * 100.0);
        }
        text
    }
}

/// A shape as people write it: height × width × channels.
fn shape_text(shape: &crate::op::Shape) -> String {
    let dims: Vec<String> = shape.dims_hwc().iter().map(|dim| text::count(*dim)).collect();
    dims.join(" × ")
}

struct View<'a, 'b> {
    panel: &'a CostPanel,
    cx: &'a PanelCx<'b>,
    out: &'a mut Vec<UiCommand>,
}

impl View<'_, '_> {
    fn row(&self, nr: u64) -> Option<&Row> {
        let index = usize::try_from(nr).ok()?;
        self.panel.rows.get(index).or(self.panel.totals.as_ref())
    }

    fn is_total(&self, nr: u64) -> bool {
        nr >= self.panel.rows.len() as u64
    }
}

/// Numbers stand to the right, words to the left.
fn cell_layout(column: usize) -> Layout {
    if (2..=8).contains(&column) { Layout::right_to_left(Align::Center) } else { Layout::left_to_right(Align::Center) }
}

impl egui_table::TableDelegate for View<'_, '_> {
    fn header_cell_ui(&mut self, ui: &mut Ui, cell: &egui_table::HeaderCellInfo) {
        let tokens = Tokens::of(ui);
        ui.painter().rect_filled(ui.max_rect(), 0.0, tokens.panel);
        let column = cell.col_range.start;
        let Some((title, _, hover)) = COLUMNS.get(column) else { return };
        ui.with_layout(cell_layout(column), |ui| {
            ui.add_space(6.0);
            ui.add(egui::Label::new(RichText::new(*title).small().color(tokens.text_weak)).truncate())
                .on_hover_text(*hover);
        });
    }

    fn row_ui(&mut self, ui: &mut Ui, nr: u64) {
        let tokens = Tokens::of(ui);
        let rect = ui.max_rect();
        if self.is_total(nr) {
            ui.painter().hline(rect.x_range(), rect.top(), egui::Stroke::new(1.0, tokens.outline));
            return;
        }
        let Some(row) = self.row(nr) else { return };
        let id = row.id;
        let response = ui.interact(rect, ui.scope_id().with(("row", nr)), egui::Sense::click());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Row, true, format!("Cost of {}", row.cells[0])));
        if self.cx.selection.contains(&id) {
            ui.painter().rect_filled(rect, 0.0, tokens.selection);
        } else if response.hovered() {
            ui.painter().rect_filled(rect, 0.0, tokens.hover);
        }
        if response.clicked() {
            self.out.push(UiCommand::Select(vec![id]));
        }
    }

    fn cell_ui(&mut self, ui: &mut Ui, cell: &egui_table::CellInfo) {
        let tokens = Tokens::of(ui);
        let Some(row) = self.row(cell.row_nr) else { return };
        let is_total = self.is_total(cell.row_nr);
        ui.with_layout(cell_layout(cell.col_nr), |ui| {
            ui.add_space(6.0);
            if cell.col_nr == 0 && !is_total {
                let color = row.family.map_or(tokens.text_weak, |family| tokens.family(family));
                let (dot, _) = ui.allocate_exact_size(vec2(8.0, 8.0), egui::Sense::hover());
                ui.painter().circle_filled(dot.center(), 4.0, color);
            }
            let Some(value) = row.cells.get(cell.col_nr) else {
                if !is_total {
                    #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
                    let share = row.share as f32;
                    kit::thin_bar(ui, share, 56.0, tokens.bar);
                    ui.label(RichText::new(format!("{:.1} %", row.share * 100.0)).small().color(tokens.text_weak));
                }
                return;
            };
            let quiet = matches!(value.as_str(), "0" | "0 B" | "–") || cell.col_nr == 1;
            let color = match (is_total || cell.col_nr == 0, quiet) {
                (true, _) => tokens.text_strong,
                (_, true) => tokens.text_weak,
                _ => tokens.text,
            };
            ui.add(egui::Label::new(RichText::new(value).color(color)).truncate().selectable(false));
        });
    }

    fn default_row_height(&self) -> f32 {
        size::ROW
    }
}
