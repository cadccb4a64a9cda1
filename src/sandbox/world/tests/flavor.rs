//! Where v5 differs, as its source has it.

use super::lab::{Lab, S47};
use crate::sandbox::Flavor;
use crate::sandbox::sql::parse;

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

#[test]
fn a_v5_reload_ends_the_sessions_that_hold_a_changed_connection_but_its_own() {
    let gone = "57P01: terminating connection due to administrator command";
    assert_eq!(after_a_reload(Flavor::V5), [gone, "1", "1"]);
    assert_eq!(after_a_reload(Flavor::V2), ["1", "1", "1"]);
}

/// Nothing has changed, so nothing is cut.
#[test]
fn a_v5_reload_without_a_change_ends_nobody() {
    let mut lab = moved(Flavor::V5);
    let (other, own) = (lab.session("cn01@s29"), lab.session("cn01@s29"));
    lab.one(other, "execute direct on (dn01) 'select 1'");
    lab.one(own, "select pgxc_pool_reload()");
    assert_eq!(lab.one(other, "select 1"), "1");
}
