//! The inspector: everything about what is selected, and every setting of it. Nothing selected: the network as a whole.

mod diagram;
mod network;
mod numbers;
mod sketches;
mod thumbs;
mod training;

pub(super) use training::SETTINGS;

use super::canvas::fix_buttons;
use super::effect::Effect;
use super::fields::{Fields, GestureTracker, choice, flag, new_gesture, number, row};
use super::theme::{self, Tokens, size};
use super::{Panel, PanelCx, UiCommand, icons};
use crate::graph::{Content, Edit, Group, Node, NodeId, apply};
use crate::layers::{ChoiceOption, Family, LayerKind as _};
use crate::op::Init;
use crate::plan::{Diagnostic, Severity};
use crate::text;
use egui::{Id, RichText, Ui};
use egui_commonmark::{CommonMarkCache, CommonMarkViewer};

/// Puts the keyboard into the first setting of the selected layer, at the inspector's next frame.
pub fn focus_fields(ctx: &egui::Context) {
    super::fields::focus_first(ctx);
}

/// Puts the cursor into the name field, at the inspector's next frame.
pub fn focus_name(ctx: &egui::Context) {
    ctx.data_mut(|data| data.insert_temp(Id::unique("inspector-name"), true));
    ctx.request_repaint();
}

/// The inspector.
#[derive(Default)]
pub struct Inspector {
    tracker: GestureTracker,
    /// The name as it is typed, and whose it is.
    name: String,
    name_of: Option<NodeId>,
    help: CommonMarkCache,
    /// What the change in progress does to the figures.
    effect: Option<Effect>,
    thumbs: thumbs::Thumbs,
}

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector").field("name_of", &self.name_of).finish_non_exhaustive()
    }
}

impl Panel for Inspector {
    fn id(&self) -> &'static str {
        "inspector"
    }

    fn title(&self) -> &'static str {
        "Inspector"
    }

    fn help(&self) -> &'static str {
        "Settings and figures of the selected layer, each with its calculation; of the whole network if nothing is selected."
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        egui::ScrollArea::vertical().auto_shrink([false, false]).show(ui, |ui| {
            // The bar that floats over the right edge needs room beside the texts.
            ui.set_max_width(ui.available_width() - size::STEP);
            let nodes: Vec<&Node> =
                cx.selection.iter().filter_map(|id| cx.graph().node(*id)).map(AsRef::as_ref).collect();
            match nodes.as_slice() {
                [] => {
                    network::ui(ui, cx, self.effect.as_ref(), &mut self.tracker, out);
                    section(ui, "Training");
                    if let Some(gesture) = training::ui(ui, cx, &mut self.tracker, out) {
                        let now = ui.input(|i| i.time);
                        Effect::note(&mut self.effect, cx, None, gesture, now);
                    }
                }
                [node] => {
                    // Widgets of different layers must not share their state.
                    ui.push_id(("node", node.id.0), |ui| self.node_ui(cx, ui, node, out));
                }
                many => self.several_ui(cx, ui, many, out),
            }
            ui.add_space(size::MARGIN);
        });
    }
}

impl Inspector {
    fn node_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, node: &Node, out: &mut Vec<UiCommand>) {
        let tokens = Tokens::of(ui);
        let about = node.content.about();
        let (icon, family) = about.map_or(("group", Family::Block), |about| (about.id, about.family));
        ui.horizontal(|ui| {
            icons::show(ui, icon, 22.0, tokens.family(family));
            ui.label(theme::strong(node.content.kind_name()).size(size::FONT_HEADING).color(tokens.text_strong))
                .on_hover_text(about.map_or("A network of your own as one card", |about| about.summary));
        });
        self.name_ui(cx, ui, node, out);
        match &node.content {
            Content::Layer(layer) => {
                let mut changed = layer.clone();
                let mut fields = Fields::new(ui, &mut self.tracker, layer);
                changed.fields(&mut fields);
                if let Some(gesture) = fields.change.filter(|_| changed != *layer) {
                    let now = ui.input(|i| i.time);
                    Effect::note(&mut self.effect, cx, Some(node.id), gesture, now);
                    let edit = Edit::SetLayer { node: node.id, layer: Box::new(changed) };
                    out.push(UiCommand::Edit { edit, path: None, gesture: Some(gesture) });
                }
            }
            Content::Group(group) => self.group_ui(cx, ui, node, group, out),
            Content::Unknown { kind } => {
                let message = format!("This version does not know the kind {kind:?}. It is kept as it is in the file.");
                ui.label(RichText::new(message).color(tokens.warning));
            }
        }
        self.learning_ui(cx, ui, node, out);
        // Below the fields: one that comes while they are changed must not move them.
        for found in cx.plan.diagnostics_of(cx.path, node.id) {
            ui.add_space(size::HALF);
            finding_ui(ui, found, out);
        }
        if let Some(effect) = &self.effect {
            effect.ui(ui, cx, Some(node.id));
        }
        section(ui, "Figures");
        numbers::ui(ui, cx, node, out);
        self.thumbs.ui(ui, cx, node, out);
        if let Some(about) = about {
            ui.add_space(size::STEP);
            egui::CollapsingHeader::new("Help").id_salt("help").show(ui, |ui| {
                ui.label(about.summary);
                if let Some(layer) = node.layer() {
                    diagram::ui(ui, layer);
                }
                CommonMarkViewer::new().show(ui, &mut self.help, about.help);
                ui.add_space(size::HALF);
                ui.label(RichText::new(format!("Source: {}", about.source)).small().color(tokens.text_weak));
            });
        }
    }

    fn name_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, node: &Node, out: &mut Vec<UiCommand>) {
        let help = "The name on its card and in the file of weights. Letters, digits and _; unique among its siblings.";
        let id = ui.scope_id().with("name");
        let is_typing = ui.memory(|memory| memory.has_focus(id));
        if self.name_of != Some(node.id) || !is_typing && self.name != node.name {
            self.name.clone_from(&node.name);
            self.name_of = Some(node.id);
        }
        let response = row(ui, "Name", help, |ui| {
            let edit = egui::TextEdit::singleline(&mut self.name).id(id).desired_width(ui.available_width());
            ui.add(edit).on_hover_text(help).accessible_name("Name")
        });
        if ui.data_mut(|data| data.remove_temp::<bool>(Id::unique("inspector-name"))).is_some() {
            response.request_focus();
        }
        if self.name == node.name {
            return;
        }
        let edit = Edit::Rename { node: node.id, name: self.name.trim().to_owned() };
        let error = apply(cx.document, cx.path, &edit).err();
        if let Some(error) = &error {
            ui.label(RichText::new(error.to_string()).color(Tokens::of(ui).error));
        }
        if response.lost_focus() {
            let cancelled = ui.input(|i| i.key_pressed(egui::Key::Escape));
            if error.is_none() && !cancelled {
                out.push(UiCommand::edit(edit));
            } else {
                self.name.clone_from(&node.name);
            }
        }
    }

    fn group_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, node: &Node, group: &Group, out: &mut Vec<UiCommand>) {
        let (mut repeat, mut first_index) = (group.repeat, group.first_index);
        let help = "How many copies stand in a row, each with weights of its own and fed by the one before.";
        let response = row(ui, "Repeat", help, |ui| {
            number(ui, &mut repeat, 1..=crate::graph::MAX_REPEAT, "times", "Repeat", help)
        });
        let mut gesture = self.tracker.note(&response);
        // One copy alone has no number.
        if repeat > 1 {
            let help = "Whether the copies are numbered from 0 or from 1 in the names of their parameters.";
            let response =
                row(ui, "Numbered from", help, |ui| number(ui, &mut first_index, 0..=1, "", "Numbered from", help));
            gesture = self.tracker.note(&response).or(gesture);
        }
        if let Some(gesture) = gesture {
            let edit = Edit::SetRepeat { node: node.id, repeat, first_index };
            out.push(UiCommand::Edit { edit, path: None, gesture: Some(gesture) });
        }
        let inside = text::counted(group.graph.count_layers() as u64, "layer");
        row(ui, "Inside", "Layers in one copy; its way in is none", |ui| ui.label(inside));
        if ui.button("Open group").on_hover_text("Show the layers inside (double click on the card)").clicked() {
            let mut path = cx.path.to_vec();
            path.push(node.id);
            out.push(UiCommand::OpenPath(path));
        }
    }

    /// Frozen or not, and how weights start.
    fn learning_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, node: &Node, out: &mut Vec<UiCommand>) {
        let has_weights = node.layer().is_none_or(crate::layers::LayerKind::has_weights);
        if !has_weights {
            return;
        }
        let mut frozen = !node.trainable;
        let help = "A frozen layer keeps its weights and statistics while training, and costs less memory.";
        if row(ui, "Frozen", help, |ui| flag(ui, &mut frozen, "Frozen", help)).changed() {
            let edit = Edit::SetTrainable { nodes: vec![node.id], trainable: !frozen };
            let gesture = new_gesture();
            let now = ui.input(|i| i.time);
            Effect::note(&mut self.effect, cx, Some(node.id), gesture, now);
            out.push(UiCommand::Edit { edit, path: None, gesture: Some(gesture) });
        }
        if node.layer().is_some() {
            let options = Init::ALL.map(|init| {
                let (name, _) = init.label().split_once(", ").unwrap_or((init.label(), ""));
                ChoiceOption { id: init.id(), label: name, help: init.label() }
            });
            let mut selected = Init::ALL.iter().position(|init| *init == node.init).unwrap_or(0);
            let help = "The rule by which its weights are drawn before training.";
            if row(ui, "Initial weights", help, |ui| choice(ui, "Initial weights", &options, &mut selected))
                && let Some(&init) = Init::ALL.get(selected)
            {
                out.push(UiCommand::edit(Edit::SetInit { node: node.id, init }));
            }
        }
    }
}

impl Inspector {
    fn several_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, nodes: &[&Node], out: &mut Vec<UiCommand>) {
        let tokens = Tokens::of(ui);
        ui.label(theme::strong(format!("{} layers", nodes.len())).size(size::FONT_HEADING).color(tokens.text_strong));
        let (mut params, mut macs, mut bytes, mut planned) = (0_u64, 0_u64, 0_u64, 0_u64);
        for cost in nodes.iter().filter_map(|node| cx.plan.node(cx.path, node.id)).map(|plan| cx.cost.node(plan)) {
            params = params.saturating_add(cost.params());
            macs = macs.saturating_add(cost.macs);
            bytes = bytes.saturating_add(cost.activation_bytes);
            planned = planned.saturating_add(cost.planned.total());
        }
        row(ui, "Parameters", "Sum over the selected layers", |ui| ui.label(text::count(params)));
        row(ui, "MACs", "Multiply-adds for one image", |ui| ui.label(text::count(macs)));
        row(ui, "Activations", "Bytes of their outputs for one image", |ui| {
            ui.label(format!("{} of one image", text::bytes(bytes)))
        });
        let share = planned as f64 / cx.cost.memory.training_planned_bytes.max(1) as f64 * 100.0;
        row(ui, "Planned RAM", "What they hold at the fullest moment of a training step", |ui| {
            ui.label(format!("{}, {share:.1} %", text::bytes(planned)))
        });
        let ids: Vec<NodeId> = nodes.iter().map(|node| node.id).collect();
        ui.add_space(size::STEP);
        ui.horizontal(|ui| {
            let is_frozen = nodes.iter().all(|node| !node.trainable);
            let label = if is_frozen { "Unfreeze" } else { "Freeze" };
            if ui
                .button(label)
                .on_hover_text("Frozen layers keep their weights and statistics while training")
                .clicked()
            {
                let gesture = new_gesture();
                Effect::note(&mut self.effect, cx, None, gesture, ui.input(|i| i.time));
                let edit = Edit::SetTrainable { nodes: ids.clone(), trainable: is_frozen };
                out.push(UiCommand::Edit { edit, path: None, gesture: Some(gesture) });
            }
            if ui.button("Delete").on_hover_text("What fed a layer then feeds what followed it (Del)").clicked() {
                out.push(UiCommand::edit(Edit::Remove { nodes: ids.clone() }));
            }
        });
        if let Some(effect) = &self.effect {
            effect.ui(ui, cx, None);
        }
    }
}

/// A finding as a banner with its fixes.
fn finding_ui(ui: &mut Ui, found: &Diagnostic, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    let frame = match found.severity {
        Severity::Error => tokens.banner(true),
        Severity::Warning => tokens.banner(false),
        Severity::Info => tokens.well(),
    };
    let colour = match found.severity {
        Severity::Error => tokens.error,
        Severity::Warning => tokens.warning,
        Severity::Info => tokens.text,
    };
    frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.label(RichText::new(&found.message).color(colour));
        if !found.fixes.is_empty() {
            ui.horizontal_wrapped(|ui| fix_buttons(ui, found, out));
        }
    });
}

/// A heading within the panel.
fn section(ui: &mut Ui, title: &str) {
    ui.add_space(size::STEP);
    ui.separator();
    ui.label(theme::strong(title).color(Tokens::of(ui).text_strong));
}
