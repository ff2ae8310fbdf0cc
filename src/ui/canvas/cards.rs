//! Painting of cards in three levels of detail, crisp at every zoom. Paints; asks nothing.

use super::scene::{CardView, Scene};
use super::view::{View, font_size};
use crate::layers::Arity;
use crate::plan::Severity;
use crate::ui::icons;
use crate::ui::theme::{Tokens, size};
use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{
    Align2, Color32, CornerRadius, FontId, Mesh, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, Vec2, pos2, vec2,
};

/// Below this zoom cards are plain boxes.
pub(super) const FAR: f32 = 0.2;
/// From this zoom on everything is written on a card.
pub(super) const NEAR: f32 = 0.56;
/// Radius of a port, in units of the drawing.
pub(super) const PORT: f32 = 5.0;
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

/// One card. Ports are painted apart.
pub(super) fn paint(painter: &Painter, view: View, card: &CardView, look: Look, tokens: &Tokens) {
    let rect = view.rect_to_screen(card.rect);
    let colour = tokens.family(card.family);
    let (z, mut painter) = (view.zoom, painter.clone());
    if look.is_lifted {
        painter.multiply_opacity(0.35);
    }
    let outline = match (look.drop, card.has_error(), look.is_selected, look.is_hovered) {
        (Some(true), ..) => Stroke::new(2.5, tokens.ok),
        (Some(false), ..) => Stroke::new(2.5, tokens.error),
        (None, true, true, _) => Stroke::new(3.0, tokens.error),
        (None, true, ..) => Stroke::new(1.75, tokens.error),
        (None, _, true, _) => Stroke::new(2.0, tokens.accent),
        (None, _, _, true) => Stroke::new(1.0, tokens.text_weak),
        (None, ..) => Stroke::new(1.0, tokens.outline),
    };
    let radius = corner(f32::from(size::RADIUS_CARD) * z);
    if z >= 0.35 {
        if card.is_group {
            // A second card behind: there is more inside.
            let behind = rect.translate(vec2(4.0, 4.0) * z);
            painter.rect(behind, radius, tokens.card, Stroke::new(1.0, tokens.outline), StrokeKind::Inside);
        }
        let shadow = egui::Shadow { offset: [0, 2], blur: 8, spread: 0, color: tokens.shadow.gamma_multiply(0.6) };
        painter.add(shadow.as_shape(rect, radius));
    }
    let fill = if look.is_selected { mix(tokens.card, tokens.selection, 0.55) } else { tokens.card };
    // The bar of the family: the whole card in its colour, and the card's face over the rest.
    painter.rect_filled(rect, radius, colour);
    let face = Rect::from_min_max(rect.min + vec2((5.0 * z).max(2.0), 0.0), rect.max);
    painter.rect_filled(face, CornerRadius { nw: 0, sw: 0, ..radius }, fill);
    painter.rect_stroke(rect, radius, outline, StrokeKind::Inside);
    if z < FAR {
        painter.rect_filled(
            rect.shrink2(vec2(rect.width() * 0.1, rect.height() * 0.3)),
            radius,
            colour.gamma_multiply(0.45),
        );
        return;
    }
    let at = |x: f32, y: f32| rect.min + vec2(x, y) * z;
    let icon = |x: f32, y: f32, side: f32| Rect::from_min_size(at(x, y), Vec2::splat(side * z));
    let width = card.rect.width();
    if z < NEAR {
        icons::paint(&painter, &card.icon, icon(15.0, 14.0, 30.0), colour);
        let marks = marks(&painter, card, at(width - 10.0, 24.0), 24.0 * z, tokens);
        let room = at(width - 10.0, 0.0).x - marks - at(54.0, 0.0).x;
        write(&painter, at(54.0, 27.0), Align2::LEFT_CENTER, &card.name, 24.0 * z, tokens.text_strong, room, true);
        write(
            &painter,
            at(15.0, 60.0),
            Align2::LEFT_CENTER,
            &card.shape,
            18.0 * z,
            tokens.text,
            (width - 25.0) * z,
            false,
        );
        return;
    }
    icons::paint(&painter, &card.icon, icon(15.0, 11.0, 22.0), colour);
    let marks = marks(&painter, card, at(width - 10.0, 18.0), 16.0 * z, tokens);
    let room = at(width - 10.0, 0.0).x - marks - at(46.0, 0.0).x;
    write(&painter, at(46.0, 15.0), Align2::LEFT_CENTER, &card.name, 14.0 * z, tokens.text_strong, room, true);
    write(
        &painter,
        at(46.0, 31.0),
        Align2::LEFT_CENTER,
        &card.kind,
        11.0 * z,
        tokens.text_weak,
        (width - 56.0) * z,
        false,
    );
    let shape_width = write(
        &painter,
        at(15.0, 51.0),
        Align2::LEFT_CENTER,
        &card.shape,
        12.0 * z,
        tokens.text,
        (width - 25.0) * z,
        false,
    );
    let room = (width - 35.0) * z - shape_width;
    write(
        &painter,
        at(width - 10.0, 51.0),
        Align2::RIGHT_CENTER,
        &card.params,
        11.0 * z,
        tokens.text_weak,
        room,
        false,
    );
    ram_bar(&painter, card, at(15.0, 66.0), (width - 25.0) * z, z, tokens);
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
fn marks(painter: &Painter, card: &CardView, right: Pos2, side: f32, tokens: &Tokens) -> f32 {
    let mut x = right.x;
    let square = |x: f32| Rect::from_min_size(pos2(x - side, right.y - side / 2.0), Vec2::splat(side));
    if let Some(found) = card.worst() {
        let colour = if found.severity == Severity::Error { tokens.error } else { tokens.warning };
        icons::paint(painter, "problem", square(x), colour);
        x -= side * 1.25;
    }
    if card.is_frozen {
        icons::paint(painter, "frozen", square(x), tokens.accent);
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
            tokens.accent,
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
    let right = view.rect_to_screen(card.rect).min + vec2(card.rect.width() - 10.0, y) * view.zoom;
    let side = side * view.zoom;
    Rect::from_min_size(pos2(right.x - side, right.y - side / 2.0), Vec2::splat(side)).expand(3.0)
}

/// A port: a small circle.
pub(super) fn port(painter: &Painter, view: View, at: Pos2, is_active: bool, tokens: &Tokens) {
    let (radius, edge) = if is_active { (PORT * 1.4, tokens.accent) } else { (PORT * 0.8, tokens.wire) };
    let width = (1.5 * view.zoom).clamp(1.0, 2.0);
    painter.circle(view.to_screen(at), radius * view.zoom.clamp(0.4, 2.0), tokens.card, Stroke::new(width, edge));
}

/// The card under the pointer while something new is dragged in, with what a drop would do.
pub(super) fn ghost(painter: &Painter, at: Pos2, icon: &str, colour: Color32, name: &str, hint: &str, tokens: &Tokens) {
    let rect = Rect::from_min_size(at + vec2(12.0, 12.0), vec2(210.0, 46.0));
    let radius = CornerRadius::same(size::RADIUS_CARD);
    let shadow = egui::Shadow { offset: [0, 6], blur: 18, spread: 0, color: tokens.shadow };
    painter.add(shadow.as_shape(rect, radius));
    painter.rect(rect, radius, tokens.floating, Stroke::new(1.5, colour), StrokeKind::Inside);
    icons::paint(
        painter,
        icon,
        Rect::from_center_size(rect.left_center() + vec2(22.0, 0.0), Vec2::splat(20.0)),
        colour,
    );
    write(
        painter,
        rect.min + vec2(42.0, 15.0),
        Align2::LEFT_CENTER,
        name,
        size::FONT_BODY,
        tokens.text_strong,
        160.0,
        true,
    );
    write(
        painter,
        rect.min + vec2(42.0, 32.0),
        Align2::LEFT_CENTER,
        hint,
        size::FONT_SMALL,
        tokens.text_weak,
        160.0,
        false,
    );
}

/// One line of text, cut with "…" where it has no room; `points` are on the screen. Gives its width.
#[expect(clippy::too_many_arguments, reason = "what a line of text is")]
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
    let format = TextFormat::simple(FontId::proportional(font_size(points, 1.0)), colour);
    let mut job = LayoutJob::single_section(text.to_owned(), format);
    job.wrap = TextWrapping::truncate_at_width(room);
    let galley = painter.layout_job(job);
    let rect = align.anchor_size(at, galley.size());
    if is_bold && points >= 10.0 {
        // The font comes in one weight; a second print beside the first makes the bold one. Small text would blur.
        painter.galley(rect.min + vec2(0.4, 0.0), galley.clone(), colour);
    }
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
