//! What a network gets right and wrong after each epoch: confusion matrix, worst mistakes, scores of every class.

use super::atlas::Atlas;
use super::confusion::Matrix;
use super::data_panel::{fit, pixel};
use super::data_view::Thumb;
use super::kit;
use super::run_choice::{self, Choice};
use super::runs::RunView;
use super::runs_view::RunsCommand;
use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand};
use crate::engine::protocol::{Answer, EpochResults};
use crate::text;
use egui::{Color32, RichText, ScrollArea, Sense, Ui, UiBuilder, Vec2, vec2};
use std::path::PathBuf;
use std::sync::Arc;

/// Images that are shown at once.
const IMAGES: usize = 60;
/// Width of a column of scores: the word "Precision" has room in it.
const SCORE: f32 = 66.0;
/// Width from which all three parts stand side by side.
const WIDE: f32 = 980.0;

/// What stands beside the matrix when there is room for one thing only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Side {
    #[default]
    Images,
    Classes,
}

/// The panel.
#[derive(Debug, Default)]
pub struct ResultsPanel {
    /// The run that is looked at, if not the present one.
    run: Option<PathBuf>,
    /// The epoch that is looked at, if not the last one.
    epoch: Option<u32>,
    matrix: Matrix,
    side: Side,
    pictures: Atlas,
    key: Option<(PathBuf, Vec<(u64, bool)>)>,
}

impl Panel for ResultsPanel {
    fn id(&self) -> &'static str {
        "results"
    }

    fn title(&self) -> &'static str {
        "Results"
    }

    fn help(&self) -> &'static str {
        "Which classes are taken for which after each epoch, the worst mistakes, and scores of every class"
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let stored = self.run.as_ref().and_then(|folder| cx.runs.loaded.get(folder)).map(|run| &run.view);
        if self.run.is_some() && stored.is_none() {
            self.wait_ui(cx, ui, out);
            return;
        }
        let Some(run) = stored.or(cx.run) else {
            self.choose_ui(cx, None, ui, out);
            let text = "After each epoch stands here which classes the network takes for which, with the images.";
            cx.untrained_ui(ui, "No results yet", text, out);
            return;
        };
        let Some(results) = self.results(run).cloned() else {
            self.choose_ui(cx, Some(run), ui, out);
            let text = if run.is_active() {
                "The first epoch is under way. Its validation images come at its end."
            } else {
                "This run has no results: it has no validation images, ended before its first epoch, or is of an older version."
            };
            kit::empty_ui(ui, "No results of this run yet", text, None);
            return;
        };
        ui.horizontal_wrapped(|ui| {
            self.choose_ui(cx, Some(run), ui, out);
            self.epoch_ui(run, &results, ui);
            ui.checkbox(&mut self.matrix.is_share, "Share of the row")
                .on_hover_text("Show percent of the images of each class instead of their number");
            let (all, right) = results.totals();
            let share = right as f64 / all.max(1) as f64 * 100.0;
            kit::weak(ui, format!("{} of {} right, {share:.2} %", text::count(right), text::count(all)))
                .on_hover_text("Of the validation images, at the end of this epoch");
        });
        ui.add_space(2.0);
        self.parts_ui(run, &results, cx, ui, out);
    }
}

impl ResultsPanel {
    fn wait_ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        self.choose_ui(cx, None, ui, out);
        let Some(folder) = &self.run else { return };
        if let Some(why) = cx.runs.broken.get(folder) {
            kit::empty_ui(ui, "This run cannot be read", why, None);
        } else if cx.runs.row(folder).is_none() {
            self.run = None;
        } else {
            kit::weak(ui, "Reading the run…");
            if !cx.runs.is_reading {
                out.push(UiCommand::Runs(RunsCommand::Load(folder.clone())));
            }
        }
    }

    fn results<'a>(&self, run: &'a RunView) -> Option<&'a Arc<EpochResults>> {
        let wanted = self.epoch.and_then(|epoch| run.results.iter().find(|results| results.epoch == epoch));
        wanted.or_else(|| run.results.last())
    }

    /// Which run.
    fn choose_ui(&mut self, cx: &PanelCx<'_>, run: Option<&RunView>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let name = |folder: &std::path::Path| cx.runs.name(folder);
        let now = match (&self.run, run) {
            (Some(folder), _) => name(folder),
            (None, Some(run)) => name(&run.folder),
            (None, None) => "Choose a run".into(),
        };
        let before = self.run.clone();
        let combo = egui::ComboBox::from_id_salt("results-run").width(150.0).height(run_choice::HEIGHT).truncate();
        let combo = combo.selected_text(now.as_str()).show_ui(ui, |ui| {
            if let Some(present) = cx.run {
                let label = format!("{} (this network's last run)", name(&present.folder));
                ui.selectable_value(&mut self.run, None, label);
            }
            let choices = run_choice::choices(cx);
            let is_other = |choice: &&Choice<'_>| cx.run.is_none_or(|present| present.folder != choice.row.folder);
            let chosen = run_choice::list_ui(ui, choices.iter().filter(is_other), |choice| {
                let is_chosen = self.run.as_ref() == Some(&choice.row.folder);
                let is_empty = choice.summary.epochs_done == 0;
                (is_chosen, None, is_empty.then(|| "ended before its first epoch".to_owned()))
            });
            if let Some(choice) = chosen {
                self.run = Some(choice.row.folder.clone());
            }
        });
        run_choice::refresh_when_opened(&combo.response, out);
        combo
            .response
            .widget_info(|| egui::WidgetInfo::labeled(egui::Role::ComboBox, true, format!("Results of: {now}")));
        combo.response.on_hover_text("Whose results: those of this network's last run, or of any stored run");
        if self.run != before {
            (self.epoch, self.matrix.chosen) = (None, None);
            if let Some(folder) = &self.run {
                out.push(UiCommand::Runs(RunsCommand::Load(folder.clone())));
            }
        }
    }

    /// Which epoch.
    fn epoch_ui(&mut self, run: &RunView, results: &EpochResults, ui: &mut Ui) {
        let (Some(first), Some(last)) = (run.results.first(), run.results.last()) else { return };
        let label = kit::weak(ui, "Epoch");
        let mut epoch = results.epoch;
        ui.spacing_mut().slider_width = 110.0;
        let slider = egui::Slider::new(&mut epoch, first.epoch..=last.epoch.max(first.epoch + 1));
        let slider = ui.add_enabled(first.epoch < last.epoch, slider);
        if slider.labelled_by(label.id).on_hover_text("Go back through the run").changed() {
            self.epoch = (epoch < last.epoch).then_some(epoch);
        }
        let best = run.best().map(|best| best.epoch).filter(|best| *best != results.epoch);
        if let Some(best) = best
            && ui.button("Best epoch").on_hover_text("The epoch with the lowest validation loss").clicked()
        {
            self.epoch = Some(best);
        }
        if self.epoch.is_some() && ui.button("Latest epoch").on_hover_text("Follow the run").clicked() {
            self.epoch = None;
        }
    }

    fn parts_ui(
        &mut self,
        run: &RunView,
        results: &EpochResults,
        cx: &PanelCx<'_>,
        ui: &mut Ui,
        out: &mut Vec<UiCommand>,
    ) {
        let mut room = ui.available_rect_before_wrap();
        room.set_height(room.height().max(220.0));
        let is_wide = room.width() >= WIDE;
        let share = if is_wide { 0.36 } else { 0.5 };
        let square = (room.height() + 40.0).min(room.width() * share).max(230.0);
        let (matrix, rest) = room.split_left_right_at_x(room.left() + square);
        ui.scope_builder(UiBuilder::new().max_rect(matrix), |ui| self.matrix.ui(ui, results, &run.classes));
        let rest = rest.with_min_x(rest.left() + size::STEP * 2.0);
        if is_wide {
            let (images, classes) = rest.split_left_right_at_fraction(0.54);
            ui.scope_builder(UiBuilder::new().max_rect(images), |ui| self.images_ui(run, results, cx, ui, out));
            let classes = classes.with_min_x(classes.left() + size::STEP * 2.0);
            ui.scope_builder(UiBuilder::new().max_rect(classes), |ui| self.classes_ui(run, results, ui));
            return;
        }
        ui.scope_builder(UiBuilder::new().max_rect(rest), |ui| {
            ui.horizontal(|ui| {
                ui.selectable_value(&mut self.side, Side::Images, "Images")
                    .on_hover_text("Images of a cell, or the worst mistakes");
                ui.selectable_value(&mut self.side, Side::Classes, "Classes")
                    .on_hover_text("Confused pairs and scores");
            });
            match self.side {
                Side::Images => self.images_ui(run, results, cx, ui, out),
                Side::Classes => self.classes_ui(run, results, ui),
            }
        });
    }

    fn images_ui(
        &mut self,
        run: &RunView,
        results: &EpochResults,
        cx: &PanelCx<'_>,
        ui: &mut Ui,
        out: &mut Vec<UiCommand>,
    ) {
        let class = |class: u32| run.classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string());
        let answers: Vec<Answer> = match self.matrix.chosen {
            Some((truth, guess)) => results.examples_of(truth, guess).take(IMAGES).copied().collect(),
            None => results.worst().take(IMAGES).copied().collect(),
        };
        ui.horizontal(|ui| {
            match self.matrix.chosen {
                Some((truth, guess)) if truth == guess => {
                    kit::title(ui, format!("{} called {}", class(truth), class(guess)))
                        .on_hover_text("Right answers, those it was least sure of first");
                }
                Some((truth, guess)) => {
                    kit::title(ui, format!("{} mistaken for {}", class(truth), class(guess)))
                        .on_hover_text("Those it was surest of first");
                }
                None => {
                    kit::title(ui, "Worst mistakes").on_hover_text("Wrong answers, those it was surest of first");
                }
            }
            if self.matrix.chosen.is_some() && ui.button("Worst mistakes").on_hover_text("Of all classes").clicked() {
                self.matrix.chosen = None;
            }
        });
        if answers.is_empty() {
            kit::weak(
                ui,
                if self.matrix.chosen.is_some() { "No image is in this cell." } else { "Every image was right." },
            );
            return;
        }
        if let Some((truth, guess)) = self.matrix.chosen
            && results.at(truth, guess) > answers.len() as u64
        {
            kit::weak(ui, format!("{} of {}", answers.len(), text::count(results.at(truth, guess))));
        }
        let indices: Vec<u64> = answers.iter().map(|answer| answer.index).collect();
        if indices.iter().any(|index| !cx.runs.pictures.contains_key(&(run.folder.clone(), *index))) {
            out.push(UiCommand::Runs(RunsCommand::Pictures(run.folder.clone(), indices)));
        }
        let thumbs: Vec<Option<&Result<Thumb, String>>> =
            answers.iter().map(|answer| cx.runs.pictures.get(&(run.folder.clone(), answer.index))).collect();
        self.fill(run, &answers, &thumbs, ui);
        ScrollArea::vertical().id_salt("results-images").auto_shrink([false; 2]).show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(size::STEP, size::STEP);
                for (at, answer) in answers.iter().enumerate() {
                    let problem = thumbs.get(at).copied().flatten().and_then(|thumb| thumb.as_ref().err());
                    if self.image_ui(at, answer, problem, &class, ui) {
                        out.push(UiCommand::LookAt { run: run.folder.clone(), index: answer.index });
                    }
                }
            });
        });
    }

    /// One image with what it is and what it was called; whether it was clicked.
    fn image_ui(
        &self,
        at: usize,
        answer: &Answer,
        problem: Option<&String>,
        class: &dyn Fn(u32) -> String,
        ui: &mut Ui,
    ) -> bool {
        let tokens = Tokens::of(ui);
        let side = size::THUMB * 1.5;
        let words = format!(
            "Image {}: {} called {}, {:.1} % sure",
            answer.index + 1,
            class(answer.truth),
            class(answer.guess),
            answer.probability * 100.0
        );
        let (rect, response) = ui.allocate_exact_size(vec2(side, side + 28.0), Sense::click());
        if !ui.is_rect_visible(rect) {
            return false;
        }
        let picture = egui::Rect::from_min_size(rect.min, Vec2::splat(side));
        ui.painter().rect_filled(picture, 3.0, tokens.track);
        self.pictures.paint(ui, std::iter::once((at, fit(Vec2::splat(1.0), picture))));
        let color = if answer.is_right() { tokens.text } else { tokens.warning };
        let font = egui::FontId::proportional(size::FONT_SMALL);
        let caption = if answer.is_right() {
            class(answer.truth)
        } else {
            format!("{} › {}", class(answer.truth), class(answer.guess))
        };
        let line = |y: f32, text: String, color: Color32| {
            let mut job = egui::text::LayoutJob::simple_singleline(text, font.clone(), color);
            job.wrap = egui::text::TextWrapping::truncate_at_width(side);
            let galley = ui.painter().layout_job(job);
            ui.painter().galley(egui::pos2(rect.left(), y), galley, color);
        };
        line(picture.bottom() + 1.0, caption, color);
        line(picture.bottom() + 14.0, format!("{:.1} %", answer.probability * 100.0), tokens.text_weak);
        if response.hovered() || response.has_focus() {
            let frame = egui::Stroke::new(1.5, tokens.accent);
            ui.painter().rect_stroke(picture, 3.0, frame, egui::StrokeKind::Outside);
        }
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Image, true, &words));
        let hover = problem.map_or_else(|| words.clone(), |problem| format!("{words}\n{problem}"));
        let response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
        response.on_hover_text(format!("{hover}\nClick to see it in the feature maps")).clicked()
    }

    /// Puts the pictures into the texture, when others are shown or more of them have come.
    fn fill(&mut self, run: &RunView, answers: &[Answer], thumbs: &[Option<&Result<Thumb, String>>], ui: &Ui) {
        let good = |at: usize| {
            thumbs.get(at).copied().flatten().and_then(|thumb| thumb.as_ref().ok()).filter(|thumb| thumb.width > 0)
        };
        let state = answers.iter().enumerate().map(|(at, answer)| (answer.index, good(at).is_some())).collect();
        let key = (run.folder.clone(), state);
        if self.key.as_ref() == Some(&key) {
            return;
        }
        self.key = Some(key);
        let side = (0..answers.len()).filter_map(good).fold(1, |side, thumb| side.max(thumb.width).max(thumb.height));
        self.pictures
            .set(ui.ctx(), "results", [side, side], answers.len(), |i, x, y| pixel(good(i), [side, side], x, y));
    }

    fn classes_ui(&mut self, run: &RunView, results: &EpochResults, ui: &mut Ui) {
        let tokens = Tokens::of(ui);
        let class = |class: u32| run.classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string());
        kit::title(ui, "Confused most")
            .on_hover_text("Pairs of classes with the most mistakes; click one for its images");
        let pairs = results.confused();
        if pairs.is_empty() {
            kit::weak(ui, "None: every image was right.");
        }
        ui.horizontal_wrapped(|ui| {
            for &(truth, guess, count) in pairs.iter().take(6) {
                let is_chosen = self.matrix.chosen == Some((truth, guess));
                let label = format!("{} › {}  {}", class(truth), class(guess), text::count(count));
                let hover =
                    format!("{} images of {} were taken for {}", text::count(count), class(truth), class(guess));
                if ui.selectable_label(is_chosen, label).on_hover_text(hover).clicked() {
                    self.matrix.chosen = Some((truth, guess));
                }
            }
        });
        ui.add_space(size::HALF);
        let scores = results.scores();
        let cells = |ui: &mut Ui, texts: [(String, Color32); 5], hovers: Option<[&str; 5]>| {
            ui.horizontal(|ui| {
                ui.spacing_mut().item_spacing.x = 4.0;
                let first = (ui.available_width() - 4.0 * (SCORE + 4.0) - size::STEP).clamp(36.0, 160.0);
                for (at, (text, color)) in texts.into_iter().enumerate() {
                    let width = if at == 0 { first } else { SCORE };
                    let align = if at == 0 { egui::Align::Min } else { egui::Align::Max };
                    ui.allocate_ui_with_layout(vec2(width, 18.0), egui::Layout::top_down(align), |ui| {
                        ui.set_min_width(width);
                        let label = ui.add(egui::Label::new(RichText::new(text).color(color)).truncate());
                        if let Some(hover) = hovers.and_then(|hovers| hovers.get(at).copied()) {
                            label.on_hover_text(hover);
                        }
                    });
                }
            });
        };
        let hovers = [
            "The class",
            "Validation images of this class",
            "Of the images that were called this class, the share that are",
            "Of the images of this class, the share that were called so",
            "Harmonic mean of precision and recall",
        ];
        let head = ["Class", "Count", "Precision", "Recall", "F1"].map(|title| (title.to_owned(), tokens.text_weak));
        cells(ui, head, Some(hovers));
        ScrollArea::vertical().id_salt("results-classes").auto_shrink([false; 2]).show_rows(
            ui,
            18.0,
            scores.len(),
            |ui, rows| {
                for at in rows {
                    let Some(score) = scores.get(at) else { continue };
                    let share = |value: Option<f64>| match value {
                        Some(value) => {
                            (format!("{:.1} %", value * 100.0), if value < 0.8 { tokens.warning } else { tokens.text })
                        }
                        None => ("–".to_owned(), tokens.text_weak),
                    };
                    let name = run.classes.get(at).cloned().unwrap_or_else(|| at.to_string());
                    let row = [
                        (name, tokens.text_strong),
                        (text::count(score.images), tokens.text),
                        share(score.precision),
                        share(score.recall),
                        share(score.f1),
                    ];
                    cells(ui, row, None);
                }
            },
        );
    }
}
