//! Asks the engine what a look wants to know, one question of a kind at a time, and keeps the answers. Networks that are not
//! in training are asked of the same worker while it is idle, and of a second one on the CPU while it trains.

use super::look::{Differs, Excite, Images, Kind, Look, LookView, Offered, Plane, ProbeView, Stale, Whose};
use super::runs::RunState;
use super::second_engine::SecondEngine;
use super::session::Session;
use crate::engine::protocol::{
    ClassScore, Command, Event, ExciteRequest, ExplainRequest, ImageRef, NetworkRef, ProbeReport, ProbeRequest,
    SenseRequest, SpreadRequest,
};
use crate::engine::run::RunFolder;
use crate::graph::{DataSpec, Document};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time between looks at weights that change.
const REFRESH: Duration = Duration::from_millis(100);
/// The same for looks that take longer.
const SLOW_REFRESH: Duration = Duration::from_secs(2);
/// An answer that does not come within this time is asked for again.
const PATIENCE: Duration = Duration::from_secs(20);
/// Images that an effective receptive field is the mean of.
const SENSED_IMAGES: u32 = 16;
/// Data whose numbers of images are kept.
const COUNTED: usize = 8;

/// Whose weights, as they can be reached now.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// In training, or just trained, in the session's worker.
    Live(u64),
    /// On the disk, with a number that changes when new weights are written.
    Stored(PathBuf, u64),
    /// A document as it is now.
    Fresh(u64),
}

/// The last question of one kind.
#[derive(Debug, Default)]
struct Asked {
    id: u64,
    key: Option<(Source, Look)>,
    at: Option<Instant>,
    step: Option<u64>,
    worker: Option<u32>,
    is_waiting: bool,
    /// The document that was in front.
    serial: u64,
}

/// What an app knows when it asks.
pub(super) struct Front<'a> {
    /// The document in front.
    pub(super) document: &'a Arc<Document>,
    /// Its revision.
    pub(super) revision: u64,
    /// Its serial, by which the session knows its run.
    pub(super) serial: u64,
    /// Class names of its data.
    pub(super) classes: &'a [String],
    /// How many images they have for training, validation and test, once they are open.
    pub(super) counts: Option<[u64; 3]>,
}

/// What makes the images of some data what they are.
type Data = (DataSpec, u64);

/// The asking side.
#[derive(Debug, Default)]
pub(super) struct Looker {
    second: SecondEngine,
    view: LookView,
    ids: u64,
    asked: [Asked; 5],
    /// What the answers on show are of, and when they came.
    shown: [Option<(Source, Look, Instant)>; 5],
    json: Option<(u64, String)>,
    weights: Option<(PathBuf, usize, bool)>,
    classes: Vec<String>,
    offers: u64,
    /// The data of the network that was asked last, and how many images some have.
    data: Option<Data>,
    /// The same of the probe that was asked last.
    asked_data: Option<Data>,
    counts: Vec<(Data, [u64; 3])>,
    /// The data of the stored run that was read last.
    stored_data: Option<(PathBuf, Option<Data>)>,
    /// The image on show, and the document that it was chosen for.
    image: Option<(u64, ImageRef)>,
}

impl Looker {
    /// Asks a second engine if one is needed.
    pub(super) fn new(second: SecondEngine) -> Self {
        Self { second, ..Self::default() }
    }

    /// What came back.
    pub(super) fn view(&self) -> &LookView {
        &self.view
    }

    /// What a person chose elsewhere.
    pub(super) fn offer(&mut self, offered: Offered) {
        self.offers += 1;
        self.view.offered = Some((self.offers, offered));
    }

    /// The image that a person looks at in a document, for the snapshots of its run.
    pub(super) fn image_of(&self, serial: u64) -> Option<ImageRef> {
        self.image.as_ref().filter(|(of, _)| *of == serial).map(|(_, image)| image.clone())
    }

    /// Asks what is not known yet, or no longer true. Called while a panel that looks is on show.
    pub(super) fn ask(&mut self, look: &Look, session: &mut Session, front: &Front<'_>, ctx: &egui::Context) {
        // An image of the data of some run is none of the document's.
        let is_own = look.data.as_ref().is_none_or(|data| *data == front.document.data.source);
        if is_own && self.image.as_ref().is_none_or(|(of, image)| (*of, image) != (front.serial, &look.image)) {
            self.image = Some((front.serial, look.image.clone()));
        }
        if self.classes != front.classes {
            self.classes = front.classes.to_vec();
        }
        let source = self.source(&look.whose, session, front);
        self.follow_data(source.as_ref(), session, front);
        if let (ImageRef::Item { .. }, Some(meant), Some(images)) = (&look.image, &look.data, &self.view.images)
            && *meant != images.source
        {
            // The number is one of other data: the panel knows better in its next frame.
            ctx.request_repaint();
            return;
        }
        self.compare(source.as_ref(), look);
        let Some(source) = source else { return };
        self.view.whose = match &source {
            Source::Live(_) => session.run_of(front.serial).map_or_else(String::new, |run| run.name.clone()),
            Source::Stored(path, _) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Source::Fresh(_) => "untrained".into(),
        };
        self.view.folder = match &source {
            Source::Live(_) => session.run_of(front.serial).map(|run| run.folder.clone()),
            Source::Stored(path, _) => Some(path.clone()),
            Source::Fresh(_) => None,
        };
        let step = match source {
            Source::Live(_) => session.run_of(front.serial).and_then(|run| run.steps.last()).map(|step| step.step),
            _ => None,
        };
        for kind in Kind::ALL {
            if let Some(key) = part(kind, look)
                && self.is_due(kind, &source, &key, step, session)
                && let Err(error) = self.send(kind, &source, key, step, session, front, ctx)
            {
                self.view.problem = Some(error);
            }
        }
        if look.cell.is_none() {
            (self.view.explained, self.shown[Kind::Explain as usize]) = (None, None);
        }
        if look.sense.is_none() {
            (self.view.sensed, self.shown[Kind::Sense as usize]) = (None, None);
        }
    }

    /// Notes which data the images come from, and how many they have if that is known.
    fn follow_data(&mut self, source: Option<&Source>, session: &Session, front: &Front<'_>) {
        let of = |document: &Document| (document.data.clone(), document.seed);
        let data = match source {
            Some(Source::Fresh(_)) => Some(of(front.document)),
            Some(Source::Stored(folder, _)) if session.run_of(front.serial).is_none_or(|run| run.folder != *folder) => {
                if self.stored_data.as_ref().is_none_or(|(known, _)| known != folder) {
                    let json = RunFolder::open(folder).and_then(|folder| folder.document()).ok();
                    let document = json.and_then(|json| Document::from_json(&json).ok());
                    self.stored_data = Some((folder.clone(), document.as_ref().map(of)));
                }
                self.stored_data.as_ref().and_then(|(_, data)| data.clone())
            }
            _ => Some(of(session.trained_of(front.serial).unwrap_or(front.document))),
        };
        if data != self.data {
            self.data = data;
        }
        if let Some(counts) = front.counts {
            self.count(of(front.document), counts);
        }
        let known = self.data.as_ref().and_then(|data| self.counts.iter().find(|(other, _)| other == data));
        let counts = known.map(|(_, counts)| *counts);
        self.view.images = self.data.as_ref().map(|(spec, _)| Images { source: spec.source.clone(), counts });
    }

    fn count(&mut self, data: Data, counts: [u64; 3]) {
        match self.counts.iter_mut().find(|(other, _)| *other == data) {
            Some((_, known)) => *known = counts,
            None => self.counts.insert(0, (data, counts)),
        }
        self.counts.truncate(COUNTED);
    }

    /// Notes which answers on show are not of what is asked now. Before a run's first step only the look counts.
    fn compare(&mut self, source: Option<&Source>, look: &Look) {
        for kind in Kind::ALL {
            let of = self.shown[kind as usize].as_ref();
            let differs = of.zip(part(kind, look)).and_then(|((from, of, at), now)| {
                let other = source.filter(|source| *source != from).map(|source| match (source, from) {
                    (Source::Fresh(_), Source::Fresh(_)) => Differs::Network,
                    _ => Differs::Weights,
                });
                Some((other.or_else(|| now.differs(of))?, *at))
            });
            let old = self.view.stale[kind as usize];
            self.view.stale[kind as usize] = differs
                .map(|(differs, at)| Stale { differs, since: old.map_or_else(Instant::now, |old| old.since.max(at)) });
        }
    }

    fn source(&mut self, whose: &Whose, session: &Session, front: &Front<'_>) -> Option<Source> {
        match whose {
            Whose::Stored(path) => Some(Source::Stored(path.clone(), 0)),
            Whose::Run => {
                let Some(run) = session.run_of(front.serial) else { return Some(Source::Fresh(front.revision)) };
                if session.is_live(front.serial) {
                    // Before the first step there is nothing to see yet.
                    return (!run.steps.is_empty()).then_some(Source::Live(session.run_id.0));
                }
                let epochs = run.epochs.len();
                let is_known =
                    self.weights.as_ref().is_some_and(|(folder, at, _)| *folder == run.folder && *at == epochs);
                if !is_known {
                    let has_weights = RunFolder::open(&run.folder).is_ok_and(|folder| folder.weights_path().is_some());
                    self.weights = Some((run.folder.clone(), epochs, has_weights));
                }
                if self.weights.as_ref().is_some_and(|(.., has_weights)| *has_weights) {
                    return Some(Source::Stored(run.folder.clone(), epochs as u64));
                }
                (run.state != RunState::Preparing).then_some(Source::Fresh(front.revision))
            }
            Whose::Untrained => Some(Source::Fresh(front.revision)),
        }
    }

    fn is_due(&self, kind: Kind, source: &Source, key: &Look, step: Option<u64>, session: &Session) -> bool {
        let asked = &self.asked[kind as usize];
        let rest = if matches!(kind, Kind::Probe | Kind::Explain) { REFRESH } else { SLOW_REFRESH };
        let age = asked.at.map(|at| at.elapsed());
        let is_gone = asked.worker != self.pid(source, session);
        if asked.is_waiting {
            // What was asked of a worker that is gone, or asked too long ago, is asked again.
            return is_gone || age.is_some_and(|age| age >= PATIENCE);
        }
        let is_new = asked.key.as_ref().is_none_or(|(old, look)| old != source || look != key);
        is_new || (asked.step != step && age.is_none_or(|age| age >= rest))
    }

    /// Process of the worker that a source is asked of.
    fn pid(&self, source: &Source, session: &Session) -> Option<u32> {
        match source {
            Source::Live(_) => session.worker_pid(),
            _ if session.is_busy() => self.second.pid(),
            _ => session.worker_pid(),
        }
    }

    fn send(
        &mut self,
        kind: Kind,
        source: &Source,
        look: Look,
        step: Option<u64>,
        session: &mut Session,
        front: &Front<'_>,
        ctx: &egui::Context,
    ) -> Result<(), String> {
        self.ids += 1;
        let id = self.ids;
        let network = match source {
            Source::Live(_) => NetworkRef::Live,
            Source::Stored(path, _) => NetworkRef::Stored(path.clone()),
            Source::Fresh(revision) => {
                if self.json.as_ref().is_none_or(|(old, _)| old != revision) {
                    self.json = Some((*revision, front.document.to_json()));
                }
                NetworkRef::Fresh { document: self.json.as_ref().map(|(_, json)| json.clone()).unwrap_or_default() }
            }
        };
        let (image, layer, cell) = (look.image.clone(), look.layer.clone(), look.cell.unwrap_or_default());
        let command = match kind {
            Kind::Probe => Command::Probe(Box::new(ProbeRequest {
                id,
                run: session.run_id,
                network,
                filter_channel: look.filter_channel,
                ..ProbeRequest::new(image, vec![layer])
            })),
            Kind::Explain => Command::Explain(Box::new(ExplainRequest {
                id,
                network,
                first_map: look.first_map,
                ..ExplainRequest::new(image, layer, cell)
            })),
            Kind::Sense => {
                Command::Sense(Box::new(SenseRequest { id, network, image, images: SENSED_IMAGES, layer, cell }))
            }
            Kind::Spread => Command::Spread(Box::new(SpreadRequest { id, network, images: SpreadRequest::IMAGES })),
            Kind::Excite => {
                let wanted = look.excite.unwrap_or(Excite { first: 0, images: ExciteRequest::IMAGES });
                let request = ExciteRequest::new(network, layer, wanted.first);
                Command::Excite(Box::new(ExciteRequest { id, images: wanted.images, ..request }))
            }
        };
        let is_live = matches!(source, Source::Live(_));
        if is_live && session.is_busy() {
            session.send(command)?;
        } else if session.is_busy() {
            let is_asked = self.asks(self.second.pid());
            self.second.ask(command, is_asked, ctx)?;
        } else {
            let is_asked = self.asks(session.worker_pid());
            session.start(ctx)?;
            session.send(command)?;
            // Nothing else may wake a window that waits for an answer.
            ctx.request_repaint_after(session.asked_to_look(is_asked));
        }
        let worker = self.pid(source, session);
        if kind == Kind::Probe {
            self.asked_data = self.data.clone();
        }
        let (key, serial) = (Some((source.clone(), look)), front.serial);
        self.asked[kind as usize] = Asked { id, key, at: Some(Instant::now()), step, worker, is_waiting: true, serial };
        Ok(())
    }

    /// Whether an engine owes an answer.
    fn asks(&self, engine: Option<u32>) -> bool {
        engine.is_some() && self.asked.iter().any(|asked| asked.is_waiting && asked.worker == engine)
    }

    /// Takes in what came since. Called once a frame.
    pub(super) fn drain(&mut self, session: &mut Session) {
        let mut events = std::mem::take(&mut session.answers);
        if !events.is_empty() {
            session.looked();
        }
        let is_asked = self.asks(self.second.pid());
        events.extend(self.second.drain(is_asked, |line| session.note(line)));
        if !session.is_busy() {
            // Its memory is of use again; the session's worker answers now.
            self.second.close();
        }
        for event in events {
            self.take(event, session);
        }
        session.look_for_unanswered(self.asks(session.worker_pid()));
    }

    fn take(&mut self, event: Event, session: &mut Session) {
        match event {
            Event::Probed(report) if self.answers(Kind::Probe, report.id) => {
                if let (Some(counts), Some(data)) = (report.counts, self.asked_data.clone()) {
                    self.count(data, counts);
                }
                let view = Arc::new(view(*report, &self.classes));
                let asked = &self.asked[Kind::Probe as usize];
                let is_of_run = asked
                    .key
                    .as_ref()
                    .is_some_and(|(source, look)| look.whose == Whose::Run && !matches!(source, Source::Fresh(_)));
                if let (true, Some(run)) = (is_of_run, session.run_of_mut(asked.serial)) {
                    run.probe = Some(Arc::clone(&view));
                }
                self.view.probe = Some(view);
            }
            Event::Explained(report) if self.answers(Kind::Explain, report.id) => {
                self.view.explained = Some(Arc::new(*report));
            }
            Event::Sensed(report) if self.answers(Kind::Sense, report.id) => {
                self.view.sensed = Some(Arc::new(*report));
            }
            Event::Spread(report) if self.answers(Kind::Spread, report.id) => {
                self.view.spread = Some(Arc::new(*report));
            }
            Event::Excited(report) if self.answers(Kind::Excite, report.id) => {
                self.view.excited = Some(Arc::new(*report));
            }
            Event::Unanswered { id, message } => {
                if let Some(asked) = self.asked.iter_mut().find(|asked| asked.id == id) {
                    asked.is_waiting = false;
                    self.view.problem = Some(message);
                }
            }
            _ => {}
        }
    }

    /// Whether this is the answer to the last question of its kind.
    fn answers(&mut self, kind: Kind, id: u64) -> bool {
        let asked = &mut self.asked[kind as usize];
        let fits = asked.id == id;
        if fits {
            asked.is_waiting = false;
            let key = asked.key.clone();
            self.shown[kind as usize] = key.map(|(source, look)| (source, look, Instant::now()));
            self.view.problem = None;
        }
        fits
    }

    /// Ends the second worker.
    pub(super) fn close(&mut self) {
        self.second.close();
    }
}

/// What of a look matters for one kind of question; none if it is not asked.
fn part(kind: Kind, look: &Look) -> Option<Look> {
    let bare = Look {
        cell: None,
        first_map: 0,
        filter_channel: None,
        sense: None,
        spread: false,
        excite: None,
        ..look.clone()
    };
    // The image on show does not matter to what goes through many.
    let any = ImageRef::Item { split: crate::data::Split::Validation, index: 0 };
    match kind {
        Kind::Probe => Some(Look { filter_channel: look.filter_channel, ..bare }),
        Kind::Explain => look.cell.map(|cell| Look { cell: Some(cell), first_map: look.first_map, ..bare }),
        Kind::Sense => look.sense.map(|cell| Look { cell: Some(cell), sense: Some(cell), ..bare }),
        Kind::Spread if look.spread => {
            Some(Look { layer: String::new(), image: any, data: None, spread: true, ..bare })
        }
        Kind::Spread => None,
        Kind::Excite => look.excite.map(|excite| Look { image: any, data: None, excite: Some(excite), ..bare }),
    }
}

fn view(report: ProbeReport, classes: &[String]) -> ProbeView {
    let mut layers = report.layers.into_iter();
    let Some(layer) = layers.next() else { return ProbeView { serial: report.id, ..ProbeView::default() } };
    let class = |label: u32| classes.get(label as usize).cloned().unwrap_or_else(|| format!("class {label}"));
    // A network that was never trained does not know the names of its classes; the data do.
    let named = |score: &ClassScore| {
        let is_unnamed = score.name == format!("class {}", score.class);
        if is_unnamed { class(score.class) } else { score.name.clone() }
    };
    ProbeView {
        serial: report.id,
        planes: layer.planes.iter().enumerate().map(|(i, p)| Plane::new(p, layer.channels.get(i))).collect(),
        filters: layer.filters.iter().map(|p| Plane::new(p, None)).collect(),
        layer: layer.path,
        shape: layer.shape,
        filter_inputs: layer.filter_inputs,
        top: report.top.iter().map(|score| (named(score), score.probability)).collect(),
        image: report.input.as_ref().map(|input| Plane::new(input, None)),
        label: if report.label_name.is_empty() {
            report.label.map(class).unwrap_or_default()
        } else {
            report.label_name
        },
        step: report.step.unwrap_or(0),
        problem: layer.problem,
    }
}
