//! Going on with a run whose epochs are done: how many more, and the button. Shared by the panels that show runs.

use super::runs_view::RunsCommand;
use super::{PanelCx, UiCommand, settings};
use crate::graph::{Schedule, TrainSpec};
use egui::Ui;
use std::path::Path;

/// Most epochs at once.
const MOST: u32 = 10_000;

/// How many more.
#[derive(Debug)]
pub(super) struct MoreEpochs {
    wanted: u32,
}

impl Default for MoreEpochs {
    fn default() -> Self {
        Self { wanted: 10 }
    }
}

impl MoreEpochs {
    /// Proposes a number, which can be changed.
    pub(super) fn propose(&mut self, count: u32) {
        self.wanted = count.clamp(1, MOST);
    }

    /// Draws number and button for the run of a folder; `spec` are the settings it was trained with, if they are at hand.
    pub(super) fn ui(
        &mut self,
        folder: &Path,
        spec: Option<&TrainSpec>,
        cx: &PanelCx<'_>,
        ui: &mut Ui,
        out: &mut Vec<UiCommand>,
    ) {
        let number = egui::DragValue::new(&mut self.wanted).range(1..=MOST).speed(0.2);
        ui.add(number).on_hover_text("How many more epochs").accessible_name("More epochs");
        let label =
            if self.wanted == 1 { "Train 1 more epoch".into() } else { format!("Train {} more epochs", self.wanted) };
        let button = ui.add_enabled(!cx.runs.is_busy, egui::Button::new(label)).on_hover_text(hover(spec));
        if button.on_disabled_hover_text("A run is under way. Stop it first").clicked() {
            out.push(UiCommand::Runs(RunsCommand::Extend(folder.to_path_buf(), self.wanted)));
        }
    }
}

/// What going on means, for the learning rate too.
fn hover(spec: Option<&TrainSpec>) -> String {
    let words = "The same run goes on: its curves grow, and its best epoch stays the best until a better one comes";
    let stretched = "Its schedule is laid over all epochs anew, so the learning rate rises again where it had fallen";
    match spec.map(|spec| spec.schedule) {
        Some(Schedule::Cosine { .. } | Schedule::OneCycle) => format!("{words}.\n{stretched}"),
        None => format!("{words}.\nA schedule that runs to the end is laid over all epochs anew"),
        Some(schedule) => format!("{words}.\nLearning rate: {}", settings::schedule_name(schedule).to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_that_will_rise_again_is_said() {
        let of = |schedule| hover(Some(&TrainSpec { schedule, ..TrainSpec::default() }));
        assert!(of(Schedule::Cosine { floor: 0.0 }).contains("rises again"));
        assert!(!of(Schedule::Constant).contains("rises again"));
    }
}
