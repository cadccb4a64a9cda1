//! The house as ARCHITECTURE.md draws it: data walks one way, and pure rooms stay pure.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may know.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("config", &["model"]),
    ("dialect", &["model"]),
    ("import", &["model"]),
    ("plan", &["model", "dialect"]),
    ("transport", &["model", "dialect"]),
    ("observe", &["model", "dialect", "transport"]),
    ("apply", &["model", "dialect", "transport", "plan"]),
    ("view", &["model", "dialect", "plan", "apply"]),
    ("sandbox", &["model", "dialect"]),
    ("cli", &["model", "config", "dialect", "import", "plan", "transport", "observe", "apply", "view", "sandbox"]),
];

/// What no pure room may name. clippy.toml forbids the calls; this forbids the ways around it.
const OUTSIDE: &[&str] =
    &["std::fs", "TcpStream", "std::process", "std::env", "std::io::std", "tokio", "SystemTime", "Instant", "rand::"];

/// Rooms, and parts of rooms, that touch nothing.
const PURE: &[&str] = &["model", "dialect", "import", "plan", "sandbox/world", "sandbox/sql"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    assert!(!found.is_empty(), "{} holds no source", below.display());
    found
}

/// The source without comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
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
