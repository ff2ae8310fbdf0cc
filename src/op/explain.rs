//! The arithmetic behind a number, written with the op's own values: why a 3×3 convolution has 2,800 parameters, and which
//! setting each of its terms comes from.

use super::{Op, Pads, Shape};

/// Where a term of a calculation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A setting, by the key that layers give it: `kernel`.
    Field(&'static str),
    /// The shape of what the op reads.
    Input,
}

/// One piece of a calculation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// A number or a sign, as it is written.
    pub text: String,
    /// What a person would change to change it.
    pub origin: Option<Origin>,
}

/// One calculation: what it gives and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arithmetic {
    /// What is calculated: "Parameters", "MACs", "Output height" …
    pub quantity: &'static str,
    /// The rule in words and symbols.
    pub rule: &'static str,
    /// The rule with this op's numbers, without the result: "(3 × 3 × 3 + 1) × 100", piece by piece.
    pub terms: Vec<Term>,
    /// The result.
    pub result: u64,
}

impl Arithmetic {
    /// The calculation in one line, without the result.
    pub fn formula(&self) -> String {
        self.terms.iter().map(|term| term.text.as_str()).collect()
    }
}

/// Fills a template: each brace takes the next value. Its name says where the value comes from: a setting, `in` for what the
/// op reads, or nothing.
fn terms(template: &'static str, values: &[u64]) -> Vec<Term> {
    let mut list = Vec::new();
    let mut values = values.iter();
    let plain = |list: &mut Vec<Term>, text: &str| {
        if !text.is_empty() {
            list.push(Term { text: text.to_owned(), origin: None });
        }
    };
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        plain(&mut list, before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let origin = match name {
            "" => None,
            "in" => Some(Origin::Input),
            key => Some(Origin::Field(key)),
        };
        list.extend(values.next().map(|value| Term { text: value.to_string(), origin }));
        rest = after;
    }
    plain(&mut list, rest);
    list
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
                        terms("({kernel} × {kernel} × {in} + {bias}) × {filters}", &[*kh, *kw, depth, 1, *filters]),
                    )
                } else {
                    (
                        "kernel area × input channels per group × filters",
                        terms("{kernel} × {kernel} × {in} × {filters}", &[*kh, *kw, depth, *filters]),
                    )
                }
            }
            Self::ConvTranspose2d { filters, kernel: [kh, kw], groups, bias, .. } => {
                let per_group = filters / groups;
                if *bias {
                    (
                        "input channels × filters per group × kernel area + one bias per filter",
                        terms("{in} × {filters} × {kernel} × {kernel} + {bias}", &[c, per_group, *kh, *kw, *filters]),
                    )
                } else {
                    (
                        "input channels × filters per group × kernel area",
                        terms("{in} × {filters} × {kernel} × {kernel}", &[c, per_group, *kh, *kw]),
                    )
                }
            }
            Self::Dense { features, bias: true } => {
                ("(inputs + 1 bias) × outputs", terms("({in} + {bias}) × {features}", &[c, 1, *features]))
            }
            Self::Dense { features, bias: false } => ("inputs × outputs", terms("{in} × {features}", &[c, *features])),
            Self::BatchNorm { .. } | Self::LayerNorm { .. } | Self::GroupNorm { .. } => {
                ("one scale and one shift per channel", terms("2 × {in}", &[c]))
            }
            Self::PRelu => ("one slope per channel", terms("{in}", &[c])),
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
                    terms("{kernel} × {kernel} × {in} × {filters} × {} × {}", &[*kh, *kw, c / groups, filters, h, w]),
                )
            }
            Self::ConvTranspose2d { filters, kernel: [kh, kw], groups, .. } => {
                let (_, h, w) = input.as_map()?;
                (
                    "input height × input width × kernel area × input channels × filters per group",
                    terms(
                        "{in} × {in} × {kernel} × {kernel} × {in} × {filters}",
                        &[h, w, *kh, *kw, c, filters / groups],
                    ),
                )
            }
            Self::Dense { features, .. } => ("inputs × outputs", terms("{in} × {features}", &[c, *features])),
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
                    terms: terms("{in} × {in} × {in}", &[h, w, c]),
                    result: output.channels(),
                }],
                _ => Vec::new(),
            };
        };
        // Height and width, each with the numbers of its own axis.
        let axes = [("Output height", in_h, out_h), ("Output width", in_w, out_w)];
        let both = |rule: &'static str, template: &'static str, numbers: &dyn Fn(usize, u64) -> Vec<u64>| {
            let each = axes.iter().enumerate();
            each.map(|(i, &(quantity, input, result))| Arithmetic {
                quantity,
                rule,
                terms: terms(template, &numbers(i, input)),
                result,
            })
            .collect()
        };
        let window = |kernel: &[u64; 2], stride: &[u64; 2], dilation: &[u64; 2], pads: Pads, ceil: bool| {
            let rule = if ceil {
                "(input + padding − dilation × (kernel − 1) − 1) / stride, rounded up, + 1 (a window that starts past the input is dropped)"
            } else {
                "(input + padding − dilation × (kernel − 1) − 1) / stride, rounded down, + 1"
            };
            let ends = pads.pairs();
            both(
                rule,
                "({in} + {padding} + {padding} − {dilation} × ({kernel} − 1) − 1) / {stride} + 1",
                &|i, input| vec![input, ends[i].0, ends[i].1, dilation[i], kernel[i], stride[i]],
            )
        };
        match self {
            Self::Conv2d { kernel, stride, dilation, pads, .. } => window(kernel, stride, dilation, *pads, false),
            Self::MaxPool { kernel, stride, pads, ceil } | Self::AvgPool { kernel, stride, pads, ceil, .. } => {
                window(kernel, stride, &[1, 1], *pads, *ceil)
            }
            Self::ConvTranspose2d { kernel, stride, dilation, padding, output_padding, .. } => both(
                "(input − 1) × stride − 2 × padding + dilation × (kernel − 1) + output padding + 1",
                "({in} − 1) × {stride} − 2 × {padding} + {dilation} × ({kernel} − 1) + {output_padding} + 1",
                &|i, input| vec![input, stride[i], padding[i], dilation[i], kernel[i], output_padding[i]],
            ),
            Self::Upsample { scale, .. } => {
                both("input × scale", "{in} × {scale}", &|i, input| vec![input, scale[i]])
            }
            Self::ZeroPad { pads } => {
                let ends = pads.pairs();
                both("input + padding before + padding after", "{in} + {pad_begin} + {pad_end}", &|i, input| {
                    vec![input, ends[i].0, ends[i].1]
                })
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exercise's first layer: 3 × 3 kernels over 3 channels, one bias, 100 filters: 2,800.
    #[test]
    fn every_number_of_a_calculation_knows_the_setting_behind_it() {
        let op = Op::Conv2d {
            filters: 100,
            kernel: [3, 3],
            stride: [2, 2],
            dilation: [1, 1],
            groups: 1,
            pads: Pads { top: 0, bottom: 1, left: 0, right: 1 },
            bias: true,
        };
        let list = op.explain(&[&Shape::map(3, 200, 300)], &Shape::map(100, 100, 150));
        let params = list.iter().find(|calc| calc.quantity == "Parameters").unwrap();
        assert_eq!((params.formula().as_str(), params.result), ("(3 × 3 × 3 + 1) × 100", 2_800));
        let origins: Vec<_> = params.terms.iter().filter_map(|term| term.origin).collect();
        let field = Origin::Field;
        assert_eq!(origins, [field("kernel"), field("kernel"), Origin::Input, field("bias"), field("filters")]);
        let height = list.iter().find(|calc| calc.quantity == "Output height").unwrap();
        // (200 + 0 + 1 - 1 * 2 - 1) / 2 = 99, + 1.
        assert_eq!((height.formula().as_str(), height.result), ("(200 + 0 + 1 − 1 × (3 − 1) − 1) / 2 + 1", 100));
    }
}
