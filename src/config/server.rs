//! Servers and the way to their shells.

use std::collections::BTreeMap;

use super::code::Code;
use super::diagnostic::Findings;
use super::raw;
use super::text;
use super::tree::Marks;
use crate::model::{Host, Server, ServerName, ShellAccess, ShellVia};

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
            let shell = access(shell, host, (&name, &address));
            servers.insert(name.clone(), Server { name, address, shell });
        }
    }
    servers
}

/// `defaults.shell`, checked; ssh as opentenbase if it is left out as a whole.
pub(super) fn default_shell(raw: Option<&raw::Shell>, marks: Marks<'_>, findings: &mut Findings<'_>) -> raw::Shell {
    match raw {
        Some(raw) => {
            let shell = checked(raw, raw.via.unwrap_or(raw::Via::Ssh), marks, findings);
            if shell.via == Some(raw::Via::Exec) && shell.command.is_none() {
                no_command(marks, findings);
            }
            shell
        }
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
    if via == raw::Via::Exec && own.command.is_none() && !(same_way && default.command.is_some()) {
        no_command(marks, findings);
    }
    raw::Shell {
        via: Some(via),
        user: own.user.or_else(|| default.user.clone().filter(|_| same_way)),
        port: own.port.or(default.port.filter(|_| same_way)),
        command: own.command.or_else(|| default.command.clone().filter(|_| same_way)),
        run_as: own.run_as.or_else(|| default.run_as.clone()),
    }
}

fn checked(raw: &raw::Shell, via: raw::Via, marks: Marks<'_>, findings: &mut Findings<'_>) -> raw::Shell {
    if via != raw::Via::Ssh {
        let user = raw.user.as_ref().map(|_| marks.key("user"));
        let port = raw.port.map(|_| marks.key("port"));
        for marks in [user, port].into_iter().flatten() {
            let hint = "remove it, or write `via: ssh`; for another OS user write `run_as`";
            let what = if via == raw::Via::Local { "a local shell" } else { "a shell by command" };
            findings.add(Code::WrongValue, marks.label(), format!("{what} has no user and no port"), hint);
        }
    }
    if let (Some(_), false) = (&raw.command, via == raw::Via::Exec) {
        let hint = "remove it, or write `via: exec`";
        findings.add(Code::WrongValue, marks.key("command").label(), "only a shell by command has a command", hint);
    }
    if via != raw::Via::Ssh {
        let command = raw.command.clone().filter(|words| via == raw::Via::Exec && is_command(words));
        if via == raw::Via::Exec && raw.command.is_some() && command.is_none() {
            let hint = "write the program and its words, such as [docker, exec, -i, \"{server}\"]";
            findings.add(Code::WrongValue, marks.key("command").label(), "this is not a command", hint);
        }
        let run_as = run_as(raw, marks, findings);
        return raw::Shell { via: Some(via), command, run_as, ..raw::Shell::default() };
    }
    raw::Shell {
        via: Some(via),
        user: raw.user.as_deref().and_then(|text| text::account(text, marks.key("user"), findings)),
        port: raw.port,
        command: None,
        run_as: run_as(raw, marks, findings),
    }
}

/// A program that is named, and words without control characters.
fn is_command(words: &[String]) -> bool {
    words.first().is_some_and(|program| !program.is_empty() && !program.starts_with('-'))
        && words.iter().all(|word| !word.contains(char::is_control))
}

fn no_command(marks: Marks<'_>, findings: &mut Findings<'_>) {
    let hint = "add `command: [docker, exec, -i, \"{server}\"]`, or the command that opens a shell on the server";
    findings.add(Code::MissingKey, marks.label(), "a shell by command has no `command`", hint);
}

fn run_as(raw: &raw::Shell, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<String> {
    raw.run_as.as_deref().and_then(|text| text::account(text, marks.key("run_as"), findings))
}

/// Somebody who wrote `ssh: …` expects it to be used.
fn refuse_unused_destination(shell: &raw::Shell, ssh: Option<Marks<'_>>, findings: &mut Findings<'_>) {
    let what = match shell.via {
        Some(raw::Via::Local) => "a local shell",
        Some(raw::Via::Exec) => "a shell by command",
        Some(raw::Via::Ssh) | None => return,
    };
    if let Some(marks) = ssh {
        let hint = "remove it, or write `shell: {via: ssh}`";
        findings.add(Code::WrongValue, marks.label(), format!("a server with {what} has no ssh destination"), hint);
    }
}

fn access(shell: raw::Shell, host: String, (name, address): (&ServerName, &Host)) -> ShellAccess {
    let fill = |word: &String| word.replace("{server}", name.as_str()).replace("{address}", address.as_str());
    let via = match shell.via {
        Some(raw::Via::Exec) => ShellVia::Exec { command: shell.command.iter().flatten().map(fill).collect() },
        Some(raw::Via::Local) => ShellVia::Local,
        Some(raw::Via::Ssh) | None => ShellVia::Ssh { user: shell.user, host, port: shell.port },
    };
    ShellAccess { via, run_as: shell.run_as }
}
