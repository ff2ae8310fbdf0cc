//! The charts under the pointer: zoom by a box, double click, values of all runs, earlier runs over the present one, and what
//! goes out as CSV and PNG. By labels and the pointer on the real window with a real worker process.

use crate::hand::{Window, answer, button, click, finish, network, open, open_drawn, options, steps, tab, wait};
use egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, Role, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use std::path::Path;
use striate::engine::run::{RunFolder, RunNote};
use striate::ui::Options;
use striate::ui::dialogs::Purpose;

/// Exports go to a file of this name, whose ending is that of the proposed name.
fn opened(storage: &Path, epochs: u32) -> Options {
    let (document, place) = (network(storage, "Tiny", epochs, &[]), storage.to_path_buf());
    let dialogs = answer(move |purpose| match purpose {
        Purpose::Export(name) => Some(place.join("out").with_extension(name.rsplit('.').next().unwrap_or_default())),
        _ => None,
    });
    Options { document: Some(document), dialogs: Some(dialogs), ..options(storage) }
}

fn trained(window: &mut Window) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    finish(window);
    steps(window, 6);
}

/// Place of a chart, and what of its curves is seen.
fn chart(window: &Window, name: &str) -> (Rect, String) {
    let name = format!("{name} chart, ");
    let node = window.get_by_label_contains(&name);
    (node.rect(), node.accesskit_node().value().unwrap_or_default())
}

/// The numbers of what is seen: from x to x, from y to y.
fn seen(window: &Window, name: &str) -> [f64; 4] {
    let (_, words) = chart(window, name);
    let numbers = words.split(|letter: char| !(letter.is_ascii_digit() || "+-.e".contains(letter)));
    let numbers: Vec<f64> = numbers.filter_map(|word| word.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{words:?} are not four numbers"))
}

fn press(window: &mut Window, pos: Pos2, pressed: bool) {
    window.event(Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE });
    window.step();
}

fn drag(window: &mut Window, from: Pos2, to: Pos2) {
    window.hover_at(from);
    steps(window, 2);
    press(window, from, true);
    // A drag begins some points after the press; small steps at first, as a hand makes them.
    for part in [0.02, 0.05, 0.08, 0.12, 0.5, 1.0] {
        window.hover_at(from + (to - from) * part);
        steps(window, 2);
    }
    press(window, to, false);
    steps(window, 20);
}

fn double_click(window: &mut Window, at: Pos2) {
    window.hover_at(at);
    steps(window, 2);
    for pressed in [true, false, true, false] {
        press(window, at, pressed);
    }
    steps(window, 20);
}

fn is_near(found: f64, wanted: f64, of: f64) -> bool {
    (found - wanted).abs() < of * 0.07
}

#[test]
fn a_dragged_box_zooms_all_charts_along_and_a_double_click_shows_everything_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open([1_440.0, 1_100.0], opened(folder.path(), 2));
    trained(&mut window);
    let (all, others) = (seen(&window, "Loss"), seen(&window, "Accuracy"));
    let (rect, _) = chart(&window, "Loss");
    let at = |x: f32, y: f32| rect.min + rect.size() * vec2(x, y);

    // From a quarter to a half of its width, from a fifth to four fifths of its height.
    drag(&mut window, at(0.25, 0.2), at(0.5, 0.8));
    let zoomed = seen(&window, "Loss");
    let (width, height) = (all[1] - all[0], all[3] - all[2]);
    assert!(is_near(zoomed[0], all[0] + width * 0.25, width), "{all:?} {zoomed:?}");
    assert!(is_near(zoomed[1], all[0] + width * 0.5, width), "{all:?} {zoomed:?}");
    // Heights grow upwards: the lower edge is at four fifths from the top.
    assert!(is_near(zoomed[2], all[2] + height * 0.2, height), "{all:?} {zoomed:?}");
    assert!(is_near(zoomed[3], all[2] + height * 0.8, height), "{all:?} {zoomed:?}");
    // The other chart shows the same stretch of the run, and all of its own heights.
    let other = seen(&window, "Accuracy");
    assert!(is_near(other[0], zoomed[0], width) && is_near(other[1], zoomed[1], width), "{other:?} {zoomed:?}");
    assert!(is_near(other[3], others[3], others[3]), "{other:?} {others:?}");

    double_click(&mut window, at(0.5, 0.5));
    for (name, wanted) in [("Loss", all), ("Accuracy", others)] {
        let found = seen(&window, name);
        let is_all = found.iter().zip(wanted).all(|(found, wanted)| is_near(*found, wanted, wanted.abs().max(1.0)));
        assert!(is_all, "{name}: {found:?}, before {wanted:?}");
    }
}

#[test]
fn a_logarithmic_axis_shows_no_number_below_zero_and_leaves_shares_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open([1_440.0, 1_100.0], opened(folder.path(), 1));
    trained(&mut window);
    let (linear, shares) = (seen(&window, "Loss"), chart(&window, "Accuracy").1);
    click(&mut window, "Log scale");
    steps(&mut window, 6);
    let log = seen(&window, "Loss");
    assert!(log[2] > 0.0 && log[2] < log[3], "{log:?}");
    // Room at the top is a share of the height: on a logarithmic axis that is a larger number.
    assert!(log[3] > linear[3], "{log:?} {linear:?}");
    assert_eq!(chart(&window, "Accuracy").1, shares);
    // Steps and time on the other axis.
    let count = window.state().run().unwrap().steps.len() as f64;
    window.get_by_role_and_label(Role::ComboBox, "Along: Epochs").click();
    steps(&mut window, 4);
    click(&mut window, "Steps");
    steps(&mut window, 6);
    assert!(is_near(seen(&window, "Loss")[1], count, count * 3.0), "{:?}", chart(&window, "Loss"));
}

#[test]
fn earlier_runs_lie_over_the_present_one_and_the_pointer_reads_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open([1_440.0, 1_100.0], opened(folder.path(), 1));
    trained(&mut window);
    let run = RunFolder::open(folder.path().join("runs/tiny-1")).unwrap();
    run.write_note(&RunNote { name: "Slow".into(), note: "rate of the paper".into(), color: Some(3) }).unwrap();
    trained(&mut window);

    // Chosen in the Training panel itself; the list says what each run came to.
    button(&mut window, "Earlier runs");
    wait(&mut window, "the earlier run", |window| window.query_by_label_contains("Slow, ").is_some());
    window.get_by_label("Runs that fit this network");
    let accuracy =
        run.metrics().unwrap().epochs[0].validation_metrics.iter().find(|(name, _)| name == "accuracy").unwrap().1;
    let row = format!("Slow, {:.2} %, ", accuracy * 100.0);
    window.get_by_label_contains(&row).click();
    steps(&mut window, 4);
    window.key_press(Key::Escape);
    let both = window.state().run().unwrap().steps.len() * 2;
    wait(&mut window, "both runs", |window| window.query_by_label(&format!("Loss chart, {both} steps")).is_some());

    // Under the pointer: values of both, by name, and the note.
    let (rect, _) = chart(&window, "Loss");
    window.hover_at(rect.center());
    steps(&mut window, 60);
    for words in
        ["training", "training, raw", "validation", "Slow, training", "Slow, training, raw", "Slow, validation"]
    {
        assert!(window.query_by_label(words).is_some(), "{words} is not under the pointer");
    }
    window.get_by_label("Slow: rate of the paper");
    window.get_by_label("Drag a box to zoom, double click to see all");
    // The thick line is smoothed, the thin one is not; without smoothing they are one.
    let values = |window: &Window| -> Vec<String> {
        let labels = window.query_all_by_role(Role::Label).filter_map(|node| node.accesskit_node().value());
        // Losses have four digits behind the point.
        labels
            .filter(|text| text.parse::<f64>().is_ok() && text.split_once('.').is_some_and(|(_, rest)| rest.len() == 4))
            .collect()
    };
    let smoothed = values(&window);
    let slider = window.get_by_role_and_label(Role::Slider, "Smoothing");
    slider.focus();
    window.hover_at(Pos2::ZERO);
    steps(&mut window, 4);
    window.key_press(Key::Home);
    for _ in 0..120 {
        window.key_press(Key::ArrowLeft);
        window.step();
    }
    window.hover_at(rect.center());
    steps(&mut window, 60);
    let raw = values(&window);
    assert!(!smoothed.is_empty() && smoothed != raw, "{smoothed:?} {raw:?}");
    assert_eq!(raw[0], raw[1], "{raw:?}");
}

#[test]
fn charts_go_out_as_numbers_and_as_a_picture_with_title_and_axes() {
    let folder = tempfile::tempdir().unwrap();
    let mut window = open_drawn([1_240.0, 860.0], opened(folder.path(), 2));
    trained(&mut window);
    tab(&mut window, "Training");

    button(&mut window, "Export");
    click(&mut window, "Numbers as CSV…");
    let file = folder.path().join("out.csv");
    wait(&mut window, "the table", |_| file.exists());
    let table = std::fs::read_to_string(&file).unwrap();
    let mut lines = table.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let run = window.state().run().unwrap().clone();
    let of = |kind: &str| rows.iter().filter(|row| row[1] == kind).collect::<Vec<_>>();
    assert_eq!((of("step").len(), of("epoch").len()), (run.steps.len(), 2));
    assert!(rows.iter().all(|row| row.len() == head.len() && row[0] == "tiny-1"), "{table}");
    // What is written is what was measured, to the last digit.
    let column = head.iter().position(|name| *name == "training_loss").unwrap();
    for (row, step) in of("step").iter().zip(&run.steps) {
        assert_eq!(row[column].parse::<f64>().unwrap().to_bits(), step.loss.to_bits());
    }

    // The charts are hardly in sight in a window this low: their picture is whole all the same.
    let (loss, _) = chart(&window, "Loss");
    assert!(loss.bottom() > 860.0, "{loss:?}");
    let picture = exported(&mut window, folder.path(), "charts-export");
    // Two charts of 640 x 360 points beside each other, a line of 22 with the run's name, 16 around all: two pixels a point.
    assert_eq!(picture.dimensions(), ((2 * 640 + 32) * 2, (360 + 22 + 32) * 2));
    let place = |left: f32, top: f32, right: f32, bottom: f32| {
        Rect::from_min_max(egui::pos2(left, top) * 2.0, egui::pos2(right, bottom) * 2.0)
    };
    // Writing stands out: WCAG's ratio of luminances is 4.5 for text, of some pixels within each place.
    for (what, place) in [
        ("the run's name", place(16.0, 16.0, 80.0, 38.0)),
        ("the title Loss", place(16.0, 38.0, 50.0, 58.0)),
        ("the title Accuracy", place(660.0, 38.0, 720.0, 58.0)),
        ("numbers at the left", place(16.0, 70.0, 40.0, 360.0)),
        ("numbers below", place(60.0, 376.0, 600.0, 398.0)),
    ] {
        assert!(contrast(&picture, place) >= 4.5, "{what}: {}", contrast(&picture, place));
    }
    let coloured = |picture: &image::RgbImage, place: Rect| {
        pixels(picture, place).filter(|pixel| pixel.iter().max().unwrap() - pixel.iter().min().unwrap() > 60).count()
    };
    for left in [60.0, 710.0] {
        let middle = place(left, 80.0, left + 540.0, 360.0);
        assert!(coloured(&picture, middle) > 500, "no curves from {left} on: {}", coloured(&picture, middle));
    }

    // Another part of the curves is another picture, and everything is the first one again.
    window.set_size(vec2(1_240.0, 1_200.0));
    steps(&mut window, 10);
    let (loss, _) = chart(&window, "Loss");
    let at = |x: f32, y: f32| loss.min + loss.size() * vec2(x, y);
    drag(&mut window, at(0.2, 0.1), at(0.5, 0.7));
    let zoomed = exported(&mut window, folder.path(), "charts-export-zoomed");
    assert!(zoomed.dimensions() == picture.dimensions() && zoomed != picture);
    double_click(&mut window, at(0.5, 0.2));
    assert!(exported(&mut window, folder.path(), "charts-export-again") == picture, "the whole is another picture");
}

/// Exports the charts as PNG and reads that.
fn exported(window: &mut Window, folder: &Path, name: &str) -> image::RgbImage {
    let file = folder.join("out.png");
    let _ = std::fs::remove_file(&file);
    button(window, "Export");
    click(window, "Picture as PNG…");
    wait(window, "the picture", |_| file.exists());
    steps(window, 4);
    if let Some(place) = std::env::var_os("STRIATE_PICTURES") {
        std::fs::create_dir_all(&place).unwrap();
        std::fs::copy(&file, Path::new(&place).join(format!("{name}.png"))).unwrap();
    }
    image::open(&file).unwrap().to_rgb8()
}

/// Pixels of a place.
fn pixels(picture: &image::RgbImage, place: Rect) -> impl Iterator<Item = [u8; 3]> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and inside a picture")]
    let side = |at: f32, most: u32| (at.round().max(0.0) as u32).min(most);
    let (width, height) = picture.dimensions();
    let (xs, ys) = (
        side(place.left(), width)..side(place.right(), width),
        side(place.top(), height)..side(place.bottom(), height),
    );
    ys.flat_map(move |y| xs.clone().map(move |x| (x, y))).map(|(x, y)| picture.get_pixel(x, y).0)
}

/// The largest ratio of luminances between the ground of a place, its most frequent colour, and one of its pixels.
///
/// # Source
/// Web Content Accessibility Guidelines 2.2, relative luminance and contrast ratio.
fn contrast(picture: &image::RgbImage, place: Rect) -> f64 {
    let linear = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    let luminance = |[r, g, b]: [u8; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let mut counts = std::collections::BTreeMap::<[u8; 3], u32>::new();
    pixels(picture, place).for_each(|pixel| *counts.entry(pixel).or_default() += 1);
    let Some((ground, _)) = counts.iter().max_by_key(|(_, count)| **count) else { return 0.0 };
    let ground = luminance(*ground);
    let ratio = |other: f64| (ground.max(other) + 0.05) / (ground.min(other) + 0.05);
    counts.keys().map(|pixel| ratio(luminance(*pixel))).fold(1.0, f64::max)
}
