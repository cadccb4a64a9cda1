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
fn options_of_other_tools_are_answered_with_otbs_own() {
    let (dir, path) = written("cluster.yaml", GOOD);
    let file = path.display();
    let ended = otb(&path).line("plan -out=p.json").run();
    ended.fails(64, &["error[usage.option]", "-out=p.json", &format!("did you mean otb -f {file} plan -o p.json?")]);
    let names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["cluster.yaml"]);
    wrong("apply -auto-approve", &["apply --auto-approve?"]);
    wrong("status -o json", &["-o names a file", "status --format json?"]);
    wrong("init", &["error[usage.command]", "did you mean otb import --coordinator HOST:PORT -o cluster.yaml?"]);
    let near_to_a_hidden_one = run("sandbox sevre");
    near_to_a_hidden_one.fails(64, &["error[usage.command]"]);
    assert!(!near_to_a_hidden_one.stderr.contains("serve"), "{}", near_to_a_hidden_one.stderr);
    wrong("sandbox start", &["did you mean otb sandbox up?"]);
}

#[test]
fn otb_alone_is_a_request_for_help() {
    let here = tempfile::tempdir().unwrap();
    let alone = in_dir(here.path(), "");
    alone.ends(0).says(&["Usage: otb", "plan", "apply"]);
    assert_eq!(alone.stderr, "");
    assert_eq!(in_dir(here.path(), "version").ends(0).stdout, in_dir(here.path(), "--version").ends(0).stdout);
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
        wrong("--waive nonsense:dn01 --reason CHG-1", &["no check nonsense", "known values: `", "`lag`"]);
        wrong("--waive lagg:dn01 --reason CHG-1", &["no check lagg", "did you mean --waive lag:dn01?"]);
        wrong("--waive lag:dn1 --reason CHG-1", &["no node or instance dn1", "did you mean --waive lag:dn0"]);
        wrong("--waive disk:dn01@aa --reason CHG-1", &["instance dn01@aa", "did you mean --waive disk:dn01@a?"]);
        wrong("--waive lag --reason CHG-1", &["lag:dn01"]);
        wrong("--waive kept-copy:dn01 --reason CHG-1", &["kept-copy cannot be waived", "otb explain kept-copy"]);
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

/// otb in `dir`, without a file named.
fn in_dir(dir: &std::path::Path, line: &str) -> Ended {
    with_variable(dir, "", line)
}

/// The same with OTB_FILE set, unless it is empty.
fn with_variable(dir: &std::path::Path, file: &str, line: &str) -> Ended {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_otb"));
    command.env_remove("OTB_FILE");
    if !file.is_empty() {
        command.env("OTB_FILE", file);
    }
    let output = command.args(line.split_whitespace()).current_dir(dir).env("NO_COLOR", "1").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended {
        code: output.status.code().unwrap(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        took: std::time::Duration::ZERO,
    }
}

#[test]
fn without_a_file_it_says_where_it_looked_and_what_to_type() {
    let (dir, _) = written("somewhere.txt", "");
    let here = dir.path().canonicalize().unwrap();
    let parts = ["error[config.not-found]", here.to_str().unwrap(), "-f FILE", "otb import --coordinator", "otb demo"];
    in_dir(&here, "plan").fails(78, &parts);
}

#[test]
fn cluster_yaml_is_found_in_a_directory_above() {
    let (dir, _) = written("cluster.yaml", GOOD);
    let below = dir.path().join("docs/old");
    std::fs::create_dir_all(&below).unwrap();
    let ended = in_dir(&below, "validate");
    ended.fails(0, &["using ../../cluster.yaml; this directory has no cluster.yaml"]);
    ended.says(&["../../cluster.yaml is valid"]);
    // The nearest, and nothing is said of the one that is here.
    std::fs::write(dir.path().join("docs/cluster.yaml"), GOOD.replace("c1", "c2")).unwrap();
    in_dir(&below, "validate").ends(0).says(&["cluster c2"]);
    assert_eq!(in_dir(dir.path(), "validate").stderr, "");
    // Whoever names a file means that one.
    in_dir(&below, "validate -f cluster.yaml").fails(78, &["did you mean otb -f ../cluster.yaml validate?"]);
    in_dir(&below, "-f cluster.yaml validate").fails(78, &["did you mean otb -f ../cluster.yaml validate?"]);
}

#[test]
fn a_missing_file_that_the_environment_names_is_told_with_it() {
    let above = tempfile::tempdir().unwrap();
    let (demo, docs) = (above.path().join("demo"), above.path().join("docs"));
    for dir in [&demo, &docs] {
        std::fs::create_dir(dir).unwrap();
    }
    std::fs::write(demo.join("cluster.yaml"), GOOD).unwrap();
    with_variable(above.path(), "demo/cluster.yaml", "validate").ends(0);
    let parts =
        ["OTB_FILE is demo/cluster.yaml, a path relative to ", "did you mean otb -f ../demo/cluster.yaml validate?"];
    with_variable(&docs, "demo/cluster.yaml", "validate").fails(78, &parts);
    with_variable(&docs, "/nonexistent/x.yaml", "validate").fails(78, &["OTB_FILE is /nonexistent/x.yaml; "]);
}

#[test]
fn in_a_wrong_directory_the_file_nearby_is_named() {
    let (dir, _) = written("cluster.yaml", GOOD);
    in_dir(dir.path(), "-f clutser.yaml validate").fails(78, &["did you mean otb -f cluster.yaml validate?"]);
    in_dir(dir.path(), "validate --file=clusters/x.yaml").fails(78, &["did you mean otb -f cluster.yaml validate?"]);

    let (above, _) = written("notes.txt", "");
    let demo = above.path().join("demo");
    std::fs::create_dir(&demo).unwrap();
    std::fs::write(demo.join("cluster.yaml"), GOOD).unwrap();
    in_dir(above.path(), "plan --checks").fails(78, &["did you mean otb -f demo/cluster.yaml plan --checks?"]);
    in_dir(above.path(), "plan -f demo").fails(78, &["did you mean otb -f demo/cluster.yaml plan?"]);
    // What is hinted at is right.
    in_dir(above.path(), "-f demo/cluster.yaml validate").ends(0);
}

#[test]
fn typing_mistakes_are_answered_with_the_right_word() {
    wrong("drain aa", &["error[usage.unknown-server]", "did you mean otb drain a?"]);
    wrong("restore old.yaml --skip dn1", &["error[usage.unknown-node]", "did you mean --skip dn01?"]);
    wrong("schema clsuter", &["error[usage.value]", "'cluster'"]);
    wrong("plan --detailed", &["error[usage.option]", "--detailed-exitcode"]);
    wrong("sandbox upp", &["error[usage.command]", "'up'"]);
    wrong("explain lagg plan.stale", &["error[usage.unknown-code]", "did you mean otb explain lag?"]);
}
