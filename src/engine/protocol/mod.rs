//! What the window (or the command line) and the worker say to each other: plain data, no burn, no egui.
//!
//! Everything here must survive postcard, which cannot carry internally tagged enums: documents and specs therefore
//! travel as JSON text. Paths are the worker's paths. Every event about a run names the run.

mod command;
mod excite;
mod look;
mod report;
mod results;
mod tuning;

pub use command::{
    Command, DeviceChoice, DeviceInfo, DeviceKind, EvaluateRequest, ImageRef, NetworkRef, PredictRequest, ProbeRequest,
    TimeRequest, TrainRequest,
};
pub use excite::{ExciteReport, ExciteRequest, ExcitedChannel, ExcitingPatch};
pub use look::{
    Cell, ExplainReport, ExplainRequest, ExplainStep, Histogram, How, LayerSpread, NormOver, Products, SenseReport,
    SenseRequest, SourceMap, SpreadReport, SpreadRequest, Tap, Window,
};
pub use report::{
    ChannelStats, CheckRow, ClassScore, EpochReport, EvaluateReport, LayerProbe, LayerTime, LayerTimesReport,
    MemoryReport, Mistake, Plane, Prediction, ProbeReport, Started, StepReport, WeightsReport,
};
pub use results::{Answer, ClassScores, EpochResults};
pub use tuning::{RateAdvice, RateChange, RatePoint, RateSearch, RateSearchRequest};

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Version of the messages. Both sides must agree.
pub const PROTOCOL: u32 = 4;

/// Build of this program, sent in the first message.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

/// A run as the side that started it numbers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(pub u64);

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// All epochs done.
    Completed,
    /// The validation loss no longer fell.
    EarlyStop,
    /// Someone stopped it.
    Stopped,
    /// The asked number of steps is done.
    StepLimit,
    /// The loss is no longer a number.
    Diverged,
}

impl FinishReason {
    /// For a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::Completed => "all epochs done",
            Self::EarlyStop => "stopped early: the validation loss no longer fell",
            Self::Stopped => "stopped",
            Self::StepLimit => "the asked number of steps is done",
            Self::Diverged => "the loss is no longer a number; try a smaller learning rate",
        }
    }
}

/// How serious a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LogLevel {
    /// Details.
    Debug,
    /// What happens.
    Info,
    /// What a person should know.
    Warn,
    /// What failed.
    Error,
}

/// Why a worker ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndCause {
    /// It was told to.
    #[default]
    Asked,
    /// It failed in a way it did not expect: a signal of its own, a panic, an unknown exit code.
    Crashed,
    /// Somebody else ended it.
    Killed,
    /// It asked for more memory than there is, or was ended near its limit.
    OutOfMemory,
    /// Its device is gone.
    DeviceLost,
    /// It hung up, or what it said was no message.
    Connection,
    /// It said nothing for too long and was ended for that.
    Silent,
}

/// How a worker ended, told by the supervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitReport {
    /// It was told to end, or its input ended.
    pub expected: bool,
    /// Exit code.
    pub code: Option<i32>,
    /// Signal that killed it.
    pub signal: Option<i32>,
    /// It looks as if memory ran out.
    pub out_of_memory: bool,
    /// All of it in words.
    pub message: String,
    /// The run that was training then.
    pub run: Option<RunId>,
    /// Why, for those who act on it.
    pub cause: EndCause,
}

/// What the worker says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The first message.
    Hello {
        /// Build of the worker.
        build: String,
        /// Version of its messages.
        protocol: u32,
        /// Its process.
        pid: u32,
    },
    /// The device is open.
    Ready {
        /// The device.
        device: DeviceInfo,
        /// CPU threads it uses.
        threads: u32,
    },
    /// Something that takes a while before the first step.
    Preparing {
        /// The run.
        run: RunId,
        /// What is being done.
        what: String,
    },
    /// The first step comes next.
    Started {
        /// The run.
        run: RunId,
        /// What is known by now.
        started: Box<Started>,
    },
    /// Steps since the last message: every step is told, messages are batched to 30 a second.
    Steps {
        /// The run.
        run: RunId,
        /// The steps in order.
        steps: Vec<StepReport>,
    },
    /// The end of an epoch.
    Epoch {
        /// The run.
        run: RunId,
        /// Its numbers.
        epoch: EpochReport,
    },
    /// Bytes really held.
    Memory {
        /// The run.
        run: RunId,
        /// The numbers.
        memory: MemoryReport,
    },
    /// The answer to a probe.
    Probed(Box<ProbeReport>),
    /// How a cell came to be.
    Explained(Box<ExplainReport>),
    /// What a cell sees.
    Sensed(Box<SenseReport>),
    /// How weights, activations and gradients are spread.
    Spread(Box<SpreadReport>),
    /// A look that cannot be answered; nothing else is affected.
    Unanswered {
        /// The request's id.
        id: u64,
        /// Rule, finding, way out.
        message: String,
    },
    /// The answer to an evaluation.
    Evaluated(Box<EvaluateReport>),
    /// The answers to a predict command.
    Predicted {
        /// The request's id.
        id: u64,
        /// One answer per image.
        predictions: Vec<Prediction>,
    },
    /// A checkpoint or weight file was written.
    Saved {
        /// The run.
        run: RunId,
        /// Step of the weights.
        step: u64,
        /// Where.
        path: PathBuf,
    },
    /// Holding.
    Paused {
        /// The run.
        run: RunId,
        /// Steps done.
        step: u64,
    },
    /// Going on.
    Resumed {
        /// The run.
        run: RunId,
    },
    /// What became of the validation images at the end of an epoch.
    Results {
        /// The run.
        run: RunId,
        /// Confusion, examples.
        results: Box<EpochResults>,
    },
    /// The learning rate or its schedule was changed.
    RateChanged {
        /// The run.
        run: RunId,
        /// What holds from now on.
        change: RateChange,
    },
    /// A search for a learning rate, so far or as a whole.
    RateSearch(Box<RateSearch>),
    /// A run ended as it should.
    Finished {
        /// The run.
        run: RunId,
        /// Why.
        reason: FinishReason,
        /// Steps done.
        step: u64,
        /// The file to use: best weights where there are any, else the last.
        weights: PathBuf,
    },
    /// A command or a run failed; the worker goes on.
    Failed {
        /// The run, if it was one.
        run: Option<RunId>,
        /// Rule, finding, way out.
        message: String,
    },
    /// Something failed and was mended: the run goes on.
    Mended {
        /// The run.
        run: RunId,
        /// Rule, finding, and what was done.
        message: String,
    },
    /// Still at work on something that tells no steps, such as validation.
    Alive {
        /// The run.
        run: RunId,
    },
    /// The devices of this computer.
    Devices(Vec<DeviceInfo>),
    /// One case of the device self-test is done.
    CheckedCase {
        /// What was found.
        row: CheckRow,
        /// How many cases there are.
        cases: u32,
    },
    /// The device self-test.
    Checked {
        /// The device tested.
        device: DeviceInfo,
        /// One row per case.
        rows: Vec<CheckRow>,
    },
    /// A line of the log.
    Log {
        /// How serious.
        level: LogLevel,
        /// The line.
        text: String,
    },
    /// The worker is gone; always the last event.
    Exited(ExitReport),
    /// How long each layer takes.
    LayerTimes(Box<LayerTimesReport>),
    /// What excites the channels of a layer most.
    Excited(Box<ExciteReport>),
}
