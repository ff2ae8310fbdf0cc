//! Fields of layers: one description serves the inspector, the command line, the help pages and the tests.

use crate::op::{Activation, Lowering, ShapeError, ValueId};
use serde::{Deserialize, Serialize};

/// The unit of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number.
    None,
    /// Pixels.
    Pixels,
    /// Output channels.
    Filters,
    /// Channels.
    Channels,
    /// Features.
    Features,
    /// Share between 0 and 1.
    Share,
}

impl Unit {
    /// Short text after the number; empty for plain numbers.
    pub fn label(self) -> &'static str {
        match self {
            Self::None | Self::Share => "",
            Self::Pixels => "px",
            Self::Filters => "filters",
            Self::Channels => "channels",
            Self::Features => "features",
        }
    }
}

/// What is known of a field besides its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldSpec {
    /// Name in files and on the command line: `filters`.
    pub key: &'static str,
    /// Name for a person: "Filters".
    pub label: &'static str,
    /// What it means, in one or two sentences.
    pub help: &'static str,
    /// Unit.
    pub unit: Unit,
    /// Smallest value that makes sense (numbers).
    pub min: f64,
    /// Largest value that makes sense (numbers).
    pub max: f64,
}

impl FieldSpec {
    /// A field with a range.
    pub const fn new(
        key: &'static str,
        label: &'static str,
        unit: Unit,
        min: f64,
        max: f64,
        help: &'static str,
    ) -> Self {
        Self { key, label, help, unit, min, max }
    }

    /// A field without a range: flags and choices.
    pub const fn plain(key: &'static str, label: &'static str, help: &'static str) -> Self {
        Self { key, label, help, unit: Unit::None, min: 0.0, max: 1.0 }
    }
}

/// One option of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChoiceOption {
    /// Stable id.
    pub id: &'static str,
    /// Name for a person.
    pub label: &'static str,
    /// What it means.
    pub help: &'static str,
}

/// Is shown each field of a layer in order, with the value to read or change.
pub trait FieldVisitor {
    /// A whole number.
    fn integer(&mut self, spec: &FieldSpec, value: &mut u64);
    /// Two whole numbers: vertical and horizontal.
    fn pair(&mut self, spec: &FieldSpec, value: &mut [u64; 2]);
    /// Any number.
    fn float(&mut self, spec: &FieldSpec, value: &mut f64);
    /// Yes or no.
    fn flag(&mut self, spec: &FieldSpec, value: &mut bool);
    /// One of several; `selected` is an index into `options`.
    fn choice(&mut self, spec: &FieldSpec, options: &[ChoiceOption], selected: &mut usize);
}

/// The value of a field, as text and tests handle it.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// A whole number.
    Integer(u64),
    /// Vertical and horizontal.
    Pair([u64; 2]),
    /// Any number.
    Float(f64),
    /// Yes or no.
    Flag(bool),
    /// Id of the option.
    Choice(&'static str),
}

impl std::fmt::Display for FieldValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Pair([a, b]) => write!(f, "{a}x{b}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Flag(value) => write!(f, "{value}"),
            Self::Choice(id) => f.write_str(id),
        }
    }
}

/// All fields of a layer with their present values.
pub fn list_fields(layer: &mut dyn super::LayerKind) -> Vec<(FieldSpec, FieldValue, Vec<ChoiceOption>)> {
    struct List(Vec<(FieldSpec, FieldValue, Vec<ChoiceOption>)>);
    impl FieldVisitor for List {
        fn integer(&mut self, spec: &FieldSpec, value: &mut u64) {
            self.0.push((*spec, FieldValue::Integer(*value), Vec::new()));
        }
        fn pair(&mut self, spec: &FieldSpec, value: &mut [u64; 2]) {
            self.0.push((*spec, FieldValue::Pair(*value), Vec::new()));
        }
        fn float(&mut self, spec: &FieldSpec, value: &mut f64) {
            self.0.push((*spec, FieldValue::Float(*value), Vec::new()));
        }
        fn flag(&mut self, spec: &FieldSpec, value: &mut bool) {
            self.0.push((*spec, FieldValue::Flag(*value), Vec::new()));
        }
        fn choice(&mut self, spec: &FieldSpec, options: &[ChoiceOption], selected: &mut usize) {
            let id = options.get(*selected).map_or("", |option| option.id);
            self.0.push((*spec, FieldValue::Choice(id), options.to_vec()));
        }
    }
    let mut list = List(Vec::new());
    layer.fields(&mut list);
    list.0
}

/// The value of one field.
pub fn get_field(layer: &mut dyn super::LayerKind, key: &str) -> Option<FieldValue> {
    list_fields(layer).into_iter().find(|(spec, ..)| spec.key == key).map(|(_, value, _)| value)
}

/// Sets a field from text: `64`, `3x3` (or `3` for both), `0.5`, `true`, `same`.
///
/// # Errors
/// A message that names the field, its rule and what was found; the layer is unchanged then.
pub fn set_field(layer: &mut dyn super::LayerKind, key: &str, text: &str) -> Result<(), String> {
    struct Set<'a> {
        key: &'a str,
        text: &'a str,
        result: Option<Result<(), String>>,
        known: Vec<&'static str>,
    }
    impl Set<'_> {
        fn wanted(&mut self, spec: &FieldSpec) -> bool {
            self.known.push(spec.key);
            spec.key == self.key
        }
        fn whole(spec: &FieldSpec, text: &str) -> Result<u64, String> {
            let parsed: Option<u64> = text.trim().replace([',', '_'], "").parse().ok();
            match parsed {
                Some(value) if (spec.min..=spec.max).contains(&(value as f64)) => Ok(value),
                _ => Err(format!(
                    "{} must be a whole number from {} to {}. Received {text:?}.",
                    spec.key, spec.min, spec.max
                )),
            }
        }
    }
    impl FieldVisitor for Set<'_> {
        fn integer(&mut self, spec: &FieldSpec, value: &mut u64) {
            if self.wanted(spec) {
                self.result = Some(Self::whole(spec, self.text).map(|new| *value = new));
            }
        }
        fn pair(&mut self, spec: &FieldSpec, value: &mut [u64; 2]) {
            if self.wanted(spec) {
                let (a, b) = self.text.split_once(['x', '×', ',']).unwrap_or((self.text, self.text));
                let both = Self::whole(spec, a).and_then(|a| Ok([a, Self::whole(spec, b)?]));
                self.result = Some(both.map(|new| *value = new));
            }
        }
        fn float(&mut self, spec: &FieldSpec, value: &mut f64) {
            if self.wanted(spec) {
                let parsed: Option<f64> = self.text.trim().parse().ok();
                self.result = Some(match parsed {
                    Some(new) if (spec.min..=spec.max).contains(&new) => {
                        *value = new;
                        Ok(())
                    }
                    _ => Err(format!(
                        "{} must be a number from {} to {}. Received {:?}.",
                        spec.key, spec.min, spec.max, self.text
                    )),
                });
            }
        }
        fn flag(&mut self, spec: &FieldSpec, value: &mut bool) {
            if self.wanted(spec) {
                self.result = Some(match self.text.trim() {
                    "true" | "yes" | "on" | "1" => {
                        *value = true;
                        Ok(())
                    }
                    "false" | "no" | "off" | "0" => {
                        *value = false;
                        Ok(())
                    }
                    _ => Err(format!("{} must be true or false. Received {:?}.", spec.key, self.text)),
                });
            }
        }
        fn choice(&mut self, spec: &FieldSpec, options: &[ChoiceOption], selected: &mut usize) {
            if self.wanted(spec) {
                self.result = Some(if let Some(at) = options.iter().position(|option| option.id == self.text.trim()) {
                    *selected = at;
                    Ok(())
                } else {
                    let ids: Vec<_> = options.iter().map(|option| option.id).collect();
                    Err(format!("{} must be one of {}. Received {:?}.", spec.key, ids.join(", "), self.text))
                });
            }
        }
    }
    let mut set = Set { key, text, result: None, known: Vec::new() };
    layer.fields(&mut set);
    let known = set.known.join(", ");
    set.result.unwrap_or_else(|| Err(format!("The layer has no field {key:?}. It has: {known}.")))
}

/// The optional activation of a convolution or dense layer, or of an activation layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Nothing.
    #[default]
    None,
    /// max(0, x)
    Relu,
    /// min(max(0, x), 6)
    Relu6,
    /// Leaky ReLU, slope 0.01.
    LeakyRelu,
    /// ELU, α = 1.
    Elu,
    /// SELU.
    Selu,
    /// GELU (erf).
    Gelu,
    /// x·sigmoid(x)
    Silu,
    /// Hard swish.
    HardSwish,
    /// Hard sigmoid, PyTorch's 1/6.
    HardSigmoid,
    /// Sigmoid.
    Sigmoid,
    /// Tanh.
    Tanh,
    /// Softmax over channels or features.
    Softmax,
    /// Learned slope per channel.
    Prelu,
}

impl Act {
    /// All, in the order of the menu.
    pub const ALL: [Self; 14] = [
        Self::None,
        Self::Relu,
        Self::Relu6,
        Self::LeakyRelu,
        Self::Elu,
        Self::Selu,
        Self::Gelu,
        Self::Silu,
        Self::HardSwish,
        Self::HardSigmoid,
        Self::Sigmoid,
        Self::Tanh,
        Self::Softmax,
        Self::Prelu,
    ];

    /// Id, name and formula.
    pub fn option(self) -> ChoiceOption {
        let (id, label, help) = match self {
            Self::None => ("none", "None", "The sum goes on unchanged."),
            Self::Relu => ("relu", "ReLU", "max(0, x)"),
            Self::Relu6 => ("relu6", "ReLU6", "min(max(0, x), 6)"),
            Self::LeakyRelu => ("leaky_relu", "Leaky ReLU", "x, or 0.01·x below zero"),
            Self::Elu => ("elu", "ELU", "x, or eˣ − 1 below zero"),
            Self::Selu => ("selu", "SELU", "1.0507·x, or 1.7581·(eˣ − 1) below zero"),
            Self::Gelu => ("gelu", "GELU", "x·Φ(x), Φ the normal distribution"),
            Self::Silu => ("silu", "SiLU (swish)", "x·sigmoid(x)"),
            Self::HardSwish => ("hard_swish", "Hard swish", "x·relu6(x + 3)/6"),
            Self::HardSigmoid => ("hard_sigmoid", "Hard sigmoid", "relu6(x + 3)/6"),
            Self::Sigmoid => ("sigmoid", "Sigmoid", "1/(1 + e⁻ˣ)"),
            Self::Tanh => ("tanh", "Tanh", "(eˣ − e⁻ˣ)/(eˣ + e⁻ˣ)"),
            Self::Softmax => ("softmax", "Softmax", "eˣ over the sum of all eˣ: probabilities"),
            Self::Prelu => ("prelu", "PReLU", "x, or a learned slope·x below zero"),
        };
        ChoiceOption { id, label, help }
    }

    /// Pushes the op, if any.
    ///
    /// # Errors
    /// See [`Lowering::push`].
    pub fn lower(self, lowering: &mut Lowering, input: ValueId) -> Result<ValueId, ShapeError> {
        use crate::op::Op;
        let activation = match self {
            Self::None => return Ok(input),
            // A name of its own: its slopes must not be called as the weights of the layer it follows.
            Self::Prelu => return lowering.within("prelu", |l| l.push(Op::PRelu, &[input])),
            Self::Relu => Activation::Relu,
            Self::Relu6 => Activation::Relu6,
            Self::LeakyRelu => Activation::LeakyRelu { slope: 0.01 },
            Self::Elu => Activation::Elu { alpha: 1.0 },
            Self::Selu => Activation::Selu,
            Self::Gelu => Activation::Gelu,
            Self::Silu => Activation::Silu,
            Self::HardSwish => Activation::HardSwish,
            Self::HardSigmoid => Activation::HardSigmoid,
            Self::Sigmoid => Activation::Sigmoid,
            Self::Tanh => Activation::Tanh,
            Self::Softmax => Activation::Softmax,
        };
        lowering.push(Op::Activation(activation), &[input])
    }

    /// Shows the field `activation`.
    pub fn field(&mut self, visitor: &mut dyn FieldVisitor) {
        let options = Self::ALL.map(Self::option);
        let mut selected = Self::ALL.iter().position(|act| act == self).unwrap_or(0);
        visitor.choice(&ACTIVATION, &options, &mut selected);
        *self = Self::ALL.get(selected).copied().unwrap_or(*self);
    }
}

const ACTIVATION: FieldSpec =
    FieldSpec::plain("activation", "Activation", "Function applied to every output of this layer.");
