//! Invariants of what comes after the takeovers: routes, reloads, rejoins.

use std::collections::BTreeMap;

use super::PlanUnderAudit;
use crate::model::{Condition, InstanceId, NodeKind, NodeName, RouteChange};
use crate::plan::{Action, Phase, Step};

/// The rows that a step changes.
fn rows(step: &Step) -> &[RouteChange] {
    match &step.action {
        Action::RepointGtm { route, .. } => std::slice::from_ref(route),
        Action::Reroute { routes, .. } => routes,
        _ => &[],
    }
}

pub(super) fn routes_lead_to_declared_masters(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        for change in rows(step) {
            let master = audited.plan.cluster.nodes.get(&change.node).and_then(|node| node.master_instance());
            if master.is_none_or(|master| master.endpoint != change.to) {
                wrong.push(format!(
                    "{} routes {} to {}, which is not its declared master",
                    step.id, change.node, change.to
                ));
            }
        }
    }
    wrong
}

/// The steps that give a node its master, by node.
fn takeovers<'a>(audited: &PlanUnderAudit<'a>) -> BTreeMap<&'a NodeName, &'a Step> {
    let steps = audited.steps().filter(|step| matches!(step.action, Action::Promote { .. } | Action::Restart { .. }));
    steps.map(|step| (&step.action.target().node, step)).collect()
}

pub(super) fn routers_are_told_after_the_takeovers(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let takeovers = takeovers(audited);
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let early = rows(step).iter().filter_map(|change| takeovers.get(&change.node));
        let early = early.filter(|takeover| !audited.waits_for(step, takeover));
        wrong.extend(early.map(|takeover| format!("{} does not wait for {}", step.id, takeover.id)));
    }
    wrong
}

pub(super) fn each_router_reloads_once_after_it_was_told(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut count: BTreeMap<(&str, &InstanceId), usize> = BTreeMap::new();
    let mut reloads: BTreeMap<&InstanceId, &Step> = BTreeMap::new();
    for step in audited.steps() {
        *count.entry((step.action.verb(), step.action.target())).or_default() += 1;
        if let Action::Reload { router } = &step.action {
            reloads.entry(router).or_insert(step);
        }
    }
    for step in audited.steps() {
        let router: &InstanceId = match &step.action {
            Action::Reroute { router, .. } | Action::Reload { router } => router,
            _ => continue,
        };
        if count.get(&(step.action.verb(), router)).is_some_and(|same| *same > 1) {
            wrong.push(format!("{} is not the only step of its kind on {router}", step.id));
        }
        let reload = reloads.get(router);
        let told = matches!(step.action, Action::Reroute { .. });
        match reload {
            None => wrong.push(format!("{} is not followed by a reload of {router}", step.id)),
            Some(reload) if told && !reload.needs.contains(&step.id) => {
                wrong.push(format!("{} does not wait for {}", reload.id, step.id));
            }
            Some(_) => {}
        }
    }
    wrong
}

/// The pooler of a router with a new GTM address is reloaded too, by this plan or the next one; v5 needs no reload. A
/// router with a wrong GTM row cannot even read, so a SELECT that works is the proof.
pub(super) fn told_of_the_gtm_is_proved_by_a_timestamp(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let Action::RepointGtm { router, route, spares_pool } = &step.action else { continue };
        let proof = Condition::GetsTimestamp { router: router.clone() };
        if route.kind != NodeKind::Gtm || !step.after.contains(&proof) {
            wrong.push(format!("{} is not proved by a timestamp of the GTM", step.id));
        }
        let reload = |other: &&Step| matches!(&other.action, Action::Reload { router: at } if at.node == router.node);
        let reloaded = audited.steps().find(reload).is_some_and(|reload| reload.needs.contains(&step.id));
        if audited.plan.afterwards.is_none() && !spares_pool && !reloaded {
            wrong.push(format!("{} is not followed by a reload of {}", step.id, router.node));
        }
    }
    wrong
}

/// A master is never made a standby, and an old master that still waits is how a cut-off run is recognised.
pub(super) fn rejoins_follow_the_declared_master_and_come_last(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let Action::Rejoin { instance, upstream, .. } = &step.action else { continue };
        let master = audited.plan.cluster.nodes.get(&instance.node).map(crate::model::Node::master_id);
        if master.as_ref() != Some(upstream) || instance == upstream {
            wrong.push(format!("{} makes a standby of an instance that is not the declared master", step.id));
        }
        let open = audited.steps().filter(|other| matches!(other.phase, Phase::Gtm | Phase::Move | Phase::Reload));
        let open = open.filter(|other| !audited.waits_for(step, other));
        wrong.extend(open.map(|other| format!("{} does not wait for {}", step.id, other.id)));
    }
    wrong
}

/// A takeover interrupts commits over several nodes, and any other plan may follow an interrupted run. If the rest of
/// a plan is made later, that part settles.
pub(super) fn every_run_settles(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let is_coordinator = |id: &InstanceId| {
        audited.plan.cluster.nodes.get(&id.node).is_some_and(|node| node.kind == NodeKind::Coordinator)
    };
    let reloads: Vec<&Step> = audited
        .steps()
        .filter(|step| matches!(&step.action, Action::Reload { router } if is_coordinator(router)))
        .collect();
    if audited.plan.afterwards.is_some() || reloads.is_empty() {
        return Vec::new();
    }
    let Some(settle) = audited.steps().find(|step| matches!(step.action, Action::Settle { .. })) else {
        return vec!["no step settles the transactions that an earlier stop may have left in doubt".to_owned()];
    };
    let early = reloads.into_iter().filter(|reload| !audited.waits_for(settle, reload));
    early.map(|reload| format!("{} does not wait for {}", settle.id, reload.id)).collect()
}
