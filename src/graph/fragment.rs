//! Some layers as text for the clipboard: readable JSON that another window, or a person, can take up.

use super::file::{Reader, graph_json};
use super::{Document, FORMAT, Graph, NodeId, VERSION};
use serde_json::{Value, json};

/// Name of the format, the first field of copied layers.
pub const FRAGMENT: &str = "striate-layers";
/// Longest text that is looked at.
const MAX_TEXT: usize = 16 << 20;

/// Why a text holds no layers that can be pasted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FragmentError {
    /// Something else was copied.
    #[error("The clipboard must hold layers copied in Striate. It holds {found}. Copy layers first.")]
    Foreign {
        /// Its beginning.
        found: String,
    },
    /// A newer version copied them.
    #[error(
        "The copied layers have version {found}; this program knows version {VERSION}. Copy them from this version."
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// It says that it holds layers, but they break a rule.
    #[error("The copied layers must be whole. {0}")]
    Broken(String),
}

impl Graph {
    /// Some nodes with the links among them.
    #[must_use]
    pub fn fragment(&self, nodes: &[NodeId]) -> Self {
        let holds = |id: &NodeId| nodes.contains(id);
        Self {
            nodes: self.nodes.iter().filter(|node| holds(&node.id)).cloned().collect(),
            links: self.links.iter().filter(|link| holds(&link.from) && holds(&link.to)).copied().collect(),
        }
    }

    /// This graph as text for the clipboard.
    pub fn to_fragment(&self) -> String {
        let Value::Object(graph) = graph_json(self) else { return String::new() };
        let mut top = serde_json::Map::new();
        top.insert("format".into(), json!(FRAGMENT));
        top.insert("version".into(), json!(VERSION));
        top.extend(graph);
        let mut text = serde_json::to_string_pretty(&Value::Object(top)).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The layers that a text from the clipboard holds; a whole document gives all of its layers.
    ///
    /// # Errors
    /// See [`FragmentError`].
    pub fn from_fragment(text: &str) -> Result<Self, FragmentError> {
        let foreign = || FragmentError::Foreign { found: beginning(text) };
        if text.len() > MAX_TEXT {
            return Err(foreign());
        }
        let value: Value = super::numbers::parse(text).map_err(|_no_json| foreign())?;
        let format = value.get("format").and_then(Value::as_str);
        let version = value.get("version").and_then(Value::as_u64).unwrap_or(VERSION);
        if version > VERSION && matches!(format, Some(FORMAT | FRAGMENT)) {
            return Err(FragmentError::Newer { found: version });
        }
        let broken = |error: super::FileError| FragmentError::Broken(error.to_string());
        let graph = match format {
            Some(FRAGMENT) => Reader::default().graph("layers", value, 0).map_err(broken)?,
            Some(FORMAT) => Document::read(text).map_err(broken)?.document.graph,
            _ => return Err(foreign()),
        };
        if graph.nodes.is_empty() {
            return Err(FragmentError::Broken("There are none in it.".into()));
        }
        Ok(graph)
    }
}

/// The first words of a text, for a message.
fn beginning(text: &str) -> String {
    let line = text.split_whitespace().take(8).collect::<Vec<_>>().join(" ");
    if line.is_empty() {
        return "no text".into();
    }
    let cut: String = line.chars().take(40).collect();
    if cut.len() < line.len() || line.len() < text.trim().len() {
        format!("\"{cut}…\"")
    } else {
        format!("\"{cut}\"")
    }
}
