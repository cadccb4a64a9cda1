//! otb under the name of one of a sandbox's tools.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::site::Site;
use super::{relay, tools};

/// If this program was started as a tool of a sandbox, does what the tool does; gives the tool's exit code.
pub fn as_tool() -> Option<ExitCode> {
    called_as().map(|file| relay::run(&file))
}

/// The tool's file, by the path that was executed: the first argument would not do, for a shell that found the command by
/// PATH gives its name alone. The directory as the daemon knows it, without links.
fn called_as() -> Option<PathBuf> {
    let path = Path::new(OsStr::from_bytes(rustix::param::linux_execfn().to_bytes()));
    let name = path.file_name()?.to_str().filter(|name| tools::NAMES.contains(name))?;
    let dir = std::path::absolute(path).ok()?.ancestors().nth(3)?.canonicalize().ok()?;
    Site::is_at(&dir).then(|| dir.join("install/bin").join(name))
}
