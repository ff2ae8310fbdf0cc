//! Striate: a desktop workbench for convolutional networks.
//!
//! (The map of the house is written below as the rooms are furnished.)

pub mod cli;
pub mod data;
pub mod engine;
pub mod graph;
pub mod layers;
pub mod op;
pub mod plan;
pub mod platform;
pub mod presets;
pub mod text;
#[cfg(feature = "gui")]
pub mod ui;
