//! What the tests of layers share: one layer lowered alone. Knows no particular layer.

use super::LayerKind;
use crate::op::{Lowering, ParamSpec, Program, Shape, ShapeError};

/// The program of one layer named "layer" behind an input of this shape.
pub(super) fn lowered(layer: &dyn LayerKind, input: Shape) -> Result<Program, ShapeError> {
    lowered_many(layer, &[input])
}

/// The output shape of one layer for one input.
pub(super) fn output(layer: &dyn LayerKind, input: Shape) -> Result<Shape, ShapeError> {
    join(layer, &[input])
}

/// The output shape of one layer for several inputs.
pub(super) fn join(layer: &dyn LayerKind, inputs: &[Shape]) -> Result<Shape, ShapeError> {
    lowered_many(layer, inputs).map(|program| program.value(program.outputs[0].value).shape.clone())
}

/// Trained parameters and state of one layer.
pub(super) fn counts(layer: &dyn LayerKind, input: Shape) -> (u64, u64) {
    let program = lowered(layer, input).unwrap();
    let sum = |state: bool| program.params.iter().filter(|p| p.is_state() == state).map(ParamSpec::elements).sum();
    (sum(false), sum(true))
}

/// The program of one layer named "layer" behind these inputs.
pub(super) fn lowered_many(layer: &dyn LayerKind, inputs: &[Shape]) -> Result<Program, ShapeError> {
    let mut lowering = Lowering::new();
    let mut values = Vec::new();
    for shape in inputs {
        values.push(lowering.input("input", shape.clone())?);
    }
    let output = lowering.within("layer", |l| layer.lower(l, &values))?;
    lowering.output("output", output);
    Ok(lowering.finish())
}
