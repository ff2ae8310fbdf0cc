//! What would make training need less memory: each change with the planner's figure before and after it, made by one click.

use super::theme::{Tokens, size};
use super::{PanelCx, UiCommand, kit};
use crate::op::Op;
use crate::plan::{CostSettings, Saving, SavingKind, savings};
use crate::text;
use egui::{Align, Layout, RichText, Ui};

/// Ops from which on the figures wait until a change has ended: each saving plans the network anew.
const MANY: usize = 400;
/// How long a network must stay as it is for that, in seconds.
const QUIET: f64 = 0.25;

/// Bytes of the unit that a target is typed in.
const GB: f64 = 1e9;

/// A change in its place in the list.
#[derive(Debug)]
struct Slot {
    /// With the figures of the document as it is, or as it was when the change was made.
    saving: Saving,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A click makes it.
    Offered,
    /// The document is as it makes it.
    Made,
    /// It saves nothing any more, or does not fit any more.
    Useless,
}

/// The list, reckoned once for each state of the document. While changes of the list itself are made, every row stays where
/// it is: the next click must not meet another one.
#[derive(Debug, Default)]
pub(super) struct Savings {
    of: Option<Key>,
    seen: Option<Key>,
    seen_at: f64,
    slots: Vec<Slot>,
    /// Places of the changes made here, the last one last: only that one can be undone.
    made: Vec<usize>,
    /// A change made or undone here is on its way: the document's revision before it.
    pending: Option<u64>,
    /// The document's revision behind the last change made here.
    revision: u64,
    /// The frame in which the list was drawn last.
    drawn: u64,
    /// What a step should fit into; 0 if nothing is asked.
    target_gb: f64,
    /// To be scrolled to.
    pub(super) is_wanted: bool,
}

/// What the list is reckoned for.
type Key = (u64, CostSettings, u64);

impl Savings {
    /// Draws it.
    pub(super) fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.update(cx, ui);
        let title = kit::title(ui, "Reduce memory");
        if std::mem::take(&mut self.is_wanted) {
            title.scroll_to_me(Some(Align::Min));
        }
        if let Some(problem) = cx.plan.training_problem() {
            problem_ui(cx, ui, &problem, out);
        }
        if self.slots.is_empty() {
            let words = if cx.plan.program.ops.is_empty() {
                "Nothing is planned yet."
            } else {
                "Nothing here would make it less: the batch is one image, and little else is held."
            };
            kit::weak(ui, words);
            return;
        }
        kit::weak(ui, "Each by itself, as planned. A click makes the change; it can be undone.");
        self.target_ui(ui);
        let has_batch_norm = cx.plan.program.ops.iter().any(|op| matches!(op.op, Op::BatchNorm { .. }));
        for (heading, same) in [("Learns the same", true), ("Changes the network or how it learns", false)] {
            let slots = self.slots.iter().enumerate().filter(|(_, slot)| slot.saving.learns_the_same == same);
            let slots: Vec<usize> = slots.map(|(at, _)| at).collect();
            if slots.is_empty() {
                continue;
            }
            ui.add_space(size::HALF);
            ui.label(super::theme::strong(heading).color(Tokens::of(ui).text));
            ui.add_space(size::HALF);
            for at in slots {
                ui.push_id(("saving", at), |ui| self.row_ui(cx, ui, at, has_batch_norm, out));
                ui.add_space(size::HALF);
            }
        }
    }

    /// What a step should fit into.
    fn target_ui(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            let hover =
                "Marks what brings a training step under this many GB (10⁹ bytes), and looks for a batch that does";
            ui.label(RichText::new("Fit into").color(Tokens::of(ui).text)).on_hover_text(hover);
            let field = egui::DragValue::new(&mut self.target_gb).range(0.0..=10_000.0).speed(0.05).max_decimals(2);
            let field = field.custom_formatter(|gb, _| if gb > 0.0 { format!("{gb:.2}") } else { "any".into() });
            let field = field.custom_parser(|text| text.trim().parse().ok().or((text.trim() == "any").then_some(0.0)));
            let field = ui.add(field.suffix(" GB")).on_hover_text(hover).accessible_name("Fit into");
            super::fields::take_focus(&field, "Fit into");
        });
    }

    fn target(&self) -> Option<u64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive; `as` saturates")]
        (self.target_gb > 0.0).then_some((self.target_gb * GB) as u64)
    }

    fn row_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, at: usize, has_batch_norm: bool, out: &mut Vec<UiCommand>) {
        let tokens = Tokens::of(ui);
        let Some(Slot { saving, state }) = self.slots.get(at) else { return };
        let (title, consequence) = words(&saving.kind, has_batch_norm);
        let (before, after) = (text::bytes(saving.before), text::bytes(saving.after));
        let percent = (1.0 - saving.after as f64 / saving.before.max(1) as f64) * 100.0;
        let fits = self.target().map(|target| saving.after <= target);
        let can_undo = self.made.last() == Some(&at) && self.pending.is_none() && self.revision == cx.revision;
        let (mut apply, mut undo) = (false, false);
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
                let named = |button: egui::Response, name: String| {
                    button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, button.enabled(), &name));
                    button.clicked()
                };
                let width = egui::vec2(52.0, 0.0);
                match state {
                    State::Offered => {
                        let hover = format!("{title}: {before} → {after}");
                        let button = ui.add(egui::Button::new("Apply").min_size(width)).on_hover_text(hover);
                        apply = named(button, format!("Apply {title}: {before} → {after}"));
                    }
                    State::Made => {
                        let button = ui.add_enabled(can_undo, egui::Button::new("Undo").min_size(width));
                        let button = button
                            .on_hover_text("Take this change back")
                            .on_disabled_hover_text("Other changes came after it: undo those first (Ctrl+Z)");
                        undo = named(button, format!("Undo {title}"));
                    }
                    State::Useless => {
                        ui.add_space(width.x + ui.spacing().item_spacing.x);
                    }
                }
                ui.with_layout(Layout::top_down(Align::Min), |ui| {
                    ui.spacing_mut().item_spacing.y = 1.0;
                    let is_useless = *state == State::Useless;
                    let color = if is_useless { tokens.text_weak } else { tokens.text_strong };
                    ui.label(RichText::new(&title).color(color));
                    ui.horizontal_wrapped(|ui| {
                        ui.spacing_mut().item_spacing.x = 4.0;
                        if is_useless {
                            ui.label(RichText::new("Nothing more to save here").color(tokens.text_weak));
                            return;
                        }
                        if *state == State::Made {
                            ui.label(RichText::new("Done:").color(tokens.ok));
                        }
                        ui.label(RichText::new(kit::unbroken(&format!("{before} →"))).color(tokens.text_weak));
                        ui.label(RichText::new(kit::unbroken(&after)).color(tokens.text_strong));
                        ui.label(RichText::new(format!("−{percent:.0}\u{a0}%")).small().color(tokens.ok));
                        if fits == Some(true) {
                            ui.label(RichText::new("fits").small().color(tokens.ok));
                        }
                    });
                    ui.label(RichText::new(consequence).small().color(tokens.text_weak));
                });
            });
        });
        if apply {
            let (edit, path) = (saving.edit.clone(), Some(saving.path.clone()));
            out.push(UiCommand::Edit { edit, path, gesture: None });
            if self.revision != cx.revision {
                self.made.clear();
            }
            self.made.push(at);
            self.pending = Some(cx.revision);
        }
        if undo {
            out.push(UiCommand::Undo);
            self.made.pop();
            self.pending = Some(cx.revision);
        }
    }

    fn update(&mut self, cx: &PanelCx<'_>, ui: &Ui) {
        let key = (cx.revision, cx.cost.settings, self.target().unwrap_or(0));
        let now = ui.input(|i| i.time);
        // Left and come back to: the list is put in order anew.
        let frame = ui.ctx().cumulative_frame_nr();
        let is_back = frame > self.drawn + 1;
        self.drawn = frame;
        if is_back {
            self.slots.clear();
            self.made.clear();
            (self.of, self.pending) = (None, None);
        }
        if self.pending.is_some_and(|before| before != cx.revision) {
            (self.pending, self.revision) = (None, cx.revision);
        } else if self.pending.is_none() && self.revision != cx.revision {
            // Someone else changed the document.
            self.made.clear();
        }
        if self.seen != Some(key) {
            (self.seen, self.seen_at) = (Some(key), now);
        }
        if self.of == Some(key) {
            return;
        }
        if !is_back && cx.plan.program.ops.len() > MANY && now - self.seen_at < QUIET {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(QUIET));
            return;
        }
        self.of = Some(key);
        let found = savings(cx.document, cx.cost.settings, self.target());
        if self.revision == cx.revision {
            self.renew(cx, &found);
        } else {
            let slot = |saving| Slot { saving, state: State::Offered };
            self.slots = found.into_iter().map(slot).collect();
        }
    }

    /// New figures in the old places.
    fn renew(&mut self, cx: &PanelCx<'_>, found: &[Saving]) {
        for slot in &mut self.slots {
            let now = found.iter().find(|saving| saving.is_like(&slot.saving));
            slot.state = match now {
                _ if slot.saving.is_made(cx.document) => State::Made,
                Some(now) => {
                    slot.saving = now.clone();
                    State::Offered
                }
                None => State::Useless,
            };
        }
        // A target was typed meanwhile: what it brings goes to the end.
        if self.made.is_empty() {
            let new = |saving: &&Saving| !self.slots.iter().any(|slot| slot.saving.is_like(saving));
            let new: Vec<Saving> = found.iter().filter(new).cloned().collect();
            self.slots.extend(new.into_iter().map(|saving| Slot { saving, state: State::Offered }));
        }
    }
}

/// Why the network cannot be trained yet, with what mends it.
fn problem_ui(cx: &PanelCx<'_>, ui: &mut Ui, problem: &str, out: &mut Vec<UiCommand>) {
    let tokens = Tokens::of(ui);
    tokens.banner(false).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.label(RichText::new(format!("It cannot be trained yet. {problem}")).color(tokens.warning));
        if let Some(found) = super::problems::worst_first(&cx.plan.diagnostics).first() {
            ui.horizontal_wrapped(|ui| super::canvas::fix_buttons(ui, found, out));
        }
    });
    ui.add_space(size::HALF);
}

/// What a saving is, and what else it does.
fn words(kind: &SavingKind, has_batch_norm: bool) -> (String, String) {
    match kind {
        SavingKind::SmallerBatch { batch, accumulate } => {
            let (batch, accumulate) = (text::count(u64::from(*batch)), text::count(u64::from(*accumulate)));
            let title = format!("Batch of {batch}, {accumulate} gradients added up");
            let words = if has_batch_norm {
                format!("The same images in a step, but batch norm takes its statistics over {batch} of them.")
            } else {
                "The same steps, but for rounding.".into()
            };
            (title, words)
        }
        SavingKind::HalfPrecision => (
            "Values in 16 bits (f16)".into(),
            "Weights, norms and losses stay in 32 bits. Faster on GPUs, slower on CPUs.".into(),
        ),
        SavingKind::PlainSgd => (
            "SGD without momentum".into(),
            "Nothing is remembered for each parameter; it needs another learning rate.".into(),
        ),
        SavingKind::SmallerImages { height, width } => (
            format!("Images of {} × {}", text::count(*height), text::count(*width)),
            "Every map shrinks with them; fine detail is lost.".into(),
        ),
        SavingKind::Stride { layer } => {
            (format!("Stride 2 in {layer}"), "All maps behind it have a quarter of the pixels.".into())
        }
        SavingKind::PoolFirst { layer, params, params_after, of } => (
            format!("Global average pooling before {layer}"),
            format!(
                "{layer} has {} of {} parameters; with it {}. Where on the map something lies no longer counts.",
                text::short_count(*params),
                text::short_count(*of),
                text::short_count(*params_after),
            ),
        ),
        SavingKind::SmallerDense { layer, features, params, params_after } => (
            format!("{} features in {layer}", text::count(*features)),
            format!(
                "Half as many. Parameters of the network: {} → {}.",
                text::short_count(*params),
                text::short_count(*params_after),
            ),
        ),
        SavingKind::Freeze { layers, from } => (
            format!("Freeze the {} before {from}", text::counted(*layers as u64, "layer")),
            "They keep their weights: for networks that have learned already.".into(),
        ),
    }
}
