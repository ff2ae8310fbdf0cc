//! Which pixels of the image one cell sees: the theoretical receptive field at its place, followed back op by op and clipped
//! at every border, so that padding never counts.

use crate::op::{Activation, Op, OpNode, Program, Shape, UpsampleMode, ValueId};

/// Pixels of the image; the ends are not part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Rows (from, to).
    pub rows: (u64, u64),
    /// Columns (from, to).
    pub columns: (u64, u64),
}

/// From and to of channels, rows, columns; a vector's indices count as channels.
type Region = [(i64, i64); 3];

/// The pixels of the first input that a cell (channel, row, column) of a value sees; none if it sees only padding, or if the
/// input is no map.
pub fn sight(program: &Program, value: ValueId, cell: [u64; 3]) -> Option<Sight> {
    let input = program.inputs.first()?.value;
    program.value(input).shape.as_map()?;
    let mut regions: Vec<Option<Region>> = vec![None; program.values.len()];
    *regions.get_mut(value.index())? = Some(cell.map(|at| (signed(at), signed(at) + 1)));
    for node in program.ops.iter().rev() {
        let Some(region) = node.outputs.first().and_then(|id| regions.get(id.index()).copied().flatten()) else {
            continue;
        };
        for (at, &id) in node.inputs.iter().enumerate() {
            let shape = &program.value(id).shape;
            let Some(seen) = before(program, node, at, region).and_then(|seen| clipped(seen, shape)) else { continue };
            let slot = regions.get_mut(id.index())?;
            *slot = Some(slot.map_or(seen, |old| [0, 1, 2].map(|axis| union(old[axis], seen[axis]))));
        }
    }
    let [_, rows, columns] = regions.get(input.index()).copied().flatten()?;
    let whole = |(from, to): (i64, i64)| (from.unsigned_abs(), to.unsigned_abs());
    Some(Sight { rows: whole(rows), columns: whole(columns) })
}

fn union(a: (i64, i64), b: (i64, i64)) -> (i64, i64) {
    (a.0.min(b.0), a.1.max(b.1))
}

fn sizes(shape: &Shape) -> [i64; 3] {
    shape.as_map().map_or([signed(shape.channels()), 1, 1], |(c, h, w)| [signed(c), signed(h), signed(w)])
}

fn clipped(region: Region, shape: &Shape) -> Option<Region> {
    let sizes = sizes(shape);
    let clipped = [0, 1, 2].map(|axis| (region[axis].0.max(0), region[axis].1.min(sizes[axis])));
    clipped.iter().all(|(from, to)| from < to).then_some(clipped)
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX / 8)
}

/// What an op reads of its input number `at` to make a region of its output.
fn before(program: &Program, node: &OpNode, at: usize, region: Region) -> Option<Region> {
    let shape = &program.value(*node.inputs.get(at)?).shape;
    let [channels, rows, columns] = region;
    let whole = sizes(shape).map(|size| (0, size));
    let [all_channels, all_rows, all_columns] = whole;
    let windows = |kernel: &[u64; 2], stride: &[u64; 2], dilation: &[u64; 2], starts: [u64; 2]| {
        [rows, columns].map({
            let mut axis = 0;
            move |range: (i64, i64)| {
                let (stride, start) = (signed(stride[axis]), signed(starts[axis]));
                let reach = signed(kernel[axis].saturating_sub(1).saturating_mul(dilation[axis]));
                axis += 1;
                (range.0 * stride - start, (range.1 - 1) * stride - start + reach + 1)
            }
        })
    };
    Some(match &node.op {
        Op::Conv2d { kernel, stride, dilation, pads, groups, filters, .. } => {
            let [rows, columns] = windows(kernel, stride, dilation, [pads.top, pads.left]);
            let groups = signed((*groups).max(1));
            let (of, inputs) = ((signed(*filters) / groups).max(1), all_channels.1 / groups);
            [(channels.0 / of * inputs, ((channels.1 - 1) / of + 1) * inputs), rows, columns]
        }
        Op::MaxPool { kernel, stride, pads, .. } | Op::AvgPool { kernel, stride, pads, .. } => {
            let [rows, columns] = windows(kernel, stride, &[1, 1], [pads.top, pads.left]);
            [channels, rows, columns]
        }
        Op::ConvTranspose2d { kernel, stride, dilation, padding, .. } => {
            // Output o collects input i through place j of the kernel where o + padding = i · stride + j · dilation.
            let axis = |axis: usize, range: (i64, i64)| {
                let (stride, padding) = (signed(stride[axis].max(1)), signed(padding[axis]));
                let reach = signed(kernel[axis].saturating_sub(1).saturating_mul(dilation[axis]));
                (-(reach - range.0 - padding).div_euclid(stride), (range.1 - 1 + padding).div_euclid(stride) + 1)
            };
            [all_channels, axis(0, rows), axis(1, columns)]
        }
        Op::Upsample { scale, mode } => {
            let axis = |axis: usize, range: (i64, i64)| {
                let scale = signed(scale[axis].max(1));
                match mode {
                    UpsampleMode::Nearest => (range.0 / scale, (range.1 - 1) / scale + 1),
                    // (o + ½) / scale − ½ = (2o + 1 − scale) / (2 scale), rounded down, and the pixel after it unless it
                    // falls on one; before the first pixel the first counts.
                    UpsampleMode::Bilinear => {
                        let first = |at: i64| (2 * at + 1 - scale).div_euclid(2 * scale);
                        let falls_on = |at: i64| (2 * at + 1 - scale).rem_euclid(2 * scale) == 0 || first(at) < 0;
                        let last = range.1 - 1;
                        (first(range.0).max(0), first(last).max(0) + if falls_on(last) { 1 } else { 2 })
                    }
                }
            };
            [channels, axis(0, rows), axis(1, columns)]
        }
        Op::ZeroPad { pads } => {
            let shift = |(from, to): (i64, i64), by: u64| (from - signed(by), to - signed(by));
            [channels, shift(rows, pads.top), shift(columns, pads.left)]
        }
        Op::GlobalAvgPool => [channels, all_rows, all_columns],
        Op::Dense { .. } | Op::GroupNorm { .. } => whole,
        Op::LayerNorm { .. } | Op::Activation(Activation::Softmax) => [all_channels, rows, columns],
        Op::Lrn { window, .. } => {
            let (down, up) = (signed(window / 2), signed(window.saturating_sub(1) / 2));
            [(channels.0 - down, channels.1 + up), rows, columns]
        }
        Op::Flatten => {
            let [_, height, width] = sizes(shape);
            let area = (height * width).max(1);
            let (first, last) = (channels.0, channels.1 - 1);
            let same_channel = first / area == last / area;
            let (top, bottom) = (first % area / width.max(1), last % area / width.max(1));
            let rows = if same_channel { (top, bottom + 1) } else { all_rows };
            let one_row = same_channel && top == bottom;
            let columns = if one_row { (first % width, last % width + 1) } else { all_columns };
            [(first / area, last / area + 1), rows, columns]
        }
        Op::Concat => {
            let earlier =
                node.inputs.iter().take(at).map(|&id| signed(program.value(id).shape.channels())).sum::<i64>();
            [(channels.0 - earlier, channels.1 - earlier), rows, columns]
        }
        // A factor of one number per channel is read wherever the product is.
        Op::Multiply if all_rows == (0, 1) && all_columns == (0, 1) => [channels, all_rows, all_columns],
        Op::BatchNorm { .. }
        | Op::Dropout { .. }
        | Op::Activation(_)
        | Op::PRelu
        | Op::Add
        | Op::Multiply
        | Op::Cast { .. } => region,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Lowering, Pads};
    use crate::plan::plan;
    use crate::presets;

    fn seen(program: &Program, path: &str, cell: [u64; 3]) -> ((u64, u64), (u64, u64)) {
        let value = program.ops.iter().rev().find(|op| op.path == path).unwrap().outputs[0];
        let sight = sight(program, value, cell).unwrap();
        (sight.rows, sight.columns)
    }

    fn conv(kernel: u64, pad: u64) -> Op {
        Op::Conv2d {
            filters: 2,
            kernel: [kernel; 2],
            stride: [1, 1],
            dilation: [1, 1],
            groups: 1,
            pads: Pads::symmetric(pad, pad),
            bias: true,
        }
    }

    fn one(shape: Shape, op: Op) -> Program {
        let mut lowering = Lowering::new();
        let input = lowering.input("input", shape).unwrap();
        let output = lowering.within("op", |l| l.push(op, &[input])).unwrap();
        lowering.output("out", output);
        lowering.finish()
    }

    #[test]
    fn lenets_cells_see_14_pixels_at_the_third_layer() {
        let program = plan(&presets::find("lenet5").unwrap()).program;
        // c1: 5 × 5 without padding: cell 3 sees 3 … 7.
        assert_eq!(seen(&program, "c1", [0, 3, 23]), ((3, 8), (23, 28)));
        // s2 halves: cell 1 pools c1's 2 and 3, which see 2 … 7.
        assert_eq!(seen(&program, "s2", [5, 1, 0]), ((2, 8), (0, 6)));
        // c3: s2's 9 … 13 are c1's 18 … 27, which see 18 … 31: 14 pixels, up to the border of 32.
        assert_eq!(seen(&program, "c3", [15, 9, 0]), ((18, 32), (0, 14)));
        // A dense layer sees everything.
        assert_eq!(seen(&program, "f6", [7, 0, 0]), ((0, 32), (0, 32)));
    }

    #[test]
    fn padding_is_no_pixel() {
        // 3 × 3 with one pixel of padding on 8 × 8: the corner sees 2 × 2.
        let program = one(Shape::map(1, 8, 8), conv(3, 1));
        assert_eq!(seen(&program, "op", [0, 0, 7]), ((0, 2), (6, 8)));
        // A border three wide: its outermost place lies on padding only.
        let program = one(Shape::map(1, 8, 8), Op::ZeroPad { pads: Pads::symmetric(3, 3) });
        assert_eq!(sight(&program, program.outputs[0].value, [0, 2, 5]), None);
        assert_eq!(seen(&program, "op", [0, 3, 5]), ((0, 1), (2, 3)));
    }

    #[test]
    fn a_channel_of_a_concatenation_sees_through_its_own_branch_only_and_a_sum_through_both() {
        let mut lowering = Lowering::new();
        let input = lowering.input("input", Shape::map(1, 16, 16)).unwrap();
        let near = lowering.within("near", |l| l.push(conv(1, 0), &[input])).unwrap();
        let far = lowering.within("far", |l| l.push(conv(5, 2), &[input])).unwrap();
        let cat = lowering.within("cat", |l| l.push(Op::Concat, &[near, far])).unwrap();
        let sum = lowering.within("sum", |l| l.push(Op::Add, &[near, far])).unwrap();
        lowering.output("a", cat);
        lowering.output("b", sum);
        let program = lowering.finish();
        assert_eq!(seen(&program, "cat", [1, 8, 8]), ((8, 9), (8, 9)));
        assert_eq!(seen(&program, "cat", [2, 8, 8]), ((6, 11), (6, 11)));
        assert_eq!(seen(&program, "sum", [0, 8, 8]), ((6, 11), (6, 11)));
    }

    #[test]
    fn enlarging_maps_point_back_to_the_pixels_they_came_from() {
        let nearest = Op::Upsample { scale: [2, 3], mode: UpsampleMode::Nearest };
        assert_eq!(seen(&one(Shape::map(1, 8, 8), nearest), "op", [0, 5, 5]), ((2, 3), (1, 2)));
        // Bilinear by 2: output 5 lies at 5.5 / 2 − 0.5 = 2.25, between 2 and 3; output 0 at −0.25, on pixel 0.
        let bilinear = Op::Upsample { scale: [2, 2], mode: UpsampleMode::Bilinear };
        assert_eq!(seen(&one(Shape::map(1, 8, 8), bilinear), "op", [0, 5, 0]), ((2, 4), (0, 1)));
        // Transposed, kernel 4, stride 2, padding 1: output 3 is reached from i with 3 + 1 − 2i in 0 … 3: 1 and 2.
        let transposed = Op::ConvTranspose2d {
            filters: 1,
            kernel: [4, 4],
            stride: [2, 2],
            dilation: [1, 1],
            groups: 1,
            padding: [1, 1],
            output_padding: [0, 0],
            bias: true,
        };
        assert_eq!(seen(&one(Shape::map(1, 8, 8), transposed), "op", [0, 3, 0]), ((1, 3), (0, 1)));
    }

    #[test]
    fn a_flattened_number_sees_what_its_cell_saw() {
        // Index 37 of 2 × 5 × 6: channel 1, row 1, column 1.
        let program = one(Shape::map(2, 5, 6), Op::Flatten);
        assert_eq!(seen(&program, "op", [37, 0, 0]), ((1, 2), (1, 2)));
    }
}
