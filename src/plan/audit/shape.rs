//! Invariants of the document itself.

use std::collections::{BTreeMap, BTreeSet};

use super::PlanUnderAudit;
use crate::model::InstanceId;
use crate::plan::{Action, Phase, Step, StepId, Verdict};

pub(super) fn ids_are_unique_and_their_actions(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for step in audited.steps() {
        if !seen.insert(&step.id) {
            wrong.push(format!("{} appears twice", step.id));
        }
        if step.id.as_str() != format!("{}:{}", step.action.verb(), step.action.target()) {
            wrong.push(format!("{} does something else than its name says", step.id));
        }
    }
    wrong
}

/// So there is an order to do them in.
pub(super) fn needs_are_earlier_steps_of_no_later_phase(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut earlier: BTreeMap<&StepId, &Step> = BTreeMap::new();
    let mut wrong = Vec::new();
    for step in audited.steps() {
        for need in &step.needs {
            match earlier.get(need) {
                None => wrong.push(format!("{} needs {need}, which is not an earlier step", step.id)),
                Some(earlier) if earlier.phase > step.phase => {
                    wrong.push(format!("{} needs {need}, which belongs to a later phase", step.id));
                }
                Some(_) => {}
            }
        }
        earlier.entry(&step.id).or_insert(step);
    }
    wrong
}

fn named(step: &Step) -> Vec<&InstanceId> {
    let mut all = vec![step.action.target()];
    match &step.action {
        Action::StageFence { upstream, .. }
        | Action::Fence { upstream, .. }
        | Action::Return { upstream, .. }
        | Action::Rejoin { upstream, .. } => {
            all.push(upstream);
        }
        Action::CatchUp { source, .. } | Action::Salvage { source, .. } => all.push(source),
        Action::Prove { instances, .. } => all.extend(instances),
        Action::Settle { masters, .. } => all.extend(masters.iter()),
        Action::Hold { coordinators, masters, .. } => all.extend(coordinators.iter().chain(masters.iter())),
        Action::Release { coordinators, .. } => all.extend(coordinators.iter()),
        _ => {}
    }
    all
}

pub(super) fn instances_are_declared(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let unknown = |id: &&InstanceId| audited.plan.cluster.instance(id).is_none();
    let strangers = audited.steps().flat_map(|step| named(step).into_iter().filter(unknown).map(move |id| (step, id)));
    strangers.map(|(step, id)| format!("{} names {id}, which its cluster does not declare", step.id)).collect()
}

/// With `--target`, roles and rows of other nodes stay as they are.
pub(super) fn targets_are_kept(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let targets = &audited.plan.targets;
    if targets.is_empty() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let moves = matches!(step.phase, Phase::Prepare | Phase::Gtm | Phase::Move | Phase::Return | Phase::Rejoin);
        let nodes = match &step.action {
            Action::RepointGtm { route, .. } => vec![&route.node],
            Action::Reroute { routes, .. } => routes.iter().map(|change| &change.node).collect(),
            other if moves => vec![&other.target().node],
            _ => Vec::new(),
        };
        let connections = nodes.into_iter().filter(|node| !targets.contains(node));
        wrong.extend(connections.map(|node| format!("{} changes {node}, which is not a target", step.id)));
    }
    wrong
}

pub(super) fn limits_are_set(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let endless = audited.steps().filter(|step| step.limit_seconds == 0);
    endless.map(|step| format!("{} has no time limit", step.id)).collect()
}

pub(super) fn checks_let_it_pass(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for check in &audited.plan.checks {
        let waiver = audited.plan.waivers.iter().find(|waiver| waiver.check == check.id);
        match check.verdict {
            Verdict::Block | Verdict::Unknown => wrong.push(format!("{} refuses", check.id)),
            Verdict::Waived if !check.code.is_waivable() => wrong.push(format!("{} cannot be waived", check.id)),
            Verdict::Waived if waiver.is_none_or(|waiver| waiver.reason.trim().is_empty()) => {
                wrong.push(format!("{} is waived without a waiver that gives a reason", check.id));
            }
            Verdict::Waived | Verdict::Pass | Verdict::Warn => {}
        }
    }
    wrong
}
