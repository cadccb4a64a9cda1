//! Small matters of language.

use super::style;
use crate::apply::{HoldReport, Undone};
use crate::model::NodeKind;
use crate::plan::{Change, ExpectedGap};

/// `1 step`, `2 steps`.
pub(super) fn count(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

/// `412 ms`, `3.1 s`.
pub(super) fn duration(took: std::time::Duration) -> String {
    if took.as_millis() < 1000 { format!("{} ms", took.as_millis()) } else { format!("{:.1} s", took.as_secs_f64()) }
}

/// `120 ms to 1700 ms`.
pub(super) fn gap(expected: ExpectedGap) -> String {
    format!("{} ms to {} ms", expected.least_milliseconds, expected.most_milliseconds)
}

/// What clients of a changed node must expect, in a clause.
pub(super) fn expected_gap(change: &Change) -> Option<String> {
    let what = if change.node_kind == NodeKind::Gtm { "no timestamps for" } else { "write gap" };
    let longest = |expected: ExpectedGap| match expected.longest_seconds {
        0 => String::new(),
        seconds => format!(", {seconds} s at worst"),
    };
    change.expected_gap.map(|expected| format!("{what} {} expected{}", gap(expected), longest(expected)))
}

/// What its clients notice while a node moves, in a clause of the question before it.
pub(super) fn gap_clause(change: &Change) -> Option<String> {
    change.expected_gap.map(|expected| match change.node_kind {
        NodeKind::Gtm => format!("nothing commits for {}", gap(expected)),
        NodeKind::Coordinator | NodeKind::Datanode => format!("no writes to it for {}", gap(expected)),
    })
}

/// How clients were held, and what they noticed.
pub(super) fn held(hold: &HoldReport) -> String {
    let HoldReport { milliseconds, waiting, longest_wait_milliseconds, kept_connections, ended_early, .. } = hold;
    let waited = match waiting {
        0 => "no session waited when it ended".to_owned(),
        1 => format!("1 session waited when it ended, for {longest_wait_milliseconds} ms"),
        _ => format!("{waiting} sessions waited when it ended, the longest for {longest_wait_milliseconds} ms"),
    };
    let early: Vec<String> = ended_early.iter().map(ToString::to_string).collect();
    let early = if early.is_empty() { String::new() } else { format!("; it ended early on {}", listed(&early)) };
    let kept = match kept_connections {
        0 => String::new(),
        1 => "; 1 idle session has prepared statements and gets one error".to_owned(),
        _ => format!("; {kept_connections} idle sessions have prepared statements and get one error each"),
    };
    format!("clients were held for {milliseconds} ms: {waited}{kept}{early}")
}

/// Why a node changes, and what its clients have to expect.
pub(super) fn because(change: &Change) -> String {
    match expected_gap(change) {
        Some(gap) => format!("{}; {gap}", change.because),
        None => change.because.clone(),
    }
}

/// `switchover dn01 s29 -> s47`, with the arrow that the page uses.
pub(super) fn brief(change: &Change, arrow: &str) -> String {
    match &change.from {
        Some(from) => format!("{} {} {from} {arrow} {}", change.kind, change.node, change.to),
        None => format!("{} {} on {}", change.kind, change.node, change.to),
    }
}

/// How a step was taken back, on a line.
pub(super) fn undone(undone: &Undone) -> String {
    let Undone { step, ok, detail } = undone;
    if *ok {
        format!("  {} {step}", style::good("undone  "))
    } else {
        format!("  {} {step}: {detail}", style::bad("not undone"))
    }
}

/// All of a short list; the beginning and the number of a long one.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn counts_and_durations_read_as_people_say_them() {
        assert_eq!([count(0, "step"), count(1, "step"), count(2, "step")], ["0 steps", "1 step", "2 steps"]);
        assert_eq!([duration(Duration::from_millis(412)), duration(Duration::from_millis(3149))], ["412 ms", "3.1 s"]);
    }
}
