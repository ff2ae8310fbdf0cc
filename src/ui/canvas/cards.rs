//! Painting of cards in three levels of detail, crisp at every zoom. Paints; asks nothing.

use super::metric::{Metric, Range};
use super::scene::{CardView, Scene};
use super::view::{View, font_size};
use super::volume;
use crate::layers::Arity;
use crate::plan::Severity;
use crate::ui::icons;
use crate::ui::theme::{self, Tokens, size};
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{
    Align2, Color32, CornerRadius, FontId, Mesh, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2, pos2, vec2,
};

/// Below this zoom cards are plain boxes.
pub(super) const FAR: f32 = 0.2;
/// From this zoom on everything is written on a card.
pub(super) const NEAR: f32 = 0.66;
/// Radius of a port, in units of the drawing.
pub(super) const PORT: f32 = 5.0;
/// Width of the picture at the right of a card, in units of the drawing.
const PICTURE: f32 = 58.0;
/// Room between marks and the picture in the middle level, where the picture is larger.
const MARKS_MID: f32 = 6.0;
/// Characters of a shape that have room in large letters.
const LONG_SHAPE: usize = 13;
/// Distance of the dots of the background.
const DOTS: f32 = 26.0;

/// How a card is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    pub(super) is_selected: bool,
    pub(super) is_hovered: bool,
    /// A drop would go here: fine, or not.
    pub(super) drop: Option<bool>,
    /// It is being dragged elsewhere.
    pub(super) is_lifted: bool,
    /// What its colour stands for.
    pub(super) tint: Tint,
}

/// What the colours of all cards stand for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tint {
    pub(super) metric: Metric,
    pub(super) range: Option<Range>,
}

impl Tint {
    /// The colour of a card by its figure; nothing by kind, and where there is no figure.
    pub(super) fn fill(self, card: &CardView) -> Option<Color32> {
        let range = self.range?;
        self.metric.value(card).map(|value| theme::metric(range.share(value)))
    }
}

/// Colours of a card's face and of what stands on it.
#[derive(Clone, Copy)]
struct Ink {
    face: Color32,
    strong: Color32,
    text: Color32,
    weak: Color32,
    /// Icon.
    icon: Color32,
    /// Lit and shaded sides of the picture.
    picture: [Color32; 2],
}

impl Ink {
    fn of(card: &CardView, look: Look, tokens: &Tokens) -> Self {
        let colour = tokens.family(card.family);
        if let Some(face) = look.tint.fill(card) {
            let ink = theme::on(face);
            return Self {
                face,
                strong: ink,
                text: ink,
                weak: ink,
                icon: ink,
                picture: [mix(face, ink, 0.28), mix(face, ink, 0.75)],
            };
        }
        let face = if look.is_selected { mix(tokens.card, tokens.selection, 0.55) } else { tokens.card };
        let by_kind = look.tint.metric == Metric::Kind;
        let colour = if by_kind { colour } else { tokens.text_weak };
        Self {
            face,
            strong: tokens.text_strong,
            text: tokens.text,
            weak: tokens.text_weak,
            icon: colour,
            picture: [mix(face, colour, 0.5), mix(face, colour, 0.95)],
        }
    }
}

/// The dotted ground.
pub(super) fn background(painter: &Painter, view: View, tokens: &Tokens) {
    let rect = painter.clip_rect();
    painter.rect_filled(rect, CornerRadius::ZERO, tokens.canvas);
    let mut step = DOTS * view.zoom;
    while step < 16.0 {
        step *= 2.0;
    }
    let origin = view.to_screen(Pos2::ZERO);
    let first = |from: f32, origin: f32| from + (origin - from).rem_euclid(step);
    let side = (1.4 * view.zoom).clamp(1.0, 2.0);
    let mut mesh = Mesh::default();
    let mut y = first(rect.top(), origin.y);
    while y < rect.bottom() {
        let mut x = first(rect.left(), origin.x);
        while x < rect.right() {
            mesh.add_colored_rect(Rect::from_center_size(pos2(x, y), Vec2::splat(side)), tokens.canvas_dot);
            x += step;
        }
        y += step;
    }
    painter.add(Shape::mesh(mesh));
}

/// The caption over the strip of loose parts.
pub(super) fn loose_caption(painter: &Painter, view: View, scene: &Scene, tokens: &Tokens) {
    let Some(x) =
        scene.loose_x.filter(|_| view.zoom >= FAR && scene.cards.iter().any(|card| card.arity == Arity::Zero))
    else {
        return;
    };
    let at = view.to_screen(pos2(x, -14.0));
    let font = FontId::proportional(font_size(12.0, view.zoom.max(0.7)));
    painter.text(at, Align2::LEFT_BOTTOM, "Loose parts: drag them onto a wire", font, tokens.text_weak);
}

/// All cards in sight as plain boxes, in one mesh: there may be a thousand of them.
pub(super) fn boxes(painter: &Painter, view: View, scene: &Scene, tint: Tint, tokens: &Tokens) {
    let seen = view.rect_to_world(painter.clip_rect());
    let mut mesh = Mesh::default();
    for card in scene.cards.iter().filter(|card| card.rect.intersects(seen)) {
        let rect = view.rect_to_screen(card.rect);
        let fill = match (tint.metric, tint.fill(card)) {
            (_, Some(fill)) => fill,
            (Metric::Kind, None) => mix(tokens.card, tokens.family(card.family), 0.6),
            (_, None) => tokens.card,
        };
        mesh.add_colored_rect(rect, tokens.outline);
        mesh.add_colored_rect(rect.shrink(rect.height().min(1.0) * 0.5), fill);
    }
    painter.add(Shape::mesh(mesh));
}

fn outline(card: &CardView, look: Look, tokens: &Tokens) -> Stroke {
    match (look.drop, card.has_error(), look.is_selected, look.is_hovered) {
        (Some(true), ..) => Stroke::new(2.5, tokens.ok),
        (Some(false), ..) => Stroke::new(2.5, tokens.error),
        (None, true, true, _) => Stroke::new(3.0, tokens.error),
        (None, true, ..) => Stroke::new(1.75, tokens.error),
        (None, _, true, _) => Stroke::new(2.0, tokens.accent),
        (None, _, _, true) => Stroke::new(1.0, tokens.text_weak),
        (None, ..) => Stroke::new(1.0, tokens.outline),
    }
}

/// One card. Ports are painted apart; from afar so is everything but what marks this card, see [`boxes`].
pub(super) fn paint(painter: &Painter, view: View, card: &CardView, look: Look, tokens: &Tokens) {
    let rect = view.rect_to_screen(card.rect);
    let (z, mut painter) = (view.zoom, painter.clone());
    let outline = outline(card, look, tokens);
    let radius = corner(f32::from(size::RADIUS_CARD) * z);
    if z < FAR {
        if outline.color != tokens.outline {
            painter.rect_stroke(rect.expand(1.0), radius, outline, StrokeKind::Outside);
        }
        return;
    }
    if look.is_lifted {
        painter.multiply_opacity(0.35);
    }
    let ink = Ink::of(card, look, tokens);
    if z >= 0.35 {
        if card.is_group {
            // Cards behind: there is more inside; the more copies, the more cards.
            let count = if card.repeat.is_some() { 2 } else { 1 };
            for at in (1..=count).rev() {
                let behind = rect.translate(vec2(4.0, 4.0) * z * at as f32);
                painter.rect(behind, radius, tokens.card, Stroke::new(1.0, tokens.outline), StrokeKind::Inside);
            }
        }
        let shadow = egui::Shadow { offset: [0, 2], blur: 8, spread: 0, color: tokens.shadow.gamma_multiply(0.6) };
        painter.add(shadow.as_shape(rect, radius));
    }
    // The bar of the family: the whole card in its colour, and the card's face over the rest.
    painter.rect_filled(rect, radius, tokens.family(card.family));
    let face = Rect::from_min_max(rect.min + vec2((5.0 * z).max(2.0), 0.0), rect.max);
    painter.rect_filled(face, CornerRadius { nw: 0, sw: 0, ..radius }, ink.face);
    if card.is_bypassed {
        // As if it were not there: an outline with gaps.
        let r = rect.shrink(0.5);
        let corners = [r.left_top(), r.right_top(), r.right_bottom(), r.left_bottom(), r.left_top()];
        let dash = Stroke::new(outline.width.max(1.5), if look.is_selected { tokens.accent } else { tokens.text });
        painter.extend(Shape::dashed_line(&corners, dash, 7.0 * z.max(0.5), 5.0 * z.max(0.5)));
        painter.multiply_opacity(0.55);
    } else {
        painter.rect_stroke(rect, radius, outline, StrokeKind::Inside);
    }
    let at = |x: f32, y: f32| rect.min + vec2(x, y) * z;
    let icon = |x: f32, y: f32, side: f32| Rect::from_min_size(at(x, y), Vec2::splat(side * z));
    let line = |place: Pos2, align: Align2, text: &str, points: f32, colour: Color32, room: f32| {
        write(&painter, place, align, text, points * z, colour, room * z, false)
    };
    let text_right = card.rect.width() - PICTURE;
    let left = Align2::LEFT_CENTER;
    if z < NEAR {
        if let Some(volume) = card.volume {
            volume::paint(&painter, volume, at(text_right + PICTURE * 0.46, 39.0), z * 1.25, ink.picture);
        }
        icons::paint(&painter, &card.icon, icon(15.0, 14.0, 30.0), ink.icon);
        let marks = marks(&painter, card, at(text_right - MARKS_MID, 24.0), 24.0 * z, ink, tokens);
        let room = (text_right - MARKS_MID) * z - marks - 54.0 * z;
        write(&painter, at(54.0, 26.0), left, &card.name, 26.0 * z, ink.strong, room, true);
        // As large as it fits: a shape is never cut.
        let points = if card.shape.chars().count() > LONG_SHAPE { 18.0 } else { 23.0 };
        line(at(15.0, 58.0), left, &card.shape, points, ink.text, text_right - 15.0);
        return;
    }
    if let Some(volume) = card.volume {
        volume::paint(&painter, volume, at(text_right + PICTURE * 0.46, 32.0), z, ink.picture);
    }
    icons::paint(&painter, &card.icon, icon(15.0, 12.0, 22.0), ink.icon);
    let marks = marks(&painter, card, at(text_right, 18.0), 16.0 * z, ink, tokens);
    let room = text_right * z - marks - 46.0 * z;
    write(&painter, at(46.0, 16.0), left, &card.name, 14.0 * z, ink.strong, room, true);
    line(at(46.0, 32.0), left, &card.kind, 11.0, ink.weak, text_right - 46.0);
    let shape_width = line(at(15.0, 51.0), left, &card.shape, 12.0, ink.text, text_right - 15.0) / z;
    let room = text_right - 25.0 - shape_width;
    line(at(text_right, 51.0), Align2::RIGHT_CENTER, &card.params, 11.0, ink.weak, room);
    match look.tint.metric.value(card).filter(|_| look.tint.range.is_some()) {
        Some(value) => {
            let figure = look.tint.metric.text(value);
            line(at(15.0, 67.0), left, &figure, 11.0, ink.strong, text_right);
        }
        None if look.tint.metric == Metric::Kind => {
            ram_bar(&painter, card, at(15.0, 66.0), (card.rect.width() - 27.0) * z, z, tokens);
        }
        None => {}
    }
}

/// Where the figures of a card stand, on the screen: shape, parameters, share of RAM (or the figure of its colour).
pub(super) fn figure_rects(view: View, card: &CardView) -> [Rect; 3] {
    let rect = view.rect_to_screen(card.rect);
    let part = |x: std::ops::RangeInclusive<f32>, y: std::ops::RangeInclusive<f32>| {
        Rect::from_min_max(
            rect.min + vec2(*x.start(), *y.start()) * view.zoom,
            rect.min + vec2(*x.end(), *y.end()) * view.zoom,
        )
    };
    let text_right = card.rect.width() - PICTURE;
    let middle = text_right * 0.5;
    [
        part(12.0..=middle, 43.0..=59.0),
        part(middle..=text_right, 43.0..=59.0),
        part(12.0..=card.rect.width() - 8.0, 60.0..=75.0),
    ]
}

/// The share of RAM: a thin bar and its percentage.
fn ram_bar(painter: &Painter, card: &CardView, at: Pos2, room: f32, z: f32, tokens: &Tokens) {
    if card.ram_share <= 0.0 {
        return;
    }
    let percent = card.ram_share * 100.0;
    let label = if percent < 1.0 { "< 1 %".to_owned() } else { format!("{percent:.0} %") };
    write(painter, pos2(at.x + room, at.y), Align2::RIGHT_CENTER, &label, 10.0 * z, tokens.text_weak, 40.0 * z, false);
    let track = Rect::from_min_size(pos2(at.x, at.y - 1.5 * z), vec2(room - 40.0 * z, 3.0 * z));
    painter.rect_filled(track, corner(1.5 * z), tokens.track);
    let filled =
        Rect::from_min_size(track.min, vec2((track.width() * card.ram_share.min(1.0)).max(2.0 * z), track.height()));
    let colour = if card.ram_share > 0.4 { tokens.warning } else { tokens.bar };
    painter.rect_filled(filled, corner(1.5 * z), colour);
}

/// Marks at the right of the first line: problem, frozen, copies. Gives the width they take.
fn marks(painter: &Painter, card: &CardView, right: Pos2, side: f32, ink: Ink, tokens: &Tokens) -> f32 {
    let is_plain = ink.face == tokens.card || ink.strong == tokens.text_strong;
    let marked = |colour: Color32| if is_plain { colour } else { ink.strong };
    let mut x = right.x;
    let square = |x: f32| Rect::from_min_size(pos2(x - side, right.y - side / 2.0), Vec2::splat(side));
    if let Some(found) = card.worst() {
        let colour = if found.severity == Severity::Error { tokens.error } else { tokens.warning };
        icons::paint(painter, "problem", square(x), marked(colour));
        x -= side * 1.25;
    }
    if card.is_frozen {
        icons::paint(painter, "frozen", square(x), marked(tokens.accent));
        x -= side * 1.25;
    }
    if let Some(copies) = card.repeat {
        let font = side * 0.8;
        let taken = write(
            painter,
            pos2(x, right.y),
            Align2::RIGHT_CENTER,
            &format!("×{copies}"),
            font,
            marked(tokens.accent),
            side * 4.0,
            true,
        );
        x -= taken + side * 0.3;
    }
    right.x - x
}

/// Where the problem mark of a card is, on the screen.
pub(super) fn problem_rect(view: View, card: &CardView) -> Rect {
    let (y, side) = if view.zoom < NEAR { (24.0, 24.0) } else { (18.0, 16.0) };
    let right = view.rect_to_screen(card.rect).min
        + vec2(card.rect.width() - PICTURE - if view.zoom < NEAR { MARKS_MID } else { 0.0 }, y) * view.zoom;
    let side = side * view.zoom;
    Rect::from_min_size(pos2(right.x - side, right.y - side / 2.0), Vec2::splat(side)).expand(3.0)
}

/// A port: a small circle.
pub(super) fn port(painter: &Painter, view: View, at: Pos2, is_active: bool, tokens: &Tokens) {
    let (radius, edge) = if is_active { (PORT * 1.4, tokens.accent) } else { (PORT * 0.8, tokens.wire) };
    let width = (1.5 * view.zoom).clamp(1.0, 2.0);
    painter.circle(view.to_screen(at), radius * view.zoom.clamp(0.4, 2.0), tokens.card, Stroke::new(width, edge));
}

/// One line of text, cut with "…" where it has no room; `points` are on the screen. Gives its width.
pub(crate) fn write(
    painter: &Painter,
    at: Pos2,
    align: Align2,
    text: &str,
    points: f32,
    colour: Color32,
    room: f32,
    is_bold: bool,
) -> f32 {
    if text.is_empty() || room < 4.0 {
        return 0.0;
    }
    let points = font_size(points, 1.0);
    let font = if is_bold { theme::semibold(points) } else { FontId::proportional(points) };
    let format = TextFormat::simple(font, colour);
    let mut job = LayoutJob::single_section(text.to_owned(), format);
    job.wrap = TextWrapping::truncate_at_width(room);
    let galley = painter.layout_job(job);
    let rect = align.anchor_size(at, galley.size());
    painter.galley(rect.min, galley, colour);
    rect.width()
}

fn corner(radius: f32) -> CornerRadius {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
    CornerRadius::same(radius.round().clamp(0.0, 255.0) as u8)
}

fn mix(a: Color32, b: Color32, t: f32) -> Color32 {
    a.lerp_to_gamma(b, t)
}
