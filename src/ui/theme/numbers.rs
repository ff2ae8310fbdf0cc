//! Colours of numbers and pictures: maps from a value to a colour, and what lies over pictures. The tokens of the interface
//! are in `theme.rs`.

use super::hex;
use egui::Color32;

/// Dark blue over violet and orange to light yellow: 256 steps of the "inferno" kind, readable without colour vision.
pub fn heat(value: u8) -> Color32 {
    ramp(
        value,
        &[
            (0.0, [4.0, 5.0, 20.0]),
            (0.2, [50.0, 16.0, 94.0]),
            (0.45, [140.0, 41.0, 99.0]),
            (0.7, [225.0, 93.0, 47.0]),
            (0.88, [250.0, 175.0, 40.0]),
            (1.0, [252.0, 255.0, 180.0]),
        ],
    )
}

/// Blue below the middle, nearly white at it, red above: for signed values, readable without colour vision.
pub fn diverging(value: u8) -> Color32 {
    ramp(
        value,
        &[
            (0.0, [20.0, 60.0, 130.0]),
            (0.25, [85.0, 150.0, 205.0]),
            (0.5, [245.0, 245.0, 245.0]),
            (0.75, [235.0, 140.0, 95.0]),
            (1.0, [150.0, 20.0, 35.0]),
        ],
    )
}

/// The map of the canvas's metrics: violet over blue and green to yellow, "viridis" (Smith and van der Walt 2015), whose
/// lightness rises evenly, also for people who do not tell red from green, and which is nowhere gray.
pub fn metric(share: f32) -> Color32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
    let byte = (share.clamp(0.0, 1.0) * 255.0).round() as u8;
    ramp(
        byte,
        &[
            (0.0, [68.0, 1.0, 84.0]),
            (0.125, [71.0, 45.0, 123.0]),
            (0.25, [59.0, 82.0, 139.0]),
            (0.375, [44.0, 114.0, 142.0]),
            (0.5, [33.0, 145.0, 140.0]),
            (0.625, [40.0, 174.0, 128.0]),
            (0.75, [94.0, 201.0, 98.0]),
            (0.875, [173.0, 220.0, 48.0]),
            (1.0, [253.0, 231.0, 37.0]),
        ],
    )
}

/// Black or white, whichever reads better on a fill.
pub fn on(fill: Color32) -> Color32 {
    if luminance(fill) > 0.179 { Color32::BLACK } else { Color32::WHITE }
}

/// Relative luminance as WCAG 2.1 defines it.
pub(super) fn luminance(color: Color32) -> f64 {
    let linear = |byte: u8| {
        let value = f64::from(byte) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
}

fn ramp(value: u8, stops: &[(f32, [f32; 3])]) -> Color32 {
    let at = f32::from(value) / 255.0;
    let upper = stops.iter().position(|(stop, _)| *stop >= at).unwrap_or(stops.len() - 1).max(1);
    let ((from, low), (to, high)) = (stops[upper - 1], stops[upper]);
    let t = (at - from) / (to - from);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
    let [r, g, b] = [0, 1, 2].map(|i| (low[i] + (high[i] - low[i]) * t).round() as u8);
    let rgb = (u32::from(r) << 16) | (u32::from(g) << 8) | u32::from(b);
    hex(rgb)
}

/// A heat map laid over a picture: the more, the more opaque.
pub fn overlay(value: u8) -> Color32 {
    let [r, g, b, _] = heat(value.max(90)).to_array();
    Color32::from_rgba_unmultiplied(r, g, b, value)
}

/// Over what a cell does not see.
pub const SHADE: Color32 = Color32::from_black_alpha(110);

/// Outline of what a cell sees, over pictures of any brightness.
pub const SIGHT: Color32 = hex(0x35_d0ff);

/// Colour of a picture's pixel: red, green, blue, opacity.
pub fn pixel([r, g, b, a]: [u8; 4]) -> Color32 {
    Color32::from_rgba_unmultiplied(r, g, b, a)
}

/// Gray of a byte.
pub fn gray(value: u8) -> Color32 {
    Color32::from_gray(value)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Contrast as WCAG 2.1 defines it; 4.5 is its level AA for text.
    pub(in super::super) fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn the_metric_map_only_gets_lighter_and_its_text_is_readable() {
        let colours: Vec<Color32> = (0..=20_u8).map(|step| metric(f32::from(step) / 20.0)).collect();
        assert!(colours.windows(2).all(|pair| luminance(pair[0]) < luminance(pair[1])));
        assert!(colours.iter().all(|fill| contrast(on(*fill), *fill) >= 4.5));
    }

    /// CIE 1976 L* from relative luminance: equal steps of it look equally large.
    fn lightness(color: Color32) -> f64 {
        116.0 * luminance(color).cbrt() - 16.0
    }

    #[test]
    fn the_metric_map_is_even_to_the_eye_and_nowhere_gray() {
        let colours: Vec<Color32> = (0..=8_u8).map(|step| metric(f32::from(step) / 8.0)).collect();
        let steps: Vec<f64> = colours.windows(2).map(|pair| lightness(pair[1]) - lightness(pair[0])).collect();
        let mean = steps.iter().sum::<f64>() / steps.len() as f64;
        assert!(steps.iter().all(|step| (step / mean - 1.0).abs() < 0.35), "{steps:?}");
        for colour in colours {
            let [r, g, b, _] = colour.to_array().map(i32::from);
            assert!(r.max(g).max(b) - r.min(g).min(b) > 70, "{colour:?} is gray");
        }
    }
}
