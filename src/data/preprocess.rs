//! From a stored picture to the numbers a network takes: colours, inversion, size, then mean and standard deviation.
//! A function of the picture alone; stored with a run and replayed by predict. Knows no data set.

use super::{Batch, BatchTarget, DataError, Picture};
use crate::graph::{Preprocess, Resize};
use crate::op::Shape;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// Largest side of a network's input.
const MAX_INPUT_SIDE: u64 = 8_192;

/// The preprocessing of one network.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessor {
    resize: Resize,
    invert: bool,
    channels: u32,
    height: u32,
    width: u32,
    mean: Vec<f32>,
    std: Vec<f32>,
}

impl Preprocessor {
    /// The preprocessing that these settings mean for a network's input.
    ///
    /// # Errors
    /// [`DataError::Input`] if the input is no map with 1 or 3 channels, [`DataError::Normalise`] if mean or standard
    /// deviation do not fit it.
    pub fn from_spec(spec: &Preprocess, input: &Shape) -> Result<Self, DataError> {
        let fail = || DataError::Input { limit: MAX_INPUT_SIDE, found: input.clone() };
        let (channels, height, width) = input.as_map().ok_or_else(fail)?;
        let sides = 1..=MAX_INPUT_SIDE;
        if !matches!(channels, 1 | 3) || !sides.contains(&height) || !sides.contains(&width) {
            return Err(fail());
        }
        let side = |size| u32::try_from(size).ok().ok_or_else(fail);
        let channels = side(channels)?;
        let per_channel = |what, rule, values: &Vec<f32>, example, valid: fn(f32) -> bool| {
            let count = channels as usize;
            match values.as_slice() {
                all if !all.iter().all(|&value| value.is_finite() && valid(value)) => None,
                &[one] => Some(vec![one; count]),
                all => (all.len() == count).then(|| all.to_vec()),
            }
            .ok_or_else(|| DataError::Normalise {
                what,
                rule,
                channels: count,
                found: values.clone(),
                example,
            })
        };
        Ok(Self {
            resize: spec.resize,
            invert: spec.invert,
            channels,
            height: side(height)?,
            width: side(width)?,
            mean: per_channel("mean", "finite", &spec.mean, "0", |_| true)?,
            std: per_channel("std", "above 0", &spec.std, "1", |value| value > 0.0)?,
        })
    }

    /// `c`, `h`, `w` of what it gives.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels as usize, self.height as usize, self.width as usize]
    }

    /// The numbers for the network, `[c, h, w]`.
    pub fn image(&self, picture: &Picture) -> Vec<f32> {
        let mut values = Vec::new();
        self.normalise_into(&self.sized(picture), &mut values);
        values
    }

    /// Pictures without known classes as one batch, in their order.
    pub fn batch<'a>(&self, pictures: impl IntoIterator<Item = &'a Picture>) -> Batch {
        let mut batch =
            Batch { images: Vec::new(), shape: self.shape(), target: BatchTarget::None, indices: Vec::new() };
        for (index, picture) in (0..).zip(pictures) {
            self.normalise_into(&self.sized(picture), &mut batch.images);
            batch.indices.push(index);
        }
        batch
    }

    /// The picture in the network's colours.
    pub(super) fn coloured(&self, picture: &Picture) -> Picture {
        let pixels = match (picture.channels(), self.channels) {
            (1, 3) => picture.pixels().iter().flat_map(|&gray| [gray; 3]).collect(),
            (3, 1) => picture.pixels().chunks_exact(3).map(|rgb| luma([rgb[0], rgb[1], rgb[2]])).collect(),
            _ => return picture.clone(),
        };
        Picture::new(picture.width(), picture.height(), self.channels, pixels)
            .unwrap_or_else(|| Picture::black(picture.width(), picture.height(), self.channels))
    }

    /// Inverts a dark on light picture, if that is set: one whose border is lighter than middle gray. `true` if done.
    pub(super) fn invert(&self, picture: &mut Picture) -> bool {
        let dark_on_light = self.invert && border_mean(picture) > 127.5;
        if dark_on_light {
            picture.pixels_mut().iter_mut().for_each(|value| *value = 255 - *value);
        }
        dark_on_light
    }

    /// The picture in the network's size.
    pub(super) fn resized(&self, picture: &Picture) -> Picture {
        let (from, to) = ((picture.width(), picture.height()), (self.width, self.height));
        if from == to {
            return picture.clone();
        }
        match self.resize {
            Resize::Stretch => scaled(picture, to, false),
            Resize::Crop => scaled(picture, to, true),
            Resize::Pad if from.0 <= to.0 && from.1 <= to.1 => padded(picture, to),
            Resize::Pad => padded(&scaled(picture, fitted(from, to), false), to),
        }
    }

    /// What [`resized`](Self::resized) does to this picture, in words.
    pub(super) fn resize_title(&self, picture: &Picture) -> &'static str {
        match self.resize {
            Resize::Stretch => "Stretched",
            Resize::Crop => "Scaled and cropped",
            Resize::Pad if picture.width() <= self.width && picture.height() <= self.height => "Padded",
            Resize::Pad => "Scaled to fit and padded",
        }
    }

    /// All steps up to the 8-bit picture in the network's colours and size.
    pub(super) fn sized(&self, picture: &Picture) -> Picture {
        let mut coloured = self.coloured(picture);
        self.invert(&mut coloured);
        self.resized(&coloured)
    }

    /// Appends the normalised numbers of a sized picture: (value / 255 - mean) / std, planes one after the other.
    pub(super) fn normalise_into(&self, sized: &Picture, values: &mut Vec<f32>) {
        let channels = self.channels as usize;
        for (channel, (&mean, &std)) in self.mean.iter().zip(&self.std).enumerate() {
            let plane = sized.pixels().iter().skip(channel).step_by(channels);
            values.extend(plane.map(|&value| (f32::from(value) / 255.0 - mean) / std));
        }
    }
}

/// Luma of ITU-R 601-2 in 16-bit fixed point.
///
/// # Source
/// Pillow, `Image.convert("L")`.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = u32::from(red) * 19_595 + u32::from(green) * 38_470 + u32::from(blue) * 7_471 + 0x8000;
    u8::try_from(sum >> 16).unwrap_or(u8::MAX)
}

/// Mean of all values on the outermost ring of pixels.
fn border_mean(picture: &Picture) -> f64 {
    let row_bytes = (picture.width() * picture.channels()) as usize;
    let side_bytes = picture.channels() as usize;
    let last = picture.height() as usize - 1;
    let (mut sum, mut count) = (0_u64, 0_u64);
    let mut add = |values: &[u8]| {
        sum += values.iter().map(|&value| u64::from(value)).sum::<u64>();
        count += values.len() as u64;
    };
    for (y, row) in picture.pixels().chunks_exact(row_bytes).enumerate() {
        if y == 0 || y == last {
            add(row);
        } else {
            add(&row[..side_bytes]);
            add(&row[row_bytes - side_bytes..]);
        }
    }
    sum as f64 / count.max(1) as f64
}

/// The largest size of the same proportions inside `to`.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the target's sides")]
fn fitted(from: (u32, u32), to: (u32, u32)) -> (u32, u32) {
    let factor = (f64::from(to.0) / f64::from(from.0)).min(f64::from(to.1) / f64::from(from.1));
    let side = |from: u32, to: u32| ((f64::from(from) * factor).round() as u32).clamp(1, to);
    (side(from.0, to.0), side(from.1, to.1))
}

/// The picture scaled with a triangle filter that averages when it shrinks; `crop` cuts the middle out first.
fn scaled(picture: &Picture, (width, height): (u32, u32), crop: bool) -> Picture {
    let pixel = if picture.channels() == 3 { PixelType::U8x3 } else { PixelType::U8 };
    let mut options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear)).use_alpha(false);
    if crop {
        options = options.fit_into_destination(Some((0.5, 0.5)));
    }
    let mut result = Image::new(width, height, pixel);
    let source = ImageRef::new(picture.width(), picture.height(), picture.pixels(), pixel)
        .expect("a picture's buffer fits its size");
    Resizer::new().resize(&source, &mut result, &options).expect("both images have the same pixel type");
    Picture::new(width, height, picture.channels(), result.into_vec()).expect("the target has this size")
}

/// The picture in the middle of a black one; of an odd rest the larger half is at the end.
fn padded(picture: &Picture, (width, height): (u32, u32)) -> Picture {
    let channels = picture.channels() as usize;
    let mut result = Picture::black(width, height, picture.channels());
    let left = (width.saturating_sub(picture.width()) / 2) as usize * channels;
    let top = (height.saturating_sub(picture.height()) / 2) as usize;
    let (from_bytes, to_bytes) = (picture.width() as usize * channels, width as usize * channels);
    let rows = result.pixels_mut().chunks_exact_mut(to_bytes).skip(top);
    for (to, from) in rows.zip(picture.pixels().chunks_exact(from_bytes)) {
        to[left..left + from_bytes].copy_from_slice(from);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preprocessor(spec: &Preprocess, c: u64, h: u64, w: u64) -> Preprocessor {
        Preprocessor::from_spec(spec, &Shape::map(c, h, w)).unwrap()
    }

    fn with(resize: Resize) -> Preprocess {
        Preprocess { resize, ..Preprocess::default() }
    }

    fn gray(width: u32, height: u32, pixels: &[u8]) -> Picture {
        Picture::new(width, height, 1, pixels.to_vec()).unwrap()
    }

    #[test]
    fn pad_puts_mnist_evenly_into_lenets_input() {
        // LeCun et al. 1998: 28 x 28 digits centred in a 32 x 32 field, so two pixels on each side.
        let white = gray(28, 28, &[255; 784]);
        let values = preprocessor(&with(Resize::Pad), 1, 32, 32).image(&white);
        assert_eq!(values.len(), 1024);
        for (i, &value) in values.iter().enumerate() {
            let inside = (2..30).contains(&(i / 32)) && (2..30).contains(&(i % 32));
            assert_eq!(value.to_bits(), if inside { 1.0_f32 } else { 0.0 }.to_bits(), "pixel {i}");
        }
    }

    #[test]
    fn pad_gives_an_odd_rest_to_the_end() {
        let sized = preprocessor(&with(Resize::Pad), 1, 1, 4).sized(&gray(1, 1, &[9]));
        assert_eq!(sized.pixels(), [0, 9, 0, 0]);
    }

    #[test]
    fn pad_fits_larger_pictures_and_keeps_their_proportions() {
        // 8 x 4 into 4 x 4: half the size is 4 x 2, with one black row above and below.
        let sized = preprocessor(&with(Resize::Pad), 1, 4, 4).sized(&gray(8, 4, &[200; 32]));
        assert_eq!(sized.pixels(), [0, 0, 0, 0, 200, 200, 200, 200, 200, 200, 200, 200, 0, 0, 0, 0]);
    }

    #[test]
    fn crop_cuts_the_middle_out() {
        // 4 x 2 into 2 x 2: the scale is 1, columns 1 and 2 stay.
        let sized = preprocessor(&with(Resize::Crop), 1, 2, 2).sized(&gray(4, 2, &[1, 2, 3, 4, 5, 6, 7, 8]));
        assert_eq!(sized.pixels(), [2, 3, 6, 7]);
    }

    #[test]
    fn stretch_fills_the_input_whatever_the_proportions() {
        let sized = preprocessor(&with(Resize::Stretch), 1, 5, 3).sized(&gray(8, 2, &[77; 16]));
        assert_eq!((sized.width(), sized.height()), (3, 5));
        assert_eq!(sized.pixels(), [77; 15]);
    }

    #[test]
    fn very_thin_pictures_keep_at_least_one_pixel() {
        for resize in [Resize::Pad, Resize::Crop, Resize::Stretch] {
            let sized = preprocessor(&with(resize), 1, 4, 4).sized(&gray(1000, 1, &[50; 1000]));
            assert_eq!((sized.width(), sized.height()), (4, 4), "{resize:?}");
        }
    }

    #[test]
    fn colours_become_gray_as_in_pillow() {
        // Pillow: Image.new("RGB", (1, 1), c).convert("L") gives 76, 150, 29 for pure red, green, blue.
        assert_eq!([luma([255, 0, 0]), luma([0, 255, 0]), luma([0, 0, 255])], [76, 150, 29]);
        assert_eq!([luma([255; 3]), luma([0; 3])], [255, 0]);
    }

    #[test]
    fn planes_come_one_after_the_other_and_each_is_normalised_by_its_own_numbers() {
        let spec = Preprocess { mean: vec![0.0, 0.5, 1.0], std: vec![1.0, 0.5, 0.25], ..Preprocess::default() };
        let picture = Picture::new(2, 1, 3, vec![255, 255, 255, 0, 0, 0]).unwrap();
        // (1 - 0)/1, (0 - 0)/1; (1 - 0.5)/0.5, -0.5/0.5; (1 - 1)/0.25, -1/0.25.
        assert_eq!(preprocessor(&spec, 3, 1, 2).image(&picture), [1.0, 0.0, 1.0, -1.0, 0.0, -4.0]);
    }

    #[test]
    fn one_mean_serves_all_channels_and_gray_becomes_three_equal_planes() {
        let spec = Preprocess { mean: vec![0.5], std: vec![0.5], ..Preprocess::default() };
        assert_eq!(preprocessor(&spec, 3, 1, 1).image(&gray(1, 1, &[255])), [1.0, 1.0, 1.0]);
    }

    #[test]
    fn invert_turns_a_pen_on_paper_into_light_on_dark_and_leaves_light_on_dark_alone() {
        let spec = Preprocess { invert: true, ..Preprocess::default() };
        let preprocessor = preprocessor(&spec, 1, 3, 3);
        let pen = gray(3, 3, &[250, 250, 250, 250, 10, 250, 250, 250, 250]);
        let digit = gray(3, 3, &[5, 5, 5, 5, 245, 5, 5, 5, 5]);
        assert_eq!(preprocessor.sized(&pen).pixels(), digit.pixels());
        assert_eq!(preprocessor.sized(&digit).pixels(), digit.pixels());
    }

    #[test]
    fn settings_that_do_not_fit_the_input_are_refused() {
        let default = Preprocess::default();
        for input in [Shape::vector(784), Shape::map(2, 8, 8), Shape::map(1, 0, 8), Shape::map(3, u64::MAX, 8)] {
            assert!(matches!(Preprocessor::from_spec(&default, &input), Err(DataError::Input { .. })), "{input}");
        }
        let rgb = Shape::map(3, 8, 8);
        for (mean, std) in
            [(vec![0.0; 2], vec![1.0]), (vec![], vec![1.0]), (vec![0.0], vec![0.0]), (vec![f32::NAN], vec![1.0])]
        {
            let spec = Preprocess { mean, std, ..Preprocess::default() };
            assert!(matches!(Preprocessor::from_spec(&spec, &rgb), Err(DataError::Normalise { .. })), "{spec:?}");
        }
    }
}
