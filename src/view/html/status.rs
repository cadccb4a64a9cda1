//! The live cluster as a page.

use maud::{Markup, html};

use super::{DRAWN, figure, findings, legend, page, table};
use crate::model::{Instance, Node, NodeName};
use crate::view::escape::visible;
use crate::view::graph::When;
use crate::view::status::{Line, NodeStatus, Status, Tone, is_bad, nodes, sentence};
use crate::view::topology::Topology;
use crate::view::words::count;

/// Renders the live cluster as one page: what is wrong first, what is in order folded.
pub fn status_html(status: &Status<'_>, observed_at: &str) -> String {
    let Status { subject, cluster, seen, findings: found } = status;
    let nodes = nodes(cluster, seen);
    let name = visible(subject);
    let bad = troubled(&nodes);
    let topology = Topology::of_live(cluster, seen).limited(&bad, DRAWN);
    let in_order = !found.iter().any(|finding| finding.severity.is_problem());
    let (wrong, right): (Vec<_>, Vec<_>) = rows(&nodes).into_iter().partition(|(bad, _)| *bad);
    let cells = |rows: Vec<(bool, Vec<Markup>)>| rows.into_iter().map(|(_, cells)| cells).collect::<Vec<_>>();
    let heads = ["instance", "kind", "endpoint", "state"];
    let body = html! {
        h1 { "otb status: " (name) }
        div class=(if in_order { "banner done" } else { "banner refused" }) {
            strong { (visible(&sentence(cluster, found))) "." }
        }
        (findings(found))
        @if !wrong.is_empty() {
            h2 { "Instances that are not in order" }
            (table(&heads, cells(wrong)))
        }
        h2 { "Topology" }
        (figure("Now", &topology, When::Now))
        (legend(&topology))
        @if !right.is_empty() {
            details {
                summary { (count(right.len(), "instance")) " in order" }
                (table(&heads, cells(right)))
            }
        }
        p class="quiet" { "Observed " (visible(observed_at)) }
    };
    page(&format!("otb status: {name}"), &body)
}

/// Nodes of which something is not in order: of a large cluster these are drawn.
fn troubled<'a>(nodes: &[NodeStatus<'a>]) -> Vec<&'a NodeName> {
    let bad = |status: &&NodeStatus<'a>| status.instances.iter().any(|(_, line)| is_bad(line));
    nodes.iter().filter(bad).map(|status| &status.node.name).collect()
}

/// Each instance's cells, and whether something there is not in order.
fn rows(nodes: &[NodeStatus<'_>]) -> Vec<(bool, Vec<Markup>)> {
    let instances = nodes.iter().flat_map(|status| status.instances.iter().map(move |entry| (status.node, entry)));
    let row = |(node, (instance, line)): (&Node, &(&Instance, Line))| {
        let state = html! {
            @for (tone, words) in line {
                @match tone {
                    Tone::Good => { span class="good" { (visible(words)) } }
                    Tone::Plain => { (visible(words)) }
                    Tone::Bad => { span class="bad" { (visible(words)) } }
                }
            }
        };
        let cells = vec![
            html! { code { (visible(&instance.id.to_string())) } },
            html! { (node.kind) },
            html! { code { (instance.endpoint) } },
            state,
        ];
        (is_bad(line), cells)
    };
    instances.map(row).collect()
}
