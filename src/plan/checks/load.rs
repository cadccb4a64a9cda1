//! Checks of load: what a stop of the master would cut off, and what would make it slow.

use super::{Finding, LOOK_AGAIN, Takeover};
use crate::model::{Fact, InstanceFacts, InstanceId, Load};
use crate::plan::check::{Check, CheckCode};

/// A transaction older than this is worth a word before it is cut off.
const LONG_SECONDS: u64 = 60;

/// So many WAL files that wait for archiving are a backlog: a fast stop archives what is left first.
const BACKLOG: u64 = 16;

/// All are about a master that lives.
pub(super) fn all(takeover: &Takeover<'_>) -> Vec<Check> {
    let Some((id, master)) = takeover.from else { return Vec::new() };
    let node = &takeover.node.name;
    let with = |read: &dyn Fn(&Load) -> Finding| match &master.load {
        Fact::Known(load) => read(load),
        Fact::Unknown(why) => Finding::unknown(format!("what {id} is doing is not known: {why}"), LOOK_AGAIN),
    };
    vec![
        with(&|load| backup(id, master, load)).of(CheckCode::Backup, node),
        with(&|load| transactions(id, load)).of(CheckCode::Transactions, node),
        with(&|load| prepared(id, load)).of(CheckCode::Prepared, node),
        with(&|load| slots(takeover, id, load)).of(CheckCode::Slots, node),
        archiver(id, master).of(CheckCode::Archiver, node),
    ]
}

/// A fast stop ends a backup of either kind: the exclusive one by removing its label, the other with its connection.
fn backup(id: &InstanceId, master: &InstanceFacts, load: &Load) -> Finding {
    let running = master.senders.is_known_and(|senders| senders.iter().any(|sender| sender.state == "backup"));
    let kind = match (load.in_backup, running) {
        (true, _) => "an exclusive backup (pg_start_backup)",
        (false, true) => "a base backup",
        (false, false) => return Finding::pass("no backup is running"),
    };
    Finding::block(
        format!("{kind} is running on {id}: the stop would make it worthless"),
        format!("wait for it, or end it on {id}"),
    )
}

fn transactions(id: &InstanceId, load: &Load) -> Finding {
    let (oldest, idle) = (load.oldest_transaction_seconds, load.idle_in_transaction);
    if oldest < LONG_SECONDS && idle == 0 {
        return Finding::pass(format!("no session is idle in a transaction, the oldest transaction is {oldest} s old"));
    }
    Finding::warn(
        format!(
            "on {id} the oldest transaction is {oldest} s old, {idle} sessions are idle in transaction: the stop ends them"
        ),
        format!("look at pg_stat_activity on {id}; the stop rolls back what is open"),
    )
}

fn prepared(id: &InstanceId, load: &Load) -> Finding {
    match load.prepared {
        0 => Finding::pass("no two-phase transaction is in doubt"),
        count => Finding::warn(
            format!("{count} two-phase transactions are prepared on {id}; they move with the data and stay in doubt"),
            "if they are old: pg_clean_check_txn(120) shows them, pg_clean_execute(120) ends them (extension pg_clean)",
        ),
    }
}

fn slots(takeover: &Takeover<'_>, id: &InstanceId, load: &Load) -> Finding {
    match load.slots {
        0 => Finding::pass("no replication slot is lost"),
        count => Finding::warn(
            format!("{id} has {count} replication slots, which do not move to {}", takeover.declared),
            "create them on the new master for those who use them; otb's standbys use none",
        ),
    }
}

fn archiver(id: &InstanceId, master: &InstanceFacts) -> Finding {
    let Fact::Known(around) = &master.surroundings else {
        return Finding::warn(format!("whether WAL of {id} waits for archiving is not known"), LOOK_AGAIN);
    };
    let waiting = around.unarchived;
    if waiting < BACKLOG {
        return Finding::pass(format!("{waiting} WAL files wait for archiving"));
    }
    Finding::warn(
        format!("{waiting} WAL files of {id} wait for archiving: its stop takes until they are archived"),
        format!("mend archive_command on {id} first, or expect a longer write gap"),
    )
}
