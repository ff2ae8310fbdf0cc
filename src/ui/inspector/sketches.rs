//! Small pictures of layers that put numbers together, spread, thin or move them: maps of a few cells with the numbers in
//! them, before and after. The numbers are worked out by each layer's own rule.

use super::diagram::{arrow, caption};
use crate::layers::{ConvTranspose2d, Dropout, Layer, Lrn, Upsample, ZeroPad};
use crate::op::UpsampleMode;
use crate::ui::theme::{Tokens, size};
use egui::{Align2, FontId, Painter, Pos2, Rect, Role, Sense, Stroke, Ui, Vec2, WidgetInfo, pos2, vec2};

/// Largest side of a cell.
const CELL: f32 = 22.0;
/// Room for a sign between two maps.
const SIGN: f32 = 26.0;
/// Most cells along an axis.
const MOST: usize = 8;

/// A cell: what stands in it, and whether the eye should go there.
#[derive(Clone, Debug, PartialEq)]
struct Cell {
    text: String,
    is_lit: bool,
}

/// Rows of cells.
type Map = Vec<Vec<Cell>>;

/// What stands in a row of a picture.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Map(Map),
    Sign(&'static str),
    Arrow,
}

/// A picture and what it says.
#[derive(Clone, Debug, PartialEq)]
struct Picture {
    parts: Vec<Part>,
    caption: String,
}

/// Draws what `layer` does to a few numbers; nothing where that says nothing about it.
pub(super) fn ui(ui: &mut Ui, layer: &Layer) {
    if matches!(layer, Layer::Residual(_)) {
        residual(ui);
    } else if let Some(picture) = picture(layer) {
        draw(ui, &picture);
    }
}

fn picture(layer: &Layer) -> Option<Picture> {
    match layer {
        Layer::Add(_) => Some(merged("+", |a, b| a + b, "Numbers at the same place of the same channel are added")),
        Layer::Multiply(_) => {
            Some(merged("×", |a, b| a * b, "Numbers at the same place of the same channel are multiplied"))
        }
        Layer::Concat(_) => Some(stacked()),
        Layer::GlobalAvgPool(_) => Some(Picture {
            parts: vec![Part::Map(numbers(&A, |_| true)), Part::Arrow, Part::Map(numbers(&[vec![4.0]], |_| true))],
            caption: "The mean of each channel is all that is left of it: (1 + 3 + 5 + 7) / 4 = 4".into(),
        }),
        Layer::Flatten(_) => Some(Picture {
            parts: vec![
                Part::Map(numbers(&A, |_| false)),
                Part::Arrow,
                Part::Map(numbers(&[vec![1.0, 3.0, 5.0, 7.0]], |_| false)),
            ],
            caption: "Row after row, channel after channel: the same numbers, one after another".into(),
        }),
        Layer::Upsample(layer) => upsampled(layer),
        Layer::ZeroPad(layer) => padded(layer),
        Layer::Dropout(layer) => Some(dropped(layer)),
        Layer::Lrn(layer) => Some(neighbours(layer)),
        Layer::ConvTranspose2d(layer) => spread(layer),
        _ => None,
    }
}

/// The map that most pictures begin with.
const A: [[f64; 2]; 2] = [[1.0, 3.0], [5.0, 7.0]];
const B: [[f64; 2]; 2] = [[2.0, 0.0], [1.0, 4.0]];

fn text(value: f64) -> String {
    if (value - value.round()).abs() < 1e-9 { format!("{value:.0}") } else { format!("{value:.1}") }
}

fn numbers<R: AsRef<[f64]>>(rows: &[R], is_lit: impl Fn((usize, usize)) -> bool) -> Map {
    let cell = |y: usize, x: usize, value: f64| Cell { text: text(value), is_lit: is_lit((y, x)) };
    rows.iter()
        .enumerate()
        .map(|(y, row)| row.as_ref().iter().enumerate().map(|(x, value)| cell(y, x, *value)).collect())
        .collect()
}

fn merged(sign: &'static str, apply: impl Fn(f64, f64) -> f64, caption: &str) -> Picture {
    let result = [0, 1].map(|y| [0, 1].map(|x| apply(A[y][x], B[y][x])));
    let first = |at| at == (0, 0);
    let maps = [numbers(&A, first), numbers(&B, first), numbers(&result, first)];
    let [a, b, result] = maps.map(Part::Map);
    Picture { parts: vec![a, Part::Sign(sign), b, Part::Sign("="), result], caption: caption.into() }
}

/// Channels one above another.
fn stacked() -> Picture {
    let column = |names: &[(&str, bool)]| -> Part {
        Part::Map(names.iter().map(|(name, is_lit)| vec![Cell { text: (*name).into(), is_lit: *is_lit }]).collect())
    };
    let (a, b) = ([("a1", false), ("a2", false)], [("b1", true)]);
    let all: Vec<_> = a.iter().chain(&b).copied().collect();
    Picture {
        parts: vec![column(&a), Part::Sign("and"), column(&b), Part::Arrow, column(&all)],
        caption: "The channels of all inputs, one after another: 2 + 1 = 3. Height and width stay".into(),
    }
}

fn upsampled(layer: &Upsample) -> Option<Picture> {
    let [high, wide] = layer.scale.map(|scale| usize::try_from(scale).unwrap_or(usize::MAX));
    if high == 0 || wide == 0 || high > MOST / 2 || wide > MOST / 2 {
        return None;
    }
    let at = |y: usize, x: usize| match layer.mode {
        UpsampleMode::Nearest => A[y / high][x / wide],
        UpsampleMode::Bilinear => {
            // Half-pixel centres, as PyTorch with align_corners = false.
            let place = |at: usize, scale: usize| ((at as f64 + 0.5) / scale as f64 - 0.5).clamp(0.0, 1.0);
            let (v, u) = (place(y, high), place(x, wide));
            let row = |row: [f64; 2]| row[0] * (1.0 - u) + row[1] * u;
            row(A[0]) * (1.0 - v) + row(A[1]) * v
        }
    };
    let rows: Vec<Vec<f64>> = (0..2 * high).map(|y| (0..2 * wide).map(|x| at(y, x)).collect()).collect();
    let caption = match layer.mode {
        UpsampleMode::Nearest => format!("Every number becomes {high} × {wide} of the same"),
        UpsampleMode::Bilinear => {
            format!("{high} × {wide} as large; between two numbers, a mixture by distance")
        }
    };
    let before = numbers(&A, |at| at == (0, 0));
    let after = numbers(&rows, |(y, x)| layer.mode == UpsampleMode::Nearest && y < high && x < wide);
    Some(Picture { parts: vec![Part::Map(before), Part::Arrow, Part::Map(after)], caption })
}

fn padded(layer: &ZeroPad) -> Option<Picture> {
    let [top, bottom, left, right] =
        [layer.top, layer.bottom, layer.left, layer.right].map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    let (high, wide) = (top.checked_add(bottom)?.checked_add(2)?, left.checked_add(right)?.checked_add(2)?);
    if high > MOST || wide > MOST {
        return None;
    }
    let inner = |(y, x): (usize, usize)| (top..top + 2).contains(&y) && (left..left + 2).contains(&x);
    let at = |y: usize, x: usize| if inner((y, x)) { A[y - top][x - left] } else { 0.0 };
    let rows: Vec<Vec<f64>> = (0..high).map(|y| (0..wide).map(|x| at(y, x)).collect()).collect();
    Some(Picture {
        parts: vec![Part::Map(numbers(&A, |_| true)), Part::Arrow, Part::Map(numbers(&rows, inner))],
        caption: format!("Zeros around the map: 2 × 2 becomes {high} × {wide}"),
    })
}

/// Which of eight values are dropped first; any order would do.
const DROPPED: [usize; 8] = [2, 5, 0, 7, 3, 6, 1, 4];

fn dropped(layer: &Dropout) -> Picture {
    let rate = layer.rate.clamp(0.0, 0.999);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 8")]
    let count = (rate * 8.0).round() as usize;
    let gone = DROPPED.get(..count).unwrap_or_default();
    let scale = 1.0 / (1.0 - rate);
    let before = vec![vec![1.0, 2.0, 3.0, 4.0], vec![5.0, 6.0, 7.0, 8.0]];
    let after: Vec<Vec<f64>> = (0..2)
        .map(|y| (0..4).map(|x| if gone.contains(&(y * 4 + x)) { 0.0 } else { before[y][x] * scale }).collect())
        .collect();
    let lit = |(y, x): (usize, usize)| !gone.contains(&(y * 4 + x));
    Picture {
        parts: vec![Part::Map(numbers(&before, lit)), Part::Arrow, Part::Map(numbers(&after, lit))],
        caption: format!(
            "While training, other ones in every step: {count} of 8 become zero, the rest grow by 1 / (1 − {}) = {}. Afterwards nothing is changed",
            rate,
            text(scale)
        ),
    }
}

fn neighbours(layer: &Lrn) -> Picture {
    let (count, own) = (9_usize, 4_usize);
    let window = usize::try_from(layer.window).unwrap_or(usize::MAX).max(1);
    // An even window reaches further down than up, as PyTorch's does.
    let (down, up) = (window / 2, (window - 1) / 2);
    let is_seen = |at: usize| at + down >= own && at <= own.saturating_add(up);
    let row =
        (0..count).map(|at| Cell { text: if at == own { "x".into() } else { String::new() }, is_lit: is_seen(at) });
    Picture {
        parts: vec![Part::Map(vec![row.collect()])],
        caption: format!(
            "Channels side by side at one place: x is divided by a power of the sum of squares over {window} of them"
        ),
    }
}

fn spread(layer: &ConvTranspose2d) -> Option<Picture> {
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let ([kernel_high, kernel_wide], [down, across]) = (layer.kernel.map(size), layer.stride.map(size));
    let (high, wide) = (down.checked_add(kernel_high)?, across.checked_add(kernel_wide)?);
    if layer.dilation != [1, 1] || [kernel_high, kernel_wide, down, across].contains(&0) || high > MOST || wide > MOST {
        return None;
    }
    let blank = |is_lit: bool| Cell { text: String::new(), is_lit };
    let before = (0..2).map(|y| (0..2).map(|x| blank((y, x) == (0, 0))).collect()).collect();
    let after = (0..high).map(|y| (0..wide).map(|x| blank(y < kernel_high && x < kernel_wide)).collect()).collect();
    Some(Picture {
        parts: vec![Part::Map(before), Part::Arrow, Part::Map(after)],
        caption: format!(
            "Every number paints {kernel_high} × {kernel_wide} of the output, {down} rows and {across} columns from the next; where they meet they add up. Padding then cuts rows and columns off the edge"
        ),
    })
}

fn size_of(map: &Map) -> (f32, f32) {
    (map.first().map_or(0, Vec::len) as f32, map.len() as f32)
}

fn draw(ui: &mut Ui, picture: &Picture) {
    let tokens = Tokens::of(ui);
    let sizes: Vec<_> = picture
        .parts
        .iter()
        .filter_map(|part| if let Part::Map(map) = part { Some(size_of(map)) } else { None })
        .collect();
    let columns: f32 = sizes.iter().map(|(wide, _)| wide).sum();
    let rows = sizes.iter().map(|(_, high)| *high).fold(1.0, f32::max);
    let signs = (picture.parts.len() - sizes.len()) as f32 * SIGN;
    let cell = ((ui.available_width() - signs) / columns.max(1.0)).clamp(8.0, CELL);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), rows * cell + size::STEP), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &picture.caption));
    let painter = ui.painter();
    let middle = rect.top() + rows * cell / 2.0;
    let mut x = rect.left();
    for part in &picture.parts {
        match part {
            Part::Map(map) => {
                let (wide, high) = size_of(map);
                map_at(painter, pos2(x, middle - high * cell / 2.0), cell, map, tokens);
                x += wide * cell;
            }
            Part::Sign(sign) => {
                let font = FontId::proportional(size::FONT_SMALL);
                painter.text(pos2(x + SIGN / 2.0, middle), Align2::CENTER_CENTER, sign, font, tokens.text_weak);
                x += SIGN;
            }
            Part::Arrow => {
                arrow(painter, pos2(x + 6.0, middle), tokens);
                x += SIGN;
            }
        }
    }
    caption(ui, &picture.caption);
}

fn map_at(painter: &Painter, corner: Pos2, cell: f32, map: &Map, tokens: &Tokens) {
    for (y, row) in map.iter().enumerate() {
        for (x, content) in row.iter().enumerate() {
            let at = corner + vec2(x as f32, y as f32) * cell;
            let rect = Rect::from_min_size(at, Vec2::splat(cell)).shrink(0.75);
            let fill = if content.is_lit { tokens.accent.gamma_multiply(0.35) } else { tokens.active };
            painter.rect_filled(rect, 1.5, fill);
            let font = FontId::proportional(if content.text.len() > 2 { cell * 0.4 } else { cell * 0.5 });
            painter.text(rect.center(), Align2::CENTER_CENTER, &content.text, font, tokens.text_strong);
        }
    }
}

/// Two convolutions and the way around them.
fn residual(ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    let text = "The branch learns what to add to its input; the way around it carries the input on unchanged, or through a 1 × 1 convolution where the shape changes";
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), 74.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, text));
    let painter = ui.painter();
    let line = Stroke::new(1.5, tokens.text_weak);
    let font = FontId::proportional(size::FONT_SMALL);
    let (level, below) = (rect.top() + 20.0, rect.top() + 60.0);
    let width = rect.width().min(260.0);
    let at = |share: f32, y: f32| pos2(rect.left() + share * width, y);
    painter.text(at(0.0, level), Align2::LEFT_CENTER, "x", font.clone(), tokens.text_strong);
    painter.hline(at(0.05, level).x..=at(0.92, level).x, level, line);
    for (from, to) in [(0.16, 0.40), (0.48, 0.72)] {
        let frame = Rect::from_min_max(at(from, level - 12.0), at(to, level + 12.0));
        painter.rect_filled(frame, 3.0, tokens.active);
        painter.text(frame.center(), Align2::CENTER_CENTER, "3 × 3", font.clone(), tokens.text_strong);
    }
    let way = vec![at(0.10, level), at(0.10, below), at(0.83, below), at(0.83, level + 9.0)];
    painter.add(egui::Shape::line(way, Stroke::new(1.5, tokens.accent)));
    painter.circle_filled(at(0.83, level), 9.0, tokens.accent);
    painter.text(at(0.83, level), Align2::CENTER_CENTER, "+", font, tokens.panel);
    arrow(painter, at(0.90, level), tokens);
    caption(ui, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Add, Multiply};

    fn last(picture: &Picture) -> Vec<Vec<String>> {
        let Some(Part::Map(map)) = picture.parts.last() else { return Vec::new() };
        map.iter().map(|row| row.iter().map(|cell| cell.text.clone()).collect()).collect()
    }

    #[test]
    fn the_numbers_follow_each_layers_own_rule() {
        // [[1, 3], [5, 7]] and [[2, 0], [1, 4]]: sums 3 3 / 6 11, products 2 0 / 5 28.
        assert_eq!(last(&picture(&Layer::from(Add::default())).unwrap()), [["3", "3"], ["6", "11"]]);
        assert_eq!(last(&picture(&Layer::from(Multiply::default())).unwrap()), [["2", "0"], ["5", "28"]]);
        let pad = ZeroPad { top: 1, bottom: 0, left: 0, right: 1 };
        assert_eq!(last(&padded(&pad).unwrap()), [["0", "0", "0"], ["1", "3", "0"], ["5", "7", "0"]]);
        // Rate 0.25: two of eight, the rest times 4/3; 3 times 4/3 is dropped, 1 becomes 1.3.
        let quarter = dropped(&Dropout { rate: 0.25 });
        assert_eq!(last(&quarter), [["1.3", "2.7", "0", "5.3"], ["6.7", "0", "9.3", "10.7"]]);
    }

    /// PyTorch: `interpolate([[1, 3], [5, 7]], scale_factor=(1, 2), mode="bilinear")` is 1, 1.5, 2.5, 3 and 5, 5.5, 6.5, 7.
    #[test]
    fn upsampling_mixes_by_half_pixel_centres() {
        let layer = Upsample { scale: [1, 2], mode: UpsampleMode::Bilinear };
        assert_eq!(last(&upsampled(&layer).unwrap()), [["1", "1.5", "2.5", "3"], ["5", "5.5", "6.5", "7"]]);
        let nearest = Upsample { scale: [1, 2], mode: UpsampleMode::Nearest };
        assert_eq!(last(&upsampled(&nearest).unwrap()), [["1", "1", "3", "3"], ["5", "5", "7", "7"]]);
    }

    #[test]
    fn what_is_too_large_to_draw_is_left_to_words() {
        assert_eq!(upsampled(&Upsample { scale: [1_000, 2], mode: UpsampleMode::Nearest }), None);
        assert_eq!(padded(&ZeroPad { top: u64::MAX, bottom: 1, left: 0, right: 0 }), None);
    }
}
