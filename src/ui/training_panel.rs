//! The run as it goes: charts, progress, speed, and what is left.

use super::charts::Charts;
use super::kit;
use super::runs::{RunState, RunView};
use super::settings::{self, Settings};
use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand};
use crate::text;
use egui::{RichText, Ui};

/// The panel.
#[derive(Debug, Default)]
pub struct TrainingPanel {
    charts: Charts,
    settings: Settings,
}

impl Panel for TrainingPanel {
    fn id(&self) -> &'static str {
        "training"
    }

    fn title(&self) -> &'static str {
        "Training"
    }

    fn help(&self) -> &'static str {
        "Loss and accuracy while the network learns, speed, and the time that is left"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        // A low panel scrolls to its charts.
        egui::ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| self.all_ui(cx, ui, out));
    }
}

impl TrainingPanel {
    fn all_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.settings.begin(cx);
        ui.horizontal_wrapped(|ui| {
            self.settings.epochs_ui(ui);
            self.settings.batch_ui(ui);
            self.settings.rate_ui(ui);
            self.settings.optimizer_ui(ui);
            self.settings.schedule_ui(ui);
            self.settings.dtype_ui(ui);
            if cx.run.is_some() {
                self.charts.options_ui(ui);
            }
        });
        self.settings.end(cx, out);
        match cx.run {
            None => empty_ui(cx, ui, out),
            Some(run) => {
                ui.add_space(2.0);
                progress_ui(cx, run, ui);
                ui.add_space(2.0);
                self.charts.ui(run, ui);
            }
        }
    }
}

fn empty_ui(cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    if let Some(error) = cx.plan.first_error() {
        kit::empty_ui(ui, "Not ready to train", &error, None);
        return;
    }
    let line = format!("{} on {}, on {}.", settings::in_words(&cx.document.training), data_name(cx), cx.device);
    let action = Some(("Start training", "Train the network on its data (Ctrl+Enter)"));
    if kit::empty_ui(ui, "Ready to train", &line, action) {
        out.push(UiCommand::Train);
    }
}

fn data_name(cx: &PanelCx<'_>) -> String {
    if cx.data.name.is_empty() { "its data".into() } else { cx.data.name.clone() }
}

fn progress_ui(cx: &PanelCx<'_>, run: &RunView, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    let done = run.steps.last().map_or(0, |step| step.step);
    let per_epoch = run.steps_per_epoch.max(1);
    let epochs = run.total_steps.div_ceil(per_epoch);
    let in_epoch = if done == 0 { 0 } else { (done - 1) % per_epoch + 1 };
    #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
    let share = |part: u64, whole: u64| (part as f64 / whole.max(1) as f64) as f32;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 18.0;
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 3.0;
            let (words, color) = state_words(run, tokens);
            ui.label(RichText::new(words).color(color));
            if run.revision != cx.revision {
                ui.label(RichText::new("Network changed since").small().color(tokens.warning))
                    .on_hover_text("The curves belong to the network as it was when this run started");
            } else {
                ui.label(RichText::new(&run.name).small().color(tokens.text_weak))
                    .on_hover_text(run.folder.display().to_string());
            }
        });
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            let epoch = if done == 0 { 0 } else { done.div_ceil(per_epoch) };
            let text = format!("Epoch {epoch} of {epochs}");
            kit::gauge(ui, share(in_epoch, per_epoch), 190.0, tokens.bar, &text, "This epoch").on_hover_text(format!(
                "Step {} of {} in this epoch",
                text::count(in_epoch),
                text::count(per_epoch)
            ));
            let text = format!("Step {} of {}", text::count(done), text::count(run.total_steps));
            kit::gauge(ui, share(done, run.total_steps), 190.0, tokens.bar, &text, "The run")
                .on_hover_text("Steps of the whole run");
        });
        let left = match (&run.state, run.left_secs) {
            (RunState::Training | RunState::Paused, Some(secs)) => text::duration(secs),
            _ => "–".into(),
        };
        kit::figure(ui, "Elapsed", text::duration(run.elapsed_secs), "Time since the start, pauses not counted");
        kit::figure(ui, "Left", left, "At the present speed");
        kit::figure(ui, "Speed", format!("{:.0} images/s", run.images_per_sec), "Training images a second, smoothed");
        let last = run.steps.last();
        let rate = last.map_or_else(|| "–".into(), |step| rate_text(step.learning_rate));
        kit::figure(ui, "Learning rate", rate, "Of the last step, as the schedule has it");
        let measured = run.measured_bytes.map_or_else(|| "–".into(), text::bytes);
        kit::figure(ui, "RAM measured", measured, "The most that the engine really held at once");
        if let Some(best) = run.epochs.iter().rev().find(|epoch| epoch.is_best) {
            let text = RichText::new(format!("Epoch {}: {:.2} %", best.epoch, best.accuracy * 100.0))
                .color(tokens.series_best);
            kit::figure(ui, "Best", text, "Epoch with the lowest validation loss, and its validation accuracy");
        }
    });
}

fn rate_text(rate: f64) -> String {
    if rate >= 1e-4 { format!("{rate:.5}").trim_end_matches('0').to_owned() } else { format!("{rate:.2e}") }
}

fn state_words(run: &RunView, tokens: &Tokens) -> (String, egui::Color32) {
    match &run.state {
        RunState::Preparing => {
            let what = if run.activity.is_empty() { "preparing" } else { &run.activity };
            (format!("Getting ready: {what}"), tokens.accent)
        }
        RunState::Training => ("Training".into(), tokens.accent),
        RunState::Paused => ("Paused".into(), tokens.warning),
        RunState::Finished(how) => (format!("Done. {how}"), tokens.ok),
        RunState::Failed(why) => (format!("Failed. {why}"), tokens.error),
    }
}

/// Space that the charts never go below.
pub(super) const MIN_CHART: f32 = size::STEP * 12.0;
