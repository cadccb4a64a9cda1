//! Invariants of a salvage: nothing is promoted before the proof that it has what was brought to it.

use super::PlanUnderAudit;
use crate::model::{Condition, InstanceId};
use crate::plan::{Action, Step};

/// Whether `promotion`, of `to`, waits for the step on which the word of data-loss rests, and that step proves it.
pub(super) fn is_brought(audited: &PlanUnderAudit<'_>, promotion: &Step, to: &InstanceId) -> bool {
    let loss = format!("data-loss:{}", to.node);
    let mut rests = audited
        .plan
        .checks
        .iter()
        .filter(|check| check.id.as_str() == loss)
        .filter_map(|check| check.rests_on.as_ref());
    rests.all(|id| {
        let step = audited.before(promotion).into_iter().find(|step| step.id == *id);
        step.is_some_and(|step| {
            matches!(&step.action, Action::Salvage { standby, .. } if standby == to) && proves(step)
        })
    })
}

/// Whether a salvage ends only where the standby has replayed all that is brought.
fn proves(step: &Step) -> bool {
    let Action::Salvage { standby, source, to, .. } = &step.action else { return false };
    let all = Condition::ReplayedTo { standby: standby.clone(), source: source.clone(), position: *to };
    step.after.contains(&all)
}

pub(super) fn what_is_salvaged_comes_from_a_fenced_copy_before_the_promotion(
    audited: &PlanUnderAudit<'_>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let Action::Salvage { standby, source, .. } = &step.action else { continue };
        if !step.before.contains(&Condition::Stopped { instance: source.clone() }) {
            wrong.push(format!("{} does not verify that {source} is stopped", step.id));
        }
        let is_fence = |other: &&Step| matches!(&other.action, Action::Fence { instance, .. } if instance == source);
        let open = audited.plan.facts.get(&format!("{source}: starts as")).map(String::as_str) == Some("master");
        if open && !audited.before(step).iter().any(is_fence) {
            wrong.push(format!("{} takes WAL from {source}, which may be started as a master", step.id));
        }
        if source.node != standby.node {
            wrong.push(format!("{} brings WAL of another node", step.id));
        }
        let promotions = audited
            .steps()
            .filter(|other| matches!(&other.action, Action::Promote { instance } if instance == standby));
        let hasty = promotions.filter(|promotion| !audited.waits_for(promotion, step));
        wrong.extend(hasty.map(|promotion| format!("{} does not wait for {}", promotion.id, step.id)));
    }
    wrong
}
