//! Fields of layers and settings as widgets: the [`FieldVisitor`] of the inspector, and the rows it shares with the training
//! settings. A drag or a stretch of typing is one gesture, and so one undo step.

use super::icons;
use super::theme::{Tokens, size};
use crate::layers::{ChoiceOption, FieldSpec, FieldValue, FieldVisitor, Layer, LayerKind as _, Unit, list_fields};
use crate::text;
use egui::{ComboBox, DragValue, Id, Response, RichText, Ui, vec2};
use std::sync::atomic::{AtomicU64, Ordering};

/// Width of the column of labels.
const LABEL: f32 = 112.0;
/// Side of the button that puts a field back to its default.
const RESET: f32 = 20.0;

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

/// Frames for which a wish for the focus waits: the field may first have to appear.
const PATIENCE: u64 = 30;

/// Gives the keyboard to the field of this name, as soon as it is shown.
pub fn focus(ctx: &egui::Context, name: &str) {
    let wish = (name.to_owned(), ctx.cumulative_pass_nr());
    ctx.data_mut(|data| data.insert_temp(Id::unique("focus-field"), wish));
    ctx.request_repaint();
}

/// Whether this field was asked for, told once; `Kernel` stands for the first of `Kernel height` and `Kernel width`.
fn is_wanted(ctx: &egui::Context, name: &str) -> bool {
    let id = Id::unique("focus-field");
    let Some((wanted, since)) = ctx.data(|data| data.get_temp::<(String, u64)>(id)) else { return false };
    // While a dialog is still in front, no field may have the keyboard.
    if ctx.memory(|memory| memory.top_modal_layer().is_some()) {
        ctx.request_repaint();
        return false;
    }
    let is_meant = name.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let is_late = ctx.cumulative_pass_nr() > since + PATIENCE;
    if is_meant || is_late {
        ctx.data_mut(|data| data.remove_temp::<(String, u64)>(id));
    }
    is_meant && !is_late
}

/// Takes the keyboard if this field was asked for.
pub(super) fn take_focus(response: &Response, name: &str) {
    if is_wanted(&response.ctx, name) {
        response.request_focus();
        response.scroll_to_me(Some(egui::Align::Center));
    }
}

/// A row: label with hover help at the left, control at the right.
pub fn row<R>(ui: &mut Ui, label: &str, help: &str, control: impl FnOnce(&mut Ui) -> R) -> R {
    ui.horizontal(|ui| {
        let width = LABEL.min(ui.available_width() * 0.42);
        ui.allocate_ui_with_layout(vec2(width, size::ROW), egui::Layout::left_to_right(egui::Align::Center), |ui| {
            ui.set_min_width(width);
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
    let present = value.to_f64().abs();
    // One channel, two channels.
    let unit = if (present - 1.0).abs() < f64::EPSILON { unit.strip_suffix('s').unwrap_or(unit) } else { unit };
    let suffix = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    let speed = if N::INTEGRAL {
        (present * 0.01).max(0.08)
    } else if present > 0.0 {
        present * 0.01
    } else {
        1e-4
    };
    let mut drag = DragValue::new(value).range(range).clamp_existing_to_range(false).speed(speed).suffix(suffix);
    drag = if N::INTEGRAL { counted(drag) } else { drag.custom_formatter(|value, _| decimal(value)) };
    let takes_focus = is_wanted(ui.ctx(), name);
    claim(ui, takes_focus);
    let response = ui.add(drag).on_hover_text(format!("{help} Drag or type.")).accessible_name(name);
    if takes_focus {
        response.scroll_to_me(Some(egui::Align::Center));
    }
    response
}

/// A field of a whole number that shows it as everything else does: `100,000`.
pub(super) fn counted(drag: DragValue<'_>) -> DragValue<'_> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole and not negative; `as` saturates"
    )]
    drag.custom_formatter(|value, _| text::count(value.max(0.0).round() as u64)).custom_parser(text::read_count)
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
    let response = ui.checkbox(value, "").on_hover_text(help).accessible_name(name);
    take_focus(&response, name);
    response
}

/// One of several, by index. Whether it changed.
pub fn choice(ui: &mut Ui, name: &str, options: &[ChoiceOption], selected: &mut usize) -> bool {
    let before = *selected;
    choice_box(ui, name, options, selected);
    *selected != before
}

/// The box itself. While it has the keyboard and is closed, the arrows and the first letters choose.
fn choice_box(ui: &mut Ui, name: &str, options: &[ChoiceOption], selected: &mut usize) -> Response {
    let present = options.get(*selected);
    let response = ComboBox::from_id_salt(name)
        .selected_text(present.map_or("–", |option| option.label))
        .width((ui.available_width() - RESET - size::HALF).clamp(60.0, 168.0))
        .show_ui(ui, |ui| {
            for (index, option) in options.iter().enumerate() {
                ui.selectable_value(selected, index, option.label).on_hover_text(option.help);
            }
        })
        .response;
    if response.has_focus() && !egui::Popup::is_any_open(ui.ctx()) {
        let filter = egui::EventFilter { vertical_arrows: true, ..egui::EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        let (down, up) = ui.input_mut(|i| {
            let mut count = |key| i.count_and_consume_key(egui::Modifiers::NONE, key);
            (count(egui::Key::ArrowDown), count(egui::Key::ArrowUp))
        });
        *selected = selected.saturating_add(down).min(options.len().saturating_sub(1)).saturating_sub(up);
        let typed: String = ui.input(|i| {
            let text = |event: &egui::Event| match event {
                egui::Event::Text(text) => Some(text.clone()),
                _ => None,
            };
            i.events.iter().filter_map(text).collect()
        });
        if !typed.trim().is_empty() {
            *selected = type_ahead(ui, response.id, options, *selected, typed.trim());
        }
    }
    let response = response.on_hover_text(present.map_or("", |option| option.help)).accessible_name(name);
    take_focus(&response, name);
    response
}

/// Seconds within which letters belong to one word.
const WORD: f64 = 1.0;

/// The option after more letters: of the word that is being typed, or of a new one where that leads nowhere.
fn type_ahead(ui: &Ui, id: Id, options: &[ChoiceOption], selected: usize, typed: &str) -> usize {
    let (id, now) = (id.with("typed"), ui.input(|i| i.time));
    let (before, at) = ui.data(|data| data.get_temp::<(String, f64)>(id)).unwrap_or_default();
    let longer = format!("{}{typed}", if now - at < WORD { before.as_str() } else { "" });
    let words = [longer, typed.to_owned()];
    let found = words.into_iter().find_map(|word| next_of(options, selected, &word).map(|next| (next, word)));
    let Some((next, word)) = found else { return selected };
    ui.data_mut(|data| data.insert_temp(id, (word, now)));
    next
}

/// The option whose label starts with what was typed: for one letter the next one, after the present one and around; for more
/// the present one first.
fn next_of(options: &[ChoiceOption], selected: usize, typed: &str) -> Option<usize> {
    let typed = typed.to_lowercase();
    let first = usize::from(typed.chars().count() < 2);
    let starts = |at: &usize| options.get(*at).is_some_and(|option| option.label.to_lowercase().starts_with(&typed));
    let count = options.len();
    (!typed.is_empty()).then(|| (first..count + first).map(|step| (selected + step) % count).find(starts)).flatten()
}

/// Draws each field of a layer. After the visit `change` says whether something changed, and in which gesture.
pub struct Fields<'a> {
    ui: &'a mut Ui,
    tracker: &'a mut GestureTracker,
    defaults: Vec<(&'static str, FieldValue)>,
    /// Set if a value changed: the gesture of the change.
    pub change: Option<u64>,
    /// The next field that is drawn takes the keyboard.
    takes_focus: bool,
}

/// Gives the keyboard to the first field that is drawn from now on.
pub fn focus_first(ctx: &egui::Context) {
    ctx.data_mut(|data| data.insert_temp(Id::unique("fields-focus"), true));
    ctx.request_repaint();
}

impl<'a> Fields<'a> {
    /// Draws the fields of `layer` into `ui`.
    pub fn new(ui: &'a mut Ui, tracker: &'a mut GestureTracker, layer: &Layer) -> Self {
        let fresh = Layer::from_id(layer.about().id);
        let fields = fresh.map(|mut fresh| list_fields(&mut fresh)).unwrap_or_default();
        let defaults = fields.into_iter().map(|(spec, value, _)| (spec.key, value)).collect();
        let takes_focus = ui.data_mut(|data| data.remove_temp::<bool>(Id::unique("fields-focus"))).is_some();
        Self { ui, tracker, defaults, change: None, takes_focus }
    }

    fn focus(&mut self, response: &Response) {
        if std::mem::take(&mut self.takes_focus) {
            response.request_focus();
            response.scroll_to_me(None);
        }
    }

    /// A row with the way back to the default where the value is another; the default if that is clicked.
    fn row<R>(
        &mut self,
        spec: &FieldSpec,
        present: &FieldValue,
        control: impl FnOnce(&mut Ui) -> R,
    ) -> (R, Option<FieldValue>) {
        let default = self.defaults.iter().find(|(key, _)| *key == spec.key).map(|(_, value)| value.clone());
        let default = default.filter(|default| default != present);
        row(self.ui, spec.label, spec.help, |ui| {
            let inner = control(ui);
            let Some(default) = default else { return (inner, None) };
            let clicked = ui
                .with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| reset_button(ui, spec, &default))
                .inner;
            (inner, clicked.then_some(default))
        })
    }

    /// Notes a change that is one undo step of its own.
    fn note_click(&mut self) {
        self.change = Some(new_gesture());
    }
}

fn reset_button(ui: &mut Ui, spec: &FieldSpec, default: &FieldValue) -> bool {
    let tokens = Tokens::of(ui);
    // Out of the order of Tab: it appears behind a field while that is typed, and the next field is what Tab means.
    let (rect, response) = ui.allocate_exact_size(vec2(RESET, RESET), egui::Sense::CLICK);
    let name = format!("Reset {} to {default}", spec.label);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    let is_active = response.hovered() || response.has_focus();
    let tint = if is_active { tokens.text_strong } else { tokens.text_weak };
    if is_active {
        ui.painter().rect_filled(rect, egui::CornerRadius::same(size::RADIUS), tokens.hover);
    }
    icons::paint(ui.painter(), "reset", rect.shrink(3.0), tint);
    response.on_hover_text(name).clicked()
}

/// Gives the keyboard to the number that is drawn next: before it is drawn, so that it selects what it holds.
fn claim(ui: &mut Ui, takes_focus: bool) {
    if takes_focus {
        let id = ui.next_auto_id();
        ui.memory_mut(|memory| memory.request_focus(id));
        ui.scroll_to_cursor(None);
    }
}

fn whole(spec: &FieldSpec) -> std::ops::RangeInclusive<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ranges of fields; `as` saturates")]
    let [low, high] = [spec.min, spec.max].map(|bound| bound as u64);
    low..=high
}

impl FieldVisitor for Fields<'_> {
    fn integer(&mut self, spec: &FieldSpec, value: &mut u64) {
        let takes_focus = std::mem::take(&mut self.takes_focus);
        let (response, reset) = self.row(spec, &FieldValue::Integer(*value), |ui| {
            claim(ui, takes_focus);
            number(ui, value, whole(spec), spec.unit.label(), spec.label, spec.help)
        });
        self.change = self.tracker.note(&response).or(self.change);
        if let Some(FieldValue::Integer(default)) = reset {
            *value = default;
            self.note_click();
        }
    }

    fn pair(&mut self, spec: &FieldSpec, value: &mut [u64; 2]) {
        let unit = if spec.unit == Unit::Pixels { "" } else { spec.unit.label() };
        let present = FieldValue::Pair(*value);
        let takes_focus = std::mem::take(&mut self.takes_focus);
        let [height, width] = value;
        let (both, reset) = self.row(spec, &present, |ui| {
            ui.spacing_mut().item_spacing.x = size::HALF;
            let name = |axis: &str| format!("{} {axis}", spec.label);
            claim(ui, takes_focus);
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
        if let Some(FieldValue::Pair(default)) = reset {
            *value = default;
            self.note_click();
        }
    }

    fn float(&mut self, spec: &FieldSpec, value: &mut f64) {
        let takes_focus = std::mem::take(&mut self.takes_focus);
        let (response, reset) = self.row(spec, &FieldValue::Float(*value), |ui| {
            claim(ui, takes_focus);
            number(ui, value, spec.min..=spec.max, spec.unit.label(), spec.label, spec.help)
        });
        self.change = self.tracker.note(&response).or(self.change);
        if let Some(FieldValue::Float(default)) = reset {
            *value = default;
            self.note_click();
        }
    }

    fn flag(&mut self, spec: &FieldSpec, value: &mut bool) {
        let (response, reset) = self.row(spec, &FieldValue::Flag(*value), |ui| flag(ui, value, spec.label, spec.help));
        self.focus(&response);
        if let Some(FieldValue::Flag(default)) = reset {
            *value = default;
        }
        if response.changed() || reset.is_some() {
            self.note_click();
        }
    }

    fn choice(&mut self, spec: &FieldSpec, options: &[ChoiceOption], selected: &mut usize) {
        let present = FieldValue::Choice(options.get(*selected).map_or("", |option| option.id));
        let before = *selected;
        let (response, reset) = self.row(spec, &present, |ui| choice_box(ui, spec.label, options, selected));
        self.focus(&response);
        if let Some(FieldValue::Choice(id)) = reset {
            *selected = options.iter().position(|option| option.id == id).unwrap_or(*selected);
        }
        if *selected != before {
            self.note_click();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_chooses_the_next_option_that_starts_with_it() {
        let options = ["Valid", "Same", "Symmetric"].map(|label| ChoiceOption { id: "", label, help: "" });
        assert_eq!(next_of(&options, 0, "s"), Some(1));
        assert_eq!(next_of(&options, 1, "S"), Some(2));
        assert_eq!(next_of(&options, 2, "s"), Some(1));
        assert_eq!(next_of(&options, 0, "x"), None);
        // More letters stay where they already fit.
        assert_eq!(next_of(&options, 1, "sa"), Some(1));
        assert_eq!(next_of(&options, 1, "sy"), Some(2));
        assert_eq!(next_of(&options, 0, ""), None);
    }

    /// "S" alone goes to Same, "y" after it to Symmetric; long after it, "v" is the start of a new word.
    #[test]
    fn several_letters_choose_by_the_start_of_a_word() {
        const OPTIONS: [ChoiceOption; 3] = [
            ChoiceOption { id: "valid", label: "Valid", help: "" },
            ChoiceOption { id: "same", label: "Same", help: "" },
            ChoiceOption { id: "symmetric", label: "Symmetric", help: "" },
        ];
        let show = |ui: &mut Ui, selected: &mut usize| {
            choice(ui, "Padding", &OPTIONS, selected);
        };
        let mut hand = egui_kittest::Harness::new_ui_state(show, 0);
        hand.run();
        focus(&hand.ctx, "Padding");
        hand.run();
        let mut typed = |letters: &str| {
            hand.event(egui::Event::Text(letters.into()));
            hand.run();
            *hand.state()
        };
        assert_eq!((typed("s"), typed("y")), (1, 2));
        // No option starts with "syv": a new word begins.
        assert_eq!(typed("v"), 0);
    }

    /// 10 typed into a batch of 50 is 10, not 5010.
    #[test]
    fn a_number_that_is_gone_to_is_replaced_by_what_is_typed() {
        let show = |ui: &mut Ui, value: &mut u64| {
            number(ui, value, 1..=9_999, "", "Batch", "Images per step.");
        };
        let mut hand = egui_kittest::Harness::new_ui_state(show, 50);
        hand.run();
        focus(&hand.ctx, "Batch");
        hand.run();
        hand.event(egui::Event::Text("10".into()));
        hand.run();
        hand.key_press(egui::Key::Enter);
        hand.run();
        assert_eq!(*hand.state(), 10);
    }

    #[test]
    fn decimals_are_short_and_exact() {
        let cases = [(0.001, "0.001"), (1e-8, "1e-8"), (0.999, "0.999"), (0.0, "0"), (2.0, "2"), (0.1 + 0.2, "0.3")];
        for (value, expected) in cases {
            assert_eq!(decimal(value), expected);
        }
    }
}
