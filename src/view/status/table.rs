//! One line for each node with its master and its standby: a cluster of dozens of nodes on a screen of 80 columns.

use std::collections::BTreeSet;

use super::{Tone, is_blind, lag};
use crate::model::{
    Cluster, Fact, Finding, InstanceFacts, InstanceId, Node, NodeKind, NodeName, Observation, Process, Role,
    UnknownKind,
};
use crate::plan::{is_told_to_promote, running_masters};
use crate::view::style;

const HEADS: [&str; COLUMNS] = ["NODE", "KIND", "MASTER", "PORT", "TL", "STANDBY", "STATE", "LAG"];
const COLUMNS: usize = 8;

struct Cell {
    tone: Tone,
    text: String,
}

type Row = [Cell; COLUMNS];

fn plain(text: impl Into<String>) -> Cell {
    Cell { tone: Tone::Plain, text: text.into() }
}

fn toned(bad: bool, text: impl Into<String>) -> Cell {
    Cell { tone: if bad { Tone::Bad } else { Tone::Plain }, text: text.into() }
}

/// Nodes that a finding names come first.
pub(super) fn table(cluster: &Cluster, seen: &Observation, findings: &[Finding]) -> String {
    let named: BTreeSet<&NodeName> = findings
        .iter()
        .filter(|finding| finding.severity.is_problem())
        .flat_map(|finding| finding.node.iter().chain(finding.instances.iter().map(|id| &id.node)))
        .collect();
    let (mut nodes, rest): (Vec<&Node>, Vec<&Node>) =
        cluster.nodes.values().partition(|node| named.contains(&node.name));
    nodes.sort_by_key(|node| node.kind);
    let mut rest = rest;
    rest.sort_by_key(|node| node.kind);
    nodes.extend(rest);
    let rows: Vec<Row> = nodes.into_iter().flat_map(|node| rows(cluster, node, seen)).collect();
    rendered(&rows)
}

fn rendered(rows: &[Row]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].text.chars().count());
        cells.chain([HEADS[column].len()]).max().unwrap_or_default()
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let padded = |text: &str, column: usize| format!("{text:<0$}", widths[column]);
    let mut out = String::new();
    let head: Vec<String> = HEADS.iter().enumerate().map(|(column, head)| padded(head, column)).collect();
    out.push_str(head.join("  ").trim_end());
    out.push('\n');
    for row in rows {
        let mut line = String::new();
        let last = row.iter().rposition(|cell| !cell.text.is_empty()).unwrap_or_default();
        for (column, cell) in row.iter().enumerate().take(last + 1) {
            let text = if column == last { cell.text.clone() } else { padded(&cell.text, column) };
            line.push_str(if column == 0 { "" } else { "  " });
            line.push_str(&match cell.tone {
                Tone::Good => style::good(text),
                Tone::Plain => text,
                Tone::Bad => style::bad(text),
            });
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The node's line, and one more for each further standby.
fn rows(cluster: &Cluster, node: &Node, seen: &Observation) -> Vec<Row> {
    let masters = running_masters(node, seen);
    let declared = node.master_id();
    let main = masters.iter().find(|id| **id == declared).or(masters.first()).cloned().unwrap_or(declared);
    let mut others: Vec<InstanceId> =
        node.instances.values().map(|instance| instance.id.clone()).filter(|id| *id != main).collect();
    others.sort();
    let first = others.first().cloned();
    let mut all = vec![row(cluster, node, seen, &masters, Some(&main), first.as_ref())];
    all.extend(others.iter().skip(1).map(|other| row(cluster, node, seen, &masters, None, Some(other))));
    all
}

fn row(
    cluster: &Cluster,
    node: &Node,
    seen: &Observation,
    masters: &[InstanceId],
    main: Option<&InstanceId>,
    other: Option<&InstanceId>,
) -> Row {
    let facts = |id: &InstanceId| seen.instances.get(id);
    let nothing = || plain("");
    let (name, kind, master, port, timeline) = match main {
        None => (nothing(), nothing(), nothing(), nothing(), nothing()),
        Some(id) => {
            let instance = cluster.instance(id);
            let timeline = facts(id).and_then(|facts| facts.timeline.known().copied());
            (
                plain(node.name.as_str()),
                plain(short(node.kind)),
                master_cell(node, id, masters, facts(id)),
                plain(instance.map_or_else(String::new, |instance| instance.endpoint.port.to_string())),
                plain(timeline.map_or_else(String::new, |timeline| timeline.to_string())),
            )
        }
    };
    let (standby, state, behind) = match other {
        None => (nothing(), nothing(), nothing()),
        Some(id) => {
            let (bad, word) = state(masters, id, facts(id));
            let lag = facts(id).filter(|facts| facts.is_running(Role::Standby)).and_then(|own| lag(masters, own, seen));
            let late = lag.is_some_and(|lag| lag > cluster.policy.max_lag);
            (
                plain(id.server.as_str()),
                toned(bad, word),
                toned(late, lag.map_or_else(String::new, |lag| lag.to_string())),
            )
        }
    };
    [name, kind, master, port, timeline, standby, state, behind]
}

/// The word that operators use for a kind of node.
fn short(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Gtm => "gtm",
        NodeKind::Coordinator => "cn",
        NodeKind::Datanode => "dn",
    }
}

/// The server of the master, and what it is instead where it is none.
fn master_cell(node: &Node, id: &InstanceId, masters: &[InstanceId], facts: Option<&InstanceFacts>) -> Cell {
    let server = &id.server;
    if !masters.contains(id) {
        return toned(true, format!("{server} {}", state(masters, id, facts).1));
    }
    if facts.is_some_and(is_blind) {
        return toned(true, format!("{server} cannot work"));
    }
    if id.server != node.master {
        return plain(format!("{server} (file: {})", node.master));
    }
    toned(masters.len() > 1, server.as_str())
}

/// The state of an instance, in a word or two, and whether it is bad.
fn state(masters: &[InstanceId], id: &InstanceId, facts: Option<&InstanceFacts>) -> (bool, &'static str) {
    let Some(facts) = facts else { return (true, "not seen") };
    match (&facts.process, &facts.role) {
        (Fact::Unknown(_), _) => (true, "no answer"),
        (Fact::Known(Process::Stopped), _) => (true, "stopped"),
        (Fact::Known(Process::Running), Fact::Known(Role::Master)) => {
            (true, if masters.contains(id) { "MASTER TOO" } else { "master" })
        }
        (Fact::Known(Process::Running), Fact::Known(Role::Standby)) => match facts.standby.known() {
            _ if is_told_to_promote(facts) => (true, "to promote"),
            None => (true, "standby"),
            Some(standby) if !standby.streaming => (true, "not streaming"),
            Some(standby) if standby.replay_paused => (true, "paused"),
            Some(_) => (false, "streaming"),
        },
        (Fact::Known(Process::Running), Fact::Unknown(why)) => (
            true,
            match why.kind {
                UnknownKind::TimedOut => "hangs",
                UnknownKind::NoSlot => "no slot",
                _ => "not serving",
            },
        ),
    }
}
