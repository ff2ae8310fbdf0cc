//! Fields of layers and settings as widgets: the [`FieldVisitor`] of the inspector, and the rows it shares with the training
//! settings. A drag or a stretch of typing is one gesture, and so one undo step.

use super::theme::{Tokens, size};
use crate::layers::{ChoiceOption, FieldSpec, FieldVisitor, Unit};
use egui::{ComboBox, DragValue, Id, Response, RichText, Ui, vec2};
use std::sync::atomic::{AtomicU64, Ordering};

/// Width of the column of labels.
const LABEL: f32 = 116.0;

static NEXT_GESTURE: AtomicU64 = AtomicU64::new(1);

/// A gesture id that nothing else uses.
pub fn new_gesture() -> u64 {
    NEXT_GESTURE.fetch_add(1, Ordering::Relaxed)
}

/// Knows which widget is being changed, so that its changes become one undo step.
#[derive(Clone, Copy, Debug, Default)]
pub struct GestureTracker(Option<(Id, u64)>);

impl GestureTracker {
    /// Notes what happened to a widget; the gesture if its value changed.
    pub fn note(&mut self, response: &Response) -> Option<u64> {
        let starts = response.drag_started() || response.gained_focus();
        if starts || (response.changed() && self.0.is_none_or(|(id, _)| id != response.id)) {
            self.0 = Some((response.id, new_gesture()));
        }
        let gesture = self.0.filter(|(id, _)| *id == response.id && response.changed()).map(|(_, gesture)| gesture);
        let ends = response.drag_stopped() || response.lost_focus() || (response.changed() && response.clicked());
        if ends && self.0.is_some_and(|(id, _)| id == response.id) {
            self.0 = None;
        }
        gesture
    }
}

/// A row: label with hover help at the left, control at the right.
pub fn row<R>(ui: &mut Ui, label: &str, help: &str, control: impl FnOnce(&mut Ui) -> R) -> R {
    ui.horizontal(|ui| {
        ui.allocate_ui_with_layout(vec2(LABEL, size::ROW), egui::Layout::left_to_right(egui::Align::Center), |ui| {
            ui.set_min_width(LABEL);
            let text = RichText::new(label).color(Tokens::of(ui).text_weak);
            ui.add(egui::Label::new(text).truncate()).on_hover_text(help);
        });
        control(ui)
    })
    .inner
}

/// A number that is dragged or typed.
pub fn number<N: egui::emath::Numeric>(
    ui: &mut Ui,
    value: &mut N,
    range: std::ops::RangeInclusive<N>,
    unit: &str,
    name: &str,
    help: &str,
) -> Response {
    let suffix = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let present = value.to_f64().abs();
    let speed = if N::INTEGRAL {
        (present * 0.01).max(0.08)
    } else if present > 0.0 {
        present * 0.01
    } else {
        1e-4
    };
    let mut drag = DragValue::new(value).range(range).clamp_existing_to_range(false).speed(speed).suffix(suffix);
    if !N::INTEGRAL {
        drag = drag.custom_formatter(|value, _| decimal(value));
    }
    ui.add(drag).on_hover_text(format!("{help} Drag or type.")).accessible_name(name)
}

/// A decimal number in as few digits as it needs: `0.001`, `1e-8`.
fn decimal(value: f64) -> String {
    // Dragging makes digits that nobody meant: six that count are kept.
    let digits = (5.0 - value.abs().max(1e-12).log10().floor()).clamp(0.0, 17.0);
    let scale = 10_f64.powf(digits);
    let rounded = (value * scale).round() / scale;
    if rounded != 0.0 && rounded.abs() < 1e-4 { format!("{rounded:e}") } else { format!("{rounded}") }
}

/// Yes or no.
pub fn flag(ui: &mut Ui, value: &mut bool, name: &str, help: &str) -> Response {
    ui.checkbox(value, "").on_hover_text(help).accessible_name(name)
}

/// One of several, by index. Whether it changed.
pub fn choice(ui: &mut Ui, name: &str, options: &[ChoiceOption], selected: &mut usize) -> bool {
    let before = *selected;
    let present = options.get(before);
    let response = ComboBox::from_id_salt(name)
        .selected_text(present.map_or("–", |option| option.label))
        .width(ui.available_width().min(168.0))
        .show_ui(ui, |ui| {
            for (index, option) in options.iter().enumerate() {
                ui.selectable_value(selected, index, option.label).on_hover_text(option.help);
            }
        })
        .response;
    response.on_hover_text(present.map_or("", |option| option.help)).accessible_name(name);
    *selected != before
}

/// Draws each field of a layer. After the visit `change` says whether something changed, and in which gesture.
pub struct Fields<'a> {
    ui: &'a mut Ui,
    tracker: &'a mut GestureTracker,
    /// Set if a value changed: the gesture of the change.
    pub change: Option<u64>,
}

impl<'a> Fields<'a> {
    /// Draws into `ui`.
    pub fn new(ui: &'a mut Ui, tracker: &'a mut GestureTracker) -> Self {
        Self { ui, tracker, change: None }
    }
}

fn whole(spec: &FieldSpec) -> std::ops::RangeInclusive<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranges of fields; `as` saturates")]
    let [low, high] = [spec.min, spec.max].map(|bound| bound as u64);
    low..=high
}

impl FieldVisitor for Fields<'_> {
    fn integer(&mut self, spec: &FieldSpec, value: &mut u64) {
        let response = row(self.ui, spec.label, spec.help, |ui| {
            number(ui, value, whole(spec), spec.unit.label(), spec.label, spec.help)
        });
        self.change = self.tracker.note(&response).or(self.change);
    }

    fn pair(&mut self, spec: &FieldSpec, value: &mut [u64; 2]) {
        let unit = if spec.unit == Unit::Pixels { "" } else { spec.unit.label() };
        let [height, width] = value;
        let both = row(self.ui, spec.label, spec.help, |ui| {
            ui.spacing_mut().item_spacing.x = size::HALF;
            let name = |axis: &str| format!("{} {axis}", spec.label);
            let first = number(ui, height, whole(spec), unit, &name("height"), spec.help);
            ui.label(RichText::new("×").color(Tokens::of(ui).text_weak));
            let second = number(ui, width, whole(spec), unit, &name("width"), spec.help);
            if !spec.unit.label().is_empty() {
                ui.label(RichText::new(spec.unit.label()).color(Tokens::of(ui).text_weak));
            }
            [first, second]
        });
        for response in both {
            self.change = self.tracker.note(&response).or(self.change);
        }
    }

    fn float(&mut self, spec: &FieldSpec, value: &mut f64) {
        let response = row(self.ui, spec.label, spec.help, |ui| {
            number(ui, value, spec.min..=spec.max, spec.unit.label(), spec.label, spec.help)
        });
        self.change = self.tracker.note(&response).or(self.change);
    }

    fn flag(&mut self, spec: &FieldSpec, value: &mut bool) {
        let response = row(self.ui, spec.label, spec.help, |ui| flag(ui, value, spec.label, spec.help));
        if response.changed() {
            self.change = Some(new_gesture());
        }
    }

    fn choice(&mut self, spec: &FieldSpec, options: &[ChoiceOption], selected: &mut usize) {
        if row(self.ui, spec.label, spec.help, |ui| choice(ui, spec.label, options, selected)) {
            self.change = Some(new_gesture());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_short_and_exact() {
        let cases = [(0.001, "0.001"), (1e-8, "1e-8"), (0.999, "0.999"), (0.0, "0"), (2.0, "2"), (0.1 + 0.2, "0.3")];
        for (value, expected) in cases {
            assert_eq!(decimal(value), expected);
        }
    }
}
