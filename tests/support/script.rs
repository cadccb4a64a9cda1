//! Scenario scripts: Markdown whose `console` blocks are run.
//!
//! A line that begins with `$ ` is a command; what follows up to the next command is its expected output on
//! standard output, and `[exit N]` its exit code (0 if it is not said). `OTB_BLESS=1` writes what came out
//! into the file. `COMMAND | from WORD` shows the end of a long output only. Commands: `otb …` with the ground's cluster.yaml, `edit NODE SERVER` (the one-line change),
//! `sql INSTANCE STATEMENT`, anything else is a fault of the ground.

use std::path::{Path, PathBuf};

use super::ground::{Ran, TestCluster};
use super::normal::normalise;

/// Runs every command of the script at `path` on `ground` and compares.
pub(crate) fn run(path: &Path, ground: &dyn TestCluster) {
    let own = of_flavor(path, ground.flavor());
    let plain = ground.flavor().is_some() && own == path && !ground.may_bless();
    hold_as(&own, path, ground.name(), ground.may_bless(), plain, |command| shown(command, ground));
}

/// The transcript of another version than v2.6, where it has one of its own.
pub(crate) fn of_flavor(path: &Path, flavor: Option<&str>) -> PathBuf {
    let own = flavor.and_then(|flavor| Some(path.parent()?.join(flavor).join(path.file_name()?)));
    own.filter(|own| own.exists()).unwrap_or_else(|| path.to_owned())
}

/// On v5 an ALTER NODE has a forward port and the preflight some checks more: nothing else of that differs.
fn without_v5s(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        if ["  pass    forward:", "  pass    sessions:"].iter().any(|check| line.starts_with(check)) {
            continue;
        }
        let version = line.find("of version").filter(|_| line.starts_with("  pass    tools-version:"));
        let mut line = version.map_or_else(|| line.to_owned(), |at| line[..at].to_owned());
        for mark in [",forward=", ", forward "] {
            while let Some(at) = line.find(mark) {
                let end = line[at + mark.len()..].find(|c: char| !c.is_ascii_digit());
                line.replace_range(at..end.map_or(line.len(), |end| at + mark.len() + end), "");
            }
        }
        if let Some(rest) = line.strip_prefix("Checks: ") {
            let numbers: Vec<&str> = rest.split(' ').collect();
            line = match numbers.as_slice() {
                [passed, "of", all, ..] => {
                    let failed = all.parse::<usize>().unwrap_or(0).saturating_sub(passed.parse().unwrap_or(0));
                    format!("Checks: all but {failed} passed")
                }
                _ => line,
            };
        }
        lines.push(line + "\n");
    }
    lines.concat()
}

/// Compares the script at `path` with what `shown` says to each of its commands on the ground of that name; what is
/// blessed is written to `to`. `plain`: without what every transcript of a v5 has more.
pub(crate) fn hold_as(
    path: &Path,
    to: &Path,
    ground: &str,
    may_bless: bool,
    plain: bool,
    shown: impl FnMut(&str) -> String,
) {
    let mut script = std::fs::read_to_string(path).unwrap();
    let mut actual = replay(&script, shown);
    if std::env::var_os("OTB_BLESS").is_some() && may_bless {
        if actual != script {
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, &actual).unwrap();
        }
        return;
    }
    if plain {
        (script, actual) = (without_v5s(&script), without_v5s(&actual));
    }
    if actual != script {
        let diff = similar::TextDiff::from_lines(&script, &actual);
        let name = path.display();
        panic!(
            "{name} on {ground} went differently:\n{}",
            diff.unified_diff().context_radius(4).header("expected", "actual")
        );
    }
}

/// The script again, with what really came out.
fn replay(script: &str, mut shown: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut in_console = false;
    let mut commands = 0;
    for line in script.lines() {
        match (in_console, line) {
            (false, "```console") => {
                in_console = true;
                push(&mut out, line);
            }
            (true, "```") => {
                in_console = false;
                push(&mut out, line);
            }
            (true, command) if command.starts_with("$ ") => {
                commands += 1;
                push(&mut out, command);
                out.push_str(&shown(&command[2..]));
            }
            // Expected output: replaced by the actual one.
            (true, _) => {}
            (false, prose) => push(&mut out, prose),
        }
    }
    assert!(!in_console, "a console block is not closed");
    assert!(commands > 0, "the script runs no command");
    out
}

pub(crate) fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// `COMMAND | from WORD` leaves out what comes before the line that begins with WORD.
fn shown(command: &str, ground: &dyn TestCluster) -> String {
    match command.split_once(" | from ") {
        None => ran(command, ground),
        Some((command, word)) => {
            let text = ran(command, ground);
            let begins = text.lines().position(|line| line.starts_with(word));
            text.lines().skip(begins.unwrap_or(0)).flat_map(|line| [line, "\n"]).collect()
        }
    }
}

fn ran(command: &str, ground: &dyn TestCluster) -> String {
    let words = split(command);
    let Ran { code, stdout, .. } = match words.first().map(String::as_str) {
        Some("otb") => ground.otb(&words[1..]),
        Some("edit") => edit(&words[1], &words[2], ground),
        Some("policy") => policy(&words[1..].join(" "), ground),
        Some("sql") => ground.sql(&words[1], &words[2]),
        Some(_) => ground.fault(&words),
        None => panic!("an empty command"),
    };
    let mut text = normalise(&stdout, ground.dir());
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if code != 0 {
        push(&mut text, &format!("[exit {code}]"));
    }
    text
}

/// How otb may behave, written at the end of the file.
fn policy(keys: &str, ground: &dyn TestCluster) -> Ran {
    let path = ground.file();
    let before = std::fs::read_to_string(&path).unwrap();
    let others = before.lines().filter(|line| !line.starts_with("policy:"));
    let after = format!("{}\npolicy: {{{keys}}}\n", others.collect::<Vec<_>>().join("\n").trim_end());
    std::fs::write(&path, &after).unwrap();
    Ran { code: 0, stdout: changed_lines(&before, &after), stderr: String::new() }
}

/// The change under review: one line of the file.
fn edit(node: &str, server: &str, ground: &dyn TestCluster) -> Ran {
    let path = ground.file();
    let before = std::fs::read_to_string(&path).unwrap();
    let node = otb::model::NodeName::new(node).unwrap();
    let server = otb::model::ServerName::new(server).unwrap();
    let after = otb::config::with_master(&before, &node, &server).unwrap();
    std::fs::write(&path, &after).unwrap();
    Ran { code: 0, stdout: changed_lines(&before, &after), stderr: String::new() }
}

fn changed_lines(before: &str, after: &str) -> String {
    let diff = similar::TextDiff::from_lines(before, after);
    let changed = diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal);
    changed.flat_map(|change| [change.tag().to_string(), change.value().to_owned()]).collect()
}

/// Splits at blanks; double quotes keep words together.
pub(crate) fn split(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in command.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}
