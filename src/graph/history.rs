//! Undo and redo: labelled snapshots that share their nodes.

use super::{Document, Edit, EditError, NodeId, apply};
use std::collections::VecDeque;
use std::sync::Arc;

/// Steps that can be undone.
pub const DEPTH: usize = 100;

/// A state to return to.
#[derive(Clone, Debug)]
struct Snapshot {
    document: Arc<Document>,
    selection: Vec<NodeId>,
    path: Vec<NodeId>,
    label: String,
}

/// A document with its past and its undone future.
#[derive(Clone, Debug)]
pub struct History {
    document: Arc<Document>,
    past: VecDeque<Snapshot>,
    future: Vec<Snapshot>,
    gesture: Option<u64>,
    revision: u64,
    saved: Arc<Document>,
}

/// Where to look after undo or redo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Selection of that time.
    pub selection: Vec<NodeId>,
    /// Path of groups that was open.
    pub path: Vec<NodeId>,
    /// What was undone or redone.
    pub label: String,
}

impl History {
    /// A document without a past.
    pub fn new(document: Document) -> Self {
        let document = Arc::new(document);
        Self {
            saved: document.clone(),
            document,
            past: VecDeque::new(),
            future: Vec::new(),
            gesture: None,
            revision: 1,
        }
    }

    /// The present.
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// Changes with every change; derived data is rebuilt when it does.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether there are changes since the last save.
    pub fn is_modified(&self) -> bool {
        !Arc::ptr_eq(&self.document, &self.saved)
    }

    /// Remembers that the present is on disk.
    pub fn mark_saved(&mut self) {
        self.saved = self.document.clone();
    }

    /// Remembers that the present is not on disk: it was restored after a crash.
    pub fn mark_unsaved(&mut self) {
        self.saved = Arc::new(Document::default());
    }

    /// Applies a change. Changes of one gesture (a drag of a number) become one step.
    ///
    /// # Errors
    /// Why it is refused; nothing changes then.
    pub fn apply(
        &mut self,
        path: &[NodeId],
        edit: &Edit,
        selection: &[NodeId],
        gesture: Option<u64>,
    ) -> Result<super::Outcome, EditError> {
        let (document, outcome) = apply(&self.document, path, edit)?;
        if document == *self.document {
            return Ok(outcome);
        }
        let merges = gesture.is_some() && gesture == self.gesture && !self.past.is_empty();
        if !merges {
            self.past.push_back(Snapshot {
                document: self.document.clone(),
                selection: selection.to_vec(),
                path: path.to_vec(),
                label: edit.label(&self.document, path),
            });
            if self.past.len() > DEPTH {
                self.past.pop_front();
            }
        }
        self.future.clear();
        self.gesture = gesture;
        self.document = Arc::new(document);
        self.revision += 1;
        Ok(outcome)
    }

    /// What undo would undo.
    pub fn undo_label(&self) -> Option<&str> {
        self.past.back().map(|snapshot| snapshot.label.as_str())
    }

    /// What redo would redo.
    pub fn redo_label(&self) -> Option<&str> {
        self.future.last().map(|snapshot| snapshot.label.as_str())
    }

    /// Goes one step back.
    pub fn undo(&mut self, selection: &[NodeId], path: &[NodeId]) -> Option<Restored> {
        let snapshot = self.past.pop_back()?;
        let now = self.swap(&snapshot, selection, path);
        self.future.push(now);
        Some(Restored { selection: snapshot.selection, path: snapshot.path, label: snapshot.label })
    }

    /// Goes one step forward again.
    pub fn redo(&mut self, selection: &[NodeId], path: &[NodeId]) -> Option<Restored> {
        let snapshot = self.future.pop()?;
        let now = self.swap(&snapshot, selection, path);
        self.past.push_back(now);
        Some(Restored { selection: snapshot.selection, path: snapshot.path, label: snapshot.label })
    }

    fn swap(&mut self, to: &Snapshot, selection: &[NodeId], path: &[NodeId]) -> Snapshot {
        let now = std::mem::replace(&mut self.document, to.document.clone());
        self.gesture = None;
        self.revision += 1;
        Snapshot { document: now, selection: selection.to_vec(), path: path.to_vec(), label: to.label.clone() }
    }
}
