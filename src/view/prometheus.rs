//! Drift for the node exporter's textfile collector, in the text exposition format.

use std::fmt::Write as _;

use crate::drift::{Drift, Kind, NoteKind};

/// The file's text; `now` is in seconds since 1970.
pub fn drift_prometheus(drift: &Drift, now: u64) -> String {
    let mut out = String::new();
    let cluster = &drift.cluster;
    let by_kind = |count: &dyn Fn(Kind) -> usize| -> Vec<(String, usize)> {
        Kind::ALL.iter().map(|kind| (format!("cluster=\"{cluster}\",kind=\"{}\"", kind.word()), count(*kind))).collect()
    };
    let whole = |value: usize| vec![(format!("cluster=\"{cluster}\""), value)];
    let notes = |kind: NoteKind| drift.baseline.iter().filter(|note| note.kind == kind).count();
    gauge(
        &mut out,
        "otb_drift_differences",
        "Differences between the live cluster and its file, without accepted ones.",
        &by_kind(&|kind| drift.differences.iter().filter(|one| one.kind == kind).count()),
    );
    gauge(
        &mut out,
        "otb_drift_accepted_differences",
        "Differences that the baseline accepts.",
        &by_kind(&|kind| drift.accepted.iter().filter(|one| one.difference.kind == kind).count()),
    );
    gauge(
        &mut out,
        "otb_drift_unseen_facts",
        "Facts that could not be observed: without them no result can say that there is no drift.",
        &whole(drift.unseen.len()),
    );
    let expired = "Baseline entries that have expired.";
    gauge(&mut out, "otb_drift_baseline_expired_entries", expired, &whole(notes(NoteKind::Expired)));
    let unused = "Baseline entries that match no difference.";
    gauge(&mut out, "otb_drift_baseline_unmatched_entries", unused, &whole(notes(NoteKind::MatchesNothing)));
    let ran = "When the cluster was observed, in seconds since 1970.";
    gauge(&mut out, "otb_drift_last_run_timestamp_seconds", ran, &[(format!("cluster=\"{cluster}\""), now)]);
    out
}

/// Cluster names and kinds have no letter that would need escaping.
fn gauge(out: &mut String, name: &str, help: &str, values: &[(String, impl std::fmt::Display)]) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (labels, value) in values {
        let _ = writeln!(out, "{name}{{{labels}}} {value}");
    }
}
