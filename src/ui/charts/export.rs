//! Runs as they go out: their numbers as CSV.

use super::Shown;
use crate::ui::runs::RunView;
use crate::ui::theme::Tokens;
use std::fmt::Write as _;

/// A run that goes out.
pub(in crate::ui) struct Exported {
    /// Its name.
    pub(in crate::ui) name: String,
    /// What a person wrote about it.
    pub(in crate::ui) note: String,
    /// Number of its colour; none for the present run, which has two.
    pub(in crate::ui) color: Option<usize>,
    /// Its numbers.
    pub(in crate::ui) run: RunView,
}

impl Exported {
    /// As charts draw it.
    pub(super) fn shown(&self, tokens: &Tokens) -> Shown<'_> {
        let color = self.color.map(|number| tokens.run(number));
        Shown { run: &self.run, name: self.name.clone(), note: self.note.clone(), color }
    }
}

/// All numbers of runs, a row for each step and each epoch. Made in a background thread.
pub(in crate::ui) fn csv(runs: &[Exported]) -> String {
    let mut text = String::from(
        "run,kind,step,epoch,seconds,training_loss,training_accuracy,validation_loss,validation_accuracy,learning_rate,gradient_norm,best\n",
    );
    for Exported { name, run, .. } in runs {
        let name = quoted(name);
        let mut epochs = run.epochs.iter().peekable();
        for step in &run.steps {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{name},step,{},{:.4},{:.3},{},{},,,{},{},",
                step.step,
                step.epoch,
                step.secs,
                number(step.loss),
                number(step.accuracy),
                number(step.learning_rate),
                number(step.grad_norm)
            );
            while let Some(epoch) = epochs.next_if(|epoch| epoch.step <= step.step) {
                let _ = writeln!(
                    text,
                    "{name},epoch,{},{},{:.3},{},{},{},{},,,{}",
                    epoch.step,
                    epoch.epoch,
                    step.secs,
                    number(epoch.train_loss),
                    number(epoch.train_accuracy),
                    number(epoch.loss),
                    number(epoch.accuracy),
                    if epoch.is_best { "yes" } else { "no" }
                );
            }
        }
    }
    text
}

/// What is no number stays empty, as spreadsheets expect.
fn number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}

/// A field of CSV (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::runs::{EpochPoint, StepPoint};

    #[test]
    fn numbers_of_all_runs_stand_in_one_table() {
        let step = StepPoint {
            step: 1,
            epoch: 1.0,
            loss: 0.5,
            accuracy: f64::NAN,
            learning_rate: 0.001,
            grad_norm: 2.0,
            secs: 0.25,
        };
        let epoch = EpochPoint {
            epoch: 1,
            step: 1,
            train_loss: 0.5,
            loss: 0.25,
            accuracy: 0.75,
            is_best: true,
            ..EpochPoint::default()
        };
        let run = RunView { steps: vec![step], epochs: vec![epoch], ..RunView::default() };
        let text = csv(&[Exported { name: "a, \"b\"".into(), note: String::new(), color: None, run }]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "\"a, \"\"b\"\"\",step,1,1.0000,0.250,0.5,,,,0.001,2,");
        assert_eq!(lines[2], "\"a, \"\"b\"\"\",epoch,1,1,0.250,0.5,0,0.25,0.75,,,yes");
        let columns = lines[0].split(',').count();
        // The quoted name holds one comma more.
        assert!(lines[1..].iter().all(|line| line.split(',').count() == columns + 1));
    }
}
