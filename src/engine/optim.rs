//! Optimizers as plain tensor formulas, exactly PyTorch's.
//!
//! Everything is flat and outside autodiff. Each tensor is owned once, so most of these operations work in place.

use crate::graph::Optimizer;
use burn::tensor::Tensor;

/// What an optimizer keeps of one parameter between steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Moments {
    /// First moment of Adam; the velocity of SGD and `RMSprop`.
    pub(super) first: Option<Tensor<1>>,
    /// Second moment of Adam; the mean square of `RMSprop`.
    pub(super) second: Option<Tensor<1>>,
}

/// PyTorch's names of the two moments in an optimizer's state.
pub(super) fn moment_names(optimizer: Optimizer) -> [&'static str; 2] {
    match optimizer {
        Optimizer::Adam { .. } | Optimizer::AdamW { .. } => ["exp_avg", "exp_avg_sq"],
        Optimizer::Sgd { .. } | Optimizer::RmsProp { .. } => ["momentum_buffer", "square_avg"],
    }
}

/// The numbers of one update.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    /// Which formula.
    pub(super) optimizer: Optimizer,
    /// Learning rate of this step.
    pub(super) rate: f64,
    /// Steps taken, this one included.
    pub(super) step: u64,
}

impl Update {
    /// The parameter after the step. `decay` is the weight decay that applies to this parameter.
    ///
    /// # Source
    /// The algorithm boxes of `torch.optim.SGD`, `Adam`, `AdamW` and `RMSprop` (dampening 0, not centred, no amsgrad).
    pub(super) fn apply(&self, param: Tensor<1>, gradient: Tensor<1>, moments: &mut Moments, decay: f64) -> Tensor<1> {
        let is_decoupled = matches!(self.optimizer, Optimizer::AdamW { .. });
        let gradient =
            if decay != 0.0 && !is_decoupled { gradient.add(param.clone().mul_scalar(decay)) } else { gradient };
        match self.optimizer {
            Optimizer::Sgd { momentum, nesterov } => self.sgd(param, gradient, moments, momentum, nesterov),
            Optimizer::Adam { beta1, beta2, eps } => self.adam(param, gradient, moments, [beta1, beta2, eps]),
            Optimizer::AdamW { beta1, beta2, eps } => {
                let param = if decay == 0.0 { param } else { param.mul_scalar(1.0 - self.rate * decay) };
                self.adam(param, gradient, moments, [beta1, beta2, eps])
            }
            Optimizer::RmsProp { alpha, momentum, eps } => {
                self.rms_prop(param, gradient, moments, [alpha, momentum, eps])
            }
        }
    }

    fn sgd(
        &self,
        param: Tensor<1>,
        gradient: Tensor<1>,
        moments: &mut Moments,
        momentum: f64,
        nesterov: bool,
    ) -> Tensor<1> {
        let direction = if momentum == 0.0 {
            gradient
        } else {
            let velocity = match moments.first.take() {
                Some(velocity) => velocity.mul_scalar(momentum).add(gradient.clone()),
                None => gradient.clone(),
            };
            moments.first = Some(velocity.clone());
            if nesterov { gradient.add(velocity.mul_scalar(momentum)) } else { velocity }
        };
        param.sub(direction.mul_scalar(self.rate))
    }

    fn adam(
        &self,
        param: Tensor<1>,
        gradient: Tensor<1>,
        moments: &mut Moments,
        [beta1, beta2, eps]: [f64; 3],
    ) -> Tensor<1> {
        let first = blend(moments.first.take(), gradient.clone(), beta1);
        let second = blend(moments.second.take(), gradient.square(), beta2);
        let steps = self.step as f64;
        let (correction1, correction2) = (1.0 - beta1.powf(steps), 1.0 - beta2.powf(steps));
        let root = second.clone().sqrt().div_scalar(correction2.sqrt()).add_scalar(eps);
        let step = first.clone().div(root).mul_scalar(self.rate / correction1);
        moments.first = Some(first);
        moments.second = Some(second);
        param.sub(step)
    }

    fn rms_prop(
        &self,
        param: Tensor<1>,
        gradient: Tensor<1>,
        moments: &mut Moments,
        [alpha, momentum, eps]: [f64; 3],
    ) -> Tensor<1> {
        let square = blend(moments.second.take(), gradient.clone().square(), alpha);
        let scaled = gradient.div(square.clone().sqrt().add_scalar(eps));
        moments.second = Some(square);
        if momentum == 0.0 {
            return param.sub(scaled.mul_scalar(self.rate));
        }
        let velocity = match moments.first.take() {
            Some(velocity) => velocity.mul_scalar(momentum).add(scaled),
            None => scaled,
        };
        moments.first = Some(velocity.clone());
        param.sub(velocity.mul_scalar(self.rate))
    }
}

/// keep·old + (1 − keep)·new, from zero.
fn blend(old: Option<Tensor<1>>, new: Tensor<1>, keep: f64) -> Tensor<1> {
    let new = new.mul_scalar(1.0 - keep);
    match old {
        Some(old) => old.mul_scalar(keep).add(new),
        None => new,
    }
}

/// Numbers in one partial sum.
const CHUNK: usize = 1 << 16;

/// The sum of squares of all gradients. Partial sums have a fixed size: flex splits a full sum of some four million
/// numbers and more by work stealing, so that its rounding would differ from run to run.
pub(super) fn square_sum<'a>(gradients: impl Iterator<Item = &'a Tensor<1>>) -> Option<Tensor<1>> {
    let mut sums = Vec::new();
    for gradient in gradients {
        let [count] = gradient.dims();
        let (rows, squares) = (count / CHUNK, gradient.clone().square());
        if rows > 0 {
            let body: Tensor<2> = squares.clone().narrow(0, 0, rows * CHUNK).reshape([rows, CHUNK]);
            sums.push(body.sum_dim(1).sum());
        }
        if count > rows * CHUNK {
            sums.push(squares.narrow(0, rows * CHUNK, count - rows * CHUNK).sum());
        }
    }
    (!sums.is_empty()).then(|| Tensor::cat(sums, 0).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn steps(optimizer: Optimizer, decay: f64) -> Vec<f32> {
        // One parameter from 1.0, gradients 0.5 and then -0.25, learning rate 0.1.
        let device = Device::flex();
        let mut param = Tensor::<1>::from_data([1.0], &device);
        let mut moments = Moments::default();
        let mut seen = Vec::new();
        for (step, gradient) in [(1, 0.5), (2, -0.25)] {
            let gradient = Tensor::from_data([gradient], &device);
            param = Update { optimizer, rate: 0.1, step }.apply(param, gradient, &mut moments, decay);
            seen.extend(param.clone().into_data().try_to_vec::<f32>().unwrap());
        }
        seen
    }

    fn check(optimizer: Optimizer, decay: f64, wanted: [f32; 2]) {
        let got = steps(optimizer, decay);
        assert!(got.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 2e-6), "{optimizer:?}: {got:?}, wanted {wanted:?}");
    }

    #[test]
    fn sgd_walks_down_the_gradient() {
        // 1 - 0.1*0.5 = 0.95; + 0.1*0.25 = 0.975.
        check(Optimizer::Sgd { momentum: 0.0, nesterov: false }, 0.0, [0.95, 0.975]);
        // L2 0.2: g = 0.5 + 0.2 = 0.7 -> 0.93; g = -0.25 + 0.186 = -0.064 -> 0.9364.
        check(Optimizer::Sgd { momentum: 0.0, nesterov: false }, 0.2, [0.93, 0.9364]);
    }

    #[test]
    fn momentum_starts_with_the_first_gradient() {
        // v = 0.5 -> 0.95; v = 0.9*0.5 - 0.25 = 0.2 -> 0.93.
        check(Optimizer::Sgd { momentum: 0.9, nesterov: false }, 0.0, [0.95, 0.93]);
        // d = 0.5 + 0.9*0.5 = 0.95 -> 0.905; d = -0.25 + 0.9*0.2 = -0.07 -> 0.912.
        check(Optimizer::Sgd { momentum: 0.9, nesterov: true }, 0.0, [0.905, 0.912]);
    }

    #[test]
    fn adam_corrects_its_moments_for_the_start() {
        // Step 1: m/c1 = 0.5, v/c2 = 0.25: 1 - 0.1*0.5/0.5 = 0.9.
        // Step 2: m = 0.9*0.05 - 0.025 = 0.02, c1 = 0.19 -> 0.1052632; v = 0.999*0.00025 + 0.001*0.0625 = 0.00031225,
        // c2 = 0.001999 -> 0.1562031, root 0.3952254; 0.9 - 0.1*0.1052632/0.3952254 = 0.8733663.
        let (beta1, beta2, eps) = (0.9, 0.999, 1e-8);
        check(Optimizer::Adam { beta1, beta2, eps }, 0.0, [0.9, 0.873_366_3]);
        // Decoupled decay 0.5: 1*(1 - 0.05) - 0.1 = 0.85; 0.85*0.95 - 0.0266337 = 0.7808663.
        check(Optimizer::AdamW { beta1, beta2, eps }, 0.5, [0.85, 0.780_866_3]);
    }

    #[test]
    fn rms_prop_divides_by_the_root_mean_square() {
        // s = 0.01*0.25 = 0.0025, root 0.05: 1 - 0.1*0.5/0.05 = 0.
        // s = 0.99*0.0025 + 0.01*0.0625 = 0.0031, root 0.0556776: + 0.1*0.25/0.0556776 = 0.4490132.
        check(Optimizer::RmsProp { alpha: 0.99, momentum: 0.0, eps: 1e-8 }, 0.0, [0.0, 0.449_013_2]);
        // Momentum 0.9: v = 10 -> 0; v = 9 - 4.490132 = 4.509868 -> -0.4509868.
        check(Optimizer::RmsProp { alpha: 0.99, momentum: 0.9, eps: 1e-8 }, 0.0, [0.0, -0.450_986_8]);
    }

    #[test]
    fn the_norm_adds_up_all_chunks_and_the_rest() {
        // 2 * 65536 + 5 ones and 3 twos: 131077 + 12.
        let device = Device::flex();
        let (ones, twos) = (Tensor::<1>::ones([2 * CHUNK + 5], &device), Tensor::<1>::full([3], 2.0, &device));
        let sum = square_sum([&ones, &twos].into_iter()).unwrap().into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(sum, [131_089.0]);
        assert!(square_sum(std::iter::empty()).is_none());
    }
}
