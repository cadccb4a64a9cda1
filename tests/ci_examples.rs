//! examples/ci: every shell line in them is run as it is written, on a sandbox.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/limited.rs"]
mod limited;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fixture::SandboxFixture;
use serde_yaml::Value;

fn example(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ci").join(name)).unwrap()
}

/// A repository as the examples expect it: cluster.yaml and known-drift.yaml in it.
fn checkout() -> SandboxFixture {
    let place = SandboxFixture::up("");
    place.write("known-drift.yaml", example("known-drift.yaml"));
    place
}

/// Runs a job's script as a runner does; gives its exit code and everything it said.
fn run(place: &SandboxFixture, script: &str) -> (i32, String) {
    assert!(script.contains("otb"), "{script}");
    let bin = Path::new(env!("CARGO_BIN_EXE_otb")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("timeout")
        .args(["120", "sh", "-ec", script])
        .current_dir(place.dir())
        .env("PATH", path)
        .env("OTB_FILE", "cluster.yaml")
        .env("NO_COLOR", "1")
        .env("GITHUB_STEP_SUMMARY", place.dir().join("summary.md"))
        .env_remove("PGPASSWORD")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap(), said)
}

/// Runs all of a job's steps; each must succeed.
#[track_caller]
fn succeeds(place: &SandboxFixture, steps: &[String]) -> String {
    assert!(!steps.is_empty());
    let mut all = String::new();
    for step in steps {
        let (code, said) = run(place, step);
        assert_eq!(code, 0, "{step}\n{said}");
        all.push_str(&said);
    }
    all
}

/// The whole pipeline: a change is planned and applied, then there is no drift, then there is.
fn goes_through(job: impl Fn(&str) -> Vec<String>) -> SandboxFixture {
    let place = checkout();
    place.declare("dn01", "s47");
    assert!(succeeds(&place, &job("plan")).contains("switchover"));
    succeeds(&place, &job("apply"));
    place.is_settled();
    assert!(succeeds(&place, &job("drift")).contains("No drift"));
    place.fault("stop dn01@s29");
    let (code, said) = run(&place, &job("drift").join("\n"));
    assert_eq!(code, 2, "{said}");
    assert!(std::fs::read_to_string(place.dir().join("drift.xml")).unwrap().contains("role:dn01@s29"));
    // Applying a plan that was made for another state of the cluster is refused.
    assert_eq!(run(&place, &job("apply").join("\n")).0, 4);
    // A plan that a check refuses fails the job of the change request.
    place.declare("dn01", "s29");
    let (code, said) = run(&place, &job("plan").join("\n"));
    assert!(code != 0 && said.contains("Refused by"), "{code}\n{said}");
    place
}

#[test]
fn the_workflow_for_github() {
    let workflow: Value = serde_yaml::from_str(&example("github-actions.yml")).unwrap();
    let variable = workflow["env"]["OTB_FILE"].as_str();
    assert_eq!(variable, Some("cluster.yaml"));
    let place = goes_through(|job| {
        let steps = workflow["jobs"][job]["steps"].as_sequence().unwrap().iter();
        let steps: Vec<String> = steps.filter_map(|step| step["run"].as_str()).map(str::to_owned).collect();
        assert!(!steps.iter().any(|step| step.contains("${{")), "an expression would be run by the shell");
        steps
    });
    let summary = std::fs::read_to_string(place.dir().join("summary.md")).unwrap();
    assert!(summary.starts_with("🔀 **otb plan** `opentenbase_cluster`: 1 change"), "{summary}");
    assert!(summary.contains("```mermaid"), "{summary}");
}

#[test]
fn the_pipeline_for_gitlab() {
    let pipeline: Value = serde_yaml::from_str(&example("gitlab-ci.yml")).unwrap();
    goes_through(|job| {
        pipeline[job]["script"].as_sequence().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    });
}

/// The paths of a server, put below the sandbox's directory.
fn here(place: &SandboxFixture, line: &str) -> String {
    let dir = place.dir().display();
    let line = line.replace("/usr/bin/otb", env!("CARGO_BIN_EXE_otb"));
    line.replace("/etc/otb", &dir.to_string()).replace("/var/lib/node_exporter/textfile_collector", &dir.to_string())
}

fn metrics(place: &SandboxFixture) -> String {
    std::fs::read_to_string(PathBuf::from(place.dir()).join("otb.prom")).unwrap()
}

#[test]
fn the_unit_for_systemd() {
    let place = checkout();
    let unit = example("otb-drift.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    assert_eq!(run(&place, &here(&place, line)).0, 0);
    assert!(metrics(&place).contains("kind=\"role\"} 0\n"), "{}", metrics(&place));
    place.fault("stop dn01@s47");
    let (code, said) = run(&place, &here(&place, line));
    assert_eq!(
        code.to_string(),
        unit.lines().find_map(|line| line.strip_prefix("SuccessExitStatus=")).unwrap(),
        "{said}"
    );
    assert!(metrics(&place).contains("kind=\"role\"} 1\n"), "{}", metrics(&place));
    assert!(example("otb-drift.timer").contains("OnUnitActiveSec="));
}

#[test]
fn the_line_for_cron() {
    let place = checkout();
    let tab = example("otb-drift.cron");
    let line = tab.lines().find(|line| line.starts_with("*/10 ")).unwrap();
    // Five fields of time, the user, the command; a bare percent sign would end it.
    let command = here(&place, line.splitn(7, ' ').last().unwrap());
    assert!(!line.contains('%'));
    assert_eq!(run(&place, &command), (0, String::new()), "silent while there is no drift");
    place.fault("stop dn01@s47");
    assert!(run(&place, &command).1.contains("role:dn01@s47"));
}
