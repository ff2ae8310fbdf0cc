//! A folder with one folder of pictures per class, also below `train/`, `val/` and `test/`. Pictures are decoded when
//! asked for; a broken one is a row with its reason. Knows no other kind of source.

use super::picture::{check_head, load_picture, load_stages};
use super::{DataError, ItemError, Problem, RawItem, Source, Split, Stage};
use std::path::{Path, PathBuf};

const EXTENSIONS: [&str; 9] = ["png", "jpg", "jpeg", "jfif", "bmp", "gif", "webp", "tif", "tiff"];
/// Most pictures in one set.
const MAX_FILES: usize = 1_000_000;
/// Deepest folder below a class that is searched.
const MAX_DEPTH: usize = 8;

/// Pictures in class folders.
#[derive(Debug)]
pub struct FolderSource {
    root: PathBuf,
    classes: Vec<String>,
    files: Vec<File>,
    problems: Vec<Problem>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    label: u32,
    part: Split,
}

impl FolderSource {
    /// Lists the pictures of a folder and looks at the head of each.
    ///
    /// # Errors
    /// [`DataError`] if the folder cannot be read, or does not hold at least two folders with pictures.
    pub fn open(root: &Path) -> Result<Self, DataError> {
        let mut parts = Vec::new();
        for (name, path) in folders(root)? {
            let part = match name.to_lowercase().as_str() {
                "train" | "training" => Split::Train,
                "val" | "valid" | "validation" => Split::Validation,
                "test" | "testing" => Split::Test,
                _ => continue,
            };
            parts.push((part, path));
        }
        if !parts.iter().any(|&(part, _)| part == Split::Train) {
            parts = vec![(Split::Train, root.to_path_buf())];
        }
        // Training first: it decides which classes there are.
        parts.sort();
        let mut source = Self { root: root.into(), classes: Vec::new(), files: Vec::new(), problems: Vec::new() };
        for (part, path) in parts {
            source.add(part, &path)?;
        }
        if source.classes.len() < 2 {
            return Err(DataError::Classes { folder: root.into(), found: source.classes });
        }
        Ok(source)
    }

    /// Adds the class folders of one part.
    fn add(&mut self, part: Split, folder: &Path) -> Result<(), DataError> {
        for (class, path) in folders(folder)? {
            let mut files = Vec::new();
            pictures(&path, 0, &mut files)?;
            if files.is_empty() {
                let reason = "The folder of a class must hold pictures. It holds none, and is no class here.";
                self.problems.push(Problem { file: path.display().to_string(), reason: reason.into() });
                continue;
            }
            let place = self.classes.iter().position(|known| *known == class);
            let place = match (place, part) {
                (Some(place), _) => place,
                (None, Split::Train) => {
                    self.classes.push(class);
                    self.classes.len() - 1
                }
                (None, _) => return Err(DataError::UnknownClass { folder: folder.into(), class }),
            };
            let label = u32::try_from(place).unwrap_or(u32::MAX);
            for path in files {
                if let Err(e) = check_head(&path) {
                    self.problems.push(Problem { file: path.display().to_string(), reason: e.to_string() });
                } else if self.files.len() < MAX_FILES {
                    self.files.push(File { path, label, part });
                } else {
                    return Err(DataError::TooMany { folder: self.root.clone(), limit: MAX_FILES });
                }
            }
        }
        Ok(())
    }

    fn file(&self, index: usize) -> Result<&File, ItemError> {
        self.files.get(index).ok_or(ItemError::NoSuchItem { index, len: self.files.len() })
    }
}

impl Source for FolderSource {
    fn name(&self) -> String {
        let full = self.root.canonicalize().unwrap_or_else(|_| self.root.clone());
        full.file_name().map_or_else(|| full.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn len(&self) -> usize {
        self.files.len()
    }

    fn label(&self, index: usize) -> Option<u32> {
        self.files.get(index).map(|file| file.label)
    }

    fn part(&self, index: usize) -> Split {
        self.files.get(index).map_or(Split::Train, |file| file.part)
    }

    fn item(&self, index: usize) -> Result<RawItem, ItemError> {
        let file = self.file(index)?;
        Ok(RawItem { picture: load_picture(&file.path)?, label: file.label, name: self.origin(index) })
    }

    fn stages(&self, index: usize) -> Result<Vec<Stage>, ItemError> {
        let (stored, upright) = load_stages(&self.file(index)?.path)?;
        Ok(match stored {
            None => vec![Stage { title: "File", picture: upright }],
            Some(stored) => {
                vec![Stage { title: "File", picture: stored }, Stage { title: "Turned upright", picture: upright }]
            }
        })
    }

    fn origin(&self, index: usize) -> String {
        let Some(file) = self.files.get(index) else { return String::new() };
        file.path.strip_prefix(&self.root).unwrap_or(&file.path).display().to_string()
    }

    fn problems(&self) -> Vec<Problem> {
        self.problems.clone()
    }
}

/// What lies in a folder, sorted by name, without hidden entries.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let fail = |source| DataError::Open { file: folder.into(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name != "__MACOSX" {
            found.push((name, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

fn folders(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    Ok(entries(folder)?.into_iter().filter(|(_, path)| path.is_dir()).collect())
}

/// All files below a folder that are named like pictures.
fn pictures(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), DataError> {
    for (_, path) in entries(folder)? {
        if path.is_dir() {
            if depth < MAX_DEPTH {
                pictures(&path, depth + 1, found)?;
            }
        } else if path.extension().is_some_and(|end| EXTENSIONS.iter().any(|known| end.eq_ignore_ascii_case(known))) {
            found.push(path);
        }
        if found.len() > MAX_FILES {
            return Err(DataError::TooMany { folder: folder.into(), limit: MAX_FILES });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A folder with small pictures at these places.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            image::RgbImage::from_pixel(4, 3, image::Rgb([9, 8, 7])).save(path).unwrap();
        }
        dir
    }

    #[test]
    fn labels_come_from_sorted_folder_names() {
        let dir = folder(&["dog/1.png", "cat/b.png", "cat/a.PNG", "ant/x/deep.jpg"]);
        fs::write(dir.path().join("cat").join("notes.txt"), "no picture").unwrap();
        fs::write(dir.path().join("cat").join("._a.png"), "no picture").unwrap();
        let source = FolderSource::open(dir.path()).unwrap();
        assert_eq!(source.classes(), ["ant", "cat", "dog"]);
        let labels: Vec<_> = (0..4).filter_map(|i| source.label(i)).collect();
        assert_eq!(labels, [0, 1, 1, 2]);
        assert!(source.origin(1).ends_with("a.PNG") && source.problems().is_empty());
        assert_eq!(source.item(1).unwrap().picture.channels(), 3);
    }

    #[test]
    fn folders_of_their_own_make_the_splits() {
        for (validation, test) in [("val", "test"), ("Valid", "TEST"), ("validation", "testing")] {
            let files = ["train/a/1.png", "train/b/1.png", "VAL/b/1.png", "TEST/a/1.png"]
                .map(|file| file.replace("VAL", validation).replace("TEST", test));
            let dir = folder(&files.each_ref().map(String::as_str));
            let source = FolderSource::open(dir.path()).unwrap();
            assert_eq!(source.classes(), ["a", "b"]);
            let parts: Vec<_> = (0..4).map(|i| (source.label(i).unwrap(), source.part(i))).collect();
            assert_eq!(parts, [(0, Split::Train), (1, Split::Train), (1, Split::Validation), (0, Split::Test)]);
        }
    }

    #[test]
    fn at_least_two_classes_are_required() {
        for files in [&[][..], &["only/1.png"][..], &["1.png", "2.png"][..]] {
            let dir = folder(files);
            let error = FolderSource::open(dir.path()).unwrap_err();
            assert!(matches!(error, DataError::Classes { .. }), "{error}");
        }
    }

    #[test]
    fn a_class_only_in_validation_is_refused() {
        let dir = folder(&["train/a/1.png", "train/b/1.png", "val/c/1.png"]);
        let error = FolderSource::open(dir.path()).unwrap_err();
        assert!(matches!(&error, DataError::UnknownClass { class, .. } if class == "c"), "{error}");
    }

    #[test]
    fn broken_files_are_rows_with_their_reason() {
        let dir = folder(&["a/1.png", "b/1.png"]);
        fs::write(dir.path().join("a").join("empty.jpg"), "").unwrap();
        fs::write(dir.path().join("a").join("text.png"), "this is text").unwrap();
        fs::create_dir(dir.path().join("c")).unwrap();
        let source = FolderSource::open(dir.path()).unwrap();
        assert_eq!((source.len(), source.classes().len()), (2, 2));
        let problems = source.problems();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].file.ends_with("empty.jpg") && problems[1].reason.contains("PNG, JPEG"));
        assert!(problems[2].reason.contains("holds none"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = FolderSource::open(Path::new("no/such/folder")).unwrap_err();
        assert!(error.to_string().contains("no/such/folder"), "{error}");
    }
}
