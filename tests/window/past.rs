//! The past of a run and what excites its channels, in the real window: recorded images, confusion, films, patches.

use crate::hand::{Window, button, click, finish, has, maps_window, network, picture, plain, steps, wait};
use crate::scratch::scratch;
use egui::{Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::path::Path;
use striate::data::Split;
use striate::engine::protocol::ImageRef;
use striate::engine::run::snapshots;

/// A window with a small network, its feature maps in front.
fn window(storage: &Path, epochs: u32) -> Window {
    maps_window(storage, [1_600.0, 1_200.0], Some(network(storage, "small", epochs, &[])))
}

#[test]
fn the_past_is_of_the_image_that_was_chosen_and_the_confusion_of_that_time_stands_beside_it() {
    let folder = scratch();
    let mut window = window(folder.path(), 2);
    let pixels = |window: &Window| {
        let image = window.state().look().probe.as_ref().and_then(|probe| probe.image.clone());
        image.map(|image| image.pixels)
    };
    let first = pixels(&window);
    click(&mut window, "Next image");
    wait(&mut window, "the second image", |window| pixels(window) != first);
    let chosen = pixels(&window).unwrap();
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    finish(&mut window);

    // Another image is looked at since; the past stays what it was.
    click(&mut window, "Next image");
    click(&mut window, "History");
    wait(&mut window, "snapshots", |window| window.query_by_label("Snapshot").is_some());
    steps(&mut window, 3);
    window.get_by_label("Validation image 2");
    window.get_by_label("Recorded image");
    let run = window.state().run().unwrap().folder.clone();
    let kept: Vec<_> = snapshots::list(&run).iter().map(|(_, path)| snapshots::read(path).unwrap()).collect();
    let image = ImageRef::Item { split: Split::Validation, index: 1 };
    assert!(kept.iter().all(|snapshot| snapshot.image.as_ref() == Some(&image)));
    assert!(kept.iter().all(|snapshot| snapshot.input.as_ref().unwrap().pixels == chosen));

    // It stands at the end: the confusion is of the last epoch, with a cell for each pair of digits.
    wait(&mut window, "the last epoch", |window| has(window, "After epoch 2: "));
    window.get_by_label_contains("0 called 0: ");
    picture(&mut window, "past");
    window.get_by_label("Snapshot").focus();
    steps(&mut window, 2);
    for _ in 0..kept.len() {
        plain(&mut window, Key::ArrowLeft);
    }
    window.get_by_label("Channel 0 at step 0");
    window.get_by_label_contains("No epoch had ended by then");
    for _ in 0..kept.len() {
        plain(&mut window, Key::ArrowRight);
        if has(&window, "end of epoch 1") {
            break;
        }
    }
    window.get_by_label_contains("After epoch 1: ");

    // Filters of that time, and a film of them with all colours.
    window.get_by_role_and_label(Role::CheckBox, "Filters").click();
    steps(&mut window, 4);
    window.get_by_label_contains("Filter 3 at step ");
    click(&mut window, "Save film");
    click(&mut window, "As animated PNG…");
    let film = folder.path().join("conv-filters-history.png");
    wait(&mut window, "the film", |_| film.exists());
    // An animated PNG says so in a chunk before its first picture: acTL, with the number of pictures.
    let bytes = std::fs::read(&film).unwrap();
    let at = bytes.windows(4).position(|word| word == b"acTL").expect("an animation");
    let frames = u32::from_be_bytes(bytes[at + 4..at + 8].try_into().unwrap());
    assert_eq!(frames as usize, kept.len());
}

#[test]
fn filters_stay_in_their_place_and_come_back_with_the_next_convolution() {
    let folder = scratch();
    let mut window = window(folder.path(), 1);
    let layer = |window: &Window| window.state().look().probe.as_ref().map(|probe| probe.layer.clone());
    let place = |window: &Window| window.get_by_role_and_label(Role::Button, "Filters").rect();
    let before = place(&window);
    button(&mut window, "Filters");
    window.get_by_label("Filter 0");
    // Down to the next layer, which has none: the button waits, and its maps are shown.
    let map = window.get_by_label("Filter 0").rect().center();
    window.hover_at(map);
    steps(&mut window, 2);
    window.key_press(Key::ArrowDown);
    wait(&mut window, "the next layer", |window| layer(window).as_deref() == Some("flat"));
    steps(&mut window, 4);
    assert!(window.get_by_role_and_label(Role::Button, "Filters").accesskit_node().is_disabled());
    assert_eq!(place(&window), before);
    assert!(window.query_by_label("Filter 0").is_none());
    window.key_press(Key::ArrowUp);
    wait(&mut window, "the convolution", |window| layer(window).as_deref() == Some("conv"));
    steps(&mut window, 4);
    window.get_by_label("Filter 0");
}

#[test]
fn what_excites_a_channel_is_found_in_many_images_and_a_click_explains_it() {
    let folder = scratch();
    let mut window = window(folder.path(), 1);
    click(&mut window, "Patches");
    wait(&mut window, "patches", |window| window.query_by_label("Patch 1 of channel 0").is_some());
    let report = window.state().look().excited.clone().unwrap();
    let counts = window.state().data().counts;
    // All four channels of a 5 × 5 convolution with stride 4: each cell sees 5 × 5 pixels.
    assert_eq!((report.of, report.channels.len(), report.all), (4, 4, counts[1] as u64));
    // A slow machine looks through fewer in its time, but never through none.
    assert!((32..=512).contains(&report.images), "{}", report.images);
    for channel in &report.channels {
        assert!(channel.patches.windows(2).all(|pair| pair[0].before >= pair[1].before));
        let images: std::collections::BTreeSet<_> = channel.patches.iter().map(|patch| patch.index).collect();
        assert_eq!((images.len(), channel.patches.len()), (12, 12), "each of another image");
        assert!(channel.patches.iter().all(|patch| patch.rows.1 - patch.rows.0 <= 5));
    }
    picture(&mut window, "patches");

    // The second patch of channel 2: its image, its cell, and the number that was promised.
    let patch = report.channels[2].patches[1].clone();
    click(&mut window, "Patch 2 of channel 2");
    wait(&mut window, "its explanation", |window| {
        let explained = window.state().look().explained.as_ref();
        explained.is_some_and(|report| report.cell == patch.cell && window.state().look().stale == [None; 5])
    });
    steps(&mut window, 2);
    let explained = window.state().look().explained.clone().unwrap();
    assert!((explained.value - patch.value).abs() < 1e-4, "{} {}", explained.value, patch.value);
    assert!((explained.steps[0].value - patch.before).abs() < 1e-4);
    window.get_by_label("Image: Validation image");
    window.get_by_label_contains("Enlarged channel 2");
    // And back to what else excites it.
    button(&mut window, "Patches of channel 2");
    window.get_by_label("Patch 1 of channel 2");
}
