//! Standard input, output and error: approval, broken pipes, full disks, colours, width, JSON.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::place::Place;

fn moving() -> Place {
    let place = Place::up("");
    place.declare("dn01", "s47");
    place
}

#[test]
fn approval_is_yes_and_nothing_else() {
    let place = moving();
    let before = place.state();
    for answer in ["", "\n", "no\n", "y\n", "YES\n", "yes please\n", "ye", "\u{0}yes\n", "\u{7f}\u{ff}\n"] {
        let ended = place.otb("apply").stdin(answer.as_bytes()).run();
        ended.fails(1, &["Only `yes`", "not approved, nothing was changed", "--auto-approve"]);
    }
    place.otb("apply").run().fails(1, &["not approved, nothing was changed"]);
    place.otb("apply").stdin(b"\xff\xfe\n").run().fails(1, &["nothing was changed"]);
    assert_eq!(place.state(), before);
    place.otb("apply").stdin(b"yes\n").run().ends(0).says(&["Done: the cluster is as declared"]);
    place.is_settled();
}

#[test]
fn an_endless_answer_is_a_no() {
    let place = moving();
    let command = format!("{} -f {} apply < /dev/zero", env!("CARGO_BIN_EXE_otb"), place.file().display());
    let output = Command::new("timeout").args(["20", "sh", "-c", &command]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a line of shell with `$OTB` as otb on the place's file; gives status, stdout, stderr.
fn sh(place: &Place, line: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new("timeout");
    command.args(["30", "bash", "-o", "pipefail", "-c", line]).stdin(Stdio::null());
    command.env("OTB", env!("CARGO_BIN_EXE_otb")).env("OTB_FILE", place.file()).env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = moving();
    for command in ["plan", "plan --format json", "status", "man", "schema cluster"] {
        let (code, stdout, stderr) = sh(&place, &format!("$OTB {command} | head -1"));
        assert_eq!((code, stdout.lines().count()), (Some(0), 1), "{command}: {stderr}");
        assert!(!stderr.contains("error"), "{command}: {stderr}");
    }
    let (code, ..) = sh(&place, "$OTB apply --auto-approve | true");
    assert_eq!(code, Some(0));
    place.is_settled();
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let place = moving();
    for command in ["plan", "status", "validate"] {
        let (code, _, stderr) = sh(&place, &format!("$OTB {command} >/dev/full"));
        assert_eq!(code, Some(1), "{command}");
        assert!(stderr.contains("failed to write to standard output: No space left"), "{stderr}");
    }
    // What was done stays done, whoever could read of it.
    let (code, _, stderr) = sh(&place, "$OTB apply --auto-approve >/dev/full 2>&1; echo $? >&2");
    assert_eq!((code, stderr.trim()), (Some(0), "0"));
    place.is_settled();
}

#[test]
fn colour_only_where_it_is_wanted() {
    let place = moving();
    let coloured = |line: &str| place.otb(line).without_env("NO_COLOR").run().stdout.contains('\u{1b}');
    assert!(!coloured("plan"));
    assert!(!coloured("plan --color auto"));
    assert!(!coloured("plan --color never"));
    assert!(coloured("plan --color always"));
    assert!(!coloured("plan --color always --format json"));
    let forced = place.otb("plan").env("CLICOLOR_FORCE", "1").run();
    assert!(!forced.stdout.contains('\u{1b}'), "NO_COLOR counts more");
}

#[test]
fn json_is_all_there_is_on_standard_output() {
    let place = moving();
    let json = |line: &str, code: i32| -> Value {
        let ended = place.otb(line).run();
        ended.ends(code);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{line}: {error}\n{}", ended.stdout))
    };
    let plan = json("plan --format json --detailed-exitcode", 2);
    assert_eq!(plan["changes"][0]["node"], "dn01");
    assert!(json("status --format json", 0)["instances"].is_object());
    let saved = place.dir().join("plan.json");
    place.otb("plan -o").args([&saved]).run().ends(0);
    assert_eq!(json(&format!("show --format json {}", saved.display()), 0)["steps"], plan["steps"]);

    place.fault("pause-replay dn01@s47");
    let refused = json("apply --format json --auto-approve", 3);
    assert_eq!((&refused["exit"], &refused["report"]), (&3.into(), &Value::Null));
    place.fault("resume dn01@s47");
    let asked = place.otb("apply --format json").stdin(b"no\n").run();
    assert_eq!((asked.code, asked.stdout.as_str()), (1, ""));
    assert!(asked.stderr.contains("promote:dn01@s47"), "what is to be approved is shown: {}", asked.stderr);

    let done = json("apply --format json --auto-approve", 0);
    assert_eq!((&done["exit"], &done["report"]["end"]), (&0.into(), &"done".into()));
    assert_eq!(done["left"]["changes"], Value::Array(Vec::new()));
    let again = json("apply --format json --auto-approve", 0);
    assert_eq!(again["report"], Value::Null);
    let gone = json(&format!("apply --format json {}", saved.display()), 0);
    assert_eq!(gone["report"], Value::Null);
}

#[test]
fn help_keeps_to_the_width_of_a_page() {
    let place = Place::up("");
    for command in ["--help", "plan --help", "apply --help", "sandbox fault --help", "demo --help"] {
        let help = place.otb(command).run();
        let longest = help.ends(0).stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 120, "{command}: {longest}");
    }
}
