//! A grid of numbers on coloured cells: a patch, a kernel, their products.

use super::scale::{Scale, number, short};
use crate::engine::protocol::Tap;
use crate::ui::theme::{self, Tokens};
use egui::{Align2, FontId, Rect, Response, Sense, Stroke, StrokeKind, Ui, Vec2, vec2};

/// Smallest cell with a number in it.
pub(super) const READABLE: f32 = 26.0;

/// What a grid shows.
pub(super) struct Grid<'a> {
    /// Numbers, row by row.
    pub(super) values: &'a [f32],
    /// What lies under each; all inside if none.
    pub(super) taps: &'a [Tap],
    /// Numbers in a row.
    pub(super) columns: usize,
    /// Side of a cell.
    pub(super) side: f32,
    /// How numbers become colours.
    pub(super) scale: Scale,
    /// A cell to be marked.
    pub(super) marked: Option<usize>,
    /// Name for those who hear it.
    pub(super) name: &'a str,
}

impl Grid<'_> {
    /// Draws it; gives the place under the pointer.
    pub(super) fn ui(&self, ui: &mut Ui) -> (Response, Option<usize>) {
        let tokens = Tokens::of(ui);
        let columns = self.columns.max(1);
        let rows = self.values.len().div_ceil(columns).max(1);
        let (rect, response) = ui.allocate_exact_size(vec2(columns as f32, rows as f32) * self.side, Sense::hover());
        response.widget_info(|| super::bar::labeled(egui::Role::Image, self.name.to_owned()));
        let place = |at: usize| {
            let min = rect.min + vec2((at % columns) as f32, (at / columns) as f32) * self.side;
            Rect::from_min_size(min, Vec2::splat(self.side))
        };
        if !ui.is_rect_visible(rect) {
            return (response, None);
        }
        let painter = ui.painter();
        let gap = if self.side >= 12.0 { 0.5 } else { 0.0 };
        for (at, &value) in self.values.iter().enumerate() {
            let cell = place(at).shrink(gap);
            match self.taps.get(at).copied().unwrap_or(Tap::Inside) {
                Tap::Inside => {
                    let fill = self.scale.color(value);
                    painter.rect_filled(cell, 1.0, fill);
                    if self.side >= READABLE {
                        let text = short(value);
                        let room = if text.chars().count() > 5 { 8.0 } else { 9.5 };
                        let font = FontId::proportional((self.side * 0.34).clamp(room, 12.0));
                        painter.text(cell.center(), Align2::CENTER_CENTER, text, font, theme::on(fill));
                    }
                }
                // Padding counts as zero, a gap as nothing: both without a colour of the scale.
                Tap::Padding => {
                    painter.rect_filled(cell, 1.0, tokens.track);
                    if self.side >= READABLE {
                        let font = FontId::proportional(9.5);
                        painter.text(cell.center(), Align2::CENTER_CENTER, "pad", font, tokens.text_weak);
                    }
                }
                Tap::Gap => {
                    painter.rect_stroke(cell, 1.0, Stroke::new(1.0, tokens.track), StrokeKind::Inside);
                }
            }
        }
        if let Some(at) = self.marked {
            painter.rect_stroke(place(at), 1.0, Stroke::new(2.0, theme::SIGHT), StrokeKind::Inside);
        }
        let under = response.hover_pos().and_then(|at| {
            let offset = (at - rect.min) / self.side;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the grid")]
            let (x, y) = (offset.x.max(0.0) as usize, offset.y.max(0.0) as usize);
            Some(y * columns + x).filter(|&at| x < columns && at < self.values.len())
        });
        if let Some(at) = under {
            painter.rect_stroke(place(at), 1.0, Stroke::new(1.5, tokens.accent), StrokeKind::Outside);
        }
        (response, under)
    }

    /// What lies at a place, in words.
    pub(super) fn words(&self, at: usize) -> String {
        match self.taps.get(at) {
            Some(Tap::Padding) => "padding: counts as zero".into(),
            Some(Tap::Gap) => "between the pixels: nothing".into(),
            _ => self.values.get(at).map_or_else(String::new, |&value| number(f64::from(value))),
        }
    }
}

/// Numbers in a row of a grid: a kernel's own, or what fits for a long vector.
pub(super) fn columns(columns: u32, rows: u32) -> usize {
    if rows == 1 && columns > 16 { 16 } else { columns.max(1) as usize }
}
