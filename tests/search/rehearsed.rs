//! The rehearsal of a plan: what it foresees, and that it finds what the search finds.

use std::time::Instant;

use otb::plan::{Action, Plan, Rehearsal, RehearsedEnd};
use otb::rehearsal::{Fault, Lab, Rehearse, observe, rehearse};
use otb::sandbox::world::{Elsewhere, image};

use super::declared;
use super::explore::Search;
use super::lab::{id, node};

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
    let cases: Vec<(&[(&str, &str)], Vec<Fault>)> = vec![
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
        if std::env::var("DBG").is_ok() {
            let a = observe(&lab);
            let b = observe(&in_the_image(&lab));
            for (id, f) in &a.instances {
                if *f != b.instances[id] {
                    println!("{moves:?} {before:?} {id}\n  {f:?}\n  {:?}", b.instances[id]);
                }
            }
        }
        let (is, image) = (planned(&lab), planned(&in_the_image(&lab)));
        assert_eq!(actions(&is), actions(&image), "{moves:?} after {before:?}");
        let verdicts = |plan: &Plan| plan.checks.iter().map(|one| (one.id.clone(), one.verdict)).collect::<Vec<_>>();
        assert_eq!(verdicts(&is), verdicts(&image), "{moves:?} after {before:?}");
    }
}

fn rehearsed(lab: &Lab) -> Rehearsal {
    let begun = Instant::now();
    let plan = planned(lab);
    let found = rehearse(Rehearse { plan: &plan, seen: &observe(lab), pairs: None }).unwrap();
    println!("{:?} {found:#?}", begun.elapsed());
    found
}

#[test]
fn a_switchover_is_rehearsed() {
    let found = rehearsed(&declared(&[("dn01", "s47")], &[]));
    assert_eq!(found.without_fault, RehearsedEnd::AsPlanned);
    assert!(found.tried > 500);
}
