//! As text: one block per node, one line per instance.

use std::fmt::Write as _;

use super::{NodeStatus, Tone, is_bad, nodes, sentence};
use crate::model::{Cluster, InDoubt, Observation};
use crate::view::style;

/// One block per node, one line per instance.
pub fn status_text(cluster: &Cluster, seen: &Observation) -> String {
    blocks(cluster, &nodes(cluster, seen).iter().collect::<Vec<_>>(), &seen.in_doubt) + &hints(seen)
}

/// What to do next about processes that do not show their role, each once, where the reason alone tells.
fn hints(seen: &Observation) -> String {
    let mut ways: Vec<&str> = seen.instances.values().filter_map(|facts| facts.role.reason()?.kind.way_out()).collect();
    ways.dedup();
    let mut out = String::new();
    for way in ways {
        let _ = writeln!(out, "\n{}", style::hint_line(way));
    }
    out
}

/// The same for a screen that may be too small for all of it: the one sentence, then what is not in order.
pub fn watched_text(cluster: &Cluster, seen: &Observation) -> String {
    let nodes = nodes(cluster, seen);
    let troubled = |status: &&NodeStatus<'_>| {
        !status.disagreements.is_empty() || status.instances.iter().any(|(_, line)| is_bad(line))
    };
    let (mut all, right): (Vec<_>, Vec<_>) = nodes.iter().partition(troubled);
    all.extend(right);
    format!("{}\n{}{}", sentence(&nodes), blocks(cluster, &all, &seen.in_doubt), hints(seen))
}

fn blocks(cluster: &Cluster, nodes: &[&NodeStatus<'_>], in_doubt: &[InDoubt]) -> String {
    let mut out = format!("{}\n", style::bold(&cluster.name));
    for status in nodes {
        let node = status.node;
        let _ = writeln!(out, "\n{} {}, master declared on {}", style::bold(&node.name), node.kind, node.master);
        for (instance, line) in &status.instances {
            let words: String = line.iter().map(|(tone, text)| painted(*tone, text)).collect();
            let _ = writeln!(out, "  {:<14} {:<22} {words}", instance.id, instance.endpoint.to_string());
        }
        for wrong in &status.disagreements {
            let _ = writeln!(out, "  {}", style::careful(format!("{} routes it to {}", wrong.router, wrong.routed_to)));
        }
    }
    if !in_doubt.is_empty() {
        let _ = writeln!(out, "\n{}", style::bold("In doubt"));
        for one in in_doubt {
            let text = one.to_string();
            let _ = writeln!(out, "  {}", if one.is_of_a_coordinator() { style::bad(text) } else { text });
        }
    }
    out
}

fn painted(tone: Tone, text: &str) -> String {
    match tone {
        Tone::Good => style::good(text),
        Tone::Plain => text.to_owned(),
        Tone::Bad => style::bad(text),
    }
}
