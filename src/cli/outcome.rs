//! How an apply ended: the exit code, and the one document that `--format json` writes.

use serde::Serialize;

use super::args::{Format, Global};
use super::failure::Failure;
use super::{Exit, terminal};
use crate::apply::{End, Report};
use crate::plan::{FORMAT_VERSION, Plan, Unseen};
use crate::view;

/// `otb apply --format json`: one document, whatever happened after the plan was made.
#[derive(Debug, Serialize)]
struct Document<'a> {
    format_version: &'static str,
    exit: u8,
    meaning: &'static str,
    /// What was applied, or why nothing was.
    plan: &'a Plan,
    /// None: nothing was begun.
    report: Option<&'a Report>,
    /// The plan made after the run.
    left: Option<&'a Plan>,
}

/// Refused, nothing to do, or nothing that could be said to be so; none: there is work.
pub(super) fn settled(plan: &Plan) -> Option<Exit> {
    match (plan.is_refused(), plan.changes.is_empty(), plan.unseen.is_empty()) {
        (true, _, _) => Some(Exit::Refused),
        (false, false, _) => None,
        (false, true, true) => Some(Exit::Done),
        // What was not seen may be anything: that is no "nothing to do".
        (false, true, false) => Some(Exit::Error),
    }
}

/// Ends an apply that did not begin.
pub(super) fn not_begun(exit: Exit, plan: &Plan, global: &Global) -> Result<Exit, Failure> {
    if global.format == Format::Json {
        write(&Document { plan, report: None, left: None, ..head(exit, plan) })?;
    }
    if exit == Exit::Error {
        let hint = "bring back what the plan lists as not seen, then apply again";
        let text = "nothing was done, and whether the cluster is as declared is not known";
        return Err(Failure::error(text).hint(hint));
    }
    Ok(exit)
}

/// Ends an apply that ran.
pub(super) fn finish(plan: &Plan, report: &Report, left: &Plan, global: &Global) -> Result<Exit, Failure> {
    let exit = exit(plan, report, left);
    match global.format {
        Format::Text => terminal::result(&view::report_text(plan, report, left)),
        Format::Json => write(&Document { report: Some(report), left: Some(left), ..head(exit, plan) })?,
    }
    Ok(exit)
}

fn exit(plan: &Plan, report: &Report, left: &Plan) -> Exit {
    match report.end {
        End::Done if !left.changes.is_empty() || left.is_refused() => Exit::PartWay,
        End::Done if lost_sight(plan, left).next().is_some() => Exit::UnknownOutcome,
        End::Done => Exit::Done,
        End::PartWay => Exit::PartWay,
        End::NothingDone => Exit::Error,
        End::Interrupted => Exit::Interrupted,
        End::RolledBack => Exit::RolledBack,
        End::NotRejoined => Exit::NotRejoined,
        End::Unknown => Exit::UnknownOutcome,
    }
}

/// What the approved plan saw and the one made afterwards does not.
fn lost_sight<'a>(plan: &'a Plan, left: &'a Plan) -> impl Iterator<Item = &'a Unseen> {
    left.unseen.iter().filter(|entry| !plan.unseen.iter().any(|before| before.instance == entry.instance))
}

fn head(exit: Exit, plan: &Plan) -> Document<'_> {
    Document {
        format_version: FORMAT_VERSION,
        exit: exit.code(),
        meaning: exit.meaning(),
        plan,
        report: None,
        left: None,
    }
}

fn write(document: &Document<'_>) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document).map_err(|error| Failure::error(error.to_string()))?;
    terminal::result(&(text + "\n"));
    Ok(())
}
