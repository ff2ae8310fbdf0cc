//! The run as it goes: charts, progress, speed, what is left; what the curves mean; and what waits.

use super::charts::{self, Charts, rate_text};
use super::judgement::{self, Finding, Remedy, Tone};
use super::kit;
use super::more_epochs::MoreEpochs;
use super::queue_ui;
use super::runs::{RunState, RunView};
use super::runs_view::RunsCommand;
use super::settings::{self, Settings};
use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand, search_ui};
use crate::engine::protocol::FinishReason;
use crate::graph::{Edit, Schedule, TrainSpec};
use crate::text;
use egui::{RichText, Ui, UiBuilder};

/// Width of the part beside the charts.
const BESIDE: f32 = 284.0;
/// Width from which charts and words stand side by side.
const WIDE: f32 = 820.0;

/// What the judgement was made of: run, steps, epochs, state, settings.
type Judged = (std::path::PathBuf, usize, usize, bool, TrainSpec);

/// The panel.
#[derive(Debug, Default)]
pub struct TrainingPanel {
    charts: Charts,
    settings: Settings,
    judged: Option<Judged>,
    findings: Vec<Finding>,
    more: MoreEpochs,
}

impl Panel for TrainingPanel {
    fn id(&self) -> &'static str {
        "training"
    }

    fn title(&self) -> &'static str {
        "Training"
    }

    fn help(&self) -> &'static str {
        "Loss and accuracy while the network learns, what they mean, speed, and the time that is left"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        // A low panel scrolls to its charts.
        egui::ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| self.all_ui(cx, ui, out));
    }
}

impl TrainingPanel {
    fn all_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.settings_ui(cx, ui, out);
        self.judge(cx);
        let has_charts = charts::has_content(cx);
        let has_words = !self.findings.is_empty() || cx.runs.search.is_some();
        queue_ui::ui(cx, ui, out);
        if let Some(run) = cx.run {
            ui.add_space(2.0);
            progress_ui(cx, run, ui);
            // A finding that advises more epochs has the button itself.
            if run.is_complete() && !self.findings.iter().any(Finding::wants_more_epochs) {
                let spec = run.started_with.as_ref();
                ui.horizontal(|ui| self.more.ui(&run.folder, spec, cx, ui, out));
            }
        }
        if !has_charts && !cx.runs.rows.is_empty() {
            ui.horizontal(|ui| charts::earlier_ui(cx, ui, out));
        }
        if !has_charts && cx.run.is_none() {
            empty_ui(cx, ui, out);
            ui.add_space(size::STEP * 2.0);
        }
        if !has_charts && !has_words {
            return;
        }
        ui.add_space(2.0);
        if has_charts {
            self.charts.options_ui(cx, ui, out);
        }
        if !has_words {
            self.charts.ui(cx, ui);
            return;
        }
        let room = ui.available_rect_before_wrap();
        if room.width() < WIDE || !has_charts {
            if has_charts {
                self.charts.ui(cx, ui);
            }
            self.words_ui(cx, ui, out);
            return;
        }
        let (left, right) = room.split_left_right_at_x(room.right() - BESIDE);
        let used = ui.scope_builder(UiBuilder::new().max_rect(left.with_max_x(left.right() - size::STEP)), |ui| {
            self.charts.ui(cx, ui);
        });
        let right = right.with_min_x(right.left() + size::STEP);
        let height = used.response.rect.height();
        let right = egui::Rect::from_min_size(right.min, egui::vec2(right.width(), height));
        ui.scope_builder(UiBuilder::new().max_rect(right), |ui| {
            egui::ScrollArea::vertical().id_salt("training-words").auto_shrink([false; 2]).show(ui, |ui| {
                self.words_ui(cx, ui, out);
            });
        });
    }

    fn settings_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.settings.begin(cx);
        ui.horizontal_wrapped(|ui| {
            self.settings.epochs_ui(ui);
            self.settings.batch_ui(ui);
            self.settings.rate_ui(ui);
            let problem = cx.plan.training_problem();
            let can_search = !cx.runs.is_busy && problem.is_none();
            let find = ui.add_enabled(can_search, egui::Button::new("Find rate"));
            let hover = "Train a copy for 100 steps with a growing learning rate, and see which one makes the loss fall fastest";
            let why = problem.unwrap_or_else(|| "Rates are searched while nothing trains".into());
            if find.on_hover_text(hover).on_disabled_hover_text(why).clicked() {
                out.push(UiCommand::Runs(RunsCommand::FindRate));
            }
            self.settings.optimizer_ui(ui);
            self.settings.schedule_ui(ui);
            self.settings.dtype_ui(ui);
            // While another network trains, the button at the top adds this one to the queue.
            if cx.run.is_some_and(RunView::is_active) {
                ui.separator();
                apply_ui(cx, ui, out);
                let queue = ui.add_enabled(cx.plan.training_problem().is_none(), egui::Button::new("Add to queue"));
                let hover = "Train the network as it is now once the runs before it have ended";
                let why = cx.plan.training_problem().unwrap_or_default();
                if queue.on_hover_text(hover).on_disabled_hover_text(why).clicked() {
                    out.push(UiCommand::Runs(RunsCommand::Enqueue));
                }
            }
        });
        self.settings.end(cx, ui, out);
        if let Some(effect) = self.settings.effect(cx, ui) {
            ui.label(RichText::new(effect).small().color(Tokens::of(ui).accent));
        }
    }

    /// Judges anew when an epoch has ended, or every hundred steps.
    fn judge(&mut self, cx: &PanelCx<'_>) {
        let Some(run) = cx.run else {
            self.judged = None;
            self.findings.clear();
            return;
        };
        let spec = &cx.document.training;
        let key = (run.folder.clone(), run.steps.len() / 100, run.epochs.len(), run.is_active(), spec.clone());
        if self.judged.as_ref() != Some(&key) {
            self.findings = judgement::judge(run, spec, cx.data.counts[0]);
            let remedies = self.findings.iter().filter_map(|finding| finding.remedy.as_ref());
            for remedy in remedies {
                if let Remedy::MoreEpochs(count) = remedy {
                    self.more.propose(*count);
                }
            }
            self.judged = Some(key);
        }
    }

    fn words_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        if let Some(search) = &cx.runs.search {
            search_ui::ui(cx, search, ui, out);
            ui.add_space(size::STEP);
        }
        if !self.findings.is_empty() {
            kit::title(ui, "What the curves say");
            for finding in &self.findings {
                finding_ui(cx, finding, &mut self.more, ui, out);
            }
            ui.add_space(size::STEP);
        }
    }
}

fn set_training(spec: TrainSpec) -> UiCommand {
    UiCommand::Edit { edit: Edit::SetTraining(Box::new(spec)), path: Some(Vec::new()), gesture: None }
}

fn finding_ui(cx: &PanelCx<'_>, finding: &Finding, more: &mut MoreEpochs, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let color = match finding.tone {
        Tone::Bad => tokens.error,
        Tone::Hint => tokens.warning,
        Tone::Good => tokens.ok,
    };
    let frame =
        egui::Frame::new().fill(tokens.card).corner_radius(size::RADIUS).inner_margin(egui::Margin::symmetric(10, 6));
    frame.show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = 3.0;
        ui.label(RichText::new(finding.title).color(color));
        ui.label(RichText::new(&finding.evidence).color(tokens.text));
        if !finding.advice.is_empty() {
            ui.label(RichText::new(finding.advice).color(tokens.text_weak));
        }
        match &finding.remedy {
            Some(Remedy::Settings { label, spec }) => {
                let is_done = *spec == cx.document.training;
                let button = ui.add_enabled(!is_done, egui::Button::new(label).fill(tokens.hover));
                let hover =
                    "Change the training settings of this network; Ctrl+Z takes it back. It holds from the next run on";
                if button.on_hover_text(hover).clicked() {
                    out.push(set_training(spec.clone()));
                }
            }
            Some(Remedy::MoreEpochs(_)) => {
                let Some(run) = cx.run else { return };
                ui.horizontal(|ui| more.ui(&run.folder, run.started_with.as_ref(), cx, ui, out));
            }
            None => {}
        }
    });
}

/// Brings rate and schedule of the run under way to those of the document.
fn apply_ui(cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let Some(run) = cx.run.filter(|run| matches!(run.state, RunState::Training | RunState::Paused)) else { return };
    let spec = &cx.document.training;
    let (rate, schedule) = in_force(run);
    let rate_differs = rate.is_some_and(|rate| (rate - spec.learning_rate).abs() > spec.learning_rate * 1e-9);
    let schedule_differs = schedule.is_some_and(|schedule| schedule != spec.schedule);
    if !(rate_differs || schedule_differs) {
        return;
    }
    let mut words = Vec::new();
    if rate_differs {
        words.push(format!("rate {}", rate_text(spec.learning_rate)));
    }
    if schedule_differs {
        words.push(settings::schedule_name(spec.schedule).to_lowercase());
    }
    let hover = "Change the run under way from its next step on. A schedule then runs over what is left. The change is stored with the run and marked in the charts";
    if kit::main_button(ui, &format!("Use {} now", words.join(", "))).on_hover_text(hover).clicked() {
        if schedule_differs {
            out.push(UiCommand::Runs(RunsCommand::SetSchedule(spec.schedule)));
        }
        if rate_differs {
            out.push(UiCommand::Runs(RunsCommand::SetRate(spec.learning_rate)));
        }
    }
}

/// Base rate and schedule of a run, as it started or was changed last.
fn in_force(run: &RunView) -> (Option<f64>, Option<Schedule>) {
    let last = run.changes.last();
    let rate = last.map(|change| change.base_rate).or(run.started_with.as_ref().map(|spec| spec.learning_rate));
    let told = run.changes.iter().rev().find_map(|change| change.schedule.as_deref());
    let schedule =
        told.and_then(|json| serde_json::from_str(json).ok()).or(run.started_with.as_ref().map(|spec| spec.schedule));
    (rate, schedule)
}

fn empty_ui(cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let document = cx.document;
    let numbers = |values: &[f32]| values.iter().map(f32::to_string).collect::<Vec<_>>().join(" / ");
    let (mean, std) = (&document.data.preprocess.mean, &document.data.preprocess.std);
    let line = format!(
        "{} on {}, on {}. Pixels are brought to mean 0 and deviation 1 by {} and {}; seed {}.",
        settings::in_words(&document.training),
        data_name(cx),
        cx.device,
        numbers(mean),
        numbers(std),
        document.seed
    );
    cx.untrained_ui(ui, "Ready to train", &line, out);
}

fn data_name(cx: &PanelCx<'_>) -> String {
    if cx.data.name.is_empty() { "its data".into() } else { cx.data.name.clone() }
}

fn progress_ui(cx: &PanelCx<'_>, run: &RunView, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    let done = run.steps.last().map_or(0, |step| step.step);
    let per_epoch = run.steps_per_epoch.max(1);
    let epochs = run.total_epochs();
    let in_epoch = if done == 0 { 0 } else { (done - 1) % per_epoch + 1 };
    #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
    let share = |part: u64, whole: u64| (part as f64 / whole.max(1) as f64) as f32;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 18.0;
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 3.0;
            let (words, color) = state_words(run, tokens);
            ui.label(RichText::new(words).color(color));
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 8.0;
                run_name_ui(cx, run, ui);
            });
        });
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            let epoch = if done == 0 { 0 } else { done.div_ceil(per_epoch) };
            let text = format!("Epoch {} of {}", text::count(epoch), text::count(epochs));
            kit::gauge(ui, share(in_epoch, per_epoch), 190.0, tokens.bar, &text, "This epoch").on_hover_text(format!(
                "Step {} of {} in this epoch",
                text::count(in_epoch),
                text::count(per_epoch)
            ));
            let text = format!("Step {} of {}", text::count(done), text::count(run.total_steps));
            kit::gauge(ui, share(done, run.total_steps), 190.0, tokens.bar, &text, "The run")
                .on_hover_text("Steps of the whole run");
        });
        kit::figure(ui, "Elapsed", text::duration(run.elapsed_secs), "Time since the start, pauses not counted");
        let (left, hover) =
            run.time_left().unwrap_or_else(|| ("–".into(), "Known once some steps are done".into()));
        kit::figure(ui, "Left", left, &hover);
        kit::figure(ui, "Speed", speed_text(run.images_per_sec), "Training images a second, smoothed");
        let last = run.steps.last();
        let rate = last.map_or_else(|| "–".into(), |step| rate_text(step.learning_rate));
        kit::figure(ui, "Learning rate", rate, "Of the last step, as the schedule has it");
        let measured = run.measured_bytes.map_or_else(|| "–".into(), text::bytes);
        let planned = cx.cost.memory.training_planned_bytes;
        let hover = if run.revision == cx.revision {
            format!(
                "The most that the engine really held at once. Planned for this network: {}; the Cost panel explains the difference",
                text::bytes(planned)
            )
        } else {
            "The most that the engine really held at once".into()
        };
        kit::figure(ui, "RAM measured", measured, &hover);
        if run.revision == cx.revision {
            let hover = "What this network was planned to hold at the fullest moment of a step";
            kit::figure(ui, "RAM planned", text::bytes(planned), hover);
        }
        if let Some(best) = run.best() {
            let text = RichText::new(format!("Epoch {}: {:.2} %", best.epoch, best.accuracy * 100.0))
                .color(tokens.series_best);
            kit::figure(ui, "Best", text, "Epoch with the lowest validation loss, and its validation accuracy");
        }
    });
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; `as` saturates")]
fn speed_text(speed: f64) -> String {
    if (0.0..9.95).contains(&speed) && speed > 0.0 {
        return format!("{speed:.1} images/s");
    }
    format!("{} images/s", text::count(speed.max(0.0).round() as u64))
}

/// The run's name, and where its weights came from.
fn run_name_ui(cx: &PanelCx<'_>, run: &RunView, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    if run.revision == cx.revision {
        ui.label(RichText::new(cx.runs.name(&run.folder)).small().color(tokens.text_weak))
            .on_hover_text(run.folder.display().to_string());
    } else {
        ui.label(RichText::new("Network changed since").small().color(tokens.warning)).on_hover_text(
            "The curves belong to the network as it was when this run started. Train asks whether its weights are kept where they fit",
        );
    }
    if let Some(weights) = &run.weights {
        let all = weights.matched.len() + weights.missing.len() + weights.mismatched.len();
        let words = format!("{} of {all} tensors kept", weights.matched.len());
        let mut hover = format!("Kept from the earlier run: {}", list(&weights.matched));
        for (what, names) in [
            ("Drawn anew, not in the earlier run", &weights.missing),
            ("Drawn anew, of another shape", &weights.mismatched),
            ("Not needed any more", &weights.unused),
        ] {
            if !names.is_empty() {
                hover.push_str(&format!("\n{what}: {}", list(names)));
            }
        }
        ui.label(RichText::new(words).small().color(tokens.text_weak)).on_hover_text(hover);
    }
}

fn list(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
    let more = names.len().saturating_sub(shown.len());
    let text = shown.join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}

fn state_words(run: &RunView, tokens: &Tokens) -> (String, egui::Color32) {
    match &run.state {
        RunState::Preparing => {
            let what = if run.activity.is_empty() { "preparing" } else { &run.activity };
            (format!("Getting ready: {what}"), tokens.accent)
        }
        RunState::Training => ("Training".into(), tokens.accent),
        RunState::Paused => ("Paused".into(), tokens.warning),
        RunState::Stopping => ("Stopping after this batch".into(), tokens.warning),
        RunState::Finished(how) => {
            let is_stopped = how.eq_ignore_ascii_case(FinishReason::Stopped.label());
            (format!("Done. {how}"), if is_stopped { tokens.text } else { tokens.ok })
        }
        RunState::Failed(why) => (format!("Failed. {why}"), tokens.error),
    }
}
