//! Runs one statement of a session.

use crate::model::NodeKind;
use crate::sandbox::sql::{
    Column, From, Kind, Query, Relation, SqlError, Statement, Value, describe, describe_items, evaluate, parse, select,
};
use crate::sandbox::{Flavor, Moment};

use super::World;
use super::answer::{Answer, GaveUp, Outcome, Ran, Stop, Wait};
use super::eval_context::{EvalContext, Origin};
use super::instance::{DiskId, Mode};
use super::session::{Replication, SessionId};

impl World {
    /// Runs `statement`. Whatever is not possible now is a [`Ran::Wait`], and nothing was done.
    pub fn run(&mut self, id: SessionId, statement: &Statement, params: &[Value], now: Moment) -> Ran {
        self.leave_queue(id);
        let ran = match self.attempt(id, statement, params, now) {
            Ok(mut outcome) => {
                outcome.sync.append(&mut self.committed);
                Ran::Done(outcome)
            }
            Err(stop) => stop.into(),
        };
        match ran {
            Ran::Done(outcome) => Ran::Done(self.concluded(id, outcome, now)),
            wait @ Ran::Wait(_) => wait,
        }
    }

    /// Ends a statement that waits: the server's error, and what it means for the session.
    pub fn give_up(&mut self, id: SessionId, wait: Wait, why: GaveUp, now: Moment) -> Outcome {
        let disk = self.sessions.get(&id).map(|session| session.disk);
        if let Some(disk) = disk {
            self.stop_waiting(disk, id);
        }
        let coordinator = disk.and_then(|disk| self.home(disk)).is_some_and(|home| home.kind == NodeKind::Coordinator);
        let mut warnings = Vec::new();
        let error = match (why, wait) {
            (GaveUp::LockTimeout, _) => SqlError::new("55P03", "canceling statement due to lock timeout"),
            (GaveUp::StatementTimeout, _) => SqlError::new("57014", "canceling statement due to statement timeout"),
            (GaveUp::OutOfPatience, Wait::NoGtmAtCommit) => {
                SqlError::new("XX000", "failed to get global timestamp for commit command")
            }
            (GaveUp::OutOfPatience, Wait::Lock | Wait::Peer | Wait::Page | Wait::Gtm | Wait::NoGtm) => {
                if coordinator {
                    warnings.push("retry 3 times, get a invalid global timestamp, ResetGTMConnection".to_owned());
                }
                SqlError::new("08006", "GTM error, could not obtain global timestamp. Current XID = 0, Autovac = 0")
            }
        };
        // A commit that fails leaves no transaction behind.
        if let Some(session) = self.sessions.get_mut(&id).filter(|_| wait == Wait::NoGtmAtCommit) {
            session.transaction = None;
        }
        self.concluded(id, Outcome { warnings, ..Outcome::error(error) }, now)
    }

    /// An error inside a transaction block breaks the block.
    fn concluded(&mut self, id: SessionId, outcome: Outcome, now: Moment) -> Outcome {
        let Some(session) = self.sessions.get_mut(&id) else { return outcome };
        if let (Err(_), Some(transaction)) = (&outcome.result, session.transaction.as_mut()) {
            transaction.failed = true;
        }
        session.activity.state = match &session.transaction {
            None => "idle",
            Some(transaction) if transaction.failed => "idle in transaction (aborted)",
            Some(_) => "idle in transaction",
        };
        session.activity.state_change = now;
        if session.transaction.is_none() {
            session.activity.xact_start = None;
        }
        outcome
    }

    /// Notes the text of the statement that runs, for pg_stat_activity.
    pub fn note_query(&mut self, id: SessionId, sql: &str, now: Moment) {
        if let Some(session) = self.sessions.get_mut(&id) {
            let activity = &mut session.activity;
            activity.state = "active";
            sql.clone_into(&mut activity.query);
            activity.query_start = now;
            activity.xact_start = activity.xact_start.or(Some(now));
        }
    }

    fn attempt(
        &mut self,
        id: SessionId,
        statement: &Statement,
        params: &[Value],
        now: Moment,
    ) -> Result<Outcome, Stop> {
        let disk = self.check_session(id, statement)?;
        if self.needs_timestamp(disk, statement) {
            self.need_timestamp(id, now)?;
        }
        if statement.writes() && self.is_read_only(id, disk) {
            let text = format!("cannot execute {} in a read-only transaction", statement.tag());
            return Err(SqlError::new("25006", text).into());
        }
        let mut context = EvalContext::new(self, id, disk, params, now);
        match statement {
            Statement::Select(query) => {
                let relation = context.select(query)?;
                Ok(Outcome { delay: context.delay, ..Outcome::ok(Answer::Rows { relation, tag: "SELECT" }) })
            }
            Statement::Values(rows) => Ok(Outcome::ok(Answer::Rows { relation: context.values(rows)?, tag: "SELECT" })),
            Statement::ExecuteDirect { node, sql } => context.execute_direct(node, sql),
            Statement::Insert(insert) => Self::insert(&mut context, insert),
            Statement::Update { table, set, filter } => Self::modify(&mut context, table, Some(set), filter.as_ref()),
            Statement::Delete { table, filter } => Self::modify(&mut context, table, None, filter.as_ref()),
            Statement::CreateTable(create) => self.create_table(id, disk, create, now),
            Statement::DropTable { name, if_exists } => self.drop_table(id, disk, name, *if_exists, now),
            Statement::AlterNode(alter) => self.alter_node(id, alter, now),
            Statement::CreateNode(node) => self.create_node(id, node, now),
            Statement::DropNode(name) => self.drop_node(id, name, now),
            Statement::Begin => Ok(self.begin(id, now)),
            Statement::Commit => self.commit(id, now),
            Statement::Rollback => Ok(self.rollback(id)),
            Statement::Show(name) => self.show(id, disk, name),
            Statement::Set { name, value, local } => self.set(id, disk, name, value.as_deref(), *local),
            Statement::Lock(tables) => self.lock_tables(id, disk, tables),
            Statement::Checkpoint => self.checkpoint_by(id, disk, now),
            Statement::Discard => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.settings.clear();
                }
                Ok(Outcome::done("DISCARD ALL"))
            }
            Statement::IdentifySystem => self.identify_system(id, disk),
            Statement::TimelineHistory(timeline) => self.timeline_history(disk, *timeline),
        }
    }

    fn check_session(&self, id: SessionId, statement: &Statement) -> Result<DiskId, SqlError> {
        let gone = || SqlError::fatal("57P01", "terminating connection due to administrator command");
        let session = self.sessions.get(&id).ok_or_else(gone)?;
        let process = self.postgres.get(&session.disk).and_then(|copy| copy.process.as_ref()).ok_or_else(gone)?;
        if process.started != session.process_started {
            return Err(gone());
        }
        let failed = session.transaction.as_ref().is_some_and(|transaction| transaction.failed);
        if failed && !matches!(statement, Statement::Commit | Statement::Rollback) {
            let text = "current transaction is aborted, commands ignored until end of transaction block";
            return Err(SqlError::new("25P02", text));
        }
        let replication_only = matches!(statement, Statement::IdentifySystem | Statement::TimelineHistory(_));
        match session.replication {
            Replication::No if replication_only => Err(SqlError::syntax_near(&statement.tag().to_lowercase())),
            // Live: a physical replication connection knows SHOW, and no SQL.
            Replication::Physical if !replication_only && !matches!(statement, Statement::Show(_)) => {
                Err(SqlError::new("XX000", "not connected to database"))
            }
            _ => Ok(session.disk),
        }
    }

    /// Statements that take a snapshot, and with it a global timestamp, on a master (opentenbase-v2.6-live.md, "GTM";
    /// live).
    fn needs_timestamp(&self, disk: DiskId, statement: &Statement) -> bool {
        let Some(copy) = self.postgres.get(&disk) else { return false };
        if copy.process.as_ref().is_none_or(|process| !matches!(process.mode, Mode::Master)) {
            return false;
        }
        match statement {
            Statement::Select(_)
            | Statement::Values(_)
            | Statement::ExecuteDirect { .. }
            | Statement::Insert(_)
            | Statement::Update { .. }
            | Statement::Delete { .. }
            | Statement::CreateTable(_)
            | Statement::DropTable { .. }
            | Statement::CreateNode(_)
            | Statement::DropNode(_)
            | Statement::Discard => true,
            // Live: a coordinator's CHECKPOINT needs one, a datanode's does not.
            Statement::Checkpoint => copy.home.kind == NodeKind::Coordinator,
            Statement::Show(_)
            | Statement::Set { .. }
            | Statement::Lock(_)
            | Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::AlterNode(_)
            | Statement::IdentifySystem
            | Statement::TimelineHistory(_) => false,
        }
    }

    /// The columns a statement will answer with; none if it answers none.
    pub fn describe(&mut self, id: SessionId, statement: &Statement, now: Moment) -> Result<Vec<Column>, SqlError> {
        let disk = self.sessions.get(&id).map(|session| session.disk);
        let Some(disk) = disk else {
            return Err(SqlError::fatal("57P01", "terminating connection due to administrator command"));
        };
        let text = |name: &str| vec![Column::new(name, Kind::Text)];
        let mut context = EvalContext::new(self, id, disk, &[], now);
        match statement {
            Statement::Select(query) => describe(query, &mut context),
            Statement::Values(rows) => context.values_columns(rows),
            Statement::ExecuteDirect { node, sql } => match parse(sql)? {
                Statement::Select(query) => {
                    if let Ok(target) = context.world.pooled(id, disk, node) {
                        context.disk = target;
                    }
                    describe(&query, &mut context)
                }
                _ => Ok(Vec::new()),
            },
            Statement::Show(name) => Ok(text(name)),
            Statement::IdentifySystem => Ok(identify_columns()),
            Statement::TimelineHistory(_) => {
                Ok(vec![Column::new("filename", Kind::Text), Column::new("content", Kind::Text)])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// IDENTIFY_SYSTEM works without a GTM (opentenbase-v2.6-live.md, "GTM").
    fn identify_system(&self, id: SessionId, disk: DiskId) -> Result<Outcome, Stop> {
        let copy = self.postgres.get(&disk).ok_or_else(|| SqlError::new("XX000", "no such process"))?;
        let database = self.sessions.get(&id).filter(|session| session.replication == Replication::Database);
        let row = vec![
            Value::text(copy.system_id.to_string()),
            Value::count(copy.wal.timeline.0),
            Value::text(if copy.is_master() { copy.wal.end() } else { copy.replayed() }.to_string()),
            Value::or_null(database, |session| Value::text(&session.database)),
        ];
        let relation = Relation { columns: identify_columns(), rows: vec![row] };
        Ok(Outcome::ok(Answer::Rows { relation, tag: "SELECT" }))
    }

    fn timeline_history(&self, disk: DiskId, timeline: u32) -> Result<Outcome, Stop> {
        let copy = self.postgres.get(&disk).ok_or_else(|| SqlError::new("XX000", "no such process"))?;
        let name = format!("{timeline:08X}.history");
        if timeline < 2 || timeline != copy.wal.timeline.0 {
            let text = format!("could not open file \"pg_wal/{name}\": No such file or directory");
            return Err(SqlError::new("58P01", text).into());
        }
        let columns = vec![Column::new("filename", Kind::Text), Column::new("content", Kind::Text)];
        let rows = vec![vec![Value::Text(name), Value::Text(copy.wal.history_file())]];
        Ok(Outcome::ok(Answer::Rows { relation: Relation { columns, rows }, tag: "SELECT" }))
    }
}

fn identify_columns() -> Vec<Column> {
    let columns = [("systemid", Kind::Text), ("timeline", Kind::Int4), ("xlogpos", Kind::Text), ("dbname", Kind::Text)];
    columns.into_iter().map(|(name, kind)| Column::new(name, kind)).collect()
}

impl EvalContext<'_> {
    fn select(&mut self, query: &Query) -> Result<Relation, Stop> {
        self.pin = self.pin_of(query)?;
        let Some(routes) = self.committed_routes(query) else {
            return select(query, self).map_err(|error| self.stopped(error));
        };
        if let Err(error) = self.read_routes() {
            return Err(self.stopped(error));
        }
        if let Some(known) = self.world.catalog_cache.find(&routes, query) {
            return Ok(known);
        }
        self.by_rows_alone = true;
        let answer = select(query, self).map_err(|error| self.stopped(error))?;
        if self.by_rows_alone {
            self.world.catalog_cache.keep(routes, query.clone(), answer.clone());
        }
        Ok(answer)
    }

    /// The process's pgxc_node, if `query` reads that and this session has not changed it.
    fn committed_routes(&self, query: &Query) -> Option<super::data::Routes> {
        let reads = matches!(&query.from, Some(From::Table { name }) if name == "pgxc_node");
        let open = self.world.sessions.get(&self.session).is_some_and(|session| session.transaction.is_some());
        let copy = self.world.postgres.get(&self.disk).filter(|_| reads && !open)?;
        Some(std::sync::Arc::clone(&copy.data.routes))
    }

    fn pin_of(&mut self, query: &Query) -> Result<Option<Value>, SqlError> {
        let Some(From::Table { name }) = &query.from else { return Ok(None) };
        let Ok(table) = self.world.table(self.disk, name) else { return Ok(None) };
        match table.pinned(query.filter.as_ref()) {
            Some(expr) => {
                let kind = table.columns.get(table.shard_by).map_or(Kind::Text, |(_, kind)| *kind);
                evaluate(expr, &[], &[], self)?.cast(kind).map(Some)
            }
            None => Ok(None),
        }
    }

    fn values_columns(&mut self, rows: &[Vec<crate::sandbox::sql::Expr>]) -> Result<Vec<Column>, SqlError> {
        let first = rows.first().map(Vec::as_slice).unwrap_or_default();
        let items: Vec<_> = first
            .iter()
            .enumerate()
            .map(|(n, expr)| crate::sandbox::sql::Item::Expr {
                expr: expr.clone(),
                name: Some(format!("column{}", n + 1)),
            })
            .collect();
        describe_items(&items, &[], self)
    }

    fn values(&mut self, rows: &[Vec<crate::sandbox::sql::Expr>]) -> Result<Relation, Stop> {
        let columns = self.values_columns(rows)?;
        let mut values = Vec::new();
        for row in rows {
            values.push(row.iter().map(|expr| evaluate(expr, &[], &[], self)).collect::<Result<_, _>>()?);
        }
        Ok(Relation { columns, rows: values })
    }

    /// EXECUTE DIRECT ON (node) 'query': through the pooler, on a coordinator only.
    fn execute_direct(&mut self, node: &str, sql: &str) -> Result<Outcome, Stop> {
        let here = self.world.home(self.disk).cloned();
        if here.as_ref().is_none_or(|home| home.kind != NodeKind::Coordinator) {
            let text = match self.world.flavor {
                Flavor::V2 => "EXECUTE DIRECT cannot be executed on a Datanode",
                Flavor::V5 => "EXECUTE DIRECT can only be executed on a Coordinator",
            };
            return Err(SqlError::new("0A000", text).into());
        }
        let statement = parse(sql)?;
        let known = self.world.postgres.get(&self.disk).is_some_and(|copy| copy.data.routes.contains_key(node));
        if !known {
            return Err(SqlError::new("42704", format!("PGXC Node {node}: object not defined")).into());
        }
        let target = self.world.pooled(self.session, self.disk, node)?;
        let there = self.world.home(target).cloned();
        let same_server = here.map(|home| home.server) == there.map(|home| home.server);
        let (disk, origin) = (self.disk, self.origin);
        (self.disk, self.origin) = (target, Origin::Pooler { same_server });
        let done = match statement {
            Statement::Select(query) => {
                self.select(&query).map(|relation| Outcome::ok(Answer::Rows { relation, tag: "EXECUTE DIRECT" }))
            }
            Statement::Checkpoint => {
                self.world.checkpoint(target, self.now);
                Ok(Outcome::done("EXECUTE DIRECT"))
            }
            // Live: it goes through the routes it would change.
            Statement::AlterNode(_) | Statement::CreateNode(_) | Statement::DropNode(_) => {
                Err(SqlError::new("XX000", "Could not begin transaction on coordinators").into())
            }
            other => Err(SqlError::unsupported(format!("EXECUTE DIRECT of {}", other.tag())).into()),
        };
        (self.disk, self.origin) = (disk, origin);
        done
    }
}
