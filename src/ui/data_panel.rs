//! The data: where they come from, how many there are of each class, how they look, and what happens to each image.

use super::atlas::Atlas;
use super::data_view::{DataState, DataView, Thumb};
use super::kit;
use super::theme::{self, Tokens, size};
use super::{Panel, PanelCx, UiCommand, command};
use crate::graph::{DataSource, DataSpec, Edit, Resize};
use crate::text;
use egui::{Color32, Rect, RichText, ScrollArea, Sense, Ui, Vec2, vec2};

/// The panel.
#[derive(Debug, Default)]
pub struct DataPanel {
    shown: Option<DataView>,
    samples: Atlas,
    strip: Atlas,
    gesture: u64,
}

impl Panel for DataPanel {
    fn id(&self) -> &'static str {
        "data"
    }

    fn title(&self) -> &'static str {
        "Data"
    }

    fn help(&self) -> &'static str {
        "The images a network learns from: classes, samples, and what happens to each before the network sees it"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.source_ui(cx, ui, out);
        let view = cx.data;
        match &view.state {
            DataState::Opening => {
                kit::empty_ui(ui, "Opening the data", "Large folders take a moment.", None);
                return;
            }
            DataState::Failed(why) => {
                let tokens = Tokens::of(ui);
                tokens.banner(true).show(ui, |ui| ui.label(RichText::new(why).color(tokens.error)));
                return;
            }
            DataState::Open => {}
        }
        self.update(view, ui);
        ui.add_space(size::HALF);
        let (room, height) = (ui.available_width(), ui.available_height());
        ui.horizontal_top(|ui| {
            column(ui, "data-classes", vec2((room * 0.22).max(180.0), height), |ui| classes_ui(view, ui));
            column(ui, "data-samples", vec2((room * 0.42).max(240.0), height), |ui| self.samples_ui(view, ui));
            let rest = vec2(ui.available_width(), height);
            column(ui, "data-strip", rest, |ui| {
                self.strip_ui(view, ui);
                problems_ui(view, ui);
            });
        });
    }
}

/// A caption that goes to the next line as a whole.
fn whole(ui: &mut Ui, text: impl Into<String>) -> egui::Response {
    let color = Tokens::of(ui).text_weak;
    ui.add(egui::Label::new(RichText::new(text).color(color)).extend())
}

fn column(ui: &mut Ui, id: &str, room: Vec2, add: impl FnOnce(&mut Ui)) {
    ui.allocate_ui_with_layout(room, egui::Layout::top_down(egui::Align::Min), |ui| {
        ui.set_min_size(room);
        ScrollArea::vertical().id_salt(id).auto_shrink([false; 2]).show(ui, add);
    });
}

impl DataPanel {
    fn source_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let mut spec = cx.document.data.clone();
        let mut gesture = None;
        ui.horizontal_wrapped(|ui| {
            let source = &cx.document.data.source;
            let is_digits = *source == DataSource::Digits;
            let digits = ui.selectable_label(is_digits, "Built-in digits");
            if digits.on_hover_text("Ten digits drawn at run time; needs no files").clicked() && !is_digits {
                spec.source = DataSource::Digits;
            }
            let (is_idx, is_folder) =
                (matches!(source, DataSource::Idx { .. }), matches!(source, DataSource::Folder { .. }));
            for (id, is_chosen) in [("mnist_folder", is_idx), ("photo_folder", is_folder)] {
                let label = command::find(id).map_or("", |spec| spec.label);
                if ui.selectable_label(is_chosen, label).on_hover_text(command::hover_text(ui.ctx(), id)).clicked() {
                    out.extend(command::ui_command(id));
                }
            }
            ui.separator();
            let [train, validation, test] = cx.data.counts.map(|count| text::count(count as u64));
            if cx.data.state == DataState::Open {
                if !is_digits {
                    ui.label(&cx.data.name);
                }
                whole(ui, format!("{train} train, {validation} validation, {test} test"))
                    .on_hover_text("Images for training, for judging each epoch, and for judging the finished network");
                ui.separator();
            }
            gesture = self.splits_ui(ui, &mut spec);
            whole(ui, "Nothing leaves this computer.")
                .on_hover_text("Images are read from this computer and stay on it. Original files are never changed");
        });
        if spec != cx.document.data {
            out.push(UiCommand::Edit { edit: Edit::SetData(Box::new(spec)), path: Some(Vec::new()), gesture });
        }
    }

    fn splits_ui(&mut self, ui: &mut Ui, spec: &mut DataSpec) -> Option<u64> {
        let label = kit::weak(ui, "Validation");
        let drag = egui::DragValue::new(&mut spec.splits.validation)
            .range(0.0..=0.5)
            .clamp_existing_to_range(false)
            .speed(0.002)
            .custom_formatter(|value, _| format!("{:.0} %", value * 100.0))
            .custom_parser(|text| {
                text.trim().trim_end_matches('%').trim().parse::<f64>().ok().map(|percent| percent / 100.0)
            });
        let drag = ui
            .add(drag)
            .labelled_by(label.id)
            .on_hover_text("Share of the training images that judges each epoch and never trains");
        if drag.drag_started() || drag.gained_focus() {
            self.gesture = self.gesture.wrapping_add(1);
        }
        let names = [(Resize::Pad, "Pad"), (Resize::Crop, "Crop"), (Resize::Stretch, "Stretch")];
        let now = names.iter().find(|(resize, _)| *resize == spec.preprocess.resize).map_or("Pad", |(_, name)| name);
        let combo = egui::ComboBox::from_id_salt("resize").width(72.0).selected_text(now).show_ui(ui, |ui| {
            for (resize, name) in names {
                ui.selectable_value(&mut spec.preprocess.resize, resize, name);
            }
        });
        combo.response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, format!("Resize: {now}")));
        combo
            .response
            .on_hover_text("How a picture gets the network's size: zeros around it, its middle, or stretched");
        (drag.dragged() || drag.has_focus()).then_some(0x00da_7a00_0000_0000 | self.gesture)
    }

    fn update(&mut self, view: &DataView, ui: &Ui) {
        if self.shown.as_ref() == Some(view) {
            return;
        }
        let fill = |atlas: &mut Atlas, name: &str, thumbs: Vec<&Thumb>| {
            let tile = thumbs.iter().fold([1, 1], |[w, h], thumb| [w.max(thumb.width), h.max(thumb.height)]);
            atlas.set(ui.ctx(), name, tile, thumbs.len(), |i, x, y| pixel(thumbs.get(i).copied(), tile, x, y));
        };
        fill(&mut self.samples, "data-samples", view.samples.iter().map(|sample| &sample.picture).collect());
        fill(&mut self.strip, "data-strip", view.strip.iter().map(|step| &step.picture).collect());
        self.shown = Some(view.clone());
    }

    fn samples_ui(&self, view: &DataView, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        kit::title(ui, "Samples of each class");
        let mut at = 0;
        for (class, name) in view.classes.iter().enumerate() {
            let count = view.samples.iter().skip(at).take_while(|sample| sample.class == class).count();
            if count == 0 {
                continue;
            }
            ui.horizontal(|ui| {
                let label = egui::Label::new(RichText::new(name).color(tokens.text)).truncate();
                ui.add_sized(vec2(72.0, size::THUMB), label).on_hover_text(name);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a few tiles; `as` saturates"
                )]
                let fits = (ui.available_width() / (size::THUMB + size::HALF)).max(1.0) as usize;
                ui.spacing_mut().item_spacing.x = size::HALF;
                let mut tiles = Vec::new();
                for i in at..at + count.min(fits) {
                    let (rect, response) = ui.allocate_exact_size(Vec2::splat(size::THUMB), Sense::hover());
                    let file = view.samples.get(i).map_or("", |sample| sample.name.as_str());
                    response.on_hover_text(format!("{name}: {file}"));
                    tiles.push((i, rect));
                }
                self.samples.paint(ui, tiles.into_iter());
            });
            at += count;
        }
    }

    fn strip_ui(&self, view: &DataView, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        kit::title(ui, "What happens to an image");
        kit::weak(ui, "From the file to what the network sees; predictions repeat the same steps.");
        ui.horizontal_wrapped(|ui| {
            for (i, step) in view.strip.iter().enumerate() {
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 2.0;
                    ui.set_width(size::THUMB * 2.0);
                    let (rect, response) = ui.allocate_exact_size(Vec2::splat(size::THUMB * 2.0), Sense::hover());
                    ui.painter().rect_filled(rect, 2.0, tokens.track);
                    // Every step at the same scale, so that padding and cropping can be seen.
                    self.strip.paint(ui, std::iter::once((i, rect)));
                    response.on_hover_text(format!("{}: {}", step.title, step.note));
                    ui.label(RichText::new(format!("{}. {}", i + 1, step.title)).small().color(tokens.text));
                    ui.label(RichText::new(&step.note).small().color(tokens.text_weak));
                });
            }
        });
    }
}

/// Pixel of a thumbnail in the middle of its tile.
pub(super) fn pixel(thumb: Option<&Thumb>, tile: [usize; 2], x: usize, y: usize) -> Color32 {
    let Some(thumb) = thumb else { return Color32::TRANSPARENT };
    let (left, top) = ((tile[0] - thumb.width) / 2, (tile[1] - thumb.height) / 2);
    let inside = x >= left && y >= top && x - left < thumb.width && y - top < thumb.height;
    if !inside {
        return Color32::TRANSPARENT;
    }
    let at = ((y - top) * thumb.width + x - left) * 4;
    match thumb.rgba.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()) {
        Some(rgba) => theme::pixel(rgba),
        _ => Color32::TRANSPARENT,
    }
}

fn classes_ui(view: &DataView, ui: &mut Ui) {
    let tokens = Tokens::of(ui);
    kit::title(ui, format!("{} classes", view.classes.len()));
    let most = view.class_counts.iter().max().copied().unwrap_or(1).max(1);
    for (name, count) in view.classes.iter().zip(&view.class_counts) {
        ui.horizontal(|ui| {
            let label = egui::Label::new(RichText::new(name).color(tokens.text)).truncate();
            ui.add_sized(vec2(72.0, 16.0), label).on_hover_text(name);
            let width = (ui.available_width() - 70.0).max(30.0);
            kit::thin_bar(ui, *count as f32 / most as f32, width, tokens.bar)
                .on_hover_text(format!("{} training images of class {name}", text::count(*count as u64)));
            ui.label(RichText::new(text::count(*count as u64)).small().color(tokens.text_weak));
        });
    }
}

fn problems_ui(view: &DataView, ui: &mut Ui) {
    if view.problems.is_empty() {
        return;
    }
    let tokens = Tokens::of(ui);
    ui.add_space(size::STEP);
    kit::title(ui, format!("{} files left out", text::count(view.problems.len() as u64)));
    for (file, reason) in &view.problems {
        ui.add(egui::Label::new(RichText::new(file).color(tokens.warning)).truncate()).on_hover_text(file);
        kit::weak(ui, reason);
    }
}

/// The rectangle that keeps proportions inside another.
pub(super) fn fit(size: Vec2, room: Rect) -> Rect {
    let scale = (room.width() / size.x.max(1.0)).min(room.height() / size.y.max(1.0));
    Rect::from_center_size(room.center(), size * scale)
}
