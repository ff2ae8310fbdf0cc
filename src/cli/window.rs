//! The way from the command line to the window.

use anyhow::Result;
use std::path::Path;

/// Opens the window, with a document or preset if one is named.
///
/// # Errors
/// The document cannot be read, or no window can be opened.
#[cfg(feature = "gui")]
pub(super) fn open(model: Option<&str>) -> Result<()> {
    use anyhow::Context as _;
    let Some(model) = model else { return crate::ui::run(None) };
    let path = Path::new(model);
    if path.exists() {
        return crate::ui::run(Some(path.to_path_buf()));
    }
    // The window opens files: a preset becomes one in a place of its own.
    let document = super::summary::load(model)?;
    let folder = std::env::temp_dir().join(format!("striate-open-{}", std::process::id()));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot write {}", folder.display()))?;
    let file = folder.join(format!("{model}.json"));
    document.save(&file)?;
    let result = crate::ui::run(Some(file));
    // A leftover in the system's temporary folder costs nothing.
    let _ = std::fs::remove_dir_all(&folder);
    result
}

/// Draws pictures of the window.
///
/// # Errors
/// No graphics driver, or the folder cannot be written.
#[cfg(feature = "gui")]
pub(super) fn screenshots(dir: &Path) -> Result<()> {
    crate::ui::screenshots(dir)
}

/// Says that this build has no window.
///
/// # Errors
/// Always.
#[cfg(not(feature = "gui"))]
pub(super) fn open(_model: Option<&str>) -> Result<()> {
    anyhow::bail!("A window needs a build with one. This build has none. Use the commands that `striate help` lists.")
}

/// Says that this build has no window.
///
/// # Errors
/// Always.
#[cfg(not(feature = "gui"))]
pub(super) fn screenshots(_dir: &Path) -> Result<()> {
    open(None)
}
