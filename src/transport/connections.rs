//! The handle that everybody passes to whatever touches the outside.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Passwords, Session, ShellError, ShellSettings, Shells, SqlError, Tls, TlsError};
use crate::model::{Cluster, Connection, Endpoint, Instance, NodeKind, Server, ServerName};

/// Everything outside of this process, as one value.
pub struct Connections {
    pub shells: Shells,
    pub passwords: Passwords,
    pub tls: Tls,
    connection: Connection,
}

/// Why connections cannot be made as the file requires.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionsError {
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error(transparent)]
    Shell(#[from] ShellError),
}

impl Connections {
    /// With passwords from the environment and the usual ssh settings. Opens nothing yet.
    pub fn new(cluster: &Cluster) -> Result<Self, ConnectionsError> {
        Self::with(cluster, Passwords::from_environment(), &ShellSettings::default())
    }

    pub fn with(cluster: &Cluster, passwords: Passwords, settings: &ShellSettings) -> Result<Self, ConnectionsError> {
        Self::of(&cluster.connection, &cluster.servers, passwords, settings)
    }

    /// For a cluster of which only the way in is known.
    pub fn to(connection: &Connection, servers: &BTreeMap<ServerName, Server>) -> Result<Self, ConnectionsError> {
        Self::of(connection, servers, Passwords::from_environment(), &ShellSettings::default())
    }

    fn of(
        connection: &Connection,
        servers: &BTreeMap<ServerName, Server>,
        passwords: Passwords,
        settings: &ShellSettings,
    ) -> Result<Self, ConnectionsError> {
        let shells = Shells::to(servers, settings);
        Ok(Self { shells, passwords, tls: Tls::new(connection)?, connection: connection.clone() })
    }

    /// Logs in to a coordinator or datanode.
    pub async fn session(&self, instance: &Instance, limit: Duration) -> Result<Session, SqlError> {
        self.session_at(&instance.endpoint, instance.kind, limit).await
    }

    /// Logs in to another database of a coordinator or datanode than the file names.
    pub async fn session_in(&self, database: &str, instance: &Instance, limit: Duration) -> Result<Session, SqlError> {
        let connection = Connection { database: database.to_owned(), ..self.connection.clone() };
        let Instance { endpoint, kind, .. } = instance;
        Session::open(&connection, &self.passwords, &self.tls, endpoint, *kind, limit).await
    }

    /// Logs in to a database of a coordinator as another coordinator's session.
    pub async fn inner_session_in(
        &self,
        database: &str,
        coordinator: &Instance,
        limit: Duration,
    ) -> Result<Session, SqlError> {
        let connection = Connection { database: database.to_owned(), ..self.connection.clone() };
        Session::open_inner(&connection, &self.passwords, &self.tls, &coordinator.endpoint, limit).await
    }

    /// Logs in to whatever answers there, as to a node of that kind.
    pub async fn session_at(&self, at: &Endpoint, kind: NodeKind, limit: Duration) -> Result<Session, SqlError> {
        Session::open(&self.connection, &self.passwords, &self.tls, at, kind, limit).await
    }

    /// Warnings that the operator must see first.
    pub fn warnings(&self) -> &[String] {
        self.passwords.warnings()
    }

    /// Ends every connection that is kept.
    pub async fn close(&self) {
        self.shells.close().await;
    }
}
