//! Answers about a network: evaluate, predict, probe. Whose weights they are about, live or stored, is settled here.

use super::super::devices::Opened;
use super::super::protocol::{
    Answer, EvaluateReport, EvaluateRequest, ImageRef, LayerTimesReport, Mistake, NetworkRef, PredictRequest,
    Prediction, ProbeReport, ProbeRequest, TimeRequest,
};
use super::super::run::RunFolder;
use super::super::weights::read_safetensors;
use super::super::{EngineError, HostTensor, Network, TrainJob, Trainer, probe, timing};
use super::WorkerError;
use crate::data::{Batch, BatchTarget, Dataset, Order, Picture, Preprocessor, Split, load_picture};
use crate::graph::{DataSpec, Document, Target};
use crate::op::{DType, Program, Shape};
use crate::plan::{Named, check_head, in_dtype, plan, regrouped};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Names of the metadata in a weight file.
pub(super) const DOCUMENT: &str = "striate.document";
pub(super) const CLASSES: &str = "striate.classes";

/// A network with everything needed to ask it something.
pub(super) struct Model {
    pub(super) document: Document,
    pub(super) classes: Vec<String>,
    pub(super) body: Body,
    pub(super) dataset: Option<Dataset>,
    /// Steps of the weights, if they are being trained here.
    pub(super) is_live: bool,
}

/// A trainer where the network can be judged, else the bare network.
pub(super) enum Body {
    Trainer(Box<Trainer>),
    Network(Box<Network>),
}

impl Model {
    pub(super) fn network(&self) -> &Network {
        match &self.body {
            Body::Trainer(trainer) => trainer.network(),
            Body::Network(network) => network,
        }
    }

    pub(super) fn step(&self) -> Option<u64> {
        match &self.body {
            Body::Trainer(trainer) if self.is_live => Some(trainer.step_index()),
            _ => None,
        }
    }

    /// The data of the document, opened when first needed.
    pub(super) fn dataset(&mut self) -> Result<&Dataset, WorkerError> {
        let dataset = match self.dataset.take() {
            Some(dataset) => dataset,
            None => open_data(&self.document.data, self.network().program(), self.document.seed)?,
        };
        Ok(self.dataset.insert(dataset))
    }
}

/// Stored or fresh networks that were asked for last, kept for the next question.
#[derive(Default)]
pub(super) struct Shelf {
    model: Option<(Key, Model)>,
}

#[derive(Clone, PartialEq)]
struct Key(NetworkRef, Option<SystemTime>);

impl Shelf {
    /// The network that a request means.
    pub(super) fn find<'a>(
        &'a mut self,
        of: &NetworkRef,
        live: Option<&'a mut Model>,
        device: &Opened,
    ) -> Result<&'a mut Model, WorkerError> {
        if *of == NetworkRef::Live {
            return live.ok_or(WorkerError::NothingTrained);
        }
        let file = match of {
            NetworkRef::Stored(path) => Some(weights_file(path)?),
            NetworkRef::Live | NetworkRef::Fresh { .. } => None,
        };
        let time = file.as_ref().and_then(|(file, _)| std::fs::metadata(file).ok()?.modified().ok());
        let key = Key(of.clone(), time);
        let model = match self.model.take().filter(|(old, _)| *old == key) {
            Some((_, model)) => model,
            None => match (of, file) {
                (NetworkRef::Fresh { document }, _) => build(Document::from_json(document)?, Vec::new(), device)?,
                (_, Some((file, folder))) => stored(&file, folder.as_ref(), device)?,
                _ => return Err(WorkerError::NothingTrained),
            },
        };
        Ok(&mut self.model.insert((key, model)).1)
    }

    /// Gives its memory back: before training.
    pub(super) fn clear(&mut self) {
        self.model = None;
    }
}

/// The weight file that a run folder or path means, and the run folder if it is one.
fn weights_file(path: &Path) -> Result<(PathBuf, Option<RunFolder>), WorkerError> {
    if !path.is_dir() {
        return Ok((path.to_path_buf(), None));
    }
    let folder = RunFolder::open(path)?;
    let file = folder.weights_path().ok_or_else(|| WorkerError::NoWeights(path.to_path_buf()))?;
    Ok((file, Some(folder)))
}

fn stored(file: &Path, folder: Option<&RunFolder>, device: &Opened) -> Result<Model, WorkerError> {
    let (tensors, metadata) = read_safetensors(file).map_err(EngineError::from)?;
    let (json, classes) = match (metadata.get(DOCUMENT), folder) {
        (Some(json), _) => {
            let classes = metadata.get(CLASSES).and_then(|text| serde_json::from_str(text).ok());
            (json.clone(), classes.unwrap_or_default())
        }
        (None, Some(folder)) => (folder.document()?, folder.record()?.classes),
        (None, None) => return Err(WorkerError::NoDocument(file.to_path_buf())),
    };
    let mut model = build(Document::from_json(&json)?, classes, device)?;
    let report = match &mut model.body {
        Body::Trainer(trainer) => trainer.network_mut().set_weights(&tensors)?,
        Body::Network(network) => network.set_weights(&tensors)?,
    };
    match report.missing.first().or(report.mismatched.first().map(|mismatch| &mismatch.path)) {
        Some(path) => Err(WorkerError::WeightsDiffer { file: file.to_path_buf(), path: path.clone() }),
        None => Ok(model),
    }
}

/// Takes the weights of a run or file where path and shape match, whatever groups are around a layer.
pub(super) fn take_weights(network: &mut Network, from: &Path) -> Result<super::super::LoadReport, WorkerError> {
    let (file, _) = weights_file(from)?;
    let (mut tensors, _) = read_safetensors(&file).map_err(EngineError::from)?;
    let moved = {
        let shape = |tensor: &HostTensor| tensor.shape.iter().map(|&side| side as u64).collect();
        let stored: Vec<Named<'_>> = tensors.iter().map(|(path, tensor)| (path.as_str(), shape(tensor))).collect();
        let params = &network.program().params;
        let wanted: Vec<Named<'_>> = params.iter().map(|spec| (spec.path.as_str(), spec.shape.clone())).collect();
        regrouped(&stored, &wanted)
    };
    for (new, old) in moved {
        if let Some((path, _)) = tensors.iter_mut().find(|(path, _)| *path == old) {
            *path = new;
        }
    }
    Ok(network.set_weights(&tensors)?)
}

fn build(document: Document, classes: Vec<String>, device: &Opened) -> Result<Model, WorkerError> {
    // Weights are 32-bit: a device without 16-bit values can still be asked about a network that was trained with them.
    let dtype = Some(document.training.dtype).filter(|&dtype| device.computes(dtype)).unwrap_or_default();
    let program = program_in(&document, dtype)?;
    let job = TrainJob {
        program: Arc::clone(&program),
        heads: document.heads_in_force(),
        spec: document.training.clone(),
        seed: document.seed,
        steps_per_epoch: 1,
    };
    // A network that cannot be judged (nothing learns, no class head) can still be looked into.
    let body = match Trainer::new(job, &device.device) {
        Ok(trainer) => Body::Trainer(Box::new(trainer)),
        Err(_) => Body::Network(Box::new(Network::new(program, document.seed, &device.device)?)),
    };
    Ok(Model { document, classes, body, dataset: None, is_live: false })
}

/// The program of a document that can run, in the element type that it asks for.
pub(super) fn complete_program(document: &Document) -> Result<Arc<Program>, WorkerError> {
    program_in(document, document.training.dtype)
}

fn program_in(document: &Document, dtype: DType) -> Result<Arc<Program>, WorkerError> {
    let plan = plan(document);
    if plan.is_complete() {
        return Ok(Arc::new(in_dtype(&plan.program, dtype).into_owned()));
    }
    let found = plan.first_error().unwrap_or_else(|| "It has no output.".into());
    Err(WorkerError::Incomplete(found))
}

/// The shape of the images that a program takes.
pub(super) fn input_shape(program: &Program) -> Result<&Shape, WorkerError> {
    let input = program.inputs.first().ok_or_else(|| WorkerError::Incomplete("It has no input.".into()))?;
    Ok(&program.value(input.value).shape)
}

/// Opens data for a program.
pub(super) fn open_data(spec: &DataSpec, program: &Program, seed: u64) -> Result<Dataset, WorkerError> {
    Ok(Dataset::open(spec, input_shape(program)?, seed)?)
}

/// Measures a model on a split; `stop` ends it early with an error.
pub(super) fn evaluate(
    model: &mut Model,
    request: &EvaluateRequest,
    stop: impl Fn() -> bool,
) -> Result<EvaluateReport, WorkerError> {
    let start = Instant::now();
    let other = match &request.data {
        Some(json) => {
            let mut spec: DataSpec =
                serde_json::from_str(json).map_err(|error| WorkerError::Request(error.to_string()))?;
            // Other images, the same preprocessing: that is part of the network.
            spec.preprocess = model.document.data.preprocess.clone();
            Some(open_data(&spec, model.network().program(), model.document.seed)?)
        }
        None => None,
    };
    let dataset = match other {
        Some(dataset) => dataset,
        None => model.dataset()?.clone(),
    };
    let Body::Trainer(trainer) = &model.body else { return Err(WorkerError::CannotJudge) };
    let classes = dataset.classes().to_vec();
    let n = classes.len();
    let mut report = EvaluateReport {
        run: request.run,
        split: request.split,
        count: 0,
        correct: 0,
        loss: 0.0,
        confusion: vec![0; n * n],
        classes,
        worst: Vec::new(),
        secs: 0.0,
    };
    let batch = model.document.training.batch.max(1) as usize;
    let (mut loss, mut judged) = (0.0, 0);
    for batch in dataset.batches(request.split, batch, Order::Sequential, 0) {
        if stop() {
            return Err(WorkerError::Interrupted);
        }
        let batch = batch?;
        let outcome = trainer.evaluate(&batch)?;
        loss += outcome.loss_sum;
        report.count += outcome.count;
        report.correct += outcome.correct;
        judged += outcome.judged;
        if let BatchTarget::Class(truths) = &batch.target {
            count_mistakes(&mut report, truths, &batch.indices, &outcome.probabilities);
        }
    }
    if report.count == 0 {
        return Err(WorkerError::EmptySplit(request.split));
    }
    report.loss = loss / report.count as f64;
    if judged > report.count {
        // A head that judges pixels: a share of them, brought to images.
        report.correct =
            u64::try_from(u128::from(report.correct) * u128::from(report.count) / u128::from(judged)).unwrap_or(0);
    }
    report.worst.sort_by(|a, b| b.probability.total_cmp(&a.probability).then(a.index.cmp(&b.index)));
    report.worst.truncate(request.worst as usize);
    report.secs = start.elapsed().as_secs_f64();
    Ok(report)
}

fn count_mistakes(report: &mut EvaluateReport, truths: &[u32], indices: &[u32], rows: &[Vec<f32>]) {
    let n = report.classes.len();
    for Answer { index, truth, guess, probability } in answers(truths, indices, rows) {
        if (guess as usize) < n
            && let Some(count) = report.confusion.get_mut(truth as usize * n + guess as usize)
        {
            *count += 1;
        }
        if guess != truth {
            report.worst.push(Mistake { index, truth, guess, probability });
        }
    }
}

/// What the network says of each image of a batch.
pub(super) fn answers<'a>(
    truths: &'a [u32],
    indices: &'a [u32],
    rows: &'a [Vec<f32>],
) -> impl Iterator<Item = Answer> + 'a {
    truths.iter().zip(indices).zip(rows).filter_map(|((&truth, &index), row)| {
        let (guess, &probability) = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
        let guess = u32::try_from(guess).unwrap_or(u32::MAX);
        Some(Answer { index: u64::from(index), truth, guess, probability })
    })
}

/// Classes of pictures; one that cannot be read gets its reason.
pub(super) fn predict(model: &mut Model, request: &PredictRequest) -> Vec<Prediction> {
    let mut answers = Vec::with_capacity(request.images.len());
    for image in &request.images {
        let answer = one_image(model, image).and_then(|(batch, _)| Ok(model.network().predict(&batch)?));
        let (top, problem) = match answer {
            Ok(rows) => {
                let row = rows.into_iter().next().unwrap_or_default();
                (probe::top(&row, &model.classes, request.top as usize), None)
            }
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let image = image.without_pixels();
        answers.push(Prediction { image, top, problem });
    }
    answers
}

/// Whether the first output is the class scores of a head: else its numbers say nothing of classes.
fn says_classes(document: &Document, program: &Program) -> bool {
    let first = program.outputs.first().map(|output| output.value);
    let learns = !program.params.is_empty();
    let mut heads = document.heads_in_force().into_iter().filter(|head| head.target == Target::Class);
    learns && heads.any(|head| check_head(program, &head).ok().map(|output| output.value) == first)
}

/// What layers make of one image.
pub(super) fn probe(model: &mut Model, request: &ProbeRequest) -> Result<ProbeReport, WorkerError> {
    let (batch, label) = one_image(model, &request.image)?;
    let mut report = probe_batch(model, request, &batch, label)?;
    let data = model.dataset.as_ref().filter(|_| matches!(request.image, ImageRef::Item { .. }));
    let count = |split| data.map_or(0, |data| data.len(split) as u64);
    report.counts = data.map(|_| [Split::Train, Split::Validation, Split::Test].map(count));
    let label_name = label.zip(data).and_then(|(label, data)| data.classes().get(label as usize).cloned());
    report.label_name = label_name.unwrap_or_default();
    Ok(report)
}

/// The same of an image at hand, which need not be of the data.
pub(super) fn probe_batch(
    model: &Model,
    request: &ProbeRequest,
    batch: &Batch,
    label: Option<u32>,
) -> Result<ProbeReport, WorkerError> {
    let start = Instant::now();
    let limits = probe::Limits::of(request);
    let layers = probe::look(model.network(), batch, &request.layers, limits, request.filter_channel)?;
    let row = if says_classes(&model.document, model.network().program()) {
        model.network().predict(batch)?.into_iter().next().unwrap_or_default()
    } else {
        Vec::new()
    };
    Ok(ProbeReport {
        id: request.id,
        run: request.run,
        step: model.step(),
        input: probe::picture(batch, limits),
        layers,
        top: probe::top(&row, &model.classes, 5),
        label,
        label_name: String::new(),
        counts: None,
        secs: start.elapsed().as_secs_f64(),
    })
}

/// How long each layer takes; `stop` ends it early with an error.
pub(super) fn time(
    model: &Model,
    request: &TimeRequest,
    device: String,
    stop: impl Fn() -> bool,
) -> Result<LayerTimesReport, WorkerError> {
    let start = Instant::now();
    let (batch, repeats) = (request.batch.max(1), request.repeats.clamp(1, 100));
    let layers = timing::layer_times(model.network(), batch as usize, repeats as usize, stop)?;
    let layers = layers.ok_or(WorkerError::Interrupted)?;
    let secs = start.elapsed().as_secs_f64();
    Ok(LayerTimesReport { id: request.id, device, batch, layers, secs, problem: None })
}

/// Why there are no times.
pub(super) fn no_times(request: &TimeRequest, problem: String) -> LayerTimesReport {
    LayerTimesReport {
        id: request.id,
        device: String::new(),
        batch: request.batch,
        layers: Vec::new(),
        secs: 0.0,
        problem: Some(problem),
    }
}

/// One image as a batch, and its label where the data has one.
pub(super) fn one_image(model: &mut Model, image: &ImageRef) -> Result<(Batch, Option<u32>), WorkerError> {
    let picture = match image {
        ImageRef::Item { split, index } => {
            let index = usize::try_from(*index).unwrap_or(usize::MAX);
            let dataset = model.dataset()?;
            let (images, label) = dataset.tensor(*split, index)?;
            let shape = dataset.preprocessor().shape();
            let batch = Batch { images, shape, target: BatchTarget::Class(vec![label]), indices: vec![0] };
            return Ok((batch, Some(label)));
        }
        ImageRef::File(path) => load_picture(path)?,
        ImageRef::Pixels { width, height, rgb } => {
            let found = rgb.len();
            Picture::new(*width, *height, 3, rgb.clone()).ok_or_else(|| {
                WorkerError::Request(format!("{width} x {height} pixels need three bytes each; there are {found}"))
            })?
        }
    };
    let shape = input_shape(model.network().program())?.clone();
    let preprocessor = Preprocessor::from_spec(&model.document.data.preprocess, &shape)?;
    Ok((preprocessor.batch([&picture]), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_head_that_judges_classes_says_some() {
        let says = |document: &Document| says_classes(document, &plan(document).program);
        let whole = crate::presets::find("lenet5").unwrap();
        assert!(says(&whole));
        // The input alone: pixels are no classes.
        let mut bare = whole.clone();
        bare.graph.nodes.retain(|node| node.content.is_input());
        bare.graph.links.clear();
        bare.heads.clear();
        assert!(plan(&bare).is_complete() && !says(&bare));
        // A head of pixels says no class of the image.
        let mut map = whole;
        map.heads = map.heads_in_force();
        map.heads.iter_mut().for_each(|head| head.target = Target::Map);
        assert!(!says(&map));
    }
}
