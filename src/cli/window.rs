//! The way from the command line to the window.

use anyhow::Result;
use std::path::Path;

/// Opens the window, with a document or preset if one is named.
///
/// # Errors
/// The document cannot be read, or no window can be opened.
#[cfg(feature = "gui")]
pub(super) fn open(model: Option<&str>) -> Result<()> {
    if let Some(model) = model {
        // Said here, where it can be read, and not in a window that has to be opened first.
        super::summary::load(model)?;
    }
    crate::ui::run(model.map(Into::into))
}

/// Draws pictures of the window.
///
/// # Errors
/// The folder cannot be written, or training does not come along.
#[cfg(feature = "gui")]
pub(super) fn screenshots(dir: &Path) -> Result<()> {
    crate::ui::screenshots(dir)
}

/// Says that there is no window.
///
/// # Errors
/// Always, in a build without one.
#[cfg(not(feature = "gui"))]
pub(super) fn open(model: Option<&str>) -> Result<()> {
    if let Some(model) = model {
        super::summary::load(model)?;
    }
    anyhow::bail!("A window needs a build with one. This build has none. Use the commands that `striate help` lists.")
}

/// Says that there is no window.
///
/// # Errors
/// Always, in a build without one.
#[cfg(not(feature = "gui"))]
pub(super) fn screenshots(dir: &Path) -> Result<()> {
    anyhow::bail!(
        "A picture of the window needs a build with one. This build has none; {} is unchanged.",
        dir.display()
    )
}
