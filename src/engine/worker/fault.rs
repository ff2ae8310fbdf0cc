//! Faults on demand, so that tests can force every way in which a worker fails through the real process.
//!
//! `STRIATE_TEST_FAULT=<kind>@<step>[:<file>]` makes the worker fail right after that step. With a file it fails once: the
//! file is made then, and a worker that finds it goes on. Kinds: `hang`, `abort`, `exit`, `panic`, `hang_up`, `babble`,
//! `device_lost`, `pool`, `allocate`; `hang_look` counts looks into networks that are not in training instead of steps.
//! Without the variable nothing here does anything.

use super::super::EngineError;
use super::super::error::guard;
use super::outbox::Outbox;
use std::path::PathBuf;

/// Name of the variable.
pub(super) const VARIABLE: &str = "STRIATE_TEST_FAULT";
/// The kind that counts looks.
const LOOK: &str = "hang_look";

/// A fault that waits for its step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    kind: String,
    step: u64,
    once: Option<PathBuf>,
    looks: u64,
}

impl Fault {
    /// What the environment asks for.
    pub(super) fn from_env() -> Option<Self> {
        Self::parse(&std::env::var(VARIABLE).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('@')?;
        let (step, once) = rest.split_once(':').map_or((rest, None), |(step, file)| (step, Some(file.into())));
        Some(Self { kind: kind.into(), step: step.parse().ok()?, once, looks: 0 })
    }

    /// Fails after a step, if it is time.
    pub(super) fn strike(&self, step: u64, out: &Outbox) -> Result<(), EngineError> {
        if self.kind == LOOK { Ok(()) } else { self.strike_at(step, out) }
    }

    /// Fails before a look into a network that is not in training, if it is time.
    pub(super) fn look(&mut self, out: &Outbox) {
        self.looks += 1;
        if self.kind == LOOK {
            // It never comes back.
            let _ = self.strike_at(self.looks, out);
        }
    }

    fn strike_at(&self, step: u64, out: &Outbox) -> Result<(), EngineError> {
        let is_over = self.once.as_ref().is_some_and(|file| file.exists());
        if step < self.step || is_over {
            return Ok(());
        }
        if let Some(file) = &self.once {
            // A file that cannot be made lets the fault strike again, which the test will notice.
            let _ = std::fs::write(file, step.to_string());
        }
        out.flush();
        tracing::warn!("{VARIABLE} asks for the fault {:?} at {step}", self.kind);
        match self.kind.as_str() {
            "hang" | LOOK => loop {
                std::thread::park();
            },
            "abort" => std::process::abort(),
            "exit" => std::process::exit(7),
            "panic" => std::panic::panic_any("a fault on demand"),
            "hang_up" => {
                out.hang_up();
                loop {
                    std::thread::park();
                }
            }
            "babble" => {
                out.babble();
                Ok(())
            }
            // As wgpu 30 and cubecl 0.11 say it: by a panic inside burn.
            "device_lost" => guard(|| std::panic::panic_any("Parent device is lost".to_owned())),
            "pool" => guard(|| std::panic::panic_any("can't allocate buffer of size: 1".to_owned())),
            // A quarter of the address space, which no allocator gives.
            "allocate" => {
                drop(std::hint::black_box(vec![1_u8; usize::MAX / 4]));
                Ok(())
            }
            other => {
                tracing::error!("{VARIABLE}: there is no fault {other:?}");
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_step_and_its_file() {
        let fault = Fault::parse("hang@12:/tmp/a b").unwrap();
        assert_eq!((fault.kind.as_str(), fault.step, fault.once), ("hang", 12, Some("/tmp/a b".into())));
        assert_eq!(Fault::parse("abort@3").unwrap().once, None);
        assert!(Fault::parse("abort").is_none() && Fault::parse("abort@x").is_none());
    }
}
