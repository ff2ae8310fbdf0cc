//! The window. egui lives only here; what a network is and costs comes from `plan`, training happens in another process.
//!
//! Panels read a [`PanelCx`] and answer with [`UiCommand`]s; [`app::App`] alone changes documents. To add a panel: write its
//! file with a [`Panel`], and add one line to [`all_panels`].

pub mod app;
mod apply;
mod atlas;
pub mod canvas;
mod charts;
pub mod command;
mod confusion;
pub mod cost_panel;
mod cost_rows;
mod cost_table;
mod crash;
pub mod data_panel;
pub mod data_view;
mod device_check;
pub mod dialogs;
pub mod disk;
pub mod dock;
mod effect;
pub mod export;
pub mod fields;
mod finder;
mod fuzzy;
pub mod icons;
pub mod inspector;
mod judgement;
mod kit;
mod library;
mod loader;
mod locate;
pub mod log_panel;
pub mod look;
mod looker;
pub mod maps;
mod memory_savings;
mod memory_view;
mod memory_warning;
mod menu;
mod more_epochs;
mod news;
pub mod outline;
pub mod palette;
pub mod panel;
mod path_dialog;
mod pointer;
pub mod preferences;
pub mod problems;
mod queue_store;
mod queue_ui;
mod recovery;
pub mod results_panel;
mod run_choice;
mod run_compare;
mod run_desk;
mod run_dialogs;
mod run_queue;
pub mod runs;
pub mod runs_panel;
mod runs_table;
pub mod runs_view;
mod safety;
mod safety_ui;
mod screenshots;
pub mod search;
mod search_ui;
mod second_engine;
mod seek;
mod session;
mod session_events;
mod session_runs;
mod settings;
mod silence;
mod status;
mod system_dialogs;
mod test_hook;
pub mod theme;
pub mod times;
mod train_action;
pub mod training_panel;
mod trouble;
mod why;
mod window_size;
pub mod workspace;

pub use app::{App, Options};
pub use panel::{Panel, PanelCx, UiCommand};
pub use screenshots::screenshots;

use anyhow::Context as _;
use std::path::PathBuf;

/// Panels of the movable part, the canvas first, then the tabs below it in their order.
pub fn all_panels() -> Vec<Box<dyn Panel>> {
    vec![
        Box::new(canvas::CanvasPanel::default()),
        Box::new(cost_panel::CostPanel::default()),
        Box::new(outline::OutlinePanel::default()),
        Box::new(training_panel::TrainingPanel::default()),
        Box::new(results_panel::ResultsPanel::default()),
        Box::new(runs_panel::RunsPanel::default()),
        Box::new(data_panel::DataPanel::default()),
        Box::new(maps::MapsPanel::default()),
        Box::new(problems::ProblemsPanel),
        Box::new(log_panel::LogPanel),
    ]
}

/// Name under which systems know the program: the folder of its settings, and the desktop entry.
pub const APP_ID: &str = "io.github.striate.Striate";

/// Opens the window, with a document if one is named.
///
/// # Errors
/// No window can be opened: there is no display, or no graphics driver.
pub fn run(document: Option<PathBuf>) -> anyhow::Result<()> {
    let viewport = egui::ViewportBuilder::default()
        .with_app_id(APP_ID)
        .with_title("Striate")
        .with_inner_size([1440.0, 900.0])
        .with_min_inner_size([960.0, 600.0]);
    if let Some(folder) = eframe::storage_dir(APP_ID) {
        crash::install(folder);
    }
    let native = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    let options = Options { document, is_persistent: true, ..Options::default() };
    eframe::run_native(APP_ID, native, Box::new(|cc| Ok(Box::new(App::new(cc, options)))))
        .map_err(|error| anyhow::anyhow!("{error}"))
        .context(
            "The window needs a display and a graphics driver (Vulkan, Metal, DirectX or OpenGL). Try WGPU_BACKEND=gl",
        )
}
