//! The worker: the process that computes. Reads commands from its input, writes events to its output, writes runs itself.
//!
//! All tensors live on one thread with a large stack; commands are read by another. The end of input means: checkpoint
//! and exit. Everything that fails inside a command is told and survived; what kills the process is told by the
//! supervisor on the other side.

mod answer;
mod fault;
mod finder;
mod inbox;
mod looks;
mod outbox;
mod pace;
mod progress;
mod session;
mod watch;

use super::devices::{self, DeviceError, Opened};
use super::protocol::{BUILD, Command, DeviceChoice, Event, NetworkRef, PROTOCOL, RunId};
use super::run::RunError;
use super::{EngineError, check, symptom};
use crate::data::{DataError, ItemError, Split};
use crate::graph::FileError;
use crate::graph::bounds::OutOfRange;
use crate::platform;
use answer::{Model, Shelf};
use fault::Fault;
use inbox::Inbox;
use outbox::Outbox;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Stack of the computing thread: long networks make deep graphs.
const STACK: usize = 16 << 20;

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// See there.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// See there.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// See there.
    #[error(transparent)]
    Data(#[from] DataError),
    /// See there.
    #[error(transparent)]
    Item(#[from] ItemError),
    /// See there.
    #[error(transparent)]
    Run(#[from] RunError),
    /// See there.
    #[error(transparent)]
    Document(#[from] FileError),
    /// See there.
    #[error(transparent)]
    Setting(#[from] OutOfRange),
    /// The network has errors.
    #[error("A network must be complete before it runs. {0}")]
    Incomplete(String),
    /// Weights are asked for that do not exist.
    #[error("A run needs weights before it can be asked. {0} has none yet. Train it first.")]
    NoWeights(PathBuf),
    /// A weight file of someone else.
    #[error("A weight file must have its network inside. {0} has none. Give the run folder it belongs to.")]
    NoDocument(PathBuf),
    /// Weights of another network.
    #[error("Weights must fit their network. {file} does not fit at {path}. Choose the file that belongs to it.")]
    WeightsDiffer {
        /// The file.
        file: PathBuf,
        /// The first parameter that does not fit.
        path: String,
    },
    /// Live weights are asked for, but nothing was trained.
    #[error("A network must have been trained here to be asked. None has. Name a run.")]
    NothingTrained,
    /// The heads cannot be judged.
    #[error("Evaluating needs a network that can be trained on classes. This one cannot. Add a layer that learns.")]
    CannotJudge,
    /// There is nothing to measure on.
    #[error(
        "A split needs at least one image. {0} has none. Choose another split, or give it a share in the data settings."
    )]
    EmptySplit(Split),
    /// A message that makes no sense.
    #[error("A request must make sense. {0}.")]
    Request(String),
    /// Something more urgent came in.
    #[error("The answer was cut short by another command.")]
    Interrupted,
}

/// Everything the worker holds between commands.
struct Worker {
    inbox: Arc<Inbox>,
    out: Outbox,
    opened: Option<Opened>,
    threads: u32,
    live: Option<Model>,
    shelf: Shelf,
    fault: Option<Fault>,
    /// The device can no longer be used here: end with this exit code.
    fatal: Option<u8>,
}

/// The worker's whole life: `striate worker`.
pub fn main() -> ExitCode {
    let stream = match platform::take_stdout() {
        Ok(stream) => stream,
        Err(error) => {
            tracing::error!("the worker needs its standard output: {error}");
            return ExitCode::FAILURE;
        }
    };
    platform::lower_priority();
    platform::offer_to_oom_killer();
    log_to_stderr();
    if let Some(limit) = std::env::var(super::memory::LIMIT).ok().and_then(|text| text.parse().ok())
        && !super::memory::set_limit(limit)
    {
        tracing::warn!("the memory limit of {limit} bytes cannot be kept");
    }
    let out = Outbox::new(stream);
    out.send(&Event::Hello { build: BUILD.into(), protocol: PROTOCOL, pid: std::process::id() });
    let inbox = match Inbox::read(std::io::stdin()) {
        Ok(inbox) => inbox,
        Err(error) => {
            tracing::error!("no thread for commands: {error}");
            return ExitCode::FAILURE;
        }
    };
    let compute = std::thread::Builder::new().name("striate-compute".into()).stack_size(STACK).spawn(move || {
        let (fault, shelf) = (Fault::from_env(), Shelf::default());
        Worker { inbox, out, opened: None, threads: 0, live: None, shelf, fault, fatal: None }.run()
    });
    match compute.map(std::thread::JoinHandle::join) {
        Ok(Ok(fatal)) => fatal.map_or(ExitCode::SUCCESS, ExitCode::from),
        // The supervisor says so, with the last words, which are those of the panic.
        Ok(Err(_)) => ExitCode::from(3),
        Err(error) => {
            tracing::error!("no thread to compute on: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One line per event and per panic, on standard error, where the supervisor reads it.
fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("STRIATE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,striate=info"));
    // A second subscriber is refused: in a test, that one serves as well.
    let _ = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .with_env_filter(filter)
        .try_init();
    std::panic::set_hook(Box::new(|info| {
        let text = info.to_string().replace('\n', " ");
        tracing::warn!("{text}");
    }));
}

impl Worker {
    fn run(mut self) -> Option<u8> {
        while let Some(command) = self.inbox.wait() {
            self.handle(command);
            self.out.flush();
            if self.fatal.is_some() || self.out.is_broken() {
                break;
            }
        }
        self.fatal
    }

    /// A command while nothing trains.
    fn handle(&mut self, command: Command) {
        match command {
            Command::Train { run, request } => session::train(self, run, &request),
            Command::FindRate(request) => {
                if let Err(error) = finder::find(self, &request) {
                    self.fail(None, &error);
                }
            }
            Command::Pause
            | Command::Resume
            | Command::Stop { .. }
            | Command::Checkpoint
            | Command::SetLearningRate(_)
            | Command::SetSchedule(_)
            | Command::Shutdown => {}
            other => self.answer(other),
        }
    }

    /// A command that is answered the same way whether something trains or not.
    fn answer(&mut self, command: Command) {
        let result = match command {
            Command::Open { device, threads } => self.open(&device, threads),
            look if look.is_look() => {
                self.look(&look);
                Ok(())
            }
            Command::Evaluate(request) => self.evaluate(&request),
            Command::Predict(request) => self.predict(&request),
            Command::ListDevices => {
                self.out.send(&Event::Devices(devices::list()));
                Ok(())
            }
            Command::CheckDevice => self.check(),
            Command::TimeLayers(request) => {
                self.time(&request);
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = result
            && !self.is_fatal(&error)
        {
            self.fail(None, &error);
        }
    }

    /// Whether a failure leaves the device unusable. If so, it is written down and the worker ends after this command: the
    /// supervisor recognises the exit code.
    fn is_fatal(&mut self, error: &WorkerError) -> bool {
        let WorkerError::Engine(EngineError::Backend { message }) = error else { return false };
        let Some(code) = symptom::fatal_code(message) else { return false };
        tracing::error!("{error}");
        self.fatal = Some(code);
        true
    }

    fn fail(&self, run: Option<RunId>, error: &WorkerError) {
        self.out.send(&Event::Failed { run, message: error.to_string() });
    }

    fn open(&mut self, choice: &DeviceChoice, threads: Option<u32>) -> Result<(), WorkerError> {
        if self.threads == 0 {
            self.threads =
                threads.filter(|&n| n > 0).unwrap_or_else(|| u32::try_from(platform::threads()).unwrap_or(1));
            let pool = rayon::ThreadPoolBuilder::new().num_threads(self.threads as usize);
            if let Err(error) = pool.thread_name(|n| format!("striate-cpu-{n}")).build_global() {
                tracing::warn!("the number of threads could not be set: {error}");
            }
        }
        let opened = devices::open(choice)?;
        self.live = None;
        self.shelf.clear();
        self.out.send(&Event::Ready { device: opened.info.clone(), threads: self.threads });
        self.opened = Some(opened);
        Ok(())
    }

    /// The device; the CPU if none was chosen.
    fn device(&mut self) -> Result<Opened, WorkerError> {
        if self.opened.is_none() {
            self.open(&DeviceChoice::Cpu, None)?;
        }
        Ok(self.opened.clone().unwrap_or_else(Opened::cpu))
    }

    fn evaluate(&mut self, request: &super::protocol::EvaluateRequest) -> Result<(), WorkerError> {
        let device = self.device()?;
        let inbox = Arc::clone(&self.inbox);
        let model = self.shelf.find(&request.network, self.live.as_mut(), &device)?;
        let report = answer::evaluate(model, request, || inbox.is_stopping())?;
        self.out.send(&Event::Evaluated(Box::new(report)));
        Ok(())
    }

    fn predict(&mut self, request: &super::protocol::PredictRequest) -> Result<(), WorkerError> {
        let device = self.device()?;
        let model = self.shelf.find(&request.network, self.live.as_mut(), &device)?;
        let predictions = answer::predict(model, request);
        self.out.send(&Event::Predicted { id: request.id, predictions });
        Ok(())
    }

    /// The times of layers, or why there are none: the answer always carries the request's id.
    fn time(&mut self, request: &super::protocol::TimeRequest) {
        let report = self.device().and_then(|device| {
            let inbox = Arc::clone(&self.inbox);
            let network = NetworkRef::Fresh { document: request.document.clone() };
            let model = self.shelf.find(&network, None, &device)?;
            answer::time(model, request, device.info.name, || inbox.is_wanted())
        });
        let report = report.unwrap_or_else(|error| answer::no_times(request, error.to_string()));
        self.out.send(&Event::LayerTimes(Box::new(report)));
    }

    fn check(&mut self) -> Result<(), WorkerError> {
        let opened = self.device()?;
        let out = self.out.clone();
        let rows = check::check(&opened.device, |row, cases| {
            tracing::info!("checked {} in {:.1} s", row.case, row.secs);
            out.send(&Event::CheckedCase { row: row.clone(), cases });
        });
        self.out.send(&Event::Checked { device: opened.info, rows });
        Ok(())
    }
}
