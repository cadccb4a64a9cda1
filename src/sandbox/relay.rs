//! A sandbox's pg_ctl and the others, as commands: otb under their names, which relays to the daemon.
//!
//! An apply runs hundreds of them: nothing is set up here that relaying does not need.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::lifecycle::{SandboxError, converse};
use super::server::{Reply, Request};
use super::site::Site;
use super::tools;

/// If this program was started as a tool of a sandbox, does what the tool does; gives the tool's exit code.
pub fn as_tool() -> Option<ExitCode> {
    let (dir, name) = called_as()?;
    let code = relay(&dir, &name).unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "{name}: failed to {error}");
        1
    });
    Some(code.into())
}

/// The sandbox's directory and the tool's name, by the path that was executed: `DIR/install/bin/NAME`. The first
/// argument would not do: a shell that found the command by PATH gives its name alone.
fn called_as() -> Option<(PathBuf, String)> {
    let path = Path::new(OsStr::from_bytes(rustix::param::linux_execfn().to_bytes()));
    let name = path.file_name()?.to_str().filter(|name| tools::NAMES.contains(name))?;
    let dir = std::path::absolute(path).ok()?.ancestors().nth(3)?.to_owned();
    Site::is_at(&dir).then(|| (dir, name.to_owned()))
}

/// Runs the tool in the daemon and writes what it says. Its exit code.
fn relay(dir: &Path, name: &str) -> Result<u8, SandboxError> {
    let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    let cwd = std::env::current_dir()?.display().to_string();
    let pgdata = std::env::var("PGDATA").ok();
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let mut code = 1;
    converse(dir, &Request::Tool { name: name.to_owned(), args, cwd, pgdata }, |reply| {
        match reply {
            Reply::Out { text } => {
                out.write_all(text.as_bytes())?;
                out.flush()?;
            }
            Reply::Err { text } => err.write_all(text.as_bytes())?,
            Reply::Exit { code: exit } => code = *exit,
            Reply::Failed { message } => writeln!(err, "{name}: {message}")?,
            Reply::Status { .. } | Reply::Done { .. } => {}
        }
        Ok(())
    })?;
    Ok(code)
}
