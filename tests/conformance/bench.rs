//! The commands of a transcript.
//!
//! - `sql INSTANCE [OPTIONS] STATEMENT`: one statement in a session of its own; OPTIONS in square brackets are a
//!   connection string.
//! - `open NAME INSTANCE`, `in NAME STATEMENT`, `close NAME`: a session that is kept; `meanwhile NAME STATEMENT`
//!   begins a statement whose answer `answer NAME` waits for.
//! - `on INSTANCE SHELL`: a shell line on the instance's server as the servers' user, with the tools on the PATH and
//!   `$DATA`, `$HOST`, `$PORT` of the instance, and `$PGUSER`.
//! - `gtm INSTANCE`: the answer of its GTM to the protocol's status request.
//! - Anything else is a fault of the ground.
//!
//! `{INSTANCE:data}`, `{INSTANCE:host}` and `{INSTANCE:port}` are replaced everywhere. `COMMAND | until TEXT` asks
//! again until the answer is TEXT, for at most 30 s.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use otb::model::{Cluster, Instance, InstanceId};
use tokio_postgres::Config;

use super::session::{Session, once};
use crate::support::ground::TestCluster;
use crate::support::normal::normalise;
use crate::support::script::{push, split};

const UNTIL: Duration = Duration::from_secs(30);

/// A ground, and the sessions that a transcript has open on it.
pub(super) struct Bench<'a> {
    ground: &'a dyn TestCluster,
    cluster: Cluster,
    sessions: BTreeMap<String, Session>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(ground: &'a dyn TestCluster) -> Self {
        let cluster = otb::config::read(&ground.file()).unwrap().cluster;
        Self { ground, cluster, sessions: BTreeMap::new() }
    }

    /// Runs a command and shows what came of it, without what differs from run to run.
    pub(super) fn run(&mut self, command: &str) -> String {
        let (command, wanted) = match command.split_once(" | until ") {
            Some((command, wanted)) => (command, Some(wanted)),
            None => (command, None),
        };
        let command = self.expand(command);
        let begun = Instant::now();
        loop {
            let shown = self.shown(&command);
            // Its exit code, if it is shown, comes after it.
            let answer = shown.split("[exit ").next().unwrap_or_default().trim_end();
            if wanted.is_none_or(|wanted| wanted == answer) || begun.elapsed() > UNTIL {
                return shown;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn shown(&mut self, command: &str) -> String {
        let (text, code) = self.ran(command);
        let mut text = without_numbers(&normalise(&text, self.ground.dir()));
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if code != 0 {
            push(&mut text, &format!("[exit {code}]"));
        }
        text
    }

    fn ran(&mut self, command: &str) -> (String, i32) {
        let (word, rest) = command.split_once(' ').unwrap_or((command, ""));
        let (target, more) = rest.split_once(' ').unwrap_or((rest, ""));
        let text = match word {
            "sql" => {
                let (options, statement) = options(more);
                once(&self.config(target, options), statement)
            }
            "open" => {
                let config = self.config(more, "");
                self.sessions.insert(target.to_owned(), Session::open(config));
                String::new()
            }
            "in" => {
                self.sessions[target].begin(more);
                self.sessions[target].answer()
            }
            "meanwhile" => {
                self.sessions[target].begin(more);
                // It has begun before the next command does.
                std::thread::sleep(Duration::from_millis(300));
                String::new()
            }
            "answer" => self.sessions[target].answer(),
            "close" => {
                self.sessions.remove(target);
                String::new()
            }
            "on" => return self.on(target, more),
            "gtm" => self.gtm(target),
            _ => {
                let ran = self.ground.fault(&split(command));
                assert_eq!(ran.code, 0, "{command}: {}", ran.stderr);
                String::new()
            }
        };
        (text, 0)
    }

    fn instance(&self, id: &str) -> &Instance {
        let known = InstanceId::try_from(id.to_owned()).ok().and_then(|id| self.cluster.instance(&id));
        known.unwrap_or_else(|| panic!("no instance {id:?}"))
    }

    fn config(&self, instance: &str, options: &str) -> Config {
        let endpoint = &self.instance(instance).endpoint;
        let mut config: Config = options.parse().unwrap();
        config.host(endpoint.host.as_str()).port(endpoint.port).connect_timeout(Duration::from_secs(20));
        if config.get_user().is_none() {
            config.user(&*self.cluster.connection.user);
        }
        if config.get_dbname().is_none() {
            config.dbname("postgres");
        }
        config
    }

    fn on(&self, instance: &str, line: &str) -> (String, i32) {
        let Instance { install, data, endpoint, .. } = self.instance(instance);
        let (host, port) = (&endpoint.host, endpoint.port);
        let user = &self.cluster.connection.user;
        let ran = self.ground.shell(&format!(
            "PATH={install}/bin:$PATH DATA={data} HOST={host} PORT={port} PGUSER={user} LC_ALL=C\n\
             export PATH PGUSER LC_ALL\nexec 2>&1\n{line}"
        ));
        (ran.stdout + &ran.stderr, ran.code)
    }

    fn gtm(&self, instance: &str) -> String {
        let at = self.instance(instance).endpoint.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(otb::transport::ask_gtm(&at, Duration::from_secs(5))) {
            Ok(status) => {
                let standbys: Vec<&str> = status.standbys.iter().map(|standby| standby.name.as_str()).collect();
                format!("{:?}, standbys: {standbys:?}\n", status.role)
            }
            Err(error) => format!("{:?}\n", error.kind()),
        }
    }

    /// `{dn01@s29:data}` and the like.
    fn expand(&self, command: &str) -> String {
        let mut out = String::new();
        let mut rest = command;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            let (inside, end) = after.split_once('}').unwrap_or_else(|| panic!("{command:?}: a brace is not closed"));
            let value = match inside.split_once(':') {
                Some((id, "data")) => self.instance(id).data.clone(),
                Some((id, "host")) => self.instance(id).endpoint.host.to_string(),
                Some((id, "port")) => self.instance(id).endpoint.port.to_string(),
                _ => format!("{{{inside}}}"),
            };
            out.push_str(&value);
            rest = end;
        }
        out + rest
    }
}

/// Leading `[…]` are options of the connection.
fn options(text: &str) -> (&str, &str) {
    match text.strip_prefix('[').and_then(|text| text.split_once("] ")) {
        Some((options, statement)) => (options, statement),
        None => ("", text),
    }
}

/// What comes before a number, or a position, that differs from run to run.
const NUMBERED: [&str; 8] = ["PID: ", "PID ", "backend_pid:", "gts[", "gts [", "gts:", "xlog [", "xlog["];

/// Process numbers, timestamps and positions of the GTM become N.
fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((at, marker)) = NUMBERED.iter().filter_map(|marker| Some((rest.find(marker)?, *marker))).min() {
        let (before, after) = rest.split_at(at + marker.len());
        out.push_str(before);
        let numbered = after.starts_with(|c: char| c.is_ascii_digit());
        rest = after.trim_start_matches(|c: char| numbered && (c.is_ascii_hexdigit() || c == '/'));
        out.push_str(if numbered { "N" } else { "" });
    }
    without_file(&one_wait(without_configure(&(out + rest))))
}

/// A v5 says when it was configured.
fn without_configure(text: &str) -> String {
    match text.split_once("OpenTenBase V5.21 20") {
        Some((before, after)) => {
            let rest: String = after.chars().skip("26-12-01 03:51:47".len()).collect();
            format!("{before}OpenTenBase V5.21 TIME{rest}")
        }
        None => text.to_owned(),
    }
}

/// How many WAL files there were before is the cluster's matter.
fn without_file(text: &str) -> String {
    const FILE: &str = "could not find file \"00000063";
    match text.split_once(FILE) {
        Some((before, after)) => {
            format!("{before}{FILE}N{}", after.trim_start_matches(|c: char| c.is_ascii_hexdigit()))
        }
        None => text.to_owned(),
    }
}

/// A tool prints a dot for each second that it waits: how many is the machine's matter.
fn one_wait(mut text: String) -> String {
    while text.contains(".....") {
        text = text.replace(".....", "....");
    }
    text
}
