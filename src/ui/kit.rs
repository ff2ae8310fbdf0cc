//! Small widgets that several panels share. Knows the theme only.

use super::theme::{Tokens, size};
use egui::{Align2, CornerRadius, FontId, Rect, Response, RichText, Sense, Ui, Vec2, WidgetText, pos2, vec2};

/// The one main action of a place: filled with the accent.
pub(super) fn main_button(ui: &mut Ui, text: &str) -> Response {
    let tokens = Tokens::of(ui);
    let button = egui::Button::new(RichText::new(text).color(tokens.on_accent)).fill(tokens.accent_fill);
    ui.add(button)
}

/// The ground of a row that can be chosen: marked if it is the present one, lit under the pointer.
pub(super) fn fill_choice(ui: &Ui, rect: Rect, is_current: bool, is_hovered: bool) {
    let tokens = Tokens::of(ui);
    let fill = match (is_current, is_hovered) {
        (true, _) => tokens.selection,
        (false, true) => tokens.hover,
        (false, false) => return,
    };
    ui.painter().rect_filled(rect, CornerRadius::same(size::RADIUS), fill);
}

/// A number and its unit on one line: their spaces do not break.
pub(super) fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

/// A text whose numbers stay on one line with the units behind them, and sizes with their signs: `1.68 GB`, `25 × 38 × 400`.
fn with_units(text: &str) -> String {
    const UNITS: [&str; 12] = ["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "px", "%", "×"];
    let mut words = text.split(' ').peekable();
    let mut whole = String::with_capacity(text.len() + 8);
    while let Some(word) = words.next() {
        whole.push_str(word);
        let Some(next) = words.peek() else { break };
        let next = next.trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%' && c != '×');
        let is_number = word.ends_with(|c: char| c.is_ascii_digit());
        let is_of_size = word.ends_with('×') && next.starts_with(|c: char| c.is_ascii_digit());
        whole.push(if is_number && UNITS.contains(&next) || is_of_size { '\u{a0}' } else { ' ' });
    }
    whole
}

/// A symbol on a toolbar button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symbol {
    /// A triangle.
    Play,
    /// Two bars.
    Pause,
    /// A square.
    Stop,
    /// A square with a mark.
    StopBest,
    /// Lines below each other, the first one to be next.
    Queue,
}

/// A toolbar button with a symbol drawn in front of its text.
pub(super) fn symbol_button(ui: &mut Ui, symbol: Symbol, text: &str, is_main: bool, is_enabled: bool) -> Response {
    let tokens = Tokens::of(ui);
    // Room for the symbol: the text starts behind it.
    let label = format!("      {text}");
    let mut rich = RichText::new(label);
    if is_main && is_enabled {
        rich = rich.color(tokens.on_accent);
    }
    let mut button = egui::Button::new(rich);
    if is_main && is_enabled {
        button = button.fill(tokens.accent_fill);
    }
    let response = ui.add_enabled(is_enabled, button);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, is_enabled, text));
    let color = match (is_enabled, is_main) {
        (false, _) => tokens.text_weak.gamma_multiply(0.6),
        (true, true) => tokens.on_accent,
        (true, false) => tokens.text,
    };
    let area = Rect::from_center_size(pos2(response.rect.left() + 17.0, response.rect.center().y), Vec2::splat(10.0));
    let painter = ui.painter();
    match symbol {
        Symbol::Play => {
            let points = vec![area.left_top(), area.right_center(), area.left_bottom()];
            painter.add(egui::Shape::convex_polygon(points, color, egui::Stroke::NONE));
        }
        Symbol::Pause => {
            for x in [area.left() + 1.0, area.right() - 4.0] {
                let bar = Rect::from_min_size(pos2(x, area.top()), vec2(3.0, area.height()));
                painter.rect_filled(bar, 1.0, color);
            }
        }
        Symbol::Queue => {
            for (line, shrink) in [(0.0, 0.0), (4.0, 3.0), (8.0, 3.0)] {
                let bar = Rect::from_min_size(pos2(area.left(), area.top() + line), vec2(area.width() - shrink, 2.0));
                painter.rect_filled(bar, 1.0, color);
            }
        }
        Symbol::Stop | Symbol::StopBest => {
            painter.rect_filled(area.shrink(0.5), 1.5, color);
            if symbol == Symbol::StopBest {
                painter.circle(area.right_top(), 3.0, tokens.series_best, egui::Stroke::new(1.0, tokens.panel));
            }
        }
    }
    response
}

/// A small button with the corners of a frame, which point outwards, or inwards if it takes the room back.
pub(super) fn room_button(ui: &mut Ui, is_full: bool) -> Response {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(24.0), Sense::click());
    let is_active = response.hovered() || response.has_focus();
    if is_active {
        ui.painter().rect_filled(rect, CornerRadius::same(size::RADIUS), tokens.hover);
    }
    let color = if is_active { tokens.text_strong } else { tokens.text_weak };
    let stroke = egui::Stroke::new(1.5, color);
    let (outer, arm) = (5.5, 3.5);
    for [x, y] in [[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]] {
        let corner = if is_full { outer - arm } else { outer };
        let reach = if is_full { outer } else { outer - arm };
        let at = |dx: f32, dy: f32| rect.center() + vec2(dx * x, dy * y);
        ui.painter().line_segment([at(corner, corner), at(reach, corner)], stroke);
        ui.painter().line_segment([at(corner, corner), at(corner, reach)], stroke);
    }
    response
}

/// A bar from 0 to 1 with a text over it.
pub(super) fn gauge(ui: &mut Ui, share: f32, width: f32, color: egui::Color32, text: &str, name: &str) -> Response {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 18.0), Sense::hover());
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ProgressIndicator, true, format!("{name}: {text}")));
    let radius = CornerRadius::same(size::RADIUS);
    ui.painter().rect_filled(rect, radius, tokens.track);
    let mut filled = rect;
    filled.set_width(rect.width() * share.clamp(0.0, 1.0));
    if filled.width() > 1.0 {
        ui.painter().rect_filled(filled, radius, color);
    }
    let font = FontId::proportional(size::FONT_SMALL + 0.5);
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, text, font, tokens.text_strong);
    response
}

/// A thin bar without text.
pub(super) fn thin_bar(ui: &mut Ui, share: f32, width: f32, color: egui::Color32) -> Response {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(width, 8.0), Sense::hover());
    ui.painter().rect_filled(rect, 3.0, tokens.track);
    let mut filled = rect;
    filled.set_width((rect.width() * share.clamp(0.0, 1.0)).max(if share > 0.0 { 2.0 } else { 0.0 }));
    ui.painter().rect_filled(filled, 3.0, color);
    response
}

/// What a panel without content shows: what will be here, and what to do next.
pub(super) fn empty_ui(ui: &mut Ui, title: &str, text: &str, action: Option<(&str, &str)>) -> bool {
    let mut clicked = false;
    ui.vertical_centered(|ui| {
        let tokens = Tokens::of(ui);
        ui.add_space((ui.available_height() * 0.28).clamp(8.0, 90.0));
        ui.label(RichText::new(title).heading().color(tokens.text_strong));
        ui.add_space(2.0);
        ui.label(RichText::new(text).color(tokens.text_weak));
        if let Some((label, hover)) = action {
            ui.add_space(size::STEP);
            clicked = main_button(ui, label).on_hover_text(hover).clicked();
        }
    });
    clicked
}

/// Lets a list or picture that has the focus keep the arrow keys, instead of their moving the focus.
pub(super) fn hold_arrows(ui: &Ui, response: &Response) {
    if response.has_focus() {
        let filter =
            egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..egui::EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    }
}

/// A caption in weak letters.
pub(super) fn weak(ui: &mut Ui, text: impl Into<String>) -> Response {
    let (color, text) = (Tokens::of(ui).text_weak, text.into());
    let response = ui.label(RichText::new(with_units(&text)).color(color));
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &text));
    response
}

/// A heading of a part of a panel.
pub(super) fn title(ui: &mut Ui, text: impl Into<String>) -> Response {
    let color = Tokens::of(ui).text_strong;
    ui.label(super::theme::strong(text).color(color))
}

/// A figure with its caption above it.
pub(super) fn figure(ui: &mut Ui, caption: &str, value: impl Into<WidgetText>, hover: &str) {
    let layout = egui::Layout::top_down(egui::Align::Min);
    ui.allocate_ui_with_layout(vec2(84.0, 34.0), layout, |ui| {
        ui.spacing_mut().item_spacing.y = 1.0;
        ui.style_mut().wrap_mode = Some(egui::TextWrapMode::Extend);
        let color = Tokens::of(ui).text_weak;
        ui.label(RichText::new(caption).small().color(color));
        ui.label(value).on_hover_text(hover);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_never_stands_on_another_line_than_its_unit() {
        assert_eq!(
            with_units("it takes 1.68 GB, or 90 % of 25 × 38"),
            "it takes 1.68\u{a0}GB, or 90\u{a0}% of 25\u{a0}×\u{a0}38"
        );
        assert_eq!(with_units("two lines\nof 2 layers"), "two lines\nof 2 layers");
        assert_eq!(with_units(""), "");
    }
}
