//! Primitive operations, and the program they form.
//!
//! A network that a person stacked is lowered to a [`Program`]: a list of [`OpNode`]s in static single assignment form in
//! which every value has a known shape. Costs, the engine and every export read the same program, so a number on a card
//! cannot disagree with what trains.
//!
//! This folder knows neither layers, graphs, burn nor egui.

mod error;
mod explain;
mod function;
mod init;
mod kind;
mod lowering;
mod params;
mod program;
mod shape;
mod shape_rule;
mod window;

pub use error::ShapeError;
pub use explain::{Arithmetic, Origin, Term};
pub use init::{Init, Start};
pub use kind::{Activation, Op, UpsampleMode};
pub use lowering::{Checkpoint, Lowering};
pub use params::{ParamRole, ParamTemplate};
pub use program::{Named, OpNode, ParamId, ParamSpec, Program, ValueId, ValueInfo};
pub use shape::{DType, Shape};
pub use window::{Pads, same_pads, window_outputs};
