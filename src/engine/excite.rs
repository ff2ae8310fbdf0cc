//! What excites the channels of a layer most: the patches of many images at which each channel answers highest, one of an
//! image. Images come a few at a time, so that no more than a bounded part of the layer's values is held.
//!
//! # Source
//! Girshick, Donahue, Darrell and Malik, "Rich feature hierarchies for accurate object detection and semantic segmentation",
//! 2014, section 3.1: show a unit by the regions of a large set of images that it answers most to.

use super::explain;
use super::host::size;
use super::probe::plane_between;
use super::protocol::{Cell, ExciteRequest, ExcitedChannel, ExcitingPatch};
use super::{EngineError, HostTensor, Network};
use crate::data::{Batch, BatchTarget};
use crate::op::{Activation, Op, Program, ValueId};
use crate::plan::{Sight, sight};
use std::collections::HashMap;

/// Most bytes of values that are read back at once.
const MOST_BYTES: u64 = 16 << 20;
/// Most images that are run at once.
const MOST_IMAGES: u64 = 32;

/// A search under way.
pub(super) struct Search<'a> {
    network: &'a Network,
    /// What is ranked.
    value: ValueId,
    activation: Option<Activation>,
    first: u64,
    patches: usize,
    max_side: usize,
    found: Vec<ExcitedChannel>,
    seen: HashMap<(u64, u64), Option<Sight>>,
    images: u64,
}

impl<'a> Search<'a> {
    /// Prepares a search.
    ///
    /// # Errors
    /// The network does not have the layer or the first channel.
    pub(super) fn new(network: &'a Network, request: &ExciteRequest) -> Result<Self, EngineError> {
        let program = network.program();
        let (output, _) = explain::find(program, &request.layer, Cell::new(request.first, 0, 0))?;
        let (value, activation) = before_activation(program, output);
        let all = program.value(value).shape.channels();
        let last = request.first.saturating_add(u64::from(request.channels)).min(all);
        let channel = |channel| ExcitedChannel { channel, patches: Vec::new() };
        Ok(Self {
            network,
            value,
            activation,
            first: request.first,
            patches: request.patches.max(1) as usize,
            max_side: request.max_side as usize,
            found: (request.first..last).map(channel).collect(),
            seen: HashMap::new(),
            images: 0,
        })
    }

    /// How many images to give at once.
    pub(super) fn at_once(&self) -> usize {
        let bytes = self.network.program().value_bytes(self.value).max(1);
        size((MOST_BYTES / bytes).clamp(1, MOST_IMAGES))
    }

    /// Looks through some more images.
    ///
    /// # Errors
    /// Images that do not fit, or a failing device.
    pub(super) fn add(&mut self, batch: &Batch) -> Result<(), EngineError> {
        let values = self.network.forward(batch, &[self.value])?.pop();
        let Some(HostTensor { shape, data }) = values else { return Ok(()) };
        let (channels, width) = (shape.get(1).copied().unwrap_or(1), shape.get(3).copied().unwrap_or(1).max(1));
        let area = shape.get(2).copied().unwrap_or(1).max(1) * width;
        for (at, image) in data.chunks((channels * area).max(1)).enumerate() {
            let maps = image.chunks(area).skip(size(self.first)).take(self.found.len());
            for (slot, map) in maps.enumerate() {
                let Some((place, before)) = highest(map) else { continue };
                if self.is_wanted(slot, before) {
                    let cell = Cell::new(self.first + slot as u64, (place / width) as u64, (place % width) as u64);
                    if let Some(patch) = self.patch(batch, at, cell, before) {
                        self.keep(slot, patch);
                    }
                }
            }
        }
        self.images += batch.len() as u64;
        Ok(())
    }

    /// The channels with their patches, the images looked through, and the activation after the ranked values.
    pub(super) fn finish(self) -> (Vec<ExcitedChannel>, u64, Option<Activation>) {
        (self.found, self.images, self.activation)
    }

    fn is_wanted(&self, slot: usize, before: f32) -> bool {
        let Some(channel) = self.found.get(slot) else { return false };
        channel.patches.len() < self.patches || channel.patches.last().is_none_or(|least| before > least.before)
    }

    fn keep(&mut self, slot: usize, patch: ExcitingPatch) {
        let Some(channel) = self.found.get_mut(slot) else { return };
        // Of two that answer alike the one seen first stays in front.
        let at = channel.patches.partition_point(|other| other.before >= patch.before);
        channel.patches.insert(at, patch);
        channel.patches.truncate(self.patches);
    }

    /// The pixels that a cell sees in an image of a batch; none if it sees only padding.
    fn patch(&mut self, batch: &Batch, at: usize, cell: Cell, before: f32) -> Option<ExcitingPatch> {
        let (program, value) = (self.network.program(), self.value);
        let seen =
            self.seen.entry((cell.y, cell.x)).or_insert_with(|| sight(program, value, [cell.channel, cell.y, cell.x]));
        let Sight { rows, columns } = (*seen)?;
        let [channels, height, width] = batch.shape;
        let image = batch.images.chunks((channels * height * width).max(1)).nth(at)?;
        // Three channels are colours; of any other number the first is shown.
        let depth = if channels == 3 { 3 } else { 1 };
        let maps = image.chunks((height * width).max(1)).take(depth);
        let line = |map: &[f32], row: u64| {
            map.get(size(row) * width + size(columns.0)..size(row) * width + size(columns.1))
                .unwrap_or_default()
                .to_vec()
        };
        let pixels: Vec<f32> = maps.flat_map(|map| (rows.0..rows.1).flat_map(move |row| line(map, row))).collect();
        let range = super::probe::range(image);
        let sides = (size(columns.1 - columns.0), size(rows.1 - rows.0));
        let plane = plane_between(&pixels, sides, depth, self.max_side, range);
        let label = match &batch.target {
            BatchTarget::Class(labels) => labels.get(at).copied(),
            _ => None,
        };
        #[expect(clippy::cast_possible_truncation, reason = "of a 32-bit number")]
        let value = self.activation.map_or(before, |function| function.value(f64::from(before)) as f32);
        let index = batch.indices.get(at).copied().map_or(0, u64::from);
        Some(ExcitingPatch { index, label, cell, value, before, rows, columns, plane })
    }
}

/// The largest value and its place; none if there is no number.
fn highest(map: &[f32]) -> Option<(usize, f32)> {
    let numbers = map.iter().copied().enumerate().filter(|(_, value)| value.is_finite());
    numbers.reduce(|best, next| if next.1 > best.1 { next } else { best })
}

/// What goes into a value's activation, if it comes from one that looks at one number at a time: tanh gives 1 for much, ReLU
/// 0, and what was larger before is more exciting all the same.
fn before_activation(program: &Program, output: ValueId) -> (ValueId, Option<Activation>) {
    let producer = program.ops.iter().rev().find(|node| node.outputs.contains(&output));
    match producer.map(|node| (&node.op, node.inputs.first())) {
        Some((Op::Activation(function), Some(&input))) if *function != Activation::Softmax => (input, Some(*function)),
        _ => (output, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::op::{Lowering, Pads, Shape};
    use burn::tensor::Device;
    use std::sync::Arc;

    /// One 3 × 3 kernel that answers to a bright pixel left of a dark one, and its negative, through tanh.
    fn edges() -> Network {
        let conv = Op::Conv2d {
            filters: 2,
            kernel: [1, 2],
            stride: [1, 1],
            dilation: [1, 1],
            groups: 1,
            pads: Pads::default(),
            bias: false,
        };
        let mut lowering = Lowering::new();
        let input = lowering.input("input", Shape::map(1, 3, 4)).unwrap();
        let x = lowering.within("conv", |l| {
            let x = l.push(conv, &[input])?;
            l.push(Op::Activation(Activation::Tanh), &[x])
        });
        lowering.output("out", x.unwrap());
        let mut network = Network::new(Arc::new(lowering.finish()), 1, &Device::flex()).unwrap();
        let weights = HostTensor::new(vec![2, 1, 1, 2], vec![1.0, -1.0, -1.0, 1.0]);
        assert!(network.set_weights(&[("conv.weight".to_owned(), weights)]).unwrap().is_complete());
        network
    }

    fn image(bright: &[(usize, f32)]) -> Vec<f32> {
        let mut pixels = vec![0.0; 12];
        bright.iter().for_each(|&(at, value)| pixels[at] = value);
        pixels
    }

    #[test]
    fn the_patch_that_answers_most_is_found_in_each_image_and_saturated_ones_keep_their_order() {
        let network = edges();
        // Image 7: 20 at row 1, column 2. Image 8: 30 at row 2, column 1. Image 9: nothing.
        let images = [image(&[(6, 20.0)]), image(&[(9, 30.0)]), image(&[])].concat();
        let target = BatchTarget::Class(vec![3, 4, 5]);
        let batch = Batch { images, shape: [1, 3, 4], target, indices: vec![7, 8, 9] };
        let request =
            ExciteRequest { patches: 2, ..ExciteRequest::new(super::super::protocol::NetworkRef::Live, "conv", 0) };
        let mut search = Search::new(&network, &request).unwrap();
        search.add(&batch).unwrap();
        let (found, looked, activation) = search.finish();
        assert_eq!((found.len(), looked, activation), (2, 3, Some(Activation::Tanh)));
        // Channel 0 is pixel minus its right neighbour: 30 in image 8 at row 2, column 1; 20 in image 7 at row 1, column 2.
        // tanh of both is 1 in 32 bits.
        let first = &found[0].patches;
        let told: Vec<_> = first.iter().map(|p| (p.index, p.label, p.cell, p.before, p.value)).collect();
        assert_eq!(told, [(8, Some(4), Cell::new(0, 2, 1), 30.0, 1.0), (7, Some(3), Cell::new(0, 1, 2), 20.0, 1.0)]);
        // It sees its own pixel and the one to the right; both over the image's range of 0 … 30.
        assert_eq!((first[0].rows, first[0].columns, &first[0].plane.pixels[..]), ((2, 3), (1, 3), &[255, 0][..]));
        // Channel 1 is the negative: it answers one column further left, where the bright pixel is the right one.
        let second = &found[1].patches;
        assert_eq!(
            second.iter().map(|p| (p.index, p.cell)).collect::<Vec<_>>(),
            [(8, Cell::new(1, 2, 0)), (7, Cell::new(1, 1, 1))]
        );
        assert_eq!(second[0].plane.pixels, [0, 255]);
    }

    #[test]
    fn channels_are_asked_for_in_parts_and_one_that_is_not_there_is_refused() {
        let network = edges();
        let ask = |first| {
            let request = ExciteRequest {
                channels: 5,
                ..ExciteRequest::new(super::super::protocol::NetworkRef::Live, "conv", first)
            };
            Search::new(&network, &request).map(|search| search.found.iter().map(|c| c.channel).collect::<Vec<_>>())
        };
        assert_eq!((ask(0).unwrap(), ask(1).unwrap()), (vec![0, 1], vec![1]));
        assert!(ask(2).is_err());
    }
}
