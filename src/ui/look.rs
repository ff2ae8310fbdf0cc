//! What is looked at inside a network, and what came back. Plain data; asked for by panels, answered by `looker`.

use crate::engine::protocol::{self, Cell, ExciteReport, ExplainReport, ImageRef, SenseReport, SpreadReport};
use crate::graph::DataSource;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// The kinds of questions, each with an answer of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Feature maps and the answer of the network.
    Probe,
    /// How a cell came to be.
    Explain,
    /// What a cell sees.
    Sense,
    /// Histograms.
    Spread,
    /// What excites the channels most.
    Excite,
}

impl Kind {
    /// All of them, in the order that they are asked in.
    pub const ALL: [Self; 5] = [Self::Probe, Self::Explain, Self::Sense, Self::Spread, Self::Excite];
}

/// In what the answer on show differs from what is asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Differs {
    /// Other weights: another run, or before and after it.
    Weights,
    /// The network before it was changed.
    Network,
    /// Another image.
    Image,
    /// Another layer.
    Layer,
    /// Another cell.
    Cell,
    /// Filters over another input channel, or other input maps.
    Channel,
}

impl Differs {
    /// What the answer on show is of, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Weights => "of the weights before",
            Self::Network => "of the network before the change",
            Self::Image => "of the image before",
            Self::Layer => "of the layer before",
            Self::Cell => "of the cell before",
            Self::Channel => "of the channels before",
        }
    }

    /// Whether what the network says of the image is of another time or image, and not the maps only.
    pub fn is_of_answer(self) -> bool {
        matches!(self, Self::Weights | Self::Network | Self::Image)
    }
}

/// An answer on show that is no longer what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    /// In what.
    pub differs: Differs,
    /// Since when, or since the last answer that came meanwhile.
    pub since: Instant,
}

/// Whose weights.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// The run of the document in front, live while it trains; without a run the initial weights.
    #[default]
    Run,
    /// The initial weights.
    Untrained,
    /// A stored run, by its folder.
    Stored(PathBuf),
}

/// One look: what a panel that is on show wants to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Whose weights.
    pub whose: Whose,
    /// Path of the layer, or of an op inside it.
    pub layer: String,
    /// Which image.
    pub image: ImageRef,
    /// The data that its number is meant in.
    pub data: Option<DataSource>,
    /// Filters are shown over this input channel.
    pub filter_channel: Option<u32>,
    /// The cell to be explained.
    pub cell: Option<Cell>,
    /// Its input maps from this place of the ranking on.
    pub first_map: u32,
    /// The cell whose effective receptive field is wanted.
    pub sense: Option<Cell>,
    /// Whether histograms are wanted.
    pub spread: bool,
    /// The channels of which patches are wanted.
    pub excite: Option<Excite>,
}

/// Of which channels the most exciting patches are wanted, and out of how many images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excite {
    /// The first channel.
    pub first: u64,
    /// Most images to look through.
    pub images: u32,
}

impl Look {
    /// In what an answer to another look differs from what this one asks, the weightiest first.
    pub fn differs(&self, of: &Self) -> Option<Differs> {
        let found = [
            (self.whose != of.whose, Differs::Weights),
            (self.image != of.image, Differs::Image),
            (self.layer != of.layer, Differs::Layer),
            ((self.cell, self.sense) != (of.cell, of.sense), Differs::Cell),
            ((self.filter_channel, self.first_map) != (of.filter_channel, of.first_map), Differs::Channel),
            (self.excite != of.excite, Differs::Channel),
        ];
        found.into_iter().find_map(|(is_other, differs)| is_other.then_some(differs))
    }
}

/// One channel of a feature map, ready to draw.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plane {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Bytes a pixel: 1, or 3 for colours.
    pub depth: usize,
    /// Values scaled to 0..255 over the channel's range.
    pub pixels: Vec<u8>,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Mean value; no number if unknown.
    pub mean: f32,
    /// Share of exact zeros; no number if unknown.
    pub zeros: f32,
}

impl Plane {
    /// A plane as it was sent.
    pub fn new(from: &protocol::Plane, stats: Option<&protocol::ChannelStats>) -> Self {
        Self {
            width: from.width as usize,
            height: from.height as usize,
            depth: from.depth.max(1) as usize,
            pixels: from.pixels.clone(),
            // A map that was scaled down to means has a narrower range than the true one.
            min: from.min,
            max: from.max,
            mean: stats.map_or(f32::NAN, |stats| stats.mean),
            zeros: stats.map_or(f32::NAN, |stats| stats.zeros),
        }
    }

    /// The value of a pixel, to a 255th of the range.
    pub fn value(&self, x: usize, y: usize) -> f32 {
        let byte = self.pixels.get((y * self.width + x) * self.depth).copied().unwrap_or(0);
        self.min + f32::from(byte) / 255.0 * (self.max - self.min)
    }
}

/// What a probe brought back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbeView {
    /// Counts the answers: another number, other pictures.
    pub serial: u64,
    /// Path of names of the layer.
    pub layer: String,
    /// `[c, h, w]` or `[features]`.
    pub shape: Vec<u64>,
    /// Channels; of a vector one row.
    pub planes: Vec<Plane>,
    /// A convolution's filters, if the layer has some.
    pub filters: Vec<Plane>,
    /// Input channels that each filter looks at.
    pub filter_inputs: u32,
    /// Top classes: name, probability.
    pub top: Vec<(String, f32)>,
    /// The image as the network saw it.
    pub image: Option<Plane>,
    /// What the data say the image is; empty if they do not.
    pub label: String,
    /// Step at which it was taken; 0 if the weights are stored or untrained.
    pub step: u64,
    /// Why there is nothing, if so.
    pub problem: Option<String>,
}

impl ProbeView {
    /// `(c, h, w)` if the layer gives maps.
    pub fn map(&self) -> Option<[u64; 3]> {
        <[u64; 3]>::try_from(self.shape.as_slice()).ok()
    }
}

/// Something to look at that a person chose outside the panel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {
    /// A picture that was chosen or dropped.
    File(PathBuf),
    /// A validation image of a run's data, seen by that run's network.
    OfRun {
        /// The run's folder.
        run: PathBuf,
        /// Its index among the validation images.
        index: u64,
    },
}

/// The data that images are taken from: those of the network that is looked into, which may not be the document's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Where they come from.
    pub source: DataSource,
    /// How many there are for training, validation and test, once known.
    pub counts: Option<[u64; 3]>,
}

/// Everything that came back from looking, newest of each kind.
#[derive(Clone, Debug, Default)]
pub struct LookView {
    /// Feature maps.
    pub probe: Option<Arc<ProbeView>>,
    /// How a cell came to be.
    pub explained: Option<Arc<ExplainReport>>,
    /// What a cell sees.
    pub sensed: Option<Arc<SenseReport>>,
    /// Histograms.
    pub spread: Option<Arc<SpreadReport>>,
    /// What excites the channels most.
    pub excited: Option<Arc<ExciteReport>>,
    /// Which of these answers are no longer what is asked, by kind.
    pub stale: [Option<Stale>; 5],
    /// Why there is no answer, if so.
    pub problem: Option<String>,
    /// Whose weights they are, in words.
    pub whose: String,
    /// What was chosen elsewhere to be looked at; another number, another choice.
    pub offered: Option<(u64, Offered)>,
    /// The data of the network that is looked into.
    pub images: Option<Images>,
    /// The folder of the run that snapshots are read from.
    pub folder: Option<PathBuf>,
}

impl LookView {
    /// Whether the answer of a kind is no longer what is asked, in what, and since when.
    pub fn stale(&self, kind: Kind) -> Option<Stale> {
        self.stale.get(kind as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Split;

    #[test]
    fn an_answer_says_in_what_it_differs_from_what_is_asked() {
        let image = |index| ImageRef::Item { split: Split::Validation, index };
        let look = Look {
            whose: Whose::Run,
            layer: "c1".into(),
            image: image(0),
            data: None,
            filter_channel: None,
            cell: Some(Cell::new(1, 2, 3)),
            first_map: 0,
            sense: None,
            spread: false,
            excite: None,
        };
        assert_eq!(look.differs(&look.clone()), None);
        for (other, differs) in [
            (Look { whose: Whose::Untrained, ..look.clone() }, Differs::Weights),
            (Look { image: image(1), ..look.clone() }, Differs::Image),
            (Look { layer: "s2".into(), ..look.clone() }, Differs::Layer),
            (Look { cell: Some(Cell::new(1, 2, 4)), ..look.clone() }, Differs::Cell),
            (Look { first_map: 8, ..look.clone() }, Differs::Channel),
        ] {
            assert_eq!(look.differs(&other), Some(differs));
        }
        // Another image matters more than another layer: the answer of the network is old then too.
        let both = Look { image: image(1), layer: "s2".into(), ..look.clone() };
        assert_eq!(look.differs(&both), Some(Differs::Image));
    }
}
