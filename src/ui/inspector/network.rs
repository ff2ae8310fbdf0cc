//! The network as a whole: its sums, its memory by three accounts, its name and seed.

use super::{GestureTracker, finding_ui, row, section};
use crate::graph::Edit;
use crate::text;
use crate::ui::effect::Effect;
use crate::ui::fields::number;
use crate::ui::memory_view::{inference_sum, training_sum};
use crate::ui::theme::{self, Tokens, size};
use crate::ui::{PanelCx, UiCommand};
use egui::{RichText, Ui};

/// The seed's name and meaning.
pub(super) const SEED: (&str, &str) =
    ("Seed", "Decides initial weights, split, order, augmentation and dropout. The same seed gives the same run.");

/// Sums and settings of the document.
pub(super) fn ui(
    ui: &mut Ui,
    cx: &PanelCx<'_>,
    effect: Option<&Effect>,
    tracker: &mut GestureTracker,
    out: &mut Vec<UiCommand>,
) {
    let tokens = Tokens::of(ui);
    let name = if cx.document.name.is_empty() { "Network" } else { &cx.document.name };
    ui.label(theme::strong(name).size(size::FONT_HEADING).color(tokens.text_strong))
        .on_hover_text("Nothing is selected: this is the whole network");
    for found in cx.plan.diagnostics.iter().filter(|found| found.node.is_none()) {
        finding_ui(ui, found, out);
    }
    let totals = &cx.cost.totals;
    let mut figure = |label: &str, value: String, help: &str| {
        row(ui, label, help, |ui| ui.label(RichText::new(value).color(tokens.text_strong)).on_hover_text(help));
    };
    figure("Parameters", text::count(totals.params()), "Weights and biases, as PyTorch counts them");
    if totals.frozen > 0 {
        figure("Trainable", text::count(totals.trainable), "Those that training changes; the others are frozen");
    }
    if totals.state > 0 {
        figure(
            "Buffers",
            text::count(totals.state),
            "Running means and variances, which PyTorch calls buffers; Keras adds them to the parameters",
        );
    }
    figure("MACs", text::count(totals.macs), "Multiply-adds for one image; bias not counted");
    figure(
        "Activations",
        format!("{} of one image", text::bytes(totals.activation_bytes)),
        "All outputs for one image",
    );
    if totals.field.pixels()[0] > 0 {
        figure("Receptive field", totals.field.words(), "How much of the input one output value sees");
    }

    section(ui, "Memory");
    memory_ui(ui, cx, effect.and_then(|effect| effect.old_bytes(ui, cx)));

    section(ui, "Seed");
    let mut seed = cx.document.seed;
    let (name, help) = SEED;
    let response = row(ui, name, help, |ui| number(ui, &mut seed, 0..=u64::from(u32::MAX), "", name, help));
    if let Some(gesture) = tracker.note(&response) {
        out.push(UiCommand::Edit { edit: Edit::SetSeed(seed), path: None, gesture: Some(gesture) });
    }
}

/// Textbook, planned and measured, with what separates them; old planned and textbook's bytes beside the new ones while a
/// change of them is news.
fn memory_ui(ui: &mut Ui, cx: &PanelCx<'_>, old: Option<[u64; 2]>) {
    let tokens = Tokens::of(ui);
    let memory = &cx.cost.memory;
    let batch = cx.cost.settings.batch;
    let line = |ui: &mut Ui, label: &str, bytes: Option<u64>, help: &str| {
        row(ui, label, help, |ui| {
            let value = bytes.map_or_else(|| "not run yet".to_owned(), text::bytes);
            let hover = bytes.map_or_else(
                || help.to_owned(),
                |bytes| format!("{help}\n{} bytes = {}", text::count(bytes), text::binary_bytes(bytes)),
            );
            ui.label(RichText::new(value).color(tokens.text_strong)).on_hover_text(hover);
        });
    };
    let changing = |ui: &mut Ui, label: &str, (old, new): (Option<u64>, u64), help: &str| {
        let Some(old) = old.filter(|old| *old != new) else { return line(ui, label, Some(new), help) };
        row(ui, label, help, |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            ui.label(RichText::new(format!("{} →", text::bytes(old))).color(tokens.text_weak));
            ui.label(RichText::new(text::bytes(new)).color(tokens.text_strong)).on_hover_text(help);
        });
    };
    ui.label(RichText::new(format!("Training, batch of {}", text::count(batch))).small().color(tokens.text_weak));
    changing(
        ui,
        "Textbook",
        (old.map(|old| old[1]), memory.training_textbook_bytes),
        &format!(
            "Batch × (input + all outputs) + parameters: what the exercise in the book computes.\n{}",
            training_sum(cx)
        ),
    );
    changing(
        ui,
        "Planned",
        (old.map(|old| old[0]), memory.training_planned_bytes),
        "What this program will hold at its fullest moment: also gradients, the optimizer's memory and scratch space.",
    );
    let measured = cx.run.filter(|run| run.revision == cx.revision).and_then(|run| run.measured_bytes);
    line(ui, "Measured", measured, "What the last run really held, over two steps.");
    if let Some(capacity) = cx.capacity_bytes.filter(|capacity| memory.training_planned_bytes > *capacity) {
        let message = format!(
            "The plan must fit the device. It needs {}, {} has {}. Use a smaller batch and accumulate gradients.",
            text::bytes(memory.training_planned_bytes),
            cx.device,
            text::bytes(capacity)
        );
        tokens.banner(true).show(ui, |ui| ui.label(RichText::new(message).color(tokens.error)));
    }
    egui::CollapsingHeader::new("Where the planned bytes go").id_salt("breakdown").show(ui, |ui| {
        for (name, bytes, help) in memory.parts() {
            line(ui, name, Some(bytes), help);
        }
    });
    ui.label(RichText::new("Prediction, one image").small().color(tokens.text_weak));
    line(ui, "Textbook", Some(memory.inference_textbook_bytes), &inference_sum(cx));
    line(ui, "Planned", Some(memory.inference_planned_bytes), "What this program will hold");
}
