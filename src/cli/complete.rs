//! Candidates for a shell's completion: the names in the file that the command line means, and the codes.

use clap::CommandFactory as _;
use clap_complete::env::{CompleteEnv, Shells};
use clap_complete::{CompletionCandidate, Shell};

use super::args::Cli;
use super::file_suggestions;
use crate::codes;
use crate::config;
use crate::model::Cluster;
use crate::plan::CheckCode;

/// The variable by which a shell asks for candidates.
const ASKED_BY: &str = "OTB_COMPLETE";

/// Answers a shell that asks for candidates, and ends the process; returns if no shell asks.
pub(super) fn answer() {
    CompleteEnv::with_factory(Cli::command).var(ASKED_BY).complete();
}

/// Returns the script that a shell reads to complete otb's command lines.
pub(super) fn script(shell: Shell) -> std::io::Result<String> {
    let shell = shell.to_string();
    let mut script = Vec::new();
    if let Some(completer) = Shells::builtins().completer(&shell) {
        completer.write_registration(ASKED_BY, "otb", "otb", "otb", &mut script)?;
    }
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Returns the nodes that the file declares.
pub(super) fn nodes() -> Vec<CompletionCandidate> {
    let Some(cluster) = cluster() else { return Vec::new() };
    cluster.nodes.values().map(|node| candidate(node.name.as_str(), &node.kind.to_string())).collect()
}

/// Returns the servers that the file declares.
pub(super) fn servers() -> Vec<CompletionCandidate> {
    let Some(cluster) = cluster() else { return Vec::new() };
    cluster.servers.keys().map(|server| candidate(server.as_str(), "server")).collect()
}

/// Returns nodes and servers: clap cannot separate the last word of a list from the word after it.
pub(super) fn nodes_and_servers() -> Vec<CompletionCandidate> {
    nodes().into_iter().chain(servers()).collect()
}

/// Returns the codes that `otb explain` knows.
pub(super) fn codes() -> Vec<CompletionCandidate> {
    codes::all().iter().map(|entry| candidate(&entry.code, &entry.title)).collect()
}

/// Returns CHECK:SUBJECT of each check that can be waived, for each node.
pub(super) fn waivers() -> Vec<CompletionCandidate> {
    let Some(cluster) = cluster() else { return Vec::new() };
    let waivable = CheckCode::ALL.iter().filter(|code| code.is_waivable());
    let of = |code: &CheckCode| {
        let nodes = cluster.nodes.keys();
        nodes.map(|node| candidate(&format!("{}:{node}", code.word()), code.about())).collect::<Vec<_>>()
    };
    waivable.flat_map(of).collect()
}

fn candidate(word: &str, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(word).help(Some(help.to_owned().into()))
}

/// The cluster of the file that the words so far name. `None` means that the file cannot be read, which completion must
/// not report in the middle of a line.
fn cluster() -> Option<Cluster> {
    Some(config::read(&file_suggestions::meant(&file_suggestions::typed())).ok()?.cluster)
}
