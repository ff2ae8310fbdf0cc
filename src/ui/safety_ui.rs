//! The dialogs about work that could be lost: after a crash, over a changed file, while a run ends.

use super::app::App;
use super::memory_warning::{Choice, For, MemoryWarning};
use super::recovery::Found;
use super::safety::{Conflict, Resolution};
use super::theme::{Tokens, size};
use super::{dialogs, kit};
use crate::engine::run::now_secs;
use crate::graph::Edit;
use crate::text;
use egui::RichText;

/// What is done with a network that a crashed window left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Restore(usize, usize),
    Discard(usize, usize),
    RestoreAll,
    Later,
}

impl App {
    /// Shows the dialog that is due; `false` if none is.
    pub(super) fn safety_ui(&mut self, ctx: &egui::Context, frame: &eframe::Frame) -> bool {
        if let Some(conflict) = self.safety.conflict.clone() {
            if let Some(resolution) = conflict_ui(ctx, &conflict) {
                self.resolve(resolution, frame, ctx);
            }
        } else if let Some((serial, words)) = self.safety.unsaved.clone() {
            if let Some(saves_as) = unsaved_ui(ctx, &words) {
                self.safety.unsaved = None;
                if saves_as {
                    self.ask_where_of(serial, frame, ctx);
                }
            }
        } else if self.safety.leaving.as_ref().is_some_and(|leaving| leaving.is_ending_run) {
            if ending_ui(ctx) {
                self.close_now(ctx);
            }
        } else if !self.safety.leftovers.is_empty() {
            self.leftovers_ui(ctx);
        } else if let Some(warning) = self.safety.memory.take() {
            self.memory_ui(warning, ctx);
        } else if self.safety.shows_check {
            self.check_ui(ctx);
        } else {
            return false;
        }
        true
    }

    fn memory_ui(&mut self, warning: MemoryWarning, ctx: &egui::Context) {
        let device = self.session.device_info().map_or("The CPU", |device| device.name.as_str());
        match warning.ui(ctx, device) {
            Some(choice) if matches!(warning.purpose, For::Queued(_)) => self.answer_queued(choice),
            Some(Choice::Use(spec)) => {
                let edit = Edit::SetTraining(Box::new(spec));
                match self.workspace.front_mut().edit(&edit, Some(Vec::new()), None) {
                    Ok(()) => {
                        self.workspace.refresh(self.session.engine());
                        match warning.purpose {
                            For::Train(start_from) => self.start_run(start_from, ctx),
                            For::Enqueue | For::Queued(_) => self.enqueue(),
                        }
                    }
                    Err(refused) => self.session.warn(refused, false),
                }
            }
            Some(Choice::Anyway) => match warning.purpose {
                For::Train(start_from) => self.start_training(start_from, ctx),
                For::Enqueue | For::Queued(_) => self.enqueue_now(true),
            },
            Some(Choice::Cancel) => {}
            None => self.safety.memory = Some(warning),
        }
    }

    fn leftovers_ui(&mut self, ctx: &egui::Context) {
        let mut decision = None;
        let mut copied = None;
        let modal = dialogs::modal(ctx, "leftovers").show(ctx, |ui| {
            let tokens = Tokens::of(ui);
            ui.set_width(560.0);
            ui.heading("Restore unsaved work?");
            ui.add_space(size::HALF);
            ui.label(
                "Striate ended without closing properly. These networks had changes that were not saved to a file.",
            );
            ui.add_space(size::STEP);
            egui::ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
                for (outer, leftover) in self.safety.leftovers.iter().enumerate() {
                    for (inner, found) in leftover.found.iter().enumerate() {
                        tokens.well().show(ui, |ui| found_ui(ui, found, (outer, inner), &mut decision));
                    }
                }
            });
            let report = self.safety.leftovers.iter().find_map(|left| left.report.as_ref());
            if let Some(report) = report {
                ui.add_space(size::HALF);
                ui.horizontal_wrapped(|ui| {
                    kit::weak(ui, format!("A report of the failure is in {}.", report.display()));
                    if ui
                        .button("Copy report")
                        .on_hover_text("Put the report on the clipboard, to send it to somebody")
                        .clicked()
                    {
                        copied = Some(std::fs::read_to_string(report).unwrap_or_else(|error| error.to_string()));
                    }
                });
            }
            ui.add_space(size::STEP);
            ui.horizontal(|ui| {
                if kit::main_button(ui, "Restore all").on_hover_text("Open them all, as unsaved").clicked() {
                    decision = Some(Decision::RestoreAll);
                }
                if ui.button("Decide later").on_hover_text("Keep them and ask again at the next start").clicked() {
                    decision = Some(Decision::Later);
                }
            });
        });
        if modal.should_close() {
            decision = decision.or(Some(Decision::Later));
        }
        if let Some(text) = copied {
            ctx.copy_text(text);
        }
        match decision {
            Some(Decision::Restore(outer, inner)) => self.restore(outer, inner),
            Some(Decision::Discard(outer, inner)) => self.forget(outer, inner),
            Some(Decision::RestoreAll) => self.restore_all(),
            // Their locks are given back; the copies stay where they are.
            Some(Decision::Later) => self.safety.leftovers.clear(),
            None => {}
        }
    }

    fn restore_all(&mut self) {
        // What cannot be read stays, to be looked at or discarded.
        while let Some((outer, inner)) = self.safety.leftovers.iter().enumerate().find_map(|(outer, left)| {
            left.found.iter().position(|found| found.document.is_ok()).map(|inner| (outer, inner))
        }) {
            self.restore(outer, inner);
        }
    }
}

fn found_ui(ui: &mut egui::Ui, found: &Found, at: (usize, usize), decision: &mut Option<Decision>) {
    let tokens = Tokens::of(ui);
    ui.set_width(ui.available_width());
    ui.horizontal(|ui| {
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let named = |verb: &str| format!("{verb} {}", found.title);
            let discard = ui.button("Discard").on_hover_text("Delete this copy for good");
            discard.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, named("Discard")));
            if discard.clicked() {
                *decision = Some(Decision::Discard(at.0, at.1));
            }
            if found.document.is_ok() {
                let restore = kit::main_button(ui, "Restore").on_hover_text("Open it, as unsaved");
                restore.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, named("Restore")));
                if restore.clicked() {
                    *decision = Some(Decision::Restore(at.0, at.1));
                }
            }
            ui.with_layout(egui::Layout::top_down(egui::Align::Min), |ui| {
                ui.label(RichText::new(&found.title).color(tokens.text_strong));
                let place = found
                    .file
                    .as_ref()
                    .map_or_else(|| "Never saved to a file".into(), |file| file.display().to_string());
                ui.add(egui::Label::new(RichText::new(&place).color(tokens.text_weak)).truncate())
                    .on_hover_text(&place);
                match &found.document {
                    Ok(document) => {
                        let layers = document.graph.nodes.len() as u64;
                        let age = text::duration(now_secs().saturating_sub(found.saved) as f64);
                        kit::weak(ui, format!("{} layers, copied {age} ago", text::count(layers)));
                    }
                    Err(why) => {
                        ui.label(RichText::new(why).color(tokens.error));
                    }
                }
            });
        });
    });
}

fn conflict_ui(ctx: &egui::Context, conflict: &Conflict) -> Option<Resolution> {
    let modal = dialogs::modal(ctx, "conflict").show(ctx, |ui| {
        ui.set_width(520.0);
        let name = conflict.path.file_name().unwrap_or_default().to_string_lossy();
        ui.heading(format!("{name} was changed by another program"));
        ui.add_space(size::HALF);
        ui.label(format!(
            "Since it was opened here, another window or program wrote {}. Saving over it loses what was written there.",
            conflict.path.display()
        ));
        ui.add_space(size::STEP);
        ui.horizontal(|ui| {
            let save_as = kit::main_button(ui, "Save as…").on_hover_text("Write this network to another file").clicked();
            let open = ui.button("Open the other one").on_hover_text("Open what is in the file in a tab beside this one").clicked();
            let replace = ui.button("Replace it").on_hover_text("Write this network over the file").clicked();
            let leave = ui.button("Cancel").on_hover_text("Go back without saving").clicked();
            [
                (save_as, Resolution::SaveAs),
                (open, Resolution::OpenOther),
                (replace, Resolution::Replace),
                (leave, Resolution::Leave),
            ]
            .into_iter()
            .find_map(|(clicked, resolution)| clicked.then_some(resolution))
        })
        .inner
    });
    let closed = modal.should_close();
    modal.inner.or(closed.then_some(Resolution::Leave))
}

/// A file that could not be written; `true` asks for another one.
fn unsaved_ui(ctx: &egui::Context, words: &str) -> Option<bool> {
    let modal = dialogs::modal(ctx, "unsaved").show(ctx, |ui| {
        ui.set_max_width(460.0);
        ui.heading("This file was not saved");
        ui.add_space(size::HALF);
        ui.label(words);
        ui.add_space(size::STEP);
        ui.horizontal(|ui| {
            let save_as =
                kit::main_button(ui, "Save as…").on_hover_text("Write this network to another file").clicked();
            let close = ui.button("Close message").on_hover_text("Go back to the window").clicked();
            (save_as || close).then_some(save_as)
        })
        .inner
    });
    let closed = modal.should_close();
    modal.inner.or(closed.then_some(false))
}

/// Shown while the engine writes its checkpoint; `true` closes at once.
fn ending_ui(ctx: &egui::Context) -> bool {
    let modal = dialogs::modal(ctx, "ending").show(ctx, |ui| {
        ui.set_width(400.0);
        ui.heading("Saving the run");
        ui.add_space(size::HALF);
        ui.horizontal(|ui| {
            ui.spinner();
            ui.label("The engine ends its step and writes a checkpoint. Then the window closes.");
        });
        ui.add_space(size::STEP);
        ui.button("Close now")
            .on_hover_text("Close without waiting; the engine still writes its checkpoint if it can")
            .clicked()
    });
    modal.inner
}
