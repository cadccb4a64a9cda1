//! A failover that first brings the dead master's last WAL to its standby.

use super::audit::catches;
use super::seed::*;
use crate::model::{ControlState, Fact, InstanceFacts, Lsn, MissingWal, Observation, SystemId, Timeline};
use crate::plan::{Action, Check, CheckCode, Plan, RejoinMethod, Verdict, audit};

/// dn01's master on s29 is dead with 3 transactions that its standby on s47, the declared master, did not receive.
fn dead() -> Observation {
    let mut seen = healthy(&cluster("s47"));
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    let facts: &mut InstanceFacts = seen.instances.get_mut(&id("dn01@s29")).unwrap();
    facts.wal_end = Fact::Known(Lsn(1120));
    facts.unreplicated =
        Fact::Known(MissingWal { beyond: Lsn(1000), lost: 3, complete: true, ..MissingWal::default() });
    seen
}

fn failover() -> Plan {
    make_plan(&cluster("s47"), &dead())
}

fn loss(plan: &Plan) -> &Check {
    plan.checks.iter().find(|check| check.code == CheckCode::DataLoss).unwrap()
}

#[test]
fn it_comes_between_the_fence_and_the_promotion() {
    let plan = failover();
    let ids: Vec<_> = plan.steps.iter().map(|step| step.id.to_string()).take(3).collect();
    assert_eq!(ids, ["fence:dn01@s29", "salvage:dn01@s47", "promote:dn01@s47"]);
    let Action::Salvage { source, from, to, .. } = &plan.steps[1].action else { panic!("{:?}", plan.steps[1]) };
    assert_eq!((source, *from, *to), (&id("dn01@s29"), Lsn(1000), Lsn(1120)));
    let check = loss(&plan);
    assert_eq!(check.verdict, Verdict::Pass);
    assert_eq!(check.rests_on, Some(plan.steps[1].id.clone()));
    assert_eq!(audit(&plan), Vec::<String>::new());
}

/// The new timeline begins where the old master's WAL ends.
#[test]
fn the_old_master_rejoins_without_a_copy() {
    let rejoin = failover().steps.pop().unwrap();
    assert!(matches!(&rejoin.action, Action::Rejoin { method: RejoinMethod::InPlace, .. }), "{rejoin:?}");
    // Not where more of it is left behind.
    let mut seen = dead();
    let Fact::Known(dir) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().data_dir else { panic!() };
    dir.free_bytes = Some(0);
    let rejoin = make_plan(&cluster("s47"), &seen).steps.pop().unwrap();
    assert!(matches!(&rejoin.action, Action::Rejoin { method: RejoinMethod::BaseBackup, .. }), "{rejoin:?}");
}

#[test]
fn what_cannot_be_brought_refuses_and_says_why() {
    type Spoil = fn(&mut Observation);
    let cases: [(Spoil, &str); 4] = [
        (
            |seen| {
                let Fact::Known(dir) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().data_dir else { panic!() };
                dir.free_bytes = Some(1 << 20);
            },
            "on the standby's file system, which has",
        ),
        (
            |seen| {
                let Fact::Known(control) = &mut seen.instances.get_mut(&id("dn01@s29")).unwrap().control else {
                    panic!()
                };
                control.system_id = SystemId(4711);
            },
            "it has system identifier 4711",
        ),
        (
            |seen| {
                let Fact::Known(control) = &mut seen.instances.get_mut(&id("dn01@s29")).unwrap().control else {
                    panic!()
                };
                control.timeline = Timeline(2);
            },
            "the standby does not have its timeline 2",
        ),
        (
            |seen| {
                let facts = seen.instances.get_mut(&id("dn01@s29")).unwrap();
                facts.unreplicated = Fact::unknown(crate::model::UnknownKind::Unreadable, "could not find file");
            },
            "its WAL could not be read: could not find file",
        ),
    ];
    for (spoil, why) in cases {
        let mut seen = dead();
        spoil(&mut seen);
        let plan = make_plan(&cluster("s47"), &seen);
        assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::Salvage { .. })), "{why}");
        let check = loss(&plan);
        assert_eq!((check.verdict, &check.rests_on), (Verdict::Block, &None), "{why}");
        assert!(check.found.contains(why), "{check:?}");
    }
}

#[test]
fn wal_without_a_commit_is_not_worth_a_restart() {
    let mut seen = dead();
    let facts = seen.instances.get_mut(&id("dn01@s29")).unwrap();
    facts.unreplicated = Fact::Known(MissingWal { beyond: Lsn(1000), complete: true, ..MissingWal::default() });
    let plan = make_plan(&cluster("s47"), &seen);
    assert!(!plan.steps.iter().any(|step| matches!(step.action, Action::Salvage { .. })));
    assert_eq!((loss(&plan).verdict, &loss(&plan).rests_on), (Verdict::Pass, &None));
}

#[test]
fn the_audit_holds_the_promotion_to_the_salvage() {
    let salvage = |plan: &Plan| plan.steps[1].id.clone();
    catches(
        failover(),
        |plan| {
            let id = salvage(plan);
            plan.steps.iter_mut().for_each(|step| step.needs.retain(|need| *need != id));
        },
        "promote:dn01@s47 does not wait for salvage:dn01@s47",
    );
    catches(
        failover(),
        |plan| {
            let id = salvage(plan);
            plan.steps.retain(|step| step.id != id);
            plan.steps.iter_mut().for_each(|step| step.needs.retain(|need| *need != id));
        },
        "promote:dn01@s47 may lose transactions",
    );
    catches(failover(), |plan| plan.steps[1].after.clear(), "salvage:dn01@s47 does not ensure that");
    catches(failover(), |plan| plan.steps[1].before.clear(), "does not verify that dn01@s29 is stopped");
    catches(
        failover(),
        |plan| plan.steps[1].needs.clear(),
        "takes WAL from dn01@s29, which may be started as a master",
    );
}
