//! The open documents and what follows from the one in front. Knows graph and plan; neither egui nor the engine.

use super::UiCommand;
use super::disk::Stamp;
use crate::graph::{Content, Document, Edit, History, NodeId, Place};
use crate::plan::{Cost, CostSettings, Engine, Layout, Plan, cost, layout, plan};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of a network that was given none.
const UNTITLED: &str = "Untitled";

/// What follows from a document; rebuilt when its revision, the open group or the device changes, and not otherwise.
#[derive(Debug)]
pub struct Derived {
    key: (u64, Vec<NodeId>, Engine),
    /// Lowered.
    pub plan: Plan,
    /// Figures.
    pub cost: Cost,
    /// Drawing of the open group.
    pub layout: Layout,
}

/// A document that is open.
#[derive(Debug)]
pub struct OpenDocument {
    /// Tells documents apart; also part of what panels see as the revision.
    pub serial: u64,
    /// The document with its past.
    pub history: History,
    /// Open groups, from the outside in.
    pub path: Vec<NodeId>,
    /// Selected nodes.
    pub selection: Vec<NodeId>,
    /// Where it is stored.
    pub file: Option<PathBuf>,
    /// Why it cannot be saved, if a newer version wrote it.
    pub read_only: Option<String>,
    /// What its file was like when it was read or written here.
    pub stamp: Option<Stamp>,
    derived: Derived,
}

impl OpenDocument {
    fn new(serial: u64, document: Document, file: Option<PathBuf>, engine: Engine) -> Self {
        let history = History::new(document);
        let derived = derive(&history, Vec::new(), engine);
        Self { serial, history, path: Vec::new(), selection: Vec::new(), file, read_only: None, stamp: None, derived }
    }

    /// What follows from it.
    pub fn derived(&self) -> &Derived {
        &self.derived
    }

    /// Unique over documents and changes.
    pub fn revision(&self) -> u64 {
        (self.serial << 40) | self.history.revision()
    }

    /// Text of its tab.
    pub fn title(&self) -> String {
        let name = self.history.document().name.trim();
        if name.is_empty() { UNTITLED.into() } else { name.into() }
    }

    /// The name that a network gets with its file, if it was given none before.
    pub fn name_for(&self, file: &Path) -> Option<String> {
        let own = self.history.document().name.trim();
        let number = own.strip_prefix(UNTITLED).map(str::trim);
        let is_unnamed = own.is_empty() || number.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit()));
        let stem = file.file_stem()?.to_string_lossy().into_owned();
        (is_unnamed && stem != own && !stem.is_empty()).then_some(stem)
    }

    /// Brings what follows up to date.
    pub fn refresh(&mut self, engine: Engine) {
        let graph = &self.history.document().graph;
        while graph.at(&self.path).is_none() {
            self.path.pop();
        }
        if let Some(graph) = graph.at(&self.path) {
            self.selection.retain(|id| graph.node(*id).is_some());
        }
        let key = (self.history.revision(), self.path.clone(), engine);
        if key != self.derived.key {
            self.derived = derive(&self.history, key.1, engine);
        }
    }

    /// Applies a change of the network.
    ///
    /// # Errors
    /// Why it is refused, in words.
    pub fn edit(&mut self, edit: &Edit, path: Option<Vec<NodeId>>, gesture: Option<u64>) -> Result<(), String> {
        let here = path.is_none();
        let path = path.unwrap_or_else(|| self.path.clone());
        let outcome =
            self.history.apply(&path, edit, &self.selection, gesture).map_err(|refused| refused.to_string())?;
        if let (true, Some(select)) = (here, outcome.select) {
            self.selection = select;
        }
        Ok(())
    }

    /// Adds a layer behind the selection, else behind the last layer.
    ///
    /// # Errors
    /// Why it is refused, in words.
    pub fn add_after_selection(&mut self, content: Box<Content>) -> Result<(), String> {
        let document = Arc::clone(self.history.document());
        let Some(graph) = document.graph.at(&self.path) else { return Ok(()) };
        let last = || {
            let (order, _) = graph.topological();
            let sink = order
                .iter()
                .rev()
                .filter_map(|&at| graph.nodes.get(at))
                .find(|node| graph.links_from(node.id).is_empty());
            sink.map(|node| node.id)
        };
        let after = self.selection.last().copied().or_else(last);
        let place = match after {
            Some(after) if !content.is_input() => Place::After(after),
            _ => Place::Loose,
        };
        self.edit(&Edit::Insert { content, place }, None, None)
    }

    /// One step back (or forward).
    pub fn travel(&mut self, back: bool) {
        let restored = if back {
            self.history.undo(&self.selection, &self.path)
        } else {
            self.history.redo(&self.selection, &self.path)
        };
        if let Some(restored) = restored {
            self.selection = restored.selection;
            self.path = restored.path;
        }
    }
}

/// What the figures of a document are for: its training settings on an engine.
pub(super) fn cost_settings(document: &Document, engine: Engine) -> CostSettings {
    let training = &document.training;
    CostSettings {
        batch: u64::from(training.batch),
        accumulate: u64::from(training.accumulate),
        dtype: training.dtype,
        optimizer: training.optimizer,
        engine,
        threads: crate::platform::threads() as u64,
    }
}

fn derive(history: &History, path: Vec<NodeId>, engine: Engine) -> Derived {
    let document = history.document();
    let settings = cost_settings(document, engine);
    let priced = || {
        let plan = plan(document);
        let cost = cost(&plan.program, settings);
        (plan, cost)
    };
    // The drawing needs no figures: both at once, so that an edit of a large network shows within its frame.
    let drawn = || layout(document.graph.at(&path).unwrap_or(&document.graph));
    let ((plan, cost), layout) = rayon::join(priced, drawn);
    Derived { key: (history.revision(), path, engine), plan, cost, layout }
}

/// All open documents.
#[derive(Debug)]
pub struct Workspace {
    /// In the order of their tabs; never empty.
    pub documents: Vec<OpenDocument>,
    /// Index of the one in front.
    pub active: usize,
    next_serial: u64,
    engine: Engine,
}

impl Workspace {
    /// A workspace with one document.
    pub fn new(document: Document, file: Option<PathBuf>) -> Self {
        let engine = Engine::default();
        let mut workspace = Self { documents: Vec::new(), active: 0, next_serial: 1, engine };
        workspace.open_beside(document, file);
        workspace
    }

    /// A document has a name from the start: that of its file, else "Untitled". Tabs, runs, their folders and the queue all
    /// say the same then.
    fn named(&self, document: Document, file: Option<&Path>) -> Document {
        if !document.name.trim().is_empty() {
            return document;
        }
        let of_file = file.and_then(Path::file_stem).map(|stem| stem.to_string_lossy().into_owned());
        let is_taken = |name: &str| self.documents.iter().any(|open| open.history.document().name == name);
        let untitled = |number: u32| if number == 1 { UNTITLED.into() } else { format!("{UNTITLED} {number}") };
        let free = || (1..=u32::MAX).map(untitled).find(|name| !is_taken(name)).unwrap_or_default();
        Document { name: of_file.unwrap_or_else(free), ..document }
    }

    /// The document in front.
    pub fn front(&self) -> &OpenDocument {
        &self.documents[self.active.min(self.documents.len() - 1)]
    }

    /// The document in front, to be changed.
    pub fn front_mut(&mut self) -> &mut OpenDocument {
        let at = self.active.min(self.documents.len() - 1);
        &mut self.documents[at]
    }

    /// Opens a document in a new tab, or in place of an untouched one without a file.
    pub fn open(&mut self, document: Document, file: Option<PathBuf>) {
        if let Some(at) = file.as_ref().and_then(|_| self.documents.iter().position(|open| open.file == file)) {
            self.active = at;
            let known = &self.documents[at].history;
            // The same again keeps its tab, and with it its past and its run.
            if known.is_modified() || **known.document() == document {
                return;
            }
            self.documents.remove(at);
        }
        self.open_beside(document, file);
    }

    /// Opens a document in a tab of its own, also if its file is open already.
    pub fn open_beside(&mut self, document: Document, file: Option<PathBuf>) {
        self.active = self.open_behind(document, file);
    }

    /// Opens a document in a tab of its own and leaves the one in front where it is. Gives its index.
    pub fn open_behind(&mut self, document: Document, file: Option<PathBuf>) -> usize {
        let document = self.named(document, file.as_deref());
        self.documents.push(OpenDocument::new(self.next_serial, document, file, self.engine));
        self.next_serial += 1;
        self.documents.len() - 1
    }

    /// Closes a document; an empty one takes the place of the last.
    pub fn close(&mut self, index: usize) {
        if index < self.documents.len() {
            self.documents.remove(index);
        }
        if self.documents.is_empty() {
            self.open(Document::fresh(), None);
        }
        if self.active > index || self.active >= self.documents.len() {
            self.active = self.active.saturating_sub(1);
        }
    }

    /// Brings what follows from the document in front up to date.
    pub fn refresh(&mut self, engine: Engine) {
        self.engine = engine;
        self.front_mut().refresh(engine);
    }

    /// Documents with changes that are not on disk.
    pub fn modified(&self) -> Vec<String> {
        self.documents.iter().filter(|open| open.history.is_modified()).map(OpenDocument::title).collect()
    }
}

/// A command that selects, opens or changes something in the document in front; `false` if it is none.
///
/// # Errors
/// Why a change is refused.
pub fn apply(open: &mut OpenDocument, command: &UiCommand) -> Result<bool, String> {
    match command {
        UiCommand::Edit { edit, path, gesture } => open.edit(edit, path.clone(), *gesture)?,
        UiCommand::AddAfterSelection(content) => open.add_after_selection(content.clone())?,
        UiCommand::Select(nodes) => open.selection.clone_from(nodes),
        UiCommand::OpenPath(path) => {
            open.path.clone_from(path);
            open.selection.clear();
        }
        UiCommand::Undo => open.travel(true),
        UiCommand::Redo => open.travel(false),
        _ => return Ok(false),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Flatten, Layer};

    fn lenet() -> Workspace {
        Workspace::new(crate::presets::find("lenet5").unwrap(), None)
    }

    #[test]
    fn a_layer_added_without_a_selection_goes_behind_the_last_one() {
        let mut workspace = lenet();
        let open = workspace.front_mut();
        let content = Box::new(Content::Layer(Layer::from(Flatten::default())));
        assert_eq!(apply(open, &UiCommand::AddAfterSelection(content)), Ok(true));
        let graph = &open.history.document().graph;
        let added = graph.nodes.last().unwrap();
        assert_eq!(graph.links_into(added.id).len(), 1);
        assert_eq!(open.selection, [added.id]);
        apply(open, &UiCommand::Undo).unwrap();
        assert!(!open.history.is_modified());
    }

    #[test]
    fn the_last_tab_that_closes_leaves_an_empty_network() {
        let mut workspace = lenet();
        workspace.open(Document::default(), None);
        workspace.close(1);
        workspace.close(0);
        assert_eq!(workspace.documents.len(), 1);
        assert!(workspace.front().history.document().graph.nodes.is_empty());
    }

    #[test]
    fn networks_without_a_name_get_one_that_no_other_tab_has() {
        let mut workspace = Workspace::new(Document::default(), None);
        workspace.open(Document::default(), None);
        workspace.open(Document::default(), Some("/somewhere/my net.json".into()));
        workspace.open(Document { name: "Mine".into(), ..Document::default() }, None);
        workspace.close(0);
        workspace.open(Document::default(), None);
        let names: Vec<&str> = workspace.documents.iter().map(|open| open.history.document().name.as_str()).collect();
        assert_eq!(names, ["Untitled 2", "my net", "Mine", "Untitled"]);
        // A name is no change that would have to be saved.
        assert_eq!(workspace.modified(), Vec::<String>::new());
    }

    #[test]
    fn opening_the_same_file_again_keeps_its_tab_and_another_state_of_it_does_not() {
        let mut workspace = lenet();
        let file = PathBuf::from("/somewhere/net.json");
        let net = |seed| Document { name: "Net".into(), seed, ..Document::default() };
        workspace.open(net(1), Some(file.clone()));
        let serial = workspace.front().serial;
        workspace.active = 0;
        workspace.open(net(1), Some(file.clone()));
        assert_eq!((workspace.front().serial, workspace.documents.len()), (serial, 2));
        workspace.open(net(2), Some(file));
        assert!(workspace.front().serial != serial && workspace.documents.len() == 2);
    }

    #[test]
    fn revisions_of_two_documents_differ() {
        let mut workspace = lenet();
        let first = workspace.front().revision();
        workspace.open(Document::default(), None);
        assert_ne!(workspace.front().revision(), first);
    }
}
