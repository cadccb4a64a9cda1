//! The end of a run as text: what was done, what was not, and what to type next.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::apply::{End, Outcome, Report};
use crate::model::NodeKind;
use crate::plan::{Action, Plan};
use crate::view::words::{self, count, listed};
use crate::view::{outline, style};

/// Renders the report; `left` is the plan made after the run, `is_interrupted` whether the operator asked to stop.
pub fn report_text(plan: &Plan, report: &Report, left: &Plan, is_interrupted: bool) -> String {
    let mut out = String::new();
    let done = report.steps.iter().filter(|step| step.outcome.is_done()).count();
    let _ = writeln!(out, "\n{}", head(report, left, is_interrupted));
    let steps = count(plan.steps.len(), "step");
    let _ = match report.end {
        End::RolledBack => writeln!(out, "  {done} of {steps} were done; their changes are undone"),
        _ => writeln!(out, "  {done} of {steps} done and verified"),
    };
    gaps(&mut out, plan, report);
    troubles(&mut out, report);
    for note in &report.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    remaining(&mut out, left);
    if let Some(next) = next(report.end, left, is_interrupted) {
        let _ = writeln!(out, "{}", style::hint_line(next));
    }
    out
}

/// The GTM's part, done before the rest could be planned.
pub fn first_part_text(plan: &Plan, report: &Report) -> String {
    let mut out = String::new();
    let done = report.steps.iter().filter(|step| step.outcome.is_done()).count();
    let _ = writeln!(
        out,
        "\n{}",
        style::good("First part:")
            + " the GTM serves, and the GTM route of every running \
        router is updated."
    );
    let _ = writeln!(out, "  {done} of {} done and verified", count(plan.steps.len(), "step"));
    gaps(&mut out, plan, report);
    out
}

fn gaps(out: &mut String, plan: &Plan, report: &Report) {
    if let Some(hold) = &report.hold {
        let _ = writeln!(out, "  {}", words::held(hold));
    }
    for (node, milliseconds) in &report.gaps {
        let stopped = plan
            .steps
            .iter()
            .any(|step| matches!(&step.action, Action::Stop { instance, .. } if instance.node == *node));
        let kind = plan.cluster.nodes.get(node).map(|node| node.kind);
        let expected =
            plan.expected_gap(node).map_or_else(String::new, |gap| format!("; expected: {}", words::gap(gap)));
        let _ = if stopped && kind == Some(NodeKind::Gtm) {
            writeln!(out, "  {node} gave no timestamps for {milliseconds} ms{expected}")
        } else if stopped {
            writeln!(out, "  {node} could not be written to for {milliseconds} ms{expected}")
        } else {
            writeln!(out, "  {node} served again {milliseconds} ms after the first step")
        };
    }
}

fn head(report: &Report, left: &Plan, is_interrupted: bool) -> String {
    let (word, rest) = match report.end {
        End::Done if left.is_empty() && left.targets.is_empty() => {
            (style::good("Done:"), "the cluster is as declared, and a fresh plan is empty.".to_owned())
        }
        End::Done if left.is_empty() => {
            let as_declared = outline::as_declared(&left.cluster.name, &left.targets);
            (style::good("Done:"), format!("{as_declared}, and a fresh plan for these nodes is empty."))
        }
        End::Done if left.changes.is_empty() && !left.is_refused() => (
            style::careful("Done:"),
            "every step is verified; what could not be observed afterwards is listed below.".to_owned(),
        ),
        End::Done => (style::careful("Not settled:"), "all steps are done, but a fresh plan is not empty.".to_owned()),
        End::NothingDone => (style::bad("Failed,"), "and nothing was changed.".to_owned()),
        End::Interrupted => (style::careful("Interrupted"), "before any change.".to_owned()),
        End::RolledBack if is_interrupted => {
            (style::careful("Interrupted and rolled back:"), "the cluster is as before, verified.".to_owned())
        }
        End::RolledBack => {
            (style::careful("Failed and rolled back:"), "the cluster is as before, verified.".to_owned())
        }
        End::PartWay => {
            (style::bad("Stopped part-way:"), "the list below shows what is done and what is not.".to_owned())
        }
        End::NotRejoined => {
            (style::bad("Not rejoined:"), "the new master serves, but an old master is not a standby yet.".to_owned())
        }
        End::Unknown => (style::bad("Outcome unknown:"), "contact was lost after a step had been sent.".to_owned()),
    };
    format!("{word} {rest}")
}

fn troubles(out: &mut String, report: &Report) {
    let mut left_out: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for step in &report.steps {
        let (word, why) = match &step.outcome {
            Outcome::Done => continue,
            Outcome::NotBegun { why } => (style::bad("not done"), format!("not started: {why}")),
            Outcome::NotDone { why } => (style::bad("not done"), why.clone()),
            Outcome::Unknown { why } => (style::bad("unknown "), why.clone()),
            Outcome::Skipped { why } => {
                left_out.entry(why).or_default().push(step.id.to_string());
                continue;
            }
        };
        let _ = writeln!(out, "  {word} {}: {why}", step.id);
    }
    // One line for each reason: what failed must not drown in what followed from it.
    for (why, steps) in left_out {
        let _ = writeln!(out, "  skipped {}: {why}", listed(&steps));
    }
    for undone in &report.undone {
        let _ = writeln!(out, "{}", words::undone(undone));
    }
}

fn remaining(out: &mut String, left: &Plan) {
    for change in &left.changes {
        let _ = writeln!(out, "  still: {} {} on {}: {}", change.kind, change.node, change.to, change.because);
    }
    for hidden in outline::hidden(&left.unseen) {
        let _ = writeln!(out, "  not observed: {} {}: {}", hidden.names(), hidden.fact, hidden.why());
    }
}

fn next(end: End, left: &Plan, is_interrupted: bool) -> Option<&'static str> {
    match end {
        End::Done if left.changes.is_empty() => None,
        End::Done | End::PartWay if left.is_refused() => {
            Some("otb plan shows what prevents the rest; after you fix that, otb apply continues")
        }
        // Routes and pools are as declared, and yet a coordinator does not reach the node: no plan shows that.
        End::PartWay if left.is_empty() => Some(
            "no plan shows what is not done above, so otb apply finds nothing to do: fix the cause, and run the \
                statement of that step by hand to see that it works",
        ),
        End::Done | End::PartWay => Some("otb apply continues from here; otb plan shows the remaining steps first"),
        End::RolledBack if is_interrupted => Some("otb apply starts again from the beginning"),
        End::NothingDone | End::RolledBack => Some("fix what failed, then run otb plan"),
        End::Interrupted => Some("otb apply starts again from the beginning"),
        End::NotRejoined => Some("read the log of the instance named above, then run otb apply"),
        End::Unknown => Some("run otb plan: it observes the cluster again and plans the remaining steps"),
    }
}
