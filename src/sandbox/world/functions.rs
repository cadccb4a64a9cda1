//! The functions that a server answers.

use crate::model::Lsn;
use crate::sandbox::Flavor;
use crate::sandbox::sql::{Kind, SqlError, Value};

use super::effect::Effect;
use super::eval_context::{EvalContext, Origin};
use super::instance::{Postgres, Process};
use super::wal::{Body, Wal};

pub(super) fn call(context: &mut EvalContext<'_>, name: &str, args: &[Value]) -> Result<Value, SqlError> {
    match name {
        "pg_is_in_recovery"
        | "pg_postmaster_start_time"
        | "pg_current_wal_lsn"
        | "pg_current_wal_insert_lsn"
        | "pg_current_wal_flush_lsn"
        | "pg_walfile_name"
        | "pg_last_wal_receive_lsn"
        | "pg_last_wal_replay_lsn"
        | "pg_is_wal_replay_paused"
        | "pg_last_xact_replay_timestamp" => wal_function(context, name, args),
        "pg_switch_wal" => switch_wal(context),
        "pg_logical_emit_message" => emit_message(context, args),
        "pg_wal_replay_pause" | "pg_wal_replay_resume" => pause(context, name == "pg_wal_replay_pause"),
        "pg_is_in_backup" => Ok(Value::Bool(false)),
        "pgxc_pool_reload" => reload(context),
        "pgxc_pool_check" => Ok(Value::Bool(context.world.pool_agrees(context.disk))),
        "pg_reload_conf" => {
            context.world.effects.push(Effect::Reload(context.disk));
            Ok(Value::Bool(true))
        }
        "pg_try_advisory_lock" | "pg_advisory_unlock" => advisory(context, name, args),
        "pg_advisory_unlock_all" => {
            let session = context.session;
            context.world.advisory.retain(|_, holder| *holder != session);
            Ok(Value::text(""))
        }
        "now" | "statement_timestamp" | "transaction_timestamp" | "clock_timestamp" | "current_timestamp" => {
            Ok(Value::Time(context.now))
        }
        "version" => Ok(Value::Text(format!(
            "PostgreSQL {} on x86_64-pc-linux-gnu, compiled by gcc (Debian 12.2.0-14+deb12u1) 12.2.0, 64-bit",
            context.world.flavor.server_version()
        ))),
        "current_setting" => setting(context, args),
        "pg_read_file" => read_file(context, args),
        _ => session_function(context, name),
    }
}

fn copy<'s>(context: &'s EvalContext<'_>) -> Result<(&'s Postgres, &'s Process), SqlError> {
    let copy = context.world.postgres.get(&context.disk);
    copy.and_then(|copy| Some((copy, copy.process.as_ref()?)))
        .ok_or_else(|| SqlError::fatal("57P01", "terminating connection due to administrator command"))
}

fn in_recovery() -> SqlError {
    SqlError::new("55000", "recovery is in progress").hint("WAL control functions cannot be executed during recovery.")
}

fn not_in_recovery() -> SqlError {
    SqlError::new("55000", "recovery is not in progress")
        .hint("Recovery control functions can only be executed during recovery.")
}

fn wal_function(context: &EvalContext<'_>, name: &str, args: &[Value]) -> Result<Value, SqlError> {
    let (copy, process) = copy(context)?;
    let standby = process.standby();
    Ok(match name {
        "pg_is_in_recovery" => Value::Bool(standby.is_some()),
        "pg_postmaster_start_time" => Value::Time(process.started),
        "pg_current_wal_lsn" | "pg_current_wal_insert_lsn" | "pg_current_wal_flush_lsn" => match standby {
            Some(_) => return Err(in_recovery()),
            None => Value::Lsn(copy.wal.end()),
        },
        "pg_walfile_name" => match (standby, args.first().map(|arg| arg.cast(Kind::Lsn)).transpose()?) {
            (Some(_), _) => {
                let hint = match context.world.flavor {
                    Flavor::V2 => "pg_walfile_name() cannot be executed during recovery.",
                    Flavor::V5 => {
                        "pg_walfile_name() cannot be executed during recovery.\n while processing column pg_walfile_name"
                    }
                };
                return Err(SqlError::new("55000", "recovery is in progress").hint(hint));
            }
            (None, Some(Value::Lsn(lsn))) => Value::Text(Wal::file_name(copy.wal.timeline, lsn)),
            (None, _) => Value::Null,
        },
        "pg_last_wal_receive_lsn" => match standby {
            Some(standby) if standby.has_streamed => Value::Lsn(copy.wal.end()),
            Some(standby) => Value::Lsn(standby.received_from),
            None => Value::Null,
        },
        // Not NULL on a master that went through crash recovery (seen live).
        "pg_last_wal_replay_lsn" => match standby {
            Some(_) => Value::Lsn(copy.replayed()),
            None => Value::or_null(copy.crash_recovered, Value::Lsn),
        },
        "pg_is_wal_replay_paused" => match standby {
            Some(standby) => Value::Bool(standby.replay_paused),
            None => return Err(not_in_recovery()),
        },
        "pg_last_xact_replay_timestamp" => {
            Value::or_null(standby.and_then(|standby| standby.last_replayed), Value::Time)
        }
        other => return Err(SqlError::no_function(&format!("{other}()"))),
    })
}

fn switch_wal(context: &mut EvalContext<'_>) -> Result<Value, SqlError> {
    let (copy, _) = copy(context)?;
    if !copy.is_master() {
        return Err(in_recovery());
    }
    let end: Lsn = copy.wal.end();
    context.world.append(context.disk, Body::Switch, context.now);
    context.world.settle(context.now);
    Ok(Value::Lsn(end))
}

/// WAL that no program reads. With `true` it belongs to a transaction, which ends with the statement here.
fn emit_message(context: &mut EvalContext<'_>, args: &[Value]) -> Result<Value, SqlError> {
    let (copy, _) = copy(context)?;
    if !copy.is_master() {
        return Err(SqlError::new("XX000", "cannot assign TransactionIds during recovery"));
    }
    let length = args.get(2).and_then(Value::to_text).map_or(0, |text| text.len());
    context.world.append(context.disk, Body::Filler(u64::try_from(length).unwrap_or(u64::MAX >> 8)), context.now);
    if args.first().is_some_and(Value::is_true) {
        let session = match context.origin {
            Origin::Client => Some(context.session),
            Origin::Pooler { .. } => None,
        };
        let waits = context.world.write(session, context.disk, Vec::new(), context.now);
        let waits = waits.map_err(|_| SqlError::new("53100", "could not extend file: No space left on device"))?;
        context.world.committed.extend(waits);
    }
    context.world.settle(context.now);
    let end = context.world.postgres.get(&context.disk).map_or(Lsn(0), |copy| copy.wal.end());
    Ok(Value::Lsn(end))
}

fn pause(context: &mut EvalContext<'_>, paused: bool) -> Result<Value, SqlError> {
    if !context.world.pause_replay(context.disk, paused, context.now) {
        return Err(not_in_recovery());
    }
    Ok(Value::text(""))
}

fn reload(context: &mut EvalContext<'_>) -> Result<Value, SqlError> {
    let open = context.world.sessions.get(&context.session).is_some_and(|session| session.transaction.is_some());
    if open {
        return Err(SqlError::new("25001", "pgxc_pool_reload cannot run inside a transaction block"));
    }
    context.delay = context.world.reload_waits(context.disk, context.now);
    context.world.end_holders(context.session, context.disk, context.now);
    context.world.pool_reload(context.disk);
    Ok(Value::Bool(true))
}

/// Cluster-wide when taken through a coordinator (opentenbase-v2.6-live.md, "Tools").
fn advisory(context: &mut EvalContext<'_>, name: &str, args: &[Value]) -> Result<Value, SqlError> {
    let mut key = 0_i64;
    for arg in args {
        match arg.cast(Kind::Int8)? {
            Value::Int(n) => key = key.wrapping_shl(32) ^ n,
            _ => return Ok(Value::Null),
        }
    }
    let holder = context.world.advisory.get(&key).copied();
    let free_or_own = holder.is_none_or(|holder| holder == context.session);
    if name == "pg_try_advisory_lock" {
        if free_or_own {
            context.world.advisory.insert(key, context.session);
        }
        return Ok(Value::Bool(free_or_own));
    }
    let held = holder == Some(context.session);
    if held {
        context.world.advisory.remove(&key);
    }
    Ok(Value::Bool(held))
}

/// The one file that otb asks a process for.
fn read_file(context: &EvalContext<'_>, args: &[Value]) -> Result<Value, SqlError> {
    let (_, process) = copy(context)?;
    match args.first().and_then(Value::to_text).as_deref() {
        None => Ok(Value::Null),
        Some("postmaster.pid") => Ok(Value::Text(process.pid_file(context.disk))),
        Some(_) => Err(SqlError::new("0A000", "the sandbox reads postmaster.pid only")),
    }
}

fn setting(context: &EvalContext<'_>, args: &[Value]) -> Result<Value, SqlError> {
    let name = args.first().and_then(Value::to_text).unwrap_or_default();
    let missing_ok = args.get(1).is_some_and(Value::is_true);
    // A remote query's own session is the pooler's, not the client's.
    let session = match context.origin {
        Origin::Client => Some(context.session),
        Origin::Pooler { .. } => None,
    };
    match context.world.setting(session, context.disk, &name) {
        Some(value) => Ok(Value::Text(value)),
        None if missing_ok => Ok(Value::Null),
        None => Err(SqlError::no_setting(&name)),
    }
}

fn session_function(context: &EvalContext<'_>, name: &str) -> Result<Value, SqlError> {
    let (_, process) = copy(context)?;
    let Some(session) = context.world.sessions.get(&context.session) else { return Ok(Value::Null) };
    let over_unix = context.origin == Origin::Pooler { same_server: true };
    Ok(match name {
        "pg_backend_pid" => Value::count(session.pid),
        "current_database" | "current_catalog" => Value::text(&session.database),
        "current_user" | "session_user" | "user" => Value::text(&session.user),
        "inet_server_addr" | "inet_server_port" | "inet_client_addr" | "inet_client_port" if over_unix => Value::Null,
        "inet_server_addr" => Value::text(process.host.as_str()),
        "inet_server_port" => Value::count(process.port),
        "inet_client_addr" => Value::or_null(session.client, |client| Value::text(client.ip().to_string())),
        "inet_client_port" => Value::or_null(session.client, |client| Value::count(client.port())),
        other => return Err(SqlError::no_function(&format!("{other}()"))),
    })
}
