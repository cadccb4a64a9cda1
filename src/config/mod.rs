//! cluster.yaml as written → checked → resolved to [`crate::model::Cluster`].
//!
//! Text is parsed once into a tree whose values know where they stand (`parse`, `tree`). The tree is held
//! against the JSON schema (`schema`, `shape`, `structure`), so that the file and an editor's completion
//! cannot disagree; what is usable is deserialised (`raw`) and resolved (`resolve`, `server`, `node`,
//! `collision`). Every stage goes on after a mistake, and all mistakes come back together.

mod code;
mod collision;
mod diagnostic;
mod edit;
mod node;
mod parse;
mod path;
mod raw;
#[expect(clippy::disallowed_methods, reason = "reads the file; the rest of the room is pure")]
mod reader;
mod resolve;
mod schema;
mod server;
mod shape;
mod source;
mod structure;
mod suggest;
mod text;
mod tree;
mod visible;

use std::fmt::Write as _;
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

pub use code::Code;
use diagnostic::Findings;
pub use diagnostic::{Diagnostic, Diagnostics, Place};
pub use edit::{EditError, with_master, with_masters};
pub use reader::{read, read_from};
pub use schema::schema;
pub use suggest::{nearest, one_of};

use crate::model::Cluster;

/// A cluster.yaml without mistakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub cluster: Cluster,
    /// The file's text, for [`with_master`] and for showing lines of it.
    pub text: String,
    /// The sha256 of the text, in hexadecimal.
    pub sha256: String,
}

/// Checks the text of a cluster.yaml. `file_name` is what diagnostics call it.
pub fn load(file_name: &str, text: &str) -> Result<Loaded, Diagnostics> {
    let source = source::Source::new(file_name, text);
    let mut findings = Findings::new(&source);
    let cluster = cluster(&source, &mut findings);
    let cluster = findings.into_result(cluster)?;
    Ok(Loaded { cluster, text: text.to_owned(), sha256: sha256(text) })
}

/// The requirements of the schema, read once.
static SHAPE: LazyLock<shape::Shape> = LazyLock::new(|| shape::Shape::of(&schema()));

fn cluster(source: &source::Source<'_>, findings: &mut Findings<'_>) -> Option<Cluster> {
    let tree = parse::parse(source, findings)?;
    let plain = structure::check(&SHAPE, &tree, findings)?;
    let file = deserialise(plain, findings)?;
    resolve::resolve(&file, tree::Marks::root(&tree), findings)
}

/// A value that passed the structure check fits the types, because both come from the same schema. If they disagree,
/// that is an error.
fn deserialise(plain: serde_yaml::Value, findings: &mut Findings<'_>) -> Option<raw::File> {
    match serde_yaml::from_value(plain) {
        Ok(file) => Some(file),
        Err(error) => {
            let span = source::Span::at(source::Position::START);
            findings.add(Code::WrongType, span, error.to_string(), "correct this value");
            None
        }
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
