//! Activations, written so that no branch overflows and gradients are exact.

use crate::op::Activation;
use burn::tensor::{Tensor, activation as act};

/// The activation of every number; softmax runs over channels or features.
pub(super) fn activation<const D: usize>(kind: Activation, x: Tensor<D>) -> Tensor<D> {
    match kind {
        Activation::Relu => act::relu(x),
        Activation::Relu6 => act::relu(x).clamp_max(6.0),
        Activation::LeakyRelu { slope } => act::leaky_relu(x, slope),
        Activation::Elu { alpha } => act::relu(x.clone()) + below_zero(x, alpha),
        // The constants of Klambauer et al. 2017, as in PyTorch.
        Activation::Selu => {
            let (alpha, scale) = (1.673_263_242_354_377_2, 1.050_700_987_355_480_5);
            act::relu(x.clone()).mul_scalar(scale) + below_zero(x, alpha * scale)
        }
        // Written out because burn's own backward pass uses the tanh approximation with six digits.
        Activation::Gelu => {
            let twice_phi = x.clone().mul_scalar(std::f64::consts::FRAC_1_SQRT_2).erf().add_scalar(1.0);
            x.mul_scalar(0.5) * twice_phi
        }
        Activation::Silu => act::silu(x),
        Activation::HardSwish => x.clone() * hard_sigmoid(x),
        Activation::HardSigmoid => hard_sigmoid(x),
        Activation::Sigmoid => act::sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Softmax => act::softmax(x, 1),
    }
}

/// α(eˣ − 1) below zero, zero above; the exponent never sees a positive number, whose eˣ could overflow.
fn below_zero<const D: usize>(x: Tensor<D>, alpha: f64) -> Tensor<D> {
    x.clamp_max(0.0).exp().sub_scalar(1.0).mul_scalar(alpha)
}

/// relu6(x + 3)/6.
fn hard_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.mul_scalar(1.0 / 6.0).add_scalar(0.5).clamp(0.0, 1.0)
}
