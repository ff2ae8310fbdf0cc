//! Charts as files: numbers as CSV, the picture as PNG.

use crate::ui::runs::RunView;
use std::fmt::Write as _;

/// All numbers of runs, a row for each step and each epoch. Made in a background thread.
pub(in crate::ui) fn csv(runs: &[(String, RunView)]) -> String {
    let mut text = String::from(
        "run,kind,step,epoch,seconds,training_loss,training_accuracy,validation_loss,validation_accuracy,learning_rate,gradient_norm,best\n",
    );
    for (name, run) in runs {
        let name = quoted(name);
        let mut epochs = run.epochs.iter().peekable();
        for step in &run.steps {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{name},step,{},{:.4},{:.3},{},{},,,{},{},",
                step.step,
                step.epoch,
                step.secs,
                number(step.loss),
                number(step.accuracy),
                number(step.learning_rate),
                number(step.grad_norm)
            );
            while let Some(epoch) = epochs.next_if(|epoch| epoch.step <= step.step) {
                let _ = writeln!(
                    text,
                    "{name},epoch,{},{},{:.3},{},{},{},{},,,{}",
                    epoch.step,
                    epoch.epoch,
                    step.secs,
                    number(epoch.train_loss),
                    number(epoch.train_accuracy),
                    number(epoch.loss),
                    number(epoch.accuracy),
                    if epoch.is_best { "yes" } else { "no" }
                );
            }
        }
    }
    text
}

/// What is no number stays empty, as spreadsheets expect.
fn number(value: f64) -> String {
    if value.is_finite() { value.to_string() } else { String::new() }
}

/// A field of CSV (RFC 4180).
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// A part of a picture of the window as PNG.
///
/// # Errors
/// The encoder refuses.
pub(in crate::ui) fn png(image: &egui::ColorImage, rect: egui::Rect, scale: f32) -> std::io::Result<Vec<u8>> {
    let [width, height] = image.size;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "points of a window; `as` saturates")]
    let pixel = |at: f32, most: usize| ((at * scale).round().max(0.0) as usize).min(most);
    let (left, right) = (pixel(rect.left(), width), pixel(rect.right(), width));
    let (top, bottom) = (pixel(rect.top(), height), pixel(rect.bottom(), height));
    let mut bytes = Vec::with_capacity((right - left) * (bottom - top) * 4);
    for y in top..bottom {
        for color in image.pixels.get(y * width + left..y * width + right).unwrap_or_default() {
            bytes.extend_from_slice(&color.to_srgba_unmultiplied());
        }
    }
    let size = |n: usize| u32::try_from(n).unwrap_or(0);
    let picture = image::RgbaImage::from_raw(size(right - left), size(bottom - top), bytes)
        .ok_or_else(|| std::io::Error::other("the picture has no pixels"))?;
    let mut file = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut file, image::ImageFormat::Png).map_err(std::io::Error::other)?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::runs::{EpochPoint, StepPoint};

    #[test]
    fn numbers_of_all_runs_stand_in_one_table() {
        let step = StepPoint {
            step: 1,
            epoch: 1.0,
            loss: 0.5,
            accuracy: f64::NAN,
            learning_rate: 0.001,
            grad_norm: 2.0,
            secs: 0.25,
        };
        let epoch = EpochPoint {
            epoch: 1,
            step: 1,
            train_loss: 0.5,
            loss: 0.25,
            accuracy: 0.75,
            is_best: true,
            ..EpochPoint::default()
        };
        let run = RunView { steps: vec![step], epochs: vec![epoch], ..RunView::default() };
        let text = csv(&[("a, \"b\"".into(), run)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "\"a, \"\"b\"\"\",step,1,1.0000,0.250,0.5,,,,0.001,2,");
        assert_eq!(lines[2], "\"a, \"\"b\"\"\",epoch,1,1,0.250,0.5,0,0.25,0.75,,,yes");
        let columns = lines[0].split(',').count();
        // The quoted name holds one comma more.
        assert!(lines[1..].iter().all(|line| line.split(',').count() == columns + 1));
    }

    #[test]
    fn a_part_of_the_window_becomes_a_png_of_its_pixels() {
        let mut image = egui::ColorImage::filled([8, 6], egui::Color32::BLACK);
        image.pixels[2 * 8 + 4] = egui::Color32::WHITE;
        let rect = egui::Rect::from_min_max(egui::pos2(2.0, 1.0), egui::pos2(4.0, 3.0));
        let bytes = png(&image, rect, 2.0).unwrap();
        let read = image::load_from_memory(&bytes).unwrap().to_rgba8();
        // Points (2, 1) to (4, 3) at two pixels a point: columns 4 to 8, rows 2 to 6.
        assert_eq!(read.dimensions(), (4, 4));
        assert_eq!((read.get_pixel(0, 0).0, read.get_pixel(1, 0).0), ([255; 4], [0, 0, 0, 255]));
        assert!(png(&image, egui::Rect::NOTHING, 1.0).is_err());
    }
}
