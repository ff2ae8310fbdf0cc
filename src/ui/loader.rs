//! Opens the data of a document in a thread of its own and takes from it what panels show.

use super::data_view::{DataState, DataView, Sample, Step, Thumb};
use crate::data::{Dataset, Picture, Split};
use crate::graph::{DataSpec, Document};
use crate::op::Shape;
use std::sync::mpsc::{Receiver, sync_channel};

/// Longest side of a thumbnail.
const SIDE: u32 = 64;
/// Thumbnails of each class.
const PER_CLASS: usize = 8;
/// Classes that get thumbnails.
const CLASSES: usize = 100;

type Key = (DataSpec, Shape, u64);

/// The data of the document in front.
#[derive(Debug, Default)]
pub(super) struct Loader {
    key: Option<Key>,
    view: DataView,
    waiting: Option<(Key, Receiver<DataView>)>,
}

impl Loader {
    /// What is known so far.
    pub(super) fn view(&self) -> &DataView {
        &self.view
    }

    /// How many images the data of a document have for training, validation and test, if those are the ones that are open.
    pub(super) fn counts(&self, document: &Document) -> Option<[u64; 3]> {
        let is_of = |(spec, _, seed): &Key| *spec == document.data && *seed == document.seed;
        let is_open = self.view.state == DataState::Open && self.key.as_ref().is_some_and(is_of);
        is_open.then(|| self.view.counts.map(|count| count as u64))
    }

    /// Whether a thread is at work.
    pub(super) fn is_busy(&self) -> bool {
        self.waiting.is_some()
    }

    /// Takes what came back, and opens other data if the document asks for it. One thread at a time.
    pub(super) fn update(&mut self, document: &Document, input: Option<Shape>, ctx: &egui::Context) {
        if let Some((key, inbox)) = &self.waiting {
            match inbox.try_recv() {
                Ok(view) => {
                    self.key = Some(key.clone());
                    self.view = view;
                    self.waiting = None;
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.key = Some(key.clone());
                    self.fail("Opening the data must end with a result. It broke off. Choose the data again.");
                    self.waiting = None;
                }
            }
        }
        let Some(input) = input else {
            self.key = None;
            self.fail("The data are shaped for the network's input. It has none. Add an Input layer.");
            return;
        };
        let key = (document.data.clone(), input, document.seed);
        if self.key.as_ref() == Some(&key) {
            return;
        }
        let same_source = self.key.as_ref().is_some_and(|old| old.0.source == key.0.source);
        if !same_source {
            self.view = DataView::default();
        }
        let (sender, inbox) = sync_channel(1);
        let (job, ctx) = (key.clone(), ctx.clone());
        let work = move || {
            // The window may have closed meanwhile.
            let _ = sender.send(look(&job));
            ctx.request_repaint();
        };
        match std::thread::Builder::new().name("striate-data".into()).spawn(work) {
            Ok(_) => self.waiting = Some((key, inbox)),
            Err(error) => {
                self.key = Some(key);
                self.fail(&format!("Opening the data needs a thread. The system refused: {error}."));
            }
        }
    }

    fn fail(&mut self, why: &str) {
        self.view = DataView { state: DataState::Failed(why.into()), ..DataView::default() };
    }
}

fn look((spec, input, seed): &Key) -> DataView {
    let data = match Dataset::open(spec, input, *seed) {
        Ok(data) => data,
        Err(error) => return DataView { state: DataState::Failed(error.to_string()), ..DataView::default() },
    };
    let classes = data.classes().to_vec();
    let mut wanted = vec![PER_CLASS; classes.len().min(CLASSES)];
    let mut samples = Vec::new();
    for i in 0..data.len(Split::Train) {
        if wanted.iter().all(|left| *left == 0) {
            break;
        }
        let class = data.label(Split::Train, i).unwrap_or(u32::MAX) as usize;
        let Some(left) = wanted.get_mut(class).filter(|left| **left > 0) else { continue };
        if let Ok(item) = data.item(Split::Train, i) {
            *left -= 1;
            samples.push(Sample { class, name: item.name, picture: thumb(&item.picture) });
        }
    }
    samples.sort_by_key(|sample| sample.class);
    let strip = (0..data.len(Split::Train).min(20)).find_map(|i| data.strip(Split::Train, i).ok()).unwrap_or_default();
    DataView {
        state: DataState::Open,
        name: data.name(),
        counts: [Split::Train, Split::Validation, Split::Test].map(|split| data.len(split)),
        class_counts: data.class_counts(Split::Train),
        samples,
        strip: strip
            .into_iter()
            .map(|step| Step { title: step.title, note: step.note, picture: thumb(&step.picture) })
            .collect(),
        problems: data.problems().into_iter().map(|problem| (problem.file, problem.reason)).collect(),
        classes,
    }
}

/// A picture scaled down by leaving out pixels: quick, and good enough for a stamp.
pub(super) fn thumb(picture: &Picture) -> Thumb {
    let (width, height) = (picture.width(), picture.height());
    let by = width.max(height).div_ceil(SIDE).max(1);
    let (w, h) = ((width / by).max(1), (height / by).max(1));
    let rgba = picture.to_rgba();
    let mut small = Vec::with_capacity((w * h * 4) as usize);
    for y in 0..h {
        for x in 0..w {
            let at = ((y * by).min(height - 1) as usize * width as usize + (x * by).min(width - 1) as usize) * 4;
            small.extend_from_slice(rgba.get(at..at + 4).unwrap_or(&[0, 0, 0, 255]));
        }
    }
    Thumb { width: w as usize, height: h as usize, rgba: small }
}
