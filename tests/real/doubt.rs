//! Transactions in doubt on real processes: what moves, failovers and killed coordinators leave, under clients that
//! transfer between two datanodes.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::clients::{Clients, Seen, table};
use crate::cluster::{Hands, Real};
use crate::mishaps::{declare, recovery, set_policy};
use crate::say;
use crate::session::Session;
use crate::support::ground::{Ran, TestCluster as _};

/// How long a client may be blocked by a move whose stop ends.
const BLOCKED: Duration = Duration::from_secs(5);

/// The same on v5, whose pg_clean takes no transaction that is younger than 10 s.
const BLOCKED_ON_V5: Duration = Duration::from_secs(15);

/// How long otb waits for a fast stop that does not end, as cluster.yaml says nothing else.
const FAST_STOP: Duration = Duration::from_secs(20);

/// How long after that limit the shard serves again at the latest.
const SERVES: Duration = Duration::from_secs(30);

/// How long it may take until a session is stopped in the middle of a commit.
const FREEZES: Duration = Duration::from_secs(120);

/// `OTB_TEST_ROUNDS` asks for a measurement.
pub(crate) fn rounds(usual: u32) -> u32 {
    std::env::var("OTB_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// dn01 moves there and back under load, and clients are not held: after each run nothing is in doubt, and no money is made
/// or lost.
pub(crate) fn moves_under_transfers(real: &Real) {
    table(real);
    set_policy(real, ", hold: off");
    let clients = Clients::start(real);
    let mut waits = Vec::new();
    for to in ["s47", "s29"].into_iter().cycle().take(rounds(2) as usize) {
        std::thread::sleep(Duration::from_secs(2));
        declare(real, to);
        clients.mark();
        let begun = Instant::now();
        let ran = apply(real, &[]);
        let took = begun.elapsed();
        assert_eq!(ran.code, 0, "{}{}\n{}", ran.stdout, ran.stderr, real.logs_of("dn01"));
        std::thread::sleep(Duration::from_millis(500));
        clients.pause();
        let waited = clients.longest_wait();
        is_whole(real, &format!("the move to {to}"));
        let at_once = ran.stdout.contains("-m immediate");
        let blocked = if real.is_v5() { BLOCKED_ON_V5 } else { BLOCKED };
        let allowed = if at_once { FAST_STOP + SERVES } else { blocked };
        let words = if at_once { ", after an immediate stop" } else { "" };
        say(&format!(
            "real lane: dn01 to {to} under 24 clients: {:.1} s, a client waited {:.2} s at most{words}",
            took.as_secs_f64(),
            waited.as_secs_f64()
        ));
        assert!(waited < allowed, "a client was blocked for {waited:?}: {}", ran.stdout);
        waits.push(waited.as_secs_f64());
        clients.go_on();
    }
    tell(&clients.finish());
}

/// kill -9 of dn01's master under the same load, then a failover.
pub(crate) fn failovers_under_transfers(real: &Real) {
    let mut waived = 0;
    let all = rounds(1);
    let (mut old, mut new) = ("s29", "s47");
    for _ in 0..all {
        table(real);
        let clients = Clients::start(real);
        std::thread::sleep(Duration::from_secs(2));
        Hands::kill(real.instance(&format!("dn01@{old}")).data.as_ref());
        declare(real, new);
        let mut ran = apply(real, &[]);
        let loses = ran.code == 3 && ran.stdout.contains("data-loss:dn01");
        if loses {
            waived += 1;
            ran = apply(real, &["--waive", "data-loss:dn01", "--reason", "the test accepts it"]);
        }
        assert_eq!(ran.code, 0, "{}{}\n{}", ran.stdout, ran.stderr, real.logs_of("dn01"));
        clients.pause();
        nothing_is_prepared(real, "the failover");
        if !loses {
            the_sum_is_right(real, "the failover");
        }
        tell(&clients.finish());
        std::mem::swap(&mut old, &mut new);
    }
    say(&format!("real lane: {all} failovers under 24 clients, {waived} of them with a waiver"));
}

/// A coordinator's session dies between the two phases, clients wait behind what it has left, and a fast stop of dn01
/// does not end: otb stops it at once, and the shard serves again in time.
pub(crate) fn stop_that_cannot_end(real: &Real) {
    if real.is_v5() {
        return say(
            "SKIPPED doubt_stuck_stop: on v5 the killed session ends its coordinator, and otb starts that first",
        );
    }
    let all = rounds(1);
    let (mut from, mut to) = ("s29", "s47");
    let mut stuck = 0;
    // A hold waits for these clients until what is in doubt is too old for a move.
    set_policy(real, ", hold: off");
    for _ in 0..all * 4 {
        table(real);
        let clients = Clients::start(real);
        std::thread::sleep(Duration::from_secs(1));
        freeze_in_commit(real).kill();
        let waits = "select count(*) from pg_stat_activity where wait_event = 'buffer_content'";
        let wait_behind = wait_until(Duration::from_secs(4), || {
            real.sql(&format!("dn01@{from}"), waits).stdout.trim().parse::<u32>().is_ok_and(|count| count > 0)
        });
        // A session that dies takes its coordinator's others with it: that one is back in a moment.
        wait_until(Duration::from_secs(4), || real.sql("cn01@s29", "select 1").code == 0);
        declare(real, to);
        let begun = Instant::now();
        let ran = apply(real, &[]);
        // Older than five seconds when otb looked, the transaction is in the way of the move, which is right. So is a
        // coordinator that is not back yet.
        if ran.code == 3 {
            drop(clients);
            declare(real, from);
            let settled = wait_until(Duration::from_secs(30), || apply(real, &[]).code == 0);
            assert!(settled, "what is in doubt is not settled after {}", ran.stdout);
            continue;
        }
        let took = begun.elapsed();
        let at_once = ran.stdout.contains("-m immediate") || ran.stderr.contains("-m immediate");
        assert!(matches!(ran.code, 0 | 6), "{}{}\n{}", ran.stdout, ran.stderr, real.logs_of("dn01"));
        clients.pause();
        is_whole(real, "a stop that could not end");
        say(&format!(
            "real lane: waiting behind a page {wait_behind}, stopped at once {at_once}: exit {} after {:.1} s",
            ran.code,
            took.as_secs_f64()
        ));
        drop(clients);
        if ran.code == 0 {
            std::mem::swap(&mut from, &mut to);
        }
        if at_once {
            stuck += 1;
            assert!(took < FAST_STOP + SERVES, "it took {took:?}: {}{}", ran.stdout, ran.stderr);
        }
        if stuck >= all {
            return;
        }
    }
    panic!("no fast stop got stuck");
}

/// A session of dn01 hears no signal, so its fast stop does not end. The WAL sender goes on, so the standby has everything
/// when otb ends the stop: the move goes on, and the old master rejoins.
pub(crate) fn move_goes_on_after_an_immediate_stop(real: &Real) {
    set_policy(real, ", hold: off");
    let (mut from, mut to) = ("s29", "s47");
    let mut took = Vec::new();
    for _ in 0..rounds(1) {
        table(real);
        let clients = Clients::start(real);
        std::thread::sleep(Duration::from_secs(1));
        let deaf = Session::open(real, &format!("dn01@{from}"));
        let pid = deaf.ask("select pg_backend_pid()").and_then(|pid| Pid::from_raw(pid.parse().ok()?)).unwrap();
        kill_process(pid, Signal::STOP).unwrap();
        declare(real, to);
        let begun = Instant::now();
        let ran = apply(real, &[]);
        took.push(begun.elapsed());
        assert_eq!(ran.code, 0, "{}{}\n{}", ran.stdout, ran.stderr, real.logs_of("dn01"));
        assert!(ran.stdout.contains("-m immediate"), "{}{}", ran.stdout, ran.stderr);
        assert!(took[took.len() - 1] < FAST_STOP + SERVES, "{took:?}");
        clients.pause();
        is_whole(real, "an immediate stop");
        assert_eq!([recovery(real, from), recovery(real, to)], ["t", "f"], "{}", ran.stdout);
        tell(&clients.finish());
        std::mem::swap(&mut from, &mut to);
    }
    let seconds: Vec<f64> = took.iter().map(|took| (took.as_secs_f64() * 10.0).round() / 10.0).collect();
    say(&format!("real lane: moves that went on after an immediate stop: {}, in {seconds:?} s", took.len()));
}

/// A coordinator's session dies between the two phases: the check refuses a move, the plan settles it, and nothing else
/// is done.
pub(crate) fn coordinator_dies_in_a_commit(real: &Real) {
    table(real);
    let clients = Clients::start(real);
    std::thread::sleep(Duration::from_secs(1));
    let frozen = freeze_in_commit(real);
    drop(clients);
    frozen.kill();
    std::thread::sleep(Duration::from_secs(6));
    declare(real, "s47");
    let ran = real.otb(&["plan".to_owned()]);
    assert!(ran.stdout.contains("in-doubt:dn01"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(&frozen.gid), "{} is not in\n{}", frozen.gid, ran.stdout);
    assert_eq!(apply(real, &[]).code, 3);
    declare(real, "s29");
    let ran = apply(real, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("done     settle:cn01@s29"), "{}", ran.stderr);
    is_whole(real, "a coordinator that died in a commit");
}

/// A coordinator's session stands still between the two phases: pg_clean would roll its transaction back, and otb leaves
/// it alone. The session commits when it goes on.
pub(crate) fn coordinator_is_slow_in_a_commit(real: &Real) {
    table(real);
    let clients = Clients::start(real);
    std::thread::sleep(Duration::from_secs(1));
    let frozen = freeze_in_commit(real);
    // v5's pg_clean takes none that is younger than 10 s.
    std::thread::sleep(Duration::from_secs(if real.is_v5() { 11 } else { 6 }));
    let states = format!("select global_transaction_status from pg_clean_check_txn(3) where gid = '{}'", frozen.gid);
    assert_eq!(real.sql("cn02@s47", &states).stdout.trim(), "TXN_STATUS_ABORTED", "what pg_clean would do");
    let ran = apply(real, &[]);
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("still commits"), "{}{}", ran.stdout, ran.stderr);
    frozen.go_on();
    clients.pause();
    is_whole(real, "a slow coordinator");
    tell(&clients.finish());
}

/// All clients are asleep: nothing is prepared, and the sum is what it was.
pub(crate) fn is_whole(real: &Real, after: &str) {
    nothing_is_prepared(real, after);
    the_sum_is_right(real, after);
}

fn nothing_is_prepared(real: &Real, after: &str) {
    for master in ["dn01@s29", "dn01@s47", "dn02@s47", "cn01@s29", "cn02@s47"] {
        let ran = real.sql(master, "select gid, prepared from pg_prepared_xacts where not pg_is_in_recovery()");
        assert_eq!(ran.stdout, "", "{master} after {after}");
    }
}

fn the_sum_is_right(real: &Real, after: &str) {
    for coordinator in ["cn01@s29", "cn02@s47"] {
        let ran = real.sql(coordinator, "select sum(v), count(*) from otb_accounts");
        assert_eq!(ran.stdout.trim(), "0|2000", "through {coordinator} after {after}: {}", ran.stderr);
    }
}

pub(crate) fn tell(seen: &Seen) {
    say(&format!("real lane: done {:?}, sums that were off {}, failed {:?}", seen.done, seen.odd_sums, seen.failed));
}

/// A session of cn01 that was stopped between the phases of a commit over both datanodes.
pub(crate) struct Frozen {
    pid: Pid,
    pub(crate) gid: String,
}

impl Frozen {
    pub(crate) fn kill(&self) {
        kill_process(self.pid, Signal::KILL).unwrap();
    }

    pub(crate) fn go_on(&self) {
        kill_process(self.pid, Signal::CONT).unwrap();
    }
}

/// SIGSTOPs sessions of cn01 until one of them has a transaction prepared on dn01 that stays.
pub(crate) fn freeze_in_commit(real: &Real) -> Frozen {
    let master = if recovery(real, "s29") == "f" { "dn01@s29" } else { "dn01@s47" };
    let (cn01, dn01) = (Session::open(real, "cn01@s29"), Session::open(real, master));
    let commits = if real.is_v5() {
        // pg_stat_activity does not tell which of them commits.
        "select pid from pg_stat_activity where backend_type = 'client backend' and application_name = '' \
         and pid <> pg_backend_pid() order by random() limit 1"
    } else {
        "select pid from pg_stat_activity where query = 'commit' and backend_xid is not null limit 1"
    };
    let begun = Instant::now();
    let mut tried = Vec::new();
    while begun.elapsed() < FREEZES {
        let Some(pid) = cn01.ask(commits).and_then(|pid| Pid::from_raw(pid.parse().ok()?)) else { continue };
        if kill_process(pid, Signal::STOP).is_err() {
            continue;
        }
        std::thread::sleep(Duration::from_millis(150));
        // A commit of another session is over long before the second look.
        let gids = || {
            let all =
                dn01.ask("select string_agg(gid, ' ') from pg_prepared_xacts where position(':cn01:' in gid) > 0");
            let all = all.unwrap_or_default();
            all.split(' ').filter(|gid| !gid.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let before = gids();
        std::thread::sleep(if before.is_empty() { Duration::ZERO } else { Duration::from_millis(500) });
        let held = before.iter().find(|gid| gids().contains(gid)).cloned();
        if let Some(gid) = held {
            let xid = format!("select backend_xid from pg_stat_activity where pid = {}", pid.as_raw_nonzero());
            say(&format!(
                "real lane: session {pid:?} stopped in the commit of {gid}; its transaction id is {:?}",
                cn01.ask(&xid)
            ));
            return Frozen { pid, gid };
        }
        tried.push(before);
        kill_process(pid, Signal::CONT).unwrap();
    }
    panic!("no session of cn01 could be stopped in the middle of a commit: {tried:?}");
}

fn wait_until(limit: Duration, holds: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < limit {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

pub(crate) fn apply(real: &Real, more: &[&str]) -> Ran {
    let args: Vec<String> = ["apply", "--auto-approve"].iter().chain(more).map(|arg| (*arg).to_owned()).collect();
    real.otb(&args)
}
