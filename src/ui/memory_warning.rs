//! The question before a training step that will probably not fit: how much it needs, how much there is, and what helps,
//! each with its figure and one click.

use super::theme::{Tokens, size};
use super::{dialogs, kit};
use crate::graph::TrainSpec;
use crate::op::{Op, Program};
use crate::plan::{Cost, Remedy, RemedyKind, remedies};
use crate::text;
use egui::RichText;
use std::path::PathBuf;

/// What a step that will probably not fit is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum For {
    /// A run of the network in front, with the weights of an earlier run if one is named.
    Train(Option<PathBuf>),
    /// A place in the queue for the network in front.
    Enqueue,
    /// The waiting run of this name, whose turn has come.
    Queued(String),
}

/// What is known when the question is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct MemoryWarning {
    /// What the step is for.
    pub(super) purpose: For,
    available: u64,
    planned: u64,
    batch: u32,
    /// Images of one step of the optimizer.
    step: u64,
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
    /// The figures of a network on a device with so many bytes.
    pub(super) fn new(program: &Program, cost: &Cost, spec: &TrainSpec, available: u64, purpose: For) -> Self {
        Self {
            purpose,
            available,
            planned: cost.memory.training_planned_bytes,
            batch: spec.batch,
            step: spec.images_of_a_step(),
            ways: remedies(program, cost, spec, available),
            has_batch_norm: program.ops.iter().any(|op| matches!(op.op, Op::BatchNorm { .. })),
        }
    }

    /// The dialog.
    pub(super) fn ui(&self, ctx: &egui::Context, device: &str) -> Option<Choice> {
        let modal = dialogs::modal(ctx, "memory").show(ctx, |ui| {
            let tokens = Tokens::of(ui);
            ui.set_width(640.0);
            ui.heading(match &self.purpose {
                For::Queued(name) => format!("{name}, next in the queue, will probably run out of memory"),
                For::Train(_) | For::Enqueue => "This will probably run out of memory".into(),
            });
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
                        let hover = match (&self.purpose, way.fits) {
                            (For::Train(_), true) => "Change this setting (it can be undone) and train",
                            (For::Enqueue, true) => "Change this setting (it can be undone) and add it to the queue",
                            (For::Train(_) | For::Enqueue, false) => "Change this setting (it can be undone) and look again",
                            (For::Queued(_), true) => "Change this setting of the waiting run and train",
                            (For::Queued(_), false) => "Change this setting of the waiting run and look again",
                        };
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
                let (anyway, hover, no, without) = match self.purpose {
                    For::Train(_) => {
                        ("Train anyway", "Train with the settings as they are", "Cancel", "Go back without training")
                    }
                    For::Enqueue => {
                        ("Add anyway", "Let it wait with the settings as they are", "Cancel", "Do not add it")
                    }
                    For::Queued(_) => {
                        ("Train anyway", "Train with the settings as they are", "Hold queue", "Start nothing for now")
                    }
                };
                if ui.button(anyway).on_hover_text(hover).clicked() {
                    choice = Some(Choice::Anyway);
                }
                if ui.button(no).on_hover_text(without).clicked() {
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
            RemedyKind::Halve(_) if way.spec.images_of_a_step() != self.step => {
                format!("A step then sees {} images", text::count(way.spec.images_of_a_step()))
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
        RemedyKind::Halve(_) => format!("Use batches of {}", text::count(u64::from(way.spec.batch))),
        RemedyKind::PlainSgd => "Use SGD".into(),
    }
}
