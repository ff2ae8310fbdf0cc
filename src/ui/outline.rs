//! The outline: every layer in the order of the flow, groups with what is inside. The selection is the canvas's.

use super::theme::{Tokens, size};
use super::{Panel, PanelCx, UiCommand, icons, kit};
use crate::graph::{Content, Graph, NodeId};
use crate::layers::Family;
use crate::plan::{CostSettings, Severity};
use crate::text;
use egui::{Align2, Key, Modifiers, Rect, Role, Sense, Ui, Vec2, WidgetInfo, pos2, vec2};
use std::collections::HashSet;

/// One layer in the list.
#[derive(Clone, Debug)]
struct Row {
    /// Groups around it.
    path: Vec<NodeId>,
    id: NodeId,
    name: String,
    kind: String,
    icon: &'static str,
    family: Family,
    shape: String,
    params: String,
    /// Layers inside, of a group.
    /// Planned bytes, in words.
    planned: String,
    inside: Option<usize>,
    is_open: bool,
    is_off: bool,
    problem: Option<(Severity, String)>,
}

impl Row {
    fn own_path(&self) -> Vec<NodeId> {
        [self.path.as_slice(), &[self.id]].concat()
    }
}

/// The outline.
#[derive(Debug, Default)]
pub struct OutlinePanel {
    /// Groups whose layers are not listed.
    closed: HashSet<Vec<NodeId>>,
    key: Option<(usize, u64, CostSettings)>,
    rows: Vec<Row>,
    /// The row that was current last frame, to follow it.
    current: Option<usize>,
}

impl Panel for OutlinePanel {
    fn id(&self) -> &'static str {
        "outline"
    }

    fn title(&self) -> &'static str {
        "Outline"
    }

    fn help(&self) -> &'static str {
        "Every layer in the order of the flow, with what is inside groups. Click selects; arrow keys walk, open and close."
    }

    fn ui(&mut self, cx: &PanelCx<'_>, ui: &mut Ui, out: &mut Vec<UiCommand>) {
        let key = (std::ptr::from_ref(cx.document).addr(), cx.revision, cx.cost.settings);
        if self.key != Some(key) {
            self.rebuild(cx);
            self.key = Some(key);
        }
        if self.rows.is_empty() {
            kit::empty_ui(ui, "No layers yet", "Every layer of the network will be listed here.", None);
            return;
        }
        let current = self.current(cx);
        let id = ui.scope_id().with("outline");
        let area = ui.available_rect_before_wrap();
        let list = ui.interact(area, id, Sense::click());
        list.widget_info(|| WidgetInfo::labeled(Role::Tree, true, "Outline of the network"));
        kit::hold_arrows(ui, &list);
        if list.has_focus() {
            self.keys(ui, cx, current, out);
        }
        let row_height = size::ROW;
        let mut scroll = egui::ScrollArea::vertical().auto_shrink([false, false]);
        if let Some(at) = current.filter(|_| current != self.current) {
            // The rows around it may not be drawn yet, so the offset is reckoned.
            let (top, seen) = (at as f32 * row_height, area.height());
            let known = ui.data(|data| data.get_temp::<f32>(id)).unwrap_or(0.0);
            if top < known || top + row_height > known + seen {
                scroll = scroll.vertical_scroll_offset((top - seen / 2.0).max(0.0));
            }
        }
        self.current = current;
        let (rows, mut clicked, mut toggled) = (&self.rows, None, None);
        ui.spacing_mut().item_spacing.y = 0.0;
        let shown = scroll.show_rows(ui, row_height, rows.len(), |ui, range| {
            for at in range {
                let Some(row) = rows.get(at) else { continue };
                let is_selected = row.path == cx.path && cx.selection.contains(&row.id);
                let is_focused = list.has_focus() && Some(at) == current;
                let (hit, fold) = row_ui(ui, row, is_selected, is_focused);
                if fold {
                    toggled = Some(at);
                } else if let Some(gesture) = hit {
                    clicked = Some((at, gesture));
                }
            }
        });
        let offset = shown.state.clamped_offset().y;
        ui.data_mut(|data| data.insert_temp(id, offset));
        if let Some((at, gesture)) = clicked {
            list.request_focus();
            self.select(at, cx, gesture, out);
        }
        if let Some(at) = toggled {
            self.toggle(at, cx);
        }
    }
}

/// How a row was clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hit {
    Select,
    Add,
    Open,
}

impl OutlinePanel {
    fn rebuild(&mut self, cx: &PanelCx<'_>) {
        self.rows.clear();
        let mut rows = std::mem::take(&mut self.rows);
        self.list(cx, &cx.document.graph, &mut Vec::new(), &mut rows);
        self.rows = rows;
    }

    fn list(&self, cx: &PanelCx<'_>, graph: &Graph, path: &mut Vec<NodeId>, rows: &mut Vec<Row>) {
        let (order, rest) = graph.topological();
        for node in order.into_iter().chain(rest).filter_map(|at| graph.nodes.get(at)) {
            let plan = cx.plan.node(path, node.id);
            let cost = plan.map(|plan| cx.cost.node(plan)).unwrap_or_default();
            let shape = cx.plan.output_shape(path, node.id).map_or_else(|| "–".to_owned(), ToString::to_string);
            let about = node.content.about();
            let inner = match &node.content {
                Content::Group(group) => Some(group),
                Content::Layer(_) | Content::Unknown { .. } => None,
            };
            let mut kind = node.content.kind_name().to_owned();
            if let Some(group) = inner.filter(|group| group.repeat > 1) {
                kind += &format!(" ×{}", group.repeat);
            }
            let worst = cx.plan.diagnostics_of(path, node.id).max_by_key(|found| found.severity);
            let mut row = Row {
                path: path.clone(),
                id: node.id,
                name: node.name.clone(),
                kind,
                icon: about.map_or(if inner.is_some() { "group" } else { "unknown" }, |about| about.id),
                family: about.map_or(Family::Block, |about| about.family),
                shape,
                params: if node.bypassed {
                    "bypassed".into()
                } else if cost.params() > 0 {
                    format!("{} params", text::count(cost.params()))
                } else {
                    String::new()
                },
                planned: match cost.planned.total() {
                    0 => String::new(),
                    bytes => text::bytes(bytes),
                },
                inside: inner.map(|group| group.graph.nodes.len()),
                is_open: false,
                is_off: node.bypassed,
                problem: worst
                    .filter(|found| found.severity >= Severity::Warning)
                    .map(|found| (found.severity, found.message.clone())),
            };
            path.push(node.id);
            row.is_open = inner.is_some() && !self.closed.contains(path.as_slice());
            let is_open = row.is_open;
            rows.push(row);
            if let Some(group) = inner.filter(|_| is_open) {
                self.list(cx, &group.graph, path, rows);
            }
            path.pop();
        }
    }

    /// The row of what is selected last; of the open group if nothing is.
    fn current(&self, cx: &PanelCx<'_>) -> Option<usize> {
        let last = cx.selection.last();
        let found = last.and_then(|id| self.rows.iter().position(|row| row.id == *id && row.path == cx.path));
        found.or_else(|| {
            let (group, outer) = cx.path.split_last()?;
            self.rows.iter().position(|row| row.id == *group && row.path == outer)
        })
    }

    fn select(&self, at: usize, cx: &PanelCx<'_>, hit: Hit, out: &mut Vec<UiCommand>) {
        let Some(row) = self.rows.get(at) else { return };
        if hit == Hit::Open && row.inside.is_some() {
            out.push(UiCommand::OpenPath(row.own_path()));
            return;
        }
        if row.path != cx.path {
            out.push(UiCommand::OpenPath(row.path.clone()));
        }
        let mut nodes = if hit == Hit::Add && row.path == cx.path { cx.selection.to_vec() } else { Vec::new() };
        match nodes.iter().position(|id| *id == row.id) {
            Some(known) => drop(nodes.remove(known)),
            None => nodes.push(row.id),
        }
        out.push(UiCommand::Select(nodes));
    }

    fn toggle(&mut self, at: usize, cx: &PanelCx<'_>) {
        let Some(path) = self.rows.get(at).map(Row::own_path) else { return };
        if !self.closed.remove(&path) {
            self.closed.insert(path);
        }
        self.rebuild(cx);
    }

    /// Up and down walk, right opens, left closes or goes to the group around, Enter opens settings or group.
    fn keys(&mut self, ui: &Ui, cx: &PanelCx<'_>, current: Option<usize>, out: &mut Vec<UiCommand>) {
        let pressed = |key: Key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
        let last = self.rows.len().saturating_sub(1);
        if pressed(Key::ArrowDown) {
            self.select(current.map_or(0, |at| (at + 1).min(last)), cx, Hit::Select, out);
        }
        if pressed(Key::ArrowUp) {
            self.select(current.map_or(0, |at| at.saturating_sub(1)), cx, Hit::Select, out);
        }
        if pressed(Key::Home) {
            self.select(0, cx, Hit::Select, out);
        }
        if pressed(Key::End) {
            self.select(last, cx, Hit::Select, out);
        }
        let row = current.and_then(|at| self.rows.get(at).map(|row| (at, row.inside.is_some(), row.is_open)));
        if pressed(Key::ArrowRight)
            && let Some((at, true, false)) = row
        {
            self.toggle(at, cx);
        }
        if pressed(Key::ArrowLeft)
            && let Some((at, _, is_open)) = row
        {
            if is_open {
                self.toggle(at, cx);
            } else if let Some(outer) = self.rows.get(at).map(|row| row.path.clone()) {
                let around = self.rows.iter().position(|row| row.own_path() == outer);
                around.into_iter().for_each(|at| self.select(at, cx, Hit::Select, out));
            }
        }
        if pressed(Key::Enter) {
            out.push(UiCommand::Canvas("enter"));
        }
        if pressed(Key::Delete) || pressed(Key::Backspace) {
            out.push(UiCommand::Canvas("delete"));
        }
    }
}

/// One row: how it was clicked, and whether its triangle was.
fn row_ui(ui: &mut Ui, row: &Row, is_selected: bool, is_focused: bool) -> (Option<Hit>, bool) {
    let tokens = Tokens::of(ui);
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), size::ROW), Sense::CLICK);
    let mut label = format!("{}, {}, level {}", row.name, row.kind, row.path.len() + 1);
    for part in [&row.shape, &row.params] {
        if !part.is_empty() {
            label += &format!(", {part}");
        }
    }
    if !row.planned.is_empty() {
        label += &format!(", planned RAM {}", row.planned);
    }
    if let Some((_, message)) = &row.problem {
        label += &format!(", problem: {message}");
    }
    response.widget_info(|| WidgetInfo::selected(Role::TreeItem, true, is_selected, &label));
    let left = rect.left() + 4.0 + 16.0 * row.path.len() as f32;
    let mut folds = false;
    if row.inside.is_some() {
        let square = Rect::from_center_size(pos2(left + 7.0, rect.center().y), Vec2::splat(16.0));
        let triangle = ui.interact(square, response.id.with("fold"), Sense::CLICK);
        let verb = if row.is_open { "Hide" } else { "Show" };
        triangle.widget_info(|| {
            WidgetInfo::labeled(Role::DisclosureTriangle, true, format!("{verb} the layers inside {}", row.name))
        });
        folds = triangle.clicked();
    }
    if ui.is_rect_visible(rect) {
        let mut painter = ui.painter().clone();
        kit::fill_choice(ui, rect, is_selected, response.hovered());
        if is_focused {
            let stroke = egui::Stroke::new(1.0, tokens.accent);
            painter.rect_stroke(rect, egui::CornerRadius::same(size::RADIUS), stroke, egui::StrokeKind::Inside);
        }
        if row.inside.is_some() {
            let square = Rect::from_center_size(pos2(left + 7.0, rect.center().y), Vec2::splat(16.0));
            paint_triangle(ui, square, row.is_open, tokens);
        }
        if row.is_off {
            painter.multiply_opacity(0.55);
        }
        let middle = rect.center().y;
        let icon = Rect::from_center_size(pos2(left + 26.0, middle), Vec2::splat(size::ICON));
        icons::paint(&painter, row.icon, icon, tokens.family(row.family));
        let mut x = left + 42.0;
        let write = |x: f32, align: Align2, text: &str, color, room: f32| {
            super::canvas::write(&painter, pos2(x, middle), align, text, size::FONT_BODY, color, room, false)
        };
        let right = rect.right() - 10.0;
        x += write(x, Align2::LEFT_CENTER, &row.name, tokens.text_strong, (rect.width() * 0.3).max(60.0)) + 10.0;
        if let Some((severity, _)) = &row.problem {
            let color = if *severity == Severity::Error { tokens.error } else { tokens.warning };
            icons::paint(&painter, "problem", Rect::from_center_size(pos2(x + 6.0, middle), Vec2::splat(14.0)), color);
            x += 22.0;
        }
        // Columns at the right, where there is room for them.
        let has_room = |width: f32| rect.width() > width;
        if has_room(420.0) {
            // Planned bytes first: they are what layers differ in.
            let mut at = right;
            write(at, Align2::RIGHT_CENTER, &row.planned, tokens.text, 84.0);
            at -= 94.0;
            if has_room(520.0) {
                write(at, Align2::RIGHT_CENTER, &row.params, tokens.text_weak, 126.0);
                at -= 136.0;
            }
            write(at, Align2::RIGHT_CENTER, &row.shape, tokens.text, 120.0);
            write(x, Align2::LEFT_CENTER, &row.kind, tokens.text_weak, at - 130.0 - x - 8.0);
        } else {
            write(right, Align2::RIGHT_CENTER, &row.shape, tokens.text, (right - x).max(0.0));
        }
    }
    let adds = ui.input(|i| i.modifiers.shift || i.modifiers.command);
    let hit = if response.double_clicked() {
        Some(Hit::Open)
    } else if response.clicked() {
        Some(if adds { Hit::Add } else { Hit::Select })
    } else {
        None
    };
    match &row.problem {
        Some((_, message)) => drop(response.on_hover_text(message)),
        None if !row.planned.is_empty() => {
            drop(response.on_hover_text(format!("Holds {} of the planned RAM of a training step", row.planned)));
        }
        None => {}
    }
    (hit, folds)
}

fn paint_triangle(ui: &Ui, square: Rect, is_open: bool, tokens: &Tokens) {
    let (c, r) = (square.center(), 3.5);
    let points = if is_open {
        vec![c + vec2(-r, -r * 0.6), c + vec2(r, -r * 0.6), c + vec2(0.0, r)]
    } else {
        vec![c + vec2(-r * 0.6, -r), c + vec2(r, 0.0), c + vec2(-r * 0.6, r)]
    };
    ui.painter().add(egui::Shape::convex_polygon(points, tokens.text_weak, egui::Stroke::NONE));
}
