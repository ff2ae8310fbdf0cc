//! Adding a layer by typing: a search at a place of the canvas that knows what fits there and what would come out.

use super::gestures::Target;
use super::scene::Scene;
use crate::graph::{Content, Edit, Graph, NodeId, Place};
use crate::layers::{About, Arity, Family, Layer, LayerKind as _};
use crate::op::{Lowering, Shape};
use crate::ui::theme::{Tokens, size};
use crate::ui::{PanelCx, UiCommand, icons, kit};
use egui::{Align2, Id, Key, Modifiers, Pos2, Rect, Role, Sense, TextEdit, Ui, Vec2, WidgetInfo, vec2};

/// Rows that are seen at once.
const ROWS: usize = 9;
/// Width of the search.
const WIDTH: f32 = 320.0;

/// Where the new layer goes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Where {
    /// At a place of the graph.
    Place(Place),
    /// Behind the selection, or behind the last layer.
    Selection,
    /// In front of a card that has no input yet.
    Before(NodeId),
}

/// A layer that can be added.
#[derive(Clone, Debug)]
struct Offer {
    about: &'static About,
    /// What would come out, or why it does not fit.
    result: Result<String, String>,
}

/// The open search.
#[derive(Clone, Debug)]
pub(super) struct AddSearch {
    at: Pos2,
    to: Where,
    /// The layer that would feed it.
    after: Option<NodeId>,
    hint: String,
    text: String,
    cursor: usize,
    offers: Vec<Offer>,
    is_new: bool,
}

impl AddSearch {
    /// A search at a point of the screen, for a place.
    pub(super) fn new(cx: &PanelCx<'_>, scene: &Scene, at: Pos2, to: Where) -> Self {
        let name = |id: NodeId| scene.card(id).map_or("", |card| card.name.as_str());
        let after = match &to {
            Where::Place(Place::After(id) | Place::Branch(id)) => Some(*id),
            Where::Place(Place::OnLink(link)) => Some(link.from),
            Where::Place(Place::Loose) | Where::Before(_) => None,
            Where::Selection => cx.selection.last().copied().or_else(|| last(cx.graph())),
        };
        let hint = match (&to, after) {
            (Where::Place(Place::OnLink(link)), _) => format!("Between {} and {}", name(link.from), name(link.to)),
            (Where::Place(Place::Branch(id)), _) => format!("Fed by {}", name(*id)),
            (Where::Before(id), _) => format!("To feed {}", name(*id)),
            (_, Some(id)) => format!("After {}", name(id)),
            (_, None) => "Beside the network".into(),
        };
        let shape = after.and_then(|id| cx.plan.output_shape(cx.path, id)).cloned();
        // What a port was dragged from takes only what fits; elsewhere the rest stands below.
        let is_strict = matches!(to, Where::Place(Place::Branch(_)));
        let mut offers: Vec<Offer> = Layer::all()
            .iter()
            .filter(|layer| after.is_none_or(|_| layer.arity() != Arity::Zero) || matches!(to, Where::Selection))
            .map(|layer| Offer { about: layer.about(), result: outcome(layer, shape.as_ref()) })
            .filter(|offer| !is_strict || offer.result.is_ok())
            .collect();
        let family = |about: &About| Family::ALL.iter().position(|family| *family == about.family);
        offers.sort_by_key(|offer| (offer.result.is_err(), family(offer.about)));
        Self { at, to, after, hint, text: String::new(), cursor: 0, offers, is_new: true }
    }

    /// A search where a layer dropped at this target would go.
    pub(super) fn at_target(cx: &PanelCx<'_>, scene: &Scene, at: Pos2, target: Option<Target>) -> Self {
        let to = match target.map(|target| target.place) {
            None | Some(Place::Loose) => Where::Selection,
            Some(place) => Where::Place(place),
        };
        Self::new(cx, scene, at, to)
    }

    /// Layers that match what was typed, names first.
    fn matches(&self) -> Vec<&Offer> {
        let words: Vec<String> = self.text.to_lowercase().split_whitespace().map(ToOwned::to_owned).collect();
        let found = |offer: &&Offer| {
            let about = offer.about;
            let text = format!("{} {} {} {}", about.name, about.id, about.family.label(), about.summary).to_lowercase();
            words.iter().all(|word| text.contains(word.as_str()))
        };
        let mut list: Vec<&Offer> = self.offers.iter().filter(found).collect();
        if let Some(first) = words.first() {
            list.sort_by_key(|offer| {
                let name = offer.about.name.to_lowercase();
                (!name.starts_with(first.as_str()), !name.contains(first.as_str()), offer.result.is_err())
            });
        }
        list
    }

    /// Draws it. Whether it stays open.
    pub(super) fn ui(&mut self, cx: &PanelCx<'_>, ui: &Ui, canvas: Rect, out: &mut Vec<UiCommand>) -> bool {
        let field = Id::unique("canvas-search");
        let is_typing = ui.memory(|memory| memory.has_focus(field));
        let count = self.matches().len();
        let (enter, branch, escape) = if is_typing {
            let (down, up) = ui.input_mut(|i| {
                (i.consume_key(Modifiers::NONE, Key::ArrowDown), i.consume_key(Modifiers::NONE, Key::ArrowUp))
            });
            self.cursor = self.cursor.saturating_add(usize::from(down)).saturating_sub(usize::from(up));
            ui.input_mut(|i| {
                let branch = i.consume_key(Modifiers::SHIFT, Key::Enter);
                (i.consume_key(Modifiers::NONE, Key::Enter), branch, i.key_pressed(Key::Escape))
            })
        } else {
            (false, false, false)
        };
        self.cursor = self.cursor.min(count.saturating_sub(1));
        let height = 84.0 + size::ROW * ROWS as f32;
        let low = canvas.max - vec2(WIDTH + 2.0 * size::MARGIN, height);
        let at = self.at.min(low).max(canvas.min + Vec2::splat(size::STEP));
        let mut chosen = None;
        let frame = egui::Frame::popup(ui.style()).inner_margin(egui::Margin::same(8));
        let area = egui::Area::new(Id::unique("canvas-search-area")).order(egui::Order::Foreground).fixed_pos(at);
        let shown = area.show(ui.ctx(), |ui| frame.show(ui, |ui| chosen = self.content_ui(ui, field, count)).inner);
        let is_new = std::mem::take(&mut self.is_new);
        let by_key = (enter || branch).then(|| self.matches().get(self.cursor).map(|offer| offer.about.id)).flatten();
        if let Some(kind) = chosen.or(by_key) {
            out.extend(self.command(kind, branch, cx));
            return false;
        }
        let elsewhere = ui.input(|i| i.pointer.any_pressed())
            && ui.input(|i| i.pointer.interact_pos()).is_some_and(|at| !shown.response.rect.contains(at));
        let is_used = is_typing || ui.memory(|memory| memory.has_focus(field));
        is_new || (is_used && !escape && !elsewhere)
    }

    /// Heading, field, rows. The kind that was clicked.
    fn content_ui(&mut self, ui: &mut Ui, field: Id, count: usize) -> Option<&'static str> {
        let tokens = Tokens::of(ui);
        ui.set_width(WIDTH);
        ui.label(egui::RichText::new(&self.hint).small().color(tokens.text_weak));
        let before = self.text.clone();
        let edit = TextEdit::singleline(&mut self.text).id(field).hint_text("Add a layer").desired_width(f32::INFINITY);
        let response = ui.add(edit).accessible_name("Add a layer");
        if self.is_new {
            response.request_focus();
        }
        if self.text != before {
            self.cursor = 0;
        }
        ui.add_space(size::HALF);
        let mut clicked = None;
        egui::ScrollArea::vertical().max_height(size::ROW * ROWS as f32).auto_shrink([false, true]).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            for (index, offer) in self.matches().into_iter().enumerate() {
                if offer_row(ui, offer, index == self.cursor, response.has_focus()) {
                    clicked = Some(offer.about.id);
                }
            }
            if count == 0 {
                let message = format!("No layer that fits here is called {:?}.", self.text.trim());
                ui.label(egui::RichText::new(message).color(tokens.text_weak));
            }
        });
        ui.add_space(size::HALF);
        let is_branch = matches!(self.to, Where::Place(Place::Branch(_)));
        let keys = if self.after.is_some() && !is_branch {
            "Enter adds · Shift+Enter as a branch · Esc closes"
        } else {
            "Enter adds · Esc closes"
        };
        ui.label(egui::RichText::new(keys).small().color(tokens.text_weak));
        clicked
    }

    fn command(&self, kind: &str, as_branch: bool, cx: &PanelCx<'_>) -> Option<UiCommand> {
        let content = Box::new(Content::Layer(Layer::from_id(kind)?));
        let place = match (&self.to, self.after) {
            (_, Some(after)) if as_branch => Place::Branch(after),
            (Where::Selection, _) => return Some(UiCommand::AddAfterSelection(content)),
            (Where::Place(place), _) => place.clone(),
            (Where::Before(to), _) => {
                let from = cx.graph().fresh_id();
                let insert = Edit::Insert { content, place: Place::Loose };
                let connect = Edit::Connect { from, to: *to, port: None };
                return Some(UiCommand::edit(Edit::All(vec![insert, connect])));
            }
        };
        Some(UiCommand::edit(Edit::Insert { content, place }))
    }
}

/// The last layer, behind which a new one goes if nothing is selected.
fn last(graph: &Graph) -> Option<NodeId> {
    let (order, _) = graph.topological();
    let nodes = order.into_iter().rev().filter_map(|at| graph.nodes.get(at));
    nodes.map(|node| node.id).find(|id| !graph.links.iter().any(|link| link.from == *id))
}

/// What a layer with its defaults makes of a shape; of two such shapes, if it joins several.
fn outcome(layer: &Layer, shape: Option<&Shape>) -> Result<String, String> {
    let Some(shape) = shape.filter(|_| layer.arity() != Arity::Zero) else { return Ok(String::new()) };
    let mut lowering = Lowering::new();
    let count = if layer.arity() == Arity::Many { 2 } else { 1 };
    let inputs: Result<Vec<_>, _> = (0..count).map(|_| lowering.input("input", shape.clone())).collect();
    let output = inputs.and_then(|inputs| layer.lower(&mut lowering, &inputs)).map_err(|error| error.to_string())?;
    let out = lowering.shape(output).to_string();
    Ok(if count == 2 { "needs another link".into() } else { out })
}

fn offer_row(ui: &mut Ui, offer: &Offer, is_current: bool, follows: bool) -> bool {
    let tokens = Tokens::of(ui);
    let about = offer.about;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::ROW), Sense::CLICK);
    let (note, fits) = match &offer.result {
        Ok(shape) => (shape.as_str(), true),
        Err(_) => ("does not fit", false),
    };
    response.widget_info(|| {
        WidgetInfo::selected(Role::ListBoxOption, true, is_current, format!("Add {}, {note}", about.name))
    });
    if is_current && follows {
        response.scroll_to_me(None);
    }
    if ui.is_rect_visible(rect) {
        kit::fill_choice(ui, rect, is_current, response.hovered());
        let (tint, text) =
            if fits { (tokens.family(about.family), tokens.text) } else { (tokens.text_weak, tokens.text_weak) };
        let square = Rect::from_center_size(rect.left_center() + vec2(14.0, 0.0), Vec2::splat(size::ICON));
        icons::paint(ui.painter(), about.id, square, tint);
        let right = rect.right_center() - vec2(8.0, 0.0);
        let weak = tokens.text_weak;
        let taken = super::write(ui.painter(), right, Align2::RIGHT_CENTER, note, size::FONT_SMALL, weak, 150.0, false);
        let room = rect.width() - 48.0 - taken;
        let left = rect.left_center() + vec2(30.0, 0.0);
        super::write(ui.painter(), left, Align2::LEFT_CENTER, about.name, size::FONT_BODY, text, room, false);
    }
    let hover = match &offer.result {
        Ok(_) => about.summary,
        Err(why) => why,
    };
    response.on_hover_text(hover).clicked()
}
