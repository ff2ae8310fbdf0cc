//! Two runs side by side: what they reached, the settings that differ, and the networks layer by layer.

use super::charts::rate_text;
use super::kit;
use super::runs_view::{RunsView, StoredRun};
use super::theme::{Tokens, size};
use crate::plan::{Comparison, LayerDiff, LayerText, compare};
use crate::text;
use egui::{Color32, RichText, Ui};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The comparison of two runs, made once for each pair.
#[derive(Debug, Default)]
pub(super) struct RunCompare {
    key: Option<(PathBuf, PathBuf)>,
    found: Comparison,
    all_layers: bool,
}

impl RunCompare {
    /// Draws it. Runs that are not read yet are awaited.
    pub(super) fn ui(&mut self, runs: &RunsView, left: &Path, right: &Path, ui: &mut Ui) {
        for folder in [left, right] {
            if let Some(why) = runs.broken.get(folder) {
                ui.label(RichText::new(format!("{}: {why}", runs.name(folder))).color(Tokens::of(ui).error));
                return;
            }
        }
        let (Some(a), Some(b)) = (runs.loaded.get(left), runs.loaded.get(right)) else {
            kit::weak(ui, "Reading both runs…");
            return;
        };
        let key = (left.to_path_buf(), right.to_path_buf());
        if self.key.as_ref() != Some(&key) {
            self.key = Some(key);
            self.found = compare(&a.document, &b.document);
        }
        let names = [runs.name(left), runs.name(right)];
        figures_ui(&names, [a, b], ui);
        ui.add_space(size::STEP);
        self.settings_ui(&names, ui);
        ui.add_space(size::STEP);
        self.layers_ui(&names, ui);
    }

    fn settings_ui(&self, names: &[String; 2], ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        kit::title(ui, "Settings that differ");
        if self.found.settings.is_empty() {
            kit::weak(ui, "None: training, data and seed are the same.");
            return;
        }
        egui::Grid::new("compare-settings").num_columns(3).spacing([18.0, 3.0]).show(ui, |ui| {
            head_ui(ui, &["Setting", &names[0], &names[1]]);
            for diff in &self.found.settings {
                ui.label(RichText::new(&diff.name).color(tokens.text_weak));
                ui.label(&diff.left);
                ui.label(&diff.right);
                ui.end_row();
            }
        });
    }

    fn layers_ui(&mut self, names: &[String; 2], ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        let differ = self.found.layers.iter().filter(|layer| !layer.is_same()).count();
        ui.horizontal(|ui| {
            kit::title(ui, "Networks, layer by layer");
            ui.checkbox(&mut self.all_layers, "All layers").on_hover_text("Show also the layers that are the same");
        });
        match (differ, self.found.is_rewired) {
            (0, true) => kit::weak(ui, "The layers are the same, but they are linked otherwise."),
            (0, false) => kit::weak(ui, "Both networks are the same."),
            (count, _) => kit::weak(ui, format!("{count} of {} layers differ.", self.found.layers.len())),
        };
        if differ == 0 && !self.all_layers {
            return;
        }
        egui::Grid::new("compare-layers").num_columns(4).spacing([18.0, 3.0]).show(ui, |ui| {
            head_ui(ui, &["Layer", &names[0], &names[1], "What differs"]);
            for layer in self.found.layers.iter().filter(|layer| self.all_layers || !layer.is_same()) {
                let color = if layer.is_same() { tokens.text_weak } else { tokens.text_strong };
                ui.label(RichText::new(&layer.name).color(color));
                side_ui(ui, layer.left.as_ref(), color);
                side_ui(ui, layer.right.as_ref(), color);
                let (words, color) = what_differs(layer, tokens);
                ui.label(RichText::new(words).color(color));
                ui.end_row();
            }
        });
    }
}

fn what_differs(layer: &LayerDiff, tokens: &Tokens) -> (String, Color32) {
    match (&layer.left, &layer.right) {
        (Some(_), None) => ("only in the first".into(), tokens.warning),
        (None, Some(_)) => ("only in the second".into(), tokens.accent),
        _ if layer.is_same() => ("same".into(), tokens.text_weak),
        _ if layer.changes.is_empty() => ("follows from what is before it".into(), tokens.text_weak),
        _ => (layer.changes.join(", "), tokens.text_strong),
    }
}

fn side_ui(ui: &mut Ui, layer: Option<&LayerText>, color: Color32) {
    match layer {
        Some(layer) => {
            let params = if layer.params > 0 { format!(", {}", text::count(layer.params)) } else { String::new() };
            ui.label(RichText::new(format!("{} {}{params}", layer.kind, layer.output)).color(color))
                .on_hover_text(format!("Gives {}, has {} parameters", layer.output, text::count(layer.params)));
        }
        None => {
            ui.label(RichText::new("–").color(color));
        }
    }
}

fn head_ui(ui: &mut Ui, titles: &[&str]) {
    let color = Tokens::of(ui).text_weak;
    for title in titles {
        ui.label(RichText::new(*title).small().color(color));
    }
    ui.end_row();
}

fn figures_ui(names: &[String; 2], runs: [&Arc<StoredRun>; 2], ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    kit::title(ui, "What they reached");
    egui::Grid::new("compare-figures").num_columns(6).spacing([18.0, 3.0]).show(ui, |ui| {
        head_ui(ui, &["Run", "Best accuracy", "Lowest loss", "Best epoch", "Epochs", "Training time"]);
        for (name, run) in names.iter().zip(runs) {
            ui.label(RichText::new(name).color(tokens.text_strong));
            match run.view.best() {
                Some(best) => {
                    ui.label(format!("{:.2} %", best.accuracy * 100.0));
                    ui.label(if best.loss.is_finite() { format!("{:.4}", best.loss) } else { "–".into() });
                    ui.label(best.epoch.to_string());
                }
                None => (0..3).for_each(|_| {
                    ui.label("–");
                }),
            }
            ui.label(run.view.epochs.len().to_string());
            ui.label(text::duration(run.view.elapsed_secs));
            ui.end_row();
        }
    });
    if let [Some(a), Some(b)] = runs.map(|run| run.view.steps.last().map(|step| step.learning_rate)) {
        kit::weak(ui, format!("Learning rate at the end: {} and {}.", rate_text(a), rate_text(b)));
    }
}
