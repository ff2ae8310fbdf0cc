//! Draws one digit: skeleton, seeded distortions, then pixels by their distance to the stroke. A pure function.

use super::glyphs::{GLYPHS, Stroke};
use crate::data::seed;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use std::f32::consts::TAU;

const SIDE: usize = 28;
/// Pieces per piece of a curve.
const STEPS: u8 = 6;
/// Largest radius of the pen with its swell, in pixels.
const THICKEST: f32 = 2.5;

type Point = (f32, f32);

/// A straight piece of ink: two ends with the pen's radius at each.
struct Piece {
    from: Point,
    to: Point,
    radius: (f32, f32),
}

/// The 28 x 28 pixels of digit `index % 10`.
pub(super) fn digit(seed: u64, index: u64) -> Vec<u8> {
    let mut generator = seed::generator(&[seed, seed::text("digit"), index]);
    let ways = GLYPHS[usize::try_from(index % 10).unwrap_or(0)];
    let way = ways[generator.random_range(0..u32::try_from(ways.len()).unwrap_or(1)) as usize];
    let mut strokes = skeleton(way, &mut generator);
    distort(&mut strokes, &mut generator);
    place(&mut strokes, &mut generator);
    let pieces = ink(&strokes, &mut generator);
    let peak = uniform(&mut generator, 0.82, 1.0);
    (0..SIDE * SIDE).map(|at| shade(((at % SIDE) as f32, (at / SIDE) as f32), &pieces, peak)).collect()
}

fn uniform(generator: &mut ChaCha8Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * generator.random::<f32>()
}

/// Roughly normal: the sum of four uniform draws, at most 3.5 deviations from zero.
fn normal(generator: &mut ChaCha8Rng, deviation: f32) -> f32 {
    // Each draw has variance 1/12, four of them 1/3.
    let sum: f32 = (0..4).map(|_| generator.random::<f32>() - 0.5).sum();
    sum * 3.0_f32.sqrt() * deviation
}

/// The strokes as polylines, every control point a little off. Strokes that share a point go on sharing it.
fn skeleton(way: &[Stroke], generator: &mut ChaCha8Rng) -> Vec<Vec<Point>> {
    let mut known: Vec<(Point, Point)> = Vec::new();
    let mut moved = |points: &[Point]| -> Vec<Point> {
        let mut result = Vec::new();
        for &(x, y) in points {
            let near = known.iter().find(|((kx, ky), _)| (kx - x).abs() + (ky - y).abs() < 1e-3).map(|&(_, to)| to);
            let to = near.unwrap_or_else(|| {
                let to = (x + normal(generator, 0.03), y + normal(generator, 0.025));
                known.push(((x, y), to));
                to
            });
            result.push(to);
        }
        result
    };
    way.iter()
        .map(|stroke| match stroke {
            Stroke::Line(points) => moved(points),
            Stroke::Curve(points) => smooth(&moved(points)),
        })
        .collect()
}

/// A Catmull-Rom curve through the points, as a polyline.
fn smooth(points: &[Point]) -> Vec<Point> {
    let at = |i: usize| points[i.min(points.len() - 1)];
    let mut result = vec![at(0)];
    for i in 0..points.len() - 1 {
        let (before, from, to, after) = (at(i.saturating_sub(1)), at(i), at(i + 1), at(i + 2));
        for step in 1..=STEPS {
            let t = f32::from(step) / f32::from(STEPS);
            let blend = |a: f32, b: f32, c: f32, d: f32| {
                let (square, cube) = (t * t, t * t * t);
                0.5 * (2.0 * b
                    + (c - a) * t
                    + (2.0 * a - 5.0 * b + 4.0 * c - d) * square
                    + (3.0 * b - a - 3.0 * c + d) * cube)
            };
            result.push((blend(before.0, from.0, to.0, after.0), blend(before.1, from.1, to.1, after.1)));
        }
    }
    result
}

/// Long pieces cut so that the wobble can bend them, then wobble, proportions, slant and turn.
fn distort(strokes: &mut [Vec<Point>], generator: &mut ChaCha8Rng) {
    let waves: [[f32; 4]; 2] = std::array::from_fn(|_| {
        [
            uniform(generator, 0.0, 0.03),
            uniform(generator, -1.2, 1.2),
            uniform(generator, -1.2, 1.2),
            uniform(generator, 0.0, TAU),
        ]
    });
    let width = uniform(generator, 0.68, 0.92);
    let slant = normal(generator, 0.13).clamp(-0.3, 0.3) + 0.1;
    let (sin, cos) = normal(generator, 0.08).clamp(-0.22, 0.22).sin_cos();
    for stroke in strokes {
        *stroke = cut(stroke);
        for point in stroke {
            let (x, y) = *point;
            let wave = |[amplitude, fx, fy, phase]: [f32; 4]| amplitude * (TAU * (fx * x + fy * y) + phase).sin();
            let (x, y) = (x + wave(waves[0]) - 0.5, y + wave(waves[1]) - 0.5);
            let x = x * width - slant * y;
            *point = (x * cos - y * sin, x * sin + y * cos);
        }
    }
}

fn cut(stroke: &[Point]) -> Vec<Point> {
    let mut result: Vec<Point> = stroke.first().copied().into_iter().collect();
    for pair in stroke.windows(2) {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        let parts: u8 = if (bx - ax).hypot(by - ay) > 0.2 { 5 } else { 1 };
        for part in 1..=parts {
            let t = f32::from(part) / f32::from(parts);
            result.push((ax + (bx - ax) * t, ay + (by - ay) * t));
        }
    }
    result
}

/// Scales to about 20 pixels and puts the middle of the box near the middle of the field, as MNIST does.
fn place(strokes: &mut [Vec<Point>], generator: &mut ChaCha8Rng) {
    let all = || strokes.iter().flatten();
    let bounds = |of: fn(&Point) -> f32| {
        let low = all().map(of).fold(f32::INFINITY, f32::min);
        (low, all().map(of).fold(f32::NEG_INFINITY, f32::max))
    };
    let ((left, right), (top, bottom)) = (bounds(|p| p.0), bounds(|p| p.1));
    let size = (19.0 + normal(generator, 1.0)).clamp(16.0, 21.5);
    let factor = size / (right - left).max(bottom - top).max(1e-3);
    let middle = (SIDE as f32 - 1.0) / 2.0;
    // A shift, as far as the thickest ink stays in the field.
    let mut shift = |extent: f32| {
        let room = (middle - factor * extent / 2.0 - THICKEST).clamp(0.0, 2.0);
        normal(generator, 0.6).clamp(-room, room)
    };
    let dx = middle + shift(right - left) - factor * (left + right) / 2.0;
    let dy = middle + shift(bottom - top) - factor * (top + bottom) / 2.0;
    for point in strokes.iter_mut().flatten() {
        *point = (point.0 * factor + dx, point.1 * factor + dy);
    }
}

/// Gives the strokes their thickness, which swells and thins a little along the way.
fn ink(strokes: &[Vec<Point>], generator: &mut ChaCha8Rng) -> Vec<Piece> {
    let thick = (1.25 + normal(generator, 0.35)).clamp(0.7, 2.1);
    let (swell, phase) = (uniform(generator, 0.0, 0.18), uniform(generator, 0.0, TAU));
    let mut pieces = Vec::new();
    for stroke in strokes {
        let radius = |i: usize| thick * (1.0 + swell * (phase + TAU * i as f32 / stroke.len() as f32).sin());
        for (i, pair) in stroke.windows(2).enumerate() {
            pieces.push(Piece { from: pair[0], to: pair[1], radius: (radius(i), radius(i + 1)) });
        }
    }
    pieces
}

/// The gray of one pixel: full inside the nearest stroke, fading over about one pixel at its edge.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
fn shade(at: Point, pieces: &[Piece], peak: f32) -> u8 {
    let depth = pieces.iter().map(|piece| depth(at, piece)).fold(f32::NEG_INFINITY, f32::max);
    let t = (depth / 1.3 + 0.5).clamp(0.0, 1.0);
    (255.0 * peak * t * t * (3.0 - 2.0 * t)).round() as u8
}

/// How far inside a piece of ink a point lies; negative outside.
fn depth(at: Point, piece: &Piece) -> f32 {
    let (dx, dy) = (piece.to.0 - piece.from.0, piece.to.1 - piece.from.1);
    let length = (dx * dx + dy * dy).max(1e-9);
    let t = (((at.0 - piece.from.0) * dx + (at.1 - piece.from.1) * dy) / length).clamp(0.0, 1.0);
    let distance = (at.0 - piece.from.0 - t * dx).hypot(at.1 - piece.from.1 - t * dy);
    piece.radius.0 + (piece.radius.1 - piece.radius.0) * t - distance
}
