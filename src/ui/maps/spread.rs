//! Histograms of weights, activations and gradients, layer by layer, and the channels that give nothing but zero.

use super::{Goal, picture, stale};
use crate::engine::protocol::{Cell, Histogram, LayerSpread, SpreadReport};
use crate::text;
use crate::ui::kit;
use crate::ui::look::Kind;
use crate::ui::theme::{Tokens, size};
use crate::ui::{PanelCx, UiCommand};
use egui::{Color32, Rect, RichText, ScrollArea, Sense, Ui, pos2, vec2};

/// Size of one histogram.
const CHART: [f32; 2] = [150.0, 40.0];

/// Channels that are named one by one.
const NAMED: usize = 24;

pub(super) fn spread_ui(cx: &PanelCx<'_>, goal: &mut Option<Goal>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let Some(report) = cx.look.spread.as_deref() else {
        if cx.look.problem.is_none() {
            kit::empty_ui(ui, stale::ASKING, "Every layer is looked at over some images.", None);
        }
        return;
    };
    let old = cx.look.stale(Kind::Spread);
    stale::faded_ui(cx.look, old, ui, |ui| report_ui(cx, report, goal, ui, out));
}

fn report_ui(cx: &PanelCx<'_>, report: &SpreadReport, goal: &mut Option<Goal>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    ScrollArea::both().auto_shrink([false; 2]).show(ui, |ui| {
        dead_ui(cx, report, goal, ui, out);
        egui::Grid::new("spread").num_columns(4).spacing([20.0, 8.0]).show(ui, |ui| {
            for (title, hover) in [
                ("Layer", "In the order of computing"),
                ("Weights", "All weights of the layer; biases not"),
                ("Gradients", "Gradients of the weights over one batch"),
                ("Activations", "All its outputs over the images"),
            ] {
                ui.label(RichText::new(title).color(tokens.text_weak)).on_hover_text(hover);
            }
            ui.end_row();
            for layer in &report.layers {
                layer_ui(layer, ui);
                ui.end_row();
            }
        });
        kit::weak(ui, format!("Over {} images of the data.", text::count(u64::from(report.images))));
    });
}

fn dead_ui(cx: &PanelCx<'_>, report: &SpreadReport, goal: &mut Option<Goal>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let mut is_any = false;
    for (path, channels, of) in report.dead() {
        is_any = true;
        let more = channels.len().saturating_sub(NAMED);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            let text = format!("{path}: {} of {} channels are dead", channels.len(), text::count(of));
            ui.label(RichText::new(text).color(tokens.warning))
                .on_hover_text("They give nothing but zero in all the images: no gradient reaches what feeds them");
            for &channel in channels.iter().take(NAMED) {
                let link = ui.link(channel.to_string());
                let name = format!("Channel {channel} of {path}");
                link.widget_info(|| super::bar::labeled(egui::Role::Link, name.clone()));
                if link.on_hover_text(format!("Show channel {channel} of {path}")).clicked()
                    && let Some(node) = node_of(cx, path)
                {
                    *goal = Goal::new(cx, &node, path, channel);
                    out.push(UiCommand::Probe(node));
                }
            }
            if more > 0 {
                kit::weak(ui, format!("and {more} more"));
            }
        });
    }
    if !is_any {
        kit::weak(ui, "No channel is dead: each gives something other than zero in some image.");
    }
    ui.add_space(size::HALF);
}

/// The layer that an op belongs to, as a path of ids.
fn node_of(cx: &PanelCx<'_>, op: &str) -> Option<Vec<crate::graph::NodeId>> {
    let at = cx.plan.program.ops.iter().position(|node| node.path == op)?;
    cx.plan.node_of(at).map(<[_]>::to_vec)
}

impl Goal {
    /// The middle of a channel of an op.
    fn new(cx: &PanelCx<'_>, node: &[crate::graph::NodeId], op: &str, channel: u64) -> Option<Self> {
        let value = picture::value_of(cx, op)?;
        let middle = |size: u64| size / 2;
        let cell = match cx.plan.program.value(value).shape.as_map() {
            Some((_, height, width)) => Cell::new(channel, middle(height), middle(width)),
            None => Cell::new(channel, 0, 0),
        };
        Some(Self { layer: cx.document.graph.name_path(node)?, op: op.to_owned(), cell })
    }
}

fn layer_ui(layer: &LayerSpread, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    ui.label(RichText::new(&layer.path).color(tokens.text_strong))
        .on_hover_text(format!("{} channels", text::count(layer.channels)));
    for (what, histogram, color) in [
        ("weights", layer.weights.as_ref(), tokens.series_train),
        ("gradients", layer.gradients.as_ref(), tokens.series_validation),
        ("activations", Some(&layer.activations), tokens.series_best),
    ] {
        if let Some(histogram) = histogram.filter(|histogram| histogram.count() > 0) {
            histogram_ui(&layer.path, what, histogram, color, ui);
        } else {
            kit::weak(ui, "none");
        }
    }
}

fn histogram_ui(layer: &str, what: &str, histogram: &Histogram, color: Color32, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        let (rect, response) = ui.allocate_exact_size(CHART.into(), Sense::hover());
        response.widget_info(|| super::bar::labeled(egui::Role::Image, format!("Histogram of {what} of {layer}")));
        let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f32;
        let bins = histogram.counts.len().max(1) as f32;
        ui.painter().rect_filled(rect, 2.0, tokens.track.gamma_multiply(0.5));
        for (at, &count) in histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            // Square roots: a bin of one value stays visible beside one of thousands.
            let height = (count as f32 / most).sqrt() * (rect.height() - 2.0);
            let x = |at: f32| rect.left() + rect.width() * at / bins;
            let bar = Rect::from_min_max(
                pos2(x(at as f32), rect.bottom() - height.max(1.0)),
                pos2(x(at as f32 + 1.0), rect.bottom()),
            );
            ui.painter().rect_filled(bar, 0.0, color);
        }
        if histogram.min < 0.0 && histogram.max > 0.0 {
            let zero = rect.left() + rect.width() * -histogram.min / (histogram.max - histogram.min);
            ui.painter().vline(zero, rect.y_range(), egui::Stroke::new(1.0, tokens.text_weak));
        }
        let under = response.hover_pos().and_then(|at| {
            let share = ((at.x - rect.left()) / rect.width()).clamp(0.0, 0.999_9);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the chart")]
            let bin = (share * bins) as usize;
            let width = (histogram.max - histogram.min) / bins;
            let from = histogram.min + width * bin as f32;
            histogram.counts.get(bin).map(|&count| (from, from + width, count))
        });
        response.on_hover_ui(|ui| {
            if let Some((from, to, count)) = under {
                ui.label(format!("{} to {}: {}", figure(from), figure(to), text::count(count)));
            }
            kit::weak(ui, format!("mean {}, deviation {}", figure(histogram.mean), figure(histogram.deviation)));
            let zeros = 100.0 * histogram.zeros as f64 / histogram.count().max(1) as f64;
            kit::weak(ui, format!("{} values, {zeros:.1} % exactly zero", text::count(histogram.count())));
            if histogram.broken > 0 {
                ui.label(format!("{} are no numbers or infinite", text::count(histogram.broken)));
            }
        });
        ui.allocate_ui_with_layout(vec2(CHART[0], 12.0), egui::Layout::left_to_right(egui::Align::Center), |ui| {
            let weak = |value: f32| RichText::new(figure(value)).small().color(tokens.text_weak);
            ui.label(weak(histogram.min));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| ui.label(weak(histogram.max)));
        });
    });
}

fn figure(value: f32) -> String {
    super::scale::number(f64::from(value))
}
