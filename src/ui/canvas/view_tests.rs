//! What the canvas shows of a network: all of it, its start, its parts from far; and how cards come to new places.

use super::tests::{Window, lenet, window};
use crate::graph::{Content, Document, Edit, NodeId, Place, apply};
use crate::layers::{Conv2d, Input, Layer};
use crate::presets;
use egui::{Key, Modifiers};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;

type Hand = Harness<'static, Window>;

/// An input and convolutions in a row.
fn chain(length: u64) -> Document {
    let mut document = Document { name: "chain".into(), ..Document::default() };
    for id in 1..=length {
        let (layer, place) = match id {
            1 => (Layer::from(Input { height: 32, width: 32, channels: 3 }), Place::Loose),
            _ => (Conv2d { filters: 8, ..Conv2d::default() }.into(), Place::After(NodeId(id - 1))),
        };
        let edit = Edit::Insert { content: Box::new(Content::Layer(layer)), place };
        document = apply(&document, &[], &edit).unwrap().0;
    }
    document
}

/// Cards in sight.
fn cards(hand: &Hand) -> usize {
    hand.query_all_by_label_contains(", Conv2D, ").count()
}

fn fit(hand: &mut Hand) {
    hand.key_press(Key::F);
    hand.run_ok();
}

#[test]
fn a_long_chain_is_first_shown_from_its_start_large_enough_to_read_and_then_as_a_whole() {
    let mut hand = window(chain(40));
    hand.run_ok();
    let canvas = hand.get_by_label("Network canvas").rect();
    let first = hand.get_by_label_contains("input1, Input").rect();
    assert!(canvas.contains_rect(first) && first.top() < canvas.top() + 60.0, "{first:?}");
    // 78 units high at half size; names are then 13 points high.
    assert!(first.height() >= 38.0, "{first:?}");
    hand.get_by_label("Minimap");
    assert!(cards(&hand) < 39);
    fit(&mut hand);
    assert_eq!(cards(&hand), 39, "once more shows all of it");
    fit(&mut hand);
    assert_eq!(hand.get_by_label_contains("input1, Input").rect(), first);
}

#[test]
fn a_network_that_has_room_is_shown_as_a_whole() {
    let mut hand = lenet();
    let canvas = hand.get_by_label("Network canvas").rect();
    for card in ["input, Input", "output, Dense"] {
        assert!(canvas.contains_rect(hand.get_by_label_contains(card).rect()), "{card}");
    }
    hand.key_press_modifiers(Modifiers::COMMAND, Key::Num0);
    hand.run_ok();
    // A card is 256 units wide.
    let seen = hand.query_all_by_label_contains(", Conv2D, ").next().unwrap().rect();
    assert!((seen.width() - 256.0).abs() < 1.0, "Ctrl+0 is actual size: {seen:?}");
}

#[test]
fn from_far_cards_stay_nodes_and_their_numbers_come_back_near() {
    let mut hand = window(chain(150));
    hand.run_ok();
    fit(&mut hand);
    assert_eq!(cards(&hand), 149);
    assert_eq!(hand.query_all_by_label_contains("Parameters of ").count(), 0, "too small to be read");
    hand.key_press_modifiers(Modifiers::COMMAND, Key::Num0);
    hand.run_ok();
    assert!(hand.query_all_by_label_contains("Parameters of ").count() > 0);
}

#[test]
fn a_repeated_group_says_its_copies_on_the_card() {
    let mut hand = window(presets::find("resnet-mini").unwrap());
    hand.run_ok();
    assert!(hand.query_all_by_label_contains(" copies").count() > 0);
}

/// Where c3 is a moment after s2 above it was deleted, and in the end; and where it was before.
fn heights(is_still: bool) -> [f32; 3] {
    let mut hand = lenet();
    let secs = if is_still { 0.0 } else { 0.1 };
    hand.ctx.all_styles_mut(|style| style.animation_time = secs);
    hand.get_by_label_contains("s2, Average pooling").click();
    hand.run_ok();
    let top = |hand: &Hand| hand.get_by_label_contains("c3, Conv2D").rect().top();
    let before = top(&hand);
    hand.key_press(Key::Delete);
    (0..3).for_each(|_| hand.step());
    let soon = top(&hand);
    (0..30).for_each(|_| hand.step());
    [before, soon, top(&hand)]
}

#[test]
fn cards_glide_to_their_new_places_and_are_there_at_once_where_less_motion_is_wanted() {
    let [before, soon, after] = heights(false);
    assert!(after < soon - 1.0 && soon < before - 1.0, "{before} {soon} {after}");
    let [_, soon, after] = heights(true);
    assert!((soon - after).abs() < 0.5, "{soon} {after}");
}

#[test]
fn a_card_held_at_the_lower_edge_brings_up_what_lies_below() {
    let mut hand = window(chain(40));
    hand.run_ok();
    let canvas = hand.get_by_label("Network canvas").rect();
    let from = hand.get_by_label_contains("conv2, Conv2D").rect().center();
    let at = egui::pos2(from.x, canvas.bottom() - 4.0);
    hand.hover_at(from);
    hand.step();
    hand.drag_at(from);
    hand.step();
    for part in [0.2, 0.6, 1.0] {
        hand.hover_at(from.lerp(at, part));
        hand.step();
    }
    // At 700 points a second the whole chain passes in four.
    for _ in 0..240 {
        hand.hover_at(at);
        hand.step();
    }
    assert!(hand.query_by_label_contains("input1, Input").is_none(), "the start is out of sight");
    let last = hand.get_by_label_contains("conv39, Conv2D").rect();
    assert!(canvas.contains_rect(last), "it stops at the end: {last:?}");
    hand.drop_at(at);
    hand.run_ok();
    assert_eq!(hand.state().names()[38..], ["conv39", "conv2"], "dropped behind the last one");
}
