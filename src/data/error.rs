//! What can be wrong with data: the rule first, then what was found, then a way out. Knows nothing of who shows it.

use crate::op::Shape;
use std::path::PathBuf;

/// Why a data set, or a batch of it, cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder cannot be read.
    #[error("Data must be readable. {}: {source}. Check the path and its permissions.", file.display())]
    Open {
        /// The file or folder.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file of the set is not there.
    #[error(
        "A folder of IDX data must hold {name} (also with .gz, or with .{} before ubyte). Not found in {}. Choose the folder that holds the four files.",
        "idx", folder.display()
    )]
    Missing {
        /// The folder searched.
        folder: PathBuf,
        /// The file's usual name.
        name: &'static str,
    },
    /// The first four bytes are not those of this kind of file.
    #[error("A file of {what} must start with {expected:#010x}. {}: found {found:#010x}. Check that the file is not renamed or damaged.", file.display())]
    Magic {
        /// The file.
        file: PathBuf,
        /// "images" or "labels".
        what: &'static str,
        /// The number that must be there.
        expected: u32,
        /// The number found.
        found: u32,
    },
    /// Sizes in the header are zero or beyond the limit.
    #[error("{what} must be between 1 and {limit}. {}: found {found}. Check that the file is not damaged.", file.display())]
    Size {
        /// The file.
        file: PathBuf,
        /// Which size.
        what: &'static str,
        /// Largest size accepted.
        limit: u64,
        /// Size found.
        found: u64,
    },
    /// The file ends before its header says.
    #[error("The file must hold the {expected} bytes that its header announces. {}: it ends after {found}. Get a complete copy.", file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// Bytes announced, header included.
        expected: u64,
        /// Bytes there, unpacked.
        found: u64,
    },
    /// The file goes on after what its header says.
    #[error("The file must end after the {expected} bytes that its header announces. {}: it goes on. Get an undamaged copy.", file.display())]
    TrailingBytes {
        /// The file.
        file: PathBuf,
        /// Bytes announced, header included.
        expected: u64,
    },
    /// The gzip stream is damaged.
    #[error("A packed file must be valid gzip. {}: {reason}. Get an undamaged copy.", file.display())]
    Gzip {
        /// The file.
        file: PathBuf,
        /// The unpacker's reason.
        reason: String,
    },
    /// Images and labels differ in number.
    #[error("Images and labels must be equally many. {}: {image_count}, {}: {label_count}. Take both files from the same set.", images.display(), labels.display())]
    PairLength {
        /// The file of images.
        images: PathBuf,
        /// The file of labels.
        labels: PathBuf,
        /// Images.
        image_count: u64,
        /// Labels.
        label_count: u64,
    },
    /// All training images are of one class.
    #[error(
        "Training needs at least two classes. {}: all {count} labels are {class}. Choose the labels that belong to the images.",
        file.display()
    )]
    OneClass {
        /// The file of labels.
        file: PathBuf,
        /// How many.
        count: usize,
        /// The only class.
        class: u8,
    },
    /// A folder of pictures needs classes.
    #[error(
        "A folder of pictures must hold one folder of pictures per class, at least two. {}: found {}. Put the pictures of each class into a folder named like the class.",
        folder.display(), if found.is_empty() { "none".to_owned() } else { format!("only {}", found.join(", ")) }
    )]
    Classes {
        /// The folder.
        folder: PathBuf,
        /// Class folders found.
        found: Vec<String>,
    },
    /// A class is only in the validation or test folder.
    #[error("Every class must be among the training folders. {}: {class:?} is not. Rename the folder, or add it to the training folder.", folder.display())]
    UnknownClass {
        /// The validation or test folder.
        folder: PathBuf,
        /// The class.
        class: String,
    },
    /// Too many files.
    #[error("A folder of pictures may hold at most {limit} pictures. {}: found more. Choose a smaller folder.", folder.display())]
    TooMany {
        /// The folder.
        folder: PathBuf,
        /// The limit.
        limit: usize,
    },
    /// Shares of the splits leave nothing, or are no shares.
    #[error(
        "Validation and test shares must be at least 0 and together less than 1. Validation {validation}, test {test}. Use 0.1 and 0.1."
    )]
    Shares {
        /// Validation share.
        validation: f64,
        /// Test share.
        test: f64,
    },
    /// No image is left to train with.
    #[error(
        "Training needs at least one image. {name} leaves none{}. Choose another folder, or smaller validation and test shares.",
        reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default()
    )]
    NoTraining {
        /// The data set.
        name: String,
        /// A first broken file, if there is one.
        reason: Option<String>,
    },
    /// The network's input is no image.
    #[error(
        "Images need an input of height × width × 1 or 3 channels, at most {limit} a side. The network's input is {found}. Change the size of its Input."
    )]
    Input {
        /// Largest side.
        limit: u64,
        /// The network's input.
        found: Shape,
    },
    /// Mean or standard deviation does not fit.
    #[error(
        "{what} must be one number, or one per channel ({channels}), {rule}. Received {found:?}. Use {what} = {example}."
    )]
    Normalise {
        /// "mean" or "std".
        what: &'static str,
        /// What the numbers must be.
        rule: &'static str,
        /// Channels of the network's input.
        channels: usize,
        /// What was given.
        found: Vec<f32>,
        /// A value that works.
        example: &'static str,
    },
    /// Not one image of a split can be decoded.
    #[error(
        "At least one image of the {split} split must be readable. All {count} failed; the first: {reason} Check the files in the list of problems."
    )]
    NothingReadable {
        /// The split.
        split: super::Split,
        /// Images tried.
        count: usize,
        /// Reason of the first.
        reason: String,
    },
    /// The decode threads cannot be started, or one ended.
    #[error("Images are decoded by threads of their own. {reason}. Start again; if it stays, close other programs.")]
    Pool {
        /// What happened.
        reason: String,
    },
}

/// Why one item cannot be had. Training goes on without it.
#[derive(Debug, thiserror::Error)]
pub enum ItemError {
    /// The index is past the end.
    #[error("The number of an image must be from 1 to {len}. Received {}.", index + 1)]
    NoSuchItem {
        /// The index; a person counts from 1.
        index: usize,
        /// Number of items.
        len: usize,
    },
    /// The file cannot be opened or read.
    #[error("A picture must be readable. {}: {source}. Check the file and its permissions.", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The content is no picture of a known format.
    #[error("A picture must be PNG, JPEG, BMP, GIF, WebP or TIFF. {}: the content is none of them. Save it again as PNG.", file.display())]
    UnknownFormat {
        /// The file.
        file: PathBuf,
    },
    /// The picture is larger than accepted.
    #[error("A picture must be at most {limit} pixels a side and {limit_mb} MB unpacked. {}: {found}. Make it smaller first.", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Pixels a side.
        limit: u32,
        /// MB unpacked.
        limit_mb: u64,
        /// What was found.
        found: String,
    },
    /// The decoder gave up.
    #[error("A picture must be complete and undamaged. {}: {reason}. Get another copy, or leave it out.", file.display())]
    Decode {
        /// The file.
        file: PathBuf,
        /// The decoder's reason.
        reason: String,
    },
}
