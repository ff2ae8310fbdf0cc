//! The search for a learning rate as a small chart, with the rate to use.

use super::charts::rate_text;
use super::kit;
use super::runs_view::RunsCommand;
use super::search::SearchView;
use super::theme::{Tokens, size};
use super::{PanelCx, UiCommand};
use crate::engine::protocol::RatePoint;
use crate::graph::{Edit, TrainSpec};
use egui::{RichText, Ui, Vec2b};
use egui_plot::{Line, LineStyle, Plot, PlotPoints, VLine};

/// Height of the chart.
const HEIGHT: f32 = size::STEP * 13.0;

/// Draws it.
pub(super) fn ui(cx: &PanelCx<'_>, search: &SearchView, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    ui.horizontal(|ui| {
        kit::title(ui, "Learning-rate search");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if search.is_running {
                if ui.button("End search").on_hover_text("Judge what was seen so far").clicked() {
                    out.push(UiCommand::Runs(RunsCommand::StopSearch));
                }
            } else if ui.button("Close search").on_hover_text("Put this chart away").clicked() {
                out.push(UiCommand::Runs(RunsCommand::CloseSearch));
            }
        });
    });
    if search.is_running {
        let share = search.points.len() as f32 / search.steps.max(1) as f32;
        let text = format!("Step {} of {}", search.points.len(), search.steps);
        kit::gauge(ui, share, ui.available_width(), tokens.bar, &text, "Search")
            .on_hover_text("A copy of the network is trained with a rate that grows with every step");
    }
    if search.revision != cx.revision {
        ui.label(RichText::new("The network changed since.").small().color(tokens.warning));
    }
    advice_ui(cx, search, ui, out);
    if search.points.len() > 1 {
        plot_ui(search, ui, tokens);
    }
}

fn advice_ui(cx: &PanelCx<'_>, search: &SearchView, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    if let Some(problem) = &search.problem {
        ui.label(RichText::new(problem).color(tokens.error));
        return;
    }
    let Some(advice) = &search.advice else {
        if !search.is_running {
            let words = "No rate made the loss fall. Look at the data and their labels, or add batch norm.";
            ui.label(RichText::new(words).color(tokens.warning));
        }
        return;
    };
    let rate = rate_text(advice.suggested);
    let mut words = format!(
        "The loss falls fastest at {} and is lowest at {}",
        two_digits(advice.steepest),
        two_digits(advice.lowest)
    );
    match advice.diverged_at {
        Some(at) => words.push_str(&format!("; at {} it runs away.", two_digits(at))),
        None => words.push('.'),
    }
    kit::weak(ui, words);
    ui.horizontal(|ui| {
        let is_used = (cx.document.training.learning_rate - advice.suggested).abs() < advice.suggested * 1e-9;
        if is_used {
            ui.label(RichText::new(format!("{rate} is used")).color(tokens.ok));
        } else if kit::main_button(ui, &format!("Use {rate}"))
            .on_hover_text("Make it the learning rate of this network's training")
            .clicked()
        {
            let spec = TrainSpec { learning_rate: advice.suggested, ..cx.document.training.clone() };
            let edit = Edit::SetTraining(Box::new(spec));
            out.push(UiCommand::Edit { edit, path: Some(Vec::new()), gesture: None });
        }
    });
}

/// A rate that was read off a curve: more digits would pretend to know more.
fn two_digits(rate: f64) -> String {
    rate_text(format!("{rate:.1e}").parse().unwrap_or(rate))
}

fn plot_ui(search: &SearchView, ui: &mut Ui, tokens: &Tokens) {
    // What runs away would flatten the part that matters.
    let lowest = search.points.iter().map(|point| point.smooth).fold(f64::INFINITY, f64::min);
    let first = search.points.first().map_or(1.0, |point| point.smooth);
    let top = (first.max(lowest) * 1.3).max(f64::MIN_POSITIVE);
    let of = |value: fn(&crate::engine::protocol::RatePoint) -> f64| -> PlotPoints<'static> {
        search.points.iter().map(|point| [point.rate.log10(), value(point).min(top)]).collect()
    };
    let (raw, smooth) = (of(|point| point.loss), of(|point| point.smooth));
    let suggested = search.advice.map(|advice| advice.suggested.log10());
    let mut hovered = None;
    let response = Plot::new("rate-search")
        .height(HEIGHT)
        .show_background(false)
        .grid_color(tokens.separator)
        .allow_scroll(false)
        .allow_drag(false)
        .allow_zoom(Vec2b::FALSE)
        .allow_boxed_zoom(false)
        .x_axis_label("Learning rate")
        .x_axis_formatter(
            |mark, _| if mark.value.fract() == 0.0 { format!("1e{:.0}", mark.value) } else { String::new() },
        )
        .y_axis_formatter(|mark, _| format!("{:.1}", mark.value))
        .label_formatter(|_| None)
        .show(ui, |plot| {
            if plot.response().contains_pointer() {
                hovered = plot.pointer_coordinate().map(|at| at.x);
            }
            plot.line(
                Line::new("Loss, raw", raw)
                    .color(tokens.series_train.gamma_multiply(0.28))
                    .width(1.0)
                    .allow_hover(false),
            );
            plot.line(Line::new("Loss", smooth).color(tokens.series_train).width(2.0).allow_hover(false));
            if let Some(x) = suggested {
                let line = VLine::new("Suggested", x).color(tokens.series_best).width(2.0).allow_hover(false);
                plot.vline(line.style(LineStyle::dashed_dense()));
            }
        });
    response.response.widget_info(|| {
        let name = format!("Search chart, {} steps", search.points.len());
        egui::WidgetInfo::labeled(egui::Role::Image, true, name)
    });
    if let Some(point) = hovered.and_then(|x| nearest(search, x)) {
        response.response.on_hover_ui_at_pointer(|ui| {
            let step = search.points.iter().position(|other| other == point).map_or(0, |at| at + 1);
            let title = format!("Learning rate {}", rate_text(point.rate));
            ui.label(RichText::new(title).color(tokens.text_strong));
            ui.label(format!("Loss {:.4}, smoothed {:.4}", point.loss, point.smooth));
            kit::weak(ui, format!("Step {step} of {}", search.steps));
        });
    }
}

/// The step whose rate is nearest to a place on the x axis.
fn nearest(search: &SearchView, x: f64) -> Option<&RatePoint> {
    let away = |point: &RatePoint| (point.rate.log10() - x).abs();
    search.points.iter().min_by(|a, b| away(a).total_cmp(&away(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pointer_reads_the_step_whose_rate_is_nearest_on_the_logarithmic_axis() {
        let point = |rate| RatePoint { rate, loss: 1.0, smooth: 1.0 };
        let points = [1e-4, 1e-3, 1e-2].map(point).to_vec();
        let search = SearchView { points, ..SearchView::default() };
        // 0.004 is nearer to 0.001 by difference, and nearer to 0.01 by ratio.
        assert_eq!(nearest(&search, 0.004_f64.log10()), Some(&point(1e-2)));
        assert_eq!(nearest(&SearchView::default(), 0.0), None);
    }
}
