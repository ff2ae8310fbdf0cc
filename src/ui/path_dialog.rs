//! The window's own file dialog, for systems that have none: a path is typed or pasted, and completed from what is on the disk.

use super::dialogs::{self, Purpose, Wanted};
use super::kit;
use super::theme::{Tokens, size};
use egui::text::{CCursor, CCursorRange};
use egui::{Key, Modifiers, RichText, Role, Sense, TextEdit, Ui, WidgetInfo, vec2};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// Most names that are read of a folder.
const MOST: usize = 5_000;
/// Names in sight below the field.
const ROWS: usize = 8;

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    text: String,
    is_folder: bool,
}

/// What lies in the folder that is being typed in, read by a thread of its own: a folder may lie on a slow disk.
#[derive(Debug, Default)]
struct Listing {
    folder: PathBuf,
    names: Vec<Name>,
    inbox: Option<Receiver<Vec<Name>>>,
}

impl Listing {
    fn follow(&mut self, folder: &Path, ctx: &egui::Context) {
        if self.folder != folder {
            let (sender, inbox) = sync_channel(1);
            let (path, ctx) = (folder.to_path_buf(), ctx.clone());
            let read = move || {
                // The dialog may be closed, or in another folder, by now.
                let _ = sender.send(names_in(&path));
                ctx.request_repaint();
            };
            // Without the thread nothing is offered; what is typed counts all the same.
            let _ = std::thread::Builder::new().name("striate-folder".into()).spawn(read);
            *self = Self { folder: folder.to_path_buf(), names: Vec::new(), inbox: Some(inbox) };
        }
        match self.inbox.as_ref().map(Receiver::try_recv) {
            Some(Ok(names)) => (self.names, self.inbox) = (names, None),
            Some(Err(TryRecvError::Disconnected)) => self.inbox = None,
            Some(Err(TryRecvError::Empty)) | None => {}
        }
    }
}

/// Folders first, then files, each by name.
fn names_in(folder: &Path) -> Vec<Name> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: std::fs::DirEntry| Name {
        text: entry.file_name().to_string_lossy().into_owned(),
        is_folder: entry.path().is_dir(),
    };
    let mut names: Vec<Name> = entries.take(MOST).filter_map(Result::ok).map(name).collect();
    names.sort_by_key(|name| (!name.is_folder, name.text.to_lowercase()));
    names
}

/// A typed path as a path: without quotes, with the home folder for `~`, and with an address of a file read as its path.
fn typed(text: &str) -> PathBuf {
    let text = text.trim();
    let bare = ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text);
    if let Some(address) = bare.strip_prefix("file://") {
        return PathBuf::from(decoded(address));
    }
    let rest = bare.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(std::path::is_separator));
    match (rest, std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest.trim_start_matches(std::path::is_separator)),
        _ => PathBuf::from(bare),
    }
}

/// `%20` and the like as what they stand for.
fn decoded(address: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = address.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        let byte = code.and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = byte.and_then(|_| after.get(2..)).unwrap_or(after);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The folder part of what is typed, as typed, and the part of a name behind it.
fn parts(text: &str) -> (&str, &str) {
    let at = text.rfind(std::path::is_separator).map_or(0, |at| at + 1);
    text.split_at(at)
}

/// What is chosen if the path is taken as it stands, or why it is not: rule and finding.
fn checked(purpose: &Purpose, text: &str) -> Result<PathBuf, String> {
    if text.trim().is_empty() {
        return Err("Type or paste a path.".into());
    }
    let path = typed(text);
    let path = std::path::absolute(&path).unwrap_or(path);
    let shown = path.display();
    match (purpose.wanted(), path.is_dir()) {
        (Wanted::Folder, true) => Ok(path),
        (Wanted::Folder, false) if path.is_file() => {
            Err(format!("{shown} is a file. Choose the folder that it is in."))
        }
        (Wanted::Folder, false) => Err(format!("There is no folder {shown}.")),
        (Wanted::File | Wanted::Place, true) => Err(format!("{shown} is a folder. Add the name of a file.")),
        (Wanted::File, false) if path.is_file() => Ok(path),
        (Wanted::File, false) => Err(format!("There is no file {shown}.")),
        (Wanted::Place, false) => match path.parent() {
            Some(folder) if folder.is_dir() => Ok(path),
            Some(folder) => Err(format!("There is no folder {}.", folder.display())),
            None => Err(format!("{shown} is no place for a file.")),
        },
    }
}

/// The dialog.
#[derive(Debug)]
pub(super) struct PathDialog {
    /// What it asks for.
    pub(super) purpose: Purpose,
    reason: String,
    text: String,
    is_new: bool,
    listing: Listing,
    /// The row that the arrow keys chose.
    row: Option<usize>,
    problem: Option<String>,
    /// The existing file that is replaced if it is asked for once more.
    replaced: Option<PathBuf>,
}

impl PathDialog {
    /// Asks for a path, beginning in a folder; the home folder if none.
    pub(super) fn new(purpose: Purpose, reason: String, folder: Option<PathBuf>) -> Self {
        let folder = folder.or_else(std::env::home_dir).unwrap_or_default();
        let text = folder.join(purpose.name()).display().to_string();
        let needs_end = purpose.name().is_empty() && !text.ends_with(std::path::is_separator);
        let text = if needs_end { text + std::path::MAIN_SEPARATOR_STR } else { text };
        let listing = Listing::default();
        Self { purpose, reason, text, is_new: true, listing, row: None, problem: None, replaced: None }
    }

    /// Takes a path that was dropped.
    pub(super) fn fill(&mut self, path: &Path) {
        self.write(path.display().to_string());
    }

    fn write(&mut self, text: String) {
        (self.text, self.is_new) = (text, true);
        (self.row, self.problem, self.replaced) = (None, None, None);
    }

    /// Draws it. `Some(None)` if it was cancelled.
    #[expect(clippy::option_option, reason = "open, cancelled, or chosen")]
    pub(super) fn ui(&mut self, ctx: &egui::Context) -> Option<Option<PathBuf>> {
        self.listing.follow(&typed(parts(&self.text).0), ctx);
        let modal = dialogs::modal(ctx, "path").show(ctx, |ui| {
            ui.set_width(560.0);
            ui.heading(self.purpose.title());
            ui.add_space(size::HALF);
            ui.label("No file dialog on this system; type or paste a path.").on_hover_text(&self.reason);
            let dropped =
                if self.purpose.wanted() == Wanted::Place { "" } else { " Dropping it on this window works too." };
            kit::weak(ui, format!("{}{dropped}", self.reason));
            ui.add_space(size::STEP);
            self.content_ui(ui)
        });
        let closes = modal.should_close();
        modal.inner.or_else(|| closes.then_some(None))
    }

    #[expect(clippy::option_option, reason = "open, cancelled, or chosen")]
    fn content_ui(&mut self, ui: &mut Ui) -> Option<Option<PathBuf>> {
        let tokens = Tokens::of(ui);
        // Before the field, which would take the keys for itself.
        let [down, up, tab, enter] = [Key::ArrowDown, Key::ArrowUp, Key::Tab, Key::Enter]
            .map(|key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)));
        let id = egui::Id::unique("path-field");
        let edit = TextEdit::singleline(&mut self.text).id(id).lock_focus(true).margin(egui::Margin::symmetric(8, 6));
        let edit = edit.desired_width(f32::INFINITY).hint_text("Path");
        let response = ui.add(edit).on_hover_text("Tab completes a name, arrow keys choose one, Enter takes the path");
        let response = response.accessible_name("Path");
        if std::mem::take(&mut self.is_new) {
            self.select(ui.ctx(), id);
        }
        response.request_focus();
        if response.changed() {
            (self.row, self.problem, self.replaced) = (None, None, None);
        }
        ui.add_space(size::HALF);
        let names = self.fitting();
        if (down || up) && !names.is_empty() {
            let last = names.len() - 1;
            self.row = Some(match (self.row, down) {
                (None, true) => 0,
                (None, false) => last,
                (Some(row), true) => (row + 1) % names.len(),
                (Some(row), false) => row.checked_sub(1).unwrap_or(last),
            });
        }
        let clicked = self.names_ui(ui, &names, down || up);
        ui.add_space(size::HALF);
        let said = self.problem.clone().map_or_else(
            || ("Tab completes, arrow keys choose, Enter accepts, Esc cancels.".to_owned(), tokens.text_weak),
            |problem| (problem, if self.replaced.is_some() { tokens.warning } else { tokens.error }),
        );
        ui.label(RichText::new(said.0).color(said.1));
        ui.add_space(size::STEP);
        let (mut accepts, mut cancels) = (enter && self.row.is_none(), false);
        ui.horizontal(|ui| {
            let label = match (self.purpose.wanted(), &self.replaced) {
                (Wanted::Place, Some(_)) => "Replace file",
                (Wanted::Place, None) => "Save here",
                (Wanted::File, _) => "Open this file",
                (Wanted::Folder, _) => "Use this folder",
            };
            accepts |= kit::main_button(ui, label).on_hover_text("Take the path in the field (Enter)").clicked();
            cancels = ui.button("Cancel").on_hover_text("Go back to the window (Esc)").clicked();
        });
        let row = if enter { self.row } else { None };
        if let Some(name) = clicked.or(row).and_then(|row| names.get(row)) {
            let (folder, is_folder) = (parts(&self.text).0.to_owned(), name.is_folder);
            let end = if is_folder { std::path::MAIN_SEPARATOR_STR } else { "" };
            self.write(format!("{folder}{}{end}", name.text));
            accepts |= !is_folder && enter;
            ui.request_repaint();
        } else if tab {
            self.complete(&names);
            ui.request_repaint();
        }
        if cancels {
            return Some(None);
        }
        if accepts { self.accept().map(Some) } else { None }
    }

    /// What is chosen, unless it cannot be, or would replace a file that was not spoken of.
    fn accept(&mut self) -> Option<PathBuf> {
        match checked(&self.purpose, &self.text) {
            Err(problem) => {
                (self.problem, self.replaced) = (Some(problem), None);
                None
            }
            Ok(path)
                if self.purpose.wanted() == Wanted::Place && path.exists() && self.replaced.as_ref() != Some(&path) =>
            {
                self.problem = Some(format!("{} exists already. Enter once more replaces it.", path.display()));
                self.replaced = Some(path);
                None
            }
            Ok(path) => Some(path),
        }
    }

    /// The names that begin as typed, as far as they can be meant.
    fn fitting(&self) -> Vec<Name> {
        let begun = parts(&self.text).1.to_lowercase();
        let kind = self.purpose.kind();
        let is_meant = |name: &Name| {
            let ending = name.text.rsplit_once('.').map(|(_, ending)| ending.to_lowercase()).unwrap_or_default();
            name.is_folder || kind.as_ref().is_some_and(|(_, endings)| endings.contains(&ending.as_str()))
        };
        let is_shown = |name: &Name| !name.text.starts_with('.') || begun.starts_with('.');
        let begins = |name: &Name| name.text.to_lowercase().starts_with(&begun);
        let names = self.listing.names.iter();
        names.filter(|name| is_meant(name) && is_shown(name) && begins(name)).cloned().collect()
    }

    /// As far as all fitting names agree; if they agree no further, the chosen one, or the only one.
    fn complete(&mut self, names: &[Name]) {
        let (folder, begun) = parts(&self.text);
        let Some(first) = names.get(self.row.unwrap_or(0)) else { return };
        let whole = |name: &Name| {
            if name.is_folder { format!("{}{}", name.text, std::path::MAIN_SEPARATOR) } else { name.text.clone() }
        };
        let mut common = whole(first);
        if self.row.is_none() {
            for name in names {
                let same = common.chars().zip(whole(name).chars()).take_while(|(a, b)| a == b).count();
                common = common.chars().take(same).collect();
            }
        }
        if common.chars().count() >= begun.chars().count() && common != begun {
            let text = format!("{folder}{common}");
            self.write(text);
        }
    }

    /// The names below the field; the row that was clicked.
    fn names_ui(&self, ui: &mut Ui, names: &[Name], moved: bool) -> Option<usize> {
        let tokens = Tokens::of(ui);
        let mut clicked = None;
        let height = size::ROW * ROWS as f32;
        let edge = egui::Stroke::new(1.0, tokens.separator);
        tokens.well().stroke(edge).inner_margin(egui::Margin::same(4)).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 0.0;
            let mut scroll = egui::ScrollArea::vertical().max_height(height).min_scrolled_height(height);
            if let Some(row) = self.row.filter(|_| moved) {
                scroll = scroll.vertical_scroll_offset((row as f32 - ROWS as f32 / 2.0).max(0.0) * size::ROW);
            }
            scroll.auto_shrink([false, false]).show_rows(ui, size::ROW, names.len(), |ui, range| {
                for at in range {
                    let Some(name) = names.get(at) else { continue };
                    if name_ui(ui, name, self.row == Some(at)).clicked() {
                        clicked = Some(at);
                    }
                }
            });
            if names.is_empty() {
                let words = match &self.listing.inbox {
                    Some(_) => "Reading the folder …",
                    None if self.listing.folder.is_dir() => "Nothing here begins like this.",
                    None => "There is no such folder.",
                };
                let at = ui.min_rect().left_top() + vec2(8.0, size::ROW / 2.0);
                let room = ui.available_width() - 16.0;
                super::canvas::write(
                    ui.painter(),
                    at,
                    egui::Align2::LEFT_CENTER,
                    words,
                    size::FONT_BODY,
                    tokens.text_weak,
                    room,
                    false,
                );
            }
        });
        clicked
    }

    /// Puts the cursor to the end; of a suggested name, its stem is selected.
    fn select(&self, ctx: &egui::Context, id: egui::Id) {
        let count = |text: &str| text.chars().count();
        let end = count(&self.text);
        let is_suggested = !self.purpose.name().is_empty() && parts(&self.text).1 == self.purpose.name();
        let range = if is_suggested {
            let stem = self.purpose.name().rsplit_once('.').map_or(self.purpose.name(), |(stem, _)| stem);
            let start = end - count(self.purpose.name());
            CCursorRange::two(CCursor::new(start), CCursor::new(start + count(stem)))
        } else {
            CCursorRange::one(CCursor::new(end))
        };
        let mut state = TextEdit::load_state(ctx, id).unwrap_or_default();
        state.cursor.set_char_range(Some(range));
        TextEdit::store_state(ctx, id, state);
    }
}

fn name_ui(ui: &mut Ui, name: &Name, is_current: bool) -> egui::Response {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::ROW), Sense::click());
    let label = if name.is_folder { format!("Folder {}", name.text) } else { format!("File {}", name.text) };
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, is_current, &label));
    if ui.is_rect_visible(rect) {
        kit::fill_choice(ui, rect, is_current, response.hovered());
        let (text, colour) = if name.is_folder {
            (format!("{}{}", name.text, std::path::MAIN_SEPARATOR), tokens.text_strong)
        } else {
            (name.text.clone(), tokens.text)
        };
        let at = rect.left_center() + vec2(8.0, 0.0);
        let room = rect.width() - 16.0;
        super::canvas::write(ui.painter(), at, egui::Align2::LEFT_CENTER, &text, size::FONT_BODY, colour, room, false);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[(&str, bool)]) -> Vec<Name> {
        list.iter().map(|&(text, is_folder)| Name { text: text.into(), is_folder }).collect()
    }

    fn dialog(purpose: Purpose, text: &str, list: &[(&str, bool)]) -> PathDialog {
        let mut dialog = PathDialog::new(purpose, String::new(), Some("/data".into()));
        text.clone_into(&mut dialog.text);
        dialog.listing = Listing { folder: "/data/".into(), names: names(list), inbox: None };
        dialog
    }

    #[test]
    fn tab_goes_as_far_as_the_names_agree_and_ends_a_folder_with_its_sign() {
        let list = [("fashion", true), ("mnist", true), ("mnist-c", true), ("mnist.json", false), (".hidden", true)];
        let mut open = dialog(Purpose::Data(true), "/data/m", &list);
        let fitting = open.fitting();
        assert_eq!(fitting.len(), 2, "files and hidden folders are not meant: {fitting:?}");
        open.complete(&fitting);
        assert_eq!(open.text, "/data/mnist");
        let mut only = dialog(Purpose::Data(true), "/data/FA", &list);
        only.complete(&only.fitting());
        assert_eq!(only.text, "/data/fashion/");
        let mut file = dialog(Purpose::Open, "/data/mnist.", &list);
        file.complete(&file.fitting());
        assert_eq!(file.text, "/data/mnist.json");
    }

    #[test]
    fn a_pasted_path_may_have_quotes_or_be_an_address() {
        assert_eq!(typed(" \"/a b/c\" "), PathBuf::from("/a b/c"));
        assert_eq!(typed("file:///a%20b/%C3%BC"), PathBuf::from("/a b/ü"));
        assert_eq!(typed("/50%"), PathBuf::from("/50%"));
        if let Some(home) = std::env::home_dir() {
            assert_eq!(typed("~/nets"), home.join("nets"));
        }
    }

    #[test]
    fn what_cannot_be_taken_says_why_and_a_file_is_replaced_only_when_asked_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (root, net) = (folder.path().to_path_buf(), folder.path().join("net.json"));
        std::fs::write(&net, "{}").unwrap();
        let path = |name: &str| root.join(name).display().to_string();
        let said = |purpose: &Purpose, name: &str| checked(purpose, &path(name)).unwrap_err();
        assert!(said(&Purpose::Data(true), "none").starts_with("There is no folder "));
        assert!(said(&Purpose::Data(true), "net.json").contains("is a file"));
        assert!(said(&Purpose::Open, "no.json").starts_with("There is no file "));
        assert!(said(&Purpose::Open, "").contains("is a folder"));
        assert!(said(&Purpose::Export("a.csv".into()), "none/a.csv").starts_with("There is no folder "));
        assert_eq!(checked(&Purpose::Open, &path("net.json")), Ok(net.clone()));

        let mut save = PathDialog::new(Purpose::Save(1, "net.json".into()), String::new(), Some(root));
        assert_eq!(save.accept(), None);
        assert!(save.problem.as_ref().unwrap().contains("exists already"));
        assert_eq!(save.accept(), Some(net));
    }
}
