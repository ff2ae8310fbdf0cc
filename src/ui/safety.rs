//! How the app keeps work from being lost: copies against a crash, files changed by somebody else, closing with unsaved
//! work, and the warning before a step that will not fit. The dialogs are in `safety_ui.rs`.

use super::app::App;
use super::dialogs::{Closing, Purpose};
use super::disk::Stamp;
use super::memory_warning::{For, MemoryWarning};
use super::news::{Banner, Kind};
use super::recovery::{Leftover, Recovery, Snapshot};
use super::status::Message;
use crate::graph::{Document, Edit};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Everything about it that lasts longer than a frame.
#[derive(Debug, Default)]
pub(super) struct Safety {
    recovery: Option<Recovery>,
    /// What crashed windows left behind, until a person decides.
    pub(super) leftovers: Vec<Leftover>,
    /// What is kept at present: serial and revision of each network with unsaved changes.
    kept: Vec<(u64, u64)>,
    /// Not everything can be copied at present, and that was said.
    is_behind: bool,
    /// A step that will probably not fit.
    pub(super) memory: Option<MemoryWarning>,
    /// A file that somebody else changed.
    pub(super) conflict: Option<Conflict>,
    /// A document that could not be written to its file, and why.
    pub(super) unsaved: Option<(u64, String)>,
    /// A window or tab that closes once its work is saved.
    pub(super) leaving: Option<Leaving>,
    /// The device check is shown.
    pub(super) shows_check: bool,
}

/// A file that is not what was read or written here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conflict {
    /// The document that would be written over it.
    pub(super) serial: u64,
    /// The file.
    pub(super) path: PathBuf,
}

/// What a person may do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resolution {
    /// Write this one to another file.
    SaveAs,
    /// Open the other one in a tab of its own.
    OpenOther,
    /// Write this one over it.
    Replace,
    /// Nothing.
    Leave,
}

/// Closing once everything is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaving {
    /// The tab that closes; the window if none.
    tab: Option<u64>,
    /// The document whose saving was asked for.
    asked: Option<u64>,
    /// The engine was told to write its checkpoint and end.
    pub(super) is_ending_run: bool,
}

impl Safety {
    /// Starts keeping copies below the data folder; gives a warning if that cannot be.
    pub(super) fn open(storage: &Path) -> (Self, Option<String>) {
        match Recovery::open(storage) {
            Ok((recovery, leftovers)) => (Self { recovery: Some(recovery), leftovers, ..Self::default() }, None),
            Err(error) => {
                let warning = format!(
                    "Unsaved changes are copied to {} in case of a crash. That is not possible: {error}. Save often.",
                    storage.display()
                );
                (Self::default(), Some(warning))
            }
        }
    }

    /// The window ends as it should.
    pub(super) fn finish(&mut self) {
        if let Some(recovery) = self.recovery.take() {
            recovery.finish();
        }
    }
}

impl App {
    /// Hands the networks with unsaved changes to the recovery, if that are others than before. Called once a frame.
    pub(super) fn keep_copies(&mut self) {
        let Some(recovery) = &self.safety.recovery else { return };
        let modified = self.workspace.documents.iter().filter(|open| open.history.is_modified());
        let now: Vec<_> = modified.clone().map(|open| (open.serial, open.revision())).collect();
        if now != self.safety.kept {
            recovery.keep(modified.map(|open| Snapshot {
                serial: open.serial,
                revision: open.revision(),
                title: open.title(),
                file: open.file.clone(),
                stamp: open.stamp,
                document: open.history.document().clone(),
            }));
            self.safety.kept = now;
        }
        let problem = recovery.problem();
        if problem.is_some() != self.safety.is_behind {
            self.safety.is_behind = problem.is_some();
            if let Some(words) = problem {
                self.session.tell(Banner { kind: Kind::Copies, ..Banner::new(words, false) });
            } else {
                self.session.news.end(Kind::Copies);
                self.session.note("Unsaved changes are copied again.");
            }
        }
    }

    /// Opens a network that a crashed window left behind, as unsaved, and forgets its copy once there is another.
    pub(super) fn restore(&mut self, leftover: usize, index: usize) {
        let Some(found) = self.safety.leftovers.get_mut(leftover).and_then(|left| left.found.get_mut(index)) else {
            return;
        };
        if let Ok(document) = &found.document {
            let (document, file, stamp) = (document.clone(), found.file.clone(), found.stamp);
            self.workspace.open_beside(document, file);
            let front = self.workspace.front_mut();
            front.stamp = stamp;
            front.history.mark_unsaved();
            self.keep_copies();
            if let Some(recovery) = &self.safety.recovery {
                recovery.write_now();
            }
        }
        self.forget(leftover, index);
    }

    /// Forgets a network that a crashed window left behind.
    pub(super) fn forget(&mut self, leftover: usize, index: usize) {
        if let Some(left) = self.safety.leftovers.get_mut(leftover) {
            left.remove(index);
        }
        self.safety.leftovers.retain(|left| !left.found.is_empty());
    }

    /// Saves a document to its own file, unless somebody else changed that file: then asks.
    pub(super) fn save_checked(&mut self, serial: u64, path: PathBuf) {
        let open = self.workspace.documents.iter().find(|open| open.serial == serial);
        let is_changed = open.is_some_and(|open| {
            open.file.as_ref() == Some(&path) && open.stamp.is_some_and(|stamp| stamp.is_outdated(&path))
        });
        if is_changed {
            self.safety.conflict = Some(Conflict { serial, path });
        } else {
            self.write_file(serial, path);
        }
    }

    /// Writes a document and remembers what its file is like.
    pub(super) fn write_file(&mut self, serial: u64, path: PathBuf) {
        let Some(open) = self.workspace.documents.iter_mut().find(|open| open.serial == serial) else { return };
        let name = open.name_for(&path);
        let saved = match &name {
            Some(name) => Document { name: name.clone(), ..(**open.history.document()).clone() }.save(&path),
            None => open.history.document().save(&path),
        };
        match saved {
            Ok(()) => {
                if let Some(name) = name {
                    // What was saved is what is shown; a name can always be given.
                    let _ = open.edit(&Edit::SetName(name), Some(Vec::new()), None);
                }
                open.history.mark_saved();
                open.file = Some(path.clone());
                open.stamp = Stamp::of(&path).ok().flatten();
                open.read_only = None;
                self.message = Some(Message::new(format!("Saved as {}.", path.display())));
                self.remember(path);
            }
            Err(error) => {
                self.safety.unsaved = Some((serial, format!("{error}. Your network is unchanged.")));
            }
        }
    }

    /// Does what a person chose about a file that somebody else changed.
    pub(super) fn resolve(&mut self, resolution: Resolution, frame: &eframe::Frame, ctx: &egui::Context) {
        let Some(Conflict { serial, path }) = self.safety.conflict.take() else { return };
        match resolution {
            Resolution::Replace => self.write_file(serial, path),
            Resolution::SaveAs => self.ask_where_of(serial, frame, ctx),
            Resolution::OpenOther => match Document::open(&path) {
                Ok(opened) => {
                    self.workspace.open_beside(opened.document, None);
                    self.safety.leaving = None;
                }
                Err(error) => self.failure = Some(("This file was not opened".into(), format!("{error}"))),
            },
            Resolution::Leave => self.safety.leaving = None,
        }
    }

    /// Saves a document that may have no file yet.
    fn save_somewhere(&mut self, serial: u64, frame: &eframe::Frame, ctx: &egui::Context) {
        let open = self.workspace.documents.iter().find(|open| open.serial == serial);
        match open.and_then(|open| open.file.clone().filter(|_| open.read_only.is_none())) {
            Some(path) => self.save_checked(serial, path),
            None => self.ask_where_of(serial, frame, ctx),
        }
    }

    /// Asks where to save a document, with it in front.
    pub(super) fn ask_where_of(&mut self, serial: u64, frame: &eframe::Frame, ctx: &egui::Context) {
        let Some(at) = self.workspace.documents.iter().position(|open| open.serial == serial) else { return };
        self.workspace.active = at;
        let title = self.workspace.front().title();
        let name: String = title.chars().map(|c| if c.is_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let purpose = Purpose::Save(serial, format!("{name}.json"));
        self.waiting.ask(purpose, self.dialogs.as_mut(), frame, ctx);
    }

    /// Begins to save everything that closes, and then closes it.
    pub(super) fn save_and_leave(&mut self, closing: &Closing) {
        let tab = closing.tab.and_then(|index| self.workspace.documents.get(index)).map(|open| open.serial);
        self.safety.leaving = Some(Leaving { tab, asked: None, is_ending_run: false });
    }

    /// One step of that; a failed or cancelled save keeps everything open. Called once a frame.
    pub(super) fn leave(&mut self, frame: &eframe::Frame, ctx: &egui::Context) {
        let Some(leaving) = self.safety.leaving.clone() else { return };
        if self.waiting.is_open() || self.safety.conflict.is_some() {
            return;
        }
        if self.failure.is_some() || self.safety.unsaved.is_some() {
            self.safety.leaving = None;
            return;
        }
        let concerns = |serial: u64| leaving.tab.is_none_or(|tab| tab == serial);
        let next = self.workspace.documents.iter().find(|open| concerns(open.serial) && open.history.is_modified());
        match (next.map(|open| open.serial), leaving.tab) {
            // Asked for already, and still not saved: the person thought better of it.
            (Some(serial), _) if leaving.asked == Some(serial) => self.safety.leaving = None,
            (Some(serial), _) => {
                self.safety.leaving = Some(Leaving { asked: Some(serial), ..leaving });
                self.save_somewhere(serial, frame, ctx);
                ctx.request_repaint();
            }
            (None, Some(tab)) => {
                if let Some(at) = self.workspace.documents.iter().position(|open| open.serial == tab) {
                    self.workspace.close(at);
                }
                self.safety.leaving = None;
            }
            (None, None) if self.session.is_busy() && self.session.has_worker() => {
                if !leaving.is_ending_run {
                    self.session.end_run();
                    self.safety.leaving = Some(Leaving { is_ending_run: true, ..leaving });
                }
                ctx.request_repaint_after(Duration::from_millis(100));
            }
            (None, None) => self.close_now(ctx),
        }
    }

    /// Closes the window without asking again.
    pub(super) fn close_now(&mut self, ctx: &egui::Context) {
        self.safety.leaving = None;
        self.may_close = true;
        ctx.send_viewport_cmd(egui::ViewportCommand::Close);
    }

    /// Whether training must wait for an answer about memory; shows the question then.
    pub(super) fn warns_of_memory(&mut self, start_from: Option<&Path>) -> bool {
        let Some(available) = self.session.free_bytes() else { return false };
        let front = self.workspace.front();
        let derived = front.derived();
        if !crate::plan::is_tight(derived.cost.memory.training_planned_bytes, available) {
            return false;
        }
        let (purpose, spec) = (For::Train(start_from.map(Path::to_path_buf)), &front.history.document().training);
        self.safety.memory = Some(MemoryWarning::new(&derived.plan.program, &derived.cost, spec, available, purpose));
        true
    }
}
