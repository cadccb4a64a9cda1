//! The audit accepts what the planner makes, and catches each way to spoil it.

use std::sync::Arc;

use super::seed::{cluster, healthy, id, make_plan, stop};
use crate::model::*;
use crate::plan::{Action, Phase, Plan, RejoinMethod, Verdict, Waiver, audit};

fn switchover() -> Plan {
    let declared = cluster("s47");
    make_plan(&declared, &healthy(&declared))
}

/// dn01's master crashed; its standby has everything.
fn failover() -> Plan {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    make_plan(&declared, &seen)
}

fn step<'a>(plan: &'a mut Plan, id: &str) -> &'a mut crate::plan::Step {
    plan.steps.iter_mut().find(|step| step.id.as_str() == id).unwrap()
}

fn check<'a>(plan: &'a mut Plan, id: &str) -> &'a mut crate::plan::Check {
    plan.checks.iter_mut().find(|check| check.id.as_str() == id).unwrap()
}

/// That the audit passes the plan, and says so when it is spoiled.
#[track_caller]
pub(super) fn catches(mut plan: Plan, spoil: impl FnOnce(&mut Plan), says: &str) {
    assert_eq!(audit(&plan), Vec::<String>::new());
    spoil(&mut plan);
    let found = audit(&plan);
    assert!(found.iter().any(|line| line.contains(says)), "{says:?} is not in {found:#?}");
}

#[test]
fn the_document() {
    catches(switchover(), |plan| plan.steps.push(plan.steps[0].clone()), "appears twice");
    let other = Action::Checkpoint { instance: id("dn02@s47") };
    catches(switchover(), |plan| plan.steps[1].action = other, "does something else than its name says");
    let later = switchover().steps[4].id.clone();
    catches(switchover(), |plan| plan.steps[0].needs.push(later), "which is not an earlier step");
    catches(switchover(), |plan| step(plan, "stop:dn01@s29").phase = Phase::Rejoin, "belongs to a later phase");
    catches(switchover(), |plan| step(plan, "promote:dn01@s47").limit_seconds = 0, "has no time limit");
    let stranger = Action::Reload { router: id("cn09@s29") };
    catches(switchover(), |plan| step(plan, "reload:cn01@s29").action = stranger, "does not declare");
    let target = NodeName::new("dn02").unwrap();
    catches(switchover(), |plan| plan.targets.push(target), "is not a target");
}

#[test]
fn checks_and_waivers() {
    catches(switchover(), |plan| check(plan, "lag:dn01").verdict = Verdict::Block, "lag:dn01 refuses");
    catches(switchover(), |plan| check(plan, "lag:dn01").verdict = Verdict::Waived, "without a waiver");
    let waive = |plan: &mut Plan| {
        let system = check(plan, "system:dn01");
        system.verdict = Verdict::Waived;
        let waiver = Waiver { check: system.id.clone(), reason: "because".to_owned() };
        plan.waivers.push(waiver);
    };
    catches(switchover(), waive, "system:dn01 cannot be waived");
}

#[test]
fn who_is_promoted() {
    let other = Action::Promote { instance: id("dn01@s29") };
    catches(switchover(), |plan| step(plan, "promote:dn01@s47").action = other, "not the declared master");
    catches(switchover(), |plan| step(plan, "promote:dn01@s47").point_of_no_return = false, "wrong mark");
    let restart = |plan: &mut Plan| {
        let mut second = step(plan, "promote:dn01@s47").clone();
        second.action = Action::Restart { instance: id("dn01@s47"), unfence: false };
        second.id = second.action.id();
        second.point_of_no_return = false;
        plan.steps.insert(5, second);
    };
    catches(switchover(), restart, "is not the only step that gives dn01 a master");
}

#[test]
fn nothing_is_promoted_beside_a_living_master() {
    let says = "would promote while dn01@s29";
    catches(switchover(), |plan| step(plan, "catch-up:dn01@s47").needs.clear(), says);
    catches(switchover(), |plan| step(plan, "stop:dn01@s29").after.clear(), says);
    catches(switchover(), |plan| plan.steps.retain(|step| step.id.as_str() != "stop:dn01@s29"), says);
    catches(switchover(), |plan| step(plan, "promote:dn01@s47").before.clear(), says);
    catches(failover(), |plan| step(plan, "promote:dn01@s47").before.clear(), says);
    let hidden = |plan: &mut Plan| {
        plan.facts.insert("dn01@s29: role".to_owned(), "unknown".to_owned());
        plan.checks.retain(|check| check.id.as_str() != "fence:dn01");
    };
    catches(failover(), hidden, says);
}

#[test]
fn nothing_is_lost_in_silence() {
    let says = "may lose transactions";
    catches(switchover(), |plan| step(plan, "catch-up:dn01@s47").after.clear(), says);
    catches(failover(), |plan| plan.checks.retain(|check| check.id.as_str() != "data-loss:dn01"), says);
    catches(failover(), |plan| plan.checks.retain(|check| check.id.as_str() != "fence:dn01"), says);
}

#[test]
fn a_stopped_master_stays_down() {
    let open = Action::Stop { instance: id("dn01@s29"), fenced: false };
    catches(switchover(), |plan| step(plan, "stop:dn01@s29").action = open, "without a fence");
    catches(switchover(), |plan| step(plan, "stop:dn01@s29").needs.clear(), "without a fence");
    let unproved = |plan: &mut Plan| step(plan, "stop:dn01@s29").after.truncate(1);
    catches(switchover(), unproved, "without a fence");
}

/// The GTM and dn01 both move.
fn gtm_too() -> Plan {
    let mut declared = cluster("s47");
    declared.nodes.get_mut(&NodeName::new("gtm_1").unwrap()).unwrap().master = ServerName::new("s47").unwrap();
    make_plan(&declared, &healthy(&declared))
}

#[test]
fn the_gtm_goes_first_and_alone() {
    let gtm_part = |plan: &mut Plan| {
        let waits = &mut step(plan, "stop:dn01@s29").needs;
        waits.retain(|id| !matches!(id.as_str(), "repoint-gtm:cn02@s47" | "hold:cn01@s29"));
    };
    catches(gtm_too(), gtm_part, "stop:dn01@s29 does not wait for repoint-gtm:cn02@s47");
    let early = |plan: &mut Plan| step(plan, "stop:dn01@s29").needs.retain(|id| id.as_str().starts_with("stage-fence"));
    catches(gtm_too(), early, "stop:dn01@s29 does not wait for promote:gtm_1@s47");
    let hasty =
        |plan: &mut Plan| step(plan, "stop:gtm_1@s29").needs.retain(|id| id.as_str().starts_with("stage-fence"));
    catches(gtm_too(), hasty, "stop:gtm_1@s29 does not wait for checkpoint:dn01@s29");
    catches(gtm_too(), |plan| step(plan, "stop:gtm_1@s29").phase = Phase::Move, "outside the GTM's part");
    catches(gtm_too(), |plan| step(plan, "catch-up:dn01@s47").phase = Phase::Gtm, "among the GTM's steps");
}

#[test]
fn one_gtm_is_active_and_no_timestamp_is_lost() {
    let beside = "would promote while gtm_1@s29";
    catches(gtm_too(), |plan| step(plan, "catch-up:gtm_1@s47").needs.clear(), beside);
    catches(gtm_too(), |plan| step(plan, "promote:gtm_1@s47").before.clear(), beside);
    let open = Action::Stop { instance: id("gtm_1@s29"), fenced: false };
    catches(gtm_too(), |plan| step(plan, "stop:gtm_1@s29").action = open, "leaves gtm_1@s29 without a fence");
    catches(gtm_too(), |plan| step(plan, "stop:gtm_1@s29").after.truncate(1), "leaves gtm_1@s29 without a fence");
    catches(gtm_too(), |plan| step(plan, "catch-up:gtm_1@s47").after.clear(), "may lose transactions");
}

#[test]
fn a_gtm_is_promoted_only_after_it_has_redone_a_record() {
    let says = "stop:gtm_1@s29 does not wait until gtm_1@s47 has replayed a record";
    let hasty = |plan: &mut Plan| step(plan, "stop:gtm_1@s29").needs.retain(|id| !id.as_str().starts_with("await"));
    catches(gtm_too(), hasty, says);
    catches(gtm_too(), |plan| step(plan, "await-redo:gtm_1@s47").after.clear(), says);
    let gone = |plan: &mut Plan| plan.steps.retain(|step| step.action.verb() != "await-redo");
    catches(gtm_too(), gone, says);
}

#[test]
fn what_does_not_run_is_fenced_if_it_would_start_as_a_master() {
    let says = "leaves dn01@s29 without a fence";
    let open = |plan: &mut Plan| {
        plan.steps.retain(|step| step.id.as_str() != "fence:dn01@s29");
        step(plan, "promote:dn01@s47").needs.clear();
    };
    catches(failover(), open, says);
    catches(failover(), |plan| step(plan, "promote:dn01@s47").needs.clear(), says);
    let unseen = |plan: &mut Plan| {
        plan.facts.insert("dn01@s29: starts as".to_owned(), "unknown".to_owned());
        plan.checks.retain(|check| check.id.as_str() != "fence:dn01");
    };
    catches(failover(), unseen, says);
}

/// dn01 is down where it is declared.
fn restart() -> Plan {
    let declared = cluster("s29");
    let mut seen = healthy(&declared);
    stop(&mut seen, "dn01@s29", ControlState::ShutDown);
    make_plan(&declared, &seen)
}

#[test]
fn nothing_is_restarted_beside_a_master() {
    let beside = |role: &'static str| {
        move |plan: &mut Plan| {
            plan.facts.insert("dn01@s47: role".to_owned(), role.to_owned());
        }
    };
    for role in ["master", "unknown"] {
        catches(restart(), beside(role), "restart:dn01@s29 would start a master while dn01@s47");
    }
    catches(restart(), |plan| step(plan, "restart:dn01@s29").before.clear(), "does not verify that dn01@s29");
}

#[test]
fn nothing_is_taken_on_trust() {
    let unproved = |id: &'static str, says: &str| catches(gtm_too(), move |plan| step(plan, id).after.clear(), says);
    unproved("promote:dn01@s47", "does not ensure that dn01@s47 runs as master");
    unproved("promote:gtm_1@s47", "does not ensure that gtm_1@s47 runs as master");
    unproved("repoint-gtm:cn01@s29", "repoint-gtm:cn01@s29 does not ensure that cn01@s29 routes gtm_1");
    unproved("reroute:cn01@s29", "reroute:cn01@s29 does not ensure that cn01@s29 routes dn01");
    unproved("reload:cn01@s29", "reload:cn01@s29 does not ensure");
    unproved("prove:cn01@s29", "prove:cn01@s29 does not ensure");
    unproved("rejoin:dn01@s29", "does not ensure that dn01@s29 streams from dn01@s47");
    catches(failover(), |plan| step(plan, "fence:dn01@s29").after.clear(), "fence:dn01@s29 does not ensure");
    catches(restart(), |plan| step(plan, "restart:dn01@s29").after.clear(), "restart:dn01@s29 does not ensure");
}

#[test]
fn steps_and_changes_belong_together() {
    let hidden = |plan: &mut Plan| plan.changes.retain(|change| change.node.as_str() != "dn01");
    for says in ["stop:dn01@s29", "promote:dn01@s47", "reroute:cn01@s29", "prove:cn01@s29", "rejoin:dn01@s29"] {
        catches(switchover(), hidden, &format!("{says} serves no change of the plan"));
    }
    let smuggled = |plan: &mut Plan| {
        let mut reload = step(plan, "reload:cn01@s29").clone();
        reload.action = Action::Reload { router: id("gtm_1@s29") };
        reload.id = reload.action.id();
        plan.steps.push(reload);
    };
    catches(switchover(), smuggled, "reload:gtm_1@s29 serves no change");
    let quiet = |plan: &mut Plan| plan.changes.retain(|change| change.node.as_str() != "gtm_1");
    catches(gtm_too(), quiet, "repoint-gtm:dn02@s47 serves no change");
    catches(switchover(), |plan| step(plan, "rejoin:dn01@s29").phase = Phase::Prove, "where it does not belong");
}

#[test]
fn nobody_is_forgotten() {
    let forget = |gone: &'static str| {
        move |plan: &mut Plan| {
            plan.steps.retain(|step| step.id.as_str() != gone);
            plan.steps.iter_mut().for_each(|step| step.needs.retain(|id| id.as_str() != gone));
        }
    };
    catches(
        switchover(),
        forget("reroute:dn02@s47"),
        "promote:dn01@s47 is not followed by an update of the routes of dn02",
    );
    catches(
        switchover(),
        forget("reroute:dn01@s47"),
        "promote:dn01@s47 is not followed by an update of the routes of dn01",
    );
    catches(
        gtm_too(),
        forget("repoint-gtm:cn02@s47"),
        "promote:gtm_1@s47 is not followed by an update of the routes of cn02",
    );
    let one_row = |plan: &mut Plan| {
        if let Action::Reroute { routes, .. } = &mut step(plan, "reroute:cn02@s47").action {
            Arc::make_mut(routes).clear();
        }
    };
    catches(switchover(), one_row, "promote:dn01@s47 is not followed by an update of the routes of cn02");
}

#[test]
fn who_is_told_of_the_gtm() {
    let astray = |plan: &mut Plan| {
        if let Action::RepointGtm { route, .. } = &mut step(plan, "repoint-gtm:cn01@s29").action {
            route.to.port += 1;
        }
    };
    catches(gtm_too(), astray, "routes gtm_1 to");
    let told = "repoint-gtm:cn01@s29";
    catches(gtm_too(), |plan| step(plan, told).needs.clear(), "does not wait for promote:gtm_1@s47");
    catches(gtm_too(), |plan| step(plan, told).after.truncate(1), "is not proved by a timestamp");
    let unheard = |plan: &mut Plan| step(plan, "reload:cn01@s29").needs.retain(|id| id.as_str() != told);
    catches(gtm_too(), unheard, "repoint-gtm:cn01@s29 is not followed by a reload of cn01");
}

#[test]
fn what_routers_are_told() {
    let astray = |plan: &mut Plan| {
        if let Action::Reroute { routes, .. } = &mut step(plan, "reroute:cn01@s29").action {
            std::sync::Arc::make_mut(routes)[0].to.port += 1;
        }
    };
    catches(switchover(), astray, "which is not its declared master");
    catches(switchover(), |plan| step(plan, "reroute:cn01@s29").needs.clear(), "does not wait for promote:dn01@s47");
    catches(switchover(), |plan| step(plan, "reload:cn01@s29").needs.clear(), "does not wait for reroute:cn01@s29");
    let never = |plan: &mut Plan| plan.steps.retain(|step| step.id.as_str() != "reload:cn02@s47");
    catches(switchover(), never, "not followed by a reload");
    let twice = |plan: &mut Plan| {
        let again = step(plan, "reload:cn01@s29").clone();
        plan.steps.push(again);
    };
    catches(switchover(), twice, "is not the only step of its kind");
}

#[test]
fn who_rejoins_whom() {
    let (instance, upstream) = (id("dn01@s29"), id("dn02@s47"));
    let astray = Action::Rejoin { instance, upstream, method: RejoinMethod::InPlace, keeps: Vec::new() };
    catches(switchover(), |plan| step(plan, "rejoin:dn01@s29").action = astray, "not the declared master");
    catches(switchover(), |plan| step(plan, "rejoin:dn01@s29").needs.clear(), "does not wait for promote:dn01@s47");
}
