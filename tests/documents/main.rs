//! What machines read: schemas, an example that has everything in it, and the reference pages made from them.
//! `OTB_BLESS=1 cargo test --test documents` writes the examples and the pages.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod commands;
mod example;
mod keys;
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use otb::apply::EventLine;
use otb::plan::Plan;
use otb::view::StatusDocument;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares with the committed file, or writes it.
fn held(file: &str, text: &str) {
    let path = root().join(file);
    if std::env::var_os("OTB_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == text, "{file} differs: OTB_BLESS=1 cargo test --test documents, and read the difference");
}

fn schema(name: &str) -> Value {
    let file = root().join(format!("schemas/{name}.schema.json"));
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The example has every key and every variant, fits the schema, and is read and written again without a loss.
fn exhaustive<T: Serialize + DeserializeOwned>(name: &str, once: &[&str]) {
    let schema = schema(name);
    let documents = example::documents(&schema, once);
    let validator = jsonschema::validator_for(&schema).unwrap();
    for document in &documents {
        let errors: Vec<String> = validator.iter_errors(document).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{document}");
        let read: T = serde_json::from_value(document.clone()).unwrap_or_else(|error| panic!("{error}: {document}"));
        assert_eq!(serde_json::to_value(&read).unwrap(), *document, "nothing is lost on the way");
    }
    let lines: String = documents.iter().flat_map(|document| [document.to_string(), "\n".to_owned()]).collect();
    let told_elsewhere = if once.is_empty() { BTreeSet::new() } else { example::words(&self::schema("plan")) };
    for word in example::words(&schema).difference(&told_elsewhere) {
        assert!(lines.contains(&format!("\"{word}\"")), "{word} is in the schema of {name} and not in its example");
    }
    held(&format!("schemas/examples/{name}.ndjson"), &lines);
}

#[test]
fn the_example_of_a_plan_has_everything() {
    exhaustive::<Plan>("plan", &[]);
}

#[test]
fn the_example_of_a_status_has_everything() {
    exhaustive::<StatusDocument>("status", &[]);
}

/// Plans within events are shown once: their variants have an example of their own.
#[test]
fn the_example_of_events_has_everything() {
    exhaustive::<EventLine>("events", &["Plan"]);
}

/// Every code there is, as `otb explain --format json` writes it.
#[test]
fn what_explain_prints_fits_its_schema() {
    let printed = std::process::Command::new(env!("CARGO_BIN_EXE_otb")).args(["explain", "--format", "json"]).output();
    let document: Value = serde_json::from_slice(&printed.unwrap().stdout).unwrap();
    let schema = schema("explain");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    assert_eq!(document["codes"].as_array().unwrap().len(), otb::codes::all().len());
    let mut unversioned = document;
    unversioned.as_object_mut().unwrap().remove("format_version");
    assert!(!validator.is_valid(&unversioned), "it must carry its version");
}

/// A reader must notice a document of a later minor version, and not fall over it.
#[test]
fn what_a_minor_version_adds_is_no_mistake() {
    for name in ["plan", "status", "events"] {
        let schema = schema(name);
        let mut document = example::documents(&schema, &["Plan"]).remove(0);
        document["something_new"] = true.into();
        assert!(jsonschema::is_valid(&schema, &document), "{name}");
        document.as_object_mut().unwrap().remove("format_version");
        assert!(!jsonschema::is_valid(&schema, &document), "{name} must carry its version");
    }
}

#[test]
fn every_key_is_on_its_page() {
    let mut told = page::Told::default();
    for (name, file) in [
        ("plan", "plan-json.md"),
        ("status", "status-json.md"),
        ("events", "events.md"),
        ("drift", "drift-json.md"),
        ("journal", "journal-json.md"),
        ("history", "history-json.md"),
        ("ready", "ready-json.md"),
        ("explain", "explain-json.md"),
    ] {
        let schema = schema(name);
        held(&format!("docs/reference/{file}"), &page::page(name, &schema, &told));
        told.on(file, &schema);
        if name == "plan" {
            told.whole(file, "Plan");
        }
    }
}

#[test]
fn every_command_and_option_is_on_its_page() {
    held("docs/reference/commands.md", &commands::page());
}

#[test]
fn every_key_of_the_file_is_on_its_page() {
    held("docs/reference/cluster-yaml.md", &keys::page(&schema("cluster")));
}
