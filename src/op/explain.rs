//! The arithmetic behind a number, written with the op's own values: why a 3×3 convolution has 2,800 parameters.

use super::{Op, Shape};

/// One calculation: what it gives and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    /// What is calculated: "Parameters", "MACs", "Output height" …
    pub quantity: &'static str,
    /// The rule in words and symbols.
    pub rule: &'static str,
    /// The rule with this op's numbers, without the result: "(3 × 3 × 3 + 1) × 100".
    pub terms: String,
    /// The result.
    pub result: u64,
}

impl Op {
    /// How parameters, multiply-adds and output sizes of this op come about. `inputs` and `output` must be its own shapes.
    pub fn explain(&self, inputs: &[&Shape], output: &Shape) -> Vec<Arithmetic> {
        let mut list: Vec<_> =
            self.explain_params(inputs).into_iter().chain(self.explain_macs(inputs, output)).collect();
        list.extend(self.explain_shape(inputs, output));
        list
    }

    fn explain_params(&self, inputs: &[&Shape]) -> Option<Arithmetic> {
        let c = inputs.first()?.channels();
        let templates = self.params(inputs, super::Init::default()).ok()?;
        let result = templates.iter().filter(|p| p.role.is_trained()).filter_map(super::ParamTemplate::elements).sum();
        let (rule, terms) = match self {
            Self::Conv2d { filters, kernel: [kh, kw], groups, bias, .. } => {
                let depth = c / groups;
                if *bias {
                    (
                        "(kernel area × input channels per group + 1 bias) × filters",
                        format!("({kh} × {kw} × {depth} + 1) × {filters}"),
                    )
                } else {
                    ("kernel area × input channels per group × filters", format!("{kh} × {kw} × {depth} × {filters}"))
                }
            }
            Self::ConvTranspose2d { filters, kernel: [kh, kw], groups, bias, .. } => {
                let per_group = filters / groups;
                if *bias {
                    (
                        "input channels × filters per group × kernel area + one bias per filter",
                        format!("{c} × {per_group} × {kh} × {kw} + {filters}"),
                    )
                } else {
                    ("input channels × filters per group × kernel area", format!("{c} × {per_group} × {kh} × {kw}"))
                }
            }
            Self::Dense { features, bias } => {
                if *bias {
                    ("(inputs + 1 bias) × outputs", format!("({c} + 1) × {features}"))
                } else {
                    ("inputs × outputs", format!("{c} × {features}"))
                }
            }
            Self::BatchNorm { .. } | Self::LayerNorm { .. } | Self::GroupNorm { .. } => {
                ("one scale and one shift per channel", format!("2 × {c}"))
            }
            Self::PRelu => ("one slope per channel", format!("{c}")),
            _ => return None,
        };
        Some(Arithmetic { quantity: "Parameters", rule, terms, result })
    }

    fn explain_macs(&self, inputs: &[&Shape], output: &Shape) -> Option<Arithmetic> {
        let input = inputs.first()?;
        let c = input.channels();
        let result = self.macs(inputs, output).ok()?;
        let (rule, terms) = match self {
            Self::Conv2d { kernel: [kh, kw], groups, .. } => {
                let (filters, h, w) = output.as_map()?;
                (
                    "kernel area × input channels per group × filters × output height × output width",
                    format!("{kh} × {kw} × {} × {filters} × {h} × {w}", c / groups),
                )
            }
            Self::ConvTranspose2d { filters, kernel: [kh, kw], groups, .. } => {
                let (_, h, w) = input.as_map()?;
                (
                    "input height × input width × kernel area × input channels × filters per group",
                    format!("{h} × {w} × {kh} × {kw} × {c} × {}", filters / groups),
                )
            }
            Self::Dense { features, .. } => ("inputs × outputs", format!("{c} × {features}")),
            _ => return None,
        };
        Some(Arithmetic { quantity: "MACs", rule, terms, result })
    }

    fn explain_shape(&self, inputs: &[&Shape], output: &Shape) -> Vec<Arithmetic> {
        let (Some((_, in_h, in_w)), Some((_, out_h, out_w))) =
            (inputs.first().and_then(|s| s.as_map()), output.as_map())
        else {
            return match (self, inputs.first().and_then(|s| s.as_map())) {
                (Self::Flatten, Some((c, h, w))) => vec![Arithmetic {
                    quantity: "Output features",
                    rule: "height × width × channels",
                    terms: format!("{h} × {w} × {c}"),
                    result: output.channels(),
                }],
                _ => Vec::new(),
            };
        };
        let axes = [("Output height", in_h, out_h), ("Output width", in_w, out_w)];
        let window = |kernel: &[u64; 2], stride: &[u64; 2], dilation: &[u64; 2], pads: super::Pads, ceil: bool| {
            let rule = if ceil {
                "(input + padding − dilation × (kernel − 1) − 1) / stride, rounded up, + 1 (a window that starts past the input is dropped)"
            } else {
                "(input + padding − dilation × (kernel − 1) − 1) / stride, rounded down, + 1"
            };
            let ends = pads.pairs();
            axes.iter()
                .enumerate()
                .map(|(i, &(quantity, input, result))| Arithmetic {
                    quantity,
                    rule,
                    terms: format!(
                        "({input} + {} + {} − {} × ({} − 1) − 1) / {} + 1",
                        ends[i].0, ends[i].1, dilation[i], kernel[i], stride[i]
                    ),
                    result,
                })
                .collect()
        };
        match self {
            Self::Conv2d { kernel, stride, dilation, pads, .. } => window(kernel, stride, dilation, *pads, false),
            Self::MaxPool { kernel, stride, pads, ceil } | Self::AvgPool { kernel, stride, pads, ceil, .. } => {
                window(kernel, stride, &[1, 1], *pads, *ceil)
            }
            Self::ConvTranspose2d { kernel, stride, dilation, padding, output_padding, .. } => axes
                .iter()
                .enumerate()
                .map(|(i, &(quantity, input, result))| Arithmetic {
                    quantity,
                    rule: "(input − 1) × stride − 2 × padding + dilation × (kernel − 1) + output padding + 1",
                    terms: format!(
                        "({input} − 1) × {} − 2 × {} + {} × ({} − 1) + {} + 1",
                        stride[i], padding[i], dilation[i], kernel[i], output_padding[i]
                    ),
                    result,
                })
                .collect(),
            Self::Upsample { scale, .. } => axes
                .iter()
                .enumerate()
                .map(|(i, &(quantity, input, result))| Arithmetic {
                    quantity,
                    rule: "input × scale",
                    terms: format!("{input} × {}", scale[i]),
                    result,
                })
                .collect(),
            Self::ZeroPad { pads } => axes
                .iter()
                .zip(pads.pairs())
                .map(|(&(quantity, input, result), (begin, end))| Arithmetic {
                    quantity,
                    rule: "input + padding before + padding after",
                    terms: format!("{input} + {begin} + {end}"),
                    result,
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}
