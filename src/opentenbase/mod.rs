//! The words OpenTenBase understands: SQL, commands and scripts, each built in one place from typed parts,
//! and readers of what comes back. Pure: nothing here touches the outside, and no reader can panic.

pub mod command;
mod conf;
mod conninfo;
mod control;
mod data_dir_scan;
mod files;
#[cfg(test)]
mod foreign_lines;
mod gtm;
mod hold;
mod host_environment;
mod in_doubt;
mod joint;
mod listen;
mod lock;
mod probe;
pub mod query;
mod replication_access;
mod resolve;
mod retarget;
pub mod salvage;
mod sanitize;
mod shell;
mod sql;
mod status;
mod sync_commit;
mod sync_names;
mod waldump;

pub use conf::{FENCE, StandbyConf, gtm_standby_lines, read_gtm_conf, read_recovery_conf, recovery_conf, with_fence};
pub use conninfo::{read_conninfo, write_conninfo};
pub use control::{read_control, read_end_of_wal};
pub use data_dir_scan::{DataDirScan, Directory, data_dir_scan_script, read_data_dir_scan};
pub use files::{
    lift_fence, lift_own_fence, read_recovery_file, read_replication_conf, rebuild, recovery_path, remove_file,
    replication_name, replication_user, staged_fence, write_recovery_conf,
};
pub use gtm::{
    GtmBytes, GtmStandby, GtmStatus, MOST_GTM_BYTES, gtm_body_length, gtm_get_status, gtm_lists, gtm_startup,
    read_gtm_status,
};
pub use hold::{
    TableName, client_databases, client_tables, connections_kept, give_up_hold, hold_bounds, hold_tables,
    hold_tables_in_words, open_transactions, release_hold, waiting_sessions,
};
pub use host_environment::read_clock;
pub use in_doubt::{
    CREATE_PG_CLEAN, LEAST_AGE_SECONDS, MOST_PREPARED, NO_SUCH_FUNCTION, finish_in_doubt, prepared_age, psql_line,
    read_sessions, read_states, waits_for_a_page,
};
pub use joint::{Answer, Answers, MOST_JOINED, joint_script};
pub use listen::{listening, read_listeners};
pub use lock::{Leftovers, LockAnswer, lock_script, locked_directories, read_lock};
pub use probe::{Look, MOST_LOOKS, Probe, Tools, USUAL_SEGMENT, no_probe, probe_script, read_probe, survey_script};
pub use replication_access::{most_logins, read_replication_access, replication_access};
pub use resolve::{Addresses, read_addresses, resolve_script};
pub use retarget::{keep_old_recovery_conf, recovery_settings, retargeted};
pub use sanitize::{MOST_DISPLAYED, is_dangerous, sanitize_bytes_for_display, sanitize_for_display};
pub use shell::{Command, Script, quote};
pub use sql::{
    Sql, alter_gtm_node, alter_node, checkpoint, execute_direct, identifier, literal, lock_timeout, pool_reload,
};
pub use status::{is_concurrent_update, is_want_of_timestamp, read_gtm_status_text, read_pg_status, read_pid_file};
pub use sync_commit::{commit_that_waits, local_commits, read_sync_settings, sync_settings};
pub use sync_names::{NAMELESS_STANDBY, SyncNames, standby_name, with_name};
pub use waldump::{MissingRange, has_received, missing_transactions, read_missing_transactions};
