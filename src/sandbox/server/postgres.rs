//! The PostgreSQL protocol: simple and extended queries, cancel requests, the end of a connection.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{Sink, SinkExt};
use parking_lot::Mutex;
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{DescribePortalResponse, DescribeStatementResponse, Response, Tag};
use pgwire::api::stmt::StoredStatement;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, ConnectionManager, Type};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::NoticeResponse;
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};

use crate::sandbox::sql::{Column, Kind, SqlError, Statement, Value, parse, split};
use crate::sandbox::world::{Answer, DiskId, Ending, Outcome, SessionId};

use super::conversation::converse;
use super::daemon::Daemon;
use super::parsed::{Parsed, Parser};
use super::session::error_info;
use super::wire::Wire;
use super::{encode, infer, session};

/// One connection's server side.
pub(super) struct Backend {
    pub daemon: Arc<Daemon>,
    pub disk: DiskId,
    pub cancels: Arc<ConnectionManager>,
    session: Mutex<Option<SessionId>>,
    /// Somebody ended the session, and not its process.
    ended: Arc<Notify>,
}

/// Serves one connection until its client leaves or its process ends.
pub(super) async fn serve(
    daemon: Arc<Daemon>,
    disk: DiskId,
    stream: TcpStream,
    mut ended: watch::Receiver<Option<Ending>>,
) {
    let Ok(wire) = Wire::new(stream) else { return };
    let cancels = Arc::clone(&daemon.cancels);
    let backend = Arc::new(Backend {
        daemon: Arc::clone(&daemon),
        disk,
        cancels,
        session: Mutex::default(),
        ended: Arc::default(),
    });
    let how = tokio::select! {
        // Errors of the connection concern its client only.
        _ = wire.carry(converse(wire.clone(), Arc::clone(&backend))) => None,
        ended = ended.wait_for(Option::is_some) => ended.map_or(Some(Ending::Killed), |how| *how),
        () = backend.ended.notified() => Some(Ending::Shutdown),
    };
    let session = backend.session.lock().take();
    if let Some(id) = session {
        daemon.backends.lock().remove(&id);
        daemon.with(|world, _| world.close(id));
        if how == Some(Ending::Shutdown) {
            wire.last_words(&terminating());
        }
    }
}

/// FATAL 57P01 as an ErrorResponse.
fn terminating() -> Vec<u8> {
    let fields = b"SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0";
    let length = u32::try_from(fields.len() + 4).unwrap_or(u32::MAX);
    let mut message = vec![b'E'];
    message.extend(length.to_be_bytes());
    message.extend(fields);
    message
}

impl Backend {
    pub(super) fn opened(&self, id: SessionId) {
        *self.session.lock() = Some(id);
        self.daemon.backends.lock().insert(id, Arc::clone(&self.ended));
    }

    fn id(&self) -> Result<SessionId, PgWireError> {
        self.session
            .lock()
            .ok_or_else(|| user_error(SqlError::fatal("57P01", "terminating connection due to administrator command")))
    }

    async fn execute<C>(
        &self,
        client: &mut C,
        parsed: &Parsed,
        params: &[Value],
        format: &Format,
        timeout: Option<Duration>,
    ) -> PgWireResult<Result<Response, ErrorInfo>>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let id = self.id()?;
        let outcome = session::run(&self.daemon, self.disk, id, parsed, params, timeout).await;
        for warning in &outcome.warnings {
            let severity = if warning.ends_with("skipping") { "NOTICE" } else { "WARNING" };
            let info = ErrorInfo::new(severity.to_owned(), "01000".to_owned(), warning.clone());
            client.feed(PgWireBackendMessage::NoticeResponse(NoticeResponse::from(info))).await?;
        }
        Ok(respond(outcome, format).map_err(error_info))
    }

    fn columns(&self, statement: &Statement) -> PgWireResult<Vec<Column>> {
        let id = self.id()?;
        self.daemon.with(|world, now| world.describe(id, statement, now)).map_err(user_error)
    }

    fn kinds(&self, statement: &Statement) -> PgWireResult<Vec<Kind>> {
        let id = self.id()?;
        let columns = |table: &str| {
            let all = format!("select * from {}", quoted(table));
            let described = parse(&all).and_then(|all| self.daemon.with(|world, now| world.describe(id, &all, now)));
            // An unknown table is the execution's error to report.
            described.unwrap_or_default()
        };
        Ok(infer::parameter_kinds(statement, &columns))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn user_error(error: SqlError) -> PgWireError {
    PgWireError::UserError(Box::new(error_info(error)))
}

fn respond(outcome: Outcome, format: &Format) -> Result<Response, SqlError> {
    Ok(match outcome.result? {
        Answer::Rows { relation, tag } => Response::Query(encode::response(&relation, tag, format)),
        Answer::Done { tag: "INSERT", rows } => {
            Response::Execution(Tag::new("INSERT").with_oid(0).with_rows(rows.unwrap_or(0)))
        }
        Answer::Done { tag, rows: Some(rows) } => Response::Execution(Tag::new(tag).with_rows(rows)),
        Answer::Done { tag, rows: None } => Response::Execution(Tag::new(tag)),
        Answer::Began => Response::TransactionStart(Tag::new("BEGIN")),
        Answer::Ended { tag } => Response::TransactionEnd(Tag::new(tag)),
    })
}

#[async_trait]
impl SimpleQueryHandler for Backend {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let mut responses = Vec::new();
        // A SET statement_timeout is for the next message (seen live).
        let timeout = self.id().ok().and_then(|id| session::limit(&self.daemon, id, "statement_timeout"));
        for part in split(query) {
            let parsed = self.daemon.parsed.lock().get(part);
            let done = match parsed {
                Ok(parsed) => self.execute(client, &parsed, &[], &Format::UnifiedText, timeout).await?,
                Err(error) => {
                    self.break_transaction();
                    Err(error_info(error))
                }
            };
            match done {
                Ok(response) => responses.push(response),
                Err(error) if responses.is_empty() => return Err(PgWireError::UserError(Box::new(error))),
                Err(error) => {
                    responses.push(Response::Error(Box::new(error)));
                    break;
                }
            }
        }
        if responses.is_empty() {
            responses.push(Response::EmptyQuery);
        }
        Ok(responses)
    }
}

impl Backend {
    /// A syntax error breaks an open transaction too.
    fn break_transaction(&self) {
        if let Some(id) = *self.session.lock() {
            self.daemon.with(|world, _| world.fail_transaction(id));
        }
    }
}

#[async_trait]
impl ExtendedQueryHandler for Backend {
    type Statement = Arc<Parsed>;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        Arc::new(Parser(Arc::clone(&self.daemon)))
    }

    async fn do_describe_statement<C>(
        &self,
        _client: &mut C,
        target: &StoredStatement<Arc<Parsed>>,
    ) -> PgWireResult<DescribeStatementResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Parsed>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statement = &target.statement.statement;
        let kinds = self.kinds(statement)?;
        let count = kinds.len().max(target.parameter_types.len());
        let types = (0..count).map(|index| {
            let declared = target.parameter_types.get(index).cloned().flatten().filter(|kind| *kind != Type::UNKNOWN);
            let inferred = kinds.get(index).and_then(|kind| Type::from_oid(kind.oid()));
            declared.or(inferred).unwrap_or(Type::TEXT)
        });
        let types = types.collect();
        let fields = encode::fields(&self.columns(statement)?, &Format::UnifiedText);
        Ok(DescribeStatementResponse::new(types, fields))
    }

    async fn do_describe_portal<C>(
        &self,
        _client: &mut C,
        target: &Portal<Arc<Parsed>>,
    ) -> PgWireResult<DescribePortalResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Parsed>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let columns = self.columns(&target.statement.statement.statement)?;
        Ok(DescribePortalResponse::new(encode::fields(&columns, &target.result_column_format)))
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Arc<Parsed>>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Arc<Parsed>>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let parsed = Arc::clone(&portal.statement.statement);
        let kinds = self.kinds(&parsed.statement)?;
        let params = infer::bound(portal, &kinds)?;
        let timeout = session::limit(&self.daemon, self.id()?, "statement_timeout");
        let done = self.execute(client, &parsed, &params, &portal.result_column_format, timeout).await?;
        done.map_err(|error| PgWireError::UserError(Box::new(error)))
    }
}
