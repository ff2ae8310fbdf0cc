//! The way from the command line to the window.

use anyhow::{Result, bail};
use std::path::Path;

/// Opens the window, with a document or preset if one is named.
///
/// # Errors
/// The document cannot be read, or no window can be opened.
pub(super) fn open(model: Option<&str>) -> Result<()> {
    if let Some(model) = model {
        super::summary::load(model)?;
    }
    bail!("A window needs a build with one. This build has none. Use the commands that `striate help` lists.")
}

/// Draws pictures of the window.
///
/// # Errors
/// This build has no window, or the folder cannot be written.
pub(super) fn screenshots(dir: &Path) -> Result<()> {
    bail!("A picture of the window needs a build with one. This build has none; {} is unchanged.", dir.display())
}
