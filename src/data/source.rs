//! The one interface of all data: item `i` by its index. Knows neither splits by share nor preprocessing.

use super::{ItemError, Picture, Problem, RawItem, Split};

/// A titled picture on the way from the file to the upright picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What was done.
    pub title: &'static str,
    /// The result.
    pub picture: Picture,
}

/// Something that holds labelled pictures. Reading may fail for an item, and items may differ in size.
pub trait Source: Send + Sync {
    /// What a person calls it.
    fn name(&self) -> String;

    /// Names of the classes, in the order of the labels.
    fn classes(&self) -> &[String];

    /// Number of items in all parts.
    fn len(&self) -> usize;

    /// Whether there is no item.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Label of item `index`, without reading its picture. `None` past the end.
    fn label(&self, index: usize) -> Option<u32>;

    /// The part that item `index` belongs to by itself. A part without any item is taken from training by share.
    fn part(&self, index: usize) -> Split;

    /// The item.
    ///
    /// # Errors
    /// [`ItemError`] if this item cannot be read; others may.
    fn item(&self, index: usize) -> Result<RawItem, ItemError>;

    /// The pictures from the file to the one [`item`](Self::item) gives.
    ///
    /// # Errors
    /// As [`item`](Self::item).
    fn stages(&self, index: usize) -> Result<Vec<Stage>, ItemError> {
        Ok(vec![Stage { title: "Stored", picture: self.item(index)?.picture }])
    }

    /// Where item `index` is from: a file, or what takes its place.
    fn origin(&self, index: usize) -> String;

    /// Files left out when the source was opened, each with its reason.
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}
