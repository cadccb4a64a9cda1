//! A plan as text: what changes first, then how, then what was checked, then what could not be seen.

use std::fmt::Write as _;

use crate::plan::{Change, Check, Move, Plan, Undo, Verdict};
use crate::view::findings::problems_text;
use crate::view::outline::{self, Hidden, Item};
use crate::view::rehearsal::rehearsal_text;
use crate::view::style;
use crate::view::words::{self, count, listed};

/// Renders `plan`; `all_checks` shows those that passed, too.
pub fn plan_text(plan: &Plan, all_checks: bool) -> String {
    let mut out = String::new();
    headline(&mut out, plan);
    findings(&mut out, plan);
    for change in &plan.changes {
        change_lines(&mut out, change);
    }
    if !plan.steps.is_empty() {
        steps(&mut out, plan);
    }
    afterwards(&mut out, plan);
    checks(&mut out, plan, all_checks);
    unseen(&mut out, plan);
    rehearsal_text(&mut out, plan);
    closing(&mut out, plan);
    out
}

/// What is about to be done, without how: the steps follow as they are done.
pub fn changes_text(plan: &Plan) -> String {
    let mut out = String::new();
    headline(&mut out, plan);
    for change in &plan.changes {
        change_lines(&mut out, change);
    }
    out.push('\n');
    out
}

/// How many changes the question repeats.
const REPEATED: usize = 8;

/// What is asked before `plan` is applied, and what of the plan matters most: its beginning may have scrolled away.
pub fn question_text(plan: &Plan) -> String {
    let mut out = String::from("\n");
    for change in plan.changes.iter().take(REPEATED) {
        let gap = words::gap_clause(change).map_or_else(String::new, |gap| format!(": {gap}"));
        let _ = writeln!(out, "  {}{gap}", style::bold(words::brief(change, "->")));
    }
    if let Some(more @ 1..) = plan.changes.len().checked_sub(REPEATED) {
        let _ = writeln!(out, "  and {} more", count(more, "change"));
    }
    if let Some(until) = undone_until(plan) {
        let _ = writeln!(out, "  {until}");
    }
    let steps = match plan.steps.len() {
        1 => "this step".to_owned(),
        n => format!("these {n} steps"),
    };
    let rest = if plan.afterwards.is_some() { ", and then the rest of the file," } else { "" };
    let _ = write!(out, "Apply {steps}{rest} to {}? Only `yes` approves.", plan.cluster.name);
    out
}

/// Until when a failure or Ctrl-C undoes the plan; `None` means that it has no point of no return.
fn undone_until(plan: &Plan) -> Option<String> {
    let phases = outline::phases(plan);
    let mut points = phases.iter().flat_map(|(_, items)| items).filter(|item| item.step.point_of_no_return);
    let first = points.next()?;
    let (number, id) = (first.number, &first.step.id);
    Some(if points.next().is_none() {
        format!("A failure or Ctrl-C undoes it until step {number}, {id}.")
    } else {
        format!("A failure or Ctrl-C undoes each move until its promotion; the first promotion is step {number}.")
    })
}

/// The checks that refuse a plan which was shown before.
pub fn refusal_text(plan: &Plan) -> String {
    let mut out = String::new();
    checks(&mut out, plan, false);
    unseen(&mut out, plan);
    closing(&mut out, plan);
    out
}

fn headline(out: &mut String, plan: &Plan) {
    let name = outline::subject(&plan.cluster.name, &plan.targets);
    let seen = outline::looked_at(plan);
    let _ = if plan.is_empty() {
        let as_declared = outline::as_declared(&plan.cluster.name, &plan.targets);
        writeln!(out, "{} {as_declared}. Observed {seen}.", style::good("Nothing to do:"))
    } else if plan.changes.is_empty() {
        writeln!(out, "{name}: no change can be planned. Observed {seen}.")
    } else {
        let what = format!("{name}: {} in {}", count(plan.changes.len(), "change"), count(plan.steps.len(), "step"));
        let refusing = plan.refusing().count();
        let refused = format!(", {}", style::bad(format!("refused by {}", count(refusing, "check"))));
        let refused = if refusing > 0 { refused } else { String::new() };
        writeln!(out, "{}{refused}. Observed {seen}.\n", style::bold(what))
    };
}

/// The problems now. The changes show harmless differences from the file.
fn findings(out: &mut String, plan: &Plan) {
    let problems = problems_text(&plan.findings);
    if !problems.is_empty() {
        let _ = writeln!(out, "{}\n{problems}", style::bold("Wrong now"));
    }
}

fn change_lines(out: &mut String, change: &Change) {
    let place = match &change.from {
        Some(from) => format!("{from} -> {}", change.to),
        None => format!("on {}", change.to),
    };
    let _ = writeln!(out, "  {} {:<10} {:<12} {place}", style::change(change.kind), change.node, change.node_kind);
    let _ = writeln!(out, "             {}", change.because);
    if let Some(gap) = words::expected_gap(change) {
        let _ = writeln!(out, "             {gap}");
    }
    if !change.routers.is_empty() {
        let routers: Vec<String> = change.routers.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "             routes updated on {}", listed(&routers));
    }
}

/// The `master:` lines that otb changes for the user, as a plan shows its changes.
pub fn moves_text(moves: &[Move]) -> String {
    moves.iter().fold(String::new(), |mut out, one| {
        let place = format!("{} -> {}", one.from, one.to);
        let _ = writeln!(out, "  {:<10} {:<12} {place:<12} {}", one.node, one.kind, one.because);
        out
    }) + if moves.is_empty() { "" } else { "\n" }
}

fn steps(out: &mut String, plan: &Plan) {
    for (title, steps) in outline::phases(plan) {
        let _ = writeln!(out, "\n{}", style::bold(title));
        for item in &steps {
            step_lines(out, item);
        }
    }
}

fn step_lines(out: &mut String, item: &Item<'_>) {
    let Item { number, step, why } = item;
    let mark = if step.point_of_no_return { style::careful("   <- point of no return") } else { String::new() };
    let undo = match &step.undo {
        Undo::Possible(_) => "   can be undone",
        Undo::NotNeeded | Undo::Never => "",
    };
    let _ = writeln!(out, "  {number:>2}. {}{mark}{undo}", style::bold(&step.id));
    if let Some(why) = why {
        let _ = writeln!(out, "      {why}");
    }
    for line in step.run.iter() {
        for (n, part) in line.lines().enumerate() {
            let lead = if n == 0 { "      | " } else { "      .   " };
            let _ = writeln!(out, "{lead}{part}");
        }
    }
}

fn afterwards(out: &mut String, plan: &Plan) {
    let Some(rest) = &plan.afterwards else { return };
    let _ = writeln!(out, "\n{}", style::bold("Then, in the same run: observe again, and plan and apply the rest"));
    let _ = writeln!(
        out,
        "      It cannot be planned yet: {}, so masters show neither routes nor WAL positions.",
        rest.because
    );
    for change in &rest.expected {
        let _ = writeln!(out, "      expected: {} {}: {}", change.kind, change.node, change.because);
    }
    for check in rest.checks.iter().filter(|check| check.verdict != Verdict::Pass) {
        check_lines(out, check, plan);
    }
}

fn checks(out: &mut String, plan: &Plan, all: bool) {
    let checks = &plan.checks;
    let passed = checks.iter().filter(|check| check.verdict == Verdict::Pass).count();
    if checks.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{} {passed} of {} passed", style::bold("Checks:"), checks.len());
    for check in checks.iter().filter(|check| all || check.verdict != Verdict::Pass || check.rests_on.is_some()) {
        check_lines(out, check, plan);
    }
}

fn check_lines(out: &mut String, check: &Check, plan: &Plan) {
    let found = outline::found(check, &plan.unseen);
    let _ = writeln!(out, "  {} {:<22} {}", style::verdict(check.verdict), check.id, found);
    for detail in &check.details {
        let _ = writeln!(out, "                                 {detail}");
    }
    if let Some(reason) = &check.waived_because {
        let _ = writeln!(out, "                                 waived: {reason}");
    } else if let Some(hint) = &check.hint {
        let _ = writeln!(out, "                                 hint: {hint}");
    }
}

fn unseen(out: &mut String, plan: &Plan) {
    if plan.unseen.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{} {}", style::careful("Not observed:"), count(plan.unseen.len(), "fact"));
    for silent in &plan.silent {
        let _ = writeln!(out, "  {:<12} {}", silent.server, outline::silence(silent));
    }
    for hidden in outline::hidden(&outline::unseen_besides(plan)) {
        hidden_lines(out, &hidden);
    }
    // A check that refuses for it says so already.
    let is_new = |way: &&str| plan.checks.iter().all(|check| check.hint.as_deref() != Some(*way));
    for way in outline::ways_out(&plan.unseen).into_iter().filter(is_new) {
        let _ = writeln!(out, "               hint: {way}");
    }
}

fn hidden_lines(out: &mut String, hidden: &Hidden<'_>) {
    let Hidden { instances, fact, shared } = hidden;
    let _ = match instances.as_slice() {
        [(only, _)] => writeln!(out, "  {only:<12} {fact}: {}", hidden.why()),
        several if several.iter().all(|(_, own)| own.is_none()) => {
            writeln!(out, "  {}\n               {fact}: {shared}", hidden.names())
        }
        several => {
            for (instance, own) in several {
                let _ = writeln!(out, "  {instance:<12} {fact}: {}", own.unwrap_or("not asked"));
            }
            writeln!(out, "               for all of these: {shared}")
        }
    };
}

fn closing(out: &mut String, plan: &Plan) {
    if plan.is_refused() {
        let by = format!("Refused by {}.", count(plan.refusing().count(), "check"));
        let _ = writeln!(out, "\n{} Fix what the checks above name, then run `otb plan` again.", style::bad(&by));
        if let Some(apart) = outline::independent_nodes(plan) {
            let _ = writeln!(out, "{apart}");
        }
    } else if !plan.changes.is_empty() {
        let _ = writeln!(out, "\nFingerprint {}", plan.fingerprint.get(..12).unwrap_or(&plan.fingerprint));
    }
}
