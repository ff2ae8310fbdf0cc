//! `striate summary`: what a network costs, as a table, JSON, CSV or Markdown.

use crate::graph::{Document, Edit, NodeId, Optimizer, apply};
use crate::layers::{Input, set_field};
use crate::op::{DType, Shape};
use crate::plan::{Cost, CostSettings, NodeCost, Plan, cost, plan};
use crate::text::{bytes, count};
use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// How the summary is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table for people.
    #[default]
    Table,
    /// One JSON object.
    Json,
    /// Comma-separated values, a row per layer.
    Csv,
    /// A Markdown table.
    Md,
}

/// What `striate summary` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct SummaryArgs {
    /// A document, or the id of a preset.
    pub model: String,
    /// Images per training step [default: the document's].
    #[arg(long)]
    pub batch: Option<u64>,
    /// Element type of values: f32 or f16 [default: the document's].
    #[arg(long)]
    pub dtype: Option<String>,
    /// sgd, momentum, nesterov, adam, adamw or rmsprop [default: the document's].
    #[arg(long)]
    pub optimizer: Option<String>,
    /// Another input size, height x width x channels.
    #[arg(long, value_name = "HxWxC")]
    pub input: Option<String>,
    /// Changes a field of a layer, such as conv1.filters=64. May be repeated.
    #[arg(long, value_name = "LAYER.FIELD=VALUE")]
    pub set: Vec<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// A row per operation instead of one per layer.
    #[arg(long)]
    pub expand: bool,
}

/// Runs the command and gives the text to print.
///
/// # Errors
/// A file that cannot be read, or an argument that makes no sense.
pub fn summary(args: &SummaryArgs) -> Result<String> {
    let mut document = load(&args.model)?;
    if let Some(size) = &args.input {
        document = with_input(&document, size)?;
    }
    for assignment in &args.set {
        document = with_field(&document, assignment)?;
    }
    let training = &document.training;
    let settings = CostSettings {
        batch: args.batch.unwrap_or(u64::from(training.batch)),
        accumulate: u64::from(training.accumulate),
        dtype: match args.dtype.as_deref() {
            None => training.dtype,
            Some(id) => DType::ALL
                .into_iter()
                .find(|dtype| dtype.id() == id)
                .ok_or_else(|| anyhow!("--dtype must be f32 or f16. Received {id:?}."))?,
        },
        optimizer: match args.optimizer.as_deref() {
            None => training.optimizer,
            Some(id) => Optimizer::from_id(id)
                .ok_or_else(|| anyhow!("--optimizer must be one of {}. Received {id:?}.", Optimizer::IDS.join(", ")))?,
        },
        threads: crate::platform::threads() as u64,
        ..CostSettings::default()
    };
    if settings.batch == 0 {
        bail!("--batch must be at least 1. Received 0.");
    }
    let plan = plan(&document);
    let cost = cost(&plan.program, settings);
    let rows = rows(&document, &plan, &cost, args.expand);
    Ok(match args.format {
        Format::Table => table(&document, &plan, &cost, &rows),
        Format::Json => format!("{:#}\n", json_object(&document, &plan, &cost, &rows)),
        Format::Csv => csv(&rows),
        Format::Md => markdown(&rows),
    })
}

/// Opens a document by path, or a preset by id.
///
/// # Errors
/// Neither exists, or the file is not a document.
pub fn load(model: &str) -> Result<Document> {
    if let Some(document) = crate::presets::find(model) {
        return Ok(document);
    }
    let path = std::path::Path::new(model);
    if !path.exists() {
        let ids: Vec<_> = crate::presets::ALL.iter().map(|preset| preset.id).collect();
        bail!("The network must be a file or one of the presets {}. Received {model:?}.", ids.join(", "));
    }
    Ok(Document::open(path).with_context(|| format!("cannot open {}", path.display()))?.document)
}

/// The document with another input size, given as `HxWxC`.
///
/// # Errors
/// A text of another form, or no single Input layer.
pub fn with_input(document: &Document, size: &str) -> Result<Document> {
    let parts: Vec<u64> = size.split(['x', '×']).filter_map(|part| part.trim().parse().ok()).collect();
    let &[height, width, channels] = parts.as_slice() else {
        bail!("--input must be height x width x channels, such as 224x224x3. Received {size:?}.");
    };
    let inputs: Vec<NodeId> = document.graph.inputs().map(|node| node.id).collect();
    let &[node] = inputs.as_slice() else {
        bail!("--input needs a network with one Input layer. This one has {}.", inputs.len());
    };
    let layer = Box::new(Input { height, width, channels }.into());
    Ok(apply(document, &[], &Edit::SetLayer { node, layer })?.0)
}

/// The document with one field changed, given as `layer.field=value`; layers inside groups are named `group.layer`.
///
/// # Errors
/// A text of another form, an unknown layer or field, a value out of range.
pub fn with_field(document: &Document, assignment: &str) -> Result<Document> {
    let form = || anyhow!("--set must be layer.field=value, such as conv1.filters=64. Received {assignment:?}.");
    let (target, value) = assignment.split_once('=').ok_or_else(form)?;
    let (layer_path, field) = target.trim().rsplit_once('.').ok_or_else(form)?;
    let mut graph = &document.graph;
    let mut at = Vec::new();
    let mut names = layer_path.split('.').peekable();
    while let Some(name) = names.next() {
        let node = graph.by_name(name).ok_or_else(|| {
            let known: Vec<_> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
            anyhow!("No layer is called {name:?}. There are {}.", known.join(", "))
        })?;
        if names.peek().is_some() {
            at.push(node.id);
            graph = document.graph.at(&at).ok_or_else(|| anyhow!("{name:?} is not a group."))?;
            continue;
        }
        let mut layer =
            node.layer().cloned().ok_or_else(|| anyhow!("{name:?} is a group and has no field {field:?}."))?;
        set_field(&mut layer, field, value).map_err(|message| anyhow!("--set {assignment}: {message}"))?;
        return Ok(apply(document, &at, &Edit::SetLayer { node: node.id, layer: Box::new(layer) })?.0);
    }
    Err(form())
}

struct Row {
    name: String,
    kind: String,
    output: Option<Shape>,
    figures: NodeCost,
}

fn rows(document: &Document, plan: &Plan, cost: &Cost, expand: bool) -> Vec<Row> {
    if expand {
        return plan
            .program
            .ops
            .iter()
            .zip(&cost.ops)
            .enumerate()
            .map(|(at, (op, row))| Row {
                name: op.path.clone(),
                kind: op.op.name().into(),
                output: Some(plan.program.output_shape(op).clone()),
                figures: NodeCost {
                    trainable: row.trainable,
                    frozen: row.frozen,
                    state: row.state,
                    macs: row.macs,
                    activation_bytes: row.activation_bytes,
                    field: row.field,
                    planned: cost.shares.ops.get(at).copied().unwrap_or_default(),
                    ..NodeCost::default()
                },
            })
            .collect();
    }
    let (order, rest) = document.graph.topological();
    order
        .into_iter()
        .chain(rest)
        .filter_map(|index| document.graph.nodes.get(index))
        .map(|node| Row {
            name: node.name.clone(),
            kind: node.content.kind_id().to_owned(),
            output: plan.output_shape(&[], node.id).cloned(),
            figures: plan.node(&[], node.id).map(|found| cost.node(found)).unwrap_or_default(),
        })
        .collect()
}

fn json_object(document: &Document, plan: &Plan, cost: &Cost, rows: &[Row]) -> Value {
    let input = document.graph.inputs().find_map(|node| node.layer().and_then(crate::layers::LayerKind::input_shape));
    let input =
        input.as_ref().and_then(Shape::as_map).map(|(c, h, w)| json!({ "height": h, "width": w, "channels": c }));
    let (totals, memory) = (&cost.totals, &cost.memory);
    let field = |size: [u64; 2]| json!({ "height": size[0], "width": size[1] });
    let layers: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "name": row.name,
                "kind": row.kind,
                "output": row.output.as_ref().map(Shape::dims_hwc),
                "params": row.figures.params(),
                "macs": row.figures.macs,
                "activation_bytes": row.figures.activation_bytes,
                "planned_training_bytes": row.figures.planned.total(),
                "receptive_field": field(row.figures.field.pixels()),
            })
        })
        .collect();
    let diagnostics: Vec<Value> = plan
        .diagnostics
        .iter()
        .map(|found| json!({ "node": found.name, "severity": found.severity.id(), "message": found.message }))
        .collect();
    json!({
        "model": document.name,
        "input": input,
        "batch": cost.settings.batch,
        "dtype": cost.settings.dtype.id(),
        "optimizer": cost.settings.optimizer.id(),
        "params": {
            "total": totals.params() + totals.state,
            "trainable": totals.trainable,
            "frozen": totals.frozen,
            "state": totals.state,
        },
        "macs": totals.macs,
        "memory": {
            "params_bytes": memory.params_bytes,
            "inference": {
                "textbook_bytes": memory.inference_textbook_bytes,
                "planned_bytes": memory.inference_planned_bytes,
            },
            "training": {
                "textbook_bytes": memory.training_textbook_bytes,
                "planned_bytes": memory.training_planned_bytes,
            },
        },
        "receptive_field": field(totals.field.pixels()),
        "layers": layers,
        "diagnostics": diagnostics,
    })
}

const HEADINGS: [&str; 7] = ["Layer", "Kind", "Output", "Parameters", "MACs", "Activations", "Receptive field"];

fn cells(row: &Row) -> [String; 7] {
    let field = row.figures.field;
    let [height, width] = field.seen();
    let mark = if field.seen() == field.pixels() { "" } else { "*" };
    [
        row.name.clone(),
        row.kind.clone(),
        row.output.as_ref().map_or_else(|| "–".into(), ToString::to_string),
        count(row.figures.params()),
        count(row.figures.macs),
        bytes(row.figures.activation_bytes),
        if height == 0 { "–".into() } else { format!("{height} × {width}{mark}") },
    ]
}

fn table(document: &Document, plan: &Plan, cost: &Cost, rows: &[Row]) -> String {
    let body: Vec<[String; 7]> = rows.iter().map(cells).collect();
    let mut widths = HEADINGS.map(|heading| heading.chars().count());
    for row in &body {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; 7]| {
        let mut text = String::new();
        for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            text += &if index < 2 { format!("{cell}{pad}  ") } else { format!("{pad}{cell}  ") };
        }
        text.trim_end().to_owned() + "\n"
    };
    let rule = "─".repeat(widths.iter().sum::<usize>() + 12) + "\n";
    let mut text = format!("{}\n{rule}{}{rule}", document.name, line(&HEADINGS.map(String::from)));
    body.iter().for_each(|row| text += &line(row));
    text += &rule;
    let (totals, memory, settings) = (&cost.totals, &cost.memory, &cost.settings);
    let mut fact = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _written = writeln!(text, "{name:<38}{value}");
    };
    fact("Parameters, trainable", count(totals.trainable));
    fact("Parameters, frozen", count(totals.frozen));
    fact("Buffers (running means and variances)", count(totals.state));
    fact("MACs, one image", count(totals.macs));
    fact("Receptive field", totals.field.words());
    fact("RAM of parameters", bytes(memory.params_bytes));
    fact("RAM, one image, textbook", bytes(memory.inference_textbook_bytes));
    fact("RAM, one image, planned", bytes(memory.inference_planned_bytes));
    let training = format!("RAM, training at batch {}", settings.batch);
    fact(&format!("{training}, textbook"), bytes(memory.training_textbook_bytes));
    let by = format!("{} ({}, {})", bytes(memory.training_planned_bytes), settings.dtype.id(), settings.optimizer.id());
    fact(&format!("{training}, planned"), by);
    if rows.iter().any(|row| row.figures.field.seen() != row.figures.field.pixels()) {
        text += "* clipped at the image's border; the theoretical receptive field is larger\n";
    }
    for found in &plan.diagnostics {
        let about = if found.name.is_empty() { "network" } else { &found.name };
        text += &format!("{}: {about}: {}\n", found.severity.id(), found.message);
        found.fixes.iter().for_each(|fix| text += &format!("    fix: {}\n", fix.label));
    }
    text
}

fn csv(rows: &[Row]) -> String {
    let mut text = "name,kind,output,params,macs,activation_bytes,receptive_height,receptive_width\n".to_owned();
    for row in rows {
        let output =
            row.output.as_ref().map(|shape| shape.dims_hwc().iter().map(u64::to_string).collect::<Vec<_>>().join("x"));
        let [height, width] = row.figures.field.pixels();
        let figures = &row.figures;
        text += &format!(
            "{},{},{},{},{},{},{height},{width}\n",
            row.name,
            row.kind,
            output.unwrap_or_default(),
            figures.params(),
            figures.macs,
            figures.activation_bytes
        );
    }
    text
}

fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| {} |\n|---|---|---:|---:|---:|---:|---:|\n", HEADINGS.join(" | "));
    rows.iter().for_each(|row| text += &format!("| {} |\n", cells(row).join(" | ")));
    text
}
