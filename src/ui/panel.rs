//! What a panel is, what it sees, and what it may ask for. A panel never touches a document.

use super::data_view::DataView;
use super::export::Export;
use super::look::{Look, LookView};
use super::runs::RunView;
use super::runs_view::{RunsCommand, RunsView};
use super::times::TimesView;
use crate::graph::{Content, Document, Edit, Graph, NodeId};
use crate::plan::{Cost, Layout, Plan};
use std::path::PathBuf;

/// One panel; one file each, listed once in [`super::all_panels`].
pub trait Panel {
    /// Stable id, as the stored layout knows it.
    fn id(&self) -> &'static str;
    /// Title of its tab.
    fn title(&self) -> &'static str;
    /// What it is for, in one sentence.
    fn help(&self) -> &'static str;
    /// Draws it.
    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut egui::Ui, out: &mut Vec<UiCommand>);
}

/// What every panel may look at. Shared references only.
#[derive(Clone, Copy)]
pub struct PanelCx<'a> {
    /// The document in front.
    pub document: &'a Document,
    /// Changes with every change of the document.
    pub revision: u64,
    /// The document lowered.
    pub plan: &'a Plan,
    /// Its figures.
    pub cost: &'a Cost,
    /// Its drawing, of the open graph.
    pub layout: &'a Layout,
    /// The groups that are open, from the outside in.
    pub path: &'a [NodeId],
    /// Selected nodes of the open graph.
    pub selection: &'a [NodeId],
    /// The last run of the document in front, if any.
    pub run: Option<&'a RunView>,
    /// Stored and waiting runs.
    pub runs: &'a RunsView,
    /// What looking inside brought.
    pub look: &'a LookView,
    /// The data of the document, as far as it is open.
    pub data: &'a DataView,
    /// RAM of the chosen device, if known.
    pub capacity_bytes: Option<u64>,
    /// Name of the chosen device.
    pub device: &'a str,
    /// Lines of the log.
    pub log: &'a [String],
    /// How long layers take, as far as it was measured.
    pub times: &'a TimesView,
}

impl<'a> PanelCx<'a> {
    /// The graph that is open: the document's own or a group's.
    pub fn graph(&self) -> &'a Graph {
        self.document.graph.at(self.path).unwrap_or(&self.document.graph)
    }

    /// Path of names of a node of the open graph, as the engine knows it.
    pub fn name_path(&self, id: NodeId) -> Option<String> {
        let ids: Vec<NodeId> = self.path.iter().copied().chain([id]).collect();
        self.document.graph.name_path(&ids)
    }
}

/// What a panel asks the app to do.
#[derive(Clone, Debug, PartialEq)]
pub enum UiCommand {
    /// Change the document, in the open graph (or in the graph at `path`).
    Edit {
        /// The change.
        edit: Edit,
        /// Where, if not in the open graph.
        path: Option<Vec<NodeId>>,
        /// Changes of one gesture become one undo step.
        gesture: Option<u64>,
    },
    /// Add a layer behind the selection.
    AddAfterSelection(Box<Content>),
    /// Select nodes of the open graph.
    Select(Vec<NodeId>),
    /// Open a group (push) or go out to a depth of the breadcrumb.
    OpenPath(Vec<NodeId>),
    /// Open the groups on the way to a layer, select it and bring it to the middle; mark a wire.
    Reveal {
        /// Groups to open, from the outside in.
        path: Vec<NodeId>,
        /// The layer.
        node: Option<NodeId>,
        /// The wire.
        link: Option<crate::graph::Link>,
    },
    /// Put the cost table of the open graph on the clipboard.
    CopyCost {
        /// For documents, not for other programs.
        as_markdown: bool,
    },
    /// Write the cost table of the open graph to a file; asks where.
    ExportCost,
    /// Show what would make training need less memory.
    ReduceMemory,
    /// Measure how long each layer takes.
    TimeLayers,
    /// A command of the canvas, by its id in the table of commands: acts on the selection.
    Canvas(&'static str),
    /// Undo the last step.
    Undo,
    /// Redo the undone step.
    Redo,
    /// A new, empty document.
    New,
    /// Open a file; asks which if `None`.
    Open(Option<PathBuf>),
    /// Open a preset by id.
    OpenPreset(String),
    /// Save; asks where if the document has no file.
    Save,
    /// Save under another name.
    SaveAs,
    /// Close a document by its index.
    CloseDocument(usize),
    /// Bring a document to the front.
    ShowDocument(usize),
    /// Start training, or go on after a pause.
    Train,
    /// Pause training, or go on after a pause.
    Pause,
    /// Stop training.
    Stop {
        /// Go back to the best weights.
        keep_best: bool,
    },
    /// Choose the device by its id.
    ChooseDevice(String),
    /// Show the feature maps of a node, by its path of ids.
    Probe(Vec<NodeId>),
    /// Show the feature maps of a validation image as a run's network sees it.
    LookAt {
        /// The run's folder.
        run: PathBuf,
        /// Index among its validation images.
        index: u64,
    },
    /// Look inside: asked in every frame by a panel that shows the answer.
    Look(Box<Look>),
    /// Ask for a picture to look at.
    ChooseImage,
    /// Write something to a file; asks where.
    Export(Box<Export>),
    /// Ask for a folder of images and make it the data: `true` for MNIST's four files, `false` for a folder of photos.
    ChooseData {
        /// Four IDX files instead of a folder per class.
        idx: bool,
    },
    /// Compare the chosen device with the CPU.
    CheckDevice,
    /// Go on with the last run of the document in front from its last checkpoint.
    ResumeRun,
    /// Do something with stored or waiting runs, or with the learning rate.
    Runs(RunsCommand),
    /// Empty the log.
    ClearLog,
    /// Bring a panel to the front.
    ShowPanel(&'static str),
    /// Give the network or the panels all the room; shared again if they have it.
    GiveRoom(super::dock::Room),
    /// Put text on the clipboard.
    Copy(String),
    /// Show a short message.
    Notify(String),
    /// Fit the drawing: all, or the selection.
    Fit,
    /// Fit the canvas to 100 %.
    ActualSize,
    /// Close the program.
    Quit,
}

impl UiCommand {
    /// A change of the open graph, one undo step of its own.
    pub fn edit(edit: Edit) -> Self {
        Self::Edit { edit, path: None, gesture: None }
    }
}
