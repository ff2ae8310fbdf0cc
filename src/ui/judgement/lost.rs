//! Runs that are lost unless something changes: what follows from them is not worth reading.

use super::{FEW_STEPS, Finding, Tone, ends, with_rate};
use crate::engine::protocol::FinishReason;
use crate::graph::TrainSpec;
use crate::text;
use crate::ui::charts::rate_text;
use crate::ui::runs::{RunState, RunView};

/// What a run is lost by, if it is.
pub(super) fn lost(run: &RunView, spec: &TrainSpec) -> Option<Finding> {
    diverged(run, spec)
        .or_else(|| no_gradient(run))
        .or_else(|| rising(run, spec))
        .or_else(|| stuck(run, spec))
        .or_else(|| guessing(run, spec))
}

fn diverged(run: &RunView, spec: &TrainSpec) -> Option<Finding> {
    let RunState::Failed(why) = &run.state else { return None };
    if !why.eq_ignore_ascii_case(FinishReason::Diverged.label()) {
        return None;
    }
    let last = run.steps.iter().rev().find(|step| step.loss.is_finite())?;
    Some(Finding {
        title: "The loss ran away",
        tone: Tone::Bad,
        evidence: format!(
            "After step {} the loss is no number; it was {:.3} there, at a learning rate of {}.",
            text::count(last.step),
            last.loss,
            rate_text(last.learning_rate)
        ),
        advice: "Use a smaller learning rate, or clip gradients in the network's training settings.",
        remedy: Some(with_rate(spec, 0.1)),
    })
}

fn no_gradient(run: &RunView) -> Option<Finding> {
    let last = run.steps.get(run.steps.len().checked_sub(20)?..)?;
    let most = last.iter().map(|step| step.grad_norm).fold(0.0, f64::max);
    (last.iter().all(|step| step.grad_norm.is_finite()) && most < 1e-7).then(|| Finding {
        title: "Nothing flows back",
        tone: Tone::Bad,
        evidence: format!("Over the last 20 steps the gradients of all weights together are at most {most:.1e} long."),
        advice: "Units are dead: their activation is flat for every image. Use LeakyReLU instead of ReLU, batch norm before it, or a smaller learning rate from the start.",
        remedy: None,
    })
}

fn rising(run: &RunView, spec: &TrainSpec) -> Option<Finding> {
    if run.steps.len() < FEW_STEPS {
        return None;
    }
    let (first, last) = ends(&run.steps)?;
    (last > first * 1.1).then(|| Finding {
        title: "The learning rate is too high",
        tone: Tone::Bad,
        evidence: format!("The loss rises: {first:.3} over the first steps, {last:.3} over the last 20."),
        advice: "Use a smaller learning rate, or search for one.",
        remedy: Some(with_rate(spec, 0.1)),
    })
}

fn stuck(run: &RunView, spec: &TrainSpec) -> Option<Finding> {
    if run.steps.len() < FEW_STEPS * 2 || run.classes.len() < 2 {
        return None;
    }
    let (first, last) = ends(&run.steps)?;
    // Guessing evenly among n classes costs ln n.
    let guessing = (run.classes.len() as f64).ln();
    if last < guessing * 0.95 || (first - last).abs() > first * 0.1 {
        return None;
    }
    let is_small = spec.learning_rate < 1e-3;
    Some(Finding {
        title: "No progress",
        tone: Tone::Bad,
        evidence: format!(
            "After {} steps the loss is {last:.3}; guessing among {} classes costs {guessing:.3}.",
            text::count(run.steps.len() as u64),
            run.classes.len()
        ),
        advice: if is_small {
            "The learning rate is low. Use a larger one, or search for one."
        } else {
            "Look at the labels in the Data panel, and search for a learning rate. A deep network without batch norm may not start at all."
        },
        remedy: is_small.then(|| with_rate(spec, 10.0)),
    })
}

/// An epoch is done, and the network is as often right as one that guesses: the loss shot up first, or the run is over.
fn guessing(run: &RunView, spec: &TrainSpec) -> Option<Finding> {
    let (last, classes) = (run.epochs.last()?, run.classes.len());
    if classes < 2 || run.steps.len() < FEW_STEPS / 2 {
        return None;
    }
    // A half more than by chance is called learning; so is the memory of training images.
    let chance = 1.0 / classes as f64;
    let learns = |accuracy: f64| accuracy > (chance * 1.5).min(chance + 0.1);
    if run.epochs.iter().any(|epoch| learns(epoch.accuracy) || learns(epoch.train_accuracy)) {
        return None;
    }
    let cost = (classes as f64).ln();
    let highest = run.steps.iter().filter(|step| step.loss.is_finite()).max_by(|a, b| a.loss.total_cmp(&b.loss))?;
    let shot_up = highest.loss > cost * 3.0;
    if !shot_up && !matches!(run.state, RunState::Finished(_)) {
        return None;
    }
    let right = format!(
        "After epoch {} it is right in {:.1} % of the validation images; guessing among {classes} classes is in {:.1} %.",
        last.epoch,
        last.accuracy * 100.0,
        chance * 100.0
    );
    Some(Finding {
        title: "No better than guessing",
        tone: Tone::Bad,
        evidence: if shot_up {
            format!(
                "{right} The loss shot up to {:.1} in step {}, at a learning rate of {}.",
                highest.loss,
                text::count(highest.step),
                rate_text(highest.learning_rate)
            )
        } else {
            right
        },
        advice: if shot_up {
            "Steps that were too large have driven the units to where they no longer answer: dead ReLUs, saturated tanh. Start anew with a smaller learning rate."
        } else {
            "Search for a learning rate, and look at the labels in the Data panel."
        },
        remedy: shot_up.then(|| with_rate(spec, 0.1)),
    })
}
