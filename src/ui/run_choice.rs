//! Runs to choose from, the same in every place: first those whose weights fit the network in front, newest first, then the
//! others with what keeps them from fitting. Each row has name, accuracy and date.

use super::kit;
use super::runs_view::{RunRow, RunSummary, RunsCommand};
use super::theme::{Tokens, size};
use super::{PanelCx, UiCommand};
use crate::plan::{Fit, Sketch};
use crate::text;
use egui::{Align2, Color32, Response, Role, Sense, Ui, WidgetInfo, pos2, vec2};

/// Width of a row.
const WIDTH: f32 = 300.0;
/// Its height: two lines.
const ROW: f32 = 38.0;
/// Tallest list; more scrolls.
pub(super) const HEIGHT: f32 = 380.0;

/// A stored run that can be chosen.
pub(super) struct Choice<'a> {
    /// Its row in the list of runs.
    pub(super) row: &'a RunRow,
    /// What is known of it.
    pub(super) summary: &'a RunSummary,
    /// How far its weights fit the network in front.
    pub(super) fit: Fit,
}

impl Choice<'_> {
    /// What keeps it from fitting, in a few words; nothing if it fits.
    pub(super) fn reason(&self) -> Option<String> {
        reason(self.fit, self.summary.sketch.as_deref())
    }

    /// Its validation accuracy in the best epoch.
    fn accuracy(&self) -> Option<String> {
        self.summary.best.map(|(_, accuracy, _)| format!("{:.2} %", accuracy * 100.0))
    }

    /// Draws it as a row of a list. What is not allowed says why.
    pub(super) fn ui(&self, ui: &mut Ui, is_chosen: bool, color: Option<Color32>, refusal: Option<&str>) -> Response {
        let tokens = Tokens::of(ui);
        let is_enabled = refusal.is_none();
        let sense = if is_enabled { Sense::click() } else { Sense::hover() };
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width().max(WIDTH), ROW), sense);
        let (name, accuracy) = (self.row.name(), self.accuracy());
        let network = &self.summary.record.name;
        let when = text::ago(self.summary.record.created);
        let mut about: Vec<&str> = vec![&when];
        let reason = refusal.map(str::to_owned).or_else(|| self.reason());
        about.extend(reason.as_deref());
        let about = about.join(" · ");
        response.widget_info(|| {
            let words: Vec<&str> =
                [name.as_str()].into_iter().chain(accuracy.as_deref()).chain([about.as_str()]).collect();
            WidgetInfo::selected(Role::ListBoxOption, is_enabled, is_chosen, words.join(", "))
        });
        if ui.is_rect_visible(rect) {
            kit::fill_choice(ui, rect, is_chosen, is_enabled && (response.hovered() || response.has_focus()));
            let strength = if is_enabled { 1.0 } else { 0.55 };
            let inner = rect.shrink2(vec2(size::STEP, 0.0));
            let (first, second) = (inner.top() + ROW * 0.3, inner.top() + ROW * 0.72);
            let write = |at, align, text: &str, size, color: Color32, room| {
                super::canvas::write(ui.painter(), at, align, text, size, color.gamma_multiply(strength), room, false)
            };
            let value = accuracy.as_deref().unwrap_or("–");
            let right = pos2(inner.right(), first);
            let taken = write(right, Align2::RIGHT_CENTER, value, size::FONT_BODY, tokens.text, 90.0);
            let mut left = inner.left();
            if let Some(color) = color {
                let dot = pos2(left + 5.0, first);
                ui.painter().circle_stroke(dot, 4.5, egui::Stroke::new(1.5, color));
                if is_chosen {
                    ui.painter().circle_filled(dot, 4.5, color);
                }
                left += 16.0;
            }
            let room = inner.right() - left - taken - size::STEP;
            write(pos2(left, first), Align2::LEFT_CENTER, &name, size::FONT_BODY, tokens.text_strong, room);
            let at = pos2(inner.left(), second);
            write(at, Align2::LEFT_CENTER, &about, size::FONT_SMALL, tokens.text_weak, inner.width());
        }
        let mut hover = format!("{network}, started {}", text::date(self.summary.record.created));
        if let Some((epoch, accuracy, loss)) = self.summary.best {
            hover.push_str(&format!("\nBest: {:.2} % in epoch {epoch}, validation loss {loss:.4}", accuracy * 100.0));
        }
        if !self.summary.note.note.is_empty() {
            hover.push_str(&format!("\n{}", self.summary.note.note));
        }
        response.on_hover_text(hover)
    }
}

/// What keeps weights from fitting, in a few words.
pub(super) fn reason(fit: Fit, sketch: Option<&Sketch>) -> Option<String> {
    match (fit, sketch) {
        (Fit::Whole, _) => None,
        (Fit::Part { kept, of }, _) if kept == of => Some("has further layers".into()),
        (Fit::Part { kept, of }, _) => Some(format!("other network: {kept} of {of} layers fit")),
        (Fit::Nothing, Some(sketch)) => Some(match sketch.layers {
            1 => "other network: 1 layer".into(),
            count => format!("other network: {count} layers"),
        }),
        (Fit::Nothing, None) => Some("its network cannot be read".into()),
    }
}

/// How far the weights of a run fit the network in front.
pub(super) fn fit(own: &Sketch, summary: &RunSummary) -> Fit {
    summary.sketch.as_ref().map_or(Fit::Nothing, |stored| own.fit(stored))
}

/// The sketch of the network in front.
pub(super) fn own(cx: &PanelCx<'_>) -> Sketch {
    Sketch::of_program(cx.document, &cx.plan.program)
}

/// All runs that can be read: those that fit first, the newest first among each.
pub(super) fn choices<'a>(cx: &PanelCx<'a>) -> Vec<Choice<'a>> {
    let own = own(cx);
    let mut all: Vec<Choice<'a>> = cx
        .runs
        .rows
        .iter()
        .filter_map(|row| {
            let summary = row.summary.as_deref().ok()?;
            Some(Choice { row, summary, fit: fit(&own, summary) })
        })
        .collect();
    // The list is newest first, and sorting keeps that among equals.
    all.sort_by_key(|choice| choice.fit != Fit::Whole);
    all
}

/// Draws runs as a list with a heading over those that fit and over the others; gives the one that was chosen.
pub(super) fn list_ui<'a, 'c>(
    ui: &mut Ui,
    choices: impl IntoIterator<Item = &'c Choice<'a>>,
    mut look: impl FnMut(&Choice<'a>) -> (bool, Option<Color32>, Option<String>),
) -> Option<&'c Choice<'a>>
where
    'a: 'c,
{
    ui.set_min_width(WIDTH);
    ui.spacing_mut().item_spacing.y = 1.0;
    let mut chosen = None;
    let mut before = None;
    for choice in choices {
        let fits = choice.fit == Fit::Whole;
        if before != Some(fits) {
            let words = if fits { "Runs that fit this network" } else { "Runs of other networks" };
            ui.add_space(size::HALF);
            ui.label(egui::RichText::new(words).small().color(Tokens::of(ui).text_weak));
            before = Some(fits);
        }
        let (is_chosen, color, refusal) = look(choice);
        if choice.ui(ui, is_chosen, color, refusal.as_deref()).clicked() {
            chosen = Some(choice);
        }
    }
    if before.is_none() {
        kit::weak(ui, "There are no stored runs yet.");
    }
    chosen
}

/// Reads the list anew when a place that shows it is opened: another window may have trained meanwhile.
pub(super) fn refresh_when_opened(response: &Response, out: &mut Vec<UiCommand>) {
    if response.clicked() {
        out.push(UiCommand::Runs(RunsCommand::Refresh));
    }
}
