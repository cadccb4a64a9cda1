//! The part of a refused plan that could be done without the rest.

use std::collections::BTreeSet;

use super::document::Plan;
use super::planner::{Input, draft};
use crate::model::NodeName;

/// Whom the first look leaves may be refused by a check that shows only then.
const LOOKS: usize = 4;

/// The nodes of `refused` that could change while the others stay as they are: a plan of these alone changes each of them,
/// and no check refuses it. Empty: there are none.
pub(super) fn independent_nodes(input: &Input<'_>, refused: &Plan) -> Vec<NodeName> {
    let mut rest = free(refused, changing(refused));
    for _ in 0..LOOKS {
        if rest.is_empty() {
            return rest;
        }
        let alone = draft(&Input { targets: &rest, observed_at: String::new(), ..*input });
        let left = free(&alone, changing(&alone));
        if left != rest {
            rest = left;
        } else if alone.is_refused() {
            return Vec::new();
        } else {
            return rest;
        }
    }
    Vec::new()
}

fn changing(plan: &Plan) -> Vec<NodeName> {
    let nodes: BTreeSet<&NodeName> = plan.changes.iter().map(|change| &change.node).collect();
    nodes.into_iter().cloned().collect()
}

/// Those of `nodes` that no refusing check names.
fn free(plan: &Plan, mut nodes: Vec<NodeName>) -> Vec<NodeName> {
    let named: BTreeSet<&str> = plan.refusing().map(|check| check.id.node()).collect();
    nodes.retain(|node| !named.contains(node.as_str()));
    nodes
}
