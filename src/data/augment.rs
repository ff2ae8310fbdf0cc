//! Augmentation: small random changes of a sized picture while training, a pure function of (seed, epoch, index).
//! Knows nothing of sources and tensors.

use super::{Picture, seed};
use crate::graph::Augment;
use rand::RngExt as _;

/// The picture with the changes drawn for (seed, epoch, index). What is shifted in is black.
pub(super) fn apply(picture: Picture, augment: Augment, seed: u64, epoch: u32, index: u32) -> Picture {
    if augment == Augment::default() {
        return picture;
    }
    let mut generator = seed::generator(&[seed, seed::text("augment"), u64::from(epoch), u64::from(index)]);
    // Every number is drawn whatever is switched on, so that one setting does not change the others' draws.
    let flip = generator.random_bool(0.5) && augment.flip;
    let reach = i64::from(augment.shift_px);
    let (dx, dy) = (generator.random_range(-reach..=reach), generator.random_range(-reach..=reach));
    moved(&picture, flip, dx, dy)
}

/// The picture mirrored, then moved by `dx` to the right and `dy` down.
fn moved(picture: &Picture, flip: bool, dx: i64, dy: i64) -> Picture {
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    let channels = picture.channels() as usize;
    let mut result = Picture::black(picture.width(), picture.height(), picture.channels());
    let row_bytes = picture.width() as usize * channels;
    let rows = result.pixels_mut().chunks_exact_mut(row_bytes);
    for (y, row) in (0_i64..).zip(rows) {
        let Some(from_y) = within(y - dy, height) else { continue };
        let source = &picture.pixels()[from_y * row_bytes..][..row_bytes];
        for (x, pixel) in (0_i64..).zip(row.chunks_exact_mut(channels)) {
            let Some(from_x) = within(x - dx, width) else { continue };
            let from_x = if flip { picture.width() as usize - 1 - from_x } else { from_x };
            pixel.copy_from_slice(&source[from_x * channels..][..channels]);
        }
    }
    result
}

fn within(at: i64, size: i64) -> Option<usize> {
    usize::try_from(at).ok().filter(|_| at < size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_by_three() -> Picture {
        Picture::new(3, 2, 1, vec![1, 2, 3, 4, 5, 6]).unwrap()
    }

    #[test]
    fn a_shift_moves_pixels_and_fills_black() {
        assert_eq!(moved(&two_by_three(), false, 1, 0).pixels(), [0, 1, 2, 0, 4, 5]);
        assert_eq!(moved(&two_by_three(), false, 0, -1).pixels(), [4, 5, 6, 0, 0, 0]);
        assert_eq!(moved(&two_by_three(), false, 9, 9).pixels(), [0; 6]);
    }

    #[test]
    fn a_flip_mirrors_left_and_right_and_keeps_colours_together() {
        assert_eq!(moved(&two_by_three(), true, 0, 0).pixels(), [3, 2, 1, 6, 5, 4]);
        let colour = Picture::new(2, 1, 3, vec![1, 2, 3, 4, 5, 6]).unwrap();
        assert_eq!(moved(&colour, true, 0, 0).pixels(), [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn the_draw_is_a_function_of_seed_epoch_and_index() {
        let picture = Picture::new(8, 8, 1, (0..64).collect()).unwrap();
        let augment = Augment { flip: true, shift_px: 3 };
        let draw = |seed, epoch, index| apply(picture.clone(), augment, seed, epoch, index);
        assert_eq!(draw(1, 2, 3), draw(1, 2, 3));
        // Each is one of 2 x 7 x 7 = 98 changes; four equal ones by chance only once in 98^3 seeds.
        assert!(draw(1, 2, 3) != draw(1, 2, 4) || draw(1, 2, 3) != draw(1, 3, 3) || draw(1, 2, 3) != draw(2, 2, 3));
    }

    #[test]
    fn half_of_the_pictures_are_flipped() {
        let picture = Picture::new(2, 1, 1, vec![0, 255]).unwrap();
        let augment = Augment { flip: true, shift_px: 0 };
        let flipped = (0..1000).filter(|&i| apply(picture.clone(), augment, 7, 0, i) != picture).count();
        // Binomial(1000, 1/2): standard deviation 15.8; six of them.
        assert!((405..=595).contains(&flipped), "{flipped}");
    }
}
