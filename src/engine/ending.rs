//! How and why a worker ended: from its exit status, its last words, and what it held shortly before.
//!
//! Knows no process and no pipe; the supervisor collects, this file concludes.

use super::protocol::{EndCause, ExitReport, RunId};
use super::symptom::{self, says_device_lost, says_out_of_memory};
use crate::platform;
use std::collections::VecDeque;

/// Lines of its error output that are kept.
const LAST_LINES: usize = 20;

/// What is needed to say why a worker ended.
#[derive(Debug, Default)]
pub(super) struct Clues {
    /// The run that was training.
    pub(super) run: Option<RunId>,
    /// Its input was closed, or it was told to end.
    pub(super) asked_to_end: bool,
    /// It was killed from here.
    pub(super) killed: bool,
    /// It was killed from here because it said nothing any more.
    pub(super) silent: bool,
    /// What is wrong with what it said.
    pub(super) broken: Option<String>,
    /// It closed its connection and went on; it was then killed.
    pub(super) hung_up: bool,
    /// Memory shortly before.
    pub(super) pressure: Pressure,
    last_lines: VecDeque<String>,
}

/// Memory as it was last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pressure {
    /// What the worker occupied.
    pub(super) resident: Option<u64>,
    /// What the system had left.
    pub(super) available: Option<u64>,
    /// What the worker may allocate, if it was limited.
    pub(super) limit: Option<u64>,
    /// The kernel killed something for memory since the worker started.
    pub(super) kernel_killed: Option<bool>,
}

impl Pressure {
    /// Whether a kill without a sender was for memory; where the system tells nothing, that is the likeliest.
    fn is_near_limit(self) -> bool {
        if self.kernel_killed == Some(true) {
            return true;
        }
        let Some(resident) = self.resident else { return self.kernel_killed.is_none() };
        let at_own_limit = self.limit.is_some_and(|limit| resident >= limit / 10 * 9);
        // A tenth of what both have together: memory is filled faster than it is looked at.
        let system_full = self.available.is_some_and(|left| left < (left.saturating_add(resident)) / 10);
        at_own_limit || system_full
    }
}

impl Clues {
    /// Keeps a line of its error output.
    pub(super) fn heard(&mut self, line: &str) {
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(line.to_owned());
    }

    fn last_lines_say(&self, symptom: fn(&str) -> bool) -> bool {
        self.last_lines.iter().any(|line| symptom(line))
    }

    /// How and why, in words.
    pub(super) fn explain(&self, status: Option<&std::process::ExitStatus>) -> ExitReport {
        let code = status.and_then(std::process::ExitStatus::code);
        let signal = status.and_then(|status| platform::exit_signal(*status));
        self.conclude(code, signal)
    }

    fn cause(&self, code: Option<i32>, signal: Option<i32>) -> EndCause {
        let ended_with = |own: u8| code == Some(i32::from(own));
        if self.silent {
            EndCause::Silent
        } else if self.killed || (self.asked_to_end && code == Some(0)) {
            EndCause::Asked
        } else if self.hung_up || self.broken.is_some() {
            EndCause::Connection
        } else if ended_with(symptom::EXIT_DEVICE_LOST) {
            EndCause::DeviceLost
        } else if ended_with(symptom::EXIT_OUT_OF_MEMORY) || self.last_lines_say(says_out_of_memory) {
            EndCause::OutOfMemory
        } else if self.last_lines_say(says_device_lost) {
            EndCause::DeviceLost
        } else if signal == Some(9) {
            if self.pressure.is_near_limit() { EndCause::OutOfMemory } else { EndCause::Killed }
        } else if matches!(signal, Some(2 | 15)) {
            EndCause::Killed
        } else {
            EndCause::Crashed
        }
    }

    fn conclude(&self, code: Option<i32>, signal: Option<i32>) -> ExitReport {
        let cause = self.cause(code, signal);
        let expected = cause == EndCause::Asked;
        let how = match (code, signal) {
            (Some(0), _) => "it ended by itself".to_owned(),
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("{}, signal {signal}", platform::signal_name(signal)),
            (None, None) => "in an unknown way".to_owned(),
        };
        let mut message = match cause {
            EndCause::Asked if self.killed => "The engine was ended from here.".to_owned(),
            EndCause::Asked => "The engine has ended.".to_owned(),
            EndCause::Silent => "The engine said nothing any more and was ended from here.".to_owned(),
            EndCause::Connection => self.broken.clone().unwrap_or_else(|| {
                "The engine closed its connection to the window and was ended. It may have crashed half-way.".to_owned()
            }),
            EndCause::OutOfMemory => {
                format!(
                    "The engine ran out of memory ({how}). Use a smaller batch, or accumulate gradients over smaller ones."
                )
            }
            EndCause::DeviceLost => {
                format!(
                    "The device was lost ({how}): its driver was reset, or it was taken away. Try again, or train on the CPU."
                )
            }
            EndCause::Killed => format!("The engine was killed from outside ({how})."),
            EndCause::Crashed => format!("The engine crashed ({how})."),
        };
        let last = self.last_lines.iter().rev().find(|line| !line.trim().is_empty());
        if matches!(cause, EndCause::Crashed | EndCause::DeviceLost)
            && let Some(last) = last
        {
            message.push_str(" Its last words: ");
            message.push_str(last);
        }
        let out_of_memory = cause == EndCause::OutOfMemory;
        ExitReport { expected, code, signal, out_of_memory, message, run: self.run, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    fn killed_with(pressure: Pressure) -> EndCause {
        Clues { pressure, ..Clues::default() }.conclude(None, Some(9)).cause
    }

    #[test]
    fn a_kill_is_put_down_to_memory_only_when_memory_was_short() {
        let plenty = Pressure { resident: Some(GB), available: Some(20 * GB), limit: None, kernel_killed: Some(false) };
        assert_eq!(killed_with(plenty), EndCause::Killed);
        // 0.5 GB left of 10.5 GB: less than a tenth.
        let full = Pressure { resident: Some(10 * GB), available: Some(GB / 2), ..plenty };
        assert_eq!(killed_with(full), EndCause::OutOfMemory);
        assert_eq!(killed_with(Pressure { kernel_killed: Some(true), ..plenty }), EndCause::OutOfMemory);
        // 0.95 of its own limit.
        assert_eq!(killed_with(Pressure { limit: Some(GB / 95 * 100), ..plenty }), EndCause::OutOfMemory);
        assert_eq!(killed_with(Pressure { limit: Some(2 * GB), ..plenty }), EndCause::Killed);
        // A system that tells nothing.
        assert_eq!(killed_with(Pressure::default()), EndCause::OutOfMemory);
    }

    #[test]
    fn exit_codes_and_last_words_tell_the_cause() {
        let with = |line: &str| {
            let mut clues = Clues::default();
            clues.heard(line);
            clues
        };
        assert_eq!(with("all is well").conclude(Some(4), None).cause, EndCause::OutOfMemory);
        assert_eq!(with("all is well").conclude(Some(5), None).cause, EndCause::DeviceLost);
        assert_eq!(with("memory allocation of 9 bytes failed").conclude(None, Some(6)).cause, EndCause::OutOfMemory);
        assert_eq!(with("ERROR_DEVICE_LOST").conclude(None, Some(11)).cause, EndCause::DeviceLost);
        let crash = with("thread panicked at x").conclude(None, Some(11));
        assert_eq!(crash.cause, EndCause::Crashed);
        assert!(crash.message.contains("SIGSEGV") && crash.message.contains("panicked at x"), "{}", crash.message);
        let asked = Clues { asked_to_end: true, ..Clues::default() };
        assert!(asked.conclude(Some(0), None).expected);
        // Told to end, it crashed all the same.
        assert_eq!(asked.conclude(None, Some(11)).cause, EndCause::Crashed);
        let hung_up = Clues { hung_up: true, ..Clues::default() };
        assert_eq!(hung_up.conclude(None, Some(9)).cause, EndCause::Connection);
    }
}
