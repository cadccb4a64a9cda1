//! DOT, the language of Graphviz.

use std::fmt::Write as _;

use super::{colours, state_words};
use crate::view::escape;
use crate::view::topology::Topology;

/// A digraph: one cluster per server, a bold arrow for each master that moves, a line between copies of a node.
pub fn dot_graph(topology: &Topology) -> String {
    let mut out = format!("digraph {} {{\n  rankdir=LR;\n", escape::dot(&topology.cluster));
    out.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n");
    out.push_str("  graph [fontname=\"sans-serif\"]; edge [fontname=\"sans-serif\"];\n");
    for machine in &topology.machines {
        let _ = writeln!(out, "  subgraph {} {{", escape::dot(&format!("cluster_{}", machine.name)));
        let _ = writeln!(out, "    label={};", escape::dot(&format!("{} ({})", machine.name, machine.address)));
        for seat in &machine.seats {
            let (fill, text) = colours(seat.then.kind);
            let (name, state) = (escape::dot(seat.id.node.as_str()), escape::dot(&state_words(seat)));
            // Two quoted strings joined by a line break of DOT's own.
            let label = format!("{}\\n{}", &name[..name.len() - 1], &state[1..]);
            let id = escape::dot(&seat.id.to_string());
            let width = if seat.changes() { 3 } else { 1 };
            let _ = writeln!(
                out,
                "    {id} [label={label}, fillcolor=\"{fill}\", fontcolor=\"{text}\", penwidth={width}];"
            );
        }
        out.push_str("  }\n");
    }
    let name = |id: &dyn ToString| escape::dot(&id.to_string());
    for change in &topology.moves {
        let (from, to) = (name(&change.from), name(&change.to));
        let _ = writeln!(out, "  {from} -> {to} [label=\"{}\", penwidth=3];", change.kind);
    }
    for (a, b) in topology.copies() {
        if !topology.moves.iter().any(|change| change.from == a.id && change.to == b.id) {
            let _ = writeln!(out, "  {} -> {} [dir=none, color=\"gray\"];", name(&a.id), name(&b.id));
        }
    }
    out + "}\n"
}
