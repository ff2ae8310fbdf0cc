//! Forty small pictures in ten classes: with batches of 8 a few steps an epoch, and a checkpoint after each.

use std::path::{Path, PathBuf};

/// Writes them below a folder.
pub(crate) fn pictures(folder: &Path) -> PathBuf {
    let data = folder.join("pictures");
    for class in 0..10_u8 {
        let place = data.join(class.to_string());
        std::fs::create_dir_all(&place).unwrap();
        for n in 0..4_u8 {
            let picture = image::GrayImage::from_pixel(8, 8, image::Luma([class * 20 + n]));
            picture.save(place.join(format!("{n}.png"))).unwrap();
        }
    }
    data
}
