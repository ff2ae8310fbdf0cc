//! What lies over a corner of the canvas: by what cards are coloured with its legend, and the map of the whole drawing.

use super::cards::Tint;
use super::metric::{Metric, Range};
use super::scene::Scene;
use super::view::View;
use crate::graph::NodeId;
use crate::ui::runs::RunState;
use crate::ui::theme::{self, Tokens, size};
use crate::ui::times::Times;
use crate::ui::{PanelCx, UiCommand, kit};
use egui::{
    Align, Color32, Layout, Mesh, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, UiBuilder, Vec2, WidgetInfo,
    vec2,
};

/// Width of the legend's ramp.
const RAMP: f32 = 208.0;
/// Width of a canvas below which the choice has no caption.
const NARROW: f32 = 560.0;
/// Room that the number at a tick needs.
const LABEL: f32 = 58.0;
/// Most room that the map takes.
const MAP: Vec2 = vec2(168.0, 132.0);

/// What the legend must know about measuring.
#[derive(Clone, Debug, Default)]
pub(super) struct Timing {
    /// Why nothing can be measured now, if so.
    problem: Option<&'static str>,
    /// It is being measured.
    is_busy: bool,
    /// What the figures hold for: device and batch; none if nothing was measured.
    of: Option<String>,
    /// The network was changed since.
    is_stale: bool,
}

impl Timing {
    pub(super) fn of(cx: &PanelCx<'_>) -> Self {
        let trains = cx
            .run
            .is_some_and(|run| matches!(run.state, RunState::Preparing | RunState::Training | RunState::Stopping));
        let problem = if trains {
            Some("Layers are measured while nothing trains: both would be slower")
        } else if cx.plan.is_complete() {
            None
        } else {
            Some("A network with errors cannot run. Mend it first")
        };
        let result = cx.times.result.as_ref();
        Self {
            problem,
            is_busy: cx.times.is_busy,
            of: result.map(Times::in_words),
            is_stale: result.is_some_and(|times| times.revision != cx.revision),
        }
    }
}

/// The choice of the colours, at the lower left, with a legend where they stand for a figure.
pub(super) fn legend(
    ui: &mut Ui,
    canvas: Rect,
    metric: &mut Metric,
    range: Option<Range>,
    timing: &Timing,
    out: &mut Vec<UiCommand>,
) {
    let tokens = Tokens::of(ui);
    let tall = match *metric {
        Metric::Kind => 34.0,
        Metric::Time => 100.0,
        _ => 74.0,
    };
    let place =
        Rect::from_min_size(canvas.left_bottom() + vec2(size::STEP, -tall - size::STEP), vec2(RAMP + 40.0, tall));
    ui.scope_builder(UiBuilder::new().max_rect(place).layout(Layout::bottom_up(Align::Min)), |ui| {
        let frame = egui::Frame::new()
            .fill(tokens.floating)
            .stroke(Stroke::new(1.0, tokens.separator))
            .corner_radius(size::RADIUS_CARD)
            .inner_margin(egui::Margin::symmetric(8, 4));
        frame.show(ui, |ui| {
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                let is_narrow = canvas.width() < NARROW;
                ui.set_width(match (*metric, is_narrow) {
                    (Metric::Kind, true) => 104.0,
                    (Metric::Kind, false) => 158.0,
                    _ => RAMP + 8.0,
                });
                ui.spacing_mut().item_spacing.y = 3.0;
                choice(ui, metric, range, is_narrow && *metric == Metric::Kind);
                if *metric != Metric::Kind {
                    scale(ui, *metric, range, timing, tokens);
                }
                if *metric == Metric::Time {
                    measure(ui, timing, out);
                }
            });
        });
    });
}

fn choice(ui: &mut Ui, metric: &mut Metric, range: Option<Range>, is_short: bool) {
    ui.horizontal(|ui| {
        if !is_short {
            kit::weak(ui, "Colour").on_hover_text("What the colours of the cards stand for");
        }
        let combo = egui::ComboBox::from_id_salt("colour").width(100.0).selected_text(metric.label());
        let combo = combo.show_ui(ui, |ui| {
            for option in Metric::ALL {
                ui.selectable_value(metric, option, option.label()).on_hover_text(option.help());
            }
        });
        let name = format!("Colour of the cards: {}", metric.label());
        combo.response.widget_info(|| WidgetInfo::labeled(Role::ComboBox, true, &name));
        crate::ui::fields::take_focus(&combo.response, "Colour of the cards");
        combo.response.on_hover_text(metric.help());
        if *metric != Metric::Kind && range.is_some_and(|range| range.most > range.least) {
            let words =
                "Equal steps of colour are equal factors, not equal differences: layers differ by orders of magnitude";
            ui.label(egui::RichText::new("log scale").small().weak()).on_hover_text(words);
        }
    });
}

fn scale(ui: &mut Ui, metric: Metric, range: Option<Range>, timing: &Timing, tokens: &Tokens) {
    let Some(range) = range else {
        let text = match (metric, timing.is_busy) {
            (Metric::Time, true) => "Measuring…",
            (Metric::Time, false) => "Not measured yet",
            _ => "No layer has any",
        };
        kit::weak(ui, text);
        return;
    };
    let (bar, response) = ui.allocate_exact_size(vec2(RAMP, 8.0), Sense::hover());
    let ends = [range.least, range.most].map(|value| metric.text(value));
    response.widget_info(|| {
        WidgetInfo::labeled(Role::Image, true, format!("{} from {} to {}", metric.label(), ends[0], ends[1]))
    });
    response.on_hover_text(format!("{}. The scale is logarithmic; cards without a colour have none.", metric.help()));
    let mut mesh = Mesh::default();
    let steps = 24_u8;
    for step in 0..steps {
        let at = |step: u8| bar.left() + bar.width() * f32::from(step) / f32::from(steps);
        let part = Rect::from_x_y_ranges(at(step)..=at(step + 1), bar.y_range());
        mesh.add_colored_rect(part, theme::metric(f32::from(step) / f32::from(steps - 1)));
    }
    ui.painter().add(Shape::mesh(mesh));
    ui.painter().rect_stroke(bar, 0.0, Stroke::new(1.0, tokens.outline), StrokeKind::Outside);
    ticks(ui, bar, metric, range, tokens);
}

/// Numbers under the ramp: the ends, and round ones between them where there is room.
fn ticks(ui: &mut Ui, bar: Rect, metric: Metric, range: Range, tokens: &Tokens) {
    let (row, _) = ui.allocate_exact_size(vec2(RAMP, 18.0), Sense::hover());
    let painter = ui.painter();
    let line = |x: f32, long: f32| {
        painter.vline(x, bar.bottom()..=bar.bottom() + long, Stroke::new(1.0, tokens.text_weak));
    };
    let write = |x: f32, align: egui::Align2, value: f64| {
        let font = egui::FontId::proportional(size::FONT_SMALL);
        painter.text(egui::pos2(x, row.top() + 3.0), align, metric.text(value), font, tokens.text);
    };
    write(bar.left(), egui::Align2::LEFT_TOP, range.least);
    write(bar.right(), egui::Align2::RIGHT_TOP, range.most);
    let (mut free, end) = (bar.left() + LABEL * 1.5, bar.right() - LABEL * 1.5);
    for (value, share) in range.ticks() {
        let x = bar.left() + bar.width() * share;
        let has_room = x >= free && x <= end;
        line(x, if has_room { 5.0 } else { 3.0 });
        if has_room {
            write(x, egui::Align2::CENTER_TOP, value);
            free = x + LABEL;
        }
    }
}

fn measure(ui: &mut Ui, timing: &Timing, out: &mut Vec<UiCommand>) {
    ui.horizontal(|ui| {
        let label = if timing.of.is_some() { "Measure again" } else { "Measure" };
        let enabled = timing.problem.is_none() && !timing.is_busy;
        let button = ui.add_enabled(enabled, egui::Button::new(label).small());
        let hover = "Run every layer forward and backward a few times on the chosen device";
        if button.on_hover_text(hover).on_disabled_hover_text(timing.problem.unwrap_or("It is measuring")).clicked() {
            out.push(UiCommand::TimeLayers);
        }
        if timing.is_busy {
            ui.spinner();
        } else if let Some(of) = &timing.of {
            let text = if timing.is_stale { "before the last change" } else { of.as_str() };
            ui.add(egui::Label::new(egui::RichText::new(text).small().weak()).truncate()).on_hover_text(of);
        }
    });
}

/// The map of the whole drawing, at the lower right over the zoom buttons; a click or a drag in it moves the view. Hidden
/// while everything is in sight. Whether it moved the view.
pub(super) fn map(ui: &mut Ui, scene: &Scene, view: &mut View, canvas: Rect, tint: Tint, selection: &[NodeId]) -> bool {
    let Some(bounds) = scene.bounds(&[]) else { return false };
    let seen = view.rect_to_world(canvas);
    if seen.contains_rect(bounds) || canvas.height() < 220.0 || canvas.width() < 420.0 {
        return false;
    }
    let tokens = Tokens::of(ui);
    let world = bounds.expand(40.0);
    let scale = (MAP.x / world.width()).min(MAP.y / world.height());
    let size = (world.size() * scale).max(Vec2::splat(44.0));
    let frame = Rect::from_min_max(
        canvas.right_bottom() - size - vec2(size::STEP, 46.0),
        canvas.right_bottom() - vec2(size::STEP, 46.0),
    );
    let response = ui.interact(frame, ui.scope_id().with("map"), Sense::click_and_drag());
    response.widget_info(|| WidgetInfo::labeled(Role::ScrollBar, true, "Minimap"));
    let origin = frame.center() - (world.center().to_vec2() * scale);
    let to_map = |at: Pos2| origin + at.to_vec2() * scale;
    let pressed = response.interact_pointer_pos().filter(|_| response.dragged() || response.clicked());
    if let Some(at) = pressed {
        view.centre_on(((at - origin) / scale).to_pos2(), canvas.size());
    }
    let painter = ui.painter();
    painter.rect(
        frame,
        egui::CornerRadius::same(size::RADIUS),
        tokens.floating.gamma_multiply(0.94),
        Stroke::new(1.0, tokens.separator),
        StrokeKind::Outside,
    );
    let mut mesh = Mesh::default();
    for card in &scene.cards {
        let rect = Rect::from_min_max(to_map(card.rect.min), to_map(card.rect.max));
        let rect = Rect::from_center_size(rect.center(), rect.size().max(vec2(2.0, 1.0)));
        let fill: Color32 = match tint.fill(card) {
            _ if selection.contains(&card.id) => tokens.accent,
            _ if card.has_error() => tokens.error,
            Some(fill) => fill,
            None if tint.metric == Metric::Kind => tokens.family(card.family).gamma_multiply(0.7),
            None => tokens.track,
        };
        mesh.add_colored_rect(rect.intersect(frame), fill);
    }
    painter.add(Shape::mesh(mesh));
    let window = Rect::from_min_max(to_map(seen.min), to_map(seen.max)).intersect(frame.shrink(1.0));
    painter.rect(window, 2.0, tokens.accent.gamma_multiply(0.12), Stroke::new(1.5, tokens.accent), StrokeKind::Inside);
    response.on_hover_text("Click or drag to move the view").on_hover_cursor(egui::CursorIcon::Grab);
    pressed.is_some()
}
