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

/// The list, reckoned once for each state of the document.
#[derive(Debug, Default)]
pub(super) struct Savings {
    of: Option<(usize, u64, CostSettings)>,
    seen: Option<(usize, u64, CostSettings)>,
    seen_at: f64,
    list: Vec<Saving>,
    /// To be scrolled to.
    pub(super) is_wanted: bool,
}

impl Savings {
    /// Draws it.
    pub(super) fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.update(cx, ui);
        let title = kit::title(ui, "Reduce memory");
        if std::mem::take(&mut self.is_wanted) {
            title.scroll_to_me(Some(Align::Min));
        }
        if self.list.is_empty() {
            let words = match cx.plan.training_problem() {
                Some(problem) => format!("Savings are reckoned for a network that can be trained. {problem}"),
                None => "Nothing here would make it less: the batch is one image, and little else is held.".into(),
            };
            kit::weak(ui, words);
            return;
        }
        kit::weak(ui, "Each by itself, as planned. A click makes the change; it can be undone.");
        ui.add_space(size::HALF);
        let has_batch_norm = cx.plan.program.ops.iter().any(|op| matches!(op.op, Op::BatchNorm { .. }));
        let tokens = Tokens::of(ui);
        for saving in &self.list {
            let (title, consequence) = words(&saving.kind, has_batch_norm);
            let (before, after) = (text::bytes(saving.before), text::bytes(saving.after));
            let percent = (1.0 - saving.after as f64 / saving.before.max(1) as f64) * 100.0;
            ui.horizontal(|ui| {
                ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
                    let button = ui.button("Apply").on_hover_text(format!("{title}: {before} → {after}"));
                    button.widget_info(|| {
                        let name = format!("Apply {title}: {before} → {after}");
                        egui::WidgetInfo::labeled(egui::Role::Button, true, name)
                    });
                    if button.clicked() {
                        let edit = saving.edit.clone();
                        out.push(UiCommand::Edit { edit, path: Some(Vec::new()), gesture: None });
                    }
                    ui.with_layout(Layout::top_down(Align::Min), |ui| {
                        ui.spacing_mut().item_spacing.y = 1.0;
                        ui.label(RichText::new(&title).color(tokens.text_strong));
                        ui.horizontal_wrapped(|ui| {
                            ui.spacing_mut().item_spacing.x = 4.0;
                            ui.label(RichText::new(format!("{before} →")).color(tokens.text_weak));
                            ui.label(RichText::new(after).color(tokens.text_strong));
                            ui.label(RichText::new(format!("−{percent:.0} %")).small().color(tokens.ok));
                        });
                        ui.label(RichText::new(consequence).small().color(tokens.text_weak));
                    });
                });
            });
            ui.add_space(size::HALF);
        }
    }

    fn update(&mut self, cx: &PanelCx<'_>, ui: &Ui) {
        let key = (std::ptr::from_ref(cx.document).addr(), cx.revision, cx.cost.settings);
        let now = ui.input(|i| i.time);
        if self.seen != Some(key) {
            (self.seen, self.seen_at) = (Some(key), now);
        }
        if self.of == Some(key) {
            return;
        }
        if cx.plan.program.ops.len() > MANY && now - self.seen_at < QUIET {
            ui.ctx().request_repaint_after(std::time::Duration::from_secs_f64(QUIET));
            return;
        }
        self.of = Some(key);
        self.list = savings(cx.document, cx.cost.settings);
    }
}

/// What a saving is, and what else it does.
fn words(kind: &SavingKind, has_batch_norm: bool) -> (String, String) {
    match kind {
        SavingKind::HalveBatch { batch, accumulate } => {
            let (batch, accumulate) = (text::count(u64::from(*batch)), text::count(u64::from(*accumulate)));
            let title = format!("Batch of {batch}, {accumulate} gradients added up");
            let words = if has_batch_norm {
                format!("The same steps, but batch norm takes its statistics over {batch} images.")
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
        SavingKind::Freeze { layers, from } => (
            format!("Freeze the {} layers before {from}", text::count(*layers as u64)),
            "They keep their weights: for networks that have learned already.".into(),
        ),
    }
}
