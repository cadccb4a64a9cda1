//! Invariants of standbys that return before the routes are updated.

use super::PlanUnderAudit;
use crate::model::{Condition, Node};
use crate::plan::{Action, Phase, RejoinMethod, Step};

/// The proof that commits end: the master has standbys that count.
pub(super) fn proofs(step: &Step) -> Vec<Condition> {
    let wanted = |condition: &&Condition| matches!(condition, Condition::Synchronous { master, standbys } if master == step.action.target() && *standbys > 0);
    let found = step.after.iter().find(wanted).cloned();
    let missing = || Condition::Synchronous { master: step.action.target().clone(), standbys: 1 };
    vec![found.unwrap_or_else(missing)]
}

/// It follows the declared master once that is one, and a later step takes the mark of its fence away: until then a run
/// that is cut off is recognised by it.
pub(super) fn returns_keep_their_fence(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let Action::Return { instance, upstream, .. } = &step.action else { continue };
        let master = audited.plan.cluster.nodes.get(&instance.node).map(Node::master_id);
        if master.as_ref() != Some(upstream) || instance == upstream {
            wrong.push(format!("{} makes a standby of an instance that is not the declared master", step.id));
        }
        let takes_over = |other: &&Step| {
            matches!(other.phase, Phase::Gtm | Phase::Move)
                && other.action.target().node == instance.node
                && matches!(other.action, Action::Promote { .. } | Action::Restart { .. } | Action::Stop { .. })
        };
        let early = audited.steps().filter(takes_over).filter(|other| !audited.waits_for(step, other));
        wrong.extend(early.map(|other| format!("{} does not wait for {}", step.id, other.id)));
        let lifts = |other: &Step| {
            matches!(&other.action, Action::Rejoin { instance: at, method: RejoinMethod::Unfence, .. } if at == instance)
                && audited.waits_for(other, step)
        };
        if !audited.steps().any(lifts) {
            wrong.push(format!("{} leaves the mark of a fence in recovery.conf of {instance}", step.id));
        }
    }
    wrong
}

/// A commit that waits is tried after every return of its node.
pub(super) fn returns_are_proved_by_a_commit(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let Action::ProveCommit { instance } = &step.action else { continue };
        let returns = audited.steps().filter(|other| other.phase == Phase::Return);
        let own = returns.filter(|other| other.action.target().node == instance.node);
        let open = own.filter(|other| !audited.waits_for(step, other));
        wrong.extend(open.map(|other| format!("{} does not wait for {}", step.id, other.id)));
    }
    wrong
}
