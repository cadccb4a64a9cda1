//! `--diff`: each router's pgxc_node before and after, as a unified diff.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use similar::TextDiff;

use crate::model::{InstanceId, Observation, Route, RouteChange};
use crate::plan::{Action, Plan};

/// One diff per router that is rerouted; empty if none is.
pub fn route_diff(plan: &Plan, seen: &Observation) -> String {
    let mut out = String::new();
    for step in &plan.steps {
        if let Action::Reroute { router, routes } = &step.action {
            let before = table(router, plan, seen);
            let after = changed(&before, routes);
            let (before, after) = (text(&before), text(&after));
            let diff = TextDiff::from_lines(&before, &after);
            let name = format!("{router} pgxc_node");
            let _ = write!(
                out,
                "{}",
                diff.unified_diff().context_radius(1).header(&format!("{name} (live)"), &format!("{name} (planned)"))
            );
        }
    }
    out
}

/// The rows as the planner saw them: of the declared master, or of another copy of the node before it moves.
fn table(router: &InstanceId, plan: &Plan, seen: &Observation) -> BTreeMap<String, String> {
    let own = seen.instances.get(router).and_then(|facts| facts.routes.known());
    let mut copies = plan.cluster.nodes.get(&router.node).into_iter().flat_map(|node| node.instances.values());
    let other = || copies.find_map(|copy| seen.instances.get(&copy.id)?.routes.known());
    let rows = own.or_else(other).map(|rows| rows.as_slice()).unwrap_or_default();
    rows.iter().map(|row: &Route| (row.node.clone(), live(row))).collect()
}

fn live(row: &Route) -> String {
    let forward = row.forward.map(|port| format!(", forward {port}")).unwrap_or_default();
    format!("{}:{}{forward}", row.host, row.port)
}

fn changed(before: &BTreeMap<String, String>, routes: &[RouteChange]) -> BTreeMap<String, String> {
    let mut after = before.clone();
    for change in routes {
        let kept = |node: &str| before.get(node).and_then(|row| row.split_once(", ")).map(|(_, forward)| forward);
        let target = match (change.forward, kept(change.node.as_str())) {
            (None, Some(forward)) => format!("{}, {forward}", change.to),
            _ => change.target(),
        };
        after.insert(change.node.to_string(), target);
    }
    after
}

fn text(rows: &BTreeMap<String, String>) -> String {
    rows.iter().fold(String::new(), |mut text, (node, place)| {
        let _ = writeln!(text, "{node} {place}");
        text
    })
}
