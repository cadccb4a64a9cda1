//! `otb show`, and reading saved plans.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::Global;
use super::failure::Failure;
use super::rehearse::RehearseArgs;
use super::{Exit, look, plan};
use crate::codes::ErrorCode;
use crate::plan::{FORMAT_VERSION, Plan};

/// The largest plan file otb reads, in bytes.
const MOST_BYTES: u64 = 64 << 20;

/// Print a saved plan
#[derive(Debug, Args)]
#[command(after_help = "Example: otb show plan.json")]
pub(super) struct ShowArgs {
    /// A file that `otb plan -o` wrote
    plan: PathBuf,
    /// Show passed checks too
    #[arg(long)]
    checks: bool,
    #[command(flatten)]
    rehearsal: RehearseArgs,
}

pub(super) fn run(global: &Global, args: &ShowArgs) -> Result<Exit, Failure> {
    let mut plan = read(&args.plan)?;
    let rehearsed = args.rehearsal.add_to_saved(&mut plan);
    plan::print(&plan, global, args.checks)?;
    rehearsed.map(|()| Exit::Done)
}

/// Reads a saved plan, and refuses one that this otb cannot understand or that otb did not write.
pub(super) fn read(path: &Path) -> Result<Plan, Failure> {
    let failed_as =
        |code, why: String| Failure::new(code, format!("failed to read the plan {}: {why}", path.display()));
    let failed = |why: String| failed_as(ErrorCode::PlanUnreadable, why);
    let text = look::read_text(path, MOST_BYTES).map_err(|error| failed(error.to_string()))?;
    let again = "the file is incomplete or not a plan; create it again with otb plan -o";
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()).hint(again))?;
    let version = value.get("format_version").and_then(serde_json::Value::as_str).unwrap_or_default();
    if version.is_empty() {
        return Err(failed("it has no format_version".to_owned()).hint(again));
    }
    if major(version) != major(FORMAT_VERSION) {
        let hint = "plan again with this otb, or apply with the otb that created the plan";
        let why = format!("its format_version is {version:?}, but this otb reads {FORMAT_VERSION}");
        return Err(failed_as(ErrorCode::PlanFormatVersion, why).hint(hint));
    }
    let plan: Plan = serde_json::from_value(value).map_err(|error| failed(error.to_string()).hint(again))?;
    if !crate::plan::is_intact(&plan) {
        let why = "its fingerprint does not match its content: it was changed after otb wrote it";
        return Err(failed_as(ErrorCode::PlanEdited, why.to_owned())
            .hint("change cluster.yaml and plan again; do not edit a plan"));
    }
    Ok(plan)
}

/// Reads a plan that will be applied: if a cluster.yaml exists, it must be the one that the plan was made from. The
/// operator does not mean a plan of another cluster or of an older file.
pub(super) fn read_for_apply(path: &Path, global: &Global) -> Result<Plan, Failure> {
    let plan = read(path)?;
    if !global.target.is_empty() {
        let text = "--target cannot be used with a saved plan, which has its own targets";
        return Err(
            Failure::new(ErrorCode::UsageCombination, text).hint("otb plan --target NODE -o PLAN, then otb apply PLAN")
        );
    }
    if !global.file.exists() {
        return Ok(plan);
    }
    let declared = look::load(global)?.cluster;
    let differences = crate::plan::declared_differently(&plan.cluster, &declared);
    if differences.is_empty() {
        return Ok(plan);
    }
    let (file, saved) = (global.file.display(), path.display());
    let text =
        format!("{saved} was made from another version of {file}; nothing was changed\n  {}", differences.join("\n  "));
    Err(Failure::new(ErrorCode::PlanOtherFile, text)
        .hint("plan again, or use --file to name the cluster.yaml that the plan was made from"))
}

fn major(version: &str) -> Option<&str> {
    version.split('.').next().filter(|major| !major.is_empty())
}
