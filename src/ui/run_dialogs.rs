//! The window's questions about runs: deleting one, and keeping the weights of one.

use super::kit;
use super::run_desk::Offer;
use super::theme::{Tokens, size};
use crate::plan::Fate;
use egui::RichText;
use std::path::Path;

/// What a person wants done with the weights of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// Start with them where they fit.
    Keep,
    /// Start with new ones.
    Fresh,
    /// Do not start.
    Cancel,
}

fn modal(ctx: &egui::Context, id: &str) -> egui::Modal {
    let frame = egui::Frame::window(&ctx.global_style()).inner_margin(egui::Margin::same(20));
    egui::Modal::new(egui::Id::unique(id)).frame(frame)
}

/// Asks before a run is deleted.
pub(super) fn delete_ui(ctx: &egui::Context, name: &str, folder: &Path) -> Option<bool> {
    let modal = modal(ctx, "delete-run").show(ctx, |ui| {
        ui.set_max_width(440.0);
        ui.heading(format!("Delete {name}?"));
        ui.add_space(size::HALF);
        ui.label("Its weights, curves and checkpoints are removed from the disk. This cannot be undone.");
        kit::weak(ui, folder.display().to_string());
        ui.add_space(size::STEP);
        ui.horizontal(|ui| {
            let keep = ui.button("Keep run").on_hover_text("Go back to the list").clicked();
            let color = Tokens::of(ui).error;
            let delete = ui.button(RichText::new("Delete run").color(color));
            if delete.on_hover_text("Remove the run's folder").clicked() { Some(true) } else { keep.then_some(false) }
        })
        .inner
    });
    modal.inner.or_else(|| modal.should_close().then_some(false))
}

/// Asks whether the weights of the last run are kept, and shows which.
pub(super) fn offer_ui(ctx: &egui::Context, offer: &Offer) -> Option<Choice> {
    let modal = modal(ctx, "keep-weights").show(ctx, |ui| {
        let tokens = Tokens::of(ui);
        ui.set_width(460.0);
        ui.heading("Keep what the network has learned?");
        ui.add_space(size::HALF);
        let (kept, all) = (offer.kept.count(), offer.kept.layers.len());
        ui.label(format!(
            "The network was changed since {}. Weights of the same path and shape can be kept; the others are drawn anew.",
            offer.run
        ));
        ui.add_space(size::STEP);
        egui::ScrollArea::vertical().max_height(240.0).show(ui, |ui| {
            egui::Grid::new("kept-weights").num_columns(2).spacing([24.0, 4.0]).show(ui, |ui| {
                for (name, fate) in &offer.kept.layers {
                    ui.label(RichText::new(name).color(tokens.text_strong));
                    let (words, color) = match fate {
                        Fate::Kept => ("kept".to_owned(), tokens.ok),
                        Fate::New => ("new layer".to_owned(), tokens.text_weak),
                        Fate::Reshaped(old, new) => {
                            (format!("drawn anew where it differs: {}, was {}", sizes(new), sizes(old)), tokens.warning)
                        }
                    };
                    ui.label(RichText::new(words).color(color));
                    ui.end_row();
                }
            });
        });
        ui.add_space(size::STEP);
        ui.horizontal(|ui| {
            let keep = kit::main_button(ui, &format!("Keep weights ({kept} of {all} layers)"));
            if ui.memory(|memory| memory.focused().is_none()) {
                keep.request_focus();
            }
            if keep.on_hover_text("Start with the weights that fit").clicked() {
                return Some(Choice::Keep);
            }
            if ui.button("Start fresh").on_hover_text("Draw all weights anew").clicked() {
                return Some(Choice::Fresh);
            }
            ui.button("Cancel").on_hover_text("Do not train now").clicked().then_some(Choice::Cancel)
        })
        .inner
    });
    modal.inner.or_else(|| modal.should_close().then_some(Choice::Cancel))
}

fn sizes(shape: &[u64]) -> String {
    shape.iter().map(u64::to_string).collect::<Vec<_>>().join(" × ")
}
