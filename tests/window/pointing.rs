//! What the pointer finds on feature maps, in the real window: statistics, the kernel under it, what a cell sees; and scales.

use crate::hand::{Window, button, click, click_near, has, maps_window, steps, wait};
use crate::scratch::scratch;
use egui::{Rect, Role, pos2};
use egui_kittest::kittest::Queryable as _;
use std::path::Path;
use striate::engine::protocol::Cell;

fn window(storage: &Path) -> Window {
    maps_window(storage, [1_600.0, 1_300.0], None)
}

#[test]
fn the_pointer_reads_statistics_and_takes_the_kernel_and_the_field_with_it() {
    let folder = scratch();
    let mut window = window(folder.path());
    // On a tile: which channel, and its statistics.
    let tile = window.get_by_role_and_label(Role::Button, "Channel 4").rect();
    window.hover_at(tile.center());
    wait(&mut window, "the hover text", |window| has(window, "% zeros"));
    // The tile itself, and what stands beside the pointer.
    assert_eq!(window.query_all_by_label("Channel 4").count(), 2);
    window.get_by_label_contains("mean ");
    window.get_by_label_contains(" here");

    // On the enlarged map: the cell under the pointer is explained, and the image shows what it sees. A 5 × 5 kernel without
    // padding over 32 × 32 pixels: the cell in row r and column c sees rows r to r + 4 and columns c to c + 4.
    button(&mut window, "Channel 4");
    wait(&mut window, "an explanation", |window| window.state().look().explained.is_some());
    let map: Rect = window.get_by_label_contains("Enlarged channel 4").rect();
    for (row, column) in [(3_u8, 20_u8), (27, 0), (11, 12)] {
        let share = |at: u8| (f32::from(at) + 0.5) / 28.0;
        let at = pos2(map.left() + share(column) * map.width(), map.top() + share(row) * map.height());
        window.hover_at(at);
        let cell = Cell::new(4, u64::from(row), u64::from(column));
        wait(&mut window, "the cell under the pointer", |window| {
            window.state().look().explained.as_ref().is_some_and(|report| report.cell == cell)
        });
        steps(&mut window, 2);
        window.get_by_label_contains(&format!("c1, channel 4, row {row}, column {column}"));
        let (bottom, right) = (row + 4, column + 4);
        window.get_by_label(&format!("Sees rows {row} to {bottom}, columns {column} to {right}"));
        let report = window.state().look().explained.clone().unwrap();
        assert!((report.steps[0].how.result() - f64::from(report.steps[0].value)).abs() < 1e-4);
    }
}

/// Darkest and brightest pixel of each of the six tiles of LeNet-5's first layer: 28 pixels, three times enlarged, three in a
/// row of 84 and a gap of 4.
fn tiles(sheet: &Path) -> Vec<(u8, u8)> {
    let sheet = image::open(sheet).unwrap().to_rgba8();
    let tile = |n: u32| {
        let (left, top) = (4 + n % 3 * 88, 4 + n / 3 * 88);
        let pixels = (0..84).flat_map(|y| (0..84).map(move |x| (left + x, top + y)));
        pixels.map(|(x, y)| sheet.get_pixel(x, y).0[0]).fold((255, 0), |(low, high), at| (low.min(at), high.max(at)))
    };
    (0..6).map(tile).collect()
}

#[test]
fn a_scale_of_its_own_fills_each_map_and_a_shared_one_only_the_extremes() {
    let folder = scratch();
    let mut window = window(folder.path());
    click_near(&mut window, "Colours: ");
    click(&mut window, "Gray");
    let sheet = folder.path().join("c1-maps.png");
    let save = |window: &mut Window| {
        button(window, "Save PNG…");
        wait(window, "the sheet", |_| image::open(&sheet).is_ok());
        let found = tiles(&sheet);
        std::fs::remove_file(&sheet).unwrap();
        found
    };
    assert_eq!(save(&mut window), [(0, 255); 6]);
    click(&mut window, "Shared scale");
    let shared = save(&mut window);
    // The smallest and the largest value of all are in some map, and no map but one with both has both.
    assert_eq!(shared.iter().map(|tile| tile.0).min(), Some(0));
    assert_eq!(shared.iter().map(|tile| tile.1).max(), Some(255));
    assert!(shared.iter().filter(|tile| **tile != (0, 255)).count() >= 4, "{shared:?}");
    // Around zero: the sheet has blue for negative and red for positive values.
    click_near(&mut window, "Colours: ");
    click(&mut window, "Around zero");
    button(&mut window, "Save PNG…");
    wait(&mut window, "the sheet", |_| image::open(&sheet).is_ok());
    let colours = image::open(&sheet).unwrap().to_rgb8();
    assert!(colours.pixels().any(|at| at.0[2] > 100 && at.0[0] < 60), "blue");
    assert!(colours.pixels().any(|at| at.0[0] > 120 && at.0[2] < 80), "red");
}
