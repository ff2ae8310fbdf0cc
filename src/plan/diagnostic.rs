//! What is wrong with a network, where, and one-click ways out.

use crate::graph::{Content, Edit, Graph, Link, Node, NodeId, Place};
use crate::layers::{Act, Conv2d, Flatten, Layer, Padding};
use crate::op::{Shape, ShapeError};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// It runs, but perhaps not as meant.
    Warning,
    /// It cannot run.
    Error,
}

impl Severity {
    /// `info`, `warning` or `error`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// An end of a node at which a wire is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Nothing leads in, or too little.
    Input,
    /// What leaves it should lead on.
    Output,
}

/// A way out.
#[derive(Clone, Debug, PartialEq)]
pub struct Fix {
    /// Text of the button: "Insert Flatten".
    pub label: String,
    /// The change, in the graph of the diagnostic.
    pub edit: Edit,
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// Path of groups to the graph it is in.
    pub path: Vec<NodeId>,
    /// The node it is about; `None` for the network as a whole.
    pub node: Option<NodeId>,
    /// The node's name.
    pub name: String,
    /// The wire it is about.
    pub link: Option<Link>,
    /// Where a wire is missing, if that is what it is about.
    pub gap: Option<Gap>,
    /// How bad.
    pub severity: Severity,
    /// Rule, finding, way out.
    pub message: String,
    /// One-click fixes.
    pub fixes: Vec<Fix>,
}

/// Fixes for a broken shape rule at a node.
pub(super) fn fixes(error: &ShapeError, graph: &Graph, node: &Node, inputs: &[Shape]) -> Vec<Fix> {
    let into = graph.links_into(node.id);
    let Content::Layer(layer) = &node.content else { return Vec::new() };
    match error {
        ShapeError::NeedsVector { .. } => into.first().map_or_else(Vec::new, |link| {
            let insert = |layer: Layer, label: &str| Fix {
                label: label.into(),
                edit: Edit::Insert { content: Box::new(Content::Layer(layer)), place: Place::OnLink(*link) },
            };
            let mut list = vec![insert(Flatten::default().into(), "Insert Flatten")];
            if let Some(pool) = Layer::from_id("global_avg_pool") {
                list.push(insert(pool, "Insert global average pooling"));
            }
            list
        }),
        ShapeError::WindowTooLarge { input, .. } => {
            let mut list = Vec::new();
            list.extend(set(layer, node, "padding", "same", "Use padding = same"));
            let [height, width] = input;
            let kernel = format!("{height}x{width}");
            list.extend(set(layer, node, "kernel", &kernel, &format!("Use a {height}×{width} kernel")));
            list
        }
        ShapeError::Groups { suggestion, .. } => {
            set(layer, node, "groups", &suggestion.to_string(), &format!("Use groups = {suggestion}"))
                .into_iter()
                .collect()
        }
        ShapeError::Zero { what } => {
            let key = what.to_lowercase();
            set(layer, node, &key, "1", &format!("Set {key} to 1")).into_iter().collect()
        }
        ShapeError::Mismatch { .. } => match_branch(graph, node, inputs).into_iter().collect(),
        ShapeError::OutputPadding { .. } => {
            set(layer, node, "output_padding", "0", "Set output padding to 0").into_iter().collect()
        }
        ShapeError::NeedsMap { .. }
        | ShapeError::PoolPadding { .. }
        | ShapeError::Empty { .. }
        | ShapeError::Range { .. }
        | ShapeError::Overflow { .. }
        | ShapeError::Inputs { .. } => Vec::new(),
    }
}

fn set(layer: &Layer, node: &Node, key: &str, value: &str, label: &str) -> Option<Fix> {
    let mut changed = layer.clone();
    crate::layers::set_field(&mut changed, key, value).ok()?;
    (changed != *layer)
        .then(|| Fix { label: label.into(), edit: Edit::SetLayer { node: node.id, layer: Box::new(changed) } })
}

/// A 1×1 convolution that brings the other branch to the shape of the deepest one, if a stride can.
fn match_branch(graph: &Graph, node: &Node, inputs: &[Shape]) -> Option<Fix> {
    let into = graph.links_into(node.id);
    let target = inputs.iter().filter_map(Shape::as_map).min_by_key(|&(c, h, w)| (h * w, std::cmp::Reverse(c)))?;
    let (link, found) = into
        .iter()
        .zip(inputs)
        .find_map(|(link, shape)| shape.as_map().filter(|map| *map != target).map(|map| (link, map)))?;
    let concat = matches!(&node.content, Content::Layer(Layer::Concat(_)));
    let filters = if concat { found.0 } else { target.0 };
    let stride = [found.1.div_ceil(target.1.max(1)), found.2.div_ceil(target.2.max(1))];
    let fits = found.1.div_ceil(stride[0].max(1)) == target.1 && found.2.div_ceil(stride[1].max(1)) == target.2;
    if !fits || stride.contains(&0) {
        return None;
    }
    let conv =
        Conv2d { filters, kernel: [1, 1], stride, padding: Padding::Same, activation: Act::None, ..Conv2d::default() };
    let by = if stride == [1, 1] { String::new() } else { format!(", stride {}×{}", stride[0], stride[1]) };
    let source = graph.node(link.from)?.name.clone();
    Some(Fix {
        label: format!("Insert a 1×1 convolution after {source} ({filters} filters{by})"),
        edit: Edit::Insert { content: Box::new(Content::Layer(conv.into())), place: Place::OnLink(*link) },
    })
}
