//! Tests on real data sets: those below the folder that the environment variable `STRIATE_DATA` names. Without it each
//! test says so and ends.

use super::{Dataset, Order, Split};
use crate::graph::{DataSource, DataSpec, Preprocess, Resize, Splits};
use crate::op::Shape;
use std::path::PathBuf;

fn folder(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("STRIATE_DATA").map(|root| PathBuf::from(root).join(name));
    if found.is_none() {
        println!("STRIATE_DATA names no folder: the test of {name} had no data.");
    }
    found
}

#[test]
fn mnist_has_its_published_counts() {
    let Some(path) = folder("mnist") else { return };
    let spec = DataSpec { source: DataSource::Idx { path }, ..DataSpec::default() };
    let data = Dataset::open(&spec, &Shape::map(1, 32, 32), 1).unwrap();
    // 60,000 training images of which a tenth validates, 10,000 test images.
    assert_eq!(Split::ALL.map(|split| data.len(split)), [54_000, 6_000, 10_000]);
    // Labels of the test set as published; of the training set, both parts together.
    assert_eq!(data.class_counts(Split::Test), [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    let (train, validation) = (data.class_counts(Split::Train), data.class_counts(Split::Validation));
    let both: Vec<_> = train.iter().zip(&validation).map(|(a, b)| a + b).collect();
    assert_eq!(both, [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    // The first test image is the well-known 7.
    assert_eq!(data.item(Split::Test, 0).unwrap().label, 7);
}

#[test]
fn mnist_has_its_published_mean_and_deviation() {
    let Some(path) = folder("mnist") else { return };
    let splits = Splits { validation: 0.0, test: 0.0 };
    let spec = DataSpec { source: DataSource::Idx { path }, splits, ..DataSpec::default() };
    let data = Dataset::open(&spec, &Shape::map(1, 28, 28), 1).unwrap();
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for batch in data.batches(Split::Train, 500, Order::Sequential, 0) {
        for &value in &batch.unwrap().images {
            let value = f64::from(value);
            sum += value;
            squares += value * value;
            count += 1.0;
        }
    }
    let mean: f64 = sum / count;
    // The numbers of PyTorch's MNIST example: 0.1307 and 0.3081.
    assert!((mean - 0.1307).abs() < 5e-5, "{mean}");
    let deviation = (squares / count - mean * mean).sqrt();
    assert!((deviation - 0.3081).abs() < 5e-5, "{deviation}");
}

#[test]
fn flowers_open_with_the_splits_of_their_folders() {
    let Some(path) = folder("flowers") else { return };
    let preprocess = Preprocess { resize: Resize::Crop, ..Preprocess::default() };
    let spec = DataSpec { source: DataSource::Folder { path }, preprocess, ..DataSpec::default() };
    let data = Dataset::open(&spec, &Shape::map(3, 64, 64), 1).unwrap();
    assert_eq!(data.classes(), ["daisy", "dandelion", "roses", "sunflowers", "tulips"]);
    // 100 training and 20 validation photos of each; a tenth of the training photos tests.
    assert_eq!(data.class_counts(Split::Train), [90; 5]);
    assert_eq!(data.class_counts(Split::Validation), [20; 5]);
    assert_eq!(data.class_counts(Split::Test), [10; 5]);
    let read: usize = Split::ALL
        .map(|split| data.batches(split, 32, Order::Sequential, 0).map(|batch| batch.unwrap().len()).sum())
        .iter()
        .sum();
    assert_eq!((read, data.problems().len()), (600, 0));
}
