//! How one cell of one feature map came to be, with the numbers that the tensors hold. Plain data; the forward pass is
//! [`Network::forward`]'s, the arithmetic is written down here once more, op by op, and a test holds both together.

mod span;

use super::host::size;
use super::probe::{Limits, output_of, plane};
use super::protocol::{Cell, ExplainReport, ExplainRequest, ExplainStep, How, NormOver, SourceMap};
use super::{EngineError, HostTensor, Network};
use crate::data::Batch;
use crate::op::{Activation, Op, OpNode, Program, Shape, UpsampleMode, ValueId};
use span::Span;

/// Longest chain of steps that is told.
const STEPS: usize = 6;

/// Explains a cell.
///
/// # Errors
/// A layer or cell that the network does not have, an image that does not fit, or a failing device.
pub(super) fn explain(
    network: &Network,
    image: &Batch,
    request: &ExplainRequest,
) -> Result<ExplainReport, EngineError> {
    let program = network.program();
    let (value, cell) = find(program, &request.layer, request.cell)?;
    let chain = chain(program, value, cell);
    let mut taps = vec![value];
    for (node, _) in &chain {
        taps.extend(node.inputs.iter().chain(&node.outputs));
    }
    taps.sort_unstable();
    taps.dedup();
    let read = network.forward(image, &taps)?;
    let values = Values { program, taps: &taps, read: &read };
    let mut steps = Vec::with_capacity(chain.len());
    for (node, cell) in &chain {
        steps.push(step(network, &values, node, *cell)?);
    }
    let maps = match (steps.first(), chain.first()) {
        (Some(first), Some((node, _))) => source_maps(&values, node, first, request),
        _ => Vec::new(),
    };
    Ok(ExplainReport {
        id: request.id,
        step: None,
        layer: request.layer.clone(),
        shape: program.value(value).shape.dims().to_vec(),
        cell,
        value: values.number(value, cell)?,
        steps,
        maps,
        secs: 0.0,
    })
}

/// The value of a layer, and the cell if it is one of it.
pub(super) fn find(program: &Program, layer: &str, cell: Cell) -> Result<(ValueId, Cell), EngineError> {
    let refused = |found: String| EngineError::Cell { found };
    let value = output_of(program, layer).ok_or_else(|| refused(format!("There is no layer {layer:?}")))?;
    let shape = &program.value(value).shape;
    let fits = match shape.as_map() {
        Some((c, h, w)) => cell.channel < c && cell.y < h && cell.x < w,
        None => cell.channel < shape.channels() && (cell.y, cell.x) == (0, 0),
    };
    if fits { Ok((value, cell)) } else { Err(refused(format!("{cell:?} is not in {layer}, which gives {shape}"))) }
}

/// The ops that made a cell, first to last: back through everything that looks at one number only.
fn chain(program: &Program, value: ValueId, cell: Cell) -> Vec<(&OpNode, Cell)> {
    let mut chain = Vec::new();
    let mut value = value;
    while let Some(node) = producer(program, value) {
        chain.push((node, cell));
        let looks_at_one = matches!(
            node.op,
            Op::Activation(_) | Op::PRelu | Op::BatchNorm { .. } | Op::Dropout { .. } | Op::Cast { .. }
        );
        match node.inputs.first() {
            Some(&input) if looks_at_one && chain.len() < STEPS => value = input,
            _ => break,
        }
    }
    chain.reverse();
    chain
}

fn producer(program: &Program, value: ValueId) -> Option<&OpNode> {
    program.ops.iter().rev().find(|node| node.outputs.contains(&value))
}

/// The values that were read back.
struct Values<'a> {
    program: &'a Program,
    taps: &'a [ValueId],
    read: &'a [HostTensor],
}

impl<'a> Values<'a> {
    fn shape(&self, id: ValueId) -> &'a Shape {
        &self.program.value(id).shape
    }

    fn numbers(&self, id: ValueId) -> Result<&'a [f32], EngineError> {
        let at = self.taps.binary_search(&id).ok();
        at.and_then(|at| self.read.get(at)).map(|tensor| tensor.data.as_slice()).ok_or_else(lost)
    }

    fn number(&self, id: ValueId, cell: Cell) -> Result<f32, EngineError> {
        let at = match self.shape(id).as_map() {
            Some((_, h, w)) => (cell.channel * h + cell.y) * w + cell.x,
            None => cell.channel,
        };
        self.numbers(id)?.get(size(at)).copied().ok_or_else(lost)
    }

    /// The first input as maps: a vector that was flattened a moment ago counts as the maps it was.
    fn maps(&self, node: &OpNode) -> Result<Maps<'a>, EngineError> {
        let id = *node.inputs.first().ok_or_else(lost)?;
        let shape = unflattened(self.program, id);
        let (channels, height, width) = shape.as_map().unwrap_or((1, 1, shape.channels()));
        Ok(Maps { shape, channels, height, width, numbers: self.numbers(id)? })
    }
}

/// Planes of numbers, one after the other.
struct Maps<'a> {
    shape: &'a Shape,
    channels: u64,
    height: u64,
    width: u64,
    numbers: &'a [f32],
}

impl Maps<'_> {
    fn plane(&self, channel: u64) -> &[f32] {
        let area = size(self.height * self.width);
        let start = size(channel) * area;
        self.numbers.get(start..start + area).unwrap_or_default()
    }

    fn at(&self, channel: u64, y: u64, x: u64) -> f32 {
        self.plane(channel).get(size(y * self.width + x)).copied().unwrap_or(f32::NAN)
    }
}

/// The shape of a value, or of the maps that it was before flattening.
fn unflattened(program: &Program, value: ValueId) -> &Shape {
    let mut at = value;
    while let Some(node) = producer(program, at) {
        match (&node.op, node.inputs.first()) {
            (Op::Flatten, Some(&input)) => return &program.value(input).shape,
            (Op::Dropout { .. } | Op::Activation(_) | Op::Cast { .. }, Some(&input)) => at = input,
            _ => break,
        }
    }
    &program.value(value).shape
}

fn lost() -> EngineError {
    EngineError::Backend { message: "Fewer numbers came back than were asked for".into() }
}

fn step(network: &Network, values: &Values<'_>, node: &OpNode, cell: Cell) -> Result<ExplainStep, EngineError> {
    let program = values.program;
    let output = *node.outputs.first().ok_or_else(lost)?;
    let name = |id: &ValueId| match producer(program, *id) {
        Some(node) => node.path.clone(),
        None => program.inputs.iter().find(|input| input.value == *id).map_or_else(String::new, |i| i.name.clone()),
    };
    let source = *node.inputs.first().ok_or_else(lost)?;
    let source_shape =
        if matches!(node.op, Op::Dense { .. }) { unflattened(program, source) } else { values.shape(source) };
    Ok(ExplainStep {
        path: node.path.clone(),
        op: node.op.name().to_owned(),
        cell,
        is_map: values.shape(output).as_map().is_some(),
        sources: node.inputs.iter().map(name).collect(),
        source_shape: source_shape.dims().to_vec(),
        value: values.number(output, cell)?,
        how: how(network, values, node, cell)?,
    })
}

fn how(network: &Network, values: &Values<'_>, node: &OpNode, cell: Cell) -> Result<How, EngineError> {
    let source = *node.inputs.first().ok_or_else(lost)?;
    let x = || values.number(source, cell);
    let param = |index: usize| -> Result<HostTensor, EngineError> {
        network.parameter(*node.params.get(index).ok_or_else(lost)?)
    };
    let of_channel = |index: usize| -> Result<f32, EngineError> {
        param(index)?.data.get(size(cell.channel)).copied().ok_or_else(lost)
    };
    let copy = |source: usize, from: Cell| -> Result<How, EngineError> {
        let value = values.number(*node.inputs.get(source).ok_or_else(lost)?, from)?;
        Ok(How::Copy { source: u32::try_from(source).unwrap_or(u32::MAX), from, value })
    };
    Ok(match &node.op {
        Op::Conv2d { filters, kernel, stride, dilation, groups, pads, bias } => {
            let maps = values.maps(node)?;
            let span = Span::new(&maps, *kernel, *stride, *dilation, *pads, cell);
            let inputs = maps.channels / (*groups).max(1);
            let group = cell.channel / (filters / (*groups).max(1)).max(1);
            let weights = param(0)?;
            let area = size(kernel[0] * kernel[1]);
            let rows = (0..inputs).map(|i| {
                let start = (size(cell.channel) * size(inputs) + size(i)) * area;
                let kernel = weights.data.get(start..start + area).unwrap_or_default().to_vec();
                span.products(&maps, group * inputs + i, kernel)
            });
            let rows = rows.collect();
            How::Products { window: span.window(), rows, bias: if *bias { Some(of_channel(1)?) } else { None } }
        }
        Op::ConvTranspose2d { filters, kernel, stride, dilation, groups, padding, bias, .. } => {
            let maps = values.maps(node)?;
            let span = Span::transposed(&maps, *kernel, *stride, *dilation, *padding, cell);
            let groups = (*groups).max(1);
            let (inputs, outputs) = (maps.channels / groups, filters / groups);
            let (group, own) = (cell.channel / outputs.max(1), cell.channel % outputs.max(1));
            let weights = param(0)?;
            let area = size(kernel[0] * kernel[1]);
            let rows = (0..inputs).map(|i| {
                let channel = group * inputs + i;
                let start = (size(channel) * size(outputs) + size(own)) * area;
                span.products(&maps, channel, weights.data.get(start..start + area).unwrap_or_default().to_vec())
            });
            let rows = rows.collect();
            How::Products { window: span.window(), rows, bias: if *bias { Some(of_channel(1)?) } else { None } }
        }
        Op::Dense { bias, .. } => {
            let maps = values.maps(node)?;
            let span = Span::whole(&maps);
            let weights = param(0)?;
            let area = size(maps.height * maps.width);
            let rows = (0..maps.channels).map(|channel| {
                let start = (size(cell.channel) * size(maps.channels) + size(channel)) * area;
                let kernel = weights.data.get(start..start + area).unwrap_or_default().to_vec();
                span.products(&maps, channel, kernel)
            });
            let rows = rows.collect();
            How::Products { window: span.window(), rows, bias: if *bias { Some(of_channel(1)?) } else { None } }
        }
        Op::MaxPool { kernel, stride, pads, .. } => {
            let maps = values.maps(node)?;
            let span = Span::new(&maps, *kernel, *stride, [1, 1], *pads, cell);
            How::Largest { patch: span.patch(&maps, cell.channel), window: span.window() }
        }
        Op::AvgPool { kernel, stride, pads, count_padding, .. } => {
            let maps = values.maps(node)?;
            let span = Span::new(&maps, *kernel, *stride, [1, 1], *pads, cell);
            let divisor = if *count_padding { span.padded_area(&maps, *pads) } else { span.inside() };
            How::Mean { patch: span.patch(&maps, cell.channel), window: span.window(), divisor }
        }
        Op::GlobalAvgPool => {
            let maps = values.maps(node)?;
            let span = Span::whole(&maps);
            How::Mean { patch: span.patch(&maps, cell.channel), divisor: span.inside(), window: span.window() }
        }
        Op::BatchNorm { eps, .. } => How::Normalise {
            x: x()?,
            mean: f64::from(of_channel(2)?),
            variance: f64::from(of_channel(3)?),
            eps: *eps,
            gamma: of_channel(0)?,
            beta: of_channel(1)?,
            over: NormOver::Running,
            count: 0,
        },
        Op::LayerNorm { eps } => {
            let (mean, variance, count) = moments(&across(values, source, cell)?);
            let (gamma, beta) = (of_channel(0)?, of_channel(1)?);
            How::Normalise { x: x()?, mean, variance, eps: *eps, gamma, beta, over: NormOver::Channels, count }
        }
        Op::GroupNorm { groups, eps } => {
            let (mean, variance, count) = moments(group(values, source, *groups, cell.channel)?);
            let (gamma, beta) = (of_channel(0)?, of_channel(1)?);
            How::Normalise { x: x()?, mean, variance, eps: *eps, gamma, beta, over: NormOver::Group, count }
        }
        Op::Lrn { window, alpha, beta, k } => {
            let channels = values.shape(source).channels();
            let first = cell.channel.saturating_sub(window / 2);
            let last = (cell.channel + window.saturating_sub(1) / 2).min(channels.saturating_sub(1));
            let neighbour = |channel| Ok((channel, values.number(source, Cell { channel, ..cell })?));
            let neighbours = (first..=last).map(neighbour).collect::<Result<_, EngineError>>()?;
            How::Neighbours { x: x()?, values: neighbours, alpha: *alpha, beta: *beta, k: *k }
        }
        Op::Activation(Activation::Softmax) => {
            How::Softmax { values: across(values, source, cell)?, index: cell.channel }
        }
        Op::Activation(function) => How::Function { function: *function, x: x()? },
        Op::PRelu => {
            let function = Activation::LeakyRelu { slope: f64::from(of_channel(0)?) };
            How::Function { function, x: x()? }
        }
        Op::ZeroPad { pads } => {
            let (y, x) = (cell.y.checked_sub(pads.top), cell.x.checked_sub(pads.left));
            match (y, x, values.shape(source).as_map()) {
                (Some(y), Some(x), Some((_, h, w))) if y < h && x < w => copy(0, Cell { y, x, ..cell })?,
                _ => How::Zero,
            }
        }
        Op::Upsample { scale, mode: UpsampleMode::Nearest } => {
            copy(0, Cell { y: cell.y / scale[0].max(1), x: cell.x / scale[1].max(1), ..cell })?
        }
        Op::Upsample { scale, mode: UpsampleMode::Bilinear } => {
            let maps = values.maps(node)?;
            let (span, kernel) = Span::bilinear(&maps, *scale, cell);
            How::Products { rows: vec![span.products(&maps, cell.channel, kernel)], window: span.window(), bias: None }
        }
        Op::Add => How::Sum { terms: terms(values, node, cell)? },
        Op::Multiply => How::Product { terms: terms(values, node, cell)? },
        Op::Concat => {
            let mut first = 0;
            for (source, id) in node.inputs.iter().enumerate() {
                let channels = values.shape(*id).channels();
                if cell.channel < first + channels {
                    return copy(source, Cell { channel: cell.channel - first, ..cell });
                }
                first += channels;
            }
            return Err(lost());
        }
        Op::Flatten => match values.shape(source).as_map() {
            Some((_, h, w)) => {
                let (place, area) = (cell.channel, (h * w).max(1));
                copy(0, Cell::new(place / area, place % area / w.max(1), place % w.max(1)))?
            }
            None => copy(0, cell)?,
        },
        Op::Dropout { .. } | Op::Cast { .. } => copy(0, cell)?,
    })
}

/// One number of each input; a vector beside a map gives one number for a whole channel.
fn terms(values: &Values<'_>, node: &OpNode, cell: Cell) -> Result<Vec<f32>, EngineError> {
    let term = |id: &ValueId| {
        let spread = |size: u64, at: u64| if size == 1 { 0 } else { at };
        let (y, x) = values.shape(*id).as_map().map_or((0, 0), |(_, h, w)| (spread(h, cell.y), spread(w, cell.x)));
        values.number(*id, Cell { y, x, ..cell })
    };
    node.inputs.iter().map(term).collect()
}

/// All channels at a cell's place, or all features.
fn across(values: &Values<'_>, id: ValueId, cell: Cell) -> Result<Vec<f32>, EngineError> {
    (0..values.shape(id).channels()).map(|channel| values.number(id, Cell { channel, ..cell })).collect()
}

/// All numbers of the group that a channel is in.
fn group<'a>(values: &Values<'a>, id: ValueId, groups: u64, channel: u64) -> Result<&'a [f32], EngineError> {
    let numbers = values.numbers(id)?;
    let shape = values.shape(id);
    let area = shape.as_map().map_or(1, |(_, h, w)| h * w);
    let own = (shape.channels() / groups.max(1)).max(1);
    let start = size(channel / own * own * area);
    numbers.get(start..start + size(own * area)).ok_or_else(lost)
}

/// Mean, biased variance and number of values.
fn moments(values: &[f32]) -> (f64, f64, u64) {
    let count = values.len().max(1) as f64;
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    (mean, variance, values.len() as u64)
}

/// The maps that the first step read, those that contribute most first.
fn source_maps(values: &Values<'_>, node: &OpNode, first: &ExplainStep, request: &ExplainRequest) -> Vec<SourceMap> {
    let channels: Vec<u64> = match &first.how {
        How::Products { rows, .. } => {
            How::ranked(rows).into_iter().filter_map(|at| rows.get(at)).map(|row| row.channel).collect()
        }
        How::Largest { .. } | How::Mean { .. } => vec![first.cell.channel],
        How::Copy { from, source: 0, .. } => vec![from.channel],
        _ => Vec::new(),
    };
    let Ok(maps) = values.maps(node) else { return Vec::new() };
    let (height, width) = (size(maps.height), size(maps.width));
    let limits = Limits { planes: request.maps as usize, side: request.max_side as usize };
    let wanted = channels.into_iter().skip(request.first_map as usize).take(limits.planes);
    let picture = |channel| SourceMap { channel, plane: plane(maps.plane(channel), width, height, 1, limits.side) };
    if maps.shape.as_map().is_some() { wanted.map(picture).collect() } else { Vec::new() }
}
