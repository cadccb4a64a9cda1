//! Wrong usage: 64, and what would have been right.

use crate::file::{GOOD, written};
use crate::limited::{Ended, otb};

fn run(line: &str) -> Ended {
    let (_dir, path) = written("cluster.yaml", GOOD);
    otb(&path).line(line).run()
}

#[track_caller]
fn wrong(line: &str, parts: &[&str]) {
    let ended = run(line);
    ended.fails(64, parts);
    assert_eq!(ended.stdout, "", "{line}");
}

#[test]
fn unknown_commands_and_flags() {
    wrong("aply", &["aply", "apply"]);
    wrong("plan --detailed-exit-code", &["--detailed-exit-code", "--detailed-exitcode"]);
    wrong("", &["Usage"]);
    wrong("apply a.json b.json", &["b.json"]);
    wrong("plan --format yaml", &["yaml", "json"]);
    wrong("plan --color sometimes", &["sometimes", "always"]);
}

#[test]
fn unknown_targets_are_named_with_the_nearest_node() {
    for command in ["plan", "apply --auto-approve"] {
        wrong(&format!("{command} --target dn1"), &["--target dn1", "did you mean --target dn0"]);
    }
    wrong("plan --target=-x", &["--target -x"]);
}

#[test]
fn waivers_that_cannot_be() {
    for command in ["plan", "apply --auto-approve"] {
        let wrong = |args: &str, parts: &[&str]| wrong(&format!("{command} {args}"), parts);
        wrong("--waive lag:dn01", &["--reason"]);
        wrong("--waive nonsense:dn01 --reason CHG-1", &["no check nonsense", "data-loss"]);
        wrong("--waive lag --reason CHG-1", &["lag:dn01"]);
        wrong("--waive split-brain:dn01 --reason CHG-1", &["split-brain cannot be waived", "fence"]);
        wrong("--reason CHG-1", &["--waive"]);
    }
}

#[test]
fn a_reason_of_blanks_is_none() {
    for reason in ["", "  "] {
        let (_dir, path) = written("cluster.yaml", GOOD);
        otb(&path).args(["plan", "--waive", "lag:dn01", "--reason", reason]).run().fails(64, &["--reason"]);
    }
}

#[test]
fn limits_that_leave_no_time_or_nobody_to_ask() {
    wrong("plan --timeout 0s", &["--timeout", "0s"]);
    wrong("plan --timeout soon", &["--timeout"]);
    wrong("plan --parallelism 0", &["--parallelism"]);
    wrong("apply --lock-timeout=-5s", &["--lock-timeout"]);
}
