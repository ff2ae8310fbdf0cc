//! A training's state in a folder: weights, optimizer, step.

use super::protocol::RateChange;
use super::train::LossScale;
use super::weights::{read_safetensors, write_atomically, write_safetensors};
use super::{EngineError, HostTensor, Network, Trainer};
use crate::engine::optim::{Moments, moment_names};
use crate::graph::Optimizer;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

const WEIGHTS: &str = "weights.safetensors";
const OPTIMIZER: &str = "optimizer.safetensors";
const STATE: &str = "state.json";

#[derive(Debug, Serialize, Deserialize)]
struct State {
    format: u32,
    step: u64,
    /// As text: reading a JSON number may lose its last bit.
    base_learning_rate: String,
    seed: u64,
    steps_per_epoch: u64,
    optimizer: Optimizer,
    /// In 16 bits only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss_scale: Option<LossScale>,
    /// A schedule that was told during the run, word for word.
    #[serde(default)]
    schedule: Option<String>,
    #[serde(default)]
    schedule_since: u64,
}

impl Trainer {
    /// Writes `weights.safetensors`, `optimizer.safetensors` and `state.json` into an existing folder.
    ///
    /// # Errors
    /// A failing device or disk.
    pub fn save(&self, dir: &Path) -> Result<(), EngineError> {
        write_safetensors(&dir.join(WEIGHTS), &self.network.weights()?, BTreeMap::new())?;
        let names = moment_names(self.job.spec.optimizer);
        let mut list = Vec::new();
        for (name, pick) in names.into_iter().zip([|m: &Moments| m.first.clone(), |m: &Moments| m.second.clone()]) {
            let read = self.network.download_params(self.moments.iter().map(pick).collect())?;
            let specs = self.job.program.params.iter();
            list.extend(specs.zip(read).filter_map(|(of, tensor)| Some((format!("{}/{name}", of.path), tensor?))));
        }
        write_safetensors(&dir.join(OPTIMIZER), &list, BTreeMap::new())?;
        let state = State {
            format: 1,
            step: self.step,
            base_learning_rate: format!("{:?}", self.rate.base),
            seed: self.job.seed,
            steps_per_epoch: self.job.steps_per_epoch,
            optimizer: self.job.spec.optimizer,
            loss_scale: self.loss_scale,
            schedule: self.rate.told.clone(),
            schedule_since: self.rate.since,
        };
        let path = dir.join(STATE);
        let text = serde_json::to_vec_pretty(&state).map_err(|error| file_error(&path, &error))?;
        write_atomically(&path, &text).map_err(|error| file_error(&path, &error))
    }

    /// Continues from a folder that [`Trainer::save`] wrote: the steps that follow are those of an uninterrupted training.
    ///
    /// # Errors
    /// Files that cannot be read, or that belong to another network or optimizer; nothing has changed then.
    pub fn load(&mut self, dir: &Path) -> Result<(), EngineError> {
        let path = dir.join(STATE);
        let text = std::fs::read(&path).map_err(|error| file_error(&path, &error))?;
        let state: State = serde_json::from_slice(&text).map_err(|error| file_error(&path, &error))?;
        let base_rate: f64 = state.base_learning_rate.parse().map_err(|error| file_error(&path, &error))?;
        let mine = self.job.spec.optimizer;
        let wanted = moment_names(mine);
        if std::mem::discriminant(&state.optimizer) != std::mem::discriminant(&mine) {
            let found = format!("It was trained with {}, this one uses {}", state.optimizer.id(), mine.id());
            return Err(EngineError::Checkpoint { found });
        }
        let mut network = Network::new(Arc::clone(&self.job.program), self.job.seed, self.network.device())?;
        let report = network.set_weights(&read_safetensors(&dir.join(WEIGHTS))?.0)?;
        if let Some(found) = report
            .missing
            .first()
            .map(|path| format!("{path} is missing"))
            .or_else(|| report.unused.first().map(|path| format!("{path} is not in this network")))
            .or_else(|| report.mismatched.first().map(|m| format!("{} has the shape {:?}", m.path, m.found)))
        {
            return Err(EngineError::Checkpoint { found });
        }
        let mut stored: HashMap<String, HostTensor> = read_safetensors(&dir.join(OPTIMIZER))?.0.into_iter().collect();
        let mut moments = Vec::with_capacity(self.moments.len());
        for (index, spec) in self.job.program.params.iter().enumerate() {
            let mut take = |name: &str| -> Result<_, EngineError> {
                let Some(tensor) = stored.remove(&format!("{}/{name}", spec.path)) else { return Ok(None) };
                if tensor.data.len() as u64 != spec.elements() {
                    let found = format!("{}/{name} has the shape {:?}", spec.path, tensor.shape);
                    return Err(EngineError::Checkpoint { found });
                }
                Ok(Some(network.upload_param(index, tensor.data)))
            };
            moments.push(Moments { first: take(wanted[0])?, second: take(wanted[1])? });
        }
        self.change_rate(&RateChange {
            step: state.step,
            base_rate,
            schedule: state.schedule,
            since: state.schedule_since,
        })?;
        (self.network, self.moments, self.step) = (network, moments, state.step);
        // A checkpoint of 32 bits says nothing about 16.
        self.loss_scale = self.loss_scale.map(|own| state.loss_scale.unwrap_or(own));
        Ok(())
    }
}

fn file_error(path: &Path, error: &impl std::fmt::Display) -> EngineError {
    EngineError::File { path: path.into(), message: error.to_string() }
}
