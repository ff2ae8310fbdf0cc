//! How much of the input each value sees.

use crate::op::{Op, Program, UpsampleMode};

/// The theoretical receptive field of one value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Field {
    /// Height and width in pixels of the input, as a sliding window (it may be larger than the input).
    pub size: [f64; 2],
    /// Distance in input pixels between neighbours: vertical, horizontal.
    pub jump: [f64; 2],
}

impl Field {
    /// Height and width as whole pixels.
    pub fn pixels(self) -> [u64; 2] {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "sizes are positive; `as` saturates"
        )]
        self.size.map(|size| size.ceil() as u64)
    }
}

/// The receptive field of every value of a program, by value id.
///
/// A window of effective kernel k after fields of size r and jump j sees r + (k − 1)·j; its stride multiplies the jump. Layers
/// that look at the whole map (dense, global pooling) see the whole input. Where branches meet the larger field counts.
///
/// # Source
/// Araujo, Norris and Sim, "Computing receptive fields of convolutional neural networks", Distill 2019.
pub fn receptive_fields(program: &Program) -> Vec<Field> {
    let mut fields = vec![Field { size: [1.0; 2], jump: [1.0; 2] }; program.values.len()];
    let whole = program
        .inputs
        .iter()
        .filter_map(|input| program.value(input.value).shape.as_map())
        .fold([1.0_f64; 2], |size, (_, height, width)| [size[0].max(height as f64), size[1].max(width as f64)]);
    for op in &program.ops {
        let mut field = Field { size: [0.0; 2], jump: [1.0; 2] };
        for input in &op.inputs {
            let seen = fields[input.index()];
            for axis in 0..2 {
                field.size[axis] = field.size[axis].max(seen.size[axis]);
                field.jump[axis] = field.jump[axis].max(seen.jump[axis]);
            }
        }
        let window = |field: &mut Field, kernel: &[u64; 2], stride: &[u64; 2], dilation: &[u64; 2]| {
            for axis in 0..2 {
                field.size[axis] += (kernel[axis].saturating_sub(1) as f64) * dilation[axis] as f64 * field.jump[axis];
                field.jump[axis] *= stride[axis] as f64;
            }
        };
        match &op.op {
            Op::Conv2d { kernel, stride, dilation, .. } => window(&mut field, kernel, stride, dilation),
            Op::MaxPool { kernel, stride, .. } | Op::AvgPool { kernel, stride, .. } => {
                window(&mut field, kernel, stride, &[1, 1]);
            }
            Op::ConvTranspose2d { kernel, stride, dilation, .. } => {
                for axis in 0..2 {
                    // One output pixel is touched by ceil(effective kernel / stride) input pixels.
                    let effective = (kernel[axis].saturating_sub(1)) * dilation[axis] + 1;
                    let inputs = effective.div_ceil(stride[axis].max(1));
                    field.size[axis] += (inputs.saturating_sub(1) as f64) * field.jump[axis];
                    field.jump[axis] /= stride[axis].max(1) as f64;
                }
            }
            Op::Upsample { scale, mode } => {
                for (axis, scale) in scale.iter().enumerate() {
                    if *mode == UpsampleMode::Bilinear {
                        field.size[axis] += field.jump[axis];
                    }
                    field.jump[axis] /= (*scale).max(1) as f64;
                }
            }
            Op::GlobalAvgPool | Op::Dense { .. } => field = Field { size: whole, jump: whole },
            Op::Flatten
            | Op::BatchNorm { .. }
            | Op::LayerNorm { .. }
            | Op::GroupNorm { .. }
            | Op::Lrn { .. }
            | Op::Dropout { .. }
            | Op::Activation(_)
            | Op::PRelu
            | Op::ZeroPad { .. }
            | Op::Add
            | Op::Multiply
            | Op::Concat
            | Op::Cast { .. } => {}
        }
        for output in &op.outputs {
            fields[output.index()] = field;
        }
    }
    fields
}
