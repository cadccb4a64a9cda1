//! Formats through the real binary.

use std::time::Duration;

use serde_json::Value;

use crate::fixture::SandboxFixture;
use crate::limited::Signal;

#[test]
fn every_format_of_plan_show_and_status() {
    let place = SandboxFixture::up("");
    place.declare("dn01", "s47");
    let saved = place.dir().join("plan.json");
    place.otb("plan --format markdown -o").args([&saved]).run().ends(0).says(&["🔀 **otb plan**", "```mermaid"]);
    let shown = |format: &str| place.otb("show --format").args([format]).args([&saved]).run().ends(0).stdout.clone();
    assert_eq!(shown("json"), std::fs::read_to_string(&saved).unwrap(), "what is shown is what was saved");
    assert!(shown("markdown").contains("alter node dn01 with (host="));
    assert!(shown("html").starts_with("<!DOCTYPE html>"));
    assert!(shown("text").contains("switchover dn01"));
    place.otb("plan --format html").run().ends(0).says(&["<figcaption>After</figcaption>"]);
    place.fault("pause-replay dn01@s47");
    let refused = place.otb("plan --format markdown").run();
    refused.ends(0).says(&["⛔", "refused by 1 check", "### Checks that did not pass", "replay:dn01"]);
    place.otb("plan --format html").run().ends(0).says(&["banner refused", "After, if it were not refused"]);
    place.otb("status --format markdown").run().ends(0).says(&["**otb status**", "`dn01@s47`"]);
    place.otb("status --format html").run().ends(0).says(&["<svg ", "dn01@s47"]);
}

/// Whatever becomes of the other nodes, it is not said to be as declared.
#[test]
fn what_a_target_leaves_aside_is_said() {
    let place = SandboxFixture::up("");
    place.declare("dn02", "s29");
    let only = "dn01 of opentenbase_cluster (only these, by --target) is as declared";
    for command in ["plan", "apply", "drift"] {
        let looked_at = "Observed 2 instances, 4 rows of pgxc_node on 4 routers";
        place.otb(command).line("--target dn01").run().ends(0).says(&[only, looked_at]);
    }
    let both = place.otb("plan --target dn01 --target cn01").run();
    both.ends(0).says(&["dn01, cn01 of opentenbase_cluster (only these, by --target) are as declared"]);
    place.declare("dn01", "s47");
    let plan = place.otb("plan --target dn01 --format markdown").run();
    plan.ends(0).says(&["1 change in 19 steps for dn01 only ("]);
    let applied = place.otb("apply --auto-approve --target dn01").run();
    applied.ends(0).says(&["Done: dn01 of opentenbase_cluster (only these, by --target) is as declared"]);
    place.otb("plan --detailed-exitcode").run().ends(2).says(&["switchover dn02"]);
}

#[test]
fn status_with_a_target_shows_that_node_only() {
    let place = SandboxFixture::up("");
    place.fault("kill dn02@s47");
    let whole = place.otb("status").run();
    whole.ends(0).says(&["opentenbase_cluster: ", "dn02 has NO MASTER", "cn01"]);
    let one = place.otb("status --target dn01").run();
    one.ends(0).says(&["dn01 of opentenbase_cluster (only these, by --target): all in order, 2 instances of 1 node"]);
    assert!(!one.stdout.contains("dn02") && !one.stdout.contains("cn01"), "{}", one.stdout);
    place.otb("status --target dn02").run().ends(0).says(&["dn02 has NO MASTER"]);
    let json = place.otb("status --target dn02 --format json").run();
    let document: serde_json::Value = serde_json::from_str(&json.ends(0).stdout).unwrap();
    assert_eq!(document["instances"].as_object().unwrap().len(), 2);
    assert_eq!(document["findings"][0]["kind"], "no-master");
    place.otb("status --target dn09").run().fails(64, &["the file declares no node of that name"]);
}

/// As bash calls it: the script that otb prints, and what it offers at the end of a line.
#[test]
fn completion_knows_the_names_of_the_file() {
    let offers = |line: &str, word: &str| {
        let script = format!(
            "source <({otb} completions bash); PATH={dir}:$PATH; COMP_WORDS=({line} {word:?}); \
             COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9; _clap_complete_otb otb {word:?} x; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            otb = env!("CARGO_BIN_EXE_otb"),
            dir = std::path::Path::new(env!("CARGO_BIN_EXE_otb")).parent().unwrap().display(),
        );
        let mut bash = std::process::Command::new("bash");
        bash.args(["-c", &script]).env("OTB_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/seed.yaml"));
        let run = bash.output().unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(offers("otb move", "dn"), ["dn01", "dn02"]);
    assert_eq!(offers("otb move dn01", "s"), ["s29", "s47"]);
    assert_eq!(offers("otb drain", "s4"), ["s47"]);
    assert_eq!(offers("otb status --target", "cn"), ["cn01", "cn02"]);
    let minimal = concat!("otb -f ", env!("CARGO_MANIFEST_DIR"), "/examples/minimal.yaml move");
    assert_eq!(offers(minimal, "dn"), ["dn01"]);
    assert_eq!(offers("otb -f /nowhere move", "dn"), [""]);
    assert_eq!(offers("otb explain", "plan.st"), ["plan.stale"]);
}

#[test]
fn a_format_that_a_command_cannot_write_is_wrong_usage() {
    let place = SandboxFixture::up("");
    for (line, parts) in [
        ("apply --format html", "can only write text and json"),
        ("validate --format json", "can only write text"),
        ("graph --format html", "--as"),
        ("plan --format json --diff", "--diff requires --format text"),
        ("status --watch --format html", "--watch requires --format text or json"),
    ] {
        place.otb(line).run().fails(64, &[parts]);
    }
    place.otb("status --interval 1s").run().ends(64);
}

#[test]
fn graphs_of_what_is_of_what_shall_be_and_of_a_plan() {
    let place = SandboxFixture::up("");
    place.declare("dn01", "s47");
    let saved = place.dir().join("plan.json");
    place.otb("plan -o").args([&saved]).run().ends(0);
    place.otb("graph").run().ends(0).says(&["flowchart LR", "dn01<br/>master\"", "dn01<br/>standby\""]);
    place.otb("graph --as dot").run().ends(0).says(&["digraph \"opentenbase_cluster\"", "\"dn01@s29\""]);
    place.otb("graph --as svg").args([&saved]).run().ends(0).says(&["<svg ", "master → standby"]);
    place.fault("kill dn02@s47");
    place.otb("graph").run().ends(0).says(&["dn02<br/>stopped (in production)"]);
    let file = place.write("alone.yaml", place.text().replace("127.", "10.255."));
    let declared = crate::limited::otb(&file).line("graph --declared --as mermaid").run();
    declared.ends(0).says(&["dn01<br/>standby", "dn01<br/>master"]);
    assert!(declared.took < Duration::from_secs(10), "the file alone asks nobody");
    place.otb("graph --declared").args([&saved]).run().ends(64);
    place.otb("graph none.json").run().fails(1, &["none.json", "No such file"]);
}

#[test]
fn a_watch_goes_on_until_it_is_ended() {
    let place = SandboxFixture::up("");
    let mut watch = place.otb("status --watch --interval 50ms --format json").start();
    watch.until_printed("observed_at", 2);
    watch.signal(Signal::INT);
    let ended = watch.wait();
    let looks: Vec<Value> = ended.ends(0).stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(looks.len() > 1, "{}", looks.len());
    assert!(looks.iter().all(|look| look["format_version"] == "2.0" && look["instances"].is_object()));
    let mut text = place.otb("status --watch --interval 50ms").start();
    text.until_printed("opentenbase_cluster: ", 2);
    text.signal(Signal::TERM);
    let text = text.wait();
    assert!(text.ends(0).stdout.matches("opentenbase_cluster: ").count() > 1);
    assert!(!text.stdout.contains('\x1b'), "nothing is redrawn in a file");
}

/// In Chinese where the locale asks for it; JSON stays as it is.
#[test]
fn explain_answers_in_the_language_of_the_locale() {
    let explain = |locale: &str, words: &[&str]| {
        let mut otb = std::process::Command::new(env!("CARGO_BIN_EXE_otb"));
        otb.arg("explain").args(words).env_remove("LC_ALL").env_remove("LC_MESSAGES").env("LANG", locale);
        String::from_utf8(otb.output().unwrap().stdout).unwrap()
    };
    let chinese = explain("zh_CN.UTF-8", &["lag:dn01", "finding.hung", "7", "plan.stale"]);
    for part in
        ["lag (检查)", "备实例落后不超过 policy.max_lag。", "如何处理", "7 (退出码)", "生成计划之后集群发生了变化。"]
    {
        assert!(chinese.contains(part), "{part:?} is not in {chinese}");
    }
    assert!(explain("C.UTF-8", &["lag"]).contains("What to do"));
    assert_eq!(explain("zh_CN.UTF-8", &["lag", "--format", "json"]), explain("C", &["lag", "--format", "json"]));
}
