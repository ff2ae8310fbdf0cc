//! File dialogs behind a trait, so that tests answer them, and the window's own questions.

use super::command;
use super::kit;
use super::path_dialog::PathDialog;
use super::theme::{Tokens, size};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

/// What a file dialog was opened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Open a document.
    Open,
    /// Save the document with this serial number; the text is the suggested name.
    Save(u64, String),
    /// A picture to look at.
    Image,
    /// Write a picture or film; the text is the suggested name.
    Picture(String),
    /// A folder with MNIST's files (`true`) or with one folder of pictures per class.
    Data(bool),
    /// Write something out; the text is the suggested name, whose ending is the kind of file.
    Export(String),
}

/// What is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A file to read.
    File,
    /// A folder to read.
    Folder,
    /// A file to write.
    Place,
}

/// Endings of pictures that can be read.
pub(super) const PICTURES: [&str; 8] = ["png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff"];

impl Purpose {
    /// Title of the dialog.
    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::Open => "Open network",
            Self::Save(..) => "Save network",
            Self::Export(_) => "Export",
            Self::Image => "Picture to look at",
            Self::Picture(_) => "Save as",
            Self::Data(true) => "Folder with MNIST's four files",
            Self::Data(false) => "Folder with one folder of photos per class",
        }
    }

    /// What is chosen in it.
    pub(super) fn wanted(&self) -> Wanted {
        match self {
            Self::Open | Self::Image => Wanted::File,
            Self::Data(_) => Wanted::Folder,
            Self::Save(..) | Self::Export(_) | Self::Picture(_) => Wanted::Place,
        }
    }

    /// The suggested name of what is written.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Save(_, name) | Self::Export(name) | Self::Picture(name) => name,
            Self::Open | Self::Image | Self::Data(_) => "",
        }
    }

    /// What kind of file it is, and its endings; none for folders.
    pub(super) fn kind(&self) -> Option<(String, Vec<&str>)> {
        match self {
            Self::Open | Self::Save(..) => Some(("Striate network".into(), vec!["json"])),
            Self::Image => Some(("Pictures".into(), PICTURES.to_vec())),
            Self::Export(name) | Self::Picture(name) => {
                let ending = name.rsplit_once('.')?.1;
                Some((ending.to_uppercase(), vec![ending]))
            }
            Self::Data(_) => None,
        }
    }
}

/// Asks a person for a file or folder.
pub trait FileDialogs {
    /// Opens the dialog; the answer comes to `reply`. Must not wait.
    fn ask(&mut self, purpose: &Purpose, frame: &eframe::Frame, reply: Reply);
}

/// What came of a dialog.
enum Outcome {
    Chosen(PathBuf),
    Cancelled,
    /// There can be no dialog; why not.
    Refused(String),
}

/// Where the answer goes.
pub struct Reply {
    sender: SyncSender<Outcome>,
    ctx: egui::Context,
}

impl Reply {
    /// Gives the answer; `None` if cancelled.
    pub fn send(self, path: Option<PathBuf>) {
        self.tell(path.map_or(Outcome::Cancelled, Outcome::Chosen));
    }

    /// Says that no dialog can be shown, and why: the window then asks for a path itself.
    pub fn refuse(self, reason: impl Into<String>) {
        self.tell(Outcome::Refused(reason.into()));
    }

    fn tell(self, outcome: Outcome) {
        // The window may have closed meanwhile.
        let _ = self.sender.send(outcome);
        self.ctx.request_repaint();
    }
}

/// A question that waits for its answer; one at a time.
#[derive(Default)]
pub struct Waiting {
    asked: Option<(Purpose, Receiver<Outcome>)>,
    /// The window's own dialog, where the system has none.
    own: Option<PathDialog>,
    /// The folder that was chosen from last.
    folder: Option<PathBuf>,
}

impl Waiting {
    /// Asks, unless a question is open already.
    pub fn ask(&mut self, purpose: Purpose, dialogs: &mut dyn FileDialogs, frame: &eframe::Frame, ctx: &egui::Context) {
        if self.is_open() {
            return;
        }
        let (sender, inbox) = sync_channel(1);
        dialogs.ask(&purpose, frame, Reply { sender, ctx: ctx.clone() });
        self.asked = Some((purpose, inbox));
    }

    /// Whether a question waits for its answer.
    pub fn is_open(&self) -> bool {
        self.asked.is_some() || self.own.is_some()
    }

    /// Whether the window itself asks for a path.
    pub(super) fn is_own_open(&self) -> bool {
        self.own.is_some()
    }

    /// Draws the window's own dialog, if that is the one in which is asked; the path that was chosen there.
    pub(super) fn ui(&mut self, ctx: &egui::Context) -> Option<(Purpose, PathBuf)> {
        let chosen = self.own.as_mut()?.ui(ctx)?;
        let own = self.own.take()?;
        let path = chosen?;
        self.folder = path.parent().map(std::path::Path::to_path_buf);
        Some((own.purpose, path))
    }

    /// Takes what was dropped on the window as the answer of its own dialog; whether that is open.
    pub(super) fn take_dropped(&mut self, path: &std::path::Path) -> bool {
        self.own.as_mut().map(|own| own.fill(path)).is_some()
    }

    /// The answer of the system's dialog, once there is one.
    pub fn answer(&mut self) -> Option<(Purpose, PathBuf)> {
        let (purpose, inbox) = self.asked.take()?;
        match inbox.try_recv() {
            Ok(Outcome::Chosen(path)) => Some((purpose, path)),
            Ok(Outcome::Refused(reason)) => {
                self.own = Some(PathDialog::new(purpose, reason, self.folder.clone()));
                None
            }
            Err(TryRecvError::Empty) => {
                self.asked = Some((purpose, inbox));
                None
            }
            Ok(Outcome::Cancelled) | Err(TryRecvError::Disconnected) => None,
        }
    }
}

/// What a closing window must settle first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// The tab that closes; all of them if `None`.
    pub tab: Option<usize>,
    /// Names of networks with unsaved changes.
    pub unsaved: Vec<String>,
    /// A run is under way.
    pub is_training: bool,
}

/// The answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Save everything, then close.
    Save,
    /// Close and lose the changes.
    Close,
    /// Stay.
    Stay,
}

pub(super) fn modal(ctx: &egui::Context, id: &str) -> egui::Modal {
    let frame = egui::Frame::window(&ctx.global_style()).inner_margin(egui::Margin::same(20));
    egui::Modal::new(egui::Id::unique(id)).frame(frame)
}

/// Asks before something is lost.
pub fn closing_ui(ctx: &egui::Context, closing: &Closing) -> Option<Answer> {
    let ends_run = closing.is_training && closing.tab.is_none();
    let modal = modal(ctx, "closing").show(ctx, |ui| {
        ui.set_max_width(460.0);
        ui.heading(if closing.unsaved.is_empty() { "A run is under way" } else { "There are unsaved changes" });
        ui.add_space(size::HALF);
        if !closing.unsaved.is_empty() {
            ui.label(format!("Not saved: {}.", closing.unsaved.join(", ")));
        }
        if ends_run {
            ui.label("Closing ends the training. It writes a checkpoint first, so that it can go on later.");
        }
        ui.add_space(size::STEP);
        ui.horizontal(|ui| {
            let (label, hover) = match (closing.unsaved.len(), ends_run) {
                (0, _) => ("Stop and save checkpoint", "End the step, write a checkpoint, then close"),
                (1, false) => ("Save and close", "Save the changes, then close"),
                (_, false) => ("Save all and close", "Save all changes, then close"),
                (_, true) => ("Save all and close", "Save all changes, write a checkpoint of the run, then close"),
            };
            let save = kit::main_button(ui, label).on_hover_text(hover).clicked();
            let lose = !closing.unsaved.is_empty()
                && ui.button("Close without saving").on_hover_text("Close and lose the changes").clicked();
            let stay = ui.button("Keep open").on_hover_text("Go back to the window").clicked();
            [(save, Answer::Save), (lose, Answer::Close), (stay, Answer::Stay)]
                .into_iter()
                .find_map(|(clicked, answer)| clicked.then_some(answer))
        })
        .inner
    });
    modal.inner.or_else(|| modal.should_close().then_some(Answer::Stay))
}

/// Shows a failure that a person must know of; `true` once read.
pub fn failure_ui(ctx: &egui::Context, title: &str, message: &str) -> bool {
    let modal = modal(ctx, "failure").show(ctx, |ui| {
        ui.set_max_width(460.0);
        ui.heading(title);
        ui.add_space(size::HALF);
        ui.label(message);
        ui.add_space(size::STEP);
        ui.button("Close message").on_hover_text("Go back to the window").clicked()
    });
    modal.inner || modal.should_close()
}

/// All keys on one page; `true` once read.
pub fn help_ui(ctx: &egui::Context) -> bool {
    let modal = modal(ctx, "help").show(ctx, |ui| {
        let tokens = Tokens::of(ui);
        let width = (ctx.content_rect().width() - 80.0).min(840.0);
        ui.set_width(width);
        ui.heading("Keys and help");
        ui.add_space(size::HALF);
        ui.label(
            "Drag a layer from the palette onto a wire. Select it to change it. Costs follow at once. Press Train.",
        );
        ui.add_space(size::STEP);
        let tall = (ctx.content_rect().height() - 220.0).clamp(120.0, 480.0);
        // Every column wraps, so that the page fits a small window too; the bar stands beside the last one.
        let (keys_width, name_width, gap) = (width * 0.24, width * 0.2, 20.0);
        let help_width = width - keys_width - name_width - 2.0 * gap - size::MARGIN;
        let cell = |ui: &mut egui::Ui, width: f32, text: egui::RichText| {
            ui.allocate_ui_with_layout(egui::vec2(width, 0.0), egui::Layout::top_down(egui::Align::Min), |ui| {
                ui.set_width(width);
                ui.add(egui::Label::new(text).wrap());
            });
        };
        egui::ScrollArea::vertical().max_height(tall).min_scrolled_height(tall).show(ui, |ui| {
            ui.spacing_mut().item_spacing = egui::vec2(gap, 7.0);
            for (topic, specs) in command::by_topic() {
                kit::title(ui, topic);
                for spec in specs {
                    let keys: Vec<String> =
                        spec.keys.iter().map(|keys| command::shortcut_text(ui.ctx(), keys)).collect();
                    let keys = egui::RichText::new(keys.join(", ")).monospace().color(tokens.text_strong);
                    ui.horizontal_top(|ui| {
                        cell(ui, keys_width, keys);
                        cell(ui, name_width, egui::RichText::new(spec.label));
                        cell(ui, help_width, egui::RichText::new(spec.help).color(tokens.text_weak));
                    });
                }
                ui.add_space(size::HALF);
            }
        });
        ui.add_space(size::STEP);
        ui.button("Close help").on_hover_text("Go back to the window").clicked()
    });
    modal.inner || modal.should_close()
}
