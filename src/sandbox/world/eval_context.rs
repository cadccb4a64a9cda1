//! The context of a statement: a session on a process, or a remote query through a pooler.

use crate::sandbox::moment::Moment;
use crate::sandbox::sql::{Column, Context, Kind, Relation, SqlError, Value};

use super::World;
use super::answer::{Stop, Wait};
use super::functions;
use super::instance::DiskId;
use super::session::SessionId;
use super::shapes;
use super::views;

/// The evaluation of one statement.
pub(super) struct EvalContext<'w> {
    pub world: &'w mut World,
    pub session: SessionId,
    /// The process that evaluates.
    pub disk: DiskId,
    pub params: &'w [Value],
    pub now: Moment,
    pub origin: Origin,
    /// The value that pins the outermost relation's distribution column.
    pub pin: Option<Value>,
    /// Set when an error only stands for a wait.
    pub wait: Option<Stop>,
    /// Milliseconds that the server takes for it, over and above the round trip.
    pub delay: u32,
    /// Whether the answer has followed from the rows of pgxc_node and nothing else so far.
    pub by_rows_alone: bool,
}

/// The session that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Client,
    /// Another node's pooler; over the unix socket if both share a server, and then
    /// inet_server_addr() is NULL (opentenbase-v2.6-live.md, "Routes and poolers").
    Pooler {
        same_server: bool,
    },
}

impl<'w> EvalContext<'w> {
    /// A client's.
    pub(super) fn new(
        world: &'w mut World,
        session: SessionId,
        disk: DiskId,
        params: &'w [Value],
        now: Moment,
    ) -> Self {
        let origin = Origin::Client;
        Self { world, session, disk, params, now, origin, pin: None, wait: None, delay: 0, by_rows_alone: false }
    }
}

impl EvalContext<'_> {
    /// Turns an error of the evaluation into what really stopped it.
    pub(super) fn stopped(&mut self, error: SqlError) -> Stop {
        self.wait.take().unwrap_or(Stop::Error(error))
    }

    fn waiting(&mut self, stop: Stop) -> SqlError {
        match stop {
            Stop::Error(error) => error,
            other @ Stop::Wait(_) => {
                self.wait = Some(other);
                SqlError::new("57014", "waiting")
            }
        }
    }

    /// Reading pgxc_node queues behind an ALTER NODE that waits, and holds it up in a transaction.
    pub(super) fn read_routes(&mut self) -> Result<(), SqlError> {
        let process = self.world.postgres.get(&self.disk).and_then(|copy| copy.process.as_ref());
        if process.is_some_and(|process| !process.alters_waiting.is_empty()) {
            return Err(self.waiting(Stop::Wait(Wait::Lock)));
        }
        let open = self.world.sessions.get_mut(&self.session).and_then(|session| session.transaction.as_mut());
        if let (Some(transaction), Origin::Client) = (open, self.origin) {
            transaction.read_routes = true;
        }
        Ok(())
    }
}

impl Context for EvalContext<'_> {
    fn columns(&mut self, relation: &str) -> Result<Vec<Column>, SqlError> {
        match shapes::columns(relation, self.world.flavor) {
            Some(columns) => Ok(columns),
            None => Ok(self.world.table(self.disk, relation)?.relation_columns()),
        }
    }

    fn relation(&mut self, name: &str) -> Result<Relation, SqlError> {
        let pin = self.pin.take();
        if name == "pgxc_node" {
            self.read_routes()?;
        } else {
            self.by_rows_alone = false;
        }
        if let Some(columns) = shapes::columns(name, self.world.flavor) {
            return Ok(Relation { columns, rows: views::rows(self, name) });
        }
        if self.origin == Origin::Client
            && let Err(stop) = self.world.use_table(self.session, self.disk, name)
        {
            return Err(self.waiting(stop));
        }
        let read = self.world.read_rows(self.session, self.disk, name, pin.as_ref());
        read.map_err(|stop| self.waiting(stop))
    }

    fn function_columns(&mut self, name: &str) -> Result<Vec<Column>, SqlError> {
        if name == "generate_series" {
            return Ok(vec![Column::new(name, Kind::Int8)]);
        }
        shapes::function_columns(name).ok_or_else(|| SqlError::no_function(&format!("{name}()")))
    }

    fn function_relation(&mut self, name: &str, args: &[Value]) -> Result<Relation, SqlError> {
        self.by_rows_alone = false;
        let columns = self.function_columns(name)?;
        if name == "generate_series" {
            let mut bounds = Vec::new();
            for arg in args {
                match arg.cast(Kind::Int8)? {
                    Value::Int(n) => bounds.push(n),
                    _ => return Ok(Relation { columns, rows: Vec::new() }),
                }
            }
            let (Some(first), Some(last)) = (bounds.first(), bounds.get(1)) else {
                return Err(SqlError::no_function("generate_series()"));
            };
            let step = usize::try_from(bounds.get(2).copied().unwrap_or(1)).unwrap_or(1).max(1);
            let rows = (*first..=*last).step_by(step).map(|n| vec![Value::Int(n)]).collect();
            return Ok(Relation { columns, rows });
        }
        let rows = match (name, args.first().map(|arg| arg.cast(Kind::Int8)).transpose()?) {
            ("pg_clean_check_txn" | "pg_clean_execute", seconds) => {
                let seconds = if let Some(Value::Int(seconds)) = seconds { seconds } else { 120 };
                let (session, disk, now) = (self.session, self.disk, self.now);
                self.world.pg_clean(session, disk, seconds, name == "pg_clean_execute", now)?
            }
            _ => views::function_rows(self, name)?,
        };
        Ok(Relation { columns, rows })
    }

    fn call(&mut self, name: &str, args: &[Value]) -> Result<Value, SqlError> {
        self.by_rows_alone = false;
        functions::call(self, name, args)
    }

    fn parameter(&self, index: usize) -> Result<Value, SqlError> {
        self.params
            .get(index)
            .cloned()
            .ok_or_else(|| SqlError::new("42P02", format!("there is no parameter ${}", index + 1)))
    }
}
