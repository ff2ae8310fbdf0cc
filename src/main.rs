//! The `striate` program: parses arguments and routes to window, command line or worker. Prints the only final error.

use clap::Parser as _;
use std::process::ExitCode;
use striate::cli::{self, Cli};
use striate::engine::memory::{self, Meter};

/// Counts what this process allocates: the measured column. Costs a few atomic additions per allocation.
#[global_allocator]
static ALLOCATOR: cap::Cap<std::alloc::System> = cap::Cap::new(std::alloc::System, usize::MAX);

fn main() -> ExitCode {
    memory::install(Meter {
        allocated: || ALLOCATOR.allocated(),
        peak: || ALLOCATOR.max_allocated(),
        limit: |bytes| ALLOCATOR.set_limit(bytes).is_ok(),
    });
    match cli::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
