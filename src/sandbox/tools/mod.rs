//! pg_ctl, gtm_ctl, pg_controldata, pg_basebackup, pg_waldump, postgres, psql and kill: their arguments, words and exit codes
//! are those of a live v2.6. They run in the daemon; commands of these names relay to it.

mod args;
mod basebackup;
mod controldata;
mod gtm_ctl;
mod kill;
mod pg_ctl;
mod postgres;
mod psql;
mod waldump;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::server::Daemon;

/// The commands there are.
pub(super) const NAMES: [&str; 8] =
    ["pg_ctl", "gtm_ctl", "pg_controldata", "pg_basebackup", "pg_waldump", "postgres", "psql", "kill"];

/// The output of a tool.
#[derive(Debug)]
pub(super) enum ToolOutput {
    Out(String),
    Err(String),
}

/// A tool's surroundings: where its output goes, its directory, its environment.
pub(super) struct Console {
    said: UnboundedSender<ToolOutput>,
    cwd: PathBuf,
    pgdata: Option<PathBuf>,
}

impl Console {
    pub(super) fn new(said: UnboundedSender<ToolOutput>, cwd: PathBuf, pgdata: Option<PathBuf>) -> Self {
        Self { said, cwd, pgdata }
    }

    /// Writes to standard output, as it stands.
    fn out(&self, text: impl Into<String>) {
        // The caller may be gone; then the output is lost.
        let _ = self.said.send(ToolOutput::Out(text.into()));
    }

    /// Writes to standard error, as it stands.
    fn err(&self, text: impl Into<String>) {
        let _ = self.said.send(ToolOutput::Err(text.into()));
    }

    fn absolute(&self, path: &str) -> PathBuf {
        let path = Path::new(path);
        let joined = if path.is_absolute() { path.to_owned() } else { self.cwd.join(path) };
        // Without trailing slashes and dots, as the tools canonicalise it.
        joined.components().collect()
    }
}

/// How a tool waits.
const POLL: Duration = Duration::from_millis(20);

/// Runs a tool to its exit code.
pub(super) async fn run(daemon: &Arc<Daemon>, name: &str, args: &[String], console: &Console) -> u8 {
    let slow = daemon.weather.lock().slow_tools.get(name).copied().unwrap_or(0);
    let late = daemon.site.latency_ms + slow;
    if late > 0 {
        tokio::time::sleep(Duration::from_millis(late)).await;
    }
    if let Some(address) = unreachable_server(daemon, args, console) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        console.err(format!("ssh: connect to host {address} port 22: Connection timed out\r\n"));
        return 255;
    }
    if takes_failure(daemon, name) {
        console.err(format!("{name}: failed by otb sandbox fault\n"));
        return 1;
    }
    let code = match name {
        "pg_ctl" => pg_ctl::run(daemon, args, console).await,
        "gtm_ctl" => gtm_ctl::run(daemon, args, console).await,
        "pg_controldata" => controldata::run(daemon, args, console),
        "pg_basebackup" => basebackup::run(daemon, args, console).await,
        "pg_waldump" => waldump::run(daemon, args, console),
        "postgres" => postgres::run(daemon, args, console),
        "psql" => psql::run(daemon, args, console).await,
        "kill" => kill::run(daemon, args, console),
        other => {
            console.err(format!("otb sandbox has no tool {other:?}\n"));
            127
        }
    };
    daemon.quiesce().await;
    code
}

/// The address of a cut-off server that one of the arguments lies on.
fn unreachable_server(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> Option<String> {
    let candidates = args.iter().map(|arg| arg.trim_start_matches("-D").trim_start_matches("--pgdata="));
    let mut paths: Vec<PathBuf> = candidates.map(|arg| console.absolute(arg)).collect();
    paths.push(console.cwd.clone());
    let server = paths.iter().find_map(|path| daemon.site.server_of(path))?;
    daemon.with(|world, _| world.is_cut(server).then(|| world.server_address(server).map(ToString::to_string))?)
}

fn takes_failure(daemon: &Arc<Daemon>, name: &str) -> bool {
    let mut weather = daemon.weather.lock();
    match weather.failing_tools.get_mut(name) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    }
}
