//! File dialogs behind a trait, so that tests answer them, and the window's own questions.

use super::command;
use super::kit;
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

/// Asks a person for a file or folder.
pub trait FileDialogs {
    /// Opens the dialog; the answer comes to `reply`, `None` if cancelled. Must not wait.
    fn ask(&mut self, purpose: &Purpose, frame: &eframe::Frame, reply: Reply);
}

/// Where the answer goes.
pub struct Reply {
    sender: SyncSender<Option<PathBuf>>,
    ctx: egui::Context,
}

impl Reply {
    /// Gives the answer.
    pub fn send(self, path: Option<PathBuf>) {
        // The window may have closed meanwhile.
        let _ = self.sender.send(path);
        self.ctx.request_repaint();
    }
}

/// A question that waits for its answer; one at a time.
#[derive(Default)]
pub struct Waiting(Option<(Purpose, Receiver<Option<PathBuf>>)>);

impl Waiting {
    /// Asks, unless a question is open already.
    pub fn ask(&mut self, purpose: Purpose, dialogs: &mut dyn FileDialogs, frame: &eframe::Frame, ctx: &egui::Context) {
        if self.0.is_some() {
            return;
        }
        let (sender, inbox) = sync_channel(1);
        dialogs.ask(&purpose, frame, Reply { sender, ctx: ctx.clone() });
        self.0 = Some((purpose, inbox));
    }

    /// Whether a question waits for its answer.
    pub fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// The answer, once there is one.
    pub fn answer(&mut self) -> Option<(Purpose, PathBuf)> {
        let (purpose, inbox) = self.0.take()?;
        match inbox.try_recv() {
            Ok(path) => path.map(|path| (purpose, path)),
            Err(TryRecvError::Empty) => {
                self.0 = Some((purpose, inbox));
                None
            }
            Err(TryRecvError::Disconnected) => None,
        }
    }
}

/// A dialog that waits for its person.
type Answering = std::pin::Pin<Box<dyn Future<Output = Option<rfd::FileHandle>> + Send>>;

/// The system's own dialogs.
#[derive(Debug, Default)]
pub struct SystemDialogs;

impl FileDialogs for SystemDialogs {
    fn ask(&mut self, purpose: &Purpose, frame: &eframe::Frame, reply: Reply) {
        let dialog = rfd::AsyncFileDialog::new().set_parent(frame);
        let networks = |dialog: rfd::AsyncFileDialog| dialog.add_filter("Striate network", &["json"]);
        // The dialog is made here, on the main thread, as some systems demand; its own thread only waits.
        let answer: Answering = match purpose {
            Purpose::Open => Box::pin(networks(dialog).set_title("Open network").pick_file()),
            Purpose::Save(_, name) => {
                Box::pin(networks(dialog).set_title("Save network").set_file_name(name.as_str()).save_file())
            }
            Purpose::Export(name) => {
                let kind = name.rsplit('.').next().unwrap_or_default();
                let dialog = dialog.add_filter(kind.to_uppercase(), &[kind]).set_title("Export");
                Box::pin(dialog.set_file_name(name.as_str()).save_file())
            }
            Purpose::Image => {
                let pictures = ["png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff"];
                Box::pin(dialog.add_filter("Pictures", &pictures).set_title("Picture to look at").pick_file())
            }
            Purpose::Picture(name) => Box::pin(dialog.set_title("Save as").set_file_name(name.as_str()).save_file()),
            Purpose::Data(true) => Box::pin(dialog.set_title("Folder with MNIST's four files").pick_folder()),
            Purpose::Data(false) => {
                Box::pin(dialog.set_title("Folder with one folder of photos per class").pick_folder())
            }
        };
        let wait = move || reply.send(pollster::block_on(answer).map(|file| file.path().to_owned()));
        // Without the thread the reply is dropped, which counts as cancelled.
        let _ = std::thread::Builder::new().name("striate-dialog".into()).spawn(wait);
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
