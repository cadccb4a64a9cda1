//! The GTM (opentenbase-v2.6-live.md, "GTM").

use std::collections::BTreeMap;

use super::lab::{Lab, S29, S47};
use crate::sandbox::moment::Moment;
use crate::sandbox::world::{Effect, GtmRole, Ran, Wait};

const LOST: &str = "08006: GTM error, could not obtain global timestamp. Current XID = 0, Autovac = 0";

#[test]
fn without_a_gtm_any_select_on_a_master_fails() {
    let mut lab = Lab::new();
    lab.kill("gtm_1@s29");
    for name in ["cn01@s29", "dn01@s29"] {
        for sql in ["select 1", "select * from pgxc_node", "select pg_is_in_recovery()", "values (1)", "discard all"] {
            let session = lab.session(name);
            let outcome = lab.done(session, sql);
            let error = outcome.result.unwrap_err();
            assert_eq!(format!("{}: {}", error.code, error.message), LOST, "{name} {sql}");
            assert_eq!(outcome.warnings.len(), usize::from(name.starts_with("cn")), "a warning on coordinators only");
        }
    }
}

#[test]
fn show_identify_system_and_standby_reads_still_work() {
    let mut lab = Lab::new();
    lab.kill("gtm_1@s29");
    assert_eq!(lab.ask("cn01@s29", "show pgxc_node_name"), "cn01");
    assert_eq!(lab.ask("dn01@s47", "select pg_is_in_recovery()"), "t");
    assert_eq!(lab.ask("dn01@s47", "select node_host from pgxc_node where node_type = 'G'"), S29);
    let replication = crate::sandbox::world::Replication::Database;
    let session = lab.log_in("dn01@s29", replication, BTreeMap::new()).unwrap().unwrap();
    assert!(lab.one(session, "IDENTIFY_SYSTEM").ends_with("|postgres"));
}

#[test]
fn a_statement_goes_on_if_a_gtm_comes_back_within_its_second() {
    let mut lab = Lab::new();
    lab.kill("gtm_1@s29");
    let session = lab.session("cn01@s29");
    assert_eq!(lab.ran(session, "select 1"), Ran::Wait(Wait::NoGtm));
    lab.start_gtm("gtm_1@s29", None).unwrap();
    assert_eq!(lab.one(session, "select 1"), "1");
}

#[test]
fn a_statement_given_up_breaks_its_transaction() {
    let mut lab = Lab::new();
    lab.kill("gtm_1@s29");
    let session = lab.session("cn01@s29");
    lab.one(session, "begin");
    assert_eq!(lab.one(session, "select 1"), LOST);
    assert_eq!(lab.one(session, "commit"), "ROLLBACK");
}

/// Live, four times of four under load: the remedy is to open no connection until gtm.control changes.
#[test]
fn a_gtm_connected_to_during_its_promotions_checkpoint_hangs_when_the_old_one_rejoins() {
    for connects_early in [true, false] {
        let mut lab = Lab::new();
        lab.world.set_gtm_trap(true);
        lab.stop("gtm_1@s29");
        let (gtm, now) = (lab.disk("gtm_1@s47"), lab.now());
        lab.world.promote_gtm(gtm, now);
        lab.world.take_effects();
        if connects_early {
            lab.world.gtm_connected(gtm);
        }
        let later = Moment(now.0 + 1_000_000);
        lab.world.tick(later);
        assert!(lab.world.take_effects().contains(&Effect::TouchGtmControl(gtm)));
        lab.world.gtm_connected(gtm);
        lab.start_gtm("gtm_1@s29", Some((S47.to_owned(), 21_000))).unwrap();
        assert_eq!(lab.world.is_hung(gtm), connects_early);
    }
}

/// Live, four times of four: "redo exit,recovery finish upto 0/0", and later "xlog file not found in master".
#[test]
fn a_gtm_promoted_before_it_has_redone_a_record_loses_those_who_follow_it() {
    for waits in [false, true] {
        let mut lab = Lab::new();
        lab.stop("gtm_1@s47");
        lab.start_gtm("gtm_1@s47", Some((S29.to_owned(), 21_000))).unwrap();
        let (gtm, old, now) = (lab.disk("gtm_1@s47"), lab.disk("gtm_1@s29"), lab.now());
        if waits {
            lab.world.tick(Moment(now.0 + 5_000_000));
        }
        lab.stop("gtm_1@s29");
        lab.world.promote_gtm(gtm, now);
        lab.start_gtm("gtm_1@s29", Some((S47.to_owned(), 21_000))).unwrap();
        assert_eq!(lab.world.gtm_standbys(gtm).len(), 1, "it is listed all the same");
        lab.world.tick(Moment(now.0 + 20_000_000));
        assert_eq!(lab.world.gtm(old).unwrap().process.is_some(), waits);
    }
}

#[test]
fn alter_node_needs_the_gtm_on_a_datanode_and_not_on_a_coordinator() {
    let mut lab = Lab::new();
    lab.kill("gtm_1@s29");
    let alter = "alter node dn02 with (port=23002)";
    assert_eq!(lab.ask("cn01@s29", alter), "ALTER NODE");
    assert_eq!(lab.ask("dn01@s29", alter), "XX000: failed to get global timestamp for commit command");
    assert!(lab.ask("cn01@s29", "create node x with (type=datanode)").starts_with("08006"));
}

#[test]
fn checkpoint_needs_the_gtm_on_a_coordinator_and_not_on_a_datanode() {
    let mut lab = Lab::new();
    lab.kill("gtm_1@s29");
    assert_eq!(lab.ask("cn01@s29", "checkpoint"), LOST);
    assert_eq!(lab.ask("dn01@s29", "checkpoint"), "CHECKPOINT");
}

#[test]
fn alter_gtm_node_works_with_the_gtm_down_and_cures_in_the_same_session() {
    let mut lab = Lab::new();
    lab.kill("gtm_1@s29");
    let (gtm, now) = (lab.disk("gtm_1@s47"), lab.now());
    lab.world.promote_gtm(gtm, now);
    for name in ["cn01@s29", "cn02@s47", "dn01@s29", "dn02@s47"] {
        let session = lab.session(name);
        assert_eq!(lab.one(session, "select 1"), LOST, "{name}");
        assert_eq!(lab.one(session, "alter gtm node gtm_1 with (host='127.0.0.47',port=21000)"), "ALTER NODE");
        assert_eq!(lab.one(session, "select 1"), "1", "{name}");
    }
}

#[test]
fn a_standby_gtm_gives_no_timestamps() {
    let mut lab = Lab::new();
    lab.ask("cn01@s29", "alter gtm node gtm_1 with (host='127.0.0.47',port=21000)");
    assert_eq!(lab.ask("cn01@s29", "select 1"), LOST);
}

#[test]
fn a_silent_gtm_makes_statements_wait() {
    let mut lab = Lab::new();
    let (gtm, now) = (lab.disk("gtm_1@s29"), lab.now());
    lab.world.set_hung(gtm, true, now);
    let session = lab.session("cn01@s29");
    assert_eq!(lab.ran(session, "select 1"), Ran::Wait(Wait::Gtm));
    assert_eq!(lab.one(session, "show port"), "15432");
}

#[test]
fn promotion_is_silent_idempotent_and_written_into_gtm_conf() {
    let mut lab = Lab::new();
    lab.world.take_effects();
    let (gtm, now) = (lab.disk("gtm_1@s47"), lab.now());
    lab.world.promote_gtm(gtm, now);
    let effects = lab.world.take_effects();
    assert!(
        matches!(&effects[..], [Effect::AppendGtmConf(disk, line)] if *disk == gtm && line.ends_with("startup = ACT"))
    );
    lab.world.promote_gtm(gtm, now);
    assert!(lab.world.take_effects().is_empty());
}

#[test]
fn an_old_gtm_restarted_with_its_conf_makes_two_active_ones() {
    let mut lab = Lab::new();
    lab.kill("gtm_1@s29");
    let (gtm, now) = (lab.disk("gtm_1@s47"), lab.now());
    lab.world.promote_gtm(gtm, now);
    lab.start_gtm("gtm_1@s29", None).unwrap();
    for name in ["gtm_1@s29", "gtm_1@s47"] {
        assert!(lab.world.gtm(lab.disk(name)).unwrap().is_active(), "{name}");
    }
}

#[test]
fn sessions_of_a_live_old_gtm_keep_using_it() {
    let mut lab = Lab::new();
    let old = lab.session("cn01@s29");
    assert_eq!(lab.one(old, "select 1"), "1");
    let (gtm, now) = (lab.disk("gtm_1@s47"), lab.now());
    lab.world.promote_gtm(gtm, now);
    lab.ask("cn01@s29", "alter gtm node gtm_1 with (host='127.0.0.47',port=21000)");
    let before = lab.world.gtm(lab.disk("gtm_1@s29")).unwrap().served;
    lab.one(old, "select 1");
    assert_eq!(lab.world.gtm(lab.disk("gtm_1@s29")).unwrap().served, before + 1);
}

#[test]
fn a_gtm_standby_rejoins_by_conf_and_start_and_copies_the_state() {
    let mut lab = Lab::new();
    for _ in 0..3 {
        lab.ask("cn01@s29", "select 1");
    }
    lab.stop("gtm_1@s29");
    let (gtm, now) = (lab.disk("gtm_1@s47"), lab.now());
    lab.world.promote_gtm(gtm, now);
    lab.start_gtm("gtm_1@s29", Some((S47.to_owned(), 21_000))).unwrap();
    let (old, new) = (lab.world.gtm(lab.disk("gtm_1@s29")).unwrap(), lab.world.gtm(gtm).unwrap());
    assert_eq!(old.served, new.served);
    assert!(matches!(old.process.as_ref().unwrap().role, GtmRole::Standby { .. }));
    assert_eq!(lab.world.gtm_standbys(gtm).len(), 1);
}
