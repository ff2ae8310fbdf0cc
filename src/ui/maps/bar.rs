//! The bar above the maps: which layer, image and weights, and how values become colours.

use super::scale::{Colors, sheet};
use super::{MapsPanel, Mode, Source, images_of};
use crate::data::Split;
use crate::graph::{DataSource, NodeId};
use crate::text;
use crate::ui::export::Export;
use crate::ui::kit;
use crate::ui::look::Whose;
use crate::ui::run_choice;
use crate::ui::theme::Tokens;
use crate::ui::{PanelCx, UiCommand};
use egui::{RichText, Ui};

const MODES: [(Mode, &str, &str); 5] = [
    (Mode::Maps, "Maps", "What the channels see in the image; click one to see how its numbers came to be"),
    (Mode::Filters, "Filters", "The weights of the convolution as pictures"),
    (Mode::Patches, "Patches", "What excites each channel most: the parts of many images that it answers highest to"),
    (Mode::Spread, "Histograms", "How weights, activations and gradients are spread; which channels are dead"),
    (Mode::History, "History", "How the maps looked at earlier steps of the run"),
];

/// Width of the layer's name and shape, and of the name alone.
const NAME: (f32, f32) = (104.0, 36.0);
/// A bar that is narrower leaves the shape to card and inspector, so that all choices stay in one line.
const ROOM_FOR_SHAPE: f32 = 980.0;
const NO_KERNELS: &str = "This layer has no kernels: convolutions have";

impl MapsPanel {
    pub(super) fn bar_ui(&mut self, cx: &PanelCx<'_>, node: NodeId, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let tokens = Tokens::of(ui);
        ui.horizontal_wrapped(|ui| {
            // All of it fits one line of a window of the usual size.
            ui.spacing_mut().item_spacing.x = 5.0;
            let name = cx.graph().node(node).map_or("", |node| node.name.as_str());
            let with_shape = ui.available_width() >= ROOM_FOR_SHAPE;
            // Of one width for most layers: the choices beside it keep their place while one goes through them.
            ui.scope(|ui| {
                ui.set_min_width(if with_shape { NAME.0 } else { NAME.1 });
                ui.label(RichText::new(name).color(tokens.text_strong))
                    .on_hover_text("The selected layer. Select another on the canvas, or press Up and Down here");
                if let Some(shape) = cx.plan.output_shape(cx.path, node).filter(|_| with_shape) {
                    kit::weak(ui, shape.to_string()).on_hover_text("Height × width × channels of what it gives");
                }
            });
            self.inner_ui(cx, node, ui);
            ui.separator();
            for (mode, label, hover) in MODES {
                let is_there = mode != Mode::Filters || self.has_kernels(cx);
                let choice = ui.add_enabled(is_there, egui::Button::selectable(self.mode == mode, label));
                if choice.on_hover_text(hover).on_disabled_hover_text(NO_KERNELS).clicked() {
                    self.choose(mode);
                }
            }
            ui.separator();
            self.whose_ui(cx, ui, out);
            // Patches are shown as the image is, histograms have no maps.
            if !matches!(self.mode, Mode::Patches | Mode::Spread) {
                self.colors_ui(ui);
            }
            if self.mode == Mode::Filters {
                self.channel_ui(cx, ui);
            }
            self.export_ui(cx, ui, out);
        });
    }

    /// A choice of the ops inside a block.
    fn inner_ui(&mut self, cx: &PanelCx<'_>, node: NodeId, ui: &mut Ui) {
        let Some(plan) = cx.plan.node(cx.path, node) else { return };
        let ops = plan.spans.first().and_then(|span| cx.plan.program.ops.get(span.clone())).unwrap_or_default();
        let mut paths: Vec<&str> = ops.iter().map(|op| op.path.as_str()).collect();
        paths.dedup();
        if paths.len() < 2 {
            return;
        }
        let short =
            |path: &str| path.strip_prefix(&self.layer).map_or(path, |rest| rest.trim_start_matches('.')).to_owned();
        let now = self.looked().to_owned();
        let shown = if now == self.layer { "output".into() } else { short(&now) };
        let mut next = None;
        let combo = egui::ComboBox::from_id_salt("inner").width(90.0).selected_text(shown.as_str()).show_ui(ui, |ui| {
            let hover = "What the whole block gives";
            if ui.selectable_label(now == self.layer, "output").on_hover_text(hover).clicked() {
                next = Some(self.layer.clone());
            }
            for path in paths {
                if ui.selectable_label(now == path, short(path)).on_hover_text("A step inside the block").clicked() {
                    next = Some(path.to_owned());
                }
            }
        });
        combo.response.widget_info(|| labeled(egui::Role::ComboBox, format!("Step of the block: {shown}")));
        combo.response.on_hover_text("Which step inside the block is looked at");
        if let Some(next) = next {
            self.inner = Some((self.layer.clone(), next));
            self.chosen = None;
        }
    }

    fn whose_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let step = cx.look.probe.as_ref().map_or(0, |probe| probe.step);
        let shown = match step {
            _ if cx.look.whose.is_empty() => "weights".into(),
            0 => cx.look.whose.clone(),
            // The step first: of a long name the end is cut off.
            step => format!("step {}, {}", text::count(step), cx.look.whose),
        };
        let combo = egui::ComboBox::from_id_salt("whose").width(118.0).height(run_choice::HEIGHT).truncate();
        let combo = combo.selected_text(shown.as_str()).show_ui(ui, |ui| {
            let mut choice = |ui: &mut Ui, whose: Whose, label: &str, hover: &str| {
                if ui.selectable_label(self.whose == whose, label).on_hover_text(hover).clicked() {
                    self.whose = whose;
                }
            };
            choice(ui, Whose::Run, "This network's run", "The weights of the run, live while it trains");
            choice(ui, Whose::Untrained, "Untrained", "The weights before the first step");
            let choices = run_choice::choices(cx);
            let usable = choices.iter().filter(|choice| choice.summary.has_weights);
            let chosen = run_choice::list_ui(ui, usable, |choice| {
                let is_chosen = self.whose == Whose::Stored(choice.row.folder.clone());
                let lacks = choice.summary.sketch.as_ref().is_none_or(|sketch| !sketch.has_layer(&self.layer));
                (is_chosen, None, lacks.then(|| format!("has no layer {}", self.layer)))
            });
            if let Some(choice) = chosen {
                self.whose = Whose::Stored(choice.row.folder.clone());
            }
        });
        combo.response.widget_info(|| labeled(egui::Role::ComboBox, format!("Weights: {shown}")));
        run_choice::refresh_when_opened(&combo.response, out);
        combo.response.on_hover_text("Whose weights are looked at, and after which step");
    }

    fn colors_ui(&mut self, ui: &mut Ui) {
        ui.checkbox(&mut self.shared, "Shared scale")
            .on_hover_text("One range of values for all channels, so that they can be compared; else each has its own");
        let now = self.colors.name();
        let combo = egui::ComboBox::from_id_salt("colors").width(84.0).selected_text(now).show_ui(ui, |ui| {
            for (colors, name, hover) in Colors::ALL {
                ui.selectable_value(&mut self.colors, colors, name).on_hover_text(hover);
            }
        });
        combo.response.widget_info(|| labeled(egui::Role::ComboBox, format!("Colours: {now}")));
        combo.response.on_hover_text("How values become colours");
    }

    /// Which input channel the filters are shown over.
    fn channel_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui) {
        let inputs = cx.look.probe.as_ref().map_or(0, |probe| probe.filter_inputs);
        if inputs < 2 {
            return;
        }
        if inputs == 3 {
            let mut in_colour = self.filter_channel.is_none();
            let hover = "All three input channels at once as red, green and blue";
            if ui.checkbox(&mut in_colour, "In colour").on_hover_text(hover).changed() {
                self.filter_channel = if in_colour { None } else { Some(0) };
            }
            if in_colour {
                return;
            }
        }
        let mut channel = self.filter_channel.unwrap_or(0);
        let drag = egui::DragValue::new(&mut channel).range(0..=inputs - 1).speed(0.1).prefix("over input channel ");
        let hover = "The input channel over which the filters are shown";
        if ui.add(drag).on_hover_text(hover).accessible_name("Input channel").changed() {
            self.filter_channel = Some(channel);
        }
    }

    fn export_ui(&self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let Some(probe) = cx.look.probe.as_ref().filter(|_| matches!(self.mode, Mode::Maps | Mode::Filters)) else {
            return;
        };
        if ui.button("Save PNG…").on_hover_text("Save these pictures as one sheet").clicked() {
            let (planes, what) =
                if self.mode == Mode::Filters { (&probe.filters, "filters") } else { (&probe.planes, "maps") };
            let ground = Tokens::of(ui).panel;
            let name = format!("{}-{what}.png", probe.layer.replace('.', "-"));
            let frames = vec![sheet(planes, self.shared, self.colors, ground, 96)];
            out.push(UiCommand::Export(Box::new(Export { name, frames, frame_ms: 0 })));
        }
    }

    /// Which image: from the data by its number, a file, the clipboard, or the pad.
    pub(super) fn source_ui(&mut self, cx: &PanelCx<'_>, width: f32, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let shown = match &self.source {
            Source::Data(split) => split_name(*split).into(),
            Source::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Source::Pasted(_) => "Pasted picture".into(),
            Source::Drawn => "Drawing pad".to_owned(),
        };
        let combo = egui::ComboBox::from_id_salt("source").width(width - 8.0).truncate().selected_text(shown.as_str());
        let combo = combo.show_ui(ui, |ui| {
            for split in [Split::Validation, Split::Train, Split::Test] {
                let source = Source::Data(split);
                let hover = "Images of the data; choose one by its number";
                if ui.selectable_label(self.source == source, split_name(split)).on_hover_text(hover).clicked() {
                    self.source = source;
                }
            }
            let hover = "Draw a digit with the mouse and see what the network makes of it";
            if ui.selectable_label(self.source == Source::Drawn, "Drawing pad").on_hover_text(hover).clicked() {
                self.source = Source::Drawn;
            }
            let hover = "A picture of your own. Dropping one on the window or pasting one works as well";
            if ui.button("Picture from a file…").on_hover_text(hover).clicked() {
                out.push(UiCommand::ChooseImage);
            }
        });
        combo.response.widget_info(|| labeled(egui::Role::ComboBox, format!("Image: {shown}")));
        combo.response.on_hover_text("Which image the network looks at. Drop or paste a picture to use it");
        if let Source::Data(split) = self.source {
            self.number_ui(cx, split, ui);
        }
    }

    /// The number of the image, counted from 1, and how many there are in the data that it comes from.
    fn number_ui(&mut self, cx: &PanelCx<'_>, split: Split, ui: &mut Ui) {
        let data = images_of(cx);
        let at = [Split::Train, Split::Validation, Split::Test].iter().position(|other| *other == split);
        let counts = cx.look.images.as_ref().and_then(|images| images.counts);
        let count = at.zip(counts).and_then(|(at, counts)| counts.get(at).copied());
        let last = count.map_or(u64::MAX - 1, |count| count.saturating_sub(1));
        let before = self.place(data, split);
        let mut index = before.min(last);
        ui.horizontal(|ui| {
            let previous = ui.add_enabled(index > 0, egui::Button::new("‹"));
            previous.widget_info(|| labeled(egui::Role::Button, "Previous image".into()));
            if previous.on_hover_text("The image before this one").clicked() {
                index -= 1;
            }
            let mut number = index + 1;
            let drag = egui::DragValue::new(&mut number).range(1..=last + 1).speed(0.2);
            let hover = "Number of the image; drag, or click and type, or use the arrow keys in the field";
            let response = ui.add(drag).on_hover_text(hover).accessible_name("Image number");
            if response.changed() {
                index = number - 1;
            }
            let next = ui.add_enabled(index < last, egui::Button::new("›"));
            next.widget_info(|| labeled(egui::Role::Button, "Next image".into()));
            if next.on_hover_text("The image after this one").clicked() {
                index += 1;
            }
            if let Some(count) = count {
                kit::weak(ui, format!("of {}", text::count(count)));
            }
        });
        if index != before {
            self.set_place(data, split, index);
        }
        if *data != cx.document.data.source {
            kit::weak(ui, format!("Of the run's data: {}", source_name(data)))
                .on_hover_text("The run was trained on other data than the network in front has now");
        }
    }
}

/// Data in short.
fn source_name(source: &DataSource) -> String {
    match source {
        DataSource::Digits => "built-in digits".into(),
        DataSource::Idx { path } | DataSource::Folder { path } => {
            path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
        }
    }
}

pub(super) fn split_name(split: Split) -> &'static str {
    match split {
        Split::Train => "Training image",
        Split::Validation => "Validation image",
        Split::Test => "Test image",
    }
}

pub(super) fn labeled(role: egui::Role, label: String) -> egui::WidgetInfo {
    egui::WidgetInfo::labeled(role, true, label)
}
