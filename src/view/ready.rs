//! Readiness as text: a line for each standby, and under it what would refuse its takeover.

use std::fmt::Write as _;

use bytesize::ByteSize;

use super::style;
use super::words::count;
use crate::diagnosis::{NodeReadiness, Readiness, Ready, StandbyReadiness};
use crate::model::NodeKind;
use crate::plan::{Check, Verdict};

/// The readiness of each node; `all` shows the checks that passed, too.
pub fn ready_text(readiness: &Readiness, all: bool) -> String {
    let sentence = sentence(readiness);
    let sentence = if readiness.verdict.refuses() { style::bad(sentence) } else { style::good(sentence) };
    let mut out = format!("{}: {sentence}\n", style::bold(&readiness.cluster));
    let names = readiness.nodes.iter().map(|node| node.node.as_str().len());
    let wide = names.max().unwrap_or_default().max("NODE".len());
    let servers = readiness.nodes.iter().flat_map(|node| &node.standbys).map(|one| one.instance.server.as_str().len());
    let server = servers.max().unwrap_or_default().max("STANDBY".len());
    let _ = writeln!(out, "\n{:wide$}  {:server$}  {:<10}  A FAILOVER NOW LOSES", "NODE", "STANDBY", "READY");
    for node in &readiness.nodes {
        if node.standbys.is_empty() {
            let _ = writeln!(out, "{:wide$}  {:server$}  {}", node.node, "-", Ready::NoStandby.word());
        }
        for standby in &node.standbys {
            let word = format!("{:<10}", standby.verdict.word());
            let word = if standby.verdict.refuses() { style::bad(word) } else { style::good(word) };
            let (name, at) = (&node.node, &standby.instance.server);
            let _ = writeln!(out, "{name:wide$}  {at:server$}  {word}  {}", loses(node, standby));
            checks(&mut out, &standby.checks, all);
        }
    }
    let refuse = readiness.checks.iter().any(|check| check.verdict.refuses());
    if refuse || all {
        let _ = writeln!(out, "\n{}", style::bold("Every takeover"));
        checks(&mut out, &readiness.checks, all);
    }
    out
}

/// Whether all could take over, in one sentence without a full stop.
pub(super) fn sentence(readiness: &Readiness) -> String {
    let with: Vec<&NodeReadiness> = readiness.nodes.iter().filter(|node| node.verdict != Ready::NoStandby).collect();
    let could = with.iter().filter(|node| !node.verdict.refuses()).count();
    let without = readiness.nodes.len() - with.len();
    let without = match without {
        0 => String::new(),
        1 => ", 1 node has no standby".to_owned(),
        n => format!(", {n} nodes have no standby"),
    };
    let shared = if readiness.checks.iter().any(|check| check.verdict.refuses()) {
        ", and a check that every takeover needs does not pass"
    } else {
        ""
    };
    format!("{could} of {} could fail over now{without}{shared}", count(with.len(), "node"))
}

/// The loss of a failover now.
pub(super) fn loses(node: &NodeReadiness, standby: &StandbyReadiness) -> String {
    match (node.kind, standby.loses_bytes) {
        (NodeKind::Gtm, _) => "no rows".to_owned(),
        (_, Some(0)) => "nothing".to_owned(),
        (_, Some(bytes)) => format!("{} of WAL", ByteSize(bytes)),
        (_, None) => "not known".to_owned(),
    }
}

fn checks(out: &mut String, checks: &[Check], all: bool) {
    let shown = checks.iter().filter(|check| if all { true } else { check.verdict.refuses() });
    for check in shown {
        let _ = writeln!(out, "  {} {:<22} {}", style::verdict(check.verdict), check.id, check.found);
        if let Some(hint) = check.hint.as_ref().filter(|_| check.verdict != Verdict::Pass) {
            let _ = writeln!(out, "                                 hint: {hint}");
        }
    }
}
