//! `striate train`: a run from the command line, with a progress bar or one JSON object a line.

use super::ask::{absolute, absolute_source};
use super::client::{Client, log};
use super::summary::{load, with_field, with_input};
use crate::engine::Supervisor;
use crate::engine::protocol::{
    Command, EpochReport, Event, ExitReport, FinishReason, LogLevel, RunId, Started, StepReport, TrainRequest,
};
use crate::engine::run::{RunFolder, epoch_json, step_json};
use crate::graph::{DataSource, Document, Optimizer, Schedule};
use crate::op::DType;
use crate::platform;
use crate::text::{bytes, count};
use anyhow::{Context as _, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// What a program stopped by Ctrl+C gives.
const INTERRUPTED: u8 = 130;
/// How often a batch is halved after running out of memory before giving up.
const HALVINGS: u32 = 5;
const RUN: RunId = RunId(1);

/// What `striate train` takes.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  striate train lenet5 --data digits --epochs 2
  striate train net.json --data mnist:data/mnist --batch 128 --optimizer sgd --lr 0.1 --schedule cosine
  striate train lenet5 --data folder:photos --input 32x32x1 --out runs/photos
  striate train --resume runs/lenet-5-1

Ctrl+C writes a checkpoint and stops; --resume goes on from there.")]
pub(super) struct TrainArgs {
    /// A document, or the id of a preset.
    #[arg(required_unless_present = "resume")]
    model: Option<String>,
    /// The data: digits, mnist:DIR or folder:DIR [default: the document's].
    #[arg(long, value_parser = DataSource::parse)]
    data: Option<DataSource>,
    /// Passes over the training data [default: the document's].
    #[arg(long)]
    epochs: Option<u32>,
    /// Images per step [default: the document's].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// sgd, momentum, nesterov, adam, adamw or rmsprop [default: the document's].
    #[arg(long, value_parser = optimizer)]
    optimizer: Option<Optimizer>,
    /// Base learning rate [default: the document's].
    #[arg(long)]
    lr: Option<f64>,
    /// constant, step, cosine, warm_up or one_cycle [default: the document's].
    #[arg(long, value_parser = schedule)]
    schedule: Option<Schedule>,
    /// Micro-steps whose gradients are averaged into one step [default: the document's].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    accumulate: Option<u32>,
    /// Element type of values: f32 or f16; weights and losses stay in f32 [default: the document's].
    #[arg(long, value_parser = dtype)]
    dtype: Option<DType>,
    /// Another input size, height x width x channels.
    #[arg(long, value_name = "HxWxC")]
    input: Option<String>,
    /// Changes a field of a layer, such as conv1.filters=64. May be repeated.
    #[arg(long, value_name = "LAYER.FIELD=VALUE")]
    set: Vec<String>,
    /// Seed of weights, order, augmentation and dropout [default: the document's].
    #[arg(long)]
    seed: Option<u64>,
    /// Device: auto, cpu, an id or a name (see `striate devices`).
    #[arg(long, default_value = "auto")]
    device: String,
    /// Threads of the CPU [default: all cores].
    #[arg(long)]
    threads: Option<u32>,
    /// Folder of the run [default: runs/<name>-<n>].
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on with the run in this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["model", "out", "start_from"])]
    resume: Option<PathBuf>,
    /// Take initial weights from this run or weight file where path and shape match.
    #[arg(long, value_name = "RUN")]
    start_from: Option<PathBuf>,
    /// Stop after this many steps altogether.
    #[arg(long)]
    steps: Option<u64>,
    /// Most seconds between checkpoints (one more is made after every epoch).
    #[arg(long, default_value_t = TrainRequest::CHECKPOINT_SECS)]
    checkpoint_secs: u32,
    /// Print one JSON object a line instead of a progress bar.
    #[arg(long)]
    json: bool,
}

fn optimizer(text: &str) -> Result<Optimizer, String> {
    Optimizer::from_id(text)
        .ok_or_else(|| format!("An optimizer must be one of {}. Received {text:?}.", Optimizer::IDS.join(", ")))
}

fn schedule(text: &str) -> Result<Schedule, String> {
    Schedule::from_id(text)
        .ok_or_else(|| format!("A schedule must be one of {}. Received {text:?}.", Schedule::IDS.join(", ")))
}

fn dtype(text: &str) -> Result<DType, String> {
    let found = DType::ALL.into_iter().find(|dtype| dtype.id() == text);
    found.ok_or_else(|| format!("An element type must be f32 or f16. Received {text:?}."))
}

/// `striate train`.
pub(super) fn train(args: &TrainArgs) -> Result<ExitCode> {
    platform::watch_for_interrupt();
    let mut request = request(args)?;
    let mut view = View::new(args.json);
    for _ in 0..=HALVINGS {
        let client = Client::connect(&args.device, args.threads)?;
        view.device(&client);
        client.worker.send(Command::Train { run: RUN, request: Box::new(request.clone()) })?;
        match follow(client.worker, &mut view)? {
            End::Finished(reason) => {
                return Ok(if reason == FinishReason::Diverged { ExitCode::FAILURE } else { ExitCode::SUCCESS });
            }
            End::Interrupted => {
                view.interrupted(&request.folder);
                return Ok(ExitCode::from(INTERRUPTED));
            }
            End::OutOfMemory(report) => {
                request = request.with_half_the_batch();
                view.halving(&report, request.halvings);
            }
        }
    }
    bail!("A step must fit the memory. Even {HALVINGS} times half the batch did not. Use a smaller network or input.")
}

fn request(args: &TrainArgs) -> Result<TrainRequest> {
    let mut request = if let Some(folder) = &args.resume {
        for (name, is_given) in [
            ("--data", args.data.is_some()),
            ("--batch", args.batch.is_some()),
            ("--optimizer", args.optimizer.is_some()),
            ("--dtype", args.dtype.is_some()),
            ("--lr", args.lr.is_some()),
            ("--schedule", args.schedule.is_some()),
            ("--accumulate", args.accumulate.is_some()),
            ("--input", args.input.is_some()),
            ("--set", !args.set.is_empty()),
            ("--seed", args.seed.is_some()),
        ] {
            if is_given {
                bail!(
                    "A resumed run keeps its settings; only --epochs and --steps may change. Received {name}. Leave it out, or start a new run with --start-from {}.",
                    folder.display()
                );
            }
        }
        TrainRequest { epochs: args.epochs, ..TrainRequest::resuming(absolute(folder)) }
    } else {
        let document = document(args)?;
        let parent = Path::new("runs");
        let folder = args.out.clone().unwrap_or_else(|| RunFolder::free_path(parent, &document.name));
        TrainRequest {
            start_from: args.start_from.as_deref().map(absolute),
            ..TrainRequest::new(document.to_json(), absolute(&folder))
        }
    };
    request.max_steps = args.steps;
    request.checkpoint_secs = args.checkpoint_secs;
    Ok(request)
}

fn document(args: &TrainArgs) -> Result<Document> {
    let model = args.model.as_deref().ok_or_else(|| anyhow!("Training needs a network. Name a file or a preset."))?;
    let mut document = load(model)?;
    if let Some(size) = &args.input {
        document = with_input(&document, size)?;
    }
    for assignment in &args.set {
        document = with_field(&document, assignment)?;
    }
    if let Some(source) = &args.data {
        document.data.source = source.clone();
    }
    document.data.source = absolute_source(document.data.source);
    let training = &mut document.training;
    training.epochs = args.epochs.unwrap_or(training.epochs);
    training.batch = args.batch.unwrap_or(training.batch);
    training.optimizer = args.optimizer.unwrap_or(training.optimizer);
    training.dtype = args.dtype.unwrap_or(training.dtype);
    training.schedule = args.schedule.unwrap_or(training.schedule);
    training.accumulate = args.accumulate.unwrap_or(training.accumulate);
    if let Some(rate) = args.lr {
        if !(rate.is_finite() && rate >= 0.0) {
            bail!("A learning rate must be a number of at least 0. Received {rate}.");
        }
        training.learning_rate = rate;
    }
    document.training.check()?;
    document.seed = args.seed.unwrap_or(document.seed);
    Ok(document)
}

/// How following a worker ended.
enum End {
    Finished(FinishReason),
    Interrupted,
    OutOfMemory(ExitReport),
}

fn follow(mut worker: Supervisor, view: &mut View) -> Result<End> {
    let mut asked = 0;
    let mut finished = None;
    loop {
        let pressed = platform::interrupts();
        if pressed > asked {
            if asked == 0 {
                view.note("stopping: writing a checkpoint (press Ctrl+C again to give it up)");
                worker.close();
            } else {
                worker.kill();
            }
            asked = pressed;
        }
        match worker.recv_timeout(Duration::from_millis(100)) {
            Some(Event::Exited(report)) => {
                view.end();
                return match finished {
                    Some(reason) => Ok(End::Finished(reason)),
                    None if asked > 0 => Ok(End::Interrupted),
                    None if report.out_of_memory => Ok(End::OutOfMemory(report)),
                    None => Err(anyhow!(report.message)),
                };
            }
            Some(Event::Failed { run: Some(_), message }) => {
                view.end();
                return Err(anyhow!(message)).context("training failed");
            }
            Some(Event::Finished { reason, .. }) if finished.is_none() => {
                finished = Some(reason);
                view.finished(reason);
                worker.close();
            }
            Some(event) => view.show(&event),
            None => {}
        }
    }
}

/// Shows a run on the terminal.
struct View {
    json: bool,
    bar: ProgressBar,
    started: Option<Started>,
    memory_told: bool,
}

impl View {
    fn new(json: bool) -> Self {
        let bar = if json { ProgressBar::hidden() } else { ProgressBar::new(0) };
        let style = "{bar:30} {pos}/{len} steps  {msg}  {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Self { json, bar, started: None, memory_told: false }
    }

    /// A line for people, above the bar.
    fn line(&self, text: &str) {
        if !self.json {
            self.bar.suspend(|| println!("{text}"));
        }
    }

    /// An object for programs.
    fn object(&self, value: &Value) {
        if self.json {
            println!("{value}");
        }
    }

    /// Something a person should know in either form; on standard error, so that JSON stays clean.
    fn note(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    fn device(&self, client: &Client) {
        let name = &client.device.name;
        self.line(&format!("device    {name}, {} threads", client.threads));
        self.object(&json!({"kind": "ready", "device": name, "threads": client.threads}));
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Preparing { what, .. } => {
                self.bar.set_message(what.clone());
                self.object(&json!({"kind": "preparing", "what": what}));
            }
            Event::Started { started, .. } => self.start(started),
            Event::Steps { steps, .. } => self.steps(steps),
            Event::Epoch { epoch, .. } => self.epoch(epoch),
            Event::Memory { memory, .. } => {
                self.object(&json!({"kind": "memory", "measured": memory}));
                if !self.memory_told {
                    self.memory_told = true;
                    let told = memory.gpu_in_use_bytes.or(memory.peak_bytes).map(bytes);
                    let resident = memory.resident_bytes.map_or_else(|| "unknown".into(), bytes);
                    if let Some(told) = told {
                        self.line(&format!("memory    {told} measured over two steps, process {resident}"));
                    }
                }
            }
            Event::Saved { step, path, .. } => {
                self.object(&json!({"kind": "saved", "step": step, "path": path}));
            }
            Event::Log { level, text } if *level >= LogLevel::Warn => self.bar.suspend(|| log(*level, text)),
            Event::Failed { message, .. } | Event::Mended { message, .. } => self.note(message),
            _ => {}
        }
    }

    fn start(&mut self, started: &Started) {
        self.bar.set_length(started.total_steps);
        self.bar.set_position(started.step);
        self.bar.reset_eta();
        let classes = started.classes.len();
        let (train, validation) = (count(started.train_images), count(started.validation_images));
        self.line(&format!("data      {train} images to train, {validation} to validate, {classes} classes"));
        self.line(&format!("run       {}", started.folder.display()));
        if started.step > 0 {
            self.line(&format!("resumed   after step {}", count(started.step)));
        }
        if let Some(weights) = &started.weights {
            let (taken, all) =
                (weights.matched.len(), weights.matched.len() + weights.missing.len() + weights.mismatched.len());
            self.line(&format!("weights   {taken} of {all} taken over"));
            for path in weights.missing.iter().chain(&weights.mismatched) {
                self.line(&format!("          not {path}"));
            }
        }
        self.object(&json!({"kind": "started", "run": started}));
        self.started = Some(started.clone());
    }

    fn steps(&mut self, steps: &[StepReport]) {
        for step in steps {
            self.object(&step_json(step));
        }
        if let Some(last) = steps.last() {
            self.bar.set_position(last.step);
            let accuracy = last.metrics.iter().find(|(name, _)| name == "accuracy");
            let accuracy = accuracy.map_or_else(String::new, |(_, share)| format!("  accuracy {:.1} %", 100.0 * share));
            self.bar.set_message(format!("loss {:.4}{accuracy}  {:.0} images/s", last.loss, last.images_per_sec));
        }
    }

    fn epoch(&mut self, epoch: &EpochReport) {
        self.object(&epoch_json(epoch));
        let metrics = |list: &[(String, f64)]| -> String {
            list.iter().map(|(name, share)| format!(" {name} {:.2} %", 100.0 * share)).collect::<Vec<_>>().concat()
        };
        let epochs = self.started.as_ref().map_or(0, |started| started.epochs);
        let validation = epoch.validation_loss.map_or_else(String::new, |loss| {
            format!("  validation loss {loss:.4}{}", metrics(&epoch.validation_metrics))
        });
        let best = if epoch.is_best { "  best" } else { "" };
        self.line(&format!(
            "epoch {:>3}/{epochs}  loss {:.4}{}{validation}  {:.1} s{best}",
            epoch.epoch,
            epoch.train_loss,
            metrics(&epoch.train_metrics),
            epoch.secs
        ));
    }

    fn finished(&self, reason: FinishReason) {
        let folder = self.started.as_ref().map(|started| started.folder.display().to_string()).unwrap_or_default();
        self.object(&json!({"kind": "finished", "reason": reason, "folder": folder}));
        self.line(&format!("done      {}: {folder}", reason.label()));
    }

    fn interrupted(&self, folder: &Path) {
        self.object(&json!({"kind": "interrupted", "folder": folder}));
        self.note(&format!("stopped. Go on with: striate train --resume {}", folder.display()));
    }

    fn halving(&self, report: &ExitReport, halvings: u32) {
        self.object(&json!({"kind": "out_of_memory", "halvings": halvings, "message": report.message}));
        self.note(&format!(
            "{}\nGoing on with the batch halved {halvings} times and gradients accumulated. With batch norm that is not \
             the same mathematics: it sees smaller batches.",
            report.message
        ));
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
