//! The device self-test: a few tiny fixed cases forward and backward on a device, against the CPU.
//!
//! Drivers and kernels are wrong more often than one would like; a person should learn it here and not from a network
//! that does not learn.

use super::error::guard;
use super::host::{download, upload};
use super::ops::Pass;
use super::protocol::CheckRow;
use super::{Device, EngineError, Network};
use crate::data::{Batch, BatchTarget};
use crate::op::{Lowering, Op, Pads, Program, Shape, ShapeError, ValueId};
use std::sync::Arc;
use std::time::Instant;

const IMAGES: usize = 3;
const INPUT: [usize; 3] = [4, 9, 7];

/// Compares a device with the CPU, one row per case; `done` is told each row as it is finished, and how many there are.
pub(super) fn check(device: &Device, mut done: impl FnMut(&CheckRow, u32)) -> Vec<CheckRow> {
    let mut rows = Vec::new();
    for (name, build) in CASES {
        let row = row(name, build, device);
        done(&row, u32::try_from(CASES.len()).unwrap_or(u32::MAX));
        rows.push(row);
    }
    rows
}

type Build = fn(&mut Lowering, ValueId) -> Result<ValueId, ShapeError>;

/// At most eight: compiling and tuning kernels costs seconds each on a slow driver.
const CASES: [(&str, Build); 8] = [
    ("convolution 3x3, uneven padding", |l, x| {
        l.push(conv([3, 3], [2, 1], 1, Pads { top: 0, bottom: 1, left: 1, right: 2 }), &[x])
    }),
    ("depthwise convolution", |l, x| {
        l.push(conv([3, 3], [1, 1], 4, Pads { top: 1, bottom: 1, left: 1, right: 1 }), &[x])
    }),
    ("transposed convolution", |l, x| {
        let op = Op::ConvTranspose2d {
            filters: 3,
            kernel: [3, 3],
            stride: [2, 2],
            dilation: [1, 1],
            groups: 1,
            padding: [1, 1],
            output_padding: [1, 1],
            bias: true,
        };
        l.push(op, &[x])
    }),
    ("batch norm", |l, x| {
        let x = mix(l, x)?;
        l.within("bn", |l| l.push(Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, &[x]))
    }),
    ("local response norm", |l, x| {
        let x = mix(l, x)?;
        l.push(Op::Lrn { window: 5, alpha: 1e-2, beta: 0.75, k: 1.0 }, &[x])
    }),
    ("max pooling", |l, x| {
        let x = mix(l, x)?;
        l.push(Op::MaxPool { kernel: [3, 3], stride: [2, 2], pads: no_pads(), ceil: false }, &[x])
    }),
    ("average pooling", |l, x| {
        let x = mix(l, x)?;
        l.push(Op::AvgPool { kernel: [2, 2], stride: [2, 2], pads: no_pads(), ceil: false, count_padding: true }, &[x])
    }),
    ("dense", |l, x| {
        let x = l.push(Op::Flatten, &[x])?;
        l.push(Op::Dense { features: 10, bias: true }, &[x])
    }),
];

fn no_pads() -> Pads {
    Pads { top: 0, bottom: 0, left: 0, right: 0 }
}

fn conv(kernel: [u64; 2], stride: [u64; 2], groups: u64, pads: Pads) -> Op {
    Op::Conv2d { filters: 8, kernel, stride, dilation: [1, 1], groups, pads, bias: true }
}

/// A pointwise convolution before an op without weights, so that there is a gradient to compare.
fn mix(lowering: &mut Lowering, x: ValueId) -> Result<ValueId, ShapeError> {
    lowering.within("mix", |l| l.push(conv([1, 1], [1, 1], 1, no_pads()), &[x]))
}

fn row(name: &str, build: Build, device: &Device) -> CheckRow {
    let start = Instant::now();
    let errors = program(build)
        .map_err(|error| EngineError::Program { found: error.to_string() })
        .and_then(|program| Ok((look(&program, &Device::flex())?, look(&program, device)?)))
        .map(|(cpu, other)| (relative(&cpu.0, &other.0), relative(&cpu.1, &other.1)));
    let secs = start.elapsed().as_secs_f64();
    match errors {
        Ok((forward_error, backward_error)) => {
            CheckRow { case: name.into(), forward_error, backward_error, secs, problem: None }
        }
        Err(error) => CheckRow {
            case: name.into(),
            forward_error: f64::INFINITY,
            backward_error: f64::INFINITY,
            secs,
            problem: Some(error.to_string()),
        },
    }
}

fn program(build: Build) -> Result<Arc<Program>, ShapeError> {
    let mut lowering = Lowering::new();
    let [c, h, w] = INPUT.map(|size| size as u64);
    let input = lowering.input("input", Shape::map(c, h, w))?;
    let output = lowering.within("case", |l| build(l, input))?;
    lowering.output("output", output);
    Ok(Arc::new(lowering.finish()))
}

/// Output and all gradients, one after another, for fixed numbers.
fn look(program: &Arc<Program>, device: &Device) -> Result<(Vec<f32>, Vec<f32>), EngineError> {
    let network = Network::new(Arc::clone(program), 7, device)?;
    let count = IMAGES * INPUT.iter().product::<usize>();
    let images = Batch {
        images: pattern(count, 1),
        shape: INPUT,
        target: BatchTarget::None,
        indices: (0..).take(IMAGES).collect(),
    };
    let output = program.outputs.first().ok_or_else(|| EngineError::Program { found: "It has no output".into() })?;
    guard(|| {
        let leaves = network.leaves(true)?;
        let pass = Pass { program, params: &leaves, training: true, device: network.device() };
        let value = pass.run(vec![network.images(&images)?], &[output.value])?.0.remove(0).flat();
        let [rows, columns] = value.dims();
        let weights = upload(pattern(rows * columns, 2), [rows, columns], network.device());
        let mut gradients = value.clone().mul(weights).sum().backward();
        let mut all = Vec::new();
        for leaf in leaves.iter().filter(|leaf| leaf.is_tracked()) {
            if let Some(gradient) = leaf.take_grad(&mut gradients) {
                all.extend(download(gradient)?.data);
            }
        }
        Ok((download(value.inner())?.data, all))
    })
}

/// Numbers between -1 and 1 that look random and are the same everywhere.
fn pattern(count: usize, start: u32) -> Vec<f32> {
    let mut state = start.wrapping_mul(2_654_435_761);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 16).unwrap_or(0)) / 32_768.0 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Largest difference, relative to the largest expected number.
fn relative(expected: &[f32], found: &[f32]) -> f64 {
    if expected.len() != found.len() {
        return f64::INFINITY;
    }
    let scale = expected.iter().fold(1e-6_f64, |most, &value| most.max(f64::from(value).abs()));
    let pairs = expected.iter().zip(found);
    let errors = pairs.map(|(&a, &b)| (f64::from(a) - f64::from(b)).abs());
    errors.fold(0.0_f64, |most, error| if error.is_nan() { f64::INFINITY } else { most.max(error) }) / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_agrees_with_itself_in_every_case() {
        let rows = check(&Device::flex(), |_, _| {});
        assert_eq!(rows.len(), CASES.len());
        for row in rows {
            assert!(row.passes(), "{row:?}");
        }
    }

    #[test]
    fn a_wrong_number_is_found_and_a_missing_one_too() {
        // |2 - 2.1| / 4 = 0.025
        assert!((relative(&[2.0, -4.0], &[2.1, -4.0]) - 0.025).abs() < 1e-6);
        assert!(relative(&[1.0], &[f32::NAN]).is_infinite());
        assert!(relative(&[1.0], &[]).is_infinite());
    }
}
