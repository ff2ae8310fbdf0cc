//! The past of a layer: its maps at the steps of which the run kept snapshots, with a slider to drag through them.

use super::scale::{Colors, fill, sheet};
use crate::engine::run::snapshots::{self, Snapshot};
use crate::text;
use crate::ui::atlas::Atlas;
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

/// Time between looks for new snapshots.
const RELOAD: Duration = Duration::from_secs(1);
/// Time that a snapshot is shown while playing.
const FRAME: Duration = Duration::from_millis(160);
/// Most pictures of a film.
const FILM: usize = 60;
/// Longest side of a map in a film.
const FILM_TILE: usize = 48;

type Loaded = (PathBuf, Vec<Arc<Snapshot>>, Option<String>);

/// What is known of the past.
#[derive(Default)]
pub(super) struct History {
    folder: Option<PathBuf>,
    snapshots: Vec<Arc<Snapshot>>,
    problem: Option<String>,
    loading: Option<Receiver<Loaded>>,
    loaded_at: Option<Instant>,
    at: usize,
    filters: bool,
    is_playing: bool,
    played_at: Option<Instant>,
    film: Option<Receiver<Export>>,
    key: Option<(PathBuf, String, u64, bool, Colors, bool)>,
    maps: Atlas,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("folder", &self.folder).field("at", &self.at).finish_non_exhaustive()
    }
}

impl History {
    pub(super) fn ui(
        &mut self,
        cx: &PanelCx<'_>,
        layer: &str,
        shared: bool,
        colors: Colors,
        ui: &mut Ui,
        out: &mut Vec<UiCommand>,
    ) {
        let Some(folder) = &cx.look.folder else {
            let text = "Snapshots are taken while a network trains. Train it, or choose a stored run above.";
            kit::empty_ui(ui, "No past yet", text, None);
            return;
        };
        self.load(folder, ui);
        self.finish_film(out);
        if let Some(problem) = &self.problem {
            kit::weak(ui, problem);
        }
        let Some(last) = self.snapshots.len().checked_sub(1) else {
            kit::empty_ui(ui, "No snapshots", "This run kept none, or none yet.", None);
            return;
        };
        self.at = self.at.min(last);
        self.controls_ui(last, layer, shared, colors, ui);
        let Some(snapshot) = self.snapshots.get(self.at).cloned() else { return };
        let Some(planes) = planes(&snapshot, layer, self.filters) else {
            kit::weak(ui, "The snapshots of this run do not have this layer. Choose another.");
            return;
        };
        let key = (folder.clone(), layer.to_owned(), snapshot.step, shared, colors, self.filters);
        if self.key.as_ref() != Some(&key) {
            self.key = Some(key);
            fill(&mut self.maps, "history-maps", planes.iter(), shared, colors, ui);
        }
        ScrollArea::vertical().auto_shrink([false; 2]).show(ui, |ui| {
            says_ui(cx, &snapshot, ui);
            let side = match planes.len() {
                0..=8 => 104.0,
                9..=24 => 84.0,
                _ => 64.0_f32,
            };
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = Vec2::splat(size::HALF);
                let mut tiles = Vec::new();
                for (i, plane) in planes.iter().enumerate() {
                    let is_row = plane.height == 1 && planes.len() == 1;
                    let room = if is_row { vec2(ui.available_width() - size::STEP, 48.0) } else { Vec2::splat(side) };
                    let (rect, response) = ui.allocate_exact_size(room, Sense::hover());
                    let name = format!("Channel {i} at step {}", snapshot.step);
                    response.widget_info(|| super::bar::labeled(egui::Role::Image, name.clone()));
                    let picture = if is_row { rect } else { fit(vec2(plane.width as f32, plane.height as f32), rect) };
                    tiles.push((i, picture));
                    response.on_hover_text(format!("{name}: {:.3} to {:.3}", plane.min, plane.max));
                }
                self.maps.paint(ui, tiles.into_iter());
            });
        });
    }

    fn controls_ui(&mut self, last: usize, layer: &str, shared: bool, colors: Colors, ui: &mut Ui) {
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
            if let Some(snapshot) = self.snapshots.get(self.at) {
                let epoch = snapshot.epoch.map_or_else(String::new, |epoch| format!(", end of epoch {epoch}"));
                ui.label(
                    RichText::new(format!("step {}{epoch}", text::count(snapshot.step))).color(tokens.text_strong),
                )
                .on_hover_text("Steps 1, 2, 4, 8 … and the end of each epoch are kept");
            }
            let has_filters = self.snapshots.first().is_some_and(|snapshot| planes(snapshot, layer, true).is_some());
            if has_filters {
                ui.checkbox(&mut self.filters, "Filters")
                    .on_hover_text("The first convolution's filters instead of its maps");
            } else {
                self.filters = false;
            }
            let film = ui.add_enabled(self.film.is_none(), egui::Button::new("Save GIF…"));
            if film.on_hover_text("Save all snapshots of this layer as a film").clicked() {
                self.start_film(layer, shared, colors, tokens.panel);
            }
        });
    }

    /// Reads snapshots that are new, in a thread.
    fn load(&mut self, folder: &PathBuf, ui: &Ui) {
        if self.folder.as_ref() != Some(folder) {
            *self = Self { folder: Some(folder.clone()), maps: std::mem::take(&mut self.maps), ..Self::default() };
        }
        if let Some(inbox) = &self.loading {
            match inbox.try_recv() {
                Ok((of, snapshots, problem)) => {
                    let was_last = self.at + 1 >= self.snapshots.len();
                    if of == *folder {
                        self.snapshots = snapshots;
                        self.problem = problem;
                        if was_last && !self.is_playing {
                            self.at = self.snapshots.len().saturating_sub(1);
                        }
                    }
                    self.loading = None;
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => self.loading = None,
            }
        }
        if self.loaded_at.is_some_and(|at| at.elapsed() < RELOAD) {
            ui.ctx().request_repaint_after(RELOAD);
            return;
        }
        self.loaded_at = Some(Instant::now());
        let (sender, inbox) = sync_channel(1);
        let (folder, known, ctx) = (folder.clone(), self.snapshots.clone(), ui.ctx().clone());
        let work = move || {
            let mut problem = None;
            let mut read = |step: u64, path: &std::path::Path| {
                let old = known.iter().find(|snapshot| snapshot.step == step).map(Arc::clone);
                // One of the end of an epoch takes the place of one of the same step.
                let is_final =
                    |snapshot: &Arc<Snapshot>| snapshot.epoch.is_some() || known.last().is_none_or(|l| l.step != step);
                old.filter(is_final).or_else(|| match snapshots::read(path) {
                    Ok(snapshot) => Some(Arc::new(snapshot)),
                    Err(error) => {
                        problem = Some(error.to_string());
                        None
                    }
                })
            };
            let found: Vec<_> = snapshots::list(&folder).iter().filter_map(|(step, path)| read(*step, path)).collect();
            let changed = found.len() != known.len();
            // The window may have closed meanwhile.
            let _ = sender.send((folder, found, problem));
            if changed {
                ctx.request_repaint();
            }
        };
        // Without a thread nothing is read; the next second tries again.
        if std::thread::Builder::new().name("striate-snapshots".into()).spawn(work).is_ok() {
            self.loading = Some(inbox);
        }
        ui.ctx().request_repaint_after(RELOAD);
    }

    fn start_film(&mut self, layer: &str, shared: bool, colors: Colors, ground: egui::Color32) {
        let (sender, inbox) = sync_channel(1);
        let (all, layer, filters) = (self.snapshots.clone(), layer.to_owned(), self.filters);
        let work = move || {
            let step = all.len().div_ceil(FILM).max(1);
            let chosen = all.iter().step_by(step);
            let frames = chosen
                .filter_map(|snapshot| planes(snapshot, &layer, filters))
                .map(|planes| sheet(&planes, shared, colors, ground, FILM_TILE))
                .collect();
            let name = format!("{}-history.gif", layer.replace('.', "-"));
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

/// The planes of a layer in a snapshot: of the op of this path, or of the last one below it.
fn planes(snapshot: &Snapshot, layer: &str, filters: bool) -> Option<Vec<Plane>> {
    let below = |own: &str| own == layer || own.strip_prefix(layer).is_some_and(|rest| rest.starts_with('.'));
    let found = snapshot.layers.iter().rev().find(|probe| below(&probe.path));
    // The input is no op; its picture is kept apart.
    let probe = found?;
    if filters {
        return (!probe.filters.is_empty()).then(|| probe.filters.iter().map(|p| Plane::new(p, None)).collect());
    }
    Some(probe.planes.iter().enumerate().map(|(i, p)| Plane::new(p, probe.channels.get(i))).collect())
}

/// What the network said then.
fn says_ui(cx: &PanelCx<'_>, snapshot: &Snapshot, ui: &mut Ui) {
    let name = |class: u32| cx.data.classes.get(class as usize).cloned().unwrap_or_else(|| format!("class {class}"));
    let said: Vec<String> =
        snapshot.top.iter().take(3).map(|score| format!("{} {:.1} %", score.name, score.probability * 100.0)).collect();
    let truth = snapshot.label.map_or_else(String::new, |label| format!("It is {}. ", name(label)));
    kit::weak(ui, format!("First validation image. {truth}It said then: {}", said.join(", ")))
        .on_hover_text("Snapshots are always of the first validation image, whatever image is chosen on the left");
}
