//! What excites each channel most: a row of patches for every channel, out of many images of the data.

use super::scale::{Colors, fill, number};
use super::{MapsPanel, Mode, Source, bar, stale};
use crate::data::Split;
use crate::engine::protocol::{ExciteReport, ExciteRequest, ExcitedChannel, ExcitingPatch};
use crate::text;
use crate::ui::PanelCx;
use crate::ui::atlas::Atlas;
use crate::ui::kit;
use crate::ui::look::{Excite, Kind, Plane};
use crate::ui::theme::{Tokens, size};
use egui::{Rect, Response, RichText, ScrollArea, Sense, Ui, Vec2, pos2, vec2};

/// Width of the names.
const NAMES: f32 = 92.0;
/// Smallest and largest side of a patch.
const SIDES: (f32, f32) = (34.0, 72.0);
/// Images to look through at most, four times as many with each click.
const MOST: u32 = 32_768;

/// What is asked and shown.
#[derive(Debug)]
pub(super) struct Gallery {
    first: u64,
    images: u32,
    atlas: Atlas,
    key: Option<u64>,
    /// The channel to be brought into sight.
    goal: Option<u64>,
}

impl Default for Gallery {
    fn default() -> Self {
        Self { first: 0, images: ExciteRequest::IMAGES, atlas: Atlas::default(), key: None, goal: None }
    }
}

impl Gallery {
    /// Another layer: from its first channel on.
    pub(super) fn begin(&mut self) {
        (self.first, self.goal) = (0, None);
    }

    /// What is wanted of the engine.
    pub(super) fn wanted(&self) -> Excite {
        Excite { first: self.first, images: self.images }
    }

    fn paint(&self, report: &ExciteReport, patch: &ExcitingPatch, at: usize, rect: Rect, ui: &Ui) {
        ui.painter().rect_filled(rect, 0.0, Tokens::of(ui).track);
        let pixels = [patch.plane.width as usize, patch.plane.height as usize];
        self.atlas.paint_parts(ui, std::iter::once((at, pixels, place(report, patch, rect))));
    }

    fn update(&mut self, report: &ExciteReport, ui: &Ui) {
        if self.key == Some(report.id) {
            return;
        }
        self.key = Some(report.id);
        let patches = report.channels.iter().flat_map(|channel| &channel.patches);
        let planes: Vec<Plane> = patches.map(|patch| Plane::new(&patch.plane, None)).collect();
        fill(&mut self.atlas, "patches", planes.iter(), false, Colors::Gray, ui);
    }
}

impl MapsPanel {
    /// Shows what excites a channel.
    pub(super) fn show_patches(&mut self, channel: u64) {
        self.choose(Mode::Patches);
        let page = u64::from(ExciteRequest::CHANNELS);
        self.gallery.first = channel / page * page;
        self.gallery.goal = Some(channel);
    }

    pub(super) fn patches_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui) {
        let Some(report) = cx.look.excited.as_deref().filter(|report| report.layer == self.looked()) else {
            if cx.look.problem.is_none() {
                kit::empty_ui(
                    ui,
                    stale::ASKING,
                    "It looks through many images for what excites each channel most.",
                    None,
                );
            }
            return;
        };
        self.gallery.update(report, ui);
        self.head_ui(report, ui);
        let old = cx.look.stale(Kind::Excite);
        stale::faded_ui(cx.look, old, ui, |ui| self.rows_ui(cx, report, ui));
    }

    fn head_ui(&mut self, report: &ExciteReport, ui: &mut Ui) {
        let split = match report.split {
            Split::Train => "training images",
            Split::Validation => "validation images",
            Split::Test => "test images",
        };
        ui.horizontal_wrapped(|ui| {
            let (looked, all) = (text::count(report.images), text::count(report.all));
            let of = if report.images < report.all { format!("{looked} of {all} {split}") } else { format!("all {all} {split}") };
            kit::weak(ui, format!("What excites each channel most, out of {of}")).on_hover_text(
                "Of every image the one place at which the channel answers highest, cut out as far as that place sees. The most exciting first; click one to see how its number came to be",
            );
            let can_more = report.images < report.all && self.gallery.images < MOST;
            let more = ui.add_enabled(can_more, egui::Button::new("More images").small());
            let more = more.on_hover_text("Look through up to four times as many; takes as much longer");
            if more.on_disabled_hover_text("All of them, or enough for a session").clicked() {
                self.gallery.images = self.gallery.images.saturating_mul(4).min(MOST);
            }
            self.pages_ui(report, ui);
        });
    }

    /// Which channels, if not all of them fit an answer.
    fn pages_ui(&mut self, report: &ExciteReport, ui: &mut Ui) {
        let page = u64::from(ExciteRequest::CHANNELS);
        if report.of <= page {
            return;
        }
        ui.separator();
        let first = self.gallery.first;
        let last = (first + page).min(report.of);
        let mut turn = |ui: &mut Ui, sign: &str, name: &str, to: Option<u64>| {
            let button = ui.add_enabled(to.is_some(), egui::Button::new(sign).small());
            button.widget_info(|| bar::labeled(egui::Role::Button, name.to_owned()));
            if let (true, Some(to)) = (button.on_hover_text(name).clicked(), to) {
                self.gallery.first = to;
                self.gallery.goal = None;
            }
        };
        turn(ui, "‹", "Channels before", first.checked_sub(page));
        kit::weak(ui, format!("channels {first} to {} of {}", last - 1, text::count(report.of)));
        turn(ui, "›", "Channels after", Some(last).filter(|last| *last < report.of));
    }

    fn rows_ui(&mut self, cx: &PanelCx<'_>, report: &ExciteReport, ui: &mut Ui) {
        let width = ui.available_width() - NAMES - size::STEP;
        let most = f32::from(u16::try_from(ExciteRequest::PATCHES).unwrap_or(1));
        let side = (width / most - size::HALF).clamp(SIDES.0, SIDES.1).floor();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
        let count = (width / (side + size::HALF)).max(1.0) as usize;
        let mut clicked = None;
        ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
            ui.spacing_mut().item_spacing = Vec2::splat(size::HALF);
            let mut at = 0;
            for channel in &report.channels {
                let first = at;
                at += channel.patches.len();
                let row = ui.horizontal(|ui| {
                    self.name_ui(channel, side, ui);
                    for (place, patch) in channel.patches.iter().take(count).enumerate() {
                        let response = self.patch_ui(report, patch, first + place, side, ui);
                        let name = format!("Patch {} of channel {}", place + 1, channel.channel);
                        response.widget_info(|| bar::labeled(egui::Role::Button, name.clone()));
                        if response.clicked() {
                            clicked = Some(patch);
                        }
                        response.on_hover_ui(|ui| self.hover_ui(cx, report, patch, first + place, ui));
                    }
                });
                if self.gallery.goal == Some(channel.channel) {
                    row.response.scroll_to_me(Some(egui::Align::Center));
                    self.gallery.goal = None;
                }
            }
        });
        if let Some(patch) = clicked {
            self.source = Source::Data(report.split);
            self.set_place(super::images_of(cx), report.split, patch.index);
            self.choose(Mode::Maps);
            self.chosen = Some(patch.cell);
            self.first_map = 0;
            self.takes_focus = true;
        }
    }

    fn name_ui(&self, channel: &ExcitedChannel, side: f32, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        let is_chosen = self.chosen.is_some_and(|cell| cell.channel == channel.channel);
        let layout = egui::Layout::top_down(egui::Align::Min);
        ui.allocate_ui_with_layout(vec2(NAMES, side), layout, |ui| {
            ui.set_min_size(vec2(NAMES, side));
            ui.spacing_mut().item_spacing.y = 0.0;
            ui.add_space(((side - 30.0) / 2.0).max(0.0));
            let color = if is_chosen { tokens.accent } else { tokens.text_strong };
            ui.label(RichText::new(format!("Channel {}", channel.channel)).color(color));
            let most = channel.patches.first();
            // Cut off by its activation everywhere.
            if most.is_none_or(|patch| patch.value == 0.0 && patch.before <= 0.0) {
                ui.label(RichText::new("always 0").small().color(tokens.warning))
                    .on_hover_text("It gave 0 in all these images: shown is where it came closest to an answer");
            } else if let Some(patch) = most {
                let words = RichText::new(format!("up to {}", number(f64::from(patch.value)))).small();
                ui.label(words.color(tokens.text_weak)).on_hover_text("Its highest answer in these images");
            }
        });
    }

    /// One patch, in the size of what a cell in the middle of the image sees: what lies outside the image stays empty.
    fn patch_ui(&self, report: &ExciteReport, patch: &ExcitingPatch, at: usize, side: f32, ui: &mut Ui) -> Response {
        let tokens = Tokens::of(ui);
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(side), Sense::click());
        if ui.is_rect_visible(rect) {
            self.gallery.paint(report, patch, at, rect, ui);
            if response.hovered() || response.has_focus() {
                let stroke = egui::Stroke::new(2.0, tokens.accent);
                ui.painter().rect_stroke(rect, 0.0, stroke, egui::StrokeKind::Outside);
            }
        }
        response
    }

    fn hover_ui(&self, cx: &PanelCx<'_>, report: &ExciteReport, patch: &ExcitingPatch, at: usize, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(144.0), Sense::hover());
        self.gallery.paint(report, patch, at, rect, ui);
        ui.label(RichText::new(words(cx, report, patch)).color(tokens.text_strong));
        let answer = number(f64::from(patch.value));
        let answer = match &report.activation {
            Some(name) => format!("{answer}, {} before {name}", number(f64::from(patch.before))),
            None => answer,
        };
        ui.label(answer);
        let [height, width] = [patch.rows, patch.columns].map(|(from, to)| to - from);
        kit::weak(ui, format!("{}, sees {height} × {width} px", patch.cell.label(report.is_map)));
        kit::weak(ui, "Click to see how it came to be");
    }
}

/// Which image a patch is of.
fn words(cx: &PanelCx<'_>, report: &ExciteReport, patch: &ExcitingPatch) -> String {
    let name = |class: u32| cx.data.classes.get(class as usize).cloned().unwrap_or_else(|| format!("class {class}"));
    let of = patch.label.map_or_else(String::new, |label| format!(". It is {}", name(label)));
    format!("{} {}{of}", bar::split_name(report.split), text::count(patch.index.saturating_add(1)))
}

/// Where a patch lies in its square: as large as the largest one, at the side at which it touches the image's border.
fn place(report: &ExciteReport, patch: &ExcitingPatch, rect: Rect) -> Rect {
    let all = || report.channels.iter().flat_map(|channel| &channel.patches);
    let length = |(from, to): (u64, u64)| to.saturating_sub(from).max(1);
    let largest = all().map(|patch| length(patch.rows).max(length(patch.columns))).max().unwrap_or(1);
    let step = rect.width() / largest as f32;
    let along = |range: (u64, u64), most: u64, end: u64, from: f32, to: f32| {
        let size = length(range) as f32 * step;
        let is_cut = length(range) < most;
        match (is_cut && range.0 == 0, is_cut && range.1 == end) {
            (true, false) => to - size,
            (false, true) => from,
            _ => (from + to - size) / 2.0,
        }
    };
    let most_rows = all().map(|patch| length(patch.rows)).max().unwrap_or(1);
    let most_columns = all().map(|patch| length(patch.columns)).max().unwrap_or(1);
    let [height, width] = report.size;
    let left = along(patch.columns, most_columns, width, rect.left(), rect.right());
    let top = along(patch.rows, most_rows, height, rect.top(), rect.bottom());
    Rect::from_min_size(pos2(left, top), vec2(length(patch.columns) as f32, length(patch.rows) as f32) * step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::Cell;

    #[test]
    fn a_patch_at_a_border_lies_at_the_other_side_of_its_square() {
        let patch = |rows, columns| ExcitingPatch {
            index: 0,
            label: None,
            cell: Cell::default(),
            value: 1.0,
            before: 1.0,
            rows,
            columns,
            plane: crate::engine::protocol::Plane {
                width: 1,
                height: 1,
                depth: 1,
                pixels: vec![0],
                min: 0.0,
                max: 1.0,
            },
        };
        // Cells see 10 × 10 pixels of an image of 30 × 30; the second one lies over the upper right corner.
        let patches = vec![patch((5, 15), (5, 15)), patch((0, 4), (25, 30))];
        let report = ExciteReport {
            id: 1,
            step: None,
            layer: "c".into(),
            of: 1,
            is_map: true,
            activation: None,
            split: Split::Validation,
            images: 1,
            all: 1,
            size: [30, 30],
            channels: vec![ExcitedChannel { channel: 0, patches }],
            secs: 0.0,
        };
        let square = Rect::from_min_size(pos2(100.0, 200.0), Vec2::splat(50.0));
        let [whole, corner] = &report.channels[0].patches[..] else { panic!("two patches") };
        assert_eq!(place(&report, whole, square), square);
        // 5 points a pixel: 4 rows at the lower end, 5 columns at the left end.
        let expected = Rect::from_min_size(pos2(100.0, 230.0), vec2(25.0, 20.0));
        assert_eq!(place(&report, corner, square), expected);
    }
}
