//! What a plan asks of a cluster grows with the cluster, not with its square: counted, not timed.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use support::ground::{TestCluster, otb};
use support::sandbox::Sandbox;

/// What one plan asked: statements, rows that came back, statements that read a whole pgxc_node, tools run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    statements: usize,
    rows: usize,
    tables: usize,
    tools: usize,
}

fn plan(sandbox: &Sandbox) -> (Asked, String) {
    let log = sandbox.dir().join("asked.log");
    let _ = fs::remove_file(&log);
    let words = ["--log-file", log.to_str().unwrap(), "plan"].map(str::to_owned);
    let ran = otb(&sandbox.file(), &words);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let text = fs::read_to_string(&log).unwrap();
    let asked: Vec<&str> = text.lines().filter(|line| line.contains(" sql=")).collect();
    let rows = |line: &&str| -> usize {
        let count = line.split(" rows=").nth(1).and_then(|rest| rest.split_whitespace().next());
        count.map_or(0, |count| count.parse().unwrap())
    };
    let asked = Asked {
        statements: asked.len(),
        rows: asked.iter().map(rows).sum(),
        tables: asked.iter().filter(|line| line.contains("select *")).count(),
        tools: text.matches("try run ").count() + text.matches("try control ").count(),
    };
    (asked, ran.stdout)
}

#[test]
fn equal_tables_are_read_once_and_a_different_one_once_more() {
    let small = Sandbox::up(&["--coordinators", "4", "--datanodes", "4"]);
    let large = Sandbox::up(&["--coordinators", "16", "--datanodes", "16"]);
    let (few, _) = plan(&small);
    let (many, said) = plan(&large);
    assert!(said.contains("Nothing to do"), "{said}");
    assert!(few.statements > 12 * 8, "the log was read: {few:?}");
    assert_eq!((few.tables, few.tools, many.tables, many.tools), (1, 0, 1, 0), "{few:?} {many:?}");
    // Four times the instances (12 and 48, and two GTMs): at most four times the questions, and of the one table.
    assert!(many.statements <= 4 * few.statements, "{few:?} {many:?}");
    assert!(many.rows <= 4 * few.rows, "{few:?} {many:?}");

    let fault = large.fault(&["wrong-route", "cn03", "dn02=127.0.0.9:1"].map(str::to_owned));
    assert_eq!(fault.code, 0, "{}", fault.stderr);
    let (more, said) = plan(&large);
    assert_eq!(more.tables, 2, "{more:?}");
    // The one that differs is the only one that is changed.
    assert!(said.contains("cn03@s29 routes dn02 to ") && !said.contains("cn02@s47 route"), "{said}");
}

#[test]
fn whoever_does_not_answer_is_named_within_one_time_limit() {
    let sandbox = Sandbox::up(&["--coordinators", "4", "--datanodes", "8"]);
    let hung = (1..=8).map(|number| ("hang", format!("dn{number:02}")));
    let silent: Vec<(&str, String)> = hung.chain([("kill", "cn02".to_owned()), ("kill", "cn03".to_owned())]).collect();
    for (kind, node) in &silent {
        let fault = sandbox.fault(&[(*kind).to_owned(), node.clone()]);
        assert_eq!(fault.code, 0, "{}", fault.stderr);
    }
    let begun = Instant::now();
    let ran = otb(&sandbox.file(), &["--timeout", "2s", "plan"].map(str::to_owned));
    // One after the other would be 16 s.
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    for (kind, node) in &silent {
        let named = ran.stdout.lines().any(|line| line.contains(&format!("{node}@")));
        assert!(named, "{kind} {node}: {}{}", ran.stdout, ran.stderr);
    }
}
