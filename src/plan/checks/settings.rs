//! Checks of settings: what would be wrong on the new master from its first second.

use super::{Finding, LOOK_AGAIN, Takeover};
use crate::model::{Fact, InstanceId, ReplicationAccess, Settings};
use crate::plan::check::{Check, CheckCode};

/// A base backup takes one connection beside those of the standbys.
const FOR_A_REBUILD: u64 = 1;

/// `sync` is the finding of [`super::sync`], which stands among them.
pub(super) fn all(takeover: &Takeover<'_>, sync: Finding) -> Vec<Check> {
    let (node, declared) = (&takeover.node.name, &takeover.declared);
    let with = |read: &dyn Fn(&Settings) -> Finding| match &takeover.standby.settings {
        Fact::Known(settings) => read(settings),
        Fact::Unknown(why) => Finding::unknown(format!("the settings of {declared} are not known: {why}"), LOOK_AGAIN),
    };
    let mut checks = vec![
        with(&|settings| cluster_name(takeover, settings)).of(CheckCode::ClusterName, declared),
        with(&|settings| hot_standby(declared, settings)).of(CheckCode::HotStandby, declared),
        sync.of(CheckCode::SyncStandbys, node),
        with(&|settings| room(takeover, settings)).of(CheckCode::Room, node),
        with(&|settings| wal_keep(takeover, settings)).of(CheckCode::WalKeep, node),
    ];
    if let Some((id, master)) = takeover.from {
        let prepared = with(&|settings| prepared_limit(declared, settings, id, &master.settings));
        checks.push(prepared.of(CheckCode::PreparedLimit, node));
        checks
            .push(replication_access(takeover, id, &master.replication_access).of(CheckCode::ReplicationAccess, node));
    }
    checks
}

/// A cluster may have a second plane with instances of the same nodes: pgxc_cluster_name separates them.
fn cluster_name(takeover: &Takeover<'_>, settings: &Settings) -> Finding {
    let (wanted, declared) = (takeover.cluster.name.as_str(), &takeover.declared);
    match settings.text("pgxc_cluster_name") {
        Some(name) if name == wanted => Finding::pass(format!("{declared} belongs to {name}")),
        Some(name) => Finding::block(
            format!("{declared} belongs to cluster {name}, but the file is for {wanted}"),
            "correct `cluster`, or this instance's address and port, in the file",
        ),
        None => Finding::unknown(format!("{declared} has no pgxc_cluster_name"), LOOK_AGAIN),
    }
}

fn hot_standby(declared: &InstanceId, settings: &Settings) -> Finding {
    match settings.is_on("hot_standby") {
        Some(true) => Finding::pass("hot_standby is on"),
        Some(false) => Finding::block(
            format!("hot_standby is off on {declared}: it cannot report how far it has replayed"),
            "set hot_standby = on in its postgresql.conf and restart it",
        ),
        None => Finding::unknown(format!("hot_standby of {declared} is not known"), LOOK_AGAIN),
    }
}

fn room(takeover: &Takeover<'_>, settings: &Settings) -> Finding {
    let wanted = takeover.node.standbys().count() as u64 + FOR_A_REBUILD;
    let used = takeover.standby.load.known().map_or(0, |load| load.senders);
    match settings.number("max_wal_senders") {
        Some(senders) if senders >= wanted + used => {
            Finding::pass(format!("max_wal_senders is {senders}, {used} in use; {wanted} more are needed"))
        }
        Some(senders) => Finding::block(
            format!(
                "max_wal_senders of {} is {senders}, {used} in use; {wanted} more are needed for the other instances",
                takeover.declared
            ),
            "raise max_wal_senders in its postgresql.conf and restart it; with a waiver the old master cannot rejoin",
        ),
        None => Finding::unknown(format!("max_wal_senders of {} is not known", takeover.declared), LOOK_AGAIN),
    }
}

fn wal_keep(takeover: &Takeover<'_>, settings: &Settings) -> Finding {
    match settings.number("wal_keep_segments") {
        Some(0) => Finding::warn(
            format!(
                "wal_keep_segments of {} is 0: the server may remove WAL before the other instances have read it",
                takeover.declared
            ),
            "set wal_keep_segments to a few; a copy that comes too late is rebuilt by pg_basebackup",
        ),
        Some(segments) => Finding::pass(format!("{segments} WAL segments are kept for the other instances")),
        None => Finding::warn(format!("wal_keep_segments of {} is not known", takeover.declared), LOOK_AGAIN),
    }
}

fn prepared_limit(declared: &InstanceId, own: &Settings, from: &InstanceId, theirs: &Fact<Settings>) -> Finding {
    const NAME: &str = "max_prepared_transactions";
    match (own.number(NAME), theirs.known().and_then(|settings| settings.number(NAME))) {
        (Some(own), Some(theirs)) if own >= theirs => Finding::pass(format!("{NAME} is {own}, on the master {theirs}")),
        (Some(own), Some(theirs)) => Finding::block(
            format!("{NAME} of {declared} is {own}, of {from} {theirs}: distributed transactions will fail under load"),
            format!("set {NAME} = {theirs} in postgresql.conf of {declared} and restart it"),
        ),
        _ => Finding::unknown(format!("{NAME} of {declared} or of {from} is not known"), LOOK_AGAIN),
    }
}

/// Tried, not read: pg_hba.conf, passwords and the network between the two all have a say.
pub(super) fn replication_access(
    takeover: &Takeover<'_>,
    from: &InstanceId,
    replication_access: &Fact<ReplicationAccess>,
) -> Finding {
    let declared = &takeover.declared;
    match replication_access {
        Fact::Known(ReplicationAccess::Admitted { user }) => {
            Finding::pass(format!("the server of {from} may replicate from {declared} as {user}"))
        }
        Fact::Known(ReplicationAccess::Refused { user, why }) => Finding::block(
            format!("the server of {from} may not replicate from {declared} as {user}: {why}"),
            format!(
                "add a line `host replication {user}` for it to pg_hba.conf of {declared}, then run \
                    pg_reload_conf(); with a waiver the old master cannot rejoin"
            ),
        ),
        Fact::Unknown(why) => Finding::unknown(
            format!("otb could not find out whether the server of {from} may replicate from {declared}: {why}"),
            "otb tries it with psql on that server: check `shell` and `install` in the file",
        ),
    }
}
