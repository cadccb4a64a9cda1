//! The hold of clients: when a plan has one, where it stands, and what is said before.

use super::audit::catches;
use super::seed::{cluster, healthy, id, make_plan, stop};
use crate::model::*;
use crate::plan::{Action, Phase, Plan, Step, Verdict};

fn hold(plan: &Plan) -> Option<&Step> {
    plan.steps.iter().find(|step| matches!(step.action, Action::Hold { .. }))
}

fn release(plan: &Plan) -> Option<&Step> {
    plan.steps.iter().find(|step| matches!(step.action, Action::Release { .. }))
}

#[test]
fn a_move_of_a_datanode_stands_between_hold_and_release() {
    let declared = cluster("s47");
    let plan = make_plan(&declared, &healthy(&declared));
    let step = hold(&plan).unwrap();
    let coordinators = ["cn01@s29", "cn02@s47"].map(id).to_vec();
    let wanted = Action::Hold {
        coordinator: id("cn01@s29"),
        coordinators: coordinators.into(),
        masters: vec![id("dn01@s29")].into(),
        wait_seconds: 10,
        required: false,
    };
    assert_eq!(step.action, wanted);
    let find = |name: &str| plan.steps.iter().find(|step| step.id.as_str() == name).unwrap();
    assert!(step.needs.contains(&find("checkpoint:dn01@s29").id));
    assert!(find("stop:dn01@s29").needs.contains(&step.id));
    let release = release(&plan).unwrap();
    for name in ["prove:cn01@s29", "prove:cn02@s47", "reload:dn02@s47", "promote:dn01@s47"] {
        assert!(release.needs.contains(&find(name).id), "{name}");
    }
    assert!(!find("rejoin:dn01@s29").needs.contains(&release.id));
}

#[test]
fn only_a_planned_move_of_a_datanode_holds_clients() {
    let mut declared = cluster("s47");
    let mut dead = healthy(&declared);
    stop(&mut dead, "dn01@s29", ControlState::ShutDown);
    assert_eq!(hold(&make_plan(&declared, &dead)), None, "its clients fail already");
    declared.policy.hold = HoldPolicy::Off;
    let plan = make_plan(&declared, &healthy(&declared));
    assert_eq!((hold(&plan), release(&plan)), (None, None));
}

#[test]
fn what_is_required_is_in_the_step() {
    let mut declared = cluster("s47");
    declared.policy.hold = HoldPolicy::Require;
    declared.policy.hold_wait_seconds = 3;
    let plan = make_plan(&declared, &healthy(&declared));
    let step = hold(&plan).unwrap();
    assert!(matches!(step.action, Action::Hold { required: true, wait_seconds: 3, .. }));
    assert!(!step.is_optional() && step.limit_seconds > 3);
}

#[test]
fn what_the_hold_will_not_cover_is_said_before() {
    let verdict = |policy, coordinator: Load, datanode: Load| {
        let mut declared = cluster("s47");
        declared.policy.hold = policy;
        let mut seen = healthy(&declared);
        seen.instances.get_mut(&id("cn02@s47")).unwrap().load = Fact::Known(coordinator);
        seen.instances.get_mut(&id("dn01@s29")).unwrap().load = Fact::Known(datanode);
        let plan = make_plan(&declared, &seen);
        plan.checks.iter().find(|check| check.id.as_str() == "hold:dn01").unwrap().verdict
    };
    let calm = Load::default();
    let idle = Load { idle_in_transaction: 1, oldest_transaction_seconds: 5, ..calm };
    let busy = Load { idle_in_transaction: 3, ..calm };
    let old = Load { oldest_transaction_seconds: 10, ..calm };
    let kept = Load { kept_connections: 3, ..calm };
    assert_eq!(verdict(HoldPolicy::Prefer, calm, calm), Verdict::Pass);
    assert_eq!(verdict(HoldPolicy::Prefer, busy, calm), Verdict::Pass);
    assert_eq!(verdict(HoldPolicy::Prefer, idle, calm), Verdict::Warn);
    assert_eq!(verdict(HoldPolicy::Require, old, calm), Verdict::Warn);
    assert_eq!(verdict(HoldPolicy::Prefer, calm, kept), Verdict::Warn);
    assert_eq!(verdict(HoldPolicy::Off, idle, kept), Verdict::Pass);
}

/// On v5 connections that were given back look like those that are kept.
#[test]
fn kept_connections_are_not_counted_on_v5() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    let facts = seen.instances.get_mut(&id("dn01@s29")).unwrap();
    facts.load = Fact::Known(Load { kept_connections: 3, ..Load::default() });
    let found = |seen: &Observation| {
        let plan = make_plan(&declared, seen);
        plan.checks.iter().find(|check| check.id.as_str() == "hold:dn01").unwrap().verdict
    };
    assert_eq!(found(&seen), Verdict::Warn);
    let facts = seen.instances.get_mut(&id("dn01@s29")).unwrap();
    facts.settings = Fact::Known(Settings([("forward_port".to_owned(), "6669".to_owned())].into()));
    assert_eq!(found(&seen), Verdict::Pass);
}

#[test]
fn clients_of_a_moved_coordinator_are_counted_before() {
    let mut declared = cluster("s29");
    let (s29, s47) = (id("cn01@s29").server, id("cn01@s47").server);
    let cn01 = declared.nodes.values_mut().find(|node| node.name.as_str() == "cn01").unwrap();
    let mut standby = cn01.instances[&s29].clone();
    standby.id = id("cn01@s47");
    standby.endpoint.host = Host::new("172.16.0.47").unwrap();
    standby.endpoint.port = 15_433;
    cn01.instances.insert(s47.clone(), standby);
    cn01.master = s47;
    let found = |busy: u64| {
        let mut seen = healthy(&declared);
        let load = Load { busy, ..Load::default() };
        seen.instances.get_mut(&id("cn01@s29")).unwrap().load = Fact::Known(load);
        let plan = make_plan(&declared, &seen);
        plan.checks.into_iter().find(|check| check.id.as_str() == "hold:cn01").map(|check| (check.verdict, check.found))
    };
    assert_eq!(found(0), None);
    let (verdict, text) = found(3).unwrap();
    assert_eq!(verdict, Verdict::Warn);
    assert!(text.contains("3 sessions of clients on cn01@s29"), "{text}");
}

#[test]
fn the_audit_wants_whoever_is_held_to_be_released() {
    let declared = cluster("s47");
    let plan = || make_plan(&declared, &healthy(&declared));
    let is = |step: &Step, phase: Phase| step.phase == phase;
    catches(plan(), |plan| plan.steps.retain(|step| !is(step, Phase::Release)), "not have one release for each hold");
    let early = |plan: &mut Plan| {
        plan.steps.iter_mut().filter(|step| is(step, Phase::Release)).for_each(|step| step.needs.truncate(1));
    };
    catches(plan(), early, "does not wait for");
    let connections = |plan: &mut Plan| {
        let hold = hold(plan).unwrap().id.clone();
        let stops = plan.steps.iter_mut().filter(|step| matches!(step.action, Action::Stop { .. }));
        stops.for_each(|step| step.needs.retain(|need| *need != hold));
    };
    catches(plan(), connections, "does not wait for");
}
