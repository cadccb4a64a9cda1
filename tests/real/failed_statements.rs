//! What 24 clients see of a move of dn01, by each way to do it, in one run: how many of their statements fail, how long the
//! longest takes, and what is left in doubt. A table for docs/performance.md and README.md.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::clients::{Clients, table};
use crate::cluster::Real;
use crate::doubt::{apply, rounds};
use crate::hold::keep_no_connections;
use crate::mishaps::{declare, set_policy};
use crate::rows::median;
use crate::say;
use crate::support::ground::TestCluster as _;

/// How long clients get to work again by themselves.
const CAP: Duration = Duration::from_secs(12);

/// Clients among which no statement fails for so long, and none waits for as long, work again.
const QUIET: Duration = Duration::from_secs(1);

/// How long it may take until the cluster is in order again.
const ORDER: Duration = Duration::from_secs(90);

/// After this time a transaction that is still prepared is in doubt.
const IN_DOUBT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The guide's commands, one after the other.
    Guide,
    /// The same with a pool reload after each ALTER NODE.
    GuideAndReload,
    OtbWithoutHold,
    Otb,
}

const WAYS: [(Way, &str); 4] = [
    (Way::Guide, "the guide by hand"),
    (Way::GuideAndReload, "the guide with pool reloads"),
    (Way::OtbWithoutHold, "otb apply, `hold: off`"),
    (Way::Otb, "otb apply"),
];

/// What clients saw of one move.
#[derive(Debug)]
struct Move {
    way: Way,
    failed: u64,
    /// Of a client for an answer, with whatever failed meanwhile.
    longest: Duration,
    /// They worked again by themselves.
    recovered: bool,
    in_doubt: usize,
    /// Audits that saw money come or go.
    odd_sums: u64,
    /// The fast stop did not end within the time that the guide's pg_ctl waits.
    stuck: bool,
}

/// Moves dn01 by each way, once there or back, with `OTB_TEST_ROUNDS` there and back in each round; otb itself, which holds
/// clients, must not fail one.
pub(crate) fn of_each_way(real: &Real) {
    table(real);
    keep_no_connections(real);
    let clients = Clients::start(real);
    let mut moves = Vec::new();
    let there_and_back = [("s29", "s47"), ("s47", "s29")];
    let turns: Vec<_> = match rounds(0) {
        0 => WAYS.into_iter().zip(there_and_back.into_iter().cycle()).collect(),
        rounds => (0..rounds).flat_map(|_| WAYS).flat_map(|way| there_and_back.map(|turn| (way, turn))).collect(),
    };
    for ((way, _), turn) in turns {
        let seen = once(real, &clients, way, turn);
        say(&format!("real lane: {seen:?}"));
        moves.push(seen);
    }
    clients.finish();
    say(&rendered(&moves));
    for seen in moves.iter().filter(|seen| matches!(seen.way, Way::Otb | Way::OtbWithoutHold)) {
        assert!(seen.recovered && seen.in_doubt == 0, "{seen:?}");
        assert!(seen.way != Way::Otb || seen.failed == 0 && seen.odd_sums == 0, "{seen:?}");
    }
}

fn once(real: &Real, clients: &Clients, way: Way, (from, to): (&str, &str)) -> Move {
    assert!(clients.all_go_on(QUIET, ORDER), "clients do not work before {way:?}");
    clients.take();
    let stuck = match way {
        Way::Guide | Way::GuideAndReload => by_the_guide(real, way, from, to),
        Way::OtbWithoutHold | Way::Otb => {
            set_policy(real, if way == Way::Otb { "" } else { ", hold: off" });
            declare(real, to);
            let ran = apply(real, &[]);
            assert_eq!(ran.code, 0, "{}{}\n{}", ran.stdout, ran.stderr, real.logs_of("dn01"));
            false
        }
    };
    let recovered = clients.all_go_on(QUIET, CAP);
    let longest = clients.longest_wait().max(clients.longest_silence());
    let seen = clients.take();
    std::thread::sleep(IN_DOUBT);
    let in_doubt = in_doubt(real);
    if matches!(way, Way::Guide | Way::GuideAndReload) {
        put_in_order(real, to, in_doubt.is_empty());
        real.make_standby(real.instance(&format!("dn01@{from}")), real.instance(&format!("dn01@{to}")));
        declare(real, to);
    }
    Move {
        way,
        failed: seen.failures(|_| true),
        longest,
        recovered,
        in_doubt: in_doubt.len(),
        odd_sums: seen.odd_sums,
        stuck,
    }
}

/// The guide's commands; whether the fast stop did not end, so that an operator has to end it.
fn by_the_guide(real: &Real, way: Way, from: &str, to: &str) -> bool {
    let (old, new) = (real.instance(&format!("dn01@{from}")), real.instance(&format!("dn01@{to}")));
    let stop = |mode: &str, seconds: u32| format!("pg_ctl -Z datanode -D {} stop -m {mode} -t {seconds}", old.data);
    let stuck = real.hands().run(&stop("f", 60), &[], 90).code != 0;
    if stuck {
        real.hands().must(&stop("immediate", 60), 90);
    }
    real.hands().must(&format!("pg_ctl -Z datanode -D {} promote", new.data), 60);
    for router in ["cn01@s29", "cn02@s47", &format!("dn01@{to}"), "dn02@s47"] {
        real.tell(real.instance(router), &format!("alter node dn01 with ({})", real.place(new)));
        if way == Way::GuideAndReload {
            real.tell(real.instance(router), "select pgxc_pool_reload()");
        }
    }
    stuck
}

/// The gids that have been prepared on any master for some time.
fn in_doubt(real: &Real) -> BTreeSet<String> {
    let old = format!(
        "select gid from pg_prepared_xacts where not pg_is_in_recovery() and prepared < now() - interval '{} s'",
        IN_DOUBT.as_secs()
    );
    let masters = ["dn01@s29", "dn01@s47", "dn02@s47", "cn01@s29", "cn02@s47"];
    let all = masters.map(|master| real.sql(master, &old).stdout);
    all.iter().flat_map(|gids| gids.lines().map(str::to_owned)).collect()
}

/// What an operator does when clients still fail or hang: pool reloads, and pg_clean until nothing is in doubt.
fn put_in_order(real: &Real, to: &str, nothing_in_doubt: bool) {
    // On v5 datanodes exchange rows, so their pools count as well.
    for router in ["cn01@s29", "cn02@s47", &format!("dn01@{to}"), "dn02@s47"] {
        real.tell(real.instance(router), "select pgxc_pool_reload()");
    }
    let begun = Instant::now();
    let mut clean = nothing_in_doubt;
    while !clean {
        assert!(begun.elapsed() < ORDER, "still in doubt: {:?}", in_doubt(real));
        real.sql("cn01@s29", "select * from pg_clean_execute(10)");
        std::thread::sleep(Duration::from_secs(1));
        clean = in_doubt(real).is_empty();
    }
}

fn rendered(moves: &[Move]) -> String {
    let mut out =
        "| way | moves | statements failed in a move, median (least to most) | longest wait, median s (least to \
                   most) | transactions in doubt | sums that were off | stops that did not end |\n\
                   |---|---|---|---|---|---|---|\n"
            .to_owned();
    for (way, words) in WAYS {
        let of: Vec<&Move> = moves.iter().filter(|seen| seen.way == way).collect();
        let Some(all) = of.iter().map(|seen| seen.recovered).reduce(|all, one| all && one) else { continue };
        // Whoever does not recover goes on failing for as long as one looks.
        let more = if all { "" } else { "> " };
        let mut failed: Vec<u64> = of.iter().map(|seen| seen.failed).collect();
        failed.sort_unstable();
        let mut longest: Vec<Duration> = of.iter().map(|seen| seen.longest).collect();
        let middle = median(&mut longest);
        let _ = writeln!(
            out,
            "| {words} | {} | {more}{} ({} to {}) | {more}{middle:.2} ({:.2} to {:.2}) | {} | {} | {} |",
            of.len(),
            failed[failed.len() / 2],
            failed[0],
            failed[failed.len() - 1],
            longest[0].as_secs_f64(),
            longest[longest.len() - 1].as_secs_f64(),
            of.iter().map(|seen| seen.in_doubt).sum::<usize>(),
            of.iter().map(|seen| seen.odd_sums).sum::<u64>(),
            of.iter().filter(|seen| seen.stuck).count(),
        );
    }
    out
}
