//! What the cost table says: its columns, a row for every layer, what no layer holds, and the sum. Knows no painter.

use super::PanelCx;
use crate::graph::NodeId;
use crate::layers::Family;
use crate::plan::{NodeCost, Part};
use crate::text;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write as _;

/// Number of columns.
pub(super) const COUNT: usize = 11;

/// A column of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Its head.
    pub(super) title: &'static str,
    /// Its head for other programs.
    plain: &'static str,
    /// Least width.
    pub(super) width: f32,
    /// What it means.
    pub(super) help: &'static str,
}

const fn column(title: &'static str, plain: &'static str, width: f32, help: &'static str) -> Column {
    Column { title, plain, width, help }
}

/// The columns.
pub(super) const COLUMNS: [Column; COUNT] = [
    column("Layer", "Layer", 88.0, "Name of the layer. Click a row to select it"),
    column("Kind", "Kind", 104.0, "What the layer is"),
    column("Output", "Output", 60.0, "Height × width × channels of what it gives for one image"),
    column(
        "Planned RAM",
        "Planned bytes",
        126.0,
        "What it holds at the fullest moment of a training step of the whole batch: kept values, parameters, gradients, \
         optimizer state, scratch space. The column adds up to the planned RAM of the network",
    ),
    column("Trainable", "Trainable", 60.0, "Parameters that training changes"),
    column("Frozen", "Frozen", 54.0, "Parameters that stay as they are"),
    column(
        "Buffers",
        "Buffers",
        54.0,
        "Running means and variances of batch norm: stored, but no gradient changes them",
    ),
    column("MACs", "MACs", 60.0, "Multiply-adds for one image: one multiplication and one addition together"),
    column(
        "Activations",
        "Activation bytes",
        72.0,
        "The textbook's bytes of its output for one image; 0 where it shares the memory of its input",
    ),
    column(
        "Receptive field",
        "Theoretical receptive field",
        92.0,
        "How much of the input one output value can see, height × width in pixels. *: in theory it is larger than the image",
    ),
    column(
        "Textbook share",
        "Textbook share",
        112.0,
        "Share of the textbook's training RAM: its parameters, and its output (of an input: the images) for the whole batch",
    ),
];
/// The column of planned bytes.
pub(super) const PLANNED: usize = 3;
/// The column with the textbook's share.
pub(super) const SHARE: usize = 10;
/// Columns that are left out while all their rows are zero: frozen parameters and state.
const OPTIONAL: [usize; 2] = [5, 6];

/// One row. Its texts are made when they are asked for: of a thousand rows a screen shows twenty.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Its layer; none of what no layer of the open graph holds, and of the sum.
    pub(super) id: Option<NodeId>,
    pub(super) family: Option<Family>,
    name: String,
    kind: Cow<'static, str>,
    output: Output,
    pub(super) cost: NodeCost,
    /// What the planned bytes are made of, where that is not the parts of a layer.
    made_of: Option<String>,
    /// Where values enter: the images, or what a group reads.
    is_way_in: bool,
}

/// What stands in the column of outputs.
#[derive(Clone, Debug)]
enum Output {
    /// Height × width × channels, or what there is of them.
    Sizes(Vec<u64>),
    /// It has none.
    Unknown,
    /// It is not asked for.
    Empty,
}

impl Output {
    fn text(&self) -> String {
        match self {
            Self::Sizes(sizes) => sizes.iter().map(|size| text::count(*size)).collect::<Vec<_>>().join(" × "),
            Self::Unknown => "–".into(),
            Self::Empty => String::new(),
        }
    }

    /// Numbers in it.
    fn numbers(&self) -> u64 {
        match self {
            Self::Sizes(sizes) => sizes.iter().fold(1, |product: u64, size| product.saturating_mul(*size)),
            _ => 0,
        }
    }

    /// Digits in it: how long its text is.
    fn digits(&self) -> u32 {
        match self {
            Self::Sizes(sizes) => sizes.iter().map(|size| size.checked_ilog10().unwrap_or(0) + 1).sum(),
            _ => 0,
        }
    }
}

/// A receptive field: what can lie inside the image, with a mark where the theoretical one is larger.
fn seen(field: crate::plan::Field) -> String {
    let [height, width] = field.seen();
    let mark = if field.seen() == field.pixels() { "" } else { "*" };
    if height == 0 { "–".into() } else { format!("{} × {}{mark}", text::count(height), text::count(width)) }
}

impl Row {
    fn new(name: impl Into<String>, kind: impl Into<Cow<'static, str>>, output: Output, cost: NodeCost) -> Self {
        Self {
            id: None,
            family: None,
            name: name.into(),
            kind: kind.into(),
            output,
            cost,
            made_of: None,
            is_way_in: false,
        }
    }

    /// What stands in a column.
    pub(super) fn cell(&self, column: usize) -> Cow<'_, str> {
        let cost = &self.cost;
        let made = match column {
            0 => return Cow::Borrowed(&self.name),
            1 => return Cow::Borrowed(&self.kind),
            2 => self.output.text(),
            PLANNED => text::bytes(cost.planned.total()),
            4 => text::count(cost.trainable),
            5 => text::count(cost.frozen),
            6 => text::count(cost.state),
            7 => text::count(cost.macs),
            8 => text::bytes(cost.activation_bytes),
            9 => seen(cost.field),
            SHARE => format!("{:.1} %", cost.ram_share * 100.0),
            _ => String::new(),
        };
        Cow::Owned(made)
    }

    /// What the planned bytes are made of, for the hover.
    pub(super) fn parts(&self) -> String {
        self.made_of.clone().unwrap_or_else(|| {
            if self.cost.planned.total() == 0 {
                return "Nothing at the fullest moment of a step: freed already, not made yet, or never of its own"
                    .into();
            }
            let named = self.cost.planned.named();
            let parts = named.iter().filter(|(_, bytes)| *bytes > 0);
            parts.map(|(name, bytes)| format!("{}: {name}", text::bytes(*bytes))).collect::<Vec<_>>().join("\n")
        })
    }

    /// The number that a column is sorted by; nothing of columns of words.
    fn number(&self, column: usize) -> Option<f64> {
        let cost = &self.cost;
        Some(match column {
            2 => self.output.numbers() as f64,
            PLANNED => cost.planned.total() as f64,
            4 => cost.trainable as f64,
            5 => cost.frozen as f64,
            6 => cost.state as f64,
            7 => cost.macs as f64,
            8 => cost.activation_bytes as f64,
            9 => cost.field.seen().into_iter().max().unwrap_or(0) as f64,
            SHARE => cost.ram_share,
            _ => return None,
        })
    }

    /// A cell for other programs: plain numbers, bytes.
    fn plain(&self, column: usize) -> String {
        let cost = &self.cost;
        let [h, w] = cost.field.pixels();
        match column {
            2 => self.cell(2).replace(',', "").replace(" × ", "x"),
            PLANNED => cost.planned.total().to_string(),
            4 => cost.trainable.to_string(),
            5 => cost.frozen.to_string(),
            6 => cost.state.to_string(),
            7 => cost.macs.to_string(),
            8 => cost.activation_bytes.to_string(),
            9 if h == 0 => String::new(),
            9 => format!("{h}x{w}"),
            SHARE => format!("{:.6}", cost.ram_share),
            _ => format!("\"{}\"", self.cell(column).replace('"', "\"\"")),
        }
    }
}

/// By which column rows are ordered, and whether the least comes first; the order of the flow if none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sorting {
    pub(super) by: Option<usize>,
    pub(super) is_rising: bool,
}

impl Sorting {
    /// What a click on a head makes of it: the most first, then the least, then the order of the flow; words the other way
    /// round.
    pub(super) fn clicked(self, column: usize) -> Self {
        let first = column < 2;
        match self {
            Self { by: Some(by), is_rising } if by == column && is_rising == first => {
                Self { by: Some(column), is_rising: !first }
            }
            Self { by: Some(by), .. } if by == column => Self::default(),
            _ => Self { by: Some(column), is_rising: first },
        }
    }
}

/// All rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// Layers of the open graph, in the order of the flow.
    layers: Vec<Row>,
    /// What is held, but by none of them.
    rest: Option<Row>,
    /// The sum.
    pub(super) totals: Option<Row>,
    /// Indices of the layers in the order that they are shown.
    order: Vec<usize>,
    /// Columns that say something, in the order that they are shown.
    pub(super) columns: Vec<usize>,
}

impl Rows {
    /// The rows of the open graph.
    pub(super) fn new(cx: &PanelCx<'_>) -> Self {
        let graph = cx.graph();
        let (order, rest) = graph.topological();
        let layers: Vec<Row> = order
            .iter()
            .chain(&rest)
            .filter_map(|&at| graph.nodes.get(at))
            .map(|node| {
                let cost = cx.plan.node(cx.path, node.id).map(|plan| cx.cost.node(plan)).unwrap_or_default();
                let output = cx.plan.output_shape(cx.path, node.id);
                let output = output.map_or(Output::Unknown, |shape| Output::Sizes(shape.dims_hwc()));
                let family = node.content.about().map(|about| about.family);
                let kind = node.content.kind_name().to_owned();
                let is_way_in = node.content.is_input();
                Row { id: Some(node.id), family, is_way_in, ..Row::new(node.name.clone(), kind, output, cost) }
            })
            .collect();
        let totals = cx.cost.totals;
        let memory = &cx.cost.memory;
        let (images, parts) = (memory.training.batch, memory.training);
        let sum = NodeCost {
            trainable: totals.trainable,
            frozen: totals.frozen,
            state: totals.state,
            macs: totals.macs,
            activation_bytes: totals.activation_bytes,
            field: totals.field,
            ram_share: 1.0,
            planned: Part {
                images,
                parameters: parts.parameters,
                gradients: parts.gradients,
                optimizer: parts.optimizer,
                outputs: parts.activations,
                scratch: parts.workspace,
                ..Part::default()
            },
            planned_share: 1.0,
        };
        let is_inside = !cx.path.is_empty();
        let rest = rest_of(&layers, &sum, is_inside);
        let count = layers.iter().filter(|row| !(is_inside && row.is_way_in)).count();
        let words = text::counted(count as u64, "layer");
        let total = if let Some((name, group)) = open_group(cx) {
            Row::new(format!("Total of {name}"), words, Output::Empty, group)
        } else {
            let line = |(name, bytes, _): (&str, u64, &str)| format!("{}: {}", text::bytes(bytes), name.to_lowercase());
            let made_of = Some(memory.parts().map(line).join("\n"));
            Row { made_of, ..Row::new("Total", words, Output::Empty, sum) }
        };
        let shown = |at: &usize| !OPTIONAL.contains(at) || total.number(*at).is_some_and(|sum| sum > 0.0);
        let columns = (0..COUNT).filter(shown).collect();
        let order = (0..layers.len()).collect();
        let totals = (!layers.is_empty()).then_some(total);
        Self { layers, rest, totals, order, columns }
    }

    /// Puts the layers in order; what no layer holds stays last.
    pub(super) fn sort(&mut self, sorting: Sorting) {
        let layers = &self.layers;
        self.order = (0..layers.len()).collect();
        let Some(column) = sorting.by else { return };
        self.order.sort_by(|&a, &b| {
            let (Some(a), Some(b)) = (layers.get(a), layers.get(b)) else { return Ordering::Equal };
            let order = match (a.number(column), b.number(column)) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => a.cell(column).cmp(&b.cell(column)),
            };
            if sorting.is_rising { order } else { order.reverse() }
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// How many rows stand under the sum.
    pub(super) fn len(&self) -> usize {
        self.layers.len() + usize::from(self.rest.is_some())
    }

    /// A row as it is shown.
    pub(super) fn get(&self, at: usize) -> Option<&Row> {
        match self.order.get(at) {
            Some(&layer) => self.layers.get(layer),
            None => self.rest.as_ref().filter(|_| at == self.layers.len()),
        }
    }

    /// Every row as it is shown, and the sum.
    pub(super) fn all(&self) -> impl Iterator<Item = &Row> {
        (0..self.len()).filter_map(|at| self.get(at)).chain(&self.totals)
    }

    /// The longest text of a column.
    pub(super) fn longest(&self, column: usize) -> Cow<'_, str> {
        // So that a column of bytes does not change its width with every edit.
        const BYTES: &str = "888.88 MB";
        let longest = match column {
            PLANNED | 8 => return Cow::Borrowed(BYTES),
            0 | 1 => self.all().max_by_key(|row| row.cell(column).chars().count()),
            2 => self.all().max_by_key(|row| row.output.digits()),
            _ => self.all().max_by(|a, b| match (a.number(column), b.number(column)) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => Ordering::Equal,
            }),
        };
        longest.map_or(Cow::Borrowed(""), |row| row.cell(column))
    }

    /// The table for other programs.
    pub(super) fn csv(&self) -> String {
        let mut text = COLUMNS.map(|column| column.plain).join(",") + "\n";
        for row in self.all() {
            let cells: Vec<String> = (0..COUNT).map(|column| row.plain(column)).collect();
            // Writing to a String cannot fail.
            let _written = writeln!(text, "{}", cells.join(","));
        }
        text
    }

    /// The table for documents.
    pub(super) fn markdown(&self) -> String {
        let heads = COLUMNS.map(|column| column.title).join(" | ");
        let mut text = format!("| {heads} |\n|---|---|{}\n", "---:|".repeat(COUNT - 2));
        for row in self.all() {
            let cells: Vec<Cow<'_, str>> = (0..COUNT).map(|column| row.cell(column)).collect();
            let _written = writeln!(text, "| {} |", cells.join(" | ").replace('\n', " "));
        }
        text
    }
}

/// The group that is open, with its figures.
fn open_group<'a>(cx: &PanelCx<'a>) -> Option<(&'a str, NodeCost)> {
    let (id, outer) = cx.path.split_last()?;
    let name = cx.document.graph.at(outer)?.node(*id)?.name.as_str();
    Some((name, cx.plan.node(outer, *id).map(|plan| cx.cost.node(plan)).unwrap_or_default()))
}

/// What the network holds beside these layers; nothing if they hold all of it.
fn rest_of(layers: &[Row], sum: &NodeCost, is_inside: bool) -> Option<Row> {
    let of = |part: fn(&NodeCost) -> u64| {
        let held = layers.iter().map(|row| part(&row.cost)).fold(0, u64::saturating_add);
        part(sum).saturating_sub(held)
    };
    let cost = NodeCost {
        trainable: of(|cost| cost.trainable),
        frozen: of(|cost| cost.frozen),
        state: of(|cost| cost.state),
        macs: of(|cost| cost.macs),
        activation_bytes: of(|cost| cost.activation_bytes),
        ram_share: (sum.ram_share - layers.iter().map(|row| row.cost.ram_share).sum::<f64>()).max(0.0),
        planned: Part { scratch: of(|cost| cost.planned.total()), ..Part::default() },
        ..NodeCost::default()
    };
    (cost.planned.scratch > 0).then(|| {
        let (name, kind) =
            if is_inside { ("Rest of the network", "Not this group") } else { ("Loss", "Scores, gradient") };
        let made_of = if is_inside {
            "Layers that are not in the open group"
        } else {
            "Wanted scores and their gradient; no layer's"
        };
        Row { made_of: Some(made_of.into()), ..Row::new(name, kind, Output::Unknown, cost) }
    })
}

/// The open graph's table as text, for the commands that copy it.
pub(super) fn copied(cx: &PanelCx<'_>, as_markdown: bool) -> String {
    let rows = Rows::new(cx);
    if as_markdown { rows.markdown() } else { rows.csv() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_sorts_by_the_most_then_by_the_least_then_by_the_flow() {
        let once = Sorting::default().clicked(PLANNED);
        assert_eq!(once, Sorting { by: Some(PLANNED), is_rising: false });
        let twice = once.clicked(PLANNED);
        assert_eq!(twice, Sorting { by: Some(PLANNED), is_rising: true });
        assert_eq!(twice.clicked(PLANNED), Sorting::default());
        // Another column starts anew; names start with A.
        assert_eq!(once.clicked(0), Sorting { by: Some(0), is_rising: true });
    }
}
