//! Loading: batches are decoded ahead by threads of their own and handed out in order.
//!
//! Each batch is one job with a channel of one place; at most a few jobs are under way, so memory is bounded and a
//! job never waits. What a batch holds depends on its positions alone, never on threads. Knows no source.

use super::dataset::Shared;
use super::{Batch, DataError, Order, Split};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};

/// Batches under way beyond the one that each thread works on.
const AHEAD: usize = 2;

/// The decode threads of a data set, started when first needed.
pub(super) struct Pool {
    threads: usize,
    started: OnceLock<Result<ThreadPool, String>>,
}

impl Default for Pool {
    /// One or two threads: decoding shall not take the processor from training.
    fn default() -> Self {
        Self::with_threads(std::thread::available_parallelism().map_or(1, usize::from).min(2))
    }
}

impl Pool {
    pub(super) fn with_threads(threads: usize) -> Self {
        Self { threads, started: OnceLock::new() }
    }

    fn get(&self) -> Result<&ThreadPool, DataError> {
        let start = || {
            let builder = ThreadPoolBuilder::new().num_threads(self.threads).thread_name(|i| format!("decode-{i}"));
            // A panic ends one batch, which its receiver notices, and not the process.
            builder.panic_handler(|_| tracing::error!("a decode job failed")).build().map_err(|e| e.to_string())
        };
        self.started.get_or_init(start).as_ref().map_err(|reason| DataError::Pool { reason: reason.clone() })
    }
}

/// The batches of one pass over a split. Dropping it stops the work under way.
pub struct Batches {
    shared: Arc<Shared>,
    split: Split,
    order: Order,
    batch: usize,
    /// Positions in the split, in the order of this pass.
    positions: Arc<Vec<u32>>,
    /// Batches handed out or skipped so far.
    position: usize,
    /// Batches whose jobs are started.
    started: usize,
    waiting: VecDeque<Receiver<Batch>>,
    stop: Arc<AtomicBool>,
    /// Whether a batch with at least one image was handed out.
    any: bool,
    failed: bool,
}

impl Batches {
    pub(super) fn new(shared: Arc<Shared>, split: Split, batch: usize, order: Order, first: usize) -> Self {
        let positions = Arc::new(shared.order(split, order));
        let first = first.min(positions.len().div_ceil(batch));
        Self {
            shared,
            split,
            order,
            batch,
            positions,
            position: first,
            started: first,
            waiting: VecDeque::new(),
            stop: Arc::new(AtomicBool::new(false)),
            any: first > 0,
            failed: false,
        }
    }

    /// Batches of the whole pass, skipped ones included.
    pub fn total(&self) -> usize {
        self.positions.len().div_ceil(self.batch)
    }

    /// Batches passed so far: what to give as `first` to go on from here.
    ///
    /// Counts batches as planned, so also one that was left out because none of its files can be read.
    pub fn position(&self) -> usize {
        self.position
    }

    fn range(&self, batch: usize) -> Range<usize> {
        let from = (batch * self.batch).min(self.positions.len());
        from..(from + self.batch).min(self.positions.len())
    }

    /// Starts jobs until enough are under way.
    fn fill(&mut self) -> Result<(), DataError> {
        let pool = self.shared.pool().get()?;
        while self.started < self.total() && self.waiting.len() < pool.current_num_threads() + AHEAD {
            let (sender, receiver) = sync_channel(1);
            let (shared, positions, stop) =
                (Arc::clone(&self.shared), Arc::clone(&self.positions), Arc::clone(&self.stop));
            let (split, order, range) = (self.split, self.order, self.range(self.started));
            pool.spawn_fifo(move || {
                let stopped = || stop.load(Ordering::Relaxed);
                let batch = shared.batch(split, positions.get(range).unwrap_or_default(), order, stopped);
                // A pass that was dropped no longer listens.
                let _unheard = sender.send(batch);
            });
            self.waiting.push_back(receiver);
            self.started += 1;
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<Option<Batch>, DataError> {
        loop {
            self.fill()?;
            let Some(receiver) = self.waiting.pop_front() else { break };
            let Ok(batch) = receiver.recv() else {
                return Err(DataError::Pool { reason: "One of them failed".into() });
            };
            self.position += 1;
            // Decoding goes on while the batch is used.
            self.fill()?;
            if !batch.is_empty() {
                self.any = true;
                return Ok(Some(batch));
            }
        }
        if self.any || self.positions.is_empty() {
            return Ok(None);
        }
        let reason = self.shared.first_reason();
        Err(DataError::NothingReadable { split: self.split, count: self.positions.len(), reason })
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.advance();
        self.failed = next.is_err();
        next.transpose()
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{BatchTarget, Dataset, ItemError, Picture, RawItem, Source};
    use crate::graph::{Augment, DataSpec, Splits};
    use crate::op::Shape;
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    /// Items of one pixel whose value is their index; some broken, all counted and as slow as wanted.
    #[derive(Default)]
    struct Pixels {
        count: usize,
        broken: Vec<usize>,
        pause: Duration,
        classes: Vec<String>,
        read: Arc<AtomicUsize>,
    }

    impl Source for Pixels {
        fn name(&self) -> String {
            "pixels".into()
        }

        fn classes(&self) -> &[String] {
            &self.classes
        }

        fn len(&self) -> usize {
            self.count
        }

        fn label(&self, index: usize) -> Option<u32> {
            (index < self.count).then_some(0)
        }

        fn part(&self, _: usize) -> Split {
            Split::Train
        }

        fn item(&self, index: usize) -> Result<RawItem, ItemError> {
            self.read.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(self.pause);
            if self.broken.contains(&index) {
                return Err(ItemError::Decode { file: format!("{index}.png").into(), reason: "torn".into() });
            }
            let picture = Picture::new(1, 1, 1, vec![u8::try_from(index).unwrap()]).unwrap();
            Ok(RawItem { picture, label: 0, name: String::new() })
        }

        fn origin(&self, index: usize) -> String {
            format!("{index}.png")
        }
    }

    fn dataset(source: Pixels) -> Dataset {
        let spec = DataSpec { splits: Splits { validation: 0.0, test: 0.0 }, ..DataSpec::default() };
        Dataset::from_source(Arc::new(source), &spec, &Shape::map(1, 1, 1), 1).unwrap()
    }

    fn pixels(count: usize, broken: &[usize]) -> Dataset {
        dataset(Pixels { count, broken: broken.to_vec(), ..Pixels::default() })
    }

    fn epoch(epoch: u32) -> Order {
        Order::Epoch { seed: 11, epoch, augment: true }
    }

    fn indices(batches: Batches) -> Vec<Vec<u32>> {
        batches.map(|batch| batch.unwrap().indices).collect()
    }

    #[test]
    fn sequential_batches_come_in_order_and_the_last_is_smaller() {
        let batches = indices(pixels(10, &[]).batches(Split::Train, 4, Order::Sequential, 0));
        assert_eq!(batches, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
    }

    #[test]
    fn an_epoch_visits_every_image_once_in_an_order_of_its_own() {
        let data = pixels(100, &[]);
        let order = |number| indices(data.batches(Split::Train, 7, epoch(number), 0)).concat();
        let mut sorted = order(0);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order(0), order(0));
        assert_ne!(order(0), order(1));
        assert_ne!(order(0), sorted);
    }

    #[test]
    fn the_same_seed_gives_the_same_batches_whatever_the_threads() {
        let run = |threads| {
            let augment = Augment { flip: true, shift_px: 3 };
            let spec = DataSpec { augment, ..DataSpec::default() };
            let mut data = Dataset::open(&spec, &Shape::map(1, 32, 32), 5).unwrap();
            data.set_threads(threads);
            data.batches(Split::Train, 48, epoch(3), 0).take(12).collect::<Result<Vec<_>, _>>().unwrap()
        };
        let one = run(1);
        assert!(one == run(2) && one == run(5));
        assert_eq!(one[0].images.len(), 48 * 32 * 32);
    }

    #[test]
    fn going_on_inside_an_epoch_gives_the_batches_that_were_left() {
        let data = pixels(50, &[]);
        let whole = indices(data.batches(Split::Train, 8, epoch(2), 0));
        let mut begun = data.batches(Split::Train, 8, epoch(2), 0);
        begun.by_ref().take(3).for_each(drop);
        assert_eq!((begun.position(), begun.total()), (3, 7));
        assert_eq!(indices(data.batches(Split::Train, 8, epoch(2), begun.position())), whole[3..]);
        assert!(indices(data.batches(Split::Train, 8, epoch(2), 7)).is_empty());
        assert!(indices(data.batches(Split::Train, 8, epoch(2), usize::MAX)).is_empty());
    }

    #[test]
    fn broken_items_are_left_out_and_reported_once() {
        let data = pixels(10, &[1, 4, 5, 6, 7]);
        for _ in 0..3 {
            let batches = indices(data.batches(Split::Train, 4, Order::Sequential, 0));
            assert_eq!(batches, [vec![0, 2, 3], vec![8, 9]]);
        }
        let files: Vec<_> = data.problems().into_iter().map(|problem| problem.file).collect();
        assert_eq!(files, ["1.png", "4.png", "5.png", "6.png", "7.png"]);
    }

    #[test]
    fn a_batch_of_broken_items_still_counts_for_going_on() {
        let data = pixels(6, &[2, 3]);
        let mut batches = data.batches(Split::Train, 2, Order::Sequential, 0);
        assert_eq!(batches.next().unwrap().unwrap().indices, [0, 1]);
        assert_eq!(batches.next().unwrap().unwrap().indices, [4, 5]);
        assert_eq!(batches.position(), 3);
    }

    #[test]
    fn a_split_in_which_nothing_is_readable_is_an_error() {
        let mut batches = pixels(3, &[0, 1, 2]).batches(Split::Train, 2, Order::Sequential, 0);
        assert!(matches!(batches.next(), Some(Err(DataError::NothingReadable { count: 3, .. }))));
        assert!(batches.next().is_none());
        assert!(pixels(3, &[]).batches(Split::Test, 2, Order::Sequential, 0).next().is_none());
    }

    #[test]
    fn values_and_targets_belong_to_their_indices() {
        let data = pixels(40, &[3]);
        for batch in data.batches(Split::Train, 16, epoch(0), 0) {
            let batch = batch.unwrap();
            assert_eq!(batch.shape, [1, 1, 1]);
            assert_eq!(batch.target, BatchTarget::Class(vec![0; batch.len()]));
            for (value, index) in batch.images.iter().zip(&batch.indices) {
                assert!((value * 255.0 - *index as f32).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn decoding_runs_ahead_but_not_without_bound_and_stops_when_dropped() {
        let read = Arc::new(AtomicUsize::new(0));
        let pause = Duration::from_millis(1);
        let mut data = dataset(Pixels { count: 250, pause, read: Arc::clone(&read), ..Pixels::default() });
        data.set_threads(2);
        let mut batches = data.batches(Split::Train, 5, Order::Sequential, 0);
        batches.next().unwrap().unwrap();
        // One batch taken, and two threads + two batches of five items under way at most.
        std::thread::sleep(Duration::from_millis(200));
        let ahead = read.load(Ordering::SeqCst);
        assert!((10..=25).contains(&ahead), "{ahead}");
        batches.next().unwrap().unwrap();
        drop(batches);
        // Each of two threads may be in the middle of one item.
        let at_drop = read.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(100));
        let after = read.load(Ordering::SeqCst);
        assert!(after <= at_drop + 2, "{after} read after {at_drop}");
    }
}
