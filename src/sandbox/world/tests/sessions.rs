//! Sessions, settings, locks, and what views say about them.

use std::collections::BTreeMap;

use super::lab::Lab;
use crate::sandbox::world::{Replication, millis};

#[test]
fn advisory_locks_are_cluster_wide_and_end_with_their_session() {
    let mut lab = Lab::new();
    let (first, second) = (lab.session("cn01@s29"), lab.session("cn02@s47"));
    assert_eq!(lab.one(first, "select pg_try_advisory_lock(4711)"), "t");
    assert_eq!(lab.one(second, "select pg_try_advisory_lock(4711)"), "f");
    lab.world.close(first);
    assert_eq!(lab.one(second, "select pg_try_advisory_lock(4711)"), "t");
}

#[test]
fn settings_come_from_the_session_the_file_and_the_defaults() {
    let mut lab = Lab::new();
    let disk = lab.disk("cn01@s29");
    lab.world.reload(disk, [("wal_keep_segments".to_owned(), "64".to_owned())].into());
    let session = lab.session_with("cn01@s29", &[("lock_timeout", "2s")]);
    for (name, value) in [
        ("lock_timeout", "2s"),
        ("wal_keep_segments", "64"),
        ("max_wal_senders", "10"),
        ("server_version", "10.0 OpenTenBase V2"),
        ("pgxc_cluster_name", "opentenbase_cluster"),
        ("data_directory", "/sandbox/s29/cn01"),
        ("synchronous_standby_names", ""),
    ] {
        assert_eq!(lab.one(session, &format!("show {name}")), value);
    }
    let asked = "select name, setting from pg_settings where name in ('port', 'wal_keep_segments') order by name";
    assert_eq!(lab.rows(session, asked), ["port|15432", "wal_keep_segments|64"]);
    assert_eq!(
        lab.one(session, "show in_hot_standby"),
        "42704: unrecognized configuration parameter \"in_hot_standby\""
    );
}

#[test]
fn long_transactions_are_seen_in_pg_stat_activity() {
    let mut lab = Lab::new();
    let long = lab.session_with("cn01@s29", &[("application_name", "batch")]);
    lab.one(long, "begin");
    lab.one(long, "select 1");
    let asked = "select application_name, state, xact_start < now() from pg_stat_activity where xact_start is not null and pid <> pg_backend_pid()";
    assert_eq!(lab.ask("cn01@s29", asked), "batch|idle in transaction|t");
}

#[test]
fn transactions_in_doubt_travel_to_the_standby() {
    let mut lab = Lab::new();
    let (disk, now) = (lab.disk("dn01@s29"), lab.now());
    lab.world.set_prepared(disk, "_T1", true, now);
    for name in ["dn01@s29", "dn01@s47"] {
        assert_eq!(lab.ask(name, "select gid, database from pg_prepared_xacts"), "_T1|postgres");
    }
}

#[test]
fn a_physical_replication_connection_knows_no_sql() {
    let mut lab = Lab::new();
    let session = lab.log_in("dn01@s29", Replication::Physical, BTreeMap::new()).unwrap().unwrap();
    assert!(lab.one(session, "IDENTIFY_SYSTEM").ends_with("|NULL"));
    assert_eq!(lab.one(session, "show data_directory"), "/sandbox/s29/dn01");
    assert_eq!(lab.one(session, "select 1"), "XX000: not connected to database");
    let other = lab.session("dn01@s29");
    assert!(lab.one(other, "IDENTIFY_SYSTEM").starts_with("42601"));
}

#[test]
fn logins_are_checked() {
    let mut lab = Lab::new();
    let (disk, now) = (lab.disk("cn01@s29"), lab.now());
    let login = |user: &str, database: &str| crate::sandbox::world::Login {
        user: user.to_owned(),
        database: database.to_owned(),
        client: None,
        replication: Replication::No,
        settings: BTreeMap::new(),
    };
    let refused =
        |lab: &mut Lab, user, database| lab.world.open(disk, login(user, database), now).unwrap().unwrap_err().code;
    assert_eq!(refused(&mut lab, "nobody", "postgres"), "28000");
    assert_eq!(refused(&mut lab, "opentenbase", "nowhere"), "3D000");
}

#[test]
fn time_settings_are_read_with_their_units() {
    for (text, wanted) in
        [("500", Some(500)), ("2s", Some(2000)), ("300ms", Some(300)), ("1min", Some(60_000)), ("x", None)]
    {
        assert_eq!(millis(text), wanted, "{text}");
    }
}
