//! What window and engine have to say, line by line.

use super::kit;
use super::theme::Tokens;
use super::{Panel, PanelCx, UiCommand};
use egui::{RichText, ScrollArea, Ui};

/// The panel.
#[derive(Debug, Default)]
pub struct LogPanel;

impl Panel for LogPanel {
    fn id(&self) -> &'static str {
        "log"
    }

    fn title(&self) -> &'static str {
        "Log"
    }

    fn help(&self) -> &'static str {
        "What window and engine have to say, for finding out what went wrong"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        if cx.log.is_empty() {
            kit::empty_ui(ui, "Nothing to say yet", "Messages of the window and of the engine appear here.", None);
            return;
        }
        ui.horizontal(|ui| {
            let lines = if cx.log.len() == 1 { "line" } else { "lines" };
            kit::weak(ui, format!("{} {lines}", crate::text::count(cx.log.len() as u64)));
            if ui.button("Copy log").on_hover_text("Put all lines on the clipboard").clicked() {
                out.push(UiCommand::Copy(cx.log.join("\n")));
            }
            if ui.button("Clear log").on_hover_text("Remove all lines").clicked() {
                out.push(UiCommand::ClearLog);
            }
        });
        let tokens = Tokens::of(ui);
        let height = ui.text_style_height(&egui::TextStyle::Monospace);
        ScrollArea::both().auto_shrink([false; 2]).stick_to_bottom(true).show_rows(
            ui,
            height,
            cx.log.len(),
            |ui, rows| {
                for line in cx.log.get(rows).unwrap_or_default() {
                    let color = match line {
                        line if line.starts_with("Error") => tokens.error,
                        line if line.starts_with("Warning") => tokens.warning,
                        _ => tokens.text,
                    };
                    ui.add(egui::Label::new(RichText::new(line).monospace().color(color)).extend());
                }
            },
        );
    }
}
