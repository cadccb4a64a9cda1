//! `otb drain` and `otb restore`: what cannot be drained or written is said, and the file stays as it was.

use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use crate::file::{GOOD, written};
use crate::limited::{Ended, otb};

/// On a cluster that does not answer. Whatever `line` does, it does not change the file.
#[track_caller]
fn unchanged(text: &str, line: &str) -> Ended {
    let (dir, path) = written("cluster.yaml", text);
    let ended = otb(&path).line("--timeout 300ms").line(line).run();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{line}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{line} left something behind");
    ended
}

const DRAIN: &str = "drain a --skip gtm_1 --skip cn01";

#[test]
fn names_that_are_not_in_the_file() {
    unchanged(GOOD, "drain aa --write").fails(64, &["drain aa", "did you mean otb drain a?"]);
    unchanged(GOOD, "drain a --skip dn1 --write").fails(64, &["--skip dn1", "did you mean --skip dn01?"]);
    unchanged(GOOD, "drain a --target dn1 --write").fails(64, &["--target dn1", "did you mean --target dn01?"]);
    unchanged(GOOD, "drain").fails(64, &["<SERVER>"]);
    unchanged(GOOD, "restore missing.yaml --write").fails(78, &["missing.yaml", "it does not exist"]);
}

#[test]
fn a_master_moves_only_where_the_node_has_an_instance() {
    unchanged(GOOD, "move dn1 b --write").fails(64, &["error[usage.unknown-node]", "did you mean otb move dn01 b?"]);
    unchanged(GOOD, "move dn01 bb --write")
        .fails(64, &["error[usage.unknown-server]", "did you mean otb move dn01 b?"]);
    unchanged(GOOD, "move cn01 b --write")
        .fails(3, &["error[move.no-instance]", "it has no instance on b, only on `a`"]);
    unchanged(GOOD, "move dn01 cn01 b --write").fails(3, &["cn01 cannot be moved"]);
    unchanged(GOOD, "move dn01").fails(64, &["<SERVER>"]);
    unchanged(GOOD, "move dn01 b --write --target cn01").fails(64, &["--target does not name dn01"]);
    unchanged(GOOD, "move dn01 b --out plan.json").fails(64, &["--out requires --write"]);
    unchanged(GOOD, "move dn01 a --write").ends(0).says(&["Already declared on a: dn01."]);
    let shown = unchanged(GOOD, "move dn01 b");
    shown.ends(0).says(&["dn01       datanode     a -> b", "-  dn01: {master: a,", "+  dn01: {master: b,"]);
}

/// The line changes, and the way back that otb names undoes exactly that.
#[test]
fn a_move_is_written_and_undone() {
    let (_dir, path) = written("cluster.yaml", GOOD);
    let moved = otb(&path).line("--timeout 300ms move dn01 b --write").run();
    let way_back = format!("the way back: otb -f {} move dn01 a --write", path.display());
    moved.fails(0, &[&way_back]);
    std::fs::write(&path, GOOD).unwrap();
    otb(&path).line("--timeout 300ms").line(DRAIN).line("--write").run().fails(0, &[&way_back]);
    let after = std::fs::read_to_string(&path).unwrap();
    assert_eq!(after, GOOD.replace("dn01: {master: a", "dn01: {master: b"));
    otb(&path).line("--timeout 300ms move dn01 a --write").run().ends(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), GOOD);
}

#[test]
fn nodes_without_another_instance_are_all_named() {
    let refused = unchanged(GOOD, "drain a --write");
    refused.fails(3, &["no other instance of cn01, gtm_1", "otb drain a --skip cn01 --skip gtm_1"]);
    assert_eq!(refused.stdout, "");
}

#[test]
fn a_server_without_masters_needs_nothing() {
    unchanged(GOOD, "drain b --write").ends(0).says(&["Nothing to drain: no master is declared on b."]);
    let gone = unchanged(GOOD, "drain b --detailed-exitcode");
    // The cluster does not answer: checks that cannot be made refuse.
    gone.ends(3);
}

#[test]
fn without_write_the_change_is_only_shown() {
    let shown = unchanged(GOOD, DRAIN);
    shown.ends(0).says(&["dn01       datanode     a -> b", "-  dn01: {master: a,", "+  dn01: {master: b,"]);
    unchanged(GOOD, &format!("{DRAIN} --out plan.json")).fails(64, &["--out requires --write"]);
}

#[test]
fn a_plan_as_json_stays_one_document() {
    let shown = unchanged(GOOD, &format!("{DRAIN} --format json"));
    let plan: serde_json::Value = serde_json::from_str(&shown.ends(0).stdout).unwrap();
    assert_eq!(plan["cluster"]["nodes"]["dn01"]["master"], "b");
    assert!(shown.stderr.contains("+  dn01: {master: b,"), "{}", shown.stderr);
}

/// Layouts that an editor of lines would get wrong; one changed word is all that may differ.
#[test]
fn layout_and_comments_stay_byte_for_byte() {
    let flow = "  dn01: {master: a, port";
    let layouts = [
        GOOD.replace(flow, "  \"dn01\": { 'master' : \"a\"  , # master: a\n    port"),
        GOOD.replace(flow, "  dn01: {master:\n      a   # not here: {master: a}\n   , port"),
        GOOD.replace('\n', "\r\n"),
        format!("\u{feff}{GOOD}# the end, without a line break"),
    ];
    for text in layouts {
        let (_dir, path) = written("cluster.yaml", &text);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        otb(&path).line("--timeout 300ms").line(DRAIN).line("--write").run().ends(0);
        let after = std::fs::read_to_string(&path).unwrap();
        let changes: Vec<(char, char)> = text.chars().zip(after.chars()).filter(|(a, b)| a != b).collect();
        assert_eq!((changes, after.len()), (vec![('a', 'b')], text.len()), "{text}\n{after}");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o640);
    }
}

#[test]
fn yaml_that_cannot_be_edited_is_refused() {
    let anchor = GOOD.replace("  dn01: {master: a", "  dn01: {master: &m a");
    unchanged(&anchor, &format!("{DRAIN} --write")).fails(78, &["anchors and aliases are not allowed"]);
    let block = GOOD.replace(
        "  dn01: {master: a, port: 23001, data: /data/dn01, instances: [{server: a}, {server: b}]}",
        "  dn01:\n    master: >-\n      a\n    port: 23001\n    data: /data/dn01\n    instances: [{server: a}, {server: b}]",
    );
    unchanged(&block, &format!("{DRAIN} --write")).fails(1, &["master of dn01", "nothing was changed", "by hand"]);
}

#[test]
fn a_read_only_file_is_not_replaced() {
    let (dir, path) = written("cluster.yaml", GOOD);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let ended = otb(&path).line("--timeout 300ms").line(DRAIN).line("--write").run();
    ended.fails(1, &["cluster.yaml", "read-only (mode 0444)", "nothing was changed", "chmod u+w"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), GOOD);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// While otb waits for a cluster that accepts and says nothing, somebody else saves the file.
#[test]
fn a_file_that_changed_underneath_is_not_overwritten() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let text = GOOD.replace("23001", &port.to_string()).replace("127.0.0.2", "127.0.0.3");
    let (dir, path) = written("cluster.yaml", &text);
    let run = otb(&path).line("--timeout 5s").line(DRAIN).line("--write").start();
    // otb has read the file when it knocks.
    let (_knock, _) = silent.accept().unwrap();
    std::fs::write(&path, text.clone() + "# mine\n").unwrap();
    let ended = run.wait();
    ended.fails(1, &["another program changed it after otb read it", "nothing was changed"]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text + "# mine\n");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_symbolic_link_stays_one() {
    let (dir, path) = written("real.yaml", GOOD);
    let link = dir.path().join("cluster.yaml");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    otb(&link).line("--timeout 300ms").line(DRAIN).line("--write").run().ends(0);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&path).unwrap().contains("dn01: {master: b"));
}

#[track_caller]
fn restored(now: &str, old: &str, more: &str) -> (Ended, String) {
    let (dir, path) = written("cluster.yaml", now);
    let old_file = dir.path().join("old.yaml");
    std::fs::write(&old_file, old).unwrap();
    let ended = otb(&path).line("--timeout 300ms restore").args([&old_file as &Path]).line(more).run();
    (ended, std::fs::read_to_string(&path).unwrap())
}

#[test]
fn only_masters_are_restored() {
    let now = GOOD.replace("dn01: {master: a", "dn01: {master: b").replace("# ", "#  ") + "# newer\n";
    let (ended, after) = restored(&now, GOOD, "--write");
    ended.ends(0).says(&["dn01       datanode     b -> a"]);
    assert_eq!(after, now.replace("dn01: {master: b", "dn01: {master: a"));
}

#[test]
fn an_old_file_that_does_not_fit_is_refused() {
    let other = GOOD.replace("cluster: c1", "cluster: c2");
    let (ended, after) = restored(GOOD, &other, "--write");
    ended.fails(64, &["belongs to the cluster c2, not to c1"]);
    assert_eq!(after, GOOD);
    let now = GOOD.replace("dn01: {master: a", "dn01: {master: b").replace("{server: a}, {server: b}]", "{server: b}]");
    let (ended, after) = restored(&now, GOOD, "--write");
    ended.fails(3, &["no instance of dn01 on a", "--skip", "nothing was changed"]);
    assert_eq!(after, now);
    let (ended, _) = restored(GOOD, "version: 2\n", "--write");
    ended.fails(78, &["old.yaml"]);
}

#[test]
fn an_old_file_comes_through_a_pipe() {
    let now = GOOD.replace("dn01: {master: a", "dn01: {master: b");
    let (_dir, path) = written("cluster.yaml", &now);
    let run = otb(&path).line("--timeout 300ms restore - --write").stdin(GOOD.as_bytes());
    run.run().ends(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), GOOD);
    let endless = otb(&path).line("--timeout 300ms restore -").stdin("# x\n".repeat(300_000).as_bytes());
    endless.limit(Duration::from_secs(20)).run().fails(78, &["standard input", "1048577 bytes"]);
}

/// Three hundred masters of one server go to the other two evenly.
#[test]
fn many_masters_are_spread() {
    let mut text = GOOD.replace("  b: {address: 127.0.0.2}", "  b: {address: 127.0.0.2}\n  c: {address: 127.0.0.3}");
    for n in 2..=300 {
        let instances = "instances: [{server: a}, {server: b}, {server: c}]";
        writeln!(text, "  dn{n:03}: {{master: a, port: {}, data: /data/{n}, {instances}}}", 23_000 + n).unwrap();
    }
    let shown = unchanged(&text, DRAIN);
    let to = |server: &str| shown.stdout.lines().filter(|line| line.contains(&format!("a -> {server} "))).count();
    shown.ends(0);
    assert_eq!((to("b"), to("c")), (150, 150), "{}", shown.stdout);
}
