//! Pictures and films written to files, in a thread of their own.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// A picture of red, green, blue, opacity, row by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Four bytes a pixel.
    pub rgba: Vec<u8>,
}

impl Picture {
    /// A picture of one colour.
    pub fn filled(width: usize, height: usize, color: [u8; 4]) -> Self {
        Self { width, height, rgba: color.repeat(width * height) }
    }

    /// Sets a pixel; one outside is left out.
    pub fn set(&mut self, x: usize, y: usize, color: [u8; 4]) {
        if x < self.width
            && let Some(pixel) = self.rgba.get_mut((y * self.width + x) * 4..(y * self.width + x) * 4 + 4)
        {
            pixel.copy_from_slice(&color);
        }
    }
}

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Suggested name, with its ending.
    pub name: String,
    /// One picture, or the pictures of a film.
    pub frames: Vec<Picture>,
    /// Time that each picture of a film is shown.
    pub frame_ms: u32,
}

/// An export that waits for its place, and those under way.
#[derive(Debug, Default)]
pub struct Exports {
    prepared: Option<Export>,
    running: Option<Receiver<Result<String, String>>>,
}

impl Exports {
    /// Keeps what is to be written until a person said where.
    pub fn prepare(&mut self, export: Export) {
        self.prepared = Some(export);
    }

    /// Writes it.
    pub fn write(&mut self, path: PathBuf) {
        let Some(export) = self.prepared.take() else { return };
        let (sender, inbox) = sync_channel(1);
        let work = move || {
            let written = write(&export, &path).map(|()| format!("Saved as {}.", path.display()));
            // The window may have closed meanwhile.
            let _ = sender.send(written.map_err(|error| format!("{}: {error}", path.display())));
        };
        // Without a thread the sender is dropped, which is told as a failure.
        let _ = std::thread::Builder::new().name("striate-export".into()).spawn(work);
        self.running = Some(inbox);
    }

    /// How the last one went, once.
    pub fn outcome(&mut self) -> Option<Result<String, String>> {
        let inbox = self.running.take()?;
        match inbox.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Empty) => {
                self.running = Some(inbox);
                None
            }
            Err(TryRecvError::Disconnected) => {
                Some(Err("Writing a file needs a thread. The system refused one.".into()))
            }
        }
    }
}

/// Writes a PNG; of several pictures an animated one, or a GIF if the file's name does not end in `.png`.
fn write(export: &Export, path: &Path) -> Result<(), String> {
    let words = |error: image::ImageError| error.to_string();
    let picture = |frame: &Picture| {
        let (width, height) = (u32::try_from(frame.width).ok(), u32::try_from(frame.height).ok());
        let image = width.zip(height).and_then(|(w, h)| image::RgbaImage::from_raw(w, h, frame.rgba.clone()));
        image.ok_or_else(|| "A picture must have four bytes for each pixel. This one has not".to_owned())
    };
    let mut bytes = std::io::Cursor::new(Vec::new());
    if let [frame] = &export.frames[..] {
        picture(frame)?.write_to(&mut bytes, image::ImageFormat::Png).map_err(words)?;
    } else if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        animate(export, bytes.get_mut()).map_err(|error| error.to_string())?;
    } else {
        let mut encoder = image::codecs::gif::GifEncoder::new_with_speed(&mut bytes, 10);
        encoder.set_repeat(image::codecs::gif::Repeat::Infinite).map_err(words)?;
        let delay = image::Delay::from_numer_denom_ms(export.frame_ms.max(20), 1);
        for frame in &export.frames {
            let frame = image::Frame::from_parts(picture(frame)?, 0, 0, delay);
            encoder.encode_frame(frame).map_err(words)?;
        }
    }
    crate::graph::write_atomically(path, &bytes.into_inner()).map_err(|error| error.to_string())
}

/// An animated PNG that plays for ever.
fn animate(export: &Export, bytes: &mut Vec<u8>) -> Result<(), png::EncodingError> {
    let whole = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    let (width, height) = export.frames.first().map_or((0, 0), |frame| (frame.width, frame.height));
    let mut encoder = png::Encoder::new(bytes, whole(width), whole(height));
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(whole(export.frames.len()), 0)?;
    encoder.set_frame_delay(u16::try_from(export.frame_ms.max(20)).unwrap_or(u16::MAX), 1_000)?;
    let mut writer = encoder.write_header()?;
    for frame in &export.frames {
        writer.write_image_data(&frame.rgba)?;
    }
    writer.finish()
}

/// Whether a file is a picture, by its ending.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    super::dialogs::PICTURES.contains(&ending.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::AnimationDecoder as _;

    #[test]
    fn a_film_comes_back_with_its_pictures_and_a_picture_with_its_pixels() {
        let folder = tempfile::tempdir().unwrap();
        let frame = |shade: u8| Picture::filled(4, 3, [shade, 0, 0, 255]);
        let film = Export { name: "a.gif".into(), frames: vec![frame(0), frame(120), frame(255)], frame_ms: 100 };
        write(&film, &folder.path().join("a.gif")).unwrap();
        let file = std::io::BufReader::new(std::fs::File::open(folder.path().join("a.gif")).unwrap());
        let frames = image::codecs::gif::GifDecoder::new(file).unwrap().into_frames().collect_frames().unwrap();
        assert_eq!((frames.len(), frames[2].buffer().dimensions()), (3, (4, 3)));

        // The same film with all colours, each picture for 100 ms.
        let path = folder.path().join("a.PNG");
        write(&film, &path).unwrap();
        let file = std::io::BufReader::new(std::fs::File::open(&path).unwrap());
        let decoder = image::codecs::png::PngDecoder::new(file).unwrap().apng().unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        let shades: Vec<u8> = frames.iter().map(|frame| frame.buffer().get_pixel(1, 1).0[0]).collect();
        assert_eq!((shades, frames[1].delay().numer_denom_ms()), (vec![0, 120, 255], (100, 1)));
        // Pictures of different sizes are no film.
        let uneven = Export { frames: vec![frame(0), Picture::filled(9, 9, [0; 4])], ..film };
        assert!(write(&uneven, &path).is_err());

        let mut one = frame(7);
        one.set(1, 2, [9, 8, 7, 255]);
        one.set(9, 9, [1; 4]);
        let picture = Export { name: "b.png".into(), frames: vec![one.clone()], frame_ms: 0 };
        write(&picture, &folder.path().join("b.png")).unwrap();
        assert_eq!(image::open(folder.path().join("b.png")).unwrap().to_rgba8().into_raw(), one.rgba);
    }
}
