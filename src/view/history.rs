//! Earlier runs: one line for each, or one run in full.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{progress, style, words};
use crate::apply::{End, HoldReport, Outcome, Undone};
use crate::codes::Exit;
use crate::model::{ClusterName, NodeName};
use crate::plan::{Change, StepId, Waiver};

/// The history format's version, by Terraform's rules: a minor one adds, a major one breaks.
pub const HISTORY_VERSION: &str = "1.0";

/// `otb history --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryDocument {
    /// The version of this document: a minor version adds, a major one breaks.
    pub format_version: String,
    /// The journal that was read.
    pub journal: String,
    /// The runs, the oldest first.
    pub runs: Vec<PastRun>,
}

/// One run of `otb apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PastRun {
    /// Its place in the journal, from 1; the journal only grows, so it stays.
    pub number: usize,
    /// When its plan was decided, RFC 3339 in UTC.
    pub began_at: String,
    /// When it ended; `null`: the journal does not say that it did.
    pub ended_at: Option<String>,
    /// `USER@HOST, pid N`.
    pub run: String,
    pub cluster: ClusterName,
    /// The otb that ran.
    pub otb_version: String,
    /// The planned changes.
    pub changes: Vec<Change>,
    /// The waivers that the plan used.
    pub waivers: Vec<Waiver>,
    /// The steps, in the order of the plan.
    pub steps: Vec<PastStep>,
    /// Steps that were taken back.
    pub undone: Vec<Undone>,
    /// Notes that are not failures.
    pub notes: Vec<String>,
    /// Milliseconds in which clients could not write to a node.
    pub gaps: BTreeMap<NodeName, u64>,
    /// How clients were held, if they were.
    #[serde(default)]
    pub hold: Option<HoldReport>,
    /// How it ended; `null`: the journal does not say.
    pub end: Option<End>,
    /// The exit code; `null`: the journal does not say.
    pub exit: Option<u8>,
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PastStep {
    pub id: StepId,
    /// When it began, RFC 3339 in UTC; `null`: the journal does not say that it did.
    pub began_at: Option<String>,
    /// How it ended; `null`: the journal does not say.
    pub outcome: Option<Outcome>,
    /// From its start until its outcome was known.
    pub milliseconds: Option<u64>,
}

/// A line for each run, the newest last.
pub fn history_text(runs: &[PastRun]) -> String {
    let mut out = String::new();
    for run in runs {
        let (number, when, who) = (run.number, moment(&run.began_at), who(run));
        let _ = writeln!(out, "{number:>4}  {when}  {who:<16} {}  {}", result(run), what(run));
    }
    out
}

/// All of one run: what it was to change, its steps, and how it ended.
pub fn past_run_text(run: &PastRun) -> String {
    let head = format!("Run {} of {}", run.number, run.cluster);
    let mut out = format!("{}: {}, {}, otb {}\n\n", style::bold(head), moment(&run.began_at), run.run, run.otb_version);
    for change in &run.changes {
        let _ = writeln!(out, "  {}", words::brief(change, "->"));
    }
    for Waiver { check, reason } in &run.waivers {
        let _ = writeln!(out, "  waived {check}: {reason}");
    }
    out.push('\n');
    for step in &run.steps {
        let _ = writeln!(out, "{}", step_line(step));
    }
    for undone in &run.undone {
        let _ = writeln!(out, "{}", words::undone(undone));
    }
    for note in &run.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    if let Some(hold) = &run.hold {
        let _ = writeln!(out, "  {}", words::held(hold));
    }
    for (node, gap) in &run.gaps {
        let _ = writeln!(out, "  {node} could not be written to for {gap} ms");
    }
    let ended = run.ended_at.as_deref().map_or_else(String::new, |at| format!(" at {}", moment(at)));
    let meaning = match exit(run) {
        Some(exit) => format!("exit {}, {}", exit.code(), exit.meaning()),
        None => "the journal does not record how it ended; otb plan shows the remaining steps".to_owned(),
    };
    let _ = writeln!(out, "\nEnded{ended}: {meaning}");
    out
}

fn step_line(step: &PastStep) -> String {
    match (&step.outcome, &step.began_at) {
        (Some(outcome), _) => {
            progress::ended(&step.id, outcome, Duration::from_millis(step.milliseconds.unwrap_or_default()))
        }
        (None, Some(_)) => {
            format!(
                "  {} {}: it started, and the journal does not record how it ended",
                style::bad("unknown "),
                step.id
            )
        }
        (None, None) => format!("  skipped {}: it never started", step.id),
    }
}

/// `2026-11-22 20:00:00Z`.
fn moment(at: &str) -> String {
    match (at.get(..10), at.get(11..19)) {
        (Some(day), Some(time)) => format!("{day} {time}Z"),
        _ => at.to_owned(),
    }
}

/// `USER@HOST`.
fn who(run: &PastRun) -> &str {
    run.run.split_once(", pid ").map_or(run.run.as_str(), |(who, _)| who)
}

fn exit(run: &PastRun) -> Option<Exit> {
    Exit::ALL.into_iter().find(|exit| Some(exit.code()) == run.exit)
}

/// The result in a word or two, as wide as the longest.
fn result(run: &PastRun) -> String {
    let word = match exit(run) {
        Some(Exit::Done) => return style::good(format!("{:<12}", "done")),
        Some(Exit::RolledBack) => "rolled back",
        Some(Exit::PartWay) => "part-way",
        Some(Exit::NotRejoined) => "not rejoined",
        Some(Exit::Interrupted) => "interrupted",
        Some(Exit::UnknownOutcome) => "unknown",
        Some(_) => "failed",
        None => "cut off",
    };
    style::careful(format!("{word:<12}"))
}

/// The planned change, and the write gap of each node.
fn what(run: &PastRun) -> String {
    let changes: Vec<String> = run.changes.iter().map(|change| words::brief(change, "->")).collect();
    let gaps: Vec<String> = run.gaps.iter().map(|(node, gap)| format!("{node} {gap} ms")).collect();
    let changes = if changes.is_empty() { words::count(run.steps.len(), "step") } else { words::listed(&changes) };
    if gaps.is_empty() { changes } else { format!("{changes}; write gap {}", words::listed(&gaps)) }
}
