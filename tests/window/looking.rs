//! Looking inside, driven through the real window with a real worker: maps, explanations, images, histograms, the past.

use crate::hand::{
    Window, answer, button, click, click_near, ctrl, enter, finish, has, network, open, options, picture, steps, stop,
    tab, train, wait,
};
use crate::scratch::scratch;
use egui::{Key, Modifiers, Role, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::path::Path;
use striate::ui::Options;
use striate::ui::dialogs::Purpose;
use striate::ui::look::ProbeView;

fn window(storage: &Path) -> Window {
    sized_window(storage, [1_600.0, 1_400.0])
}

fn sized_window(storage: &Path, size: [f32; 2]) -> Window {
    let folder = storage.to_path_buf();
    let dialogs = answer(move |purpose| match purpose {
        Purpose::Image => Some(folder.join("seven.png")),
        Purpose::Picture(name) => Some(folder.join(name)),
        _ => None,
    });
    let mut window = open(size, Options { dialogs: Some(dialogs), ..options(storage) });
    wait(&mut window, "the data", |window| !window.state().data().classes.is_empty());
    tab(&mut window, "Feature maps");
    window
}

fn probe(window: &Window) -> Option<ProbeView> {
    window.state().look().probe.as_deref().cloned()
}

fn wait_for_layer(window: &mut Window, layer: &str) {
    wait(window, layer, |window| probe(window).is_some_and(|probe| probe.layer == layer && !probe.planes.is_empty()));
    steps(window, 2);
}

/// Waits until the cell that is explained fits, and gives its steps' ops and its value.
fn explained(window: &mut Window, layer: &str, channel: u64) -> (Vec<String>, f32) {
    let fits = |window: &Window| {
        window
            .state()
            .look()
            .explained
            .as_deref()
            .is_some_and(|report| report.layer == layer && report.cell.channel == channel)
    };
    wait(window, "an explanation", fits);
    steps(window, 2);
    let report = window.state().look().explained.clone().expect("it was there a moment ago");
    for step in &report.steps {
        assert!((step.how.result() - f64::from(step.value)).abs() < 1e-4, "{step:?}");
    }
    (report.steps.iter().map(|step| step.op.clone()).collect(), report.value)
}

#[test]
fn an_untrained_network_is_looked_into_and_any_cell_explained_by_mouse_and_keys() {
    let folder = scratch();
    let mut window = window(folder.path());
    wait_for_layer(&mut window, "c1");
    let first = probe(&window).unwrap();
    assert_eq!((first.planes.len(), first.step, first.top.len()), (6, 0, 5));
    // Digits have names in the data, though nothing was trained.
    assert!(first.top.iter().all(|(name, _)| name.len() == 1), "{:?}", first.top);
    window.get_by_label_contains("Weights: untrained");

    // A click on a map explains the cell under it: 25 products, a sum and a bias, then tanh.
    button(&mut window, "Channel 2");
    let (ops, value) = explained(&mut window, "c1", 2);
    assert_eq!(ops, ["Conv2D", "Tanh"]);
    window.get_by_label_contains("c1, channel 2");
    window.get_by_label("Input of channel 0");
    window.get_by_label("Weights over channel 0");
    window.get_by_label("Products of channel 0");
    window.get_by_label_contains(" + bias ");
    window.get_by_label_contains("tanh(x) at x = ");
    assert!(value.abs() <= 1.0);
    // The cell in the middle of the tile sees a 5 x 5 window of the 32 x 32 image.
    window.get_by_label_contains("Receptive field 5 × 5 px");

    // Right is the next channel; down is the next layer; Escape goes back to all channels. The click on the tile is enough
    // for the keys to come here and not to the canvas.
    window.get_by_label_contains("Enlarged channel 2");
    window.key_press(Key::ArrowRight);
    steps(&mut window, 2);
    explained(&mut window, "c1", 3);
    let row = |window: &Window| window.state().look().explained.as_ref().map(|report| report.cell.y);
    let before = row(&window).unwrap();
    window.key_press_modifiers(Modifiers::SHIFT, Key::ArrowDown);
    wait(&mut window, "the cell below", |window| row(window) == Some(before + 1));
    window.key_press(Key::ArrowDown);
    wait_for_layer(&mut window, "s2");
    button(&mut window, "Channel 0");
    assert_eq!(explained(&mut window, "s2", 0).0, ["Average pooling"]);
    window.get_by_label_contains(" / 4 = ");

    // What really moves the cell, by gradient.
    window.get_by_label("Effective field").click();
    wait(&mut window, "the effective field", |window| window.state().look().sensed.is_some());
    steps(&mut window, 2);
    window.get_by_label_contains("95 % from ");

    // Two maps side by side, and what one has that the other has not.
    button(&mut window, "Pin");
    window.get_by_label_contains("Enlarged channel 0").focus();
    steps(&mut window, 2);
    window.key_press(Key::ArrowRight);
    steps(&mut window, 3);
    button(&mut window, "Pin");
    button(&mut window, "All channels");
    window.get_by_label("Pinned: s2, channel 0");
    window.get_by_label("Pinned: s2, channel 1");
    window.get_by_label("Pinned: Second minus first");

    // The sheet as a file.
    window.get_by_role_and_label(Role::Button, "Save PNG…").click();
    let sheet = folder.path().join("s2-maps.png");
    wait(&mut window, "the sheet", |_| sheet.exists());
    // Six maps of 14 x 14 enlarged six times, three in a row of 88 and a gap of 4.
    assert_eq!(image::open(&sheet).unwrap().to_rgba8().dimensions(), (3 * 88 + 4, 2 * 88 + 4));
}

#[test]
fn any_image_can_be_looked_at_drawn_chosen_or_pasted() {
    let folder = scratch();
    let picture = image::RgbImage::from_fn(28, 28, |x, y| {
        let on = (4..24).contains(&x) && (5..8).contains(&y) || (13..16).contains(&x) && (8..24).contains(&y);
        image::Rgb([if on { 255 } else { 0 }; 3])
    });
    picture.save(folder.path().join("seven.png")).unwrap();
    let mut window = window(folder.path());
    wait_for_layer(&mut window, "c1");
    let choose = |window: &mut Window, what: &str| {
        window.get_by_label_contains("Image: ").click();
        steps(window, 3);
        window.get_by_label(what).click();
        steps(window, 3);
    };
    let changed = |window: &mut Window, before: &ProbeView| {
        let pixels = |probe: &ProbeView| probe.image.as_ref().map(|image| image.pixels.clone());
        let old = pixels(before);
        wait(window, "another image", |window| probe(window).is_some_and(|now| pixels(&now) != old));
        probe(window).unwrap()
    };

    let of_data = probe(&window).unwrap();
    assert!(!of_data.label.is_empty());
    click(&mut window, "Next image");
    let next = changed(&mut window, &of_data);

    choose(&mut window, "Picture from a file…");
    let of_file = changed(&mut window, &next);
    assert!(of_file.label.is_empty());
    // The bar of the seven, in the padded 32 x 32 image: row 5 + 2, columns 4 + 2 to 23 + 2.
    let image = of_file.image.clone().unwrap();
    assert_eq!((image.width, image.height), (32, 32));
    assert_eq!([image.pixels[7 * 32 + 6], image.pixels[7 * 32 + 25], image.pixels[7 * 32 + 5]], [255, 255, 0]);

    choose(&mut window, "Drawing pad");
    let empty = changed(&mut window, &of_file);
    let pad = window.get_by_label("Drawing pad").rect();
    window.drag_at(pad.center() - vec2(0.0, 50.0));
    window.step();
    for part in 0..10_u8 {
        window.hover_at(pad.center() + vec2(0.0, -50.0 + 10.0 * f32::from(part)));
        window.step();
    }
    window.drop_at(pad.center() + vec2(0.0, 50.0));
    let drawn = changed(&mut window, &empty);
    // A stroke down the middle is light in the middle of the image.
    let lightness = |probe: &ProbeView| probe.image.as_ref().map_or(0, |image| image.pixels[16 * 32 + 16]);
    assert!(lightness(&drawn) > 200, "{}", lightness(&drawn));
    click(&mut window, "Clear");
    changed(&mut window, &drawn);

    let gray = egui::Color32::GRAY;
    let pasted = egui::ColorImage::filled([10, 20], gray);
    window.event(egui::Event::PasteImage(pasted.into()));
    steps(&mut window, 2);
    window.get_by_label("Image: Pasted picture");
}

#[test]
fn a_run_shows_its_histograms_and_its_past_while_it_trains_and_afterwards() {
    let folder = scratch();
    let mut window = window(folder.path());
    train(&mut window, 21);
    tab(&mut window, "Feature maps");
    wait(&mut window, "live maps", |window| probe(window).is_some_and(|probe| probe.step > 0));

    // Untrained weights of the same network while it trains: asked of a second worker.
    window.get_by_label_contains("Weights: ").click();
    steps(&mut window, 3);
    click(&mut window, "Untrained");
    wait(&mut window, "untrained maps", |window| probe(window).is_some_and(|probe| probe.step == 0));
    window.get_by_label_contains("Weights: ").click();
    steps(&mut window, 3);
    click(&mut window, "This network's run");

    wait(&mut window, "the end of an epoch", |window| {
        window.state().run().is_some_and(|run| !run.epochs.is_empty() && run.spread.is_some())
    });
    let run = window.state().run().cloned().unwrap();
    let spread = run.spread.clone().unwrap();
    let c1 = spread.layers.iter().find(|layer| layer.path == "c1").unwrap();
    // 5 · 5 · 6 weights; 28 · 28 · 6 activations of each image; tanh never gives more than 1.
    assert_eq!(c1.weights.as_ref().map(striate::engine::protocol::Histogram::count), Some(150));
    assert_eq!(c1.gradients.as_ref().map(striate::engine::protocol::Histogram::count), Some(150));
    assert_eq!(c1.activations.count(), 28 * 28 * 6 * u64::from(spread.images));
    assert!(c1.activations.min >= -1.0 && c1.activations.max <= 1.0 && run.dead.is_empty());

    stop(&mut window);
    window.get_by_label("Histograms").click();
    wait(&mut window, "histograms", |window| window.query_by_label("Histogram of weights of c1").is_some());
    window.get_by_label_contains("No channel is dead");

    window.get_by_label("History").click();
    wait(&mut window, "snapshots", |window| window.query_by_label("Snapshot").is_some());
    let last = |window: &Window| window.query_by_label_contains("end of epoch 1").is_some();
    window.get_by_label("Snapshot").focus();
    steps(&mut window, 2);
    for _ in 0..40 {
        window.key_press(Key::ArrowLeft);
        steps(&mut window, 1);
    }
    window.get_by_label("Channel 0 at step 0");
    for _ in 0..40 {
        if last(&window) {
            break;
        }
        window.key_press(Key::ArrowRight);
        steps(&mut window, 1);
    }
    assert!(last(&window));
    click(&mut window, "Save film");
    click(&mut window, "As GIF…");
    let film = folder.path().join("c1-history.gif");
    wait(&mut window, "the film", |_| film.exists());
    let bytes = std::fs::read(&film).unwrap();
    assert!(bytes.starts_with(b"GIF89a"));
}

#[test]
fn train_leaves_the_maps_in_sight_and_they_follow_the_weights() {
    let folder = scratch();
    let mut window = window(folder.path());
    wait_for_layer(&mut window, "c1");
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    // Nobody touches a tab: looks at three different steps come by themselves.
    for _ in 0..3 {
        let before = probe(&window).map_or(0, |probe| probe.step);
        wait(&mut window, "maps of a later step", |window| probe(window).is_some_and(|probe| probe.step > before));
    }
    // With nothing that follows a run in sight, its charts come to the front.
    window.key_press_modifiers(Modifiers::COMMAND, Key::Period);
    wait(&mut window, "the end of the run", |window| window.state().run().is_some_and(|run| !run.is_active()));
    window.get_by_role_and_label(Role::Tab, "Data").click();
    steps(&mut window, 3);
    assert!(window.query_by_label("Elapsed").is_none());
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    wait(&mut window, "the charts", |window| window.query_by_label_contains("Elapsed").is_some());
}

/// Stops the engine's process, or lets it go on: for as long as it stands still there is no answer.
fn hold(window: &Window, signal: &str) {
    let pid = window.state().worker_pid().expect("an engine");
    assert!(std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[test]
#[cfg(unix)]
fn what_is_of_the_image_or_layer_before_says_so_until_the_engine_answers() {
    let folder = scratch();
    let mut window = window(folder.path());
    wait_for_layer(&mut window, "c1");
    steps(&mut window, 3);
    let note = |window: &Window, of: &str| {
        window.query_all_by_label_contains("Asking the engine…").any(|node| format!("{node:?}").contains(of))
    };
    assert!(!note(&window, "before"));
    // A picture has no mean, which equals nothing: its pixels are compared.
    let pixels = |window: &Window| probe(window).and_then(|probe| probe.image).map(|image| image.pixels);
    let first = pixels(&window);

    hold(&window, "-STOP");
    window.get_by_label("Next image").click();
    wait(&mut window, "a word on the old image", |window| note(window, "of the image before"));
    assert_eq!(pixels(&window), first);
    hold(&window, "-CONT");
    wait(&mut window, "the new image", |window| pixels(window) != first);
    steps(&mut window, 3);
    assert!(!note(&window, "before"));

    // Another layer: the maps of the one before stay, cannot be clicked, and say so.
    window.get_by_role_and_label(Role::Button, "Channel 2").click();
    steps(&mut window, 2);
    explained(&mut window, "c1", 2);
    hold(&window, "-STOP");
    window.key_press(Key::ArrowDown);
    wait(&mut window, "a word on the old layer", |window| note(window, "of the layer before"));
    window.get_by_role_and_label(Role::Button, "Channel 5").click();
    steps(&mut window, 3);
    assert!(window.query_by_label_contains("Enlarged channel").is_none());
    hold(&window, "-CONT");
    wait_for_layer(&mut window, "s2");
    assert!(!note(&window, "before"));
}

#[test]
fn sums_and_answers_are_in_sight_in_a_window_of_the_usual_size_and_in_a_small_one() {
    // The window's size, and where the inspector begins: 304 points from the right.
    for size in [[1_440.0, 900.0], [1_000.0, 640.0]] {
        let folder = scratch();
        let mut window = sized_window(folder.path(), size);
        wait_for_layer(&mut window, "c1");
        let channel = window.get_by_role_and_label(Role::Button, "Channel 2");
        channel.scroll_to_me();
        channel.click();
        steps(&mut window, 2);
        explained(&mut window, "c1", 2);
        let products = window.get_by_label("Products of channel 0").rect();
        // A sign and a sum of six characters stand to the right of the products.
        assert!(products.right() + 70.0 <= size[0] - 304.0, "{products:?} in {size:?}");
        let picture = window.get_by_label("Input image").rect();
        assert!(picture.height() >= 70.0, "{picture:?} in {size:?}");
        let likeliest = window.get_all_by_label_contains("Class: ").next().unwrap().rect();
        if size[1] >= 900.0 {
            assert!(likeliest.bottom() <= size[1] - 26.0, "{likeliest:?} in {size:?}");
        }
    }
}

/// MNIST's four files with small noise in them: 200 images to train on and 50 to test on.
fn small_mnist(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let file = |magic: u32, sizes: &[u32], body: Vec<u8>| {
        let head = [magic].iter().chain(sizes).flat_map(|number| number.to_be_bytes()).collect::<Vec<u8>>();
        [head, body].concat()
    };
    for (name, count) in [("train", 200_u32), ("t10k", 50)] {
        let pixels = (0..count * 28 * 28).map(|at| u8::try_from(at * 7 % 251).unwrap()).collect();
        let images = file(0x0803, &[count, 28, 28], pixels);
        let labels = file(0x0801, &[count], (0..count).map(|at| u8::try_from(at % 10).unwrap()).collect());
        std::fs::write(folder.join(format!("{name}-images-idx3-ubyte")), images).unwrap();
        std::fs::write(folder.join(format!("{name}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// The digits hold 600 images for validation; of the 200 of the other data a tenth, 20, validates.
#[test]
fn the_images_and_their_count_are_those_of_the_network_that_is_looked_into() {
    let folder = scratch();
    let mnist = folder.path().join("mnist");
    small_mnist(&mnist);
    let file = network(folder.path(), "small", 1, &[]);
    let other = network(folder.path(), "other", 1, &[]);
    let options = Options {
        document: Some(file),
        dialogs: Some(answer(move |purpose| match purpose {
            Purpose::Data(true) => Some(mnist.clone()),
            Purpose::Open => Some(other.clone()),
            _ => None,
        })),
        ..options(folder.path())
    };
    let mut window = open([1_600.0, 1_000.0], options);
    wait(&mut window, "the data", |window| !window.state().data().classes.is_empty());
    train(&mut window, 1);
    finish(&mut window);
    tab(&mut window, "Feature maps");
    wait(&mut window, "the digits", |window| has(window, "of 600"));
    enter(&mut window, "Image number", "500");
    let number = |window: &Window| {
        window.get_by_role_and_label(Role::SpinButton, "Image number").accesskit_node().numeric_value()
    };
    let label = |window: &Window| probe(window).map(|probe| probe.label);
    assert_eq!(number(&window), Some(500.0));
    // The document gets other data; the run keeps its own.
    click(&mut window, "Data");
    click(&mut window, "MNIST folder…");
    wait(&mut window, "the other data", |window| window.state().data().counts == [180, 20, 50]);
    tab(&mut window, "Feature maps");
    steps(&mut window, 4);
    assert!(has(&window, "of 600") && has(&window, "Of the run's data: built-in digits"));
    assert_eq!(number(&window), Some(500.0));
    // What was never trained takes the document's.
    let choose = |window: &mut Window, whose: &str| {
        click_near(window, "Weights: ");
        click(window, whose);
    };
    choose(&mut window, "Untrained");
    wait(&mut window, "the count of the other data", |window| has(window, "of 20"));
    assert_eq!(number(&window), Some(1.0));
    let before = label(&window);
    enter(&mut window, "Image number", "20");
    wait(&mut window, "the last image", |window| label(window) != before);
    assert!(!has(&window, "Of the run's data"));
    picture(&mut window, "images-of-run");
    // Back again, each has the image that was chosen of it.
    choose(&mut window, "This network's run");
    steps(&mut window, 4);
    assert!(has(&window, "of 600"));
    assert_eq!(number(&window), Some(500.0));
    choose(&mut window, "Untrained");
    steps(&mut window, 4);
    assert_eq!(number(&window), Some(20.0));
    // An image of the run's results is looked at as that run sees it, whatever was chosen before.
    let run = window.state().run().unwrap().clone();
    let answer = run.results.last().unwrap().worst().next().copied().unwrap();
    tab(&mut window, "Results");
    click_near(&mut window, &format!("Image {}: ", answer.index + 1));
    steps(&mut window, 4);
    assert!(has(&window, "of 600") && has(&window, &format!("Weights: {}", run.name)), "not the run's");
    assert_eq!(number(&window), Some((answer.index + 1) as f64));
    // In another tab, which has no run of its own, it is the stored run that is looked into.
    ctrl(&mut window, Key::O);
    wait(&mut window, "the other network", |window| window.state().document().name == "other");
    let stored = run.folder.clone();
    wait(&mut window, "the list of runs", |window| window.state().runs().row(&stored).is_some());
    tab(&mut window, "Results");
    click_near(&mut window, "Results of");
    click_near(&mut window, &run.name);
    wait(&mut window, "its results", |window| has(window, &format!("Image {}: ", answer.index + 1)));
    click_near(&mut window, &format!("Image {}: ", answer.index + 1));
    steps(&mut window, 4);
    wait(&mut window, "the run's maps", |window| has(window, &format!("Weights: {}", run.name)));
    assert_eq!(number(&window), Some((answer.index + 1) as f64));
    assert_eq!(window.state().look().problem, None);
}
