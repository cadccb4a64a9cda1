//! Paths on the servers, and the placeholders in those of data directories.

use crate::model::{NodeName, ServerName};

/// Why a text cannot be a path on a server, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PathError {
    /// Commands may run in any directory.
    Relative,
    /// `/` itself.
    Root,
    /// `.` or `..`: two texts for one directory would pass for two directories.
    Dots,
    Control,
    UnknownPlaceholder(String),
    /// A placeholder outside of `data`.
    Placeholder,
    /// A brace that opens or closes nothing.
    Brace,
}

/// A data directory with its placeholders still in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DataPath(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Node,
    Server,
}

impl DataPath {
    pub(super) fn new(text: &str) -> Result<Self, PathError> {
        let pieces = pieces(text)?;
        check(text)?;
        Ok(Self(pieces))
    }

    /// The directory of one instance.
    pub(super) fn expand(&self, node: &NodeName, server: &ServerName) -> String {
        let text: String = self.0.iter().map(|piece| piece.text(node, server)).collect();
        normal(&text)
    }
}

impl Piece {
    fn text<'p>(&'p self, node: &'p NodeName, server: &'p ServerName) -> &'p str {
        match self {
            Self::Literal(text) => text,
            Self::Node => node.as_str(),
            Self::Server => server.as_str(),
        }
    }
}

/// The installation's directory. It has no placeholders: it is the same for every node of a server.
pub(super) fn install(text: &str) -> Result<String, PathError> {
    match pieces(text) {
        Ok(pieces) if pieces.iter().all(|piece| matches!(piece, Piece::Literal(_))) => {}
        Ok(_) | Err(PathError::UnknownPlaceholder(_)) => return Err(PathError::Placeholder),
        Err(error) => return Err(error),
    }
    check(text)?;
    Ok(normal(text))
}

fn check(text: &str) -> Result<(), PathError> {
    if text.contains(char::is_control) {
        return Err(PathError::Control);
    }
    if !text.starts_with('/') {
        return Err(PathError::Relative);
    }
    if text.split('/').any(|part| part == "." || part == "..") {
        return Err(PathError::Dots);
    }
    if text.bytes().all(|byte| byte == b'/') {
        return Err(PathError::Root);
    }
    Ok(())
}

/// One spelling for one directory: no doubled and no closing slash.
fn normal(text: &str) -> String {
    text.split('/').filter(|part| !part.is_empty()).fold(String::new(), |path, part| path + "/" + part)
}

fn pieces(text: &str) -> Result<Vec<Piece>, PathError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}').ok_or(PathError::Brace)?;
        pieces.push(literal(before)?);
        pieces.push(match name {
            "node" => Piece::Node,
            "server" => Piece::Server,
            other => return Err(PathError::UnknownPlaceholder(other.to_owned())),
        });
        rest = after;
    }
    pieces.push(literal(rest)?);
    Ok(pieces)
}

fn literal(text: &str) -> Result<Piece, PathError> {
    if text.contains('}') { Err(PathError::Brace) } else { Ok(Piece::Literal(text.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_substituted_in_data() {
        let (node, server) = (NodeName::new("dn01").unwrap(), ServerName::new("s29").unwrap());
        let expand = |text: &str| DataPath::new(text).unwrap().expand(&node, &server);
        assert_eq!(expand("/data/{node}"), "/data/dn01");
        assert_eq!(expand("/data/{server}/{node}_1/"), "/data/s29/dn01_1");
        assert_eq!(expand("//data///dn01"), "/data/dn01");
    }

    #[test]
    fn what_is_no_data_path() {
        let cases = [
            ("data/{node}", PathError::Relative),
            ("", PathError::Relative),
            ("~/{node}", PathError::Relative),
            ("{node}", PathError::Relative),
            ("/", PathError::Root),
            ("//", PathError::Root),
            ("/data/../etc", PathError::Dots),
            ("/data\n", PathError::Control),
            ("/data/{nod}", PathError::UnknownPlaceholder("nod".into())),
            ("/data/{", PathError::Brace),
            ("/data/}", PathError::Brace),
            ("/data/{}", PathError::UnknownPlaceholder(String::new())),
        ];
        for (text, error) in cases {
            assert_eq!(DataPath::new(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_installation_has_no_placeholders() {
        assert_eq!(install("/opt/pgxz/"), Ok("/opt/pgxz".to_owned()));
        assert_eq!(install("/opt/{node}"), Err(PathError::Placeholder));
        assert_eq!(install("/opt/{version}"), Err(PathError::Placeholder));
    }
}
