//! What the settings of a training may be: one place for the reader of documents, the fields of the window and the command
//! line. A value outside is refused in words, never bent.

use super::spec::{EarlyStop, Head, Loss, Optimizer, Schedule, TrainSpec};
use crate::text;
use std::ops::RangeInclusive;

/// Passes over the training data.
pub const EPOCHS: RangeInclusive<u32> = 1..=100_000;
/// Images per step.
pub const BATCH: RangeInclusive<u32> = 1..=65_536;
/// Micro-steps per step: as many as halving the largest batch makes.
pub const ACCUMULATE: RangeInclusive<u32> = 1..=65_536;
/// Base learning rate.
pub const RATE: RangeInclusive<f64> = 0.0..=100.0;
/// Momentum.
pub const MOMENTUM: RangeInclusive<f64> = 0.0..=0.999;
/// Adam's decay of the first moment.
pub const BETA1: RangeInclusive<f64> = 0.0..=0.999_9;
/// Adam's decay of the second moment.
pub const BETA2: RangeInclusive<f64> = 0.0..=0.999_99;
/// RMSprop's decay of the mean square.
pub const ALPHA: RangeInclusive<f64> = 0.0..=0.999_9;
/// Added to the root; TensorFlow's Inception used 1.
pub const EPSILON: RangeInclusive<f64> = 1e-16..=10.0;
/// Factor of each drop of a step schedule.
pub const GAMMA: RangeInclusive<f64> = 1e-6..=1.0;
/// Last factor of a cosine.
pub const FLOOR: RangeInclusive<f64> = 0.0..=1.0;
/// Epochs of a rise.
pub const RISE: RangeInclusive<f64> = 0.0..=100_000.0;
/// Weight decay.
pub const DECAY: RangeInclusive<f64> = 0.0..=10.0;
/// Largest global norm of the gradients.
pub const CLIP: RangeInclusive<f64> = 1e-6..=1e6;
/// Epochs without a better loss.
pub const PATIENCE: RangeInclusive<u32> = 1..=100_000;
/// How much lower counts as better.
pub const LEAST_GAIN: RangeInclusive<f64> = 0.0..=1_000.0;
/// Share of a target that is spread.
pub const SMOOTHING: RangeInclusive<f64> = 0.0..=1.0;
/// Share of a head's loss.
pub const WEIGHT: RangeInclusive<f64> = 0.0..=1e6;

/// A setting that is not what it may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} must be {rule}. Received {found}.")]
pub struct OutOfRange {
    /// The setting, as the document calls it.
    pub setting: &'static str,
    /// What it may be.
    pub rule: String,
    /// What it is.
    pub found: String,
}

impl TrainSpec {
    /// Whether every setting is what it may be.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("epochs", self.epochs, &EPOCHS)?;
        within("batch", self.batch, &BATCH)?;
        within("learning_rate", self.learning_rate, &RATE)?;
        match self.optimizer {
            Optimizer::Sgd { momentum, .. } => within("optimizer.momentum", momentum, &MOMENTUM)?,
            Optimizer::Adam { beta1, beta2, eps } | Optimizer::AdamW { beta1, beta2, eps } => {
                within("optimizer.beta1", beta1, &BETA1)?;
                within("optimizer.beta2", beta2, &BETA2)?;
                within("optimizer.eps", eps, &EPSILON)?;
            }
            Optimizer::RmsProp { alpha, momentum, eps } => {
                within("optimizer.alpha", alpha, &ALPHA)?;
                within("optimizer.momentum", momentum, &MOMENTUM)?;
                within("optimizer.eps", eps, &EPSILON)?;
            }
        }
        match self.schedule {
            Schedule::Constant | Schedule::OneCycle => {}
            Schedule::Step { every_epochs, gamma } => {
                within("schedule.every_epochs", every_epochs, &EPOCHS)?;
                within("schedule.gamma", gamma, &GAMMA)?;
            }
            Schedule::Cosine { floor } => within("schedule.floor", floor, &FLOOR)?,
            Schedule::WarmUp { epochs } => within("schedule.epochs", epochs, &RISE)?,
        }
        within("weight_decay", self.weight_decay, &DECAY)?;
        self.clip_norm.map_or(Ok(()), |norm| within("clip_norm", norm, &CLIP))?;
        within("accumulate", self.accumulate, &ACCUMULATE)?;
        self.early_stop.map_or(Ok(()), |EarlyStop { patience, min_delta }| {
            within("early_stop.patience", patience, &PATIENCE)?;
            within("early_stop.min_delta", min_delta, &LEAST_GAIN)
        })
    }
}

impl Head {
    /// Whether every setting is what it may be.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        within("weight", self.weight, &WEIGHT)?;
        match self.loss {
            Loss::CrossEntropy { label_smoothing } | Loss::BinaryCrossEntropy { label_smoothing } => {
                within("loss.label_smoothing", label_smoothing, &SMOOTHING)
            }
            Loss::MeanSquaredError => Ok(()),
        }
    }
}

fn within<N: PartialOrd + Copy + Into<f64>>(
    setting: &'static str,
    value: N,
    range: &RangeInclusive<N>,
) -> Result<(), OutOfRange> {
    if range.contains(&value) {
        return Ok(());
    }
    let rule = format!("from {} to {}", spelled((*range.start()).into()), spelled((*range.end()).into()));
    Err(OutOfRange { setting, rule, found: spelled(value.into()) })
}

fn spelled(value: f64) -> String {
    if value.fract() == 0.0 && (0.0..1e15).contains(&value) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and within range")]
        return text::count(value as u64);
    }
    if value.abs() < 1e-3 || value.abs() >= 1e15 { format!("{value:e}") } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use crate::graph::Document;

    /// A document whose training has one field changed.
    fn with(field: &str, value: &str) -> Result<Document, String> {
        let text = format!(r#"{{"format":"striate-document","version":1,"training":{{"{field}":{value}}}}}"#);
        Document::from_json(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_training_setting_outside_its_range_is_refused_with_place_rule_and_finding() {
        for (field, value, said) in [
            ("batch", "0", "training.batch: It must be from 1 to 65,536. Received 0."),
            ("batch", "65537", "training.batch: It must be from 1 to 65,536. Received 65,537."),
            ("epochs", "0", "training.epochs: It must be from 1 to 100,000. Received 0."),
            ("learning_rate", "-0.5", "training.learning_rate: It must be from 0 to 100. Received -0.5."),
            ("learning_rate", "1e300", "Received 1e300."),
            ("accumulate", "0", "training.accumulate: It must be from 1 to 65,536. Received 0."),
            ("weight_decay", "-1e-9", "training.weight_decay: It must be from 0 to 10. Received -1e-9."),
            ("clip_norm", "0", "training.clip_norm: It must be from 1e-6 to 1,000,000. Received 0."),
            ("early_stop", r#"{"patience":0}"#, "training.early_stop.patience: It must be from 1 to 100,000."),
            ("optimizer", r#"{"kind":"sgd","momentum":1.5,"nesterov":false}"#, "training.optimizer.momentum"),
            ("optimizer", r#"{"kind":"adam","beta1":0.9,"beta2":1,"eps":1e-8}"#, "from 0 to 0.99999. Received 1."),
            ("schedule", r#"{"kind":"step","every_epochs":0,"gamma":0.1}"#, "training.schedule.every_epochs"),
            ("schedule", r#"{"kind":"cosine","floor":-1}"#, "training.schedule.floor"),
        ] {
            let message = with(field, value).map(|document| document.training).unwrap_err();
            assert!(message.contains(said), "{field} = {value}: {message}");
        }
        for (field, value) in [("batch", "1"), ("batch", "65536"), ("epochs", "100000"), ("learning_rate", "0")] {
            with(field, value).unwrap();
        }
    }

    #[test]
    fn a_head_outside_its_range_is_refused_too() {
        let text = r#"{"format":"striate-document","version":1,"heads":[{"target":"class","weight":-1,
            "loss":{"kind":"cross_entropy"}}]}"#;
        let message = Document::from_json(text).unwrap_err().to_string();
        assert!(message.contains("heads[0].weight: It must be from 0 to 1,000,000. Received -1."), "{message}");
    }

    /// What a later version may mean by it is not known here; it is read-only anyway.
    #[test]
    fn a_newer_version_may_go_further_and_that_is_said() {
        let text = r#"{"format":"striate-document","version":2,"training":{"batch":100000}}"#;
        let opened = Document::read(text).unwrap();
        assert_eq!(opened.document.training.batch, 100_000);
        assert!(opened.read_only.is_some() && opened.warnings[0].contains("training.batch"), "{:?}", opened.warnings);
    }
}
