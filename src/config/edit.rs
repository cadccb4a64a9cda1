//! The one change this tool is about, made to the text: another server after `master:`, of one node or of several.

use std::collections::BTreeMap;
use std::ops::Range;

use super::load;
use super::parse;
use super::source::{Source, without_mark};
use super::tree::{Marked, Marks, ScalarKind, Style};
use super::{Diagnostics, Findings};
use crate::model::{NodeName, ServerName};

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
    with_masters(text, &BTreeMap::from([(node.clone(), server.clone())]))
}

/// The same for several nodes at once.
pub fn with_masters(text: &str, masters: &BTreeMap<NodeName, ServerName>) -> Result<String, EditError> {
    let mut wanted = load("cluster.yaml", text).map_err(EditError::Invalid)?.cluster;
    for (node, server) in masters {
        let declared = wanted.nodes.get_mut(node).ok_or_else(|| EditError::NoNode(node.clone()))?;
        if !declared.instances.contains_key(server) {
            return Err(EditError::NoInstance { node: node.clone(), server: server.clone() });
        }
        declared.master = server.clone();
    }
    let edited = replaced(text, masters)?;
    let after = load("cluster.yaml", &edited).map_err(EditError::Invalid)?.cluster;
    // A mistake that has no place in the file is reported at the node that was written wrongly.
    let wrong = masters.keys().find(|node| after.nodes.get(*node) != wanted.nodes.get(*node)).or(masters.keys().next());
    match wrong {
        Some(node) if after != wanted => Err(EditError::Form(node.clone())),
        _ => Ok(edited),
    }
}

fn replaced(text: &str, masters: &BTreeMap<NodeName, ServerName>) -> Result<String, EditError> {
    let source = Source::new("cluster.yaml", text);
    let tree = parse::parse(&source, &mut Findings::new(&source));
    let place = |(node, server): (&NodeName, &ServerName)| {
        let found = tree.as_ref().and_then(|tree| scalar(&source, tree, node, server));
        found.ok_or_else(|| EditError::Form(node.clone()))
    };
    let mut places = masters.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    // From the end, so that what was found before stays where it is.
    places.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mark = text.len() - without_mark(text).len();
    let mut edited = text.to_owned();
    for (range, new) in places {
        edited.replace_range(mark + range.start..mark + range.end, &new);
    }
    Ok(edited)
}

/// Where `node`'s master is written, and the new value, quoted as the old one is.
fn scalar(source: &Source<'_>, tree: &Marked, node: &NodeName, server: &ServerName) -> Option<(Range<usize>, String)> {
    let sections = ["gtm", "coordinators", "datanodes"];
    let mut masters = sections.iter().map(|section| Marks::root(tree).key(section).key(node.as_str()).key("master"));
    let (scalar, span) = masters.find_map(Marks::scalar)?;
    let new = match scalar.style {
        Style::Plain if ScalarKind::of_plain(server.as_str()) == ScalarKind::Text => server.to_string(),
        Style::Plain | Style::DoubleQuoted => format!("\"{server}\""),
        Style::SingleQuoted => format!("'{server}'"),
        Style::Block => return None,
    };
    let range = source.bytes(span)?;
    // The parser counts blanks behind a quoted word as part of it. No name holds a quote: the next one closes it.
    let length = match scalar.style {
        Style::DoubleQuoted | Style::SingleQuoted => {
            let mut quotes = source.text.get(range.clone())?.match_indices(['"', '\'']);
            quotes.nth(1)?.0 + 1
        }
        Style::Plain | Style::Block => range.len(),
    };
    Some((range.start..range.start + length, new))
}
