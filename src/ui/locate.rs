//! Every layer of a network by name, also inside groups: what the command palette and Find look through, and the small bar of
//! Find itself. Knows documents; changes none.

use super::UiCommand;
use super::theme::{Tokens, size};
use super::{fuzzy, icons};
use crate::graph::{Content, Document, Graph, NodeId};
use egui::{Align2, Area, Id, Key, Order, RichText, TextEdit, vec2};

/// One layer and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Groups to open, from the outside in.
    pub(super) path: Vec<NodeId>,
    pub(super) id: NodeId,
    /// Names of the groups and its own: `stage1.conv2`.
    pub(super) name: String,
    /// Name of its kind.
    pub(super) kind: String,
    /// Id of its icon.
    pub(super) icon: &'static str,
}

/// All layers in stored order, each group before what is in it.
pub(super) fn places(document: &Document) -> Vec<Place> {
    fn walk(graph: &Graph, path: &mut Vec<NodeId>, outer: &str, into: &mut Vec<Place>) {
        for node in &graph.nodes {
            let name = if outer.is_empty() { node.name.clone() } else { format!("{outer}.{}", node.name) };
            let icon = node.content.about().map_or("group", |about| about.id);
            let kind = node.content.kind_name().to_owned();
            into.push(Place { path: path.clone(), id: node.id, name: name.clone(), kind, icon });
            if let Content::Group(group) = &node.content {
                path.push(node.id);
                walk(&group.graph, path, &name, into);
                path.pop();
            }
        }
    }
    let mut list = Vec::new();
    walk(&document.graph, &mut Vec::new(), "", &mut list);
    list
}

/// The bar of Find.
#[derive(Debug, Default)]
pub(super) struct Find {
    is_open: bool,
    wants_focus: bool,
    has_keyboard: bool,
    query: String,
    /// Which of the matches is shown.
    at: usize,
    /// What was looked through: revision and query.
    key: Option<(u64, String)>,
    matches: Vec<Place>,
}

impl Find {
    /// Opens the bar, or goes back to it.
    pub(super) fn open(&mut self) {
        self.is_open = true;
        self.wants_focus = true;
    }

    /// Whether Escape is meant for the bar.
    pub(super) fn has_keyboard(&self) -> bool {
        self.is_open && self.has_keyboard
    }

    pub(super) fn close(&mut self) {
        self.is_open = false;
    }

    /// Goes to the next match, round and round.
    pub(super) fn next(&mut self, document: &Document, revision: u64, back: bool) -> Option<UiCommand> {
        self.update(document, revision);
        let count = self.matches.len();
        if count == 0 {
            self.open();
            return None;
        }
        self.at = if back { (self.at + count - 1) % count } else { (self.at + 1) % count };
        self.reveal()
    }

    fn reveal(&self) -> Option<UiCommand> {
        let place = self.matches.get(self.at)?;
        Some(UiCommand::Reveal { path: place.path.clone(), node: Some(place.id), link: None })
    }

    /// Looks again if the query or the network is another; whether it was.
    fn update(&mut self, document: &Document, revision: u64) -> bool {
        let key = (revision, self.query.clone());
        if self.key.as_ref() == Some(&key) {
            return false;
        }
        self.key = Some(key);
        self.matches = if self.query.trim().is_empty() { Vec::new() } else { matches(document, &self.query) };
        true
    }

    /// Shows the bar over the window.
    pub(super) fn ui(&mut self, ctx: &egui::Context, document: &Document, revision: u64, out: &mut Vec<UiCommand>) {
        if !self.is_open {
            return;
        }
        let top = size::TOOLBAR + size::TABS + size::STEP * 1.5;
        let area = Area::new(Id::unique("find")).order(Order::Foreground).anchor(Align2::CENTER_TOP, vec2(0.0, top));
        area.show(ctx, |ui| {
            egui::Frame::popup(ui.style()).inner_margin(egui::Margin::same(8)).show(ui, |ui| {
                ui.horizontal(|ui| self.bar_ui(ui, document, revision, out));
            });
        });
    }

    fn bar_ui(&mut self, ui: &mut egui::Ui, document: &Document, revision: u64, out: &mut Vec<UiCommand>) {
        let tokens = Tokens::of(ui);
        icons::show(ui, "search", size::ICON, tokens.text_weak);
        let edit = TextEdit::singleline(&mut self.query).hint_text("Find a layer").desired_width(220.0);
        let edit = ui
            .add(edit)
            .on_hover_text("Name or kind of a layer, also inside groups. Enter or F3 shows the next one")
            .accessible_name("Find a layer");
        if std::mem::take(&mut self.wants_focus) {
            edit.request_focus();
        }
        if self.update(document, revision) && edit.changed() {
            self.at = 0;
            out.extend(self.reveal());
        }
        self.has_keyboard = edit.has_focus();
        let (enter, shift) = ui.input(|i| (i.key_pressed(Key::Enter), i.modifiers.shift));
        if edit.lost_focus() && enter {
            out.extend(self.next(document, revision, shift));
            edit.request_focus();
        }
        let words = match (self.query.trim().is_empty(), self.matches.len()) {
            (true, _) => String::new(),
            (false, 0) => "none".into(),
            (false, count) => format!("{} of {count}", self.at + 1),
        };
        ui.add_sized(vec2(56.0, size::ROW), egui::Label::new(RichText::new(words).small().color(tokens.text_weak)));
        let previous = ui.button("Previous").on_hover_text("Show the match before (Shift+Enter)");
        if previous.clicked() {
            out.extend(self.next(document, revision, true));
        }
        if ui.button("Next").on_hover_text("Show the next match (Enter, F3)").clicked() {
            out.extend(self.next(document, revision, false));
        }
        let close = ui.button("×");
        close.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, "Close find"));
        if close.on_hover_text("Close (Esc)").clicked() {
            self.close();
        }
    }
}

/// Layers whose name or kind fits, in the order of the network. Letters in a row count; where there are such, scattered ones
/// do not.
fn matches(document: &Document, query: &str) -> Vec<Place> {
    let all = places(document);
    let text = |place: &Place| format!("{} {}", place.name, place.kind).to_lowercase();
    let words: Vec<String> = query.to_lowercase().split_whitespace().map(ToOwned::to_owned).collect();
    let plain: Vec<Place> =
        all.iter().filter(|place| words.iter().all(|word| text(place).contains(word))).cloned().collect();
    if plain.is_empty() {
        return all.into_iter().filter(|place| fuzzy::fit(query, &text(place)).is_some()).collect();
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_found_by_name_and_kind_also_inside_groups() {
        let document = crate::presets::find("resnet-mini").unwrap();
        let inside = places(&document).into_iter().find(|place| !place.path.is_empty()).unwrap();
        assert!(inside.name.contains('.'));
        assert!(matches(&document, &inside.name).contains(&inside));
        let convolutions = matches(&document, "conv2d");
        assert!(!convolutions.is_empty() && convolutions.iter().all(|place| place.kind == "Conv2D"));
    }
}
