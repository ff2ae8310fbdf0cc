//! Data: where images come from, how they are split, and how they become plain buffers for a network.
//!
//! A [`Source`] gives item `i` by its index; it may fail for an item, and items may differ in size. A [`Dataset`] puts
//! splits and preprocessing on top of a source and hands out single items, or [`Batches`] decoded ahead of time.
//! Order and augmentation are functions of (seed, epoch, index), so no generator state exists to be saved.
//!
//! Knows shapes and the document's plain settings. Knows nothing of networks, tensors, windows or the engine.

mod augment;
mod batch;
mod dataset;
mod digits;
mod error;
mod folder;
mod idx;
mod loader;
mod picture;
mod preprocess;
#[cfg(test)]
mod real_data;
pub mod seed;
mod source;
mod splits;
mod strip;

pub use batch::{Batch, BatchTarget, Order};
pub use dataset::{Dataset, Problem};
pub use digits::Digits;
pub use error::{DataError, ItemError};
pub use folder::FolderSource;
pub use idx::IdxSource;
pub use loader::Batches;
pub use picture::{Picture, RawItem, load_picture};
pub use preprocess::Preprocessor;
pub use source::{Source, Stage};
pub use splits::Split;
pub use strip::StripStep;
