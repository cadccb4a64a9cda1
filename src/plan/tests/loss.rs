//! A failover from a master that holds more WAL than its standby received: what the check `data-loss` counts, names and
//! lets pass.

use super::seed::*;
use crate::model::{
    ControlState, Fact, InstanceFacts, Lsn, MissingEnd, MissingTransaction, MissingWal, Observation, UnknownKind,
};
use crate::plan::{Action, ChangeKind, Check, CheckCode, Plan, RejoinMethod, Verdict};

fn verbs(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.id.to_string()).collect()
}

const HAVE: Lsn = Lsn(1000);

/// dn01's master on s29 is dead with 120 bytes more WAL than its standby on s47, the declared master, received.
fn check(unreplicated: Fact<MissingWal>) -> Check {
    let declared = cluster("s47");
    let mut seen: Observation = healthy(&declared);
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    let facts: &mut InstanceFacts = seen.instances.get_mut(&id("dn01@s29")).unwrap();
    (facts.wal_end, facts.unreplicated) = (Fact::Known(Lsn(1120)), unreplicated);
    // There is no room to bring it to the standby.
    let Fact::Known(dir) = &mut seen.instances.get_mut(&id("dn01@s47")).unwrap().data_dir else { panic!() };
    dir.free_bytes = Some(0);
    let checks = make_plan(&declared, &seen).checks;
    checks.into_iter().find(|check| check.code == CheckCode::DataLoss).unwrap()
}

fn missing(first: &[(u32, MissingEnd)]) -> MissingWal {
    let one = |(xid, lacks): &(u32, MissingEnd)| MissingTransaction {
        xid: *xid,
        lacks: *lacks,
        at: (*lacks != MissingEnd::Prepare).then(|| "2026-12-01T00:37:18.428087Z".to_owned()),
    };
    let lost = first.iter().filter(|(_, lacks)| lacks.is_lost()).count();
    MissingWal {
        beyond: HAVE,
        lost: u64::try_from(lost).unwrap(),
        undecided: u64::try_from(first.len() - lost).unwrap(),
        first: first.iter().map(one).collect(),
        complete: true,
    }
}

#[test]
fn wal_without_a_commit_loses_nothing() {
    let check = check(Fact::Known(missing(&[])));
    let says = "the 120 B of WAL that dn01@s29 has and dn01@s47 lacks contain no commit";
    assert_eq!((check.verdict, check.found.as_str(), check.hint), (Verdict::Pass, says, None));
}

#[test]
fn each_transaction_is_named_with_what_became_of_it() {
    let check = check(Fact::Known(missing(&[
        (584, MissingEnd::PrepareAndCommit),
        (585, MissingEnd::Commit),
        (586, MissingEnd::Prepare),
        (587, MissingEnd::CommitPrepared),
        (588, MissingEnd::AbortPrepared),
    ])));
    assert_eq!(check.verdict, Verdict::Block);
    assert!(
        check.found.contains("120 B more than dn01@s47 received (0/3E8), and 4 transactions would be lost"),
        "{check:?}"
    );
    let hint = check.hint.unwrap();
    assert!(hint.ends_with("accept the loss of 4 transactions: --waive data-loss:dn01 --reason ..."), "{hint}");
    let at = "2026-12-01T00:37:18.428087Z";
    assert_eq!(
        check.details,
        [
            format!("xid 584 of dn01@s29: committed in two phases {at}; the other nodes keep their parts"),
            format!("xid 585 of dn01@s29: committed {at}"),
            "xid 586 of dn01@s29: prepared; another node may have committed its part".to_owned(),
            format!("xid 587 of dn01@s29: committed in two phases {at}; dn01@s47 keeps it prepared, in doubt"),
            format!("xid 588 of dn01@s29: rolled back in two phases {at}; dn01@s47 keeps it prepared, in doubt"),
        ]
    );
}

#[test]
fn a_rollback_alone_is_a_warning() {
    let check = check(Fact::Known(missing(&[(588, MissingEnd::AbortPrepared)])));
    assert_eq!(check.verdict, Verdict::Warn);
    assert!(
        check.found.contains("contain no commit, except the rollback of 1 transaction, which dn01@s47 keeps prepared")
    );
    assert!(check.hint.unwrap().contains("pg_clean_execute"));
}

#[test]
fn more_than_was_read_is_said() {
    let many = MissingWal { lost: 1000, complete: false, ..missing(&[(585, MissingEnd::Commit)]) };
    let found = check(Fact::Known(many));
    assert_eq!(found.verdict, Verdict::Block);
    assert!(found.found.contains(", and at least 1000 transactions would be lost"), "{found:?}");
    assert_eq!(found.details.last().map(String::as_str), Some("and at least 999 more"));
    let none = check(Fact::Known(MissingWal { complete: false, ..missing(&[]) }));
    assert_eq!(none.verdict, Verdict::Block);
    assert!(none.found.contains("the part that was read contains no commit, and the rest was not read"), "{none:?}");
}

#[test]
fn what_was_not_read_refuses() {
    let unread = check(Fact::unknown(UnknownKind::TimedOut, "no answer from the shell of s29 within 15 s"));
    assert_eq!(unread.verdict, Verdict::Block);
    assert!(
        unread
            .found
            .contains("could not find out which transactions end in it: no answer from the shell of s29 within 15 s"),
        "{unread:?}"
    );
    assert!(unread.hint.unwrap().ends_with("or accept the loss: --waive data-loss:dn01 --reason ..."));
    // What was read for a standby that had received more says nothing of this one.
    let other = check(Fact::Known(MissingWal { beyond: Lsn(1100), ..missing(&[]) }));
    assert_eq!(other.verdict, Verdict::Block);
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
