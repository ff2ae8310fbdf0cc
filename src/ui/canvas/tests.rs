//! The canvas, palette and inspector under a hand: a small window around them that applies what they ask for.

use crate::graph::{Document, History, NodeId, Place};
use crate::plan::{Cost, CostSettings, Layout, Plan, cost, layout, plan};
use crate::presets;
use crate::ui::data_view::DataView;
use crate::ui::inspector::Inspector;
use crate::ui::palette::Palette;
use crate::ui::{Panel as _, PanelCx, UiCommand, theme};
use egui::{Key, Modifiers, Pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

use super::CanvasPanel;

/// The three panels with a document.
pub(super) struct Window {
    pub(super) history: History,
    pub(super) path: Vec<NodeId>,
    pub(super) selection: Vec<NodeId>,
    derived: Option<(u64, Vec<NodeId>, Plan, Cost, Layout)>,
    canvas: CanvasPanel,
    palette: Palette,
    inspector: Inspector,
    pub(super) notes: Vec<String>,
    pub(super) runs: crate::ui::runs_view::RunsView,
    pub(super) clipboard: String,
}

impl Window {
    fn new(document: Document) -> Self {
        Self {
            history: History::new(document),
            path: Vec::new(),
            selection: Vec::new(),
            derived: None,
            canvas: CanvasPanel::default(),
            palette: Palette::default(),
            inspector: Inspector::default(),
            notes: Vec::new(),
            runs: crate::ui::runs_view::RunsView::default(),
            clipboard: String::new(),
        }
    }

    fn show(&mut self, ui: &mut egui::Ui) {
        let document = self.history.document().clone();
        let revision = self.history.revision();
        if self.derived.as_ref().is_none_or(|(at, path, ..)| *at != revision || *path != self.path) {
            let plan = plan(&document);
            let cost = cost(&plan.program, CostSettings::default());
            let layout = layout(document.graph.at(&self.path).unwrap_or(&document.graph));
            self.derived = Some((revision, self.path.clone(), plan, cost, layout));
        }
        let Some((_, _, plan, cost, layout)) = &self.derived else { return };
        let data = DataView::default();
        let cx = PanelCx {
            document: &document,
            revision,
            plan,
            cost,
            layout,
            path: &self.path,
            selection: &self.selection,
            run: None,
            runs: &self.runs,
            look: &crate::ui::look::LookView::default(),
            data: &data,
            capacity_bytes: None,
            device: "CPU",
            log: &[],
            times: &crate::ui::times::TimesView::default(),
        };
        let (mut out, mut commands) = (Vec::new(), Vec::new());
        let frame = theme::Tokens::of(ui).panel_frame();
        egui::Panel::left("palette").exact_size(216.0).frame(frame).show(ui, |ui| self.palette.ui(&cx, ui, &mut out));
        egui::Panel::right("inspector")
            .exact_size(304.0)
            .frame(frame)
            .show(ui, |ui| self.inspector.ui(&cx, ui, &mut out));
        egui::CentralPanel::no_frame().show(ui, |ui| self.canvas.ui(&cx, ui, &mut out));
        for command in out {
            match command {
                UiCommand::Canvas(id) => commands.extend(super::run(id, (&cx).into(), ui)),
                other => commands.push(other),
            }
        }
        for command in commands {
            self.obey(command, ui);
        }
    }

    fn obey(&mut self, command: UiCommand, ctx: &egui::Context) {
        match command {
            UiCommand::Edit { edit, path, gesture } => {
                let path = path.unwrap_or_else(|| self.path.clone());
                match self.history.apply(&path, &edit, &self.selection, gesture) {
                    Ok(outcome) => self.selection = outcome.select.unwrap_or_else(|| self.selection.clone()),
                    Err(error) => self.notes.push(error.to_string()),
                }
            }
            UiCommand::AddAfterSelection(content) => {
                let place = self.selection.last().map_or(Place::Loose, |id| Place::After(*id));
                self.obey(UiCommand::edit(crate::graph::Edit::Insert { content, place }), ctx);
            }
            UiCommand::Select(nodes) => self.selection = nodes,
            UiCommand::OpenPath(path) => (self.path, self.selection) = (path, Vec::new()),
            UiCommand::Copy(text) => self.clipboard = text,
            UiCommand::Fit => super::request(ctx, super::Request::Fit),
            UiCommand::ActualSize => super::request(ctx, super::Request::ActualSize),
            UiCommand::Notify(note) => self.notes.push(note),
            UiCommand::OpenPreset(id) => *self = Self::new(presets::find(&id).unwrap()),
            UiCommand::Reveal { path, node, .. } => (self.path, self.selection) = (path, node.into_iter().collect()),
            other => panic!("the test window does not know {other:?}"),
        }
    }

    pub(super) fn names(&self) -> Vec<String> {
        let document = self.history.document();
        let graph = document.graph.at(&self.path).unwrap();
        let (order, rest) = graph.topological();
        order.into_iter().chain(rest).map(|at| graph.nodes[at].name.clone()).collect()
    }
}

pub(super) fn window(document: Document) -> Harness<'static, Window> {
    window_with(document, egui::Theme::Dark)
}

pub(super) fn window_with(document: Document, theme: egui::Theme) -> Harness<'static, Window> {
    Harness::builder()
        .with_theme(theme)
        .with_size(vec2(1_440.0, 900.0))
        .with_max_steps(12)
        .with_step_dt(1.0 / 60.0)
        .with_context_setup(|ctx| {
            theme::install(ctx);
            crate::ui::pointer::install(ctx);
        })
        .build_ui_state(|ui, window: &mut Window| window.show(ui), Window::new(document))
}

pub(super) fn lenet() -> Harness<'static, Window> {
    let mut window = window(presets::find("lenet5").unwrap());
    window.run_ok();
    window
}

pub(super) fn centre(window: &Harness<'_, Window>, label: &str) -> Pos2 {
    window.get_by_label_contains(label).rect().center()
}

pub(super) fn drag(window: &mut Harness<'_, Window>, from: Pos2, to: Pos2) {
    window.hover_at(from);
    window.step();
    window.drag_at(from);
    window.step();
    for part in [0.1, 0.3, 0.6, 0.9, 1.0, 1.0] {
        window.hover_at(from.lerp(to, part));
        window.step();
    }
    window.drop_at(to);
    window.step();
    window.run_ok();
}

/// LeNet-5 (LeCun 1998): the first convolution makes 6 maps of 28 × 28 from 32 × 32 with 156 parameters.
#[test]
fn every_card_says_what_it_is_and_costs() {
    let window = lenet();
    window.get_by_label_contains("c1, Conv2D, 28 × 28 × 6, 156 parameters");
    window.get_by_label_contains("c3, Conv2D, 10 × 10 × 16, 2,416 parameters");
}

#[test]
fn a_layer_dropped_on_a_wire_is_inserted_there() {
    let mut window = lenet();
    let (above, below) = (centre(&window, "c1, Conv2D"), centre(&window, "s2, Average pooling"));
    let from = window.get_by_label("Dropout").rect().center();
    drag(&mut window, from, above.lerp(below, 0.5));
    let names = window.state().names();
    let at = |name: &str| names.iter().position(|other| other == name).unwrap();
    assert_eq!((at("c1") + 1, at("s2")), (at("dropout1"), at("dropout1") + 1), "{names:?}");
}

#[test]
fn a_card_dragged_onto_another_wire_moves_there() {
    let mut window = lenet();
    let from = centre(&window, "s2, Average pooling");
    let (above, below) = (centre(&window, "c3, Conv2D"), centre(&window, "s4, Average pooling"));
    drag(&mut window, from, above.lerp(below, 0.5));
    let names = window.state().names();
    let at = |name: &str| names.iter().position(|other| other == name).unwrap();
    assert_eq!((at("c1") + 1, at("c3") + 1, at("s2") + 1), (at("c3"), at("s2"), at("s4")), "{names:?}");
}

#[test]
fn a_link_is_drawn_from_port_to_card_and_refused_backwards() {
    let mut window = lenet();
    let from = window.get_by_label("Output port of c3").rect().center();
    let to = centre(&window, "c1, Conv2D");
    drag(&mut window, from, to);
    assert!(window.state().notes.iter().any(|note| note.contains("feed back")), "{:?}", window.state().notes);
}

#[test]
fn keys_select_delete_and_let_go() {
    let mut window = lenet();
    window.get_by_label_contains("s2, Average pooling").click();
    window.run_ok();
    assert_eq!(window.state().selection.len(), 1);
    window.key_press(Key::Delete);
    window.run_ok();
    assert!(!window.state().names().contains(&"s2".to_owned()));
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.run_ok();
    assert_eq!(window.state().selection.len(), window.state().names().len());
    window.key_press(Key::Escape);
    window.run_ok();
    assert!(window.state().selection.is_empty());
}

#[test]
fn copies_are_pasted_beside_the_network_with_names_of_their_own() {
    let mut window = lenet();
    let before = window.state().names().len();
    window.get_by_label_contains("c3, Conv2D").click();
    window.run_ok();
    window.event(egui::Event::Copy);
    window.run_ok();
    let text = window.state().clipboard.clone();
    assert!(text.contains("\"name\": \"c3\""), "{text}");
    window.event(egui::Event::Paste(text));
    window.run_ok();
    window.key_press_modifiers(Modifiers::COMMAND, Key::D);
    window.run_ok();
    assert_eq!(window.state().names().len(), before + 2);
    window.event(egui::Event::Cut);
    window.run_ok();
    assert_eq!(window.state().names().len(), before + 1);
}

#[test]
fn a_layer_found_by_name_is_added_by_enter() {
    let mut window = lenet();
    window.get_by_label_contains("c1, Conv2D").click();
    window.run_ok();
    window.key_press(Key::Slash);
    window.run_ok();
    window.get_by_label("Add a layer").type_text("batch");
    window.run_ok();
    window.key_press(Key::Enter);
    window.run_ok();
    let names = window.state().names();
    assert!(names.iter().any(|name| name.starts_with("bn")), "{names:?}");
}

#[test]
fn a_field_of_the_inspector_changes_the_card_at_once() {
    let mut window = lenet();
    window.get_by_label_contains("c1, Conv2D").click();
    window.run_ok();
    window.get_by_role_and_label(egui::Role::SpinButton, "Filters").focus();
    window.run_ok();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.run_ok();
    window.get_by_role_and_label(egui::Role::SpinButton, "Filters").type_text("8");
    window.key_press(Key::Enter);
    window.run_ok();
    // 5 · 5 · 1 + 1 bias = 26 for each of 8 filters.
    window.get_by_label_contains("c1, Conv2D, 28 × 28 × 8, 208 parameters");
}

#[test]
fn a_group_opens_by_double_click_and_the_breadcrumb_leads_back() {
    let mut window = window(presets::find("resnet-mini").unwrap());
    window.run_ok();
    let at = window.get_all_by_label_contains(", Group, ").next().unwrap().rect().center();
    for _ in 0..2 {
        window.hover_at(at);
        window.drag_at(at);
        window.drop_at(at);
    }
    window.run_ok();
    assert_eq!(window.state().path.len(), 1);
    let name = window.state().history.document().name.clone();
    window.get_by_role_and_label(egui::Role::Button, &name).click();
    window.run_ok();
    assert!(window.state().path.is_empty());
}
