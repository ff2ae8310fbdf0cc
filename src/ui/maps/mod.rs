//! Looking inside: feature maps, filters, histograms and the past of a layer, for any image; and how each number came to be.
//!
//! The panel asks with [`UiCommand::Look`] in every frame it is on show and draws what came back.

mod bar;
mod explain;
mod grid;
mod history;
mod pad;
mod patches;
mod picture;
mod record;
mod recorded;
mod room;
mod scale;
mod spread;
mod stale;
mod tiles;

use super::atlas::Atlas;
use super::kit;
use super::look::{Kind, Look, Offered, Plane, ProbeView, Whose};
use super::{Panel, PanelCx, UiCommand};
use crate::data::Split;
use crate::engine::protocol::{Cell, ImageRef};
use crate::graph::{DataSource, Graph, NodeId};
use crate::layers::Family;
use egui::{Key, Modifiers, Ui};
use history::History;
use pad::Pad;
use room::Room;
use scale::Colors;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// An answer that takes longer is announced.
const PATIENCE: Duration = Duration::from_millis(400);

/// Where the image comes from.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// From the data.
    Data(Split),
    /// A file.
    File(PathBuf),
    /// From the clipboard.
    Pasted(ImageRef),
    /// From the drawing pad.
    Drawn,
}

/// What is shown of the layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Maps,
    Filters,
    Patches,
    Spread,
    History,
}

/// A map that was set aside for comparison.
#[derive(Clone, Debug)]
struct Pin {
    title: String,
    plane: Plane,
}

/// A channel to go to, once its layer is the selected one.
#[derive(Clone, Debug)]
struct Goal {
    layer: String,
    op: String,
    cell: Cell,
}

/// Shows the histograms when the panel is drawn next.
pub(super) fn show_histograms(ctx: &egui::Context) {
    ctx.data_mut(|data| data.insert_temp(egui::Id::unique("maps-histograms"), true));
    ctx.request_repaint();
}

/// What the textures hold.
type Key3 = (u64, bool, Colors);

/// The panel.
#[derive(Debug)]
pub struct MapsPanel {
    source: Source,
    /// Which image was chosen of each data, split by split.
    places: Vec<((DataSource, Split), u64)>,
    pad: Pad,
    whose: Whose,
    mode: Mode,
    /// What was chosen: filters come back with the next layer that has some.
    wanted: Mode,
    /// The layer, and the op inside it that is looked at instead.
    inner: Option<(String, String)>,
    /// What passes through the layer, if it is bypassed.
    passes: Option<String>,
    layer: String,
    /// Since when it is this one.
    since: Option<Instant>,
    shared: bool,
    colors: Colors,
    filter_channel: Option<u32>,
    /// The cell that was clicked, and the one under the pointer.
    chosen: Option<Cell>,
    hovered: Option<Cell>,
    /// The enlarged map appears now and takes the keys.
    takes_focus: bool,
    /// Since when a first explanation is awaited.
    waits: Option<Instant>,
    goal: Option<Goal>,
    first_map: u32,
    sense: bool,
    pins: Vec<Pin>,
    offered: u64,
    /// A validation image to go to, of the data of the network that is looked into by then.
    awaited: Option<u64>,
    key: Option<Key3>,
    maps: Atlas,
    kernels: Atlas,
    input: Atlas,
    pinned: Atlas,
    field: Atlas,
    field_of: u64,
    explain: explain::Textures,
    history: History,
    gallery: patches::Gallery,
}

impl Default for MapsPanel {
    fn default() -> Self {
        Self {
            source: Source::Data(Split::Validation),
            places: Vec::new(),
            pad: Pad::default(),
            whose: Whose::default(),
            mode: Mode::default(),
            wanted: Mode::default(),
            inner: None,
            passes: None,
            layer: String::new(),
            since: None,
            shared: false,
            colors: Colors::default(),
            filter_channel: None,
            chosen: None,
            hovered: None,
            takes_focus: false,
            waits: None,
            goal: None,
            first_map: 0,
            sense: false,
            pins: Vec::new(),
            offered: 0,
            awaited: None,
            key: None,
            maps: Atlas::default(),
            kernels: Atlas::default(),
            input: Atlas::default(),
            pinned: Atlas::default(),
            field: Atlas::default(),
            field_of: 0,
            explain: explain::Textures::default(),
            history: History::default(),
            gallery: patches::Gallery::default(),
        }
    }
}

impl Panel for MapsPanel {
    fn id(&self) -> &'static str {
        "feature-maps"
    }

    fn title(&self) -> &'static str {
        "Feature maps"
    }

    fn help(&self) -> &'static str {
        "What each channel of the selected layer sees in an image, how every number came to be, and what the network says"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        if !cx.plan.is_complete() && cx.run.is_none() {
            let text = "The network must be complete to be looked into. Fix the layers that are marked.";
            kit::empty_ui(ui, "Nothing to look at yet", text, None);
            return;
        }
        let Some(node) = chosen(cx.graph(), cx.selection) else {
            kit::empty_ui(ui, "No layer to look into", "Select a layer on the canvas.", None);
            return;
        };
        let mut ids = cx.path.to_vec();
        ids.push(node);
        let Some(layer) = cx.document.graph.name_path(&ids) else { return };
        self.take_pictures(cx, ui);
        self.follow(&layer);
        if ui.data_mut(|data| data.remove_temp::<bool>(egui::Id::unique("maps-histograms"))).is_some() {
            self.choose(Mode::Spread);
        }
        self.passes = passes(cx, node);
        self.mode = if self.wanted == Mode::Filters && !self.has_kernels(cx) { Mode::Maps } else { self.wanted };
        self.bar_ui(cx, node, ui, out);
        if let Some(source) = &self.passes {
            let text = format!("{layer} is bypassed: shown is what passes through it, the output of {source}.");
            kit::weak(ui, text).on_hover_text("Use it again with Ctrl+B on the canvas to see its own maps");
        }
        // What came last, and whether it is of this layer.
        let answered = cx.look.probe.as_deref();
        if let Some(probe) = answered {
            self.update(probe, ui);
        }
        let probe = answered.filter(|probe| probe.layer == self.looked());
        self.keys(cx, node, probe, ui, out);
        if let Some(problem) = &cx.look.problem {
            let tokens = super::theme::Tokens::of(ui);
            tokens.banner(true).show(ui, |ui| ui.label(egui::RichText::new(problem).color(tokens.error)));
        }
        ui.add_space(2.0);
        // Over which cell the pointer is, is found anew in every frame; the image shows the one of the frame before.
        let before = self.hovered.take().filter(|_| !self.is_held());
        let has_cell = self.mode == Mode::Maps && self.chosen.is_some();
        let room = Room::of(ui.available_size(), has_cell);
        let recorded = if self.mode == Mode::History { self.history.update(cx, ui) } else { None };
        let frame = egui::Frame::new().inner_margin(egui::Margin { left: 0, right: 12, top: 0, bottom: 0 });
        egui::Panel::left("maps-image")
            .exact_size(room.width() + 22.0)
            .resizable(false)
            .show_separator_line(true)
            .frame(frame)
            .show(ui, |ui| match &recorded {
                Some(snapshot) => self.recorded_ui(cx, snapshot, room, ui),
                None => self.image_ui(cx, answered, before.or(self.chosen), room, ui, out),
            });
        let frame = egui::Frame::new().inner_margin(egui::Margin { left: 8, right: 0, top: 0, bottom: 0 });
        egui::CentralPanel::no_frame().frame(frame).show(ui, |ui| match (self.mode, answered) {
            (Mode::Patches, _) => self.patches_ui(cx, ui),
            (Mode::Spread, _) => spread::spread_ui(cx, &mut self.goal, ui, out),
            (Mode::History, _) => {
                let style = history::Style { shared: self.shared, colors: self.colors };
                let layer = self.looked().to_owned();
                self.history.ui(cx, &layer, style, ui, out);
            }
            (_, None) => {
                // An answer comes within a few frames as a rule: nothing flashes up for that.
                let is_slow = self.since.is_none_or(|since| since.elapsed() > PATIENCE);
                ui.ctx().request_repaint_after(PATIENCE);
                if cx.look.problem.is_none() && is_slow {
                    kit::empty_ui(ui, stale::ASKING, "What this layer makes of the image comes next.", None);
                }
            }
            (Mode::Maps, Some(probe)) if self.chosen.is_some() => self.cell_ui(cx, probe, ui),
            (_, Some(probe)) => {
                let stale = cx.look.stale(Kind::Probe);
                stale::faded_ui(cx.look, stale, ui, |ui| self.tiles_ui(probe, ui));
                if probe.layer != self.looked() {
                    self.hovered = None;
                }
            }
        });
        out.push(UiCommand::Look(Box::new(self.look(images_of(cx)))));
    }
}

/// Where the images of the network that is looked into come from: a run has its own data.
fn images_of<'a>(cx: &PanelCx<'a>) -> &'a DataSource {
    cx.look.images.as_ref().map_or(&cx.document.data.source, |images| &images.source)
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
    /// The path that is looked at: the layer's, or that of the op inside it that was chosen.
    fn looked(&self) -> &str {
        match (&self.inner, &self.passes) {
            (Some((layer, inner)), _) if *layer == self.layer => inner,
            (_, Some(source)) => source,
            _ => &self.layer,
        }
    }

    /// Another layer: what was chosen in the one before is no longer meant.
    fn follow(&mut self, layer: &str) {
        if self.layer != layer {
            layer.clone_into(&mut self.layer);
            self.since = Some(Instant::now());
            self.chosen = None;
            self.first_map = 0;
            self.filter_channel = None;
            self.gallery.begin();
        }
        if self.goal.as_ref().is_some_and(|goal| goal.layer == self.layer)
            && let Some(goal) = self.goal.take()
        {
            self.choose(Mode::Maps);
            self.chosen = Some(goal.cell);
            self.takes_focus = true;
            self.inner = (goal.op != goal.layer).then_some((goal.layer, goal.op));
        }
    }

    fn choose(&mut self, mode: Mode) {
        (self.mode, self.wanted) = (mode, mode);
    }

    /// Whether the layer has filters that can be shown.
    fn has_kernels(&self, cx: &PanelCx<'_>) -> bool {
        cx.plan.program.kernels(self.looked()).is_some()
    }

    /// Whether everything shown belongs to the clicked cell: what moves it cannot follow the pointer.
    fn is_held(&self) -> bool {
        self.sense && self.chosen.is_some()
    }

    /// Which image of some data is meant.
    fn place(&self, data: &DataSource, split: Split) -> u64 {
        let is_meant = |((of, part), _): &&((DataSource, Split), u64)| of == data && *part == split;
        self.places.iter().find(is_meant).map_or(0, |(_, index)| *index)
    }

    fn set_place(&mut self, data: &DataSource, split: Split, index: u64) {
        match self.places.iter_mut().find(|((of, part), _)| of == data && *part == split) {
            Some((_, known)) => *known = index,
            None => self.places.push(((data.clone(), split), index)),
        }
    }

    fn look(&mut self, data: &DataSource) -> Look {
        let image = match &self.source {
            Source::Data(split) => ImageRef::Item { split: *split, index: self.place(data, *split) },
            Source::File(path) => ImageRef::File(path.clone()),
            Source::Pasted(image) => image.clone(),
            Source::Drawn => self.pad.image(),
        };
        Look {
            whose: self.whose.clone(),
            layer: self.looked().to_owned(),
            image,
            data: matches!(self.source, Source::Data(_)).then(|| data.clone()),
            filter_channel: self.filter_channel,
            cell: self
                .chosen
                .filter(|_| self.mode == Mode::Maps)
                .map(|cell| if self.is_held() { cell } else { self.hovered.unwrap_or(cell) }),
            first_map: self.first_map,
            // The effective field follows clicks: it takes longer than the pointer would wait.
            sense: self.chosen.filter(|_| self.sense && self.mode == Mode::Maps),
            spread: self.mode == Mode::Spread,
            excite: (self.mode == Mode::Patches).then(|| self.gallery.wanted()),
        }
    }

    /// Takes what was chosen elsewhere, dropped or pasted.
    fn take_pictures(&mut self, cx: &PanelCx<'_>, ui: &Ui) {
        if let Some(index) = self.awaited.take() {
            self.set_place(images_of(cx), Split::Validation, index);
        }
        if let Some((serial, offered)) = &cx.look.offered
            && *serial != self.offered
        {
            self.offered = *serial;
            self.source = match offered {
                Offered::File(path) => Source::File(path.clone()),
                Offered::OfRun { run, index } => {
                    let is_own = cx.run.is_some_and(|own| own.folder == *run);
                    self.whose = if is_own { Whose::Run } else { Whose::Stored(run.clone()) };
                    self.mode = Mode::Maps;
                    // Which data its images are of is known once this look was asked for: in the next frame.
                    self.awaited = Some(*index);
                    ui.ctx().request_repaint();
                    Source::Data(Split::Validation)
                }
            };
        }
        let pasted = ui.input(|input| {
            input.events.iter().rev().find_map(|event| match event {
                egui::Event::PasteImage(image) => Some(image.clone()),
                _ => None,
            })
        });
        if let Some(image) = pasted {
            let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
            let rgb = image.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
            self.source =
                Source::Pasted(ImageRef::Pixels { width: side(image.size[0]), height: side(image.size[1]), rgb });
        }
    }

    fn update(&mut self, probe: &ProbeView, ui: &Ui) {
        let key = (probe.serial, self.shared, self.colors);
        if self.key == Some(key) {
            return;
        }
        self.key = Some(key);
        scale::fill(&mut self.maps, "feature-maps", probe.planes.iter(), self.shared, self.colors, ui);
        scale::fill(&mut self.kernels, "filters", probe.filters.iter(), self.shared, self.colors, ui);
        scale::fill(&mut self.input, "input-image", probe.image.iter(), false, Colors::Gray, ui);
    }

    /// Arrow keys while the pointer is over the panel or a map has the focus: left and right through channels, up and down
    /// through layers, with Shift through cells.
    fn keys(&mut self, cx: &PanelCx<'_>, node: NodeId, probe: Option<&ProbeView>, ui: &Ui, out: &mut Vec<UiCommand>) {
        let is_here = ui.rect_contains_pointer(ui.max_rect());
        ui.data_mut(|data| data.insert_temp(under_pointer_id(), is_here));
        let focused = ui.memory(egui::Memory::focused);
        let is_ours = focused.is_some_and(|id| id == tiles::map_id());
        if ui.text_edit_focused() || !(is_ours || (is_here && focused.is_none())) {
            return;
        }
        let pressed = |modifiers, key| ui.input_mut(|input| input.consume_key(modifiers, key));
        if self.chosen.is_some() && pressed(Modifiers::NONE, Key::Escape) {
            self.chosen = None;
        }
        if let (Some(cell), Some([_, height, width])) = (self.chosen.as_mut(), probe.and_then(ProbeView::map)) {
            for (key, dx, dy) in
                [(Key::ArrowLeft, -1, 0), (Key::ArrowRight, 1, 0), (Key::ArrowUp, 0, -1), (Key::ArrowDown, 0, 1)]
            {
                if pressed(Modifiers::SHIFT, key) {
                    cell.x = cell.x.saturating_add_signed(dx).min(width.saturating_sub(1));
                    cell.y = cell.y.saturating_add_signed(dy).min(height.saturating_sub(1));
                }
            }
        }
        let channels = probe.map_or(0, |probe| probe.shape.first().copied().unwrap_or(0));
        for (key, step) in [(Key::ArrowLeft, -1_i64), (Key::ArrowRight, 1)] {
            if channels > 0 && self.mode == Mode::Maps && pressed(Modifiers::NONE, key) {
                self.step_channel(step, channels, probe);
            }
        }
        for (key, step) in [(Key::ArrowUp, -1_isize), (Key::ArrowDown, 1)] {
            if pressed(Modifiers::NONE, key)
                && let Some(next) = neighbour(cx.graph(), node, step)
            {
                out.push(UiCommand::Select(vec![next]));
            }
        }
    }

    /// The next channel, keeping the place; the first time the middle of the map.
    fn step_channel(&mut self, step: i64, channels: u64, probe: Option<&ProbeView>) {
        self.first_map = 0;
        if let Some(cell) = self.chosen.as_mut() {
            cell.channel = cell.channel.saturating_add_signed(step).min(channels.saturating_sub(1));
        } else {
            let [_, height, width] = probe.and_then(ProbeView::map).unwrap_or([1, 1, 1]);
            self.chosen = Some(Cell::new(0, height / 2, width / 2));
        }
    }
}

/// Where the panel notes whether the pointer is over it.
fn under_pointer_id() -> egui::Id {
    egui::Id::unique("maps-under-pointer")
}

/// Whether the pointer was over the panel when it was last drawn. Asked once between two drawings: a panel that is no longer
/// drawn notes nothing.
pub(super) fn is_under_pointer(ctx: &egui::Context) -> bool {
    ctx.data_mut(|data| data.remove_temp::<bool>(under_pointer_id())).unwrap_or(false)
}

/// What passes through a bypassed layer: the path of the op, or the name of the input, that gives it.
fn passes(cx: &PanelCx<'_>, node: NodeId) -> Option<String> {
    cx.graph().node(node).filter(|node| node.bypassed)?;
    let value = cx.plan.node(cx.path, node)?.output?;
    let program = &cx.plan.program;
    let op = program.ops.iter().find(|op| op.outputs.contains(&value)).map(|op| op.path.clone());
    op.or_else(|| program.inputs.iter().find(|input| input.value == value).map(|input| input.name.clone()))
}

/// The layer before or after another in the order of computing.
fn neighbour(graph: &Graph, node: NodeId, step: isize) -> Option<NodeId> {
    let (order, _) = graph.topological();
    let ids: Vec<NodeId> = order.iter().filter_map(|&at| graph.nodes.get(at)).map(|node| node.id).collect();
    let at = ids.iter().position(|id| *id == node)?;
    ids.get(at.checked_add_signed(step)?).copied()
}
