//! The real lane: every scenario of the sandbox, unchanged, on an OpenTenBase of real processes, and what only
//! real processes can show.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod cluster;
#[path = "../conformance/mod.rs"]
mod conformance;
mod gtm;
mod import;
mod mishaps;
mod over_ssh;
mod refused;
mod rows;
mod support;
mod writer;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use cluster::Real;

/// A named part of the lane.
type Part = (&'static str, fn(&Real));

/// What is told here and in no scenario.
const PARTS: &[Part] = &[
    ("import", import::goes_round),
    ("ssh_proxy_jump", over_ssh::switchover_through_a_proxy_jump),
    ("ssh_failover", over_ssh::failover),
    ("ssh_cut", over_ssh::cut),
    ("refused_statements", refused::wrong_statements),
    ("refused_stranger", refused::standby_of_another_cluster),
    ("refused_host_key", refused::wrong_host_key),
    ("refused_full_disk", refused::full_disk),
    ("gtm_gap", gtm::statements_fail_briefly),
    ("otb_killed", mishaps::otb_killed),
    ("promotion_kills_the_standby", mishaps::promotion_kills_the_standby),
    ("rows", rows::none_is_lost),
];

/// The scenario whose coordinators have standbys; it gets a cluster of its own.
const WIDE: &str = "the_whole_seed.md";

/// Everything on one cluster, one after the other: setting one up takes about a minute.
#[test]
fn everything_on_real_processes() {
    let mut scenarios = scenarios();
    scenarios.retain(|path| wanted(name_of(path)));
    let mut topics = conformance::topics();
    topics.retain(|topic| wanted(&part_of(topic)));
    let install = match Real::install() {
        Ok(install) => install,
        Err(missing) => {
            let missing = missing.display();
            say(&format!("SKIPPED {} scenarios: no OpenTenBase install at {missing}", scenarios.len()));
            let checks: usize = topics.iter().map(|topic| conformance::checks(topic).len()).sum();
            say(&format!("SKIPPED {checks} conformance checks: no OpenTenBase install at {missing}"));
            return;
        }
    };
    let begun = Instant::now();
    let mut failed = Vec::new();
    let (wide, scenarios): (Vec<_>, Vec<_>) = scenarios.into_iter().partition(|path| path.ends_with(WIDE));
    if !scenarios.is_empty() || !topics.is_empty() || PARTS.iter().any(|(name, _)| wanted(name)) {
        on_the_seed(&install, &scenarios, &topics, &mut failed);
    }
    for path in wide {
        let real = Real::up(&install, true);
        check(WIDE, &real, &mut failed, || support::script::run(&path, &real));
    }
    say(&format!("real lane: done after {:.0} s", begun.elapsed().as_secs_f64()));
    assert!(failed.is_empty(), "failed on real processes: {}", failed.join(", "));
}

/// What needs no more than the seed's topology.
fn on_the_seed(install: &Path, scenarios: &[PathBuf], topics: &[PathBuf], failed: &mut Vec<String>) {
    let begun = Instant::now();
    let real = Real::up(install, false);
    say(&format!("real lane: a cluster is up after {:.0} s", begun.elapsed().as_secs_f64()));
    for path in scenarios {
        check(name_of(path), &real, failed, || support::script::run(path, &real));
        real.reset();
    }
    for topic in topics {
        check(&part_of(topic), &real, failed, || conformance::hold(topic, &real));
        real.reset();
    }
    for &(name, part) in PARTS {
        if wanted(name) {
            check(name, &real, failed, || part(&real));
            real.reset();
        }
    }
}

/// Runs one part; a panic in it fails it and not the rest.
fn check(name: &str, real: &Real, failed: &mut Vec<String>, part: impl FnOnce()) {
    let begun = Instant::now();
    let ok = catch_unwind(AssertUnwindSafe(part)).is_ok();
    say(&format!(
        "real lane: {name} {} after {:.1} s",
        if ok { "ok" } else { "FAILED" },
        begun.elapsed().as_secs_f64()
    ));
    if !ok {
        say(&format!("what the GTMs logged last:\n{}", real.gtm_logs()));
        failed.push(name.to_owned());
    }
}

/// `OTB_TEST_ONLY` names the parts to run, by pieces of their names with commas between; without it all are.
fn wanted(name: &str) -> bool {
    std::env::var("OTB_TEST_ONLY").map_or(true, |only| only.split(',').any(|piece| name.contains(piece)))
}

fn scenarios() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let all = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut all: Vec<PathBuf> = all.collect();
    all.sort();
    all
}

/// A topic of the conformance checks as a part of the lane.
fn part_of(topic: &Path) -> String {
    format!("conformance of {}", name_of(topic))
}

fn name_of(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// Past the test runner, which keeps back what a passing test prints.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
