//! Invariants of takeovers: one writable master, and no transaction lost without a waiver.

use std::collections::BTreeMap;

use super::PlanUnderAudit;
use crate::model::{Condition, InstanceId, Node, NodeKind, NodeName};
use crate::plan::{Action, Phase, Step, Verdict};

fn promotions<'a>(audited: &PlanUnderAudit<'a>) -> impl Iterator<Item = (&'a Step, &'a InstanceId)> + use<'a> {
    audited.steps().filter_map(|step| match &step.action {
        Action::Promote { instance } => Some((step, instance)),
        _ => None,
    })
}

fn node<'a>(audited: &PlanUnderAudit<'a>, id: &InstanceId) -> Option<&'a Node> {
    audited.plan.cluster.nodes.get(&id.node)
}

/// Whether the plan says of a check that it passed or was lifted by name.
fn lets_pass(audited: &PlanUnderAudit<'_>, check: &str) -> bool {
    let ok = |verdict: Verdict| matches!(verdict, Verdict::Pass | Verdict::Warn | Verdict::Waived);
    audited.plan.checks.iter().any(|found| found.id.as_str() == check && ok(found.verdict))
}

pub(super) fn one_promotion_per_node_of_the_declared_master(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let becomes = |step: &Step| matches!(step.action, Action::Promote { .. } | Action::Restart { .. });
    let mut times: BTreeMap<&NodeName, usize> = BTreeMap::new();
    for step in audited.steps().filter(|step| becomes(step)) {
        *times.entry(&step.action.target().node).or_default() += 1;
    }
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let becomes = becomes(step);
        let id = step.action.target();
        if becomes && node(audited, id).is_none_or(|node| node.master_id() != *id) {
            wrong.push(format!("{} promotes an instance that is not the declared master", step.id));
        }
        let ends = matches!(step.action, Action::Stop { .. }) && super::split::is_second_master(audited, id);
        if step.point_of_no_return != (ends || matches!(step.action, Action::Promote { .. })) {
            wrong.push(format!("{} has a wrong mark of the point of no return", step.id));
        }
        if becomes && times.get(&id.node).is_some_and(|times| *times > 1) {
            wrong.push(format!("{} is not the only step that gives {} a master", step.id, id.node));
        }
    }
    wrong
}

/// Every other copy is stopped by an earlier step, or was seen stopped and must still be, or is a standby, or its
/// state is waived by name.
pub(super) fn nothing_is_promoted_beside_what_may_be_written_to(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (step, to) in promotions(audited) {
        let others = node(audited, to).into_iter().flat_map(|node| node.instances.values());
        for other in others.map(|instance| &instance.id).filter(|id| *id != to) {
            if !is_harmless(audited, step, other) {
                wrong.push(format!("{} would promote while {other} may still accept writes", step.id));
            }
        }
    }
    wrong
}

fn is_harmless(audited: &PlanUnderAudit<'_>, promotion: &Step, other: &InstanceId) -> bool {
    let stopped = Condition::Stopped { instance: other.clone() };
    let asked_again = promotion.before.contains(&stopped);
    match audited.plan.facts.get(&format!("{other}: role")).map(String::as_str) {
        Some("standby") => true,
        Some("master") => asked_again && is_stopped_before(audited, promotion, other),
        Some(seen) if seen.starts_with("stopped") => asked_again,
        _ => is_ended_before(audited, promotion, other) || is_waived(audited, &format!("fence:{}", other.node)),
    }
}

/// Whether the plan says of a check that it was lifted by name.
fn is_waived(audited: &PlanUnderAudit<'_>, check: &str) -> bool {
    audited.plan.checks.iter().any(|found| found.id.as_str() == check && found.verdict == Verdict::Waived)
}

/// The end of a process that hangs, which must leave it stopped and fenced, and that the promotion waits for.
fn is_ended_before(audited: &PlanUnderAudit<'_>, promotion: &Step, other: &InstanceId) -> bool {
    let Some(promotion) = audited.step(&promotion.id) else { return false };
    let stopped = Condition::Stopped { instance: other.clone() };
    let is_end = |step: &Step| matches!(&step.action, Action::End { instance } if instance == other);
    let mut before = audited.before(promotion).into_iter();
    promotion.before.contains(&stopped) && before.any(|step| is_end(step) && step.after.contains(&stopped))
}

/// A stop that must leave a clean control file, and that the promotion waits for.
fn is_stopped_before(audited: &PlanUnderAudit<'_>, promotion: &Step, other: &InstanceId) -> bool {
    let clean = Condition::CleanlyStopped { instance: other.clone() };
    let Some(promotion) = audited.step(&promotion.id) else { return false };
    let before = audited.before(promotion);
    let is_stop = |step: &Step| matches!(&step.action, Action::Stop { instance, .. } if instance == other);
    before.iter().any(|step| is_stop(step) && step.after.contains(&clean))
}

/// Either the promotion waits until all WAL of the stopped master is replayed, or the plan carries the word of
/// data-loss and fence.
pub(super) fn nothing_is_promoted_that_may_lack_transactions(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (step, to) in promotions(audited) {
        let is_gtm = node(audited, to).is_some_and(|node| node.kind == NodeKind::Gtm);
        let caught_up = audited.before(step).into_iter().any(|before| match &before.action {
            Action::CatchUp { standby, source } => {
                let all = Condition::ReplayedAll { standby: standby.clone(), source: source.clone() };
                standby == to && before.after.contains(&all)
            }
            _ => false,
        });
        let told =
            |check: &str| audited.plan.checks.iter().any(|found| found.id.as_str() == format!("{check}:{}", to.node));
        // No file of a stopped GTM shows how far it had gone: the plan must only report that it may repeat values.
        let loss = if is_gtm { told("data-loss") } else { lets_pass(audited, &format!("data-loss:{}", to.node)) };
        let brought = super::salvage::is_brought(audited, step, to);
        let accepted = loss && brought && lets_pass(audited, &format!("fence:{}", to.node));
        if !caught_up && !accepted {
            wrong.push(format!("{} may lose transactions, but the plan does not report it", step.id));
        }
    }
    wrong
}

/// It would come up as a second master, and nothing in OpenTenBase complains of two.
pub(super) fn a_stopped_master_is_fenced(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let (instance, fenced) = match &step.action {
            Action::Stop { instance, fenced } => (instance, fenced),
            Action::End { instance } => (instance, &true),
            _ => continue,
        };
        let staged = audited.before(step).into_iter().any(|before| match &before.action {
            Action::StageFence { instance: at, upstream } => {
                at == instance && node(audited, instance).is_some_and(|node| node.master_id() == *upstream)
            }
            _ => false,
        });
        let proved = step
            .after
            .iter()
            .any(|condition| matches!(condition, Condition::Fenced { instance: at, .. } if at == instance));
        if !(*fenced && staged && proved) {
            wrong.push(format!(
                "{} leaves {instance} without a fence: after its next start it would be a second \
                master",
                step.id
            ));
        }
    }
    wrong
}

/// The same of copies that do not run: by their files they are masters, and anybody may start them.
pub(super) fn what_would_start_as_a_master_is_fenced(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for (step, to) in promotions(audited) {
        let before = audited.before(step);
        let is_fenced = |id: &InstanceId| {
            before.iter().any(|step| match &step.action {
                Action::Fence { instance, upstream } => instance == id && upstream == to,
                _ => false,
            })
        };
        let others = node(audited, to).into_iter().flat_map(|node| node.instances.values());
        for other in others.map(|instance| &instance.id).filter(|id| *id != to) {
            let open = match audited.plan.facts.get(&format!("{other}: starts as")).map(String::as_str) {
                Some("master") => !is_fenced(other),
                Some("unknown") => !lets_pass(audited, &format!("fence:{}", other.node)),
                _ => false,
            };
            if open {
                wrong.push(format!(
                    "{} leaves {other} without a fence: after its next start it would be a second \
                    master",
                    step.id
                ));
            }
        }
    }
    wrong
}

pub(super) fn nothing_is_restarted_beside_a_master(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let Action::Restart { instance, .. } = &step.action else { continue };
        let others = node(audited, instance).into_iter().flat_map(|node| node.instances.values());
        for other in others.map(|other| &other.id).filter(|id| *id != instance) {
            let role = audited.plan.facts.get(&format!("{other}: role")).map_or("unknown", String::as_str);
            if role != "standby" && !role.starts_with("stopped") {
                wrong.push(format!("{} would start a master while {other} may be one", step.id));
            }
        }
        if !step.before.contains(&Condition::Stopped { instance: instance.clone() }) {
            wrong.push(format!("{} does not verify that {instance} is stopped", step.id));
        }
    }
    wrong
}

/// A GTM that is promoted before loses its place in its log: while its master still runs, it is waited for.
pub(super) fn a_gtm_standby_has_redone_a_record(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let is_gtm = |id: &InstanceId| node(audited, id).is_some_and(|node| node.kind == NodeKind::Gtm);
    let mut wrong = Vec::new();
    for stop in audited.steps() {
        let Action::Stop { instance, .. } = &stop.action else { continue };
        let Some((_, to)) = promotions(audited).find(|(_, to)| is_gtm(to) && to.node == instance.node) else {
            continue;
        };
        let streams = Condition::Streams { standby: to.clone(), upstream: instance.clone() };
        let awaited = audited.before(stop).into_iter().any(|step| {
            matches!(&step.action, Action::AwaitRedo { standby, .. } if standby == to) && step.after.contains(&streams)
        });
        if !awaited {
            wrong.push(format!("{} does not wait until {to} has replayed a record", stop.id));
        }
    }
    wrong
}

/// ALTER NODE on a datanode requires a GTM that answers, and so does every proof: until it serves and every running
/// router has its address, nothing else is interrupted.
pub(super) fn the_gtm_goes_first(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let is_gtm = |id: &InstanceId| node(audited, id).is_some_and(|node| node.kind == NodeKind::Gtm);
    let takes_over = |step: &Step| {
        matches!(
            step.action,
            Action::Stop { .. } | Action::End { .. } | Action::Promote { .. } | Action::Restart { .. }
        )
    };
    let mut wrong = Vec::new();
    let own =
        audited.steps().filter(|step| step.phase == Phase::Gtm || takes_over(step) && is_gtm(step.action.target()));
    for gtm in own {
        for step in audited.steps().filter(|step| takes_over(step) && !is_gtm(step.action.target())) {
            if !audited.waits_for(step, gtm) {
                wrong.push(format!("{} does not wait for {}", step.id, gtm.id));
            }
        }
    }
    wrong
}

/// The GTM's part is the GTM's alone, and all of its takeover stands there.
pub(super) fn the_gtm_goes_alone(audited: &PlanUnderAudit<'_>) -> Vec<String> {
    let is_gtm = |id: &InstanceId| node(audited, id).is_some_and(|node| node.kind == NodeKind::Gtm);
    let mut wrong = Vec::new();
    for step in audited.steps() {
        let own = is_gtm(step.action.target());
        match (&step.action, step.phase) {
            (Action::RepointGtm { .. }, _) => {}
            (_, Phase::Gtm) if !own => wrong.push(format!("{} is among the GTM's steps", step.id)),
            (Action::Stop { .. }, _) if own => {
                // Nothing commits from here on: what takes its time has to be over.
                let late = audited.steps().filter(|other| matches!(other.action, Action::Checkpoint { .. }));
                let late = late.filter(|other| !audited.waits_for(step, other));
                wrong.extend(late.map(|other| format!("{} does not wait for {}", step.id, other.id)));
                if step.phase != Phase::Gtm {
                    wrong.push(format!("{} is outside the GTM's part", step.id));
                }
            }
            (_, Phase::Move) if own => wrong.push(format!("{} is outside the GTM's part", step.id)),
            _ => {}
        }
    }
    wrong
}
