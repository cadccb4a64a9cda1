//! The rows of catalogs and statistics views, from the world.

use crate::model::{Lsn, NodeKind};
use crate::sandbox::Flavor;
use crate::sandbox::moment::Moment;
use crate::sandbox::sql::{SqlError, Value};

use super::World;
use super::eval_context::EvalContext;
use super::instance::{DiskId, Postgres, Process, Receiver, Standby};
use super::session::SessionId;
use super::settings::millis;
use super::wal::Wal;

/// The rows of a view on the seat's process.
pub(super) fn rows(context: &EvalContext<'_>, view: &str) -> Vec<Vec<Value>> {
    match view {
        "pgxc_node" => routes(context),
        "pg_stat_replication" => context.world.stat_replication(context.disk),
        "pg_stat_wal_receiver" => context.world.stat_wal_receiver(context.disk).into_iter().collect(),
        "pg_stat_activity" => context.world.stat_activity(context.disk),
        "pg_prepared_xacts" => prepared(context),
        "pg_extension" if context.world.has_pg_clean => vec![vec![Value::text("pg_clean"), Value::text("1.0")]],
        "pg_settings" => settings(context),
        "pg_tables" => tables(context),
        "pg_database" => [("postgres", false, true), ("template1", true, true), ("template0", true, false)]
            .map(|(name, template, allows)| vec![Value::text(name), Value::Bool(template), Value::Bool(allows)])
            .to_vec(),
        // The sandbox's nodes use none, as the guide's clusters.
        _ => Vec::new(),
    }
}

/// The rows of a set-returning function.
pub(super) fn function_rows(context: &EvalContext<'_>, name: &str) -> Result<Vec<Vec<Value>>, SqlError> {
    let copy = context.world.postgres.get(&context.disk).ok_or_else(|| SqlError::new("XX000", "no such process"))?;
    let control = copy.control;
    match name {
        // They open it by its whole path (seen live).
        "pg_control_system" | "pg_control_recovery" if copy.hidden => {
            let directory = copy.process.as_ref().map_or("", |process| &process.data_directory);
            let file = format!("{directory}/global/pg_control");
            Err(SqlError::new(
                "58P01",
                format!("could not open file \"{file}\" for reading: No such file or directory"),
            ))
        }
        "pg_control_system" => Ok(vec![vec![
            Value::Int(1002),
            Value::Int(201_707_211),
            Value::count(copy.system_id.0),
            Value::Time(control.modified),
        ]]),
        "pg_control_recovery" => {
            let end = if copy.is_master() { Lsn(0) } else { copy.replayed() };
            let timeline = Value::count(control.min_recovery_timeline.0);
            Ok(vec![vec![Value::Lsn(end), timeline, Value::Lsn(Lsn(0)), Value::Lsn(Lsn(0)), Value::Bool(false)]])
        }
        // v2.6 is broken here (seen live).
        "pg_control_checkpoint" if context.world.flavor == Flavor::V5 => {
            let timeline = Value::count(control.timeline.0);
            let file = Value::Text(Wal::file_name(control.timeline, control.redo));
            Ok(vec![vec![
                Value::Lsn(control.checkpoint),
                Value::Lsn(control.prior_checkpoint),
                Value::Lsn(control.redo),
                file,
                timeline.clone(),
                timeline,
                Value::Bool(true),
                Value::Time(control.checkpoint_time),
            ]])
        }
        "pg_control_checkpoint" => {
            Err(SqlError::new("42804", "function return row and query-specified return row do not match")
                .detail("Returned row contains 22 attributes, but query expects 19."))
        }
        other => Err(SqlError::no_function(&format!("{other}()"))),
    }
}

fn routes(context: &EvalContext<'_>) -> Vec<Vec<Value>> {
    let data = context.world.own_data(context.session, context.disk);
    let v5 = context.world.flavor == Flavor::V5;
    let rows = data.routes.values().map(|row| {
        let mut values = vec![
            Value::text(&row.node),
            Value::text(row.kind.to_string()),
            Value::count(row.port),
            Value::text(&row.host),
            Value::Bool(row.primary),
            Value::Bool(row.preferred),
            Value::count(row.id),
            Value::text(&row.cluster),
        ];
        if v5 {
            values.insert(3, Value::count(row.forward));
            // The main plane's.
            values.push(Value::count(0));
        }
        values
    });
    rows.collect()
}

fn prepared(context: &EvalContext<'_>) -> Vec<Vec<Value>> {
    let data = context.world.postgres.get(&context.disk).map(|copy| &copy.data.prepared);
    let rows = data.into_iter().flatten().enumerate().map(|(n, (gid, transaction))| {
        vec![
            Value::count(600 + n),
            Value::text(gid),
            Value::Time(transaction.at),
            Value::text(&transaction.owner),
            Value::text(&transaction.database),
        ]
    });
    rows.collect()
}

/// The sandbox's tables all lie in schema public.
fn tables(context: &EvalContext<'_>) -> Vec<Vec<Value>> {
    let tables = context.world.postgres.get(&context.disk).map(|copy| &copy.data.tables);
    let row = |name: &String| vec![Value::text("public"), Value::text(name), Value::text(&context.world.user)];
    tables.into_iter().flat_map(|tables| tables.keys()).map(row).collect()
}

fn settings(context: &EvalContext<'_>) -> Vec<Vec<Value>> {
    let all = context.world.all_settings(context.session, context.disk);
    // Times are shown in their unit there, here in milliseconds.
    let number = |name: &str, value: String| match millis(&value) {
        Some(time) if name == "deadlock_timeout" => time.to_string(),
        _ => value,
    };
    let row = |(name, value): (String, String)| {
        let setting = number(&name, value);
        vec![Value::Text(name), Value::Text(setting)]
    };
    all.into_iter().map(row).collect()
}

impl World {
    /// Who is connected to `disk` as a standby now.
    pub(super) fn senders(&self, disk: DiskId) -> Vec<(&Postgres, &Standby)> {
        let Some(own) = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref()) else { return Vec::new() };
        let follows = |copy: &'_ Postgres| -> bool {
            let Some(standby) = copy.process.as_ref().filter(|process| !process.hung).and_then(Process::standby) else {
                return false;
            };
            let here = |upstream: &super::Upstream| {
                super::net::resolved(&upstream.host) == own.host.as_str() && upstream.port == own.port
            };
            !matches!(standby.receiver, Receiver::Down(_)) && standby.upstream.as_ref().is_some_and(here)
        };
        let pairs = self.postgres.values().filter(|copy| follows(copy));
        pairs.filter_map(|copy| Some((copy, copy.process.as_ref()?.standby()?))).collect()
    }

    fn stat_replication(&self, disk: DiskId) -> Vec<Vec<Value>> {
        let end = self.postgres.get(&disk).map_or(Lsn(0), |copy| copy.wal.end());
        let row = |((copy, standby), (priority, sync)): ((&Postgres, &Standby), (usize, &str))| {
            let upstream = standby.upstream.as_ref();
            let name = upstream.map(|upstream| upstream.application_name.clone()).unwrap_or_default();
            let forked = matches!(standby.receiver, Receiver::Forked(_));
            let own = self.postgres.get(&disk);
            // To a copy that forked off nothing is sent beyond the fork (seen live).
            let sent = if forked {
                own.and_then(|own| own.wal.history.last()).map_or(end, |(_, left)| *left)
            } else {
                copy.wal.end()
            };
            let state = if forked {
                "startup"
            } else if sent < end && standby.allowance.is_none() {
                "catchup"
            } else {
                "streaming"
            };
            let process = copy.process.as_ref();
            vec![
                Value::or_null(process, |process| Value::count(process.pid + 100_000)),
                Value::Int(10),
                Value::or_null(upstream, |upstream| Value::text(&upstream.user)),
                Value::Text(name),
                // On loopback always this, whatever the server's address (opentenbase-v2.6-live.md, "WAL and timelines").
                Value::text("127.0.0.1"),
                Value::Null,
                Value::or_null(process, |process| Value::count(process.pid % 30_000 + 32_768)),
                Value::or_null(process, |process| Value::Time(process.started)),
                Value::Null,
                Value::text(state),
                Value::Lsn(sent),
                Value::Lsn(sent),
                Value::Lsn(sent),
                Value::Lsn(copy.replayed()),
                Value::Null,
                Value::Null,
                Value::Null,
                Value::count(u32::try_from(priority).unwrap_or(u32::MAX)),
                Value::text(sync),
            ]
        };
        self.senders(disk).into_iter().zip(self.sync_states(disk)).map(row).collect()
    }

    fn stat_wal_receiver(&self, disk: DiskId) -> Option<Vec<Value>> {
        let copy = self.postgres.get(&disk)?;
        let process = copy.process.as_ref()?;
        let standby = process.standby().filter(|standby| !matches!(standby.receiver, Receiver::Down(_)))?;
        let status = if standby.receiver == Receiver::Streaming { "streaming" } else { "waiting" };
        let upstream = standby.upstream.as_ref()?;
        let (end, timeline) = (copy.wal.end(), copy.wal.timeline);
        let conninfo = format!(
            "user={} passfile=/home/{}/.pgpass dbname=replication host={} port={} application_name={} \
             fallback_application_name=walreceiver sslmode=prefer sslcompression=1 target_session_attrs=any",
            upstream.user, upstream.user, upstream.host, upstream.port, upstream.application_name
        );
        Some(vec![
            Value::count(process.pid + 200_000),
            Value::text(status),
            Value::Lsn(standby.received_from),
            Value::count(copy.wal.timeline_at(standby.received_from).0),
            Value::Lsn(end),
            Value::count(timeline.0),
            Value::Time(standby.last_message),
            Value::Time(standby.last_message),
            Value::Lsn(end),
            Value::Time(standby.last_message),
            Value::Null,
            Value::Text(conninfo),
        ])
    }

    fn stat_activity(&self, disk: DiskId) -> Vec<Vec<Value>> {
        let sessions = self.sessions.iter().filter(|(_, session)| session.disk == disk);
        let row = |(id, session): (&SessionId, &super::Session)| {
            let waits = self.waits_for_table(*id);
            let waits_for = |text: &'static str| if waits { Value::text(text) } else { Value::Null };
            let application = session.settings.get("application_name").cloned().unwrap_or_default();
            let activity = &session.activity;
            // A v5 shows neither of a session that waits (seen live).
            let hides = waits && self.flavor == Flavor::V5;
            let query_start = if hides { Value::Null } else { Value::Time(activity.query_start) };
            let query = if hides { "" } else { activity.query.as_str() };
            vec![
                Value::Int(12_443),
                Value::text(&session.database),
                Value::count(session.pid),
                Value::Int(10),
                Value::text(&session.user),
                Value::Text(application),
                Value::or_null(session.client, |client| Value::text(client.ip().to_string())),
                Value::Null,
                Value::or_null(session.client, |client| Value::count(client.port())),
                Value::Time(session.backend_start),
                Value::or_null(activity.xact_start, Value::Time),
                query_start,
                Value::Time(activity.state_change),
                waits_for("Lock"),
                waits_for("relation"),
                Value::text(activity.state),
                Value::Null,
                Value::Null,
                Value::text(query),
                Value::text("client backend"),
            ]
        };
        sessions.map(row).chain(self.slow_commits(disk)).chain(self.waiting(disk)).collect()
    }

    /// The sessions of `disk` that are in the middle of a commit over several nodes.
    fn slow_commits(&self, disk: DiskId) -> impl Iterator<Item = Vec<Value>> {
        let process = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref());
        let mine = self.committing.iter().filter(move |(gid, one)| {
            let held = self.postgres.values().any(|copy| copy.is_master() && copy.data.prepared.contains_key(*gid));
            one.coordinator == disk && held && process.is_some_and(|process| process.started < one.begun)
        });
        mine.map(|(_, one)| busy(one.xid, one.begun, [Value::Null, Value::Null], Value::Int(one.xid), "commit"))
    }

    /// The reader that waits for the end of a prepared transaction, and the writer that waits for the reader's page.
    fn waiting(&self, disk: DiskId) -> Vec<Vec<Value>> {
        let process = self.postgres.get(&disk).and_then(|copy| copy.process.as_ref());
        let Some(process) = process.filter(|_| self.is_stuck(disk)) else { return Vec::new() };
        let wait = |pid, kind: &str, event: &str, query| {
            busy(pid, process.started, [Value::text(kind), Value::text(event)], Value::Null, query)
        };
        vec![
            wait(70_001, "Lock", "transactionid", "select v from t where id = 1"),
            wait(70_002, "LWLock", "buffer_content", "update t set v = v where id = 2"),
        ]
    }

    /// Whether a node of this kind routes.
    pub fn is_router(&self, disk: DiskId) -> bool {
        self.home(disk).is_some_and(|home| home.kind != NodeKind::Gtm)
    }
}

/// A row of pg_stat_activity of a client that is not simulated otherwise.
fn busy(pid: i64, since: Moment, wait: [Value; 2], xid: Value, query: &str) -> Vec<Value> {
    let who =
        [Value::Int(12_443), Value::text("postgres"), Value::Int(pid), Value::Int(10), Value::text("opentenbase")];
    let from = [Value::text("psql"), Value::Null, Value::Null, Value::Null];
    let times = std::iter::repeat_n(Value::Time(since), 4);
    let what = [Value::text("active"), xid, Value::Null, Value::text(query), Value::text("client backend")];
    who.into_iter().chain(from).chain(times).chain(wait).chain(what).collect()
}
