//! What the curves of a run mean, in words: each finding with its evidence in numbers, and what to try.
//!
//! Pure functions of a run and its settings. Every rule asks for enough epochs or steps before it speaks.

mod lost;

use super::charts::rate_text;
use super::runs::{EpochPoint, RunState, RunView, StepPoint};
use crate::graph::{EarlyStop, Schedule, TrainSpec};
use crate::text;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    /// The run is lost unless something changes.
    Bad,
    /// It could be better.
    Hint,
    /// As it should be.
    Good,
}

/// What may help, at one click.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Remedy {
    /// Other settings for the next run.
    Settings {
        /// Text of its button.
        label: String,
        /// The settings with it.
        spec: TrainSpec,
    },
    /// The same run goes on for so many more epochs.
    MoreEpochs(u32),
}

/// Something that the curves say.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Finding {
    /// In a few words.
    pub(super) title: &'static str,
    /// How serious.
    pub(super) tone: Tone,
    /// The numbers behind it.
    pub(super) evidence: String,
    /// What to try.
    pub(super) advice: &'static str,
    /// A button that does it.
    pub(super) remedy: Option<Remedy>,
}

impl Finding {
    /// Whether it advises to go on with the run.
    pub(super) fn wants_more_epochs(&self) -> bool {
        matches!(self.remedy, Some(Remedy::MoreEpochs(_)))
    }
}

/// Steps before losses of steps are judged.
const FEW_STEPS: usize = 50;
/// Images of each class below which a data set is small.
const FEW_IMAGES: usize = 50;

/// Judges a run by its curves; `images` are its training images.
pub(super) fn judge(run: &RunView, spec: &TrainSpec, images: usize) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(lost) = lost::lost(run, spec) {
        // What follows from a lost run is not worth reading.
        return vec![lost];
    }
    let overfits = overfitting(run, spec);
    if overfits.is_some() {
        findings.extend(few_images(run, images));
    }
    let is_overfit = overfits.is_some();
    findings.extend(overfits);
    findings.extend(jumping(run, spec));
    findings.extend(slow(run, spec));
    if !is_overfit {
        findings.extend(plateau(run, spec));
        findings.extend(too_short(run));
    }
    if findings.is_empty() {
        findings.extend(sound(run));
    }
    findings.sort_by_key(|finding| finding.tone);
    findings
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.filter(|value| value.is_finite()).fold((0.0, 0_u32), |(sum, n), v| (sum + v, n + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Mean losses of the first and of the last steps.
fn ends(steps: &[StepPoint]) -> Option<(f64, f64)> {
    let first = mean(steps.iter().take(5).map(|step| step.loss))?;
    let last = mean(steps.iter().rev().take(20).map(|step| step.loss))?;
    Some((first, last))
}

fn with_rate(spec: &TrainSpec, factor: f64) -> Remedy {
    // One digit, as people write rates.
    let rate = format!("{:.0e}", spec.learning_rate * factor).parse().unwrap_or(spec.learning_rate * factor);
    Remedy::Settings {
        label: format!("Use learning rate {}", rate_text(rate)),
        spec: TrainSpec { learning_rate: rate, ..spec.clone() },
    }
}

fn overfitting(run: &RunView, spec: &TrainSpec) -> Option<Finding> {
    let last = run.epochs.last()?;
    let best = lowest(&run.epochs)?;
    let is_worse = last.epoch >= best.epoch + 3 && last.loss > best.loss * 1.1;
    if !(is_worse && last.train_loss < best.train_loss) {
        return None;
    }
    let remedy = if spec.early_stop.is_none() {
        Remedy::Settings {
            label: "Stop early after 3 epochs".into(),
            spec: TrainSpec { early_stop: Some(EarlyStop { patience: 3, min_delta: 0.0 }), ..spec.clone() },
        }
    } else {
        let decay = if spec.weight_decay > 0.0 { spec.weight_decay * 3.0 } else { 1e-3 };
        Remedy::Settings {
            label: format!("Use weight decay {}", rate_text(decay)),
            spec: TrainSpec { weight_decay: decay, ..spec.clone() },
        }
    };
    Some(Finding {
        title: "Overfitting",
        tone: Tone::Hint,
        evidence: format!(
            "Validation loss was lowest in epoch {} ({:.3}) and is {:.3} now, while training loss fell from {:.3} to {:.3}.",
            best.epoch, best.loss, last.loss, best.train_loss, last.train_loss
        ),
        advice: "The network learns the training images by heart. Add dropout, shift or mirror images, decay weights, or use fewer of them. The best epoch's weights are kept.",
        remedy: Some(remedy),
    })
}

fn few_images(run: &RunView, images: usize) -> Option<Finding> {
    let classes = run.classes.len();
    if classes == 0 || images == 0 || images / classes >= FEW_IMAGES {
        return None;
    }
    Some(Finding {
        title: "Few images",
        tone: Tone::Hint,
        evidence: format!(
            "{} training images in {classes} classes: about {} each.",
            text::count(images as u64),
            images / classes
        ),
        advice: "Add images, or make more of those there are by shifting and mirroring.",
        remedy: None,
    })
}

fn jumping(run: &RunView, spec: &TrainSpec) -> Option<Finding> {
    let last = run.epochs.get(run.epochs.len().checked_sub(6)?..)?;
    let rises: Vec<f64> = last
        .windows(2)
        .filter_map(|pair| Some(pair.get(1)?.train_loss / pair.first()?.train_loss - 1.0))
        .filter(|rise| *rise > 0.05)
        .collect();
    (rises.len() >= 2).then(|| Finding {
        title: "The loss jumps",
        tone: Tone::Hint,
        evidence: format!(
            "In {} of the last 5 epochs the training loss rose, by up to {:.0} %.",
            rises.len(),
            rises.iter().copied().fold(0.0, f64::max) * 100.0
        ),
        advice: "Steps go too far. Use a smaller learning rate, a larger batch, or a schedule that ends low.",
        remedy: Some(with_rate(spec, 0.3)),
    })
}

fn slow(run: &RunView, spec: &TrainSpec) -> Option<Finding> {
    let first = run.epochs.first()?;
    let last = run.epochs.last()?;
    let gains: Vec<f64> = run
        .epochs
        .windows(2)
        .filter_map(|pair| Some(1.0 - pair.get(1)?.train_loss / pair.first()?.train_loss))
        .collect();
    let is_steady = gains.len() >= 3 && gains.iter().all(|gain| (0.0..0.03).contains(gain));
    if !is_steady || last.train_accuracy > 0.9 {
        return None;
    }
    Some(Finding {
        title: "The learning rate may be too low",
        tone: Tone::Hint,
        evidence: format!(
            "The training loss falls steadily but slowly: {:.3} to {:.3} in {} epochs.",
            first.train_loss,
            last.train_loss,
            run.epochs.len()
        ),
        advice: "Use a larger learning rate, or search for one.",
        remedy: Some(with_rate(spec, 3.0)),
    })
}

fn plateau(run: &RunView, spec: &TrainSpec) -> Option<Finding> {
    let (before, last) = run.epochs.split_at_checked(run.epochs.len().checked_sub(4)?)?;
    let (old, new) = (lowest(before)?, lowest(last)?);
    if before.len() < 3 || new.loss < old.loss * 0.99 || run.state == RunState::Preparing {
        return None;
    }
    let is_constant = spec.schedule == Schedule::Constant;
    Some(Finding {
        title: "Plateau",
        tone: Tone::Hint,
        evidence: format!(
            "The lowest validation loss is {:.3}, of epoch {}; the last 4 epochs came to {:.3} at best.",
            old.loss, old.epoch, new.loss
        ),
        advice: if is_constant {
            "A schedule that lowers the learning rate towards the end often finds a little more."
        } else {
            "More epochs will not help. A larger network or more data may."
        },
        remedy: is_constant.then(|| Remedy::Settings {
            label: "Use a cosine schedule".into(),
            spec: TrainSpec { schedule: Schedule::Cosine { floor: 0.0 }, ..spec.clone() },
        }),
    })
}

fn too_short(run: &RunView) -> Option<Finding> {
    if !matches!(run.state, RunState::Finished(_)) {
        return None;
    }
    let [.., before, last] = run.epochs.as_slice() else { return None };
    let is_falling = last.is_best && last.loss < before.loss * 0.97;
    // Nothing is left to gain for a network that is always right.
    let is_perfect = last.accuracy >= 0.999;
    let is_planned = u64::from(last.epoch) >= run.total_epochs();
    (is_falling && is_planned && !is_perfect).then(|| Finding {
        title: "It was still learning",
        tone: Tone::Hint,
        evidence: format!("The last epoch was the best: validation loss {:.3} after {:.3}.", last.loss, before.loss),
        advice: "Train longer: the run goes on from where it ended.",
        // As many again.
        remedy: Some(Remedy::MoreEpochs(last.epoch)),
    })
}

fn sound(run: &RunView) -> Option<Finding> {
    let [first, .., last] = run.epochs.as_slice() else { return None };
    let best = run.best()?;
    Some(Finding {
        title: "Looks sound",
        tone: Tone::Good,
        evidence: format!(
            "Validation loss {:.3} after the first epoch, {:.3} in the best (epoch {}); training and validation go together ({:.3} and {:.3} now).",
            first.loss, best.loss, best.epoch, last.train_loss, last.loss
        ),
        advice: "",
        remedy: None,
    })
}

fn lowest(epochs: &[EpochPoint]) -> Option<&EpochPoint> {
    epochs.iter().filter(|epoch| epoch.loss.is_finite()).min_by(|a, b| a.loss.total_cmp(&b.loss))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of epochs with these training and validation losses, ten steps each.
    fn run(losses: &[(f64, f64)]) -> RunView {
        let best = losses.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
        let mut so_far = f64::INFINITY;
        let epochs: Vec<EpochPoint> = losses
            .iter()
            .zip(1..)
            .map(|(&(train_loss, loss), epoch)| {
                let is_best = loss < so_far && loss >= best;
                so_far = so_far.min(loss);
                let step = u64::from(epoch) * 10;
                EpochPoint { epoch, step, train_loss, loss, train_accuracy: 0.8, is_best, ..EpochPoint::default() }
            })
            .collect();
        let steps = epochs.iter().flat_map(|epoch| {
            (1..=10).map(|n| StepPoint {
                step: epoch.step - 10 + n,
                loss: epoch.train_loss,
                grad_norm: 1.0,
                learning_rate: 1e-3,
                ..StepPoint::default()
            })
        });
        RunView {
            steps: steps.collect(),
            classes: (0..10).map(|n| n.to_string()).collect(),
            total_steps: 1_000,
            steps_per_epoch: 10,
            state: RunState::Training,
            epochs,
            ..RunView::default()
        }
    }

    /// The settings that a finding offers.
    fn offered(finding: &Finding) -> &TrainSpec {
        match &finding.remedy {
            Some(Remedy::Settings { spec, .. }) => spec,
            other => panic!("{other:?} are no settings"),
        }
    }

    fn titles(run: &RunView) -> Vec<&'static str> {
        judge(run, &TrainSpec::default(), 5_000).into_iter().map(|finding| finding.title).collect()
    }

    #[test]
    fn validation_that_turns_while_training_falls_is_overfitting_with_its_numbers() {
        let run = run(&[(1.0, 0.9), (0.5, 0.5), (0.3, 0.42), (0.2, 0.45), (0.1, 0.5), (0.05, 0.6)]);
        let findings = judge(&run, &TrainSpec::default(), 5_000);
        let found = &findings[0];
        assert_eq!(found.title, "Overfitting");
        assert!(found.evidence.contains("epoch 3 (0.420)") && found.evidence.contains("0.600 now"), "{found:?}");
        assert_eq!(offered(found).early_stop, Some(EarlyStop { patience: 3, min_delta: 0.0 }));
        // With few images that is said too: 300 in 10 classes are 30 each.
        let few = judge(&run, &TrainSpec::default(), 300);
        assert!(few.iter().any(|finding| finding.title == "Few images" && finding.evidence.contains("about 30")));
    }

    #[test]
    fn a_rising_loss_and_one_that_is_no_number_blame_the_learning_rate() {
        let rising = run(&[(2.3, 2.3), (2.6, 2.5), (3.0, 2.9), (3.5, 3.2), (4.0, 3.9)]);
        assert_eq!(titles(&rising), ["The learning rate is too high"]);
        let mut lost = run(&[(2.3, 2.3)]);
        lost.state = RunState::Failed("The loss is no longer a number; try a smaller learning rate".into());
        let findings = judge(&lost, &TrainSpec::default(), 5_000);
        assert_eq!(findings[0].title, "The loss ran away");
        let rate = offered(&findings[0]).learning_rate;
        assert!((rate - 1e-4).abs() < 1e-12, "{rate}");
    }

    #[test]
    fn a_loss_that_stays_at_guessing_is_no_progress() {
        // ln 10 = 2.3026
        let run = run(&[(2.304, 2.303); 12]);
        let findings = judge(&run, &TrainSpec { learning_rate: 1e-5, ..TrainSpec::default() }, 5_000);
        assert_eq!(findings[0].title, "No progress");
        assert!(findings[0].evidence.contains("2.303"), "{findings:?}");
        assert!((offered(&findings[0]).learning_rate - 1e-4).abs() < 1e-12);
    }

    #[test]
    fn a_network_that_only_guesses_after_a_loss_that_shot_up_is_not_called_done_and_well() {
        // Three epochs at a tenth right among ten classes; the loss was 80 once, ln 10 = 2.303 is what guessing costs.
        let mut run = run(&[(2.4, 2.31), (2.31, 2.305), (2.305, 2.304)]);
        run.epochs.iter_mut().for_each(|epoch| (epoch.accuracy, epoch.train_accuracy) = (0.1, 0.1));
        run.steps[4].loss = 80.0;
        let findings = judge(&run, &TrainSpec { learning_rate: 0.5, ..TrainSpec::default() }, 5_000);
        assert_eq!(findings[0].title, "No better than guessing");
        let evidence = &findings[0].evidence;
        assert!(evidence.contains("80.0 in step 5") && evidence.contains("10.0 % of the validation"), "{evidence}");
        assert!((offered(&findings[0]).learning_rate - 0.05).abs() < 1e-12);
        // A young run without such a peak is left alone; one that is right three times in ten learns.
        run.steps[4].loss = 2.4;
        assert!(!titles(&run).contains(&"No better than guessing"));
        run.steps[4].loss = 80.0;
        run.epochs[2].accuracy = 0.3;
        assert!(!titles(&run).contains(&"No better than guessing"));
    }

    #[test]
    fn gradients_of_nothing_are_dead_units() {
        let mut run = run(&[(2.0, 2.0), (2.0, 2.0), (2.0, 2.0)]);
        run.steps.iter_mut().for_each(|step| step.grad_norm = 0.0);
        assert_eq!(titles(&run), ["Nothing flows back"]);
    }

    #[test]
    fn slow_jumping_flat_and_short_runs_are_told_apart() {
        let slow = run(&[(2.30, 2.2), (2.26, 2.16), (2.22, 2.12), (2.18, 2.08), (2.14, 2.04)]);
        assert_eq!(titles(&slow), ["The learning rate may be too low"]);
        let jumps = run(&[(1.0, 0.9), (0.5, 0.5), (0.7, 0.4), (0.4, 0.35), (0.6, 0.3), (0.4, 0.25), (0.5, 0.2)]);
        assert_eq!(titles(&jumps), ["The loss jumps"]);
        let flat = run(&[(0.9, 0.8), (0.5, 0.5), (0.4, 0.4), (0.38, 0.40), (0.37, 0.41), (0.36, 0.40), (0.35, 0.405)]);
        assert_eq!(titles(&flat), ["Plateau"]);
        let mut short = run(&[(1.0, 0.9), (0.6, 0.5), (0.4, 0.3)]);
        (short.state, short.total_steps) = (RunState::Finished("All epochs done".into()), 30);
        let findings = judge(&short, &TrainSpec { epochs: 3, ..TrainSpec::default() }, 5_000);
        // Three epochs more of the same run, not other settings for the next one.
        assert_eq!((findings[0].title, &findings[0].remedy), ("It was still learning", &Some(Remedy::MoreEpochs(3))));
    }

    #[test]
    fn every_finding_has_numbers_as_its_evidence_and_something_to_try() {
        let spec = TrainSpec::default();
        let first = |run: &RunView| judge(run, &spec, 5_000).remove(0);
        let mut dead = run(&[(2.0, 2.0), (2.0, 2.0), (2.0, 2.0)]);
        dead.steps.iter_mut().for_each(|step| step.grad_norm = 0.0);
        let jumps = run(&[(1.0, 0.9), (0.5, 0.5), (0.7, 0.4), (0.4, 0.35), (0.6, 0.3), (0.4, 0.25), (0.5, 0.2)]);
        let flat = run(&[(0.9, 0.8), (0.5, 0.5), (0.4, 0.4), (0.38, 0.40), (0.37, 0.41), (0.36, 0.40), (0.35, 0.405)]);
        let all = [
            first(&run(&[(2.3, 2.3), (2.6, 2.5), (3.0, 2.9), (3.5, 3.2), (4.0, 3.9)])),
            first(&run(&[(2.304, 2.303); 12])),
            first(&dead),
            first(&run(&[(2.30, 2.2), (2.26, 2.16), (2.22, 2.12), (2.18, 2.08), (2.14, 2.04)])),
            first(&jumps),
            first(&flat),
        ];
        for finding in &all {
            assert!(finding.evidence.contains(|letter: char| letter.is_ascii_digit()), "{finding:?}");
            assert!(!finding.advice.is_empty(), "{finding:?}");
        }
        // Too high: a tenth of 0.001. Too low: three times it. Jumps: three tenths. A plateau: another schedule.
        assert_eq!(all[0].evidence, "The loss rises: 2.300 over the first steps, 3.750 over the last 20.");
        assert!((offered(&all[0]).learning_rate - 1e-4).abs() < 1e-12);
        assert_eq!(all[3].evidence, "The training loss falls steadily but slowly: 2.300 to 2.140 in 5 epochs.");
        assert!((offered(&all[3]).learning_rate - 3e-3).abs() < 1e-12);
        // From 0.5 to 0.7 is 40 %, from 0.4 to 0.6 half as much again, from 0.4 to 0.5 a quarter: three rises in five.
        assert_eq!(all[4].evidence, "In 3 of the last 5 epochs the training loss rose, by up to 50 %.");
        assert!((offered(&all[4]).learning_rate - 3e-4).abs() < 1e-12);
        assert_eq!(offered(&all[5]).schedule, Schedule::Cosine { floor: 0.0 });
    }

    #[test]
    fn a_good_run_is_called_sound_and_a_young_one_is_left_alone() {
        assert_eq!(titles(&run(&[(1.0, 0.9), (0.5, 0.5), (0.3, 0.32), (0.2, 0.25)])), ["Looks sound"]);
        assert!(titles(&run(&[(1.0, 0.9)])).is_empty());
        assert!(titles(&RunView::default()).is_empty());
    }
}
