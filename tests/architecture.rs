//! The rules of the house that the compiler does not know: who may know whom, headers, file sizes.

use std::path::{Path, PathBuf};

/// Files past 600 lines, each with its reason.
const LONG_FILES: [(&str, &str); 0] = [];

/// A folder or file under `src/`, and the words that must not stand in it.
const FORBIDDEN: [(&str, &[&str]); 10] = [
    (
        "op",
        &["crate::layers", "crate::graph", "crate::plan", "crate::data", "crate::engine", "crate::ui", "crate::cli"],
    ),
    ("layers", &["crate::graph", "crate::plan", "crate::data", "crate::engine", "crate::ui", "crate::cli"]),
    ("graph", &["crate::plan", "crate::data", "crate::engine", "crate::ui", "crate::cli"]),
    ("plan", &["crate::data", "crate::engine", "crate::ui", "crate::cli"]),
    ("data", &["crate::plan", "crate::engine", "crate::ui", "crate::cli"]),
    ("engine", &["crate::ui", "crate::cli"]),
    ("ui", &["crate::cli"]),
    ("presets.rs", &["crate::engine", "crate::ui", "crate::cli"]),
    ("text.rs", &["crate::"]),
    ("cli", &["egui::"]),
];

#[expect(clippy::unwrap_used, reason = "a tree that cannot be read fails the test")]
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    assert!(paths.len() > 30, "the scan found only {} files", paths.len());
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// The part of a file that is not its tests, without comments.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test_file(name: &str) -> bool {
    name.ends_with("tests.rs")
        || name.contains("/tests/")
        || name.ends_with("conformance.rs")
        || name.ends_with("testing.rs")
}

fn in_room(name: &str, room: &str) -> bool {
    name == room || name.starts_with(&format!("{room}/"))
}

#[test]
fn rooms_know_only_what_lies_below_them() {
    for (name, text) in sources() {
        if is_test_file(&name) {
            continue;
        }
        let text = code(&text);
        for (room, words) in FORBIDDEN {
            for word in words {
                assert!(!(in_room(&name, room) && text.contains(word)), "src/{name} must not know {word}");
            }
        }
    }
}

#[test]
fn burn_lives_in_the_engine_and_egui_in_the_window() {
    for (name, text) in sources() {
        let text = code(&text);
        let mentions = |word: &str| {
            text.match_indices(word).any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        };
        if !in_room(&name, "engine") {
            assert!(!mentions("burn::"), "src/{name} must not know burn");
        }
        if !in_room(&name, "ui") {
            assert!(!mentions("egui::") && !mentions("eframe::"), "src/{name} must not know egui");
        }
    }
}

#[test]
fn colours_come_from_the_theme() {
    for (name, text) in sources() {
        if name != "ui/theme.rs" && !name.starts_with("ui/theme/") {
            assert!(!code(&text).contains("Color32::from_"), "src/{name} must take its colours from the theme");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (name, text) in sources() {
        assert!(text.starts_with("//!"), "src/{name} must open with //!");
    }
}

#[test]
fn long_files_have_a_reason() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        let excused = LONG_FILES.iter().any(|(file, _)| *file == name);
        assert!(lines <= 600 || excused, "src/{name} has {lines} lines; past 600 it needs a reason in LONG_FILES");
    }
}
