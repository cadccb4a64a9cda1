//! Servers and the way to their shells.

use std::collections::BTreeMap;

use super::code::Code;
use super::diagnostic::Findings;
use super::raw;
use super::text;
use super::tree::Marks;
use crate::model::{Server, ServerName, ShellAccess, ShellVia};

/// Every server that is declared as it should be.
pub(super) fn servers(
    raw: &BTreeMap<String, raw::Server>,
    default_shell: &raw::Shell,
    marks: Marks<'_>,
    findings: &mut Findings<'_>,
) -> BTreeMap<ServerName, Server> {
    let mut servers = BTreeMap::new();
    for (name, raw) in raw {
        let marks = marks.key(name);
        let name = text::server_name(name, marks, findings);
        let address = raw.address.as_deref().and_then(|text| text::host(text, marks.key("address"), findings));
        let ssh = raw.ssh.as_deref().map(|text| (text, marks.key("ssh")));
        let shell = own_shell(raw.shell.as_ref(), default_shell, marks.key("shell"), findings);
        refuse_unused_destination(&shell, ssh.map(|(_, marks)| marks), findings);
        let destination = ssh.map(|(text, marks)| text::ssh_destination(text, marks, findings));
        if let (Some(name), Some(address)) = (name, address) {
            let host = destination.flatten().unwrap_or_else(|| address.as_str().to_owned());
            servers.insert(name.clone(), Server { name, address, shell: access(shell, host) });
        }
    }
    servers
}

/// `defaults.shell`, checked; ssh as opentenbase if it is left out as a whole.
pub(super) fn default_shell(raw: Option<&raw::Shell>, marks: Marks<'_>, findings: &mut Findings<'_>) -> raw::Shell {
    match raw {
        Some(raw) => checked(raw, raw.via.unwrap_or(raw::Via::Ssh), marks, findings),
        None => raw::Shell { via: Some(raw::Via::Ssh), user: Some("opentenbase".to_owned()), ..raw::Shell::default() },
    }
}

/// A server's shell: what it leaves out is as in the defaults, but another way needs no user or port of this one.
fn own_shell(
    raw: Option<&raw::Shell>,
    default: &raw::Shell,
    marks: Marks<'_>,
    findings: &mut Findings<'_>,
) -> raw::Shell {
    let Some(raw) = raw else { return default.clone() };
    let via = raw.via.or(default.via).unwrap_or(raw::Via::Ssh);
    let own = checked(raw, via, marks, findings);
    let same_way = default.via == Some(via);
    raw::Shell {
        via: Some(via),
        user: own.user.or_else(|| default.user.clone().filter(|_| same_way)),
        port: own.port.or(default.port.filter(|_| same_way)),
        run_as: own.run_as.or_else(|| default.run_as.clone()),
    }
}

fn checked(raw: &raw::Shell, via: raw::Via, marks: Marks<'_>, findings: &mut Findings<'_>) -> raw::Shell {
    if via == raw::Via::Local {
        let user = raw.user.as_ref().map(|_| marks.key("user"));
        let port = raw.port.map(|_| marks.key("port"));
        for marks in [user, port].into_iter().flatten() {
            let hint = "remove it, or write `via: ssh`; for another OS user write `run_as`";
            findings.add(Code::WrongValue, marks.label(), "a local shell has no user and no port", hint);
        }
        return raw::Shell { via: Some(via), user: None, port: None, run_as: run_as(raw, marks, findings) };
    }
    raw::Shell {
        via: Some(via),
        user: raw.user.as_deref().and_then(|text| text::account(text, marks.key("user"), findings)),
        port: raw.port,
        run_as: run_as(raw, marks, findings),
    }
}

fn run_as(raw: &raw::Shell, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<String> {
    raw.run_as.as_deref().and_then(|text| text::account(text, marks.key("run_as"), findings))
}

/// Somebody who wrote `ssh: …` expects it to be used.
fn refuse_unused_destination(shell: &raw::Shell, ssh: Option<Marks<'_>>, findings: &mut Findings<'_>) {
    if let (Some(raw::Via::Local), Some(marks)) = (shell.via, ssh) {
        let hint = "remove it, or write `shell: {via: ssh}`";
        findings.add(Code::WrongValue, marks.label(), "a server with a local shell has no ssh destination", hint);
    }
}

fn access(shell: raw::Shell, host: String) -> ShellAccess {
    let via = match shell.via {
        Some(raw::Via::Local) => ShellVia::Local,
        Some(raw::Via::Ssh) | None => ShellVia::Ssh { user: shell.user, host, port: shell.port },
    };
    ShellAccess { via, run_as: shell.run_as }
}
