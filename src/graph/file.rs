//! Reading and writing documents as JSON: limits, unknown content that survives, atomic writes.

use super::bounds::OutOfRange;
use super::numbers;
use super::{Content, Document, Graph, Group, Link, Node, NodeId};
use crate::layers::Layer;
use crate::op::Init;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The version this program writes.
pub const VERSION: u64 = 1;
/// Name of the format, the first field of every document.
pub const FORMAT: &str = "striate-document";
/// Deepest nesting of groups.
pub const MAX_DEPTH: usize = 16;
/// Most nodes, nested ones counted.
pub const MAX_NODES: usize = 20_000;
/// Most links of one graph.
pub const MAX_LINKS: usize = 200_000;
/// Largest file, in bytes.
pub const MAX_BYTES: u64 = 64 << 20;
/// Longest name of a layer, in bytes.
const MAX_NAME: usize = 255;
/// Most copies of a repeated group.
pub const MAX_REPEAT: u32 = 1_000;

/// Why a document cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
    /// Too large to be a document.
    #[error("A document must be at most {} MB. This file has {found} bytes.", MAX_BYTES / 1_000_000)]
    TooLarge {
        /// Bytes found.
        found: u64,
    },
    /// No JSON.
    #[error("A document must be JSON. {0}.")]
    Json(#[from] serde_json::Error),
    /// JSON, but not a document.
    #[error("{place}: {rule} Received {found}.")]
    Rule {
        /// Where in the document.
        place: String,
        /// The rule.
        rule: String,
        /// What stands there.
        found: String,
    },
}

/// A document that was read.
#[derive(Debug)]
pub struct Opened {
    /// The document.
    pub document: Document,
    /// Why it may only be looked at (a newer version wrote it).
    pub read_only: Option<String>,
    /// What was not understood and is kept as it is.
    pub warnings: Vec<String>,
}

impl Document {
    /// Reads a document from a file.
    ///
    /// # Errors
    /// See [`FileError`]; the file is never changed.
    pub fn open(path: &Path) -> Result<Opened, FileError> {
        let io = |source| FileError::Io { path: path.to_owned(), source };
        let found = std::fs::metadata(path).map_err(io)?.len();
        if found > MAX_BYTES {
            return Err(FileError::TooLarge { found });
        }
        Self::read(&std::fs::read_to_string(path).map_err(io)?)
    }

    /// Reads a document from text.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn from_json(text: &str) -> Result<Self, FileError> {
        Ok(Self::read(text)?.document)
    }

    /// Reads a document from text, with what should be said about it.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn read(text: &str) -> Result<Opened, FileError> {
        let mut raw = object("document", numbers::parse(text)?)?;
        if raw.get("format").and_then(Value::as_str) != Some(FORMAT) {
            return Err(rule("document", format!("\"format\" must be {FORMAT:?}."), raw.get("format")));
        }
        let Some(version) = raw.get("version").and_then(Value::as_u64) else {
            return Err(rule("document", "\"version\" must be a whole number.".into(), raw.get("version")));
        };
        let mut reader = Reader::default();
        let graph = reader.graph("graph", raw.shift_remove("graph").unwrap_or_else(|| json!({})), 0)?;
        let document = Self {
            name: part(&raw, "name")?,
            description: part(&raw, "description")?,
            graph,
            heads: part(&raw, "heads")?,
            training: part(&raw, "training")?,
            data: part(&raw, "data")?,
            seed: part(&raw, "seed")?,
            raw,
        };
        if let Some(broken) = out_of_range(&document) {
            if version <= VERSION {
                return Err(broken);
            }
            reader.warnings.push(broken.to_string());
        }
        let read_only = (version > VERSION).then(|| {
            format!("This document has version {version}; this program writes version {VERSION}. It is opened read-only, so that nothing in it is lost.")
        });
        Ok(Opened { document, read_only, warnings: reader.warnings })
    }

    /// The document as pretty-printed JSON, `format` and `version` first.
    pub fn to_json(&self) -> String {
        let mut top = Map::new();
        top.insert("format".into(), json!(FORMAT));
        top.insert("version".into(), json!(VERSION));
        top.insert("name".into(), json!(self.name));
        top.insert("description".into(), json!(self.description));
        top.insert("graph".into(), graph_json(&self.graph));
        top.insert("heads".into(), json!(self.heads));
        top.insert("training".into(), overlay(self.raw.get("training"), json!(self.training)));
        top.insert("data".into(), overlay(self.raw.get("data"), json!(self.data)));
        top.insert("seed".into(), json!(self.seed));
        for (key, value) in &self.raw {
            if !top.contains_key(key) {
                top.insert(key.clone(), value.clone());
            }
        }
        let mut text = serde_json::to_string_pretty(&Value::Object(top)).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Writes the document: to a temporary name beside the target, synced, then renamed over it.
    ///
    /// # Errors
    /// [`FileError::Io`]; the target is as it was before.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        write_atomically(path, self.to_json().as_bytes())
            .map_err(|source| FileError::Io { path: path.to_owned(), source })
    }
}

/// Writes a file so that it is either the old or the new one, never half of it.
///
/// # Errors
/// What the file system said; the temporary file is removed then.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().ok_or_else(|| std::io::Error::other("The path must name a file."))?;
    let mut temporary_name = std::ffi::OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary_name);
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        std::fs::rename(&temporary, path)
    };
    write().inspect_err(|_| {
        // The first error is the one to tell; the scrap may not even exist.
        let _removed = std::fs::remove_file(&temporary);
    })
}

/// Reads graphs and counts their nodes.
#[derive(Default)]
pub(super) struct Reader {
    nodes: usize,
    pub(super) warnings: Vec<String>,
}

impl Reader {
    pub(super) fn graph(&mut self, place: &str, value: Value, depth: usize) -> Result<Graph, FileError> {
        if depth > MAX_DEPTH {
            return Err(FileError::Rule {
                place: place.into(),
                rule: format!("Groups may be nested at most {MAX_DEPTH} deep."),
                found: format!("depth {depth}"),
            });
        }
        let mut raw = object(place, value)?;
        let list = match raw.shift_remove("nodes") {
            None => Vec::new(),
            Some(Value::Array(list)) => list,
            other => return Err(rule(place, "\"nodes\" must be a list.".into(), other.as_ref())),
        };
        self.nodes += list.len();
        if self.nodes > MAX_NODES {
            return Err(FileError::Rule {
                place: place.into(),
                rule: format!("A document may have at most {MAX_NODES} layers."),
                found: self.nodes.to_string(),
            });
        }
        let mut nodes = Vec::with_capacity(list.len());
        let (mut ids, mut names) = (HashSet::new(), HashSet::new());
        for (index, value) in list.into_iter().enumerate() {
            let node = self.node(&format!("{place}.nodes[{index}]"), value, depth)?;
            let unique = ids.insert(node.id) && names.insert(node.name.clone());
            if !unique {
                return Err(FileError::Rule {
                    place: format!("{place}.nodes[{index}]"),
                    rule: "Ids and names must be unique among the layers of one graph.".into(),
                    found: format!("id {}, name {:?}", node.id.0, node.name),
                });
            }
            nodes.push(Arc::new(node));
        }
        let within =
            |name: &String| super::node::prefixes(name).find(|outer| names.contains(*outer)).map(str::to_owned);
        if let Some((name, outer)) = names.iter().filter_map(|name| within(name).map(|outer| (name, outer))).min() {
            return Err(FileError::Rule {
                place: place.into(),
                rule: "A name must not lie inside a sibling's name, or parameters could be called alike.".into(),
                found: format!("{outer:?} and {name:?}"),
            });
        }
        let links: Vec<Link> = part(&raw, "links")?;
        if links.len() > MAX_LINKS {
            return Err(FileError::Rule {
                place: place.into(),
                rule: format!("A graph may have at most {MAX_LINKS} links."),
                found: links.len().to_string(),
            });
        }
        let mut taken = HashSet::new();
        for link in &links {
            if !taken.insert((link.to, link.to_port)) {
                return Err(FileError::Rule {
                    place: format!("{place}.links"),
                    rule: "An input takes one link.".into(),
                    found: format!("a second link to port {} of {}", link.to_port, link.to.0),
                });
            }
            if !ids.contains(&link.from) || !ids.contains(&link.to) {
                return Err(FileError::Rule {
                    place: format!("{place}.links"),
                    rule: "Both ends of a link must be layers of its graph.".into(),
                    found: format!("from {} to {}", link.from.0, link.to.0),
                });
            }
        }
        Ok(Graph { nodes, links })
    }

    fn node(&mut self, place: &str, value: Value, depth: usize) -> Result<Node, FileError> {
        let mut raw = object(place, value)?;
        let within = |error: FileError| match error {
            FileError::Rule { place: inner, rule, found } => {
                FileError::Rule { place: format!("{place}.{inner}"), rule, found }
            }
            other => other,
        };
        let Some(id) = raw.get("id").and_then(Value::as_u64) else {
            return Err(rule(place, "\"id\" must be a whole number.".into(), raw.get("id")));
        };
        let Some(kind) = raw.get("kind").and_then(Value::as_str).map(str::to_owned) else {
            return Err(rule(place, "\"kind\" must be a text.".into(), raw.get("kind")));
        };
        let name: String = part(&raw, "name").map_err(within)?;
        check_name(&name).map_err(|message| FileError::Rule {
            place: place.into(),
            rule: message,
            found: format!("{name:?}"),
        })?;
        let trainable = match raw.get("trainable") {
            None => true,
            Some(Value::Bool(value)) => *value,
            other => return Err(rule(place, "\"trainable\" must be true or false.".into(), other)),
        };
        let bypassed = match raw.get("bypassed") {
            None => false,
            Some(Value::Bool(value)) => *value,
            other => return Err(rule(place, "\"bypassed\" must be true or false.".into(), other)),
        };
        let init: Init = part(&raw, "init").map_err(within)?;
        let content = if kind == "group" {
            let settings = object(place, raw.shift_remove("group").unwrap_or_else(|| json!({})))?;
            let repeat = settings.get("repeat").and_then(Value::as_u64).unwrap_or(1);
            let first_index = settings.get("first_index").and_then(Value::as_u64).unwrap_or(0);
            let (Ok(repeat), Ok(first_index)) = (u32::try_from(repeat), u32::try_from(first_index)) else {
                return Err(rule(place, format!("\"repeat\" must be from 1 to {MAX_REPEAT}."), settings.get("repeat")));
            };
            if !(1..=MAX_REPEAT).contains(&repeat) {
                return Err(rule(place, format!("\"repeat\" must be from 1 to {MAX_REPEAT}."), settings.get("repeat")));
            }
            let inner = settings.get("graph").cloned().unwrap_or_else(|| json!({}));
            Content::Group(Box::new(Group {
                graph: self.graph(&format!("{place}.group.graph"), inner, depth + 1)?,
                repeat,
                first_index,
            }))
        } else {
            let settings = raw.get("settings").cloned().unwrap_or_else(|| json!({}));
            match Layer::from_json(&kind, settings) {
                Some(Ok(layer)) => Content::Layer(layer),
                Some(Err(message)) => {
                    return Err(FileError::Rule {
                        place: format!("{place} ({name}, {kind})"),
                        rule: "Its settings must be ones this kind has.".into(),
                        found: message,
                    });
                }
                None => {
                    self.warnings.push(format!(
                        "Layer {name:?} is of the unknown kind {kind:?}. It is kept as it is and cannot run."
                    ));
                    Content::Unknown { kind }
                }
            }
        };
        Ok(Node { id: NodeId(id), name, content, trainable, bypassed, init, raw })
    }
}

/// Checks a node's name: it becomes part of parameter names.
///
/// # Errors
/// The rule, as a sentence.
pub fn check_name(name: &str) -> Result<(), String> {
    let word = |part: &str| {
        !part.is_empty() && part.len() <= 64 && part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
    };
    if name.len() <= MAX_NAME && name.split('.').all(word) {
        Ok(())
    } else {
        Err("A name must be 1 to 64 letters, digits, _ or -, or several of these joined by dots.".into())
    }
}

pub(super) fn graph_json(graph: &Graph) -> Value {
    let nodes: Vec<Value> = graph.nodes.iter().map(|node| node_json(node)).collect();
    json!({ "nodes": nodes, "links": graph.links })
}

fn node_json(node: &Node) -> Value {
    let mut map = Map::new();
    map.insert("id".into(), json!(node.id));
    map.insert("name".into(), json!(node.name));
    map.insert("kind".into(), json!(node.content.kind_id()));
    if !node.trainable {
        map.insert("trainable".into(), json!(false));
    }
    if node.bypassed {
        map.insert("bypassed".into(), json!(true));
    }
    if node.init != Init::default() {
        map.insert("init".into(), json!(node.init));
    }
    match &node.content {
        Content::Layer(layer) => {
            map.insert("settings".into(), overlay(node.raw.get("settings"), layer.to_json()));
        }
        Content::Group(group) => {
            let group =
                json!({ "repeat": group.repeat, "first_index": group.first_index, "graph": graph_json(&group.graph) });
            map.insert("group".into(), group);
        }
        Content::Unknown { .. } => {}
    }
    for (key, value) in &node.raw {
        if !map.contains_key(key) && !["trainable", "bypassed", "init"].contains(&key.as_str()) {
            map.insert(key.clone(), value.clone());
        }
    }
    Value::Object(map)
}

/// Typed fields over raw ones: what this version knows is written, the rest stays.
fn overlay(raw: Option<&Value>, typed: Value) -> Value {
    match (raw, typed) {
        (Some(Value::Object(raw)), Value::Object(mut typed)) => {
            for (key, value) in raw {
                if !typed.contains_key(key) {
                    typed.insert(key.clone(), value.clone());
                }
            }
            Value::Object(typed)
        }
        (_, typed) => typed,
    }
}

fn object(place: &str, value: Value) -> Result<Map<String, Value>, FileError> {
    match value {
        Value::Object(map) => Ok(map),
        other => Err(rule(place, "It must be a JSON object.".into(), Some(&other))),
    }
}

fn part<T: DeserializeOwned + Default>(raw: &Map<String, Value>, key: &str) -> Result<T, FileError> {
    match raw.get(key) {
        None => Ok(T::default()),
        Some(value) => serde_json::from_value(value.clone()).map_err(|error| FileError::Rule {
            place: key.into(),
            rule: "It must be what this field holds.".into(),
            found: error.to_string(),
        }),
    }
}

/// The first setting beside the graph that is not what it may be.
fn out_of_range(document: &Document) -> Option<FileError> {
    let broken = |place: String, found: OutOfRange| FileError::Rule {
        place: format!("{place}.{}", found.setting),
        rule: format!("It must be {}.", found.rule),
        found: found.found,
    };
    let mut heads = document.heads.iter().enumerate();
    let head = heads.find_map(|(index, head)| Some(broken(format!("heads[{index}]"), head.check().err()?)));
    document.training.check().err().map(|found| broken("training".into(), found)).or(head)
}

fn rule(place: &str, rule: String, found: Option<&Value>) -> FileError {
    let mut found = found.map_or_else(|| "nothing".into(), ToString::to_string);
    if found.len() > 80 {
        found = found.chars().take(80).chain(['…']).collect();
    }
    FileError::Rule { place: place.into(), rule, found }
}
