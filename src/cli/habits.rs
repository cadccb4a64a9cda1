//! Words that other tools have taught the hand: refused, with otb's own command line to type instead.

use std::collections::BTreeSet;

use clap::{CommandFactory as _, Parser as _};

use super::failure::Failure;
use super::{Cli, file_suggestions};
use crate::codes::ErrorCode;
use crate::opentenbase::sanitize_for_display;

/// Options that otb writes otherwise, with their words here.
const OTHERWISE: &[(&str, &[&str])] = &[
    ("-json", &["--format", "json"]),
    ("--json", &["--format", "json"]),
    ("-y", &["--auto-approve"]),
    ("-yes", &["--auto-approve"]),
    ("--yes", &["--auto-approve"]),
    ("--assume-yes", &["--auto-approve"]),
    ("-no-color", &["--color", "never"]),
    ("--no-color", &["--color", "never"]),
    ("-out", &["-o"]),
    ("-output", &["-o"]),
    ("--output", &["-o"]),
    ("-d", &["-v"]),
    ("-debug", &["-v"]),
    ("--debug", &["-v"]),
];

/// Options for which otb needs none, with why.
const NEEDLESS: &[(&str, &str)] = &[
    ("-var", "otb has no variables: each cluster has its own file, which -f FILE names"),
    ("-var-file", "otb has no variables: each cluster has its own file, which -f FILE names"),
    ("-state", "otb keeps no state file: the cluster is the state"),
    ("-refresh", "otb always observes the live cluster"),
    ("-lock", "otb always takes the lock"),
    ("-input", "without a terminal otb never asks"),
    ("-compact-warnings", "otb prints each warning on a line"),
];

/// Commands under other names, with the command line to type here.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["init", "new"], "otb import --coordinator HOST:PORT -o cluster.yaml"),
    (&["check", "lint"], "otb validate"),
    (&["diff", "preview"], "otb plan"),
    (&["switchover", "failover", "promote"], "otb move NODE SERVER --write && otb apply"),
    (&["refresh"], "otb drift"),
    (&["readiness", "health"], "otb ready"),
    (&["journal", "log", "logs"], "otb history"),
    (&["list", "ls", "ps", "top", "watch"], "otb status"),
    (&["up"], "otb sandbox up --dir DIR"),
    (&["down", "destroy"], "otb sandbox down --dir DIR"),
    (&["rollback", "undo", "revert"], "otb restore OLD_FILE"),
];

/// The same below `otb sandbox`.
const SANDBOX_COMMANDS: &[(&[&str], &str)] =
    &[(&["start", "create", "run"], "otb sandbox up"), (&["stop", "destroy", "delete", "rm"], "otb sandbox down")];

/// Formats: `-o json` means one of these elsewhere, and a file of that name here.
const FORMATS: [&str; 4] = ["json", "text", "markdown", "html"];

/// Languages of `otb graph`.
const GRAPHS: [&str; 3] = ["svg", "dot", "mermaid"];

/// One spelling of another tool.
struct Habit {
    /// How many words it takes.
    length: usize,
    /// Returns what to type instead.
    instead: Vec<String>,
    why: &'static str,
}

/// The refusal of a command line with an option as another tool writes it; `None` means that it has none. `words` stand
/// behind `otb`.
pub(super) fn option(words: &[String]) -> Option<Failure> {
    let own = long_options(&Cli::command());
    let (mut line, mut met) = (Vec::new(), None);
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| *word != "--") {
        let Some(habit) = habit(&words[at..], &own) else {
            line.push(word.clone());
            at += 1;
            continue;
        };
        met.get_or_insert((words[at..at + habit.length].join(" "), habit.instead.join(" "), habit.why));
        at += habit.length;
        line.extend(habit.instead);
    }
    line.extend_from_slice(&words[at..]);
    let (typed, instead, why) = met?;
    let because = if why.is_empty() { String::new() } else { format!(": {why}") };
    let failure =
        Failure::new(ErrorCode::UsageOption, format!("otb has no option {}{because}", sanitize_for_display(&typed)));
    Some(if parses(&line) {
        failure.hint(format!("did you mean {}?", file_suggestions::line(&line)))
    } else if instead.is_empty() {
        failure.hint("remove the option")
    } else {
        failure.hint(format!("in otb it is {instead}; otb COMMAND --help lists the options of each command"))
    })
}

/// The refusal of a command that otb has under another name; `None` means that otb has nothing like it.
pub(super) fn command(name: &str, words: &[String]) -> Option<Failure> {
    let is_sandbox = words.iter().any(|word| word == "sandbox");
    let table = if is_sandbox { SANDBOX_COMMANDS } else { COMMANDS };
    let (_, instead) = table.iter().find(|(names, _)| names.contains(&name))?;
    let failure = Failure::new(ErrorCode::UsageCommand, format!("otb has no command {}", sanitize_for_display(name)));
    Some(failure.hint(format!("did you mean {instead}?")))
}

fn habit(words: &[String], own: &BTreeSet<String>) -> Option<Habit> {
    let word = words.first()?;
    let of = |length, instead: Vec<String>, why| Some(Habit { length, instead, why });
    let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
    if let Some(format) = words.get(1).filter(|next| name == "-o" && FORMATS.contains(&next.as_str())) {
        let why = "-o names a file (-o ./json for one of that name)";
        return of(2, vec!["--format".to_owned(), format.clone()], why);
    }
    if let Some(language) = words.get(1).filter(|next| name == "--format" && GRAPHS.contains(&next.as_str())) {
        let why = "the language of a graph is not an output format";
        return of(2, vec!["--as".to_owned(), language.clone()], why);
    }
    if let Some((_, instead)) = OTHERWISE.iter().find(|(other, _)| *other == name) {
        return of(1, instead.iter().copied().chain(value).map(str::to_owned).collect(), "");
    }
    if let Some((_, why)) = NEEDLESS.iter().find(|(other, _)| *other == name) {
        return of(1, Vec::new(), why);
    }
    if let ("-chdir", Some(dir)) = (name, value) {
        return of(1, vec!["-f".to_owned(), format!("{dir}/cluster.yaml")], "");
    }
    // With one dash it would be a row of short options: `-target=dn01`.
    let long = name.strip_prefix('-').filter(|name| own.contains(*name))?;
    let value = value.map_or_else(String::new, |value| format!("={value}"));
    of(1, vec![format!("--{long}{value}")], "")
}

/// The long options of `command` and of all below it.
fn long_options(command: &clap::Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned));
    own.chain(command.get_subcommands().flat_map(long_options)).collect()
}

/// Whether otb takes these words.
pub(super) fn parses(line: &[String]) -> bool {
    Cli::try_parse_from(std::iter::once("otb".to_owned()).chain(line.iter().cloned())).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// What is said to the one that types `line`.
    fn said(line: &str) -> (String, String) {
        let failure = option(&words(line)).unwrap_or_else(|| panic!("{line} is let through"));
        (failure.message, failure.hint.unwrap())
    }

    #[test]
    fn terraforms_options_are_answered_with_the_line_to_type() {
        for (line, right) in [
            ("plan -out=p.json", "otb plan -o p.json"),
            ("plan -out p.json", "otb plan -o p.json"),
            ("plan -target=dn01 -json", "otb plan --target=dn01 --format json"),
            ("apply -auto-approve", "otb apply --auto-approve"),
            ("apply -y", "otb apply --auto-approve"),
            ("apply --yes -lock-timeout=5m", "otb apply --auto-approve --lock-timeout=5m"),
            ("status --json", "otb status --format json"),
            ("graph --format svg", "otb graph --as svg"),
            ("status -o json", "otb status --format json"),
            ("plan -detailed-exitcode -no-color", "otb plan --detailed-exitcode --color never"),
            ("-chdir=prod plan", "otb -f prod/cluster.yaml plan"),
            ("plan -input=false -refresh=false", "otb plan"),
            ("-file=x.yaml validate", "otb --file=x.yaml validate"),
        ] {
            assert_eq!(said(line).1, format!("did you mean {right}?"), "{line}");
        }
    }

    #[test]
    fn what_the_command_does_not_have_is_not_hinted_at() {
        assert!(said("plan -y").1.starts_with("in otb it is --auto-approve;"));
        let (message, hint) = said("plan -var x=1");
        assert!(message.contains("otb has no variables") && hint == "remove the option", "{message} {hint}");
    }

    #[test]
    fn otbs_own_spelling_is_let_through() {
        for line in [
            "plan -o p.json",
            "plan -op.json --target dn01 -vv",
            "-fcluster.yaml plan --out=./json",
            "apply --auto-approve --reason=-json --waive lag:dn01",
            "explain -- -json",
            "-h",
            "--version",
        ] {
            assert!(option(&words(line)).is_none(), "{line}");
        }
    }

    #[test]
    fn every_command_that_is_hinted_at_is_one() {
        for (names, line) in COMMANDS.iter().chain(SANDBOX_COMMANDS) {
            let line = line.split(" && ").next().unwrap_or_default().replace("PORT", "15432");
            assert!(parses(&words(&line)[1..]), "{line}");
            assert!(!names.is_empty());
        }
        for (table, above) in [(COMMANDS, ""), (SANDBOX_COMMANDS, "sandbox ")] {
            for name in table.iter().flat_map(|(names, _)| *names) {
                assert!(!parses(&words(&format!("{above}{name}"))), "{above}{name} is a command");
            }
        }
        assert!(command("init", &words("init")).is_some() && command("frobnicate", &words("frobnicate")).is_none());
    }
}
