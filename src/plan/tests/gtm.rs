//! The GTM goes first and alone, and a plan without one has its part only.

use super::seed::{cluster, fence, healthy, id, make_plan, perform, stop};
use crate::model::*;
use crate::plan::{Action, ChangeKind, Input, Phase, Plan, Verdict, Waiver, plan};

/// The example cluster with the masters of `moved` declared on s47.
fn declared(moved: &[&str]) -> Cluster {
    let mut cluster = cluster("s29");
    for name in moved {
        let node = cluster.nodes.get_mut(&NodeName::new(*name).unwrap()).unwrap();
        node.master = ServerName::new("s47").unwrap();
    }
    cluster
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

fn verdict(plan: &Plan, id: &str) -> Option<Verdict> {
    plan.checks.iter().find(|check| check.id.as_str() == id).map(|check| check.verdict)
}

fn with_waiver(cluster: &Cluster, seen: &Observation, waiver: &str) -> Plan {
    let waivers = [Waiver::new(waiver, "CHG-1").unwrap()];
    let at = String::new();
    plan(&Input { cluster, seen, targets: &[], waivers: &waivers, observed_at: at, owes_reloads: false })
}

/// As a cluster shows itself whose GTM is down: masters tell their roles and nothing else.
fn without_timestamps(seen: &mut Observation) {
    for facts in seen.instances.values_mut().filter(|facts| facts.is_running(Role::Master)) {
        if facts.routes.known().is_some() {
            let why = || "08006: GTM error, could not obtain global timestamp";
            facts.routes = Fact::unknown(UnknownKind::NoTimestamp, why());
            facts.wal_end = Fact::unknown(UnknownKind::NoTimestamp, why());
            facts.senders = Fact::unknown(UnknownKind::NoTimestamp, why());
            facts.pool_agrees = Fact::unknown(UnknownKind::NoTimestamp, why());
        }
    }
}

fn gtm_down(cluster: &Cluster) -> Observation {
    let mut seen = healthy(cluster);
    stop(&mut seen, "gtm_1@s29", ControlState::InProduction);
    without_timestamps(&mut seen);
    seen
}

#[test]
fn the_gtm_moves_before_anything_else_is_interrupted() {
    let cluster = declared(&["gtm_1", "dn01"]);
    let plan = make_plan(&cluster, &healthy(&cluster));
    assert!(!plan.is_refused() && plan.afterwards.is_none(), "{:?}", plan.checks);
    let gtm: Vec<&str> = plan.steps_in(Phase::Gtm).map(|step| step.id.as_str()).collect();
    assert_eq!(
        gtm,
        [
            "stop:gtm_1@s29",
            "catch-up:gtm_1@s47",
            "promote:gtm_1@s47",
            "repoint-gtm:cn01@s29",
            "repoint-gtm:cn02@s47",
            "repoint-gtm:dn01@s29",
            "repoint-gtm:dn02@s47",
        ]
    );
    let needs = |id: &str| plan.steps.iter().find(|step| step.id.as_str() == id).unwrap().needs.clone();
    // A checkpoint may take its time.
    assert!(needs("stop:gtm_1@s29").iter().any(|need| need.as_str() == "checkpoint:dn01@s29"));
    let stop = plan.steps.iter().find(|step| step.id.as_str() == "stop:dn01@s29").unwrap();
    assert!(gtm.iter().all(|id| stop.needs.iter().any(|need| need.as_str() == *id)), "{:?}", stop.needs);
    let reloads: Vec<&str> = plan.steps_in(Phase::Reload).map(|step| step.id.as_str()).collect();
    assert_eq!(reloads, ["reload:cn01@s29", "reload:cn02@s47", "reload:dn01@s47", "reload:dn02@s47"]);
}

#[test]
fn wherever_a_move_of_the_gtm_is_cut_off_the_next_plans_finish_it() {
    let cluster = declared(&["gtm_1"]);
    let whole = make_plan(&cluster, &healthy(&cluster));
    for cut in 0..=whole.steps.len() {
        let mut seen = healthy(&cluster);
        for step in &whole.steps[..cut] {
            perform(&step.action, &cluster, &mut seen);
        }
        // Two parts at most: the GTM's, and the rest.
        for _ in 0..2 {
            let next = make_plan(&cluster, &seen);
            assert!(!next.is_refused(), "cut after {cut}: {:?}", next.checks);
            for step in &next.steps {
                perform(&step.action, &cluster, &mut seen);
            }
        }
        assert!(make_plan(&cluster, &seen).is_empty(), "cut after {cut}");
    }
}

#[test]
fn with_the_gtm_down_its_part_is_planned_and_the_rest_expected() {
    let cluster = declared(&["gtm_1", "dn01"]);
    let plan = make_plan(&cluster, &gtm_down(&cluster));
    assert!(!plan.is_refused(), "{:?}", plan.checks);
    assert_eq!(
        ids(&plan),
        [
            "fence:gtm_1@s29",
            "promote:gtm_1@s47",
            "repoint-gtm:cn01@s29",
            "repoint-gtm:cn02@s47",
            "repoint-gtm:dn01@s29",
            "repoint-gtm:dn02@s47",
        ]
    );
    let expected = plan.afterwards.unwrap().expected;
    let kinds: Vec<(&str, ChangeKind)> = expected.iter().map(|change| (change.node.as_str(), change.kind)).collect();
    assert_eq!(kinds, [("dn01", ChangeKind::Switchover), ("gtm_1", ChangeKind::Rejoin)]);
    // What is not known is said of each router, and where a copy of its table can be read.
    let told = |at: &str| plan.unseen.iter().find(|entry| entry.instance == id(at)).map(|entry| entry.why.clone());
    assert!(told("dn01@s29").unwrap().contains("dn01@s47 has 5 rows"), "{:?}", told("dn01@s29"));
    assert!(told("cn01@s29").unwrap().contains("no standby has these rows"));
}

#[test]
fn a_gtm_that_is_down_where_it_is_declared_is_started_again() {
    let cluster = declared(&[]);
    let mut seen = gtm_down(&cluster);
    let plan = make_plan(&cluster, &seen);
    assert_eq!(plan.changes[0].kind, ChangeKind::Restart);
    assert_eq!(ids(&plan)[0], "restart:gtm_1@s29");
    // Fenced by otb: the fence is taken away first.
    let at = cluster.instance(&id("gtm_1@s47")).unwrap().endpoint.clone();
    fence(&mut seen, "gtm_1@s29", &at);
    let plan = make_plan(&cluster, &seen);
    assert!(matches!(plan.steps[0].action, Action::Restart { unfence: true, .. }), "{:?}", plan.steps[0]);
    // A standby by somebody's intent is not started as an active GTM.
    if let Fact::Known(dir) = &mut seen.instances.get_mut(&id("gtm_1@s29")).unwrap().data_dir {
        dir.recovery_conf.as_mut().unwrap().fence = false;
    }
    assert!(make_plan(&cluster, &seen).is_refused());
}

#[test]
fn a_gtm_that_died_of_its_promotion_is_started_again() {
    let cluster = declared(&["gtm_1"]);
    let mut seen = gtm_down(&cluster);
    let at = cluster.instance(&id("gtm_1@s47")).unwrap().endpoint.clone();
    fence(&mut seen, "gtm_1@s29", &at);
    stop(&mut seen, "gtm_1@s47", ControlState::InProduction);
    // It had heard the signal: its gtm.conf says ACT.
    if let Fact::Known(dir) = &mut seen.instances.get_mut(&id("gtm_1@s47")).unwrap().data_dir {
        dir.recovery_conf = None;
    }
    let plan = make_plan(&cluster, &seen);
    assert!(!plan.is_refused(), "{:?}", plan.checks);
    assert_eq!(ids(&plan)[0], "restart:gtm_1@s47");
    // Where the old one's fence leads elsewhere, nobody knows which is the last.
    let elsewhere = cluster.instance(&id("gtm_1@s29")).unwrap().endpoint.clone();
    fence(&mut seen, "gtm_1@s29", &elsewhere);
    assert!(make_plan(&cluster, &seen).is_refused());
}

#[test]
fn a_gtm_standby_that_lacks_what_another_has_does_not_take_over() {
    let mut cluster = declared(&["gtm_1"]);
    let gtm = cluster.nodes.get_mut(&NodeName::new("gtm_1").unwrap()).unwrap();
    let third = Instance { id: id("gtm_1@s63"), ..gtm.instances[&ServerName::new("s47").unwrap()].clone() };
    gtm.instances.insert(third.id.server.clone(), third);
    let mut seen = gtm_down(&cluster);
    assert_eq!(verdict(&make_plan(&cluster, &seen), "data-loss:gtm_1"), Some(Verdict::Warn));
    seen.instances.get_mut(&id("gtm_1@s63")).unwrap().wal_end = Fact::Known(Lsn(1080));
    let plan = make_plan(&cluster, &seen);
    let loss = plan.checks.iter().find(|check| check.id.as_str() == "data-loss:gtm_1").unwrap();
    assert_eq!((loss.verdict, plan.is_refused()), (Verdict::Block, true));
    assert!(loss.hint.as_deref().unwrap().contains("master: s63"), "{loss:?}");
    assert!(!with_waiver(&cluster, &seen, "data-loss:gtm_1").is_refused());
    // Behind it, or not answering, it says nothing against the declared one.
    seen.instances.get_mut(&id("gtm_1@s63")).unwrap().wal_end = Fact::Known(Lsn(900));
    assert_eq!(verdict(&make_plan(&cluster, &seen), "data-loss:gtm_1"), Some(Verdict::Warn));
}

#[test]
fn a_gtm_whose_server_is_out_of_sight_wants_its_fence_waived() {
    let cluster = declared(&["gtm_1"]);
    let mut seen = gtm_down(&cluster);
    seen.instances.insert(id("gtm_1@s29"), InstanceFacts::unknown(UnknownKind::TimedOut, "no answer within 5 s"));
    let plan = make_plan(&cluster, &seen);
    assert_eq!(verdict(&plan, "fence:gtm_1"), Some(Verdict::Unknown));
    let waived = with_waiver(&cluster, &seen, "fence:gtm_1");
    assert!(!waived.is_refused(), "{:?}", waived.checks);
    assert_eq!(waived.waivers.len(), 1);
}

#[test]
fn a_router_that_cannot_be_told_refuses_before_anything_is_stopped() {
    let cluster = declared(&["gtm_1"]);
    let mut seen = healthy(&cluster);
    seen.instances.insert(id("cn01@s29"), InstanceFacts::unknown(UnknownKind::TimedOut, "no answer within 5 s"));
    let plan = make_plan(&cluster, &seen);
    assert_eq!(verdict(&plan, "routes:cn01@s29"), Some(Verdict::Unknown));
    // Waived, it is left out, and stays in sight of this plan and the next.
    let waived = with_waiver(&cluster, &seen, "routes:cn01@s29");
    assert!(!waived.is_refused(), "{:?}", waived.checks);
    assert!(!ids(&waived).iter().any(|id| id.ends_with("cn01@s29")), "{:?}", ids(&waived));
    assert!(waived.unseen.iter().any(|entry| entry.instance == id("cn01@s29")));
    // The same with the GTM down.
    let mut seen = gtm_down(&cluster);
    seen.instances.insert(id("cn01@s29"), InstanceFacts::unknown(UnknownKind::TimedOut, "no answer within 5 s"));
    assert_eq!(verdict(&make_plan(&cluster, &seen), "routes:cn01@s29"), Some(Verdict::Unknown));
    assert!(!with_waiver(&cluster, &seen, "routes:cn01@s29").is_refused());
}

#[test]
fn routers_that_were_not_told_are_told_and_everything_is_reloaded_once() {
    let cluster = declared(&["gtm_1"]);
    let mut seen = healthy(&cluster);
    let whole = make_plan(&cluster, &seen);
    let cut = whole.steps.iter().position(|step| step.id.as_str() == "repoint-gtm:dn01@s29").unwrap();
    for step in &whole.steps[..cut] {
        perform(&step.action, &cluster, &mut seen);
    }
    for at in ["dn01@s29", "dn02@s47"] {
        let facts = seen.instances.get_mut(&id(at)).unwrap();
        facts.routes = Fact::unknown(UnknownKind::NoTimestamp, "GTM error");
    }
    let first = make_plan(&cluster, &seen);
    assert_eq!(ids(&first), ["repoint-gtm:dn01@s29", "repoint-gtm:dn02@s47"]);
    assert!(first.afterwards.is_some() && !first.is_refused(), "{:?}", first.checks);
}

#[test]
fn a_standby_that_is_not_attached_or_cannot_write_its_conf_does_not_take_over() {
    let cluster = declared(&["gtm_1"]);
    let mut seen = healthy(&cluster);
    if let Fact::Known(standby) = &mut seen.instances.get_mut(&id("gtm_1@s47")).unwrap().standby {
        standby.streaming = false;
    }
    assert_eq!(verdict(&make_plan(&cluster, &seen), "attached:gtm_1"), Some(Verdict::Block));
    let mut seen = healthy(&cluster);
    if let Fact::Known(dir) = &mut seen.instances.get_mut(&id("gtm_1@s47")).unwrap().data_dir {
        dir.recovery_conf.as_mut().unwrap().writable = false;
    }
    assert_eq!(verdict(&make_plan(&cluster, &seen), "recovery-conf:gtm_1@s47"), Some(Verdict::Block));
    let mut seen = healthy(&cluster);
    seen.instances.get_mut(&id("gtm_1@s29")).unwrap().wal_end = Fact::Known(Lsn(1000 + (17 << 20)));
    assert_eq!(verdict(&make_plan(&cluster, &seen), "lag:gtm_1"), Some(Verdict::Block));
    // In its initial copy it accepts connections and answers none.
    let mut seen = healthy(&cluster);
    let silent = InstanceFacts {
        process: Fact::Known(Process::Running),
        ..InstanceFacts::unknown(UnknownKind::TimedOut, "no answer within 5 s")
    };
    seen.instances.insert(id("gtm_1@s47"), silent);
    let plan = make_plan(&cluster, &seen);
    assert_eq!(verdict(&plan, "standby:gtm_1"), Some(Verdict::Block));
    assert!(plan.steps.is_empty(), "{:?}", ids(&plan));
}

#[test]
fn no_gtm_row_two_of_them_or_another_name_refuse() {
    let cluster = declared(&["gtm_1"]);
    let change = |seen: &mut Observation, act: fn(&mut Vec<Route>)| {
        if let Fact::Known(rows) = &mut seen.instances.get_mut(&id("dn02@s47")).unwrap().routes {
            act(std::sync::Arc::make_mut(rows));
        }
    };
    let mut none = healthy(&cluster);
    change(&mut none, |rows| rows.retain(|row| row.kind != RouteKind::Gtm));
    let plan = make_plan(&cluster, &none);
    assert_eq!(verdict(&plan, "gtm-row:dn02@s47"), Some(Verdict::Block));
    let mut two = healthy(&cluster);
    change(&mut two, |rows| {
        let gtm = rows.iter().find(|row| row.kind == RouteKind::Gtm).cloned();
        rows.extend(gtm.map(|row| Route { node: "gtm_2".to_owned(), ..row }));
    });
    assert_eq!(verdict(&make_plan(&cluster, &two), "gtm-row:dn02@s47"), Some(Verdict::Block));
    let mut other = healthy(&cluster);
    change(&mut other, |rows| {
        rows.iter_mut().filter(|row| row.kind == RouteKind::Gtm).for_each(|row| row.node = "gtm_master".to_owned());
    });
    let plan = make_plan(&cluster, &other);
    let routes = plan.checks.iter().find(|check| check.id.as_str() == "routes:dn02@s47").unwrap();
    assert_eq!(routes.verdict, Verdict::Block);
    assert!(routes.found.contains("calls its GTM gtm_master"), "{}", routes.found);
}

#[test]
fn where_the_gtm_may_not_be_touched_what_lacks_its_timestamps_is_not_judged() {
    // Somebody promoted s47 by hand; the file still wants s29, and the routers still read from there.
    let cluster = declared(&["dn01"]);
    let mut seen = gtm_down(&cluster);
    let standby = seen.instances.get_mut(&id("gtm_1@s47")).unwrap();
    standby.role = Fact::Known(Role::Master);
    let plan = make_plan(&cluster, &seen);
    let refusing: Vec<&str> =
        plan.checks.iter().filter(|check| check.verdict.refuses()).map(|check| check.id.as_str()).collect();
    assert_eq!(refusing, ["standby:gtm_1"]);
    assert!(plan.steps.is_empty(), "{:?}", ids(&plan));
    let expected = plan.afterwards.unwrap().expected;
    assert_eq!(expected.iter().map(|change| change.node.as_str()).collect::<Vec<_>>(), ["dn01"]);

    // The same where none answers: what to do is said of the GTM and not of its routers.
    let cluster = declared(&["gtm_1"]);
    let mut seen = gtm_down(&cluster);
    stop(&mut seen, "gtm_1@s47", ControlState::InProduction);
    let plan = make_plan(&cluster, &seen);
    let refusing: Vec<_> = plan.checks.iter().filter(|check| check.verdict.refuses()).collect();
    let names: Vec<&str> = refusing.iter().map(|check| check.id.as_str()).collect();
    assert_eq!(names, ["standby:gtm_1", "gtm:gtm_1"]);
    let hint = refusing[1].hint.as_deref().unwrap();
    assert!(
        hint.contains("fix what the check standby says about gtm_1, or start it by hand, on s47: gtm_ctl -Z gtm"),
        "{hint}"
    );
}
