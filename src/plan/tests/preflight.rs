//! Each check of the preflight: what it lets pass, and what makes it speak.

use super::seed::{cluster, control, healthy, id, make_plan};
use crate::model::*;
use crate::plan::Verdict;

/// The verdicts of a switchover of dn01 from s29 to s47 after `change`, by check.
fn verdict(check: &str, change: impl FnOnce(&mut Observation)) -> Verdict {
    let declared = cluster("s47");
    let mut seen = healthy(&declared);
    change(&mut seen);
    let plan = make_plan(&declared, &seen);
    plan.checks.iter().find(|found| found.id.as_str() == check).unwrap().verdict
}

fn facts<'a>(seen: &'a mut Observation, at: &str) -> &'a mut InstanceFacts {
    seen.instances.get_mut(&id(at)).unwrap()
}

fn known<T>(fact: &mut Fact<T>) -> &mut T {
    match fact {
        Fact::Known(value) => value,
        Fact::Unknown(why) => panic!("{why}"),
    }
}

/// A setting of the standby.
fn set(name: &'static str, value: &'static str) -> impl FnOnce(&mut Observation) {
    move |seen| {
        known(&mut facts(seen, "dn01@s47").settings).0.insert(name.to_owned(), value.to_owned());
    }
}

/// The load of the master.
fn load(load: Load) -> impl FnOnce(&mut Observation) {
    move |seen| facts(seen, "dn01@s29").load = Fact::Known(load)
}

fn around(at: &'static str, change: impl FnOnce(&mut HostEnvironment)) -> impl FnOnce(&mut Observation) {
    move |seen| change(known(&mut facts(seen, at).host_environment))
}

const CHECKS: [&str; 15] = [
    "cluster-name:dn01@s47",
    "hot-standby:dn01@s47",
    "sync-standbys:dn01",
    "room:dn01",
    "wal-keep:dn01",
    "prepared-limit:dn01",
    "replication-access:dn01",
    "backup:dn01",
    "transactions:dn01",
    "in-doubt:dn01",
    "slots:dn01",
    "archiver:dn01",
    "tools:dn01@s47",
    "clocks:dn01",
    "supervisor:dn01@s29",
];

#[test]
fn all_pass_on_a_healthy_cluster() {
    for check in CHECKS.iter().chain(&["tools:dn01@s29", "superuser:cn01@s29", "superuser:dn02@s47"]) {
        assert_eq!(verdict(check, |_| {}), Verdict::Pass, "{check}");
    }
}

#[test]
fn settings_of_the_standby() {
    for (check, name, value, wanted) in [
        ("cluster-name:dn01@s47", "pgxc_cluster_name", "other_plane", Verdict::Block),
        ("hot-standby:dn01@s47", "hot_standby", "off", Verdict::Block),
        ("room:dn01", "max_wal_senders", "1", Verdict::Block),
        ("room:dn01", "max_wal_senders", "many", Verdict::Unknown),
        ("wal-keep:dn01", "wal_keep_segments", "0", Verdict::Warn),
        ("prepared-limit:dn01", "max_prepared_transactions", "59", Verdict::Block),
        ("prepared-limit:dn01", "max_prepared_transactions", "61", Verdict::Pass),
    ] {
        assert_eq!(verdict(check, set(name, value)), wanted, "{name} = {value}");
    }
}

/// A commit that is local waits for nobody, whatever synchronous_standby_names says.
#[test]
fn synchronous_standbys_matter_only_to_commits_that_wait() {
    let both = |commit: &'static str| {
        move |seen: &mut Observation| {
            set("synchronous_standby_names", "another")(seen);
            set("synchronous_commit", commit)(seen);
        }
    };
    assert_eq!(verdict("sync-standbys:dn01", both("on")), Verdict::Block);
    assert_eq!(verdict("sync-standbys:dn01", both("remote_apply")), Verdict::Block);
    assert_eq!(verdict("sync-standbys:dn01", both("local")), Verdict::Pass);
}

#[test]
fn unknown_settings_refuse() {
    let hide = |seen: &mut Observation| {
        facts(seen, "dn01@s47").settings = Fact::unknown(UnknownKind::TimedOut, "no answer");
    };
    for check in CHECKS[..6].iter().filter(|check| !check.starts_with("wal-keep")) {
        assert_eq!(verdict(check, hide), Verdict::Unknown, "{check}");
    }
}

#[test]
fn the_old_master_must_be_let_in() {
    let refused = ReplicationAccess::Refused { user: "rep".to_owned(), why: "no pg_hba.conf entry".to_owned() };
    let replication_access = |fact| move |seen: &mut Observation| facts(seen, "dn01@s29").replication_access = fact;
    assert_eq!(verdict("replication-access:dn01", replication_access(Fact::Known(refused))), Verdict::Block);
    let silent = Fact::unknown(UnknownKind::TimedOut, "psql came to no end");
    assert_eq!(verdict("replication-access:dn01", replication_access(silent)), Verdict::Unknown);
}

#[test]
fn the_load_of_the_master() {
    let idle = Load::default();
    for (check, now, wanted) in [
        ("backup:dn01", Load { in_backup: true, ..idle }, Verdict::Block),
        ("transactions:dn01", Load { oldest_transaction_seconds: 60, ..idle }, Verdict::Warn),
        ("transactions:dn01", Load { oldest_transaction_seconds: 59, ..idle }, Verdict::Pass),
        ("transactions:dn01", Load { idle_in_transaction: 1, ..idle }, Verdict::Warn),
        ("slots:dn01", Load { slots: 2, ..idle }, Verdict::Warn),
    ] {
        assert_eq!(verdict(check, load(now)), wanted, "{check}");
    }
    let copying = |seen: &mut Observation| known(&mut facts(seen, "dn01@s29").senders)[0].state = "backup".to_owned();
    assert_eq!(verdict("backup:dn01", copying), Verdict::Block);
}

#[test]
fn the_servers() {
    let missing = |around: &mut HostEnvironment| around.missing_tools.push("pg_basebackup".to_owned());
    assert_eq!(verdict("tools:dn01@s47", around("dn01@s47", missing)), Verdict::Block);
    let late = ClockOffset { at_least_ms: 1500, at_most_ms: 1510 };
    assert_eq!(verdict("clocks:dn01", around("dn01@s47", |around| around.clock = Some(late))), Verdict::Warn);
    assert_eq!(verdict("clocks:dn01", around("dn01@s47", |around| around.clock = None)), Verdict::Warn);
    assert_eq!(verdict("archiver:dn01", around("dn01@s29", |around| around.unarchived = 16)), Verdict::Warn);
    let cron = |around: &mut HostEnvironment| around.keepers.push("/etc/cron.d/otb".to_owned());
    assert_eq!(verdict("supervisor:dn01@s29", around("dn01@s29", cron)), Verdict::Warn);
}

#[test]
fn routers_that_are_told_want_a_superuser() {
    let demoted = |seen: &mut Observation| {
        known(&mut facts(seen, "cn01@s29").settings).0.insert("is_superuser".to_owned(), "off".to_owned());
    };
    assert_eq!(verdict("superuser:cn01@s29", demoted), Verdict::Block);
}

#[test]
fn the_directories_are_those_of_the_processes() {
    let check = "data-directory:dn01";
    let found = |file: Fact<Option<PidFile>>| {
        move |seen: &mut Observation| known(&mut facts(seen, "dn01@s47").data_dir).pid_file = file
    };
    let stranger = PidFile { pid: 8, directory: "/data/dn01".to_owned(), started: 1_700_000_000 };
    assert_eq!(verdict(check, found(Fact::Known(Some(stranger)))), Verdict::Block);
    assert_eq!(verdict(check, found(Fact::Known(None))), Verdict::Block);
    let gone = |seen: &mut Observation| known(&mut facts(seen, "dn01@s47").data_dir).present = false;
    assert_eq!(verdict(check, gone), Verdict::Pass, "other checks say so");
    let gone_elsewhere = |seen: &mut Observation| {
        gone(seen);
        known(&mut facts(seen, "dn01@s47").pid_file).directory = "/elsewhere".to_owned();
    };
    assert_eq!(verdict(check, gone_elsewhere), Verdict::Block);
    // What nobody could read tells nothing: the commands there will fail for the same reason.
    assert_eq!(verdict(check, found(Fact::unknown(UnknownKind::Failed, "it could not be read"))), Verdict::Pass);

    // Of who is no superuser the control files are compared.
    let by_control = |id: u64| {
        move |seen: &mut Observation| {
            let facts = facts(seen, "dn01@s47");
            facts.started = Fact::Known("1700000000".to_owned());
            facts.pid_file = Fact::not_asked("only a superuser may read it");
            facts.control = Fact::Known(control(ControlState::InArchiveRecovery, SystemId(id), Timeline(1), Lsn(1000)));
        }
    };
    assert_eq!(verdict(check, by_control(23001)), Verdict::Pass);
    assert_eq!(verdict(check, by_control(23002)), Verdict::Block);
}

#[test]
fn what_a_restart_would_change_is_said() {
    let declared = cluster("s29");
    let found = |change: &dyn Fn(&mut Observation)| {
        let mut seen = healthy(&declared);
        change(&mut seen);
        let plan = make_plan(&declared, &seen);
        assert!(!plan.is_refused() && plan.steps.is_empty(), "it is said, and in nobody's way");
        let checks = plan.checks.iter().filter(|check| check.verdict == Verdict::Warn);
        checks.map(|check| format!("{} {} {}", check.id, check.found, check.hint.clone().unwrap())).collect::<Vec<_>>()
    };
    assert_eq!(found(&|_| ()), [""; 0]);
    let forget = |seen: &mut Observation| known(&mut facts(seen, "dn01@s47").data_dir).recovery_conf = None;
    let said = found(&forget).remove(0);
    assert!(
        said.starts_with("next-start:dn01@s47 dn01@s47 runs as standby") && said.contains("second master"),
        "{said}"
    );
    // Nothing is said of a directory that is another process's.
    assert_eq!(found(&|seen| (forget(seen), known(&mut facts(seen, "dn01@s47").pid_file).pid = 8).0), [""; 0]);
    let leave = |node: &'static str, fence: bool| {
        move |seen: &mut Observation| {
            let left = known(&mut facts(seen, &format!("{node}@s47")).data_dir).recovery_conf.clone();
            let left = left.map(|file| RecoveryFile { fence, ..file });
            known(&mut facts(seen, &format!("{node}@s29")).data_dir).recovery_conf = left;
        }
    };
    let said = found(&leave("dn01", true)).remove(0);
    assert!(said.contains("makes it a standby of") && said.contains("a fence that otb left"), "{said}");
    let said = found(&leave("gtm_1", false)).remove(0);
    assert!(said.contains("next-start:gtm_1@s29") && said.contains("append the line `startup = ACT`"), "{said}");
}

#[test]
fn nobody_is_made_master_beside_one_that_is_about_to_be() {
    let check = |declared: &Cluster, seen: &Observation| {
        let plan = make_plan(declared, seen);
        let found = plan.checks.iter().find(|check| check.id.as_str() == "promotion:dn01@s47");
        (found.map(|found| found.verdict), plan.is_refused())
    };
    let declared = cluster("s29");
    let mut seen = healthy(&declared);
    known(&mut facts(&mut seen, "dn01@s47").data_dir).promotion_asked = true;
    assert_eq!(check(&declared, &seen), (Some(Verdict::Warn), false), "nothing is to be done");
    // It is declared, and the old master serves: the promotion would not wait for the stop.
    assert_eq!(check(&cluster("s47"), &seen), (Some(Verdict::Block), true));
    // The operator turns back: the old master is down, and would be started again.
    let stop = |seen: &mut Observation| {
        let master = facts(seen, "dn01@s29");
        (master.process, master.role) = (Fact::Known(Process::Stopped), Fact::not_asked("it does not run"));
        master.control = Fact::Known(control(ControlState::ShutDown, SystemId(23001), Timeline(1), Lsn(1000)));
        facts(seen, "dn01@s47").standby = Fact::not_asked("its master is down");
    };
    stop(&mut seen);
    // Nobody serves, and it is declared: that is what was asked for.
    assert_eq!(check(&cluster("s47"), &seen).0, None);
    assert_eq!(check(&declared, &seen), (Some(Verdict::Block), true));
    known(&mut facts(&mut seen, "dn01@s47").data_dir).promotion_asked = false;
    assert_eq!(check(&declared, &seen), (None, false));
    // Where nobody can look, it is said.
    let hidden = Fact::unknown(UnknownKind::Failed, "no shell");
    let dir = std::mem::replace(&mut facts(&mut seen, "dn01@s47").data_dir, hidden);
    assert_eq!(check(&declared, &seen), (Some(Verdict::Warn), false));
    facts(&mut seen, "dn01@s47").data_dir = dir;
    // One in a directory that is not its own asks nobody.
    known(&mut facts(&mut seen, "dn01@s47").data_dir).promotion_asked = true;
    known(&mut facts(&mut seen, "dn01@s47").pid_file).pid = 8;
    assert_eq!(check(&declared, &seen).0, None);
    known(&mut facts(&mut seen, "dn01@s47").data_dir).promotion_asked = false;
    known(&mut facts(&mut seen, "dn01@s47").pid_file).pid = 7;
    // A file that lies beside a master, or a stopped copy, asks for nothing.
    known(&mut facts(&mut seen, "dn01@s29").data_dir).promotion_asked = true;
    assert_eq!(check(&declared, &seen), (None, false));
}
