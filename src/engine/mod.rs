//! Runs programs: forward, backward, optimizer steps, weights on disk. burn lives here and nowhere else.
//!
//! The engine is another process. [`Supervisor`] starts it and talks to it in the plain data of [`protocol`]; neither
//! knows burn, and window and command line use nothing else of this folder (besides [`run`], the run folder).

pub mod channel;
pub mod protocol;
pub mod run;
mod supervisor;

pub use supervisor::{Supervisor, SupervisorError};
