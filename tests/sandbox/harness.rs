//! A sandbox per test, ended with it.

use std::path::PathBuf;
use std::process::{Command, Output};

use otb::model::{Cluster, Instance, InstanceId};
use otb::sandbox::Site;
use tokio_postgres::{Client, Config, NoTls};

pub(crate) struct Sandbox {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) cluster: Cluster,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

pub(crate) fn otb(args: &[&str]) -> Ran {
    Command::new(env!("CARGO_BIN_EXE_otb")).args(args).output().unwrap().into()
}

impl Sandbox {
    pub(crate) fn up(extra: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_str().unwrap();
        // Whatever becomes of the test, the daemon ends.
        let mut args = vec!["sandbox", "up", "--dir", path, "--ttl", "120"];
        args.extend(extra);
        let ran = otb(&args);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let cluster = Site::read(dir.path()).unwrap().cluster;
        Self { dir, cluster }
    }

    pub(crate) fn path(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }

    pub(crate) fn instance(&self, name: &str) -> &Instance {
        self.cluster.instance(&InstanceId::try_from(name.to_owned()).unwrap()).unwrap()
    }

    pub(crate) fn data(&self, name: &str) -> PathBuf {
        PathBuf::from(&self.instance(name).data)
    }

    pub(crate) fn config(&self, name: &str) -> Config {
        let endpoint = &self.instance(name).endpoint;
        let mut config = Config::new();
        config.host(endpoint.host.as_str()).port(endpoint.port).user("opentenbase").dbname("postgres");
        config
    }

    pub(crate) async fn try_connect(&self, config: &Config) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    pub(crate) async fn connect(&self, name: &str) -> Client {
        self.try_connect(&self.config(name)).await.unwrap()
    }

    /// One value by the simple protocol, or the error's SQLSTATE and message.
    pub(crate) async fn ask(&self, name: &str, sql: &str) -> String {
        ask(&self.connect(name).await, sql).await
    }

    pub(crate) fn fault(&self, args: &[&str]) {
        let ran = self.try_fault(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
    }

    pub(crate) fn try_fault(&self, args: &[&str]) -> Ran {
        let mut all = vec!["sandbox", "fault", "--dir", self.path()];
        all.extend(args);
        otb(&all)
    }

    /// Runs one of the sandbox's commands.
    pub(crate) fn tool(&self, name: &str, args: &[&str]) -> Ran {
        Command::new(self.dir.path().join("install/bin").join(name)).args(args).output().unwrap().into()
    }

    pub(crate) fn pg_ctl(&self, instance: &str, args: &[&str]) -> Ran {
        let data = self.data(instance);
        let kind = self.instance(instance).kind.word();
        let mut all = vec!["-Z", kind, "-D", data.to_str().unwrap()];
        all.extend(args);
        self.tool("pg_ctl", &all)
    }

    /// Writes a recovery.conf that makes `name` a standby of `upstream`.
    pub(crate) fn fence(&self, name: &str, upstream: &str) {
        let endpoint = &self.instance(upstream).endpoint;
        let text = format!(
            "standby_mode = on\nprimary_conninfo = 'host={} port={} user=opentenbase application_name={}'\nrecovery_target_timeline = 'latest'\n",
            endpoint.host,
            endpoint.port,
            name.replace('@', "_")
        );
        std::fs::write(self.data(name).join("recovery.conf"), text).unwrap();
    }

    pub(crate) fn status(&self) -> String {
        otb(&["sandbox", "status", "--dir", self.path()]).out
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        otb(&["sandbox", "down", "--dir", self.path()]);
    }
}

pub(crate) async fn ask(client: &Client, sql: &str) -> String {
    use tokio_postgres::SimpleQueryMessage::Row;
    match client.simple_query(sql).await {
        Ok(messages) => {
            let rows = messages.iter().filter_map(|message| match message {
                Row(row) => Some((0..row.len()).map(|n| row.get(n).unwrap_or("NULL")).collect::<Vec<_>>().join("|")),
                _ => None,
            });
            rows.collect::<Vec<_>>().join(" ")
        }
        Err(error) => match error.as_db_error() {
            Some(db) => format!("{}: {}", db.code().code(), db.message()),
            None => format!("broken: {error}"),
        },
    }
}
