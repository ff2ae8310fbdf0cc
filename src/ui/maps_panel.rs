//! Feature maps: what the selected layer makes of one image, live while the network learns.

use super::atlas::Atlas;
use super::data_panel::fit;
use super::kit;
use super::runs::{Plane, ProbeView, RunView};
use super::theme::{self, Tokens, size};
use super::{Panel, PanelCx, UiCommand};
use crate::graph::{Graph, NodeId};
use crate::layers::Family;
use crate::text;
use egui::{Color32, Rect, RichText, ScrollArea, Sense, Ui, Vec2, vec2};

/// How values become colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Colors {
    #[default]
    Heat,
    Gray,
    AroundZero,
}

const COLORS: [(Colors, &str, &str); 3] = [
    (Colors::Heat, "Heat", "Dark is the smallest value, bright the largest"),
    (Colors::Gray, "Gray", "Black is the smallest value, white the largest"),
    (Colors::AroundZero, "Around zero", "Blue is negative, red positive"),
];

/// What the textures hold.
type Key = (String, String, String, u64, bool, Colors);

/// The panel.
#[derive(Debug, Default)]
pub struct MapsPanel {
    image: usize,
    shared: bool,
    filters: bool,
    colors: Colors,
    key: Option<Key>,
    maps: Atlas,
    kernels: Atlas,
    input: Atlas,
}

impl Panel for MapsPanel {
    fn id(&self) -> &'static str {
        "feature-maps"
    }

    fn title(&self) -> &'static str {
        "Feature maps"
    }

    fn help(&self) -> &'static str {
        "What each channel of the selected layer sees in an image, and what the network says it is"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let Some(run) = cx.run.filter(|run| !run.steps.is_empty()) else {
            let action =
                (cx.run.is_none() && cx.plan.is_complete()).then_some(("Train now", "Train the network on its data"));
            let text = "Train the network first. Then choose a layer and watch its channels while it learns.";
            if kit::empty_ui(ui, "Nothing to look at yet", text, action) {
                out.push(UiCommand::Train);
            }
            return;
        };
        let Some(node) = chosen(cx.graph(), cx.selection) else {
            kit::empty_ui(ui, "No layer to look into", "Select a layer on the canvas.", None);
            return;
        };
        let mut path = cx.path.to_vec();
        path.push(node);
        out.push(UiCommand::Probe { node: path, image: self.image });
        self.bar_ui(cx, node, run, ui);
        let Some(probe) = &run.probe else {
            kit::empty_ui(ui, "Looking", "The engine is asked for this layer.", None);
            return;
        };
        self.update(run, probe, ui);
        ui.add_space(2.0);
        egui::Panel::left("maps-image")
            .exact_size(318.0)
            .resizable(false)
            .frame(egui::Frame::new().inner_margin(egui::Margin { left: 0, right: 12, top: 0, bottom: 0 }))
            .show(ui, |ui| {
                ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| self.image_ui(probe, ui));
            });
        egui::CentralPanel::no_frame().show(ui, |ui| {
            let (atlas, planes, what) = if self.filters && !probe.filters.is_empty() {
                (&self.kernels, &probe.filters, "Filter")
            } else {
                (&self.maps, &probe.planes, "Channel")
            };
            ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
                ui.add_space(2.0);
                tiles_ui(atlas, planes, what, ui);
            });
        });
    }
}

/// The layer to look at: the selected one, else the first convolution, else the first layer.
fn chosen(graph: &Graph, selection: &[NodeId]) -> Option<NodeId> {
    let family =
        |family| graph.nodes.iter().find(move |node| node.content.about().is_some_and(|about| about.family == family));
    selection
        .last()
        .copied()
        .or_else(|| family(Family::Convolution).map(|node| node.id))
        .or_else(|| graph.nodes.first().map(|node| node.id))
}

impl MapsPanel {
    fn bar_ui(&mut self, cx: &PanelCx<'_>, node: NodeId, run: &RunView, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        ui.horizontal_wrapped(|ui| {
            let name = cx.graph().node(node).map_or("", |node| node.name.as_str());
            let shape = cx.plan.output_shape(cx.path, node).map(|shape| {
                let dims: Vec<String> = shape.dims_hwc().iter().map(ToString::to_string).collect();
                dims.join(" × ")
            });
            ui.label(RichText::new(name).color(tokens.text_strong))
                .on_hover_text("The selected layer. Select another on the canvas");
            kit::weak(ui, shape.unwrap_or_default());
            ui.separator();
            let last = cx.data.counts[1].saturating_sub(1);
            let previous = ui.add_enabled(self.image > 0, egui::Button::new("Previous image"));
            if previous.on_hover_text("Look at the validation image before this one").clicked() {
                self.image -= 1;
            }
            let next = ui.add_enabled(self.image < last, egui::Button::new("Next image"));
            if next.on_hover_text("Look at the next validation image").clicked() {
                self.image += 1;
            }
            if let Some(probe) = &run.probe {
                kit::weak(ui, format!("step {}", text::count(probe.step)))
                    .on_hover_text("The weights are those after this step");
                ui.separator();
                if !probe.filters.is_empty() {
                    ui.selectable_value(&mut self.filters, false, "Maps")
                        .on_hover_text("What the channels see in the image");
                    ui.selectable_value(&mut self.filters, true, "Filters")
                        .on_hover_text("The weights of the convolution");
                    ui.separator();
                }
            }
            ui.checkbox(&mut self.shared, "Shared scale").on_hover_text(
                "One range of values for all channels, so that they can be compared; else each has its own",
            );
            let now = COLORS.iter().find(|(colors, ..)| *colors == self.colors).map_or("Heat", |(_, name, _)| name);
            let combo = egui::ComboBox::from_id_salt("colors").width(96.0).selected_text(now).show_ui(ui, |ui| {
                for (colors, name, hover) in COLORS {
                    ui.selectable_value(&mut self.colors, colors, name).on_hover_text(hover);
                }
            });
            combo
                .response
                .widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, format!("Colours: {now}")));
            combo.response.on_hover_text("How values become colours");
        });
    }

    fn update(&mut self, run: &RunView, probe: &ProbeView, ui: &Ui) {
        let key = (run.name.clone(), probe.layer.clone(), probe.label.clone(), probe.step, self.shared, self.colors);
        if self.key.as_ref() == Some(&key) {
            return;
        }
        self.key = Some(key);
        fill(&mut self.maps, "feature-maps", &probe.planes, self.shared, self.colors, ui);
        fill(&mut self.kernels, "filters", &probe.filters, self.shared, self.colors, ui);
        fill(&mut self.input, "input-image", probe.image.as_slice(), false, Colors::Gray, ui);
    }

    fn image_ui(&self, probe: &ProbeView, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.set_width(124.0);
                ui.label(RichText::new("Input").color(tokens.text_strong))
                    .on_hover_text("The image as the network sees it");
                if let Some(image) = &probe.image {
                    let (room, response) = ui.allocate_exact_size(Vec2::splat(120.0), Sense::hover());
                    let rect = fit(vec2(image.width as f32, image.height as f32), room);
                    self.input.paint(ui, std::iter::once((0, rect)));
                    response.on_hover_text(format!(
                        "{} × {}, values {:.2} to {:.2}",
                        image.height, image.width, image.min, image.max
                    ));
                }
                kit::weak(ui, format!("It is {}", probe.label));
            });
            ui.vertical(|ui| {
                ui.label(RichText::new("What does it say?").color(tokens.text_strong))
                    .on_hover_text("The five likeliest classes");
                for (rank, (name, share)) in probe.top.iter().take(5).enumerate() {
                    let color = if rank == 0 { tokens.bar } else { tokens.active };
                    let text = format!("{name}  {:.1} %", share * 100.0);
                    kit::gauge(ui, *share, 164.0, color, &text, "Class")
                        .on_hover_text("Probability that the network gives this class");
                }
            });
        });
    }
}

fn fill(atlas: &mut Atlas, name: &str, planes: &[Plane], shared: bool, colors: Colors, ui: &Ui) {
    let tile = planes.iter().fold([1, 1], |[w, h], plane| [w.max(plane.width), h.max(plane.height)]);
    let low = planes.iter().map(|plane| plane.min).fold(f32::INFINITY, f32::min);
    let high = planes.iter().map(|plane| plane.max).fold(f32::NEG_INFINITY, f32::max);
    atlas.set(ui.ctx(), name, tile, planes.len(), |i, x, y| {
        let Some(plane) = planes.get(i).filter(|plane| x < plane.width && y < plane.height) else {
            return Color32::TRANSPARENT;
        };
        let byte = plane.pixels.get(y * plane.width + x).copied().unwrap_or(0);
        let value = plane.min + f32::from(byte) / 255.0 * (plane.max - plane.min);
        let (low, high) = if shared { (low, high) } else { (plane.min, plane.max) };
        color(value, low, high, colors)
    });
}

fn color(value: f32, low: f32, high: f32, colors: Colors) -> Color32 {
    let (low, high) = if colors == Colors::AroundZero {
        let most = low.abs().max(high.abs());
        (-most, most)
    } else {
        (low, high)
    };
    let share = if high > low { ((value - low) / (high - low)).clamp(0.0, 1.0) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
    let byte = (share * 255.0).round() as u8;
    match colors {
        Colors::Heat => theme::heat(byte),
        Colors::Gray => theme::gray(byte),
        Colors::AroundZero => theme::diverging(byte),
    }
}

fn tiles_ui(atlas: &Atlas, planes: &[Plane], what: &str, ui: &mut Ui) {
    let Some(first) = planes.first() else {
        kit::weak(ui, "This layer gave no maps. Choose another.");
        return;
    };
    let is_vector = first.height == 1 && planes.len() == 1;
    let room = ui.available_width();
    let side = match planes.len() {
        0..=8 => 104.0,
        9..=24 => 84.0,
        25..=96 => 64.0,
        _ => 48.0_f32,
    };
    let side = if is_vector { vec2(room - size::STEP, 48.0) } else { Vec2::splat(side) };
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = Vec2::splat(size::HALF);
        let mut tiles = Vec::with_capacity(planes.len());
        for (i, plane) in planes.iter().take(atlas.len()).enumerate() {
            let (rect, response) = ui.allocate_exact_size(side, Sense::hover());
            if !ui.is_rect_visible(rect) {
                continue;
            }
            response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, format!("{what} {i}")));
            tiles.push((i, if is_vector { rect } else { fit(vec2(plane.width as f32, plane.height as f32), rect) }));
            response.on_hover_ui(|ui| hover_ui(atlas, i, plane, what, ui));
        }
        atlas.paint(ui, tiles.into_iter());
    });
    if is_vector {
        kit::weak(
            ui,
            format!("{} values in one row, from {:.3} to {:.3}", text::count(first.width as u64), first.min, first.max),
        );
    }
}

fn hover_ui(atlas: &Atlas, i: usize, plane: &Plane, what: &str, ui: &mut Ui) {
    ui.label(format!("{what} {i}"));
    if plane.height > 1 {
        let (room, _) = ui.allocate_exact_size(Vec2::splat(192.0), Sense::hover());
        let rect: Rect = fit(vec2(plane.width as f32, plane.height as f32), room);
        atlas.paint(ui, std::iter::once((i, rect)));
    }
    kit::weak(ui, format!("min {:.4}   max {:.4}", plane.min, plane.max));
    if plane.mean.is_finite() {
        kit::weak(ui, format!("mean {:.4}   zeros {:.1} %", plane.mean, plane.zeros * 100.0));
    }
}
