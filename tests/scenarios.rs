//! The golden scenarios, each through the real binary on a sandbox of its own; and the conformance checks.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "conformance/mod.rs"]
mod conformance;
#[path = "conformance/held.rs"]
mod conformance_of;
mod support;

use std::path::Path;

use support::sandbox::Sandbox;

/// One test per file, so that the runner names the one that failed.
macro_rules! scenarios {
    ($($name:ident $(with $more:literal $($value:literal)?)?),* $(,)?) => {
        $(#[test]
        fn $name() {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/", stringify!($name), ".md");
            support::script::run(Path::new(file), &Sandbox::up(&[$($more, $($value)?)?]));
        })*

        /// A file that no test runs would rot.
        #[test]
        fn every_file_is_run() {
            let mut files: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                // v5/ has those that differ there.
                .filter(|name| name.ends_with(".md"))
                .collect();
            files.sort();
            let mut run = vec![$(concat!(stringify!($name), ".md")),*];
            run.sort_unstable();
            assert_eq!(files, run);
        }
    };
}

scenarios![
    nothing_to_do,
    switchover_and_back,
    failover_of_a_killed_master,
    failover_that_would_lose_data,
    failover_that_salvages,
    failover_that_loses_no_transaction,
    cut_off_after_the_stop,
    cut_off_after_the_promotion,
    wrong_port_on_one_router,
    rehearsal,
    stale_pooler,
    standby_without_wal,
    rejoin_of_an_old_master,
    recovery_conf_not_writable,
    master_hangs,
    client_in_a_transaction,
    no_connection_slot,
    lagging_standby,
    replay_paused,
    synchronous_switchover,
    synchronous_names_that_match_no_copy,
    synchronous_failover,
    transaction_in_doubt,
    transaction_in_doubt_beside_a_clients,
    transaction_in_doubt_slow_coordinator,
    checkpoint_behind_a_transaction_in_doubt,
    data_directory_missing,
    drain_of_a_server,
    gtm_switchover,
    gtm_killed,
    router_down_while_masters_move,
    split_brain,
    split_brain_both_routed,
    split_brain_of_the_gtm,
    the_whole_seed with "--coordinator-standbys",
    server_dead with "--coordinator-standbys",
    server_dead_with_a_lone_coordinator,
    several_standbys with "--from" "tests/support/several_standbys.yaml",
    several_standbys_of_the_gtm with "--from" "tests/support/several_standbys_of_the_gtm.yaml",
    split_brain_with_a_standby with "--from" "tests/support/several_standbys.yaml",
];
