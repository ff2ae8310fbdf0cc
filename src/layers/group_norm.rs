//! The group norm layer.

use super::batch_norm::EPS;
use super::{About, Family, FieldSpec, FieldVisitor, LayerKind, Unit};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// Group norm: normalises groups of channels of each image.
///
/// # Shapes
/// Output as input.
/// # Cost
/// 2c trained parameters, 0 MACs.
/// # Errors
/// [`ShapeError::Groups`] if the channels are not divisible by `groups`.
/// # Source
/// Wu and He 2018; PyTorch `GroupNorm`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GroupNorm {
    /// Groups of channels.
    pub groups: u64,
    /// Added to the variance.
    pub eps: f64,
}

impl Default for GroupNorm {
    fn default() -> Self {
        Self { groups: 8, eps: 1e-5 }
    }
}

static ABOUT: About = About {
    id: "group_norm",
    name: "Group norm",
    stem: "gn",
    family: Family::Normalization,
    summary: "Brings groups of channels of each image to mean 0 and variance 1, whatever the batch.",
    help: "Splits the channels into groups and, for each image, subtracts a group's mean over its channels and all pixels \
           and divides by its standard deviation; a learned scale γ and shift β per channel follow.\n\n\
           **Formula** `γ · (x − mean) / √(variance + ε) + β`, mean and variance over one group of one image\n\n\
           **Parameters** `2 · channels`\n\n\
           The choice where batches are small (large images, little memory), as it does not look at the batch. The paper \
           uses 32 groups for 64 channels and more. With as many groups as channels it is instance norm, used for style \
           transfer.",
    source: "Wu and He, Group normalization (2018); PyTorch GroupNorm",
};

const GROUPS: FieldSpec = FieldSpec::new(
    "groups",
    "Groups",
    Unit::None,
    1.0,
    65_536.0,
    "Number of groups; the channels must be divisible by it.",
);

impl LayerKind for GroupNorm {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.integer(&GROUPS, &mut self.groups);
        visitor.float(&EPS, &mut self.eps);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::GroupNorm { groups: self.groups, eps: self.eps }, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::testing::{counts, output};
    use crate::op::Shape;

    #[test]
    fn it_learns_a_scale_and_a_shift_per_channel_and_keeps_no_state() {
        // PyTorch: GroupNorm(8, 64) has weight and bias of 64 each.
        assert_eq!(counts(&GroupNorm::default(), Shape::map(64, 8, 8)), (128, 0));
    }

    #[test]
    fn channels_must_be_divisible_by_the_groups() {
        let error = output(&GroupNorm::default(), Shape::map(12, 8, 8)).unwrap_err();
        // Of 12 channels at most 6 groups of the 8 asked for.
        assert!(matches!(error, ShapeError::Groups { channels: 12, groups: 8, suggestion: 6, .. }), "{error}");
    }
}
