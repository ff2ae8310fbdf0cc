//! What is on the canvas, made ready for painting: texts, places and wires of the open graph. Rebuilt only when the document
//! changes. Knows neither pointer nor painter.

use super::view::rect_of;
use super::volume::{Scale, Volume};
use super::wires::Wire;
use crate::graph::{Content, Link, NodeId};
use crate::layers::{Arity, Family};
use crate::plan::{Diagnostic, Gap, Severity};
use crate::text;
use crate::ui::PanelCx;
use egui::{Pos2, Rect, Vec2, pos2};
use std::collections::HashMap;

/// The figures of a card as numbers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    /// What it holds of the planned bytes for training.
    pub(super) planned_bytes: u64,
    /// Its share of the textbook's bytes for training.
    pub(super) ram_bytes: f64,
    pub(super) params: u64,
    pub(super) macs: u64,
    /// Longer side of what one output value sees.
    pub(super) field_px: u64,
    /// Time of one step, if it was measured.
    pub(super) millis: Option<f64>,
}

/// One card.
#[derive(Clone, Debug)]
pub(super) struct CardView {
    pub(super) id: NodeId,
    /// Where it is seen in the drawing; on its way to its place while the drawing changes.
    pub(super) rect: Rect,
    /// Its place in the drawing.
    pub(super) home: Rect,
    pub(super) name: String,
    pub(super) kind: String,
    /// Icon id.
    pub(super) icon: String,
    pub(super) family: Family,
    /// "14 × 14 × 6", or a dash.
    pub(super) shape: String,
    /// "2,416 params", or nothing.
    pub(super) params: String,
    /// Share of the network's planned RAM.
    pub(super) ram_share: f32,
    pub(super) figures: Figures,
    /// What it gives, as a picture.
    pub(super) volume: Option<Volume>,
    pub(super) is_frozen: bool,
    /// Left out: what enters leaves unchanged.
    pub(super) is_bypassed: bool,
    pub(super) is_group: bool,
    /// Copies, if more than one.
    pub(super) repeat: Option<u32>,
    pub(super) arity: Arity,
    pub(super) links_in: usize,
    pub(super) links_out: usize,
    /// Findings, worst first.
    pub(super) findings: Vec<Diagnostic>,
    /// What a screen reader says.
    pub(super) label: String,
}

impl CardView {
    /// The worst finding that is worth a mark.
    pub(super) fn worst(&self) -> Option<&Diagnostic> {
        self.findings.first().filter(|found| found.severity >= Severity::Warning)
    }

    pub(super) fn has_error(&self) -> bool {
        self.findings.first().is_some_and(|found| found.severity == Severity::Error)
    }

    /// The ends at which a wire is missing, and how bad that is.
    pub(super) fn gaps(&self) -> impl Iterator<Item = (Gap, Severity)> {
        let bad =
            self.findings.iter().filter(|found| found.severity >= Severity::Warning && found.node == Some(self.id));
        bad.filter_map(|found| found.gap.map(|gap| (gap, found.severity)))
    }

    /// Where wires leave.
    pub(super) fn output(&self) -> Pos2 {
        self.rect.center_bottom()
    }
}

/// What a scene was made of: address and revision of the document, open groups, measurement.
type Key = (usize, u64, Vec<NodeId>, Option<u64>);

/// Everything on the canvas.
#[derive(Clone, Debug, Default)]
pub(super) struct Scene {
    key: Option<Key>,
    pub(super) name: String,
    pub(super) cards: Vec<CardView>,
    pub(super) wires: Vec<Wire>,
    /// Left edge of the strip of loose parts.
    pub(super) loose_x: Option<f32>,
    /// Findings about the network as a whole.
    pub(super) whole: Vec<Diagnostic>,
    /// Findings about wires of the open graph, worst first.
    pub(super) on_wires: Vec<Diagnostic>,
    index: HashMap<NodeId, usize>,
}

impl Scene {
    /// The scene of a document, if it is another than this.
    pub(super) fn renewed(&self, cx: &PanelCx<'_>) -> Option<Self> {
        let measured = cx.times.result.as_ref().map(|times| times.report.id);
        let key = (std::ptr::from_ref(cx.document).addr(), cx.revision, cx.path.to_vec(), measured);
        (self.key.as_ref() != Some(&key)).then(|| Self { key: Some(key), ..Self::new(cx) })
    }

    fn new(cx: &PanelCx<'_>) -> Self {
        let graph = cx.graph();
        let (mut links_in, mut links_out): (HashMap<NodeId, usize>, HashMap<NodeId, usize>) = Default::default();
        for link in &graph.links {
            *links_in.entry(link.to).or_default() += 1;
            *links_out.entry(link.from).or_default() += 1;
        }
        let mut findings: HashMap<NodeId, Vec<Diagnostic>> = HashMap::new();
        let mut whole = Vec::new();
        let mut on_wires: Vec<Diagnostic> = Vec::new();
        for found in &cx.plan.diagnostics {
            if !found.path.starts_with(cx.path) {
                continue;
            }
            if found.path.len() == cx.path.len() && found.link.is_some() && found.severity >= Severity::Warning {
                on_wires.push(found.clone());
            }
            // A finding inside a group shows on the group's card.
            match found.path.get(cx.path.len()).copied().or(found.node) {
                Some(node) => findings.entry(node).or_default().push(found.clone()),
                None => whole.push(found.clone()),
            }
        }
        on_wires.sort_by_key(|found| std::cmp::Reverse(found.severity));
        let worst = |link: Link| on_wires.iter().find(|found| found.link == Some(link)).map(|found| found.severity);
        let wires = cx.layout.routes.iter().map(|route| Wire::new(route, worst(route.link))).collect();
        let (name, loose_x) = (cx.document.name.clone(), cx.layout.loose_x);
        let mut scene = Self { name, wires, loose_x, whole, on_wires, ..Self::default() };
        let mut scale = Scale::default();
        let shapes = graph.nodes.iter().filter_map(|node| cx.plan.output_shape(cx.path, node.id));
        shapes.for_each(|shape| scale.include(shape));
        let training_bytes = cx.cost.memory.training_textbook_bytes as f64;
        for node in &graph.nodes {
            let Some(card) = cx.layout.card(node.id) else { continue };
            let plan = cx.plan.node(cx.path, node.id);
            let given = cx.plan.output_shape(cx.path, node.id);
            let shape = given.map(ToString::to_string);
            let cost = plan.map(|plan| cx.cost.node(plan)).unwrap_or_default();
            let mut findings = findings.remove(&node.id).unwrap_or_default();
            findings.sort_by_key(|found| std::cmp::Reverse(found.severity));
            let (icon, family) = match node.content.about() {
                Some(about) => (about.id, about.family),
                None => (if matches!(node.content, Content::Group(_)) { "group" } else { "unknown" }, Family::Block),
            };
            let repeat = match &node.content {
                Content::Group(group) if group.repeat > 1 => Some(group.repeat),
                Content::Group(_) | Content::Layer(_) | Content::Unknown { .. } => None,
            };
            let kind = node.content.kind_name();
            let mut label = format!("{}, {kind}", node.name);
            if let Some(shape) = &shape {
                label += &format!(", {shape}, {} parameters", text::count(cost.params()));
            }
            if let Some(copies) = repeat {
                label += &format!(", {copies} copies");
            }
            if !node.trainable {
                label += ", frozen";
            }
            if node.bypassed {
                label += ", bypassed";
            }
            if let Some(found) = findings.first().filter(|found| found.severity == Severity::Error) {
                label += &format!(", error: {}", found.message);
            }
            scene.index.insert(node.id, scene.cards.len());
            scene.cards.push(CardView {
                id: node.id,
                rect: rect_of(card),
                home: rect_of(card),
                name: node.name.clone(),
                kind: kind.to_owned(),
                icon: icon.to_owned(),
                family,
                shape: shape.unwrap_or_else(|| "–".into()),
                params: if node.bypassed {
                    "bypassed".into()
                } else if cost.params() > 0 {
                    format!("{} params", text::count(cost.params()))
                } else {
                    String::new()
                },
                #[expect(clippy::cast_possible_truncation, reason = "a share for a bar")]
                ram_share: cost.planned_share as f32,
                figures: Figures {
                    planned_bytes: cost.planned.total(),
                    ram_bytes: cost.ram_share * training_bytes,
                    params: cost.params(),
                    macs: cost.macs,
                    field_px: cost.field.seen().into_iter().max().unwrap_or(0),
                    millis: cx.times.result.as_ref().and_then(|times| times.millis(&cx.name_path(node.id)?)),
                },
                volume: given.map(|shape| scale.volume(shape)),
                is_frozen: !node.trainable,
                is_bypassed: node.bypassed,
                is_group: matches!(node.content, Content::Group(_)),
                repeat,
                arity: node.content.arity(),
                links_in: links_in.get(&node.id).copied().unwrap_or(0),
                links_out: links_out.get(&node.id).copied().unwrap_or(0),
                findings,
                label,
            });
        }
        scene
    }

    pub(super) fn card(&self, id: NodeId) -> Option<&CardView> {
        self.index.get(&id).and_then(|&at| self.cards.get(at))
    }

    /// What is wrong with a wire.
    pub(super) fn findings_on(&self, link: Link) -> impl Iterator<Item = &Diagnostic> {
        self.on_wires.iter().filter(move |found| found.link == Some(link))
    }

    /// Where everything is; `None` if there is nothing.
    pub(super) fn bounds(&self, only: &[NodeId]) -> Option<Rect> {
        self.cards
            .iter()
            .filter(|card| only.is_empty() || only.contains(&card.id))
            .map(|card| card.home)
            .reduce(Rect::union)
    }

    /// The topmost of some cards, or of all.
    pub(super) fn first(&self, only: &[NodeId]) -> Option<Rect> {
        let cards = self.cards.iter().filter(|card| only.is_empty() || only.contains(&card.id));
        cards.map(|card| card.home).min_by(|a, b| a.top().total_cmp(&b.top()))
    }

    /// Shows every card off its place, and the wires with it.
    pub(super) fn displace(&mut self, offset: impl Fn(NodeId) -> Vec2) {
        for card in &mut self.cards {
            card.rect = card.home.translate(offset(card.id));
        }
        for wire in &mut self.wires {
            wire.displace(offset(wire.link.from), offset(wire.link.to));
        }
    }

    /// The card at a point of the drawing.
    pub(super) fn card_at(&self, at: Pos2) -> Option<&CardView> {
        self.cards.iter().find(|card| card.rect.contains(at))
    }

    /// The last card whose free space below holds the point: a drop there goes behind it.
    pub(super) fn tail_at(&self, at: Pos2) -> Option<&CardView> {
        self.cards.iter().filter(|card| card.links_out == 0).find(|card| {
            let below =
                Rect::from_min_max(card.rect.left_bottom(), pos2(card.rect.right(), card.rect.bottom() + 110.0));
            below.contains(at)
        })
    }

    /// The wire nearest to a point, within `reach`.
    pub(super) fn wire_at(&self, at: Pos2, reach: f32) -> Option<&Wire> {
        self.wires
            .iter()
            .filter_map(|wire| wire.distance(at, reach).map(|distance| (distance, wire)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, wire)| wire)
    }

    /// How far the drawing moved from `before` to here, measured at the highest card that both have. `None` if they show
    /// different networks.
    pub(super) fn moved_from(&self, before: &Self) -> Option<egui::Vec2> {
        let (Some(a), Some(b)) = (&self.key, &before.key) else { return None };
        let common: Vec<(&CardView, &CardView)> =
            before.cards.iter().filter_map(|old| self.card(old.id).map(|new| (old, new))).collect();
        let most = self.cards.len().max(before.cards.len());
        let same_names = common.iter().filter(|(old, new)| old.name == new.name).count();
        if a.2 != b.2 || same_names * 2 < most {
            return None;
        }
        let is_rename = self.name == before.name || same_names == most;
        let highest = common.iter().min_by(|a, b| a.0.home.top().total_cmp(&b.0.home.top()))?;
        is_rename.then(|| highest.1.home.min - highest.0.home.min)
    }
}
