//! Mermaid, as GitHub and GitLab draw it in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{colours, state_words};
use crate::model::InstanceId;
use crate::view::escape;
use crate::view::topology::{StateKind, Topology};

/// Mermaid draws at most 500 edges (`maxEdges`) and then nothing at all; moves come first.
const MOST_EDGES: usize = 400;

/// A flowchart: one subgraph per server, a thick arrow for each master that moves.
pub fn mermaid_graph(topology: &Topology) -> String {
    let mut out = String::from("flowchart LR\n");
    let ids: BTreeMap<&InstanceId, usize> = topology.seats().enumerate().map(|(n, seat)| (&seat.id, n)).collect();
    for (n, machine) in topology.machines.iter().enumerate() {
        let label = escape::mermaid(&format!("{} ({})", machine.name, machine.address));
        let _ = writeln!(out, "  subgraph s{n}[\"{label}\"]");
        for seat in &machine.seats {
            let label =
                format!("{}<br/>{}", escape::mermaid(seat.id.node.as_str()), escape::mermaid(&state_words(seat)));
            let class = seat.then.kind.word();
            let changed = if seat.changes() { "Changed" } else { "" };
            let _ = writeln!(out, "    n{}[\"{label}\"]:::{class}{changed}", ids[&seat.id]);
        }
        out.push_str("  end\n");
    }
    edges(&mut out, topology, &ids);
    for kind in StateKind::ALL {
        let (fill, text) = colours(kind);
        let class = kind.word();
        let _ = writeln!(out, "  classDef {class} fill:{fill},color:{text},stroke:{text}");
        let _ = writeln!(out, "  classDef {class}Changed fill:{fill},color:{text},stroke:#bf3989,stroke-width:4px");
    }
    out
}

fn edges(out: &mut String, topology: &Topology, ids: &BTreeMap<&InstanceId, usize>) {
    let mut left = MOST_EDGES;
    for change in &topology.moves {
        if let (Some(from), Some(to)) = (ids.get(&change.from), ids.get(&change.to))
            && left > 0
        {
            let _ = writeln!(out, "  n{from} == {} ==> n{to}", change.kind);
            left -= 1;
        }
    }
    let moved = |a: &InstanceId, b: &InstanceId| topology.moves.iter().any(|m| m.from == *a && m.to == *b);
    let copies = topology.copies();
    for (a, b) in copies.into_iter().filter(|(a, b)| !moved(&a.id, &b.id)).take(left) {
        // From the earlier server to the later: Mermaid lays ranks out along edges, and so servers become columns.
        let (a, b) = (ids[&a.id], ids[&b.id]);
        let _ = writeln!(out, "  n{} --- n{}", a.min(b), a.max(b));
    }
}
