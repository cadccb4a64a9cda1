//! The live cluster as a page.

use maud::{Markup, html};

use super::{DRAWN, figure, legend, page, table};
use crate::model::{Cluster, NodeName, Observation};
use crate::view::escape::visible;
use crate::view::graph::When;
use crate::view::status::{Line, NodeStatus, Tone, is_bad, nodes, sentence};
use crate::view::topology::Topology;

/// Renders the live cluster as one page.
pub fn status_html(cluster: &Cluster, seen: &Observation, observed_at: &str) -> String {
    let nodes = nodes(cluster, seen);
    let name = visible(cluster.name.as_str());
    let topology = Topology::of_live(cluster, seen).limited(&troubled(&nodes), DRAWN);
    let body = html! {
        h1 { "otb status: " (name) }
        @let troubled = troubled(&nodes);
        div class=(if troubled.is_empty() { "banner done" } else { "banner refused" }) { strong { (sentence(&nodes)) "." } }
        (disagreements(&nodes))
        h2 { "Topology" }
        (figure("Now", &topology, When::Now))
        (legend(&topology))
        h2 { "Instances" }
        (table(&["instance", "kind", "endpoint", "state"], rows(&nodes)))
        p class="quiet" { "Observed " (visible(observed_at)) }
    };
    page(&format!("otb status: {name}"), &body)
}

/// Nodes of which something is not in order: of a large cluster these are drawn.
fn troubled<'a>(nodes: &[NodeStatus<'a>]) -> Vec<&'a NodeName> {
    let bad = |status: &&NodeStatus<'a>| {
        !status.disagreements.is_empty() || status.instances.iter().any(|(_, line)| is_bad(line))
    };
    nodes.iter().filter(bad).map(|status| &status.node.name).collect()
}

fn disagreements(nodes: &[NodeStatus<'_>]) -> Markup {
    let wrong = nodes.iter().flat_map(|status| &status.disagreements).map(|wrong| {
        let texts =
            [wrong.node.to_string(), wrong.router.to_string(), wrong.routed_to.clone(), wrong.master.to_string()];
        texts.iter().map(|text| html! { code { (visible(text)) } }).collect()
    });
    let wrong: Vec<Vec<Markup>> = wrong.collect();
    html! {
        @if !wrong.is_empty() {
            h2 { "Routes that disagree with the running masters" }
            (table(&["node", "router", "routes it to", "its master"], wrong))
        }
    }
}

fn rows(nodes: &[NodeStatus<'_>]) -> Vec<Vec<Markup>> {
    let instances = nodes.iter().flat_map(|status| status.instances.iter().map(move |entry| (status.node, entry)));
    let row = |(node, (instance, line)): (&crate::model::Node, &(&crate::model::Instance, _))| {
        let line: &Line = line;
        let state = html! {
            @for (tone, words) in line {
                @match tone {
                    Tone::Good => { span class="good" { (visible(words)) } }
                    Tone::Plain => { (visible(words)) }
                    Tone::Bad => { span class="bad" { (visible(words)) } }
                }
            }
        };
        vec![
            html! { code { (visible(&instance.id.to_string())) } },
            html! { (node.kind) },
            html! { code { (instance.endpoint) } },
            state,
        ]
    };
    instances.map(row).collect()
}
