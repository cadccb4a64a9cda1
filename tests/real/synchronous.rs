//! Commits that wait for a standby: moves without a waiver, and a failover after which nothing is missing that a client was
//! told of.

use std::time::{Duration, Instant};

use otb::model::Instance;

use crate::cluster::{Hands, Real};
use crate::mishaps::declare_node;
use crate::rows::{compare, median, rows, settle, switch_by_otb, table, writers};
use crate::say;
use crate::support::ground::TestCluster as _;
use crate::writer::{Tally, Writer};

/// How much longer than `pg_ctl stop` and `pg_ctl promote` by hand clients may wait, measured with care: the old master has
/// to start and stream as well.
const MEASURED_LIMIT: f64 = 2.0;

/// The same on a machine that does other things. A commit that hangs until the proof costs seconds.
const EVERYDAY_LIMIT: f64 = 6.0;

fn rounds(everyday: u32) -> (u32, f64) {
    match std::env::var("OTB_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()) {
        Some(rounds) => (rounds, MEASURED_LIMIT),
        None => (everyday, EVERYDAY_LIMIT),
    }
}

/// Every copy of dn01 has these settings.
fn set(real: &Real, copies: &[&str], names: &str, level: &str) {
    for copy in copies.iter().map(|copy| real.instance(copy)) {
        real.tell(copy, &format!("alter system set synchronous_standby_names = '{names}'"));
        real.tell(copy, &format!("alter system set synchronous_commit = {level}"));
        real.tell(copy, "select pg_reload_conf()");
    }
    // A standby counts from the next message on.
    std::thread::sleep(Duration::from_millis(500));
}

/// Moves dn01 to and fro under writes, for each way to ask for one standby.
pub(crate) fn moves_without_a_waiver(real: &Real) {
    table(real);
    for names in ["*", "dn01_s29, dn01_s47"] {
        moves(real, &["dn01@s29", "dn01@s47"], names, "on");
    }
    moves(real, &["dn01@s29", "dn01@s47"], "*", "remote_apply");
}

/// The same with two standbys, of which one has to have each commit.
pub(crate) fn one_of_two_standbys(real: &Real) {
    let third = real.with_a_third_copy("dn01");
    table(&third);
    moves(&third, &["dn01@s29", "dn01@s47", "dn01@s63"], "ANY 1 (dn01_s29, dn01_s47, dn01_s63)", "on");
}

fn moves(real: &Real, copies: &[&str], names: &str, level: &str) {
    set(real, copies, names, level);
    real.tell(real.instance("cn01@s29"), "update otb_rows set n = 0");
    let writers = writers(real);
    std::thread::sleep(Duration::from_secs(1));
    let (rounds, limit) = rounds(1);
    let (mut gaps, mut hands) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for (from, to) in [("s29", "s47"), ("s47", "s29")] {
            // By hand, too, the old master has to be back before a commit ends; only the two commands are measured.
            if copies.len() == 2 {
                hands.push(by_hand(real, from, to));
                settle(&writers);
                hands.push(by_hand(real, to, from));
                settle(&writers);
            }
            gaps.push(switch_by_otb(real, "dn01", to, &writers));
            counts(real, real.instance(&format!("dn01@{to}")));
        }
    }
    let tallies: Vec<Tally> = writers.into_iter().map(Writer::finish).collect();
    compare(&tallies, &rows(real));
    let gap = median(&mut gaps);
    let longest = gaps[gaps.len() - 1].as_secs_f64();
    let beside = if hands.is_empty() {
        String::new()
    } else {
        let hand = median(&mut hands);
        assert!(gap / hand <= limit, "{names}: a gap of {gap:.3} s, by hand {hand:.3} s; the limit is {limit} times");
        format!(", stop and promote by hand {hand:.3} s: {:.2} times", gap / hand)
    };
    say(&format!(
        "real lane: {} moves of dn01 with synchronous_standby_names = '{names}', {level}: no row lost; gap seen by clients \
         {gap:.3} s (median; up to {longest:.3}){beside}",
        gaps.len(),
    ));
}

/// Moves dn01, and tells how long its stop and promotion took.
pub(crate) fn by_hand(real: &Real, from: &str, to: &str) -> Duration {
    let (old, new) = (real.instance(&format!("dn01@{from}")), real.instance(&format!("dn01@{to}")));
    real.tell(old, "checkpoint");
    let begun = Instant::now();
    real.hands().must(&format!("pg_ctl -D {} stop -m fast && pg_ctl -D {} promote", old.data, new.data), 60);
    let took = begun.elapsed();
    real.follow_after_a_clean_stop(old, new);
    real.lead_to(new);
    took
}

/// A standby of the master has the state that commits wait for.
fn counts(real: &Real, master: &Instance) {
    let states = real.sql(&master.id.to_string(), "select sync_state from pg_stat_replication").stdout;
    assert!(states.lines().any(|state| matches!(state, "sync" | "quorum")), "{}: {states:?}", master.id);
}

/// Kills the master under writes and fails over without a waiver: what was answered is there.
pub(crate) fn failover_without_a_waiver(real: &Real) {
    table(real);
    let (rounds, _) = rounds(1);
    let mut asked_about = 0;
    for round in 0..rounds {
        let (from, to) = if round % 2 == 0 { ("s29", "s47") } else { ("s47", "s29") };
        set(real, &["dn01@s29", "dn01@s47"], "*", "on");
        real.tell(real.instance("cn01@s29"), "update otb_rows set n = 0");
        let writers = writers(real);
        std::thread::sleep(Duration::from_secs(2));
        Hands::kill(real.instance(&format!("dn01@{from}")).data.as_ref());
        declare_node(real, "dn01", to);
        let plan = real.otb(&["plan".to_owned(), "--format".to_owned(), "json".to_owned()]);
        asked_about += usize::from(plan.stdout.contains("no client saw a commit in it"));
        let ran = real.otb(&["apply".to_owned(), "--auto-approve".to_owned()]);
        assert_eq!(ran.code, 0, "{}{}\n{}", ran.stdout, ran.stderr, real.logs_of("dn01"));
        settle(&writers);
        let tallies: Vec<Tally> = writers.into_iter().map(Writer::finish).collect();
        compare(&tallies, &rows(real));
        counts(real, real.instance(&format!("dn01@{to}")));
    }
    say(&format!(
        "real lane: {rounds} failovers of dn01 whose commits wait, without a waiver: nothing that was answered is missing; \
         {asked_about} of them lacked WAL that no client was told of"
    ));
}
