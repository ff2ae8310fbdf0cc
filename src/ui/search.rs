//! A search for a learning rate as the window sees it: plain data.

use crate::engine::protocol::{RateAdvice, RatePoint, RateSearch};

/// The last search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchView {
    /// Number of the request.
    pub id: u64,
    /// Revision of the document it is of.
    pub revision: u64,
    /// Steps taken.
    pub points: Vec<RatePoint>,
    /// Steps in all, unless the loss runs away.
    pub steps: u32,
    /// It is under way.
    pub is_running: bool,
    /// What it says.
    pub advice: Option<RateAdvice>,
    /// Why there is nothing, if it broke.
    pub problem: Option<String>,
}

impl SearchView {
    /// A search that starts.
    pub fn new(id: u64, steps: u32) -> Self {
        Self { id, steps, ..Self::default() }
    }

    /// Takes in how it goes.
    pub fn take(&mut self, found: RateSearch) {
        self.points = found.points;
        self.steps = found.steps;
        self.is_running = !found.is_done;
        self.advice = found.advice;
    }
}
