//! Rows that clients saw committed, while a master moves to and fro under their writes; and how long they could
//! not write, beside how long the two commands of the guide take by hand in the same run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::cluster::Real;
use crate::say;
use crate::support::ground::TestCluster as _;
use crate::writer::{Tally, Writer};

/// How much longer than `pg_ctl stop` and `pg_ctl promote` by hand the gap may be, where it is measured with care.
const MEASURED_LIMIT: f64 = 1.25;

/// The same for an everyday run: six switchovers on a machine that does other things measure no tenths of a
/// second, but a reload that is missing costs seconds.
const EVERYDAY_LIMIT: f64 = 4.0;

/// Rounds of there and back again, and the limit: `OTB_TEST_ROUNDS` asks for a measurement.
fn rounds() -> (u32, f64) {
    match std::env::var("OTB_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()) {
        Some(rounds) => (rounds, MEASURED_LIMIT),
        None => (3, EVERYDAY_LIMIT),
    }
}

/// Moves dn01 to and fro, by hand and by otb.
pub(crate) fn none_is_lost(real: &Real) {
    table(real);
    let writers = writers(real);
    std::thread::sleep(Duration::from_secs(1));
    let (mut gaps, mut hands) = (Vec::new(), Vec::new());
    let (rounds, limit) = rounds();
    for _ in 0..rounds {
        for (from, to) in [("s29", "s47"), ("s47", "s29")] {
            hands.push(real.switch_by_hand("dn01", from, to));
            settle(&writers);
        }
        for to in ["s47", "s29"] {
            gaps.push(switch_by_otb(real, "dn01", to, &writers));
        }
    }
    let tallies: Vec<Tally> = writers.into_iter().map(Writer::finish).collect();
    compare(&tallies, &rows(real));
    let (gap, hand) = (median(&mut gaps), median(&mut hands));
    let ratio = gap / hand;
    say(&format!(
        "real lane: {} switchovers of dn01 under writes: no row lost; gap seen by clients {gap:.3} s (median; {:.3} to \
         {:.3}), stop and promote by hand {hand:.3} s: {ratio:.2} times",
        gaps.len(),
        gaps[0].as_secs_f64(),
        gaps[gaps.len() - 1].as_secs_f64(),
    ));
    assert!(ratio <= limit, "the gap is {ratio:.2} times as long as by hand; the limit is {limit}");
}

/// A fresh table with rows on every datanode.
pub(crate) fn table(real: &Real) {
    let cn01 = real.instance("cn01@s29");
    real.tell(cn01, "drop table if exists otb_rows");
    real.tell(cn01, "create table otb_rows(id int primary key, n bigint) distribute by shard(id)");
    real.tell(cn01, "insert into otb_rows select i, 0 from generate_series(1, 400) i");
}

/// One writer through each coordinator, each with half of dn01's rows.
pub(crate) fn writers(real: &Real) -> Vec<Writer> {
    let of_dn01 = "select id from otb_rows where xc_node_id = (select node_id from pgxc_node where node_name = 'dn01')";
    let ids: Vec<i32> = real.sql("cn01@s29", of_dn01).stdout.lines().map(|id| id.parse().unwrap()).collect();
    assert!(ids.len() > 1, "dn01 holds no rows");
    let (one, other) = ids.split_at(ids.len() / 2);
    let start = |instance: &str, rows: &[i32]| {
        let (host, port) = real.endpoint(instance);
        Writer::start(format!("host={host} port={port} user={} dbname=postgres", real.user()), rows.to_vec())
    };
    vec![start("cn01@s29", one), start("cn02@s47", other)]
}

/// Waits until everybody writes again.
pub(crate) fn settle(writers: &[Writer]) {
    for _ in 0..100 {
        writers.iter().for_each(Writer::mark);
        std::thread::sleep(Duration::from_millis(500));
        if writers.iter().all(|writer| writer.gap() < Duration::from_millis(200)) {
            return;
        }
    }
    panic!("the writers do not write again");
}

/// The one-line change, applied; how long the unluckiest writer had to wait.
pub(crate) fn switch_by_otb(real: &Real, node: &str, to: &str, writers: &[Writer]) -> Duration {
    crate::mishaps::declare_node(real, node, to);
    writers.iter().for_each(Writer::mark);
    let ran = real.otb(&["apply".to_owned(), "--auto-approve".to_owned()]);
    assert_eq!(ran.code, 0, "{}{}\n{}\n{}", ran.stdout, ran.stderr, real.logs_of(node), real.gtm_logs());
    let gap = writers.iter().map(Writer::gap).max().unwrap();
    settle(writers);
    gap
}

pub(crate) fn rows(real: &Real) -> BTreeMap<i32, u64> {
    let ran = real.sql("cn02@s47", "select id, n from otb_rows");
    let pairs = ran.stdout.lines().filter_map(|line| line.split_once('|'));
    pairs.map(|(id, n)| (id.parse().unwrap(), n.parse().unwrap())).collect()
}

/// What was seen committed is there, and nothing that nobody wrote.
pub(crate) fn compare(tallies: &[Tally], rows: &BTreeMap<i32, u64>) {
    assert_eq!(rows.len(), 400, "rows were lost as a whole");
    for (id, n) in rows {
        let sum = |pick: fn(&Tally) -> &BTreeMap<i32, u64>| {
            tallies.iter().filter_map(|tally| pick(tally).get(id)).sum::<u64>()
        };
        let (committed, unknown) = (sum(|tally| &tally.committed), sum(|tally| &tally.unknown));
        assert!(*n >= committed, "row {id}: {committed} updates were seen committed, {n} are there");
        assert!(
            *n <= committed + unknown,
            "row {id}: {n} updates are there, {committed} to {} were sent",
            committed + unknown
        );
    }
    let all: u64 = tallies.iter().flat_map(|tally| tally.committed.values()).sum();
    assert!(all > 100, "only {all} commits were seen");
}

pub(crate) fn median(durations: &mut [Duration]) -> f64 {
    durations.sort();
    durations[durations.len() / 2].as_secs_f64()
}

impl Real {
    /// What an operator types, and how long its first two commands take; the rest of the work is done too.
    fn switch_by_hand(&self, node: &str, from: &str, to: &str) -> Duration {
        let (old, new) = (self.instance(&format!("{node}@{from}")), self.instance(&format!("{node}@{to}")));
        self.tell(old, "checkpoint");
        let begun = Instant::now();
        self.hands().must(&format!("pg_ctl -D {} stop -m fast && pg_ctl -D {} promote", old.data, new.data), 60);
        let took = begun.elapsed();
        self.lead_to(new);
        self.make_standby(old, new);
        took
    }
}
