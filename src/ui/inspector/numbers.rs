//! The figures of the selected layer, each with its calculation.

use crate::graph::{Node, NodeId};
use crate::layers::list_fields;
use crate::op::Origin;
use crate::ui::theme::Tokens;
use crate::ui::why::{Figure, Layer, lines_ui};
use crate::ui::{PanelCx, UiCommand, fields};
use egui::collapsing_header::CollapsingState;
use egui::{RichText, Ui};

/// The figures of a node.
pub(super) fn ui(ui: &mut Ui, cx: &PanelCx<'_>, node: &Node, out: &mut Vec<UiCommand>) {
    let Some(layer) = Layer::of(cx, node.id) else {
        let message = "No figures yet: what reaches this layer does not fit, or nothing does.";
        ui.label(RichText::new(message).color(Tokens::of(ui).text_weak));
        return;
    };
    let inputs: Vec<String> = layer.inputs().iter().map(ToString::to_string).collect();
    if !inputs.is_empty() {
        super::row(ui, "Input", "Height × width × channels of what it reads", |ui| {
            ui.label(RichText::new(inputs.join(", ")).color(Tokens::of(ui).text_strong));
        });
    }
    let labels = labels(node);
    let leads = |origin: Origin| match origin {
        Origin::Field(key) => {
            labels.iter().find(|(other, _)| *other == key).map(|(_, label)| format!("{label}: click to change it"))
        }
        Origin::Input => feeder(cx, node.id).map(|from| format!("From {}: click to go there", name(cx, from))),
    };
    for figure in Figure::ALL {
        let clicked = disclosed(ui, &layer, figure, leads);
        match clicked {
            Some(Origin::Field(key)) => {
                if let Some((_, label)) = labels.iter().find(|(other, _)| *other == key) {
                    fields::focus(ui.ctx(), label);
                }
            }
            Some(Origin::Input) => out.extend(feeder(cx, node.id).map(|from| UiCommand::Select(vec![from]))),
            None => {}
        }
    }
}

/// Keys and names of the settings that the inspector shows for a node.
fn labels(node: &Node) -> Vec<(&'static str, &'static str)> {
    let fields = node.layer().cloned().map(|mut layer| list_fields(&mut layer)).unwrap_or_default();
    fields.into_iter().map(|(spec, ..)| (spec.key, spec.label)).collect()
}

/// What a node reads first.
fn feeder(cx: &PanelCx<'_>, id: NodeId) -> Option<NodeId> {
    cx.graph().links_into(id).first().map(|link| link.from)
}

fn name<'a>(cx: &PanelCx<'a>, id: NodeId) -> &'a str {
    cx.graph().node(id).map_or("the layer before", |node| node.name.as_str())
}

/// A row with a figure; "Why?" opens its calculation. Gives the term that is clicked.
fn disclosed(
    ui: &mut Ui,
    layer: &Layer<'_>,
    figure: Figure,
    leads: impl Fn(Origin) -> Option<String>,
) -> Option<Origin> {
    let tokens = Tokens::of(ui);
    let (label, help) = (figure.label(), figure.help());
    // What is open for one layer is open for the next.
    let id = egui::Id::unique(("why", label));
    let mut state = CollapsingState::load_with_default_open(ui.ctx(), id, false);
    super::row(ui, label, help, |ui| {
        // The link first, at the right: the value has what is left.
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let link = egui::Label::new(RichText::new("Why?").small().color(tokens.accent)).sense(egui::Sense::click());
            let response =
                ui.add(link).on_hover_text("Show the calculation").on_hover_cursor(egui::CursorIcon::PointingHand);
            response.widget_info(|| {
                egui::WidgetInfo::selected(egui::Role::Button, true, state.is_open(), format!("Why? {label}"))
            });
            if response.clicked() {
                state.toggle(ui);
            }
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                let value = RichText::new(layer.value(figure)).color(tokens.text_strong);
                ui.add(egui::Label::new(value).selectable(true).truncate()).on_hover_text(help);
            });
        });
    });
    let body = state.show_body_unindented(ui, |ui| {
        tokens.well().inner_margin(8).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            let lines = layer.why(figure);
            if lines.is_empty() {
                ui.label(RichText::new(help).small().color(tokens.text_weak));
            }
            lines_ui(ui, lines, leads)
        })
    });
    body.and_then(|body| body.inner.inner)
}
