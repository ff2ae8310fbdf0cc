//! Which run belongs to which open document: the present one, and the last one of every other document.
//!
//! This is the one place that answers "the run of this document". Only the present run can be under way; the others have
//! ended, and their weights are read from the disk. The app tells documents apart by their serial.

use super::runs::RunView;
use super::session::Session;
use crate::engine::protocol::TrainRequest;
use crate::graph::Document;
use std::sync::Arc;

/// A run that another one took the place of, with what it takes to go on with it.
#[derive(Debug)]
pub(super) struct PastRun {
    view: RunView,
    document: Arc<Document>,
    request: Option<TrainRequest>,
}

impl Session {
    /// The last run of a document, if it has one.
    pub(super) fn run_of(&self, serial: u64) -> Option<&RunView> {
        if self.serial == serial && self.run.is_some() {
            return self.run.as_ref();
        }
        self.past.get(&serial).map(|past| &past.view)
    }

    /// The same, to be told more.
    pub(super) fn run_of_mut(&mut self, serial: u64) -> Option<&mut RunView> {
        if self.serial == serial && self.run.is_some() {
            return self.run.as_mut();
        }
        self.past.get_mut(&serial).map(|past| &mut past.view)
    }

    /// A document as it was when its last run started.
    pub(super) fn trained_of(&self, serial: u64) -> Option<&Arc<Document>> {
        if self.serial == serial && self.run.is_some() {
            return self.document.as_ref();
        }
        self.past.get(&serial).map(|past| &past.document)
    }

    /// Whether the worker holds the network of this document's run, in training or just trained.
    pub(super) fn is_live(&self, serial: u64) -> bool {
        self.serial == serial && self.run.is_some() && self.is_run_live()
    }

    /// The document whose run is under way, and its name.
    pub(super) fn busy_with(&self) -> Option<(u64, &str)> {
        let document = self.document.as_ref().filter(|_| self.is_busy())?;
        Some((self.serial, document.name.as_str()))
    }

    /// Makes room for another run: the present one becomes the past of its document.
    pub(super) fn set_aside(&mut self, next: u64) {
        let (run, document) = (self.run.take(), self.document.take());
        let request = self.request.take();
        if let (true, Some(view), Some(document)) = (self.serial != next, run, document) {
            self.past.insert(self.serial, PastRun { view, document, request });
        }
        self.past.remove(&next);
        self.serial = next;
    }

    /// Makes the last run of a document the present one, so that it can go on. `false` if it has none.
    pub(super) fn recall(&mut self, serial: u64) -> bool {
        if self.serial == serial && self.run.is_some() {
            return true;
        }
        let Some(PastRun { view, document, request }) = self.past.remove(&serial) else { return false };
        self.set_aside(serial);
        (self.run, self.document, self.request) = (Some(view), Some(document), request);
        // What the worker holds is the network of the run before.
        self.run_worker = None;
        true
    }

    /// Forgets the runs of documents that are closed. One that is under way, or that can still be resumed, stays.
    pub(super) fn keep_only(&mut self, is_open: impl Fn(u64) -> bool) {
        self.past.retain(|serial, _| is_open(*serial));
        let can_go_on = self.is_busy() || self.news.can_resume();
        if !can_go_on && self.run.is_some() && !is_open(self.serial) {
            (self.run, self.document, self.request) = (None, None, None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::news::Banner;
    use crate::ui::runs::RunState;
    use std::path::PathBuf;

    fn session() -> Session {
        Session::new(PathBuf::from("striate"), PathBuf::from("runs"))
    }

    /// Pretends that a run of a document was made.
    fn ran(session: &mut Session, serial: u64, name: &str) {
        session.set_aside(serial);
        session.document = Some(Arc::new(Document { name: name.into(), ..Document::default() }));
        session.request = Some(TrainRequest::new(String::new(), PathBuf::from(name)));
        session.run =
            Some(RunView { name: name.into(), state: RunState::Finished(String::new()), ..RunView::default() });
    }

    fn name(session: &Session, serial: u64) -> Option<&str> {
        session.run_of(serial).map(|run| run.name.as_str())
    }

    #[test]
    fn every_document_keeps_its_last_run_when_another_one_trains() {
        let mut session = session();
        ran(&mut session, 1, "a-1");
        ran(&mut session, 2, "b-1");
        ran(&mut session, 2, "b-2");
        assert_eq!((name(&session, 1), name(&session, 2), name(&session, 3)), (Some("a-1"), Some("b-2"), None));
        assert_eq!(session.trained_of(1).map(|document| document.name.as_str()), Some("a-1"));
        // Back to the first: the second is the past one now, and the request goes with its run.
        assert!(session.recall(1) && !session.recall(3));
        assert_eq!((name(&session, 1), name(&session, 2)), (Some("a-1"), Some("b-2")));
        assert_eq!(session.request.as_ref().map(|request| request.folder.clone()), Some(PathBuf::from("a-1")));
        assert!(!session.is_live(1));
    }

    #[test]
    fn closing_a_document_forgets_its_run_unless_it_is_under_way_or_can_be_resumed() {
        let mut session = session();
        ran(&mut session, 1, "a-1");
        ran(&mut session, 2, "b-1");
        session.keep_only(|serial| serial == 2);
        assert_eq!((name(&session, 1), name(&session, 2)), (None, Some("b-1")));
        session.news.add(Banner::new("It crashed.".into(), true));
        session.keep_only(|_| false);
        assert_eq!(name(&session, 2), Some("b-1"));
        session.news.dismiss(0);
        session.run_of_mut(2).unwrap().state = RunState::Training;
        session.keep_only(|_| false);
        assert_eq!(session.busy_with(), Some((2, "b-1")));
        session.run_of_mut(2).unwrap().state = RunState::Finished(String::new());
        session.keep_only(|_| false);
        assert_eq!(name(&session, 2), None);
    }
}
