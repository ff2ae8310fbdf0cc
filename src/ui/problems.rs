//! Everything that is wrong with the network, also inside groups, each with its ways out.

use super::canvas::fix_buttons;
use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand, icons, kit};
use crate::graph::Document;
use crate::plan::{Diagnostic, Severity};
use egui::{RichText, Ui};

/// The panel.
#[derive(Debug, Default)]
pub struct ProblemsPanel;

impl Panel for ProblemsPanel {
    fn id(&self) -> &'static str {
        "problems"
    }

    fn title(&self) -> &'static str {
        "Problems"
    }

    fn help(&self) -> &'static str {
        "Errors and warnings of the whole network, each with its ways out. F8 goes from one to the next"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let list = worst_first(&cx.plan.diagnostics);
        let problem = cx.plan.training_problem();
        if list.is_empty() {
            let (title, text) = if cx.document.graph.nodes.is_empty() {
                ("Nothing to check yet", "Drag an Input and some layers onto the canvas.".to_owned())
            } else if let Some(problem) = problem {
                ("No problems", format!("Every layer fits what feeds it. The network cannot be trained yet. {problem}"))
            } else {
                ("No problems", "Every layer fits what feeds it. The network can be trained.".to_owned())
            };
            kit::empty_ui(ui, title, &text, None);
            return;
        }
        if problem.is_some() && cx.plan.is_complete() {
            kit::weak(ui, "Every layer fits what feeds it, but the network cannot be trained:");
        }
        egui::ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
            for (index, found) in list.into_iter().enumerate() {
                ui.push_id(index, |ui| row_ui(cx, ui, found, out));
            }
        });
    }
}

/// Errors before warnings, each in the order of the drawing; what is only worth knowing is no problem.
pub(super) fn worst_first(all: &[Diagnostic]) -> Vec<&Diagnostic> {
    let of = |severity| all.iter().filter(move |found| found.severity == severity);
    of(Severity::Error).chain(of(Severity::Warning)).collect()
}

/// What shows a finding on the canvas.
pub(super) fn reveal(found: &Diagnostic) -> UiCommand {
    UiCommand::Reveal { path: found.path.clone(), node: found.node, link: found.link }
}

/// Where it is: "stage1 / conv2", or the network as a whole.
fn place(document: &Document, found: &Diagnostic) -> String {
    let groups = (1..=found.path.len()).filter_map(|depth| {
        let (last, outer) = found.path.get(..depth)?.split_last()?;
        Some(document.graph.at(outer)?.node(*last)?.name.clone())
    });
    let name = if found.name.is_empty() { "Whole network".to_owned() } else { found.name.clone() };
    groups.chain([name]).collect::<Vec<_>>().join(" / ")
}

fn row_ui(cx: &PanelCx<'_>, ui: &mut Ui, found: &Diagnostic, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let (tint, word) = match found.severity {
        Severity::Error => (tokens.error, "Error"),
        Severity::Warning | Severity::Info => (tokens.warning, "Warning"),
    };
    let place = place(cx.document, found);
    ui.horizontal_top(|ui| {
        ui.add_space(size::HALF);
        icons::show(ui, "problem", size::ICON, tint);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = size::HALF;
            let link = egui::Label::new(super::theme::strong(&place).color(tokens.text_strong))
                .selectable(false)
                .sense(egui::Sense::click());
            let link = ui.add(link);
            let name = format!("{word}: {place}");
            link.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Link, true, &name));
            let link = link.on_hover_text("Show it on the canvas").on_hover_cursor(egui::CursorIcon::PointingHand);
            if link.clicked() {
                out.push(reveal(found));
            }
            ui.label(RichText::new(&found.message).color(tokens.text));
            if !found.fixes.is_empty() {
                ui.horizontal_wrapped(|ui| fix_buttons(ui, found, out));
            }
        });
    });
    ui.add_space(size::HALF);
    ui.separator();
}
