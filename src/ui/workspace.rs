//! The open documents and what follows from the one in front. Knows graph and plan; neither egui nor the engine.

use super::UiCommand;
use super::disk::Stamp;
use crate::graph::{Content, Document, Edit, History, NodeId, Place};
use crate::plan::{Cost, CostSettings, Engine, Layout, Plan, cost, layout, plan};
use std::path::PathBuf;
use std::sync::Arc;

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
        let name = &self.history.document().name;
        if name.is_empty() { "Untitled".into() } else { name.clone() }
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

fn derive(history: &History, path: Vec<NodeId>, engine: Engine) -> Derived {
    let document = history.document();
    let training = &document.training;
    let settings = CostSettings {
        batch: u64::from(training.batch),
        dtype: training.dtype,
        optimizer: training.optimizer,
        engine,
        threads: crate::platform::threads() as u64,
    };
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
        Self { documents: vec![OpenDocument::new(1, document, file, engine)], active: 0, next_serial: 2, engine }
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
            if self.documents[at].history.is_modified() {
                return;
            }
            self.documents.remove(at);
        }
        let opened = OpenDocument::new(self.next_serial, document, file, self.engine);
        self.next_serial += 1;
        self.documents.push(opened);
        self.active = self.documents.len() - 1;
    }

    /// Opens a document in a tab of its own, also if its file is open already.
    pub fn open_beside(&mut self, document: Document, file: Option<PathBuf>) {
        self.documents.push(OpenDocument::new(self.next_serial, document, file, self.engine));
        self.next_serial += 1;
        self.active = self.documents.len() - 1;
    }

    /// Closes a document; an empty one takes the place of the last.
    pub fn close(&mut self, index: usize) {
        if index < self.documents.len() {
            self.documents.remove(index);
        }
        if self.documents.is_empty() {
            self.open(Document::default(), None);
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
    fn revisions_of_two_documents_differ() {
        let mut workspace = lenet();
        let first = workspace.front().revision();
        workspace.open(Document::default(), None);
        assert_ne!(workspace.front().revision(), first);
    }
}
