//! What a network is trained against: losses and metrics of its heads.

use super::EngineError;
use super::host::{size, upload};
use super::ops::Val;
use crate::data::BatchTarget;
use crate::graph::{Head, Loss, Metric, Target};
use crate::op::{Activation, Op, OpNode, Program, ValueId};
use crate::plan::check_head;
use burn::tensor::{Device, FloatDType, Int, Tensor, TensorData, activation};

/// A head with the value it looks at.
#[derive(Clone, Debug)]
pub(super) struct Judge {
    /// Its settings.
    pub(super) head: Head,
    /// The value that the loss takes: the output, or what a final softmax or sigmoid reads if the loss has one of its own.
    pub(super) value: ValueId,
}

/// The verdict on one batch.
#[derive(Debug)]
pub(super) struct Verdict {
    /// Mean loss of this head, not weighted.
    pub(super) loss: Tensor<1>,
    /// How many answers are right, if answers are classes.
    pub(super) correct: Option<Tensor<1>>,
    /// Answers looked at: images, or pixels of a map.
    pub(super) judged: u64,
}

impl Judge {
    /// Finds the values of all heads.
    ///
    /// # Errors
    /// A head without an output or a target, or of a weight that is not a positive number.
    pub(super) fn all(program: &Program, heads: &[Head]) -> Result<Vec<Self>, EngineError> {
        if heads.is_empty() {
            let (output, rule) = ("the network".into(), "A network needs at least one head to be trained.");
            return Err(EngineError::Head { output, rule, found: "none".into() });
        }
        heads.iter().map(|head| Self::new(program, head)).collect()
    }

    fn new(program: &Program, head: &Head) -> Result<Self, EngineError> {
        let output = check_head(program, head)?;
        let last = maker(program, output.value);
        let value = match (last.map(|node| (&node.op, &node.inputs[..])), head.loss) {
            (Some((Op::Activation(Activation::Softmax), [input])), Loss::CrossEntropy { .. })
            | (Some((Op::Activation(Activation::Sigmoid), [input])), Loss::BinaryCrossEntropy { .. }) => *input,
            _ => output.value,
        };
        // Texts and metrics name the layer, also where the head itself names none.
        Ok(Self { head: Head { output: output.name.clone(), ..head.clone() }, value })
    }

    /// The prefix of this head's metrics: nothing if it is the only one.
    pub(super) fn metric(&self, name: &str, heads: usize) -> String {
        if heads == 1 { name.to_owned() } else { format!("{}.{name}", self.head.output) }
    }

    /// Whether accuracy is reported.
    pub(super) fn reports_accuracy(&self) -> bool {
        self.head.metrics.contains(&Metric::Accuracy)
    }

    /// What a person is shown: probabilities if the loss makes them, one row per image.
    pub(super) fn shown(&self, value: Val) -> Tensor<2> {
        let value = value.cast(FloatDType::F32);
        match (self.head.loss, value) {
            (Loss::CrossEntropy { .. }, Val::T4(x)) => Val::T4(activation::softmax(x, 1)).flat(),
            (Loss::CrossEntropy { .. }, Val::T2(x)) => activation::softmax(x, 1),
            (Loss::BinaryCrossEntropy { .. }, value) => activation::sigmoid(value.flat()),
            (Loss::MeanSquaredError, value) => value.flat(),
        }
    }

    /// Judges one batch.
    ///
    /// # Errors
    /// Targets of another kind or size than the head's.
    pub(super) fn judge(&self, value: Val, target: &BatchTarget, device: &Device) -> Result<Verdict, EngineError> {
        let images = value.dims()[0];
        let scores = self.rows(value.cast(FloatDType::F32));
        let [rows, width] = scores.dims();
        let (wanted, classes) = self.wanted(target, images, rows, width)?;
        let correct = classes.map(|classes| {
            let classes = Tensor::<2, Int>::from_data(TensorData::new(classes, [rows, 1]), device);
            scores.clone().inner().argmax(1).equal(classes).int().float().sum()
        });
        let wanted: Tensor<2> = upload(wanted, [rows, width], device);
        // One row per image before the last sum: a fixed order of additions, whatever the size.
        let total = |x: Tensor<2>| x.reshape([images, rows / images * width]).sum_dim(1).sum();
        let loss = match self.head.loss {
            Loss::CrossEntropy { .. } => {
                total(activation::log_softmax(scores, 1) * wanted).mul_scalar(-1.0 / rows as f64)
            }
            Loss::BinaryCrossEntropy { .. } => {
                // max(x, 0) - x·y + ln(1 + e^-|x|), PyTorch's stable form.
                let tail = scores.clone().abs().neg().exp().add_scalar(1.0).log();
                let each = activation::relu(scores.clone()) - scores * wanted + tail;
                total(each).mul_scalar(1.0 / (rows * width) as f64)
            }
            Loss::MeanSquaredError => total((scores - wanted).square()).mul_scalar(1.0 / (rows * width) as f64),
        };
        Ok(Verdict { loss, correct, judged: rows as u64 })
    }

    /// One row of scores per answer.
    fn rows(&self, value: Val) -> Tensor<2> {
        match (self.head.target, value) {
            (Target::Map, Val::T4(x)) => {
                let [n, channels, h, w] = x.dims();
                x.permute([0, 2, 3, 1]).reshape([n * h * w, channels])
            }
            (_, value) => value.flat(),
        }
    }

    /// The wanted scores, and the right class of each row if answers are classes.
    fn wanted(
        &self,
        target: &BatchTarget,
        images: usize,
        rows: usize,
        width: usize,
    ) -> Result<(Vec<f32>, Option<Vec<i32>>), EngineError> {
        let error = |rule, found: String| Err(EngineError::Head { output: self.head.output.clone(), rule, found });
        let (mut wanted, classes) = match (self.head.target, target) {
            (Target::Class, BatchTarget::Class(classes)) => one_hot(classes, width),
            (Target::Map, BatchTarget::Map { height, width: columns, classes }) => {
                if images * height * columns != rows {
                    return error("Targets must have the size of the output map.", format!("{height} × {columns}"));
                }
                one_hot(classes, width)
            }
            (Target::Vector, BatchTarget::Vector { values, width: found }) => {
                if *found != width {
                    return error("Targets must have as many numbers as the output.", format!("{found} for {width}"));
                }
                (values.clone(), None)
            }
            (_, target) => {
                return error("Data must give the kind of target that the head asks for.", kind(target).into());
            }
        };
        if wanted.len() != rows * width {
            let count = wanted.len() / width.max(1);
            return error("Every answer needs a target.", format!("{count} targets for {rows} answers"));
        }
        if let Some(&class) = classes.iter().flatten().find(|&&class| size(u64::from(class)) >= width) {
            return error("A class must be one of the output's scores.", format!("class {class} of {width} scores"));
        }
        #[expect(clippy::cast_possible_truncation, reason = "targets are 32-bit")]
        match self.head.loss {
            Loss::CrossEntropy { label_smoothing: share } if share != 0.0 => {
                let (keep, rest) = ((1.0 - share) as f32, (share / width as f64) as f32);
                wanted.iter_mut().for_each(|y| *y = *y * keep + rest);
            }
            Loss::BinaryCrossEntropy { label_smoothing: share } if share != 0.0 => {
                let (keep, rest) = ((1.0 - share) as f32, (share / 2.0) as f32);
                wanted.iter_mut().for_each(|y| *y = *y * keep + rest);
            }
            _ => {}
        }
        #[expect(clippy::cast_possible_wrap, reason = "classes are below the number of scores")]
        Ok((wanted, classes.map(|classes| classes.into_iter().map(|class| class as i32).collect())))
    }
}

/// The op that computes a value, casts aside.
pub(super) fn maker(program: &Program, mut value: ValueId) -> Option<&OpNode> {
    loop {
        let node = program.ops.iter().rev().find(|node| node.outputs.contains(&value))?;
        match (&node.op, &node.inputs[..]) {
            (Op::Cast { .. }, [input]) => value = *input,
            _ => return Some(node),
        }
    }
}

/// A one in the column of each class; classes past the width have none and are refused later.
fn one_hot(classes: &[u32], width: usize) -> (Vec<f32>, Option<Vec<u32>>) {
    let mut rows = vec![0.0; classes.len() * width];
    for (row, &class) in rows.chunks_mut(width.max(1)).zip(classes) {
        if let Some(cell) = row.get_mut(class as usize) {
            *cell = 1.0;
        }
    }
    (rows, Some(classes.to_vec()))
}

fn kind(target: &BatchTarget) -> &'static str {
    match target {
        BatchTarget::None => "no target",
        BatchTarget::Class(_) => "a class per image",
        BatchTarget::Vector { .. } => "a vector per image",
        BatchTarget::Map { .. } => "a class per pixel",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(loss: Loss, scores: &[f32], width: usize, target: &BatchTarget) -> (f32, Option<f32>) {
        let device = Device::flex();
        let kind = if matches!(target, BatchTarget::Vector { .. }) { Target::Vector } else { Target::Class };
        let judge = Judge { head: Head { loss, target: kind, ..Head::default() }, value: ValueId(0) };
        let value = Val::T2(upload(scores.to_vec(), [scores.len() / width, width], &device));
        let verdict = judge.judge(value, target, &device).unwrap();
        let number = |t: Tensor<1>| t.into_data().try_to_vec::<f32>().unwrap()[0];
        (number(verdict.loss), verdict.correct.map(number))
    }

    #[test]
    fn cross_entropy_is_the_mean_negative_log_probability() {
        // Scores [0, ln 3]: probabilities 1/4 and 3/4. Class 1: -ln 0.75 = 0.287682; class 0: -ln 0.25 = 1.386294.
        let scores = [0.0, 3.0_f32.ln(), 0.0, 3.0_f32.ln()];
        let target = BatchTarget::Class(vec![1, 0]);
        let (loss, correct) = judged(Loss::CrossEntropy { label_smoothing: 0.0 }, &scores, 2, &target);
        assert!((loss - 0.836_988).abs() < 1e-5, "{loss}");
        assert_eq!(correct, Some(1.0));
        // Smoothing 0.2: 0.9 of the right one, 0.1 of the other: class 1: 0.9*0.287682 + 0.1*1.386294 = 0.397543;
        // class 0: 0.9*1.386294 + 0.1*0.287682 = 1.276433.
        let (loss, _) = judged(Loss::CrossEntropy { label_smoothing: 0.2 }, &scores, 2, &target);
        assert!((loss - 0.836_988).abs() < 1e-5, "{loss}");
        let (loss, _) =
            judged(Loss::CrossEntropy { label_smoothing: 0.2 }, &scores[..2], 2, &BatchTarget::Class(vec![1]));
        assert!((loss - 0.397_543).abs() < 1e-5, "{loss}");
    }

    #[test]
    fn binary_cross_entropy_stays_finite_for_large_scores() {
        // Scores 0 (wanted 1): ln 2 = 0.693147; 100 (wanted 0): 100; mean 50.346574.
        let target = BatchTarget::Vector { width: 2, values: vec![1.0, 0.0] };
        let (loss, correct) = judged(Loss::BinaryCrossEntropy { label_smoothing: 0.0 }, &[0.0, 100.0], 2, &target);
        assert!((loss - 50.346_574).abs() < 1e-4, "{loss}");
        assert_eq!(correct, None);
    }

    #[test]
    fn mean_squared_error_of_classes_is_against_one_hot() {
        // [0.5, 0.25] against [1, 0]: (0.25 + 0.0625)/2 = 0.15625.
        let (loss, correct) = judged(Loss::MeanSquaredError, &[0.5, 0.25], 2, &BatchTarget::Class(vec![0]));
        assert!((loss - 0.156_25).abs() < 1e-6 && correct == Some(1.0), "{loss}");
    }

    #[test]
    fn a_class_past_the_output_is_refused_with_its_number() {
        let device = Device::flex();
        let judge = Judge { head: Head::default(), value: ValueId(0) };
        let value = Val::T2(upload(vec![0.0; 2], [1, 2], &device));
        let error = judge.judge(value, &BatchTarget::Class(vec![7]), &device).unwrap_err().to_string();
        assert!(error.contains("class 7 of 2 scores"), "{error}");
    }
}
