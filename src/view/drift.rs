//! Drift as text, for people.

use std::fmt::Write as _;

use super::findings::findings_text;
use super::words::count;
use super::{outline, style};
use crate::drift::{Drift, NoteKind, Verdict};

/// Differences first, then accepted ones, parts that could not be observed, and notes about the baseline.
pub fn drift_text(drift: &Drift) -> String {
    let mut out = head(drift);
    if !drift.findings.is_empty() {
        let _ = write!(out, "\n{}", findings_text(&drift.findings));
    }
    for difference in &drift.differences {
        let _ = writeln!(out, "\n  {}", style::bad(&difference.id));
        let _ = writeln!(out, "    expected  {}\n    found     {}", difference.expected, difference.found);
    }
    section(
        &mut out,
        "Not observed",
        outline::hidden(&drift.unseen)
            .iter()
            .map(|hidden| format!("{}: {}: {}", hidden.names(), hidden.fact, hidden.why()))
            .chain(outline::ways_out(&drift.unseen).into_iter().map(|way| format!("hint: {way}"))),
    );
    section(
        &mut out,
        "Accepted",
        drift.accepted.iter().map(|one| format!("{} until {}: {}", one.difference.id, one.expires, one.reason)),
    );
    section(
        &mut out,
        "Baseline",
        drift.baseline.iter().map(|note| {
            let word = match note.kind {
                NoteKind::Expired => "expired",
                NoteKind::MatchesNothing => "matches nothing",
            };
            format!("{} {word}: {}", note.id, note.what)
        }),
    );
    out
}

fn head(drift: &Drift) -> String {
    let looked = &drift.looked_at;
    let looked = format!(
        "Observed {}, {} on {}.",
        count(looked.instances, "instance"),
        count(looked.routes, "row") + " of pgxc_node",
        count(looked.routers, "router")
    );
    let subject = outline::subject(&drift.cluster, &drift.targets);
    match drift.verdict {
        Verdict::None => {
            let as_declared = outline::as_declared(&drift.cluster, &drift.targets);
            format!("{} {as_declared}. {looked}\n", style::good("No drift:"))
        }
        Verdict::Drift => {
            let n = count(drift.differences.len(), "difference");
            format!("{} {n} between {subject} and the file. {looked}\n", style::bad("Drift:"))
        }
        Verdict::Unknown => {
            let n = count(drift.unseen.len(), "fact");
            format!(
                "{} no difference was found in {subject}, but {n} could not be observed. {looked}\n",
                style::bad("Unknown:")
            )
        }
    }
}

fn section(out: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    for (n, line) in lines.enumerate() {
        if n == 0 {
            let _ = writeln!(out, "\n{}", style::bold(title));
        }
        let _ = writeln!(out, "  {line}");
    }
}
