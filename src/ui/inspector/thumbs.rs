//! The selected layer's feature maps and filters, small, from what a run offers; a click opens the panel with all of them.

use crate::graph::Node;
use crate::ui::atlas::Atlas;
use crate::ui::runs::{Plane, ProbeView};
use crate::ui::theme::{self, size};
use crate::ui::{PanelCx, UiCommand};
use egui::{Color32, Rect, Sense, Ui, Vec2, vec2};

/// Side of a picture.
const SIDE: f32 = 40.0;
/// Most pictures of a kind.
const MOST: usize = 12;

/// The pictures, made anew when the look is another.
#[derive(Debug, Default)]
pub(super) struct Thumbs {
    key: Option<(String, String, u64)>,
    maps: Atlas,
    filters: Atlas,
}

impl Thumbs {
    /// Shows what there is of a node; nothing without a run.
    pub(super) fn ui(&mut self, ui: &mut Ui, cx: &PanelCx<'_>, node: &Node, out: &mut Vec<UiCommand>) {
        let Some(run) = cx.run.filter(|run| !run.steps.is_empty()) else { return };
        super::section(ui, "Inside");
        let probe = run.probe.as_ref().filter(|probe| cx.name_path(node.id).as_ref() == Some(&probe.layer));
        let Some(probe) = probe else {
            let hover = "Show what this layer makes of an image, with the weights as they are now";
            if ui.button("Show feature maps").on_hover_text(hover).clicked() {
                let path = cx.path.iter().copied().chain([node.id]).collect();
                out.push(UiCommand::ShowPanel("feature-maps"));
                out.push(UiCommand::Probe(path));
            }
            return;
        };
        self.update(ui, &run.name, probe);
        let mut opens = strip(ui, &self.maps, &probe.planes, "Feature maps");
        opens |= strip(ui, &self.filters, &probe.filters, "Filters");
        if opens {
            out.push(UiCommand::ShowPanel("feature-maps"));
        }
    }

    fn update(&mut self, ui: &Ui, run: &str, probe: &ProbeView) {
        let key = (run.to_owned(), format!("{} {}", probe.layer, probe.serial), probe.step);
        if self.key.as_ref() == Some(&key) {
            return;
        }
        self.key = Some(key);
        fill(&mut self.maps, ui, "inspector-maps", &probe.planes);
        fill(&mut self.filters, ui, "inspector-filters", &probe.filters);
    }
}

fn fill(atlas: &mut Atlas, ui: &Ui, name: &str, planes: &[Plane]) {
    let planes = planes.get(..MOST).unwrap_or(planes);
    let tile = planes.iter().fold([1, 1], |[w, h], plane| [w.max(plane.width), h.max(plane.height)]);
    atlas.set(ui.ctx(), name, tile, planes.len(), |i, x, y| {
        let plane = planes.get(i).filter(|plane| x < plane.width && y < plane.height);
        let byte = plane.and_then(|plane| plane.pixels.get((y * plane.width + x) * plane.depth.max(1))).copied();
        byte.map_or(Color32::TRANSPARENT, theme::heat)
    });
}

/// One row of pictures with its caption; whether it was clicked.
fn strip(ui: &mut Ui, atlas: &Atlas, planes: &[Plane], what: &str) -> bool {
    if planes.is_empty() || planes.iter().all(|plane| plane.height <= 1) {
        return false;
    }
    let shown = planes.len().min(MOST);
    let caption = if shown < planes.len() { format!("{what}, {shown} of {}", planes.len()) } else { what.to_owned() };
    crate::ui::kit::weak(ui, caption);
    let columns = ((ui.available_width() + size::HALF) / (SIDE + size::HALF)).floor().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few columns")]
    let columns = columns as usize;
    let rows = shown.div_ceil(columns);
    let room = vec2(ui.available_width(), rows as f32 * (SIDE + size::HALF));
    let (rect, response) = ui.allocate_exact_size(room, Sense::click());
    let name = format!("{what} of the selected layer");
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
    let place = |i: usize| {
        let corner = vec2((i % columns) as f32, (i / columns) as f32) * (SIDE + size::HALF);
        Rect::from_min_size(rect.min + corner, Vec2::splat(SIDE))
    };
    atlas.paint(ui, (0..shown).map(|i| (i, place(i))));
    response.on_hover_text("Open the feature maps").on_hover_cursor(egui::CursorIcon::PointingHand).clicked()
}
