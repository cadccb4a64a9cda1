//! The reference pages against the code.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::fmt::Write as _;
use std::fs;

use otb::cli::Exit;
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
        let begins = format!("| {} | {} |", exit.code(), exit.meaning());
        assert!(rows.iter().any(|row| row.starts_with(&begins)), "no row begins with {begins}");
    }
}

/// `OTB_BLESS=1` writes the page.
#[test]
fn every_check_is_on_its_page() {
    let mut text = String::from(
        "# Checks\n\nEach is shown as `NAME:SUBJECT`; `otb plan --checks` shows those that passed, too. A check refuses when it \
         blocks\nor when what it needs could not be learned. `--waive NAME:SUBJECT --reason ...` lifts one by name where that is\n\
         possible.\n\n| name | what must be so | can be waived |\n|---|---|---|\n",
    );
    for code in CheckCode::ALL {
        let waivable = if code.is_waivable() { "yes" } else { "no" };
        writeln!(text, "| `{}` | {} | {waivable} |", code.word(), code.about()).unwrap();
    }
    if std::env::var_os("OTB_BLESS").is_some() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/checks.md"), &text).unwrap();
    }
    assert_eq!(page("checks.md"), text, "bless with OTB_BLESS=1 cargo test --test reference");
}

/// Generated, committed, and held: `otb schema plan > schemas/plan.schema.json`.
#[test]
fn the_schemas_are_those_of_the_code() {
    let schemas = [
        ("cluster", otb::config::schema()),
        ("plan", schemars::schema_for!(otb::plan::Plan).to_value()),
        ("status", schemars::schema_for!(otb::view::StatusDocument).to_value()),
        ("drift", schemars::schema_for!(otb::drift::Drift).to_value()),
        ("events", schemars::schema_for!(otb::apply::EventLine).to_value()),
        ("journal", schemars::schema_for!(otb::cli::JournalLine).to_value()),
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
