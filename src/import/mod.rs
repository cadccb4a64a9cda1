//! A cluster.yaml from what there is already: a live cluster as it was found, pgxc_ctl.conf, opentenbase_config.ini.
//!
//! Each becomes a [`Draft`], in which whatever is not known stays open, and a draft becomes the file's text: nothing is
//! made up, and what is open is marked `# TODO otb: …` at its place and listed once more as notes.

mod bash;
mod draft;
mod ini;
mod live;
mod opentenbase_ctl;
mod pgxc_ctl;
mod run;
mod yaml;

pub use draft::{Draft, Note, ShellDraft, name_servers};
pub use live::from_discovery;
pub use opentenbase_ctl::from_config_ini;
pub use pgxc_ctl::from_pgxc_ctl;
pub use yaml::yaml;

/// Why a file of another tool cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", line.map_or_else(String::new, |line| format!("line {line}: ")))]
pub struct SourceError {
    /// Counts from one; `None` means that the mistake is about a missing text.
    pub line: Option<usize>,
    pub what: String,
}

impl SourceError {
    fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line: Some(line), what: what.into() }
    }
}
