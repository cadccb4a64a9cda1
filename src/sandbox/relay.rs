//! A tool's call to the sandbox's daemon: hands its arguments over, prints what the daemon says, and ends with the exit
//! code that it gives.
//!
//! This file uses only the standard library: build.rs compiles it as a program (relay/main.rs), which otb contains and
//! writes into each sandbox. An apply runs hundreds of these tools, and otb takes twice as long to start as the real
//! ones. If programs cannot run from a sandbox's directory, otb does the work under their names ([`as_tool`]).
//!
//! [`as_tool`]: super::as_tool

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use super::socket::socket_path;

/// Does what the tool `file`, DIR/install/bin/NAME, does.
pub(super) fn run(file: &Path) -> ExitCode {
    relay(file).map_or_else(
        |error| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let _ = writeln!(io::stderr(), "{name}: failed to {error}");
            ExitCode::FAILURE
        },
        ExitCode::from,
    )
}

/// Runs the tool in the daemon and writes what it says. Its exit code.
fn relay(file: &Path) -> Result<u8, String> {
    let (Some(name), Some(dir)) = (file.file_name(), file.ancestors().nth(3)) else {
        return Err(format!("find the sandbox of {}", file.display()));
    };
    let call = call(name).map_err(|error| format!("read its surroundings: {error}"))?;
    let unreachable = |_| format!("reach the sandbox in {}: none runs there", dir.display());
    let mut stream = UnixStream::connect(socket_path(dir)).map_err(unreachable)?;
    stream.write_all(&call).map_err(unreachable)?;
    hear(&stream, io::stdout(), io::stderr())
        .map_err(|error| format!("hear the sandbox in {} out: {error}", dir.display()))
}

/// The tool's name, its directory, PGDATA and its arguments.
fn call(name: &OsStr) -> io::Result<Vec<u8>> {
    let cwd = std::env::current_dir()?;
    let pgdata = std::env::var_os("PGDATA").unwrap_or_default();
    let args: Vec<_> = std::env::args_os().skip(1).collect();
    let fields = [name, cwd.as_os_str(), &pgdata].into_iter().chain(args.iter().map(AsRef::as_ref));
    Ok(written(fields.map(OsStr::as_bytes)))
}

/// The fields, each ended by a NUL, and before them a line that says how many bytes that makes.
pub(super) fn written<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let fields: Vec<u8> = fields.into_iter().flat_map(|field| [field, b"\0"]).flatten().copied().collect();
    [format!("{}\n", fields.len()).as_bytes(), &fields].concat()
}

/// Writes to `out` and `err` what comes, `out BYTES` or `err BYTES` and as many bytes, until `exit CODE` does.
pub(super) fn hear(replies: impl io::Read, mut out: impl io::Write, mut err: impl io::Write) -> io::Result<u8> {
    let mut replies = BufReader::new(replies);
    loop {
        let mut line = String::new();
        if replies.read_line(&mut line)? == 0 {
            return Err(io::Error::other("it ended"));
        }
        let strange = || io::Error::other(format!("it said {line:?}"));
        let (kind, number) = line.trim_end().split_once(' ').ok_or_else(strange)?;
        if kind == "exit" {
            return number.parse().map_err(|_| strange());
        }
        let mut text = vec![0; number.parse().map_err(|_| strange())?];
        replies.read_exact(&mut text)?;
        if kind == "out" {
            out.write_all(&text)?;
            out.flush()?;
        } else {
            err.write_all(&text)?;
        }
    }
}
