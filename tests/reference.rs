//! Convolutions and norms at the sizes of real layers, where fast paths differ from those of small ones, against plain
//! loops in 64 bits written down from the definition.
#![cfg(feature = "train")]

use striate::engine::{Device, HostTensor, OpRun, run_op};
use striate::op::{Op, Pads};

/// Numbers in ±1 without structure.
fn noise(shape: &[usize], salt: usize) -> HostTensor {
    let count: usize = shape.iter().product();
    let number = |i: usize| ((i * 7919 + salt * 104_729) % 1009) as f32 / 504.5 - 1.0;
    HostTensor::new(shape.to_vec(), (0..count).map(number).collect())
}

struct Conv {
    input: [usize; 4],
    filters: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    groups: usize,
    /// Above, below, left, right.
    pads: [usize; 4],
}

impl Conv {
    fn op(&self) -> Op {
        let n = |x: usize| x as u64;
        let [top, bottom, left, right] = self.pads.map(n);
        Op::Conv2d {
            filters: n(self.filters),
            kernel: [n(self.kernel); 2],
            stride: [n(self.stride); 2],
            dilation: [n(self.dilation); 2],
            groups: n(self.groups),
            pads: Pads { top, bottom, left, right },
            bias: false,
        }
    }

    /// Calls `tap(output index, input index, weight index)` for every product in the definition of a convolution.
    fn products(&self, mut tap: impl FnMut(usize, usize, usize)) {
        let [images, channels, height, width] = self.input;
        let ([out_h, out_w], depth) = (self.output(), channels / self.groups);
        for image in 0..images {
            for filter in 0..self.filters {
                let group = filter / (self.filters / self.groups);
                for (row, column) in (0..out_h).flat_map(|row| (0..out_w).map(move |column| (row, column))) {
                    let output = ((image * self.filters + filter) * out_h + row) * out_w + column;
                    for (c, ky) in (0..depth).flat_map(|c| (0..self.kernel).map(move |ky| (c, ky))) {
                        let y = row * self.stride + ky * self.dilation;
                        if y < self.pads[0] || y - self.pads[0] >= height {
                            continue;
                        }
                        for kx in 0..self.kernel {
                            let x = column * self.stride + kx * self.dilation;
                            if x < self.pads[2] || x - self.pads[2] >= width {
                                continue;
                            }
                            let plane = image * channels + group * depth + c;
                            let input = (plane * height + y - self.pads[0]) * width + x - self.pads[2];
                            tap(output, input, ((filter * depth + c) * self.kernel + ky) * self.kernel + kx);
                        }
                    }
                }
            }
        }
    }

    fn output(&self) -> [usize; 2] {
        let span = self.dilation * (self.kernel - 1) + 1;
        let side = |n: usize, pads: usize| (n + pads - span) / self.stride + 1;
        [side(self.input[2], self.pads[0] + self.pads[1]), side(self.input[3], self.pads[2] + self.pads[3])]
    }

    fn check(&self, name: &str) {
        let weight = noise(&[self.filters, self.input[1] / self.groups, self.kernel, self.kernel], 2);
        let input = noise(&self.input, 1);
        let [out_h, out_w] = self.output();
        let gradient = noise(&[self.input[0], self.filters, out_h, out_w], 3);
        let run = run(&self.op(), &input, std::slice::from_ref(&weight), &gradient);
        let mut wanted = [vec![0.0; gradient.data.len()], vec![0.0; input.data.len()], vec![0.0; weight.data.len()]];
        self.products(|output, from, kernel| {
            let number = |tensor: &HostTensor, index: usize| f64::from(tensor.data[index]);
            wanted[0][output] += number(&input, from) * number(&weight, kernel);
            wanted[1][from] += number(&gradient, output) * number(&weight, kernel);
            wanted[2][kernel] += number(&gradient, output) * number(&input, from);
        });
        assert_close(&format!("{name}: output"), &run.output.data, &wanted[0]);
        assert_close(&format!("{name}: gradient of the input"), &run.input_grads[0].data, &wanted[1]);
        assert_close(&format!("{name}: gradient of the kernels"), &run.param_grads[0].data, &wanted[2]);
    }
}

fn run(op: &Op, input: &HostTensor, params: &[HostTensor], gradient: &HostTensor) -> OpRun {
    run_op(op, std::slice::from_ref(input), params, true, Some(gradient), &Device::flex()).expect("the op fits")
}

/// To 1e-4 of the largest number: sums of thousands of products lose digits in 32 bits.
fn assert_close(name: &str, got: &[f32], wanted: &[f64]) {
    assert_eq!(got.len(), wanted.len(), "{name}");
    let largest = wanted.iter().fold(1.0_f64, |most, v| most.max(v.abs()));
    for (at, (got, wanted)) in got.iter().zip(wanted).enumerate() {
        assert!(
            (f64::from(*got) - wanted).abs() < 1e-4 * largest,
            "{name}[{at}]: {got}, the definition gives {wanted}"
        );
    }
}

#[test]
fn convolutions_of_real_sizes_follow_the_definition() {
    let base = Conv { input: [3, 16, 20, 22], filters: 32, kernel: 3, stride: 1, dilation: 1, groups: 1, pads: [1; 4] };
    base.check("3x3");
    Conv { stride: 2, pads: [0, 1, 0, 1], ..base }.check("3x3, stride 2, same");
    Conv { kernel: 1, pads: [0; 4], filters: 64, ..base }.check("1x1");
    Conv { kernel: 1, pads: [0; 4], stride: 2, ..base }.check("1x1, stride 2");
    Conv { groups: 4, ..base }.check("4 groups");
    Conv { groups: 16, filters: 16, kernel: 7, pads: [3; 4], ..base }.check("depthwise 7x7");
    Conv { groups: 16, stride: 2, pads: [0, 1, 0, 1], ..base }.check("depthwise, 2 filters a channel, stride 2");
    Conv { dilation: 3, pads: [3; 4], ..base }.check("dilation 3");
    Conv { input: [4, 1, 28, 28], filters: 6, kernel: 5, pads: [2; 4], ..base }.check("first layer, 5x5");
    Conv { input: [2, 3, 47, 47], filters: 24, kernel: 11, stride: 4, pads: [0; 4], ..base }
        .check("first layer, 11x11");
}

#[test]
fn a_transposed_convolution_is_the_transpose_of_a_convolution() {
    // Its output is the gradient of the convolution with the same kernels with respect to that one's input.
    let conv = Conv { input: [2, 8, 24, 24], filters: 16, kernel: 4, stride: 2, dilation: 1, groups: 1, pads: [1; 4] };
    let kernels = noise(&[16, 8, 4, 4], 2);
    let small = noise(&[2, 16, 12, 12], 1);
    let op = Op::ConvTranspose2d {
        filters: 8,
        kernel: [4, 4],
        stride: [2, 2],
        dilation: [1, 1],
        groups: 1,
        padding: [1, 1],
        output_padding: [0, 0],
        bias: false,
    };
    let gradient = noise(&conv.input, 3);
    let run = run(&op, &small, std::slice::from_ref(&kernels), &gradient);
    let mut wanted = [vec![0.0; gradient.data.len()], vec![0.0; small.data.len()], vec![0.0; kernels.data.len()]];
    conv.products(|from, output, kernel| {
        let number = |tensor: &HostTensor, index: usize| f64::from(tensor.data[index]);
        wanted[0][output] += number(&small, from) * number(&kernels, kernel);
        wanted[1][from] += number(&gradient, output) * number(&kernels, kernel);
        wanted[2][kernel] += number(&gradient, output) * number(&small, from);
    });
    assert_close("output", &run.output.data, &wanted[0]);
    assert_close("gradient of the input", &run.input_grads[0].data, &wanted[1]);
    assert_close("gradient of the kernels", &run.param_grads[0].data, &wanted[2]);
}

#[test]
fn batch_norm_of_a_real_layer_gives_mean_zero_and_deviation_one() {
    // Weight 1, bias 0: each channel of the output has mean 0 and variance v/(v + eps). The gradient is orthogonal to 1 and
    // to the output (shifting or scaling the input changes nothing, but for eps).
    let (images, channels, pixels) = (8, 32, 28 * 28);
    let mut input = noise(&[images, channels, 28, 28], 1);
    input.data.iter_mut().for_each(|v| *v = *v * 3.0 + 5.0);
    let vector = |value: f32| HostTensor::new(vec![channels], vec![value; channels]);
    let params = [vector(1.0), vector(0.0), vector(0.0), vector(1.0)];
    let run = run(&Op::BatchNorm { eps: 1e-5, momentum: 0.1 }, &input, &params, &noise(&input.shape, 2));
    let count = (images * pixels) as f64;
    for channel in 0..channels {
        let of = |tensor: &HostTensor| -> Vec<f64> {
            let starts = (0..images).map(|image| (image * channels + channel) * pixels);
            starts.flat_map(|start| tensor.data[start..start + pixels].iter().map(|&v| f64::from(v))).collect()
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / count;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / count;
        let (before, after, gradient) = (of(&input), of(&run.output), of(&run.input_grads[0]));
        assert!(mean(&after).abs() < 1e-4 && (dot(&after, &after) - 1.0).abs() < 1e-3, "channel {channel}");
        assert!(mean(&gradient).abs() < 1e-4 && dot(&gradient, &after).abs() < 1e-4, "channel {channel}");
        // Running: 0.9 of the old value, 0.1 of the batch's, the variance unbiased.
        let batch_mean = mean(&before);
        let variance = before.iter().map(|v| (v - batch_mean).powi(2)).sum::<f64>() / (count - 1.0);
        assert!((f64::from(run.running[0].data[channel]) - 0.1 * batch_mean).abs() < 1e-4);
        assert!((f64::from(run.running[1].data[channel]) - 0.9 - 0.1 * variance).abs() < 1e-4);
    }
}

#[test]
fn an_even_window_of_the_response_norm_reaches_one_map_further_down() {
    // torch.nn.functional.local_response_norm pads size // 2 maps in front and (size - 1) // 2 behind: map i sees the maps
    // i - size/2 to i + (size - 1)/2. Alpha multiplies the plain sum (the paper; PyTorch divides it by the size).
    let [images, maps, pixels] = [2, 9, 6];
    let (alpha, beta, k) = (0.3, 0.75, 2.0);
    for window in [2, 4, 6, 5] {
        let input = noise(&[images, maps, 2, 3], window);
        let gradient = noise(&input.shape, 3);
        let op = Op::Lrn { window: window as u64, alpha, beta, k };
        let run = run(&op, &input, &[], &gradient);
        let at = |tensor: &HostTensor, image: usize, map: usize, pixel: usize| {
            f64::from(tensor.data[(image * maps + map) * pixels + pixel])
        };
        let (mut output, mut slope) = (vec![0.0; input.data.len()], vec![0.0; input.data.len()]);
        for (image, pixel) in (0..images).flat_map(|image| (0..pixels).map(move |pixel| (image, pixel))) {
            let x = |map: usize| at(&input, image, map, pixel);
            for i in 0..maps {
                let seen = i.saturating_sub(window / 2)..(i + (window - 1) / 2 + 1).min(maps);
                let base = k + alpha * seen.clone().map(|j| x(j) * x(j)).sum::<f64>();
                let place = |map: usize| (image * maps + map) * pixels + pixel;
                output[place(i)] = x(i) * base.powf(-beta);
                let g = at(&gradient, image, i, pixel);
                slope[place(i)] += g * base.powf(-beta);
                for j in seen {
                    // d/dx_j of base^-beta is -beta base^(-beta - 1) 2 alpha x_j.
                    slope[place(j)] -= g * x(i) * beta * base.powf(-beta - 1.0) * 2.0 * alpha * x(j);
                }
            }
        }
        assert_close(&format!("window {window}: output"), &run.output.data, &output);
        assert_close(&format!("window {window}: gradient"), &run.input_grads[0].data, &slope);
    }
}
