//! The training settings of the document as rows. Every change is an `Edit::SetTraining`.

use super::{GestureTracker, choice, flag, new_gesture, number, row};
use crate::graph::{EarlyStop, Edit, Optimizer, Schedule, TrainSpec, bounds};
use crate::layers::ChoiceOption;
use crate::ui::{PanelCx, UiCommand};
use egui::Ui;

const OPTIMIZERS: [ChoiceOption; 6] = [
    ChoiceOption { id: "sgd", label: "SGD", help: "Step against the gradient." },
    ChoiceOption { id: "momentum", label: "SGD, momentum", help: "Keeps part of the last step." },
    ChoiceOption { id: "nesterov", label: "SGD, Nesterov", help: "Momentum with a look ahead." },
    ChoiceOption { id: "adam", label: "Adam", help: "Scales each step by the gradient's recent size." },
    ChoiceOption { id: "adamw", label: "AdamW", help: "Adam whose weight decay is apart from the gradient." },
    ChoiceOption { id: "rmsprop", label: "RMSprop", help: "Divides by the root of the mean squared gradient." },
];

const SCHEDULES: [ChoiceOption; 5] = [
    ChoiceOption { id: "constant", label: "Constant", help: "The same rate throughout." },
    ChoiceOption { id: "step", label: "Step", help: "Multiplied by a factor every so many epochs." },
    ChoiceOption { id: "cosine", label: "Cosine", help: "Half a cosine down to a floor at the end." },
    ChoiceOption { id: "warm_up", label: "Warm-up", help: "A linear rise over the first epochs." },
    ChoiceOption { id: "one_cycle", label: "One cycle", help: "Up, then far down (Smith 2018)." },
];

/// Settings that are always shown, with what they mean: for those who look for one by name.
pub(in crate::ui) const SETTINGS: &[(&str, &str)] =
    &[EPOCHS, BATCH, RATE, OPTIMIZER, SCHEDULE, DECAY, CLIP, ACCUMULATE, EARLY_STOP, super::network::SEED];
const EPOCHS: (&str, &str) = ("Epochs", "Passes over all training images.");
const BATCH: (&str, &str) = ("Batch", "Images per step. Memory grows with it.");
const RATE: (&str, &str) = ("Learning rate", "How far a step goes.");
const OPTIMIZER: (&str, &str) = ("Optimizer", "How gradients become steps.");
const DECAY: (&str, &str) = ("Weight decay", "Pulls weights towards zero; never biases and norms.");
const CLIP: (&str, &str) = ("Clip gradients", "Scales gradients down whose global norm is larger than a limit.");
const ACCUMULATE: (&str, &str) =
    ("Accumulate", "Micro-steps whose gradients are averaged into one step: a larger batch in the same memory.");
const EARLY_STOP: (&str, &str) = ("Early stop", "Ends the run when the validation loss no longer falls.");
const SCHEDULE: (&str, &str) = ("Schedule", "The learning rate over the run.");

/// One widget after another, noting changes.
struct Rows<'a> {
    ui: &'a mut Ui,
    tracker: &'a mut GestureTracker,
    change: Option<u64>,
}

impl Rows<'_> {
    fn number<N: egui::emath::Numeric>(
        &mut self,
        value: &mut N,
        range: std::ops::RangeInclusive<N>,
        name: &str,
        help: &str,
    ) {
        let response = row(self.ui, name, help, |ui| number(ui, value, range, "", name, help));
        self.change = self.tracker.note(&response).or(self.change);
    }

    fn flag(&mut self, value: &mut bool, name: &str, help: &str) -> bool {
        let changed = row(self.ui, name, help, |ui| flag(ui, value, name, help)).changed();
        if changed {
            self.change = Some(new_gesture());
        }
        changed
    }

    fn choice(&mut self, options: &[ChoiceOption], id: &str, name: &str, help: &str) -> Option<&'static str> {
        let mut selected = options.iter().position(|option| option.id == id).unwrap_or(0);
        if !row(self.ui, name, help, |ui| choice(ui, name, options, &mut selected)) {
            return None;
        }
        self.change = Some(new_gesture());
        options.get(selected).map(|option| option.id)
    }
}

/// The training settings. The gesture of a change that is asked for.
pub(super) fn ui(ui: &mut Ui, cx: &PanelCx<'_>, tracker: &mut GestureTracker, out: &mut Vec<UiCommand>) -> Option<u64> {
    let mut spec: TrainSpec = cx.document.training.clone();
    let mut rows = Rows { ui, tracker, change: None };
    rows.number(&mut spec.epochs, bounds::EPOCHS, EPOCHS.0, EPOCHS.1);
    rows.number(&mut spec.batch, bounds::BATCH, BATCH.0, BATCH.1);
    rows.number(&mut spec.learning_rate, bounds::RATE, RATE.0, RATE.1);
    let (name, help) = OPTIMIZER;
    if let Some(chosen) = rows.choice(&OPTIMIZERS, spec.optimizer.id(), name, help).and_then(Optimizer::from_id) {
        spec.optimizer = chosen;
    }
    optimizer_ui(&mut rows, &mut spec.optimizer);
    let (name, help) = SCHEDULE;
    if let Some(chosen) = rows.choice(&SCHEDULES, spec.schedule.id(), name, help).and_then(Schedule::from_id) {
        spec.schedule = chosen;
    }
    match &mut spec.schedule {
        Schedule::Step { every_epochs, gamma } => {
            rows.number(every_epochs, bounds::EPOCHS, "Every epochs", "Epochs between two drops.");
            rows.number(gamma, bounds::GAMMA, "Factor", "What the rate is multiplied by at each drop.");
        }
        Schedule::Cosine { floor } => {
            rows.number(floor, bounds::FLOOR, "Floor", "The last rate, as a share of the base rate.");
        }
        Schedule::WarmUp { epochs } => rows.number(epochs, bounds::RISE, "Rise", "Epochs of the rise."),
        Schedule::Constant | Schedule::OneCycle => {}
    }
    rows.number(&mut spec.weight_decay, bounds::DECAY, DECAY.0, DECAY.1);
    let mut clips = spec.clip_norm.is_some();
    if rows.flag(&mut clips, CLIP.0, CLIP.1) {
        spec.clip_norm = clips.then_some(1.0);
    }
    if let Some(norm) = &mut spec.clip_norm {
        rows.number(norm, bounds::CLIP, "Largest norm", "The limit of the global norm.");
    }
    rows.number(&mut spec.accumulate, bounds::ACCUMULATE, ACCUMULATE.0, ACCUMULATE.1);
    let mut stops = spec.early_stop.is_some();
    if rows.flag(&mut stops, EARLY_STOP.0, EARLY_STOP.1) {
        spec.early_stop = stops.then_some(EarlyStop { patience: 5, min_delta: 0.0 });
    }
    if let Some(stop) = &mut spec.early_stop {
        rows.number(&mut stop.patience, bounds::PATIENCE, "Patience", "Epochs without a better validation loss.");
        rows.number(&mut stop.min_delta, bounds::LEAST_GAIN, "Least gain", "How much lower counts as better.");
    }
    let gesture = rows.change.filter(|_| spec != cx.document.training);
    if gesture.is_some() {
        out.push(UiCommand::Edit { edit: Edit::SetTraining(Box::new(spec)), path: None, gesture });
    }
    gesture
}

fn optimizer_ui(rows: &mut Rows<'_>, optimizer: &mut Optimizer) {
    match optimizer {
        Optimizer::Sgd { momentum, .. } if *momentum > 0.0 => {
            rows.number(momentum, 0.01..=*bounds::MOMENTUM.end(), "Momentum", "Share of the last step that is kept.");
        }
        Optimizer::Sgd { .. } => {}
        Optimizer::Adam { beta1, beta2, eps } | Optimizer::AdamW { beta1, beta2, eps } => {
            rows.number(beta1, bounds::BETA1, "Beta 1", "Decay of the mean of gradients.");
            rows.number(beta2, bounds::BETA2, "Beta 2", "Decay of the mean of squared gradients.");
            rows.number(eps, bounds::EPSILON, "Epsilon", "Keeps the division from growing without bound.");
        }
        Optimizer::RmsProp { alpha, momentum, eps } => {
            rows.number(alpha, bounds::ALPHA, "Alpha", "Decay of the mean of squared gradients.");
            rows.number(momentum, bounds::MOMENTUM, "Momentum", "Share of the last step that is kept.");
            rows.number(eps, bounds::EPSILON, "Epsilon", "Keeps the division from growing without bound.");
        }
    }
}
