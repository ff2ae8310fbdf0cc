//! How values become colours, and pictures textures or files.

use crate::ui::atlas::Atlas;
use crate::ui::export::Picture;
use crate::ui::look::Plane;
use crate::ui::theme;
use egui::{Color32, Ui};

/// How values become colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Colors {
    /// Around zero if there are values on both sides of it, else heat.
    #[default]
    BySign,
    Heat,
    Gray,
    AroundZero,
}

impl Colors {
    /// All with name and help.
    pub(super) const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::BySign, "By sign", "Around zero if there are negative and positive values, else heat"),
        (Self::Heat, "Heat", "Dark is the smallest value, bright the largest"),
        (Self::Gray, "Gray", "Black is the smallest value, white the largest"),
        (Self::AroundZero, "Around zero", "Blue is negative, white zero, red positive"),
    ];

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(colors, ..)| *colors == self).map_or("", |(_, name, _)| name)
    }
}

/// The ends of a colour scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f32,
    pub(super) high: f32,
    pub(super) colors: Colors,
}

impl Scale {
    /// The scale of values between two ends. Where all are the same it reaches to zero, so that a channel that says one
    /// thing everywhere shows which sign it has, and one that says nothing is as dark as zero among the others.
    pub(super) fn new(low: f32, high: f32, colors: Colors) -> Self {
        let is_one_value = low >= high;
        let (low, high) = if is_one_value { (low.min(0.0), high.max(0.0)) } else { (low, high) };
        let colors = match colors {
            Colors::BySign if low < 0.0 && (high > 0.0 || is_one_value) => Colors::AroundZero,
            Colors::BySign => Colors::Heat,
            other => other,
        };
        if colors == Colors::AroundZero {
            let most = low.abs().max(high.abs());
            return Self { low: -most, high: most, colors };
        }
        Self { low, high, colors }
    }

    /// The scale of signed values up to a size.
    pub(super) fn signed(most: f32) -> Self {
        Self::new(-most, most, Colors::AroundZero)
    }

    /// The scale that some planes share.
    pub(super) fn shared<'a>(planes: impl Iterator<Item = &'a Plane> + Clone, colors: Colors) -> Self {
        let low = planes.clone().map(|plane| plane.min).fold(f32::INFINITY, f32::min);
        let high = planes.map(|plane| plane.max).fold(f32::NEG_INFINITY, f32::max);
        Self::new(low, high, colors)
    }

    /// The colour of a value.
    pub(super) fn color(self, value: f32) -> Color32 {
        let width = self.high - self.low;
        let share = match width > 0.0 {
            true => ((value - self.low) / width).clamp(0.0, 1.0),
            // Nothing but zeros: white around zero, else the dark end.
            false if self.colors == Colors::AroundZero => 0.5,
            false => 0.0,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
        let byte = (share * 255.0).round() as u8;
        match self.colors {
            Colors::Heat | Colors::BySign => theme::heat(byte),
            Colors::Gray => theme::gray(byte),
            Colors::AroundZero => theme::diverging(byte),
        }
    }

    /// The colour of a plane's pixel.
    pub(super) fn pixel(self, plane: &Plane, x: usize, y: usize) -> Color32 {
        if plane.depth == 3 {
            let at = (y * plane.width + x) * 3;
            let [red, green, blue] = [0, 1, 2].map(|i| plane.pixels.get(at + i).copied().unwrap_or(0));
            return theme::pixel([red, green, blue, 255]);
        }
        self.color(plane.value(x, y))
    }
}

/// Puts planes into an atlas.
pub(super) fn fill<'a>(
    atlas: &mut Atlas,
    name: &str,
    planes: impl ExactSizeIterator<Item = &'a Plane> + Clone,
    shared: bool,
    colors: Colors,
    ui: &Ui,
) {
    let tile = planes.clone().fold([1, 1], |[w, h], plane| [w.max(plane.width), h.max(plane.height)]);
    let common = Scale::shared(planes.clone(), colors);
    // Single numbers can only be told apart on one scale.
    let shared = shared || tile == [1, 1];
    let list: Vec<(&Plane, Scale)> =
        planes.map(|plane| (plane, if shared { common } else { Scale::new(plane.min, plane.max, colors) })).collect();
    atlas.set(ui.ctx(), name, tile, list.len(), |i, x, y| match list.get(i) {
        Some((plane, scale)) if x < plane.width && y < plane.height => scale.pixel(plane, x, y),
        _ => Color32::TRANSPARENT,
    });
}

/// All planes on one sheet, each enlarged by whole factors up to a side.
pub(super) fn sheet(planes: &[Plane], shared: bool, colors: Colors, ground: Color32, side: usize) -> Picture {
    const GAP: usize = 4;
    let [width, height] = planes.iter().fold([1, 1], |[w, h], plane| [w.max(plane.width), h.max(plane.height)]);
    let zoom = (side / width.max(height)).max(1);
    let mut columns = 1;
    while columns * columns * width < planes.len() * height {
        columns += 1;
    }
    let rows = planes.len().div_ceil(columns).max(1);
    let (step_x, step_y) = (width * zoom + GAP, height * zoom + GAP);
    let mut picture = Picture::filled(columns * step_x + GAP, rows * step_y + GAP, ground.to_array());
    let common = Scale::shared(planes.iter(), colors);
    let shared = shared || (width, height) == (1, 1);
    for (i, plane) in planes.iter().enumerate() {
        let scale = if shared { common } else { Scale::new(plane.min, plane.max, colors) };
        let (left, top) = (GAP + i % columns * step_x, GAP + i / columns * step_y);
        for y in 0..plane.height {
            for x in 0..plane.width {
                let color = scale.pixel(plane, x, y).to_array();
                for dy in 0..zoom {
                    for dx in 0..zoom {
                        picture.set(left + x * zoom + dx, top + y * zoom + dy, color);
                    }
                }
            }
        }
    }
    picture
}

/// A value as short as it can be read.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    let text = if size >= 1_000.0 {
        format!("{value:.0}")
    } else if size >= 100.0 {
        format!("{value:.1}")
    } else if size >= 0.001 || size == 0.0 {
        format!("{value:.3}")
    } else {
        format!("{value:.1e}")
    };
    text.replace('-', "−")
}

/// A value for a small cell: two digits behind the point at most.
pub(super) fn short(value: f32) -> String {
    let size = value.abs();
    let text = if size >= 100.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    if text == "-0.00" { "0.00".into() } else { text.replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signed_values_get_the_map_around_zero_and_others_the_sequential_one() {
        assert_eq!(Scale::new(-1.0, 3.0, Colors::BySign), Scale { low: -3.0, high: 3.0, colors: Colors::AroundZero });
        assert_eq!(Scale::new(0.0, 3.0, Colors::BySign), Scale { low: 0.0, high: 3.0, colors: Colors::Heat });
        // Zero is the middle of the diverging map, whatever the ends.
        assert_eq!(Scale::new(-1.0, 3.0, Colors::BySign).color(0.0), theme::diverging(128));
    }

    #[test]
    fn a_map_of_one_value_shows_its_sign_and_one_of_zeros_is_as_dark_as_zero() {
        let one = |value: f32, colors| Scale::new(value, value, colors).color(value);
        assert_eq!(one(0.0, Colors::BySign), theme::heat(0));
        assert_eq!(one(0.7, Colors::BySign), theme::heat(255));
        assert_eq!(one(-0.7, Colors::BySign), theme::diverging(0));
        assert_eq!(one(0.0, Colors::AroundZero), theme::diverging(128));
        assert_eq!(one(0.7, Colors::AroundZero), theme::diverging(255));
        // A black picture is black.
        assert_eq!((one(0.0, Colors::Gray), one(1.0, Colors::Gray)), (theme::gray(0), theme::gray(255)));
    }

    #[test]
    fn a_sheet_holds_every_plane_once() {
        let plane = |value: f32| Plane {
            width: 1,
            height: 1,
            depth: 1,
            pixels: vec![0],
            min: value,
            max: value,
            ..Plane::default()
        };
        let planes = [plane(0.0), plane(1.0), plane(2.0)];
        let picture = sheet(&planes, true, Colors::Gray, Color32::TRANSPARENT, 96);
        // Two columns of 96 + 4 and a border of 4; a pixel in each tile has the plane's gray of 0, 127.5 and 255.
        assert_eq!((picture.width, picture.height), (204, 204));
        let at = |x: usize, y: usize| picture.rgba[(y * 204 + x) * 4];
        assert_eq!((at(10, 10), at(110, 10), at(10, 110), at(110, 110)), (0, 128, 255, 0));
    }

    #[test]
    fn numbers_are_short_and_keep_their_sign() {
        assert_eq!([short(-0.126), short(12.34), short(-0.001)], ["−0.13", "12.3", "0.00"]);
        assert_eq!([number(-0.126), number(0.000_04), number(0.0)], ["−0.126", "4.0e−5", "0.000"]);
    }
}
