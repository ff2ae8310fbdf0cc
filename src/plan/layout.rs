//! The drawing of a graph, derived from it: tidy layers from top to bottom. No coordinates are ever stored.

use crate::graph::{Graph, Link, NodeId};
use std::collections::HashMap;

/// A rectangle in drawing units (points at 100 %).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Card {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// The route of a link: a chain of points from the lower edge of one card to the upper edge of another.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// The link.
    pub link: Link,
    /// Points; a smooth curve goes through them.
    pub points: Vec<[f32; 2]>,
}

/// Where everything is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Layout {
    /// Cards, in stored order.
    pub cards: Vec<(NodeId, Card)>,
    /// Links, in stored order.
    pub routes: Vec<Route>,
    /// Size of the whole drawing.
    pub size: [f32; 2],
    /// Left edge of the strip of loose parts, if there are any.
    pub loose_x: Option<f32>,
}

impl Layout {
    /// The card of a node.
    pub fn card(&self, id: NodeId) -> Option<Card> {
        self.cards.iter().find(|(other, _)| *other == id).map(|(_, card)| *card)
    }
}

/// Sizes of cards, in drawing units.
pub const CARD: [f32; 2] = [232.0, 76.0];
const GAP_X: f32 = 40.0;
const GAP_Y: f32 = 36.0;

/// Draws a graph: each card below all that feed it, branches side by side in stored order, loose parts in a strip beside.
pub fn layout(graph: &Graph) -> Layout {
    let index: HashMap<NodeId, usize> = graph.index();
    let (order, rest) = graph.topological();
    let mut depth = vec![0_usize; graph.nodes.len()];
    for &at in order.iter().chain(&rest) {
        for link in graph.links.iter().filter(|link| index.get(&link.to) == Some(&at)) {
            if let Some(&from) = index.get(&link.from) {
                depth[at] = depth[at].max(depth[from] + 1);
            }
        }
    }
    let mut lanes: HashMap<usize, usize> = HashMap::new();
    let mut result = Layout::default();
    for (at, node) in graph.nodes.iter().enumerate() {
        let lane = lanes.entry(depth[at]).or_default();
        let (x, y) = (*lane as f32 * (CARD[0] + GAP_X), depth[at] as f32 * (CARD[1] + GAP_Y));
        *lane += 1;
        result.cards.push((node.id, Card { x, y, width: CARD[0], height: CARD[1] }));
        result.size = [result.size[0].max(x + CARD[0]), result.size[1].max(y + CARD[1])];
    }
    for link in &graph.links {
        if let (Some(from), Some(to)) = (result.card(link.from), result.card(link.to)) {
            let points = vec![[from.x + from.width / 2.0, from.y + from.height], [to.x + to.width / 2.0, to.y]];
            result.routes.push(Route { link: *link, points });
        }
    }
    result
}
