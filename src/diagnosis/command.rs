//! Commands to paste: otb's own, a shell's on a server, and psql's.

use super::Case;
use crate::model::{InstanceId, NextCommand, ServerName, ShellVia};
use crate::opentenbase::{psql_line, quote};

/// A command that is right whatever the case.
pub(super) fn always(command: impl Into<String>) -> NextCommand {
    NextCommand { command: command.into(), when: None }
}

/// A command that is right if `when` holds.
pub(super) fn only_if(command: impl Into<String>, when: impl Into<String>) -> NextCommand {
    NextCommand { command: command.into(), when: Some(when.into()) }
}

impl Case<'_> {
    /// Declares the master of a node elsewhere and applies that.
    pub(super) fn move_to(&self, to: &InstanceId) -> String {
        let otb = self.otb;
        format!("{otb} move {} {} --write && {otb} apply", to.node, to.server)
    }

    /// `command` on a server, as the user that its data belongs to.
    pub(super) fn on(&self, server: &ServerName, command: &str) -> String {
        let Some(known) = self.cluster.servers.get(server) else { return command.to_owned() };
        let shell = &known.shell;
        let command = match &shell.run_as {
            Some(user) => format!("sudo -n -u {} sh -c {}", quote(user), quote(command)),
            None => command.to_owned(),
        };
        match &shell.via {
            ShellVia::Local => command,
            ShellVia::Ssh { user, host, port } => {
                let port = port.map_or_else(String::new, |port| format!("-p {port} "));
                let user = user.as_ref().map_or_else(String::new, |user| format!("{user}@"));
                format!("ssh {port}{} {}", quote(&format!("{user}{host}")), quote(&command))
            }
            ShellVia::Exec { command: way } => {
                let way: Vec<String> = way.iter().map(|word| quote(word)).collect();
                format!("{} sh -c {}", way.join(" "), quote(&command))
            }
        }
    }

    /// A program of the instance's own installation, on its server.
    pub(super) fn tool(&self, id: &InstanceId, command: &str) -> String {
        let install = self.cluster.instance(id).map_or("", |instance| instance.install.as_str());
        let (bin, lib) = (quote(&format!("{install}/bin")), quote(&format!("{install}/lib")));
        self.on(&id.server, &format!("PATH={bin}:$PATH LD_LIBRARY_PATH={lib} {command}"))
    }

    /// A statement on one instance.
    pub(super) fn sql(&self, id: &InstanceId, sql: &str) -> Option<String> {
        let connection = &self.cluster.connection;
        Some(psql_line(self.endpoint(id)?, &connection.user, &connection.database, sql))
    }
}
