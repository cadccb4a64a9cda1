//! Two masters of one node: what is planned, what is refused, and what the audit holds such a plan to.

use super::audit::catches;
use super::seed::{cluster, healthy, id, stop};
use crate::model::*;
use crate::plan::{Action, ChangeKind, Input, Plan, RejoinMethod, Undo, Verdict, Waiver, audit, plan};

fn planned(declared: &Cluster, seen: &Observation, waived: &[&str]) -> Plan {
    let waivers: Vec<Waiver> = waived.iter().map(|check| Waiver::new(check, "CHG-1").unwrap()).collect();
    let observed_at = String::new();
    plan(&Input { cluster: declared, seen, targets: &[], waivers: &waivers, observed_at, owes_reloads: false })
}

fn facts<'a>(seen: &'a mut Observation, at: &str) -> &'a mut InstanceFacts {
    seen.instances.get_mut(&id(at)).unwrap()
}

/// dn01's standby on s47 was promoted at 900 while the master on s29 lives; every router leads to s29.
fn promoted_beside(declared: &Cluster) -> Observation {
    let mut seen = healthy(declared);
    let old = seen.instances[&id("dn01@s29")].clone();
    let new = facts(&mut seen, "dn01@s47");
    *new = InstanceFacts { timeline: Fact::Known(Timeline(2)), ..old };
    new.history = Fact::Known(vec![TimelineSwitch { timeline: Timeline(1), at: Lsn(900) }]);
    new.newest_history = Fact::Known(Timeline(2));
    new.wal_end = Fact::Known(Lsn(2924));
    seen
}

/// Leads the routers of these nodes to `to` for `node`.
fn lead(seen: &mut Observation, routers: &[&str], node: &str, to: &Endpoint) {
    for router in routers {
        let facts = facts(seen, router);
        let mut rows = facts.routes.known().unwrap().to_vec();
        let row = rows.iter_mut().find(|row| row.node == node).unwrap();
        (row.host, row.port) = (to.host.to_string(), to.port);
        facts.routes = Fact::Known(rows.into());
    }
}

fn at(declared: &Cluster, instance: &str) -> Endpoint {
    declared.instance(&id(instance)).unwrap().endpoint.clone()
}

fn verdict(plan: &Plan, check: &str) -> Option<Verdict> {
    plan.checks.iter().find(|found| found.id.as_str() == check).map(|found| found.verdict)
}

fn found<'a>(plan: &'a Plan, check: &str) -> &'a str {
    &plan.checks.iter().find(|found| found.id.as_str() == check).unwrap().found
}

fn method(plan: &Plan, at: &str) -> Option<RejoinMethod> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::Rejoin { instance, method, .. } if *instance == id(at) => Some(*method),
        _ => None,
    })
}

#[test]
fn the_evidence_is_named_and_nothing_is_done_without_a_waiver() {
    let declared = cluster("s29");
    let plan = planned(&declared, &promoted_beside(&declared), &[]);
    assert_eq!(verdict(&plan, "split-brain:dn01"), Some(Verdict::Block));
    assert_eq!(verdict(&plan, "kept-copy:dn01"), Some(Verdict::Pass));
    let found = found(&plan, "split-brain:dn01");
    for part in [
        "Kept, as the file declares: dn01@s29, timeline 1, WAL to 0/3E8, cn01@s29, cn02@s47, dn02@s47 lead to it",
        "Given up: dn01@s47, timeline 2, WAL to 0/B6C, no router leads to it",
        "it wrote 2.0 KiB of WAL after both split at 0/384",
    ] {
        assert!(found.contains(part), "{part:?} is not in {found}");
    }
    assert!(plan.is_refused());
}

#[test]
fn with_the_waiver_the_second_master_ends_for_good() {
    let declared = cluster("s29");
    let plan = planned(&declared, &promoted_beside(&declared), &["split-brain:dn01"]);
    assert!(!plan.is_refused(), "{:?}", plan.checks);
    assert_eq!(audit(&plan), Vec::<String>::new());
    assert_eq!(plan.changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Repair]);
    let stop = plan.steps.iter().find(|step| step.id.as_str() == "stop:dn01@s47").unwrap();
    assert!(stop.point_of_no_return && stop.undo == Undo::Never);
    assert_eq!(method(&plan, "dn01@s47"), Some(RejoinMethod::BaseBackup));
}

#[test]
fn the_copy_that_no_router_leads_to_is_never_kept() {
    let declared = cluster("s47");
    let seen = promoted_beside(&declared);
    let plan = planned(&declared, &seen, &["split-brain:dn01"]);
    assert_eq!(verdict(&plan, "kept-copy:dn01"), Some(Verdict::Block));
    let mut seen = seen;
    lead(&mut seen, &["cn02@s47"], "dn01", &at(&declared, "dn01@s47"));
    let plan = planned(&declared, &seen, &["split-brain:dn01"]);
    assert!(!plan.is_refused(), "one router is enough to have a choice: {:?}", plan.checks);
    assert_eq!(audit(&plan), Vec::<String>::new());
    assert!(found(&plan, "split-brain:dn01").contains("cn01@s29, dn02@s47 lead to it"));
    // Whom nobody can ask may be led anywhere.
    for router in ["cn01@s29", "cn02@s47", "dn02@s29", "dn02@s47"] {
        facts(&mut seen, router).routes = Fact::unknown(UnknownKind::TimedOut, "no answer");
    }
    let plan = planned(&declared, &seen, &["split-brain:dn01"]);
    assert_eq!(verdict(&plan, "kept-copy:dn01"), Some(Verdict::Unknown));
}

#[test]
fn a_process_of_another_cluster_is_no_copy_to_give_up() {
    let declared = cluster("s29");
    let mut seen = promoted_beside(&declared);
    facts(&mut seen, "dn01@s47").system_id = Fact::Known(SystemId(7));
    let plan = planned(&declared, &seen, &["split-brain:dn01"]);
    assert_eq!(verdict(&plan, "system:dn01@s47"), Some(Verdict::Block));
}

#[test]
fn of_what_a_run_left_the_rest_is_planned_without_another_waiver() {
    let declared = cluster("s29");
    let mut seen = promoted_beside(&declared);
    stop(&mut seen, "dn01@s47", ControlState::ShutDown);
    super::seed::fence(&mut seen, "dn01@s47", &at(&declared, "dn01@s29"));
    let plan = planned(&declared, &seen, &[]);
    assert!(!plan.is_refused(), "{:?}", plan.checks);
    assert_eq!(method(&plan, "dn01@s47"), Some(RejoinMethod::BaseBackup));
    // Also where both wrote under one number and the end of the one that is given up lies before the other's.
    let mut seen = healthy(&declared);
    let old = seen.instances[&id("dn01@s29")].clone();
    *facts(&mut seen, "dn01@s47") = InstanceFacts { wal_end: Fact::Known(Lsn(950)), ..old };
    stop(&mut seen, "dn01@s47", ControlState::ShutDown);
    assert_eq!(method(&planned(&declared, &seen, &[]), "dn01@s47"), Some(RejoinMethod::BaseBackup));
}

/// dn01 with a third copy, which follows the master on s29.
fn with_a_third() -> Cluster {
    let mut declared = cluster("s47");
    let node = declared.nodes.get_mut(&NodeName::new("dn01").unwrap()).unwrap();
    let s53 = ServerName::new("s53").unwrap();
    let mut third = node.instances.values().next().unwrap().clone();
    third.id = InstanceId::new(node.name.clone(), s53.clone());
    third.endpoint.host = Host::new("172.16.0.53").unwrap();
    node.instances.insert(s53, third);
    declared
}

#[test]
fn a_standby_of_the_second_master_is_copied_anew() {
    let declared = with_a_third();
    let mut seen = healthy(&declared);
    let third = seen.instances[&id("dn01@s53")].clone();
    let mut split = promoted_beside(&declared);
    split.instances.insert(id("dn01@s53"), third);
    lead(&mut split, &["cn01@s29", "cn02@s47", "dn02@s47"], "dn01", &at(&declared, "dn01@s47"));
    let plan = planned(&declared, &split, &["split-brain:dn01"]);
    assert_eq!(method(&plan, "dn01@s53"), Some(RejoinMethod::Replace), "{:?}", plan.changes);
    // And if the run ended between.
    stop(&mut split, "dn01@s29", ControlState::ShutDown);
    let plan = planned(&declared, &split, &[]);
    assert_eq!(method(&plan, "dn01@s53"), Some(RejoinMethod::Replace), "{:?}", plan.changes);
    // Also where both wrote under one number; and it is the first to go, for while the old master lies there as one it
    // can be told.
    let mut same = healthy(&declared);
    let master = same.instances[&id("dn01@s29")].clone();
    *facts(&mut same, "dn01@s47") = master;
    stop(&mut same, "dn01@s29", ControlState::ShutDown);
    let plan = planned(&declared, &same, &[]);
    assert_eq!(method(&plan, "dn01@s53"), Some(RejoinMethod::Replace), "{:?}", plan.changes);
    assert_eq!(method(&plan, "dn01@s29"), Some(RejoinMethod::BaseBackup), "{:?}", plan.changes);
    let last = plan.steps.iter().find(|step| step.id.as_str() == "rejoin:dn01@s29").unwrap();
    assert!(last.needs.iter().any(|need| need.as_str() == "rejoin:dn01@s53"), "{:?}", last.needs);
    // And where that ended in its midst: the standby is stopped, and its end would lie before the master's.
    stop(&mut same, "dn01@s53", ControlState::ShutDownInRecovery);
    let plan = planned(&declared, &same, &[]);
    assert_eq!(method(&plan, "dn01@s53"), Some(RejoinMethod::BaseBackup), "{:?}", plan.changes);
    // None of two masters is declared: nothing is planned for the node.
    let mut third_declared = declared.clone();
    third_declared.nodes.get_mut(&NodeName::new("dn01").unwrap()).unwrap().master = ServerName::new("s53").unwrap();
    seen = promoted_beside(&declared);
    let plan = planned(&third_declared, &seen, &["split-brain:dn01"]);
    assert_eq!(verdict(&plan, "kept-copy:dn01"), Some(Verdict::Block));
    assert!(plan.steps.iter().all(|step| step.action.target().node.as_str() != "dn01"));
}

/// Both GTMs are active; the one on s47 is `lead` seconds ahead.
fn two_gtms(declared: &Cluster, lead: i64) -> Observation {
    let mut seen = healthy(declared);
    let old = seen.instances[&id("gtm_1@s29")].clone();
    *facts(&mut seen, "gtm_1@s47") = old;
    facts(&mut seen, "gtm_1@s29").gts = Fact::Known(Gts(1_000_000_000));
    facts(&mut seen, "gtm_1@s47").gts = Fact::Known(Gts(1_000_000_000 + lead * 1_000_000));
    seen
}

#[test]
fn a_gtm_that_is_behind_is_kept_only_where_no_router_knows_the_other() {
    let declared = cluster("s29");
    let mut seen = two_gtms(&declared, 300);
    let plan = planned(&declared, &seen, &["split-brain:gtm_1"]);
    assert!(!plan.is_refused(), "{:?}", plan.checks);
    assert_eq!(audit(&plan), Vec::<String>::new());
    assert_eq!(method(&plan, "gtm_1@s47"), Some(RejoinMethod::InPlace));
    assert!(found(&plan, "split-brain:gtm_1").contains("clock 300 s behind"), "{}", found(&plan, "split-brain:gtm_1"));
    lead(&mut seen, &["cn02@s47"], "gtm_1", &at(&declared, "gtm_1@s47"));
    let plan = planned(&declared, &seen, &["split-brain:gtm_1"]);
    assert_eq!(verdict(&plan, "kept-copy:gtm_1"), Some(Verdict::Block));
    let seen = two_gtms(&declared, -300);
    assert_eq!(verdict(&planned(&declared, &seen, &[]), "kept-copy:gtm_1"), Some(Verdict::Pass), "it is ahead");
    // Out of the plan's scope it is not repaired, and nothing else is done beside it.
    let targets = [NodeName::new("dn01").unwrap()];
    let observed_at = String::new();
    let input =
        Input { cluster: &declared, seen: &seen, targets: &targets, waivers: &[], observed_at, owes_reloads: false };
    assert_eq!(verdict(&plan_of(&input), "gtm:gtm_1"), Some(Verdict::Block));
}

fn plan_of(input: &Input<'_>) -> Plan {
    plan(input)
}

/// A repair of both masters of dn01, with the waiver.
fn repair() -> Plan {
    let declared = cluster("s47");
    let mut seen = promoted_beside(&declared);
    lead(&mut seen, &["cn02@s47"], "dn01", &at(&declared, "dn01@s47"));
    planned(&declared, &seen, &["split-brain:dn01"])
}

#[test]
fn the_audit_holds_a_repair_to_its_rules() {
    let step = |plan: &mut Plan, id: &str| plan.steps.iter().position(|step| step.id.as_str() == id).unwrap();
    let check = |plan: &mut Plan, id: &str| plan.checks.iter().position(|check| check.id.as_str() == id).unwrap();
    let unwaived = |plan: &mut Plan| {
        let n = check(plan, "split-brain:dn01");
        plan.checks.remove(n);
    };
    catches(repair(), unwaived, "no waiver of split-brain:dn01 allows it");
    let unsure = |plan: &mut Plan| {
        let n = check(plan, "kept-copy:dn01");
        plan.checks[n].verdict = Verdict::Unknown;
    };
    catches(repair(), unsure, "no check decides which one is kept");
    let undo = |plan: &mut Plan| {
        let n = step(plan, "stop:dn01@s29");
        plan.steps[n].undo = Undo::Possible("started again".to_owned());
    };
    catches(repair(), undo, "would make two masters");
    let blind = |plan: &mut Plan| {
        let n = step(plan, "stop:dn01@s29");
        plan.steps[n].before.clear();
    };
    catches(repair(), blind, "does not ensure that the kept master runs");
    let early = |plan: &mut Plan| {
        let n = step(plan, "reroute:cn01@s29");
        plan.steps[n].needs.clear();
    };
    catches(repair(), early, "reroute:cn01@s29 does not wait for stop:dn01@s29");
    let in_place = |plan: &mut Plan| {
        let n = step(plan, "rejoin:dn01@s29");
        let Action::Rejoin { method, .. } = &mut plan.steps[n].action else { panic!() };
        *method = RejoinMethod::InPlace;
    };
    catches(repair(), in_place, "would treat the rows of a second master as the cluster's rows");
    let unfenced = |plan: &mut Plan| {
        let n = step(plan, "stop:dn01@s29");
        plan.steps[n].after.pop();
    };
    catches(repair(), unfenced, "without a fence");
}
