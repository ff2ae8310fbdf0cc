//! A pad to draw a digit on with the mouse. Light on dark, as the digits that networks learn from.

use crate::engine::protocol::ImageRef;
use crate::ui::theme::{self, Tokens, size};
use egui::{Color32, ColorImage, Pos2, Rect, Sense, TextureHandle, TextureOptions, Ui, pos2, vec2};

/// Pixels of a side: four for each of MNIST's.
const SIDE: usize = 112;
/// Longest side of a digit after centring: 20 of 28, as MNIST's are.
const DIGIT: f32 = 80.0;

/// The pad.
pub(super) struct Pad {
    ink: Vec<f32>,
    brush: f32,
    centre: bool,
    last: Option<Pos2>,
    image: Option<ImageRef>,
    texture: Option<TextureHandle>,
}

impl std::fmt::Debug for Pad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pad").field("brush", &self.brush).finish_non_exhaustive()
    }
}

impl Default for Pad {
    fn default() -> Self {
        let ink = vec![0.0; SIDE * SIDE];
        Self { ink, brush: 5.0, centre: true, last: None, image: None, texture: None }
    }
}

impl Pad {
    /// What is drawn, for the network.
    pub(super) fn image(&mut self) -> ImageRef {
        let make = || {
            let ink = if self.centre { centred(&self.ink) } else { self.ink.clone() };
            let side = u32::try_from(SIDE).unwrap_or(u32::MAX);
            let rgb = ink.iter().flat_map(|&ink| [byte(ink); 3]).collect();
            ImageRef::Pixels { width: side, height: side, rgb }
        };
        if self.image.is_none() {
            self.image = Some(make());
        }
        self.image.clone().unwrap_or_else(make)
    }

    /// Draws the pad with its controls.
    pub(super) fn ui(&mut self, ui: &mut Ui, width: f32) {
        let tokens = Tokens::of(ui);
        let (rect, response) = ui.allocate_exact_size(egui::Vec2::splat(width), Sense::click_and_drag());
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Canvas, true, "Drawing pad"));
        if response.interact_pointer_pos().is_some() {
            let to = |at: Pos2| {
                let share = (at - rect.min) / rect.width();
                pos2(share.x * SIDE as f32, share.y * SIDE as f32)
            };
            // All of the way, not only where it has got to: corners lie between.
            for (is_start, at) in way(ui) {
                let from = self.last.filter(|_| !is_start).unwrap_or(at);
                self.stroke(to(from), to(at));
                self.last = Some(at);
            }
        } else {
            self.last = None;
        }
        if self.texture.is_none() {
            let pixels = self.ink.iter().map(|&ink| theme::gray(byte(ink))).collect();
            let image = ColorImage::new([SIDE, SIDE], pixels);
            self.texture = Some(ui.ctx().load_texture("drawing-pad", image, TextureOptions::LINEAR));
        }
        if let Some(texture) = &self.texture {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            ui.painter().image(texture.id(), rect, whole, Color32::WHITE);
        }
        ui.painter().rect_stroke(
            rect,
            2.0,
            egui::Stroke::new(1.0, if response.hovered() { tokens.accent } else { tokens.outline }),
            egui::StrokeKind::Outside,
        );
        if self.ink.iter().all(|&ink| ink <= 0.0) {
            let font = egui::FontId::proportional(size::FONT_BODY);
            ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, "Draw a digit here", font, theme::gray(170));
        }
        response.on_hover_cursor(egui::CursorIcon::Crosshair).on_hover_text("Draw with the mouse");
        ui.horizontal(|ui| {
            if ui.button("Clear").on_hover_text("Start with an empty pad").clicked() {
                self.ink.fill(0.0);
                self.changed();
            }
            let brush =
                egui::DragValue::new(&mut self.brush).range(2.0..=12.0).speed(0.1).fixed_decimals(0).suffix(" px");
            ui.add(brush).on_hover_text("Radius of the brush").accessible_name("Brush");
        });
        let centre = ui.checkbox(&mut self.centre, "Centre it");
        if centre
            .on_hover_text("Bring it to the size and place that MNIST's digits have: 20 of 28 pixels, centred by mass")
            .changed()
        {
            self.image = None;
        }
    }

    fn changed(&mut self) {
        self.image = None;
        self.texture = None;
    }

    /// A line with round ends and a soft edge.
    fn stroke(&mut self, from: Pos2, to: Pos2) {
        let along = to - from;
        let length = along.length_sq();
        // What lies further away gets no ink.
        let reach = |a: f32, b: f32| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the pad")]
            let range =
                |low: f32, high: f32| (low.clamp(0.0, SIDE as f32) as usize, high.clamp(0.0, SIDE as f32) as usize);
            let (low, high) = range(a.min(b) - self.brush - 2.0, a.max(b) + self.brush + 3.0);
            low..high
        };
        let (columns, lines) = (reach(from.x, to.x), reach(from.y, to.y));
        for y in lines {
            for x in columns.clone() {
                let at = pos2(x as f32 + 0.5, y as f32 + 0.5);
                let share = if length > 0.0 { ((at - from).dot(along) / length).clamp(0.0, 1.0) } else { 0.0 };
                let distance = (at - (from + along * share)).length();
                let ink = ((self.brush - distance) / 2.0 + 0.5).clamp(0.0, 1.0);
                if let Some(old) = self.ink.get_mut(y * SIDE + x) {
                    *old = old.max(ink);
                }
            }
        }
        self.changed();
    }
}

/// Where the pointer was in this frame, in its order, while the button was down; and whether it went down there.
fn way(ui: &Ui) -> Vec<(bool, Pos2)> {
    ui.input(|input| {
        let mut way = Vec::new();
        for event in &input.raw.events {
            match event {
                // What came before was the way to the pad.
                egui::Event::PointerButton { pos, pressed: true, .. } => way = vec![(true, *pos)],
                egui::Event::PointerButton { pos, pressed: false, .. } => {
                    way.push((false, *pos));
                    break;
                }
                egui::Event::PointerMoved(pos) => way.push((false, *pos)),
                _ => {}
            }
        }
        way
    })
}

fn byte(ink: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
    let byte = (ink.clamp(0.0, 1.0) * 255.0).round() as u8;
    byte
}

/// The drawing with its longer side at 20 of 28 and its centre of mass in the middle.
///
/// # Source
/// LeCun, Cortes and Burges, "The MNIST database": size normalised to 20 × 20, centred by mass in 28 × 28.
fn centred(ink: &[f32]) -> Vec<f32> {
    let at = |x: usize, y: usize| ink.get(y * SIDE + x).copied().unwrap_or(0.0);
    let (mut low, mut high, mut mass, mut sum) = ([SIDE; 2], [0; 2], 0.0_f32, vec2(0.0, 0.0));
    for y in 0..SIDE {
        for x in 0..SIDE {
            let ink = at(x, y);
            if ink > 0.05 {
                (low[0], low[1]) = (low[0].min(x), low[1].min(y));
                (high[0], high[1]) = (high[0].max(x + 1), high[1].max(y + 1));
            }
            mass += ink;
            sum += vec2(x as f32 + 0.5, y as f32 + 0.5) * ink;
        }
    }
    if mass <= 0.0 || high[0] <= low[0] {
        return ink.to_vec();
    }
    let centre = sum / mass;
    let scale = (high[0] - low[0]).max(high[1] - low[1]) as f32 / DIGIT;
    let sample = |x: f32, y: f32| {
        // Linear between pixel centres, nothing outside.
        let (left, top) = ((x - 0.5).floor(), (y - 0.5).floor());
        let (fx, fy) = (x - 0.5 - left, y - 0.5 - top);
        let pixel = |x: f32, y: f32| {
            let inside = (0.0..SIDE as f32).contains(&x) && (0.0..SIDE as f32).contains(&y);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "used inside the pad only")]
            let (column, line) = (x as usize, y as usize);
            if inside { at(column, line) } else { 0.0 }
        };
        let row = |y: f32| pixel(left, y) * (1.0 - fx) + pixel(left + 1.0, y) * fx;
        row(top) * (1.0 - fy) + row(top + 1.0) * fy
    };
    let middle = SIDE as f32 / 2.0;
    let place = |i: usize| {
        let (x, y) = ((i % SIDE) as f32 + 0.5, (i / SIDE) as f32 + 0.5);
        sample(centre.x + (x - middle) * scale, centre.y + (y - middle) * scale)
    };
    (0..SIDE * SIDE).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_stroke_in_a_corner_is_brought_to_the_size_and_place_of_a_digit() {
        let mut pad = Pad { brush: 3.0, ..Pad::default() };
        pad.stroke(pos2(10.0, 10.0), pos2(10.0, 40.0));
        let ink = centred(&pad.ink);
        let rows: Vec<usize> = (0..SIDE).filter(|y| (0..SIDE).any(|x| ink[y * SIDE + x] > 0.05)).collect();
        // 80 rows, around row 56.
        let (top, bottom) = (rows[0], rows[rows.len() - 1]);
        assert!((bottom - top).abs_diff(80) <= 3 && (top + bottom).abs_diff(SIDE) <= 3, "{top} to {bottom}");
        assert!(ink[56 * SIDE + 56] > 0.9);
        // Nothing drawn stays nothing.
        assert!(centred(&vec![0.0; SIDE * SIDE]).iter().all(|&ink| ink == 0.0));
    }

    #[test]
    fn a_stroke_keeps_the_corner_that_was_passed_within_one_frame() {
        use egui::{Event, Modifiers, PointerButton};
        let mut pad = Pad { centre: false, ..Pad::default() };
        let place = std::cell::Cell::new(Pos2::ZERO);
        let mut window = egui_kittest::Harness::builder().with_size(vec2(300.0, 300.0)).build_ui_state(
            |ui, pad: &mut Pad| {
                place.set(ui.next_widget_position());
                pad.ui(ui, SIDE as f32);
            },
            std::mem::take(&mut pad),
        );
        window.run_ok();
        let at = |x: f32, y: f32| place.get() + vec2(x, y);
        let button = |pos, pressed| Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        // From elsewhere to the upper left, and from there along two sides of a triangle, in three frames.
        let frames = [
            vec![
                Event::PointerMoved(at(60.0, 60.0)),
                Event::PointerMoved(at(20.0, 20.0)),
                button(at(20.0, 20.0), true),
            ],
            vec![Event::PointerMoved(at(90.0, 20.0)), Event::PointerMoved(at(90.0, 90.0))],
            vec![button(at(90.0, 90.0), false)],
        ];
        for events in frames {
            window.input_mut().events = events;
            window.step();
        }
        let pad = window.state();
        let ink = |x: usize, y: usize| pad.ink[y * SIDE + x];
        assert!(ink(20, 20) > 0.9 && ink(55, 20) > 0.9 && ink(90, 20) > 0.9 && ink(90, 90) > 0.9);
        assert!(ink(55, 55) < 0.01, "neither the way there nor a short cut is drawn");
    }

    #[test]
    fn what_is_drawn_reaches_the_network_as_pixels() {
        let mut pad = Pad { centre: false, ..Pad::default() };
        pad.stroke(pos2(56.0, 56.0), pos2(56.0, 56.0));
        let ImageRef::Pixels { width, height, rgb } = pad.image() else { panic!("no pixels") };
        assert_eq!((width, height, rgb.len()), (112, 112, 112 * 112 * 3));
        assert_eq!((rgb[(56 * 112 + 56) * 3], rgb[0]), (255, 0));
    }
}
