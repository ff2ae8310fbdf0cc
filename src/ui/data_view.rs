//! What the window knows of the data: counts, a few pictures, problems. Plain; made in a background thread, read by panels.

/// A small picture, ready for a texture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thumb {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Four bytes a pixel, row by row.
    pub rgba: Vec<u8>,
}

/// One picture with its class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Index of its class.
    pub class: usize,
    /// File name, or what takes its place.
    pub name: String,
    /// The picture, scaled down.
    pub picture: Thumb,
}

/// One step from the file to the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What was done.
    pub title: String,
    /// Sizes, ranges.
    pub note: String,
    /// The result.
    pub picture: Thumb,
}

/// Where opening stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DataState {
    /// In a background thread.
    #[default]
    Opening,
    /// Ready.
    Open,
    /// Not possible; why.
    Failed(String),
}

/// The data of a document as panels show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataView {
    /// Where opening stands.
    pub state: DataState,
    /// Name of the source.
    pub name: String,
    /// Class names.
    pub classes: Vec<String>,
    /// Images for training, validation and test.
    pub counts: [usize; 3],
    /// Training images per class.
    pub class_counts: Vec<usize>,
    /// Some training images of each class, class by class.
    pub samples: Vec<Sample>,
    /// What happens to one image.
    pub strip: Vec<Step>,
    /// Broken files: name and reason.
    pub problems: Vec<(String, String)>,
}
