//! Batch, layer and group normalisation.

use super::{About, Family, FieldSpec, FieldVisitor, LayerKind, Unit};
use crate::op::{Lowering, Op, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

const EPS: FieldSpec = FieldSpec::new(
    "eps",
    "Epsilon",
    Unit::None,
    1e-12,
    1.0,
    "Added to the variance, so that nothing is divided by zero. PyTorch's default is 1e-5, Keras' is 1e-3.",
);

/// Batch norm: normalises each channel over the batch.
///
/// # Shapes
/// Output as input.
/// # Cost
/// 2c trained parameters, 2c of state, 0 MACs.
/// # Errors
/// None of its own.
/// # Source
/// Ioffe and Szegedy 2015; PyTorch `BatchNorm2d`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BatchNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Share of the new batch in the running statistics.
    pub momentum: f64,
}

impl Default for BatchNorm {
    fn default() -> Self {
        Self { eps: 1e-5, momentum: 0.1 }
    }
}

static ABOUT_BATCH: About = About {
    id: "batch_norm",
    name: "Batch norm",
    stem: "bn",
    family: Family::Normalization,
    summary: "Brings each channel to mean 0 and variance 1 over the batch, then scales and shifts it.",
    help: "While training, subtracts each channel's mean over the batch and divides by its standard deviation; a learned \
           scale γ and shift β follow. While predicting, running averages gathered in training take their place, so one \
           image alone gives the same answer as in a batch.\n\n\
           **Formula** `γ · (x − mean) / √(variance + ε) + β`\n\n\
           **Parameters** `2 · channels` trained (γ, β) `+ 2 · channels` state (running mean and variance, which no \
           gradient changes; Keras counts them, PyTorch calls them buffers)\n\n\
           Networks train faster and stand larger learning rates. It goes between convolution and activation; the \
           convolution then needs no bias. With fewer than about 8 images per batch its estimates are poor: prefer group \
           norm.",
    source: "Ioffe and Szegedy, Batch normalization (2015); PyTorch BatchNorm2d",
};

const MOMENTUM: FieldSpec = FieldSpec::new(
    "momentum",
    "Momentum",
    Unit::Share,
    0.0,
    1.0,
    "Share of the new batch in the running mean and variance, as in PyTorch. Keras' momentum is 1 minus this.",
);

impl LayerKind for BatchNorm {
    fn about(&self) -> &'static About {
        &ABOUT_BATCH
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.float(&EPS, &mut self.eps);
        visitor.float(&MOMENTUM, &mut self.momentum);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::BatchNorm { eps: self.eps, momentum: self.momentum }, inputs)
    }
}

/// Layer norm: normalises each position over its channels.
///
/// # Shapes
/// Output as input.
/// # Cost
/// 2c trained parameters, 0 MACs.
/// # Errors
/// None of its own.
/// # Source
/// Ba et al. 2016; over channels as in `ConvNeXt`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f64,
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self { eps: 1e-5 }
    }
}

static ABOUT_LAYER: About = About {
    id: "layer_norm",
    name: "Layer norm",
    stem: "ln",
    family: Family::Normalization,
    summary: "Brings the channels of each position to mean 0 and variance 1, whatever the batch.",
    help: "At each pixel, subtracts the mean over all channels and divides by their standard deviation; a learned scale γ \
           and shift β per channel follow. A vector is normalised over all its features.\n\n\
           **Formula** `γ · (x − mean) / √(variance + ε) + β`, mean and variance over the channels of one position\n\n\
           **Parameters** `2 · channels`\n\n\
           Each image is treated alone, the same way in training and prediction, so any batch size works. Transformers and \
           ConvNeXt use it.",
    source: "Ba, Kiros, Hinton: Layer normalization (2016); Liu et al., A ConvNet for the 2020s (2022)",
};

impl LayerKind for LayerNorm {
    fn about(&self) -> &'static About {
        &ABOUT_LAYER
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.float(&EPS, &mut self.eps);
    }

    fn lower(&self, lowering: &mut Lowering, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        lowering.push(Op::LayerNorm { eps: self.eps }, inputs)
    }
}

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

static ABOUT_GROUP: About = About {
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

const NORM_GROUPS: FieldSpec = FieldSpec::new(
    "groups",
    "Groups",
    Unit::None,
    1.0,
    65_536.0,
    "Number of groups; the channels must be divisible by it.",
);

impl LayerKind for GroupNorm {
    fn about(&self) -> &'static About {
        &ABOUT_GROUP
    }

    fn fields(&mut self, visitor: &mut dyn FieldVisitor) {
        visitor.integer(&NORM_GROUPS, &mut self.groups);
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
    fn only_batch_norm_keeps_state_beside_scale_and_shift() {
        // PyTorch: BatchNorm2d(64) has weight and bias of 64 each, and buffers of 64 each.
        assert_eq!(counts(&BatchNorm::default(), Shape::map(64, 8, 8)), (128, 128));
        assert_eq!(counts(&LayerNorm::default(), Shape::map(64, 8, 8)), (128, 0));
        assert_eq!(counts(&GroupNorm::default(), Shape::map(64, 8, 8)), (128, 0));
    }

    #[test]
    fn group_norm_needs_divisible_channels() {
        let error = output(&GroupNorm::default(), Shape::map(12, 8, 8)).unwrap_err();
        // Of 12 channels at most 6 groups of the 8 asked for.
        assert!(matches!(error, ShapeError::Groups { channels: 12, groups: 8, suggestion: 6, .. }), "{error}");
    }
}
