//! Wires: smooth curves from card to card that keep to the lanes of the layout. Geometry and painting; no gestures.

use super::scene::{CardView, Scene};
use super::view::View;
use crate::graph::{Link, NodeId};
use crate::plan::{Gap, Route, Severity};
use crate::ui::theme::{Tokens, size};
use egui::{Color32, Painter, Pos2, Rect, Shape, Stroke, Vec2, epaint::CubicBezierShape, pos2};

/// Pieces into which a curve is cut for measuring distances.
const PIECES: u8 = 10;

/// Length of the end of a wire that is missing, in units of the drawing.
const GAP: f32 = 20.0;

/// One wire in the drawing.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) link: Link,
    pub(super) points: Vec<Pos2>,
    /// Its points when nothing moves.
    home: Vec<Pos2>,
    pub(super) bounds: Rect,
    /// How bad it is what it carries, if something is wrong.
    pub(super) severity: Option<Severity>,
    line: Vec<Pos2>,
}

impl Wire {
    pub(super) fn new(route: &Route, severity: Option<Severity>) -> Self {
        let points: Vec<Pos2> = route.points.iter().map(|&[x, y]| pos2(x, y)).collect();
        let mut wire =
            Self { link: route.link, home: points.clone(), points, bounds: Rect::NOTHING, severity, line: Vec::new() };
        wire.measure();
        wire
    }

    fn measure(&mut self) {
        self.line = self.points.windows(2).flat_map(|pair| flatten(pair[0], pair[1])).collect();
        self.bounds = Rect::from_points(&self.line);
    }

    /// Shows it off its place: its ends go with their cards, what lies between in proportion.
    pub(super) fn displace(&mut self, from: Vec2, to: Vec2) {
        let last = self.home.len().saturating_sub(1).max(1) as f32;
        let moved = |(i, at): (usize, &Pos2)| *at + from + (to - from) * (i as f32 / last);
        self.points = self.home.iter().enumerate().map(moved).collect();
        self.measure();
    }

    /// Where it enters its card.
    pub(super) fn end(&self) -> Pos2 {
        self.points.last().copied().unwrap_or_default()
    }

    /// The colour of what is wrong with it.
    pub(super) fn problem(&self, tokens: &Tokens) -> Option<Color32> {
        self.severity.map(|severity| colour_of(severity, tokens))
    }

    /// The middle of it.
    pub(super) fn middle(&self) -> Pos2 {
        let half = self.line.len() / 2;
        match self.line.len() {
            0 => Pos2::ZERO,
            len if len.is_multiple_of(2) => self.line[half - 1].lerp(self.line[half], 0.5),
            _ => self.line[half],
        }
    }

    /// Distance of a point, if within `reach`.
    pub(super) fn distance(&self, at: Pos2, reach: f32) -> Option<f32> {
        if !self.bounds.expand(reach).contains(at) {
            return None;
        }
        let nearest = self.line.windows(2).map(|pair| to_segment(at, pair[0], pair[1])).fold(f32::INFINITY, f32::min);
        (nearest <= reach).then_some(nearest)
    }

    /// Paints it.
    pub(super) fn paint(&self, painter: &Painter, view: View, stroke: Stroke) {
        for pair in self.points.windows(2) {
            curve(painter, view.to_screen(pair[0]), view.to_screen(pair[1]), stroke);
        }
    }
}

/// A curve between two points of the screen that leaves and arrives vertically.
pub(super) fn curve(painter: &Painter, from: Pos2, to: Pos2, stroke: Stroke) {
    if (from.x - to.x).abs() < 0.5 {
        painter.line_segment([from, to], stroke);
        return;
    }
    painter.add(CubicBezierShape::from_points_stroke(controls(from, to), false, Color32::TRANSPARENT, stroke));
}

fn controls(from: Pos2, to: Pos2) -> [Pos2; 4] {
    let middle = f32::midpoint(from.y, to.y);
    [from, pos2(from.x, middle), pos2(to.x, middle), to]
}

fn flatten(from: Pos2, to: Pos2) -> Vec<Pos2> {
    if (from.x - to.x).abs() < 0.5 {
        return vec![from, to];
    }
    let [start, leave, arrive, end] = controls(from, to).map(Pos2::to_vec2);
    (0..=PIECES)
        .map(|i| {
            let t = f32::from(i) / f32::from(PIECES);
            let u = 1.0 - t;
            (start * (u * u * u) + leave * (3.0 * u * u * t) + arrive * (3.0 * u * t * t) + end * (t * t * t)).to_pos2()
        })
        .collect()
}

fn to_segment(at: Pos2, a: Pos2, b: Pos2) -> f32 {
    let along = b - a;
    let t = if along.length_sq() > 0.0 { ((at - a).dot(along) / along.length_sq()).clamp(0.0, 1.0) } else { 0.0 };
    (a + along * t - at).length()
}

/// Paints all wires that are in sight; those of the selection are bright, bad ones in their colour, `lit` is where a drop would go.
pub(super) fn paint_all(
    painter: &Painter,
    view: View,
    scene: &Scene,
    selection: &[NodeId],
    lit: Option<Link>,
    tokens: &Tokens,
) {
    let seen = view.rect_to_world(painter.clip_rect()).expand(8.0 / view.zoom);
    let width = (size::WIRE * view.zoom).clamp(1.0, 3.0);
    let mut above = Vec::new();
    for wire in scene.wires.iter().filter(|wire| wire.bounds.intersects(seen)) {
        if lit == Some(wire.link) {
            above.push((wire, Stroke::new(width * 2.4, tokens.ok)));
        } else if let Some(colour) = wire.problem(tokens) {
            above.push((wire, Stroke::new(width * 1.4, colour)));
        } else if selection.contains(&wire.link.from) || selection.contains(&wire.link.to) {
            above.push((wire, Stroke::new(width * 1.2, tokens.wire_active)));
        } else if view.zoom < super::cards::FAR {
            for pair in wire.points.windows(2) {
                let ends = [view.to_screen(pair[0]), view.to_screen(pair[1])];
                painter.add(Shape::line_segment(ends, Stroke::new(width, tokens.wire)));
            }
        } else {
            wire.paint(painter, view, Stroke::new(width, tokens.wire));
        }
    }
    for (wire, stroke) in above {
        wire.paint(painter, view, stroke);
    }
}

/// Ends of wires that are missing: short and broken, with a cross at their end.
pub(super) fn paint_gaps(painter: &Painter, view: View, scene: &Scene, tokens: &Tokens) {
    if view.zoom < super::cards::FAR {
        return;
    }
    let width = (size::WIRE * view.zoom * 1.4).clamp(1.0, 3.0);
    for card in &scene.cards {
        for (gap, severity) in card.gaps() {
            let [from, to] = gap_ends(card, gap).map(|at| view.to_screen(at));
            if !painter.clip_rect().expand(GAP).contains(to) {
                continue;
            }
            let stroke = Stroke::new(width, colour_of(severity, tokens));
            painter.extend(Shape::dashed_line(&[from, to], stroke, 4.0, 3.0));
            let arm = 3.5 * view.zoom.clamp(0.6, 1.5);
            for turn in [1.0, -1.0] {
                painter.line_segment([to - Vec2::new(arm, arm * turn), to + Vec2::new(arm, arm * turn)], stroke);
            }
        }
    }
}

/// Where the end of a wire that is missing begins at its card, and where it breaks off.
pub(super) fn gap_ends(card: &CardView, gap: Gap) -> [Pos2; 2] {
    let (from, away) = match gap {
        Gap::Input => (card.rect.center_top(), -1.0),
        Gap::Output => (card.output(), 1.0),
    };
    [from, from + Vec2::new(0.0, GAP * away)]
}

fn colour_of(severity: Severity, tokens: &Tokens) -> Color32 {
    if severity == Severity::Error { tokens.error } else { tokens.warning }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_beside_a_straight_wire_is_as_far_as_it_looks() {
        let link = Link { from: NodeId(1), from_port: 0, to: NodeId(2), to_port: 0 };
        let wire = Wire::new(&Route { link, points: vec![[10.0, 0.0], [10.0, 40.0]] }, None);
        assert_eq!(wire.distance(pos2(13.0, 20.0), 5.0), Some(3.0));
        assert_eq!(wire.distance(pos2(17.0, 20.0), 5.0), None);
        // Past its lower end: 3 to the side and 4 down.
        assert_eq!(wire.distance(pos2(13.0, 44.0), 6.0), Some(5.0));
    }
}
