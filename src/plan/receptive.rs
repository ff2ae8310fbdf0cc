//! How much of the input each value sees.

use crate::op::{Op, Program, UpsampleMode};

/// The theoretical receptive field of one value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Field {
    /// Height and width in pixels of the input, as a sliding window (it may be larger than the input).
    pub size: [f64; 2],
    /// Distance in input pixels between neighbours: vertical, horizontal.
    pub jump: [f64; 2],
    /// Height and width of the input; 0 if it has none.
    pub input: [f64; 2],
}

impl Field {
    /// Height and width as whole pixels, in theory: as if the input went on beyond its border.
    pub fn pixels(self) -> [u64; 2] {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "sizes are positive; `as` saturates"
        )]
        self.size.map(|size| size.ceil() as u64)
    }

    /// Height and width of the part that can lie inside the input.
    pub fn seen(self) -> [u64; 2] {
        let inside =
            |axis: usize| if self.input[axis] > 0.0 { self.size[axis].min(self.input[axis]) } else { self.size[axis] };
        Self { size: [inside(0), inside(1)], ..self }.pixels()
    }

    /// In words: what can lie inside the input, and the theoretical size where that is larger.
    pub fn words(self) -> String {
        let ([height, width], [seen_height, seen_width]) = (self.pixels(), self.seen());
        if [height, width] == [seen_height, seen_width] {
            return format!("{height} × {width} px");
        }
        let [input_height, input_width] = self.input;
        format!("{seen_height} × {seen_width} of {input_height} × {input_width} px (theoretical {height} × {width})")
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
    let whole = program
        .inputs
        .iter()
        .filter_map(|input| program.value(input.value).shape.as_map())
        .fold([1.0_f64; 2], |size, (_, height, width)| [size[0].max(height as f64), size[1].max(width as f64)]);
    let input = if program.inputs.iter().any(|input| program.value(input.value).shape.as_map().is_some()) {
        whole
    } else {
        [0.0; 2]
    };
    let mut fields = vec![Field { size: [1.0; 2], jump: [1.0; 2], input }; program.values.len()];
    for op in &program.ops {
        let mut field = Field { size: [0.0; 2], jump: [1.0; 2], input };
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
            Op::GlobalAvgPool | Op::Dense { .. } => field = Field { size: whole, jump: whole, input },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Lowering, Op, Pads, Shape};

    #[test]
    fn a_field_larger_than_the_image_is_told_with_what_can_be_seen_of_it() {
        // Two kernels of 3 × 16 with "same" padding on 28 × 28: 1 + 2 + 2 = 5 rows, 1 + 15 + 15 = 31 columns, 28 of them inside.
        let conv = || Op::Conv2d {
            filters: 1,
            kernel: [3, 16],
            stride: [1, 1],
            dilation: [1, 1],
            groups: 1,
            pads: Pads { top: 1, bottom: 1, left: 7, right: 8 },
            bias: false,
        };
        let mut lowering = Lowering::new();
        let input = lowering.input("input", Shape::map(1, 28, 28)).unwrap();
        let a = lowering.within("a", |l| l.push(conv(), &[input])).unwrap();
        let b = lowering.within("b", |l| l.push(conv(), &[a])).unwrap();
        lowering.output("out", b);
        let fields = receptive_fields(&lowering.finish());
        let field = fields[b.index()];
        assert_eq!((field.pixels(), field.seen()), ([5, 31], [5, 28]));
        assert_eq!(field.words(), "5 × 28 of 28 × 28 px (theoretical 5 × 31)");
        assert_eq!(fields[a.index()].words(), "3 × 16 px");
    }
}
