//! Small pictures of what a layer does, drawn with its own settings: the window that slides, the padding around the map, the
//! curve of an activation. They hold for a tiny map; the inspector's figures hold for the real one.

use super::sketches;
use crate::layers::{Act, Layer, Padding};
use crate::op::Activation;
use crate::ui::theme::{Tokens, size};
use egui::{
    Align2, Color32, FontId, Painter, Pos2, Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

/// Most cells along an axis.
const MOST: u64 = 9;
/// Largest side of a cell.
const CELL: f32 = 15.0;
/// Room between input and output.
const GAP: f32 = 30.0;

/// Draws what `layer` does; nothing where a picture says no more than words.
pub(super) fn ui(ui: &mut Ui, layer: &Layer) {
    match layer {
        Layer::Conv2d(conv) => {
            sliding(
                ui,
                Window { kernel: conv.kernel, stride: conv.stride, dilation: conv.dilation, padding: conv.padding },
            );
        }
        Layer::MaxPool(pool) => {
            let (kernel, stride, padding) = (pool.kernel, pool.stride, pool.padding);
            sliding(ui, Window { kernel, stride, dilation: [1, 1], padding });
        }
        Layer::AvgPool(pool) => {
            let (kernel, stride, padding) = (pool.kernel, pool.stride, pool.padding);
            sliding(ui, Window { kernel, stride, dilation: [1, 1], padding });
        }
        Layer::Activation(layer) => curve(ui, layer),
        Layer::BatchNorm(_) => {
            shared(ui, "One mean for each channel, over the whole batch", |_, channel| channel == 1);
        }
        Layer::LayerNorm(_) => {
            shared(ui, "One mean for each image and place, over all channels", |image, _| image == 1);
        }
        Layer::GroupNorm(_) => {
            shared(ui, "One mean for each image and group of channels", |image, channel| image == 1 && channel < 3);
        }
        Layer::Dense(_) => dense(ui),
        _ => sketches::ui(ui, layer),
    }
}

/// A window that slides over a map.
#[derive(Clone, Copy, Debug)]
struct Window {
    kernel: [u64; 2],
    stride: [u64; 2],
    dilation: [u64; 2],
    padding: Padding,
}

/// A map small enough to draw, with what the window makes of it, by axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sketch {
    input: [u64; 2],
    before: [u64; 2],
    after: [u64; 2],
    output: [u64; 2],
}

impl Window {
    fn reach(&self, axis: usize) -> u64 {
        self.dilation[axis].saturating_mul(self.kernel[axis].saturating_sub(1)).saturating_add(1)
    }

    /// A map on which the window takes at least two places, if that is not too large to draw.
    fn sketch(&self) -> Option<Sketch> {
        if [self.kernel, self.stride, self.dilation].iter().flatten().any(|size| *size == 0) {
            return None;
        }
        let input = [0, 1].map(|axis| self.reach(axis).saturating_add(2 * self.stride[axis]).max(5));
        let ends = self.padding.pads(input, self.kernel, self.stride, self.dilation).ok()?.pairs();
        let (before, after) = (ends.map(|(before, _)| before), ends.map(|(_, after)| after));
        let mut output = [0; 2];
        for axis in 0..2 {
            let padded = input[axis].checked_add(before[axis])?.checked_add(after[axis])?;
            if padded > MOST + 4 {
                return None;
            }
            output[axis] = padded.checked_sub(self.reach(axis))? / self.stride[axis] + 1;
        }
        Some(Sketch { input, before, after, output })
    }
}

/// A grid of cells on the screen.
struct Grid {
    corner: Pos2,
    cell: f32,
}

impl Grid {
    fn rect(&self, row: u64, column: u64) -> Rect {
        let at = vec2(column as f32, row as f32) * self.cell;
        Rect::from_min_size(self.corner + at, Vec2::splat(self.cell)).shrink(0.75)
    }
}

fn sliding(ui: &mut Ui, window: Window) {
    let tokens = Tokens::of(ui);
    let Some(sketch) = window.sketch() else { return };
    let padded = [0, 1].map(|axis| sketch.before[axis] + sketch.input[axis] + sketch.after[axis]);
    let room = ui.available_width();
    let columns = (padded[1] + sketch.output[1]) as f32;
    let cell = ((room - GAP) / columns).min(CELL);
    let tall = padded[0].max(sketch.output[0]) as f32 * cell;
    let (rect, response) = ui.allocate_exact_size(vec2(room, tall + size::STEP), Sense::hover());
    let left = Grid { corner: rect.min, cell };
    let middle = rect.min.y + (padded[0] as f32 - sketch.output[0] as f32) * cell / 2.0;
    let right = Grid { corner: pos2(rect.min.x + padded[1] as f32 * cell + GAP, middle.max(rect.min.y)), cell };
    let places = sketch.output[0] * sketch.output[1];
    // The cell of the output under the pointer; else the window goes on by itself, if things may move.
    let pointed = response.hover_pos().and_then(|at| {
        (0..places).find(|place| right.rect(place / sketch.output[1], place % sketch.output[1]).contains(at))
    });
    let moves = ui.style().animation_time > 0.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds since the start; saturates")]
    let step = if moves { (ui.input(|i| i.time) / 0.8) as u64 % places.max(1) } else { 0 };
    if moves && pointed.is_none() {
        ui.ctx().request_repaint_after(std::time::Duration::from_millis(800));
    }
    let place = pointed.unwrap_or(step);
    let (row, column) = (place / sketch.output[1], place % sketch.output[1]);
    let painter = ui.painter();
    let is_under = |at: u64, axis: usize, place: u64| {
        let start = place * window.stride[axis];
        at >= start && at < start + window.reach(axis) && (at - start).is_multiple_of(window.dilation[axis])
    };
    for y in 0..padded[0] {
        for x in 0..padded[1] {
            let inside =
                |at: u64, axis: usize| at >= sketch.before[axis] && at < sketch.before[axis] + sketch.input[axis];
            let is_real = inside(y, 0) && inside(x, 1);
            let is_seen = is_under(y, 0, row) && is_under(x, 1, column);
            let fill = match (is_seen, is_real) {
                (true, _) => tokens.accent.gamma_multiply(if is_real { 0.75 } else { 0.4 }),
                (false, true) => tokens.active,
                (false, false) => Color32::TRANSPARENT,
            };
            let edge = if is_real { Stroke::NONE } else { Stroke::new(1.0, tokens.outline) };
            painter.rect(left.rect(y, x), 1.5, fill, edge, StrokeKind::Inside);
        }
    }
    for y in 0..sketch.output[0] {
        for x in 0..sketch.output[1] {
            let fill = if (y, x) == (row, column) { tokens.accent } else { tokens.active };
            painter.rect_filled(right.rect(y, x), 1.5, fill);
        }
    }
    arrow(painter, pos2(right.corner.x - GAP + 8.0, rect.min.y + padded[0] as f32 * cell / 2.0), tokens);
    let text = format!(
        "A map of {} × {} becomes {} × {}. Empty squares are padding; move the pointer over the output.",
        sketch.input[0], sketch.input[1], sketch.output[0], sketch.output[1]
    );
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &text));
    caption(ui, &text);
}

pub(super) fn arrow(painter: &Painter, from: Pos2, tokens: &Tokens) {
    painter.arrow(from, vec2(14.0, 0.0), Stroke::new(1.5, tokens.text_weak));
}

pub(super) fn caption(ui: &mut Ui, text: &str) {
    let color = Tokens::of(ui).text_weak;
    ui.label(egui::RichText::new(text).small().color(color));
}

/// The value of an activation at a point; `None` where one number does not decide it.
fn value(function: Activation, x: f32) -> Option<f32> {
    let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
    Some(match function {
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        #[expect(clippy::cast_possible_truncation, reason = "for a drawing")]
        Activation::LeakyRelu { slope } => x.max(0.0) + slope as f32 * x.min(0.0),
        #[expect(clippy::cast_possible_truncation, reason = "for a drawing")]
        Activation::Elu { alpha } => {
            if x > 0.0 {
                x
            } else {
                alpha as f32 * x.exp_m1()
            }
        }
        Activation::Selu => 1.0507 * if x > 0.0 { x } else { 1.673_26 * x.exp_m1() },
        // The usual approximation by tanh; the difference is less than the line is wide.
        Activation::Gelu => 0.5 * x * (1.0 + (0.797_884_6 * (x + 0.044_715 * x.powi(3))).tanh()),
        Activation::Silu => x * sigmoid(x),
        Activation::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::HardSigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Softmax => return None,
    })
}

fn curve(ui: &mut Ui, layer: &crate::layers::Activation) {
    let Some(function) = function_of(layer) else { return };
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 112.0), Sense::hover());
    response
        .widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Curve of {}", layer.function.option().label)));
    let painter = ui.painter().with_clip_rect(rect);
    let unit = 18.0;
    let origin = pos2(rect.center().x, rect.top() + 78.0);
    let at = |x: f32, y: f32| origin + vec2(x, -y) * unit;
    let axis = Stroke::new(1.0, tokens.outline);
    painter.hline(rect.x_range(), origin.y, axis);
    painter.vline(origin.x, rect.y_range(), axis);
    for tick in [-4.0, -2.0, 2.0, 4.0_f32] {
        let font = FontId::proportional(9.5);
        painter.text(
            at(tick, 0.0) + vec2(0.0, 2.0),
            Align2::CENTER_TOP,
            format!("{tick:.0}").replace('-', "−"),
            font,
            tokens.text_weak,
        );
        painter.vline(at(tick, 0.0).x, origin.y - 2.0..=origin.y + 2.0, axis);
    }
    let points: Vec<Pos2> = (-140..=140_i16)
        .map(|step| f32::from(step) / 20.0)
        .filter_map(|x| value(function, x).map(|y| at(x, y)))
        .collect();
    painter.add(egui::Shape::line(points, Stroke::new(2.0, tokens.accent)));
}

fn function_of(layer: &crate::layers::Activation) -> Option<Activation> {
    Some(match layer.function {
        Act::None | Act::Softmax | Act::Prelu => return None,
        Act::Relu => Activation::Relu,
        Act::Relu6 => Activation::Relu6,
        Act::LeakyRelu => Activation::LeakyRelu { slope: layer.slope },
        Act::Elu => Activation::Elu { alpha: layer.alpha },
        Act::Selu => Activation::Selu,
        Act::Gelu => Activation::Gelu,
        Act::Silu => Activation::Silu,
        Act::HardSwish => Activation::HardSwish,
        Act::HardSigmoid => Activation::HardSigmoid,
        Act::Sigmoid => Activation::Sigmoid,
        Act::Tanh => Activation::Tanh,
    })
}

/// Images by channels; those that share a mean and a deviation are lit (after Wu and He 2018, figure 2).
fn shared(ui: &mut Ui, text: &str, is_lit: impl Fn(u64, u64) -> bool) {
    let tokens = Tokens::of(ui);
    let (images, channels) = (4_u64, 6_u64);
    let (rect, response) =
        ui.allocate_exact_size(vec2(ui.available_width(), images as f32 * 18.0 + 22.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, text));
    let grid = Grid { corner: rect.min + vec2(52.0, 16.0), cell: 18.0 };
    let font = FontId::proportional(size::FONT_SMALL);
    let painter = ui.painter();
    painter.text(grid.corner - vec2(0.0, 3.0), Align2::LEFT_BOTTOM, "channels", font.clone(), tokens.text_weak);
    painter.text(grid.corner - vec2(6.0, -9.0), Align2::RIGHT_CENTER, "images", font, tokens.text_weak);
    for image in 0..images {
        for channel in 0..channels {
            let fill = if is_lit(image, channel) { tokens.accent } else { tokens.active };
            painter.rect_filled(grid.rect(image, channel), 1.5, fill);
        }
    }
    caption(ui, text);
}

fn dense(ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 92.0), Sense::hover());
    let text = "Every output is a weighted sum of all inputs, and a bias";
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, text));
    let painter = ui.painter();
    let [left, right] = [(rect.left() + 40.0, 5_u8), (rect.left() + 150.0, 3_u8)].map(|(x, count)| {
        let place = move |i: u8| pos2(x, rect.center().y + (f32::from(i) - f32::from(count - 1) / 2.0) * 18.0);
        (0..count).map(place).collect::<Vec<_>>()
    });
    for (index, to) in right.iter().enumerate() {
        for from in &left {
            let colour = if index == 1 { tokens.accent } else { tokens.outline };
            painter.line_segment([*from, *to], Stroke::new(1.0, colour));
        }
    }
    for (index, at) in left.iter().chain(&right).enumerate() {
        let fill = if index == left.len() + 1 { tokens.accent } else { tokens.text_weak };
        painter.circle_filled(*at, 4.5, fill);
    }
    caption(ui, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Same padding at stride 1 keeps the size: 3 × 3 needs one row on each side.
    #[test]
    fn the_sketch_follows_the_layers_own_rules() {
        let window = Window { kernel: [3, 3], stride: [1, 1], dilation: [1, 1], padding: Padding::Same };
        let sketch = window.sketch().unwrap();
        assert_eq!((sketch.input, sketch.output, sketch.before, sketch.after), ([5, 5], [5, 5], [1, 1], [1, 1]));
        // (7 - 3) / 2 + 1 = 3
        let halving = Window { stride: [2, 2], padding: Padding::Valid, ..window }.sketch().unwrap();
        assert_eq!((halving.input, halving.output), ([7, 7], [3, 3]));
        assert_eq!(Window { kernel: [99, 99], ..window }.sketch(), None);
        assert_eq!(Window { stride: [0, 1], ..window }.sketch(), None);
    }

    #[test]
    fn curves_pass_through_their_known_points() {
        assert_eq!(value(Activation::Relu, -2.0), Some(0.0));
        assert_eq!(value(Activation::HardSigmoid, 0.0), Some(0.5));
        assert_eq!(value(Activation::Softmax, 0.0), None);
        // GELU(1) = 0.8413 (Hendrycks and Gimpel 2016: x times the normal distribution).
        assert!(value(Activation::Gelu, 1.0).is_some_and(|y| (y - 0.8413).abs() < 1e-3));
    }
}
