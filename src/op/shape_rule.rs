//! What comes out of an op: one pure rule per variant.

use super::window::effective_kernel;
use super::{Op, Shape, ShapeError, window_outputs};

impl Op {
    /// The shape of the output for one image.
    ///
    /// # Errors
    /// The rule that these inputs break; see [`ShapeError`].
    /// # Source
    /// PyTorch's documentation of the module of the same name.
    pub fn output_shape(&self, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
        let shape = self.rule(inputs)?;
        if shape.elements().is_none_or(|n| n > u64::MAX / 16) {
            return Err(ShapeError::Overflow { what: "The output" });
        }
        Ok(shape)
    }

    fn rule(&self, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
        match self {
            Self::Add | Self::Multiply | Self::Concat if inputs.len() < 2 => {
                Err(ShapeError::Inputs { op: self.name(), expected: "at least two inputs", found: inputs.len() })
            }
            Self::Add => self.same_shapes(inputs),
            Self::Multiply => self.multiply(inputs),
            Self::Concat => self.concat(inputs),
            _ => match inputs {
                [input] => self.rule_of_one(input),
                _ => Err(ShapeError::Inputs { op: self.name(), expected: "one input", found: inputs.len() }),
            },
        }
    }

    fn rule_of_one(&self, input: &Shape) -> Result<Shape, ShapeError> {
        match self {
            Self::Conv2d { filters, kernel, stride, dilation, groups, pads, .. } => {
                let (c, h, w) = self.map_of(input)?;
                check_groups(c, *filters, *groups)?;
                let [oh, ow] = window_outputs([h, w], *kernel, *stride, *dilation, *pads, false)?;
                Ok(Shape::map(*filters, oh, ow))
            }
            Self::ConvTranspose2d { filters, kernel, stride, dilation, groups, padding, output_padding, .. } => {
                let (c, h, w) = self.map_of(input)?;
                check_groups(c, *filters, *groups)?;
                let mut out = [0_i128; 2];
                for (i, n) in [h, w].into_iter().enumerate() {
                    let effective = effective_kernel(kernel[i], dilation[i])?;
                    if stride[i] == 0 {
                        return Err(ShapeError::Zero { what: "Stride" });
                    }
                    if output_padding[i] >= stride[i].max(dilation[i]) {
                        return Err(ShapeError::OutputPadding {
                            found: output_padding[i],
                            stride: stride[i],
                            dilation: dilation[i],
                        });
                    }
                    // (n - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1
                    out[i] = (i128::from(n) - 1) * i128::from(stride[i]) - 2 * i128::from(padding[i])
                        + i128::from(effective)
                        + i128::from(output_padding[i]);
                }
                match (u64::try_from(out[0]), u64::try_from(out[1])) {
                    (Ok(height), Ok(width)) if height > 0 && width > 0 => Ok(Shape::map(*filters, height, width)),
                    _ if out[0] > 0 && out[1] > 0 => Err(ShapeError::Overflow { what: "The output" }),
                    _ => Err(ShapeError::Empty { op: self.name(), height: out[0], width: out[1] }),
                }
            }
            Self::MaxPool { kernel, stride, pads, ceil } | Self::AvgPool { kernel, stride, pads, ceil, .. } => {
                let (c, h, w) = self.map_of(input)?;
                for (window, (begin, end)) in kernel.iter().zip(pads.pairs()) {
                    // "same" may put one pixel more at the end; PyTorch's own limit is half of the window.
                    if begin > window / 2 || end > window.div_ceil(2) {
                        return Err(ShapeError::PoolPadding { window: *window, padding: begin.max(end) });
                    }
                }
                let [oh, ow] = window_outputs([h, w], *kernel, *stride, [1, 1], *pads, *ceil)?;
                Ok(Shape::map(c, oh, ow))
            }
            Self::GlobalAvgPool => Ok(Shape::vector(self.map_of(input)?.0)),
            Self::GroupNorm { groups, .. } => {
                let channels = input.channels();
                check_divides("Channels", channels, *groups)?;
                Ok(input.clone())
            }
            Self::Lrn { window, .. } => {
                self.map_of(input)?;
                if *window == 0 { Err(ShapeError::Zero { what: "Window" }) } else { Ok(input.clone()) }
            }
            Self::Dropout { rate } => {
                if (0.0..1.0).contains(rate) {
                    Ok(input.clone())
                } else {
                    Err(ShapeError::Range { what: "Rate", rule: "at least 0 and below 1", found: rate.to_string() })
                }
            }
            Self::Flatten => {
                let elements = input.elements().ok_or(ShapeError::Overflow { what: "The flattened vector" })?;
                Ok(Shape::vector(elements))
            }
            Self::Dense { features, .. } => {
                if *features == 0 {
                    return Err(ShapeError::Zero { what: "Features" });
                }
                input.as_vector().ok_or_else(|| ShapeError::NeedsVector { op: self.name(), found: input.clone() })?;
                Ok(Shape::vector(*features))
            }
            Self::ZeroPad { pads } => {
                let (c, h, w) = self.map_of(input)?;
                let grow = |n: u64, (begin, end): (u64, u64)| {
                    n.checked_add(begin)
                        .and_then(|n| n.checked_add(end))
                        .ok_or(ShapeError::Overflow { what: "The padded map" })
                };
                let [vertical, horizontal] = pads.pairs();
                Ok(Shape::map(c, grow(h, vertical)?, grow(w, horizontal)?))
            }
            Self::Upsample { scale, .. } => {
                let (c, h, w) = self.map_of(input)?;
                if scale.contains(&0) {
                    return Err(ShapeError::Zero { what: "Scale" });
                }
                let grow = |n: u64, by: u64| n.checked_mul(by).ok_or(ShapeError::Overflow { what: "The enlarged map" });
                Ok(Shape::map(c, grow(h, scale[0])?, grow(w, scale[1])?))
            }
            Self::BatchNorm { .. }
            | Self::LayerNorm { .. }
            | Self::Activation(_)
            | Self::PRelu
            | Self::Cast { .. }
            | Self::Add
            | Self::Multiply
            | Self::Concat => Ok(input.clone()),
        }
    }

    fn map_of(&self, input: &Shape) -> Result<(u64, u64, u64), ShapeError> {
        input.as_map().ok_or_else(|| ShapeError::NeedsMap { op: self.name(), found: input.clone() })
    }

    fn mismatch(&self, rule: &'static str, inputs: &[&Shape]) -> ShapeError {
        ShapeError::Mismatch { op: self.name(), rule, found: inputs.iter().map(|&s| s.clone()).collect() }
    }

    fn same_shapes(&self, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
        if inputs.iter().all(|shape| *shape == inputs[0]) {
            Ok(inputs[0].clone())
        } else {
            Err(self.mismatch("the same shape", inputs))
        }
    }

    fn multiply(&self, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
        let Some(map) = inputs.iter().find(|s| s.as_map().is_some_and(|(_, h, w)| (h, w) != (1, 1))) else {
            return self.same_shapes(inputs);
        };
        let channels = map.channels();
        let fits = |s: &&Shape| s == map || **s == Shape::vector(channels) || **s == Shape::map(channels, 1, 1);
        if inputs.iter().all(fits) {
            Ok((*map).clone())
        } else {
            Err(self.mismatch("the same shape, or one scale per channel", inputs))
        }
    }

    fn concat(&self, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
        let mut total = 0_u64;
        for shape in inputs {
            if shape.dims().get(1..) != inputs[0].dims().get(1..) {
                return Err(self.mismatch("the same height and width", inputs));
            }
            total = total.checked_add(shape.channels()).ok_or(ShapeError::Overflow { what: "The joined channels" })?;
        }
        Ok(match inputs[0].as_map() {
            Some((_, h, w)) => Shape::map(total, h, w),
            None => Shape::vector(total),
        })
    }
}

fn check_groups(channels: u64, filters: u64, groups: u64) -> Result<(), ShapeError> {
    if filters == 0 {
        return Err(ShapeError::Zero { what: "Filters" });
    }
    check_divides("Input channels", channels, groups)?;
    check_divides("Filters", filters, groups)
}

fn check_divides(what: &'static str, channels: u64, groups: u64) -> Result<(), ShapeError> {
    if groups == 0 {
        return Err(ShapeError::Zero { what: "Groups" });
    }
    if channels.is_multiple_of(groups) {
        return Ok(());
    }
    let suggestion = (1..=groups.min(channels)).rev().find(|g| channels.is_multiple_of(*g)).unwrap_or(1);
    Err(ShapeError::Groups { what, channels, groups, suggestion })
}
