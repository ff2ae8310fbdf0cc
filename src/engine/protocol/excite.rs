//! Which parts of which images excite the channels of a layer most. Plain data.

use super::{Cell, NetworkRef, Plane};
use crate::data::Split;
use serde::{Deserialize, Serialize};

/// Looking through images for what excites some channels of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExciteRequest {
    /// Comes back with the answer.
    pub id: u64,
    /// Whose weights.
    pub network: NetworkRef,
    /// Path of the layer, or of an op inside it.
    pub layer: String,
    /// The first channel that is wanted.
    pub first: u64,
    /// How many channels from there on.
    pub channels: u32,
    /// Most images to look through, of the validation data (of the training data if there is none). The answer may be of fewer:
    /// the time for it is limited, and it ends early when something else is asked for.
    pub images: u32,
    /// Patches of each channel, each of another image.
    pub patches: u32,
    /// Longest side of a patch sent.
    pub max_side: u32,
}

impl ExciteRequest {
    /// Images looked through unless asked otherwise.
    pub const IMAGES: u32 = 512;
    /// Channels of an answer.
    pub const CHANNELS: u32 = 32;
    /// Patches of a channel.
    pub const PATCHES: u32 = 12;

    /// A request with the usual limits.
    pub fn new(network: NetworkRef, layer: impl Into<String>, first: u64) -> Self {
        Self {
            id: 0,
            network,
            layer: layer.into(),
            first,
            channels: Self::CHANNELS,
            images: Self::IMAGES,
            patches: Self::PATCHES,
            max_side: 48,
        }
    }
}

/// The part of an image that a cell sees.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExcitingPatch {
    /// Place of the image in the split.
    pub index: u64,
    /// What the data say it is.
    pub label: Option<u32>,
    /// The cell that answers most in this image.
    pub cell: Cell,
    /// The layer's output there.
    pub value: f32,
    /// What went into its activation: by this number patches are ranked, since outputs of many may be the same 1 or 0.
    pub before: f32,
    /// Rows (from, to) and columns (from, to) of the image that the cell sees; the ends are not part of it.
    pub rows: (u64, u64),
    /// See `rows`.
    pub columns: (u64, u64),
    /// The pixels there, dark to bright over the range of the whole image.
    pub plane: Plane,
}

/// What excites a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExcitedChannel {
    /// The channel.
    pub channel: u64,
    /// The most exciting first.
    pub patches: Vec<ExcitingPatch>,
}

/// What excites some channels of a layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExciteReport {
    /// The request's id.
    pub id: u64,
    /// Step of the weights; none if stored or fresh.
    pub step: Option<u64>,
    /// The request's layer.
    pub layer: String,
    /// Channels (or features) that the layer has.
    pub of: u64,
    /// Whether its output is maps.
    pub is_map: bool,
    /// The activation after which values stand, if the layer ends with one.
    pub activation: Option<String>,
    /// Where the images are.
    pub split: Split,
    /// Images that were looked through.
    pub images: u64,
    /// Images that there are.
    pub all: u64,
    /// Rows and columns of the image that the network reads.
    pub size: [u64; 2],
    /// The channels that were asked for, in order.
    pub channels: Vec<ExcitedChannel>,
    /// Seconds it took.
    pub secs: f64,
}
