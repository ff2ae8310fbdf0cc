//! Activations as functions of one number, for showing their arithmetic. The engine has its own over whole tensors; a test
//! holds one against the other.

use super::Activation;

impl Activation {
    /// The function of one number. Softmax needs its neighbours: of a number alone it is 1.
    ///
    /// # Source
    /// PyTorch's documentation of each; the constants of SELU from Klambauer et al. 2017.
    pub fn value(self, x: f64) -> f64 {
        let hard_sigmoid = |x: f64| (x / 6.0 + 0.5).clamp(0.0, 1.0);
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match self {
            Self::Relu => x.max(0.0),
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::LeakyRelu { slope } => {
                if x < 0.0 {
                    slope * x
                } else {
                    x
                }
            }
            Self::Elu { alpha } => {
                if x < 0.0 {
                    alpha * x.exp_m1()
                } else {
                    x
                }
            }
            Self::Selu => {
                let (alpha, scale) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);
                scale * if x < 0.0 { alpha * x.exp_m1() } else { x }
            }
            Self::Gelu => x * 0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Self::Silu => x * sigmoid(x),
            Self::HardSwish => x * hard_sigmoid(x),
            Self::HardSigmoid => hard_sigmoid(x),
            Self::Sigmoid => sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::Softmax => 1.0,
        }
    }

    /// The function in the signs of a book.
    pub fn formula(self) -> &'static str {
        match self {
            Self::Relu => "max(0, x)",
            Self::Relu6 => "min(max(0, x), 6)",
            Self::LeakyRelu { .. } => "x, below zero slope · x",
            Self::Elu { .. } => "x, below zero α(e^x − 1)",
            Self::Selu => "λ · ELU(x) with α = 1.6733, λ = 1.0507",
            Self::Gelu => "x · Φ(x)",
            Self::Silu => "x · sigmoid(x)",
            Self::HardSwish => "x · min(max(0, x + 3), 6) / 6",
            Self::HardSigmoid => "min(max(0, x + 3), 6) / 6",
            Self::Sigmoid => "1 / (1 + e^(−x))",
            Self::Tanh => "tanh(x)",
            Self::Softmax => "e^x / Σ e^x",
        }
    }
}

/// The error function.
///
/// # Source
/// Abramowitz and Stegun 7.1.6: 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)); no terms cancel.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-17 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_has_its_tabled_values() {
        // Abramowitz and Stegun, table 7.1.
        for (x, wanted) in [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)] {
            assert!((erf(x) - wanted).abs() < 1e-9 && (erf(-x) + wanted).abs() < 1e-9, "{x}: {}", erf(x));
        }
    }

    #[test]
    fn gelu_has_the_value_of_its_paper() {
        // x Φ(x): Φ(1) = 0.841344746, so 0.841344746.
        assert!((Activation::Gelu.value(1.0) - 0.841_344_746).abs() < 1e-8);
    }
}
