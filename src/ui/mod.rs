//! The window. egui lives only here; what a network is and costs comes from `plan`, training happens in another process.
//!
//! Panels read a [`PanelCx`] and answer with [`UiCommand`]s; [`app::App`] alone changes documents. To add a panel: write its
//! file with a [`Panel`], and add one line to [`all_panels`].

pub mod canvas;
pub mod data_view;
pub mod fields;
pub mod icons;
pub mod inspector;
pub mod palette;
pub mod panel;
pub mod runs;
pub mod theme;

pub use panel::{Panel, PanelCx, UiCommand};
