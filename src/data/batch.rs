//! Batches: plain buffers that the data gives and the engine takes. Knows neither files nor tensors.

/// Images and their targets, ready for a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Preprocessed values, image by image, each `[c, h, w]`.
    pub images: Vec<f32>,
    /// `c`, `h`, `w` of one image.
    pub shape: [usize; 3],
    /// What the images are to be recognised as.
    pub target: BatchTarget,
    /// Index of each image in its split; one per image.
    pub indices: Vec<u32>,
}

impl Batch {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// The targets of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchTarget {
    /// Nothing is known.
    None,
    /// One class per image.
    Class(Vec<u32>),
    /// A vector per image.
    Vector {
        /// Numbers per image.
        width: usize,
        /// All numbers, image by image.
        values: Vec<f32>,
    },
    /// A class per pixel.
    Map {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// All classes, image by image, row by row.
        classes: Vec<u32>,
    },
}

/// The order in which a split is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Shuffled for one epoch of training: a pure function of seed and epoch.
    Epoch {
        /// Seed of the run.
        seed: u64,
        /// Number of the epoch.
        epoch: u32,
        /// Whether the document's augmentation is applied, drawn per (seed, epoch, index).
        augment: bool,
    },
    /// From the first to the last, never augmented.
    Sequential,
}
