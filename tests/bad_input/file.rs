//! Bad cluster.yaml files: 78, the place, and what to write instead, from every command that reads the file.

use std::path::Path;
use std::time::Duration;

use crate::limited::{Ended, otb};

/// validate, plan and apply agree on a bad file. Nothing of it is talked to.
#[track_caller]
fn refused(path: &Path, parts: &[&str]) {
    for command in ["validate", "plan", "apply --auto-approve", "status"] {
        let ended = otb(path).line(command).limit(Duration::from_secs(10)).run();
        ended.fails(78, parts);
        assert_eq!(ended.stdout, "", "{command}");
        assert_terse(&ended);
    }
}

/// An operator reads a screen, not a book.
fn assert_terse(ended: &Ended) {
    assert!(ended.stderr.len() < 8000, "{} bytes of errors", ended.stderr.len());
}

pub(crate) fn written(name: &str, text: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    (dir, path)
}

#[track_caller]
fn refused_text(text: impl AsRef<[u8]>, parts: &[&str]) {
    let (_dir, path) = written("cluster.yaml", text);
    refused(&path, parts);
}

pub(crate) const GOOD: &str = "\
version: 1
cluster: c1
connection: {user: opentenbase, database: postgres}
defaults: {install: /opt/otb, shell: {via: local}}
servers:
  a: {address: 127.0.0.1}
  b: {address: 127.0.0.2}
gtm:
  gtm_1: {master: a, port: 21000, data: /data/gtm, instances: [{server: a}]}
coordinators:
  cn01: {master: a, port: 15432, data: /data/cn01, instances: [{server: a}]}
datanodes:
  dn01: {master: a, port: 23001, data: /data/dn01, instances: [{server: a}, {server: b}]}
";

/// `GOOD` with one part replaced.
fn with(part: &str, by: &str) -> String {
    assert!(GOOD.contains(part));
    GOOD.replacen(part, by, 1)
}

#[test]
fn the_base_of_these_tests_is_valid() {
    let (_dir, path) = written("cluster.yaml", GOOD);
    otb(&path).line("validate").run().ends(0).says(&["is valid", "c1"]);
}

#[test]
fn no_file() {
    refused(Path::new("/nonexistent/cluster.yaml"), &["/nonexistent/cluster.yaml", "it does not exist", "--file"]);
}

#[test]
fn a_directory_for_a_file() {
    let dir = tempfile::tempdir().unwrap();
    refused(dir.path(), &["it is a directory", dir.path().to_str().unwrap(), "name a file"]);
}

#[test]
fn broken_yaml() {
    refused_text("version: 1\nservers: {a: [\n", &["failed to read YAML", "cluster.yaml:", "brackets"]);
    refused_text(with("  a: {add", "\ta: {add"), &["cluster.yaml:6:1"]);
}

#[test]
fn an_empty_file() {
    for text in ["", "\n\n", "# nothing here\n", "---\n...\n", "\u{feff}"] {
        refused_text(text, &["the file is empty", "start from"]);
    }
}

#[test]
fn ten_megabytes() {
    refused_text("# big\n".repeat((10 << 20) / 6), &["bytes", "cluster.yaml", "no valid one has more than"]);
}

#[test]
fn an_alias_bomb() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let last = vec![format!("*a{}", n - 1); 10].join(", ");
        text = format!("{text}a{n}: &a{n} [{last}]\n");
    }
    refused_text(text, &["cluster.yaml:", "alias"]);
}

#[test]
fn a_deep_nest() {
    refused_text("[".repeat(100_000), &["cluster.yaml:1:"]);
    refused_text(format!("version: {}", "{a: ".repeat(50_000)), &["cluster.yaml:1:"]);
}

#[test]
fn not_text() {
    refused_text(b"version: 1\ncluster: \xff\xfe\n", &["line 2", "UTF-8"]);
    refused_text(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0", &["cluster.yaml"]);
}

#[test]
fn duplicate_keys() {
    refused_text(with("cluster: c1\n", "cluster: c1\ncluster: c2\n"), &["cluster.yaml:3:1", "cluster: c2"]);
    let twice = with("  b: {address: 127.0.0.2}\n", "  b: {address: 127.0.0.2}\n  b: {address: 127.0.0.3}\n");
    refused_text(twice, &["cluster.yaml:8:3", "b"]);
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    refused_text(with("connection: {user", "connection: {usr"), &["cluster.yaml:3:14", "usr", "user"]);
    refused_text(with("{master: a, port: 23001", "{mastr: a, port: 23001"), &["mastr", "master"]);
}

#[test]
fn a_master_that_is_no_instance() {
    refused_text(with("dn01: {master: a", "dn01: {master: c"), &["cluster.yaml:13:", "dn01", "c", "a"]);
    refused_text(with("gtm_1: {master: a", "gtm_1: {master: b"), &["cluster.yaml:9:", "gtm_1"]);
}

#[test]
fn two_instances_on_one_endpoint() {
    refused_text(with("port: 23001", "port: 15432"), &["cn01", "dn01", "15432"]);
    refused_text(with("b: {address: 127.0.0.2}", "b: {address: 127.0.0.1}"), &["127.0.0.1", "cluster.yaml:"]);
}

#[test]
fn hosts_that_would_be_options_or_two_words() {
    for host in ["-oProxyCommand=x", "'a b'", "''", "'a\\tb'", "'a;b'", "'$(x)'"] {
        refused_text(with("address: 127.0.0.2", &format!("address: {host}")), &["cluster.yaml:7:", "address"]);
    }
    let long = "h".repeat(64);
    refused_text(with("address: 127.0.0.2", &format!("address: {long}")), &["63"]);
}

#[test]
fn all_mistakes_are_told_in_one_run() {
    let text = GOOD
        .replacen("port: 15432", "port: 99999", 1)
        .replacen("dn01: {master: a", "dn01: {master: z", 1)
        .replacen("address: 127.0.0.2", "address: -x", 1);
    refused_text(text, &["cluster.yaml:7:", "cluster.yaml:11:", "cluster.yaml:13:"]);
}

#[test]
fn control_characters_of_the_file_do_not_reach_the_terminal() {
    let (_dir, path) = written("cluster.yaml", with("cluster: c1", "cluster: \"\\e[2J\\a\""));
    let ended = otb(&path).line("validate").run();
    ended.ends(78);
    assert!(!ended.stderr.contains(['\u{1b}', '\u{7}']), "{:?}", ended.stderr);
}
