//! Old masters come back (opentenbase-v2.6-live.md, "WAL and timelines").

use super::lab::{Lab, S29, S47};
use crate::model::Timeline;
use crate::sandbox::world::Receiver;

fn receiver(lab: &Lab, name: &str) -> Receiver {
    lab.copy(name).process.as_ref().unwrap().standby().unwrap().receiver.clone()
}

#[test]
fn after_a_clean_stop_the_old_master_follows_the_new_timeline() {
    let mut lab = Lab::new();
    lab.stop("dn01@s29");
    lab.promote("dn01@s47");
    lab.start("dn01@s29", Some((S47, 23_001)));
    assert_eq!(receiver(&lab, "dn01@s29"), Receiver::Streaming);
    assert_eq!(lab.copy("dn01@s29").wal, lab.copy("dn01@s47").wal);
    assert_eq!(lab.copy("dn01@s29").wal.timeline, Timeline(2));
}

#[test]
fn a_crashed_master_that_lost_nothing_follows_too() {
    let mut lab = Lab::new();
    lab.kill("dn01@s29");
    lab.promote("dn01@s47");
    lab.start("dn01@s29", Some((S47, 23_001)));
    assert_eq!(receiver(&lab, "dn01@s29"), Receiver::Streaming);
}

#[test]
fn a_crashed_and_forked_master_waits_for_ever() {
    let mut lab = Lab::new();
    let (disk, now) = (lab.disk("dn01@s29"), lab.now());
    lab.world.crash_lossy(disk, 8192, 1, now);
    assert!(lab.copy("dn01@s29").wal.end() > lab.copy("dn01@s47").wal.end());
    lab.promote("dn01@s47");
    lab.start("dn01@s29", Some((S47, 23_001)));
    let end = lab.copy("dn01@s29").wal.end();
    let why = format!(
        "LOG:  new timeline 2 forked off current database system timeline 1 before current recovery point {end}"
    );
    assert_eq!(receiver(&lab, "dn01@s29"), Receiver::Forked(why));
    assert_eq!(lab.ask("dn01@s29", "select status, received_tli from pg_stat_wal_receiver"), "waiting|1");
    assert_eq!(lab.ask("dn01@s47", "select application_name, state from pg_stat_replication"), "dn01_s29|startup");
    // It lies there with its lost rows, and a base backup cures it.
    let server = lab.copy("dn01@s29").home.server.clone();
    let (new, now) = (lab.disk("dn01@s47"), lab.now());
    let copy = lab.world.base_backup(new, &server, now).unwrap();
    assert_eq!(lab.world.postgres(copy).unwrap().wal.timeline, Timeline(2));
}

#[test]
fn a_crashed_old_master_started_as_it_is_makes_two_masters() {
    let mut lab = Lab::new();
    lab.kill("dn01@s29");
    lab.promote("dn01@s47");
    lab.start("dn01@s29", None);
    let in_recovery = "select pg_is_in_recovery()";
    assert_eq!((lab.ask("dn01@s29", in_recovery), lab.ask("dn01@s47", in_recovery)), ("f".into(), "f".into()));
    assert!(
        lab.copy("dn01@s47").wal.timeline > lab.copy("dn01@s29").wal.timeline,
        "the higher one is the promoted one"
    );
}

#[test]
fn committed_rows_that_no_standby_had_are_lost_by_a_failover() {
    let mut lab = Lab::new();
    lab.ask("cn01@s29", "create table t(id int primary key)");
    lab.ask("cn01@s29", "insert into t values (2)");
    let (standby, now) = (lab.disk("dn01@s47"), lab.now());
    lab.world.set_allowance(standby, Some(0), now);
    assert_eq!(lab.ask("cn01@s29", "insert into t values (4)"), "INSERT 1");
    lab.kill("dn01@s29");
    lab.promote("dn01@s47");
    assert_eq!(lab.ask("dn01@s47", "select string_agg(id::text, ',') from t"), "2");
}

#[test]
fn a_standby_of_a_dead_master_keeps_trying_and_follows_when_it_is_back() {
    let mut lab = Lab::new();
    lab.kill("dn01@s29");
    assert!(matches!(receiver(&lab, "dn01@s47"), Receiver::Down(why) if why.contains("Connection refused")));
    lab.start("dn01@s29", None);
    assert_eq!(receiver(&lab, "dn01@s47"), Receiver::Streaming);
}

#[test]
fn receive_lies_behind_replay_until_something_streams() {
    let mut lab = Lab::new();
    lab.stop("dn01@s47");
    lab.kill("dn01@s29");
    lab.start("dn01@s47", Some((S29, 23_001)));
    assert_eq!(
        lab.ask("dn01@s47", "select pg_last_wal_receive_lsn(), pg_last_wal_receive_lsn() < pg_last_wal_replay_lsn()"),
        "0/3000000|t"
    );
}

#[test]
fn a_cut_off_server_stops_the_stream() {
    let mut lab = Lab::new();
    let server = lab.copy("dn01@s47").home.server.clone();
    let now = lab.now();
    lab.world.set_cut(&server, true, now);
    lab.ask("dn01@s29", "checkpoint");
    assert!(lab.copy("dn01@s47").wal.end() < lab.copy("dn01@s29").wal.end());
    let now = lab.now();
    lab.world.set_cut(&server, false, now);
    assert_eq!(lab.copy("dn01@s47").wal.end(), lab.copy("dn01@s29").wal.end());
}

#[test]
fn a_standby_of_another_node_is_refused_by_its_system_identifier() {
    let mut lab = Lab::new();
    lab.stop("dn02@s29");
    lab.start("dn02@s29", Some((S29, 23_001)));
    assert!(matches!(receiver(&lab, "dn02@s29"), Receiver::Down(why) if why.contains("system identifier differs")));
}

#[test]
fn a_cascade_follows_its_middle() {
    let mut lab = Lab::new();
    lab.stop("dn01@s29");
    // 7c of the live facts: the old master as a standby of the one that is still a standby.
    lab.start("dn01@s29", Some((S47, 23_001)));
    assert_eq!(receiver(&lab, "dn01@s29"), Receiver::Streaming);
    lab.promote("dn01@s47");
    assert_eq!(lab.copy("dn01@s29").wal.timeline, Timeline(2));
}
