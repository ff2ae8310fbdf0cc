//! The document: what a person made and what is saved.
//!
//! Knows layers and ops; knows neither costs, burn nor egui.

mod spec;

pub use spec::{
    Augment, DataSource, DataSpec, EarlyStop, Head, Loss, Metric, Optimizer, Preprocess, Resize, Schedule, Splits,
    Target, TrainSpec,
};
