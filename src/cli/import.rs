//! `otb import`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::args::Global;
use super::failure::Failure;
use super::file::{self, Over};
use super::{Exit, look, terminal};
use crate::codes::ErrorCode;
use crate::import::{self, Draft, ShellDraft};
use crate::model::{Connection, Endpoint, Host, ServerName, ShellAccess, ShellVia, SslMode};
use crate::observe::{self, DiscoverError, Way};
use crate::transport::ConnectionsError;

/// The largest file of another tool that is read, in bytes.
const MOST_BYTES: u64 = 4 << 20;

/// Create a cluster.yaml from a live cluster, from pgxc_ctl.conf or from opentenbase_config.ini; read only
///
/// Values that otb cannot find out are marked `# TODO otb: ...` in the file and listed on standard error.
#[derive(Debug, Args)]
#[command(after_help = "Example: otb import --coordinator 172.16.0.29:15432 -o cluster.yaml && otb plan")]
pub(super) struct ImportArgs {
    #[command(flatten)]
    from: From,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace FILE if it exists
    #[arg(long, requires = "out")]
    force: bool,
    /// The database user
    #[arg(long, default_value = "opentenbase", requires = "coordinator")]
    user: String,
    #[arg(long, default_value = "postgres", requires = "coordinator", help = "The database to connect to")]
    database: String,
    /// TLS mode, as in libpq's sslmode
    #[arg(long, value_enum, default_value_t = Ssl::Prefer, requires = "coordinator")]
    sslmode: Ssl,
    /// How otb opens a shell on the servers
    #[arg(long, value_enum, default_value_t = Via::Ssh, requires = "coordinator")]
    shell: Via,
    /// The ssh user
    #[arg(long, value_name = "USER", requires = "coordinator")]
    shell_user: Option<String>,
    /// The port of sshd
    #[arg(long, value_name = "PORT", requires = "coordinator")]
    shell_port: Option<u16>,
    /// The OS user that owns the data directories, reached by sudo -n
    #[arg(long, value_name = "USER", requires = "coordinator")]
    run_as: Option<String>,
    /// The install directory of OpenTenBase on the servers, if otb cannot find it out
    #[arg(long, value_name = "DIR", requires = "coordinator")]
    install: Option<String>,
    /// A name for the server at an address (repeatable); by default its own host name
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = server, requires = "coordinator")]
    server: Vec<(ServerName, Host)>,
    /// An environment variable that pgxc_ctl.conf uses, such as HOME (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable, requires = "pgxc_ctl")]
    set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct From {
    /// A coordinator of the live cluster
    #[arg(long, value_name = "HOST:PORT", value_parser = endpoint)]
    coordinator: Option<Endpoint>,
    /// pgxc_ctl's configuration; otb reads it and does not run it
    #[arg(long, value_name = "FILE")]
    pgxc_ctl: Option<PathBuf>,
    /// opentenbase_ctl's configuration
    #[arg(long, value_name = "FILE")]
    config_ini: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Via {
    Ssh,
    Local,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Ssl {
    Disable,
    Prefer,
    Require,
}

impl Ssl {
    fn mode(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require => SslMode::Require,
        }
    }

    /// What is to be written, where it is not the default.
    fn written(self) -> Option<String> {
        let word = match self {
            Self::Prefer => return None,
            Self::Disable => "disable",
            Self::Require => "require",
        };
        Some(word.to_owned())
    }
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let (host, port) = text.rsplit_once(':').ok_or("write HOST:PORT")?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let host = Host::new(host).map_err(|error| format!("{host:?} is not a host: {error}"))?;
    let port = port.parse().ok().filter(|port| *port > 0);
    Ok(Endpoint { host, port: port.ok_or_else(|| format!("{text:?} has no port from 1 to 65535"))? })
}

fn server(text: &str) -> Result<(ServerName, Host), String> {
    let (name, host) = text.split_once('=').ok_or("write NAME=ADDRESS")?;
    let name = ServerName::new(name).map_err(|error| format!("{name:?} is not a server name: {error}"))?;
    Ok((name, Host::new(host).map_err(|error| format!("{host:?} is not an address: {error}"))?))
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) async fn run(global: &Global, args: &ImportArgs) -> Result<Exit, Failure> {
    if let Some(out) = &args.out {
        refuse_existing(out, args.force)?;
    }
    let draft = match (&args.from.coordinator, &args.from.pgxc_ctl, &args.from.config_ini) {
        (Some(coordinator), ..) => live(coordinator, global, args).await?,
        (None, Some(file), _) => {
            of_file(file, "pgxc_ctl", |text| import::from_pgxc_ctl(text, &args.set.iter().cloned().collect()))?
        }
        (None, None, Some(file)) => of_file(file, "opentenbase_ctl", import::from_config_ini)?,
        // clap requires one of them.
        (None, None, None) => return Err(Failure::new(ErrorCode::UsageMissing, "name the source of the import")),
    };
    let text = import::yaml(&draft);
    match &args.out {
        // A file that another program created meanwhile is not replaced either.
        Some(out) => file::write(out, &text, if args.force { Over::Anything } else { Over::Nothing })?,
        None => terminal::result(&text),
    }
    tell(&draft, args.out.as_deref());
    Ok(Exit::Done)
}

async fn live(coordinator: &Endpoint, global: &Global, args: &ImportArgs) -> Result<Draft, Failure> {
    let connection = Connection {
        user: args.user.clone(),
        database: args.database.clone(),
        sslmode: args.sslmode.mode(),
        sslrootcert: None,
    };
    let via = match args.shell {
        Via::Local => ShellVia::Local,
        Via::Ssh => ShellVia::Ssh { user: args.shell_user.clone(), host: String::new(), port: args.shell_port },
    };
    let shell = ShellAccess { via, run_as: args.run_as.clone() };
    let way = Way { coordinator: coordinator.clone(), connection, shell };
    let found = observe::discover(&way, &look::limits(global)).await.map_err(refusal)?;
    let names: BTreeMap<Host, ServerName> =
        args.server.iter().map(|(name, host)| (host.clone(), name.clone())).collect();
    for (host, name) in names.iter().filter(|(host, _)| !found.servers.contains_key(*host)) {
        terminal::say(&format!("warning: --server {name}={host}: the cluster has no such server"));
    }
    let mut draft = import::from_discovery(&found, &names, args.install.as_deref());
    draft.source = format!("the live cluster, from its coordinator {coordinator}");
    draft.user = Some(args.user.clone());
    draft.database = Some(args.database.clone());
    draft.sslmode = args.sslmode.written();
    draft.shell = ShellDraft {
        local: args.shell == Via::Local,
        user: args.shell_user.clone(),
        port: args.shell_port,
        run_as: args.run_as.clone(),
    };
    Ok(draft)
}

fn refusal(error: DiscoverError) -> Failure {
    let code = match &error {
        DiscoverError::Connections(ConnectionsError::Tls(_)) => ErrorCode::ConnectionTls,
        DiscoverError::Connections(ConnectionsError::Shell(_)) => ErrorCode::ConnectionShell,
        DiscoverError::NoSession(_) => ErrorCode::ImportNoSession,
        DiscoverError::NoNode(..) | DiscoverError::Datanode { .. } => ErrorCode::ImportNoCoordinator,
        DiscoverError::NoRoutes(..) => ErrorCode::ImportNoRoutes,
    };
    let failure = Failure::new(code, format!("failed to import: {error}"));
    match error {
        DiscoverError::NoSession(_) => {
            failure.hint("name a coordinator that answers: --coordinator HOST:PORT, and its --user")
        }
        DiscoverError::NoNode(..) => failure.hint(
            "name a coordinator of an OpenTenBase cluster, with the port that \
            psql uses",
        ),
        DiscoverError::Datanode { coordinators, .. } if !coordinators.is_empty() => {
            failure.hint(format!("its pgxc_node names these coordinators: {}", coordinators.join(", ")))
        }
        DiscoverError::NoRoutes(..) => failure.hint(
            "without a GTM no master can read its pgxc_node: start the GTM, name a coordinator's standby, or import \
                from pgxc_ctl.conf",
        ),
        DiscoverError::Datanode { .. } | DiscoverError::Connections(_) => failure,
    }
}

fn of_file(
    file: &Path,
    tool: &str,
    read: impl FnOnce(&str) -> Result<Draft, import::SourceError>,
) -> Result<Draft, Failure> {
    let shown = file.display();
    let text = look::read_text(file, MOST_BYTES)
        .map_err(|error| Failure::new(ErrorCode::ImportSource, format!("failed to read {shown}: {error}")))?;
    let mut draft = read(&text).map_err(|error| {
        let (line, hint) = match error.line {
            Some(number) => {
                let line = text.lines().nth(number.saturating_sub(1)).unwrap_or_default();
                (format!("\n  {number:>4} | {}", crate::opentenbase::sanitize_for_display(line)), "fix this line; ")
            }
            None => (String::new(), ""),
        };
        Failure::new(ErrorCode::ImportSource, format!("failed to import {shown}: {error}{line}"))
            .hint(format!("{hint}is it the configuration of {tool}?"))
    })?;
    draft.source = file
        .file_name()
        .map_or_else(|| tool.to_owned(), |name| crate::opentenbase::sanitize_for_display(&name.to_string_lossy()));
    Ok(draft)
}

fn refuse_existing(out: &Path, force: bool) -> Result<(), Failure> {
    if force || !out.exists() {
        return Ok(());
    }
    Err(Failure::new(ErrorCode::ImportExists, format!("{} exists already, and nothing was written", out.display()))
        .hint("name another file, or use --force to replace it"))
}

/// What is open, and what was noticed.
fn tell(draft: &Draft, out: Option<&Path>) {
    for note in &draft.notes {
        let head = if note.open { "TODO" } else { "note" };
        terminal::say(&format!("{head}: {}: {}", note.about, note.what));
    }
    let Some(out) = out else { return };
    let next = if draft.is_complete() { "plan" } else { "validate" };
    terminal::say(&format!("wrote {}; next: otb -f {} {next}", out.display(), out.display()));
}
