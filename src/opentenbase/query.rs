//! SQL that only looks. One statement each, so that one that fails leaves the others alone.

use super::{Sql, literal};
use crate::model::NodeName;

/// A number, which no session setting can render differently.
const STARTED: &str = "extract(epoch from pg_postmaster_start_time()) as started";

/// The process's own name. Works while the GTM is down, as every SHOW and SET does (seen live on v2.6).
pub fn node_name() -> Sql {
    Sql::new("show pgxc_node_name")
}

/// The cluster's own name.
pub fn cluster_name() -> Sql {
    Sql::new("show pgxc_cluster_name")
}

/// The data directory of the process. Requires a superuser.
pub fn data_directory() -> Sql {
    Sql::new("show data_directory")
}

/// The file that a running server keeps in its data directory. For a superuser.
pub fn pid_file() -> Sql {
    Sql::new("select pg_read_file('postmaster.pid')")
}

/// Whether new transactions are read-only by configuration; then [`read_only`] does not show the role.
pub fn default_read_only() -> Sql {
    Sql::new("show default_transaction_read_only")
}

/// On for a standby; off for a master, on a datanode only with `allow_dml_on_datanode=on`.
pub fn read_only() -> Sql {
    Sql::new("show transaction_read_only")
}

/// Whether [`read_only`] shows the role on a datanode, where sessions are read-only without this setting.
pub fn allow_dml() -> Sql {
    Sql::new("show allow_dml_on_datanode")
}

/// From here on the session cannot change data. After [`read_only`], which would say on for ever.
pub fn stay_read_only() -> Sql {
    Sql::new("set default_transaction_read_only = on")
}

/// Columns in_recovery and started.
pub fn role() -> Sql {
    Sql::new(format!("select pg_is_in_recovery() as in_recovery, {STARTED}"))
}

/// Column system_identifier. (v2.6's pg_control_checkpoint() always fails: "Returned row contains 22
/// attributes, but query expects 19", so the timeline has to come from elsewhere.)
pub fn system_id() -> Sql {
    Sql::new("select system_identifier from pg_control_system()")
}

/// A master's columns lsn and wal_file; the first eight digits of the latter are the timeline.
pub fn master_wal() -> Sql {
    Sql::new("select pg_current_wal_insert_lsn() as lsn, pg_walfile_name(pg_current_wal_insert_lsn()) as wal_file")
}

/// A standby's columns received, replayed, paused and last_replay, the time of its last transaction in seconds since
/// 1970.
pub fn standby_wal() -> Sql {
    Sql::new(
        "select pg_last_wal_receive_lsn() as received, pg_last_wal_replay_lsn() as replayed, \
         pg_is_wal_replay_paused() as paused, extract(epoch from pg_last_xact_replay_timestamp()) as last_replay",
    )
}

/// A standby's receiver: columns status, received_tli and conninfo, or no row.
pub fn receiver() -> Sql {
    Sql::new("select status, received_tli, conninfo from pg_stat_wal_receiver")
}

/// A master's standbys: columns application_name, client_addr, state, sent_lsn, replay_lsn, sync_state.
pub fn senders() -> Sql {
    Sql::new(
        "select application_name, host(client_addr) as client_addr, state, sent_lsn, replay_lsn, sync_state \
         from pg_stat_replication",
    )
}

/// How long a session of a v5 coordinator keeps its connections to datanodes after a transaction, in milliseconds; v2.6 has
/// no row of it, and gives them back at once.
pub const KEPT_SETTING: &str = "persistent_connections_timeout";

/// The settings that a takeover depends on: columns name and setting, in the unit of pg_settings. forward_port is v5's
/// (guc.c), v2.6 has no row of it.
pub fn settings() -> Sql {
    let names = [
        "archive_mode",
        "forward_port",
        "hot_standby",
        "listen_addresses",
        "max_prepared_transactions",
        "max_replication_slots",
        "max_wal_senders",
        KEPT_SETTING,
        "pgxc_cluster_name",
        "synchronous_commit",
        "synchronous_standby_names",
        "wal_keep_segments",
    ];
    let list = names.map(literal).join(", ");
    Sql::new(format!("select name, setting from pg_settings where name in ({list})"))
}

/// How long a session keeps its connections to datanodes after a transaction (v5's persistent_connections_timeout, by
/// default): the pool reload of a v5 coordinator ends a session that has any.
const KEPT_SECONDS: u32 = 5;

/// What a process does for others: one row with columns in_backup, waiting, pg_clean, idle, kept, busy, oldest, now, slots,
/// senders; sessions of other nodes' poolers (pgxc:NODE) are not busy;
/// and two settings: is_superuser, which pg_settings does not show (seen live), and wal_segment_size, which has a unit there.
pub fn load() -> Sql {
    let clients = "from pg_stat_activity where pid <> pg_backend_pid() and";
    let kept = super::hold::KEPT;
    Sql::new(format!(
        "select pg_is_in_backup() as in_backup, (select count(*) {clients} wait_event in ('transactionid', 'buffer_content')) as waiting, \
         exists (select 1 from pg_extension where extname = 'pg_clean') as pg_clean, (select count(*) {clients} state in ('idle in transaction', 'idle in transaction (aborted)')) as idle, \
         (select count(*) {clients} {kept}) as kept, \
         (select count(*) {clients} backend_type = 'client backend' and application_name not like 'pgxc:%' and (state <> 'idle' or extract(epoch from state_change) + {KEPT_SECONDS} > extract(epoch from clock_timestamp()))) as busy, \
         (select extract(epoch from min(xact_start)) {clients} backend_type = 'client backend') as oldest, \
         extract(epoch from clock_timestamp()) as now, (select count(*) from pg_replication_slots) as slots, \
         (select count(*) from pg_stat_replication) as senders, \
         current_setting('is_superuser') as is_superuser, current_setting('wal_segment_size') as wal_segment_size"
    ))
}

/// A master's two-phase transactions, the oldest first and at most `most`: columns gid, database, prepared and
/// now (seconds since 1970 by its clock), and total (how many there are).
pub fn prepared(most: usize) -> Sql {
    Sql::new(format!(
        "select gid, database, extract(epoch from prepared) as prepared, \
         extract(epoch from clock_timestamp()) as now, (select count(*) from pg_prepared_xacts) as total from pg_prepared_xacts order by 3 limit {most}"
    ))
}

/// The sessions of a coordinator that have a transaction id: columns pid and xid. A session keeps its transaction id from
/// before the PREPARE until all participants have committed (seen live on v2.6; CommitTransaction, xact.c).
pub fn sessions_that_write() -> Sql {
    Sql::new("select pid, backend_xid as xid from pg_stat_activity where backend_xid is not null")
}

/// The result that pg_clean would give the transactions prepared `seconds` ago or earlier: columns gid and
/// transaction_status_on_allnodes. Through a coordinator; it changes nothing (pg_clean.c).
pub fn transactions_in_doubt(seconds: u64) -> Sql {
    Sql::new(format!("select gid, transaction_status_on_allnodes from pg_clean_check_txn({seconds})"))
}

/// How far a standby has replayed and whether it is one still (after a promotion the position stays), and nothing else:
/// asked again and again inside the write gap.
pub fn replayed() -> Sql {
    Sql::new("select pg_is_in_recovery() as in_recovery, pg_last_wal_replay_lsn() as replayed")
}

/// Whether the session may ALTER NODE. Needs no snapshot.
pub fn is_superuser() -> Sql {
    Sql::new("show is_superuser")
}

/// Rows of the routing table; `forward`: with v5's column node_forward_port, which v2.6 does not have.
pub fn routes_of(nodes: &[&NodeName], forward: bool) -> Sql {
    let forward = if forward { ", node_forward_port" } else { "" };
    let names = nodes.iter().map(|node| literal(node.as_str())).collect::<Vec<_>>().join(", ");
    Sql::new(format!(
        "select node_name, node_host, node_port{forward} from pgxc_node where node_type in ('C', 'D', 'G') \
         and node_name in ({names})"
    ))
}

/// The routes, with whatever columns this version has (v5 adds node_forward_port and node_plane_name).
pub fn routes() -> Sql {
    Sql::new("select * from pgxc_node order by node_name")
}

/// A digest of the routes: column digest, NULL if there is none. Equal ones mean the same rows in what otb reads
/// of them; nodeis_primary and nodeis_preferred may differ between routers that agree (opentenbase-v2.6-live.md, "Routes and poolers").
/// `version` is the server_version. One that is not known gets v2.6's columns, and says so if it lacks them.
pub fn routes_digest(version: Option<&str>) -> Sql {
    Sql::new(format!("select {} as digest from pgxc_node", digest(version)))
}

/// [`routes`], and behind each row their [`routes_digest`] in the same snapshot.
pub fn routes_with_digest(version: Option<&str>) -> Sql {
    let digest = digest(version);
    Sql::new(format!("select *, (select {digest} from pgxc_node) as digest from pgxc_node order by node_name"))
}

fn digest(version: Option<&str>) -> String {
    let v5 = version.is_some_and(|version| version.contains("OpenTenBase_v5"));
    let (cluster, more) = if v5 { ("node_plane_name", ", node_forward_port") } else { ("node_cluster_name", "") };
    // The text of a row quotes what could be misread, so two different tables never give the same text.
    format!(
        "md5(string_agg(row(node_name, node_type, node_host, node_port, {cluster}{more})::text, ',' \
         order by node_name, {cluster}))"
    )
}

/// Whether the pooler agrees with pgxc_node. Tells the truth on a coordinator; on a datanode it is always true.
pub fn pool_check() -> Sql {
    Sql::new("select pgxc_pool_check()")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "one table")]
    fn the_exact_texts() {
        for (sql, text) in [
            (node_name(), "show pgxc_node_name"),
            (cluster_name(), "show pgxc_cluster_name"),
            (data_directory(), "show data_directory"),
            (pid_file(), "select pg_read_file('postmaster.pid')"),
            (default_read_only(), "show default_transaction_read_only"),
            (read_only(), "show transaction_read_only"),
            (allow_dml(), "show allow_dml_on_datanode"),
            (stay_read_only(), "set default_transaction_read_only = on"),
            (
                role(),
                "select pg_is_in_recovery() as in_recovery, extract(epoch from pg_postmaster_start_time()) as started",
            ),
            (system_id(), "select system_identifier from pg_control_system()"),
            (
                master_wal(),
                "select pg_current_wal_insert_lsn() as lsn, pg_walfile_name(pg_current_wal_insert_lsn()) as wal_file",
            ),
            (
                standby_wal(),
                "select pg_last_wal_receive_lsn() as received, pg_last_wal_replay_lsn() as replayed, \
                 pg_is_wal_replay_paused() as paused, extract(epoch from pg_last_xact_replay_timestamp()) as last_replay",
            ),
            (receiver(), "select status, received_tli, conninfo from pg_stat_wal_receiver"),
            (
                senders(),
                "select application_name, host(client_addr) as client_addr, state, sent_lsn, replay_lsn, \
                 sync_state from pg_stat_replication",
            ),
            (
                settings(),
                "select name, setting from pg_settings where name in ('archive_mode', 'forward_port', \
                 'hot_standby', 'listen_addresses', 'max_prepared_transactions', 'max_replication_slots', 'max_wal_senders', 'persistent_connections_timeout', 'pgxc_cluster_name', \
                 'synchronous_commit', 'synchronous_standby_names', 'wal_keep_segments')",
            ),
            (
                load(),
                "select pg_is_in_backup() as in_backup, (select count(*) from pg_stat_activity where pid <> pg_backend_pid() and wait_event in \
                 ('transactionid', 'buffer_content')) as waiting, \
                 exists (select 1 from pg_extension where extname = 'pg_clean') as pg_clean, \
                 (select count(*) from pg_stat_activity where pid <> pg_backend_pid() and state in \
                 ('idle in transaction', 'idle in transaction (aborted)')) as idle, \
                 (select count(*) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' \
                 and application_name <> 'otb' and state = 'idle' and query <> '' and query not like 'RESET ALL%') as kept, \
                 (select count(*) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' \
                 and application_name not like 'pgxc:%' and (state <> 'idle' or extract(epoch from state_change) + 5 > extract(epoch from clock_timestamp()))) as busy, \
                 (select extract(epoch from min(xact_start)) from pg_stat_activity where pid <> pg_backend_pid() \
                 and backend_type = 'client backend') as oldest, extract(epoch from clock_timestamp()) as now, \
                 (select count(*) from pg_replication_slots) as slots, \
                 (select count(*) from pg_stat_replication) as senders, \
                 current_setting('is_superuser') as is_superuser, \
                 current_setting('wal_segment_size') as wal_segment_size",
            ),
            (routes(), "select * from pgxc_node order by node_name"),
            (
                routes_digest(Some("10.0 OpenTenBase V2")),
                "select md5(string_agg(row(node_name, node_type, node_host, node_port, node_cluster_name)::text, ',' \
                 order by node_name, node_cluster_name)) as digest from pgxc_node",
            ),
            (
                routes_with_digest(Some("10.0 @ OpenTenBase_v5.0")),
                "select *, (select md5(string_agg(row(node_name, node_type, node_host, node_port, node_plane_name, \
                 node_forward_port)::text, ',' order by node_name, node_plane_name)) from pgxc_node) as digest \
                 from pgxc_node order by node_name",
            ),
            (pool_check(), "select pgxc_pool_check()"),
            (
                prepared(20),
                "select gid, database, extract(epoch from prepared) as prepared, \
                 extract(epoch from clock_timestamp()) as now, (select count(*) from pg_prepared_xacts) as total from pg_prepared_xacts order by 3 limit 20",
            ),
            (transactions_in_doubt(5), "select gid, transaction_status_on_allnodes from pg_clean_check_txn(5)"),
            (
                sessions_that_write(),
                "select pid, backend_xid as xid from pg_stat_activity where backend_xid is not null",
            ),
            (replayed(), "select pg_is_in_recovery() as in_recovery, pg_last_wal_replay_lsn() as replayed"),
            (is_superuser(), "show is_superuser"),
            (
                routes_of(&[&NodeName::new("dn01").unwrap(), &NodeName::new("dn02").unwrap()], false),
                "select node_name, node_host, node_port from pgxc_node where node_type in ('C', 'D', 'G') \
                 and node_name in ('dn01', 'dn02')",
            ),
            (
                routes_of(&[&NodeName::new("dn01").unwrap()], true),
                "select node_name, node_host, node_port, node_forward_port from pgxc_node \
                 where node_type in ('C', 'D', 'G') and node_name in ('dn01')",
            ),
        ] {
            assert_eq!(sql.as_str(), text);
        }
    }
}
