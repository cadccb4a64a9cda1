//! The system's ssh client, one multiplexed connection per server (openssh, process-mux): ssh_config, agents,
//! ProxyJump and hardware keys work as they do on the operator's command line.

use std::sync::Arc;
use std::time::Duration;

use openssh::{ControlPersist, Error, KnownHosts, Session, SessionBuilder};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

use super::process::Started;
use super::{HostKeys, ShellError, ShellSettings, local};
use crate::model::ServerName;
use crate::opentenbase::sanitize_for_display;

/// A connection that was not used for so long is looked at before it is used.
const FRESH: Duration = Duration::from_secs(10);

/// How long a look at a connection, or its good-bye, may take.
const CHECK_LIMIT: Duration = Duration::from_secs(2);

/// One server's connection: opened when first needed, opened again when found dead.
pub(super) struct Connection {
    server: ServerName,
    destination: String,
    builder: SessionBuilder,
    open: Mutex<Option<Open>>,
    /// sshd's MaxSessions is 10 unless it was changed.
    sessions: Arc<Semaphore>,
}

#[derive(Clone)]
struct Open {
    session: Arc<Session>,
    used: Instant,
}

impl Connection {
    pub(super) fn new(
        server: &ServerName,
        user: Option<&str>,
        host: &str,
        port: Option<u16>,
        settings: &ShellSettings,
    ) -> Self {
        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(match settings.host_keys {
                HostKeys::Strict => KnownHosts::Strict,
                HostKeys::AcceptNew => KnownHosts::Add,
            })
            .control_persist(ControlPersist::IdleFor(settings.idle_seconds))
            // A socket's path may have about 100 bytes, and ssh adds 17 of its own.
            .control_directory("/tmp")
            .connect_timeout(settings.connect_limit)
            .server_alive_interval(Duration::from_secs(5));
        if let Some(user) = user {
            builder.user(user.to_owned());
        }
        if let Some(port) = port {
            builder.port(port);
        }
        if let Some(file) = &settings.ssh_config {
            builder.config_file(file);
        }
        Self {
            server: server.clone(),
            destination: host.to_owned(),
            builder,
            open: Mutex::new(None),
            sessions: Arc::new(Semaphore::new(settings.sessions_per_server.get())),
        }
    }

    /// The open connection, or a new one.
    pub(super) async fn open(&self, limit: Duration) -> Result<Arc<Session>, ShellError> {
        let opening = async {
            let mut open = self.open.lock().await;
            if let Some(old) = open.take()
                && (old.used.elapsed() < FRESH || self.is_alive(&old.session).await)
            {
                let session = Arc::clone(&old.session);
                *open = Some(Open { used: Instant::now(), ..old });
                return Ok(session);
            }
            let session = Arc::new(self.connect().await?);
            *open = Some(Open { session: Arc::clone(&session), used: Instant::now() });
            Ok(session)
        };
        match timeout(limit, opening).await {
            Ok(result) => result,
            Err(_) => Err(ShellError::NotOpened { server: self.server.clone(), limit }),
        }
    }

    async fn connect(&self) -> Result<Session, ShellError> {
        if self.destination.starts_with('-') {
            let why = format!("{:?} would be an option of ssh, not a host", self.destination);
            return Err(ShellError::Unreachable { server: self.server.clone(), why });
        }
        self.builder.connect(&self.destination).await.map_err(|error| self.failed(&error))
    }

    /// Starts `line` in the server's login shell. The result holds one of the server's sessions till it ends.
    pub(super) async fn start(&self, line: &str, limit: Duration) -> Result<Started, ShellError> {
        let late = |_| ShellError::NotOpened { server: self.server.clone(), limit };
        let permit = timeout(limit, Arc::clone(&self.sessions).acquire_owned()).await.map_err(late)?.ok();
        let session = self.open(limit).await?;
        let client = match local::start(&self.server, &client(&session, &["-T", "-p", "9"], &["--", line])) {
            Ok(client) => client,
            Err(error) => {
                self.forget().await;
                return Err(error);
            }
        };
        let wait = async move {
            // 255 is ssh's own, 127 the remote shell's: both mean "who knows".
            let status = client.wait.await.filter(|status| !matches!(status, 127 | 255));
            drop((permit, session));
            status
        };
        Ok(Started { wait: Box::pin(wait), ..client })
    }

    /// After a lost script: the next one gets a new connection unless this one proves to live. Whether there was
    /// one that did not.
    pub(super) async fn forget(&self) -> bool {
        let mut open = self.open.lock().await;
        let Some(old) = open.take() else { return false };
        if self.is_alive(&old.session).await {
            *open = Some(old);
            return false;
        }
        true
    }

    /// Lets go of a connection without a look at it: who uses it has it until its end.
    pub(super) async fn leave(&self) {
        *self.open.lock().await = None;
    }

    /// Ends the connection for everybody. Without this it would stay till it was idle long enough.
    pub(super) async fn close(&self) {
        if let Some(old) = self.open.lock().await.take()
            && let Some(session) = Arc::into_inner(old.session)
        {
            let _ = timeout(CHECK_LIMIT, session.close()).await;
        }
    }

    async fn is_alive(&self, session: &Session) -> bool {
        let Ok(client) = local::start(&self.server, &client(session, &["-O", "check"], &[])) else { return false };
        matches!(timeout(CHECK_LIMIT, client.wait).await, Ok(Some(status)) if status != 255)
    }

    fn failed(&self, error: &Error) -> ShellError {
        use std::error::Error as _;
        let server = self.server.clone();
        let said = match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        // ssh says it in a banner of several hundred letters.
        let why = if said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") {
            "its host key is not the one in known_hosts: the key was changed, or another machine answers".to_owned()
        } else {
            sanitize_for_display(&said)
        };
        match error {
            Error::Connect(io) if io.kind() == std::io::ErrorKind::NotFound => ShellError::Unreachable {
                server,
                why: format!("the program `ssh` cannot be run on this machine ({io}): install the OpenSSH client"),
            },
            Error::Connect(io) if io.kind() == std::io::ErrorKind::PermissionDenied => {
                ShellError::Denied { server, why }
            }
            _ => ShellError::Unreachable { server, why },
        }
    }
}

/// The words of an ssh client that goes through the open connection. openssh would start it in otb's own process group,
/// where a Ctrl-C meant for otb ends it, too, and cuts the script that otb is waiting for: hence by [`local::start`].
fn client(session: &Session, options: &[&str], then: &[&str]) -> Vec<String> {
    let socket = session.control_socket().to_string_lossy();
    // Nobody listens on port 9 of a host called `none`: without its connection, ssh does not make another.
    let words = [&["ssh", "-S", &socket, "-o", "BatchMode=yes"], options, &["none"], then].concat();
    words.into_iter().map(str::to_owned).collect()
}
