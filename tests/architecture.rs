//! The house as ARCHITECTURE.md draws it: data walks one way, and pure rooms stay pure.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may know.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &["model"]),
    ("opentenbase", &["model"]),
    ("import", &["model"]),
    ("plan", &["model", "opentenbase"]),
    ("diagnosis", &["model", "opentenbase", "plan"]),
    ("drift", &["model", "plan"]),
    ("transport", &["model", "opentenbase"]),
    ("observe", &["model", "opentenbase", "transport"]),
    ("apply", &["model", "opentenbase", "transport", "plan"]),
    ("codes", &["model", "config", "plan"]),
    ("view", &["model", "opentenbase", "plan", "diagnosis", "drift", "apply", "codes"]),
    ("sandbox", &["model", "opentenbase"]),
    ("rehearsal", &["model", "opentenbase", "plan", "apply", "codes", "sandbox"]),
    (
        "cli",
        &[
            "model",
            "config",
            "opentenbase",
            "import",
            "plan",
            "diagnosis",
            "drift",
            "transport",
            "observe",
            "apply",
            "codes",
            "view",
            "sandbox",
            "rehearsal",
        ],
    ),
];

/// What no pure room may name. clippy.toml forbids the calls; this forbids the ways around it.
const OUTSIDE: &[&str] =
    &["std::fs", "TcpStream", "std::process", "std::env", "std::io::std", "tokio", "SystemTime", "Instant", "rand::"];

/// Rooms, and parts of rooms, that touch nothing.
const PURE: &[&str] = &[
    "model",
    "opentenbase",
    "import",
    "plan",
    "diagnosis",
    "drift",
    "codes",
    "sandbox/world",
    "sandbox/sql",
    "rehearsal",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(below: &Path) -> Vec<PathBuf> {
    let found = walk(below);
    assert!(!found.is_empty(), "{} holds no source", below.display());
    found
}

fn walk(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The source without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// A room that grows past its purpose is rebuilt. (clippy.toml holds the length of functions.)
#[test]
fn no_file_is_longer_than_400_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in ["src", "tests", "benches"].iter().flat_map(|part| files(&root.join(part))) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 400, "{} has {lines} lines: split it by what it does", path.display());
    }
}

#[test]
fn data_walks_one_way() {
    for (room, may_know) in ROOMS {
        for file in files(&source().join(room)) {
            let code = code(&file);
            for (other, _) in ROOMS.iter().filter(|(other, _)| other != room && !may_know.contains(other)) {
                assert!(!code.contains(&format!("crate::{other}")), "{} knows {other}", file.display());
            }
        }
    }
}

#[test]
fn every_room_is_in_the_table() {
    for entry in fs::read_dir(source()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            assert!(ROOMS.iter().any(|(room, _)| *room == name), "{name} is in no row of the table");
        }
    }
}

#[test]
fn pure_rooms_touch_nothing() {
    let config = files(&source().join("config")).into_iter().filter(|file| !file.ends_with("reader.rs"));
    for file in PURE.iter().flat_map(|room| files(&source().join(room))).chain(config) {
        if file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let code = code(&file);
        for word in OUTSIDE {
            assert!(!code.contains(word), "{} names {word}", file.display());
        }
    }
}

/// Everything that `otb drift` and `otb import` run: their commands, what they share with others, and the looking.
const ONLY_LOOKS: &[&str] = &["cli/drift.rs", "cli/import.rs", "cli/look.rs", "drift", "import", "observe"];

/// What these may take from the room of SQL and commands: readers, questions, and scripts that write nothing. A name
/// that is not here is refused, so that a new one is looked at.
const LOOKING: &[&str] = &[
    "self",
    "Census",
    "Directory",
    "GtmStatus",
    "Look",
    "MOST_LOOKS",
    "MissingRange",
    "Probe",
    "Script",
    "Sql",
    "Tools",
    "USUAL_SEGMENT",
    "replication_access",
    "data_dir_scan_script",
    "end_of_wal",
    "gtm_lists",
    "has_received",
    "is_want_of_timestamp",
    "missing_transactions",
    "most_logins",
    "prepared_age",
    "read_sessions",
    "read_states",
    "no_probe",
    "Patience",
    "probe_script",
    "query",
    "read_replication_access",
    "read_data_dir_scan",
    "read_conninfo",
    "read_end_of_wal",
    "read_missing_transactions",
    "read_probe",
    "read_sync_settings",
    "sanitize_for_display",
    "survey_script",
    "sync_settings",
    "DataDirScan",
    "Addresses",
    "read_addresses",
    "resolve_script",
];

/// Read only by construction: nothing that changes a cluster is reachable from a command that only looks.
#[test]
fn looking_changes_nothing() {
    for place in ONLY_LOOKS {
        let path = source().join(place);
        let files = if path.is_dir() { files(&path) } else { vec![path] };
        for file in files {
            let code = code(&file);
            let name = file.display();
            for word in
                [".act(", ".hold(", "crate::apply", "super::apply", "crate::sandbox", "Sql::new", "Command::new"]
            {
                assert!(!code.contains(word), "{name} names {word}");
            }
            for taken in taken_from_opentenbase(&code) {
                assert!(LOOKING.contains(&taken.as_str()), "{name} takes {taken} from opentenbase");
            }
        }
    }
}

/// Questions are the only SQL that can be had there, and each is one statement that shows or selects; the one SET makes
/// the session read-only.
#[test]
fn questions_only_ask() {
    let query = code(&source().join("opentenbase/query.rs"));
    let query = query.split("#[cfg(test)]").next().unwrap();
    let texts: Vec<&str> = query.split("Sql::new(").skip(1).map(|rest| rest.split_once('"').unwrap().1).collect();
    assert!(texts.len() > 15, "{} questions", texts.len());
    for text in texts {
        let reads = ["show ", "select "].iter().any(|verb| text.starts_with(verb));
        assert!(reads || text.starts_with("set default_transaction_read_only = on"), "{text}");
        assert!(!text.contains("pgxc_pool_reload") && !text.contains("lock("), "{text}");
    }
}

/// The names after `crate::opentenbase::`, those in braces and of `command::` included.
fn taken_from_opentenbase(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for rest in code.split("crate::opentenbase::").skip(1) {
        let rest = rest.strip_prefix("command::").unwrap_or(rest);
        let word =
            |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            Some(list) => {
                names.extend(list.split('}').next().unwrap().split(',').map(word).filter(|name| !name.is_empty()));
            }
            None => names.push(word(rest)),
        }
    }
    names
}
