//! The two charts of a run: loss and accuracy, training and validation, raw and smoothed.

use super::runs::RunView;
use super::theme::Tokens;
use super::training_panel::MIN_CHART;
use crate::text;
use egui::{RichText, Ui, Vec2b, vec2};
use egui_plot::{HoverPosition, Legend, Line, LineStyle, Plot, PlotPoint, PlotPoints, Points, VLine};

/// What a chart shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Loss,
    Accuracy,
}

/// Lines of one chart, rebuilt when steps come in and not otherwise.
#[derive(Debug, Default)]
struct Lines {
    raw: Vec<PlotPoint>,
    smooth: Vec<PlotPoint>,
    validation: Vec<PlotPoint>,
    best: Option<PlotPoint>,
}

/// The charts and how they are looked at.
#[derive(Debug)]
pub(super) struct Charts {
    smoothing: f64,
    log_loss: bool,
    key: Option<(String, usize, usize, u64, bool)>,
    loss: Lines,
    accuracy: Lines,
}

impl Default for Charts {
    fn default() -> Self {
        Self { smoothing: 0.9, log_loss: false, key: None, loss: Lines::default(), accuracy: Lines::default() }
    }
}

impl Charts {
    /// Smoothing and scale.
    pub(super) fn options_ui(&mut self, ui: &mut Ui) {
        ui.separator();
        let label = super::kit::weak(ui, "Smoothing");
        ui.spacing_mut().slider_width = 80.0;
        let slider = egui::Slider::new(&mut self.smoothing, 0.0..=0.99).show_value(false);
        ui.add(slider)
            .labelled_by(label.id)
            .on_hover_text("How far the thick line is smoothed; the thin one is the raw value");
        ui.checkbox(&mut self.log_loss, "Log scale").on_hover_text("Show the loss on a logarithmic axis");
    }

    /// Draws both, side by side.
    pub(super) fn ui(&mut self, run: &RunView, ui: &mut Ui) {
        self.update(run);
        let height = ui.available_height().max(MIN_CHART);
        let width = (ui.available_width() - ui.spacing().item_spacing.x) / 2.0;
        ui.horizontal(|ui| {
            chart_ui(ui, What::Loss, &self.loss, run, self.log_loss, vec2(width, height));
            chart_ui(ui, What::Accuracy, &self.accuracy, run, false, vec2(width, height));
        });
    }

    fn update(&mut self, run: &RunView) {
        let key = (run.name.clone(), run.steps.len(), run.epochs.len(), self.smoothing.to_bits(), self.log_loss);
        if self.key.as_ref() == Some(&key) {
            return;
        }
        self.key = Some(key);
        let log = self.log_loss;
        let scale = move |value: f64| if log { value.max(1e-9).log10() } else { value };
        self.loss = lines(run, self.smoothing, scale, |step| step.loss, |epoch| epoch.loss);
        self.accuracy = lines(run, self.smoothing, |value| value * 100.0, |step| step.accuracy, |epoch| epoch.accuracy);
    }
}

fn lines(
    run: &RunView,
    smoothing: f64,
    scale: impl Fn(f64) -> f64,
    of_step: impl Fn(&super::runs::StepPoint) -> f64,
    of_epoch: impl Fn(&super::runs::EpochPoint) -> f64,
) -> Lines {
    let mut lines = Lines::default();
    // An average with the weight of missing history taken out, as in Adam's bias correction.
    let (mut sum, mut weight) = (0.0, 0.0);
    for step in &run.steps {
        let value = of_step(step);
        if !value.is_finite() {
            continue;
        }
        sum = smoothing * sum + (1.0 - smoothing) * value;
        weight = smoothing * weight + (1.0 - smoothing);
        lines.raw.push(PlotPoint::new(step.epoch, scale(value)));
        lines.smooth.push(PlotPoint::new(step.epoch, scale(sum / weight)));
    }
    for epoch in run.epochs.iter().filter(|epoch| of_epoch(epoch).is_finite()) {
        let point = PlotPoint::new(f64::from(epoch.epoch), scale(of_epoch(epoch)));
        lines.validation.push(point);
        if epoch.is_best {
            lines.best = Some(point);
        }
    }
    lines
}

fn chart_ui(ui: &mut Ui, what: What, lines: &Lines, run: &RunView, log: bool, room: egui::Vec2) {
    let tokens = Tokens::of(ui);
    let title = if what == What::Loss { "Loss" } else { "Accuracy" };
    ui.allocate_ui_with_layout(room, egui::Layout::top_down(egui::Align::Min), |ui| {
        ui.set_min_size(room);
        ui.horizontal(|ui| {
            ui.label(RichText::new(title).color(tokens.text_strong)).on_hover_text(match what {
                What::Loss => "What training makes smaller: cross entropy, lower is better",
                What::Accuracy => "Share of images whose likeliest class is the right one",
            });
            last_values_ui(ui, what, run, tokens);
        });
        let unit = move |value: f64| match what {
            What::Loss if log => format!("{:.3}", 10_f64.powf(value)),
            What::Loss => format!("{value:.3}"),
            What::Accuracy => format!("{value:.2} %"),
        };
        let mut plot = Plot::new(title)
            .height(ui.available_height())
            .show_background(false)
            .grid_color(tokens.separator)
            .cursor_color(tokens.outline)
            .allow_scroll(false)
            .link_axis(egui::Id::unique("training-charts"), Vec2b::new(true, false))
            .link_cursor(egui::Id::unique("training-charts"), Vec2b::new(true, false))
            .legend(Legend::default().text_style(egui::TextStyle::Small).follow_insertion_order(true).position(
                if what == What::Loss { egui_plot::Corner::RightTop } else { egui_plot::Corner::RightBottom },
            ))
            .x_axis_label("Epoch")
            .include_x(0.0)
            .y_axis_formatter(move |mark, _| {
                if what == What::Loss && log {
                    format!("{:.0e}", 10_f64.powf(mark.value))
                } else if what == What::Accuracy {
                    format!("{:.0} %", mark.value)
                } else {
                    format!("{:.2}", mark.value)
                }
            })
            .label_formatter(move |position| match position {
                HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                    Some(format!("{plot_name}\nepoch {:.2}: {}", position.x, unit(position.y)))
                }
                _ => None,
            });
        if run.total_steps > 0 && run.total_steps <= run.steps_per_epoch.saturating_mul(3) {
            plot = plot.include_x(run.total_steps as f64 / run.steps_per_epoch.max(1) as f64);
        }
        if what == What::Accuracy {
            plot = plot.include_y(100.0);
        }
        let name = format!("{title} chart, {} steps", text::count(lines.raw.len() as u64));
        let response = plot.show(ui, |plot| {
            for epoch in &run.epochs {
                let line = VLine::new(String::new(), f64::from(epoch.epoch)).color(tokens.outline).width(1.0);
                plot.vline(line.style(LineStyle::dotted_dense()).allow_hover(false));
            }
            let ghost = tokens.series_train.gamma_multiply(0.28);
            plot.line(Line::new("Training, raw", points(&lines.raw)).color(ghost).width(1.0).allow_hover(false));
            plot.line(Line::new("Training", points(&lines.smooth)).color(tokens.series_train).width(2.0));
            plot.line(Line::new("Validation", points(&lines.validation)).color(tokens.series_validation).width(2.0));
            plot.points(
                Points::new("Validation", points(&lines.validation)).color(tokens.series_validation).radius(3.0),
            );
            if let Some(best) = lines.best {
                plot.points(Points::new("Best epoch", vec![[best.x, best.y]]).color(tokens.series_best).radius(5.5));
            }
        });
        response.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &name));
    });
}

fn points(points: &[PlotPoint]) -> PlotPoints<'_> {
    points.into()
}

fn last_values_ui(ui: &mut Ui, what: What, run: &RunView, tokens: &Tokens) {
    let show = |ui: &mut Ui, value: f64, name: &str, color| {
        if value.is_finite() {
            let text = if what == What::Loss {
                format!("{name} {value:.4}")
            } else {
                format!("{name} {:.2} %", value * 100.0)
            };
            ui.label(RichText::new(text).small().color(color));
        }
    };
    if let Some(epoch) = run.epochs.last() {
        let (train, validation) = match what {
            What::Loss => (epoch.train_loss, epoch.loss),
            What::Accuracy => (epoch.train_accuracy, epoch.accuracy),
        };
        show(ui, train, "training", tokens.series_train);
        show(ui, validation, "validation", tokens.series_validation);
    } else if let Some(step) = run.steps.last() {
        show(ui, if what == What::Loss { step.loss } else { step.accuracy }, "training", tokens.series_train);
    }
}
