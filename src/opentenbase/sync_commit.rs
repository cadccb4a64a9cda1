//! Commits that wait for a standby, and those that do not.

use super::{Command, Sql, quote};
use crate::model::{Instance, Settings};

/// The commits of this session wait for no standby. A coordinator hands the setting on to the datanodes (seen live).
pub fn local_commits() -> Sql {
    Sql::new("set synchronous_commit = local")
}

/// Writes a message into the WAL that no program reads, and commits it like any transaction of the session: if commits
/// wait for a standby, it waits (seen live). It changes no table.
pub fn commit_that_waits() -> Sql {
    Sql::new("select pg_logical_emit_message(true, 'otb', 'a commit that waits for its standbys')")
}

/// The settings of a stopped server that [`sync_settings`] asks for.
const NAMES: [&str; 2] = ["synchronous_commit", "synchronous_standby_names"];

/// Asks a stopped coordinator or datanode what its files set, a line each. Without `--datanode` or `--coordinator` the
/// server refuses even this (seen live). A v5 prints warnings on standard error, its parser of settings some, its logger the
/// same again (seen live); where it fails they have the reason.
pub fn sync_settings(instance: &Instance) -> Command {
    let kind = instance.kind;
    let data = quote(&instance.data);
    let ask = NAMES.map(|name| format!("postgres --{kind} -C {name} -D {data}"));
    let [commit, names] = ask.map(|ask| format!("{{ {ask} 2>/dev/null || {ask}; }}"));
    Command::new(format!("{commit} && {names}"))
}

/// Reads what [`sync_settings`] printed.
pub fn read_sync_settings(text: &str) -> Result<Settings, String> {
    let lines: Vec<&str> = text.lines().collect();
    // An empty setting is an empty line, and the shell may drop the last one.
    let (commit, names) = match lines.as_slice() {
        [commit] => (*commit, ""),
        [commit, names] => (*commit, *names),
        _ => return Err(format!("postgres -C printed {} lines", lines.len())),
    };
    if !["on", "off", "local", "remote_write", "remote_apply"].contains(&commit) {
        return Err(format!("postgres -C printed that synchronous_commit is {commit:?}"));
    }
    let pairs = [(NAMES[0], commit), (NAMES[1], names)];
    Ok(Settings(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_of_a_stopped_server() {
        let read = |text: &str| read_sync_settings(text).map(|settings| settings.0);
        let is = |commit: &str, names: &str| {
            let pairs = [(NAMES[0], commit), (NAMES[1], names)];
            Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
        };
        assert_eq!(read("on\nANY 1 (a, b)\n"), is("on", "ANY 1 (a, b)"));
        assert_eq!(read("local\n\n"), is("local", ""));
        assert_eq!(read("off"), is("off", ""));
        assert!(read("").is_err() && read("FATAL\n*\n").is_err() && read("on\n*\nx\n").is_err());
    }
}
