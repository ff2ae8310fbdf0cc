//! Striate: a desktop workbench for convolutional networks.
//!
//! # Map of the house
//!
//! A [`graph::Document`] is what a person made. [`plan::plan`] lowers its graph to an [`op::Program`], a list of primitive
//! ops whose every shape is known; costs ([`plan::cost`]), the engine and the drawing read that program and nothing else,
//! so a number on a card cannot disagree with what trains.
//!
//! - [`op`]: primitives: shapes, parameters, MACs, arithmetic; the program
//! - [`layers`]: what a person places, one file per kind
//! - [`graph`]: the document, its edits, undo, file format
//! - [`plan`]: what follows from a document: program, diagnostics, cost, memory, layout
//! - [`data`]: images as seeded, ordered batches of plain numbers
//! - [`engine`]: the worker process and everything that knows burn; a supervisor that does not
//! - `ui`: the window, everything that knows egui
//! - [`cli`]: the same without a window
//!
//! An arrow points at what is known: `op ◄ layers ◄ graph ◄ plan ◄ {engine, ui, cli}`, `data` knows the graph's settings.
//! `tests/architecture.rs` keeps it so.
//!
//! # Invariants
//!
//! - Only [`graph::apply`] changes a document; a refused edit changes nothing.
//! - Lowering never fails as a whole: the valid part keeps its numbers.
//! - Documents hold no coordinates; the drawing is derived.
//! - The window never runs a tensor: a crash of the engine ends the worker, not the window.
//!
//! # Adding a layer
//!
//! One file in `layers/` (copy `conv2d.rs`), one line in `layers! { … }` of `layers/registry.rs`, one icon in
//! `assets/icons/`. A new primitive also needs a variant of [`op::Op`]; exhaustive matches name the other places.
//!
//! # Adding a panel
//!
//! One file in `ui/` with a `Panel`, one line in `ui::all_panels`.

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
