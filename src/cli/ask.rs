//! `striate eval`, `predict` and `probe`: questions to a trained network.

use super::client::Client;
use crate::data::Split;
use crate::engine::protocol::{
    ClassScore, Command, EvaluateReport, EvaluateRequest, Event, ImageRef, LayerProbe, NetworkRef, Plane,
    PredictRequest, Prediction, ProbeRequest, RunId,
};
use crate::graph::{DataSource, DataSpec};
use crate::text::count;
use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// What `striate eval` takes.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  striate eval runs/lenet-5-1\n  striate eval runs/lenet-5-1 --data mnist:data/mnist --split test --json"
)]
pub(super) struct EvalArgs {
    /// A run folder, or a weight file of Striate's.
    run: PathBuf,
    /// Other data than the run's own: digits, mnist:DIR or folder:DIR.
    #[arg(long, value_parser = DataSource::parse)]
    data: Option<DataSource>,
    /// Which part of the data: train, validation or test.
    #[arg(long, default_value = "test", value_parser = split)]
    split: Split,
    /// Device: auto, cpu, an id or a name (see `striate devices`).
    #[arg(long, default_value = "auto")]
    device: String,
    /// How many of the most confident mistakes to name.
    #[arg(long, default_value_t = 5)]
    worst: u32,
    /// Print one JSON object: accuracy, loss, count and more.
    #[arg(long)]
    json: bool,
}

/// What `striate predict` takes.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  striate predict runs/lenet-5-1 seven.png\n  striate predict runs/lenet-5-1 *.png --json"
)]
pub(super) struct PredictArgs {
    /// A run folder, or a weight file of Striate's.
    run: PathBuf,
    /// Pictures; or test:5 for image 5 of a split of the run's data, numbered from 1 as in the window.
    #[arg(required = true)]
    images: Vec<String>,
    /// How many classes to give.
    #[arg(long, default_value_t = 5)]
    top: u32,
    /// Device: auto, cpu, an id or a name.
    #[arg(long, default_value = "auto")]
    device: String,
    /// Print a JSON array with one object per picture.
    #[arg(long)]
    json: bool,
}

/// What `striate probe` takes.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Example:\n  striate probe runs/lenet-5-1 seven.png --layer c1 --out maps.png")]
pub(super) struct ProbeArgs {
    /// A run folder, or a weight file of Striate's.
    run: PathBuf,
    /// A picture; or test:5 for image 5 of a split of the run's data, numbered from 1 as in the window.
    image: String,
    /// Path of the layer, such as conv1 or stage1.0.conv2.
    #[arg(long)]
    layer: String,
    /// The PNG file to write: all its feature maps, each from black (smallest) to white (largest).
    #[arg(long)]
    out: PathBuf,
    /// Write the layer's filters instead of its feature maps.
    #[arg(long)]
    filters: bool,
    /// Device: auto, cpu, an id or a name.
    #[arg(long, default_value = "auto")]
    device: String,
}

fn split(text: &str) -> Result<Split, String> {
    Split::from_id(text).ok_or_else(|| format!("A split must be train, validation or test. Received {text:?}."))
}

fn image(text: &str) -> Result<ImageRef> {
    let item = text.split_once(':').and_then(|(split, number)| Some((Split::from_id(split)?, number.parse().ok()?)));
    let Some((split, number)) = item else { return Ok(ImageRef::File(absolute(Path::new(text)))) };
    let Some(index) = u64::checked_sub(number, 1) else {
        bail!("The number of an image must be from 1 on. Received {text}.");
    };
    Ok(ImageRef::Item { split, index })
}

/// The worker may stand elsewhere.
pub(super) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn stored(run: &Path) -> Result<NetworkRef> {
    if !run.exists() {
        bail!("The run must be a folder or file that exists. {} does not. See `ls runs`.", run.display());
    }
    Ok(NetworkRef::Stored(absolute(run)))
}

/// `striate eval`.
pub(super) fn eval(args: &EvalArgs) -> Result<String> {
    let data = args.data.clone().map(|source| {
        let spec = DataSpec { source: absolute_source(source), ..DataSpec::default() };
        serde_json::to_string(&spec)
    });
    let request = EvaluateRequest {
        run: RunId::default(),
        network: stored(&args.run)?,
        data: data.transpose()?,
        split: args.split,
        worst: args.worst,
    };
    let client = Client::connect(&args.device, None)?;
    let report = client
        .ask(Command::Evaluate(Box::new(request)), |event| match event {
            Event::Evaluated(report) => Some(*report),
            _ => None,
        })
        .with_context(|| format!("cannot evaluate {}", args.run.display()))?;
    Ok(if args.json { eval_json(&report) } else { eval_text(&report) })
}

/// Paths in messages are the worker's: make them absolute.
pub(super) fn absolute_source(source: DataSource) -> DataSource {
    match source {
        DataSource::Digits => DataSource::Digits,
        DataSource::Idx { path } => DataSource::Idx { path: absolute(&path) },
        DataSource::Folder { path } => DataSource::Folder { path: absolute(&path) },
    }
}

fn class(report: &EvaluateReport, index: u32) -> &str {
    report.classes.get(index as usize).map_or("?", String::as_str)
}

fn eval_json(report: &EvaluateReport) -> String {
    let n = report.classes.len().max(1);
    let classes: Vec<_> = report
        .classes
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let (precision, recall, images) = report.class_scores(index);
            json!({"name": name, "precision": precision, "recall": recall, "count": images})
        })
        .collect();
    let worst: Vec<_> = report
        .worst
        .iter()
        .map(|mistake| {
            json!({
                "index": mistake.index, "truth": class(report, mistake.truth),
                "guess": class(report, mistake.guess), "probability": mistake.probability,
            })
        })
        .collect();
    let object = json!({
        "accuracy": report.accuracy(), "loss": report.loss, "count": report.count, "correct": report.correct,
        "split": report.split.id(), "secs": report.secs, "classes": classes,
        "confusion": report.confusion.chunks(n).collect::<Vec<_>>(), "worst": worst,
    });
    format!("{object:#}\n")
}

fn eval_text(report: &EvaluateReport) -> String {
    let mut text = format!(
        "{} of {} right: accuracy {:.2} %, loss {:.4} ({} split, {:.1} s)\n",
        count(report.correct),
        count(report.count),
        100.0 * report.accuracy(),
        report.loss,
        report.split,
        report.secs
    );
    if report.classes.len() <= 30 {
        text.push_str("\nclass                precision   recall   images\n");
        for (index, name) in report.classes.iter().enumerate() {
            let (precision, recall, images) = report.class_scores(index);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name:<20} {:>7.1} %  {:>6.1} %  {images:>6}", 100.0 * precision, 100.0 * recall);
        }
    }
    if !report.worst.is_empty() {
        text.push_str("\nMost confident mistakes:\n");
    }
    for mistake in &report.worst {
        let (truth, guess) = (class(report, mistake.truth), class(report, mistake.guess));
        let share = 100.0 * mistake.probability;
        let _ =
            writeln!(text, "  {}:{}  is {truth}, taken for {guess} ({share:.1} %)", report.split, mistake.index + 1);
    }
    text
}

/// `striate predict`: the text, and whether every picture was read.
pub(super) fn predict(args: &PredictArgs) -> Result<(String, bool)> {
    let images = args.images.iter().map(|text| image(text)).collect::<Result<_>>()?;
    let request = PredictRequest { id: 1, network: stored(&args.run)?, images, top: args.top.max(1) };
    let client = Client::connect(&args.device, None)?;
    let answers = client
        .ask(Command::Predict(Box::new(request)), |event| match event {
            Event::Predicted { predictions, .. } => Some(predictions),
            _ => None,
        })
        .with_context(|| format!("cannot ask {}", args.run.display()))?;
    let all_read = answers.iter().all(|answer| answer.problem.is_none());
    let rows = args.images.iter().zip(&answers);
    let text = if args.json {
        let list: Vec<_> = rows.map(|(name, answer)| predict_json(name, answer)).collect();
        format!("{:#}\n", Value::Array(list))
    } else {
        rows.map(|(name, answer)| predict_text(name, answer)).collect()
    };
    Ok((text, all_read))
}

fn predict_json(name: &str, answer: &Prediction) -> Value {
    let score =
        |score: &ClassScore| json!({"class": score.class, "name": score.name, "probability": score.probability});
    if let Some(problem) = &answer.problem {
        return json!({"image": name, "problem": problem});
    }
    let first = answer.top.first();
    json!({
        "image": name, "class": first.map(|score| score.class), "name": first.map(|score| &score.name),
        "probability": first.map(|score| score.probability),
        "top": answer.top.iter().map(score).collect::<Vec<_>>(),
    })
}

fn predict_text(name: &str, answer: &Prediction) -> String {
    if let Some(problem) = &answer.problem {
        return format!("{name}: {problem}\n");
    }
    let share = |score: &ClassScore| format!("{} {:.1} %", score.name, 100.0 * score.probability);
    format!("{name}: {}\n", answer.top.iter().map(share).collect::<Vec<_>>().join(", "))
}

/// `striate probe`.
pub(super) fn probe(args: &ProbeArgs) -> Result<String> {
    let request = ProbeRequest {
        network: stored(&args.run)?,
        ..ProbeRequest::new(image(&args.image)?, vec![args.layer.clone()])
    };
    let client = Client::connect(&args.device, None)?;
    let report = client
        .ask(Command::Probe(Box::new(request)), |event| match event {
            Event::Probed(report) => Some(*report),
            _ => None,
        })
        .with_context(|| format!("cannot look into {}", args.run.display()))?;
    let layer = report.layers.first().context("the engine gave no layer")?;
    if let Some(problem) = &layer.problem {
        bail!("{problem}");
    }
    let planes = if args.filters { &layer.filters } else { &layer.planes };
    if planes.is_empty() {
        bail!("Only a convolution has filters to draw. {} is none. Leave --filters out.", layer.path);
    }
    let (width, height) = sheet(planes, &args.out)?;
    Ok(format!(
        "{}{} pictures in {} ({width} x {height} pixels)\n",
        statistics(layer),
        planes.len(),
        args.out.display()
    ))
}

fn statistics(layer: &LayerProbe) -> String {
    let shape: Vec<_> = layer.shape.iter().map(ToString::to_string).collect();
    let mut text = format!("{}: {} (channels first)\n", layer.path, shape.join(" x "));
    for (index, stats) in layer.channels.iter().enumerate().take(16) {
        let _ = writeln!(
            text,
            "  channel {index:>3}: {:>9.4} to {:>9.4}, mean {:>9.4}, {:>5.1} % zeros",
            stats.min,
            stats.max,
            stats.mean,
            100.0 * stats.zeros
        );
    }
    if layer.channels.len() > 16 {
        let _ = writeln!(text, "  and {} more channels", layer.channels.len() - 16);
    }
    text
}

/// Draws all planes as one contact sheet, small ones enlarged.
fn sheet(planes: &[Plane], out: &Path) -> Result<(u32, u32)> {
    let largest = planes.iter().map(|plane| plane.width.max(plane.height)).max().unwrap_or(1).max(1);
    let scale = (48 / largest).max(1);
    let cell = largest * scale + 2;
    let count = u32::try_from(planes.len()).unwrap_or(u32::MAX);
    let columns = (1..=count).find(|n| n * n >= count).unwrap_or(1);
    let rows = count.div_ceil(columns);
    let mut picture = image::RgbImage::from_pixel(columns * cell, rows * cell, image::Rgb([40, 44, 60]));
    for (index, plane) in (0..).zip(planes) {
        let (left, top) = (index % columns * cell + 1, index / columns * cell + 1);
        for y in 0..plane.height * scale {
            for x in 0..plane.width * scale {
                let at = ((y / scale * plane.width + x / scale) * plane.depth) as usize;
                let byte = |offset: usize| plane.pixels.get(at + offset).copied().unwrap_or(0);
                let color = if plane.depth == 3 { [byte(0), byte(1), byte(2)] } else { [byte(0); 3] };
                picture.put_pixel(left + x, top + y, image::Rgb(color));
            }
        }
    }
    picture
        .save_with_format(out, image::ImageFormat::Png)
        .map_err(|error| anyhow!("A picture must be writable. {}: {error}.", out.display()))?;
    Ok(picture.dimensions())
}
