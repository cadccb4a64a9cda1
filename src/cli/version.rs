//! `otb version`, and what `-V` and `--version` say.

use clap::Args;

use super::{Exit, terminal};

/// `0.1.0 (3cfc23012345)`; without the commit where build.rs could not, or was not to, find it.
pub(super) const SHORT: &str = concat!(env!("CARGO_PKG_VERSION"), env!("OTB_BUILD"));

/// With what it works on.
pub(super) const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    env!("OTB_BUILD"),
    "\nOpenTenBase v2.6 and v5: tried on real clusters (docs/limits.md)"
);

/// Print the version, the commit of a release build, and the OpenTenBase versions that otb works with
#[derive(Debug, Args)]
#[command(after_help = "Example: otb version")]
pub(super) struct VersionArgs {}

pub(super) fn run(_: &VersionArgs) -> Exit {
    terminal::result(&format!("otb {LONG}\n"));
    Exit::Done
}
