//! pgxc_node and the pooler (opentenbase-v2.6-live.md, "Routes and poolers").

use std::collections::BTreeMap;

use super::lab::{Lab, S29, S47};
use crate::sandbox::world::{FaultMode, Ran, Wait};

/// Moves dn01 to s47 up to the routes.
fn moved() -> Lab {
    let mut lab = Lab::new();
    lab.ask("cn01@s29", "create table t(id int primary key, v int) distribute by shard(id)");
    lab.ask("cn01@s29", "insert into t select i, 0 from generate_series(1, 10) i");
    lab.stop("dn01@s29");
    lab.promote("dn01@s47");
    lab
}

const ALTER: &str = "alter node dn01 with (host='127.0.0.47',port=23001)";

#[test]
fn pgxc_node_has_one_row_per_node_and_one_gtm_row() {
    let mut lab = Lab::new();
    let session = lab.session("cn01@s29");
    let rows = lab
        .rows(session, "select node_name, node_type, node_host, node_port, nodeis_primary from pgxc_node order by 1");
    assert_eq!(
        rows,
        [
            "cn01|C|127.0.0.29|15432|f",
            "cn02|C|127.0.0.47|15432|f",
            "dn01|D|127.0.0.29|23001|f",
            "dn02|D|127.0.0.47|23002|f",
            "gtm_1|G|127.0.0.29|21000|t",
        ]
    );
}

#[test]
fn a_standby_shows_its_masters_catalog_as_of_its_replay() {
    let mut lab = Lab::new();
    let (standby, now) = (lab.disk("dn01@s47"), lab.now());
    let ask = "select node_port from pgxc_node where node_name = 'cn01'";
    lab.world.pause_replay(standby, true, now);
    lab.ask("dn01@s29", "alter node cn01 with (port=1)");
    assert_eq!(lab.ask("dn01@s47", ask), "15432");
    let now = lab.now();
    lab.world.pause_replay(standby, false, now);
    assert_eq!(lab.ask("dn01@s47", ask), "1");
}

/// Live on v2.6: this text, its md5 as here, and the same on every router that agrees.
#[test]
fn equal_tables_have_equal_digests_and_no_answer_outlives_a_change() {
    let mut lab = Lab::new();
    let rows = "string_agg(row(node_name, node_type, node_port, nullif(node_host, node_host))::text, ',' \
                order by node_name)";
    let text = "(cn01,C,15432,),(cn02,C,15432,),(dn01,D,23001,),(dn02,D,23002,),(gtm_1,G,21000,)";
    assert_eq!(lab.ask("cn01@s29", &format!("select {rows} from pgxc_node")), text);
    assert_eq!(
        lab.ask("cn01@s29", r"select row('a b', '', 'x\y', null, true, 'z')::text"),
        r#"("a b","","x\\y",,t,z)"#
    );
    let ask = crate::opentenbase::query::routes_digest(None);
    let before = lab.ask("cn01@s29", ask.as_str());
    assert_eq!((before.len(), &lab.ask("dn01@s47", ask.as_str())), (32, &before));
    let session = lab.session("cn02@s47");
    lab.one(session, "begin");
    lab.one(session, "alter node dn01 with (port=1)");
    assert_ne!(lab.one(session, ask.as_str()), before);
    assert_eq!(lab.ask("cn02@s47", ask.as_str()), before);
    lab.one(session, "commit");
    assert_ne!(lab.ask("cn02@s47", ask.as_str()), before);
    assert_eq!(lab.ask("cn01@s29", ask.as_str()), before);
    let full = crate::opentenbase::query::routes_with_digest(None);
    let session = lab.session("cn01@s29");
    let rows = lab.rows(session, full.as_str());
    assert!(rows.len() == 5 && rows.iter().all(|row| row.ends_with(&before)));
}

#[test]
fn alter_node_is_transactional() {
    let mut lab = Lab::new();
    let session = lab.session("cn01@s29");
    let ask = "select node_port from pgxc_node where node_name='dn01'";
    lab.one(session, "begin");
    lab.one(session, "alter node dn01 with (port=1)");
    assert_eq!(lab.one(session, ask), "1");
    assert_eq!(lab.ask("cn01@s29", ask), "23001");
    lab.one(session, "rollback");
    assert_eq!(lab.one(session, ask), "23001");
}

#[test]
fn alter_node_says_what_a_live_server_says() {
    let mut lab = Lab::new();
    for (sql, answer) in [
        ("alter node nope with (host='x',port=1)", "42704: PGXC Node nope: object not defined"),
        ("alter gtm node gtm_1 with (port=1)", "42601: PGXC node gtm_1: host, port should be specified"),
        ("alter gtm node dn01 with (host='x',port=1)", "ALTER NODE"),
        ("drop node cn01", "42601: PGXC Node cn01: cannot drop local node"),
        ("alter node dn01 with (host='127.0.0.29')", "ALTER NODE"),
    ] {
        assert_eq!(lab.ask("cn01@s29", sql), answer, "{sql}");
    }
    let on_standby = lab.ask("dn01@s47", ALTER);
    assert!(on_standby.starts_with("55000: cannot acquire lock mode AccessExclusiveLock"), "{on_standby}");
}

#[test]
fn a_longer_host_is_cut_silently() {
    let mut lab = Lab::new();
    let long = "h".repeat(70);
    lab.ask("cn01@s29", &format!("alter node dn01 with (host='{long}')"));
    assert_eq!(lab.ask("cn01@s29", "select length(node_host) from pgxc_node where node_name = 'dn01'"), "63");
}

#[test]
fn without_a_reload_the_pooler_keeps_the_old_address() {
    let mut lab = moved();
    lab.ask("cn01@s29", ALTER);
    assert_eq!(lab.ask("cn01@s29", "select pgxc_pool_check()"), "f");
    for _ in 0..5 {
        assert_eq!(lab.ask("cn01@s29", "update t set v = 1 where id = 2"), "53000: Failed to get pooled connections");
    }
    // The old master comes back as a standby: now its writes fail with another text (section 3).
    lab.start("dn01@s29", Some((S47, 23_001)));
    let answer = lab.ask("cn01@s29", "update t set v = 1 where id = 2");
    assert!(answer.starts_with("25006: node:dn01, backend_pid:"), "{answer}");
    assert!(answer.ends_with("message:cannot execute UPDATE in a read-only transaction"), "{answer}");
}

#[test]
fn a_pool_agrees_with_any_route_that_it_holds_no_connection_for() {
    let mut lab = Lab::new();
    lab.ask("cn01@s29", "alter node dn02 with (port=23999)");
    assert_eq!(lab.ask("cn01@s29", "select pgxc_pool_check()"), "t");
    lab.ask("cn01@s29", "alter node dn02 with (port=23002)");
    lab.ask("cn01@s29", "execute direct on (dn02) 'select 1'");
    lab.ask("cn01@s29", "alter node dn02 with (port=23999)");
    assert_eq!(lab.ask("cn01@s29", "select pgxc_pool_check()"), "f");
    lab.ask("cn01@s29", "select pgxc_pool_reload()");
    lab.ask("cn01@s29", "alter node dn02 with (port=23002)");
    assert_eq!(lab.ask("cn01@s29", "select pgxc_pool_check()"), "t", "the reload dropped the connection");
}

#[test]
fn a_reload_cures_at_once() {
    let mut lab = moved();
    lab.ask("cn01@s29", ALTER);
    assert_eq!(lab.ask("cn01@s29", "select pgxc_pool_reload()"), "t");
    assert_eq!(lab.ask("cn01@s29", "select pgxc_pool_check()"), "t");
    assert_eq!(lab.ask("cn01@s29", "update t set v = 1 where id = 2"), "UPDATE 1");
}

#[test]
fn another_pooler_heals_after_two_failures() {
    let mut lab = moved();
    let cn02 = lab.disk("cn02@s47");
    lab.world.set_temper(cn02, FaultMode::Heals);
    lab.ask("cn02@s47", ALTER);
    let answers: Vec<String> = (0..3).map(|_| lab.ask("cn02@s47", "update t set v = 1 where id = 2")).collect();
    assert_eq!(answers[..2], ["53000: Failed to get pooled connections", "53000: Failed to get pooled connections"]);
    assert_eq!(answers[2], "UPDATE 1");
}

#[test]
fn a_reload_is_refused_inside_a_transaction() {
    let mut lab = Lab::new();
    let session = lab.session("cn01@s29");
    lab.one(session, "begin");
    assert_eq!(
        lab.one(session, "select pgxc_pool_reload()"),
        "25001: pgxc_pool_reload cannot run inside a transaction block"
    );
    assert!(lab.one(session, "select 1").starts_with("25P02"));
    assert_eq!(lab.one(session, "commit"), "ROLLBACK");
}

#[test]
fn pool_check_is_always_true_on_a_datanode() {
    let mut lab = moved();
    lab.ask("dn02@s47", ALTER);
    assert_eq!(lab.ask("dn02@s47", "select pgxc_pool_check()"), "t");
}

#[test]
fn other_shards_go_on_during_the_gap() {
    let mut lab = moved();
    assert_eq!(lab.ask("cn01@s29", "update t set v = 1 where id = 2"), "53000: Failed to get pooled connections");
    assert_eq!(lab.ask("cn01@s29", "update t set v = 1 where id = 3"), "UPDATE 1");
    assert_eq!(lab.ask("cn01@s29", "select count(*) from t"), "53000: Failed to get pooled connections");
}

#[test]
fn a_coordinators_checkpoint_is_every_datanodes_and_fails_with_any() {
    let mut lab = moved();
    assert_eq!(lab.ask("cn01@s29", "checkpoint"), "53000: Failed to get pooled connections");
    assert_eq!(lab.ask("dn02@s47", "checkpoint"), "CHECKPOINT");
    let mut lab = Lab::new();
    let end = "select pg_current_wal_lsn()";
    let before = lab.ask("dn02@s47", end);
    assert_eq!(lab.ask("cn01@s29", "checkpoint"), "CHECKPOINT");
    assert_ne!(lab.ask("dn02@s47", end), before);
}

#[test]
fn execute_direct_proves_which_process_a_route_reaches() {
    let mut lab = Lab::new();
    let ask = "execute direct on (dn01) 'select pg_is_in_recovery(), pg_postmaster_start_time()'";
    let through = lab.ask("cn01@s29", ask);
    assert_eq!(through, lab.ask("dn01@s29", "select pg_is_in_recovery(), pg_postmaster_start_time()"));
    // Over the unix socket where both share a server, over TCP otherwise.
    let addr = "execute direct on (dn01) 'select inet_server_addr()'";
    assert_eq!(lab.ask("cn01@s29", addr), "NULL");
    assert_eq!(lab.ask("cn02@s47", addr), S29);
    assert!(lab.ask("dn01@s29", ask).starts_with("0A000: EXECUTE DIRECT cannot be executed on a Datanode"));
}

#[test]
fn alter_node_waits_for_an_open_reader_and_new_logins_queue_behind_it() {
    let mut lab = Lab::new();
    let reader = lab.session("cn01@s29");
    lab.one(reader, "begin");
    lab.one(reader, "select count(*) from pgxc_node");
    let writer = lab.session("cn01@s29");
    assert_eq!(lab.ran(writer, ALTER), Ran::Wait(Wait::Lock));
    assert_eq!(lab.log_in("cn01@s29", crate::sandbox::world::Replication::No, BTreeMap::new()), Err(Wait::Lock));
    lab.one(reader, "commit");
    assert_eq!(lab.one(writer, ALTER), "ALTER NODE");
    lab.session("cn01@s29");
}

#[test]
fn an_open_alter_of_the_same_row_is_waited_for_and_of_another_not() {
    let mut lab = Lab::new();
    let (first, second) = (lab.session("cn01@s29"), lab.session("cn01@s29"));
    lab.one(first, "begin");
    lab.one(first, ALTER);
    assert_eq!(lab.ran(second, ALTER), Ran::Wait(Wait::Lock));
    let disk = lab.disk("cn01@s29");
    lab.world.stop_waiting(disk, second);
    assert_eq!(lab.one(second, "alter node dn02 with (port=23002)"), "ALTER NODE");
}

#[test]
fn create_and_drop_node_change_the_catalog() {
    let mut lab = Lab::new();
    assert_eq!(
        lab.ask("cn01@s29", "create node dn03 with (type=datanode, host='127.0.0.29', port=23003)"),
        "CREATE NODE"
    );
    assert_eq!(lab.ask("cn01@s29", "select node_type from pgxc_node where node_name='dn03'"), "D");
    assert_eq!(lab.ask("cn01@s29", "drop node dn03"), "DROP NODE");
    assert!(lab.ask("cn01@s29", "drop node cn01").contains("cannot drop local node"));
}
