//! Built-in digits: drawn at run time from stroke skeletons with seeded distortions, so that a first training needs no
//! file. Digit `i` is a pure function of (seed, i). Light on dark, 28 x 28, like MNIST; knows nothing of files.

mod draw;
mod glyphs;

use super::{ItemError, Picture, RawItem, Source, Split};
use std::sync::OnceLock;

/// The digits 0 to 9, each item drawn when it is first asked for and kept.
pub struct Digits {
    seed: u64,
    classes: Vec<String>,
    drawn: Vec<OnceLock<Box<[u8]>>>,
}

impl Digits {
    /// Items for training and validation.
    pub const TRAINING: usize = 6_000;
    /// Items of the test part.
    pub const TEST: usize = 1_000;
    /// Width and height.
    pub const SIDE: u32 = 28;

    /// The digits of a seed.
    pub fn new(seed: u64) -> Self {
        let drawn = (0..Self::TRAINING + Self::TEST).map(|_| OnceLock::new()).collect();
        Self { seed, classes: (0..10).map(|digit| digit.to_string()).collect(), drawn }
    }
}

impl Source for Digits {
    fn name(&self) -> String {
        "Built-in digits".into()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn len(&self) -> usize {
        self.drawn.len()
    }

    fn label(&self, index: usize) -> Option<u32> {
        (index < self.len()).then(|| u32::try_from(index % 10).unwrap_or(0))
    }

    fn part(&self, index: usize) -> Split {
        if index < Self::TRAINING { Split::Train } else { Split::Test }
    }

    fn item(&self, index: usize) -> Result<RawItem, ItemError> {
        let missing = ItemError::NoSuchItem { index, len: self.len() };
        let (Some(cell), Some(label)) = (self.drawn.get(index), self.label(index)) else { return Err(missing) };
        let pixels = cell.get_or_init(|| draw::digit(self.seed, index as u64).into_boxed_slice());
        let picture = Picture::new(Self::SIDE, Self::SIDE, 1, pixels.to_vec()).ok_or(missing)?;
        Ok(RawItem { picture, label, name: self.origin(index) })
    }

    fn origin(&self, index: usize) -> String {
        format!("drawn digit #{index}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_is_a_function_of_seed_and_index() {
        let (a, b, other) = (Digits::new(1), Digits::new(1), Digits::new(2));
        // Asked for in different orders.
        let backwards: Vec<_> = (0..20).rev().map(|i| b.item(i).unwrap()).collect();
        for (i, again) in backwards.into_iter().rev().enumerate() {
            assert_eq!(a.item(i).unwrap(), again);
            assert_ne!(a.item(i).unwrap().picture, other.item(i).unwrap().picture);
        }
    }

    #[test]
    fn every_class_is_drawn_equally_often_and_no_two_alike() {
        let digits = Digits::new(3);
        let mut seen = std::collections::HashSet::new();
        let mut counts = [0; 10];
        for i in 0..200 {
            let item = digits.item(i).unwrap();
            counts[item.label as usize] += 1;
            assert!(seen.insert(item.picture.pixels().to_vec()), "item {i} repeats another");
        }
        assert_eq!(counts, [20; 10]);
    }

    #[test]
    fn digits_are_light_on_dark_with_ink_like_mnists() {
        // MNIST: mean gray 33.3 of 255 over the training set (0.1307), and a dark border of four pixels by
        // construction; ours may be shifted by up to two of them.
        let digits = Digits::new(4);
        let mut sum = 0_u64;
        for i in 0..500 {
            let picture = digits.item(i).unwrap().picture;
            sum += picture.pixels().iter().map(|&value| u64::from(value)).sum::<u64>();
            assert!(picture.pixels().iter().any(|&value| value > 200), "item {i} has no ink");
            let side = Digits::SIDE as usize;
            let ring = (0..side).flat_map(|k| [k, side * (side - 1) + k, side * k, side * k + side - 1]);
            assert!(ring.into_iter().all(|at| picture.pixels()[at] < 128), "item {i} leaves the field");
        }
        let mean = sum as f64 / (500.0 * 784.0);
        assert!((20.0..50.0).contains(&mean), "{mean}");
    }

    #[test]
    fn test_digits_are_none_of_the_training_digits() {
        let digits = Digits::new(5);
        assert_eq!(digits.len(), 7_000);
        assert_eq!((0..digits.len()).filter(|&i| digits.part(i) == Split::Test).count(), 1_000);
        assert!(matches!(digits.item(7_000), Err(ItemError::NoSuchItem { .. })));
    }
}
