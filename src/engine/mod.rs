//! Runs programs: forward, backward, optimizer steps, weights on disk. burn lives here and nowhere else.
//!
//! [`Network`] is a program with weights on one device, [`Trainer`] takes optimizer steps with it. Both take plain
//! buffers and give plain buffers, so that nobody outside this folder sees a tensor. This folder knows op, graph's
//! settings and the batches of data; it does not know egui.

mod checkpoint;
mod error;
mod host;
mod init;
mod loss;
mod net;
mod ops;
mod optim;
mod train;
pub mod weights;

pub use burn::tensor::Device;
pub use error::EngineError;
pub use host::HostTensor;
pub use net::{LoadReport, Mismatch, Network};
pub use train::{EvalOutcome, StepOutcome, TrainJob, Trainer};
