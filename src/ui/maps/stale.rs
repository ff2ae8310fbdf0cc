//! What is shown while the engine is asked for something newer: the old, dimmed, with a word on what it is of.

use crate::ui::kit;
use crate::ui::look::{Differs, LookView, Stale};
use crate::ui::theme::Tokens;
use egui::{Align, Layout, Rect, RichText, Ui, UiBuilder, pos2, vec2};
use std::time::{Duration, Instant};

/// What was asked this short a time ago is not called old yet: nothing flashes up for an answer that comes at once.
const GRACE: Duration = Duration::from_millis(150);
/// Opacity of what is old.
const DIM: f32 = 0.35;
/// Seconds to get there.
const FADE: f32 = 0.12;
/// Height of the note.
const NOTE: f32 = 24.0;

/// Words for one who waits.
pub(super) const ASKING: &str = "Asking the engine…";

/// Whether an answer is old enough to be called so.
pub(super) fn is_old(stale: Option<Stale>, ui: &Ui) -> bool {
    stale.is_some_and(|stale| is_past(stale.since, ui))
}

/// Whether the time of grace is over; makes the window look again when it will be.
fn is_past(since: Instant, ui: &Ui) -> bool {
    match GRACE.checked_sub(since.elapsed()).filter(|left| !left.is_zero()) {
        Some(left) => {
            ui.ctx().request_repaint_after(left);
            false
        }
        None => true,
    }
}

/// Draws what may be old: dimmed and with a note then.
pub(super) fn faded_ui<R>(look: &LookView, stale: Option<Stale>, ui: &mut Ui, add: impl FnOnce(&mut Ui) -> R) -> R {
    let old = stale.filter(|_| is_old(stale, ui));
    let strength = ui.ctx().animate_bool_with_time(ui.scope_id().with("stale"), old.is_some(), FADE);
    let room = ui.available_rect_before_wrap();
    let result = ui.scope(|ui| {
        if old.is_some_and(|old| old.differs == Differs::Layer) {
            // What would be clicked is no cell of the layer that is asked for. This dims as well.
            ui.disable();
        } else {
            ui.multiply_opacity(1.0 - strength * (1.0 - DIM));
        }
        add(ui)
    });
    if let Some(old) = old {
        note_ui(old, look.problem.is_some(), room, ui);
    }
    result.inner
}

/// Draws what may be old, dimmed without a note: beside something that has one.
pub(super) fn dimmed_ui(stale: Option<Stale>, ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let is_old = is_old(stale, ui);
    let strength = ui.ctx().animate_bool_with_time(ui.scope_id().with("dimmed"), is_old, FADE);
    ui.scope(|ui| {
        ui.multiply_opacity(1.0 - strength * (1.0 - DIM));
        add(ui);
    });
}

/// What stands where nothing came yet, once one would wonder.
pub(super) fn waiting_ui(since: Instant, ui: &mut Ui) {
    if is_past(since, ui) {
        ui.horizontal(|ui| {
            ui.add(egui::Spinner::new().size(12.0));
            kit::weak(ui, ASKING);
        });
    }
}

/// A note over the top of what is old.
fn note_ui(old: Stale, has_failed: bool, room: Rect, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    let text = if has_failed { "No answer" } else { ASKING };
    let text = format!("{text} This is {}", old.differs.words());
    let text = if room.width() < 260.0 { text.replace(" This is", "") } else { text };
    let height = NOTE.min(room.height());
    let rect = Rect::from_min_size(pos2(room.left(), room.top()), vec2(room.width(), height));
    let builder = UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min));
    ui.scope_builder(builder, |ui| {
        let frame = egui::Frame::new().fill(tokens.floating).stroke(egui::Stroke::new(1.0, tokens.outline));
        frame.corner_radius(crate::ui::theme::size::RADIUS).inner_margin(egui::Margin::symmetric(6, 2)).show(
            ui,
            |ui| {
                ui.horizontal(|ui| {
                    if !has_failed {
                        ui.add(egui::Spinner::new().size(12.0));
                    }
                    ui.add(egui::Label::new(RichText::new(text).small().color(tokens.text_strong)).truncate());
                });
            },
        );
    });
}
