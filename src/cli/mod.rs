//! The command line: arguments, and which room answers them. Prints results; errors are handed to `main`.
//!
//! Knows everything but egui and burn: training and asking go through the supervisor like in the window.

mod ask;
mod catalogue;
mod client;
mod devices;
pub mod summary;
mod train;
mod window;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  striate                                   open the window
  striate open lenet5                       open the window with a preset or file
  striate summary lenet5 --batch 64         what it costs
  striate train lenet5 --data digits        train it on drawn digits
  striate eval runs/lenet-5-1               how good it is
  striate predict runs/lenet-5-1 photo.png  what it sees

Exit codes: 0 done, 1 failed, 2 wrong arguments, 130 stopped by Ctrl+C.";

/// Build, cost, train and look inside convolutional networks. Without a command, opens the window.
#[derive(Debug, Parser)]
#[command(name = "striate", version, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Open the window with a document or preset.
    #[command(after_help = "Example:\n  striate open my-net.json")]
    Open {
        /// A document, or the id of a preset.
        model: String,
    },
    /// Print what a network costs: shapes, parameters, multiply-adds, memory.
    #[command(
        after_help = "Examples:\n  striate summary lenet5\n  striate summary net.json --batch 32 --format json\n  striate summary lenet5 --set conv1.filters=12 --input 64x64x1"
    )]
    Summary(summary::SummaryArgs),
    /// Train a network.
    Train(train::TrainArgs),
    /// Measure a trained network on data.
    Eval(ask::EvalArgs),
    /// Ask a trained network about pictures.
    Predict(ask::PredictArgs),
    /// Draw what a layer makes of one picture.
    Probe(ask::ProbeArgs),
    /// List the networks that come with the program.
    #[command(after_help = "Examples:\n  striate presets\n  striate presets --format json")]
    Presets {
        /// text or json.
        #[arg(long, value_enum, default_value_t)]
        format: catalogue::ListFormat,
    },
    /// List the devices to compute on, or test one against the CPU.
    #[command(after_help = "Examples:\n  striate devices\n  striate devices --check --device gpu0")]
    Devices(devices::DevicesArgs),
    /// Explain the layers and their settings.
    #[command(after_help = "Examples:\n  striate layers\n  striate layers conv2d")]
    Layers {
        /// Id or name of one layer, for all about it.
        name: Option<String>,
    },
    /// Draw pictures of the window into a folder, without a display.
    #[command(after_help = "Example:\n  striate screenshots screenshots")]
    Screenshots {
        /// The folder.
        dir: PathBuf,
    },
    /// The engine's own process; started by the others, never by hand.
    #[command(hide = true)]
    Worker,
}

/// Does what the arguments say.
///
/// # Errors
/// What could not be done, with its context.
pub fn run(cli: Cli) -> Result<ExitCode> {
    let Some(command) = cli.command else {
        window::open(None)?;
        return Ok(ExitCode::SUCCESS);
    };
    match command {
        Command::Open { model } => window::open(Some(&model))?,
        Command::Summary(args) => print(&summary::summary(&args)?)?,
        Command::Train(args) => return train::train(&args),
        Command::Eval(args) => print(&ask::eval(&args)?)?,
        Command::Predict(args) => {
            let (text, all_read) = ask::predict(&args)?;
            print(&text)?;
            if !all_read {
                bail!("Every picture must be readable. At least one was not; see above.");
            }
        }
        Command::Probe(args) => print(&ask::probe(&args)?)?,
        Command::Presets { format } => print(&catalogue::presets(format))?,
        Command::Devices(args) => {
            let (text, passed) = devices::devices(&args)?;
            print(&text)?;
            if !passed {
                bail!(
                    "A device must agree with the CPU. This one does not, see above. Update its driver, or use --device cpu."
                );
            }
        }
        Command::Layers { name } => print(&catalogue::layers(name.as_deref())?)?,
        Command::Screenshots { dir } => window::screenshots(&dir)?,
        Command::Worker => return Ok(worker()),
    }
    Ok(ExitCode::SUCCESS)
}

fn worker() -> ExitCode {
    #[cfg(feature = "train")]
    return crate::engine::worker::main();
    #[cfg(not(feature = "train"))]
    ExitCode::FAILURE
}

/// Writes to standard output; a reader that has seen enough (`| head`) is no error.
fn print(text: &str) -> Result<()> {
    use std::io::Write as _;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_and_every_visible_one_an_example() {
        use clap::CommandFactory as _;
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name}");
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("striate {name}")), "{name} has no example");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some() || argument.get_id() == "help", "{name} {}", argument.get_id());
            }
        }
    }
}
