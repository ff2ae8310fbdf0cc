//! The maps as tiles, one map enlarged with its explanation beside it, and maps pinned for comparison.

use super::bar::labeled;
use super::scale::{self, Colors, Scale, fill, number};
use super::{MapsPanel, Mode, Pin, room, stale};
use crate::engine::protocol::Cell;
use crate::text;
use crate::ui::PanelCx;
use crate::ui::atlas::Atlas;
use crate::ui::data_panel::fit;
use crate::ui::kit;
use crate::ui::look::{Kind, Plane, ProbeView};
use crate::ui::theme::{self, Tokens, size};
use egui::{EventFilter, FontId, Id, Pos2, Rect, Response, RichText, ScrollArea, Sense, Ui, Vec2, pos2, vec2};

/// Maps that can be pinned.
const PINS: usize = 2;

/// Id of the enlarged map, which takes arrow keys.
pub(super) fn map_id() -> Id {
    Id::unique("maps-enlarged")
}

impl MapsPanel {
    /// All channels, or all filters.
    pub(super) fn tiles_ui(&mut self, probe: &ProbeView, ui: &mut Ui) {
        if let Some(problem) = &probe.problem {
            kit::weak(ui, problem);
            return;
        }
        self.pins_ui(ui);
        let filters = self.mode == Mode::Filters;
        let planes = if filters { &probe.filters } else { &probe.planes };
        if let [only] = &planes[..]
            && only.height == 1
        {
            self.vector_ui(probe, only, ui);
            return;
        }
        let mut clicked = None;
        ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
            ui.add_space(2.0);
            let (atlas, what) = if filters { (&self.kernels, "Filter") } else { (&self.maps, "Channel") };
            for (i, response, rect) in tiles(atlas, planes, what, ui) {
                let Some(plane) = planes.get(i) else { continue };
                let cell = response.hover_pos().and_then(|at| cell_at(probe, i as u64, rect, at));
                if !filters && cell.is_some() {
                    self.hovered = cell;
                }
                if response.clicked() && !filters {
                    let [_, height, width] = probe.map().unwrap_or([1, 1, 1]);
                    clicked = Some(cell.unwrap_or(Cell::new(i as u64, height / 2, width / 2)));
                }
                let under = response.hover_pos().and_then(|at| value_at(plane, rect, at));
                response.on_hover_ui(|ui| hover_ui(atlas, i, plane, what, under, ui));
            }
        });
        if clicked.is_some() {
            self.chosen = clicked;
            self.first_map = 0;
            self.takes_focus = true;
        }
    }

    /// A vector: one row, with numbers if there is room.
    fn vector_ui(&mut self, probe: &ProbeView, plane: &Plane, ui: &mut Ui) {
        ui.add_space(2.0);
        let room = ui.available_width() - size::STEP;
        let (rect, response) = ui.allocate_exact_size(vec2(room, 48.0), Sense::click());
        self.maps.paint(ui, std::iter::once((0, rect)));
        response.widget_info(|| labeled(egui::Role::Image, "Channel 0".into()));
        let features = probe.shape.first().copied().unwrap_or(1).max(1);
        let at = |at: Pos2| {
            let share = ((at.x - rect.left()) / rect.width()).clamp(0.0, 0.999_99);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the row")]
            let index = (share * features as f32) as u64;
            Cell::new(index.min(features - 1), 0, 0)
        };
        if features <= 24 && plane.width as u64 == features {
            numbers_ui(plane, rect, self.colors, ui);
        }
        let hovered = response.hover_pos().map(at);
        self.hovered = hovered.or(self.hovered);
        if response.clicked() {
            self.chosen = Some(response.interact_pointer_pos().map_or(Cell::default(), at));
            self.first_map = 0;
            self.takes_focus = true;
        }
        let under = response.hover_pos().and_then(|at| value_at(plane, rect, at));
        response.on_hover_ui(|ui| {
            if let (Some(cell), Some(value)) = (hovered, under) {
                ui.label(format!("Value {}: about {}", cell.channel, number(f64::from(value))));
            }
            kit::weak(ui, "Click to see how it came to be");
        });
        kit::weak(
            ui,
            format!(
                "{} values in one row, from {} to {}",
                text::count(features),
                number(f64::from(plane.min)),
                number(f64::from(plane.max))
            ),
        );
    }

    /// One channel, large, and how its cell came to be.
    pub(super) fn cell_ui(&mut self, cx: &PanelCx<'_>, probe: &ProbeView, ui: &mut Ui) {
        let Some(chosen) = self.chosen else { return };
        // The explanation needs the room: a 5 × 5 kernel with readable numbers takes 520 points.
        let side = (ui.available_height() - 132.0).min(ui.available_width() * 0.26).clamp(96.0, 320.0);
        let frame = egui::Frame::new().inner_margin(egui::Margin { left: 0, right: 8, top: 0, bottom: 0 });
        egui::Panel::left("maps-enlarged").exact_size(side + 12.0).resizable(false).frame(frame).show(ui, |ui| {
            ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
                // Another cell of the same map: the map itself is none the older for it.
                stale::faded_ui(cx.look, cx.look.stale(Kind::Probe), ui, |ui| {
                    self.enlarged_ui(probe, chosen, side, ui);
                });
            });
        });
        let frame = egui::Frame::new().inner_margin(egui::Margin { left: 8, right: 0, top: 0, bottom: 0 });
        egui::CentralPanel::no_frame().frame(frame).show(ui, |ui| {
            let report = cx.look.explained.as_deref().filter(|report| report.layer == probe.layer);
            if let Some(report) = report {
                self.waits = None;
                let stale = cx.look.stale(Kind::Explain);
                stale::faded_ui(cx.look, stale, ui, |ui| self.explain.ui(report, &mut self.first_map, ui));
            } else if cx.look.problem.is_none() {
                let since = *self.waits.get_or_insert_with(std::time::Instant::now);
                stale::waiting_ui(since, ui);
            }
        });
    }

    fn enlarged_ui(&mut self, probe: &ProbeView, chosen: Cell, side: f32, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        let channels = probe.shape.first().copied().unwrap_or(1);
        let is_map = probe.map().is_some();
        ui.horizontal(|ui| {
            let back = ui.button("‹").on_hover_text("Back to all channels (Esc)");
            back.widget_info(|| labeled(egui::Role::Button, "All channels".into()));
            if back.clicked() {
                self.chosen = None;
            }
            let what = if is_map { "Channel" } else { "Value" };
            let title = RichText::new(format!("{what} {}", chosen.channel)).color(tokens.text_strong);
            ui.add(egui::Label::new(title).truncate()).on_hover_text(counted(channels));
        });
        let index = usize::try_from(if is_map { chosen.channel } else { 0 }).unwrap_or(0);
        let Some(plane) = probe.planes.get(index) else {
            kit::weak(ui, "Maps past the first 256 are not drawn; their numbers are.");
            return;
        };
        let (room, _) = ui.allocate_exact_size(vec2(side, if is_map { side } else { 40.0 }), Sense::hover());
        let rect = if is_map { fit(vec2(plane.width as f32, plane.height as f32), room) } else { room };
        let response = ui.interact(rect, map_id(), Sense::click());
        response.widget_info(|| labeled(egui::Role::Image, format!("Enlarged {}", chosen.label(is_map))));
        self.maps.paint(ui, std::iter::once((index, rect)));
        let at = |at: Pos2| cell_at(probe, chosen.channel, rect, at);
        if let Some(cell) = response.hover_pos().and_then(at) {
            self.hovered = Some(cell);
            ui.ctx().set_cursor_icon(egui::CursorIcon::Crosshair);
        }
        if std::mem::take(&mut self.takes_focus) {
            // Else the arrow keys would go to the canvas.
            response.request_focus();
        }
        if response.clicked() {
            response.request_focus();
            if let Some(cell) = response.interact_pointer_pos().and_then(at) {
                self.chosen = Some(cell);
                self.first_map = 0;
            }
        }
        let filter =
            EventFilter { horizontal_arrows: true, vertical_arrows: true, escape: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        let size = probe.map().unwrap_or([1, 1, channels]);
        let hovered = self.hovered.filter(|_| !self.is_held());
        for (cell, color) in [(Some(chosen), theme::SIGHT), (hovered, tokens.accent)] {
            if let Some(cell) = cell.filter(|cell| !is_map || cell.channel == chosen.channel) {
                outline(ui, cell, is_map, size, rect, color);
            }
        }
        if response.has_focus() {
            ui.painter().rect_stroke(rect, 0.0, egui::Stroke::new(1.0, tokens.accent), egui::StrokeKind::Outside);
        }
        response.on_hover_text("Move the pointer to see other cells explained; click to stay with one. Arrow keys: channels and layers, with Shift cells");
        stats_ui(plane, ui);
        ui.horizontal(|ui| {
            let is_full = self.pins.len() >= PINS;
            let pin = ui.add_enabled(is_map && !is_full, egui::Button::new("Pin"));
            let hover = "Set this map aside, to compare it with another channel, image, layer or step";
            if pin.on_hover_text(hover).on_disabled_hover_text("Two maps can be pinned").clicked() {
                let step = if probe.step == 0 { String::new() } else { format!(", step {}", text::count(probe.step)) };
                let title = format!("{}, channel {}{step}", probe.layer, chosen.channel);
                self.pins.push(Pin { title, plane: plane.clone() });
                self.fill_pins(ui);
            }
            if !self.pins.is_empty() {
                kit::weak(ui, format!("{} pinned", self.pins.len()))
                    .on_hover_text("They stand above the maps of all channels: press Esc here to see them");
            }
            let patches = ui.button("Patches");
            patches.widget_info(|| labeled(egui::Role::Button, format!("Patches of channel {}", chosen.channel)));
            if patches.on_hover_text("What excites this channel most, out of many images").clicked() {
                self.show_patches(chosen.channel);
            }
        });
    }

    fn fill_pins(&mut self, ui: &Ui) {
        let mut planes: Vec<Plane> = self.pins.iter().map(|pin| pin.plane.clone()).collect();
        planes.extend(self.difference());
        fill(&mut self.pinned, "pinned-maps", planes.iter(), false, self.colors, ui);
    }

    /// The second pinned map minus the first, if they are of one size.
    fn difference(&self) -> Option<Plane> {
        let [a, b] = &self.pins[..] else { return None };
        let (a, b) = (&a.plane, &b.plane);
        if (a.width, a.height) != (b.width, b.height) {
            return None;
        }
        let values: Vec<f32> = (0..a.width * a.height)
            .map(|at| b.value(at % a.width, at / a.width) - a.value(at % a.width, at / a.width))
            .collect();
        let (min, max) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &x| (l.min(x), h.max(x)));
        let scale = if max > min { 255.0 / (max - min) } else { 0.0 };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
        let pixels = values.iter().map(|value| ((value - min) * scale).round() as u8).collect();
        let mean = values.iter().sum::<f32>() / values.len().max(1) as f32;
        Some(Plane { width: a.width, height: a.height, depth: 1, pixels, min, max, mean, zeros: f32::NAN })
    }

    /// The pinned maps, side by side, and their difference.
    fn pins_ui(&mut self, ui: &mut Ui) {
        if self.pins.is_empty() {
            return;
        }
        let tokens = Tokens::of(ui);
        let difference = self.difference();
        let mut removed = None;
        // In a low panel they are small, with their words beside them: most of the room is for the layer's maps.
        let is_low = ui.available_height() < LOW;
        let side = if is_low { 48.0 } else { 112.0 };
        tokens.well().inner_margin(if is_low { 4 } else { 8 }).show(ui, |ui| {
            ui.horizontal_top(|ui| {
                let titled = self.pins.iter().map(|pin| (pin.title.clone(), &pin.plane));
                let extra = difference.iter().map(|plane| ("Second minus first".to_owned(), plane));
                for (i, (title, plane)) in titled.chain(extra).enumerate() {
                    let mut pin = |ui: &mut Ui| {
                        let (room, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
                        let rect = fit(vec2(plane.width as f32, plane.height as f32), room);
                        self.pinned.paint(ui, std::iter::once((i, rect)));
                        response.widget_info(|| labeled(egui::Role::Image, format!("Pinned: {title}")));
                        let under = response.hover_pos().and_then(|at| value_at(plane, rect, at));
                        response.on_hover_ui(|ui| hover_ui(&self.pinned, i, plane, &title, under, ui));
                        ui.vertical(|ui| {
                            kit::weak(ui, &title);
                            if i < self.pins.len()
                                && ui.small_button("Unpin").on_hover_text("Take this map away").clicked()
                            {
                                removed = Some(i);
                            }
                        });
                    };
                    if is_low {
                        ui.horizontal_top(&mut pin);
                    } else {
                        ui.vertical(&mut pin);
                    }
                }
            });
        });
        if let Some(i) = removed {
            self.pins.remove(i);
            self.fill_pins(ui);
        }
    }
}

/// Height below which pinned maps are small.
const LOW: f32 = 360.0;

/// How channels are numbered, in words.
fn counted(channels: u64) -> String {
    format!(
        "{} channels, numbered 0 to {} as PyTorch's indices are",
        text::count(channels),
        text::count(channels.saturating_sub(1))
    )
}

/// Draws tiles that wrap; gives each with its place and the rectangle of its picture.
fn tiles(atlas: &Atlas, planes: &[Plane], what: &str, ui: &mut Ui) -> Vec<(usize, Response, Rect)> {
    if planes.is_empty() {
        kit::weak(ui, "This layer gave no maps. Choose another.");
        return Vec::new();
    }
    let pixels = planes.iter().map(|plane| plane.width.max(plane.height)).max().unwrap_or(1);
    let count = planes.len().min(atlas.len());
    let side = room::tile_side(count, ui.available_size() - vec2(0.0, size::HALF), pixels, size::HALF);
    let tokens = Tokens::of(ui);
    let mut drawn = Vec::new();
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = Vec2::splat(size::HALF);
        for (i, plane) in planes.iter().take(atlas.len()).enumerate() {
            let (room, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
            if !ui.is_rect_visible(room) {
                continue;
            }
            response.widget_info(|| labeled(egui::Role::Button, format!("{what} {i}")));
            drawn.push((i, response, fit(vec2(plane.width as f32, plane.height as f32), room)));
        }
        atlas.paint(ui, drawn.iter().map(|(i, _, rect)| (*i, *rect)));
        for (i, response, rect) in &drawn {
            if response.hovered() || response.has_focus() {
                let stroke = egui::Stroke::new(2.0, tokens.accent);
                ui.painter().rect_stroke(*rect, 0.0, stroke, egui::StrokeKind::Outside);
            } else if planes.get(*i).is_some_and(|plane| plane.zeros >= 1.0) {
                // Nothing but zeros: said in words, since it looks like any dark map.
                let font = FontId::proportional(size::FONT_SMALL);
                ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, "all 0", font, theme::gray(190));
            }
        }
    });
    drawn
}

/// Numbers over the cells of a short vector.
fn numbers_ui(plane: &Plane, rect: Rect, colors: Colors, ui: &Ui) {
    let scale = Scale::new(plane.min, plane.max, colors);
    let width = rect.width() / plane.width.max(1) as f32;
    for x in 0..plane.width {
        let value = plane.value(x, 0);
        let at = pos2(rect.left() + (x as f32 + 0.5) * width, rect.center().y);
        let ink = theme::on(scale.color(value));
        let font = FontId::proportional(size::FONT_SMALL);
        ui.painter().text(at, egui::Align2::CENTER_CENTER, scale::short(value), font, ink);
    }
}

/// The cell under a point of a picture of a channel.
fn cell_at(probe: &ProbeView, channel: u64, rect: Rect, at: Pos2) -> Option<Cell> {
    let share = (at - rect.min) / rect.size();
    let inside = (0.0..1.0).contains(&share.x) && (0.0..1.0).contains(&share.y);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the picture")]
    let place = |share: f32, size: u64| ((share * size as f32) as u64).min(size.saturating_sub(1));
    match probe.map() {
        Some([_, height, width]) => inside.then(|| Cell::new(channel, place(share.y, height), place(share.x, width))),
        None => inside.then(|| Cell::new(place(share.x, probe.shape.first().copied().unwrap_or(1)), 0, 0)),
    }
}

/// The value under a point of a picture.
fn value_at(plane: &Plane, rect: Rect, at: Pos2) -> Option<f32> {
    let share = (at - rect.min) / rect.size();
    let inside = (0.0..1.0).contains(&share.x) && (0.0..1.0).contains(&share.y);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the picture")]
    let place = |share: f32, size: usize| ((share * size as f32) as usize).min(size.saturating_sub(1));
    (inside && plane.depth == 1).then(|| plane.value(place(share.x, plane.width), place(share.y, plane.height)))
}

fn outline(ui: &Ui, cell: Cell, is_map: bool, [_, height, width]: [u64; 3], rect: Rect, color: egui::Color32) {
    let (column, row) = if is_map { (cell.x, cell.y) } else { (cell.channel, 0) };
    let step = vec2(rect.width() / width.max(1) as f32, rect.height() / height.max(1) as f32);
    let min = rect.min + vec2(column as f32 * step.x, row as f32 * step.y);
    let place = Rect::from_min_size(min, step.max(Vec2::splat(3.0)));
    ui.painter().rect_stroke(place, 0.0, egui::Stroke::new(1.5, color), egui::StrokeKind::Outside);
}

/// Three short lines that keep their form in a narrow column.
fn stats_ui(plane: &Plane, ui: &mut Ui) {
    let number = |value: f32| number(f64::from(value));
    let mut line = |text: String, hover: &str| {
        let text = RichText::new(text).color(Tokens::of(ui).text_weak);
        ui.add(egui::Label::new(text).extend()).on_hover_text(hover);
    };
    line(format!("{} to {}", number(plane.min), number(plane.max)), "Smallest and largest value of this map");
    if plane.mean.is_finite() {
        line(format!("mean {}", number(plane.mean)), "Mean of this map");
    }
    if plane.zeros.is_finite() {
        line(format!("{:.1} % zeros", plane.zeros * 100.0), "Share of values that are exactly zero");
    }
}

fn hover_ui(atlas: &Atlas, i: usize, plane: &Plane, what: &str, under: Option<f32>, ui: &mut Ui) {
    ui.label(if what.contains(' ') { what.to_owned() } else { format!("{what} {i}") });
    if plane.height > 1 {
        let (room, _) = ui.allocate_exact_size(Vec2::splat(192.0), Sense::hover());
        let rect: Rect = fit(vec2(plane.width as f32, plane.height as f32), room);
        atlas.paint(ui, std::iter::once((i, rect)));
    }
    if let Some(value) = under {
        ui.label(format!("about {} here", number(f64::from(value))));
    }
    stats_ui(plane, ui);
    if what == "Channel" {
        kit::weak(ui, "Click to see how a number came to be");
    }
}
