//! Small pictures of a network at chosen steps of its run: `snapshots/<step>.snap`, and the image that all of them are of:
//! `snapshots/image`. Written by the worker, read by whoever shows the past. Bounded in size; a damaged file is told and left
//! out.

use super::{RunError, RunFolder, io_error};
use crate::engine::protocol::{ClassScore, ImageRef, LayerProbe, Plane};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// First bytes of a snapshot: what it is, and the version of its form.
const MAGIC: &[u8; 4] = b"STRS";
/// Version 1 did not name its image.
const VERSION: u8 = 2;
/// First bytes of the watched image.
const IMAGE_MAGIC: &[u8; 5] = b"STRI\x01";
/// Most bytes of a watched image.
const MOST_IMAGE_BYTES: u64 = 64 << 20;
/// Most bytes of one snapshot; a larger file is not one.
const MOST_BYTES: u64 = 4 << 20;
/// Most bytes of all snapshots of a run; then every second one goes.
const MOST_IN_ALL: u64 = 48 << 20;

/// What a network made of one image after a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Steps done.
    pub step: u64,
    /// Epochs done, if this was taken at the end of one.
    pub epoch: Option<u32>,
    /// The image as the network saw it.
    pub input: Option<Plane>,
    /// What the data say it is.
    pub label: Option<u32>,
    /// What the network said it is.
    pub top: Vec<ClassScore>,
    /// Maps of each layer, and filters of each convolution over its first input channel.
    pub layers: Vec<LayerProbe>,
    /// Which image it is; pixels of its own are left out.
    pub image: Option<ImageRef>,
}

/// The image that the snapshots of a run are of, as the network sees it: whatever becomes of the picture it came from, all
/// snapshots are of the same numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// Which image it is; pixels of its own are left out.
    pub image: ImageRef,
    /// What the data say it is.
    pub label: Option<u32>,
    /// Channels, rows, columns.
    pub shape: [u64; 3],
    /// The numbers that the network reads.
    pub values: Vec<f32>,
}

/// The snapshots of one run, for the one who takes them.
#[derive(Debug)]
pub struct Snapshots {
    folder: PathBuf,
    kept: Vec<(u64, u64)>,
    most: u64,
}

impl Snapshots {
    /// Goes on with the snapshots of a run; those after a step are of a future that will not be, and go.
    ///
    /// # Errors
    /// The folder cannot be made or read.
    pub fn open(run: &RunFolder, step: u64) -> Result<Self, RunError> {
        let folder = folder(run.path());
        std::fs::create_dir_all(&folder).map_err(|source| io_error(&folder, source))?;
        let mut kept = Vec::new();
        for (at, path) in list(run.path()) {
            if at > step {
                std::fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
            } else {
                kept.push((at, std::fs::metadata(&path).map_or(0, |data| data.len())));
            }
        }
        Ok(Self { folder, kept, most: MOST_IN_ALL })
    }

    /// Keeps one more. Of too many every second one goes, never the first or the newest.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&mut self, snapshot: &Snapshot) -> Result<(), RunError> {
        let path = self.path(snapshot.step);
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend(
            postcard::to_allocvec(snapshot)
                .map_err(|error| RunError::Snapshot { path: path.clone(), found: error.to_string() })?,
        );
        // What a kill leaves of it is no snapshot and is left out when read; syncing each would slow training down.
        let aside = path.with_extension("new");
        let written = std::fs::write(&aside, &bytes).and_then(|()| std::fs::rename(&aside, &path));
        written.map_err(|source| io_error(&path, source))?;
        self.kept.retain(|(step, _)| *step != snapshot.step);
        self.kept.push((snapshot.step, bytes.len() as u64));
        while self.kept.len() > 2 && self.kept.iter().map(|(_, bytes)| bytes).sum::<u64>() > self.most {
            let last = self.kept.len() - 1;
            let mut at = 0;
            let gone: Vec<u64> = self
                .kept
                .iter()
                .enumerate()
                .filter(|(at, _)| at % 2 == 1 && *at < last)
                .map(|(_, kept)| kept.0)
                .collect();
            if gone.is_empty() {
                break;
            }
            self.kept.retain(|_| {
                at += 1;
                at % 2 == 1 || at > last
            });
            for step in gone {
                let path = self.path(step);
                std::fs::remove_file(&path).map_err(|source| io_error(&path, source))?;
            }
        }
        Ok(())
    }

    /// The image that the run's snapshots are of, if it has one.
    pub fn watched(&self) -> Option<Watched> {
        let path = self.folder.join("image");
        if std::fs::metadata(&path).ok()?.len() > MOST_IMAGE_BYTES {
            return None;
        }
        let bytes = std::fs::read(&path).ok()?;
        postcard::from_bytes(bytes.strip_prefix(IMAGE_MAGIC)?).ok()
    }

    /// Keeps the image that all snapshots are of.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn watch(&self, watched: &Watched) -> Result<(), RunError> {
        let path = self.folder.join("image");
        let body = postcard::to_allocvec(watched)
            .map_err(|error| RunError::Snapshot { path: path.clone(), found: error.to_string() })?;
        let bytes = [IMAGE_MAGIC.as_slice(), &body].concat();
        let aside = path.with_extension("new");
        let written = std::fs::write(&aside, &bytes).and_then(|()| std::fs::rename(&aside, &path));
        written.map_err(|source| io_error(&path, source))
    }

    fn path(&self, step: u64) -> PathBuf {
        self.folder.join(format!("{step:012}.snap"))
    }
}

fn folder(run: &Path) -> PathBuf {
    run.join("snapshots")
}

/// Steps and files of a run's snapshots, in order.
pub fn list(run: &Path) -> Vec<(u64, PathBuf)> {
    let entries = std::fs::read_dir(folder(run)).into_iter().flatten().flatten();
    let mut found: Vec<(u64, PathBuf)> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "snap"))
        .filter_map(|path| Some((path.file_stem()?.to_str()?.parse().ok()?, path)))
        .collect();
    found.sort();
    found
}

/// Reads one snapshot.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read(path: &Path) -> Result<Snapshot, RunError> {
    let refused = |found: String| RunError::Snapshot { path: path.to_path_buf(), found };
    let size = std::fs::metadata(path).map_err(|source| io_error(path, source))?.len();
    if size > MOST_BYTES {
        return Err(refused(format!("a snapshot of {size} bytes; the most is {MOST_BYTES}")));
    }
    let bytes = std::fs::read(path).map_err(|source| io_error(path, source))?;
    let body = match bytes.strip_prefix(MAGIC).and_then(<[u8]>::split_first) {
        Some((&VERSION, body)) => body.to_vec(),
        // What came new stands at the end: it was none.
        Some((1, body)) => [body, &[0]].concat(),
        _ => return Err(refused("no snapshot, or one of another version".into())),
    };
    postcard::from_bytes(&body).map_err(|error| refused(format!("a damaged snapshot ({error})")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::run::RunRecord;

    fn run(parent: &Path) -> RunFolder {
        RunFolder::create(parent.join("run"), "{}", &RunRecord::default()).unwrap()
    }

    fn snapshot(step: u64) -> Snapshot {
        let pixels = (0..200_u8).collect();
        let input = Some(Plane { width: 20, height: 10, depth: 1, pixels, min: -1.0, max: 1.0 });
        Snapshot { step, input, ..Snapshot::default() }
    }

    #[test]
    fn snapshots_come_back_and_those_after_a_checkpoint_go() {
        let scratch = tempfile::tempdir().unwrap();
        let run = run(scratch.path());
        let mut taker = Snapshots::open(&run, 0).unwrap();
        for step in [0, 1, 2, 4, 8] {
            taker.keep(&snapshot(step)).unwrap();
        }
        let steps = || list(run.path()).into_iter().map(|(step, _)| step).collect::<Vec<_>>();
        assert_eq!(steps(), [0, 1, 2, 4, 8]);
        assert_eq!(read(&list(run.path())[3].1).unwrap(), snapshot(4));
        Snapshots::open(&run, 4).unwrap();
        assert_eq!(steps(), [0, 1, 2, 4]);
    }

    #[test]
    fn a_snapshot_of_an_older_version_is_read_and_does_not_know_its_image() {
        let scratch = tempfile::tempdir().unwrap();
        let run = run(scratch.path());
        let mut taker = Snapshots::open(&run, 0).unwrap();
        let image = Some(ImageRef::Item { split: crate::data::Split::Test, index: 300 });
        taker.keep(&Snapshot { image: image.clone(), ..snapshot(3) }).unwrap();
        let path = list(run.path())[0].1.clone();
        assert_eq!(read(&path).unwrap().image, image);
        // Version 1 ended before it: some, item, test, 300 in two bytes.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 5);
        bytes[4] = 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(read(&path).unwrap(), snapshot(3));
    }

    #[test]
    fn the_watched_image_comes_back_and_is_no_snapshot() {
        let scratch = tempfile::tempdir().unwrap();
        let run = run(scratch.path());
        let taker = Snapshots::open(&run, 0).unwrap();
        assert_eq!(taker.watched(), None);
        let image = ImageRef::Pixels { width: 2, height: 1, rgb: Vec::new() };
        let watched = Watched { image, label: None, shape: [1, 1, 2], values: vec![0.5, -1.0] };
        taker.watch(&watched).unwrap();
        assert_eq!((Snapshots::open(&run, 0).unwrap().watched(), list(run.path()).len()), (Some(watched), 0));
    }

    #[test]
    fn a_long_run_keeps_its_first_and_newest_within_the_bound() {
        let scratch = tempfile::tempdir().unwrap();
        let run = run(scratch.path());
        let mut taker = Snapshots::open(&run, 0).unwrap();
        taker.most = 2_000;
        for step in 0..100 {
            taker.keep(&snapshot(step)).unwrap();
        }
        let kept = list(run.path());
        let bytes: u64 = kept.iter().map(|(_, path)| std::fs::metadata(path).unwrap().len()).sum();
        assert!(bytes <= 2_000, "{bytes}");
        assert_eq!((kept.first().unwrap().0, kept.last().unwrap().0), (0, 99));
        assert!(kept.len() >= 4, "{kept:?}");
    }

    #[test]
    fn what_is_no_snapshot_is_told_by_its_name() {
        let scratch = tempfile::tempdir().unwrap();
        let run = run(scratch.path());
        let mut taker = Snapshots::open(&run, 0).unwrap();
        taker.keep(&snapshot(7)).unwrap();
        let path = list(run.path())[0].1.clone();
        let whole = std::fs::read(&path).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"PNG", &[]] {
            std::fs::write(&path, damaged).unwrap();
            let error = read(&path).unwrap_err().to_string();
            assert!(error.contains("000000000007.snap"), "{error}");
        }
    }
}
