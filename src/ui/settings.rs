//! The widgets of the training settings, used by the training panel and beside the RAM figures.

use super::effect::Effect;
use super::kit;
use super::{PanelCx, UiCommand, fields};
use crate::graph::{Edit, Optimizer, Schedule, TrainSpec, bounds};
use crate::op::DType;
use egui::{DragValue, Response, Ui};

/// Names of the optimizers for people.
const OPTIMIZERS: [(&str, &str); 6] = [
    ("sgd", "SGD"),
    ("momentum", "SGD with momentum"),
    ("nesterov", "SGD with Nesterov momentum"),
    ("adam", "Adam"),
    ("adamw", "AdamW"),
    ("rmsprop", "RMSprop"),
];

/// Names of the schedules for people.
const SCHEDULES: [(&str, &str); 5] = [
    ("constant", "Constant"),
    ("step", "Steps"),
    ("cosine", "Cosine"),
    ("warm_up", "Warm-up"),
    ("one_cycle", "One cycle"),
];

/// The name of an optimizer.
pub(super) fn optimizer_name(optimizer: Optimizer) -> &'static str {
    name_of(&OPTIMIZERS, optimizer.id())
}

/// The name of a schedule.
pub(super) fn schedule_name(schedule: Schedule) -> &'static str {
    name_of(&SCHEDULES, schedule.id())
}

fn name_of(names: &[(&'static str, &'static str)], id: &str) -> &'static str {
    names.iter().find(|(other, _)| *other == id).map_or("other", |(_, name)| name)
}

/// The settings in one line: "10 epochs, batches of 64, Adam at 0.001".
pub(super) fn in_words(spec: &TrainSpec) -> String {
    format!(
        "{} epochs in batches of {}, {} at a learning rate of {} ({})",
        spec.epochs,
        spec.batch,
        optimizer_name(spec.optimizer),
        spec.learning_rate,
        schedule_name(spec.schedule).to_lowercase()
    )
}

/// Edits a copy of the settings and asks for the change; drags become one undo step each.
#[derive(Debug, Default)]
pub(super) struct Settings {
    gesture: u64,
    spec: TrainSpec,
    merging: Option<u64>,
    effect: Option<Effect>,
}

impl Settings {
    /// Starts a frame from the document's settings.
    pub(super) fn begin(&mut self, cx: &PanelCx<'_>) {
        self.spec.clone_from(&cx.document.training);
        self.merging = None;
    }

    /// Ends the frame: asks for what changed, and notes what that does.
    pub(super) fn end(&mut self, cx: &PanelCx<'_>, ui: &Ui, out: &mut Vec<UiCommand>) {
        if self.spec != cx.document.training {
            let edit = Edit::SetTraining(Box::new(self.spec.clone()));
            out.push(UiCommand::Edit { edit, path: Some(Vec::new()), gesture: self.merging });
            let (gesture, now) = (self.merging.unwrap_or_else(super::fields::new_gesture), ui.input(|i| i.time));
            Effect::note(&mut self.effect, cx, None, gesture, now);
        }
    }

    /// What the last change does to the planned RAM, in one line, while that is news.
    pub(super) fn effect(&self, cx: &PanelCx<'_>, ui: &Ui) -> Option<String> {
        self.effect.as_ref().and_then(|effect| effect.in_words(ui, cx))
    }

    fn watch(&mut self, ui: &Ui, drag: &Response) {
        if drag.drag_started() || drag.gained_focus() {
            self.gesture = self.gesture.wrapping_add(1);
        }
        if drag.dragged() || drag.has_focus() {
            // Told apart from the gestures of other panels by the widget.
            self.merging = Some(ui.scope_id().value().rotate_left(17) ^ self.gesture);
        }
    }

    /// Images per step.
    pub(super) fn batch_ui(&mut self, ui: &mut Ui) {
        let label = kit::weak(ui, "Batch");
        let drag = DragValue::new(&mut self.spec.batch).range(bounds::BATCH).clamp_existing_to_range(false);
        let drag = ui
            .add(fields::counted(drag))
            .labelled_by(label.id)
            .on_hover_text("Images per training step. RAM for activations grows with it");
        self.watch(ui, &drag);
    }

    /// Passes over the data.
    pub(super) fn epochs_ui(&mut self, ui: &mut Ui) {
        let label = kit::weak(ui, "Epochs");
        let drag =
            DragValue::new(&mut self.spec.epochs).range(bounds::EPOCHS).clamp_existing_to_range(false).speed(0.2);
        let drag =
            ui.add(fields::counted(drag)).labelled_by(label.id).on_hover_text("How often every training image is seen");
        self.watch(ui, &drag);
    }

    /// Learning rate.
    pub(super) fn rate_ui(&mut self, ui: &mut Ui) {
        let label = kit::weak(ui, "Learning rate");
        let speed = (self.spec.learning_rate * 0.02).max(1e-6);
        let drag = DragValue::new(&mut self.spec.learning_rate)
            .range(bounds::RATE)
            .clamp_existing_to_range(false)
            .speed(speed)
            .max_decimals(7);
        let drag = ui.add(drag).labelled_by(label.id).on_hover_text("How far each step goes against the gradient");
        self.watch(ui, &drag);
    }

    /// Element type.
    pub(super) fn dtype_ui(&mut self, ui: &mut Ui) {
        let names = DType::ALL.map(|dtype| (dtype.id(), dtype.id()));
        let hover = "Element type of values while training: f16 halves activations where the device supports it";
        let (chosen, response) = choose(ui, "Element type", &names, self.spec.dtype.id(), 56.0, hover);
        super::fields::take_focus(&response, "Element type");
        if let Some(id) = chosen {
            self.spec.dtype = DType::ALL.into_iter().find(|dtype| dtype.id() == id).unwrap_or_default();
        }
    }

    /// Optimizer.
    pub(super) fn optimizer_ui(&mut self, ui: &mut Ui) {
        let hover = "How gradients become steps. Its state takes RAM: Adam keeps two numbers per parameter";
        let (chosen, _) = choose(ui, "Optimizer", &OPTIMIZERS, self.spec.optimizer.id(), 92.0, hover);
        if let Some(optimizer) = chosen.and_then(Optimizer::from_id) {
            self.spec.optimizer = optimizer;
        }
    }

    /// Schedule of the learning rate.
    pub(super) fn schedule_ui(&mut self, ui: &mut Ui) {
        let hover = "How the learning rate changes during the run";
        let (chosen, _) = choose(ui, "Schedule", &SCHEDULES, self.spec.schedule.id(), 92.0, hover);
        if let Some(schedule) = chosen.and_then(Schedule::from_id) {
            self.spec.schedule = schedule;
        }
    }
}

fn choose(
    ui: &mut Ui,
    label: &str,
    names: &[(&'static str, &'static str)],
    now: &str,
    width: f32,
    hover: &str,
) -> (Option<&'static str>, Response) {
    let mut chosen = None;
    let name = name_of(names, now);
    let combo = egui::ComboBox::from_id_salt(label).width(width).selected_text(name).show_ui(ui, |ui| {
        for (id, name) in names {
            if ui.selectable_label(*id == now, *name).clicked() && *id != now {
                chosen = Some(*id);
            }
        }
    });
    combo.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, format!("{label}: {name}")));
    (chosen, combo.response.on_hover_text(hover))
}
