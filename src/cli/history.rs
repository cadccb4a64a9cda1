//! `otb history`: the runs in the journal.

use std::path::{Path, PathBuf};

use clap::Args;

use super::args::{Format, Global};
use super::failure::Failure;
use super::journal::{self, Entry, JournalLine};
use super::{Exit, file_suggestions, json, look, terminal};
use crate::apply::Event;
use crate::codes::ErrorCode;
use crate::model::ClusterName;
use crate::plan::StepId;
use crate::view::{self, HISTORY_VERSION, HistoryDocument, PastRun, PastStep};

/// The largest journal that is read, in bytes.
const MOST_BYTES: u64 = 1 << 30;

/// Show earlier runs of apply: time, user, changes, result, and the write gap of each node
///
/// It reads the journal that `otb apply` writes on this machine for this user. Runs on other machines are not in it. With
/// a number or --last it shows the steps of that run.
#[derive(Debug, Args)]
#[command(after_help = "Example: otb history --last")]
pub(super) struct HistoryArgs {
    /// Show the steps of the run with this number
    #[arg(value_name = "RUN")]
    run: Option<usize>,
    /// Show the steps of the last run
    #[arg(long, conflicts_with = "run")]
    last: bool,
    /// Read FILE instead of $XDG_STATE_HOME/otb/CLUSTER/journal.ndjson
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
}

pub(super) fn run(global: &Global, args: &HistoryArgs) -> Result<Exit, Failure> {
    let path = match &args.journal {
        Some(path) => path.clone(),
        None => only(&look::load(global)?.cluster.name)?,
    };
    let runs = runs(&read(&path, args.journal.is_some())?);
    let one = if args.last { runs.last().map(|run| run.number) } else { args.run };
    let concerned = |run: &PastRun| {
        let is_named = |node: &str| global.target.iter().any(|target| target == node);
        global.target.is_empty() || run.changes.iter().any(|change| is_named(change.node.as_str()))
    };
    let shown: Vec<PastRun> = match one {
        Some(number) => vec![numbered(&runs, number, &path)?],
        None => runs.into_iter().filter(concerned).collect(),
    };
    match (global.format, one) {
        (Format::Json, _) => {
            let journal = path.display().to_string();
            let format_version = HISTORY_VERSION.to_owned();
            terminal::result(&json::pretty(&HistoryDocument { format_version, journal, runs: shown })?);
        }
        _ if shown.is_empty() => terminal::prose(&format!("{} records no run.\n", path.display())),
        (_, Some(_)) => shown.iter().for_each(|run| terminal::prose(&view::past_run_text(run))),
        (_, None) => terminal::prose(&view::history_text(&shown)),
    }
    Ok(Exit::Done)
}

/// Returns the journal under this name. Only the databases could show which of several is this cluster's, and this
/// command does not ask them.
fn only(cluster: &ClusterName) -> Result<PathBuf, Failure> {
    let unreadable = |why| Failure::new(ErrorCode::JournalUnreadable, why).hint("name the journal with --journal FILE");
    let kept = journal::kept(cluster).map_err(unreadable)?;
    match kept.as_slice() {
        [one] => Ok(one.clone()),
        several => {
            let shown: Vec<String> = several.iter().map(|path| path.display().to_string()).collect();
            let (count, shown) = (shown.len(), shown.join(", "));
            Err(unreadable(format!("{count} clusters named {cluster} have a journal here: {shown}")))
        }
    }
}

fn numbered(runs: &[PastRun], number: usize, path: &Path) -> Result<PastRun, Failure> {
    runs.iter().find(|run| run.number == number).cloned().ok_or_else(|| {
        let text = format!("the journal {} has no run {number}", path.display());
        let failure = Failure::new(ErrorCode::UsageUnknownRun, text);
        failure.hint(format!("it has {} runs; `otb history` lists them", runs.len()))
    })
}

/// The lines that this otb understands. A run that was killed may have cut one off.
fn read(path: &Path, is_named: bool) -> Result<Vec<JournalLine>, Failure> {
    let text = match look::read_text(path, MOST_BYTES) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !is_named => String::new(),
        Err(error) => {
            let text = format!("failed to read the journal {}: {error}", path.display());
            return Err(Failure::new(ErrorCode::JournalUnreadable, text));
        }
    };
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        match serde_json::from_str(line) {
            Ok(line) => lines.push(line),
            Err(error) => {
                let number = number + 1;
                terminal::say(&format!("warning: line {number} of {} is skipped: {error}", path.display()));
            }
        }
    }
    Ok(lines)
}

/// The runs in the order in which they began. Lines of two runs may be mixed; a process number may come again.
fn runs(lines: &[JournalLine]) -> Vec<PastRun> {
    let mut runs: Vec<PastRun> = Vec::new();
    for line in lines {
        let open = runs.iter().rposition(|run| run.run == line.run && run.exit.is_none());
        match (&line.entry, open) {
            (Entry::Plan { .. }, open) => {
                let at = open.unwrap_or(runs.len());
                if at == runs.len() {
                    runs.extend(begun(line, runs.len() + 1));
                }
                if let Some(run) = runs.get_mut(at) {
                    decided(run, &line.entry);
                }
            }
            (entry, Some(at)) => happened(&mut runs[at], &line.at, entry),
            // Lines before the first plan of a run belong to no run.
            (_, None) => {}
        }
    }
    runs
}

fn begun(line: &JournalLine, number: usize) -> Option<PastRun> {
    let Entry::Plan { otb_version, cluster, .. } = &line.entry else { return None };
    Some(PastRun {
        number,
        began_at: line.at.clone(),
        ended_at: None,
        run: line.run.clone(),
        cluster: cluster.clone(),
        otb_version: otb_version.clone(),
        changes: Vec::new(),
        waivers: Vec::new(),
        steps: Vec::new(),
        undone: Vec::new(),
        notes: Vec::new(),
        hold: None,
        gaps: std::collections::BTreeMap::new(),
        end: None,
        exit: None,
    })
}

/// A run in two parts has two plans.
fn decided(run: &mut PastRun, entry: &Entry) {
    let Entry::Plan { changes, waivers, steps, .. } = entry else { return };
    run.changes.extend(changes.iter().cloned());
    run.waivers.extend(waivers.iter().filter(|waiver| !run.waivers.contains(waiver)).cloned().collect::<Vec<_>>());
    let past = |id: &StepId| PastStep { id: id.clone(), began_at: None, outcome: None, milliseconds: None };
    run.steps.extend(steps.iter().map(|step| past(&step.id)));
}

fn happened(run: &mut PastRun, at: &str, entry: &Entry) {
    let step = |id: &StepId| run.steps.iter().rposition(|step| step.id == *id);
    match entry {
        Entry::End { end, exit } => {
            (run.ended_at, run.end, run.exit) = (Some(at.to_owned()), Some(*end), Some(*exit));
        }
        Entry::Event { event } => match event {
            Event::StepStarted { step: id } => {
                if let Some(n) = step(id) {
                    run.steps[n].began_at = Some(at.to_owned());
                }
            }
            Event::StepEnded { step: id, outcome, milliseconds } => {
                if let Some(n) = step(id) {
                    (run.steps[n].outcome, run.steps[n].milliseconds) = (Some(outcome.clone()), Some(*milliseconds));
                }
            }
            Event::Undone(undone) => run.undone.push(undone.clone()),
            Event::Note { text } => run.notes.push(text.clone()),
            Event::Gap { node, milliseconds, .. } => {
                run.gaps.insert(node.clone(), *milliseconds);
            }
            Event::Hold(hold) => run.hold = Some(hold.clone()),
            Event::Planned { .. }
            | Event::Locked { .. }
            | Event::Started { .. }
            | Event::Undoing { .. }
            | Event::Finished { .. } => {}
        },
        Entry::Plan { .. } | Entry::Ahead { .. } => {}
    }
}

/// Says where a run was recorded, and what shows it.
pub(super) fn say_recorded(global: &Global, cluster: &ClusterName, path: &Path) {
    let otb = file_suggestions::otb(&global.file);
    let shown = crate::opentenbase::sanitize_for_display(&path.display().to_string());
    let is_found = journal::kept(cluster).is_ok_and(|kept| kept == [path]);
    let named = if is_found { String::new() } else { format!(" --journal {shown}") };
    terminal::say(&format!("Journal: {shown}; {otb} history --last{named} shows this run"));
}
