//! Transactions in doubt: before a move they are in its way, and after it they are finished.

use super::audit::catches;
use super::seed::{cluster, healthy, id, make_plan, perform, stop};
use crate::model::*;
use crate::plan::{Action, ChangeKind, Plan, Step, Verdict};

const CUT: &str = "_$XC$7:cn01:F:2:0";

/// A healthy cluster in which `holder` has held `gid` prepared for so long.
fn holding(declared: &Cluster, holder: &str, gid: &str, age_seconds: u64) -> Observation {
    let mut seen = healthy(declared);
    let one = PreparedTransaction { gid: gid.to_owned(), database: "postgres".to_owned(), age_seconds };
    let prepared = PreparedTransactions { count: 1, oldest: vec![one] };
    seen.instances.get_mut(&id(holder)).unwrap().prepared = Fact::Known(prepared);
    seen.in_doubt = InDoubt::among(&seen.instances);
    seen
}

fn settle(plan: &Plan) -> Option<&Step> {
    plan.steps.iter().find(|step| matches!(step.action, Action::Settle { .. }))
}

fn found<'a>(plan: &'a Plan, id: &str) -> &'a crate::plan::Check {
    plan.checks.iter().find(|check| check.id.as_str() == id).unwrap()
}

#[test]
fn a_move_is_followed_by_a_settlement_of_every_master() {
    let declared = cluster("s47");
    let plan = make_plan(&declared, &healthy(&declared));
    let step = settle(&plan).unwrap();
    let masters: Vec<InstanceId> = ["cn01@s29", "cn02@s47", "dn01@s47", "dn02@s47"].map(id).to_vec();
    let asked = Action::Settle { coordinator: id("cn01@s29"), masters: masters.into() };
    assert_eq!(step.action, asked, "the transaction in doubt may lie on a node that did not move");
    let reload = plan.steps.iter().find(|step| step.id.as_str() == "reload:cn02@s47").unwrap();
    assert!(step.needs.contains(&reload.id), "{:?}", step.needs);
    let rejoin = plan.steps.iter().find(|step| step.id.as_str() == "rejoin:dn01@s29").unwrap();
    assert!(!rejoin.needs.contains(&step.id), "a transaction that stays must not keep the standby away");
}

#[test]
fn what_is_in_doubt_is_settled_without_a_move_and_then_nothing_is_left() {
    let declared = cluster("s29");
    let mut seen = holding(&declared, "dn02@s47", CUT, 12);
    let plan = make_plan(&declared, &seen);
    assert_eq!(plan.changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Settle]);
    assert_eq!(plan.steps.len(), 1, "{:?}", plan.steps);
    assert!(plan.changes[0].because.contains(CUT), "{}", plan.changes[0].because);
    assert_eq!(plan.in_doubt, seen.in_doubt);
    perform(&plan.steps[0].action, &declared, &mut seen);
    assert!(make_plan(&declared, &seen).is_empty());
}

#[test]
fn a_commit_in_progress_is_no_change_and_in_nobodys_way() {
    let declared = cluster("s47");
    let plan = make_plan(&declared, &holding(&declared, "dn01@s29", CUT, IN_DOUBT_SECONDS - 1));
    assert_eq!(found(&plan, "in-doubt:dn01").verdict, Verdict::Pass);
    assert!(!plan.changes.iter().any(|change| change.kind == ChangeKind::Settle));
}

#[test]
fn a_switchover_of_the_node_that_holds_one_is_refused_with_the_command_that_helps() {
    let declared = cluster("s47");
    let check = found(&make_plan(&declared, &holding(&declared, "dn01@s29", CUT, 12)), "in-doubt:dn01").clone();
    assert_eq!(check.verdict, Verdict::Block);
    let hint = check.hint.unwrap();
    let line =
        "psql 'host=172.16.0.29 port=15432 user=opentenbase dbname=postgres' -c 'select * from pg_clean_execute(3)'";
    assert!(hint.starts_with(line), "{hint}");
    // Of another node it is finished in the same run.
    let plan = make_plan(&declared, &holding(&declared, "dn02@s47", CUT, 12));
    assert!(!plan.is_refused(), "{:?}", plan.checks);
}

#[test]
fn without_pg_clean_the_plan_says_so_before_anything_moves() {
    let declared = cluster("s47");
    let mut seen = holding(&declared, "dn01@s29", CUT, 12);
    for at in ["cn01@s29", "cn02@s47"] {
        seen.instances.get_mut(&id(at)).unwrap().load = Fact::Known(Load::default());
    }
    let plan = make_plan(&declared, &seen);
    assert_eq!(found(&plan, "pg-clean:dn01").verdict, Verdict::Warn);
    let hint = found(&plan, "in-doubt:dn01").hint.clone().unwrap();
    assert!(hint.contains("create extension pg_clean"), "{hint}");
}

#[test]
fn what_a_client_has_prepared_is_named_and_never_touched() {
    let declared = cluster("s47");
    let seen = holding(&declared, "dn01@s29", "order-17", 4000);
    let plan = make_plan(&declared, &seen);
    let check = found(&plan, "in-doubt:dn01");
    assert_eq!(check.verdict, Verdict::Warn);
    assert!(check.found.contains("order-17"), "{}", check.found);
    assert!(!plan.changes.iter().any(|change| change.kind == ChangeKind::Settle));
    // pg_clean would roll it back: beside it no hint proposes pg_clean.
    let mut both = holding(&declared, "dn01@s29", CUT, 12);
    let of_client = PreparedTransaction { gid: "order-17".to_owned(), database: "postgres".to_owned(), age_seconds: 1 };
    let prepared = PreparedTransactions { count: 1, oldest: vec![of_client] };
    both.instances.get_mut(&id("dn02@s47")).unwrap().prepared = Fact::Known(prepared);
    let hint = found(&make_plan(&declared, &both), "in-doubt:dn01").hint.clone().unwrap();
    assert!(hint.contains("order-17") && !hint.contains("pg_clean_execute"), "{hint}");
}

#[test]
fn a_failover_is_not_kept_waiting_by_what_is_in_doubt() {
    let declared = cluster("s47");
    let mut seen = holding(&declared, "dn02@s47", CUT, 12);
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    let plan = make_plan(&declared, &seen);
    assert!(!plan.is_refused(), "{:?}", plan.checks);
    assert!(settle(&plan).is_some());
}

#[test]
fn what_a_master_does_not_tell_is_not_taken_for_nothing() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    let unknown = Fact::unknown(UnknownKind::TimedOut, "no answer");
    seen.instances.get_mut(&id("dn01@s29")).unwrap().prepared = unknown;
    let plan = make_plan(&declared, &seen);
    assert_eq!(found(&plan, "in-doubt:dn01").verdict, Verdict::Unknown);
    assert!(plan.unseen.iter().any(|entry| entry.fact == "prepared transactions"), "{:?}", plan.unseen);
}

#[test]
fn the_audit_wants_a_settlement_that_is_proved() {
    let declared = cluster("s47");
    let plan = || make_plan(&declared, &healthy(&declared));
    let is_settle = |step: &Step| matches!(step.action, Action::Settle { .. });
    catches(plan(), |plan| plan.steps.retain(|step| !is_settle(step)), "no step settles");
    let spoil =
        |plan: &mut Plan| plan.steps.iter_mut().filter(|step| is_settle(step)).for_each(|step| step.after.clear());
    catches(plan(), spoil, "does not ensure");
    let spoil =
        |plan: &mut Plan| plan.steps.iter_mut().filter(|step| is_settle(step)).for_each(|step| step.needs.clear());
    catches(plan(), spoil, "does not wait for");
}
