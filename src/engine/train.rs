//! Optimizer steps: forward, loss, backward, one wait for the numbers, update.

use super::error::guard;
use super::host::numbers;
use super::init::step_seed;
use super::loss::{Judge, Verdict};
use super::net::rows;
use super::ops::{BatchStatistics, Pass};
use super::optim::{Moments, Update, square_sum};
use super::protocol::RateChange;
use super::{EngineError, HostTensor, Network};
use crate::data::Batch;
use crate::graph::{Head, Schedule, TrainSpec};
use crate::op::{DType, Program, ValueId};
use burn::tensor::{Device, Tensor, Transaction};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is trained, and how.
#[derive(Clone, Debug)]
pub struct TrainJob {
    /// The network.
    pub program: Arc<Program>,
    /// What its outputs are judged by.
    pub heads: Vec<Head>,
    /// Optimizer, schedule, clipping and the rest.
    pub spec: TrainSpec,
    /// Seed of weights and dropout.
    pub seed: u64,
    /// Optimizer steps in an epoch, for the schedule.
    pub steps_per_epoch: u64,
}

/// How the learning rate goes on: a base, and a schedule from a step on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RatePlan {
    /// The base rate.
    pub(super) base: f64,
    /// A factor on it.
    pub(super) schedule: Schedule,
    /// Step from which the schedule counts.
    pub(super) since: u64,
    /// The schedule as it was told during the run: JSON that is read again gives the very same numbers.
    pub(super) told: Option<String>,
}

/// A network in training.
#[derive(Debug)]
pub struct Trainer {
    pub(super) job: TrainJob,
    pub(super) network: Network,
    pub(super) moments: Vec<Moments>,
    pub(super) step: u64,
    pub(super) rate: RatePlan,
    judges: Vec<Judge>,
    wanted: Vec<ValueId>,
    /// None in 32 bits.
    pub(super) loss_scale: Option<LossScale>,
}

/// Factor of the loss while gradients are 16-bit, so that small ones stay above zero.
///
/// A step whose gradients overflow is taken again with half the factor; after many good ones it doubles.
///
/// # Source
/// Micikevicius et al. 2018, section 3.2; start, growth and its interval are those of `torch.amp.GradScaler`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LossScale {
    factor: f64,
    /// Steps since it changed last.
    good: u32,
}

impl LossScale {
    const START: Self = Self { factor: 65_536.0, good: 0 };
    const GROWS_AFTER: u32 = 2_000;
    /// Far beyond what 16-bit gradients can use; a power of two stays exact.
    const MOST: f64 = 16_777_216.0;

    /// Whether a step whose gradients are not finite may be tried again, now with half the factor.
    fn shrinks(&mut self) -> bool {
        let can = self.factor > 1.0;
        if can {
            *self = Self { factor: self.factor / 2.0, good: 0 };
        }
        can
    }

    /// A step went well.
    fn grows(&mut self) {
        self.good += 1;
        if self.good >= Self::GROWS_AFTER {
            *self = Self { factor: (self.factor * 2.0).min(Self::MOST), good: 0 };
        }
    }
}

/// What one optimizer step found. The numbers are of the weights before it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepOutcome {
    /// Steps taken, this one included.
    pub step: u64,
    /// Mean loss over the images, heads weighted.
    pub loss: f64,
    /// Metrics by name.
    pub metrics: Vec<(String, f64)>,
    /// Learning rate that was used.
    pub learning_rate: f64,
    /// Norm of all gradients before clipping.
    pub grad_norm: f64,
    /// Images looked at.
    pub images: u64,
}

/// What an evaluation of one batch found.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalOutcome {
    /// Sum over the images of the loss, heads weighted.
    pub loss_sum: f64,
    /// Right answers of the first head that judges classes.
    pub correct: u64,
    /// Answers of that head: images, or pixels.
    pub judged: u64,
    /// Images.
    pub count: u64,
    /// The first head's probabilities (or plain outputs) per image.
    pub probabilities: Vec<Vec<f32>>,
}

impl Trainer {
    /// Draws the weights and prepares for the first step.
    ///
    /// # Errors
    /// A program or head that cannot be trained.
    pub fn new(job: TrainJob, device: &Device) -> Result<Self, EngineError> {
        let judges = Judge::all(&job.program, &job.heads)?;
        if !job.program.params.iter().any(|spec| spec.trainable) {
            return Err(EngineError::NothingToTrain);
        }
        let network = Network::new(Arc::clone(&job.program), job.seed, device)?;
        let is_half = job.program.values.iter().any(|info| info.dtype == DType::F16);
        Ok(Self {
            moments: vec![Moments::default(); job.program.params.len()],
            wanted: judges.iter().map(|judge| judge.value).collect(),
            rate: RatePlan { base: job.spec.learning_rate, schedule: job.spec.schedule, since: 0, told: None },
            loss_scale: is_half.then_some(LossScale::START),
            step: 0,
            judges,
            network,
            job,
        })
    }

    /// One optimizer step from one or more micro-batches, whose gradients are averaged by their numbers of images.
    ///
    /// Waits for the device once, before the weights change: if loss or gradients are not finite, weights and statistics
    /// stay as they are.
    ///
    /// # Errors
    /// Batches that do not fit, numbers that are not finite, or a failing device.
    pub fn step(&mut self, micro: &[Batch]) -> Result<StepOutcome, EngineError> {
        let done = self.step_while(micro, &mut || true)?;
        done.ok_or_else(|| EngineError::Backend { message: "The step was left halfway".into() })
    }

    /// The same, but asks before every micro-batch behind the first whether to go on; if not, nothing was learned and
    /// there is no outcome. A step of many large micro-batches takes minutes on a slow device.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub fn step_while(
        &mut self,
        micro: &[Batch],
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<StepOutcome>, EngineError> {
        self.check_whole()?;
        let images: usize = micro.iter().map(Batch::len).sum();
        if images == 0 || micro.iter().any(Batch::is_empty) {
            return Err(EngineError::EmptyBatch);
        }
        let Some(mut found) = guard(|| self.look(micro, images, go_on))? else { return Ok(None) };
        while found.loss.is_finite()
            && !found.norm.is_finite()
            && self.loss_scale.as_mut().is_some_and(LossScale::shrinks)
        {
            let Some(again) = guard(|| self.look(micro, images, go_on))? else { return Ok(None) };
            found = again;
        }
        if !(found.loss.is_finite() && found.norm.is_finite()) {
            return Err(EngineError::NotFinite { step: self.step + 1, loss: found.loss, norm: found.norm });
        }
        let outcome = StepOutcome {
            step: self.step + 1,
            loss: found.loss,
            metrics: found.metrics,
            learning_rate: self.learning_rate(),
            grad_norm: found.norm,
            images: images as u64,
        };
        guard(|| {
            self.update(found.gradients, found.norm);
            self.keep_statistics(found.statistics);
            Ok(())
        })?;
        self.step += 1;
        if let Some(scale) = &mut self.loss_scale {
            scale.grows();
        }
        Ok(Some(outcome))
    }

    /// Judges one batch without learning: running statistics, no dropout.
    ///
    /// # Errors
    /// A batch that does not fit, or a failing device.
    pub fn evaluate(&self, batch: &Batch) -> Result<EvalOutcome, EngineError> {
        self.check_whole()?;
        guard(|| {
            let values = self.network.infer(batch, &self.wanted)?;
            let shown = self.judges.iter().zip(&values).map(|(judge, value)| judge.shown(value.clone())).next();
            let shown = shown.ok_or(EngineError::EmptyBatch)?;
            let (mut scalars, mut judged) = (Vec::new(), None);
            let mut right = None;
            for (judge, value) in self.judges.iter().zip(values) {
                let verdict = judge.judge(value, &batch.target, self.network.device())?;
                scalars.push(verdict.loss.mul_scalar(judge.head.weight));
                if let (None, Some(correct)) = (judged, verdict.correct) {
                    judged = Some(verdict.judged);
                    right = Some(correct);
                }
            }
            scalars.extend(right);
            let shape = shown.dims().to_vec();
            let read = Transaction::default().register(Tensor::cat(scalars, 0)).register(shown).try_execute()?;
            let [scalars, shown] = &read[..] else { return Err(short_read()) };
            let scalars = numbers(scalars)?;
            let (losses, rest) = scalars.split_at_checked(self.judges.len()).ok_or_else(short_read)?;
            Ok(EvalOutcome {
                loss_sum: losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() * batch.len() as f64,
                correct: whole(rest.first().copied().unwrap_or(0.0)),
                judged: judged.unwrap_or(0),
                count: batch.len() as u64,
                probabilities: rows(&HostTensor::new(shape, numbers(shown)?))?,
            })
        })
    }

    /// Gradients of the loss over one batch, by the paths of what learns; nothing changes.
    ///
    /// # Errors
    /// A batch that does not fit, or a failing device.
    pub fn gradients(&self, batch: &Batch) -> Result<Vec<(String, HostTensor)>, EngineError> {
        self.check_whole()?;
        let found = guard(|| self.look(std::slice::from_ref(batch), batch.len().max(1), &mut || true))?;
        let found = found.ok_or(EngineError::EmptyBatch)?;
        let scale = 1.0 / self.scale();
        let unscaled = found.gradients.into_iter().map(|g| g.map(|g| g.mul_scalar(scale))).collect();
        let read = self.network.download_params(unscaled)?;
        let named = self.job.program.params.iter().zip(read);
        Ok(named.filter_map(|(spec, tensor)| Some((spec.path.clone(), tensor?))).collect())
    }

    /// Steps taken so far.
    pub fn step_index(&self) -> u64 {
        self.step
    }

    /// The network as it is now.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network, to set weights of.
    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    /// What is trained, and how.
    pub fn job(&self) -> &TrainJob {
        &self.job
    }

    /// Learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        let total = u64::from(self.job.spec.epochs).saturating_mul(self.job.steps_per_epoch);
        let (at, left) = (self.step.saturating_sub(self.rate.since), total.saturating_sub(self.rate.since));
        self.rate.base * self.rate.schedule.factor(at, left, self.job.steps_per_epoch)
    }

    /// Changes the base of the learning rate; the schedule's factor stays on it.
    pub fn set_base_learning_rate(&mut self, base: f64) {
        self.rate.base = base;
    }

    /// Changes the schedule, given as JSON: from now on it runs over what is left.
    ///
    /// # Errors
    /// It is no schedule.
    pub fn set_schedule(&mut self, told: String) -> Result<(), EngineError> {
        self.rate.schedule = read_schedule(&told)?;
        (self.rate.since, self.rate.told) = (self.step, Some(told));
        Ok(())
    }

    /// What holds of the learning rate from now on.
    pub fn rate_change(&self) -> RateChange {
        let RatePlan { base, since, told, .. } = self.rate.clone();
        RateChange { step: self.step, base_rate: base, schedule: told, since }
    }

    /// Makes a change that was made before.
    ///
    /// # Errors
    /// Its schedule is none.
    pub fn change_rate(&mut self, change: &RateChange) -> Result<(), EngineError> {
        let schedule = match &change.schedule {
            Some(told) => read_schedule(told)?,
            None => self.job.spec.schedule,
        };
        self.rate = RatePlan { base: change.base_rate, schedule, since: change.since, told: change.schedule.clone() };
        Ok(())
    }

    /// What the loss is multiplied with.
    fn scale(&self) -> f64 {
        self.loss_scale.map_or(1.0, |scale| scale.factor)
    }

    /// Gradients, statistics and numbers of all micro-batches; nothing if it was told not to go on.
    fn look(
        &self,
        micro: &[Batch],
        images: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Found>, EngineError> {
        let mut gradients: Vec<Option<Tensor<1>>> = vec![None; self.network.params.len()];
        let mut statistics = Vec::new();
        let heads = self.judges.len();
        let mut losses: Vec<Option<Tensor<1>>> = vec![None; heads];
        let mut correct: Vec<Option<Tensor<1>>> = vec![None; heads];
        let mut judged = vec![0; heads];
        for (index, batch) in micro.iter().enumerate() {
            if index > 0 && !go_on() {
                return Ok(None);
            }
            self.network.device().seed(step_seed(self.job.seed, self.step, index as u64));
            let share = batch.len() as f64 / images as f64;
            for (head, verdict) in self.look_at(batch, share, &mut gradients, &mut statistics)?.into_iter().enumerate()
            {
                sum_into(&mut losses[head], verdict.loss.mul_scalar(share));
                judged[head] += verdict.judged;
                if let Some(right) = verdict.correct {
                    sum_into(&mut correct[head], right);
                }
            }
        }
        let norm = square_sum(gradients.iter().flatten()).ok_or(EngineError::NothingToTrain)?;
        let scalars = losses.into_iter().chain(correct.clone()).flatten().chain([norm]).collect();
        let scalars = numbers(&Tensor::cat(scalars, 0).try_into_data()?)?;
        let mut scalars = scalars.into_iter().map(f64::from);
        let mut next = || scalars.next().ok_or_else(short_read);
        let (mut loss, mut metrics) = (0.0, Vec::new());
        for judge in &self.judges {
            let own = next()?;
            loss += own * judge.head.weight;
            if heads > 1 {
                metrics.push((judge.metric("loss", heads), own));
            }
        }
        for ((judge, judged), _) in self.judges.iter().zip(judged).zip(&correct).filter(|(_, right)| right.is_some()) {
            let share = next()? / (judged as f64).max(1.0);
            if judge.reports_accuracy() {
                metrics.push((judge.metric("accuracy", heads), share));
            }
        }
        let norm = next()?.sqrt() / self.scale();
        Ok(Some(Found { gradients, statistics, loss, norm, metrics }))
    }

    /// Forward and backward of one micro-batch; its gradients are added to the others'.
    fn look_at(
        &self,
        batch: &Batch,
        share: f64,
        gradients: &mut [Option<Tensor<1>>],
        statistics: &mut Vec<BatchStatistics>,
    ) -> Result<Vec<Verdict>, EngineError> {
        let leaves = self.network.leaves(true)?;
        let device = self.network.device();
        let pass = Pass { program: &self.job.program, params: &leaves, training: true, device };
        let (values, found) = pass.run(vec![self.network.images(batch)?], &self.wanted)?;
        statistics.extend(found);
        let (mut total, mut verdicts) = (None, Vec::with_capacity(values.len()));
        for (judge, value) in self.judges.iter().zip(values) {
            let mut verdict = judge.judge(value, &batch.target, device)?;
            sum_into(&mut total, verdict.loss.clone().mul_scalar(judge.head.weight * share * self.scale()));
            verdict.loss = verdict.loss.inner();
            verdicts.push(verdict);
        }
        let total: Tensor<1> = total.filter(Tensor::is_tracked).ok_or(EngineError::NothingToTrain)?;
        let mut found = total.backward();
        for (leaf, sum) in leaves.iter().zip(gradients).filter(|(leaf, _)| leaf.is_tracked()) {
            if let Some(gradient) = leaf.take_grad(&mut found) {
                sum_into(sum, gradient);
            }
        }
        Ok(verdicts)
    }

    /// Changes the weights. They are moved out and back, so that nobody else holds them meanwhile.
    fn update(&mut self, gradients: Vec<Option<Tensor<1>>>, norm: f64) {
        let spec = &self.job.spec;
        // PyTorch's clip_grad_norm_: max / (norm + 1e-6), at most one.
        let clip = spec.clip_norm.map_or(1.0, |most| (most / (norm + 1e-6)).min(1.0));
        let factor = clip / self.scale();
        let update = Update { optimizer: spec.optimizer, rate: self.learning_rate(), step: self.step + 1 };
        let params = std::mem::take(&mut self.network.params);
        let specs = &self.job.program.params;
        self.network.params = params
            .into_iter()
            .zip(gradients)
            .zip(specs.iter().zip(&mut self.moments))
            .map(|((param, gradient), (of, moments))| {
                let Some(gradient) = gradient else { return param };
                let gradient = if factor < 1.0 { gradient.mul_scalar(factor) } else { gradient };
                update.apply(param, gradient, moments, if of.decays { spec.weight_decay } else { 0.0 })
            })
            .collect();
    }

    fn keep_statistics(&mut self, statistics: Vec<BatchStatistics>) {
        for found in statistics {
            for (id, value) in found.params.into_iter().zip(found.values) {
                if let Some(running) = self.network.params.get_mut(id.index()) {
                    let (keep, share) = (1.0 - found.momentum, found.momentum);
                    *running = running.clone().mul_scalar(keep).add(value.mul_scalar(share));
                }
            }
        }
    }

    /// An update that failed halfway has lost weights.
    fn check_whole(&self) -> Result<(), EngineError> {
        if self.network.params.len() == self.job.program.params.len() {
            return Ok(());
        }
        Err(EngineError::Backend { message: "A step failed halfway; load the last checkpoint".into() })
    }
}

struct Found {
    gradients: Vec<Option<Tensor<1>>>,
    statistics: Vec<BatchStatistics>,
    loss: f64,
    norm: f64,
    metrics: Vec<(String, f64)>,
}

fn read_schedule(told: &str) -> Result<Schedule, EngineError> {
    serde_json::from_str(told).map_err(|error| EngineError::Schedule { found: error.to_string() })
}

fn sum_into(sum: &mut Option<Tensor<1>>, value: Tensor<1>) {
    *sum = Some(match sum.take() {
        Some(sum) => sum.add(value),
        None => value,
    });
}

fn short_read() -> EngineError {
    EngineError::Backend { message: "Fewer numbers came back than were asked for".into() }
}

/// A count that went through a float.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts are whole and not negative")]
fn whole(count: f32) -> u64 {
    count.round() as u64
}
