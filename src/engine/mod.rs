//! Runs programs: forward, backward, optimizer steps, weights on disk. burn lives here and nowhere else.
//!
//! The engine is another process. [`Supervisor`] starts it and talks to it in the plain data of [`protocol`]; neither
//! knows burn, and window and command line use nothing else of this folder (besides [`run`], the run folder).
//!
//! Inside the worker, `Network` is a program with weights on one device and `Trainer` takes optimizer steps with it.
//! Both take plain buffers and give plain buffers, so that nobody outside this folder sees a tensor. This folder knows
//! op, graph's settings and the batches of data; it does not know egui.

pub mod channel;
mod ending;
pub mod memory;
pub mod protocol;
pub mod run;
mod supervisor;
pub mod symptom;

#[cfg(feature = "train")]
mod check;
#[cfg(feature = "train")]
mod checkpoint;
#[cfg(feature = "train")]
pub mod devices;
#[cfg(feature = "train")]
mod error;
#[cfg(feature = "train")]
mod excite;
#[cfg(feature = "train")]
mod explain;
#[cfg(all(test, feature = "train"))]
mod explain_tests;
#[cfg(all(test, feature = "train"))]
mod golden;
#[cfg(feature = "train")]
mod host;
#[cfg(feature = "train")]
mod init;
#[cfg(feature = "train")]
mod loss;
#[cfg(feature = "train")]
mod net;
#[cfg(feature = "train")]
mod ops;
#[cfg(feature = "train")]
mod optim;
#[cfg(feature = "train")]
mod probe;
#[cfg(feature = "train")]
mod rate_search;
#[cfg(feature = "train")]
mod sense;
#[cfg(feature = "train")]
mod single;
#[cfg(feature = "train")]
mod spread;
#[cfg(feature = "train")]
mod timing;
#[cfg(feature = "train")]
mod train;
#[cfg(feature = "train")]
pub mod weights;
#[cfg(feature = "train")]
pub mod worker;

pub use supervisor::{Supervisor, SupervisorError};

#[cfg(feature = "train")]
pub use self::{
    error::EngineError,
    host::HostTensor,
    net::{LoadReport, Mismatch, Network},
    single::{OpRun, run_op},
    timing::layer_times,
    train::{EvalOutcome, StepOutcome, TrainJob, Trainer},
};
#[cfg(feature = "train")]
pub use burn::tensor::Device;
