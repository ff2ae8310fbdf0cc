//! The figures of a layer and how each comes about, for the inspector and for the hover texts of the canvas. Every number and
//! every term comes from `plan` and `op`.

use super::PanelCx;
use super::theme::Tokens;
use crate::graph::NodeId;
use crate::op::{Arithmetic, Origin, Shape, Term};
use crate::plan::{NodeCost, NodePlan, buffers, own_most};
use crate::text;
use egui::{RichText, Ui};

/// A figure of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// Its output's size.
    Output,
    /// Trained and frozen parameters.
    Params,
    /// Multiply-adds.
    Macs,
    /// Bytes of its output for one image.
    Activations,
    /// What it holds at the fullest moment of a training step.
    Planned,
    /// Its part of the textbook's training bytes.
    Share,
    /// What one output value sees.
    Field,
}

impl Figure {
    /// All, in the inspector's order.
    pub(super) const ALL: [Self; 7] =
        [Self::Output, Self::Params, Self::Macs, Self::Activations, Self::Planned, Self::Share, Self::Field];

    /// Its name.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Output => "Output",
            Self::Params => "Parameters",
            Self::Macs => "MACs",
            Self::Activations => "Activations",
            Self::Planned => "Planned RAM",
            Self::Share => "Textbook share",
            Self::Field => "Receptive field",
        }
    }

    /// What it is.
    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Output => "Height × width × channels of what it gives",
            Self::Params => "Numbers that it learned or learns",
            Self::Macs => "Multiply-adds for one image; bias not counted",
            Self::Activations => "Memory of its output for one image",
            Self::Planned => "What it holds at the fullest moment of a training step of the whole batch",
            Self::Share => "Of the textbook figure for training with this batch",
            Self::Field => "How much of the input one output value sees",
        }
    }
}

/// One line of an explanation: a rule, and its numbers if it has some.
#[derive(Clone, Debug)]
pub(super) struct Line {
    rule: String,
    terms: Vec<Term>,
    result: Option<u64>,
}

impl Line {
    fn sum(rule: impl Into<String>, terms: &str, result: u64) -> Self {
        let terms = if terms.is_empty() { Vec::new() } else { vec![Term { text: terms.to_owned(), origin: None }] };
        Self { rule: rule.into(), terms, result: Some(result) }
    }

    fn words(text: impl Into<String>) -> Self {
        Self { rule: text.into(), terms: Vec::new(), result: None }
    }
}

/// A layer that has figures.
#[derive(Clone, Copy)]
pub(super) struct Layer<'a> {
    cx: &'a PanelCx<'a>,
    plan: &'a NodePlan,
    cost: NodeCost,
    output: &'a Shape,
}

impl<'a> Layer<'a> {
    /// A node of the open graph; `None` while it is not valid.
    pub(super) fn of(cx: &'a PanelCx<'a>, id: NodeId) -> Option<Self> {
        let plan = cx.plan.node(cx.path, id)?;
        let output = &cx.plan.program.value(plan.output?).shape;
        Some(Self { cx, plan, cost: cx.cost.node(plan), output })
    }

    /// Its figures.
    pub(super) fn cost(&self) -> NodeCost {
        self.cost
    }

    /// Shapes of what it reads.
    pub(super) fn inputs(&self) -> Vec<&'a Shape> {
        self.plan.inputs.iter().map(|&value| &self.cx.plan.program.value(value).shape).collect()
    }

    /// Whether some step of it makes a value: then it holds that at some moment.
    fn makes_something(&self) -> bool {
        let ops = self.plan.spans.iter().filter_map(|span| self.cx.plan.program.ops.get(span.clone())).flatten();
        ops.into_iter().any(|op| !op.op.is_view())
    }

    /// A figure in words.
    pub(super) fn value(&self, figure: Figure) -> String {
        match figure {
            Figure::Output => self.output.to_string(),
            Figure::Params => text::count(self.cost.params()),
            Figure::Macs => text::count(self.cost.macs),
            Figure::Activations => format!("{} / image", text::bytes(self.cost.activation_bytes)),
            Figure::Planned if self.cost.planned.total() == 0 && self.makes_something() => "0 B at the peak".into(),
            Figure::Planned => {
                let share = self.cost.planned_share * 100.0;
                format!("{}, {share:.1} %", text::bytes(self.cost.planned.total()))
            }
            Figure::Share => format!("{:.1} %", self.cost.ram_share * 100.0),
            Figure::Field => self.cost.field.words(),
        }
    }

    /// How a figure comes about.
    pub(super) fn why(&self, figure: Figure) -> Vec<Line> {
        match figure {
            Figure::Output => self.calculations(&["Output height", "Output width", "Output features"]),
            Figure::Macs => self.calculations(&["MACs"]),
            Figure::Params => self.why_params(),
            Figure::Activations => self.why_activations(),
            Figure::Planned => self.why_planned(),
            Figure::Share => self.why_share(),
            Figure::Field => {
                let [jump, _] = self.cost.field.jump;
                let mut lines = vec![
                    Line::words(
                        "Each window of size k adds (k − 1) × the distance of its inputs; each stride multiplies that distance.",
                    ),
                    Line::words(format!("Neighbours in this output are {jump} px of the input apart.")),
                ];
                if self.cost.field.seen() != self.cost.field.pixels() {
                    lines.push(Line::words(
                        "The theoretical field is larger than the image: beyond its border lies padding.",
                    ));
                }
                lines
            }
        }
    }

    fn why_params(&self) -> Vec<Line> {
        let mut lines = self.calculations(&["Parameters"]);
        let copies = self.plan.spans.len();
        if copies > 1 {
            let params_of = |span: &std::ops::Range<usize>| {
                let ops = self.cx.cost.ops.get(span.clone()).unwrap_or_default();
                ops.iter().map(|op| op.trainable.saturating_add(op.frozen)).fold(0, u64::saturating_add)
            };
            let terms = copies_sum(&self.plan.spans.iter().map(params_of).collect::<Vec<_>>());
            let whole = if copies == 2 { "both copies".into() } else { format!("all {copies} copies") };
            lines.push(Line::sum(format!("{copies} copies, each with weights of its own"), &terms, self.cost.params()));
            lines.push(Line::words(format!("The figures of this layer are for {whole}; its sizes are those of each.")));
        }
        if self.cost.frozen > 0 {
            lines.push(Line::words(format!("{} of them are frozen.", text::count(self.cost.frozen))));
        }
        if self.cost.state > 0 {
            let state = text::count(self.cost.state);
            lines.push(Line::words(format!(
                "Besides, {state} running statistics, which no gradient changes. Keras counts them in."
            )));
        }
        lines
    }

    fn why_activations(&self) -> Vec<Line> {
        let bytes = self.cost.activation_bytes;
        if bytes == 0 {
            return vec![Line::words(
                "It needs no memory of its own: it works in place, or only looks at its input differently.",
            )];
        }
        let element = self.cx.cost.settings.dtype.bytes();
        let own = self.output.elements().unwrap_or(0).saturating_mul(element);
        if own == bytes {
            let terms = format!("{} × {element}", self.output);
            return vec![Line::sum("numbers of the output × bytes of a number", &terms, own)];
        }
        let program = &self.cx.plan.program;
        let ops = self.plan.spans.iter().cloned().flatten();
        let steps: Vec<(String, u64)> = ops
            .filter_map(|at| Some((program.ops.get(at)?, self.cx.cost.ops.get(at)?.activation_bytes)))
            .filter(|(_, bytes)| *bytes > 0)
            .map(|(op, bytes)| (format!("{} gives {}", step_name(&op.path), program.output_shape(op)), bytes))
            .collect();
        let mut lines = vec![Line::words(format!("Each step's numbers × {element} bytes:"))];
        lines.extend(listed(&steps));
        lines.push(Line::sum("all steps together", &sum_of(&steps), bytes));
        lines
    }

    /// What it holds at the fullest moment, part by part.
    fn why_planned(&self) -> Vec<Line> {
        let cost = &self.cx.cost;
        let (settings, part) = (cost.settings, &self.cost.planned);
        let numbers = self.cost.params().saturating_add(self.cost.state);
        let [numbers, trained] = [numbers, self.cost.trainable].map(text::count);
        let mut lines = Vec::new();
        if part.images > 0 {
            let whole = self.output.elements().unwrap_or(0).saturating_mul(settings.images());
            let element = part.images / whole.max(1);
            let batch = text::count(settings.batch);
            let (rule, batches) = match settings.accumulate {
                0 | 1 => ("images of the step: images × numbers × bytes", batch),
                times => (
                    "images of all batches of the step: batches × images × numbers × bytes",
                    format!("{times} × {batch}"),
                ),
            };
            lines.push(Line::sum(rule, &format!("{batches} × {} × {element}", self.output), part.images));
        }
        let program = &self.cx.plan.program;
        let list = buffers(program, cost, &self.plan.spans);
        let paths = self.plan.spans.iter().cloned().flatten().filter_map(|op| program.ops.get(op));
        let has_steps = paths.map(|op| &op.path).collect::<std::collections::HashSet<_>>().len() > 1;
        let (first, others) = list.split_at(list.len().min(STEPS));
        for buffer in first {
            let step = program.ops.get(buffer.op).filter(|_| has_steps).map(|op| format!("{}: ", step_name(&op.path)));
            let terms = buffer.factors.iter().map(|factor| text::count(*factor)).collect::<Vec<_>>().join(" × ");
            lines.push(Line::sum(step.unwrap_or_default() + &buffer.words, &terms, buffer.bytes()));
        }
        if !others.is_empty() {
            let bytes = others.iter().map(crate::plan::Buffer::bytes).fold(0, u64::saturating_add);
            lines.push(Line::sum(format!("{} further buffers", text::count(others.len() as u64)), "", bytes));
        }
        let mut line = |bytes: u64, rule: &str, terms: String| {
            if bytes > 0 {
                lines.push(Line::sum(rule, &terms, bytes));
            }
        };
        line(part.parameters, "parameters and statistics, 4 bytes each", format!("{numbers} × 4"));
        let of_each = self.cost.trainable.saturating_mul(4).max(1);
        let (gradients, rule) = match part.gradients / of_each {
            1 if part.gradients == of_each => (format!("{trained} × 4"), "weight gradients, 4 bytes each"),
            2 if part.gradients == 2 * of_each => (
                format!("2 × {trained} × 4"),
                "weight gradients of this batch, and the sum of those before, 4 bytes each",
            ),
            _ => (String::new(), "weight gradients of those of its steps that the way back has passed"),
        };
        line(part.gradients, rule, gradients);
        let state = settings.optimizer.state_per_parameter();
        line(
            part.optimizer,
            "what the optimizer remembers of each trained parameter",
            format!("{trained} × {state} × 4"),
        );
        let parts = part.named().map(|(_, bytes)| (String::new(), bytes));
        let total = part.total();
        if parts.iter().filter(|(_, bytes)| *bytes > 0).count() > 1 {
            lines.push(Line::sum("together", &sum_of(&parts), total));
        }
        let network = text::bytes(cost.memory.training_planned_bytes);
        if total > 0 {
            lines.push(Line::words(format!("of {network} in all, at the fullest moment of a step")));
            return lines;
        }
        let most = own_most(program, cost, &self.plan.spans);
        lines.push(Line::words(if most == 0 {
            "It never holds anything of its own: it only looks at its input differently.".into()
        } else {
            format!(
                "Already freed at the fullest moment of a step ({network} in all), or not made yet. At its own fullest \
                 moment it holds {}.",
                text::bytes(most)
            )
        }));
        lines
    }

    fn why_share(&self) -> Vec<Line> {
        let settings = self.cx.cost.settings;
        let (batch, element) = (settings.batch, settings.dtype.bytes());
        let (activations, params) = (self.cost.activation_bytes, self.cost.params());
        let numbers = params.saturating_add(self.cost.state);
        let bytes = activations.saturating_mul(batch).saturating_add(numbers.saturating_mul(element));
        let [activations, params, state] = [activations, params, self.cost.state].map(text::count);
        vec![
            Line::sum(
                "batch × activations + (parameters + statistics) × bytes of a number",
                &format!("{batch} × {activations} + ({params} + {state}) × {element}"),
                bytes,
            ),
            Line::words(format!("of {} in all", text::bytes(self.cx.cost.memory.training_textbook_bytes))),
        ]
    }

    /// The calculations of these quantities by every op (of the first copy), with the op's name if there are several.
    fn calculations(&self, wanted: &[&str]) -> Vec<Line> {
        let program = &self.cx.plan.program;
        let ops = self.plan.spans.first().and_then(|span| program.ops.get(span.clone())).unwrap_or_default();
        let explained: Vec<(&str, Vec<Arithmetic>)> = ops
            .iter()
            .map(|op| (op.path.as_str(), op.op.explain(&program.input_shapes(op), program.output_shape(op))))
            .collect();
        let is_single = explained.iter().filter(|(_, list)| !list.is_empty()).count() == 1;
        let line = |path: &str, calc: Arithmetic| {
            let op = path.rsplit('.').next().unwrap_or("");
            let rule = if is_single { calc.rule.to_owned() } else { format!("{op}: {}", calc.rule) };
            Line { rule, terms: calc.terms, result: Some(calc.result) }
        };
        explained
            .into_iter()
            .flat_map(|(path, list)| list.into_iter().map(move |calc| (path, calc)))
            .filter(|(_, calc)| wanted.contains(&calc.quantity))
            .map(|(path, calc)| line(path, calc))
            .collect()
    }
}

/// Most steps that are listed one by one.
const STEPS: usize = 24;

/// The last part of an op's path.
fn step_name(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// A line for each step; of very many the first ones, and the others as one.
fn listed(steps: &[(String, u64)]) -> Vec<Line> {
    let (first, others) = steps.split_at(steps.len().min(STEPS));
    let mut lines: Vec<Line> =
        first.iter().map(|(name, bytes)| Line::words(format!("{name}: {} bytes", text::count(*bytes)))).collect();
    if !others.is_empty() {
        let bytes = others.iter().map(|(_, bytes)| *bytes).fold(0, u64::saturating_add);
        lines.push(Line::words(format!("{} further steps: {} bytes", others.len(), text::count(bytes))));
    }
    lines
}

/// "50,176 + 12,544", without zeros; of very many the first ones, and the others as one.
fn sum_of(parts: &[(String, u64)]) -> String {
    let parts: Vec<u64> = parts.iter().map(|(_, bytes)| *bytes).filter(|bytes| *bytes > 0).collect();
    let (first, others) = parts.split_at(parts.len().min(STEPS));
    let others = others.iter().copied().fold(0, u64::saturating_add);
    let terms = first.iter().copied().chain((others > 0).then_some(others));
    terms.map(text::count).collect::<Vec<_>>().join(" + ")
}

/// What the figures of copies are summed from: "2 × 4,672"; or each, since a first copy may read more or fewer channels.
fn copies_sum(copies: &[u64]) -> String {
    match copies {
        [first, rest @ ..] if rest.iter().all(|other| other == first) => {
            format!("{} × {}", copies.len(), text::count(*first))
        }
        _ => copies.iter().map(|copy| text::count(*copy)).collect::<Vec<_>>().join(" + "),
    }
}

/// Shows an explanation. Terms that `leads` are links; the one that is clicked comes back.
pub(super) fn lines_ui(ui: &mut Ui, lines: Vec<Line>, leads: impl Fn(Origin) -> Option<String>) -> Option<Origin> {
    let tokens = Tokens::of(ui);
    let mut clicked = None;
    for line in lines {
        ui.label(RichText::new(line.rule).small().color(tokens.text_weak));
        let Some(result) = line.result else { continue };
        let is_bare = line.terms.is_empty();
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            ui.spacing_mut().interact_size.y = 18.0;
            for term in line.terms {
                let lead = term.origin.and_then(|origin| leads(origin).map(|lead| (origin, lead)));
                let Some((origin, lead)) = lead else {
                    ui.label(RichText::new(term.text).color(tokens.text));
                    continue;
                };
                let text = RichText::new(&term.text).color(tokens.accent).underline();
                let link = ui.add(egui::Label::new(text).selectable(false).sense(egui::Sense::click()));
                link.widget_info(|| {
                    egui::WidgetInfo::labeled(egui::Role::Link, true, format!("{}: {lead}", term.text))
                });
                if link.on_hover_text(lead).on_hover_cursor(egui::CursorIcon::PointingHand).clicked() {
                    clicked = Some(origin);
                }
            }
            let equals = if is_bare { "" } else { " = " };
            ui.label(RichText::new(format!("{equals}{}", text::count(result))).color(tokens.text_strong));
        });
    }
    clicked
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ResNet mini's blocks of 16 filters: 2 · (16·16·9) + 2 · 2·16 = 4,672 each.
    #[test]
    fn copies_are_multiplied_with_the_figure_of_one() {
        assert_eq!(copies_sum(&[4_672, 4_672]), "2 × 4,672");
        assert_eq!(copies_sum(&[896, 9_248]), "896 + 9,248");
    }

    /// A sum may leave out zeros, and nothing else, however many steps there are.
    #[test]
    fn a_sum_of_very_many_steps_still_adds_up() {
        let steps: Vec<(String, u64)> = (0..60).map(|step| (String::new(), step)).collect();
        // 0 + 1 + … + 59 = 60 · 59 / 2.
        let sum: u64 = sum_of(&steps).split(" + ").map(|term| term.replace(',', "").parse::<u64>().unwrap()).sum();
        assert_eq!(sum, 1_770);
        assert_eq!(listed(&steps).len(), STEPS + 1);
    }
}
