//! The image that the network looks at, what the cell under the pointer sees of it, and what the network says it is.

use super::{MapsPanel, Source};
use crate::engine::protocol::Cell;
use crate::op::ValueId;
use crate::plan::{Sight, sight};
use crate::text;
use crate::ui::data_panel::fit;
use crate::ui::kit;
use crate::ui::look::{Plane, ProbeView};
use crate::ui::theme::{self, Tokens};
use crate::ui::{PanelCx, UiCommand};
use egui::{Rect, RichText, ScrollArea, Sense, Ui, pos2, vec2};

/// Width of the image and of what stands below it.
pub(super) const WIDTH: f32 = 184.0;

impl MapsPanel {
    pub(super) fn image_ui(
        &mut self,
        cx: &PanelCx<'_>,
        probe: Option<&ProbeView>,
        cell: Option<Cell>,
        ui: &mut Ui,
        out: &mut Vec<UiCommand>,
    ) {
        let height = ui.available_height();
        ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            ui.set_max_width(WIDTH + 8.0);
            // In a low panel the answer below the image matters more than the image's size.
            let side = (height - 190.0).clamp(96.0, WIDTH);
            self.source_ui(cx, ui, out);
            if self.source == Source::Drawn {
                self.pad.ui(ui, side.max(140.0));
            }
            let Some(probe) = probe else { return };
            self.picture_ui(cx, probe, cell, side, ui);
            says_ui(probe, ui);
        });
    }

    fn picture_ui(&mut self, cx: &PanelCx<'_>, probe: &ProbeView, cell: Option<Cell>, side: f32, ui: &mut Ui) {
        let Some(image) = &probe.image else { return };
        let (room, response) = ui.allocate_exact_size(vec2(WIDTH, side), Sense::hover());
        let rect = fit(vec2(image.width as f32, image.height as f32), room);
        self.input.paint(ui, std::iter::once((0, rect)));
        let Some(size) = input_size(cx) else { return };
        let sensed = cx.look.sensed.as_deref().filter(|sensed| self.sense && Some(sensed.cell) == self.chosen);
        if let Some(sensed) = sensed {
            if self.field_of != sensed.id {
                self.field_of = sensed.id;
                let plane = Plane::new(&sensed.field, None);
                self.field.set(ui.ctx(), "effective-field", [plane.width, plane.height], 1, |_, x, y| {
                    theme::overlay(plane.pixels.get(y * plane.width + x).copied().unwrap_or(0))
                });
            }
            self.field.paint(ui, std::iter::once((0, rect)));
        }
        let seen = cell.and_then(|cell| {
            let value = value_of(cx, self.looked())?;
            sight(&cx.plan.program, value, [cell.channel, cell.y, cell.x])
        });
        if let Some(seen) = seen {
            sight_ui(ui, seen, size, rect);
        }
        response.widget_info(|| super::bar::labeled(egui::Role::Image, "Input image".into()));
        response.on_hover_text(format!(
            "The image as the network sees it: {} × {}, values {:.2} to {:.2}",
            size[0], size[1], image.min, image.max
        ));
        if let Some(seen) = seen {
            let (height, width) = (seen.rows.1 - seen.rows.0, seen.columns.1 - seen.columns.0);
            kit::weak(ui, format!("The cell sees {height} × {width} px of it"))
                .on_hover_text("Its theoretical receptive field, clipped at the borders");
        }
        if self.chosen.is_some() {
            ui.checkbox(&mut self.sense, "What really moves it").on_hover_text(
                "The effective receptive field: by how much each pixel would move the clicked cell, from the gradient",
            );
            if let Some(sensed) = sensed {
                let images = if sensed.images == 1 { "this image".into() } else { format!("{} images", sensed.images) };
                kit::weak(ui, format!("95 % from {:.0} % of the pixels", sensed.share * 100.0))
                    .on_hover_text(format!("Mean of the absolute gradient over {images}"));
            }
        }
    }
}

fn says_ui(probe: &ProbeView, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    if !probe.label.is_empty() {
        kit::weak(ui, format!("It is {}", probe.label)).on_hover_text("What the data say");
    }
    if probe.top.is_empty() {
        return;
    }
    ui.label(RichText::new("What does it say?").color(tokens.text_strong)).on_hover_text("The five likeliest classes");
    for (name, share) in probe.top.iter().take(5) {
        let is_right = probe.label == *name;
        let color = if is_right { tokens.bar } else { tokens.active };
        let text = format!("{name}  {:.1} %", share * 100.0);
        kit::gauge(ui, *share, WIDTH, color, &text, "Class")
            .on_hover_text("Probability that the network gives this class");
    }
}

/// Height and width of the network's input.
fn input_size(cx: &PanelCx<'_>) -> Option<[u64; 2]> {
    let input = cx.plan.program.inputs.first()?;
    cx.plan.program.value(input.value).shape.as_map().map(|(_, h, w)| [h, w])
}

/// The value of a path in the document's program.
fn value_of(cx: &PanelCx<'_>, path: &str) -> Option<ValueId> {
    let below = |own: &str| own == path || own.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    let op = cx.plan.program.ops.iter().rev().find(|op| below(&op.path));
    let input = || cx.plan.program.inputs.iter().find(|input| input.name == path).map(|input| input.value);
    op.and_then(|op| op.outputs.first().copied()).or_else(input)
}

/// A frame around the pixels that a cell sees, the rest a little darker.
fn sight_ui(ui: &Ui, seen: Sight, [height, width]: [u64; 2], rect: Rect) {
    let x = |at: u64| rect.left() + rect.width() * at as f32 / width.max(1) as f32;
    let y = |at: u64| rect.top() + rect.height() * at as f32 / height.max(1) as f32;
    let inner = Rect::from_min_max(pos2(x(seen.columns.0), y(seen.rows.0)), pos2(x(seen.columns.1), y(seen.rows.1)));
    for part in [
        Rect::from_min_max(rect.min, pos2(rect.right(), inner.top())),
        Rect::from_min_max(pos2(rect.left(), inner.bottom()), rect.max),
        Rect::from_min_max(pos2(rect.left(), inner.top()), pos2(inner.left(), inner.bottom())),
        Rect::from_min_max(pos2(inner.right(), inner.top()), pos2(rect.right(), inner.bottom())),
    ] {
        ui.painter().rect_filled(part, 0.0, theme::SHADE);
    }
    ui.painter().rect_stroke(inner, 0.0, egui::Stroke::new(1.5, theme::SIGHT), egui::StrokeKind::Outside);
    let name = format!(
        "Sees rows {} to {}, columns {} to {}",
        seen.rows.0,
        seen.rows.1 - 1,
        seen.columns.0,
        seen.columns.1 - 1
    );
    ui.interact(inner, ui.scope_id().with("sight"), Sense::hover())
        .widget_info(|| super::bar::labeled(egui::Role::Image, name.clone()));
}

/// Which of how many, in words.
pub(super) fn of(at: u64, count: u64) -> String {
    format!("{} of {}", text::count(at), text::count(count))
}
