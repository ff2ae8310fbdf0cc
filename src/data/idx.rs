//! IDX files: MNIST, Fashion-MNIST and whatever comes in the same four files, plain or gzip. Each file is checked in
//! full when it is opened and kept in memory as bytes. Knows no other format.
//!
//! The format: a big-endian magic number (0, 0, element type 8 = unsigned byte, number of dimensions), one big-endian
//! 32-bit size per dimension, then the bytes (<http://yann.lecun.com/exdb/mnist/>).

use super::{DataError, ItemError, Picture, RawItem, Source, Split};
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

const IMAGE_MAGIC: u32 = 0x0000_0803;
const LABEL_MAGIC: u32 = 0x0000_0801;
/// Largest width and height of one image.
const MAX_SIDE: u64 = 4_096;
/// Most images in one file.
const MAX_ITEMS: u64 = 10_000_000;
/// Most bytes that one file may unpack to: 17 times MNIST's largest.
const MAX_BYTES: u64 = 800_000_000;

const FASHION: [&str; 10] =
    ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

/// A folder with the four files of a data set in MNIST's form.
#[derive(Debug)]
pub struct IdxSource {
    name: String,
    classes: Vec<String>,
    train: Pair,
    test: Pair,
}

#[derive(Debug)]
struct Pair {
    file: String,
    rows: u32,
    columns: u32,
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl IdxSource {
    /// Whether a folder holds MNIST's kind of files, by the name of the first.
    pub fn lies_in(folder: &Path) -> bool {
        find(folder, "train-images-idx3-ubyte").is_ok()
    }

    /// Reads and checks the four files of a folder.
    ///
    /// # Errors
    /// [`DataError`] that names the file, the rule and what was found.
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let train = Pair::open(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte")?;
        let test = Pair::open(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")?;
        if let Some((&class, rest)) = train.labels.split_first()
            && rest.iter().all(|&label| label == class)
        {
            let file = find(folder, "train-labels-idx1-ubyte")?;
            return Err(DataError::OneClass { file, count: train.labels.len(), class });
        }
        let highest = train.labels.iter().chain(&test.labels).max().copied().unwrap_or(0);
        let full = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        // Other programs unpack into a folder "raw" below the set's own name.
        let mut names = full.components().rev().map(|part| part.as_os_str().to_string_lossy().into_owned());
        let name = names.find(|name| name != "raw").unwrap_or_else(|| "IDX files".into());
        let fashion = name.to_lowercase().contains("fashion");
        let classes = (0..=usize::from(highest.max(9)))
            .map(|label| match FASHION.get(label) {
                Some(&garment) if fashion => garment.to_owned(),
                _ => label.to_string(),
            })
            .collect();
        Ok(Self { name, classes, train, test })
    }

    /// The pair of an item and its place there.
    fn place(&self, index: usize) -> Option<(&Pair, usize)> {
        match index.checked_sub(self.train.labels.len()) {
            None => Some((&self.train, index)),
            Some(place) => (place < self.test.labels.len()).then_some((&self.test, place)),
        }
    }
}

impl Source for IdxSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn len(&self) -> usize {
        self.train.labels.len() + self.test.labels.len()
    }

    fn label(&self, index: usize) -> Option<u32> {
        let (pair, place) = self.place(index)?;
        pair.labels.get(place).copied().map(u32::from)
    }

    fn part(&self, index: usize) -> Split {
        if index < self.train.labels.len() { Split::Train } else { Split::Test }
    }

    fn item(&self, index: usize) -> Result<RawItem, ItemError> {
        let missing = ItemError::NoSuchItem { index, len: self.len() };
        let Some((pair, place)) = self.place(index) else { return Err(missing) };
        let size = pair.rows as usize * pair.columns as usize;
        let pixels = pair.pixels.chunks_exact(size).nth(place).map(<[u8]>::to_vec);
        let picture = pixels.and_then(|pixels| Picture::new(pair.columns, pair.rows, 1, pixels));
        match (picture, self.label(index)) {
            (Some(picture), Some(label)) => Ok(RawItem { picture, label, name: self.origin(index) }),
            _ => Err(missing),
        }
    }

    fn origin(&self, index: usize) -> String {
        self.place(index).map_or_else(String::new, |(pair, place)| format!("{} #{place}", pair.file))
    }
}

impl Pair {
    fn open(folder: &Path, images: &'static str, labels: &'static str) -> Result<Self, DataError> {
        let image_file = find(folder, images)?;
        let label_file = find(folder, labels)?;
        let ([count, rows, columns], pixels) = read(&image_file, "images", IMAGE_MAGIC)?;
        let ([label_count], labels) = read(&label_file, "labels", LABEL_MAGIC)?;
        if count != label_count {
            return Err(DataError::PairLength {
                images: image_file,
                labels: label_file,
                image_count: u64::from(count),
                label_count: u64::from(label_count),
            });
        }
        let file = image_file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { file, rows, columns, pixels, labels })
    }
}

/// The first spelling of a file's name that exists.
fn find(folder: &Path, name: &'static str) -> Result<PathBuf, DataError> {
    let dotted = name.replace("-idx", ".idx");
    let spellings = [name.to_owned(), dotted.clone(), format!("{name}.gz"), format!("{dotted}.gz")];
    let found = spellings.iter().map(|spelling| folder.join(spelling)).find(|path| path.is_file());
    found.ok_or_else(|| match std::fs::read_dir(folder) {
        Err(source) => DataError::Open { file: folder.into(), source },
        Ok(_) => DataError::Missing { folder: folder.into(), name },
    })
}

/// Reads a file with `N` dimensions: their sizes and all bytes. Nothing is allocated on the word of a header.
fn read<const N: usize>(path: &Path, what: &'static str, magic: u32) -> Result<([u32; N], Vec<u8>), DataError> {
    let io = |source| DataError::Open { file: path.into(), source };
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    // Which it is is told by the content: files are renamed more often than repacked.
    let packed = file.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]);
    let mut input: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let failed = |e: std::io::Error| match e.kind() {
        _ if !packed => DataError::Open { file: path.into(), source: e },
        ErrorKind::UnexpectedEof => DataError::Gzip { file: path.into(), reason: "it ends too early".into() },
        _ => DataError::Gzip { file: path.into(), reason: e.to_string() },
    };
    let header_bytes = 4 * (N as u64 + 1);
    let mut header = Vec::new();
    input.by_ref().take(header_bytes).read_to_end(&mut header).map_err(failed)?;
    let truncated = |expected, found: usize| DataError::Truncated { file: path.into(), expected, found: found as u64 };
    let mut words = header.chunks_exact(4).map(|word| word.iter().fold(0, |all, &byte| (all << 8) | u32::from(byte)));
    let found = words.next().ok_or_else(|| truncated(header_bytes, header.len()))?;
    if found != magic {
        return Err(DataError::Magic { file: path.into(), what, expected: magic, found });
    }
    let mut sizes = [0; N];
    let mut body_bytes = 1_u64;
    for (i, size) in sizes.iter_mut().enumerate() {
        *size = words.next().ok_or_else(|| truncated(header_bytes, header.len()))?;
        let (name, limit) = if i == 0 { ("Number of items", MAX_ITEMS) } else { ("Height and width", MAX_SIDE) };
        let found = u64::from(*size);
        if !(1..=limit).contains(&found) {
            return Err(DataError::Size { file: path.into(), what: name, limit, found });
        }
        body_bytes = body_bytes.saturating_mul(found);
    }
    if body_bytes > MAX_BYTES {
        return Err(DataError::Size { file: path.into(), what: "Unpacked bytes", limit: MAX_BYTES, found: body_bytes });
    }
    let mut body = Vec::new();
    input.by_ref().take(body_bytes).read_to_end(&mut body).map_err(failed)?;
    let expected = header_bytes + body_bytes;
    if (body.len() as u64) < body_bytes {
        return Err(truncated(expected, header.len() + body.len()));
    }
    // Reading past the end also makes gzip compare its checksum.
    if input.read(&mut [0]).map_err(failed)? > 0 {
        return Err(DataError::TrailingBytes { file: path.into(), expected });
    }
    body.shrink_to_fit();
    Ok((sizes, body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write as _;

    fn idx(magic: u32, sizes: &[u32], body: &[u8]) -> Vec<u8> {
        let words = std::iter::once(&magic).chain(sizes).flat_map(|word| word.to_be_bytes());
        words.chain(body.iter().copied()).collect()
    }

    fn images(count: u32) -> Vec<u8> {
        let body: Vec<u8> = (0..count * 6).map(|i| u8::try_from(i % 256).unwrap()).collect();
        idx(IMAGE_MAGIC, &[count, 2, 3], &body)
    }

    fn labels(count: u32) -> Vec<u8> {
        let body: Vec<u8> = (0..count).map(|i| u8::try_from(i % 10).unwrap()).collect();
        idx(LABEL_MAGIC, &[count], &body)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// A good folder with one file replaced.
    fn open_with(name: &str, bytes: &[u8]) -> Result<IdxSource, DataError> {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
        write("train-images-idx3-ubyte", &images(20));
        write("train-labels-idx1-ubyte", &labels(20));
        write("t10k-images-idx3-ubyte", &images(10));
        write("t10k-labels-idx1-ubyte", &labels(10));
        write(name, bytes);
        IdxSource::open(dir.path())
    }

    fn refused(bytes: &[u8]) -> DataError {
        let error = open_with("train-images-idx3-ubyte", bytes).unwrap_err();
        assert!(error.to_string().contains("train-images-idx3-ubyte"), "{error}");
        error
    }

    #[test]
    fn items_keep_their_order_over_both_pairs() {
        let source = open_with("notes.txt", b"").unwrap();
        assert_eq!(source.len(), 30);
        assert_eq!(source.item(1).unwrap().picture.pixels(), [6, 7, 8, 9, 10, 11]);
        assert_eq!(source.item(1).unwrap().picture.width(), 3);
        assert_eq!((source.part(19), source.part(20)), (Split::Train, Split::Test));
        assert_eq!((source.label(13), source.label(21), source.label(30)), (Some(3), Some(1), None));
        assert!(matches!(source.item(30), Err(ItemError::NoSuchItem { .. })));
    }

    #[test]
    fn both_spellings_plain_and_gzip_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("Fashion-MNIST").join("raw");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("train-images.idx3-ubyte"), images(10)).unwrap();
        fs::write(folder.join("train-labels.idx1-ubyte.gz"), gzip(&labels(10))).unwrap();
        fs::write(folder.join("t10k-images-idx3-ubyte.gz"), gzip(&images(4))).unwrap();
        fs::write(folder.join("t10k-labels-idx1-ubyte"), labels(4)).unwrap();
        let source = IdxSource::open(&folder).unwrap();
        assert_eq!(source.len(), 14);
        // Fashion-MNIST's README: label 0 is T-shirt/top, label 9 is Ankle boot.
        assert_eq!((source.classes()[0].as_str(), source.classes()[9].as_str()), ("T-shirt/top", "Ankle boot"));
        assert_eq!(source.name(), "Fashion-MNIST");
    }

    #[test]
    fn a_missing_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = IdxSource::open(dir.path()).unwrap_err();
        assert!(matches!(error, DataError::Missing { name: "train-images-idx3-ubyte", .. }), "{error}");
        let error = IdxSource::open(&dir.path().join("nowhere")).unwrap_err();
        assert!(matches!(error, DataError::Open { .. }), "{error}");
    }

    #[test]
    fn a_wrong_magic_number_is_refused() {
        assert!(matches!(refused(&labels(20)), DataError::Magic { found: LABEL_MAGIC, .. }));
        assert!(matches!(refused(b"\x89PNG\r\n\x1a\n0123456789"), DataError::Magic { .. }));
    }

    #[test]
    fn truncated_files_are_refused_wherever_they_end() {
        let whole = images(20);
        for end in [0, 3, 4, 10, 15, 16, 17, whole.len() - 1] {
            assert!(matches!(refused(&whole[..end]), DataError::Truncated { .. }), "at {end}");
        }
        let packed = gzip(&whole);
        for end in [2, 5, packed.len() / 2, packed.len() - 1] {
            assert!(matches!(refused(&packed[..end]), DataError::Gzip { .. }), "at {end}");
        }
    }

    #[test]
    fn bytes_after_the_end_are_refused() {
        let mut long = images(20);
        long.push(0);
        assert!(matches!(refused(&long), DataError::TrailingBytes { .. }));
        assert!(matches!(refused(&gzip(&long)), DataError::TrailingBytes { .. }));
    }

    #[test]
    fn sizes_beyond_the_limits_are_refused_before_memory_is_taken() {
        for sizes in [[u32::MAX, 28, 28], [0, 28, 28], [10, 0, 28], [10, 28, 1 << 20], [9_000_000, 4_000, 4_000]] {
            assert!(matches!(refused(&idx(IMAGE_MAGIC, &sizes, &[])), DataError::Size { .. }), "{sizes:?}");
        }
    }

    #[test]
    fn a_gzip_bomb_is_cut_off_at_what_the_header_announces() {
        let mut bomb = idx(IMAGE_MAGIC, &[1, 2, 3], &[]);
        bomb.resize(50_000_000, 0);
        assert!(matches!(refused(&gzip(&bomb)), DataError::TrailingBytes { expected: 22, .. }));
    }

    #[test]
    fn a_flipped_bit_in_a_packed_file_is_noticed() {
        let mut packed = gzip(&images(20));
        // The last eight bytes are the checksum and the length.
        let at = packed.len() - 8;
        packed[at] ^= 1;
        assert!(matches!(refused(&packed), DataError::Gzip { .. }));
    }

    #[test]
    fn labels_of_one_class_only_are_refused() {
        let error = open_with("train-labels-idx1-ubyte", &idx(LABEL_MAGIC, &[20], &[7; 20])).unwrap_err();
        assert!(matches!(error, DataError::OneClass { count: 20, class: 7, .. }), "{error}");
        assert!(error.to_string().contains("train-labels-idx1-ubyte"), "{error}");
    }

    #[test]
    fn pairs_of_different_length_are_refused() {
        let error = open_with("train-labels-idx1-ubyte", &labels(19)).unwrap_err();
        assert!(matches!(error, DataError::PairLength { image_count: 20, label_count: 19, .. }), "{error}");
    }
}
