//! The step after which no transaction from before the run is in doubt.

use std::sync::Arc;

use super::{is_takeover, wording};
use crate::model::{Cluster, Condition, InstanceId, Node, NodeKind, Role};
use crate::plan::document::{Change, ChangeKind};
use crate::plan::limits;
use crate::plan::step::{Action, Phase, Step, StepId, Undo};

/// Adds the step to each plan that does anything, and where a transaction is in doubt already: a stopped or killed master
/// cuts commits over several nodes in half, and clients that read such a row hang (docs/explanation/in-doubt.md). A plan
/// that only updates routes or starts a node often follows such a stop.
///
/// A node of which no master runs, and which gets none, is not asked; `serves` says of the others. The step waits for the
/// reloads, because pg_clean reaches the nodes through the pooler, for the standbys that its own commits wait for, and for
/// nothing after that: clients wait meanwhile.
pub(in crate::plan) fn settle(
    cluster: &Cluster,
    steps: &mut Vec<Step>,
    changes: &[Change],
    serves: &dyn Fn(&Node) -> bool,
) {
    let gets_a_master =
        |node: &Node| steps.iter().any(|step| is_takeover(step) && step.action.target().node == node.name);
    let will_serve = |node: &&Node| serves(node) || gets_a_master(node);
    let wanted = !steps.is_empty() || changes.iter().any(|change| change.kind == ChangeKind::Settle);
    let masters: Vec<InstanceId> = cluster.routers().filter(will_serve).map(Node::master_id).collect();
    let coordinator = cluster.nodes_of(NodeKind::Coordinator).find(will_serve).map(Node::master_id);
    let (true, Some(coordinator)) = (wanted, coordinator) else { return };
    let masters = Arc::new(masters);
    let action = Action::Settle { coordinator: coordinator.clone(), masters: Arc::clone(&masters) };
    let before_it = |step: &&Step| matches!(step.phase, Phase::Gtm | Phase::Move | Phase::Return | Phase::Reload);
    let needs: Vec<StepId> = steps.iter().filter(before_it).map(|step| step.id.clone()).collect();
    let step = Step {
        id: action.id(),
        phase: Phase::Settle,
        run: wording::Worded::default().run(cluster, &action),
        before: vec![Condition::Runs { instance: coordinator, role: Role::Master }],
        after: vec![Condition::Settled { masters }],
        limit_seconds: limits::of(&action).as_secs(),
        undo: Undo::Never,
        point_of_no_return: false,
        why: "A commit that stopped in the middle stays prepared, and clients that need its rows wait until it is \
            finished."
            .to_owned(),
        needs,
        action,
    };
    // Rejoins stand after it.
    let at = steps.iter().position(|step| step.phase > Phase::Settle).unwrap_or(steps.len());
    steps.insert(at, step);
}
