//! The figures of one layer, each with its calculation. Every number and term comes from `plan` and `op`.

use crate::graph::Node;
use crate::op::Arithmetic;
use crate::plan::NodePlan;
use crate::text;
use crate::ui::PanelCx;
use crate::ui::theme::Tokens;
use egui::collapsing_header::CollapsingState;
use egui::{RichText, Ui};

/// The figures of a node.
pub(super) fn ui(ui: &mut Ui, cx: &PanelCx<'_>, node: &Node) {
    let Some(plan) = cx.plan.node(cx.path, node.id).filter(|plan| plan.output.is_some()) else {
        let message = "No figures yet: what reaches this layer does not fit, or nothing does.";
        ui.label(RichText::new(message).color(Tokens::of(ui).text_weak));
        return;
    };
    let cost = cx.cost.node(plan);
    let calculations = calculations(cx, plan);
    let of = |wanted: &[&str]| -> Vec<Line> {
        calculations
            .iter()
            .filter(|(_, calc)| wanted.contains(&calc.quantity))
            .map(|(op, calc)| Line::from_op(op, calc))
            .collect()
    };
    let input =
        plan.inputs.iter().map(|&value| cx.plan.program.value(value).shape.to_string()).collect::<Vec<_>>().join(", ");
    let shape = cx.plan.output_shape(cx.path, node.id);
    let output = shape.map_or_else(String::new, ToString::to_string);
    if !input.is_empty() {
        disclosed(ui, "Input", &input, "Height × width × channels of what it reads", Vec::new);
    }
    disclosed(ui, "Output", &output, "Height × width × channels of what it gives", || {
        of(&["Output height", "Output width", "Output features"])
    });

    let copies = plan.spans.len() as u64;
    disclosed(ui, "Parameters", &text::count(cost.params()), "Numbers that it learned or learns", || {
        let mut lines = of(&["Parameters"]);
        if copies > 1 {
            lines.push(Line::new("copies, each with weights of its own", format!("{copies} ×"), cost.params()));
        }
        if cost.frozen > 0 {
            lines.push(Line::text(format!("{} of them are frozen.", text::count(cost.frozen))));
        }
        if cost.state > 0 {
            let state = text::count(cost.state);
            lines.push(Line::text(format!(
                "Besides, {state} running statistics, which no gradient changes. Keras counts them in."
            )));
        }
        lines
    });
    disclosed(ui, "MACs", &text::count(cost.macs), "Multiply-adds for one image; bias not counted", || of(&["MACs"]));

    let element = cx.cost.settings.dtype.bytes();
    disclosed(ui, "Activations", &text::bytes(cost.activation_bytes), "Memory of its output for one image", || {
        let Some(shape) = shape else { return Vec::new() };
        if cost.activation_bytes == 0 {
            return vec![Line::text(
                "It needs no memory of its own: it works in place, or only looks at its input differently.".into(),
            )];
        }
        let terms = format!("{shape} × {element}");
        let own = shape.elements().unwrap_or(0).saturating_mul(element);
        if own == cost.activation_bytes {
            vec![Line::new("numbers of the output × bytes of a number", terms, own)]
        } else {
            vec![Line::text(format!(
                "The sum of the outputs of all its steps; the last one: {terms} = {}",
                text::count(own)
            ))]
        }
    });
    let share = format!("{:.1} %", cost.ram_share * 100.0);
    disclosed(ui, "Share of RAM", &share, "Of the textbook figure for training with this batch", || {
        let batch = cx.cost.settings.batch;
        let bytes = cost.activation_bytes.saturating_mul(batch) + (cost.params() + cost.state) * element;
        vec![
            Line::new(
                "batch × activations + (parameters + statistics) × bytes of a number",
                format!(
                    "{batch} × {} + ({} + {}) × {element}",
                    text::count(cost.activation_bytes),
                    text::count(cost.params()),
                    text::count(cost.state)
                ),
                bytes,
            ),
            Line::text(format!("of {} in all", text::bytes(cx.cost.memory.training_textbook_bytes))),
        ]
    });
    let [height, width] = cost.field.pixels();
    disclosed(
        ui,
        "Receptive field",
        &format!("{height} × {width} px"),
        "How much of the input one output value sees",
        || {
            let [jump, _] = cost.field.jump;
            vec![
            Line::text("Each window of size k adds (k − 1) × the distance of its inputs; each stride multiplies that distance.".into()),
            Line::text(format!("Neighbours in this output are {jump} px of the input apart.")),
        ]
        },
    );
}

/// One line of an explanation.
struct Line {
    rule: String,
    terms: String,
    result: Option<u64>,
}

impl Line {
    fn new(rule: &str, terms: String, result: u64) -> Self {
        Self { rule: rule.into(), terms, result: Some(result) }
    }

    fn text(text: String) -> Self {
        Self { rule: text, terms: String::new(), result: None }
    }

    fn from_op(op: &str, calc: &Arithmetic) -> Self {
        let rule = if op.is_empty() { calc.rule.to_owned() } else { format!("{op}: {}", calc.rule) };
        Self { rule, terms: calc.terms.clone(), result: Some(calc.result) }
    }
}

/// The arithmetic of every op of a node (of its first copy), with the op's name if there are several.
fn calculations(cx: &PanelCx<'_>, plan: &NodePlan) -> Vec<(String, Arithmetic)> {
    let program = &cx.plan.program;
    let ops = plan.spans.first().and_then(|span| program.ops.get(span.clone())).unwrap_or_default();
    let explained: Vec<_> =
        ops.iter().map(|op| (op, op.op.explain(&program.input_shapes(op), program.output_shape(op)))).collect();
    let is_single = explained.iter().filter(|(_, list)| !list.is_empty()).count() == 1;
    explained
        .into_iter()
        .flat_map(|(op, list)| {
            let name = if is_single { String::new() } else { op.path.rsplit('.').next().unwrap_or("").to_owned() };
            list.into_iter().map(move |calc| (name.clone(), calc))
        })
        .collect()
}

/// A row with a figure; "Why?" opens its calculation.
fn disclosed(ui: &mut Ui, label: &str, value: &str, help: &str, explain: impl FnOnce() -> Vec<Line>) {
    let tokens = Tokens::of(ui);
    let id = ui.scope_id().with(("why", label));
    let mut state = CollapsingState::load_with_default_open(ui.ctx(), id, false);
    super::row(ui, label, help, |ui| {
        ui.add(egui::Label::new(RichText::new(value).color(tokens.text_strong)).selectable(true)).on_hover_text(help);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let link = egui::Label::new(RichText::new("Why?").small().color(tokens.accent)).sense(egui::Sense::click());
            let response =
                ui.add(link).on_hover_text("Show the calculation").on_hover_cursor(egui::CursorIcon::PointingHand);
            response.widget_info(|| {
                egui::WidgetInfo::selected(egui::Role::Button, true, state.is_open(), format!("Why? {label}"))
            });
            if response.clicked() {
                state.toggle(ui);
            }
        });
    });
    state.show_body_unindented(ui, |ui| {
        tokens.well().inner_margin(8).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            let lines = explain();
            if lines.is_empty() {
                ui.label(RichText::new(help).small().color(tokens.text_weak));
            }
            for line in lines {
                ui.label(RichText::new(line.rule).small().color(tokens.text_weak));
                if let Some(result) = line.result {
                    ui.label(format!("{} = {}", line.terms, text::count(result)));
                }
            }
        });
    });
}
