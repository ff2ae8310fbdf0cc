//! Pictures of the real window, made without a display: `striate screenshots` drives the very app that people use.

mod scenes;

use super::app::{App, Options};
use super::runs::RunState;
use crate::graph::{Edit, NodeId};
use crate::layers::Family;
use anyhow::{Context as _, Result, bail};
use egui::ThemePreference;
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Size of the window in the pictures.
const SIZE: [f32; 2] = [1600.0, 1000.0];
/// Bytes that the engine may take: what every scene needs by far, and not enough for the one that warns.
const MEMORY: &str = "4000000000";
/// Longest wait for the engine.
const PATIENCE: Duration = Duration::from_mins(5);

/// Writes every panel in use, the dialogs and a diagnostic as PNGs into a folder, each dark and light.
///
/// # Errors
/// The folder cannot be written, no picture can be rendered, or training does not come along.
pub fn screenshots(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("{} cannot be made", dir.display()))?;
    let scratch = std::env::temp_dir().join(format!("striate-screenshots-{}", std::process::id()));
    let result = Studio::new(&scratch).shoot(dir);
    // The runs in it were for show; a folder that stays behind does no harm.
    let _ = std::fs::remove_dir_all(&scratch);
    result
}

/// The app in front of a camera.
struct Studio {
    harness: Harness<'static, App>,
}

impl Studio {
    fn new(scratch: &Path) -> Self {
        let storage = Some(scratch.to_path_buf());
        let worker_env = vec![(crate::engine::memory::LIMIT.into(), MEMORY.into())];
        let options = Options { storage, theme: Some(ThemePreference::Dark), worker_env, ..Options::default() };
        let harness = Harness::builder()
            .with_size(SIZE)
            .with_pixels_per_point(1.25)
            .with_render_cursor(false)
            .with_accessibility_check(false)
            .wgpu()
            .build_eframe(|cc| App::new(cc, options));
        Self { harness }
    }

    fn shoot(&mut self, dir: &Path) -> Result<()> {
        self.wait("the data", |app| !app.data().classes.is_empty())?;
        self.show("cost");
        self.snap(dir, "cost")?;
        self.show("data");
        self.snap(dir, "data")?;

        self.shoot_around(dir)?;
        self.shoot_group(dir)?;
        self.shoot_pad(dir)?;
        self.show("cost");

        self.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::K);
        self.steps(6);
        self.harness.get_by_label("Command palette").type_text("pool");
        self.steps(6);
        self.snap(dir, "command-palette")?;
        self.harness.key_press(egui::Key::Escape);
        self.show("cost");
        self.colour("Kind", "Planned RAM");
        self.snap(dir, "colours")?;
        self.colour("Planned RAM", "Kind");

        let mut training = self.harness.state().document().training.clone();
        training.epochs = 5;
        self.edit(&Edit::SetTraining(Box::new(training)))?;
        self.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
        self.wait("training", |app| {
            app.run().is_some_and(|run| run.epochs.len() >= 3 || matches!(run.state, RunState::Finished(_)))
        })?;
        self.snap(dir, "training")?;

        let first = self.node_of(Family::Convolution).context("LeNet-5 has a convolution")?;
        self.harness.state_mut().workspace.front_mut().selection = vec![first];
        self.show("feature-maps");
        self.wait("feature maps", |app| app.look().probe.as_ref().is_some_and(|probe| !probe.planes.is_empty()))?;
        self.wait("the end of the run", |app| !app.session.is_busy())?;
        self.steps(10);
        self.snap(dir, "feature-maps")?;
        self.click("Channel 2")?;
        self.wait("how a cell came to be", |app| app.look().explained.is_some())?;
        self.steps(10);
        self.snap(dir, "explained-cell")?;
        self.shoot_history(dir)?;
        self.shoot_patches(dir)?;
        self.shoot_runs(dir)?;

        // Without Flatten the first dense layer meets a map.
        let graph = &self.harness.state().document().graph;
        let flatten = graph.nodes.iter().find(|node| node.content.kind_id() == "flatten").map(|node| node.id);
        let dense = self.node_of(Family::Dense);
        self.edit(&Edit::Remove { nodes: vec![flatten.context("LeNet-5 has a Flatten")?] })?;
        let dense = self
            .harness
            .state()
            .document()
            .graph
            .nodes
            .iter()
            .find(|node| node.content.kind_id() == "dense")
            .map(|node| node.id)
            .or(dense);
        self.harness.state_mut().workspace.front_mut().selection = dense.into_iter().collect();
        self.show("cost");
        self.snap(dir, "diagnostic")?;
        self.show("problems");
        self.snap(dir, "problems")
    }

    /// Colours the cards by another figure.
    fn colour(&mut self, from: &str, to: &str) {
        let combo = format!("Colour of the cards: {from}");
        self.harness.get_by_role_and_label(egui::Role::ComboBox, &combo).click();
        self.steps(6);
        self.harness.get_by_role_and_label(egui::Role::Button, to).click();
        self.steps(6);
    }

    /// Results of the run that has ended, a search for a better rate, a second run, and both beside each other.
    fn shoot_runs(&mut self, dir: &Path) -> Result<()> {
        self.show("results");
        self.click(" called ")?;
        self.wait("pictures of mistakes", |app| !app.runs().pictures.is_empty() && !app.runs().is_reading)?;
        self.snap(dir, "results")?;

        self.show("training");
        self.click("Find rate")?;
        self.wait("the search", |app| app.runs().search.as_ref().is_some_and(|search| search.advice.is_some()))?;
        self.steps(10);
        self.snap(dir, "rate-search")?;
        self.click("Close search")?;

        let mut training = self.harness.state().document().training.clone();
        training.learning_rate = 3e-3;
        training.schedule = crate::graph::Schedule::Cosine { floor: 0.0 };
        self.edit(&Edit::SetTraining(Box::new(training)))?;
        self.harness.key_press_modifiers(egui::Modifiers::COMMAND, egui::Key::Enter);
        self.wait("the second run", |app| {
            app.runs().rows.len() > 1 && !app.session.is_busy() && app.run().is_some_and(|run| run.epochs.len() >= 5)
        })?;
        self.show("runs");
        self.click("Run lenet-5-1")?;
        self.snap(dir, "runs")?;
        let second = self.harness.query_by_label("Run lenet-5-2").context("The second run is in the list")?;
        second.click_modifiers(egui::Modifiers::COMMAND);
        self.steps(4);
        self.wait("the comparison", |app| !app.runs().is_reading && app.runs().loaded.len() > 1)?;
        self.snap(dir, "compare-runs")?;
        self.click("Show both in charts")?;
        self.wait("both curves", |app| !app.runs().is_reading)?;
        self.show("training");
        self.snap(dir, "charts")
    }

    /// Clicks the first thing of a label.
    fn click(&mut self, label: &str) -> Result<()> {
        let found = self.harness.query_all_by_label_contains(label).next();
        found.with_context(|| format!("There is no {label:?} to click"))?.click();
        self.steps(4);
        Ok(())
    }

    fn node_of(&self, family: Family) -> Option<NodeId> {
        let graph = &self.harness.state().document().graph;
        graph
            .nodes
            .iter()
            .find(|node| node.content.about().is_some_and(|about| about.family == family))
            .map(|node| node.id)
    }

    fn edit(&mut self, edit: &Edit) -> Result<()> {
        let front = self.harness.state_mut().workspace.front_mut();
        front.edit(edit, Some(Vec::new()), None).map_err(|refused| anyhow::anyhow!(refused))
    }

    fn show(&mut self, panel: &str) {
        self.harness.state_mut().show_panel(panel);
        self.steps(4);
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.harness.step();
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    fn wait(&mut self, what: &str, is_done: impl Fn(&App) -> bool) -> Result<()> {
        self.until(what, |studio| is_done(studio.harness.state()))
    }

    fn until(&mut self, what: &str, is_done: impl Fn(&Self) -> bool) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        loop {
            self.steps(1);
            if is_done(self) {
                return Ok(());
            }
            if let Some(bad) = self.harness.state().bad_news() {
                bail!("Waiting for {what}: {bad}");
            }
            if Instant::now() > end {
                bail!("Waiting for {what} took more than {} s", PATIENCE.as_secs());
            }
        }
    }

    fn snap(&mut self, dir: &Path, name: &str) -> Result<()> {
        for (theme, suffix) in [(ThemePreference::Light, "-light"), (ThemePreference::Dark, "")] {
            let ctx = self.harness.ctx.clone();
            self.harness.state_mut().set_theme(&ctx, theme);
            self.steps(4);
            let image = self.harness.render().map_err(|error| anyhow::anyhow!("Rendering failed: {error}"))?;
            let path = dir.join(format!("{name}{suffix}.png"));
            image.save(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        Ok(())
    }
}
