//! The drawing of a graph, derived from it: tidy layers from top to bottom. No coordinates are ever stored.
//!
//! Each card lies one row below the lowest card that feeds it; columns come from [`super::columns`]. A link that passes rows
//! has a narrow lane of its own in each of them, so no wire runs through a card. Pure; knows neither egui nor costs.

use super::columns::{Cell, Grid};
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
    /// Points; a smooth curve goes through them, vertical in each point.
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
    index: HashMap<NodeId, usize>,
}

impl Layout {
    /// The card of a node.
    pub fn card(&self, id: NodeId) -> Option<Card> {
        self.index.get(&id).and_then(|&at| self.cards.get(at)).map(|(_, card)| *card)
    }
}

/// Size of a card, in drawing units.
pub const CARD: [f32; 2] = [256.0, 78.0];
/// Between cards of a row.
const GAP_X: f32 = 32.0;
/// Between rows.
const GAP_Y: f32 = 32.0;
/// Between neighbouring wires that enter a card.
const PORT_GAP: f32 = 26.0;
/// Between the network and the strip of loose parts.
const STRIP_GAP: f32 = 96.0;
/// Lanes past which the longest links run outside around everything, so that dense graphs stay quick.
const MAX_LANES: usize = 6_000;
/// Places side by side for links that run outside.
const OUTSIDE: usize = 64;

/// Draws a graph: each card below all that feed it, branches side by side in stored order, loose parts in a strip beside.
pub fn layout(graph: &Graph) -> Layout {
    let wiring = Wiring::new(graph);
    let mut result = Layout { index: wiring.index.clone(), ..Layout::default() };
    result.cards = graph.nodes.iter().map(|node| (node.id, Card::default())).collect();
    let mut routes: Vec<Option<Vec<[f32; 2]>>> = vec![None; graph.links.len()];

    let (network, loose) = wiring.parts(graph);
    let mut corner = [0.0_f32, 0.0];
    if !network.is_empty() {
        let size = wiring.draw(&network, corner, &mut result.cards, &mut routes);
        result.size = size;
        corner[0] = size[0] + STRIP_GAP;
    }
    if !loose.is_empty() {
        result.loose_x = Some(corner[0]);
    }
    for part in loose {
        let size = wiring.draw(&part, corner, &mut result.cards, &mut routes);
        result.size = [result.size[0].max(corner[0] + size[0]), result.size[1].max(corner[1] + size[1])];
        corner[1] += size[1] + GAP_Y;
    }
    result.routes = graph
        .links
        .iter()
        .zip(routes)
        .filter_map(|(link, points)| points.map(|points| Route { link: *link, points }))
        .collect();
    result
}

/// The graph by indices: who feeds whom, through which link.
struct Wiring {
    index: HashMap<NodeId, usize>,
    /// By link: indices of its ends.
    ends: Vec<Option<(usize, usize)>>,
    /// By node: links out.
    out: Vec<Vec<usize>>,
    /// By node: links in.
    into: Vec<Vec<usize>>,
    depth: Vec<usize>,
}

impl Wiring {
    fn new(graph: &Graph) -> Self {
        let index = graph.index();
        let ends: Vec<_> = graph
            .links
            .iter()
            .map(|link| Some((*index.get(&link.from)?, *index.get(&link.to)?)).filter(|(from, to)| from != to))
            .collect();
        let count = graph.nodes.len();
        let (mut out, mut into) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        for (link, pair) in ends.iter().enumerate() {
            if let Some((from, to)) = *pair {
                out[from].push(link);
                into[to].push(link);
            }
        }
        let mut wiring = Self { index, ends, out, into, depth: vec![0; count] };
        let (order, rest) = graph.topological();
        let mut placed = vec![false; count];
        for at in order.into_iter().chain(rest) {
            let above = wiring.into[at].iter().filter_map(|&link| wiring.ends[link]).filter(|&(from, _)| placed[from]);
            wiring.depth[at] = above.map(|(from, _)| wiring.depth[from] + 1).max().unwrap_or(0);
            placed[at] = true;
        }
        wiring
    }

    /// The nodes joined with any Input, and the other connected parts one by one; all in stored order.
    fn parts(&self, graph: &Graph) -> (Vec<usize>, Vec<Vec<usize>>) {
        let mut part = vec![usize::MAX; graph.nodes.len()];
        let mut parts: Vec<(bool, Vec<usize>)> = Vec::new();
        for start in 0..graph.nodes.len() {
            if part[start] != usize::MAX {
                continue;
            }
            let (mut stack, mut members, mut has_input) = (vec![start], Vec::new(), false);
            part[start] = parts.len();
            while let Some(at) = stack.pop() {
                members.push(at);
                has_input |= graph.nodes[at].content.is_input();
                for &link in self.out[at].iter().chain(&self.into[at]) {
                    let Some((from, to)) = self.ends[link] else { continue };
                    for next in [from, to] {
                        if part[next] == usize::MAX {
                            part[next] = parts.len();
                            stack.push(next);
                        }
                    }
                }
            }
            members.sort_unstable();
            parts.push((has_input, members));
        }
        let (mut network, mut loose) = (Vec::new(), Vec::new());
        for (has_input, members) in parts {
            if has_input { network.extend(members) } else { loose.push(members) }
        }
        network.sort_unstable();
        (network, loose)
    }

    /// Draws some nodes with their upper left corner at `corner`; gives width and height.
    fn draw(
        &self,
        nodes: &[usize],
        corner: [f32; 2],
        cards: &mut [(NodeId, Card)],
        routes: &mut [Option<Vec<[f32; 2]>>],
    ) -> [f32; 2] {
        let mut grid = Grid::default();
        let mut cell_of: HashMap<usize, usize> = HashMap::new();
        for &node in nodes {
            cell_of.insert(node, grid.add(Cell::card(self.depth[node], CARD[0])));
        }
        // Lanes, shortest links first, up to a limit; the others run outside.
        let span =
            |link: usize| self.ends[link].map_or(0, |(from, to)| self.depth[to].saturating_sub(self.depth[from]));
        let mut long: Vec<usize> = Vec::new();
        for &link in nodes.iter().flat_map(|&node| &self.out[node]) {
            match (span(link), self.ends[link]) {
                (1, Some((from, to))) => grid.join(cell_of[&from], cell_of[&to]),
                (2.., _) => long.push(link),
                _ => {}
            }
        }
        long.sort_by_key(|&link| (span(link), link));
        let mut lanes: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut used = 0;
        // By link: which place outside.
        let mut outside: HashMap<usize, usize> = HashMap::new();
        for link in long {
            let Some((from, to)) = self.ends[link] else { continue };
            used += span(link) - 1;
            if used > MAX_LANES {
                let place = outside.len() % OUTSIDE;
                outside.insert(link, place);
                continue;
            }
            // The only way out of a layer is a branch of its own; other long links are skips and give way to the cards.
            let is_branch = self.out[from].len() == 1;
            let mut above = cell_of[&from];
            let mut cells = Vec::new();
            for row in self.depth[from] + 1..self.depth[to] {
                let cell = grid.add(Cell::lane(row, is_branch));
                grid.join(above, cell);
                cells.push(cell);
                above = cell;
            }
            grid.join(above, cell_of[&to]);
            lanes.insert(link, cells);
        }
        let (x, mut width) = grid.columns(GAP_X);

        let top = |row: usize| corner[1] + row as f32 * (CARD[1] + GAP_Y);
        let mut height = 0.0_f32;
        for &node in nodes {
            let y = top(self.depth[node]);
            let left = corner[0] + x[cell_of[&node]] - CARD[0] / 2.0;
            cards[node].1 = Card { x: left, y, width: CARD[0], height: CARD[1] };
            height = height.max(y + CARD[1] - corner[1]);
        }
        let centre = |node: usize| corner[0] + x[cell_of[&node]];
        // Wires enter a card in the order in which they come, so that they do not cross before it.
        let arrives = |link: usize, from: usize| match lanes.get(&link).and_then(|cells| cells.last()) {
            Some(&cell) => corner[0] + x[cell],
            None if outside.contains_key(&link) => f32::INFINITY,
            None => centre(from),
        };
        for &node in nodes {
            let mut entering: Vec<(f32, usize)> =
                self.into[node].iter().filter_map(|&link| Some((arrives(link, self.ends[link]?.0), link))).collect();
            entering.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let gap = PORT_GAP.min((CARD[0] - 2.0 * PORT_GAP) / entering.len().max(1) as f32);
            // A wire from straight above stays straight; the others enter beside it.
            let straight = entering.iter().position(|(from, _)| (from - centre(node)).abs() < 1.0);
            let middle = straight.map_or((entering.len().max(1) - 1) as f32 / 2.0, |place| place as f32);
            let reach = CARD[0] / 2.0 - PORT_GAP / 2.0;
            for (place, &(_, link)) in entering.iter().enumerate() {
                let Some((from, to)) = self.ends[link] else { continue };
                let mut points = vec![[centre(from), top(self.depth[from]) + CARD[1]]];
                for &cell in lanes.get(&link).into_iter().flatten() {
                    let row = top(grid.row(cell));
                    let at = corner[0] + x[cell];
                    points.extend([[at, row], [at, row + CARD[1]]]);
                }
                if let Some(&lane) = outside.get(&link) {
                    let at = corner[0] + width + GAP_X + lane as f32 * 4.0;
                    points.extend([[at, top(self.depth[from] + 1)], [at, top(self.depth[to]) - GAP_Y]]);
                }
                let beside = ((place as f32 - middle) * gap).clamp(-reach, reach);
                points.push([centre(node) + beside, top(self.depth[to])]);
                if let Some(route) = routes.get_mut(link) {
                    *route = Some(points);
                }
            }
        }
        if !outside.is_empty() {
            width += GAP_X + OUTSIDE as f32 * 4.0;
        }
        [width, height]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Content, Node};
    use crate::layers::Layer;
    use std::sync::Arc;

    /// Nodes by kind id, links by index.
    fn graph(kinds: &[&str], links: &[(usize, usize)]) -> Graph {
        let nodes = kinds.iter().zip(0_u64..).map(|(kind, id)| {
            Arc::new(Node::new(NodeId(id), format!("n{id}"), Content::Layer(Layer::from_id(kind).unwrap())))
        });
        let mut ports: HashMap<usize, u16> = HashMap::new();
        let links = links.iter().map(|&(from, to)| {
            let port = ports.entry(to).or_default();
            *port += 1;
            Link { from: NodeId(from as u64), from_port: 0, to: NodeId(to as u64), to_port: *port - 1 }
        });
        Graph { nodes: nodes.collect(), links: links.collect() }
    }

    /// Input, then a residual block around two convolutions, then a dense layer.
    fn residual() -> Graph {
        graph(
            &["input", "conv2d", "conv2d", "conv2d", "add", "dense"],
            &[(0, 1), (1, 2), (2, 3), (3, 4), (1, 4), (4, 5)],
        )
    }

    /// Input, four branches of one to three convolutions, a concat.
    fn inception() -> Graph {
        graph(
            &["input", "conv2d", "conv2d", "conv2d", "conv2d", "conv2d", "max_pool", "conv2d", "concat"],
            &[(0, 1), (1, 8), (0, 2), (2, 3), (3, 8), (0, 4), (4, 5), (5, 8), (0, 6), (6, 7), (7, 8)],
        )
    }

    fn chain(length: usize) -> Graph {
        let mut kinds = vec!["conv2d"; length];
        kinds[0] = "input";
        let links: Vec<_> = (1..length).map(|to| (to - 1, to)).collect();
        graph(&kinds, &links)
    }

    fn centre(layout: &Layout, id: u64) -> f32 {
        let card = layout.card(NodeId(id)).unwrap();
        card.x + card.width / 2.0
    }

    /// Cards do not overlap, links go down, wires miss every card but their own two, and all lies within the size.
    fn check(graph: &Graph) -> Layout {
        let drawing = layout(graph);
        assert_eq!(drawing.cards.len(), graph.nodes.len());
        assert_eq!(drawing.routes.len(), graph.links.len());
        for (at, (id, a)) in drawing.cards.iter().enumerate() {
            assert!(a.x >= -0.01 && a.x + a.width <= drawing.size[0] + 0.01, "{id:?} {a:?} {:?}", drawing.size);
            assert!(a.y >= 0.0 && a.y + a.height <= drawing.size[1] + 0.01, "{id:?} {a:?} {:?}", drawing.size);
            for (other, b) in &drawing.cards[at + 1..] {
                let apart = a.x + a.width < b.x || b.x + b.width < a.x || a.y + a.height < b.y || b.y + b.height < a.y;
                assert!(apart, "{id:?} {a:?} overlaps {other:?} {b:?}");
            }
        }
        for route in &drawing.routes {
            let (from, to) = (drawing.card(route.link.from).unwrap(), drawing.card(route.link.to).unwrap());
            assert!(from.y + from.height < to.y, "{:?} does not go down", route.link);
            for [x, y] in curve(&route.points) {
                for (id, card) in &drawing.cards {
                    let inside =
                        x > card.x && x < card.x + card.width && y > card.y + 0.1 && y < card.y + card.height - 0.1;
                    assert!(!inside, "{:?} runs through {id:?} at {x}, {y}", route.link);
                }
            }
        }
        drawing
    }

    /// Points of the curve as it is drawn: cubic pieces with vertical ends.
    fn curve(points: &[[f32; 2]]) -> Vec<[f32; 2]> {
        points
            .windows(2)
            .flat_map(|pair| {
                let ([x0, y0], [x1, y1]) = (pair[0], pair[1]);
                (0..=16_u8).map(move |i| {
                    let t = f32::from(i) / 16.0;
                    let ease = t * t * (3.0 - 2.0 * t);
                    let middle = f32::midpoint(y0, y1);
                    let u = 1.0 - t;
                    let y = u * u * u * y0 + 3.0 * u * u * t * middle + 3.0 * u * t * t * middle + t * t * t * y1;
                    [x0 + (x1 - x0) * ease, y]
                })
            })
            .collect()
    }

    #[test]
    fn a_chain_is_one_straight_column() {
        let drawing = check(&chain(12));
        assert!((0..12).all(|id| (centre(&drawing, id) - centre(&drawing, 0)).abs() < 0.01));
        assert!((drawing.size[0] - CARD[0]).abs() < 0.01);
    }

    #[test]
    fn a_skip_leaves_the_chain_straight_and_runs_beside_it() {
        let drawing = check(&residual());
        for id in 0..6 {
            assert!((centre(&drawing, id) - centre(&drawing, 0)).abs() < 0.01, "{id}: {:?}", drawing.cards);
        }
    }

    #[test]
    fn branches_stand_side_by_side_in_stored_order_and_merge_in_the_middle() {
        let drawing = check(&inception());
        let branches = [1, 2, 4, 6].map(|id| centre(&drawing, id));
        assert!(branches.windows(2).all(|pair| pair[0] + CARD[0] < pair[1]), "{branches:?}");
        let middle = f32::midpoint(branches[0], branches[3]);
        let slack = CARD[0] / 2.0;
        assert!((centre(&drawing, 0) - middle).abs() < slack, "{} of {middle}", centre(&drawing, 0));
        assert!((centre(&drawing, 8) - middle).abs() < slack, "{} of {middle}", centre(&drawing, 8));
    }

    #[test]
    fn nested_skips_do_not_meet_cards() {
        // The shape of a U-Net: three steps down, three up, and a link across at each level.
        let kinds = [
            "input", "conv2d", "max_pool", "conv2d", "max_pool", "conv2d", "upsample", "concat", "conv2d", "upsample",
            "concat", "conv2d",
        ];
        let mut links: Vec<_> = (1..12).map(|to| (to - 1, to)).collect();
        links.extend([(3, 7), (1, 10)]);
        let drawing = check(&graph(&kinds, &links));
        assert!((1..12).all(|id| (centre(&drawing, id) - centre(&drawing, 0)).abs() < 0.01), "{:?}", drawing.cards);
    }

    #[test]
    fn what_no_input_feeds_lies_in_the_strip() {
        let drawing = check(&graph(&["input", "conv2d", "dense", "conv2d", "flatten"], &[(0, 1), (2, 4)]));
        let strip = drawing.loose_x.unwrap();
        assert!(drawing.card(NodeId(1)).unwrap().x + CARD[0] < strip);
        assert!([2, 3, 4].iter().all(|&id| drawing.card(NodeId(id)).unwrap().x >= strip));
        assert_eq!(layout(&residual()).loose_x, None);
    }

    #[test]
    fn an_edit_moves_only_what_lies_below_it() {
        let before = layout(&chain(8));
        let mut longer = chain(8);
        longer.nodes.push(Arc::new(Node::new(NodeId(99), "new", Content::Layer(Layer::from_id("conv2d").unwrap()))));
        longer.links[3].to = NodeId(99);
        longer.links.push(Link { from: NodeId(99), from_port: 0, to: NodeId(4), to_port: 0 });
        let after = check(&longer);
        assert!((0..4).all(|id| before.card(NodeId(id)) == after.card(NodeId(id))));
        assert!((4..8).all(|id| before.card(NodeId(id)).unwrap().y < after.card(NodeId(id)).unwrap().y));
    }

    #[test]
    fn every_preset_is_drawn_without_overlaps_and_the_same_each_time() {
        for preset in crate::presets::ALL {
            let graph = preset.document().graph;
            assert_eq!(check(&graph), layout(&graph), "{}", preset.id);
        }
        assert_eq!(layout(&Graph::default()), Layout::default());
    }

    /// A frame at 60 Hz is 16 ms; `make bench` measures how much of it this takes. 1,000 cards in residual blocks, a thousand
    /// and some links. The bound leaves room for a build without optimisation, the best of several times for a busy machine.
    #[test]
    fn a_thousand_cards_are_drawn_within_a_frame() {
        let mut kinds = vec!["input"];
        let mut links = Vec::new();
        while kinds.len() < 1_000 {
            let at = kinds.len();
            kinds.extend(["conv2d", "conv2d", "add"]);
            links.extend([(at - 1, at), (at, at + 1), (at + 1, at + 2), (at - 1, at + 2)]);
        }
        let graph = graph(&kinds, &links);
        let times = (0..8).map(|_| {
            let start = std::time::Instant::now();
            assert_eq!(layout(&graph).cards.len(), kinds.len());
            start.elapsed().as_millis()
        });
        assert!(times.min().is_some_and(|best| best < 150));
    }

    /// Every layer linked to every other: the longest links run outside, and it still ends quickly.
    #[test]
    fn a_dense_graph_does_not_hang() {
        let kinds: Vec<&str> = std::iter::once("input").chain(std::iter::repeat_n("concat", 150)).collect();
        let links: Vec<_> =
            (0..kinds.len()).flat_map(|from| (from + 1..kinds.len()).map(move |to| (from, to))).collect();
        let start = std::time::Instant::now();
        let drawing = layout(&graph(&kinds, &links));
        assert_eq!(drawing.routes.len(), links.len());
        // Optimised it takes a moment; without that and on a busy machine far less than what a hang would.
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }
}
