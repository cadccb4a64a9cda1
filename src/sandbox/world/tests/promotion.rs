//! Roles, promote and stop (opentenbase-v2.6-live.md, "Tools").

use std::collections::BTreeMap;

use super::lab::{Lab, S29};
use crate::model::{ControlState, Lsn, Timeline};
use crate::sandbox::moment::Moment;
use crate::sandbox::world::{Effect, Ending, Promotion, Replication};

#[test]
fn a_clean_stop_lets_the_standby_have_everything() {
    let mut lab = Lab::new();
    lab.ask("cn01@s29", "create table t(id int primary key)");
    lab.ask("cn01@s29", "insert into t select i from generate_series(1, 50) i");
    lab.stop("dn01@s29");
    let (old, standby) = (lab.copy("dn01@s29"), lab.copy("dn01@s47"));
    assert_eq!(old.control.state, ControlState::ShutDown);
    assert_eq!(standby.replayed(), old.wal.end());
    assert!(old.control.checkpoint < old.wal.end(), "the shutdown checkpoint is the last record");
}

#[test]
fn promotion_leaves_the_timeline_and_renames_recovery_conf() {
    let mut lab = Lab::new();
    lab.stop("dn01@s29");
    let end = lab.copy("dn01@s47").replayed();
    lab.world.take_effects();
    assert_eq!(lab.promote("dn01@s47"), Promotion::Promoted);
    let disk = lab.disk("dn01@s47");
    let effects = lab.world.take_effects();
    assert!(effects.contains(&Effect::RenameRecoveryConf(disk)));
    let text = format!("1\t{end}\tno recovery target specified\n");
    assert!(effects.contains(&Effect::WriteHistory { disk, name: "00000002.history".to_owned(), text }));
    assert_eq!(lab.copy("dn01@s47").wal.timeline, Timeline(2));
    assert_eq!(lab.ask("dn01@s47", "select pg_is_in_recovery()"), "f");
}

#[test]
fn pg_controldata_shows_the_old_timeline_until_the_promotions_checkpoint() {
    let mut lab = Lab::new();
    lab.stop("dn01@s29");
    lab.promote("dn01@s47");
    let control = lab.copy("dn01@s47").control;
    assert_eq!((control.state, control.timeline), (ControlState::InProduction, Timeline(1)));
    assert_eq!(control.min_recovery_timeline, Timeline(2));
    let session = lab.log_in("dn01@s47", Replication::Database, BTreeMap::new()).unwrap().unwrap();
    assert!(lab.one(session, "IDENTIFY_SYSTEM").contains("|2|0/"), "a replication connection says 2 at once");
    let later = Moment(lab.now().0 + 3_000_000);
    lab.world.tick(later);
    let control = lab.copy("dn01@s47").control;
    assert_eq!((control.timeline, control.min_recovery_timeline), (Timeline(2), Timeline(0)));
}

#[test]
fn promote_is_not_idempotent() {
    let mut lab = Lab::new();
    assert_eq!(lab.promote("dn01@s29"), Promotion::NotAStandby);
    lab.stop("dn01@s29");
    assert_eq!(lab.promote("dn01@s29"), Promotion::NotAStandby);
}

#[test]
fn an_unwritable_recovery_conf_kills_the_standby() {
    let mut lab = Lab::new();
    lab.stop("dn01@s29");
    let (disk, now) = (lab.disk("dn01@s47"), lab.now());
    assert_eq!(lab.world.promote(disk, false, now), Promotion::Died);
    assert!(lab.copy("dn01@s47").process.is_none(), "both copies of the shard are down");
    assert_eq!(lab.copy("dn01@s47").control.state, ControlState::InArchiveRecovery);
    // It has burnt a timeline: it follows nobody who is not on that one, and a promotion takes the next.
    lab.start("dn01@s29", None);
    lab.start("dn01@s47", Some((S29, 23_001)));
    let upstream = "select count(*) from pg_stat_wal_receiver";
    assert_eq!(lab.ask("dn01@s47", upstream), "0", "the timeline of nobody is the latest");
    assert_eq!(lab.promote("dn01@s47"), Promotion::Promoted);
    assert_eq!(lab.copy("dn01@s47").wal.timeline, Timeline(3));
}

#[test]
fn a_pause_with_nothing_to_replay_holds_no_promotion_back() {
    let mut lab = Lab::new();
    let (disk, now) = (lab.disk("dn01@s47"), lab.now());
    lab.world.pause_replay(disk, true, now);
    assert_eq!(lab.promote("dn01@s47"), Promotion::Promoted);
}

#[test]
fn a_stop_reaches_a_hung_server_when_it_goes_on() {
    let mut lab = Lab::new();
    let (disk, now) = (lab.disk("dn01@s29"), lab.now());
    lab.world.set_hung(disk, true, now);
    assert!(!lab.world.signal_stop(disk, Ending::Shutdown, now));
    assert!(lab.copy("dn01@s29").process.is_some());
    lab.world.set_hung(disk, false, now);
    assert!(lab.copy("dn01@s29").process.is_none());
    assert_eq!(lab.copy("dn01@s29").control.state, ControlState::ShutDown);
}

#[test]
fn a_promotion_asked_while_replay_is_paused_stays_in_force() {
    let mut lab = Lab::new();
    let (disk, now) = (lab.disk("dn01@s47"), lab.now());
    lab.world.pause_replay(disk, true, now);
    lab.stop("dn01@s29");
    assert_eq!(lab.promote("dn01@s47"), Promotion::Pending);
    assert_eq!(lab.ask("dn01@s47", "select pg_is_in_recovery()"), "t");
    assert_eq!(lab.ask("dn01@s47", "select pg_wal_replay_resume()"), "");
    assert_eq!(lab.ask("dn01@s47", "select pg_is_in_recovery()"), "f");
}

#[test]
fn transaction_read_only_tells_roles_only_with_allow_dml_on_datanode() {
    let mut lab = Lab::new();
    for (name, plain, allowed) in [("cn01@s29", "off", "off"), ("dn01@s29", "on", "off"), ("dn01@s47", "on", "on")] {
        assert_eq!(lab.ask(name, "show transaction_read_only"), plain, "{name}");
        let session = lab.session_with(name, &[("allow_dml_on_datanode", "on")]);
        assert_eq!(lab.one(session, "show transaction_read_only"), allowed, "{name}");
    }
}

#[test]
fn after_a_crash_the_control_file_still_says_in_production() {
    let mut lab = Lab::new();
    lab.kill("dn01@s29");
    assert_eq!(lab.copy("dn01@s29").control.state, ControlState::InProduction);
    lab.start("dn01@s29", None);
    assert_ne!(lab.ask("dn01@s29", "select pg_last_wal_replay_lsn()"), "NULL", "crash recovery leaves it set");
    assert_eq!(lab.ask("dn02@s47", "select pg_last_wal_replay_lsn()"), "NULL");
}

#[test]
fn a_standby_stopped_cleanly_says_shut_down_in_recovery() {
    let mut lab = Lab::new();
    lab.stop("dn01@s47");
    assert_eq!(lab.copy("dn01@s47").control.state, ControlState::ShutDownInRecovery);
}

#[test]
fn a_master_and_its_standby_share_the_system_identifier() {
    let mut lab = Lab::new();
    let ask = "select system_identifier from pg_control_system()";
    let master = lab.ask("dn01@s29", ask);
    assert_eq!(master, lab.ask("dn01@s47", ask));
    assert_ne!(master, lab.ask("dn02@s47", ask));
}

#[test]
fn pg_control_checkpoint_is_broken_on_v2_6() {
    let mut lab = Lab::new();
    let answer = lab.ask("dn01@s29", "select timeline_id from pg_control_checkpoint()");
    assert_eq!(answer, "42804: function return row and query-specified return row do not match");
}

#[test]
fn replication_views_show_the_stream() {
    let mut lab = Lab::new();
    let sent = "select application_name, client_addr, state, sync_state, sent_lsn = pg_current_wal_lsn() from pg_stat_replication";
    assert_eq!(lab.ask("dn01@s29", sent), "dn01_s47|127.0.0.1|streaming|async|t");
    let receiver = lab.ask("dn01@s47", "select status, received_tli, conninfo from pg_stat_wal_receiver");
    assert!(receiver.starts_with("streaming|1|user=opentenbase"), "{receiver}");
    assert!(receiver.contains(&format!("host={S29} port=23001 application_name=dn01_s47")), "{receiver}");
}

#[test]
fn a_synchronous_standby_that_is_missing_holds_commits() {
    let mut lab = Lab::new();
    lab.ask("cn01@s29", "create table t(id int primary key)");
    let disk = lab.disk("dn01@s29");
    let set = [("synchronous_standby_names", "*"), ("synchronous_commit", "on")];
    lab.world.reload(disk, set.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let session = lab.session("cn01@s29");
    let outcome = lab.done(session, "insert into t values (2)");
    assert_eq!(outcome.sync.len(), 1);
    assert!(lab.world.is_synchronised(disk, outcome.sync[0].1), "the standby has it");
    assert_eq!(lab.ask("dn01@s29", "select sync_priority, sync_state from pg_stat_replication"), "1|sync");
    lab.stop("dn01@s47");
    let outcome = lab.done(session, "insert into t values (4)");
    assert!(!lab.world.is_synchronised(disk, outcome.sync[0].1));
    assert!(!lab.world.is_synchronised(disk, Lsn(u64::MAX)));
    // A session says otherwise, and hands that on to the datanode.
    lab.done(session, "set synchronous_commit = local");
    assert_eq!(lab.done(session, "insert into t values (6)").sync, []);
    let direct = lab.session("dn01@s29");
    assert_eq!(lab.done(direct, "select pg_logical_emit_message(true, 'a', 'b')").sync.len(), 1);
    assert_eq!(lab.done(direct, "select pg_logical_emit_message(false, 'a', 'b')").sync, []);
}
