//! The real lane: every scenario of the sandbox, unchanged, on an OpenTenBase of real processes, and what only
//! real processes can show.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod clients;
mod cluster;
#[path = "../conformance/mod.rs"]
mod conformance;
mod doubt;
mod failed_statements;
mod fat;
mod gtm;
mod hold;
mod hung;
mod import;
mod mishaps;
mod over_ssh;
mod peers;
mod refused;
mod rows;
mod salvage;
mod session;
mod split;
mod standbys;
mod support;
mod synchronous;
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
    ("two_at_once", mishaps::two_at_once),
    ("gtm_otb_killed", mishaps::otb_killed_while_the_gtm_moves),
    ("fenced_copies", standbys::stopped_copies_stay_fenced),
    ("gtm_other_standby", standbys::the_gtms_other_standby_has_everything),
    ("promotion_kills_the_standby", mishaps::promotion_kills_the_standby),
    ("hung_master_rows", hung::ended_under_writes),
    ("pid_file_of_another", mishaps::pid_file_of_another),
    ("turned_back", standbys::nobody_turns_back_before_a_promotion),
    ("split_brain_rows", split::rows_of_both),
    ("split_brain_three_rows", split::rows_of_both_and_of_a_standby),
    ("split_brain_one_timeline", split::rows_of_both_under_one_timeline),
    ("split_brain_gtm_again", split::gtm_started_again),
    ("hold_moves", hold::moves_that_no_client_notices),
    ("hold_prepared", hold::moves_with_prepared_statements),
    ("hold_killed", hold::otb_killed_while_it_holds),
    ("hold_given_up", hold::hold_gives_up),
    ("doubt_moves", doubt::moves_under_transfers),
    ("doubt_failovers", doubt::failovers_under_transfers),
    ("doubt_stuck_stop", doubt::stop_that_cannot_end),
    ("doubt_immediate_stop", doubt::move_goes_on_after_an_immediate_stop),
    ("doubt_slow_coordinator", doubt::coordinator_is_slow_in_a_commit),
    ("doubt_coordinator", doubt::coordinator_dies_in_a_commit),
    ("synchronous_moves", synchronous::moves_without_a_waiver),
    ("synchronous_any", synchronous::one_of_two_standbys),
    ("synchronous_failover", synchronous::failover_without_a_waiver),
    ("salvage", salvage::nothing_is_lost),
    ("failed_statements", failed_statements::of_each_way),
    ("rows", rows::none_is_lost),
    ("peers", peers::beside_others),
];

/// The scenario whose coordinators have standbys; it gets a cluster of its own.
const WIDE: &str = "the_whole_seed.md";

/// What else is told of a coordinator that can move.
const WIDE_PARTS: &[Part] = &[
    ("coordinator_otb_killed", mishaps::otb_killed_while_a_coordinator_moves),
    ("routes_read", mishaps::routes_are_read_while_they_change),
];

/// The scenarios in which a node has a third copy.
const THIRD: &[(&str, &str)] = &[
    ("several_standbys.md", "dn01"),
    ("several_standbys_of_the_gtm.md", "gtm_1"),
    ("split_brain_with_a_standby.md", "dn01"),
];

/// The scenarios whose faults cannot be made by hand on real processes: a PREPARE with a coordinator's gid ends a real
/// datanode (seen live), and what fills every connection slot keeps this lane out, too.
const SANDBOX_ONLY: &[&str] = &[
    // How many runs there are rests on what is seen.
    "rehearsal.md",
    "transaction_in_doubt.md",
    "transaction_in_doubt_beside_a_clients.md",
    "transaction_in_doubt_slow_coordinator.md",
    "checkpoint_behind_a_transaction_in_doubt.md",
    "no_connection_slot.md",
    "client_in_a_transaction.md",
    // A server that is cut off.
    "server_dead.md",
    "server_dead_with_a_lone_coordinator.md",
    // Real standbys stream again seconds later, and a real GTM that was killed leaves the lock file of its socket.
    "master_hangs.md",
    // What a real master has not sent when it is killed differs from run to run.
    "several_standbys.md",
    // A real standby that has replayed no commit since its start tells no time.
    "router_down_while_masters_move.md",
];

/// Everything on one cluster, one after the other: setting one up takes about a minute.
#[test]
fn everything_on_real_processes() {
    let mut scenarios = scenarios();
    scenarios.retain(|path| wanted(name_of(path)));
    let (sandbox_only, scenarios): (Vec<_>, Vec<_>) =
        scenarios.into_iter().partition(|path| SANDBOX_ONLY.iter().any(|file| path.ends_with(file)));
    say(&format!("SKIPPED {} scenarios: their faults are the sandbox's alone", sandbox_only.len()));
    let mut topics = conformance::topics();
    topics.retain(|topic| wanted(&part_of(topic)));
    let mut failed = Vec::new();
    for install in Real::installs() {
        match install {
            Ok(install) => failed.extend(on(&install, &scenarios, &topics)),
            Err(missing) => {
                let missing = missing.display();
                say(&format!("SKIPPED {} scenarios: no OpenTenBase install at {missing}", scenarios.len()));
                let checks: usize = topics.iter().map(|topic| conformance::checks(topic).len()).sum();
                say(&format!("SKIPPED {checks} conformance checks: no OpenTenBase install at {missing}"));
                let parts = PARTS.iter().chain(WIDE_PARTS).filter(|(name, _)| wanted(name)).count();
                say(&format!("SKIPPED {parts} other parts: no OpenTenBase install at {missing}"));
            }
        }
    }
    assert!(failed.is_empty(), "failed on real processes: {}", failed.join(", "));
}

/// All of it on one install; what failed, with the install.
fn on(install: &Path, scenarios: &[PathBuf], topics: &[PathBuf]) -> Vec<String> {
    say(&format!("real lane: on {}", install.display()));
    let begun = Instant::now();
    let mut failed = Vec::new();
    let (wide, scenarios): (Vec<_>, Vec<_>) = scenarios.iter().cloned().partition(|path| path.ends_with(WIDE));
    if !scenarios.is_empty() || !topics.is_empty() || PARTS.iter().any(|(name, _)| wanted(name)) {
        failed.extend(on_the_seed(install, &scenarios, topics));
    }
    failed.extend(on_the_wide_one(install, &wide));
    say(&format!("real lane: done on {} after {:.0} s", install.display(), begun.elapsed().as_secs_f64()));
    failed.into_iter().map(|part| format!("{part} on {}", install.display())).collect()
}

/// What needs only the example cluster.
fn on_the_seed(install: &Path, scenarios: &[PathBuf], topics: &[PathBuf]) -> Vec<String> {
    let mut lane = Lane::open(install, false);
    // First: what files a directory holds depends on what it went through.
    for topic in topics {
        lane.part(&part_of(topic), |real| conformance::hold(topic, real));
    }
    for path in scenarios {
        let third = THIRD.iter().find(|(file, _)| path.ends_with(file)).map(|(_, node)| node);
        lane.part(name_of(path), |real| match third {
            Some(node) => support::script::run(path, &*real.with_a_third_copy(node)),
            None => support::script::run(path, real),
        });
    }
    lane.parts(PARTS);
    lane.failed
}

/// What needs coordinators with standbys.
fn on_the_wide_one(install: &Path, scenarios: &[PathBuf]) -> Vec<String> {
    let mut lane = Lane::open(install, true);
    for path in scenarios {
        lane.part(name_of(path), |real| support::script::run(path, real));
    }
    lane.parts(WIDE_PARTS);
    lane.failed
}

/// One cluster on which parts run one after the other.
struct Lane<'a> {
    install: &'a Path,
    wide: bool,
    /// None: what the last part left could not be put back.
    real: Option<Real>,
    failed: Vec<String>,
}

impl<'a> Lane<'a> {
    fn open(install: &'a Path, wide: bool) -> Self {
        Self { install, wide, real: None, failed: Vec::new() }
    }

    /// Those of them that are wanted.
    fn parts(&mut self, parts: &[Part]) {
        for &(name, part) in parts.iter().filter(|(name, _)| wanted(name)) {
            self.part(name, part);
        }
    }

    /// Runs one part; a panic in it fails it and not the rest. A GTM of v2.6 may hang after a promotion whatever
    /// anybody does (docs/explanation/opentenbase-v2.6-live.md): a part that met that is run once more, and says so.
    fn part(&mut self, name: &str, part: impl Fn(&Real)) {
        let mut ok = self.attempt(name, &part);
        if !ok && self.real.as_ref().is_some_and(Real::a_gtm_hangs) {
            say(&format!("real lane: {name} met a GTM that hangs, as v2.6's may: once more on a fresh cluster"));
            self.real = None;
            ok = self.attempt(name, &part);
        }
        if !ok {
            self.failed.push(name.to_owned());
        }
        let put_back = self.real.as_ref().is_some_and(|real| catch_unwind(AssertUnwindSafe(|| real.reset())).is_ok());
        if !put_back {
            say(&format!("real lane: the cluster could not be put back after {name}: a fresh one is next"));
            let logs = self.real.as_ref().map(Real::gtm_logs).unwrap_or_default();
            say(&format!("what the GTMs logged last:\n{logs}"));
            self.real = None;
        }
    }

    fn attempt(&mut self, name: &str, part: &impl Fn(&Real)) -> bool {
        let real = self.real.get_or_insert_with(|| {
            let begun = Instant::now();
            let real = Real::up(self.install, self.wide);
            say(&format!("real lane: a cluster is up after {:.0} s", begun.elapsed().as_secs_f64()));
            real
        });
        let begun = Instant::now();
        let ok = catch_unwind(AssertUnwindSafe(|| part(real))).is_ok();
        let word = if ok { "ok" } else { "FAILED" };
        say(&format!("real lane: {name} {word} after {:.1} s", begun.elapsed().as_secs_f64()));
        if !ok {
            say(&format!("what the GTMs logged last:\n{}", real.gtm_logs()));
        }
        ok
    }
}

/// `OTB_TEST_ONLY` names the parts to run, by pieces of their names with commas between; without it all are.
fn wanted(name: &str) -> bool {
    std::env::var("OTB_TEST_ONLY").map_or(true, |only| only.split(',').any(|piece| name.contains(piece)))
}

fn scenarios() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let all = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    // v5/ has those that differ there.
    let mut all: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
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
