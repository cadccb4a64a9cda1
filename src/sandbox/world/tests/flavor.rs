//! Where v5 differs (docs/explanation/opentenbase-v5-live.md).

use std::collections::BTreeMap;

use super::lab::{Lab, S29, S47};
use crate::sandbox::Flavor;
use crate::sandbox::sql::parse;
use crate::sandbox::world::{Ran, Replication, Wait};

const MOVE: &str = "alter node dn01 with (host='127.0.0.47',port=23001)";

/// With a table, so that every pooler has been used.
fn moved(flavor: Flavor) -> Lab {
    let mut lab = Lab::of(flavor);
    lab.ask("cn01@s29", "create table t(id int primary key, v int) distribute by shard(id)");
    lab
}

fn columns(lab: &mut Lab, what: &str) -> String {
    lab.ask("cn01@s29", &format!("select {what} from pgxc_node where node_name = 'dn01'"))
}

#[test]
fn v5_has_forward_ports_and_planes_and_v2_has_clusters() {
    let mut v5 = Lab::of(Flavor::V5);
    assert_eq!(columns(&mut v5, "node_forward_port, node_plane_name, node_plane_id"), "25001|opentenbase_cluster|0");
    assert!(columns(&mut v5, "node_cluster_name").starts_with("42703"));
    let mut v2 = Lab::new();
    assert!(columns(&mut v2, "node_forward_port").starts_with("42703"));
    assert_eq!(columns(&mut v2, "node_cluster_name"), "opentenbase_cluster");
}

#[test]
fn v5_keeps_the_forward_port_unless_it_is_given_and_v2_knows_none() {
    let mut v5 = Lab::of(Flavor::V5);
    assert_eq!(v5.ask("cn01@s29", MOVE), "ALTER NODE");
    assert_eq!(columns(&mut v5, "node_host, node_forward_port"), format!("{S47}|25001"));
    assert_eq!(v5.ask("cn01@s29", "alter node dn01 with (forward=30001)"), "ALTER NODE");
    assert_eq!(columns(&mut v5, "node_host, node_forward_port"), format!("{S47}|30001"));
    let refused = parse("alter node dn01 with (forward=70000)").unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), ("22003", "forward port value is out of range"));
    let mut v2 = Lab::new();
    assert_eq!(v2.ask("cn01@s29", "alter node dn01 with (forward=30001)"), "42601: incorrect option: forward");
}

#[test]
fn versions_are_told_apart() {
    assert!(Lab::of(Flavor::V5).ask("cn01@s29", "show server_version").starts_with("10.0 @ OpenTenBase_v5"));
    assert_eq!(Lab::new().ask("cn01@s29", "show server_version"), "10.0 OpenTenBase V2");
}

#[test]
fn v5_tells_its_own_forward_port_and_v2_has_none() {
    let own = "select setting from pg_settings where name = 'forward_port'";
    let mut v5 = Lab::of(Flavor::V5);
    assert_eq!(v5.ask("dn01@s29", "show forward_port"), v5.ask("dn01@s29", own));
    assert_eq!(v5.ask("dn01@s29", own), "6669");
    let mut v2 = Lab::new();
    assert_eq!(v2.ask("dn01@s29", "select count(*) from pg_settings where name = 'forward_port'"), "0");
    assert!(v2.ask("dn01@s29", "show forward_port").starts_with("42704"));
}

/// A session that has used dn01, and one that has used dn02 only, when a third one reloads.
fn after_a_reload(flavor: Flavor) -> [String; 3] {
    let mut lab = moved(flavor);
    let sessions = [lab.session("cn01@s29"), lab.session("cn01@s29"), lab.session("cn01@s29")];
    lab.one(sessions[0], "execute direct on (dn01) 'select 1'");
    lab.one(sessions[1], "execute direct on (dn02) 'select 1'");
    lab.one(sessions[2], "execute direct on (dn01) 'select 1'");
    lab.one(sessions[2], MOVE);
    assert_eq!(lab.one(sessions[2], "select pgxc_pool_reload()"), "t");
    sessions.map(|session| lab.one(session, "select 1"))
}

const GONE: &str = "57P01: terminating connection due to administrator command";

#[test]
fn a_v5_reload_ends_every_session_with_a_connection_but_its_own() {
    assert_eq!(after_a_reload(Flavor::V5), [GONE, GONE, "1"]);
    assert_eq!(after_a_reload(Flavor::V2), ["1", "1", "1"]);
}

/// Sessions give their connections back some time after their last transaction.
#[test]
fn a_v5_reload_spares_sessions_that_are_idle_for_long() {
    let mut lab = moved(Flavor::V5);
    let [idle, own, busy, open] = [(); 4].map(|()| lab.session("cn01@s29"));
    let eager = lab.session_with("cn01@s29", &[("persistent_connections_timeout", "0")]);
    lab.one(open, "begin");
    for session in [idle, open, eager] {
        lab.one(session, "execute direct on (dn01) 'select 1'");
    }
    for _ in 0..5000 {
        lab.now();
    }
    lab.one(busy, "execute direct on (dn01) 'select 1'");
    lab.one(own, "select pgxc_pool_reload()");
    assert_eq!([busy, open].map(|session| lab.one(session, "select 1")), [GONE, GONE]);
    assert_eq!([idle, eager, own].map(|session| lab.one(session, "select 1")), ["1", "1", "1"]);
}

/// An ALTER NODE beside a reader: v2.6's waits, v5's does not, unless another one has the same row.
#[test]
fn a_v5_alter_node_waits_for_nobody_but_another_one_of_the_same_row() {
    for flavor in [Flavor::V2, Flavor::V5] {
        let mut lab = Lab::of(flavor);
        let [reader, first, second] = [(); 3].map(|()| lab.session("cn01@s29"));
        lab.one(reader, "begin");
        lab.one(reader, "select count(*) from pgxc_node");
        let beside = lab.ran(first, MOVE);
        lab.world.stop_waiting(lab.disk("cn01@s29"), first);
        if flavor == Flavor::V2 {
            assert_eq!(beside, Ran::Wait(Wait::Lock));
            continue;
        }
        assert!(matches!(beside, Ran::Done(_)), "{beside:?}");
        lab.one(first, "begin");
        lab.one(first, "alter node dn01 with (port=23001)");
        assert_eq!(lab.ran(second, "alter node dn01 with (port=23002)"), Ran::Wait(Wait::Lock));
        lab.one(first, "alter node dn01 with (port=23009)");
        lab.one(first, "commit");
        let updated = lab.one(second, "alter node dn01 with (port=23002)");
        assert_eq!(updated, "XX000: tuple concurrently updated");
        assert_eq!(lab.one(second, "alter node dn01 with (port=23002)"), "ALTER NODE");
    }
}

#[test]
fn a_v5_datanode_alters_its_routes_without_a_gtm() {
    for (flavor, says) in [(Flavor::V2, "XX000: failed to get global timestamp"), (Flavor::V5, "ALTER NODE")] {
        let mut lab = Lab::of(flavor);
        lab.kill("gtm_1@s29");
        let answer = lab.ask("dn01@s29", "alter node dn02 with (port=23002)");
        assert!(answer.starts_with(says), "{answer}");
    }
}

#[test]
fn a_promoted_v5_gtm_gives_no_timestamp_before_its_next_round() {
    for flavor in [Flavor::V2, Flavor::V5] {
        let mut lab = Lab::of(flavor);
        lab.stop("gtm_1@s29");
        let (disk, now) = (lab.disk("gtm_1@s47"), lab.now());
        lab.world.promote_gtm(disk, now);
        lab.ask("cn01@s29", &format!("alter gtm node gtm_1 with (host='{S47}',port=21000)"));
        let session = lab.session("cn01@s29");
        if flavor == Flavor::V5 {
            assert_eq!(lab.ran(session, "select 1"), Ran::Wait(Wait::NoGtm));
            for _ in 0..5000 {
                lab.now();
            }
        }
        assert_eq!(lab.one(session, "select 1"), "1");
    }
}

#[test]
fn a_v5_master_whose_forward_port_is_taken_takes_no_connections() {
    let mut lab = moved(Flavor::V5);
    assert_eq!(lab.world.forwards_at(lab.disk("dn01@s47")), None);
    let (host, port) = lab.world.forwards_at(lab.disk("dn01@s29")).unwrap();
    assert_eq!((host.as_str(), port), (S29, 6669));
    lab.world.cannot_forward(lab.disk("dn01@s29"));
    let refused = lab.log_in("dn01@s29", Replication::No, BTreeMap::new()).unwrap().unwrap_err();
    assert_eq!(refused.code, "57P03");
    assert!(lab.ask("cn01@s29", "execute direct on (dn01) 'select 1'").starts_with("53000"));
}

/// The forward sender of a new master is there half a second later.
#[test]
fn a_v5_reload_on_a_new_master_takes_half_a_second() {
    for (flavor, takes) in [(Flavor::V2, 0), (Flavor::V5, 500)] {
        let mut lab = Lab::of(flavor);
        lab.stop("dn01@s29");
        lab.promote("dn01@s47");
        let session = lab.session("dn01@s47");
        assert_eq!(lab.done(session, "select pgxc_pool_reload()").delay, takes);
        assert_eq!(lab.done(session, "select 1").delay, 0);
        for _ in 0..500 {
            lab.now();
        }
        assert_eq!(lab.done(session, "select pgxc_pool_reload()").delay, 0);
    }
}
