//! A data set made ready for one network: a source, its splits, its preprocessing. Cheap to clone and to share between
//! threads. Knows no particular kind of source beyond opening it.

use super::loader::{Batches, Pool};
use super::splits::{Assignment, assign};
use super::{
    Batch, BatchTarget, DataError, Digits, FolderSource, IdxSource, ItemError, Order, Preprocessor, RawItem, Source,
    Split, StripStep, augment, seed,
};
use crate::graph::{Augment, DataSource, DataSpec};
use crate::op::Shape;
use rand::seq::SliceRandom as _;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// A file that is left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Rule, finding and a way out.
    pub reason: String,
}

/// An opened data set.
#[derive(Clone)]
pub struct Dataset {
    shared: Arc<Shared>,
}

/// What the dataset and its decode threads hold together.
pub(super) struct Shared {
    source: Arc<dyn Source>,
    splits: Assignment,
    preprocessor: Preprocessor,
    augment: Augment,
    /// Items that could not be read so far, by their number in the source.
    broken: Mutex<BTreeMap<u32, Problem>>,
    pool: Pool,
}

impl Dataset {
    /// Opens the data of a document for a network's input.
    ///
    /// # Errors
    /// [`DataError`] that names file, rule and finding.
    pub fn open(spec: &DataSpec, input: &Shape, seed: u64) -> Result<Self, DataError> {
        // Settings first: reading a large folder takes longer than finding out that they do not fit.
        Preprocessor::from_spec(&spec.preprocess, input)?;
        let source: Arc<dyn Source> = match &spec.source {
            DataSource::Digits => Arc::new(Digits::new(seed)),
            DataSource::Idx { path } => Arc::new(IdxSource::open(path)?),
            DataSource::Folder { path } => Arc::new(FolderSource::open(path)?),
        };
        Self::from_source(source, spec, input, seed)
    }

    /// Makes any source ready for a network's input; `spec.source` is not looked at.
    ///
    /// # Errors
    /// [`DataError`] if the settings do not fit, or nothing is left to train with.
    pub fn from_source(source: Arc<dyn Source>, spec: &DataSpec, input: &Shape, seed: u64) -> Result<Self, DataError> {
        let preprocessor = Preprocessor::from_spec(&spec.preprocess, input)?;
        let items: Vec<_> =
            (0..source.len()).map(|index| (source.label(index).unwrap_or(0), source.part(index))).collect();
        let splits = assign(&items, spec.splits, seed)?;
        if splits.train.is_empty() {
            let reason = source.problems().into_iter().next().map(|problem| problem.reason);
            return Err(DataError::NoTraining { name: source.name(), reason });
        }
        let (augment, broken, pool) = (spec.augment, Mutex::new(BTreeMap::new()), Pool::default());
        Ok(Self { shared: Arc::new(Shared { source, splits, preprocessor, augment, broken, pool }) })
    }

    /// Names of the classes, in the order of the labels.
    pub fn classes(&self) -> &[String] {
        self.shared.source.classes()
    }

    /// What a person calls it.
    pub fn name(&self) -> String {
        self.shared.source.name()
    }

    /// Number of images in a split, broken ones that are not yet known as such included.
    pub fn len(&self, split: Split) -> usize {
        self.shared.splits.of(split).len()
    }

    /// Whether a split has no image.
    pub fn is_empty(&self, split: Split) -> bool {
        self.len(split) == 0
    }

    /// Images of each class in a split.
    pub fn class_counts(&self, split: Split) -> Vec<usize> {
        let mut counts = vec![0; self.classes().len()];
        for &index in self.shared.splits.of(split) {
            let label = self.shared.source.label(index as usize);
            if let Some(count) = label.and_then(|label| counts.get_mut(label as usize)) {
                *count += 1;
            }
        }
        counts
    }

    /// The label of image `i` of a split, without reading its picture.
    pub fn label(&self, split: Split, i: usize) -> Option<u32> {
        self.shared.splits.of(split).get(i).and_then(|&index| self.shared.source.label(index as usize))
    }

    /// Image `i` of a split as stored.
    ///
    /// # Errors
    /// [`ItemError`] if this one cannot be read; it then is among the [`problems`](Self::problems).
    pub fn item(&self, split: Split, i: usize) -> Result<RawItem, ItemError> {
        self.shared.item(self.shared.index(split, i)?)
    }

    /// Image `i` of a split as the network sees it, `[c, h, w]`, and its label. Never augmented.
    ///
    /// # Errors
    /// As [`item`](Self::item).
    pub fn tensor(&self, split: Split, i: usize) -> Result<(Vec<f32>, u32), ItemError> {
        let item = self.item(split, i)?;
        Ok((self.shared.preprocessor.image(&item.picture), item.label))
    }

    /// What happens to image `i` of a split, picture by picture: file, upright, colours, size, normalised.
    ///
    /// # Errors
    /// As [`item`](Self::item).
    pub fn strip(&self, split: Split, i: usize) -> Result<Vec<StripStep>, ItemError> {
        let shared = &self.shared;
        let stages = shared.note(shared.index(split, i)?, |index| shared.source.stages(index))?;
        let mut steps: Vec<_> = stages.into_iter().map(|stage| StripStep::of(stage.title, stage.picture)).collect();
        if let Some(last) = steps.last().map(|last| last.picture.clone()) {
            steps.extend(shared.preprocessor.strip(&last));
        }
        Ok(steps)
    }

    /// Files that are left out, one row each: those found when opening, then those found since.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.shared.source.problems();
        problems.extend(self.shared.broken().values().cloned());
        problems
    }

    /// The preprocessing, for pictures from elsewhere.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.shared.preprocessor
    }

    /// The batches of a split, decoded ahead. `first` skips that many, to go on inside an epoch.
    ///
    /// The last one may be smaller, and one that holds broken files is. `batch` 0 counts as 1.
    pub fn batches(&self, split: Split, batch: usize, order: Order, first: usize) -> Batches {
        Batches::new(Arc::clone(&self.shared), split, batch.max(1), order, first)
    }

    /// Sets the number of decode threads.
    #[cfg(test)]
    pub(super) fn set_threads(&mut self, threads: usize) {
        let shared = Arc::get_mut(&mut self.shared).expect("nobody else holds it yet");
        shared.pool = Pool::with_threads(threads);
    }
}

impl Shared {
    pub(super) fn split(&self, split: Split) -> &[u32] {
        self.splits.of(split)
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Positions in a split, in the order they are read.
    pub(super) fn order(&self, split: Split, order: Order) -> Vec<u32> {
        let mut positions: Vec<u32> = (0_u32..).take(self.split(split).len()).collect();
        if let Order::Epoch { seed, epoch, .. } = order {
            positions.shuffle(&mut seed::generator(&[seed, seed::text("order"), u64::from(epoch)]));
        }
        positions
    }

    /// The batch of these positions, without those that cannot be read. Ends early, with what it has, once `stopped`.
    pub(super) fn batch(&self, split: Split, positions: &[u32], order: Order, stopped: impl Fn() -> bool) -> Batch {
        let shape = self.preprocessor.shape();
        let mut images = Vec::with_capacity(positions.len() * shape.iter().product::<usize>());
        let (mut labels, mut indices) = (Vec::new(), Vec::new());
        for &position in positions {
            if stopped() {
                break;
            }
            // A broken file is noted once where it is read, and left out here.
            let item = self.index(split, position as usize).and_then(|index| self.item(index));
            let Ok(item) = item else { continue };
            let mut sized = self.preprocessor.sized(&item.picture);
            if let Order::Epoch { seed, epoch, augment: true } = order {
                sized = augment::apply(sized, self.augment, seed, epoch, position);
            }
            self.preprocessor.normalise_into(&sized, &mut images);
            labels.push(item.label);
            indices.push(position);
        }
        Batch { images, shape, target: BatchTarget::Class(labels), indices }
    }

    /// Reason of the first item found broken since opening.
    pub(super) fn first_reason(&self) -> String {
        self.broken().values().next().map(|problem| problem.reason.clone()).unwrap_or_default()
    }

    fn index(&self, split: Split, i: usize) -> Result<u32, ItemError> {
        let all = self.splits.of(split);
        all.get(i).copied().ok_or(ItemError::NoSuchItem { index: i, len: all.len() })
    }

    fn item(&self, index: u32) -> Result<RawItem, ItemError> {
        self.note(index, |index| self.source.item(index))
    }

    /// Reads something of an item, and notes the item if that fails for the first time.
    fn note<T>(&self, index: u32, read: impl Fn(usize) -> Result<T, ItemError>) -> Result<T, ItemError> {
        let result = read(index as usize);
        if let Err(e) = &result {
            self.broken().entry(index).or_insert_with(|| {
                tracing::warn!("left out: {e}");
                Problem { file: self.source.origin(index as usize), reason: e.to_string() }
            });
        }
        result
    }

    fn broken(&self) -> std::sync::MutexGuard<'_, BTreeMap<u32, Problem>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Preprocess, Splits};
    use std::fs;

    fn digits(splits: Splits) -> Dataset {
        Dataset::open(&DataSpec { splits, ..DataSpec::default() }, &Shape::map(1, 32, 32), 1).unwrap()
    }

    #[test]
    fn digits_open_without_any_file_and_keep_their_test_items_apart() {
        let data = digits(Splits { validation: 0.1, test: 0.5 });
        // 6,000 training items, a tenth of each class held back; 1,000 test items whatever the test share.
        assert_eq!(Split::ALL.map(|split| data.len(split)), [5_400, 600, 1_000]);
        assert_eq!(data.class_counts(Split::Validation), [60; 10]);
        assert_eq!(data.class_counts(Split::Test), [100; 10]);
        assert_eq!(data.classes().len(), 10);
        assert_eq!(data.label(Split::Test, 3), Some(data.item(Split::Test, 3).unwrap().label));
        assert!(matches!(data.item(Split::Test, 1_000), Err(ItemError::NoSuchItem { index: 1_000, len: 1_000 })));
    }

    #[test]
    fn a_tensor_is_what_a_sequential_batch_holds() {
        let data = digits(Splits::default());
        let batch = data.batches(Split::Validation, 2, Order::Sequential, 0).next().unwrap().unwrap();
        let (first, second) = (data.tensor(Split::Validation, 0).unwrap(), data.tensor(Split::Validation, 1).unwrap());
        assert_eq!(batch.images, [first.0, second.0].concat());
        assert_eq!(batch.target, BatchTarget::Class(vec![first.1, second.1]));
    }

    #[test]
    fn photos_train_validate_and_test_by_share_and_a_torn_one_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for class in ["ant", "bee"] {
            fs::create_dir(dir.path().join(class)).unwrap();
            for i in 0..10_u8 {
                let picture = image::RgbImage::from_fn(20 + u32::from(i), 15, |x, y| {
                    image::Rgb([u8::try_from(x * y % 256).unwrap(), i, 0])
                });
                picture.save(dir.path().join(class).join(format!("{i}.png"))).unwrap();
            }
        }
        let torn = dir.path().join("ant").join("5.png");
        let bytes = fs::read(&torn).unwrap();
        fs::write(&torn, &bytes[..bytes.len() - 40]).unwrap();
        let spec = DataSpec {
            source: DataSource::Folder { path: dir.path().into() },
            splits: Splits { validation: 0.2, test: 0.2 },
            preprocess: Preprocess { resize: crate::graph::Resize::Crop, ..Preprocess::default() },
            ..DataSpec::default()
        };
        let data = Dataset::open(&spec, &Shape::map(3, 8, 8), 3).unwrap();
        assert_eq!(Split::ALL.map(|split| data.class_counts(split)), [vec![6, 6], vec![2, 2], vec![2, 2]]);
        let read = Split::ALL.map(|split| {
            let order = Order::Epoch { seed: 1, epoch: 0, augment: true };
            data.batches(split, 5, order, 0).map(|batch| batch.unwrap().len()).sum::<usize>()
        });
        assert_eq!(read.iter().sum::<usize>(), 19);
        let problems = data.problems();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].file.contains("5.png") && problems[0].reason.contains("undamaged"), "{problems:?}");
    }

    #[test]
    fn data_that_leaves_nothing_to_train_with_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for class in ["ant", "bee"] {
            fs::create_dir(dir.path().join(class)).unwrap();
            fs::write(dir.path().join(class).join("1.png"), "torn").unwrap();
        }
        let spec = DataSpec { source: DataSource::Folder { path: dir.path().into() }, ..DataSpec::default() };
        let error = Dataset::open(&spec, &Shape::map(3, 8, 8), 3).err().unwrap();
        assert!(matches!(error, DataError::NoTraining { reason: Some(_), .. }), "{error}");
    }

    #[test]
    fn a_network_that_takes_no_image_is_refused_before_any_file_is_read() {
        let spec = DataSpec { source: DataSource::Idx { path: "no/such/folder".into() }, ..DataSpec::default() };
        let error = Dataset::open(&spec, &Shape::vector(784), 1).err().unwrap();
        assert!(matches!(error, DataError::Input { .. }), "{error}");
    }

    #[test]
    fn a_dataset_is_shared_between_threads() {
        fn shared<T: Clone + Send + Sync + 'static>() {}
        fn sent<T: Send + 'static>() {}
        shared::<Dataset>();
        sent::<super::Batches>();
    }
}
