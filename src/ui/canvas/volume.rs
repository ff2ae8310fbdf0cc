//! The small picture of what a layer gives: height × width × channels as a box in parallel projection, as in the drawings of
//! papers. One logarithmic scale serves the whole network, so that two boxes can be compared. Paints; asks nothing.

use crate::op::Shape;
use egui::{Color32, Painter, Pos2, Shape as Drawing, Stroke, pos2, vec2};

/// Longest edges in units of the drawing: upwards, along the channels, and into the depth.
const HEIGHT: f32 = 30.0;
const LENGTH: f32 = 34.0;
const DEPTH: [f32; 2] = [12.0, 9.0];
/// Shortest edge, so that a size of 1 can be seen.
const LEAST: f32 = 2.5;

/// Height, width and channels, each from 0 (a single pixel or channel) to 1 (the most in the network).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Volume([f32; 3]);

/// The largest sizes of a network.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scale {
    side: u64,
    channels: u64,
}

impl Scale {
    /// Takes up one more shape.
    pub(super) fn include(&mut self, shape: &Shape) {
        let [height, width, channels] = sizes(shape);
        self.side = self.side.max(height).max(width);
        self.channels = self.channels.max(channels);
    }

    /// A shape by this scale.
    pub(super) fn volume(self, shape: &Shape) -> Volume {
        let share = |size: u64, most: u64| {
            let logs = [size, most].map(|size| (size.max(1) as f64).ln());
            #[expect(clippy::cast_possible_truncation, reason = "between 0 and 1")]
            let share = (logs[0] / logs[1].max(f64::MIN_POSITIVE)) as f32;
            share.clamp(0.0, 1.0)
        };
        let [height, width, channels] = sizes(shape);
        Volume([share(height, self.side), share(width, self.side), share(channels, self.channels)])
    }
}

/// Height, width, channels; a vector is a row of channels.
fn sizes(shape: &Shape) -> [u64; 3] {
    shape.as_map().map_or([1, 1, shape.channels()], |(channels, height, width)| [height, width, channels])
}

/// Paints the box around a point of the screen, `zoom` points to a unit, in shades from `light` to `dark`.
pub(super) fn paint(painter: &Painter, volume: Volume, centre: Pos2, zoom: f32, [light, dark]: [Color32; 2]) {
    let [height, width, channels] = volume.0;
    let edge = |share: f32, most: f32| (LEAST + share * (most - LEAST)) * zoom;
    let (tall, long) = (edge(height, HEIGHT), edge(channels, LENGTH));
    let back = vec2(edge(width, DEPTH[0]), -edge(width, DEPTH[1]));
    let min = centre - vec2(long + back.x, tall + back.y) / 2.0;
    let max = min + vec2(long, tall);
    let [right_top, left_bottom] = [pos2(max.x, min.y), pos2(min.x, max.y)];
    let line = Stroke::new((0.8 * zoom).clamp(0.5, 1.2), dark);
    let face = |points: [Pos2; 4], fill: Color32| {
        painter.add(Drawing::convex_polygon(points.to_vec(), fill, line));
    };
    face([min, right_top, max, left_bottom], light.lerp_to_gamma(dark, 0.35));
    face([min, min + back, right_top + back, right_top], light);
    face([right_top, right_top + back, max + back, max], light.lerp_to_gamma(dark, 0.65));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AlexNet's input and its last pooling: 224 × 224 × 3 and 6 × 6 × 256.
    #[test]
    fn a_deep_network_grows_narrower_and_longer_on_one_scale() {
        let shapes = [Shape::map(3, 224, 224), Shape::map(256, 6, 6), Shape::vector(4096)];
        let mut scale = Scale::default();
        shapes.iter().for_each(|shape| scale.include(shape));
        let [first, last, features] = [0, 1, 2].map(|at| scale.volume(&shapes[at]).0);
        assert!((first[0] - 1.0).abs() < 1e-6 && (features[2] - 1.0).abs() < 1e-6);
        assert!(first[0] > last[0] && first[2] < last[2]);
        assert!(features[0].abs() < 1e-6 && features[1].abs() < 1e-6, "a vector has no height and no width");
    }
}
