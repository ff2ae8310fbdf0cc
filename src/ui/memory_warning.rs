//! The question before a training step that will probably not fit: how much it needs, how much there is, and what helps,
//! each with its figure and one click.

use super::theme::{Tokens, size};
use super::workspace::OpenDocument;
use super::{dialogs, kit};
use crate::graph::TrainSpec;
use crate::op::Op;
use crate::plan::{Remedy, RemedyKind, remedies};
use crate::text;
use egui::RichText;
use std::path::{Path, PathBuf};

/// What is known when the question is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MemoryWarning {
    /// The run whose weights are to be taken, if any.
    pub(super) start_from: Option<PathBuf>,
    available: u64,
    planned: u64,
    batch: u32,
    ways: Vec<Remedy>,
    has_batch_norm: bool,
}

/// What a person chose.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Choice {
    /// Train with these settings.
    Use(TrainSpec),
    /// Train as it is.
    Anyway,
    /// Do not train.
    Cancel,
}

impl MemoryWarning {
    /// The figures of a document on a device with so many bytes.
    pub(super) fn new(open: &OpenDocument, available: u64, start_from: Option<&Path>) -> Self {
        let (derived, spec) = (open.derived(), &open.history.document().training);
        let program = &derived.plan.program;
        Self {
            start_from: start_from.map(Path::to_path_buf),
            available,
            planned: derived.cost.memory.training_planned_bytes,
            batch: spec.batch,
            ways: remedies(program, &derived.cost, spec, available),
            has_batch_norm: program.ops.iter().any(|op| matches!(op.op, Op::BatchNorm { .. })),
        }
    }

    /// The dialog.
    pub(super) fn ui(&self, ctx: &egui::Context, device: &str) -> Option<Choice> {
        let modal = dialogs::modal(ctx, "memory").show(ctx, |ui| {
            let tokens = Tokens::of(ui);
            ui.set_width(640.0);
            ui.heading("This will probably run out of memory");
            ui.add_space(size::HALF);
            ui.label(format!(
                "One training step with {} images is planned to need {} at its fullest moment. {device} has {} free.",
                text::count(u64::from(self.batch)),
                text::bytes(self.planned),
                text::bytes(self.available),
            ));
            ui.add_space(size::STEP);
            let mut choice = None;
            tokens.well().show(ui, |ui| {
                ui.set_width(ui.available_width());
                egui::Grid::new("ways").num_columns(3).spacing([16.0, 12.0]).show(ui, |ui| {
                    for way in &self.ways {
                        ui.vertical(|ui| {
                            ui.set_width(300.0);
                            ui.label(RichText::new(title(way)).color(tokens.text_strong));
                            kit::weak(ui, self.consequence(way));
                        });
                        let (color, words) = if way.fits { (tokens.ok, "fits") } else { (tokens.warning, "still tight") };
                        ui.label(RichText::new(format!("{}, {words}", text::bytes(way.bytes))).color(color));
                        let label = button_label(way);
                        let hover = if way.fits { "Change this setting (it can be undone) and train" } else { "Change this setting (it can be undone) and look again" };
                        let button = if way.fits { kit::main_button(ui, &label) } else { ui.button(&label) };
                        if button.on_hover_text(hover).clicked() {
                            choice = Some(Choice::Use(way.spec.clone()));
                        }
                        ui.end_row();
                    }
                });
            });
            ui.add_space(size::HALF);
            kit::weak(
                ui,
                "A smaller input, fewer filters, or frozen layers help as well: the Cost panel shows which layer takes how much. \
                 If memory runs out all the same, the run goes on from its last checkpoint with half the batch.",
            );
            ui.add_space(size::STEP);
            ui.horizontal(|ui| {
                if ui.button("Train anyway").on_hover_text("Train with the settings as they are").clicked() {
                    choice = Some(Choice::Anyway);
                }
                if ui.button("Cancel").on_hover_text("Go back without training").clicked() {
                    choice = Some(Choice::Cancel);
                }
            });
            choice
        });
        let closed = modal.should_close();
        modal.inner.or(closed.then_some(Choice::Cancel))
    }

    fn consequence(&self, way: &Remedy) -> String {
        match way.kind {
            RemedyKind::Halve(_) if self.has_batch_norm => {
                format!("Batch norm then takes its statistics over {} images", text::count(u64::from(way.spec.batch)))
            }
            RemedyKind::Halve(_) => "The same steps, but for rounding".into(),
            RemedyKind::PlainSgd => {
                "No state for each parameter; it learns more slowly and needs another learning rate".into()
            }
        }
    }
}

fn title(way: &Remedy) -> String {
    match way.kind {
        RemedyKind::Halve(_) => format!(
            "{} images at a time, {} gradients added up",
            text::count(u64::from(way.spec.batch)),
            text::count(u64::from(way.spec.accumulate))
        ),
        RemedyKind::PlainSgd => "SGD instead of the present optimizer".into(),
    }
}

fn button_label(way: &Remedy) -> String {
    match way.kind {
        RemedyKind::Halve(1) => "Halve the batch".into(),
        RemedyKind::Halve(times) => format!("Halve it {times} times"),
        RemedyKind::PlainSgd => "Use SGD".into(),
    }
}
