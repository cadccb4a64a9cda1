//! Commits that wait for standbys: what a move of such a node plans, checks and proves.

use super::seed::*;
use crate::model::*;
use crate::plan::{Action, Check, CheckCode, Phase, Plan, RejoinMethod, Verdict, audit};

/// Every copy of dn01 has these settings, as a base backup copies them.
fn synchronous(names: &str) -> (Cluster, Observation) {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    for at in ["dn01@s29", "dn01@s47"] {
        set(&mut seen, at, "synchronous_commit", "on");
        set(&mut seen, at, "synchronous_standby_names", names);
    }
    (declared, seen)
}

fn set(seen: &mut Observation, at: &str, name: &str, value: &str) {
    let Fact::Known(settings) = &mut seen.instances.get_mut(&id(at)).unwrap().settings else { panic!("{at}") };
    settings.0.insert(name.to_owned(), value.to_owned());
}

fn check(plan: &Plan, code: CheckCode) -> &Check {
    plan.checks.iter().find(|check| check.code == code && check.id.as_str().ends_with(":dn01")).unwrap()
}

fn sync_check(names: &str) -> Check {
    let (declared, seen) = synchronous(names);
    check(&make_plan(&declared, &seen), CheckCode::SyncStandbys).clone()
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

#[test]
fn a_switchover_is_an_ordinary_plan_if_the_old_master_will_count() {
    for names in ["*", "dn01_s29", "DN01_S29, dn01_s47", "ANY 1 (dn01_s29, dn01_s47)", "FIRST 1 (\"dn01_s29\")"] {
        let (declared, seen) = synchronous(names);
        let plan = make_plan(&declared, &seen);
        assert!(!plan.is_refused(), "{names}: {:?}", check(&plan, CheckCode::SyncStandbys));
        assert_eq!(audit(&plan), Vec::<String>::new(), "{names}");
        let step = |id: &str| plan.steps.iter().find(|step| step.id.as_str() == id).unwrap();
        let needs = |id: &str| step(id).needs.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(needs("return:dn01@s29"), ["promote:dn01@s47"], "{names}: beside the reroutes");
        assert_eq!(needs("prove-commit:dn01@s47"), ["promote:dn01@s47", "return:dn01@s29"]);
        assert!(needs("settle:cn01@s29").contains(&"return:dn01@s29".to_owned()), "pg_clean commits, too");
        let Action::Rejoin { method, .. } = &step("rejoin:dn01@s29").action else { panic!() };
        assert_eq!(*method, RejoinMethod::Unfence);
    }
}

#[test]
fn names_that_match_no_copy_refuse_and_the_hint_has_the_right_ones() {
    let found = sync_check("standby_a");
    assert_eq!(found.verdict, Verdict::Block, "{found:?}");
    assert!(found.found.contains("dn01@s29 (dn01_s29) will stream with a name that is not in the list"), "{found:?}");
    let hint = found.hint.unwrap();
    assert!(hint.contains("standby_a, dn01_s29") && hint.contains("--waive sync-standbys:dn01"), "{hint}");
    let any = sync_check("ANY 1 (standby_a)").hint.unwrap();
    assert!(any.contains("ANY 1 (standby_a, dn01_s29)"), "{any}");
}

#[test]
fn a_number_larger_than_the_copies_refuses() {
    let found = sync_check("2 (dn01_s29, dn01_s47)");
    assert_eq!(found.verdict, Verdict::Block);
    assert!(
        found.found.contains("wait for 2 standbys") && found.found.contains("only dn01@s29 (dn01_s29)"),
        "{found:?}"
    );
    let hint = found.hint.unwrap();
    assert!(hint.contains("alter system reset synchronous_standby_names"), "the way back: {hint}");
}

#[test]
fn a_list_that_cannot_be_read_is_not_guessed() {
    assert_eq!(sync_check("dn01-s29").verdict, Verdict::Unknown);
}

#[test]
fn an_old_master_that_stays_away_leaves_commits_hanging() {
    let (mut declared, seen) = synchronous("*");
    declared.policy.old_master = OldMaster::Leave;
    assert_eq!(check(&make_plan(&declared, &seen), CheckCode::SyncStandbys).verdict, Verdict::Block);
}

#[test]
fn settings_that_differ_between_the_copies_are_told() {
    let (declared, mut seen) = synchronous("*");
    set(&mut seen, "dn01@s47", "synchronous_standby_names", "");
    let plan = make_plan(&declared, &seen);
    assert_eq!(check(&plan, CheckCode::SyncStandbys).verdict, Verdict::Warn);
    assert!(!ids(&plan).iter().any(|id| id.starts_with("return:") || id.starts_with("prove-commit:")));
}

#[test]
fn where_no_commit_waits_nothing_returns_early() {
    let (declared, mut seen) = synchronous("*");
    for level in ["local", "off"] {
        set(&mut seen, "dn01@s47", "synchronous_commit", level);
        set(&mut seen, "dn01@s29", "synchronous_commit", level);
        let plan = make_plan(&declared, &seen);
        assert_eq!(check(&plan, CheckCode::SyncStandbys).verdict, Verdict::Pass);
        assert!(!plan.steps.iter().any(|step| step.phase == Phase::Return), "{:?}", ids(&plan));
    }
}

/// Cut off after the return: the datanodes' pools may not be reloaded yet, and only the mark tells.
#[test]
fn a_run_that_was_cut_off_after_the_return_is_recognised() {
    let (declared, mut seen) = synchronous("*");
    let plan = make_plan(&declared, &seen);
    let told = |step: &&crate::plan::Step| step.phase <= Phase::Reroute;
    for step in plan.steps.iter().filter(told) {
        perform(&step.action, &declared, &mut seen);
    }
    // The coordinators' pools say whether they agree; a datanode's says nothing.
    for facts in seen.instances.values_mut() {
        facts.pool_agrees = facts.pool_agrees.map(|_| true);
    }
    let rest = make_plan(&declared, &seen);
    let left = ids(&rest);
    assert!(left.contains(&"reload:dn02@s47") && left.contains(&"rejoin:dn01@s29"), "{left:?}");
    for step in &rest.steps {
        perform(&step.action, &declared, &mut seen);
    }
    assert_eq!(ids(&make_plan(&declared, &seen)), Vec::<&str>::new());
}

/// The master of dn01 was killed with a commit that its standby lacks.
fn killed(names: &str, standby: &str) -> (Cluster, Observation) {
    let (declared, mut seen) = synchronous(names);
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    let facts = seen.instances.get_mut(&id("dn01@s29")).unwrap();
    facts.wal_end = Fact::Known(Lsn(1120));
    // The standby does not know its timeline: nothing can be salvaged.
    let Fact::Known(control) = &mut facts.control else { panic!() };
    control.timeline = Timeline(2);
    let one = MissingTransaction { xid: 584, lacks: MissingEnd::Commit, at: None };
    let missing = MissingWal { beyond: Lsn(1000), lost: 1, undecided: 0, first: vec![one], complete: true };
    facts.unreplicated = Fact::Known(missing);
    let Fact::Known(dir) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().data_dir else { panic!() };
    dir.recovery_conf.as_mut().unwrap().application_name = Some(standby.to_owned());
    (declared, seen)
}

#[test]
fn what_no_client_was_told_of_is_not_lost() {
    for (names, standby, wanted) in [
        ("*", "dn01_s47", Verdict::Warn),
        ("dn01_s47, dn01_s29", "dn01_s47", Verdict::Warn),
        ("dn01_s47", "other", Verdict::Block),
        ("", "dn01_s47", Verdict::Block),
    ] {
        let (declared, seen) = killed(names, standby);
        let plan = make_plan(&declared, &seen);
        let found = check(&plan, CheckCode::DataLoss);
        assert_eq!(found.verdict, wanted, "{names} {standby}: {found:?}");
        assert_eq!(found.details.len(), 1, "it is listed all the same");
        if wanted == Verdict::Warn {
            assert!(found.found.contains("no client saw a commit"), "{found:?}");
            assert!(found.hint.as_ref().unwrap().contains("synchronous_commit = local or off"));
            assert_eq!(audit(&plan), Vec::<String>::new(), "{names}");
        }
    }
    // What the dead master's files say is not known: nothing is guessed.
    let (declared, mut seen) = killed("*", "dn01_s47");
    let hidden = Fact::unknown(UnknownKind::TimedOut, "no answer");
    seen.instances.get_mut(&id("dn01@s29")).unwrap().settings = hidden;
    assert_eq!(check(&make_plan(&declared, &seen), CheckCode::DataLoss).verdict, Verdict::Block);
}

#[test]
fn commits_that_hang_until_the_rebuild_are_told_before() {
    let (declared, seen) = killed("*", "dn01_s47");
    let plan = make_plan(&declared, &seen);
    let found = check(&plan, CheckCode::SyncStandbys);
    assert_eq!(found.verdict, Verdict::Warn);
    assert!(found.found.contains("until pg_basebackup has rebuilt dn01@s29, commits hang"), "{found:?}");
    assert!(found.hint.as_ref().unwrap().contains("alter system set synchronous_standby_names = "), "{found:?}");
    assert!(ids(&plan).contains(&"return:dn01@s29"));
}

#[test]
fn without_a_second_copy_the_plan_says_that_commits_hang() {
    let (declared, mut seen) = killed("*", "dn01_s47");
    let gone = InstanceFacts::unknown(UnknownKind::TimedOut, "no answer");
    seen.instances.insert(id("dn01@s29"), gone);
    let found = check(&make_plan(&declared, &seen), CheckCode::SyncStandbys).clone();
    assert_eq!(found.verdict, Verdict::Block);
    assert!(found.found.contains("commits on dn01@s47 will hang"), "{found:?}");
    let hint = found.hint.unwrap();
    assert!(hint.contains("alter system reset") && hint.contains("--waive sync-standbys:dn01"), "{hint}");
}

#[test]
fn the_audit_holds_returns_to_their_rules() {
    let (declared, seen) = synchronous("*");
    let broken = |spoil: &dyn Fn(&mut Plan)| {
        let mut plan = make_plan(&declared, &seen);
        spoil(&mut plan);
        audit(&plan).join("; ")
    };
    let step = |plan: &mut Plan, name: &str| plan.steps.iter().position(|step| step.id.as_str() == name).unwrap();
    let early = broken(&|plan| {
        let at = step(plan, "return:dn01@s29");
        plan.steps[at].needs.clear();
    });
    assert!(early.contains("return:dn01@s29 does not wait for promote:dn01@s47"), "{early}");
    let marked = broken(&|plan| plan.steps.retain(|step| step.id.as_str() != "rejoin:dn01@s29"));
    assert!(marked.contains("leaves the mark of a fence"), "{marked}");
    let unproved = broken(&|plan| {
        let at = step(plan, "prove-commit:dn01@s47");
        plan.steps[at].after.clear();
    });
    assert!(unproved.contains("prove-commit:dn01@s47 does not ensure"), "{unproved}");
}
