//! One chart: lines of all shown runs, marks, zoom by a box, and the values of every run under the pointer.

use super::series::{Along, Look, RunCurves, What, place};
use super::{Shown, axis};
use crate::text;
use crate::ui::runs::RunView;
use crate::ui::theme::Tokens;
use egui::{Color32, PointerButton, RichText, Ui, Vec2, Vec2b};
use egui_plot::{AxisHints, Line, LineStyle, Plot, PlotBounds, PlotPoint, PlotPoints, Points, VLine};
use std::ops::RangeInclusive;

/// Marks of epochs that a chart shows at most; more would be a grey wall.
const EPOCH_LINES: usize = 40;

/// Points between numbers of the x axis: none below the first, in full strength from the second on.
const LABELS: egui::Rangef = egui::Rangef { min: 20.0, max: 40.0 };

/// How one chart is drawn.
pub(super) struct Chart {
    pub(super) what: What,
    pub(super) name: &'static str,
    pub(super) hover: &'static str,
    pub(super) look: Look,
    pub(super) must_reset: bool,
    pub(super) room: Vec2,
}

/// The part of a chart that a person chose to see; along an axis that is none, everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    x: Option<RangeInclusive<f64>>,
    y: Option<RangeInclusive<f64>>,
}

/// A line of the list under the pointer.
struct Reading {
    name: String,
    value: String,
    color: Color32,
}

impl Chart {
    /// Draws it, with a part that is to be seen if one is given; gives what a person chose to see.
    pub(super) fn ui(&self, ui: &mut Ui, shown: &[Shown<'_>], curves: &mut [RunCurves], fixed: Option<&Seen>) -> Seen {
        let drawn = ui.allocate_ui_with_layout(self.room, egui::Layout::top_down(egui::Align::Min), |ui| {
            ui.set_min_size(self.room);
            self.title_ui(ui, shown);
            self.plot_ui(ui, shown, curves, fixed)
        });
        drawn.inner
    }

    fn title_ui(&self, ui: &mut Ui, shown: &[Shown<'_>]) {
        let tokens = Tokens::of(ui);
        ui.horizontal(|ui| {
            let hover = format!("{}. The large point is the best epoch", self.hover);
            ui.label(RichText::new(self.name).color(tokens.text_strong)).on_hover_text(hover);
            let present = shown.first().filter(|shown| shown.color.is_none()).map(|shown| shown.run);
            for other in shown {
                let Some(color) = other.color else { continue };
                ui.label(RichText::new(&other.name).small().color(color))
                    .on_hover_text("Dashed: training, smoothed. Solid: validation. The large point is the best epoch");
            }
            let Some(run) = present else { return };
            let mut say = |words: &str, value: f64, color: Color32| {
                if value.is_finite() {
                    ui.label(RichText::new(format!("{words} {}", self.unit(value))).small().color(color));
                }
            };
            match (self.what, run.epochs.last(), run.steps.last()) {
                (What::Loss, Some(epoch), _) => {
                    say("training", epoch.train_loss, tokens.series_train);
                    say("validation", epoch.loss, tokens.series_validation);
                }
                (What::Accuracy, Some(epoch), _) => {
                    say("training", epoch.train_accuracy * 100.0, tokens.series_train);
                    say("validation", epoch.accuracy * 100.0, tokens.series_validation);
                }
                (What::Loss, None, Some(step)) => say("training", step.loss, tokens.series_train),
                (What::Accuracy, None, Some(step)) => say("training", step.accuracy * 100.0, tokens.series_train),
                (What::Rate, _, Some(step)) => say("now", step.learning_rate, tokens.series_train),
                (What::Norm, _, Some(step)) => say("now", step.grad_norm, tokens.series_train),
                _ => {}
            }
        });
    }

    /// A value in words.
    fn unit(&self, value: f64) -> String {
        match self.what {
            What::Accuracy => format!("{value:.2} %"),
            What::Rate => rate_text(value),
            What::Loss | What::Norm if value != 0.0 && value.abs() < 1e-3 => format!("{value:.2e}"),
            What::Loss | What::Norm => format!("{value:.4}"),
        }
    }

    fn plot_ui(&self, ui: &mut Ui, shown: &[Shown<'_>], curves: &mut [RunCurves], fixed: Option<&Seen>) -> Seen {
        let tokens = Tokens::of(ui);
        let (what, look) = (self.what, self.look);
        let group = egui::Id::unique("training-charts");
        // A picture stands alone, and says what its numbers count.
        let axis = AxisHints::new_x().label_spacing(LABELS);
        let axis = if fixed.is_some() { axis.label(look.along.name()) } else { axis };
        let mut plot = Plot::new(self.name)
            .height(ui.available_height())
            .show_background(false)
            .grid_color(tokens.separator)
            .cursor_color(tokens.outline)
            .allow_scroll(false)
            .allow_drag(false)
            .allow_zoom(true)
            .allow_boxed_zoom(true)
            .boxed_zoom_pointer_button(PointerButton::Primary)
            .pan_pointer_button(PointerButton::Middle)
            .link_axis(group, Vec2b::new(true, false))
            .link_cursor(group, Vec2b::new(true, false))
            .include_x(0.0)
            .x_grid_spacer(move |input| axis::marks(&input, look.along))
            .custom_x_axes(vec![axis.formatter(move |mark, _| match look.along {
                Along::Time => text::duration(mark.value.max(0.0)),
                // Only what is whole is a step or an epoch.
                Along::Step if mark.value >= 0.0 => text::short_count(whole(mark.value)),
                _ => trimmed(mark.value),
            })])
            .y_axis_formatter(move |mark, _| match what {
                What::Accuracy => format!("{} %", trimmed(mark.value)),
                _ if look.log => format!("{:.0e}", 10_f64.powf(mark.value)),
                _ => trimmed(mark.value),
            })
            .label_formatter(|_| None);
        // Powers of ten stay where they are.
        if !(look.log && what.can_log()) {
            plot = plot.y_grid_spacer(|input| axis::heights(&input));
        }
        if self.must_reset {
            plot = plot.reset();
        }
        if let Some(run) = shown.first().map(|shown| shown.run).filter(|run| is_short(run))
            && look.along != Along::Time
        {
            plot = plot.include_x(place(run, run.total_steps, look.along));
        }
        if what == What::Accuracy {
            plot = plot.include_y(100.0);
        }
        let mut hovered = None;
        let response = plot.show(ui, |plot| {
            if let Some(x) = fixed.and_then(|fixed| fixed.x.clone()) {
                plot.set_plot_bounds_x(x);
            }
            if let Some(y) = fixed.and_then(|fixed| fixed.y.clone()) {
                plot.set_plot_bounds_y(y);
            }
            let (auto, bounds) = (plot.auto_bounds(), plot.plot_bounds());
            let seen = Seen { x: (!auto.x).then(|| bounds.range_x()), y: (!auto.y).then(|| bounds.range_y()) };
            let range = seen.x.as_ref().map(|x| (*x.start(), *x.end()));
            if plot.response().contains_pointer() {
                hovered = plot.pointer_coordinate().map(|at| at.x);
            }
            if let Some(first) = shown.first() {
                self.marks(plot, first.run, tokens);
            }
            let columns = columns(self.room.x);
            for (shown, curves) in shown.iter().zip(curves.iter_mut()).rev() {
                self.lines(plot, shown, curves, range, columns, tokens);
            }
            seen
        });
        let steps: usize = curves.iter().map(RunCurves::len).sum();
        let name = format!("{} chart, {} steps", self.name, text::count(steps as u64));
        let seen = self.in_words(response.transform.bounds());
        response.response.widget_info(|| egui::WidgetInfo {
            current_text_value: Some(seen.clone()),
            ..egui::WidgetInfo::labeled(egui::Role::Image, true, &name)
        });
        if let Some(x) = hovered.filter(|_| !response.response.dragged()) {
            let mut readings = Vec::new();
            for (shown, curves) in shown.iter().zip(curves.iter_mut()) {
                self.read(x, shown, curves, tokens, &mut readings);
            }
            if !readings.is_empty() {
                response.response.on_hover_ui_at_pointer(|ui| self.readings_ui(ui, x, &readings, shown));
            }
        }
        response.inner
    }

    /// What part of the curves is seen, in words: "Epoch 0.5 to 2, 0.1234 to 2.3026".
    fn in_words(&self, bounds: &PlotBounds) -> String {
        let ([left, low], [right, high]) = (bounds.min(), bounds.max());
        let along = match self.look.along {
            Along::Epoch => format!("Epoch {} to {}", trimmed(left), trimmed(right)),
            Along::Step => format!("Step {left:.0} to {right:.0}"),
            Along::Time => format!("{left:.1} s to {right:.1} s"),
        };
        let [low, high] = [low, high].map(|at| self.unit(self.look.unscale(self.what, at)));
        format!("{along}, {low} to {high}")
    }

    /// Epochs, and changes of the learning rate.
    fn marks(&self, plot: &mut egui_plot::PlotUi<'_>, run: &RunView, tokens: &Tokens) {
        let every = run.epochs.len().div_ceil(EPOCH_LINES).max(1);
        for epoch in run.epochs.iter().filter(|epoch| (epoch.epoch as usize).is_multiple_of(every)) {
            let x = place(run, epoch.step, self.look.along);
            let line = VLine::new(String::new(), x).color(tokens.separator).width(1.0);
            plot.vline(line.style(LineStyle::dotted_dense()).allow_hover(false));
        }
        for change in &run.changes {
            let x = place(run, change.step, self.look.along);
            let line = VLine::new("Rate changed", x).color(tokens.warning).width(1.5).allow_hover(false);
            plot.vline(line.style(LineStyle::dashed_loose()));
        }
    }

    fn lines<'a>(
        &self,
        plot: &mut egui_plot::PlotUi<'a>,
        shown: &Shown<'_>,
        curves: &'a mut RunCurves,
        range: Option<(f64, f64)>,
        columns: usize,
        tokens: &Tokens,
    ) {
        let lines = curves.lines(self.what);
        let (train, validation) = match shown.color {
            Some(color) => (color, color),
            None => (tokens.series_train, tokens.series_validation),
        };
        let named = |own: &str| if shown.color.is_some() { shown.name.clone() } else { own.to_owned() };
        let line = |name: String, points: &'a [PlotPoint], color: Color32, width: f32| {
            Line::new(name, PlotPoints::from(points)).color(color).width(width).allow_hover(false)
        };
        if self.what.is_noisy() {
            let ghost = train.gamma_multiply(if shown.color.is_some() { 0.16 } else { 0.28 });
            plot.line(line(named("Training, raw"), lines.raw.thinned(range, columns), ghost, 1.0));
            let smooth = line(named("Training"), lines.smooth.thinned(range, columns), train, 1.75);
            plot.line(if shown.color.is_some() { smooth.style(LineStyle::dashed_dense()) } else { smooth });
        } else {
            plot.line(line(named("Learning rate"), lines.raw.thinned(range, columns), train, 1.75));
        }
        let best = lines.best;
        let points = lines.validation.thinned(range, columns);
        if points.len() <= EPOCH_LINES * 2 {
            let dots = Points::new(named("Validation"), PlotPoints::from(points)).color(validation).radius(2.75);
            plot.points(dots.allow_hover(false));
        }
        plot.line(line(named("Validation"), points, validation, 2.0));
        if let Some(best) = best {
            let (name, color) = match shown.color {
                Some(color) => (shown.name.clone(), color),
                None => ("Best epoch".to_owned(), tokens.series_best),
            };
            plot.points(Points::new(name, vec![[best.x, best.y]]).color(color).radius(5.5).allow_hover(false));
        }
    }

    /// What a run says at an x.
    fn read(&self, x: f64, shown: &Shown<'_>, curves: &mut RunCurves, tokens: &Tokens, into: &mut Vec<Reading>) {
        let lines = curves.lines(self.what);
        let (train, validation) = match shown.color {
            Some(color) => (color, color),
            None => (tokens.series_train, tokens.series_validation),
        };
        let mut push = |own: &str, point: Option<PlotPoint>, color: Color32| {
            let Some(point) = point else { return };
            let name = if shown.color.is_some() { format!("{}, {own}", shown.name) } else { own.to_owned() };
            into.push(Reading { name, value: self.unit(self.look.unscale(self.what, point.y)), color });
        };
        match self.what {
            What::Rate => push("learning rate", lines.raw.nearest(x), train),
            What::Norm => push("gradient norm", lines.raw.nearest(x), train),
            What::Loss | What::Accuracy => {
                push("training", lines.smooth.nearest(x), train);
                push("training, raw", lines.raw.nearest(x), train);
                push("validation", lines.validation.nearest(x), validation);
            }
        }
    }

    fn readings_ui(&self, ui: &mut Ui, x: f64, readings: &[Reading], shown: &[Shown<'_>]) {
        let tokens = Tokens::of(ui);
        let place = match self.look.along {
            Along::Epoch => format!("Epoch {x:.2}"),
            Along::Step => format!("Step {}", text::count(whole(x.max(0.0)))),
            Along::Time => text::duration(x.max(0.0)),
        };
        ui.label(RichText::new(place).color(tokens.text_strong));
        egui::Grid::new("readings").num_columns(2).spacing([16.0, 2.0]).show(ui, |ui| {
            for reading in readings {
                ui.label(RichText::new(&reading.name).color(reading.color));
                ui.label(RichText::new(&reading.value).monospace());
                ui.end_row();
            }
        });
        for shown in shown.iter().filter(|shown| !shown.note.is_empty()) {
            ui.label(RichText::new(format!("{}: {}", shown.name, shown.note)).small().color(tokens.text));
        }
        ui.label(RichText::new("Drag a box to zoom, double click to see all").small().color(tokens.text_weak));
    }
}

/// A run of at most three epochs is drawn to its end from the start.
fn is_short(run: &RunView) -> bool {
    run.total_steps > 0 && run.total_steps <= run.steps_per_epoch.saturating_mul(3)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive widths; `as` saturates")]
fn columns(width: f32) -> usize {
    // A power of two, so that resizing the panel does not thin every curve anew with every pixel.
    (width.max(64.0) as usize).next_power_of_two()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; `as` saturates")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

/// A number without zeros at its end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.to_owned() }
}

/// A learning rate as people write it.
pub(in crate::ui) fn rate_text(rate: f64) -> String {
    // Weights of 32 bits feel nothing of a step this small: the end of a schedule that falls to 0 is 0.
    if rate < 1e-8 {
        "0".into()
    } else if rate >= 1e-4 {
        format!("{rate:.5}").trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{rate:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last of 1,688 steps on a cosine from 0.001 to 0 has 0.0005 · (1 + cos(π · 1687 / 1688)) = 8.66e-10.
    #[test]
    fn a_rate_that_has_fallen_to_nothing_is_written_as_nothing() {
        let last = 0.0005 * (1.0 + (std::f64::consts::PI * 1_687.0 / 1_688.0).cos());
        assert_eq!(rate_text(last), "0");
        assert_eq!(rate_text(0.0), "0");
        assert_eq!((rate_text(0.001), rate_text(3e-6)), ("0.001".into(), "3.00e-6".into()));
    }
}
