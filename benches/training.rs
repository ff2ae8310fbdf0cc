//! The interpreted network against the same network written as a static burn struct: training steps on the CPU, taken in
//! turns in one run, so that both see the same machine.
//!
//! `cargo bench --bench training`

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{AvgPool2d, AvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData, activation};
use std::sync::Arc;
use std::time::{Duration, Instant};
use striate::data::{Batch, BatchTarget};
use striate::engine::{TrainJob, Trainer};

const BATCH: usize = 64;

#[derive(Module, Debug)]
struct LeNet {
    c1: Conv2d,
    c3: Conv2d,
    c5: Conv2d,
    f6: Linear,
    output: Linear,
    pool: AvgPool2d,
}

impl LeNet {
    fn new(device: &Device) -> Self {
        let conv = |channels: [usize; 2]| {
            Conv2dConfig::new(channels, [5, 5]).with_padding(PaddingConfig2d::Valid).init(device)
        };
        Self {
            c1: conv([1, 6]),
            c3: conv([6, 16]),
            c5: conv([16, 120]),
            f6: LinearConfig::new(120, 84).init(device),
            output: LinearConfig::new(84, 10).init(device),
            pool: AvgPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(activation::tanh(self.c1.forward(images)));
        let x = self.pool.forward(activation::tanh(self.c3.forward(x)));
        let x: Tensor<2> = activation::tanh(self.c5.forward(x)).flatten(1, 3);
        self.output.forward(activation::tanh(self.f6.forward(x)))
    }
}

#[derive(Module, Debug)]
struct MnistCnn {
    conv1: Conv2d,
    conv2: Conv2d,
    dense1: Linear,
    output: Linear,
    pool: MaxPool2d,
    dropout1: Dropout,
    dropout2: Dropout,
}

impl MnistCnn {
    fn new(device: &Device) -> Self {
        let conv = |channels: [usize; 2]| {
            Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device)
        };
        Self {
            conv1: conv([1, 32]),
            conv2: conv([32, 64]),
            dense1: LinearConfig::new(14 * 14 * 64, 128).init(device),
            output: LinearConfig::new(128, 10).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            dropout1: DropoutConfig::new(0.25).init(),
            dropout2: DropoutConfig::new(0.5).init(),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let x = activation::relu(self.conv1.forward(images));
        let x = self.pool.forward(activation::relu(self.conv2.forward(x)));
        let x: Tensor<2> = self.dropout1.forward(x).flatten(1, 3);
        self.output.forward(self.dropout2.forward(activation::relu(self.dense1.forward(x))))
    }
}

fn batch(side: usize) -> Batch {
    // Any pixels do: the time does not depend on them.
    let pixels = (0..BATCH * side * side).map(|i| ((i * 7919) % 256) as f32 / 255.0).collect();
    let classes = (0_u32..).take(BATCH).map(|i| i % 10).collect();
    Batch {
        images: pixels,
        shape: [1, side, side],
        target: BatchTarget::Class(classes),
        indices: (0_u32..).take(BATCH).collect(),
    }
}

/// One training step of a burn module, as a person would write it.
fn static_step<M: Module>(
    model: M,
    optimizer: &mut ModuleOptimizer,
    device: &Device,
    batch: &Batch,
    forward: impl Fn(&M, Tensor<4>) -> Tensor<2>,
) -> M {
    let [c, h, w] = batch.shape;
    let images = Tensor::<4>::from_data(TensorData::new(batch.images.clone(), [BATCH, c, h, w]), device);
    let BatchTarget::Class(classes) = &batch.target else { return model };
    let classes: Vec<i32> = classes.iter().map(|&class| i32::try_from(class).unwrap_or(0)).collect();
    let targets = Tensor::<1, Int>::from_data(TensorData::new(classes, [BATCH]), device);
    let loss = CrossEntropyLossConfig::new().init(device).forward(forward(&model, images), targets);
    let gradients = GradientsParams::from_grads(loss.backward(), &model);
    let value: f32 = loss.into_scalar();
    assert!(value.is_finite());
    optimizer.step(1e-3, model, gradients)
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(0.0, Duration::as_secs_f64)
}

fn compare<M: Module>(
    name: &str,
    preset: &str,
    side: usize,
    rounds: usize,
    new: impl Fn(&Device) -> M,
    forward: impl Fn(&M, Tensor<4>) -> Tensor<2>,
) {
    let device = Device::flex().autodiff();
    let document = striate::presets::find(preset).expect("the preset exists");
    let program = Arc::new(striate::plan::plan(&document).program);
    let job = TrainJob {
        program,
        heads: document.heads_in_force(),
        spec: document.training.clone(),
        seed: 1,
        steps_per_epoch: 1000,
    };
    let batch = batch(side);
    let mut trainer = Trainer::new(job, &Device::flex()).expect("the preset can be trained");
    let mut model = new(&device);
    let mut optimizer = AdamConfig::new().with_epsilon(1e-8).init();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds + 3 {
        let start = Instant::now();
        let outcome = trainer.step(std::slice::from_ref(&batch)).expect("a step succeeds");
        let interpreted = start.elapsed();
        assert!(outcome.loss.is_finite());
        let start = Instant::now();
        model = static_step(model, &mut optimizer, &device, &batch, &forward);
        let by_hand = start.elapsed();
        // The first rounds warm up caches and allocators.
        if round >= 3 {
            ours.push(interpreted);
            theirs.push(by_hand);
        }
    }
    let (ours, theirs) = (median(ours), median(theirs));
    println!(
        "{name:<10} batch {BATCH}: interpreted {:.2} ms ({:.0} images/s), static burn struct {:.2} ms; ratio {:.3}",
        ours * 1e3,
        BATCH as f64 / ours,
        theirs * 1e3,
        ours / theirs
    );
}

fn main() {
    println!("training steps on the CPU, medians, taken in turns");
    compare("LeNet-5", "lenet5", 32, 60, LeNet::new, LeNet::forward);
    compare("MNIST CNN", "mnist-cnn", 28, 12, MnistCnn::new, MnistCnn::forward);
}
