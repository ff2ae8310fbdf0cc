//! Learning rates: changes during a run, and the search for a good one. Plain data.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The learning rate from a step on: a change that a person made during a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RateChange {
    /// Steps done when it was made; the next one uses it.
    pub step: u64,
    /// The base rate from then on.
    pub base_rate: f64,
    /// The schedule from then on, as JSON; none is the document's.
    pub schedule: Option<String>,
    /// Step from which the schedule counts: it runs over what is left of the run then.
    pub since: u64,
}

/// A search for a learning rate: a short training on a copy, whose rate grows with every step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateSearchRequest {
    /// Comes back with the answer.
    pub id: u64,
    /// The document as JSON.
    pub document: String,
    /// Take initial weights from this run folder or weight file where path and shape match.
    pub start_from: Option<PathBuf>,
    /// First rate.
    pub lowest: f64,
    /// Last rate.
    pub highest: f64,
    /// Steps from one to the other.
    pub steps: u32,
}

impl RateSearchRequest {
    /// A search with the usual limits: from 10⁻⁷ to 10 in 100 steps, as fastai's.
    pub fn new(id: u64, document: String) -> Self {
        Self { id, document, start_from: None, lowest: 1e-7, highest: 10.0, steps: 100 }
    }
}

/// One step of a search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RatePoint {
    /// Learning rate of the step.
    pub rate: f64,
    /// Loss before the step.
    pub loss: f64,
    /// Loss smoothed over the steps before.
    pub smooth: f64,
}

/// What a search found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RateAdvice {
    /// The rate to train with.
    pub suggested: f64,
    /// Rate at which the loss falls fastest.
    pub steepest: f64,
    /// Rate at which the smoothed loss is lowest.
    pub lowest: f64,
    /// Rate at which the loss ran away, if it did.
    pub diverged_at: Option<f64>,
}

/// A search, so far or as a whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RateSearch {
    /// The request's id.
    pub id: u64,
    /// Steps taken so far.
    pub points: Vec<RatePoint>,
    /// Steps in all, unless the loss runs away.
    pub steps: u32,
    /// It has ended.
    pub is_done: bool,
    /// What it says, once it has ended; none if no rate made the loss fall.
    pub advice: Option<RateAdvice>,
}
