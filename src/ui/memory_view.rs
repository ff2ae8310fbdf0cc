//! RAM three times over: what a textbook counts, what this engine plans to hold, and what it really held.

use super::kit;
use super::memory_savings::Savings;
use super::settings::Settings;
use super::theme::{Tokens, size};
use super::{PanelCx, UiCommand};
use crate::graph::NodeId;
use crate::plan::{Memory, Moment, TOLERANCE};
use crate::text;
use egui::{RichText, Ui, vec2};

/// The part of the cost panel about RAM.
#[derive(Debug, Default)]
pub(super) struct MemoryView {
    settings: Settings,
    savings: Savings,
}

impl MemoryView {
    /// Draws it.
    pub(super) fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        kit::title(ui, "RAM, three truths");
        // What a change of the settings below does takes the place of the caption: nothing moves under the pointer.
        match self.settings.effect(cx, ui) {
            Some(effect) => ui.label(RichText::new(effect).color(Tokens::of(ui).accent)),
            None => kit::weak(ui, "By the textbook's rule, planned for this engine, really held."),
        };
        ui.add_space(size::HALF);
        self.settings_ui(cx, ui, out);
        ui.add_space(size::STEP);

        let memory = &cx.cost.memory;
        let element = cx.cost.settings.dtype.bytes();
        section(
            ui,
            "Using it, one image",
            &[
                (
                    "Textbook",
                    Some(memory.inference_textbook_bytes),
                    "Parameters, and the largest pair of what one layer reads and what it makes",
                ),
                (
                    "Planned",
                    Some(memory.inference_planned_bytes),
                    "Everything this engine holds at the fullest moment of one forward pass",
                ),
            ],
        );
        kit::weak(ui, format!("{}\n{}", inference_sum(cx), inference_words(memory)));
        ui.add_space(size::STEP);

        let measured = cx.run.filter(|run| run.revision == cx.revision).and_then(|run| run.measured_bytes);
        let batch = cx.cost.settings.batch;
        section(
            ui,
            &match cx.cost.settings.accumulate {
                0 | 1 => format!("Training it, {} images a step", text::count(batch)),
                times => {
                    format!("Training it, {} images at once, {} times a step", text::count(batch), text::count(times))
                }
            },
            &[
                (
                    "Textbook",
                    Some(memory.training_textbook_bytes),
                    "Batch × (input and outputs of all layers) and the parameters once",
                ),
                (
                    "Planned",
                    Some(memory.training_planned_bytes),
                    "Everything this engine holds at the fullest moment of a training step",
                ),
                ("Measured", measured, "The most the engine really held, counted by its allocator"),
            ],
        );
        kit::weak(ui, format!("{}\n{}", training_sum(cx), training_words(memory, measured, element)));
        ui.add_space(size::HALF);
        breakdown_ui(ui, memory);
        moment_ui(cx, ui, out);
        ui.add_space(size::STEP);
        self.savings.ui(cx, ui, out);
    }

    /// Shows what would make it less, at the next frame.
    pub(super) fn show_savings(&mut self) {
        self.savings.is_wanted = true;
    }

    fn settings_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.settings.begin(cx);
        ui.horizontal_wrapped(|ui| {
            self.settings.batch_ui(ui);
            self.settings.dtype_ui(ui);
            self.settings.optimizer_ui(ui);
        });
        self.settings.end(cx, ui, out);
    }
}

/// A heading with bars on one scale.
fn section(ui: &mut Ui, heading: &str, rows: &[(&str, Option<u64>, &str)]) {
    let tokens = Tokens::of(ui);
    kit::title(ui, heading);
    let most = rows.iter().filter_map(|row| row.1).max().unwrap_or(1).max(1);
    for (index, (name, bytes, hover)) in rows.iter().enumerate() {
        ui.horizontal(|ui| {
            let label = egui::Label::new(RichText::new(*name).color(tokens.text));
            ui.add_sized(vec2(64.0, 18.0), label).on_hover_text(*hover);
            let width = (ui.available_width() - 92.0).max(60.0);
            let color = tokens.families.get(index + 1).copied().unwrap_or(tokens.bar);
            #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
            let share = bytes.map_or(0.0, |bytes| (bytes as f64 / most as f64) as f32);
            kit::thin_bar(ui, share, width, color).on_hover_text(*hover);
            let value = bytes.map_or_else(|| "not yet".into(), text::bytes);
            ui.label(RichText::new(value).color(tokens.text_strong)).on_hover_text(bytes.map_or_else(
                || "Train one step to measure it".into(),
                |bytes| format!("{} bytes = {}", text::count(bytes), text::binary_bytes(bytes)),
            ));
        });
    }
}

/// The textbook's sum for one image: "conv2 reads 6.00 MB and makes 3.00 MB; with parameters of 3.61 MB that is 12.61 MB."
pub(super) fn inference_sum(cx: &PanelCx<'_>) -> String {
    let memory = &cx.cost.memory;
    let (params, sum) = (text::bytes(memory.params_bytes), text::bytes(memory.inference_textbook_bytes));
    match memory.inference_pair.and_then(|pair| Some((pair, place(cx, pair.op)?))) {
        Some((pair, place)) => format!(
            "Textbook: {} reads {} and makes {}, more than any other layer; with parameters of {params} that is {sum}.",
            place.name,
            text::bytes(pair.read_bytes),
            text::bytes(pair.made_bytes),
        ),
        None => format!("Textbook: the image and parameters of {params} are {sum}."),
    }
}

/// The textbook's sum for a step: batch × (images + outputs) + parameters, in numbers.
pub(super) fn training_sum(cx: &PanelCx<'_>) -> String {
    let memory = &cx.cost.memory;
    let images = cx.cost.images.iter().map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
    format!(
        "Textbook: {} × ({} an image + {} its outputs) + {} parameters = {}.",
        text::count(cx.cost.settings.batch),
        text::bytes(images),
        text::bytes(cx.cost.totals.activation_bytes),
        text::bytes(memory.params_bytes),
        text::bytes(memory.training_textbook_bytes),
    )
}

/// A layer that a figure points to.
struct Pointed<'a> {
    path: &'a [NodeId],
    name: String,
}

/// The layer of an op, by the names of the groups around it and its own.
fn place<'a>(cx: &PanelCx<'a>, op: usize) -> Option<Pointed<'a>> {
    let path = cx.plan.node_of(op)?;
    let names = (1..=path.len()).filter_map(|depth| {
        let (last, outer) = path.get(..depth)?.split_last()?;
        Some(cx.document.graph.at(outer)?.node(*last)?.name.as_str())
    });
    Some(Pointed { path, name: names.collect::<Vec<_>>().join(" / ") })
}

/// When the planned bytes are held, and by which layer; a click shows it.
fn moment_ui(cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let memory = &cx.cost.memory;
    let workspace = memory.training.workspace;
    let (op, words) = match memory.training_moment {
        Moment::Start => return,
        Moment::Forward { op } => {
            (Some(op), format!("on the way forward, with {} of scratch space", text::bytes(workspace)))
        }
        Moment::Backward { op, scratch } => (
            Some(op),
            format!(
                "on the way back, with {} of scratch space and {} of gradients of values. A smaller batch shrinks both",
                text::bytes(scratch),
                text::bytes(workspace.saturating_sub(scratch)),
            ),
        ),
        Moment::Loss => (None, "while the loss is taken".to_owned()),
        Moment::Update => (None, "while the optimizer changes the parameters".to_owned()),
    };
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        kit::weak(ui, "The fullest moment of the plan:");
        if let Some(place) = op.and_then(|op| place(cx, op)) {
            let link = ui.link(&place.name).on_hover_text("Show this layer on the canvas");
            if let (true, Some((node, path))) = (link.clicked(), place.path.split_last()) {
                out.push(UiCommand::Reveal { path: path.to_vec(), node: Some(*node), link: None });
            }
        }
        kit::weak(ui, format!("{words}."));
    });
}

fn inference_words(memory: &Memory) -> String {
    let (textbook, planned) = (memory.inference_textbook_bytes, memory.inference_planned_bytes);
    if planned > textbook {
        format!(
            "Planned is {} more: convolutions work on rearranged copies, and a value waits for the last layer that reads it.",
            text::bytes(planned - textbook)
        )
    } else {
        format!(
            "Planned is {} less: values are given back as soon as nothing reads them.",
            text::bytes(textbook - planned)
        )
    }
}

fn training_words(memory: &Memory, measured: Option<u64>, element: u64) -> String {
    let parts = &memory.training;
    let mut words = format!(
        "The textbook counts every output once at {element} bytes a number. The engine adds weight gradients ({}), the optimizer's \
         state ({}), gradients of values and scratch space ({}), and keeps what the way back needs.",
        text::bytes(parts.gradients),
        text::bytes(parts.optimizer),
        text::bytes(parts.workspace),
    );
    match measured {
        Some(measured) => {
            let planned = memory.training_planned_bytes.max(1);
            let percent = (measured as f64 / planned as f64 - 1.0) * 100.0;
            let why = if percent.abs() <= TOLERANCE * 100.0 {
                "allocators round up, and buffers are reused."
            } else {
                "more than the plan is usually off by. Please report this network."
            };
            words.push_str(&format!(" Measured is {percent:+.0} % against the plan: {why}"));
        }
        None => words.push_str(" Nothing is measured for this network yet: train one step."),
    }
    words
}

/// What the planned bytes are made of, as one stacked bar with a legend.
fn breakdown_ui(ui: &mut Ui, memory: &Memory) {
    let tokens = Tokens::of(ui);
    let rows = memory.parts();
    let total = memory.training.total().max(1) as f64;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 10.0), egui::Sense::hover());
    let mut x = rect.left();
    for (index, (_, bytes, _)) in rows.iter().enumerate() {
        #[expect(clippy::cast_possible_truncation, reason = "a width in points")]
        let width = (*bytes as f64 / total) as f32 * rect.width();
        let part = egui::Rect::from_min_size(egui::pos2(x, rect.top()), vec2(width, rect.height()));
        ui.painter().rect_filled(part, 0.0, tokens.families.get(index + 1).copied().unwrap_or(tokens.bar));
        x += width;
    }
    ui.horizontal_wrapped(|ui| {
        for (index, (name, bytes, hover)) in rows.iter().enumerate() {
            // One piece, which goes to the next line as a whole.
            let words = format!("{name} {}", text::bytes(*bytes));
            let font = egui::FontId::proportional(size::FONT_SMALL);
            let galley = ui.painter().layout_no_wrap(words.clone(), font, tokens.text_weak);
            let (rect, entry) = ui.allocate_exact_size(galley.size() + vec2(12.0, 0.0), egui::Sense::hover());
            let dot = egui::pos2(rect.left() + 4.0, rect.center().y);
            ui.painter().circle_filled(dot, 4.0, tokens.families.get(index + 1).copied().unwrap_or(tokens.bar));
            ui.painter().galley(rect.left_top() + vec2(12.0, 0.0), galley, tokens.text_weak);
            entry.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &words));
            entry.on_hover_text(*hover);
        }
    });
}
