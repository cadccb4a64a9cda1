//! Clients that are held while a datanode moves: no statement fails, and whoever is held goes on when otb dies.

use std::time::{Duration, Instant};

use crate::clients::{Clients, Session, table};
use crate::cluster::Real;
use crate::doubt::{apply, is_whole, rounds, tell};
use crate::mishaps::{declare, kill_with};
use crate::say;
use crate::support::ground::TestCluster as _;

/// Who has every table of a coordinator to itself.
const HOLDERS: &str = "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and locktype = 'relation' \
                       and relation = 'otb_accounts'::regclass and granted";

/// How long a lock may be there after otb was killed.
const GONE: Duration = Duration::from_secs(1);

/// Moments of a held move at which otb is killed.
const MOMENTS: [&str; 5] =
    ["done     hold:", "done     stop:", "done     promote:", "done     reroute:cn02", "done     prove:cn01"];

/// dn01 moves there and back under 24 clients without prepared statements, and none of their statements fails.
pub(crate) fn moves_that_no_client_notices(real: &Real) {
    table(real);
    let clients = Clients::start(real);
    for to in ["s47", "s29"].into_iter().cycle().take(rounds(2) as usize) {
        std::thread::sleep(Duration::from_secs(2));
        declare(real, to);
        clients.mark();
        let ran = apply(real, &[]);
        assert_eq!(ran.code, 0, "{}{}\n{}", ran.stdout, ran.stderr, real.logs_of("dn01"));
        std::thread::sleep(Duration::from_millis(500));
        clients.pause();
        let waited = clients.longest_wait();
        is_whole(real, &format!("the held move to {to}"));
        let told = ran.stdout.lines().find(|line| line.contains("clients were held for"));
        let told = told.unwrap_or_else(|| panic!("nobody was held: {}", ran.stdout));
        say(&format!("real lane: {}; a client waited {:.2} s at most", told.trim(), waited.as_secs_f64()));
        clients.go_on();
    }
    let seen = clients.finish();
    tell(&seen);
    assert!(seen.failed.is_empty() && seen.odd_sums == 0, "{:?}", seen.failed);
}

/// SIGKILL of otb in a held move: its locks are gone at once.
pub(crate) fn otb_killed_while_it_holds(real: &Real) {
    table(real);
    let watchers = ["cn01@s29", "cn02@s47"].map(|coordinator| Session::open(real, coordinator));
    for (moment, to) in MOMENTS.into_iter().zip(["s47", "s29"].into_iter().cycle()) {
        declare(real, to);
        kill_with(real, &[], moment);
        let begun = Instant::now();
        let held = || watchers.iter().any(|watcher| watcher.ask(HOLDERS).as_deref() != Some("0"));
        while held() {
            assert!(begun.elapsed() < GONE, "killed at {moment:?}, clients still wait");
            std::thread::sleep(Duration::from_millis(10));
        }
        let ran = apply(real, &[]);
        assert_eq!(ran.code, 0, "killed at {moment:?}: {}{}", ran.stdout, ran.stderr);
        is_whole(real, &format!("a kill at {moment:?}"));
    }
}

/// A transaction that stays open keeps the hold away: clients wait little longer than an attempt takes, and the run names
/// the session.
pub(crate) fn hold_gives_up(real: &Real) {
    table(real);
    let policy = std::fs::read_to_string(real.file()).unwrap();
    let strict = policy.replace("old_master: rejoin}", "old_master: rejoin, hold: require, hold_wait_seconds: 3}");
    assert_ne!(policy, strict, "the file has no policy");
    std::fs::write(real.file(), strict).unwrap();
    let reader = Session::open(real, "cn01@s29");
    reader.ask("begin");
    reader.ask("select count(*) from otb_accounts");
    let clients = Clients::start(real);
    std::thread::sleep(Duration::from_secs(1));
    clients.mark();
    declare(real, "s47");
    let ran = apply(real, &[]);
    let waited = clients.longest_wait();
    reader.ask("rollback");
    let seen = clients.finish();
    tell(&seen);
    declare(real, "s29");
    std::fs::write(real.file(), policy).unwrap();
    assert_eq!(ran.code, 6, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("has a transaction open for"), "{}", ran.stdout);
    say(&format!("real lane: a hold that was given up kept a client for {:.2} s at most", waited.as_secs_f64()));
    assert!(seen.failed.is_empty() && waited < Duration::from_secs(2), "{waited:?} {:?}", seen.failed);
}
