//! The scenes that need no trained network: lists, dialogs, help, groups, and what is wrong.

use super::Studio;
use crate::graph::{Content, Edit};
use anyhow::{Context as _, Result};
use egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::Queryable as _;
use std::path::Path;

impl Studio {
    /// Panels, dialogs and help around an untrained LeNet-5.
    pub(super) fn shoot_around(&mut self, dir: &Path) -> Result<()> {
        for panel in ["outline", "log"] {
            self.show(panel);
            self.snap(dir, panel)?;
        }
        self.show("cost");
        self.shoot_dialog(dir, "help", |studio| studio.key(Modifiers::NONE, Key::F1))?;
        self.shoot_dialog(dir, "preferences", |studio| studio.key(Modifiers::COMMAND, Key::Comma))?;

        self.click("Help")?;
        self.click("Check device…")?;
        let is_checked = |studio: &Self| studio.harness.query_by_label_contains("cases run and repeat").is_some();
        self.until("the device check", is_checked)?;
        self.snap(dir, "device-check")?;
        self.key(Modifiers::NONE, Key::Escape);

        // More images at a time than fit into the memory that the studio gives its engine.
        let mut training = self.harness.state().document().training.clone();
        let usual = training.batch;
        training.batch = *crate::graph::bounds::BATCH.end();
        self.edit(&Edit::SetTraining(Box::new(training.clone())))?;
        self.shoot_dialog(dir, "memory-warning", |studio| studio.key(Modifiers::COMMAND, Key::Enter))?;
        training.batch = usual;
        self.edit(&Edit::SetTraining(Box::new(training)))?;
        self.shoot_dialog(dir, "unsaved-changes", Self::ask_to_close)
    }

    /// A group that is open, with the way back to the whole network above it.
    pub(super) fn shoot_group(&mut self, dir: &Path) -> Result<()> {
        let preset = crate::presets::find("resnet-mini").context("ResNet mini is a preset")?;
        let group = preset.graph.nodes.iter().find(|node| matches!(node.content, Content::Group(_)));
        let group = group.context("ResNet mini has a group")?.id;
        self.harness.state_mut().workspace.open_beside(preset, None);
        self.steps(20);
        self.snap(dir, "groups")?;
        self.harness.state_mut().workspace.front_mut().path = vec![group];
        self.steps(20);
        self.snap(dir, "open-group")?;
        let workspace = &mut self.harness.state_mut().workspace;
        workspace.close(workspace.active);
        self.steps(6);
        Ok(())
    }

    /// A seven on the drawing pad, and what the network makes of it.
    pub(super) fn shoot_pad(&mut self, dir: &Path) -> Result<()> {
        self.show("feature-maps");
        self.click("Image: ")?;
        self.click("Drawing pad")?;
        let pad = self.harness.query_by_label("Drawing pad").context("There is no drawing pad")?.rect();
        let at = |x: f32, y: f32| pad.min + vec2(pad.width() * x, pad.height() * y);
        self.stroke(&[at(0.28, 0.25), at(0.72, 0.25), at(0.5, 0.82)]);
        self.wait("maps of the drawing", |app| app.look().probe.as_ref().is_some_and(|probe| probe.label.is_empty()))?;
        self.steps(20);
        self.snap(dir, "drawing-pad")?;
        self.click("Image: ")?;
        self.click("Validation image")
    }

    /// What excites each channel most.
    pub(super) fn shoot_patches(&mut self, dir: &Path) -> Result<()> {
        self.show("feature-maps");
        self.click("Patches")?;
        self.until("patches", |studio| studio.harness.query_by_label("Patch 1 of channel 0").is_some())?;
        self.steps(10);
        self.snap(dir, "patches")?;
        self.click("Maps")
    }

    /// The snapshots of the run that has ended.
    pub(super) fn shoot_history(&mut self, dir: &Path) -> Result<()> {
        self.show("feature-maps");
        self.click("History")?;
        self.until("snapshots", |studio| studio.harness.query_by_label("Snapshot").is_some())?;
        self.steps(10);
        self.snap(dir, "history")?;
        self.click("Maps")
    }

    /// Opens something, takes its picture, closes it with Escape.
    fn shoot_dialog(&mut self, dir: &Path, name: &str, open: impl FnOnce(&mut Self)) -> Result<()> {
        open(self);
        self.steps(10);
        self.snap(dir, name)?;
        self.key(Modifiers::NONE, Key::Escape);
        self.steps(10);
        Ok(())
    }

    fn key(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.steps(4);
    }

    fn stroke(&mut self, points: &[egui::Pos2]) {
        for (index, &point) in points.iter().enumerate() {
            if index == 0 {
                self.harness.drag_at(point);
                self.steps(1);
            }
            let from = points.get(index.saturating_sub(1)).copied().unwrap_or(point);
            for part in 0..=10_u8 {
                self.harness.hover_at(from.lerp(point, f32::from(part) / 10.0));
                self.steps(1);
            }
        }
        if let Some(&last) = points.last() {
            self.harness.drop_at(last);
        }
        self.steps(4);
    }

    fn ask_to_close(&mut self) {
        let viewports = &mut self.harness.input_mut().viewports;
        viewports.entry(egui::ViewportId::ROOT).or_default().events.push(egui::ViewportEvent::Close);
        self.harness.step();
        let viewports = &mut self.harness.input_mut().viewports;
        viewports.entry(egui::ViewportId::ROOT).or_default().events.clear();
    }
}
