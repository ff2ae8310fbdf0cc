//! Splits: which items train, which judge each epoch, which judge the end. By seed and stratified: every class gives
//! the same share. Knows labels only, no pictures.

use super::{DataError, seed};
use crate::graph::Splits;
use rand::seq::SliceRandom as _;
use std::fmt;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Trains the weights.
    Train,
    /// Judges each epoch.
    Validation,
    /// Judges the finished network.
    Test,
}

impl Split {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// `train`, `validation` or `test`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }

    /// The split of an id; `val` and `valid` are understood too.
    pub fn from_id(id: &str) -> Option<Self> {
        match id {
            "train" => Some(Self::Train),
            "validation" | "valid" | "val" => Some(Self::Validation),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// Item numbers of each split, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assignment {
    pub(super) train: Vec<u32>,
    pub(super) validation: Vec<u32>,
    pub(super) test: Vec<u32>,
}

impl Assignment {
    pub(super) fn of(&self, split: Split) -> &[u32] {
        match split {
            Split::Train => &self.train,
            Split::Validation => &self.validation,
            Split::Test => &self.test,
        }
    }
}

/// Gives each item (label and own part, in order) its split.
///
/// # Errors
/// [`DataError::Shares`] if a share is negative or both together leave nothing.
pub(super) fn assign(items: &[(u32, Split)], shares: Splits, seed: u64) -> Result<Assignment, DataError> {
    let Splits { validation, test } = shares;
    if !(validation >= 0.0 && test >= 0.0 && validation + test < 1.0) {
        return Err(DataError::Shares { validation, test });
    }
    let has = |part| items.iter().any(|&(_, own)| own == part);
    let validation = if has(Split::Validation) { 0.0 } else { validation };
    let test = if has(Split::Test) { 0.0 } else { test };
    let mut assignment = Assignment { train: Vec::new(), validation: Vec::new(), test: Vec::new() };
    let classes = items.iter().map(|&(label, _)| label as usize + 1).max().unwrap_or(0);
    let mut by_class = vec![Vec::new(); classes];
    for (index, &(label, own)) in (0_u32..).zip(items) {
        match own {
            Split::Train => by_class[label as usize].push(index),
            Split::Validation => assignment.validation.push(index),
            Split::Test => assignment.test.push(index),
        }
    }
    for (label, mut members) in (0_u64..).zip(by_class) {
        members.shuffle(&mut seed::generator(&[seed, seed::text("split"), label]));
        let held_validation = share_of(members.len(), validation);
        let held_test = share_of(members.len(), test);
        // A class with very few pictures still trains.
        let keep = members.len().saturating_sub(held_validation + held_test).max(1).min(members.len());
        let rest = members.split_off(keep);
        let (first, second) = rest.split_at(held_validation.min(rest.len()));
        assignment.train.extend(members);
        assignment.validation.extend(first);
        assignment.test.extend(second);
    }
    assignment.train.sort_unstable();
    assignment.validation.sort_unstable();
    assignment.test.sort_unstable();
    Ok(assignment)
}

/// `count * share` rounded to the nearest, but at least one if there is a share at all.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and count")]
fn share_of(count: usize, share: f64) -> usize {
    if share == 0.0 { 0 } else { ((count as f64 * share).round() as usize).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(counts: &[usize]) -> Vec<(u32, Split)> {
        (0_u32..).zip(counts).flat_map(|(label, &count)| vec![(label, Split::Train); count]).collect()
    }

    fn shares(validation: f64, test: f64) -> Splits {
        Splits { validation, test }
    }

    #[test]
    fn every_class_gives_the_same_share() {
        let items = items(&[100, 50, 10]);
        let split = assign(&items, shares(0.1, 0.2), 1).unwrap();
        let count = |indices: &[u32], label| indices.iter().filter(|&&i| items[i as usize].0 == label).count();
        // 100, 50, 10 times 0.1 and 0.2.
        assert_eq!([0, 1, 2].map(|label| count(&split.validation, label)), [10, 5, 1]);
        assert_eq!([0, 1, 2].map(|label| count(&split.test, label)), [20, 10, 2]);
        assert_eq!([0, 1, 2].map(|label| count(&split.train, label)), [70, 35, 7]);
    }

    #[test]
    fn splits_share_no_item_and_lose_none() {
        let split = assign(&items(&[31, 17]), shares(0.3, 0.3), 5).unwrap();
        let mut all = [split.train, split.validation, split.test].concat();
        all.sort_unstable();
        assert_eq!(all, (0..48).collect::<Vec<_>>());
    }

    #[test]
    fn the_seed_decides() {
        let items = items(&[50, 50]);
        assert_eq!(assign(&items, shares(0.2, 0.0), 3).unwrap(), assign(&items, shares(0.2, 0.0), 3).unwrap());
        assert_ne!(assign(&items, shares(0.2, 0.0), 3).unwrap(), assign(&items, shares(0.2, 0.0), 4).unwrap());
    }

    #[test]
    fn parts_of_the_source_itself_stay_as_they_are() {
        let mut items = items(&[20]);
        items.extend([(0, Split::Test), (0, Split::Test)]);
        let split = assign(&items, shares(0.1, 0.5), 1).unwrap();
        assert_eq!(split.test, [20, 21]);
        assert_eq!((split.train.len(), split.validation.len()), (18, 2));
    }

    #[test]
    fn a_class_with_one_picture_trains() {
        let split = assign(&items(&[1, 40]), shares(0.1, 0.1), 1).unwrap();
        assert!(split.train.contains(&0));
    }

    #[test]
    fn shares_that_leave_nothing_are_refused() {
        for (validation, test) in [(0.5, 0.5), (-0.1, 0.1), (f64::NAN, 0.1), (0.1, f64::INFINITY)] {
            assert!(matches!(assign(&items(&[10]), shares(validation, test), 1), Err(DataError::Shares { .. })));
        }
    }
}
