//! How one number came to be: the patch, the kernel, their products, the sums, and what follows them, with the true numbers.

use super::grid::{Grid, READABLE, columns};
use super::scale::{Colors, Scale, fill, number};
use crate::engine::protocol::{Cell, ExplainReport, ExplainStep, How, NormOver, Products, SourceMap, Window};
use crate::op::Activation;
use crate::text;
use crate::ui::atlas::Atlas;
use crate::ui::data_panel::fit;
use crate::ui::kit;
use crate::ui::look::Plane;
use crate::ui::theme::{self, Tokens, size};
use egui::{Rect, RichText, ScrollArea, Sense, Stroke, StrokeKind, Ui, Vec2, pos2, vec2};

/// Input channels on one page; the engine sends as many maps.
const PAGE: usize = 8;
/// Side of an input map beside its patch.
const THUMB: f32 = 64.0;
/// Largest cell of a grid, and the smallest without a number.
const CELLS: (f32, f32) = (36.0, 5.0);
/// Room of a sign between grids, and of a sum at the end.
const SIGN: f32 = 22.0;
const SUM: f32 = 56.0;

/// Pictures of the input maps.
#[derive(Debug, Default)]
pub(super) struct Textures {
    of: u64,
    sources: Atlas,
}

impl Textures {
    /// Draws an explanation.
    pub(super) fn ui(&mut self, report: &ExplainReport, first_map: &mut u32, ui: &mut Ui) {
        if self.of != report.id {
            self.of = report.id;
            let planes: Vec<Plane> = report.maps.iter().map(|map| Plane::new(&map.plane, None)).collect();
            fill(&mut self.sources, "source-maps", planes.iter(), true, Colors::BySign, ui);
        }
        let tokens = Tokens::of(ui);
        ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            let is_map = report.shape.len() == 3;
            ui.horizontal_wrapped(|ui| {
                ui.label(
                    RichText::new(format!("{}, {}", report.layer, report.cell.label(is_map))).color(tokens.text_strong),
                )
                .on_hover_text("Channels, rows and columns are numbered from 0, as PyTorch's indices are");
                let value = format!("= {}", number(f64::from(report.value)));
                ui.label(RichText::new(value).color(tokens.accent).size(size::FONT_HEADING))
                    .on_hover_text("The number that the tensor holds");
            });
            if report.steps.is_empty() {
                kit::weak(ui, "It is the input itself: a pixel after the preprocessing.");
            }
            let many = report.steps.len() > 1;
            for (at, step) in report.steps.iter().enumerate() {
                ui.add_space(2.0);
                let number = if many { format!("{}. ", at + 1) } else { String::new() };
                ui.horizontal_wrapped(|ui| {
                    ui.label(RichText::new(format!("{number}{}", step.op)).color(tokens.text_strong));
                    kit::weak(ui, reads(step));
                });
                let maps = if at == 0 { report.maps.as_slice() } else { &[] };
                self.step_ui(step, maps, first_map, ui);
            }
        });
    }

    fn step_ui(&self, step: &ExplainStep, maps: &[SourceMap], first_map: &mut u32, ui: &mut Ui) {
        match &step.how {
            How::Products { window, rows, bias } => {
                self.products_ui(step, window, rows, maps, first_map, ui);
                let sum: f64 = rows.iter().map(|row| row.sum).sum();
                let terms = match rows.len() {
                    1 => "Sum".into(),
                    count => format!("Sum of {} input channels", text::count(count as u64)),
                };
                let result = match bias {
                    Some(bias) => {
                        format!(
                            "{terms} {} + bias {} = {}",
                            number(sum),
                            number(f64::from(*bias)),
                            number(step.how.result())
                        )
                    }
                    None => format!("{terms} = {}", number(sum)),
                };
                result_ui(step, &result, ui);
            }
            How::Largest { window, patch } => {
                let largest = step.how.result();
                let at = patch.iter().zip(&window.taps).position(|(&value, tap)| {
                    *tap == crate::engine::protocol::Tap::Inside && (f64::from(value) - largest).abs() < f64::EPSILON
                });
                self.window_ui(step, window, patch, at, maps, ui);
                result_ui(step, &format!("The largest is {}", number(largest)), ui);
            }
            How::Mean { window, patch, divisor } => {
                self.window_ui(step, window, patch, None, maps, ui);
                let sum = step.how.result() * (*divisor).max(1) as f64;
                let line = format!("Sum {} / {} = {}", number(sum), text::count(*divisor), number(step.how.result()));
                result_ui(step, &line, ui);
            }
            how => result_ui(step, &formula(how), ui),
        }
    }

    /// Patch × kernel = products, channel by channel.
    fn products_ui(
        &self,
        step: &ExplainStep,
        window: &Window,
        rows: &[Products],
        maps: &[SourceMap],
        first_map: &mut u32,
        ui: &mut Ui,
    ) {
        let ranked = How::ranked(rows);
        let first = (*first_map as usize).min(rows.len().saturating_sub(1)) / PAGE * PAGE;
        if rows.len() > PAGE {
            pages_ui(first, rows.len(), first_map, ui);
        }
        let columns = columns(window.columns, window.rows);
        let thumb = if maps.is_empty() { 0.0 } else { THUMB + 8.0 };
        let (lines, side) = Lines::of(ui.available_width() - thumb, columns);
        let most = |of: fn(&Products) -> &[f32]| {
            rows.iter().flat_map(|row| of(row).iter()).fold(0.0_f32, |most, value| most.max(value.abs()))
        };
        let (patches, kernels) = (Scale::signed(most(|row| &row.patch)), Scale::signed(most(|row| &row.kernel)));
        let product = |row: &Products| -> Vec<f32> { row.patch.iter().zip(&row.kernel).map(|(x, w)| x * w).collect() };
        let largest = rows.iter().flat_map(product).fold(0.0_f32, |most, value| most.max(value.abs()));
        for &at in ranked.iter().skip(first).take(PAGE) {
            let Some(row) = rows.get(at) else { continue };
            let products = product(row);
            let grid =
                |values, scale, name| Grid { values, taps: &window.taps, columns, side, scale, marked: None, name };
            let channel = row.channel;
            let names = [
                format!("Input of channel {channel}"),
                format!("Weights over channel {channel}"),
                format!("Products of channel {channel}"),
            ];
            let parts = [
                (grid(&row.patch, patches, names[0].as_str()), "×"),
                (grid(&row.kernel, kernels, names[1].as_str()), "="),
                (grid(&products, Scale::signed(largest), names[2].as_str()), "Σ"),
            ];
            ui.horizontal(|ui| {
                if let Some((index, map)) = maps.iter().enumerate().find(|(_, map)| map.channel == row.channel) {
                    self.source_ui(step, index, map, window, ui);
                }
                ui.vertical(|ui| {
                    for &(first, end) in lines.ranges() {
                        ui.horizontal(|ui| {
                            ui.spacing_mut().item_spacing.x = 5.0;
                            for (grid, sign) in parts.get(first..end).unwrap_or_default() {
                                let (response, under) = grid.ui(ui);
                                if let Some(at) = under {
                                    response.on_hover_ui(|ui| {
                                        let [x, w, p] =
                                            [&parts[0].0, &parts[1].0, &parts[2].0].map(|grid| grid.words(at));
                                        ui.label(format!("{x} × {w} = {p}"));
                                        let (y, x) = (at / columns, at % columns);
                                        kit::weak(ui, format!("row {y}, column {x} of the window"));
                                    });
                                }
                                ui.label(*sign);
                            }
                            if end == parts.len() {
                                let hover = format!("The sum of the products of input channel {channel}");
                                let sum = RichText::new(number(row.sum)).color(Tokens::of(ui).text_strong);
                                ui.add(egui::Label::new(sum).extend()).on_hover_text(hover);
                            }
                        });
                    }
                });
            });
        }
    }

    /// One window of one channel.
    fn window_ui(
        &self,
        step: &ExplainStep,
        window: &Window,
        patch: &[f32],
        marked: Option<usize>,
        maps: &[SourceMap],
        ui: &mut Ui,
    ) {
        let columns = columns(window.columns, window.rows);
        let side = ((ui.available_width() - THUMB - 24.0) / columns as f32).clamp(CELLS.1, CELLS.0);
        let (low, high) =
            patch.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
        ui.horizontal(|ui| {
            if let Some(map) = maps.first() {
                self.source_ui(step, 0, map, window, ui);
            }
            let scale = Scale::new(low, high, Colors::BySign);
            let name = "Values under the window";
            let grid = Grid { values: patch, taps: &window.taps, columns, side, scale, marked, name };
            let (response, under) = grid.ui(ui);
            if let Some(at) = under {
                response.on_hover_text(grid.words(at));
            }
        });
    }

    /// The input map with the window on it.
    fn source_ui(&self, step: &ExplainStep, index: usize, map: &SourceMap, window: &Window, ui: &mut Ui) {
        let (room, response) = ui.allocate_exact_size(Vec2::splat(THUMB), Sense::hover());
        let rect = fit(vec2(map.plane.width as f32, map.plane.height as f32), room);
        self.sources.paint(ui, std::iter::once((index, rect)));
        response.widget_info(|| super::bar::labeled(egui::Role::Image, format!("Input channel {}", map.channel)));
        if let [_, height, width] = step.source_shape[..] {
            let x = |at: i64| rect.left() + rect.width() * at as f32 / width.max(1) as f32;
            let y = |at: i64| rect.top() + rect.height() * at as f32 / height.max(1) as f32;
            let seen = Rect::from_min_max(
                pos2(x(window.columns_seen.0), y(window.rows_seen.0)),
                pos2(x(window.columns_seen.1), y(window.rows_seen.1)),
            );
            let painter = ui.painter().with_clip_rect(room.expand(6.0).intersect(ui.clip_rect()));
            painter.rect_stroke(seen, 0.0, Stroke::new(1.5, theme::SIGHT), StrokeKind::Outside);
        }
        let source = step.sources.first().map_or("", String::as_str);
        response.on_hover_text(format!("Channel {} of {source}, and the window on it", map.channel));
    }
}

/// How many lines patch, kernel and products take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lines {
    One,
    Two,
    Three,
}

impl Lines {
    /// The fewest lines with readable numbers, and the side of a cell; without numbers if they cannot be had.
    fn of(room: f32, columns: usize) -> (Self, f32) {
        let columns = columns.max(1) as f32;
        // Products end with their sum; the longest line decides.
        let side = |lines: Self| match lines {
            Self::One => (room - 3.0 * SIGN - SUM) / (3.0 * columns),
            Self::Two => ((room - 2.0 * SIGN) / (2.0 * columns)).min((room - SIGN - SUM) / columns),
            Self::Three => (room - SIGN - SUM) / columns,
        };
        let all = [Self::One, Self::Two, Self::Three];
        let readable = all.into_iter().find(|&lines| side(lines) >= READABLE);
        let visible = || all.into_iter().find(|&lines| side(lines) >= CELLS.1);
        let lines = readable.or_else(visible).unwrap_or(Self::Three);
        // A whole number of points keeps the lines between cells even.
        (lines, side(lines).floor().clamp(CELLS.1, CELLS.0))
    }

    /// Which of the three parts stand in each line: the first, and the one behind the last.
    fn ranges(self) -> &'static [(usize, usize)] {
        match self {
            Self::One => &[(0, 3)],
            Self::Two => &[(0, 2), (2, 3)],
            Self::Three => &[(0, 1), (1, 2), (2, 3)],
        }
    }
}

fn pages_ui(first: usize, count: usize, first_map: &mut u32, ui: &mut Ui) {
    ui.horizontal(|ui| {
        let last = (first + PAGE).min(count);
        let to = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let previous = ui.add_enabled(first > 0, egui::Button::new("‹").small());
        previous.widget_info(|| super::bar::labeled(egui::Role::Button, "Larger sums".into()));
        if previous.on_hover_text("Input channels that contribute more").clicked() {
            *first_map = to(first.saturating_sub(PAGE));
        }
        let words = format!("Sums {} to {last} of {}, the largest first", first + 1, text::count(count as u64));
        kit::weak(ui, words).on_hover_text("One sum for each input channel, ordered by its size without the sign");
        let next = ui.add_enabled(last < count, egui::Button::new("›").small());
        next.widget_info(|| super::bar::labeled(egui::Role::Button, "Smaller sums".into()));
        if next.on_hover_text("Input channels that contribute less").clicked() {
            *first_map = to(last);
        }
    });
}

/// The line that ends a step.
fn result_ui(step: &ExplainStep, line: &str, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    let hover = format!(
        "The shown numbers give {}; the tensor holds {}",
        number_long(step.how.result()),
        number_long(f64::from(step.value))
    );
    ui.label(RichText::new(line).color(tokens.text)).on_hover_text(hover);
}

fn number_long(value: f64) -> String {
    format!("{value:.6}").replace('-', "−")
}

/// What a step reads, in words.
fn reads(step: &ExplainStep) -> String {
    let sources = step.sources.join(" and ");
    let cell = step.cell.label(step.is_map);
    match &step.how {
        How::Products { window, rows, .. } if step.source_shape.len() == 3 => {
            let maps = rows.len();
            let what = if maps == 1 { "the map".into() } else { format!("{maps} maps") };
            format!("{} × {} of {what} of {sources}", window.rows, window.columns)
        }
        How::Products { rows, .. } => {
            let count: usize = rows.iter().map(|row| row.patch.len()).sum();
            format!("all {} values of {sources}", text::count(count as u64))
        }
        How::Largest { window, .. } | How::Mean { window, .. } => {
            format!("{} × {} of {sources}, channel {}", window.rows, window.columns, step.cell.channel)
        }
        _ if sources.is_empty() => cell,
        _ => format!("of {sources}"),
    }
}

/// The arithmetic of steps without a window, with its numbers.
fn formula(how: &How) -> String {
    let of = |value: f32| number(f64::from(value));
    let result = number(how.result());
    match how {
        How::Normalise { x, mean, variance, eps, gamma, beta, over, count } => {
            let over = match over {
                NormOver::Running => "mean and variance learned while training".into(),
                NormOver::Channels => format!("mean and variance of {} channels here", text::count(*count)),
                NormOver::Group => format!("mean and variance of the group's {} numbers", text::count(*count)),
            };
            format!(
                "({} − mean {}) / √(variance {} + {eps}) × gamma {} + beta {} = {result}, {over}",
                of(*x),
                number(*mean),
                number(*variance),
                of(*gamma),
                of(*beta)
            )
        }
        How::Neighbours { x, values, alpha, beta, k } => {
            let squares: f64 = values.iter().map(|(_, value)| f64::from(*value).powi(2)).sum();
            let count = values.len();
            format!(
                "{} / ({k} + {alpha} × {})^{beta} = {result}, squares of {count} neighbouring channels",
                of(*x),
                number(squares)
            )
        }
        How::Function { function, x } => {
            let slope = match function {
                Activation::LeakyRelu { slope } => format!(", slope {}", number(*slope)),
                Activation::Elu { alpha } => format!(", α {}", number(*alpha)),
                _ => String::new(),
            };
            format!("{}{slope} at x = {} gives {result}", function.formula(), of(*x))
        }
        How::Softmax { values, index } => {
            let own = usize::try_from(*index).ok().and_then(|index| values.get(index)).copied().unwrap_or(f32::NAN);
            let total: f64 = values.iter().map(|value| f64::from(*value).exp()).sum();
            format!(
                "e^{} / {} = {result}, below the line the sum of e^x over {} values",
                of(own),
                number(total),
                values.len()
            )
        }
        How::Sum { terms } => format!("{} = {result}", joined(terms, " + ")),
        How::Product { terms } => format!("{} = {result}", joined(terms, " × ")),
        How::Copy { from, value, .. } => format!("The same number as {}: {}", place(*from), of(*value)),
        How::Zero => "Zero padding: 0".into(),
        How::Products { .. } | How::Largest { .. } | How::Mean { .. } => result,
    }
}

fn joined(terms: &[f32], sign: &str) -> String {
    terms.iter().map(|term| number(f64::from(*term))).collect::<Vec<_>>().join(sign)
}

fn place(cell: Cell) -> String {
    format!("channel {}, row {}, column {} before", cell.channel, cell.y, cell.x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_stay_in_sight_at_any_width_and_numbers_stay_readable_where_they_can() {
        let width = |lines: Lines, side: f32, columns: usize| {
            let grid = side * columns as f32;
            match lines {
                Lines::One => 3.0 * (grid + SIGN) + SUM,
                Lines::Two => (2.0 * (grid + SIGN)).max(grid + SIGN + SUM),
                Lines::Three => grid + SIGN + SUM,
            }
        };
        for columns in [1, 2, 3, 5, 7, 11, 16, 32] {
            for room in [250_u16, 320, 460, 520, 700, 1_200].map(f32::from) {
                let (lines, side) = Lines::of(room, columns);
                assert!(width(lines, side, columns) <= room, "{columns} columns in {room}: {lines:?} of {side}");
            }
        }
        // 5 × 5 with numbers: 3 · 5 · 26 + 3 · 22 + 56 = 512 in one line, 2 · 5 · 26 + 2 · 22 = 304 in two, 208 in three.
        assert_eq!(Lines::of(512.0, 5), (Lines::One, READABLE));
        assert_eq!(Lines::of(511.0, 5).0, Lines::Two);
        assert_eq!(Lines::of(303.0, 5).0, Lines::Three);
        // 11 × 11 never has readable numbers in 300: as few lines as are visible.
        assert_eq!(Lines::of(300.0, 11), (Lines::One, 5.0));
    }
}
