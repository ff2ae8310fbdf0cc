//! What a change in progress does to the figures: the old ones beside the new ones, for as long as they are news.

use super::PanelCx;
use super::theme::Tokens;
use super::why::{Figure, Layer};
use crate::graph::NodeId;
use crate::text;
use egui::{RichText, Ui};

/// Seconds for which the effect of a change stays after it.
const STAY: f64 = 6.0;

/// The figures as they were before a change.
#[derive(Clone, Debug)]
pub(super) struct Effect {
    /// The layer that is changed; none if it is a setting of the network.
    node: Option<NodeId>,
    gesture: u64,
    before: Figures,
    changed_at: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Figures {
    output: String,
    params: u64,
    macs: u64,
    trained: u64,
    planned: u64,
    textbook: u64,
}

impl Figures {
    fn now(cx: &PanelCx<'_>, node: Option<NodeId>) -> Option<Self> {
        let memory = &cx.cost.memory;
        let network = Self {
            trained: cx.cost.totals.trainable,
            planned: memory.training_planned_bytes,
            textbook: memory.training_textbook_bytes,
            ..Self::default()
        };
        let Some(node) = node else { return Some(network) };
        let layer = Layer::of(cx, node)?;
        Some(Self {
            output: layer.value(Figure::Output),
            params: layer.cost().params(),
            macs: layer.cost().macs,
            ..network
        })
    }
}

impl Effect {
    /// Notes a change that is asked for but not made yet; `effect` goes on if it is of the same gesture.
    pub(super) fn note(effect: &mut Option<Self>, cx: &PanelCx<'_>, node: Option<NodeId>, gesture: u64, now: f64) {
        match effect {
            Some(effect) if effect.gesture == gesture && effect.node == node => effect.changed_at = now,
            effect => {
                *effect = Figures::now(cx, node).map(|before| Self { node, gesture, before, changed_at: now });
            }
        }
    }

    /// The figures as they are now, if they are others and that is still news.
    fn news(&self, ui: &Ui, cx: &PanelCx<'_>, node: Option<NodeId>) -> Option<Figures> {
        let age = ui.input(|i| i.time) - self.changed_at;
        let now = Figures::now(cx, node).filter(|now| node == self.node && age < STAY && *now != self.before)?;
        ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64((STAY - age).max(0.1)));
        Some(now)
    }

    /// The planned and the textbook's bytes of training before a change of the network's settings, while that is news.
    pub(super) fn old_bytes(&self, ui: &Ui, cx: &PanelCx<'_>) -> Option<[u64; 2]> {
        self.news(ui, cx, None).map(|_| [self.before.planned, self.before.textbook])
    }

    /// A change of the network's settings in one line: "RAM 10.40 MB → 20.12 MB (+9.72 MB)".
    pub(super) fn in_words(&self, ui: &Ui, cx: &PanelCx<'_>) -> Option<String> {
        let (old, new) = (self.before.planned, self.news(ui, cx, None)?.planned);
        Some(format!("Planned RAM {} → {} ({})", text::bytes(old), text::bytes(new), signed(old, new, text::bytes)))
    }

    /// Shows old and new of a layer, or of the network, side by side, for as long as they are news.
    pub(super) fn ui(&self, ui: &mut Ui, cx: &PanelCx<'_>, node: Option<NodeId>) {
        let Some(now) = self.news(ui, cx, node) else { return };
        let tokens = Tokens::of(ui);
        tokens.well().inner_margin(8).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 2.0;
            let before = &self.before;
            line(ui, "Output", &before.output, &now.output, "");
            let mut number = |label: &str, old: u64, new: u64, text: fn(u64) -> String| {
                line(ui, label, &text(old), &text(new), &signed(old, new, text));
            };
            number("Parameters", before.params, now.params, text::count);
            number("MACs", before.macs, now.macs, text::count);
            // Filters change what is trained as they change the parameters: said once.
            if before.params == now.params {
                number("Trained parameters", before.trained, now.trained, text::count);
            }
            number("Planned RAM of the network", before.planned, now.planned, text::bytes);
        });
    }
}

fn line(ui: &mut Ui, label: &str, old: &str, new: &str, change: &str) {
    if old == new {
        return;
    }
    let tokens = Tokens::of(ui);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        ui.label(RichText::new(label).small().color(tokens.text_weak));
        ui.label(RichText::new(format!("{old} →")).color(tokens.text_weak));
        ui.label(RichText::new(new).color(tokens.text_strong));
        ui.label(RichText::new(change).small().color(tokens.accent));
    });
}

/// The difference with its sign: "+2,800", "−6.00 MB".
fn signed(old: u64, new: u64, text: fn(u64) -> String) -> String {
    let sign = if new < old { "−" } else { "+" };
    format!("{sign}{}", text(new.abs_diff(old)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_says_which_way_it_goes() {
        assert_eq!(signed(2_800, 5_600, text::count), "+2,800");
        assert_eq!(signed(9_000_000, 3_000_000, text::bytes), "−6.00 MB");
    }
}
