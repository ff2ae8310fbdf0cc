//! How the panel divides the room that it has: a low one puts beside each other what a high one puts below.

use egui::Vec2;

/// Height from which picture and answer fit below each other.
const HIGH: f32 = 430.0;
/// What stands above and below the picture in a low panel: the two choices, and a line on what is seen.
const AROUND: f32 = 84.0;
/// The same in a high one: with the answer, of five classes.
const AROUND_HIGH: f32 = 250.0;
/// Narrowest and widest picture.
const PICTURE: (f32, f32) = (148.0, 320.0);
/// Width of the answer where it stands beside the picture.
const ANSWER: f32 = 150.0;
/// Space between both.
const GAP: f32 = 12.0;

/// The room of the image and of what the network says of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Room {
    /// Width of the picture's column.
    pub(super) column: f32,
    /// Longest side of the picture.
    pub(super) side: f32,
    /// The answer stands beside the picture.
    pub(super) is_beside: bool,
    /// Classes that there is room for.
    pub(super) classes: usize,
}

impl Room {
    /// Divides a panel's room; with a cell open the explanation needs the width.
    pub(super) fn of(panel: Vec2, has_cell: bool) -> Self {
        let is_high = panel.y >= HIGH;
        let is_beside = !is_high && !has_cell && panel.x >= 560.0;
        let height = panel.y - if is_high { AROUND_HIGH } else { AROUND };
        // Below the picture of a cell stand what it sees, what moves it, and the likeliest class.
        let height = if has_cell && !is_high { height - 62.0 } else { height };
        let widest = if is_beside { 184.0 } else { (panel.x * 0.24).max(PICTURE.0) };
        let side = height.clamp(72.0, PICTURE.1).min(widest);
        Self { column: side.max(PICTURE.0), side, is_beside, classes: if has_cell && !is_high { 1 } else { 5 } }
    }

    /// Width of all of it.
    pub(super) fn width(self) -> f32 {
        self.column + if self.is_beside { GAP + ANSWER } else { 0.0 }
    }

    /// Width of the answer.
    pub(super) fn answer(self) -> f32 {
        if self.is_beside { ANSWER } else { self.column }
    }
}

/// The largest side at which `count` squares fit a room, by whole multiples of `pixels` where that costs little; the smallest
/// if they do not fit.
pub(super) fn tile_side(count: usize, room: Vec2, pixels: usize, gap: f32) -> f32 {
    const SIDES: (f32, f32) = (44.0, 256.0);
    let count = count.max(1);
    let fits = |side: f32| {
        let columns = ((room.x + gap) / (side + gap)).floor().max(1.0);
        (count as f32 / columns).ceil() * (side + gap) - gap <= room.y && side <= room.x
    };
    let mut side = SIDES.1;
    while side > SIDES.0 && !fits(side) {
        side -= 2.0;
    }
    let whole = (side / pixels.max(1) as f32).floor() * pixels as f32;
    if whole >= side * 0.8 && whole >= SIDES.0 { whole } else { side }
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::vec2;

    #[test]
    fn few_maps_grow_with_the_panel_and_many_keep_the_smallest_side() {
        // Six maps of 28 pixels in 600 × 200: 6 in a row of 96.6 at most → 3 × 28 = 84; 3 in a row of 2 give 98 high at most.
        assert!((tile_side(6, vec2(600.0, 200.0), 28, 4.0) - 84.0).abs() < 0.1);
        // In 900 × 700, three columns and two rows: 256 is the most, 252 = 9 × 28.
        assert!((tile_side(6, vec2(900.0, 700.0), 28, 4.0) - 252.0).abs() < 0.1);
        assert!((tile_side(512, vec2(600.0, 200.0), 7, 4.0) - 44.0).abs() < 0.1);
    }

    #[test]
    fn a_low_panel_keeps_its_answer_in_sight() {
        let low = Room::of(vec2(890.0, 230.0), false);
        assert!(low.is_beside && low.side + AROUND <= 230.0 && low.classes == 5, "{low:?}");
        let cell = Room::of(vec2(890.0, 230.0), true);
        assert!(!cell.is_beside && cell.width() <= 148.0 && cell.classes == 1, "{cell:?}");
        let high = Room::of(vec2(890.0, 700.0), false);
        assert!(!high.is_beside && high.side > 200.0, "{high:?}");
    }
}
