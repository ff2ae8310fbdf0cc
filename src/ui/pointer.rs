//! Where a frame takes long, several things that the hand did arrive in it at once. egui looks what lies under the pointer only
//! where it ends up, so a drag would start at what it has reached by then, and not at what was pressed. This lets such
//! frames follow each other instead, each with the pointer where a button went down or up.

use egui::{Context, Event, Plugin, Pos2, RawInput, Ui};

/// Holds back what belongs to a later frame.
#[derive(Debug, Default)]
struct PointerSteps {
    held: Vec<Event>,
    /// Where the button that is down went down.
    pressed: Option<Pos2>,
}

/// Lets a window see every press where it was made.
pub(super) fn install(ctx: &Context) {
    ctx.add_plugin(PointerSteps::default());
}

impl Plugin for PointerSteps {
    fn debug_name(&self) -> &'static str {
        "pointer steps"
    }

    fn input_hook(&mut self, ctx: &Context, input: &mut RawInput) {
        let radius = ctx.options(|options| options.input_options.max_click_dist);
        let mut events = std::mem::take(&mut self.held);
        events.append(&mut input.events);
        self.held = events.split_off(cut(&events, self.pressed, radius));
        for event in &events {
            match event {
                Event::PointerButton { pos, pressed: true, .. } => self.pressed = self.pressed.or(Some(*pos)),
                Event::PointerButton { pressed: false, .. } | Event::PointerGone => self.pressed = None,
                _ => {}
            }
        }
        input.events = events;
    }

    fn on_end_pass(&mut self, ui: &mut Ui) {
        if !self.held.is_empty() {
            ui.request_repaint();
        }
    }
}

/// How many events belong to one frame. After a button went down or up nothing may follow that is further away than a click
/// can stray; and the end of a drag stands apart from the way to it, which would else be lost. `down` is where a button went
/// down in an earlier frame. What is no more than a click stays whole, so that it keeps its time.
fn cut(events: &[Event], down: Option<Pos2>, radius: f32) -> usize {
    // Behind the last press or release of this frame, and where it was.
    let mut last: Option<(usize, Pos2)> = None;
    let mut is_on_the_way = false;
    for (at, event) in events.iter().enumerate() {
        let (Event::PointerMoved(pos) | Event::PointerButton { pos, .. }) = event else { continue };
        if let Some((behind, place)) = last
            && place.distance(*pos) > radius
        {
            return behind;
        }
        match event {
            Event::PointerButton { pressed, .. } => {
                if !pressed && is_on_the_way {
                    return at;
                }
                last = Some((at + 1, *pos));
            }
            _ => is_on_the_way |= last.is_none() && down.is_some_and(|down| down.distance(*pos) > radius),
        }
    }
    events.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::{Modifiers, PointerButton, pos2};

    fn to(x: f32) -> Event {
        Event::PointerMoved(pos2(x, 0.0))
    }

    fn button(x: f32, pressed: bool) -> Event {
        let (button, modifiers) = (PointerButton::Primary, Modifiers::NONE);
        Event::PointerButton { pos: pos2(x, 0.0), button, pressed, modifiers }
    }

    /// The frames in which events come that arrive in one.
    fn frames(events: &[Event]) -> Vec<usize> {
        let ctx = Context::default();
        let mut steps = PointerSteps::default();
        let mut arriving = events.to_vec();
        let mut frames = Vec::new();
        while !arriving.is_empty() || !steps.held.is_empty() {
            let mut input = RawInput { events: std::mem::take(&mut arriving), ..RawInput::default() };
            steps.input_hook(&ctx, &mut input);
            frames.push(input.events.len());
        }
        frames
    }

    #[test]
    fn a_quick_drag_becomes_a_press_a_way_and_a_release() {
        assert_eq!(frames(&[to(1.0), button(5.0, true), to(30.0), to(60.0), button(60.0, false)]), [2, 2, 1]);
        // Where it is let go counts, not where the pointer went afterwards.
        assert_eq!(
            frames(&[button(0.0, true), to(50.0), button(50.0, false), to(90.0), button(90.0, true)]),
            [1, 1, 1, 2]
        );
    }

    #[test]
    fn clicks_and_moves_stay_in_one_frame() {
        assert_eq!(frames(&[to(1.0), button(5.0, true), to(7.0), button(7.0, false)]), [4]);
        let double = [button(5.0, true), button(5.0, false), button(6.0, true), button(6.0, false)];
        assert_eq!(frames(&double), [4]);
        assert_eq!(frames(&[to(1.0), to(90.0), Event::Text("a".into()), to(3.0)]), [4]);
    }

    #[test]
    fn nothing_overtakes_what_was_held_back() {
        let mut steps = PointerSteps::default();
        let ctx = Context::default();
        let mut input =
            RawInput { events: vec![button(0.0, true), to(50.0), Event::Text("a".into())], ..RawInput::default() };
        steps.input_hook(&ctx, &mut input);
        assert_eq!(input.events.len(), 1);
        let mut input = RawInput { events: vec![Event::Text("b".into())], ..RawInput::default() };
        steps.input_hook(&ctx, &mut input);
        assert_eq!(input.events, [to(50.0), Event::Text("a".into()), Event::Text("b".into())]);
    }
}
