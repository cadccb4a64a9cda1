//! The reference pages against the code.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::fmt::Write as _;
use std::fs;

use clap::{CommandFactory as _, Parser as _};
use otb::cli::{Cli, Exit};
use otb::codes::{ErrorCode, Explanation, Kind};
use otb::model::FindingKind;
use otb::plan::CheckCode;

fn page(name: &str) -> String {
    fs::read_to_string(format!("{}/docs/reference/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_exit_code_is_on_its_page() {
    let page = page("exit-codes.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| code")).collect();
    assert_eq!(rows.len(), Exit::ALL.len());
    for exit in Exit::ALL {
        let row = format!("| {} | {} | {} |", exit.code(), exit.meaning(), exit.next()).replace("  |", " |");
        assert!(rows.contains(&row.as_str()), "there is no row {row}");
    }
}

/// Compares with the page, or writes it with `OTB_BLESS=1`.
fn held(name: &str, text: &str) {
    if std::env::var_os("OTB_BLESS").is_some() {
        fs::write(format!("{}/docs/reference/{name}", env!("CARGO_MANIFEST_DIR")), text).unwrap();
    }
    assert_eq!(page(name), text, "bless with OTB_BLESS=1 cargo test --test reference");
}

fn sections(out: &mut String, entries: &[Explanation]) {
    for Explanation { code, title, why, next, waivable, kind, exit, .. } in entries {
        write!(out, "\n## {code}\n\n{title}\n\n{why}\n\n**What to do:** {next}\n").unwrap();
        match (kind, waivable) {
            (Kind::Check, true) => writeln!(out, "\nWaived by `--waive {code}:SUBJECT --reason ...`.").unwrap(),
            (Kind::Check, false) => writeln!(out, "\nIt cannot be waived.").unwrap(),
            (Kind::Finding, _) => {}
            _ => writeln!(out, "\nExit code {}.", exit.unwrap()).unwrap(),
        }
    }
}

#[test]
fn every_check_is_on_its_page() {
    let mut text = String::from(
        "# Checks\n\nA plan shows each check as `NAME:SUBJECT`; `otb plan --checks` shows the passed ones too. A check refuses the plan when \
         it\nblocks, or when otb could not find out what it needs. `--waive NAME:SUBJECT --reason ...` accepts what one check\n\
         refuses, if it can be waived. `otb explain NAME` prints the texts of this page.\n\n| name | what must be true | can be waived |\n|---|---|---|\n",
    );
    let entries: Vec<Explanation> = CheckCode::ALL.iter().copied().map(Explanation::of_check).collect();
    for Explanation { code, title, waivable, .. } in &entries {
        let waivable = if *waivable { "yes" } else { "no" };
        writeln!(text, "| [`{code}`](#{code}) | {title} | {waivable} |").unwrap();
    }
    sections(&mut text, &entries);
    held("checks.md", &text);
}

#[test]
fn every_finding_is_on_its_page() {
    let mut text = String::from(
        "# Findings\n\n`otb status`, `otb plan` and `otb drift` report what is wrong with the cluster, the worst first. In JSON, `kind` has the\n\
         word behind `finding.`. `otb explain WORD` prints the texts of this page.\n\n| kind | what is wrong |\n|---|---|\n",
    );
    let entries: Vec<Explanation> = FindingKind::ALL.iter().copied().map(Explanation::of_finding).collect();
    for Explanation { code, title, .. } in &entries {
        writeln!(text, "| [`{code}`](#{}) | {title} |", code.replace('.', "")).unwrap();
    }
    sections(&mut text, &entries);
    held("findings.md", &text);
}

#[test]
fn every_error_is_on_its_page() {
    let mut text = String::from(
        "# Errors\n\notb prints every error as `error[CODE]: what, and where`, usually with a hint. `otb explain CODE` prints the texts of\nthis page, \
         and `otb explain` lists all codes; `--format json` prints them as a document \
         ([explain-json.md](explain-json.md)).\nCodes are never reused or renamed, so runbooks and scripts can use them. Mistakes \
         in cluster.yaml begin with `config.`.\nChecks have codes without an area ([checks.md](checks.md)), findings begin with `finding.`\n\
         ([findings.md](findings.md)), and a run ends with an exit code ([exit-codes.md](exit-codes.md)).\n\n\
         | code | exit | what happened |\n|---|---|---|\n",
    );
    let files = otb::config::Code::ALL.into_iter().map(Explanation::of_file);
    let entries: Vec<Explanation> = ErrorCode::ALL.iter().copied().map(Explanation::of_error).chain(files).collect();
    for Explanation { code, title, exit, .. } in &entries {
        writeln!(text, "| [`{code}`](#{}) | {} | {title} |", code.replace('.', ""), exit.unwrap()).unwrap();
    }
    sections(&mut text, &entries);
    held("errors.md", &text);
}

/// Every command with its path, root first; what is hidden is for otb itself.
fn commands(command: &clap::Command, path: &str, found: &mut Vec<(String, clap::Command)>) {
    found.push((path.to_owned(), command.clone()));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help") {
        commands(below, &format!("{path} {}", below.get_name()), found);
    }
}

/// The calls of otb in a line of examples: it may pipe, chain, and write to files.
fn calls(line: &str) -> Vec<Vec<&str>> {
    let parts = line.split(" && ").flat_map(|part| part.split(" | "));
    let words = parts.map(|part| part.split(" > ").next().unwrap().split_whitespace().collect::<Vec<_>>());
    words.filter(|words| words.first() == Some(&"otb")).collect()
}

#[test]
fn every_help_has_an_example_that_is_right() {
    let mut found = Vec::new();
    commands(&Cli::command(), "otb", &mut found);
    assert!(found.len() > 18, "{}", found.len());
    for (path, command) in found {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<&str> = help.lines().filter_map(|line| line.strip_prefix("Example: ")).collect();
        assert!(!examples.is_empty(), "{path} --help has no example");
        let calls: Vec<_> = examples.iter().flat_map(|line| calls(line)).collect();
        let name = path.rsplit(' ').next().unwrap();
        assert!(calls.iter().any(|words| words.contains(&name)), "no example of {path} calls it: {examples:?}");
        for words in calls {
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("the help of {path} has {words:?}, which is wrong: {error}");
            }
        }
    }
}

/// Generated, committed, and held: `otb schema plan > schemas/plan.schema.json`.
#[test]
fn the_schemas_are_those_of_the_code() {
    let schemas = [
        ("cluster", otb::config::schema()),
        ("plan", schemars::schema_for!(otb::plan::Plan).to_value()),
        ("status", schemars::schema_for!(otb::view::StatusDocument).to_value()),
        ("drift", schemars::schema_for!(otb::drift::Drift).to_value()),
        ("ready", schemars::schema_for!(otb::diagnosis::Readiness).to_value()),
        ("explain", schemars::schema_for!(otb::codes::Explanations).to_value()),
        ("events", schemars::schema_for!(otb::apply::EventLine).to_value()),
        ("journal", schemars::schema_for!(otb::cli::JournalLine).to_value()),
        ("history", schemars::schema_for!(otb::view::HistoryDocument).to_value()),
    ];
    for (name, schema) in schemas {
        let file = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let committed: serde_json::Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        assert!(
            committed == schema,
            "schemas/{name}.schema.json differs: otb schema {name} > schemas/{name}.schema.json"
        );
    }
}
