//! A failover from a master that holds more WAL than its standby received.

use super::seed::*;
use crate::model::{ControlState, Fact, Lsn};
use crate::plan::{Action, ChangeKind, Plan, RejoinMethod};

fn verbs(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.id.to_string()).collect()
}

/// Its standby did not stream when it was stopped: what it wrote last never comes.
#[test]
fn a_cleanly_stopped_master_whose_wal_was_not_received_is_not_waited_for() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    stop(&mut seen, "dn01@s29", ControlState::ShutDown);
    seen.instances.get_mut(&id("dn01@s29")).unwrap().wal_end = Fact::Known(Lsn(1112));
    let plan = make_plan(&declared, &seen);
    assert_eq!(plan.changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Failover]);
    assert_eq!(verbs(&plan)[..2], ["fence:dn01@s29", "promote:dn01@s47"]);
    let rejoin = plan.steps.last().unwrap();
    assert!(matches!(&rejoin.action, Action::Rejoin { method: RejoinMethod::BaseBackup, .. }), "{rejoin:?}");
    // The same, received and about to be replayed.
    let Fact::Known(standby) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().standby else { panic!() };
    standby.received = Some(Lsn(1112));
    let plan = make_plan(&declared, &seen);
    assert_eq!(plan.changes.iter().map(|change| change.kind).collect::<Vec<_>>(), [ChangeKind::Switchover]);
    assert_eq!(verbs(&plan)[..3], ["fence:dn01@s29", "catch-up:dn01@s47", "promote:dn01@s47"]);
    let rejoin = plan.steps.last().unwrap();
    assert!(matches!(&rejoin.action, Action::Rejoin { method: RejoinMethod::InPlace, .. }), "{rejoin:?}");
}
