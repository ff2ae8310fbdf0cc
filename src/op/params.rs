//! What an op learns or keeps: the shapes and the initial values of its parameters, and its multiply-adds.

use super::{Init, Op, Shape, ShapeError, Start};
use serde::{Deserialize, Serialize};

/// What a parameter is to its op. The name is PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ParamRole {
    /// Kernel, matrix, or a norm's scale; PReLU's slopes.
    Weight,
    /// Bias, or a norm's shift.
    Bias,
    /// Batch norm's running mean (state, not trained).
    RunningMean,
    /// Batch norm's running variance (state, not trained).
    RunningVar,
}

impl ParamRole {
    /// The last part of the path, as PyTorch names it.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
            Self::RunningMean => "running_mean",
            Self::RunningVar => "running_var",
        }
    }

    /// Whether gradient descent changes it; the rest is state.
    pub fn is_trained(self) -> bool {
        matches!(self, Self::Weight | Self::Bias)
    }
}

/// One parameter that an op asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamTemplate {
    /// What it is.
    pub role: ParamRole,
    /// PyTorch's layout: conv `[out, in / groups, kh, kw]`, transposed `[in, out / groups, kh, kw]`, dense `[out, in]`.
    pub shape: Vec<u64>,
    /// Initial values.
    pub start: Start,
    /// Whether weight decay applies (never to biases and norms).
    pub decays: bool,
}

impl ParamTemplate {
    /// Numbers in it, or `None` past `u64`.
    pub fn elements(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size))
    }
}

impl Op {
    /// The parameters that this op needs for these inputs, weight first.
    ///
    /// # Errors
    /// Sizes past 64 bits. The inputs must have passed [`Op::output_shape`].
    pub fn params(&self, inputs: &[&Shape], init: Init) -> Result<Vec<ParamTemplate>, ShapeError> {
        let channels = inputs.first().map_or(0, |shape| shape.channels());
        let norm = |with_state: bool| {
            let make = |role, value| ParamTemplate {
                role,
                shape: vec![channels],
                start: Start::Constant(value),
                decays: false,
            };
            let mut list = vec![make(ParamRole::Weight, 1.0), make(ParamRole::Bias, 0.0)];
            if with_state {
                list.push(make(ParamRole::RunningMean, 0.0));
                list.push(make(ParamRole::RunningVar, 1.0));
            }
            list
        };
        let linear = |shape: Vec<u64>, outputs: u64, fan_in: u64, fan_out: u64, bias: bool| {
            let mut list = vec![ParamTemplate {
                role: ParamRole::Weight,
                shape,
                start: init.weight(fan_in, fan_out),
                decays: true,
            }];
            if bias {
                let start = init.bias(fan_in);
                list.push(ParamTemplate { role: ParamRole::Bias, shape: vec![outputs], start, decays: false });
            }
            list
        };
        let list = match self {
            Self::Conv2d { filters, kernel, groups, bias, .. } => {
                let shape = vec![*filters, channels / groups, kernel[0], kernel[1]];
                let area = product(&[kernel[0], kernel[1]])?;
                linear(
                    shape,
                    *filters,
                    product(&[channels / groups, area])?,
                    product(&[*filters / groups, area])?,
                    *bias,
                )
            }
            Self::ConvTranspose2d { filters, kernel, groups, bias, .. } => {
                let shape = vec![channels, filters / groups, kernel[0], kernel[1]];
                let area = product(&[kernel[0], kernel[1]])?;
                // PyTorch's fans come from the second and first axis of the weight as stored.
                linear(
                    shape,
                    *filters,
                    product(&[filters / groups, area])?,
                    product(&[channels / groups, area])?,
                    *bias,
                )
            }
            Self::Dense { features, bias } => linear(vec![*features, channels], *features, channels, *features, *bias),
            Self::BatchNorm { .. } => norm(true),
            Self::LayerNorm { .. } | Self::GroupNorm { .. } => norm(false),
            Self::PRelu => vec![ParamTemplate {
                role: ParamRole::Weight,
                shape: vec![channels],
                start: Start::Constant(0.25),
                decays: false,
            }],
            Self::MaxPool { .. }
            | Self::AvgPool { .. }
            | Self::GlobalAvgPool
            | Self::Lrn { .. }
            | Self::Dropout { .. }
            | Self::Flatten
            | Self::Activation(_)
            | Self::ZeroPad { .. }
            | Self::Upsample { .. }
            | Self::Add
            | Self::Multiply
            | Self::Concat
            | Self::Cast { .. } => Vec::new(),
        };
        if list.iter().any(|p| p.elements().is_none_or(|n| n > u64::MAX / 16)) {
            return Err(ShapeError::Overflow { what: "The number of parameters" });
        }
        Ok(list)
    }

    /// Multiply-adds for one image, bias not counted; zero for everything but convolutions and dense layers.
    ///
    /// # Errors
    /// Sizes past 64 bits.
    /// # Source
    /// One MAC per kernel weight and output pixel (transposed: per kernel weight and input pixel).
    pub fn macs(&self, inputs: &[&Shape], output: &Shape) -> Result<u64, ShapeError> {
        let Some(input) = inputs.first() else { return Ok(0) };
        let c = input.channels();
        match (self, input.as_map(), output.as_map()) {
            (Self::Conv2d { kernel, groups, .. }, _, Some((filters, h, w))) => {
                product(&[kernel[0], kernel[1], c / groups, filters, h, w])
            }
            (Self::ConvTranspose2d { filters, kernel, groups, .. }, Some((_, h, w)), _) => {
                product(&[kernel[0], kernel[1], c, filters / groups, h, w])
            }
            (Self::Dense { features, .. }, ..) => product(&[c, *features]),
            _ => Ok(0),
        }
    }
}

fn product(factors: &[u64]) -> Result<u64, ShapeError> {
    factors
        .iter()
        .try_fold(1_u64, |product, &factor| product.checked_mul(factor))
        .ok_or(ShapeError::Overflow { what: "A product of its sizes" })
}
