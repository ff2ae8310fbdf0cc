//! How a weight starts: the rule, as a spread and a distribution. The numbers are drawn by the engine.

use serde::{Deserialize, Serialize};

/// The rule for the initial values of a layer's weights. Biases follow PyTorch's rule with `PyTorch` and are zero otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// PyTorch's default: uniform in ±1/√fan_in, for weights and biases.
    #[default]
    Pytorch,
    /// He, normal: σ = √(2 / fan_in).
    HeNormal,
    /// He, uniform in ±√(6 / fan_in).
    HeUniform,
    /// Glorot, normal: σ = √(2 / (fan_in + fan_out)).
    GlorotNormal,
    /// Glorot, uniform in ±√(6 / (fan_in + fan_out)).
    GlorotUniform,
}

impl Init {
    /// All rules.
    pub const ALL: [Self; 5] =
        [Self::Pytorch, Self::HeNormal, Self::HeUniform, Self::GlorotNormal, Self::GlorotUniform];

    /// Stable id, as in files.
    pub fn id(self) -> &'static str {
        match self {
            Self::Pytorch => "pytorch",
            Self::HeNormal => "he_normal",
            Self::HeUniform => "he_uniform",
            Self::GlorotNormal => "glorot_normal",
            Self::GlorotUniform => "glorot_uniform",
        }
    }

    /// Name and formula for a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::Pytorch => "PyTorch default, uniform ±1/√fan_in",
            Self::HeNormal => "He normal, σ = √(2/fan_in)",
            Self::HeUniform => "He uniform, ±√(6/fan_in)",
            Self::GlorotNormal => "Glorot normal, σ = √(2/(fan_in + fan_out))",
            Self::GlorotUniform => "Glorot uniform, ±√(6/(fan_in + fan_out))",
        }
    }

    /// The spread of a weight with these fans: standard deviation if normal, half-width if uniform.
    ///
    /// # Source
    /// PyTorch `Conv2d.reset_parameters` (Kaiming uniform with a = √5, which is 1/√fan_in); He et al. 2015; Glorot and Bengio
    /// 2010.
    pub fn weight(self, fan_in: u64, fan_out: u64) -> Start {
        #[expect(clippy::cast_precision_loss, reason = "fans are far below 2^52")]
        let (fan_in, fan_out) = (fan_in.max(1) as f64, fan_out.max(1) as f64);
        match self {
            Self::Pytorch => Start::Uniform(1.0 / fan_in.sqrt()),
            Self::HeNormal => Start::Normal((2.0 / fan_in).sqrt()),
            Self::HeUniform => Start::Uniform((6.0 / fan_in).sqrt()),
            Self::GlorotNormal => Start::Normal((2.0 / (fan_in + fan_out)).sqrt()),
            Self::GlorotUniform => Start::Uniform((6.0 / (fan_in + fan_out)).sqrt()),
        }
    }

    /// The spread of a bias of a layer with this fan-in.
    pub fn bias(self, fan_in: u64) -> Start {
        match self {
            Self::Pytorch => self.weight(fan_in, 1),
            _ => Start::Constant(0.0),
        }
    }
}

/// A distribution of initial values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Start {
    /// Every number the same.
    Constant(f64),
    /// Uniform between minus and plus the value.
    Uniform(f64),
    /// Normal around zero with this standard deviation.
    Normal(f64),
}
