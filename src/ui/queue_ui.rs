//! The runs that wait, as a row of the Training panel: one card each, in their order, always in sight above charts and
//! empty states.

use super::kit;
use super::runs_view::{QueuedRun, RunsCommand};
use super::settings;
use super::theme::{Tokens, size};
use super::{PanelCx, UiCommand};
use egui::{RichText, Sense, Ui, vec2};

/// Height of a card.
const CARD: f32 = 24.0;
/// Width of a name that is not cut.
const NAME: f32 = 150.0;
/// Width of the three buttons of a card, with its margins.
const BUTTONS: f32 = 88.0;
/// More rows of cards than this scroll.
const ROWS: f32 = 3.0;

/// Draws it; nothing if nothing waits.
pub(super) fn ui(cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let queue = &cx.runs.queue;
    if queue.is_empty() {
        return;
    }
    let area = egui::ScrollArea::vertical().id_salt("queue").max_height(ROWS * (CARD + 4.0)).auto_shrink([false, true]);
    area.show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(size::HALF, 4.0);
            head_ui(cx, ui, out);
            for (at, queued) in queue.iter().enumerate() {
                card_ui(at, queue.len(), queued, ui, out);
            }
        });
    });
}

fn head_ui(cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    kit::title(ui, format!("Queue, {} waiting", cx.runs.queue.len()));
    if cx.runs.is_restored {
        if kit::main_button(ui, "Start queue").on_hover_text("Train what waits, one after the other").clicked() {
            out.push(UiCommand::Runs(RunsCommand::HoldQueue(false)));
        }
        kit::weak(ui, "From an earlier session. Nothing starts by itself.");
    } else {
        let mut is_held = cx.runs.is_held;
        let hold = ui.checkbox(&mut is_held, "Hold");
        if hold.on_hover_text("Start nothing by itself until this is off again").changed() {
            out.push(UiCommand::Runs(RunsCommand::HoldQueue(is_held)));
        }
    }
    ui.add_space(size::HALF);
}

/// One waiting run: its place and name, earlier, later, away.
fn card_ui(at: usize, count: usize, queued: &QueuedRun, ui: &mut Ui, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let name = &queued.document.name;
    let text = RichText::new(format!("{}. {name}", at + 1)).color(tokens.text_strong);
    let galley = egui::WidgetText::from(text.clone()).into_galley(
        ui,
        Some(egui::TextWrapMode::Truncate),
        NAME,
        egui::TextStyle::Body,
    );
    // The size is known beforehand, so that a card that does not fit goes to the next row as a whole.
    let (rect, _) = ui.allocate_exact_size(vec2(galley.size().x + BUTTONS, CARD), Sense::hover());
    ui.painter().rect_filled(rect, size::RADIUS, tokens.card);
    let inner = rect.shrink2(vec2(size::STEP, 0.0));
    let builder = egui::UiBuilder::new().max_rect(inner).layout(egui::Layout::left_to_right(egui::Align::Center));
    ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.x = 2.0;
        let label = ui.add(egui::Label::new(galley).selectable(false));
        label.on_hover_text(settings::in_words(&queued.document.training));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let mut button = |text: &str, what: &str, hover: &str, is_enabled: bool, command: RunsCommand| {
                let button =
                    ui.add_enabled(is_enabled, egui::Button::new(text).small().frame(false).min_size(vec2(18.0, 18.0)));
                let label = format!("{what} {name}, {}", at + 1);
                button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, is_enabled, &label));
                if button.on_hover_text(hover).clicked() {
                    out.push(UiCommand::Runs(command));
                }
            };
            button("×", "Remove", "Take it out of the queue", true, RunsCommand::RemoveQueued(at));
            let (earlier, later) = (at.saturating_sub(1), at + 1);
            button("›", "Later", "Train it later", later < count, RunsCommand::MoveQueued { from: at, to: later });
            button("‹", "Earlier", "Train it earlier", at > 0, RunsCommand::MoveQueued { from: at, to: earlier });
        });
    });
}
