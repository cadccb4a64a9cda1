//! `otb show`, and reading saved plans.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Global;
use super::failure::Failure;
use super::{Exit, plan};
use crate::plan::{FORMAT_VERSION, Plan};

/// The largest plan file otb reads, in bytes.
const MOST_BYTES: u64 = 256 << 20;

/// Print a saved plan
#[derive(Debug, Args)]
#[command(after_help = "Example: otb show plan.json")]
pub(super) struct ShowArgs {
    /// A file that `otb plan -o` wrote
    plan: PathBuf,
    /// Show the checks that passed, too
    #[arg(long)]
    checks: bool,
}

pub(super) fn run(global: &Global, args: &ShowArgs) -> Result<Exit, Failure> {
    plan::print(&read(&args.plan)?, global, args.checks)?;
    Ok(Exit::Done)
}

/// Reads a saved plan and refuses what this otb cannot understand.
pub(super) fn read(path: &Path) -> Result<Plan, Failure> {
    let failed = |why: String| Failure::error(format!("failed to read the plan {}: {why}", path.display()));
    let length = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if length > MOST_BYTES {
        return Err(failed(format!("it has {length} bytes; otb writes none over {MOST_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let version = value.get("format_version").and_then(serde_json::Value::as_str).unwrap_or_default();
    if major(version) != major(FORMAT_VERSION) {
        let hint = "plan again with this otb, or apply with the one that made the plan";
        return Err(failed(format!("its format_version is {version:?}, this otb reads {FORMAT_VERSION}")).hint(hint));
    }
    serde_json::from_value(value).map_err(|error| failed(error.to_string()))
}

fn major(version: &str) -> Option<&str> {
    version.split('.').next().filter(|major| !major.is_empty())
}
