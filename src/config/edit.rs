//! The one change this tool is about, made to the text: another server after `master:`.

use super::load;
use super::parse;
use super::source::{Source, without_mark};
use super::tree::{Marks, ScalarKind, Style};
use super::{Diagnostics, Findings};
use crate::model::{Cluster, NodeName, ServerName};

/// Why a master cannot be moved by changing the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    #[error("failed to read the file:\n{0}")]
    Invalid(Diagnostics),
    #[error("the file has no node {0}")]
    NoNode(NodeName),
    #[error("{node} has no instance on {server}")]
    NoInstance { node: NodeName, server: ServerName },
    #[error("the master of {0} is not written on a single line")]
    Form(NodeName),
}

/// The text of a valid cluster.yaml with `node`'s master on `server`; nothing else is changed, neither
/// comments nor layout nor line breaks.
pub fn with_master(text: &str, node: &NodeName, server: &ServerName) -> Result<String, EditError> {
    let before = load("cluster.yaml", text).map_err(EditError::Invalid)?.cluster;
    let declared = before.nodes.get(node).ok_or_else(|| EditError::NoNode(node.clone()))?;
    if !declared.instances.contains_key(server) {
        return Err(EditError::NoInstance { node: node.clone(), server: server.clone() });
    }
    let form = || EditError::Form(node.clone());
    let edited = replaced(text, node, server).ok_or_else(form)?;
    let after = load("cluster.yaml", &edited).map_err(EditError::Invalid)?.cluster;
    if after == moved(before, node, server) { Ok(edited) } else { Err(form()) }
}

fn moved(mut cluster: Cluster, node: &NodeName, server: &ServerName) -> Cluster {
    if let Some(node) = cluster.nodes.get_mut(node) {
        node.master = server.clone();
    }
    cluster
}

fn replaced(text: &str, node: &NodeName, server: &ServerName) -> Option<String> {
    let source = Source::new("cluster.yaml", text);
    let tree = parse::parse(&source, &mut Findings::new(&source))?;
    let sections = ["gtm", "coordinators", "datanodes"];
    let mut masters = sections.iter().map(|section| Marks::root(&tree).key(section).key(node.as_str()).key("master"));
    let (scalar, span) = masters.find_map(Marks::scalar)?;
    let range = source.bytes(span)?;
    let new = match scalar.style {
        Style::Plain if ScalarKind::of_plain(server.as_str()) == ScalarKind::Text => server.to_string(),
        Style::Plain | Style::DoubleQuoted => format!("\"{server}\""),
        Style::SingleQuoted => format!("'{server}'"),
        Style::Block => return None,
    };
    let mark = text.len() - without_mark(text).len();
    let (before, after) = (text.get(..mark + range.start)?, text.get(mark + range.end..)?);
    Some(format!("{before}{new}{after}"))
}
