//! Pictures as stored: 8 bits, gray or RGB; and opening them from files with limits. Knows no data set.

use super::ItemError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, ImageError, ImageReader, Limits};
use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Largest side of a picture that is opened.
pub(super) const MAX_SIDE: u32 = 20_000;
/// Most memory that decoding one picture may take.
const MAX_BYTES: u64 = 1 << 29;

/// An 8-bit picture, gray (1 channel) or RGB (3), row by row, channels interleaved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    channels: u32,
    pixels: Vec<u8>,
}

impl Picture {
    /// A picture of these pixels, or `None` if a side is zero, channels are not 1 or 3, or the length does not fit.
    pub fn new(width: u32, height: u32, channels: u32, pixels: Vec<u8>) -> Option<Self> {
        let length = u64::from(width).checked_mul(u64::from(height))?.checked_mul(u64::from(channels))?;
        let fits = length > 0 && matches!(channels, 1 | 3) && pixels.len() as u64 == length;
        fits.then_some(Self { width, height, channels, pixels })
    }

    /// A black picture. Sides of zero become one, channels other than 3 become 1.
    pub fn black(width: u32, height: u32, channels: u32) -> Self {
        let (width, height, channels) = (width.max(1), height.max(1), if channels == 3 { 3 } else { 1 });
        Self { width, height, channels, pixels: vec![0; width as usize * height as usize * channels as usize] }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// 1 for gray, 3 for RGB.
    pub fn channels(&self) -> u32 {
        self.channels
    }

    /// All bytes, row by row, channels interleaved.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The bytes, to be changed in place.
    pub(super) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// The bytes with four channels, opaque: what a screen takes.
    pub fn to_rgba(&self) -> Vec<u8> {
        match self.channels {
            1 => self.pixels.iter().flat_map(|&gray| [gray, gray, gray, 255]).collect(),
            _ => self.pixels.chunks_exact(3).flat_map(|rgb| rgb.iter().copied().chain([255])).collect(),
        }
    }

    /// `28 × 28 × 1`, as a person reads a size.
    pub fn size_text(&self) -> String {
        format!("{} × {} × {}", self.height, self.width, self.channels)
    }

    /// From a decoded image. Transparent parts show white, as on paper; 16 bits become 8.
    fn from_decoded(image: DynamicImage) -> Self {
        let color = image.color();
        let (width, height) = (image.width(), image.height());
        let over_white = |value: u8, alpha: u8| -> u8 {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            u8::try_from((value * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
        };
        let (channels, pixels) = match (color.has_color(), color.has_alpha()) {
            (false, false) => (1, image.into_luma8().into_raw()),
            (true, false) => (3, image.into_rgb8().into_raw()),
            (false, true) => (1, image.into_luma_alpha8().pixels().map(|p| over_white(p.0[0], p.0[1])).collect()),
            (true, true) => {
                let pixels = image.into_rgba8();
                (3, pixels.pixels().flat_map(|p| [0, 1, 2].map(|c| over_white(p.0[c], p.0[3]))).collect())
            }
        };
        Self { width, height, channels, pixels }
    }
}

/// One item of a source: the picture as stored and upright, its class, and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawItem {
    /// The picture.
    pub picture: Picture,
    /// Its class.
    pub label: u32,
    /// File name, or what takes its place.
    pub name: String,
}

/// Opens a picture, turned upright as its camera noted.
///
/// # Errors
/// [`ItemError`] that names the file: unreadable, no picture, damaged, or larger than 20,000 pixels a side.
pub fn load_picture(path: &Path) -> Result<Picture, ItemError> {
    Ok(load_stages(path)?.1)
}

/// Opens a picture: as it lies in the file, if it has to be turned, and upright.
pub(super) fn load_stages(path: &Path) -> Result<(Option<Picture>, Picture), ItemError> {
    // Decoders are other people's code over hostile bytes: a panic there is one broken picture, no more.
    catch_unwind(AssertUnwindSafe(|| decode(path))).unwrap_or_else(|_| {
        Err(ItemError::Decode { file: path.into(), reason: "the decoder failed on its content".into() })
    })
}

/// Looks at the head of a picture only: whether it is one, and within the limits.
pub(super) fn check_head(path: &Path) -> Result<(), ItemError> {
    catch_unwind(AssertUnwindSafe(|| {
        let (width, height) = open(path)?.into_dimensions().map_err(|e| decode_error(path, &e))?;
        check_sides(path, width, height)
    }))
    .unwrap_or_else(|_| Err(ItemError::Decode { file: path.into(), reason: "the decoder failed on its head".into() }))
}

fn open(path: &Path) -> Result<ImageReader<BufReader<File>>, ItemError> {
    let io = |source| ItemError::Open { file: path.into(), source };
    // Opening a pipe would wait for ever.
    if !std::fs::metadata(path).map_err(io)?.is_file() {
        return Err(io(std::io::Error::other("not a plain file")));
    }
    let mut reader =
        ImageReader::new(BufReader::new(File::open(path).map_err(io)?)).with_guessed_format().map_err(io)?;
    if reader.format().is_none() {
        return Err(ItemError::UnknownFormat { file: path.into() });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BYTES);
    reader.limits(limits);
    Ok(reader)
}

fn decode(path: &Path) -> Result<(Option<Picture>, Picture), ItemError> {
    let failed = |e: ImageError| decode_error(path, &e);
    let mut decoder = open(path)?.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    check_sides(path, width, height)?;
    if decoder.total_bytes() > MAX_BYTES {
        return Err(too_large(path, format!("{width} × {height}, {} MB", decoder.total_bytes() / 1_000_000)));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(failed)?;
    let stored = (orientation != Orientation::NoTransforms).then(|| Picture::from_decoded(image.clone()));
    image.apply_orientation(orientation);
    Ok((stored, Picture::from_decoded(image)))
}

fn check_sides(path: &Path, width: u32, height: u32) -> Result<(), ItemError> {
    if width == 0 || height == 0 {
        return Err(ItemError::Decode { file: path.into(), reason: format!("its size is {width} × {height}") });
    }
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(too_large(path, format!("{width} × {height}")));
    }
    Ok(())
}

fn too_large(path: &Path, found: String) -> ItemError {
    ItemError::TooLarge { file: path.into(), limit: MAX_SIDE, limit_mb: MAX_BYTES / 1_000_000, found }
}

fn decode_error(path: &Path, error: &ImageError) -> ItemError {
    match error {
        ImageError::Limits(e) => too_large(path, e.to_string()),
        ImageError::Unsupported(_) => ItemError::UnknownFormat { file: path.into() },
        other => ItemError::Decode { file: path.into(), reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// An uncompressed 24-bit BMP header for any size, with no pixels behind it.
    fn bmp_head(width: i32, height: i32) -> Vec<u8> {
        let mut bytes = b"BM".to_vec();
        bytes.extend(54_u32.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(54_u32.to_le_bytes());
        bytes.extend(40_u32.to_le_bytes());
        bytes.extend(width.to_le_bytes());
        bytes.extend(height.to_le_bytes());
        bytes.extend([1, 0, 24, 0]);
        bytes.extend([0; 24]);
        bytes
    }

    fn check(name: &str, bytes: &[u8]) -> String {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        load_picture(&path).unwrap_err().to_string()
    }

    #[test]
    fn a_picture_must_fit_its_pixels() {
        assert!(Picture::new(2, 2, 1, vec![0; 4]).is_some());
        assert!(Picture::new(2, 2, 1, vec![0; 3]).is_none());
        assert!(Picture::new(2, 2, 4, vec![0; 16]).is_none());
        assert!(Picture::new(0, 2, 1, vec![]).is_none());
        assert!(Picture::new(u32::MAX, u32::MAX, 3, vec![]).is_none());
    }

    #[test]
    fn files_that_are_no_pictures_are_named_with_the_reason() {
        assert!(check("a.jpg", b"").contains("a.jpg"));
        assert!(check("b.png", b"hello, I am text").contains("PNG, JPEG"));
        assert!(check("c.png", &[0x89, b'P', b'N', b'G', 13, 10, 26, 10, 0, 0]).contains("c.png"));
    }

    #[test]
    fn a_truncated_picture_is_an_error_not_a_gray_area() {
        let mut bytes = Vec::new();
        let picture = image::RgbImage::from_fn(64, 64, |x, y| {
            image::Rgb([x * y % 251, x, y].map(|value| u8::try_from(value).unwrap()))
        });
        picture.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Png).unwrap();
        assert!(check("half.png", &bytes[..bytes.len() / 2]).contains("half.png"));
    }

    #[test]
    fn pictures_beyond_the_limits_are_refused_before_memory_is_taken() {
        assert!(check("wide.bmp", &bmp_head(20_001, 1)).contains("20000 pixels a side"));
        // 20,000 × 20,000 × 3 bytes = 1.2 GB, above the limit of 2^29 bytes.
        assert!(check("big.bmp", &bmp_head(20_000, 20_000)).contains("MB"));
    }

    #[test]
    fn transparent_parts_show_white() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clear.png");
        image::RgbaImage::from_raw(2, 1, vec![10, 20, 30, 0, 10, 20, 30, 255]).unwrap().save(&path).unwrap();
        assert_eq!(load_picture(&path).unwrap().pixels(), [255, 255, 255, 10, 20, 30]);
    }

    #[test]
    fn a_photo_taken_sideways_is_turned_upright() {
        // JPEG with an EXIF block of one entry: tag 0x0112 (orientation) = 6, "rotate by 90 degrees clockwise".
        let mut jpeg = Vec::new();
        image::GrayImage::from_fn(16, 8, |x, _| image::Luma([if x < 8 { 0 } else { 255 }]))
            .write_to(&mut std::io::Cursor::new(&mut jpeg), image::ImageFormat::Jpeg)
            .unwrap();
        let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
        let mut segment = vec![0xff, 0xe1];
        segment.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
        segment.append(&mut exif);
        jpeg.splice(2..2, segment);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sideways.jpg");
        fs::write(&path, jpeg).unwrap();
        let (stored, upright) = load_stages(&path).unwrap();
        let stored = stored.unwrap();
        assert_eq!((stored.width(), stored.height()), (16, 8));
        assert_eq!((upright.width(), upright.height()), (8, 16));
        // Left half dark, turned clockwise: upper half dark.
        assert!(upright.pixels()[0] < 40 && upright.pixels()[8 * 15] > 215);
    }
}
