//! Every layer that burn-nn has a module for, against that module with the same weights: shape, number of parameters, and
//! forward values.
#![cfg(feature = "train")]
#![expect(clippy::unwrap_used, reason = "what is missing fails the test")]

use burn::module::{Module, Param, RunningState};
use burn::nn;
use burn::nn::conv::{Conv2dConfig, ConvTranspose2dConfig};
use burn::nn::interpolate::{Interpolate2dConfig, InterpolateMode};
use burn::nn::pool::{AdaptiveAvgPool2dConfig, AvgPool2dConfig, MaxPool2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, DropoutConfig, EluConfig, GroupNormConfig, HardSigmoidConfig, LayerNormConfig,
    LeakyReluConfig, LinearConfig, LocalResponseNormConfig, PReluConfig, PaddingConfig2d,
};
use burn::tensor::{Tensor, TensorData};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use striate::data::{Batch, BatchTarget};
use striate::engine::{Device, HostTensor, Network, run_op};
use striate::layers::{
    Act, Activation, AvgPool, Conv2d, ConvTranspose2d, Dense, Dropout, GlobalAvgPool, GroupNorm, Layer, LayerKind as _,
    LayerNorm, Lrn, MaxPool, Padding, Upsample,
};
use striate::op::{Lowering, Op, ParamSpec, Shape, UpsampleMode};

/// Numbers in ±1 without structure.
fn noise(shape: &[usize], salt: usize) -> HostTensor {
    let count: usize = shape.iter().product();
    let number = |i: usize| ((i * 7919 + salt * 104_729) % 1009) as f32 / 504.5 - 1.0;
    HostTensor::new(shape.to_vec(), (0..count).map(number).collect())
}

/// The weights of our layer, for the module.
struct Given(Vec<HostTensor>);

impl Given {
    fn tensor<const D: usize>(&self, index: usize) -> Tensor<D> {
        to_burn(&self.0[index])
    }

    fn param<const D: usize>(&self, index: usize) -> Param<Tensor<D>> {
        Param::from_tensor(self.tensor(index))
    }
}

fn to_burn<const D: usize>(tensor: &HostTensor) -> Tensor<D> {
    let shape: [usize; D] = tensor.shape.clone().try_into().unwrap();
    Tensor::from_data(TensorData::new(tensor.data.clone(), shape), &Device::flex())
}

fn from_burn<const D: usize>(tensor: Tensor<D>) -> HostTensor {
    HostTensor::new(tensor.dims().to_vec(), tensor.into_data().try_to_vec::<f32>().unwrap())
}

fn assert_same(name: &str, ours: &HostTensor, theirs: &HostTensor) {
    assert_eq!(ours.shape, theirs.shape, "{name}: shape");
    for (at, (a, b)) in ours.data.iter().zip(&theirs.data).enumerate() {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{name}[{at}]: {a}, burn-nn's module gives {b}");
    }
}

/// Compares layers and remembers which kinds it has seen.
#[derive(Default)]
struct Oracle(RefCell<BTreeSet<&'static str>>);

impl Oracle {
    /// Our layer behind an input of a batch's shape, against what `module` makes of the same numbers with the same weights;
    /// it also says how many parameters the module has.
    fn check<const I: usize, const O: usize>(
        &self,
        layer: impl Into<Layer>,
        input: [usize; I],
        module: impl FnOnce(&Given, Tensor<I>) -> (Tensor<O>, usize),
    ) {
        let layer = layer.into();
        let name = format!("{layer:?}");
        let size = |n: usize| n as u64;
        let (shape, batch_shape) = match input[..] {
            [_, c, h, w] => (Shape::map(size(c), size(h), size(w)), [c, h, w]),
            [_, features] => (Shape::vector(size(features)), [features, 1, 1]),
            _ => panic!("{name}: an input of another rank"),
        };
        let mut lowering = Lowering::new();
        let x = lowering.input("input", shape).unwrap();
        let y = lowering.within("layer", |l| layer.lower(l, &[x])).unwrap();
        lowering.output("layer", y);
        let program = Arc::new(lowering.finish());
        let planned: Vec<usize> = [input[0]]
            .into_iter()
            .chain(program.value(y).shape.dims().iter().map(|&n| usize::try_from(n).unwrap()))
            .collect();
        let counted: u64 = program.params.iter().map(ParamSpec::elements).sum();
        let mut network = Network::new(Arc::clone(&program), 7, &Device::flex()).unwrap();
        let weights: Vec<(String, HostTensor)> = program
            .params
            .iter()
            .zip(10..)
            .map(|(spec, salt)| {
                let shape: Vec<usize> = spec.shape.iter().map(|&n| usize::try_from(n).unwrap()).collect();
                let mut tensor = noise(&shape, salt);
                if spec.path.ends_with("running_var") {
                    tensor.data.iter_mut().for_each(|v| *v = v.abs() + 0.5);
                }
                (spec.path.clone(), tensor)
            })
            .collect();
        assert!(network.set_weights(&weights).unwrap().is_complete());
        let numbers = noise(&input, 1);
        let batch = Batch {
            images: numbers.data.clone(),
            shape: batch_shape,
            target: BatchTarget::None,
            indices: vec![0; input[0]],
        };
        let ours = network.forward(&batch, &[y]).unwrap().remove(0);
        let given = Given(weights.into_iter().map(|(_, tensor)| tensor).collect());
        let (theirs, parameters) = module(&given, to_burn(&numbers));
        assert_eq!(planned, theirs.dims().to_vec(), "{name}: planned shape");
        assert_eq!(counted, size(parameters), "{name}: parameters");
        assert_same(&name, &ours, &from_burn(theirs));
        self.0.borrow_mut().insert(layer.about().id);
    }
}

/// Whether burn-nn has a module for a kind; a new kind stops compiling here.
fn has_module(layer: &Layer) -> bool {
    match layer {
        Layer::Conv2d(_)
        | Layer::ConvTranspose2d(_)
        | Layer::MaxPool(_)
        | Layer::AvgPool(_)
        | Layer::GlobalAvgPool(_)
        | Layer::BatchNorm(_)
        | Layer::LayerNorm(_)
        | Layer::GroupNorm(_)
        | Layer::Lrn(_)
        | Layer::Dropout(_)
        | Layer::Dense(_)
        | Layer::Activation(_)
        | Layer::Upsample(_) => true,
        Layer::Input(_)
        | Layer::Flatten(_)
        | Layer::ZeroPad(_)
        | Layer::Add(_)
        | Layer::Multiply(_)
        | Layer::Concat(_)
        | Layer::Residual(_) => false,
    }
}

#[test]
fn every_layer_gives_what_burns_module_gives() {
    let oracle = Oracle::default();
    convolutions(&oracle);
    transposed_convolutions(&oracle);
    poolings(&oracle);
    norms(&oracle);
    dense_and_dropout(&oracle);
    activations(&oracle);
    upsampling(&oracle);
    let wanted: BTreeSet<&str> = Layer::all().iter().filter(|l| has_module(l)).map(|l| l.about().id).collect();
    assert_eq!(*oracle.0.borrow(), wanted);
}

fn pair([a, b]: [u64; 2]) -> [usize; 2] {
    [a, b].map(|n| usize::try_from(n).unwrap())
}

fn convolutions(oracle: &Oracle) {
    let base =
        Conv2d { filters: 6, kernel: [3, 3], padding: Padding::Valid, activation: Act::None, ..Conv2d::default() };
    let input = [2, 4, 9, 8];
    let cases = [
        (base.clone(), PaddingConfig2d::Valid),
        (Conv2d { kernel: [1, 1], bias: false, ..base.clone() }, PaddingConfig2d::Valid),
        (
            Conv2d {
                groups: 2,
                stride: [2, 1],
                dilation: [1, 2],
                padding: Padding::Symmetric([1, 2]),
                bias: false,
                ..base.clone()
            },
            PaddingConfig2d::Explicit(1, 2, 1, 2),
        ),
        (Conv2d { filters: 8, groups: 4, padding: Padding::Same, ..base.clone() }, PaddingConfig2d::Same),
        // Nine rows at stride 2 need one row of padding on both ends, eight columns one at the end only.
        (Conv2d { stride: [2, 2], padding: Padding::Same, ..base.clone() }, PaddingConfig2d::Same),
        // Ours: top, bottom, left, right. burn's: top, left, bottom, right.
        (
            Conv2d { kernel: [5, 3], padding: Padding::Explicit([1, 3, 0, 2]), ..base },
            PaddingConfig2d::Explicit(1, 0, 3, 2),
        ),
    ];
    for (layer, padding) in cases {
        let channels = [input[1], usize::try_from(layer.filters).unwrap()];
        let config = Conv2dConfig::new(channels, pair(layer.kernel))
            .with_stride(pair(layer.stride))
            .with_dilation(pair(layer.dilation))
            .with_groups(usize::try_from(layer.groups).unwrap())
            .with_padding(padding)
            .with_bias(layer.bias);
        oracle.check(layer, input, |given, x| {
            let mut module = config.init(&Device::flex());
            module.weight = given.param(0);
            module.bias = module.bias.map(|_| given.param(1));
            (module.forward(x), Module::num_params(&module))
        });
    }
}

fn transposed_convolutions(oracle: &Oracle) {
    let base = ConvTranspose2d { filters: 6, kernel: [3, 3], activation: Act::None, ..ConvTranspose2d::default() };
    let input = [2, 4, 5, 6];
    let cases = [
        ConvTranspose2d { stride: [1, 1], padding: [0, 0], output_padding: [0, 0], ..base.clone() },
        ConvTranspose2d { stride: [2, 2], padding: [1, 1], output_padding: [1, 1], ..base.clone() },
        ConvTranspose2d {
            kernel: [4, 2],
            stride: [3, 2],
            padding: [1, 0],
            output_padding: [2, 1],
            dilation: [1, 2],
            groups: 2,
            bias: false,
            ..base
        },
    ];
    for layer in cases {
        let channels = [input[1], usize::try_from(layer.filters).unwrap()];
        let config = ConvTranspose2dConfig::new(channels, pair(layer.kernel))
            .with_stride(pair(layer.stride))
            .with_dilation(pair(layer.dilation))
            .with_groups(usize::try_from(layer.groups).unwrap())
            .with_padding(pair(layer.padding))
            .with_padding_out(pair(layer.output_padding))
            .with_bias(layer.bias);
        oracle.check(layer, input, |given, x| {
            let mut module = config.init(&Device::flex());
            module.weight = given.param(0);
            module.bias = module.bias.map(|_| given.param(1));
            (module.forward(x), Module::num_params(&module))
        });
    }
}

fn poolings(oracle: &Oracle) {
    let input = [2, 3, 9, 8];
    let paddings = [
        (Padding::Valid, PaddingConfig2d::Valid),
        (Padding::Same, PaddingConfig2d::Same),
        (Padding::Symmetric([1, 1]), PaddingConfig2d::Explicit(1, 1, 1, 1)),
    ];
    for (padding, theirs) in paddings {
        for (kernel, stride, ceil) in [([2, 2], [2, 2], false), ([3, 2], [2, 1], false), ([3, 3], [2, 2], true)] {
            let layer = MaxPool { kernel, stride, padding, ceil };
            oracle.check(layer, input, |_, x| {
                let config = MaxPool2dConfig::new(pair(kernel)).with_strides(pair(stride));
                let module = config.with_padding(theirs.clone()).with_ceil_mode(ceil).init();
                (module.forward(x), Module::num_params(&module))
            });
            for count_padding in [true, false] {
                let layer = AvgPool { kernel, stride, padding, ceil, count_padding };
                oracle.check(layer, input, |_, x| {
                    let config = AvgPool2dConfig::new(pair(kernel)).with_strides(pair(stride)).with_ceil_mode(ceil);
                    let module = config.with_padding(theirs.clone()).with_count_include_pad(count_padding).init();
                    (module.forward(x), Module::num_params(&module))
                });
            }
        }
    }
    oracle.check(GlobalAvgPool {}, input, |_, x| {
        let module = AdaptiveAvgPool2dConfig::new([1, 1]).init();
        let [n, c, ..] = x.dims();
        (module.forward(x).reshape([n, c]), Module::num_params(&module))
    });
}

fn batch_norm(given: &Given, eps: f64, momentum: f64) -> BatchNorm {
    let features = given.0[0].data.len();
    let config = BatchNormConfig::new(features).with_epsilon(eps).with_momentum(momentum);
    let mut module = config.init(&Device::flex());
    (module.gamma, module.beta) = (given.param(0), given.param(1));
    module.running_mean = RunningState::new(given.tensor(2));
    module.running_var = RunningState::new(given.tensor(3));
    module
}

fn norms(oracle: &Oracle) {
    let ours = striate::layers::BatchNorm { eps: 1e-3, momentum: 0.2 };
    oracle.check(ours.clone(), [3, 4, 5, 6], |given, x: Tensor<4>| {
        let module = batch_norm(given, 1e-3, 0.2);
        (module.forward(x), Module::num_params(&module))
    });
    oracle.check(ours, [5, 7], |given, x: Tensor<2>| {
        let module = batch_norm(given, 1e-3, 0.2);
        (module.forward(x), Module::num_params(&module))
    });
    oracle.check(LayerNorm { eps: 1e-4 }, [3, 10], |given, x: Tensor<2>| {
        let mut module = LayerNormConfig::new(10).with_epsilon(1e-4).init(&Device::flex());
        (module.gamma, module.beta) = (given.param(0), Some(given.param(1)));
        (module.forward(x), Module::num_params(&module))
    });
    // burn's layer norm runs over the last axis, ours over the channels of a map.
    oracle.check(LayerNorm { eps: 1e-4 }, [2, 6, 3, 4], |given, x: Tensor<4>| {
        let mut module = LayerNormConfig::new(6).with_epsilon(1e-4).init(&Device::flex());
        (module.gamma, module.beta) = (given.param(0), Some(given.param(1)));
        let y = module.forward(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]);
        (y, Module::num_params(&module))
    });
    oracle.check(GroupNorm { groups: 3, eps: 1e-4 }, [2, 6, 3, 4], |given, x: Tensor<4>| {
        let mut module = GroupNormConfig::new(3, 6).with_epsilon(1e-4).init(&Device::flex());
        (module.gamma, module.beta) = (Some(given.param(0)), Some(given.param(1)));
        (module.forward(x), Module::num_params(&module))
    });
    // burn divides alpha by the window, as PyTorch; its even windows reach up where PyTorch's reach down, so odd ones here.
    for window in [1, 3, 5] {
        let layer = Lrn { window, alpha: 0.02, beta: 0.75, k: 2.0 };
        oracle.check(layer, [2, 7, 3, 4], |_, x: Tensor<4>| {
            let size = usize::try_from(window).unwrap();
            let config = LocalResponseNormConfig::new(size).with_alpha(0.02 * window as f64);
            let module = config.with_beta(0.75).with_k(2.0).init();
            (module.forward(x), Module::num_params(&module))
        });
    }
}

fn dense_and_dropout(oracle: &Oracle) {
    for bias in [true, false] {
        let layer = Dense { features: 5, bias, activation: Act::None };
        oracle.check(layer, [3, 11], |given, x: Tensor<2>| {
            let mut module = LinearConfig::new(11, 5).with_bias(bias).init(&Device::flex());
            module.weight = Param::from_tensor(given.tensor::<2>(0).transpose());
            module.bias = module.bias.map(|_| given.param(1));
            (module.forward(x), Module::num_params(&module))
        });
    }
    oracle.check(Dropout { rate: 0.4 }, [3, 4, 2, 2], |_, x: Tensor<4>| {
        let module = DropoutConfig::new(0.4).init();
        (module.forward(x), Module::num_params(&module))
    });
}

fn activations(oracle: &Oracle) {
    let input = [2, 3, 8, 7];
    // Noise reaches from -1 to 1 only: a factor brings it past all kinks, on both sides alike.
    let check = |function: Act, module: &dyn Fn(Tensor<4>) -> Tensor<4>| {
        let layer = Activation { function, slope: 0.2, alpha: 0.7 };
        oracle.check(layer, input, |_, x: Tensor<4>| (module(x), 0));
        assert_wide(function, module);
    };
    check(Act::Relu, &|x| nn::Relu::new().forward(x));
    check(Act::Relu6, &|x| nn::activation::Relu6::new().forward(x));
    check(Act::LeakyRelu, &|x| LeakyReluConfig::new().with_negative_slope(0.2).init().forward(x));
    check(Act::Elu, &|x| EluConfig::new().with_alpha(0.7).init().forward(x));
    check(Act::Selu, &|x| nn::Selu::new().forward(x));
    check(Act::Gelu, &|x| nn::Gelu::new().forward(x));
    check(Act::Silu, &|x| nn::activation::SiLU::new().forward(x));
    check(Act::HardSwish, &|x| nn::activation::HardSwish::new().forward(x));
    // burn's default is ONNX's 0.2; PyTorch's is 1/6.
    check(Act::HardSigmoid, &|x| HardSigmoidConfig::new().with_alpha(1.0 / 6.0).init().forward(x));
    check(Act::Sigmoid, &|x| nn::Sigmoid::new().forward(x));
    check(Act::Tanh, &|x| nn::Tanh::new().forward(x));
    let layer = Activation { function: Act::Prelu, ..Activation::default() };
    oracle.check(layer, input, |given, x: Tensor<4>| {
        let mut module = PReluConfig::new().with_num_parameters(3).init(&Device::flex());
        module.alpha = given.param(0);
        (module.forward(x), Module::num_params(&module))
    });
}

/// The same for numbers between -8 and 8.
fn assert_wide(function: Act, module: &dyn Fn(Tensor<4>) -> Tensor<4>) {
    let layer = Layer::from(Activation { function, slope: 0.2, alpha: 0.7 });
    let mut lowering = Lowering::new();
    let x = lowering.input("input", Shape::map(1, 10, 10)).unwrap();
    layer.lower(&mut lowering, &[x]).unwrap();
    let op = lowering.finish().ops.remove(0).op;
    let mut numbers = noise(&[1, 1, 10, 10], 3);
    numbers.data.iter_mut().for_each(|v| *v *= 8.0);
    let ours = run_op(&op, std::slice::from_ref(&numbers), &[], false, None, &Device::flex()).unwrap();
    assert_same(&format!("{function:?}, wide"), &ours.output, &from_burn(module(to_burn(&numbers))));
}

fn upsampling(oracle: &Oracle) {
    for (mode, theirs) in
        [(UpsampleMode::Nearest, InterpolateMode::Nearest), (UpsampleMode::Bilinear, InterpolateMode::Linear)]
    {
        let layer = Upsample { scale: [2, 3], mode };
        oracle.check(layer, [2, 3, 4, 5], |_, x: Tensor<4>| {
            let config = Interpolate2dConfig::new().with_output_size(Some([8, 15])).with_mode(theirs.clone());
            let module = config.with_align_corners(false).init();
            (module.forward(x), Module::num_params(&module))
        });
    }
}

#[test]
fn batch_norm_in_training_gives_what_burns_module_gives_and_pytorchs_running_variance() {
    let input = noise(&[4, 3, 5, 2], 1);
    let params: Vec<HostTensor> = (0..4)
        .map(|n| {
            let mut tensor = noise(&[3], n + 20);
            tensor.data.iter_mut().for_each(|v| *v = v.abs() + 0.5);
            tensor
        })
        .collect();
    let op = Op::BatchNorm { eps: 1e-5, momentum: 0.1 };
    let ours = run_op(&op, std::slice::from_ref(&input), &params, true, None, &Device::flex()).unwrap();
    let given = Given(params);
    let module = batch_norm(&given, 1e-5, 0.1).train();
    let output = module.forward(to_burn::<4>(&input).autodiff());
    assert_same("output", &ours.output, &from_burn(output.inner()));
    assert_same("running mean", &ours.running[0], &from_burn(module.running_mean.value_sync().inner()));
    // burn keeps the biased variance of the batch, PyTorch the unbiased one: 40 numbers a channel, a factor of 40/39.
    let mut variance = from_burn(module.running_var.value_sync().inner());
    for (new, old) in variance.data.iter_mut().zip(&given.0[3].data) {
        *new = 0.9 * old + (*new - 0.9 * old) * 40.0 / 39.0;
    }
    assert_same("running variance", &ours.running[1], &variance);
}
