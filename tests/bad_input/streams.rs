//! Standard input, output and error: approval, broken pipes, full disks, colours, width, JSON.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fixture::SandboxFixture;

#[test]
fn approval_is_yes_and_nothing_else() {
    let place = SandboxFixture::moving("");
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
    let place = SandboxFixture::moving("");
    let command = format!("{} -f {} apply < /dev/zero", env!("CARGO_BIN_EXE_otb"), place.file().display());
    let output = Command::new("timeout").args(["20", "sh", "-c", &command]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs a line of shell with `$OTB` as otb on the place's file; gives status, stdout, stderr.
fn sh(place: &SandboxFixture, line: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new("timeout");
    command.args(["30", "bash", "-o", "pipefail", "-c", line]).stdin(Stdio::null());
    command.env("OTB", env!("CARGO_BIN_EXE_otb")).env("OTB_FILE", place.file()).env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = SandboxFixture::moving("");
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
    let place = SandboxFixture::moving("");
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
    let place = SandboxFixture::moving("");
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
    let place = SandboxFixture::moving("");
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
}

/// Every line of a stream of events, each with its version and time.
fn events(text: &str) -> Vec<Value> {
    let events: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    for event in &events {
        assert_eq!(event["format_version"], "2.0", "{event}");
        assert!(event["at"].as_str().unwrap().ends_with('Z'), "{event}");
    }
    assert_eq!(events.last().unwrap()["event"], "finished", "{text}");
    assert_eq!(events.iter().filter(|event| event["event"] == "finished").count(), 1);
    let end = events.last().unwrap();
    match end["code"].as_str() {
        Some(code) => assert_eq!(u64::from(otb::codes::find(code).unwrap().exit.unwrap()), end["exit"], "{end}"),
        None => assert_eq!(end["exit"], 0, "{end}"),
    }
    events
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn apply_tells_machines_how_it_did_not_begin() {
    let place = SandboxFixture::moving("");
    let stream = |line: &str, code: i32| events(&place.otb(line).run().ends(code).stdout);
    let saved = place.dir().join("plan.json");
    place.otb("plan -o").args([&saved]).run().ends(0);

    place.fault("pause-replay dn01@s47");
    let refused = stream("apply --format json --auto-approve", 3);
    assert_eq!(names(&refused), ["planned", "finished"]);
    assert_eq!((&refused[1]["exit"], &refused[1]["report"]), (&3.into(), &Value::Null));
    place.fault("resume dn01@s47");

    let asked = place.otb("apply --format json").stdin(b"no\n").run();
    assert!(asked.stderr.contains("promote:dn01@s47"), "what is to be approved is shown: {}", asked.stderr);
    let asked = events(&asked.ends(1).stdout);
    assert_eq!(asked[1]["why"], "not approved, nothing was changed");

    place.fault("wrong-route cn02@s47 dn02=127.0.0.9:1234");
    let stale = stream(&format!("apply --format json {}", saved.display()), 4);
    assert!(stale[1]["why"].as_str().unwrap().contains("cn02@s47: route to dn02: was as declared, is now"));
    let missing = stream("apply --format json none.json", 1);
    assert_eq!(names(&missing), ["finished"], "nothing was planned");
}

#[test]
fn apply_tells_machines_what_happens() {
    let place = SandboxFixture::moving("");
    let saved = place.dir().join("plan.json");
    place.otb("plan -o").args([&saved]).run().ends(0);
    let done = events(&place.otb("apply --format json --auto-approve").run().ends(0).stdout);
    let names = names(&done);
    assert_eq!(&names[..4], ["planned", "locked", "started", "step_started"], "{names:?}");
    let of = |name: &str| done.iter().filter(|event| event["event"] == name).collect::<Vec<_>>();
    let steps = done[0]["plan"]["steps"].as_array().unwrap().len();
    assert_eq!((of("step_started").len(), of("step_ended").len()), (steps, steps));
    assert!(of("step_ended").iter().all(|event| event["outcome"]["is"] == "done"));
    assert_eq!(of("gap")[0]["node"], "dn01");
    let last = done.last().unwrap();
    assert_eq!((&last["exit"], &last["report"]["end"]), (&0.into(), &"done".into()));
    assert_eq!(last["left"]["changes"], Value::Array(Vec::new()));

    let again = events(&place.otb("apply --format json --auto-approve").run().ends(0).stdout);
    assert_eq!((again.len(), &again[1]["report"]), (2, &Value::Null));
    // A finished plan is no stale one: what it wants is so.
    let gone = events(&place.otb("apply --format json").args([&saved]).run().ends(0).stdout);
    assert_eq!((gone.len(), &gone[1]["report"]), (2, &Value::Null));
    place
        .otb("apply")
        .args([&saved])
        .run()
        .ends(0)
        .says(&["Nothing to do: the cluster already is as this plan declares."]);
}

#[test]
fn events_in_a_file_leave_the_human_view_alone() {
    let place = SandboxFixture::moving("");
    let file = place.dir().join("events.ndjson");
    let cannot = place.otb("apply --auto-approve --events /nonexistent/events").run();
    cannot.fails(1, &["failed to open /nonexistent/events", "nothing was changed"]);
    place.otb("apply --auto-approve --events").args([&file]).run().ends(0).says(&["Done: the cluster is as declared"]);
    let first = events(&std::fs::read_to_string(&file).unwrap());
    assert!(names(&first).contains(&"gap"));
    place.otb("apply --auto-approve --events").args([&file]).run().ends(0);
    let both = std::fs::read_to_string(&file).unwrap();
    assert_eq!(both.lines().count(), first.len() + 2, "a second run is appended");
    // What is done is done, whether or not it could be written down.
    place.declare("dn01", "s29");
    place.otb("apply --auto-approve --events /dev/full").run().fails(0, &["warning: failed to write /dev/full"]);
    place.is_settled();
}

#[test]
fn plans_of_an_unchanged_cluster_differ_in_their_time_only() {
    let place = SandboxFixture::moving("");
    let plan = || {
        let text = place.otb("plan --format json").run().ends(0).stdout.clone();
        // When it looked, and how long the write gap will be, as far as the answers' speed tells.
        let timed = |line: &&str| line.contains("\"observed_at\"") || line.contains("_milliseconds\"");
        text.lines().filter(|line| !timed(line)).collect::<Vec<_>>().join("\n")
    };
    let first = plan();
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(first, plan());
}

#[test]
fn help_keeps_to_the_width_of_a_page() {
    let place = SandboxFixture::up("");
    for command in ["--help", "plan --help", "apply --help", "sandbox fault --help", "demo --help"] {
        let help = place.otb(command).run();
        let longest = help.ends(0).stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= 120, "{command}: {longest}");
    }
}
