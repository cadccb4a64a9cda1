//! A ground is a cluster that scenarios run on: the sandbox, or real processes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// How a command ended.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// What a scenario needs of its cluster.
pub(crate) trait Ground {
    fn name(&self) -> &'static str;
    /// The cluster.yaml that describes it.
    fn file(&self) -> PathBuf;
    /// The directory below which its data lies.
    fn dir(&self) -> &Path;
    /// Does something to a process that an operator would not: kill, hang, …
    fn fault(&self, words: &[String]) -> Ran;
    /// Host and port of an instance.
    fn endpoint(&self, instance: &str) -> (String, u16);
    /// Whether golden files may be written from this ground.
    fn may_bless(&self) -> bool;

    /// Runs otb as an operator would, with nothing on standard input.
    fn otb(&self, args: &[String]) -> Ran {
        otb(&self.file(), args)
    }

    /// Asks an instance by psql.
    fn sql(&self, instance: &str, statement: &str) -> Ran {
        let (host, port) = self.endpoint(instance);
        let mut psql = Command::new("psql");
        psql.args(["-AtX", "-U", "opentenbase", "-d", "postgres", "-h", &host, "-p", &port.to_string()]);
        psql.args(["-c", statement]).stdin(Stdio::null()).output().expect("psql runs").into()
    }
}

/// Runs the binary under test in a hermetic environment.
pub(crate) fn otb(file: &Path, args: &[String]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otb"));
    command.env_remove("PGPASSWORD").env_remove("OTB_FILE").env("NO_COLOR", "1");
    command.arg("-f").arg(file).args(args).stdin(Stdio::null()).output().expect("otb runs").into()
}
