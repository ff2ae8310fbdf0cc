//! The size of the window at its start: none of it may lie outside the monitor, its frame included.

use egui::{Context, Vec2, ViewportCommand, vec2};

/// Seconds from the start in which the system still says how large monitor and frame are, and frames where each takes long.
const SETTLING: f64 = 3.0;
const FRAMES: u64 = 20;
/// Height of a title bar whose size the system does not tell.
const TITLE: f32 = 36.0;

/// Makes a window that is larger than its monitor smaller, while it opens.
pub(super) fn settle(ctx: &Context) {
    if ctx.input(|input| input.time) > SETTLING && ctx.cumulative_frame_nr() > FRAMES {
        return;
    }
    let size = ctx.input(|input| {
        let window = input.viewport();
        let is_free = window.maximized != Some(true) && window.fullscreen != Some(true);
        let (inner, monitor) = (window.inner_rect?.size(), window.monitor_size.filter(|_| is_free)?);
        fitting(inner, window.outer_rect.map(|outer| outer.size()), monitor)
    });
    if let Some(size) = size {
        ctx.send_viewport_cmd(ViewportCommand::InnerSize(size));
    }
}

/// The size of what is inside the frame, if it must become smaller for all to be in sight.
fn fitting(inner: Vec2, outer: Option<Vec2>, monitor: Vec2) -> Option<Vec2> {
    let known = outer.map(|outer| (outer - inner).max(Vec2::ZERO)).filter(|frame| frame.y > 0.0);
    let room = monitor - known.unwrap_or(vec2(0.0, TITLE));
    let size = inner.min(room).max(Vec2::splat(1.0));
    // Less than a point is rounding.
    ((inner - size).max_elem() > 1.0).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_fits_its_monitor_with_its_frame() {
        let (wanted, monitor) = (vec2(1_440.0, 900.0), vec2(1_440.0, 900.0));
        // A frame of 1 at the sides and below, and 20 above.
        assert_eq!(fitting(wanted, Some(vec2(1_442.0, 921.0)), monitor), Some(vec2(1_438.0, 879.0)));
        // No frame is told: there may be a title bar.
        assert_eq!(fitting(wanted, None, monitor), Some(vec2(1_440.0, 864.0)));
        assert_eq!(fitting(wanted, Some(wanted), monitor), Some(vec2(1_440.0, 864.0)));
        assert_eq!(fitting(wanted, Some(vec2(1_442.0, 921.0)), vec2(1_920.0, 1_080.0)), None);
        assert_eq!(fitting(vec2(1_438.0, 879.0), Some(vec2(1_440.0, 900.0)), monitor), None);
    }
}
