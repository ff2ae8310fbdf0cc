//! The confusion matrix as one mesh: right answers blue, mistakes orange, names always in sight.

use super::theme::{Tokens, size};
use crate::engine::protocol::EpochResults;
use crate::text;
use egui::{Align2, Color32, FontId, Mesh, Rect, ScrollArea, Sense, Ui, Vec2, pos2, vec2};

/// Cells that are accessible one by one; beyond, the matrix is one widget.
const NAMED: usize = 20;
/// Smallest and largest side of a cell.
const SIDES: (f32, f32) = (14.0, 46.0);
/// From this side on numbers fit.
const WITH_NUMBERS: f32 = 18.0;

/// How the matrix is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Matrix {
    /// Shares of the row instead of counts.
    pub(super) is_share: bool,
    /// The chosen cell: truth, guess.
    pub(super) chosen: Option<(u32, u32)>,
}

impl Matrix {
    /// Draws it in the room that there is.
    pub(super) fn ui(&mut self, ui: &mut Ui, results: &EpochResults, classes: &[String]) {
        let n = results.classes as usize;
        if n == 0 {
            return;
        }
        let rows: Vec<u64> = row_sums(results);
        let longest = classes.iter().take(n).map(|name| name.chars().count()).max().unwrap_or(1) as f32;
        let names = (longest * 7.0 + 12.0).clamp(22.0, 110.0);
        let room = ui.available_size();
        let side = ((room.x - names).min(room.y - size::ROW - 16.0) / n as f32).clamp(SIDES.0, SIDES.1);
        let (outer, _) = ui.allocate_exact_size(room, Sense::hover());
        let body = Rect::from_min_max(outer.min + vec2(names, size::ROW + 14.0), outer.max);
        let builder = egui::UiBuilder::new().max_rect(body);
        let offset = ui
            .scope_builder(builder, |ui| {
                let area = ScrollArea::both().id_salt("confusion").auto_shrink([false; 2]);
                area.show_viewport(ui, |ui, viewport| {
                    self.cells_ui(ui, viewport, side, results, classes, &rows);
                    viewport.min.to_vec2()
                })
                .inner
            })
            .inner;
        heads_ui(ui, outer, body, offset, side, classes, n);
    }

    fn cells_ui(
        &mut self,
        ui: &mut Ui,
        viewport: Rect,
        side: f32,
        results: &EpochResults,
        classes: &[String],
        rows: &[u64],
    ) {
        let tokens = Tokens::of(ui);
        let n = results.classes as usize;
        ui.set_min_size(Vec2::splat(side * n as f32));
        let origin = ui.max_rect().min;
        let range = |low: f32, high: f32| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; `as` saturates")]
            let at = |value: f32| (value / side).max(0.0) as usize;
            at(low)..(at(high) + 1).min(n)
        };
        let (xs, ys) = (range(viewport.left(), viewport.right()), range(viewport.top(), viewport.bottom()));
        let cell = |truth: usize, guess: usize| {
            Rect::from_min_size(origin + vec2(guess as f32 * side, truth as f32 * side), Vec2::splat(side)).shrink(0.5)
        };
        let id = ui.scope_id().with("cells");
        let whole = Rect::from_min_size(origin, Vec2::splat(side * n as f32));
        let mut hovered = None;
        if n > NAMED {
            let response = ui.interact(whole, id, Sense::click());
            let (all, right) = results.totals();
            response.widget_info(|| {
                let name = format!("Confusion matrix of {n} classes, {right} of {all} right");
                egui::WidgetInfo::labeled(egui::Role::Table, true, name)
            });
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "inside the matrix")]
            let at = response
                .hover_pos()
                .map(|pos| ((pos - origin) / side).max(Vec2::ZERO))
                .map(|at| (at.y as u32, at.x as u32));
            hovered = at;
            if response.clicked() {
                self.chosen = at;
            }
            if let Some((truth, guess)) = at {
                response.on_hover_text(words(results, classes, rows, truth, guess));
            }
        }
        let mut mesh = Mesh::default();
        let mut numbers = Vec::new();
        for truth in ys {
            let sum = rows.get(truth).copied().unwrap_or(0);
            for guess in xs.clone() {
                let (t, g) = (u32::try_from(truth).unwrap_or(0), u32::try_from(guess).unwrap_or(0));
                let count = results.at(t, g);
                let rect = cell(truth, guess);
                let fill = fill(tokens, t == g, count, sum);
                mesh.add_colored_rect(rect, fill);
                if side >= WITH_NUMBERS && count > 0 {
                    numbers.push((rect, number(count, sum, self.is_share), fill));
                }
                if n <= NAMED {
                    let response = ui.interact(rect, id.with((truth, guess)), Sense::click());
                    let name = words(results, classes, rows, t, g);
                    response.widget_info(|| {
                        egui::WidgetInfo::selected(egui::Role::Cell, true, self.chosen == Some((t, g)), &name)
                    });
                    if response.clicked() {
                        self.chosen = Some((t, g));
                    }
                    if response.hovered() || response.has_focus() {
                        hovered = Some((t, g));
                    }
                    response.on_hover_text(name);
                }
            }
        }
        ui.painter().add(egui::Shape::mesh(mesh));
        let font = FontId::proportional(if side >= 34.0 { size::FONT_SMALL + 0.5 } else { size::FONT_SMALL - 1.5 });
        for (rect, number, fill) in numbers {
            ui.painter().text(rect.center(), Align2::CENTER_CENTER, number, font.clone(), tokens.text_on(fill));
        }
        for (at, color) in [(self.chosen, tokens.accent), (hovered, tokens.text_strong)] {
            if let Some((truth, guess)) = at {
                let rect = cell(truth as usize, guess as usize);
                ui.painter().rect_stroke(rect, 1.0, egui::Stroke::new(2.0, color), egui::StrokeKind::Outside);
            }
        }
    }
}

/// Images of each class.
fn row_sums(results: &EpochResults) -> Vec<u64> {
    let mut rows = vec![0; results.classes as usize];
    for &(truth, _, count) in &results.cells {
        if let Some(row) = rows.get_mut(truth as usize) {
            *row += count;
        }
    }
    rows
}

/// Blue for right, orange for wrong: told apart without colour vision. The root lets single mistakes be seen.
fn fill(tokens: &Tokens, is_right: bool, count: u64, sum: u64) -> Color32 {
    if count == 0 {
        return tokens.track;
    }
    let share = (count as f32 / sum.max(1) as f32).sqrt().clamp(0.0, 1.0);
    let color = if is_right { tokens.series_train } else { tokens.series_validation };
    tokens.track.lerp_to_gamma(color, 0.12 + 0.88 * share)
}

fn number(count: u64, sum: u64, is_share: bool) -> String {
    if is_share { format!("{:.0}%", count as f64 / sum.max(1) as f64 * 100.0) } else { text::short_count(count) }
}

/// A cell in words.
fn words(results: &EpochResults, classes: &[String], rows: &[u64], truth: u32, guess: u32) -> String {
    let name = |class: u32| classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string());
    let count = results.at(truth, guess);
    let sum = rows.get(truth as usize).copied().unwrap_or(0);
    let share = count as f64 / sum.max(1) as f64 * 100.0;
    let images = if count == 1 { "1 image".to_owned() } else { format!("{} images", text::count(count)) };
    if truth == guess {
        format!("{} called {}: {images}, {share:.1} % of them", name(truth), name(guess))
    } else {
        format!("{} mistaken for {}: {images}, {share:.1} % of them", name(truth), name(guess))
    }
}

/// The names on both sides; they follow the scrolling and never leave.
fn heads_ui(ui: &Ui, outer: Rect, body: Rect, offset: Vec2, side: f32, classes: &[String], n: usize) {
    let tokens = Tokens::of(ui);
    let font = FontId::proportional(size::FONT_SMALL);
    let caption = "Rows: truth. Columns: what the network says";
    ui.painter().text(outer.left_top(), Align2::LEFT_TOP, caption, font.clone(), tokens.text_weak);
    // With narrow cells only every second, third … name has room.
    let every = (14.0 / side).ceil().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
    let every = every as usize;
    let left = ui
        .painter()
        .with_clip_rect(Rect::from_min_max(pos2(outer.left(), body.top()), pos2(body.left(), body.bottom())));
    let top =
        ui.painter().with_clip_rect(Rect::from_min_max(pos2(body.left(), outer.top()), pos2(body.right(), body.top())));
    for at in (0..n).step_by(every) {
        let name = classes.get(at).cloned().unwrap_or_else(|| at.to_string());
        let middle = (at as f32 + 0.5) * side;
        let y = body.top() + middle - offset.y;
        if y > body.top() - side && y < body.bottom() + side {
            left.text(pos2(body.left() - 6.0, y), Align2::RIGHT_CENTER, &name, font.clone(), tokens.text);
        }
        let x = body.left() + middle - offset.x;
        if x > body.left() - side && x < body.right() + side {
            // What does not fit over its column is cut to its first letters; hovering a cell says it all.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number")]
            let letters = (side * every as f32 / 6.5).max(1.0) as usize;
            let short: String = name.chars().take(letters).collect();
            top.text(pos2(x, body.top() - 4.0), Align2::CENTER_BOTTOM, short, font.clone(), tokens.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::Answer;

    /// Four cats (0), of which one is called a dog (1), and a dog.
    fn pets(classes: u32) -> EpochResults {
        let answer = |index, truth, guess| Answer { index, truth, guess, probability: 0.9 };
        let answers = vec![answer(0, 0, 0), answer(1, 0, 0), answer(2, 0, 0), answer(3, 0, 1), answer(4, 1, 1)];
        EpochResults::count(1, 1, classes, answers)
    }

    #[test]
    fn a_cell_shows_its_count_or_its_share_of_the_row_and_says_both_in_words() {
        let (results, classes) = (pets(2), ["cat".to_owned(), "dog".to_owned()]);
        let rows = row_sums(&results);
        assert_eq!(rows, [4, 1]);
        assert_eq!((number(1, rows[0], false), number(1, rows[0], true)), ("1".into(), "25%".into()));
        assert_eq!(words(&results, &classes, &rows, 0, 1), "cat mistaken for dog: 1 image, 25.0 % of them");
        assert_eq!(words(&results, &classes, &rows, 0, 0), "cat called cat: 3 images, 75.0 % of them");
        assert_eq!(words(&results, &classes, &rows, 1, 0), "dog mistaken for cat: 0 images, 0.0 % of them");
    }

    /// Every text that is drawn, where it is, and where it may be.
    fn texts(output: &egui::FullOutput) -> Vec<(String, Rect, Rect)> {
        fn walk(shape: &egui::Shape, clip: Rect, into: &mut Vec<(String, Rect, Rect)>) {
            match shape {
                egui::Shape::Text(text) => {
                    into.push((text.galley.text().to_owned(), shape.visual_bounding_rect(), clip));
                }
                egui::Shape::Vec(shapes) => shapes.iter().for_each(|shape| walk(shape, clip, into)),
                _ => {}
            }
        }
        let mut all = Vec::new();
        output.shapes.iter().for_each(|shape| walk(&shape.shape, shape.clip_rect, &mut all));
        all
    }

    #[test]
    fn names_stay_at_both_sides_when_the_matrix_is_scrolled() {
        // 100 classes of at least 14 points are 1,400 points: more than the room of 400. Two of them have a name to look for.
        let name = |class| match class {
            0 => "A",
            98 => "Z",
            _ => "-",
        };
        let (results, names) = (pets(100), (0..100).map(|class| name(class).to_owned()).collect::<Vec<_>>());
        let mut matrix = Matrix::default();
        let mut harness = egui_kittest::Harness::builder().with_size(vec2(400.0, 400.0)).build_ui(|ui| {
            matrix.ui(ui, &results, &names);
        });
        // Whether it stands at the left, and whether at the top.
        let seen = |harness: &egui_kittest::Harness<'_>, name: &str| {
            let shown = texts(harness.output()).into_iter();
            let shown = shown.filter(|(text, rect, clip)| text == name && clip.intersects(*rect));
            let places: Vec<Rect> = shown.map(|(_, rect, _)| rect).collect();
            let is_left = |rect: &Rect| rect.right() < 30.0;
            (places.iter().any(is_left), places.iter().any(|rect| !is_left(rect) && rect.bottom() < 50.0))
        };
        harness.step();
        harness.step();
        assert_eq!((seen(&harness, "A"), seen(&harness, "Z")), ((true, true), (false, false)));
        // Down and to the right, as a wheel does.
        harness.hover_at(pos2(250.0, 250.0));
        for _ in 0..40 {
            harness.event(egui::Event::MouseWheel {
                unit: egui::MouseWheelUnit::Point,
                delta: vec2(-100.0, -100.0),
                phase: egui::TouchPhase::Move,
                modifiers: egui::Modifiers::NONE,
                source: egui::MouseWheelSource::Unknown,
            });
            harness.step();
        }
        (0..60).for_each(|_| harness.step());
        assert_eq!((seen(&harness, "A"), seen(&harness, "Z")), ((false, false), (true, true)));
    }
}
