//! The rehearsal of a plan: what it foresees, and that it finds what the search finds.

use std::fmt::Write as _;
use std::time::Instant;

use otb::model::{InstanceFacts, UnknownKind};
use otb::plan::{Action, Plan, Rehearsal, RehearsedEnd};
use otb::rehearsal::{CannotRehearse, Fault, Lab, Rehearse, observe, rehearse};
use otb::sandbox::world::{Elsewhere, image};

use super::declared;
use super::explore::Search;
use super::lab::{declare, id, node, seed_of};

/// What moves, and what has happened before.
type Case = (&'static [(&'static str, &'static str)], Vec<Fault>);

fn planned(lab: &Lab) -> Plan {
    Search::new(&[]).make_plan(lab, false)
}

fn actions(plan: &Plan) -> Vec<&Action> {
    plan.steps.iter().map(|step| &step.action).collect()
}

/// The simulated cluster in the image of what is seen of `lab`.
fn in_the_image(lab: &Lab) -> Lab {
    let seen = observe(lab);
    Lab::in_the_image(&lab.cluster, &seen, image(&lab.cluster, &seen, Lab::begins()))
}

/// From the image of a cluster the same plan follows as from the cluster.
#[test]
fn an_image_leads_to_the_same_plan() {
    let cases: Vec<Case> = vec![
        (&[("dn01", "s47")], vec![]),
        (&[("dn02", "s29")], vec![]),
        (&[("gtm_1", "s47")], vec![]),
        (&[("gtm_1", "s47"), ("dn01", "s47")], vec![]),
        (&[("dn01", "s47")], vec![Fault::Kill(id("dn01@s29"))]),
        (&[("dn01", "s47")], vec![Fault::Stop(id("dn01@s29"))]),
        (&[("dn01", "s47")], vec![Fault::Hang(id("dn01@s29"))]),
        (&[("dn01", "s47")], vec![Fault::CrashLossy(node("dn01"))]),
        (&[("dn01", "s47")], vec![Fault::CrashUncommitted(node("dn01"))]),
        (&[("gtm_1", "s47")], vec![Fault::Kill(id("gtm_1@s29"))]),
        (&[], vec![Fault::Kill(id("gtm_1@s29"))]),
        (&[], vec![Fault::Kill(id("dn02@s61"))]),
        (&[], vec![Fault::WrongRoute(id("cn01@s29"), node("dn01"))]),
        (&[], vec![Fault::StalePool(id("cn02@s47"), node("dn01"))]),
        (&[("dn01", "s47")], vec![Fault::InDoubt(node("dn02"), Elsewhere::Committed), Fault::Kill(id("dn01@s29"))]),
        (&[("dn01", "s47")], vec![Fault::Lag(id("dn01@s47")), Fault::Write(node("dn01"))]),
    ];
    for (moves, before) in cases {
        let lab = declared(moves, &before);
        let (is, image) = (planned(&lab), planned(&in_the_image(&lab)));
        assert_eq!(actions(&is), actions(&image), "{moves:?} after {before:?}");
        let verdicts = |plan: &Plan| plan.checks.iter().map(|one| (one.id.clone(), one.verdict)).collect::<Vec<_>>();
        assert_eq!(verdicts(&is), verdicts(&image), "{moves:?} after {before:?}");
    }
}

fn rehearsed(lab: &Lab) -> Rehearsal {
    let plan = planned(lab);
    rehearse(Rehearse { plan: &plan, seen: &observe(lab), pairs: None }).unwrap()
}

#[test]
fn a_switchover_is_rehearsed_with_every_fault() {
    let lab = declared(&[("dn01", "s47")], &[]);
    let begun = Instant::now();
    let found = rehearsed(&lab);
    println!("the example cluster: {} runs in {:?}", found.tried, begun.elapsed());
    assert_eq!(found.without_fault, RehearsedEnd::AsPlanned);
    assert!(found.tried > 1000, "{}", found.tried);
    let all = RehearsedEnd::ALL.iter().map(|end| found.outcomes.of(*end)).sum::<u64>();
    assert_eq!(all, found.tried);
    for end in [RehearsedEnd::AsPlanned, RehearsedEnd::Finished, RehearsedEnd::RolledBack] {
        assert!(found.outcomes.of(end) > 0, "no run is {}", end.words());
    }
    assert_eq!((found.outcomes.needs_person, found.outcomes.loses_data), (0, 0), "{:#?}", found.worst);
    // The same input gives the same bytes.
    assert_eq!(found, rehearsed(&lab));
}

#[test]
fn other_plans_are_rehearsed() {
    let cases: Vec<Case> = vec![
        (&[("gtm_1", "s47"), ("dn01", "s47")], vec![]),
        (&[("dn01", "s47")], vec![Fault::Kill(id("dn01@s29"))]),
        (&[("dn01", "s47")], vec![Fault::CrashLossy(node("dn01"))]),
        (&[("dn02", "s29")], vec![Fault::Lag(id("dn02@s61"))]),
    ];
    for (moves, before) in cases {
        let found = rehearsed(&declared(moves, &before));
        println!("{moves:?} after {before:?}: {:?}", found.outcomes);
        assert_eq!(found.without_fault, RehearsedEnd::AsPlanned, "{moves:?} after {before:?}");
        assert_eq!(found.outcomes.loses_data, 0, "{moves:?} after {before:?}: {:#?}", found.worst);
    }
}

/// Two faults, as long as there is time: what was left out is counted.
#[test]
fn pairs_are_tried_until_the_time_is_over() {
    let lab = declared(&[("dn01", "s47")], &[]);
    let (plan, seen) = (planned(&lab), observe(&lab));
    let mut left = 3;
    let mut go_on = || {
        left -= 1;
        left >= 0
    };
    let found = rehearse(Rehearse { plan: &plan, seen: &seen, pairs: Some(&mut go_on) }).unwrap();
    let pairs = found.pairs.unwrap();
    assert!(pairs.tried > 100 && pairs.left_out > 100, "{} and {}", pairs.tried, pairs.left_out);
}

/// What half of the cluster would say is not guessed.
#[test]
fn a_guess_is_not_rehearsed() {
    let lab = declared(&[("dn01", "s47")], &[]);
    let plan = planned(&lab);
    let mut seen = observe(&lab);
    for id in ["cn01@s29", "cn02@s47", "dn02@s29", "dn02@s47", "dn02@s61"].map(id) {
        seen.instances.insert(id, InstanceFacts::unknown(UnknownKind::TimedOut, "no answer"));
    }
    let why = rehearse(Rehearse { plan: &plan, seen: &seen, pairs: None }).unwrap_err();
    assert_eq!(why, CannotRehearse::MostlyUnknown { unknown: 5, of: 9 });
    let nothing = planned(&declared(&[], &[]));
    let why = rehearse(Rehearse { plan: &nothing, seen: &observe(&lab), pairs: None }).unwrap_err();
    assert_eq!(why, CannotRehearse::NothingToDo);
    // A plan that does not follow from what was seen.
    let mut other = plan.clone();
    other.steps.pop();
    let why = rehearse(Rehearse { plan: &other, seen: &observe(&lab), pairs: None }).unwrap_err();
    assert!(matches!(why, CannotRehearse::OtherPlan(lines) if !lines.is_empty()));
}

/// Of 64 datanodes one moves; those that lie alike stand for each other.
#[test]
fn a_large_cluster_is_rehearsed_by_those_that_stand_for_others() {
    let mut text = String::from(
        "version: 1\ncluster: c\nconnection: {user: opentenbase, database: postgres}\n\
         defaults: {install: /i, data: '/d/{node}', shell: {via: local}}\n\
         servers: {s29: {address: 127.0.0.29}, s47: {address: 127.0.0.47}}\n\
         gtm: {gtm_1: {master: s29, port: 21000, data: /d/gtm, instances: [{server: s29}, {server: s47}]}}\n\
         coordinators:\n  cn01: {master: s29, port: 15432, instances: [{server: s29}]}\n  \
         cn02: {master: s47, port: 15432, instances: [{server: s47}]}\ndatanodes:\n",
    );
    for n in 1..=64 {
        let master = if n % 2 == 1 { "s29" } else { "s47" };
        let port = 23_000 + n;
        let copies = "instances: [{server: s29}, {server: s47}]";
        writeln!(text, "  dn{n:02}: {{master: {master}, port: {port}, {copies}}}").unwrap();
    }
    let mut lab = seed_of(&text);
    declare(&mut lab, "dn01", "s47");
    let begun = Instant::now();
    let found = rehearsed(&lab);
    println!("64 datanodes: {} runs in {:?}", found.tried, begun.elapsed());
    let stand_for: u64 = found.alike.iter().map(|alike| alike.stand_for).sum();
    assert_eq!(stand_for, 59, "{:?}", found.alike);
    assert_eq!(found.without_fault, RehearsedEnd::AsPlanned);
    assert_eq!((found.outcomes.needs_person, found.outcomes.loses_data), (0, 0), "{:#?}", found.worst);
}
