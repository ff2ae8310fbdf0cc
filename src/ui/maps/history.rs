//! The past of a layer: maps or filters at the steps of which the run kept snapshots, the confusion matrix of that time beside
//! them, and a slider to drag through it all.

use super::record::{Past, Record};
use super::room;
use super::scale::{Colors, fill, sheet};
use crate::engine::protocol::ImageRef;
use crate::engine::run::snapshots::Snapshot;
use crate::text;
use crate::ui::atlas::Atlas;
use crate::ui::confusion::Matrix;
use crate::ui::data_panel::fit;
use crate::ui::export::Export;
use crate::ui::kit;
use crate::ui::look::Plane;
use crate::ui::theme::{Tokens, size};
use crate::ui::{PanelCx, UiCommand};
use egui::{RichText, ScrollArea, Sense, Ui, Vec2, vec2};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

/// Time that a snapshot is shown while playing.
const FRAME: Duration = Duration::from_millis(160);
/// Most pictures of a film.
const FILM: usize = 60;
/// Longest side of a map in a film.
const FILM_TILE: usize = 48;
/// Width from which the confusion matrix stands beside the maps, and its own.
const WIDE: f32 = 520.0;
const MATRIX: f32 = 250.0;

/// How the pictures are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    pub(super) shared: bool,
    pub(super) colors: Colors,
}

/// What is on show of the past.
#[derive(Default)]
pub(super) struct History {
    record: Record,
    at: usize,
    filters: bool,
    is_playing: bool,
    played_at: Option<Instant>,
    film: Option<Receiver<Export>>,
    key: Option<(PathBuf, String, u64, Style, bool)>,
    maps: Atlas,
    image: Atlas,
    image_of: Option<(PathBuf, u64)>,
    matrix: Matrix,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("at", &self.at).finish_non_exhaustive()
    }
}

impl History {
    /// Brings what is known of the run up to date; gives the snapshot on show.
    pub(super) fn update(&mut self, cx: &PanelCx<'_>, ui: &Ui) -> Option<Arc<Snapshot>> {
        let folder = cx.look.folder.as_deref()?;
        let was_last = self.at + 1 >= self.record.past().snapshots.len();
        let (past, is_new) = self.record.of(folder, ui);
        let last = past.snapshots.len().saturating_sub(1);
        let follows = is_new && was_last && !self.is_playing;
        self.at = if follows { last } else { self.at.min(last) };
        past.snapshots.get(self.at).cloned()
    }

    pub(super) fn ui(&mut self, cx: &PanelCx<'_>, layer: &str, style: Style, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let Some(folder) = &cx.look.folder else {
            let text = "Snapshots are taken while a network trains, of the image that is chosen on the left then. Train it, or choose a stored run above.";
            kit::empty_ui(ui, "No past yet", text, None);
            return;
        };
        self.finish_film(out);
        if let Some(problem) = &self.record.past().problem {
            kit::weak(ui, problem);
        }
        let Some(last) = self.record.past().snapshots.len().checked_sub(1) else {
            kit::empty_ui(ui, "No snapshots", "This run kept none, or none yet.", None);
            return;
        };
        self.controls_ui(last, layer, style, ui);
        let Some(snapshot) = self.record.past().snapshots.get(self.at).cloned() else { return };
        let planes = planes(&snapshot, layer, self.filters);
        let key = (folder.clone(), layer.to_owned(), snapshot.step, style, self.filters);
        if self.key.as_ref() != Some(&key) {
            self.key = Some(key);
            fill(&mut self.maps, "history-maps", planes.iter(), style.shared, style.colors, ui);
        }
        if self.record.past().results.is_empty() {
            ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| self.maps_ui(&planes, snapshot.step, ui));
            return;
        }
        if ui.available_width() < WIDE {
            ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
                self.maps_ui(&planes, snapshot.step, ui);
                ui.add_space(size::STEP);
                ui.allocate_ui(vec2(ui.available_width(), MATRIX), |ui| self.confusion_ui(snapshot.step, ui));
            });
            return;
        }
        let frame = egui::Frame::new().inner_margin(egui::Margin { left: 12, right: 0, top: 0, bottom: 0 });
        let panel = egui::Panel::right("history-confusion").exact_size(MATRIX).resizable(false).frame(frame);
        panel.show(ui, |ui| self.confusion_ui(snapshot.step, ui));
        egui::CentralPanel::no_frame().show(ui, |ui| {
            ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| self.maps_ui(&planes, snapshot.step, ui));
        });
    }

    fn maps_ui(&self, planes: &[Plane], step: u64, ui: &mut Ui) {
        if planes.is_empty() {
            kit::weak(ui, "The snapshots of this run do not have this layer. Choose another.");
            return;
        }
        let what = if self.filters { "Filter" } else { "Channel" };
        let pixels = planes.iter().map(|plane| plane.width.max(plane.height)).max().unwrap_or(1);
        let side = room::tile_side(planes.len(), ui.available_size() - Vec2::splat(size::HALF), pixels, size::HALF);
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = Vec2::splat(size::HALF);
            let mut tiles = Vec::new();
            for (i, plane) in planes.iter().enumerate() {
                let is_row = plane.height == 1 && planes.len() == 1;
                let room = if is_row { vec2(ui.available_width() - size::STEP, 48.0) } else { Vec2::splat(side) };
                let (rect, response) = ui.allocate_exact_size(room, Sense::hover());
                let name = format!("{what} {i} at step {step}");
                response.widget_info(|| super::bar::labeled(egui::Role::Image, name.clone()));
                let picture = if is_row { rect } else { fit(vec2(plane.width as f32, plane.height as f32), rect) };
                tiles.push((i, picture));
                response.on_hover_text(format!("{name}: {:.3} to {:.3}", plane.min, plane.max));
            }
            self.maps.paint(ui, tiles.into_iter());
        });
    }

    /// Which validation image was taken for which, at the end of the last epoch before the snapshot.
    fn confusion_ui(&mut self, step: u64, ui: &mut Ui) {
        let past = self.record.past();
        let Some(results) = past.results_at(step).cloned() else {
            kit::weak(ui, "No epoch had ended by then: no confusion matrix yet.");
            return;
        };
        let (all, right) = results.totals();
        let share = right as f64 / all.max(1) as f64 * 100.0;
        let title = format!("After epoch {}: {share:.2} % right", results.epoch);
        let response = ui.label(RichText::new(title).color(Tokens::of(ui).text_strong));
        response.on_hover_text(
            "What became of the validation images at the end of this epoch. The Results panel has all of it",
        );
        self.matrix.chosen = None;
        self.matrix.ui(ui, &results, &past.classes);
    }

    fn controls_ui(&mut self, last: usize, layer: &str, style: Style, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        ui.horizontal(|ui| {
            let label = if self.is_playing { "Hold" } else { "Play" };
            if ui.button(label).on_hover_text("Run through the snapshots").clicked() {
                self.is_playing = !self.is_playing;
                if self.is_playing && self.at >= last {
                    self.at = 0;
                }
            }
            if self.is_playing {
                if self.played_at.is_none_or(|at| at.elapsed() >= FRAME) {
                    self.played_at = Some(Instant::now());
                    self.at = (self.at + 1).min(last);
                    self.is_playing = self.at < last;
                }
                ui.ctx().request_repaint_after(FRAME);
            }
            ui.spacing_mut().slider_width = (ui.available_width() - 330.0).clamp(80.0, 420.0);
            let slider = egui::Slider::new(&mut self.at, 0..=last).show_value(false);
            let response = ui.add(slider).on_hover_text("Drag back through the run; arrow keys work as well");
            let response = response.accessible_name("Snapshot");
            if response.dragged() {
                self.is_playing = false;
            }
            let past = self.record.past();
            if let Some(snapshot) = past.snapshots.get(self.at) {
                let epoch = snapshot.epoch.map_or_else(String::new, |epoch| format!(", end of epoch {epoch}"));
                let words = format!("step {}{epoch}", text::count(snapshot.step));
                ui.label(RichText::new(words).color(tokens.text_strong))
                    .on_hover_text("Steps 1, 2, 4, 8 … and the end of each epoch are kept");
            }
            let has_filters = past.snapshots.iter().any(|snapshot| !planes(snapshot, layer, true).is_empty());
            self.filters &= has_filters;
            ui.add_enabled(has_filters, egui::Checkbox::new(&mut self.filters, "Filters"))
                .on_hover_text("The filters over the first input channel instead of the maps")
                .on_disabled_hover_text("The snapshots have no filters of this layer: it is no convolution");
            ui.add_enabled_ui(self.film.is_none(), |ui| {
                let film = ui.menu_button("Save film", |ui| {
                    for (label, ending, hover) in [
                        ("As GIF…", "gif", "Plays everywhere; at most 256 colours"),
                        ("As animated PNG…", "png", "All colours; plays in browsers"),
                    ] {
                        if ui.button(label).on_hover_text(hover).clicked() {
                            self.start_film(layer, ending, style, tokens.panel);
                            ui.close();
                        }
                    }
                });
                film.response.on_hover_text("Save all snapshots of this layer as a film");
            });
        });
    }

    /// The image that the snapshot is of, ready to be painted.
    pub(super) fn image(&mut self, folder: &std::path::Path, snapshot: &Snapshot, ui: &Ui) -> Option<(&Atlas, Plane)> {
        let plane = Plane::new(snapshot.input.as_ref()?, None);
        let key = (folder.to_path_buf(), snapshot.step);
        if self.image_of.as_ref() != Some(&key) {
            self.image_of = Some(key);
            fill(&mut self.image, "recorded-image", std::iter::once(&plane), false, Colors::Gray, ui);
        }
        Some((&self.image, plane))
    }

    /// Names of the classes of the run.
    pub(super) fn classes(&self) -> &[String] {
        &self.record.past().classes
    }

    fn start_film(&mut self, layer: &str, ending: &str, style: Style, ground: egui::Color32) {
        let (sender, inbox) = sync_channel(1);
        let Past { snapshots: all, .. } = self.record.past().clone();
        let (layer, filters) = (layer.to_owned(), self.filters);
        let what = if filters { "filters-history" } else { "history" };
        let name = format!("{}-{what}.{ending}", layer.replace('.', "-"));
        let work = move || {
            let step = all.len().div_ceil(FILM).max(1);
            let chosen = all.iter().step_by(step);
            let frames = chosen
                .map(|snapshot| planes(snapshot, &layer, filters))
                .filter(|planes| !planes.is_empty())
                .map(|planes| sheet(&planes, style.shared, style.colors, ground, FILM_TILE))
                .collect();
            // The window may have closed meanwhile.
            let _ = sender.send(Export { name, frames, frame_ms: 160 });
        };
        // Without a thread the sender is dropped: nothing is saved, and the button is there again.
        let _ = std::thread::Builder::new().name("striate-film".into()).spawn(work);
        self.film = Some(inbox);
    }

    fn finish_film(&mut self, out: &mut Vec<UiCommand>) {
        let Some(inbox) = &self.film else { return };
        match inbox.try_recv() {
            Ok(export) => {
                out.push(UiCommand::Export(Box::new(export)));
                self.film = None;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => self.film = None,
        }
    }
}

/// The planes of a layer in a snapshot: of the op of this path, or of the last one below it; none if it has none.
fn planes(snapshot: &Snapshot, layer: &str, filters: bool) -> Vec<Plane> {
    let below = |own: &str| own == layer || own.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'));
    let mut found = snapshot.layers.iter().rev().filter(|probe| below(&probe.path));
    if filters {
        let probe = found.find(|probe| !probe.filters.is_empty());
        return probe.map_or_else(Vec::new, |probe| probe.filters.iter().map(|p| Plane::new(p, None)).collect());
    }
    let Some(probe) = found.next() else { return Vec::new() };
    probe.planes.iter().enumerate().map(|(i, p)| Plane::new(p, probe.channels.get(i))).collect()
}

/// Which image snapshots are of, in words.
pub(super) fn image_words(image: Option<&ImageRef>) -> String {
    match image {
        Some(ImageRef::Item { split, index }) => {
            format!("{} {}", super::bar::split_name(*split), text::count(index.saturating_add(1)))
        }
        Some(ImageRef::File(path)) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        Some(ImageRef::Pixels { .. }) => "A picture drawn or pasted".into(),
        // Runs of older versions.
        None => "First validation image".into(),
    }
}
