//! The cost of every layer in one table, and RAM three times over: textbook, planned, measured.

use super::cost_table::CostTable;
use super::kit;
use super::memory_view::MemoryView;
use super::theme::size;
use super::{Panel, PanelCx, UiCommand};
use crate::graph::NodeId;
use crate::layers::Family;
use crate::plan::NodeCost;
use crate::text;
use egui::{Align, Layout, Ui, UiBuilder};
use std::fmt::Write as _;

/// One row, ready to draw.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: NodeId,
    pub(super) family: Option<Family>,
    pub(super) cells: [String; 9],
    pub(super) share: f64,
    /// The cells for other programs: plain numbers, bytes.
    plain: [String; 9],
}

/// Titles, widths and what they mean.
pub(super) const COLUMNS: [(&str, f32, &str); 10] = [
    ("Layer", 88.0, "Name of the layer. Click a row to select it"),
    ("Kind", 112.0, "What the layer is"),
    ("Output", 96.0, "Height × width × channels of what it gives for one image"),
    ("Trainable", 74.0, "Parameters that training changes"),
    ("Frozen", 74.0, "Parameters that stay as they are"),
    ("State", 62.0, "Running statistics of batch norm: stored, but no gradient changes them"),
    ("MACs", 88.0, "Multiply-adds for one image: one multiplication and one addition together"),
    ("Activations", 78.0, "Bytes of its output for one image; 0 where it shares the memory of its input"),
    ("Sees", 74.0, "Receptive field: how much of the input one output value can see, height × width in pixels"),
    (
        "Share of RAM",
        108.0,
        "Share of the textbook's training RAM: its parameters, and its output (of an input: the images) for the whole batch",
    ),
];
/// Heads of the columns for other programs.
const PLAIN: &str = "Layer,Kind,Output,Trainable,Frozen,State,MACs,Activation bytes,Receptive field,Share of RAM";
/// The column with the share of RAM, and the one behind which it stands: in sight also where room is short.
const SHARE: (usize, usize) = (9, 2);
/// Columns that are left out while all their rows are zero: frozen parameters and state.
const OPTIONAL: [usize; 2] = [4, 5];
/// From here on table and RAM stand side by side.
const WIDE: f32 = 1_010.0;

/// The panel.
#[derive(Debug, Default)]
pub struct CostPanel {
    key: Option<(u64, Vec<NodeId>, crate::plan::CostSettings)>,
    rows: Vec<Row>,
    totals: Option<Row>,
    /// Columns that say something: zeros all the way down are left out.
    columns: Vec<usize>,
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
        self.update(cx);
        if self.rows.is_empty() {
            kit::empty_ui(ui, "Nothing to count yet", "Drag an Input and some layers onto the canvas.", None);
            return;
        }
        // Both side by side where there is room for whole columns; one at a time where not.
        let is_wide = ui.available_width() >= WIDE;
        if !is_wide {
            ui.horizontal(|ui| {
                ui.selectable_value(&mut self.is_memory, false, "Layers").on_hover_text("The cost of every layer");
                ui.selectable_value(&mut self.is_memory, true, "RAM")
                    .on_hover_text("RAM of the whole network, three times over");
            });
            ui.add_space(2.0);
        }
        let room = ui.available_rect_before_wrap();
        let memory_width = (room.width() - self.table_width() - size::STEP * 4.0).clamp(300.0, 440.0);
        let (table, memory) = if is_wide {
            let (table, memory) = room.split_left_right_at_x(room.right() - memory_width);
            ui.painter().vline(memory.left(), room.y_range(), ui.visuals().widgets.noninteractive.bg_stroke);
            (table.with_max_x(table.right() - size::STEP), memory.with_min_x(memory.left() + size::STEP * 2.0))
        } else {
            (room, room)
        };
        if is_wide || !self.is_memory {
            ui.scope_builder(UiBuilder::new().max_rect(table), |ui| self.table_ui(cx, ui, out));
        }
        if is_wide || self.is_memory {
            ui.scope_builder(UiBuilder::new().max_rect(memory), |ui| {
                egui::ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| self.memory.ui(cx, ui, out));
            });
        }
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
                plain: [
                    name.clone(),
                    kind.clone(),
                    output.replace(',', "").replace(" × ", "x"),
                    cost.trainable.to_string(),
                    cost.frozen.to_string(),
                    cost.state.to_string(),
                    cost.macs.to_string(),
                    cost.activation_bytes.to_string(),
                    if h == 0 { String::new() } else { format!("{h}x{w}") },
                ],
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
        let layers = format!("{} layers", text::count(self.rows.len() as u64));
        let totals = row(NodeId(0), None, "Total".into(), layers, String::new(), sum);
        let (share, behind) = SHARE;
        let order = (0..=behind).chain([share]).chain(behind + 1..share);
        self.columns =
            order.filter(|at| !OPTIONAL.contains(at) || totals.cells.get(*at).is_some_and(|sum| sum != "0")).collect();
        self.totals = (!self.rows.is_empty()).then_some(totals);
    }

    fn table_width(&self) -> f32 {
        self.columns.iter().filter_map(|at| COLUMNS.get(*at)).map(|column| column.1).sum()
    }

    fn table_ui(&self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        ui.horizontal(|ui| {
            if ui.available_width() > 620.0 {
                kit::weak(ui, "For one image; the share of RAM is of training the whole batch.");
            }
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
        let selected = cx.selection;
        CostTable { rows: &self.rows, totals: self.totals.as_ref(), columns: &self.columns, selected, out }.ui(ui);
    }

    fn all_rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().chain(&self.totals)
    }

    fn csv(&self) -> String {
        let mut text = format!("{PLAIN}\n");
        for row in self.all_rows() {
            let cells = row
                .plain
                .iter()
                .enumerate()
                .map(|(at, cell)| if at < 2 { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() });
            let _ = writeln!(text, "{},{:.6}", cells.collect::<Vec<_>>().join(","), row.share);
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
