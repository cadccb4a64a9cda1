//! One test per situation an operator meets.

use super::seed::{cluster, fence, healthy, id, make_plan, perform, stop};
use crate::model::*;
use crate::plan::{Action, ChangeKind, Plan, RejoinMethod, Verdict, audit};

fn verbs(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.id.to_string()).collect()
}

fn verdict(plan: &Plan, id: &str) -> Option<Verdict> {
    plan.checks.iter().find(|check| check.id.as_str() == id).map(|check| check.verdict)
}

fn kinds(plan: &Plan) -> Vec<ChangeKind> {
    plan.changes.iter().map(|change| change.kind).collect()
}

#[test]
fn a_cluster_as_declared_needs_nothing() {
    let declared = cluster("s29");
    let plan = make_plan(&declared, &healthy(&declared));
    assert!(plan.is_empty(), "{:?} {:?}", plan.changes, plan.unseen);
    assert_eq!((plan.looked_at.instances, plan.looked_at.routers, plan.looked_at.routes), (8, 4, 20));
}

#[test]
fn a_switchover_stops_catches_up_promotes_reroutes_reloads_proves_rejoins() {
    let declared = cluster("s47");
    let plan = make_plan(&declared, &healthy(&declared));
    assert_eq!(kinds(&plan), [ChangeKind::Switchover]);
    assert!(!plan.is_refused(), "{:?}", plan.checks);
    assert_eq!(
        verbs(&plan),
        [
            "stage-fence:dn01@s29",
            "checkpoint:dn01@s29",
            "hold:cn01@s29",
            "stop:dn01@s29",
            "catch-up:dn01@s47",
            "promote:dn01@s47",
            "reroute:cn01@s29",
            "reroute:cn02@s47",
            "reroute:dn01@s47",
            "reroute:dn02@s47",
            "reload:cn01@s29",
            "reload:cn02@s47",
            "reload:dn01@s47",
            "reload:dn02@s47",
            "prove:cn01@s29",
            "prove:cn02@s47",
            "release:cn01@s29",
            "settle:cn01@s29",
            "rejoin:dn01@s29",
        ]
    );
    let no_return: Vec<&str> = plan.steps.iter().filter(|s| s.point_of_no_return).map(|s| s.id.as_str()).collect();
    assert_eq!(no_return, ["promote:dn01@s47"]);
}

#[test]
fn of_several_none_stops_before_all_are_prepared() {
    let seen = healthy(&cluster("s29"));
    let mut declared = cluster("s47");
    let dn02 = declared.nodes.get_mut(&NodeName::new("dn02").unwrap()).unwrap();
    dn02.master = ServerName::new("s29").unwrap();
    let plan = make_plan(&declared, &seen);
    let prepared =
        ["stage-fence:dn01@s29", "checkpoint:dn01@s29", "stage-fence:dn02@s47", "checkpoint:dn02@s47", "hold:cn01@s29"]
            .map(String::from);
    let stops: Vec<_> = plan.steps.iter().filter(|step| matches!(step.action, Action::Stop { .. })).collect();
    assert_eq!(stops.len(), 2);
    for stop in stops {
        let needs: Vec<String> = stop.needs.iter().map(ToString::to_string).collect();
        assert_eq!(needs, prepared, "{}", stop.id);
    }
}

#[test]
fn a_copy_that_knows_a_timeline_of_nobody_is_copied_anew() {
    let declared = cluster("s29");
    let method = |plan: &Plan| match plan.steps.last().map(|step| step.action.clone()) {
        Some(Action::Rejoin { method, .. }) => Some(method),
        _ => None,
    };
    let mut seen = healthy(&declared);
    let standby = seen.instances.get_mut(&id("dn01@s47")).unwrap();
    standby.newest_history = Fact::Known(Timeline(2));
    if let Fact::Known(facts) = &mut standby.standby {
        facts.streaming = false;
    }
    assert_eq!(method(&make_plan(&declared, &seen)), Some(RejoinMethod::Replace));
    stop(&mut seen, "dn01@s47", ControlState::InArchiveRecovery);
    assert_eq!(method(&make_plan(&declared, &seen)), Some(RejoinMethod::BaseBackup));
}

/// Its own WAL goes beyond the point where the new master's history left it: restarted again and again it never streams.
#[test]
fn an_old_master_started_behind_its_fence_with_wal_of_its_own_is_copied_anew() {
    let declared = cluster("s29");
    let method = |replayed: u64, fenced: bool| {
        let mut seen = healthy(&declared);
        let upstream = declared.instance(&id("dn01@s29")).unwrap().endpoint.clone();
        let master = seen.instances.get_mut(&id("dn01@s29")).unwrap();
        master.timeline = Fact::Known(Timeline(2));
        master.history = Fact::Known(vec![TimelineSwitch { timeline: Timeline(1), at: Lsn(900) }]);
        if fenced {
            fence(&mut seen, "dn01@s47", &upstream);
        }
        let standby = seen.instances.get_mut(&id("dn01@s47")).unwrap();
        standby.timeline = Fact::Known(Timeline(1));
        if let Fact::Known(facts) = &mut standby.standby {
            (facts.streaming, facts.replayed, facts.upstream) = (false, Some(Lsn(replayed)), Some(upstream));
        }
        match make_plan(&declared, &seen).steps.last().map(|step| step.action.clone()) {
            Some(Action::Rejoin { method, .. }) => Some(method),
            _ => None,
        }
    };
    assert_eq!(method(901, true), Some(RejoinMethod::Replace));
    assert_eq!(method(900, true), Some(RejoinMethod::Repoint));
    assert_eq!(method(901, false), Some(RejoinMethod::Repoint));
}

#[test]
fn a_node_with_both_copies_down_may_be_started_though_its_routes_cannot_be_read() {
    let declared = cluster("s29");
    let mut seen = healthy(&declared);
    stop(&mut seen, "dn01@s29", ControlState::ShutDown);
    stop(&mut seen, "dn01@s47", ControlState::InArchiveRecovery);
    let plan = make_plan(&declared, &seen);
    assert_eq!(verdict(&plan, "routes:dn01@s29"), Some(Verdict::Pass));
    assert!(!plan.is_refused(), "{:?}", plan.checks);
    let mine = plan.steps.iter().map(|step| step.id.to_string()).filter(|id| id.ends_with(":dn01@s29"));
    assert_eq!(
        mine.collect::<Vec<_>>(),
        ["restart:dn01@s29", "repoint-gtm:dn01@s29", "reroute:dn01@s29", "reload:dn01@s29"]
    );
    assert_eq!(audit(&plan), Vec::<String>::new());
    // Started and left with what it had: the audit knows.
    let mut forgotten = plan.clone();
    forgotten.steps.retain(|step| !step.id.as_str().starts_with("repoint-gtm:"));
    assert!(
        audit(&forgotten).iter().any(|wrong| wrong.contains("no step updates its route to gtm_1")),
        "{:?}",
        audit(&forgotten)
    );
}

#[test]
fn a_crashed_master_whose_standby_has_everything_fails_over_and_rejoins_in_place() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    let plan = make_plan(&declared, &seen);
    assert_eq!(kinds(&plan), [ChangeKind::Failover]);
    assert_eq!(verdict(&plan, "data-loss:dn01"), Some(Verdict::Pass));
    assert_eq!(verdict(&plan, "fence:dn01"), Some(Verdict::Pass));
    assert_eq!(verbs(&plan)[..2], ["fence:dn01@s29", "promote:dn01@s47"]);
    let rejoin = plan.steps.last().unwrap();
    assert!(matches!(&rejoin.action, Action::Rejoin { method: RejoinMethod::InPlace, .. }));
}

#[test]
fn a_crashed_master_with_more_wal_than_its_standby_is_not_failed_over() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    seen.instances.get_mut(&id("dn01@s29")).unwrap().wal_end = Fact::Known(Lsn(1001));
    assert_eq!(verdict(&make_plan(&declared, &seen), "data-loss:dn01"), Some(Verdict::Block));
}

/// Of two standbys the one that lacks something was named: the refusal names the other, if that one lacks nothing.
#[test]
fn a_standby_that_has_everything_is_named() {
    let (mut declared, mut seen) = super::placement::three();
    declared.nodes.get_mut(&id("dn01@s63").node).unwrap().master = ServerName::new("s63").unwrap();
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    let Fact::Known(behind) = &mut seen.instances.get_mut(&id("dn01@s63")).unwrap().standby else { panic!() };
    (behind.received, behind.replayed) = (Some(Lsn(900)), Some(Lsn(900)));
    let hint = |seen: &Observation| {
        let plan = make_plan(&declared, seen);
        assert_eq!(verdict(&plan, "data-loss:dn01"), Some(Verdict::Block));
        plan.checks.into_iter().find(|check| check.id.as_str() == "data-loss:dn01").unwrap().hint.unwrap()
    };
    let says = "dn01@s47 has all of it: declare `master: s47` for dn01, or accept the loss: --waive data-loss:dn01";
    assert!(hint(&seen).starts_with(says), "{}", hint(&seen));
    // The dead master has more than both.
    seen.instances.get_mut(&id("dn01@s29")).unwrap().wal_end = Fact::Known(Lsn(1001));
    assert!(hint(&seen).starts_with("bring the other instance back"), "{}", hint(&seen));
    // What it has is not known.
    seen.instances.get_mut(&id("dn01@s29")).unwrap().wal_end = Fact::not_asked("it was not asked");
    assert!(hint(&seen).starts_with("bring the other instance back"), "{}", hint(&seen));
}

#[test]
fn a_master_out_of_sight_is_not_failed_over() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    seen.instances.insert(id("dn01@s29"), InstanceFacts::unknown(UnknownKind::TimedOut, "no answer within 5 s"));
    let plan = make_plan(&declared, &seen);
    assert_eq!(verdict(&plan, "fence:dn01"), Some(Verdict::Unknown));
    assert_eq!(verdict(&plan, "data-loss:dn01"), Some(Verdict::Block));
    assert!(plan.is_refused() && plan.unseen.iter().any(|entry| entry.instance == id("dn01@s29")));
}

#[test]
fn what_a_refusal_is_not_about_need_not_wait() {
    let mut declared = cluster("s47");
    declared.nodes.get_mut(&id("dn02@s29").node).unwrap().master = ServerName::new("s29").unwrap();
    let mut seen = healthy(&declared);
    let Fact::Known(standby) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().standby else { panic!() };
    standby.replay_paused = true;
    let apart = |seen: &Observation| -> Vec<String> {
        let plan = make_plan(&declared, seen);
        assert!(plan.is_refused(), "{:?}", plan.checks);
        plan.independent_nodes.iter().map(ToString::to_string).collect()
    };
    assert_eq!(apart(&seen), ["dn02"]);
    // Every router has to be told of dn02, too.
    seen.instances.insert(id("cn01@s29"), InstanceFacts::unknown(UnknownKind::TimedOut, "no answer within 5 s"));
    assert_eq!(apart(&seen), [""; 0]);
    assert!(make_plan(&declared, &healthy(&declared)).independent_nodes.is_empty(), "nothing refuses");
}

#[test]
fn a_run_cut_off_after_the_stop_goes_on_with_the_promotion() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    stop(&mut seen, "dn01@s29", ControlState::ShutDown);
    fence(&mut seen, "dn01@s29", &declared.instance(&id("dn01@s47")).unwrap().endpoint.clone());
    let plan = make_plan(&declared, &seen);
    assert_eq!(kinds(&plan), [ChangeKind::Switchover]);
    assert_eq!(verbs(&plan)[..2], ["catch-up:dn01@s47", "promote:dn01@s47"]);
    // The operator may think better of it: the file says s29 again.
    let back = make_plan(&cluster("s29"), &seen);
    assert_eq!(kinds(&back), [ChangeKind::Restart]);
    assert!(matches!(back.steps[0].action, Action::Restart { unfence: true, .. }), "{:?}", back.steps[0]);
}

#[test]
fn a_run_cut_off_half_way_through_the_reroutes_does_the_others_and_reloads_all_datanodes() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    let plan = make_plan(&declared, &seen);
    for step in plan.steps.iter().take(8) {
        perform(&step.action, &declared, &mut seen);
    }
    let rest = make_plan(&declared, &seen);
    assert_eq!(kinds(&rest), [ChangeKind::Reroute, ChangeKind::Reroute, ChangeKind::Reroute, ChangeKind::Rejoin]);
    let verbs = verbs(&rest);
    assert_eq!(verbs[..2], ["reroute:dn01@s47", "reroute:dn02@s47"]);
    assert_eq!(verbs[2..6], ["reload:cn01@s29", "reload:cn02@s47", "reload:dn01@s47", "reload:dn02@s47"]);
}

#[test]
fn the_guides_wrong_port_is_one_reroute_one_reload_one_proof() {
    let declared = cluster("s29");
    let mut seen = healthy(&declared);
    let Fact::Known(rows) = &mut seen.instances.get_mut(&id("cn02@s47")).unwrap().routes else { panic!() };
    std::sync::Arc::make_mut(rows).iter_mut().find(|row| row.node == "dn02").unwrap().port = 23001;
    let plan = make_plan(&declared, &seen);
    assert_eq!(verbs(&plan), ["reroute:cn02@s47", "reload:cn02@s47", "prove:cn02@s47", "settle:cn01@s29"]);
    assert_eq!(kinds(&plan), [ChangeKind::Reroute]);
}

#[test]
fn a_pooler_that_disagrees_is_reloaded() {
    let declared = cluster("s29");
    let mut seen = healthy(&declared);
    seen.instances.get_mut(&id("cn01@s29")).unwrap().pool_agrees = Fact::Known(false);
    assert_eq!(verbs(&make_plan(&declared, &seen)), ["reload:cn01@s29", "settle:cn01@s29"]);
}

#[test]
fn a_stopped_standby_is_started_and_nothing_else_is_changed() {
    let declared = cluster("s29");
    let mut seen = healthy(&declared);
    stop(&mut seen, "dn01@s47", ControlState::ShutDownInRecovery);
    let plan = make_plan(&declared, &seen);
    assert_eq!(verbs(&plan), ["settle:cn01@s29", "rejoin:dn01@s47"]);
}

#[test]
fn recovery_conf_that_the_server_may_not_write_blocks() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    let Fact::Known(dir) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().data_dir else { panic!() };
    dir.recovery_conf.as_mut().unwrap().writable = false;
    assert_eq!(verdict(&make_plan(&declared, &seen), "recovery-conf:dn01@s47"), Some(Verdict::Block));
}

#[test]
fn lag_beyond_the_policy_blocks_and_a_waiver_lifts_it() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    seen.instances.get_mut(&id("dn01@s29")).unwrap().wal_end = Fact::Known(Lsn(1000 + (17 << 20)));
    assert_eq!(verdict(&make_plan(&declared, &seen), "lag:dn01"), Some(Verdict::Block));
    let waivers = [crate::plan::Waiver::new("lag:dn01", "CHG-1").unwrap()];
    let input = crate::plan::Input {
        cluster: &declared,
        seen: &seen,
        targets: &[],
        waivers: &waivers,
        observed_at: String::new(),
        owes_reloads: false,
    };
    let plan = crate::plan::plan(&input);
    assert_eq!(verdict(&plan, "lag:dn01"), Some(Verdict::Waived));
    assert_eq!(plan.waivers.len(), 1);
}

#[test]
fn a_target_leaves_other_nodes_alone() {
    let declared = cluster("s47");
    let seen = healthy(&declared);
    let targets = [NodeName::new("dn02").unwrap()];
    let input = crate::plan::Input {
        cluster: &declared,
        seen: &seen,
        targets: &targets,
        waivers: &[],
        observed_at: String::new(),
        owes_reloads: false,
    };
    assert!(crate::plan::plan(&input).changes.is_empty());
}

#[test]
fn whom_a_master_sends_to_is_unknown_where_it_does_not_say() {
    let cluster = cluster("s47");
    let mut seen = healthy(&cluster);
    seen.instances.get_mut(&id("dn01@s29")).unwrap().senders = Fact::unknown(UnknownKind::TimedOut, "no answer");
    let plan = make_plan(&cluster, &seen);
    assert_eq!(verdict(&plan, "attached:dn01"), Some(Verdict::Unknown));
}

#[test]
fn a_process_that_is_silent_is_not_told_to_be_started() {
    let silent = || InstanceFacts {
        process: Fact::Known(Process::Running),
        ..InstanceFacts::unknown(UnknownKind::TimedOut, "no answer within 5 s")
    };
    let said = |plan: &Plan| {
        let check = plan.checks.iter().find(|check| check.id.as_str() == "standby:dn01").unwrap();
        (check.found.clone(), check.hint.clone().unwrap())
    };
    let cluster = cluster("s47");
    let mut seen = healthy(&cluster);
    seen.instances.insert(id("dn01@s47"), silent());
    let (found, hint) = said(&make_plan(&cluster, &seen));
    assert!(found.starts_with("dn01@s47 runs but does not report its role (no answer within 5 s)"), "{found}");
    assert!(
        hint.starts_with("wait until it answers, then plan again; if it hangs, on s47: pg_ctl -Z datanode"),
        "{hint}"
    );

    let mut seen = healthy(&cluster);
    seen.instances.insert(id("dn01@s29"), silent());
    stop(&mut seen, "dn01@s47", ControlState::InArchiveRecovery);
    let (found, hint) = said(&make_plan(&cluster, &seen));
    assert!(found.contains("and dn01@s29, which may have more data, runs but does not report its role"), "{found}");
    assert!(hint.starts_with("wait until dn01@s29 answers"), "{hint}");
}

/// How the plan makes `at` a standby, and why.
fn rejoin(plan: &Plan, at: &str) -> (RejoinMethod, String) {
    let step = plan.steps.iter().find(|step| step.id.as_str() == format!("rejoin:{at}")).unwrap();
    let Action::Rejoin { method, .. } = &step.action else { panic!("{step:?}") };
    let change = plan.changes.iter().find(|change| change.kind == ChangeKind::Rejoin).unwrap();
    (*method, change.because.clone())
}

#[test]
fn a_standby_whose_wal_its_master_threw_away_is_copied_anew() {
    let declared = cluster("s29");
    let kept_from = |lsn: u64| {
        let mut seen = healthy(&declared);
        seen.instances.get_mut(&id("dn01@s29")).unwrap().oldest_wal = Fact::Known(Lsn(lsn));
        seen
    };
    // Stopped: it asks for what comes behind its last record.
    let mut seen = kept_from(1001);
    stop(&mut seen, "dn01@s47", ControlState::ShutDownInRecovery);
    let (method, because) = rejoin(&make_plan(&declared, &seen), "dn01@s47");
    assert_eq!(method, RejoinMethod::BaseBackup);
    assert!(because.contains("it ended at 0/3E8, but its master's WAL now begins at 0/3E9"), "{because}");
    let mut seen = kept_from(1000);
    stop(&mut seen, "dn01@s47", ControlState::ShutDownInRecovery);
    assert_eq!(rejoin(&make_plan(&declared, &seen), "dn01@s47").0, RejoinMethod::InPlace);
    // Started by somebody: it runs, asks, and is turned down each time.
    let mut seen = kept_from(1001);
    let Fact::Known(standby) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().standby else { panic!() };
    (standby.streaming, standby.received, standby.replayed) = (false, Some(Lsn(0)), Some(Lsn(1000)));
    assert_eq!(rejoin(&make_plan(&declared, &seen), "dn01@s47").0, RejoinMethod::Replace);
    // It still replays what it holds itself: where it will ask is not known yet.
    let Fact::Known(standby) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().standby else { panic!() };
    standby.received = None;
    assert_eq!(rejoin(&make_plan(&declared, &seen), "dn01@s47").0, RejoinMethod::Repoint);
}
