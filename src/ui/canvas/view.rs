//! Pan and zoom of the canvas: where a point of the drawing is on the screen. Knows nothing of networks.

use egui::{Pos2, Rect, Vec2, pos2, vec2};

/// Smallest and largest zoom.
const ZOOM: std::ops::RangeInclusive<f32> = 0.03..=4.0;
/// Free space around a fitted drawing, in points.
const MARGIN: f32 = 24.0;
/// Least zoom at which cards can be read; a drawing that needs less is shown from its start on.
pub(super) const READABLE: f32 = 0.4;
/// Zoom of a drawing that is shown from its start on.
const START: f32 = 0.5;

/// Distance from an edge of the canvas at which a drag pulls the view along.
const EDGE: f32 = 30.0;
/// How fast it is pulled at the edge, in points a second.
const PULL: f32 = 700.0;

/// The view onto the drawing: `screen = origin + pan + point · zoom`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct View {
    /// Upper left corner of the canvas on the screen.
    pub(super) origin: Pos2,
    /// Shift in points of the screen.
    pub(super) pan: Vec2,
    /// Points of the screen per unit of the drawing.
    pub(super) zoom: f32,
}

impl Default for View {
    fn default() -> Self {
        Self { origin: Pos2::ZERO, pan: Vec2::ZERO, zoom: 1.0 }
    }
}

impl View {
    pub(super) fn to_screen(self, point: Pos2) -> Pos2 {
        self.origin + self.pan + point.to_vec2() * self.zoom
    }

    pub(super) fn to_world(self, point: Pos2) -> Pos2 {
        ((point - self.origin - self.pan) / self.zoom).to_pos2()
    }

    pub(super) fn rect_to_screen(self, rect: Rect) -> Rect {
        Rect::from_min_max(self.to_screen(rect.min), self.to_screen(rect.max))
    }

    pub(super) fn rect_to_world(self, rect: Rect) -> Rect {
        Rect::from_min_max(self.to_world(rect.min), self.to_world(rect.max))
    }

    /// Zooms so that the point under `at` stays there.
    pub(super) fn zoom_about(&mut self, at: Pos2, factor: f32) {
        let zoom = (self.zoom * factor).clamp(*ZOOM.start(), *ZOOM.end());
        let from_corner = at - self.origin - self.pan;
        self.pan += from_corner * (1.0 - zoom / self.zoom);
        self.zoom = zoom;
    }

    /// Brings a point of the drawing to the middle of a canvas of `size`.
    pub(super) fn centre_on(&mut self, point: Pos2, size: Vec2) {
        self.pan = size / 2.0 - point.to_vec2() * self.zoom;
    }

    /// Shows all of `world` in the middle of a canvas of `size`, never larger than life.
    pub(super) fn fit(&mut self, world: Rect, size: Vec2) {
        let room = (size - Vec2::splat(2.0 * MARGIN)).max(Vec2::splat(1.0));
        let wanted = world.size().max(Vec2::splat(1.0));
        self.zoom = (room.x / wanted.x).min(room.y / wanted.y).clamp(*ZOOM.start(), 1.0);
        self.pan = size / 2.0 - world.center().to_vec2() * self.zoom;
    }

    /// Shows `world` from its top on, large enough to read, with `first` in the middle where not all has room side by side.
    pub(super) fn fit_start(&mut self, world: Rect, first: Rect, size: Vec2) {
        self.zoom = START;
        let x = if world.width() * START + 2.0 * MARGIN > size.x { first.center().x } else { world.center().x };
        self.pan = vec2(size.x / 2.0 - x * START, MARGIN - world.top() * START);
    }

    /// Wheel, pinch, and dragging with the middle button or with the space bar held. Whether the view is being dragged, as
    /// it was before, or from a press on the canvas on.
    pub(super) fn navigate(
        &mut self,
        ui: &egui::Ui,
        canvas: &egui::Response,
        was_dragged: bool,
        may_drag: bool,
    ) -> bool {
        let is_over = canvas.contains_pointer();
        if is_over {
            self.wheel(ui, canvas.id);
        }
        let (wanted, from, moved) = ui.input(|i| {
            let wanted = i.pointer.middle_down() || (i.pointer.primary_down() && i.key_down(egui::Key::Space));
            let from = i.pointer.press_origin();
            // The way to the place of the press is no part of the drag.
            let since_press = from.zip(i.pointer.latest_pos()).map(|(from, to)| to - from);
            (wanted, from, since_press.filter(|_| i.pointer.any_pressed()).unwrap_or_else(|| i.pointer.delta()))
        });
        let starts = may_drag && is_over && from.is_some_and(|from| canvas.rect.contains(from));
        let is_dragged = wanted && (was_dragged || starts);
        if is_dragged {
            self.pan += moved;
        }
        is_dragged
    }

    fn wheel(&mut self, ui: &egui::Ui, canvas: egui::Id) {
        let (pointer, pinch, scroll, shift, from_wheel) = ui.input(|i| {
            // A wheel counts in lines and zooms; a trackpad counts in points and pans.
            let from_wheel = i.raw.events.iter().rev().find_map(|event| match event {
                egui::Event::MouseWheel { unit, .. } => Some(*unit != egui::MouseWheelUnit::Point),
                _ => None,
            });
            (i.pointer.latest_pos(), i.zoom_delta(), i.smooth_scroll_delta(), i.modifiers.shift, from_wheel)
        });
        let memory = canvas.with("wheel");
        if let Some(kind) = from_wheel {
            ui.data_mut(|data| data.insert_temp(memory, kind));
        }
        let from_wheel = ui.data(|data| data.get_temp(memory)).unwrap_or(true);
        let Some(at) = pointer else { return };
        if (pinch - 1.0).abs() > f32::EPSILON {
            self.zoom_about(at, pinch);
        } else if scroll != Vec2::ZERO {
            if from_wheel && !shift {
                self.zoom_about(at, (scroll.y * 0.003).exp());
            } else {
                self.pan += scroll;
            }
        }
    }
}

/// How fast the view follows a drag that comes near an edge of the canvas, in points a second.
pub(super) fn pull(at: Pos2, canvas: Rect) -> Vec2 {
    let along = |at: f32, low: f32, high: f32| {
        let depth = if at < low + EDGE { low + EDGE - at } else { (high - EDGE - at).min(0.0) };
        (depth / EDGE).clamp(-1.0, 1.0) * PULL
    };
    if !canvas.expand(EDGE).contains(at) {
        return Vec2::ZERO;
    }
    vec2(along(at.x, canvas.left(), canvas.right()), along(at.y, canvas.top(), canvas.bottom()))
}

/// A size for text on the screen, in half pixels, so that zooming does not fill the font atlas.
pub(super) fn font_size(points: f32, zoom: f32) -> f32 {
    ((points * zoom * 2.0).round() / 2.0).max(1.0)
}

/// A rectangle of the drawing.
pub(super) fn rect_of(card: crate::plan::Card) -> Rect {
    Rect::from_min_size(pos2(card.x, card.y), vec2(card.width, card.height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zooming_keeps_the_point_under_the_pointer() {
        let mut view = View { origin: pos2(10.0, 20.0), pan: vec2(3.0, 4.0), zoom: 0.8 };
        let at = pos2(300.0, 200.0);
        let before = view.to_world(at);
        view.zoom_about(at, 1.7);
        assert!((view.to_world(at) - before).length() < 1e-3);
        assert!((view.zoom - 1.36).abs() < 1e-6);
    }

    #[test]
    fn a_drag_pulls_the_view_along_only_near_an_edge() {
        let canvas = Rect::from_min_size(Pos2::ZERO, vec2(800.0, 600.0));
        assert_eq!(pull(pos2(400.0, 300.0), canvas), Vec2::ZERO);
        assert_eq!(pull(pos2(400.0, 900.0), canvas), Vec2::ZERO, "somewhere else altogether");
        let below = pull(pos2(400.0, 590.0), canvas);
        assert!(below.y < 0.0 && below.x == 0.0, "what lies below comes up: {below:?}");
        assert!(pull(pos2(2.0, 300.0), canvas).x > 0.0);
    }

    #[test]
    fn what_is_too_long_to_read_is_shown_from_its_top_on() {
        let mut view = View::default();
        let (canvas, top) = (vec2(800.0, 600.0), Rect::from_min_size(pos2(0.0, -20.0), vec2(256.0, 78.0)));
        view.fit_start(Rect::from_min_size(pos2(0.0, -20.0), vec2(256.0, 9_000.0)), top, canvas);
        let first = view.rect_to_screen(top);
        assert!(view.zoom >= READABLE && (first.center().x - 400.0).abs() < 1.0);
        assert!(first.top() > 0.0 && first.top() < 60.0, "{first:?}");
    }

    #[test]
    fn fitting_shows_everything_and_does_not_enlarge() {
        let mut view = View::default();
        let canvas = vec2(800.0, 600.0);
        view.fit(Rect::from_min_size(pos2(-50.0, 0.0), vec2(100.0, 3_000.0)), canvas);
        let seen = view.rect_to_world(Rect::from_min_size(Pos2::ZERO, canvas));
        assert!(seen.contains(pos2(-50.0, 0.0)) && seen.contains(pos2(50.0, 3_000.0)));
        view.fit(Rect::from_min_size(Pos2::ZERO, vec2(10.0, 10.0)), canvas);
        assert!((view.zoom - 1.0).abs() < 1e-6);
    }
}
