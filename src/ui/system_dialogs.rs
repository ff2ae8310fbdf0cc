//! The system's own file dialogs. Where it has none, that is said, so that the window can ask for a path itself.

use super::dialogs::{FileDialogs, Purpose, Reply, Wanted};

/// A dialog that waits for its person.
type Answering = std::pin::Pin<Box<dyn Future<Output = Option<rfd::FileHandle>> + Send>>;

/// Why there is none.
const NONE: &str = "They need the desktop's portal or zenity; neither is here.";

/// The system's own dialogs.
#[derive(Debug, Default)]
pub(super) struct SystemDialogs;

impl FileDialogs for SystemDialogs {
    fn ask(&mut self, purpose: &Purpose, frame: &eframe::Frame, reply: Reply) {
        let mut dialog = rfd::AsyncFileDialog::new().set_parent(frame).set_title(purpose.title());
        if let Some((kind, endings)) = purpose.kind() {
            dialog = dialog.add_filter(kind, &endings);
        }
        // The dialog is made here, on the main thread, as some systems demand; its own thread only waits.
        let answer: Answering = match purpose.wanted() {
            Wanted::File => Box::pin(dialog.pick_file()),
            Wanted::Folder => Box::pin(dialog.pick_folder()),
            Wanted::Place => Box::pin(dialog.set_file_name(purpose.name()).save_file()),
        };
        let wait = move || {
            // A system without dialogs answers as if the person had cancelled.
            if crate::platform::has_file_dialogs() {
                reply.send(pollster::block_on(answer).map(|file| file.path().to_owned()));
            } else {
                reply.refuse(NONE);
            }
        };
        // Without the thread the reply is dropped, which counts as cancelled.
        let _ = std::thread::Builder::new().name("striate-dialog".into()).spawn(wait);
    }
}
