//! The columns of catalogs and views, as a live v2.6 has them; what v5 has is from its source.

use crate::sandbox::Flavor;
use crate::sandbox::sql::{Column, Kind};

type Shape = &'static [(&'static str, Kind)];

const PGXC_NODE: Shape = &[
    ("node_name", Kind::Name),
    ("node_type", Kind::Char),
    ("node_port", Kind::Int4),
    ("node_host", Kind::Name),
    ("nodeis_primary", Kind::Bool),
    ("nodeis_preferred", Kind::Bool),
    ("node_id", Kind::Int4),
    ("node_cluster_name", Kind::Name),
];

/// v5's, in the order of its src/include/catalog/pgxc_node.h.
const PGXC_NODE_V5: Shape = &[
    ("node_name", Kind::Name),
    ("node_type", Kind::Char),
    ("node_port", Kind::Int4),
    ("node_forward_port", Kind::Int4),
    ("node_host", Kind::Name),
    ("nodeis_primary", Kind::Bool),
    ("nodeis_preferred", Kind::Bool),
    ("node_id", Kind::Int4),
    ("node_plane_name", Kind::Name),
    ("node_plane_id", Kind::Int4),
];

const PG_STAT_REPLICATION: Shape = &[
    ("pid", Kind::Int4),
    ("usesysid", Kind::Oid),
    ("usename", Kind::Name),
    ("application_name", Kind::Text),
    ("client_addr", Kind::Inet),
    ("client_hostname", Kind::Text),
    ("client_port", Kind::Int4),
    ("backend_start", Kind::TimestampTz),
    ("backend_xmin", Kind::Xid),
    ("state", Kind::Text),
    ("sent_lsn", Kind::Lsn),
    ("write_lsn", Kind::Lsn),
    ("flush_lsn", Kind::Lsn),
    ("replay_lsn", Kind::Lsn),
    ("write_lag", Kind::Interval),
    ("flush_lag", Kind::Interval),
    ("replay_lag", Kind::Interval),
    ("sync_priority", Kind::Int4),
    ("sync_state", Kind::Text),
];

const PG_STAT_WAL_RECEIVER: Shape = &[
    ("pid", Kind::Int4),
    ("status", Kind::Text),
    ("receive_start_lsn", Kind::Lsn),
    ("receive_start_tli", Kind::Int4),
    ("received_lsn", Kind::Lsn),
    ("received_tli", Kind::Int4),
    ("last_msg_send_time", Kind::TimestampTz),
    ("last_msg_receipt_time", Kind::TimestampTz),
    ("latest_end_lsn", Kind::Lsn),
    ("latest_end_time", Kind::TimestampTz),
    ("slot_name", Kind::Text),
    ("conninfo", Kind::Text),
];

const PG_STAT_ACTIVITY: Shape = &[
    ("datid", Kind::Oid),
    ("datname", Kind::Name),
    ("pid", Kind::Int4),
    ("usesysid", Kind::Oid),
    ("usename", Kind::Name),
    ("application_name", Kind::Text),
    ("client_addr", Kind::Inet),
    ("client_hostname", Kind::Text),
    ("client_port", Kind::Int4),
    ("backend_start", Kind::TimestampTz),
    ("xact_start", Kind::TimestampTz),
    ("query_start", Kind::TimestampTz),
    ("state_change", Kind::TimestampTz),
    ("wait_event_type", Kind::Text),
    ("wait_event", Kind::Text),
    ("state", Kind::Text),
    ("backend_xid", Kind::Xid),
    ("backend_xmin", Kind::Xid),
    ("query", Kind::Text),
    ("backend_type", Kind::Text),
];

const PG_PREPARED_XACTS: Shape = &[
    ("transaction", Kind::Xid),
    ("gid", Kind::Text),
    ("prepared", Kind::TimestampTz),
    ("owner", Kind::Name),
    ("database", Kind::Name),
];

const PG_EXTENSION: Shape = &[("extname", Kind::Name), ("extversion", Kind::Text)];

const PG_CLEAN_CHECK_TXN: Shape = &[
    ("gid", Kind::Text),
    ("database", Kind::Text),
    ("global_transaction_status", Kind::Text),
    ("transaction_status_on_allnodes", Kind::Text),
];

const PG_CLEAN_EXECUTE: Shape = &[
    ("gid", Kind::Text),
    ("global_transaction_status", Kind::Text),
    ("operation", Kind::Text),
    ("operation_status", Kind::Text),
];

const PG_TABLES: Shape = &[("schemaname", Kind::Name), ("tablename", Kind::Name), ("tableowner", Kind::Name)];

const PG_DATABASE: Shape = &[("datname", Kind::Name), ("datistemplate", Kind::Bool), ("datallowconn", Kind::Bool)];

const PG_SETTINGS: Shape = &[("name", Kind::Text), ("setting", Kind::Text)];

const PG_REPLICATION_SLOTS: Shape =
    &[("slot_name", Kind::Name), ("slot_type", Kind::Text), ("active", Kind::Bool), ("restart_lsn", Kind::Lsn)];

const PG_CONTROL_SYSTEM: Shape = &[
    ("pg_control_version", Kind::Int4),
    ("catalog_version_no", Kind::Int4),
    ("system_identifier", Kind::Int8),
    ("pg_control_last_modified", Kind::TimestampTz),
];

const PG_CONTROL_RECOVERY: Shape = &[
    ("min_recovery_end_lsn", Kind::Lsn),
    ("min_recovery_end_timeline", Kind::Int4),
    ("backup_start_lsn", Kind::Lsn),
    ("backup_end_lsn", Kind::Lsn),
    ("end_of_backup_record_required", Kind::Bool),
];

/// Its real columns are never seen: the call always fails on v2.6.
const PG_CONTROL_CHECKPOINT: Shape = &[
    ("checkpoint_lsn", Kind::Lsn),
    ("prior_lsn", Kind::Lsn),
    ("redo_lsn", Kind::Lsn),
    ("redo_wal_file", Kind::Text),
    ("timeline_id", Kind::Int4),
    ("prev_timeline_id", Kind::Int4),
    ("full_page_writes", Kind::Bool),
    ("checkpoint_time", Kind::TimestampTz),
];

fn shape(view: &str, flavor: Flavor) -> Option<Shape> {
    Some(match view {
        "pgxc_node" if flavor == Flavor::V5 => PGXC_NODE_V5,
        "pgxc_node" => PGXC_NODE,
        "pg_stat_replication" => PG_STAT_REPLICATION,
        "pg_stat_wal_receiver" => PG_STAT_WAL_RECEIVER,
        "pg_stat_activity" => PG_STAT_ACTIVITY,
        "pg_prepared_xacts" => PG_PREPARED_XACTS,
        "pg_extension" => PG_EXTENSION,
        "pg_settings" => PG_SETTINGS,
        "pg_tables" => PG_TABLES,
        "pg_database" => PG_DATABASE,
        "pg_replication_slots" => PG_REPLICATION_SLOTS,
        _ => return None,
    })
}

fn function_shape(name: &str) -> Option<Shape> {
    Some(match name {
        "pg_clean_check_txn" => PG_CLEAN_CHECK_TXN,
        "pg_clean_execute" => PG_CLEAN_EXECUTE,
        "pg_control_system" => PG_CONTROL_SYSTEM,
        "pg_control_recovery" => PG_CONTROL_RECOVERY,
        "pg_control_checkpoint" => PG_CONTROL_CHECKPOINT,
        _ => return None,
    })
}

fn named(shape: Shape) -> Vec<Column> {
    shape.iter().map(|(name, kind)| Column::new(*name, *kind)).collect()
}

pub(super) fn columns(view: &str, flavor: Flavor) -> Option<Vec<Column>> {
    shape(view, flavor).map(named)
}

pub(super) fn function_columns(name: &str) -> Option<Vec<Column>> {
    function_shape(name).map(named)
}
