//! As text: one block per node, one line per instance.

use std::fmt::Write as _;

use super::{Tone, nodes};
use crate::model::{Cluster, Observation};
use crate::view::style;

/// One block per node, one line per instance.
pub fn status_text(cluster: &Cluster, seen: &Observation) -> String {
    let mut out = format!("{}\n", style::bold(&cluster.name));
    for status in nodes(cluster, seen) {
        let node = status.node;
        let _ = writeln!(out, "\n{} {}, master declared on {}", style::bold(&node.name), node.kind, node.master);
        for (instance, line) in status.instances {
            let words: String = line.iter().map(|(tone, text)| painted(*tone, text)).collect();
            let _ = writeln!(out, "  {:<14} {:<22} {words}", instance.id, instance.endpoint.to_string());
        }
        for wrong in status.disagreements {
            let _ = writeln!(out, "  {}", style::careful(format!("{} routes it to {}", wrong.router, wrong.routed_to)));
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
