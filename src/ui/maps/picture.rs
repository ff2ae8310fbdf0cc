//! The image that the network looks at, what the cell under the pointer sees of it, and what the network says it is.

use super::room::Room;
use super::{MapsPanel, Mode, Source, stale};
use crate::engine::protocol::Cell;
use crate::op::ValueId;
use crate::plan::{Sight, sight};
use crate::ui::data_panel::fit;
use crate::ui::kit;
use crate::ui::look::{Kind, Plane, ProbeView};
use crate::ui::theme::{self, Tokens};
use crate::ui::{PanelCx, UiCommand};
use egui::{Rect, RichText, ScrollArea, Sense, Ui, pos2, vec2};

/// Side of the picture beside a pad: the pad shows the same, larger.
const BESIDE_PAD: f32 = 64.0;

impl MapsPanel {
    /// The image, where it comes from, and what the network says of it.
    pub(super) fn image_ui(
        &mut self,
        cx: &PanelCx<'_>,
        probe: Option<&ProbeView>,
        cell: Option<Cell>,
        room: Room,
        ui: &mut Ui,
        out: &mut Vec<UiCommand>,
    ) {
        // Maps of another layer are of the same image: what stands here is none the older for that.
        let stale = cx.look.stale(Kind::Probe).filter(|stale| stale.differs.is_of_answer());
        let is_drawn = self.source == Source::Drawn;
        let has_cell = self.mode == Mode::Maps && self.chosen.is_some();
        ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            ui.horizontal_top(|ui| {
                ui.vertical(|ui| {
                    ui.set_width(room.column);
                    self.source_ui(cx, room.column, ui, out);
                    // With a cell open the picture with its frame comes first; the pad waits below.
                    if is_drawn && !has_cell {
                        self.pad.ui(ui, room.side);
                    }
                    let Some(probe) = probe else { return };
                    if !is_drawn || has_cell || !room.is_beside {
                        let side = if is_drawn && !has_cell { BESIDE_PAD } else { room.side };
                        stale::faded_ui(cx.look, stale, ui, |ui| self.picture_ui(cx, probe, cell, side, room, ui));
                    }
                    if !room.is_beside {
                        stale::dimmed_ui(stale, ui, |ui| says_ui(&probe.top, &probe.label, room, ui));
                    }
                    if is_drawn && has_cell {
                        self.pad.ui(ui, room.side);
                    }
                });
                if let Some(probe) = probe.filter(|_| room.is_beside) {
                    ui.add_space(4.0);
                    ui.vertical(|ui| {
                        stale::faded_ui(cx.look, stale, ui, |ui| {
                            if is_drawn {
                                self.picture_ui(cx, probe, cell, BESIDE_PAD, room, ui);
                            }
                            says_ui(&probe.top, &probe.label, room, ui);
                        });
                    });
                }
            });
        });
    }

    fn picture_ui(
        &mut self,
        cx: &PanelCx<'_>,
        probe: &ProbeView,
        cell: Option<Cell>,
        side: f32,
        room: Room,
        ui: &mut Ui,
    ) {
        let Some(image) = &probe.image else { return };
        let width = if side < room.side { side } else { room.column };
        let (place, response) = ui.allocate_exact_size(vec2(width, side), Sense::hover());
        let rect = fit(vec2(image.width as f32, image.height as f32), place);
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
            let text = format!("Receptive field {height} × {width} px");
            let text = RichText::new(text).small().color(Tokens::of(ui).text_weak);
            ui.add(egui::Label::new(text).truncate()).on_hover_text(
                "The pixels that the cell can see: the part of its receptive field that lies inside the image",
            );
        }
        if self.chosen.is_some() {
            ui.checkbox(&mut self.sense, "Effective field").on_hover_text(
                "Effective receptive field: by how much each pixel would move the clicked cell, from the gradient",
            );
            if let Some(sensed) = sensed {
                let images = if sensed.images == 1 { "this image".into() } else { format!("{} images", sensed.images) };
                kit::weak(ui, format!("95 % from {:.0} % of the pixels", sensed.share * 100.0))
                    .on_hover_text(format!("Mean of the absolute gradient over {images}"));
            }
        }
    }
}

/// What the data say that it is, and what the network says.
pub(super) fn says_ui(top: &[(String, f32)], label: &str, room: Room, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    if !label.is_empty() {
        kit::weak(ui, format!("It is {label}")).on_hover_text("What the data say");
    }
    if top.is_empty() {
        kit::weak(ui, "No classes").on_hover_text("No head of this network judges classes of images");
        return;
    }
    if room.classes > 1 {
        ui.label(RichText::new("What does it say?").color(tokens.text_strong))
            .on_hover_text("The likeliest classes, and how sure the network is of each");
    }
    for (name, share) in top.iter().take(room.classes) {
        let is_right = label == name;
        let color = if is_right { tokens.bar } else { tokens.active };
        let text = format!("{name}  {:.1} %", share * 100.0);
        kit::gauge(ui, *share, room.answer(), color, &text, "Class")
            .on_hover_text("Probability that the network gives this class");
    }
}

/// Height and width of the network's input.
fn input_size(cx: &PanelCx<'_>) -> Option<[u64; 2]> {
    let input = cx.plan.program.inputs.first()?;
    cx.plan.program.value(input.value).shape.as_map().map(|(_, h, w)| [h, w])
}

/// The value of a path in the document's program.
pub(super) fn value_of(cx: &PanelCx<'_>, path: &str) -> Option<ValueId> {
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
