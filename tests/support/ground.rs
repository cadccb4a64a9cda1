//! A ground is a cluster that scenarios run on: the sandbox, or real processes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

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
pub(crate) trait TestCluster {
    fn name(&self) -> &'static str;
    /// The cluster.yaml that describes it.
    fn file(&self) -> PathBuf;
    /// The directory below which its data lies.
    fn dir(&self) -> &Path;
    /// Does something to a process that an operator would not: kill, hang, …
    fn fault(&self, words: &[String]) -> Ran;
    /// Host and port of an instance.
    fn endpoint(&self, instance: &str) -> (String, u16);
    /// Runs a shell script as the servers' user, with nothing on standard input; it must end within two minutes.
    fn shell(&self, script: &str) -> Ran;
    /// Whether golden files may be written from this ground.
    fn may_bless(&self) -> bool;

    /// The version where it is not v2.6, `v5`: what differs there has a transcript of its own in a directory of that name.
    fn flavor(&self) -> Option<&'static str> {
        None
    }

    /// Runs otb as an operator would, with nothing on standard input.
    fn otb(&self, args: &[String]) -> Ran {
        otb(&self.file(), args)
    }

    /// Asks an instance; prints rows as `psql -At` does. Not by psql itself: the tests need Rust and nothing else.
    fn sql(&self, instance: &str, statement: &str) -> Ran {
        let (host, port) = self.endpoint(instance);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(ask(&host, port, statement)) {
            Ok(stdout) => Ran { code: 0, stdout, stderr: String::new() },
            Err(error) => Ran { code: 1, stdout: String::new(), stderr: error.to_string() },
        }
    }
}

async fn ask(host: &str, port: u16, statement: &str) -> Result<String, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host(host).port(port).user("opentenbase").dbname("postgres").connect_timeout(Duration::from_secs(10));
    let (client, connection) = config.connect(tokio_postgres::NoTls).await?;
    let answer = async {
        let rows = client.simple_query(statement).await;
        drop(client);
        rows
    };
    let (_, rows) = tokio::join!(connection, answer);
    let mut text = String::new();
    for message in rows? {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            let values: Vec<&str> = (0..row.len()).map(|n| row.get(n).unwrap_or_default()).collect();
            text.push_str(&values.join("|"));
            text.push('\n');
        }
    }
    Ok(text)
}

/// Runs the binary under test in a hermetic environment.
pub(crate) fn otb(file: &Path, args: &[String]) -> Ran {
    otb_with(file, args, &[])
}

/// The same with more of an environment.
pub(crate) fn otb_with(file: &Path, args: &[String], more: &[(&str, OsString)]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_otb"));
    command.env_remove("PGPASSWORD").env_remove("OTB_FILE").env("NO_COLOR", "1");
    command.env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR")).envs(more.iter().cloned());
    command.arg("-f").arg(file).args(args).stdin(Stdio::null()).output().expect("otb runs").into()
}
