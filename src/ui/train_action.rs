//! What Train does for the network in front at this moment, in words: one answer for toolbar, menu, keys and panels.

use super::runs::{RunState, RunView};
use super::{PanelCx, UiCommand, command, kit};
use egui::Ui;

/// What Train would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TrainAction {
    /// Start a run.
    Start,
    /// Go on with its run, which is paused.
    GoOn,
    /// Nothing: its run is under way.
    Running,
    /// Add it to the queue: this network trains.
    Enqueue(String),
    /// Nothing: it cannot be trained, and why.
    Blocked(String),
}

impl TrainAction {
    /// What it is now.
    pub(super) fn of(cx: &PanelCx<'_>) -> Self {
        match cx.run.filter(|run| run.is_active()).map(|run| &run.state) {
            Some(RunState::Paused) => return Self::GoOn,
            Some(_) => return Self::Running,
            None => {}
        }
        match (cx.plan.training_problem(), cx.elsewhere()) {
            (Some(problem), _) => Self::Blocked(problem),
            (None, Some(name)) => Self::Enqueue(name.to_owned()),
            (None, None) => Self::Start,
        }
    }

    /// Text of its button.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::GoOn => "Go on",
            Self::Enqueue(_) => "Add to queue",
            Self::Start | Self::Running | Self::Blocked(_) => "Train",
        }
    }

    /// Whether it does anything.
    pub(super) fn is_enabled(&self) -> bool {
        matches!(self, Self::Start | Self::GoOn | Self::Enqueue(_))
    }

    /// What hovering over its button shows, also while it does nothing.
    pub(super) fn hover(&self, ctx: &egui::Context) -> String {
        match self {
            Self::Start | Self::GoOn => command::hover_text(ctx, "train"),
            Self::Running => "This network is being trained".into(),
            Self::Enqueue(name) => {
                format!(
                    "{name} is training. Train this network as it is now once that has ended ({})",
                    command::keys_text(ctx, "train")
                )
            }
            Self::Blocked(problem) => problem.clone(),
        }
    }
}

impl PanelCx<'_> {
    /// The name of the network that trains, if it is not the one in front.
    pub(super) fn elsewhere(&self) -> Option<&str> {
        let is_own = self.run.is_some_and(RunView::is_active);
        self.runs.training.as_deref().filter(|_| !is_own)
    }

    /// What a panel shows that training would fill: a title, a text, and the button, with what stands in the way. While
    /// another network trains, the one button is that at the top, and the text leads there.
    pub(super) fn untrained_ui(&self, ui: &mut Ui, title: &str, text: &str, out: &mut Vec<UiCommand>) {
        match TrainAction::of(self) {
            TrainAction::Blocked(problem) => {
                kit::empty_ui(ui, "Not ready to train", &problem, None);
            }
            TrainAction::Enqueue(name) => {
                // Two tabs may have a network of the same name.
                let own = &self.document.name;
                let other = if *own == name { format!("Another {name}") } else { name };
                let is_waiting = self.runs.queue.iter().any(|queued| queued.revision == self.revision);
                let text = if is_waiting && self.runs.is_held {
                    "This network waits for its turn. The queue is on hold.".to_owned()
                } else if is_waiting {
                    "This network waits for its turn and then starts by itself.".to_owned()
                } else {
                    format!("This network can wait for its turn: Add to queue, at the top of the window. {text}")
                };
                kit::empty_ui(ui, &format!("{other} is training"), &text, None);
            }
            action => {
                let hover = action.hover(ui.ctx());
                let label = if action == TrainAction::Start { "Start training" } else { action.label() };
                if kit::empty_ui(ui, title, text, action.is_enabled().then_some((label, hover.as_str()))) {
                    out.push(UiCommand::Train);
                }
            }
        }
    }
}
