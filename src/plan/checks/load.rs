//! Checks of load: what a stop of the master would cut off, and what would make it slow.

use super::{Finding, LOOK_AGAIN, Takeover};
use crate::model::{
    Cluster, Fact, InDoubt, Instance, InstanceFacts, InstanceId, Load, NodeKind, Observation, Origin, Role,
};
use crate::opentenbase::{CREATE_PG_CLEAN, finish_in_doubt, psql_line};
use crate::plan::changes::in_doubt_on;
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
        Fact::Unknown(why) => Finding::unknown(format!("the load of {id} is not known: {why}"), LOOK_AGAIN),
    };
    vec![
        with(&|load| backup(id, master, load)).of(CheckCode::Backup, node),
        with(&|load| transactions(id, load)).of(CheckCode::Transactions, node),
        in_doubt(takeover, id, master).of(CheckCode::InDoubt, node),
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
        format!("{kind} is running on {id}: the stop would make it useless"),
        format!("wait until it has finished, or end it on {id}"),
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
        format!("look at pg_stat_activity on {id}; the stop rolls back open transactions"),
    )
}

/// A reader of a prepared row waits and holds the page, others of that page wait in a way that no signal ends: then a
/// fast stop does not end either (docs/explanation/in-doubt.md).
fn in_doubt(takeover: &Takeover<'_>, id: &InstanceId, master: &InstanceFacts) -> Finding {
    if let Fact::Unknown(why) = &master.prepared {
        return Finding::unknown(
            format!("otb could not find out whether a transaction is in doubt on {id}: {why}"),
            LOOK_AGAIN,
        );
    }
    let held = takeover.seen.in_doubt.iter().filter(|one| one.prepared_on.contains(id));
    let (cut, client): (Vec<&InDoubt>, Vec<&InDoubt>) = held.partition(|one| one.is_of_a_coordinator());
    if let [oldest, ..] = cut.as_slice() {
        let found = in_doubt_on(id, &cut, takeover.seen);
        let slow = cut.iter().find_map(|one| Some((one.origin.coordinator()?, one.session?)));
        let way_out = slow.map_or_else(
            || way_out(takeover, &oldest.database),
            |(coordinator, pid)| {
                format!(
                    "wait until session {pid} of {coordinator} has committed; if it hangs, end it there: select \
                     pg_terminate_backend({pid})"
                )
            },
        );
        return Finding::block(found, way_out);
    }
    match client.as_slice() {
        [] => Finding::pass(format!("no transaction is in doubt on {id}")),
        several => Finding::warn(
            format!("{}; it moves with the data and stays prepared", in_doubt_on(id, several, takeover.seen)),
            "ask its owner to commit or roll back; otb never changes a transaction that a client prepared",
        ),
    }
}

/// The next command towards settling them, ready to paste.
fn way_out(takeover: &Takeover<'_>, database: &str) -> String {
    let Takeover { cluster, seen, .. } = takeover;
    let Some((coordinator, has_pg_clean)) = coordinator(cluster, seen) else {
        return "start a coordinator, then plan again".to_owned();
    };
    if let Some(gid) = prepared_by_a_client(database, seen) {
        return format!(
            "a client prepared {gid:?}: ask its owner to commit it or roll it back, because pg_clean would roll it \
                back"
        );
    }
    let user = &cluster.connection.user;
    let psql = |sql: &str| psql_line(&coordinator.endpoint, user, database, sql);
    let statement = if has_pg_clean { finish_in_doubt().to_string() } else { CREATE_PG_CLEAN.to_owned() };
    format!("{}   then plan again", psql(&statement))
}

/// A transaction that a client has prepared in this database, on any master and however young.
fn prepared_by_a_client<'a>(database: &str, seen: &'a Observation) -> Option<&'a str> {
    let all = seen.instances.values().filter_map(|facts| facts.prepared.known()).flat_map(|prepared| &prepared.oldest);
    let mut of_clients = all.filter(|one| one.database == database && Origin::of(&one.gid) == Origin::Client);
    of_clients.next().map(|one| one.gid.as_str())
}

/// A coordinator that answers, and whether pg_clean is there.
fn coordinator<'a>(cluster: &'a Cluster, seen: &Observation) -> Option<(&'a Instance, bool)> {
    let mut instances = cluster.nodes_of(NodeKind::Coordinator).flat_map(|node| node.instances.values());
    let known = |instance: &'a Instance| {
        let facts = seen.instances.get(&instance.id).filter(|facts| facts.is_running(Role::Master))?;
        Some((instance, facts.load.known()?.pg_clean))
    };
    instances.find_map(known)
}

/// A move of a datanode cuts commits in half that are in progress. Without pg_clean otb can wait for their end and no more.
pub(super) fn pg_clean(takeover: &Takeover<'_>) -> Option<Check> {
    let Takeover { cluster, node, seen, .. } = takeover;
    if node.kind != NodeKind::Datanode {
        return None;
    }
    let (coordinator, installed) = coordinator(cluster, seen)?;
    let database = &cluster.connection.database;
    let finding = if installed {
        Finding::pass(format!("pg_clean is in database {database}"))
    } else {
        let line = psql_line(&coordinator.endpoint, &cluster.connection.user, database, CREATE_PG_CLEAN);
        Finding::warn(
            format!("database {database} has no pg_clean: otb could not finish a commit that the move interrupts"),
            format!("run once, and in each other database that clients use: {line}"),
        )
    };
    Some(finding.of(CheckCode::PgClean, &node.name))
}

fn slots(takeover: &Takeover<'_>, id: &InstanceId, load: &Load) -> Finding {
    match load.slots {
        0 => Finding::pass("no replication slot is lost"),
        count => Finding::warn(
            format!("{id} has {count} replication slots, which do not move to {}", takeover.declared),
            "create them on the new master for the clients that use them; otb's standbys use none",
        ),
    }
}

fn archiver(id: &InstanceId, master: &InstanceFacts) -> Finding {
    let Fact::Known(around) = &master.host_environment else {
        return Finding::warn(format!("otb could not find out whether WAL of {id} waits for archiving"), LOOK_AGAIN);
    };
    let waiting = around.unarchived;
    if waiting < BACKLOG {
        return Finding::pass(format!("{waiting} WAL files wait for archiving"));
    }
    Finding::warn(
        format!("{waiting} WAL files of {id} wait for archiving: the stop waits until they are archived"),
        format!("fix archive_command on {id} first, or expect a longer write gap"),
    )
}
