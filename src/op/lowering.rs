//! Builds a [`Program`] op by op; every push checks shapes first.

use super::{DType, Init, Named, Op, OpNode, ParamId, ParamSpec, Program, Shape, ShapeError, ValueId, ValueInfo};

/// A program under construction, seen from inside one layer: ops pushed here are named below the current path.
#[derive(Debug)]
pub struct Lowering {
    program: Program,
    path: Vec<String>,
    init: Init,
    frozen: bool,
    elements: u64,
}

/// A program with more numbers than this in all its values or parameters is refused, so that every sum fits `u64` bytes.
const MAX_ELEMENTS: u64 = u64::MAX / 64;

impl Default for Lowering {
    fn default() -> Self {
        Self::new()
    }
}

impl Lowering {
    /// An empty program.
    pub fn new() -> Self {
        Self { program: Program::default(), path: Vec::new(), init: Init::default(), frozen: false, elements: 0 }
    }

    /// The rule for initial weights of the ops that follow.
    pub fn set_init(&mut self, init: Init) {
        self.init = init;
    }

    /// Whether the ops that follow are frozen. Inside a frozen block everything is.
    pub fn set_frozen(&mut self, frozen: bool) -> bool {
        std::mem::replace(&mut self.frozen, frozen)
    }

    /// Whether ops pushed now are frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// The number of ops so far.
    pub fn op_count(&self) -> usize {
        self.program.ops.len()
    }

    /// Adds a name to the path of all ops pushed inside `body`.
    pub fn within<R>(&mut self, name: impl Into<String>, body: impl FnOnce(&mut Self) -> R) -> R {
        self.enter(name);
        let result = body(self);
        self.leave();
        result
    }

    /// Adds a name to the path until [`Lowering::leave`].
    pub fn enter(&mut self, name: impl Into<String>) {
        self.path.push(name.into());
    }

    /// Takes the last name off the path.
    pub fn leave(&mut self) {
        self.path.pop();
    }

    /// Forgets everything pushed since `mark` (an earlier [`Lowering::checkpoint`]).
    pub fn rollback(&mut self, mark: Checkpoint) {
        self.program.ops.truncate(mark.ops);
        self.program.values.truncate(mark.values);
        self.program.params.truncate(mark.params);
        self.program.inputs.truncate(mark.inputs);
        self.elements = mark.elements;
    }

    /// A place to return to.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            ops: self.program.ops.len(),
            values: self.program.values.len(),
            params: self.program.params.len(),
            inputs: self.program.inputs.len(),
            elements: self.elements,
        }
    }

    /// Adds a named input.
    ///
    /// # Errors
    /// An empty or overflowing shape.
    pub fn input(&mut self, name: impl Into<String>, shape: Shape) -> Result<ValueId, ShapeError> {
        if shape.dims().contains(&0) {
            return Err(ShapeError::Zero { what: "Every input size" });
        }
        let value = self.value(shape)?;
        self.program.inputs.push(Named { name: name.into(), value });
        Ok(value)
    }

    /// Adds an op and gives its output. Parameters are named `path.weight` and so on.
    ///
    /// # Errors
    /// The rule that the inputs break; nothing is added then.
    pub fn push(&mut self, op: Op, inputs: &[ValueId]) -> Result<ValueId, ShapeError> {
        let shapes: Vec<&Shape> = inputs.iter().map(|&id| &self.program.value(id).shape).collect();
        let output = op.output_shape(&shapes)?;
        op.macs(&shapes, &output)?;
        let templates = op.params(&shapes, self.init)?;
        let path = self.path.join(".");
        let mut added = 0_u64;
        for template in &templates {
            added = template
                .elements()
                .and_then(|n| added.checked_add(n))
                .filter(|n| self.elements + n.min(&MAX_ELEMENTS) < MAX_ELEMENTS)
                .ok_or(ShapeError::Overflow { what: "The number of parameters" })?;
        }
        let output = self.value(output)?;
        self.elements += added;
        let op_index =
            u32::try_from(self.program.ops.len()).map_err(|_e| ShapeError::Overflow { what: "The number of ops" })?;
        let mut params = Vec::with_capacity(templates.len());
        for template in templates {
            params.push(ParamId(u32::try_from(self.program.params.len()).unwrap_or(u32::MAX)));
            self.program.params.push(ParamSpec {
                path: format!("{path}.{}", template.role.suffix()),
                shape: template.shape,
                role: template.role,
                start: template.start,
                trainable: template.role.is_trained() && !self.frozen,
                decays: template.decays,
                op: op_index,
            });
        }
        let frozen = self.frozen;
        self.program.ops.push(OpNode { op, inputs: inputs.to_vec(), outputs: vec![output], params, path, frozen });
        Ok(output)
    }

    /// The shape of a value.
    pub fn shape(&self, id: ValueId) -> &Shape {
        &self.program.value(id).shape
    }

    /// Names an output.
    pub fn output(&mut self, name: impl Into<String>, value: ValueId) {
        self.program.outputs.push(Named { name: name.into(), value });
    }

    /// The finished program.
    pub fn finish(self) -> Program {
        self.program
    }

    fn value(&mut self, shape: Shape) -> Result<ValueId, ShapeError> {
        let elements = shape
            .elements()
            .and_then(|n| self.elements.checked_add(n))
            .filter(|&n| n < MAX_ELEMENTS)
            .ok_or(ShapeError::Overflow { what: "The output" })?;
        self.elements = elements;
        let id = ValueId(u32::try_from(self.program.values.len()).unwrap_or(u32::MAX));
        self.program.values.push(ValueInfo { shape, dtype: DType::F32 });
        Ok(id)
    }
}

/// A place in a [`Lowering`] to return to.
#[derive(Clone, Copy, Debug)]
pub struct Checkpoint {
    ops: usize,
    values: usize,
    params: usize,
    inputs: usize,
    elements: u64,
}
