//! The numbers on a card and on a wire: each is a node of its own for screen readers, and says under the pointer how it comes
//! about.

use super::CanvasPanel;
use super::cards;
use super::menus;
use super::metric::Metric;
use super::scene::CardView;
use super::wires::{self, Wire};
use crate::plan::{Diagnostic, Gap};
use crate::text;
use crate::ui::theme::{self, Tokens};
use crate::ui::why::{self, Figure};
use crate::ui::{PanelCx, UiCommand, icons};
use egui::{Id, Rect, Response, RichText, Role, Sense, Ui, Vec2, WidgetInfo};

impl CanvasPanel {
    /// The numbers of a card, where they can be read.
    pub(super) fn figures_ui(&self, cx: &PanelCx<'_>, ui: &Ui, card: &CardView, widget: Id) {
        if self.view.zoom < cards::NEAR {
            return;
        }
        let last = match self.metric {
            Metric::Kind | Metric::Planned | Metric::Time => Figure::Planned,
            Metric::Ram => Figure::Share,
            Metric::Params => Figure::Params,
            Metric::Macs => Figure::Macs,
            Metric::Field => Figure::Field,
        };
        let figures = [Figure::Output, Figure::Params, last];
        for (at, (place, figure)) in cards::figure_rects(self.view, card).into_iter().zip(figures).enumerate() {
            let is_shown = match figure {
                Figure::Output => card.volume.is_some(),
                Figure::Params => card.figures.params > 0,
                Figure::Planned => card.figures.planned_bytes > 0,
                _ => card.figures.ram_bytes > 0.0,
            };
            if !is_shown {
                continue;
            }
            let response = ui.interact(place, widget.with(("figure", at)), Sense::hover());
            let Some(layer) = why::Layer::of(cx, card.id) else { continue };
            response.widget_info(|| {
                let label = format!("{} of {}: {}", figure.label(), card.name, layer.value(figure));
                WidgetInfo::labeled(Role::Label, true, label)
            });
            explained(response, layer, figure);
        }
    }

    /// What a wire carries.
    pub(super) fn wire_ui(&self, cx: &PanelCx<'_>, ui: &mut Ui, wire: &Wire) {
        let (Some(from), Some(to)) = (self.scene.card(wire.link.from), self.scene.card(wire.link.to)) else { return };
        let tokens = Tokens::of(ui);
        ui.label(theme::strong(format!("{} → {}", from.name, to.name)).color(tokens.text_strong));
        carried_ui(cx, ui, wire, tokens);
        for found in self.scene.findings_on(wire.link) {
            ui.label(RichText::new(&found.message).color(wire.problem(tokens).unwrap_or(tokens.text)));
        }
    }

    /// A mark on each wire with which something is wrong; a click shows what, and the ways out.
    pub(super) fn wire_marks_ui(&self, ui: &Ui, out: &mut Vec<UiCommand>) {
        if self.view.zoom < cards::FAR * 1.5 {
            return;
        }
        let tokens = Tokens::of(ui);
        for wire in &self.scene.wires {
            let Some(colour) = wire.problem(tokens) else { continue };
            let (Some(from), Some(to)) = (self.scene.card(wire.link.from), self.scene.card(wire.link.to)) else {
                continue;
            };
            let side = (18.0 * self.view.zoom).clamp(12.0, 20.0);
            let place = Rect::from_center_size(self.view.to_screen(wire.middle()), Vec2::splat(side));
            if !ui.clip_rect().intersects(place) {
                continue;
            }
            let link = wire.link;
            let id = ui.scope_id().with(("wire", link.from.0, link.to.0, link.to_port));
            let mark = ui.interact(place.expand(2.0), id, Sense::CLICK);
            mark.widget_info(|| {
                WidgetInfo::labeled(Role::Button, true, format!("Problem of the link {} → {}", from.name, to.name))
            });
            ui.painter().circle_filled(place.center(), side * 0.62, tokens.canvas);
            icons::paint(ui.painter(), "problem", place, colour);
            told(mark, || self.scene.findings_on(link), out);
        }
        self.gap_marks_ui(ui, out);
    }

    /// The same where a wire is missing.
    fn gap_marks_ui(&self, ui: &Ui, out: &mut Vec<UiCommand>) {
        for card in &self.scene.cards {
            for (gap, _) in card.gaps() {
                let [_, end] = wires::gap_ends(card, gap);
                let place = Rect::from_center_size(self.view.to_screen(end), Vec2::splat(16.0));
                if !ui.clip_rect().intersects(place) {
                    continue;
                }
                let (salt, name) = match gap {
                    Gap::Input => ("gap-in", format!("Missing link into {}", card.name)),
                    Gap::Output => ("gap-out", format!("Missing link behind {}", card.name)),
                };
                let mark = ui.interact(place, ui.scope_id().with((salt, card.id.0)), Sense::CLICK);
                mark.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
                told(mark, || card.findings.iter().filter(move |found| found.gap == Some(gap)), out);
            }
        }
    }
}

/// Shape and bytes of what a wire carries.
fn carried_ui(cx: &PanelCx<'_>, ui: &mut Ui, wire: &Wire, tokens: &Tokens) {
    let Some(shape) = cx.plan.output_shape(cx.path, wire.link.from) else {
        ui.label(RichText::new("Nothing yet: what comes before does not fit").color(tokens.text_weak));
        return;
    };
    let settings = cx.cost.settings;
    let numbers = shape.elements().unwrap_or(u64::MAX);
    let bytes = numbers.saturating_mul(settings.dtype.bytes());
    ui.label(format!("{shape} = {} numbers", text::count(numbers)));
    egui::Grid::new("wire").num_columns(2).spacing([12.0, 2.0]).show(ui, |ui| {
        let batch = bytes.saturating_mul(settings.batch);
        let rows = [("One image".to_owned(), bytes), (format!("Batch of {}", text::count(settings.batch)), batch)];
        for (label, bytes) in rows {
            ui.label(RichText::new(label).color(tokens.text_weak));
            ui.label(text::bytes(bytes));
            ui.end_row();
        }
    });
}

/// What a mark stands for: hovering says it, a click also offers the ways out.
fn told<'a, I: Iterator<Item = &'a Diagnostic>>(mark: Response, findings: impl Fn() -> I, out: &mut Vec<UiCommand>) {
    let mark = mark.on_hover_cursor(egui::CursorIcon::PointingHand);
    let mark = mark.on_hover_ui(|ui| findings().for_each(|found| drop(ui.label(&found.message))));
    egui::Popup::menu(&mark)
        .close_behavior(egui::PopupCloseBehavior::CloseOnClickOutside)
        .show(|ui| menus::problem_ui(ui, findings(), out));
}

fn explained(response: Response, layer: why::Layer<'_>, figure: Figure) {
    response.on_hover_ui(|ui| {
        let tokens = Tokens::of(ui);
        let title = format!("{}: {}", figure.label(), layer.value(figure));
        ui.label(theme::strong(title).color(tokens.text_strong));
        let lines = layer.why(figure);
        if lines.is_empty() {
            ui.label(RichText::new(figure.help()).small().color(tokens.text_weak));
        }
        why::lines_ui(ui, lines, |_| None);
    });
}
