//! Invariants of a node that has two masters: the declared one is kept, the other ends for good, and a person said so.

use super::PlanUnderAudit;
use crate::model::{Condition, InstanceId, NodeKind, Role};
use crate::plan::{Action, RejoinMethod, Step, Undo, Verdict};

fn was_master(audited: &PlanUnderAudit<'_>, id: &InstanceId) -> bool {
    audited.plan.facts.get(&format!("{id}: role")).is_some_and(|role| role == "master")
}

/// Whether `id` runs as a master beside the declared one.
pub(super) fn is_second_master(audited: &PlanUnderAudit<'_>, id: &InstanceId) -> bool {
    let declared = audited.plan.cluster.nodes.get(&id.node).map(crate::model::Node::master_id);
    declared.is_some_and(|declared| declared != *id && was_master(audited, &declared) && was_master(audited, id))
}

fn stops<'a>(audited: &PlanUnderAudit<'a>) -> impl Iterator<Item = (&'a Step, &'a InstanceId)> + use<'a> {
    audited.steps().filter_map(|step| match &step.action {
        Action::Stop { instance, .. } => Some((step, instance)),
        _ => None,
    })
}

/// No master of two ends without a waiver of that name. The kept one is proved to run when the other one ends. The one
/// that ended is never started as a master again, and no router is rerouted away from it before.
pub(super) fn a_second_master_ends_by_name_and_for_good(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (step, id) in stops(audited).filter(|(_, id)| is_second_master(audited, id)) {
        let verdict = |check: &str| {
            let name = format!("{check}:{}", id.node);
            audited.plan.checks.iter().find(|found| found.id.as_str() == name).map(|found| found.verdict)
        };
        if verdict("split-brain") != Some(Verdict::Waived) {
            wrong.push(format!("{} gives up a master, but no waiver of split-brain:{} allows it", step.id, id.node));
        }
        if !matches!(verdict("kept-copy"), Some(Verdict::Pass | Verdict::Warn)) {
            wrong.push(format!("{} gives up a master, but no check decides which one is kept", step.id));
        }
        if step.undo != Undo::Never {
            wrong.push(format!("{} could be undone: that would make two masters", step.id));
        }
        let declared = audited.plan.cluster.nodes.get(&id.node).map(crate::model::Node::master_id);
        let kept = declared.map(|instance| Condition::Runs { instance, role: Role::Master });
        if kept.is_none_or(|kept| !step.before.contains(&kept)) {
            wrong.push(format!("{} does not ensure that the kept master runs", step.id));
        }
        let told = audited.steps().filter(|other| match &other.action {
            Action::Reroute { routes, .. } => routes.iter().any(|change| change.node == id.node),
            Action::RepointGtm { route, .. } => route.node == id.node,
            _ => false,
        });
        let early = told.filter(|told| !audited.before(told).iter().any(|before| before.id == step.id));
        wrong.extend(early.map(|told| format!("{} does not wait for {}", told.id, step.id)));
    }
    wrong
}

/// A copy with rows of its own that is started as a standby as it is would never follow, or follow with them in it.
pub(super) fn its_rows_are_not_taken_for_the_clusters(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let Action::Rejoin { instance, method, .. } = &step.action else { continue };
        let holds_rows = audited.plan.cluster.instance(instance).is_some_and(|at| at.kind != NodeKind::Gtm);
        if holds_rows && is_second_master(audited, instance) && *method != RejoinMethod::BaseBackup {
            wrong.push(format!("{} would treat the rows of a second master as the cluster's rows", step.id));
        }
    }
    wrong
}
