//! Lets a test see the real window from outside: with `STRIATE_TEST_TREE=<file>` in the environment, every frame writes
//! the accessible names of all controls and where they are, in pixels of the window. Without it nothing here does anything.
//!
//! The end-to-end test steers mouse and keyboard by these places, as a person does by looking.

use egui::accesskit::{Affine, Node, NodeId, Point};
use egui::{Context, FullOutput, Plugin};
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Name of the variable.
const VARIABLE: &str = "STRIATE_TEST_TREE";
/// A window that panics on demand, when this file exists: `STRIATE_TEST_PANIC=<file>`.
const PANIC: &str = "STRIATE_TEST_PANIC";
/// Least time between two files.
const BETWEEN: Duration = Duration::from_millis(20);

/// Installs what the environment asks for.
pub(super) fn install(ctx: &Context) {
    if let Some(file) = std::env::var_os(VARIABLE) {
        ctx.enable_accesskit();
        let panic = std::env::var_os(PANIC).map(PathBuf::from);
        ctx.add_plugin(Tree { file: file.into(), panic, last: None, frame: 0 });
    }
}

struct Tree {
    file: PathBuf,
    panic: Option<PathBuf>,
    last: Option<Instant>,
    frame: u64,
}

impl Plugin for Tree {
    fn debug_name(&self) -> &'static str {
        "striate-test-tree"
    }

    fn on_end_pass(&mut self, ui: &mut egui::Ui) {
        // The test looks at any time, not only after its own input.
        ui.ctx().request_repaint_after(Duration::from_millis(30));
        if self.panic.as_ref().is_some_and(|file| file.exists()) {
            std::panic::panic_any("a panic on demand");
        }
    }

    fn output_hook(&mut self, _ctx: &Context, output: &mut FullOutput) {
        self.frame += 1;
        if self.last.is_some_and(|last| last.elapsed() < BETWEEN) {
            return;
        }
        let Some(update) = &output.platform_output.accesskit_update else { return };
        self.last = Some(Instant::now());
        let nodes: HashMap<NodeId, &Node> = update.nodes.iter().map(|(id, node)| (*id, node)).collect();
        let root = update.tree.as_ref().map(|tree| tree.root);
        let scale = root.and_then(|root| nodes.get(&root)?.transform().copied()).unwrap_or(Affine::IDENTITY);
        let rows: Vec<serde_json::Value> = update.nodes.iter().filter_map(|(_, node)| row(node, scale)).collect();
        let text = serde_json::json!({ "frame": self.frame, "nodes": rows }).to_string();
        // The next frame tries again.
        let _ = crate::graph::write_atomically(&self.file, text.as_bytes());
    }
}

fn row(node: &Node, scale: Affine) -> Option<serde_json::Value> {
    let bounds = node.bounds()?;
    let name = node.label().or_else(|| node.value())?;
    let (from, to) = (scale * Point::new(bounds.x0, bounds.y0), scale * Point::new(bounds.x1, bounds.y1));
    Some(serde_json::json!({
        "role": format!("{:?}", node.role()),
        "name": name,
        "enabled": !node.is_disabled(),
        "rect": [from.x, from.y, to.x, to.y],
    }))
}
