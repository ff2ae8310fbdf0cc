//! The document: what a person made and what is saved.
//!
//! [`Edit`] is the only way to change it, [`apply`] the only function that does; [`History`] undoes. Knows layers and ops;
//! knows neither costs, burn nor egui.

pub mod bounds;
mod document;
mod edit;
mod expand;
mod file;
mod fragment;
mod group;
mod history;
mod node;
mod numbers;
mod piece;
mod rules;
mod spec;
mod surgery;

pub use document::Document;
pub use edit::{Edit, EditError, Outcome, Place, apply};
pub use file::{
    FORMAT, FileError, MAX_BYTES, MAX_DEPTH, MAX_LINKS, MAX_NODES, MAX_REPEAT, Opened, VERSION, check_name,
    write_atomically,
};
pub use fragment::{FRAGMENT, FragmentError};
pub use history::{DEPTH, History, Restored};
pub use node::{Content, Graph, Group, Link, Node, NodeId};
pub use piece::Load;
pub use rules::check;
pub use spec::{
    Augment, DataSource, DataSpec, EarlyStop, Head, Loss, Metric, Optimizer, Preprocess, Resize, Schedule, Splits,
    Target, TrainSpec,
};

#[cfg(test)]
mod regroup_tests;
#[cfg(test)]
mod tests;
