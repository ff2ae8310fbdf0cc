//! The image that snapshots are of, and what the network said of it then: stands where the image to be looked at stands else.

use super::history::image_words;
use super::picture::says_ui;
use super::room::Room;
use super::{MapsPanel, bar};
use crate::engine::run::snapshots::Snapshot;
use crate::ui::PanelCx;
use crate::ui::data_panel::fit;
use crate::ui::kit;
use crate::ui::theme::Tokens;
use egui::{RichText, ScrollArea, Sense, Ui, vec2};

impl MapsPanel {
    /// The recorded image.
    pub(super) fn recorded_ui(&mut self, cx: &PanelCx<'_>, snapshot: &Snapshot, room: Room, ui: &mut Ui) {
        let class = |class: u32| {
            let name = self.history.classes().get(class as usize).cloned();
            name.unwrap_or_else(|| format!("class {class}"))
        };
        let label = snapshot.label.map(class).unwrap_or_default();
        let top: Vec<(String, f32)> =
            snapshot.top.iter().map(|score| (score.name.clone(), score.probability)).collect();
        ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(room.column);
                    let words = RichText::new(image_words(snapshot.image.as_ref())).color(Tokens::of(ui).text_strong);
                    ui.add(egui::Label::new(words).truncate()).on_hover_text(
                        "Snapshots are of the image that was chosen here when training began; without one, of the first validation image",
                    );
                    kit::weak(ui, "as it was recorded");
                    self.recorded_picture_ui(cx, snapshot, room, ui);
                    if !room.is_beside {
                        says_ui(&top, &label, room, ui);
                    }
                });
                if room.is_beside {
                    ui.add_space(4.0);
                    ui.vertical(|ui| says_ui(&top, &label, room, ui));
                }
            });
        });
    }

    fn recorded_picture_ui(&mut self, cx: &PanelCx<'_>, snapshot: &Snapshot, room: Room, ui: &mut Ui) {
        let Some((atlas, plane)) =
            cx.look.folder.as_deref().and_then(|folder| self.history.image(folder, snapshot, ui))
        else {
            kit::weak(ui, "This run did not keep a picture of it.");
            return;
        };
        let (place, response) = ui.allocate_exact_size(vec2(room.column, room.side), Sense::hover());
        let rect = fit(vec2(plane.width as f32, plane.height as f32), place);
        atlas.paint(ui, std::iter::once((0, rect)));
        response.widget_info(|| bar::labeled(egui::Role::Image, "Recorded image".into()));
        response.on_hover_text(format!(
            "The image as the network saw it: {} × {}, values {:.2} to {:.2}",
            plane.height, plane.width, plane.min, plane.max
        ));
    }
}
