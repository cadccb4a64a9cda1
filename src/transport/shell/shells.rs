//! The shells of all servers.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use super::lanes::{self, Lanes};
use super::process::Started;
use super::wrap::{self, Run};
use super::{Held, Output, ShellError, exec, local, ssh};
use crate::model::{Cluster, Server, ServerName, ShellVia};

/// The ssh options that the operator may choose beside ssh_config.
#[derive(Debug, Clone)]
pub struct ShellSettings {
    pub host_keys: HostKeys,
    /// Instead of ~/.ssh/config and /etc/ssh/ssh_config.
    pub ssh_config: Option<PathBuf>,
    /// How long an unused connection stays, should otb end without closing it.
    pub idle_seconds: NonZeroUsize,
    /// Scripts that run at the same time on one server.
    pub sessions_per_server: NonZeroUsize,
    /// ssh's ConnectTimeout. (The limit of each call counts as well.)
    pub connect_limit: Duration,
}

/// What to do with a host key that known_hosts does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeys {
    /// It is refused.
    Strict,
    /// It is taken and kept; a changed one is refused.
    AcceptNew,
}

impl Default for ShellSettings {
    fn default() -> Self {
        Self {
            host_keys: HostKeys::Strict,
            ssh_config: None,
            idle_seconds: NonZeroUsize::MIN.saturating_add(119),
            sessions_per_server: NonZeroUsize::MIN.saturating_add(7),
            connect_limit: Duration::from_secs(10),
        }
    }
}

/// How many connections are opened for one script where sshd allows few sessions on each.
pub(super) const CONNECTIONS: usize = 8;

/// The way to a shell on every server of a cluster.
pub struct Shells {
    servers: BTreeMap<ServerName, Arc<Shell>>,
}

pub(super) struct Shell {
    run_as: Option<String>,
    via: Via,
    pub(super) lanes: Lanes,
}

enum Via {
    Local,
    /// The words before those of the script's shell.
    Exec(Vec<String>),
    Ssh(Box<ssh::Connection>),
}

impl Shells {
    /// With the usual settings. Opens nothing yet.
    pub fn new(cluster: &Cluster) -> Self {
        Self::with(cluster, &ShellSettings::default())
    }

    pub fn with(cluster: &Cluster, settings: &ShellSettings) -> Self {
        Self::to(&cluster.servers, settings)
    }

    /// To these servers.
    pub fn to(servers: &BTreeMap<ServerName, Server>, settings: &ShellSettings) -> Self {
        let shell = |server: &Server| Shell {
            run_as: server.shell.run_as.clone(),
            via: match &server.shell.via {
                ShellVia::Local => Via::Local,
                ShellVia::Exec { command } => Via::Exec(command.clone()),
                ShellVia::Ssh { user, host, port } => {
                    Via::Ssh(Box::new(ssh::Connection::new(&server.name, user.as_deref(), host, *port, settings)))
                }
            },
            lanes: Lanes::default(),
        };
        Self { servers: servers.values().map(|server| (server.name.clone(), Arc::new(shell(server)))).collect() }
    }

    /// Opens the connection ahead, so that the first script does not wait for it.
    pub async fn open(&self, server: &ServerName, limit: Duration) -> Result<(), ShellError> {
        match &self.shell(server)?.via {
            Via::Local | Via::Exec(_) => Ok(()),
            Via::Ssh(connection) => connection.open(limit).await.map(drop),
        }
    }

    /// Runs `script` by `sh` as the server's `run_as` user, with nothing on its standard input, and waits for
    /// its end. `limit` covers everything; past it the script is killed where it runs.
    pub async fn run(&self, server: &ServerName, script: &str, limit: Duration) -> Result<Output, ShellError> {
        let shell = self.shell(server)?;
        shell.noted(server, script, limit, shell.finish(server, script, limit)).await
    }

    /// The same for a script that carries data, in or out: of it only `about` is written to the log.
    pub async fn carry(
        &self,
        server: &ServerName,
        script: &str,
        about: &str,
        limit: Duration,
    ) -> Result<Output, ShellError> {
        let shell = self.shell(server)?;
        shell.noted(server, about, limit, shell.finish(server, script, limit)).await
    }

    /// The same for a script that prints little: with others that come in the same moment it may share a shell, in
    /// which they run side by side.
    pub async fn run_short(&self, server: &ServerName, script: &str, limit: Duration) -> Result<Output, ShellError> {
        let shell = self.shell(server)?;
        shell.noted(server, script, limit, lanes::run(shell, server, script, limit)).await
    }

    /// Starts `script` with its standard input open and waits, within `limit`, for the first line it prints.
    /// It runs on until the [`Held`] is closed or this process ends, however that happens: then the script's
    /// input ends, which is what it has to wait for.
    pub async fn hold(&self, server: &ServerName, script: &str, limit: Duration) -> Result<Held, ShellError> {
        let shell = self.shell(server)?;
        let once =
            async || Held::begin(server, shell.start(server, script, Run::Held, limit).await?, script, limit).await;
        let mut result = once().await;
        for _ in 0..CONNECTIONS {
            match result {
                Err(ShellError::Full { .. }) if shell.open_another().await => result = once().await,
                _ => break,
            }
        }
        result
    }

    /// Ends every ssh connection.
    pub async fn close(&self) {
        join_all(self.servers.values().filter_map(|shell| match &shell.via {
            Via::Local | Via::Exec(_) => None,
            Via::Ssh(connection) => Some(connection.close()),
        }))
        .await;
    }

    fn shell(&self, server: &ServerName) -> Result<&Arc<Shell>, ShellError> {
        self.servers.get(server).ok_or_else(|| ShellError::NoServer(server.clone()))
    }
}

impl Shell {
    /// Waits for the end of `running` and writes down what became of the script.
    async fn noted(
        &self,
        server: &ServerName,
        script: &str,
        limit: Duration,
        running: impl Future<Output = Result<Output, ShellError>>,
    ) -> Result<Output, ShellError> {
        let begun = Instant::now();
        let result = running.await;
        let took = begun.elapsed();
        match &result {
            Ok(output) => tracing::debug!(%server, script, status = output.status, ?took, "ran"),
            Err(error) => tracing::debug!(%server, script, %error, ?took, "ran"),
        }
        match result {
            Err(error) if error.is_outcome_unknown() => {
                self.forget().await;
                Err(match error {
                    ShellError::TimedOut { server, .. } => ShellError::TimedOut { server, limit },
                    other => other,
                })
            }
            other => other,
        }
    }

    /// Starts `script` and sees it through to its end.
    pub(super) async fn finish(
        &self,
        server: &ServerName,
        script: &str,
        limit: Duration,
    ) -> Result<Output, ShellError> {
        let begun = Instant::now();
        let once = async |limit: Duration| {
            let began = Instant::now();
            let started = self.start(server, script, Run::Within(limit), limit).await?;
            started.finish(server, script, limit.saturating_sub(began.elapsed())).await
        };
        let mut result = once(limit).await;
        for _ in 0..CONNECTIONS {
            match result {
                Err(ShellError::Full { .. }) if self.open_another().await => {
                    result = once(limit.saturating_sub(begun.elapsed())).await;
                }
                _ => break,
            }
        }
        match result {
            // The connection was found dead before the script began: a new one is as good as the first.
            Err(ShellError::Unreachable { .. }) if self.forget().await => {
                once(limit.saturating_sub(begun.elapsed())).await
            }
            result => result,
        }
    }

    /// The next script gets a connection of its own: the present one goes on with the scripts that it has. Whether there
    /// is such a thing.
    pub(super) async fn open_another(&self) -> bool {
        match &self.via {
            Via::Local | Via::Exec(_) => false,
            Via::Ssh(connection) => {
                connection.leave().await;
                true
            }
        }
    }

    /// Lets go of a connection that does not prove to live. Whether it did: the next script gets a new one.
    pub(super) async fn forget(&self) -> bool {
        match &self.via {
            Via::Local | Via::Exec(_) => false,
            Via::Ssh(connection) => connection.forget().await,
        }
    }

    pub(super) async fn start(
        &self,
        server: &ServerName,
        script: &str,
        run: Run,
        limit: Duration,
    ) -> Result<Started, ShellError> {
        let words = wrap::words(self.run_as.as_deref(), script, run);
        match &self.via {
            Via::Local => local::start(server, &words),
            Via::Exec(command) => exec::start(server, command, &words),
            Via::Ssh(connection) => connection.start(&wrap::line(&words), limit).await,
        }
    }
}
