//! The journal: what is in it, in which order, and what becomes of a place where it cannot be.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::fixture::SandboxFixture;

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'), "the last line is cut off");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_line_is_as_the_schema_says_and_each_step_stands_before_its_end() {
    let place = SandboxFixture::moving("");
    let journal = place.dir().join("journal");
    place.otb("apply --auto-approve --journal").args([&journal]).run().ends(0);
    assert_eq!(std::fs::metadata(&journal).unwrap().permissions().mode() & 0o777, 0o600);
    let schema = include_str!("../../schemas/journal.schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let lines = lines(&journal);
    for line in &lines {
        assert!(validator.is_valid(line), "{line}");
    }
    assert_eq!((&lines[0]["entry"]["is"], &lines.last().unwrap()["entry"]["exit"]), (&"plan".into(), &0.into()));
    let steps = lines[0]["entry"]["steps"].as_array().unwrap();
    let at = |event: &str, step: &Value| {
        let found = lines
            .iter()
            .position(|line| line["entry"]["event"]["event"] == event && line["entry"]["event"]["step"] == *step);
        found.unwrap_or_else(|| panic!("{event} of {step} does not exist"))
    };
    assert_eq!(steps.len(), 19);
    for step in steps {
        assert!(at("step_started", &step["id"]) < at("step_ended", &step["id"]));
    }
    // Clients wait from the hold on: what follows it was announced, and that is on disk before it.
    let ahead = lines.iter().position(|line| line["entry"]["is"] == "ahead").unwrap();
    assert_eq!(ahead + 1, at("step_started", &"hold:cn01@s29".into()));
    let announced = lines[ahead]["entry"]["steps"].as_array().unwrap();
    assert!(announced.contains(&"promote:dn01@s47".into()), "{announced:?}");
    // Appended, never rewritten.
    place.declare("dn01", "s29");
    place.otb("apply --auto-approve --journal").args([&journal]).run().ends(0);
    assert_eq!(self::lines(&journal)[..lines.len()], lines);
}

#[test]
fn what_is_taken_back_is_there_before_it_is_done() {
    let place = SandboxFixture::moving("");
    place.fault("slow pg_ctl 1500");
    let journal = place.dir().join("journal");
    let mut run = place.otb("apply --auto-approve --journal").args([&journal]).start();
    run.until_said("done     checkpoint");
    run.signal(crate::limited::Signal::INT);
    run.wait().ends(6);
    let lines = lines(&journal);
    let at = |event: &str| lines.iter().position(|line| line["entry"]["event"]["event"] == event).unwrap();
    assert!(at("undoing") < at("undone"));
}

#[test]
fn no_secret_is_in_it_or_in_the_log() {
    let secret = "hunter2-the-secret";
    let place = SandboxFixture::moving(&format!("--password {secret}"));
    let (journal, log) = (place.dir().join("journal"), place.dir().join("log"));
    let run = place.otb("-v apply --auto-approve --journal").args([&journal]).line("--log-file").args([&log]);
    let ended = run.env("PGPASSWORD", secret).run();
    // The tools of the sandbox log in by themselves: without a password of their own a rejoin may fail.
    assert!([0, 1, 3, 8].contains(&ended.code), "{ended:?}");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    for text in [read(&journal), read(&log), ended.stdout, ended.stderr] {
        assert!(!text.contains(secret), "{text}");
    }
    assert!(!read(&log).is_empty());
}

#[test]
fn a_journal_that_cannot_be_opened_ends_the_run_before_it_begins() {
    let place = SandboxFixture::moving("");
    let before = place.state();
    let ended = place.otb("apply --auto-approve --journal /nonexistent/journal").run();
    ended.fails(1, &["failed to open the journal", "/nonexistent/journal", "nothing was changed"]);
    assert_eq!(place.state(), before);
}

#[test]
fn without_a_state_directory_there_is_a_warning() {
    let place = SandboxFixture::moving("");
    let nowhere = place.write("a-file", "");
    let run = place.otb("apply --auto-approve").env("XDG_STATE_HOME", nowhere.to_str().unwrap());
    run.run().fails(0, &["warning: this run has no journal", "--journal FILE"]);
    place.is_settled();
}

#[test]
fn two_clusters_of_one_name_keep_two_journals() {
    let state = tempfile::tempdir().unwrap();
    let first = SandboxFixture::moving("");
    let other = first.write("other.yaml", first.text().replace("dn0", "xn0").replace("cn0", "yn0"));
    let second = SandboxFixture::up(&format!("--from {}", other.display()));
    second.declare("xn01", "s29");
    for place in [&first, &second, &first] {
        let run = place.otb("apply --auto-approve").env("XDG_STATE_HOME", state.path().to_str().unwrap());
        run.run().ends(0);
        place.declare(if place.text().contains("dn01") { "dn01" } else { "xn01" }, "s29");
    }
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(state.path().join("otb")).unwrap() {
        let path = entry.unwrap().path();
        let about = lines(&path.join("journal.ndjson")).len();
        assert!(about > 0, "{}", path.display());
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0] == "opentenbase_cluster" && names[1].starts_with("opentenbase_cluster-77"), "{names:?}");
    let history =
        |more: &str| first.otb("history").env("XDG_STATE_HOME", state.path().to_str().unwrap()).line(more).run();
    history("")
        .fails(1, &["error[journal.unreadable]: 2 clusters named opentenbase_cluster have a journal", &names[1]]);
    let own = state.path().join("otb").join(&names[0]).join("journal.ndjson");
    history(&format!("--journal {}", own.display())).ends(0).says(&["dn01 s29 -> s47", "dn01 s47 -> s29"]);
}

/// A journal that a killed run left behind tells as much as it has.
#[test]
fn history_shows_each_run_and_says_what_the_journal_lacks() {
    let place = SandboxFixture::moving("");
    let journal = place.dir().join("journal");
    let apply = place.otb("apply --auto-approve --journal").args([&journal]).run();
    apply.fails(0, &["Journal: ", " history --last --journal "]);
    let history = |more: &str| place.otb("history --journal").args([&journal]).line(more).run();
    history("").ends(0).says(&["   1  2", "  done          switchover dn01 s29 -> s47; write gap dn01 "]);
    let last = history("--last");
    last.ends(0).says(&["Run 1 of opentenbase_cluster: ", "done     promote:dn01@s47", "exit 0, done and verified"]);
    assert_eq!(history("1").stdout, last.stdout);
    history("2").fails(64, &["error[usage.unknown-run]", "it has 1 runs"]);
    history("--target dn02").ends(0).says(&["records no run"]);
    let schema = include_str!("../../schemas/history.schema.json");
    let document: Value = serde_json::from_str(&history("--format json").ends(0).stdout).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    assert!(validator.is_valid(&document), "{document}");
    assert_eq!(document["runs"][0]["steps"].as_array().unwrap().len(), 19);

    let whole = std::fs::read_to_string(&journal).unwrap();
    let promoting = whole.find("\"step_started\",\"step\":\"promote:dn01@s47\"").unwrap();
    let end = promoting + whole[promoting..].find('\n').unwrap() + 20;
    std::fs::write(&journal, &whole[..end]).unwrap();
    let cut = history("--last");
    cut.fails(0, &["warning: line ", " is skipped"]);
    cut.says(&[
        "done     stop:dn01@s29",
        "promote:dn01@s47: it started",
        "never started",
        "otb plan shows the remaining steps",
    ]);
    history("").says(&["cut off"]);
}

#[test]
fn a_cluster_without_a_journal_has_no_history_and_gets_none() {
    let place = SandboxFixture::moving("");
    let state = place.dir().join("state");
    let home = state.to_str().unwrap();
    place.otb("history").env("XDG_STATE_HOME", home).run().ends(0).says(&["records no run"]);
    assert!(!state.exists());
    place.otb("history --journal /nonexistent/journal").run().fails(1, &["error[journal.unreadable]"]);
    place.otb("apply --auto-approve").env("XDG_STATE_HOME", home).run().fails(0, &["history --last shows this run"]);
    place.otb("history").env("XDG_STATE_HOME", home).run().ends(0).says(&["switchover dn01 s29 -> s47"]);
}
