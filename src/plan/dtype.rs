//! Element types: makes a program compute in 16 bits where that is safe. Cost and engine read the same result.

use crate::op::{Activation, DType, Op, OpNode, Program, ValueId, ValueInfo};
use std::borrow::Cow;

/// The program with casts, so that values have this type wherever it is safe.
///
/// In f16, norms and softmax stay in f32, since sums of squares and of powers of e leave its range; inputs come and outputs
/// go in f32, so that losses are in f32 too. Parameters are f32 in any case. A value is cast once for all its readers; a
/// cast carries the path of the op it was made for.
///
/// # Source
/// The op lists of PyTorch's autocast, Micikevicius et al. 2018 ("Mixed Precision Training").
pub fn in_dtype(program: &Program, dtype: DType) -> Cow<'_, Program> {
    if dtype == DType::F32 {
        return Cow::Borrowed(program);
    }
    let mut typed = Typed {
        program: Program {
            params: program.params.clone(),
            ops: Vec::with_capacity(program.ops.len() * 2),
            ..Program::default()
        },
        forms: vec![[None; 2]; program.values.len()],
    };
    for input in &program.inputs {
        let value = typed.value(program.value(input.value), DType::F32);
        typed.forms[input.value.index()][slot(DType::F32)] = Some(value);
        typed.program.inputs.push(crate::op::Named { value, ..input.clone() });
    }
    for node in &program.ops {
        let wanted = match node.op {
            Op::Cast { to } => to,
            ref op if needs_f32(op) => DType::F32,
            _ => dtype,
        };
        let inputs = node.inputs.iter().map(|&id| typed.form(id, wanted, node)).collect();
        let outputs = node.outputs.iter().map(|&id| {
            let value = typed.value(program.value(id), wanted);
            typed.forms[id.index()][slot(wanted)] = Some(value);
            value
        });
        let outputs = outputs.collect();
        let index = u32::try_from(typed.program.ops.len()).unwrap_or(u32::MAX);
        for id in &node.params {
            typed.program.params[id.index()].op = index;
        }
        typed.program.ops.push(OpNode { inputs, outputs, ..node.clone() });
    }
    for output in &program.outputs {
        let made_by = program.ops.iter().rev().find(|node| node.outputs.contains(&output.value));
        let value = match made_by {
            Some(node) => typed.form(output.value, DType::F32, node),
            // An input that is an output as well.
            None => typed.forms[output.value.index()][slot(DType::F32)].unwrap_or(output.value),
        };
        typed.program.outputs.push(crate::op::Named { value, ..output.clone() });
    }
    Cow::Owned(typed.program)
}

fn needs_f32(op: &Op) -> bool {
    match op {
        Op::BatchNorm { .. }
        | Op::LayerNorm { .. }
        | Op::GroupNorm { .. }
        | Op::Lrn { .. }
        | Op::Activation(Activation::Softmax) => true,
        Op::Conv2d { .. }
        | Op::ConvTranspose2d { .. }
        | Op::MaxPool { .. }
        | Op::AvgPool { .. }
        | Op::GlobalAvgPool
        | Op::Dropout { .. }
        | Op::Flatten
        | Op::Dense { .. }
        | Op::Activation(_)
        | Op::PRelu
        | Op::ZeroPad { .. }
        | Op::Upsample { .. }
        | Op::Add
        | Op::Multiply
        | Op::Concat
        | Op::Cast { .. } => false,
    }
}

struct Typed {
    program: Program,
    /// By old value: the new values that hold it, in f32 and in f16.
    forms: Vec<[Option<ValueId>; 2]>,
}

fn slot(dtype: DType) -> usize {
    match dtype {
        DType::F32 => 0,
        DType::F16 => 1,
    }
}

impl Typed {
    fn value(&mut self, old: &ValueInfo, dtype: DType) -> ValueId {
        let id = ValueId(u32::try_from(self.program.values.len()).unwrap_or(u32::MAX));
        self.program.values.push(ValueInfo { shape: old.shape.clone(), dtype });
        id
    }

    /// The value in this type, by a cast for `node` if there is none yet.
    fn form(&mut self, old: ValueId, dtype: DType, node: &OpNode) -> ValueId {
        let [f32, f16] = self.forms[old.index()];
        let (own, other) = if dtype == DType::F32 { (f32, f16) } else { (f16, f32) };
        let (None, Some(from)) = (own, other) else { return own.unwrap_or(old) };
        let info = self.program.value(from).clone();
        let to = self.value(&info, dtype);
        self.program.ops.push(OpNode {
            op: Op::Cast { to: dtype },
            inputs: vec![from],
            outputs: vec![to],
            params: Vec::new(),
            path: node.path.clone(),
            frozen: node.frozen,
        });
        self.forms[old.index()][slot(dtype)] = Some(to);
        to
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Lowering, Pads, Shape};

    fn conv() -> Op {
        let (one, pads) = ([1, 1], Pads::symmetric(1, 1));
        Op::Conv2d { filters: 4, kernel: [3, 3], stride: one, dilation: one, groups: 1, pads, bias: true }
    }

    /// Convolution, batch norm, ReLU and a skip around them, as in a residual block.
    fn program() -> Program {
        let mut lowering = Lowering::new();
        let input = lowering.input("input", Shape::map(4, 8, 8)).unwrap();
        let mut push = |name: &str, op, inputs: &[ValueId]| lowering.within(name, |l| l.push(op, inputs)).unwrap();
        let conv = push("conv", conv(), &[input]);
        let norm = push("bn", Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, &[conv]);
        let relu = push("relu", Op::Activation(Activation::Relu), &[norm]);
        let sum = push("add", Op::Add, &[relu, conv]);
        let pool = push("pool", Op::GlobalAvgPool, &[sum]);
        lowering.output("pool", pool);
        lowering.finish()
    }

    #[test]
    fn f32_changes_nothing() {
        assert!(matches!(in_dtype(&program(), DType::F32), Cow::Borrowed(_)));
    }

    #[test]
    fn values_are_16_bit_but_norms_inputs_and_outputs_are_not() {
        let typed = in_dtype(&program(), DType::F16).into_owned();
        let rows: Vec<_> = typed
            .ops
            .iter()
            .map(|node| (node.op.name(), node.path.as_str(), typed.value(node.outputs[0]).dtype.id()))
            .collect();
        assert_eq!(
            rows,
            [
                ("Cast", "conv", "f16"),
                ("Conv2D", "conv", "f16"),
                ("Cast", "bn", "f32"),
                ("Batch norm", "bn", "f32"),
                ("Cast", "relu", "f16"),
                ("ReLU", "relu", "f16"),
                ("Add", "add", "f16"),
                ("Global average pooling", "pool", "f16"),
                ("Cast", "pool", "f32"),
            ]
        );
        let dtype = |id: ValueId| typed.value(id).dtype;
        assert_eq!((dtype(typed.inputs[0].value), dtype(typed.outputs[0].value)), (DType::F32, DType::F32));
        // Every op reads what it expects; only casts change the type.
        for node in typed.ops.iter().filter(|node| !matches!(node.op, Op::Cast { .. })) {
            assert!(node.inputs.iter().all(|&id| dtype(id) == dtype(node.outputs[0])), "{node:?}");
        }
    }

    #[test]
    fn parameters_keep_their_order_and_find_their_op() {
        let (plain, typed) = (program(), in_dtype(&program(), DType::F16).into_owned());
        assert_eq!(plain.params.len(), typed.params.len());
        for (before, after) in plain.params.iter().zip(&typed.params) {
            assert_eq!((&before.path, &before.shape), (&after.path, &after.shape));
            assert_eq!(plain.ops[before.op as usize].op, typed.ops[after.op as usize].op);
        }
    }

    #[test]
    fn an_image_that_many_layers_read_is_cast_once() {
        let mut l = Lowering::new();
        let x = l.input("input", Shape::map(4, 8, 8)).unwrap();
        let a = l.within("a", |l| l.push(conv(), &[x])).unwrap();
        let b = l.within("b", |l| l.push(conv(), &[x])).unwrap();
        let sum = l.within("add", |l| l.push(Op::Add, &[a, b])).unwrap();
        l.output("add", sum);
        let typed = in_dtype(&l.finish(), DType::F16).into_owned();
        // One for the image, one for the output.
        assert_eq!(typed.ops.iter().filter(|node| matches!(node.op, Op::Cast { .. })).count(), 2);
    }
}
