//! One login to one process.

use std::sync::OnceLock;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::error::is_tls;
use super::inner::Filtered;
use super::{Passwords, Rows, SqlError, Tls};
use crate::model::{Connection, Endpoint, NodeKind};
use crate::opentenbase::{Sql, sanitize_for_display};
use crate::transport::Deadline;

/// pgxc_node holds at most 2048 coordinators and 2048 datanodes; nothing otb asks for is longer.
const MOST_ROWS: usize = 10_000;

/// How long a cancel request may take; it is a courtesy to a server that did not answer in time.
const CANCEL_LIMIT: Duration = Duration::from_secs(1);

/// An open session. Its connection task belongs to it and ends with it.
pub struct Session {
    at: Endpoint,
    client: Client,
    tls: Tls,
    version: Option<String>,
    superuser: bool,
    /// The error that ended the session: every later statement gets it again, at once.
    ended: OnceLock<SqlError>,
    /// How long the first answer took.
    round_trip: OnceLock<Duration>,
    driver: JoinSet<()>,
}

impl Session {
    /// Logs in within `limit`, TLS and authentication included. On a datanode a session is read-only unless it sets
    /// `allow_dml_on_datanode=on`; then SHOW transaction_read_only separates a master from a standby (seen live on
    /// v2.6). If a server does not know the setting, otb logs in again without it.
    pub async fn open(
        connection: &Connection,
        passwords: &Passwords,
        tls: &Tls,
        endpoint: &Endpoint,
        kind: NodeKind,
        limit: Duration,
    ) -> Result<Self, SqlError> {
        let mut config = config(connection, passwords, tls, endpoint, limit);
        if kind == NodeKind::Datanode {
            config.options("-c allow_dml_on_datanode=on");
        }
        let login = async {
            match Self::login(&config, tls, endpoint).await {
                Err(e) if e.code() == Some(&SqlState::UNDEFINED_OBJECT) && kind == NodeKind::Datanode => {
                    Self::login(config.options(""), tls, endpoint).await
                }
                Err(e) if tls.may_fall_back && is_tls(&e) => {
                    Self::login(config.ssl_mode(tokio_postgres::config::SslMode::Disable), tls, endpoint).await
                }
                other => other,
            }
        };
        match timeout(limit, login).await {
            Ok(Ok(session)) => Ok(session),
            Ok(Err(error)) => Err(SqlError::of_login(endpoint, limit, &error)),
            Err(_) => Err(SqlError::TimedOut { at: endpoint.clone(), limit }),
        }
    }

    async fn login(config: &Config, tls: &Tls, endpoint: &Endpoint) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = config.connect(tls.connector.clone()).await?;
        Ok(Self::with(client, connection, tls, endpoint))
    }

    /// Logs in as another coordinator's session: its changes stay on this coordinator, and it uses OpenTenBase's own
    /// formats. The name of the other coordinator does not exist: with its own name the server would wait for itself
    /// (seen live).
    pub async fn open_inner(
        connection: &Connection,
        passwords: &Passwords,
        tls: &Tls,
        endpoint: &Endpoint,
        limit: Duration,
    ) -> Result<Self, SqlError> {
        let mut config = config(connection, passwords, tls, endpoint, limit);
        config.options("-c remotetype=coordinator -c parentnode=otb_hold");
        let (host, port) = (endpoint.host.as_str(), endpoint.port);
        let login = async {
            let stream = TcpStream::connect((host, port))
                .await
                .map_err(|error| SqlError::of_connect(endpoint, limit, &error))?;
            let asks = config.get_ssl_mode() != tokio_postgres::config::SslMode::Disable;
            let stream = Filtered::new(stream, asks);
            let connector = MakeTlsConnect::<Filtered<TcpStream>>::make_tls_connect(&mut tls.connector.clone(), host);
            let connector =
                connector.map_err(|error| SqlError::Unreachable { at: endpoint.clone(), why: error.to_string() })?;
            let (client, connection) = config
                .connect_raw(stream, connector)
                .await
                .map_err(|error| SqlError::of_login(endpoint, limit, &error))?;
            Ok(Self::with(client, connection, tls, endpoint))
        };
        timeout(limit, login).await.unwrap_or_else(|_| Err(SqlError::TimedOut { at: endpoint.clone(), limit }))
    }

    fn with<S, T>(client: Client, connection: tokio_postgres::Connection<S, T>, tls: &Tls, endpoint: &Endpoint) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let version = connection.parameter("server_version").map(sanitize_for_display);
        let superuser = connection.parameter("is_superuser") == Some("on");
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // Its error reaches the statement that was waiting for an answer.
            let _ = connection.await;
        });
        Self {
            at: endpoint.clone(),
            client,
            tls: tls.clone(),
            version,
            superuser,
            ended: OnceLock::new(),
            round_trip: OnceLock::new(),
            driver,
        }
    }

    pub fn endpoint(&self) -> &Endpoint {
        &self.at
    }

    /// `server_version` as it came with the login: known even while the GTM is down.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Whether it may change anything there, as the login reported.
    pub fn is_superuser(&self) -> bool {
        self.superuser
    }

    /// How long the answer to the first question took: a round trip and little else.
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip.get().copied()
    }

    /// Sends one query. When the time is up, it asks the server to cancel, and the session is over.
    pub async fn query(&self, sql: &Sql, limit: impl Into<Deadline>) -> Result<Rows, SqlError> {
        let answer = self.ask(sql, limit.into()).await;
        self.tidy_up(answer.as_ref().err()).await;
        answer
    }

    /// Asks several questions in one round trip, each in a transaction of its own, and gives the answers in
    /// the same order; `limit` is for all of them together. One that fails leaves the others alone.
    pub async fn query_all(&self, questions: &[Sql], limit: impl Into<Deadline>) -> Vec<Result<Rows, SqlError>> {
        let deadline = limit.into();
        let answers = join_all(questions.iter().map(|sql| self.ask(sql, deadline))).await;
        self.tidy_up(answers.iter().find_map(|answer| answer.as_ref().err())).await;
        answers
    }

    /// Runs a statement that changes something. Without a complete answer in time its outcome is unknown
    /// ([`SqlError::Lost`]), for dropping the question does not undo it; nothing is cancelled.
    pub async fn act(&self, sql: &Sql, limit: Duration) -> Result<Rows, SqlError> {
        if let Some(error) = self.ended.get() {
            return Err(error.clone());
        }
        if self.client.is_closed() {
            let error = SqlError::Unreachable { at: self.at.clone(), why: "the session is closed".to_owned() };
            return Err(error);
        }
        self.ask(sql, limit.into()).await.map_err(SqlError::after_sending)
    }

    /// The same of several statements in one round trip, each in a transaction of its own, answers in the same order;
    /// `limit` is for all of them together. One that fails leaves the others alone.
    pub async fn act_all(&self, statements: &[Sql], limit: Duration) -> Vec<Result<Rows, SqlError>> {
        if self.ended.get().is_some() || self.client.is_closed() {
            let why = || SqlError::Unreachable { at: self.at.clone(), why: "the session is closed".to_owned() };
            let error = self.ended.get().cloned().unwrap_or_else(why);
            return statements.iter().map(|_| Err(error.clone())).collect();
        }
        let deadline = Deadline::from(limit);
        let answers = join_all(statements.iter().map(|sql| self.ask(sql, deadline))).await;
        answers.into_iter().map(|answer| answer.map_err(SqlError::after_sending)).collect()
    }

    /// Ends the session, giving its good-bye a moment; one that is over already is just dropped.
    pub async fn close(self) {
        let Self { client, mut driver, ended, .. } = self;
        drop(client);
        if ended.get().is_none() {
            let _ = timeout(CANCEL_LIMIT, driver.join_next()).await;
        }
    }

    async fn ask(&self, sql: &Sql, Deadline { at: deadline, limit }: Deadline) -> Result<Rows, SqlError> {
        if let Some(error) = self.ended.get() {
            return Err(error.clone());
        }
        let begun = Instant::now();
        let answer = match timeout_at(deadline, self.collect(sql)).await {
            Ok(answer) => answer,
            Err(_) => Err(SqlError::TimedOut { at: self.at.clone(), limit }),
        };
        let took = begun.elapsed();
        if answer.is_ok() {
            let _ = self.round_trip.set(took);
        }
        match &answer {
            Ok(rows) => tracing::debug!(at = %self.at, %sql, rows = rows.len(), ?took, "asked"),
            Err(error) => tracing::debug!(at = %self.at, %sql, %error, ?took, "asked"),
        }
        if let Some(error) = answer.as_ref().err().filter(|error| error.ends_session()) {
            let _ = self.ended.set(error.clone());
        }
        answer
    }

    async fn collect(&self, sql: &Sql) -> Result<Rows, SqlError> {
        let wrong = |error: tokio_postgres::Error| SqlError::of_query(&self.at, &error);
        let stream = self.client.simple_query_raw(sql.as_str()).await.map_err(wrong)?;
        let mut stream = std::pin::pin!(stream);
        let mut rows = Rows::default();
        while let Some(message) = stream.try_next().await.map_err(wrong)? {
            match message {
                SimpleQueryMessage::RowDescription(columns) => {
                    rows.start(columns.iter().map(|column| column.name().to_owned()).collect());
                }
                SimpleQueryMessage::Row(row) => {
                    if rows.len() == MOST_ROWS {
                        let why = format!("more than {MOST_ROWS} rows");
                        return Err(SqlError::Unreadable { at: self.at.clone(), why });
                    }
                    let value = |i| row.try_get(i).ok().flatten().map(str::to_owned);
                    rows.push((0..row.len()).map(value).collect());
                }
                _ => {}
            }
        }
        Ok(rows)
    }

    async fn tidy_up(&self, error: Option<&SqlError>) {
        if matches!(error, Some(SqlError::TimedOut { .. })) {
            let cancel = self.client.cancel_token();
            let _ = timeout(CANCEL_LIMIT, cancel.cancel_query(self.tls.connector.clone())).await;
        }
    }
}

fn config(connection: &Connection, passwords: &Passwords, tls: &Tls, at: &Endpoint, limit: Duration) -> Config {
    let mut config = Config::new();
    config
        .host(at.host.as_str())
        .port(at.port)
        .user(&connection.user)
        .dbname(&connection.database)
        .application_name("otb")
        .ssl_mode(tls.mode)
        .connect_timeout(limit);
    if let Some(password) = passwords.find(connection, at) {
        config.password(password.reveal());
    }
    config
}
