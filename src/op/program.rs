//! The lowered network: ops in order, values with shapes, and one table of parameters.

use super::{DType, Op, ParamRole, Shape, Start};
use serde::{Deserialize, Serialize};

/// Index of a value in [`Program::values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ValueId(pub u32);

/// Index of a parameter in [`Program::params`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ParamId(pub u32);

impl ValueId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl ParamId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of a value before anything runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValueInfo {
    /// Shape for one image.
    pub shape: Shape,
    /// Element type.
    pub dtype: DType,
}

/// A value under a name a person gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The value.
    pub value: ValueId,
}

/// One op at work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpNode {
    /// What it does.
    pub op: Op,
    /// What it reads.
    pub inputs: Vec<ValueId>,
    /// What it makes.
    pub outputs: Vec<ValueId>,
    /// Its parameters, in the order of [`Op::params`].
    pub params: Vec<ParamId>,
    /// Path of names down to this op: "conv1", "stage1.0.conv2".
    pub path: String,
    /// A frozen op neither learns nor updates its statistics.
    pub frozen: bool,
}

/// One parameter of the network. Counting, initial values, memory, freezing, import and export read this table only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamSpec {
    /// Name on disk: "conv1.weight", "stage1.0.bn1.running_mean".
    pub path: String,
    /// PyTorch's layout.
    pub shape: Vec<u64>,
    /// What it is to its op.
    pub role: ParamRole,
    /// Initial values.
    pub start: Start,
    /// Whether training changes it; false if frozen, or if it is state.
    pub trainable: bool,
    /// Whether weight decay applies.
    pub decays: bool,
    /// Index of the op that owns it.
    pub op: u32,
}

impl ParamSpec {
    /// Numbers in it.
    pub fn elements(&self) -> u64 {
        self.shape.iter().product()
    }

    /// State that no gradient changes: batch norm's running statistics.
    pub fn is_state(&self) -> bool {
        !self.role.is_trained()
    }
}

/// A network whose every shape is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// Inputs, by name.
    pub inputs: Vec<Named>,
    /// Ops in an order in which each reads only what came before.
    pub ops: Vec<OpNode>,
    /// All values.
    pub values: Vec<ValueInfo>,
    /// All parameters.
    pub params: Vec<ParamSpec>,
    /// Outputs, by name.
    pub outputs: Vec<Named>,
}

impl Program {
    /// What is known of a value.
    ///
    /// # Panics
    /// If the id is of another program.
    pub fn value(&self, id: ValueId) -> &ValueInfo {
        &self.values[id.index()]
    }

    /// The shapes that an op reads.
    pub fn input_shapes(&self, op: &OpNode) -> Vec<&Shape> {
        op.inputs.iter().map(|&id| &self.value(id).shape).collect()
    }

    /// The kernels of a layer, and the op that they are of: of the first convolution whose path is the layer's or lies below it.
    pub fn kernels(&self, path: &str) -> Option<(ParamId, &OpNode)> {
        let below = |own: &str| own == path || own.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let op = self.ops.iter().find(|op| below(&op.path) && matches!(op.op, Op::Conv2d { .. }))?;
        op.params.first().map(|&kernels| (kernels, op))
    }

    /// The shape of an op's first output.
    pub fn output_shape(&self, op: &OpNode) -> &Shape {
        &self.value(op.outputs[0]).shape
    }

    /// Multiply-adds of one op for one image.
    pub fn macs(&self, op: &OpNode) -> u64 {
        op.op.macs(&self.input_shapes(op), self.output_shape(op)).unwrap_or(u64::MAX)
    }

    /// Who reads each value: indices of ops, one list per value.
    pub fn consumers(&self) -> Vec<Vec<usize>> {
        let mut consumers = vec![Vec::new(); self.values.len()];
        for (index, op) in self.ops.iter().enumerate() {
            for input in &op.inputs {
                let list: &mut Vec<usize> = &mut consumers[input.index()];
                if list.last() != Some(&index) {
                    list.push(index);
                }
            }
        }
        consumers
    }

    /// Bytes of one value for one image.
    pub fn value_bytes(&self, id: ValueId) -> u64 {
        let info = self.value(id);
        info.shape.elements().unwrap_or(u64::MAX).saturating_mul(info.dtype.bytes())
    }
}
