//! What clients are told to expect: more where answers are slow or a standby lags, nothing where nobody knows.

use super::seed::{cluster, healthy, id, make_plan, stop};
use crate::model::*;
use crate::plan::ExpectedGap;

fn expected(declared: &Cluster, seen: &Observation) -> Option<ExpectedGap> {
    make_plan(declared, seen).expected_gap(&id("dn01@s47").node)
}

fn answers_in(seen: &mut Observation, at: &str, micros: u64) {
    seen.instances.get_mut(&id(at)).unwrap().round_trip = Fact::Known(micros);
}

#[test]
fn the_slowest_of_those_who_are_asked_in_the_gap_counts() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    let without = expected(&declared, &seen).unwrap();
    assert_eq!((without.least_milliseconds, without.most_milliseconds), (80, 1700));
    for (at, micros) in [("cn01@s29", 400), ("cn02@s47", 10_000), ("dn01@s29", 9_000_000)] {
        answers_in(&mut seen, at, micros);
    }
    // The old master is asked nothing any more.
    let with = expected(&declared, &seen).unwrap();
    assert_eq!((with.least_milliseconds, with.most_milliseconds), (80 + 80, 1700 + 240));
}

#[test]
fn a_standby_that_lags_has_to_replay_first() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    seen.instances.get_mut(&id("dn01@s29")).unwrap().wal_end = Fact::Known(Lsn(1000 + (16 << 20)));
    let gap = expected(&declared, &seen).unwrap();
    assert_eq!((gap.least_milliseconds, gap.most_milliseconds), (80, 1700 + 1000));
}

#[test]
fn how_long_a_node_without_a_master_is_down_is_not_ours_to_say() {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    stop(&mut seen, "dn01@s29", ControlState::InProduction);
    assert_eq!(expected(&declared, &seen), None);
    assert_eq!(expected(&cluster("s29"), &healthy(&cluster("s29"))), None);
}
