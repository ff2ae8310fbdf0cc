//! What a person places on the canvas: one file per layer kind.
//!
//! A layer struct holds what a person sets ("same" padding, no input channels). Its file gives [`LayerKind::about`] (id, name,
//! group, help), [`LayerKind::fields`] (one visitor that the inspector draws, the command line parses, the help prints and
//! the tests walk) and [`LayerKind::lower`], which pushes ops. Shapes, parameters, MACs and RAM come from the ops.
//!
//! To add a layer: write its file, add one line to `layers!` in `registry.rs`, and an icon `assets/icons/<id>.svg`.
//!
//! Knows `op` only.

mod activation;
mod add;
mod avg_pool;
mod batch_norm;
mod concat;
#[cfg(test)]
mod conformance;
mod conv2d;
mod conv_transpose2d;
mod dense;
mod dropout;
mod field;
mod flatten;
mod global_avg_pool;
mod group_norm;
mod input;
mod layer_norm;
mod lrn;
mod max_pool;
mod multiply;
mod padding;
mod raise;
mod registry;
mod residual;
#[cfg(test)]
mod testing;
mod upsample;
mod zero_pad;

pub use activation::Activation;
pub use add::Add;
pub use avg_pool::AvgPool;
pub use batch_norm::BatchNorm;
pub use concat::Concat;
pub use conv_transpose2d::ConvTranspose2d;
pub use conv2d::Conv2d;
pub use dense::Dense;
pub use dropout::Dropout;
pub use field::{Act, ChoiceOption, FieldSpec, FieldValue, FieldVisitor, Unit, get_field, list_fields, set_field};
pub use flatten::Flatten;
pub use global_avg_pool::GlobalAvgPool;
pub use group_norm::GroupNorm;
pub use input::Input;
pub use layer_norm::LayerNorm;
pub use lrn::Lrn;
pub use max_pool::MaxPool;
pub use multiply::Multiply;
pub use padding::Padding;
pub use registry::Layer;
pub use residual::Residual;
pub use upsample::Upsample;
pub use zero_pad::ZeroPad;

use crate::op::{Lowering, Shape, ShapeError, ValueId};

/// The palette's groups, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Where data enters.
    Input,
    /// Convolutions.
    Convolution,
    /// Pooling and resizing.
    Pooling,
    /// Normalisation and regularisation.
    Normalization,
    /// Activation functions.
    Activation,
    /// Dense and flatten.
    Dense,
    /// Several branches into one.
    Merge,
    /// Several layers in one card.
    Block,
}

impl Family {
    /// All groups in the palette's order.
    pub const ALL: [Self; 8] = [
        Self::Input,
        Self::Convolution,
        Self::Pooling,
        Self::Normalization,
        Self::Activation,
        Self::Dense,
        Self::Merge,
        Self::Block,
    ];

    /// Heading in the palette.
    pub fn label(self) -> &'static str {
        match self {
            Self::Input => "Input",
            Self::Convolution => "Convolution",
            Self::Pooling => "Pooling and resizing",
            Self::Normalization => "Normalization and regularization",
            Self::Activation => "Activation",
            Self::Dense => "Dense",
            Self::Merge => "Merge",
            Self::Block => "Blocks",
        }
    }
}

/// Who a layer kind is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Stable id in files and on the command line: `conv2d`.
    pub id: &'static str,
    /// Name for a person: "Conv2D".
    pub name: &'static str,
    /// Start of default node names: `conv` gives `conv1`, `conv2`.
    pub stem: &'static str,
    /// Where it stands in the palette.
    pub family: Family,
    /// One sentence.
    pub summary: &'static str,
    /// The help page in Markdown: what it does, formula, when to use it.
    pub help: &'static str,
    /// Paper or documentation.
    pub source: &'static str,
}

/// How many inputs a layer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arity {
    /// None: data enters here.
    Zero,
    /// Exactly one.
    One,
    /// Two or more.
    Many,
}

/// What every layer kind provides.
pub trait LayerKind {
    /// Id, name, group, help.
    fn about(&self) -> &'static About;

    /// Shows every field to `visitor`, which may change it.
    fn fields(&mut self, visitor: &mut dyn FieldVisitor);

    /// How many inputs it takes.
    fn arity(&self) -> Arity {
        Arity::One
    }

    /// Whether it has weights, and so an initialiser.
    fn has_weights(&self) -> bool {
        false
    }

    /// The shape of the data that enters here, for an input layer.
    fn input_shape(&self) -> Option<Shape> {
        None
    }

    /// Pushes the ops of this layer and gives its output.
    ///
    /// # Errors
    /// The rule that the inputs or the fields break.
    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError>;
}

fn one_input(layer: &'static str, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
    match inputs {
        [input] => Ok(*input),
        _ => Err(ShapeError::Inputs { op: layer, expected: "one input", found: inputs.len() }),
    }
}
