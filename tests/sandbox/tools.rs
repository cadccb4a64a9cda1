//! pg_ctl, pg_controldata, pg_basebackup, pg_waldump as commands, and the files they leave.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{Sandbox, ask};

#[test]
fn pg_ctl_says_what_a_live_one_says() {
    let sandbox = Sandbox::up(&[]);
    let data = sandbox.data("dn01@s29");
    let data = data.to_str().unwrap();
    let ran = sandbox.pg_ctl("dn01@s29", &["status"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("pg_ctl: server is running (PID: "), "{}", ran.out);
    assert!(ran.out.ends_with(&format!("postgres \"--datanode\" \"-D\" \"{data}\"\n")), "{}", ran.out);
    // With -Z it is silent, without it speaks.
    let ran = sandbox.pg_ctl("dn01@s29", &["stop", "-m", "f"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    let ran = sandbox.pg_ctl("dn01@s29", &["status"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, "pg_ctl: no server running\n"));
    let missing = format!("pg_ctl: PID file \"{data}/postmaster.pid\" does not exist\nIs server running?\n");
    for verb in ["stop", "promote"] {
        let ran = sandbox.pg_ctl("dn01@s29", &[verb]);
        assert_eq!((ran.code, &ran.err), (1, &missing));
    }
    let ran = sandbox.tool("pg_ctl", &["-D", data, "start"]);
    assert_eq!(
        (ran.code, ran.err.lines().next()),
        (1, Some("pg_ctl: Coordinator or Datanode option not specified (-Z)"))
    );
    assert_eq!(sandbox.pg_ctl("dn01@s29", &["start", "-w", "-l", &format!("{data}.log")]).code, 0);
    let ran = sandbox.pg_ctl("dn01@s29", &["promote"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, "pg_ctl: cannot promote server; server is not in standby mode\n"));
    let ran = sandbox.tool("pg_ctl", &["-D", "/nonexistent", "status"]);
    assert_eq!((ran.code, ran.err.as_str()), (4, "pg_ctl: directory \"/nonexistent\" does not exist\n"));
}

/// As a sandbox has it where its file system lets no program run.
#[test]
fn otb_is_the_tools_where_the_relay_cannot_be() {
    let sandbox = Sandbox::up(&[]);
    let bin = sandbox.dir.path().join("install/bin");
    let ways = || {
        let by_path = format!("cd / && PATH={}:$PATH pg_ctl -D \"$1\" status", bin.display());
        let data = sandbox.data("dn01@s29");
        let sh = Command::new("sh").args(["-c", &by_path, "sh"]).arg(&data).output().unwrap();
        let gone = sandbox.tool("pg_ctl", &["-D", "/nonexistent", "status"]);
        [sandbox.pg_ctl("dn01@s29", &["status"]), sh.into(), gone].map(|ran| (ran.code, ran.out, ran.err))
    };
    let relayed = ways();
    std::fs::remove_file(bin.join("pg_ctl")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_otb"), bin.join("pg_ctl")).unwrap();
    assert_eq!(ways(), relayed);
    assert_eq!((relayed[0].0, relayed[1].0, relayed[2].0), (0, 0, 4), "{relayed:?}");
}

#[test]
fn a_killed_server_leaves_its_pid_file() {
    let sandbox = Sandbox::up(&[]);
    sandbox.fault(&["kill", "dn01@s29"]);
    assert!(sandbox.data("dn01@s29").join("postmaster.pid").exists());
    let ran = sandbox.pg_ctl("dn01@s29", &["status"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, "pg_ctl: no server running\n"));
    let ran = sandbox.pg_ctl("dn01@s29", &["stop", "-m", "fast"]);
    assert!(
        ran.err.starts_with("pg_ctl: could not send stop signal (PID: ") && ran.err.ends_with("No such process\n"),
        "{}",
        ran.err
    );
    let control = sandbox.tool("pg_controldata", &[sandbox.data("dn01@s29").to_str().unwrap()]);
    assert!(control.out.contains("\nDatabase cluster state:               in production\n"), "{}", control.out);
    let ran = sandbox.pg_ctl("dn01@s29", &["start"]);
    assert!(ran.code == 0 && ran.err.starts_with("pg_ctl: another server might be running"), "{}", ran.err);
}

/// The guide's switchover as commands, under a writer: no committed row is lost, the old master follows.
#[tokio::test]
async fn a_switchover_by_hand_loses_nothing() {
    let sandbox = Sandbox::up(&[]);
    let client = sandbox.connect("cn01@s29").await;
    client.batch_execute("create table t(id int primary key, v int)").await.unwrap();
    let mut committed = Vec::new();
    for id in 0..100 {
        if id == 50 {
            assert_eq!(sandbox.pg_ctl("dn01@s29", &["stop", "-m", "fast"]).code, 0);
            assert_eq!(sandbox.pg_ctl("dn01@s47", &["promote"]).code, 0);
        }
        if id == 70 {
            let host = &sandbox.instance("dn01@s47").endpoint.host;
            for name in ["cn01@s29", "cn02@s47", "dn01@s47", "dn02@s47"] {
                let alter = format!("alter node dn01 with (host='{host}',port=23001)");
                assert_eq!(sandbox.ask(name, &alter).await, "", "{name}");
                assert_eq!(sandbox.ask(name, "select pgxc_pool_reload()").await, "t", "{name}");
            }
        }
        if ask(&client, &format!("insert into t values ({id}, 0)")).await.is_empty() {
            committed.push(id.to_string());
        }
    }
    assert!((80..100).contains(&committed.len()), "the gap costs the writes of one shard: {}", committed.len());
    let all = sandbox.ask("cn02@s47", "select string_agg(id::text, ',' order by id) from t").await;
    assert_eq!(all, committed.join(","));
    assert!(sandbox.data("dn01@s47").join("recovery.done").exists());
    sandbox.fence("dn01@s29", "dn01@s47");
    assert_eq!(sandbox.pg_ctl("dn01@s29", &["start"]).code, 0);
    assert_eq!(
        sandbox.ask("dn01@s47", "select application_name, state from pg_stat_replication").await,
        "dn01_s29|streaming"
    );
    assert_eq!(sandbox.ask("dn01@s29", "select pg_is_in_recovery(), count(*) from t").await, sandbox_rows(&committed));
}

fn sandbox_rows(committed: &[String]) -> String {
    let even = committed.iter().filter(|id| id.parse::<u32>().unwrap() % 2 == 0).count();
    format!("t|{even}")
}

#[test]
fn an_unwritable_recovery_conf_costs_the_wait_and_the_standby() {
    let sandbox = Sandbox::up(&[]);
    sandbox.fault(&["readonly-recovery", "dn01@s47"]);
    assert_eq!(sandbox.pg_ctl("dn01@s29", &["stop"]).code, 0);
    let began = Instant::now();
    let ran = sandbox.pg_ctl("dn01@s47", &["promote", "-t", "1"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, "pg_ctl: server did not promote in time\n"));
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(sandbox.pg_ctl("dn01@s47", &["status"]).code, 3);
    let log = std::fs::read_to_string(sandbox.data("dn01@s47").join("log/pg.log")).unwrap();
    assert!(log.contains("FATAL:  could not open file \"recovery.conf\": Permission denied"), "{log}");
}

/// A crashed master with rows nobody has: pg_waldump tells them, a base backup makes it a standby again.
#[tokio::test]
async fn a_lossy_crash_is_seen_and_cured_by_a_base_backup() {
    let sandbox = Sandbox::up(&[]);
    sandbox.fault(&["crash-lossy", "dn01@s29"]);
    let data = sandbox.data("dn01@s29");
    let control = sandbox.tool("pg_controldata", &[data.to_str().unwrap()]).out;
    let redo = control.lines().find_map(|line| line.strip_prefix("Latest checkpoint's REDO location:")).unwrap().trim();
    let wal = data.join("pg_wal");
    let ran = sandbox.tool("pg_waldump", &["-p", wal.to_str().unwrap(), "-t", "1", "-s", redo]);
    let last = ran.err.lines().last().unwrap();
    assert!(
        last.starts_with("pg_waldump: FATAL:  error in WAL record at 0/") && last.ends_with(": wanted 24, got 0"),
        "{last}"
    );
    let end = last.split("invalid record length at ").nth(1).unwrap().trim_end_matches(": wanted 24, got 0");
    let replayed = sandbox.ask("dn01@s47", "select pg_last_wal_replay_lsn()").await;
    assert!(end.parse::<otb::model::Lsn>().unwrap() > replayed.parse().unwrap(), "{end} against {replayed}");
    // What the standby lacks, to the end: 8192 bytes, and the commit.
    let dump = |args: &[&str]| {
        let all = [&["-p", wal.to_str().unwrap(), "-t", "1", "-s", &replayed, "-e", end], args].concat();
        sandbox.tool("pg_waldump", &all)
    };
    let ran = dump(&["-r", "Transaction"]);
    assert_eq!((ran.code, ran.err.as_str(), ran.out.lines().count()), (0, "", 1), "{}", ran.out);
    assert!(ran.out.contains(", desc: COMMIT 20") && ran.out.ends_with(" UTC\n"), "{}", ran.out);
    assert_eq!(dump(&[]).out.lines().count(), 2);

    assert_eq!(sandbox.pg_ctl("dn01@s47", &["promote"]).code, 0);
    sandbox.fence("dn01@s29", "dn01@s47");
    assert_eq!(sandbox.pg_ctl("dn01@s29", &["start"]).code, 0);
    assert_eq!(sandbox.ask("dn01@s29", "select status from pg_stat_wal_receiver").await, "waiting");
    assert_eq!(sandbox.pg_ctl("dn01@s29", &["stop"]).code, 0);

    let aside = data.with_extension("old");
    let conf = std::fs::read(data.join("postgresql.conf")).unwrap();
    std::fs::rename(&data, &aside).unwrap();
    let upstream = &sandbox.instance("dn01@s47").endpoint;
    let args =
        ["-h", upstream.host.as_str(), "-p", "23001", "-U", "opentenbase", "-X", "f", "-D", data.to_str().unwrap()];
    let ran = sandbox.tool("pg_basebackup", &args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(sandbox.tool("pg_basebackup", &args).code, 1, "the directory is not empty any more");
    // The copied settings name the other server's address: a start with them cannot bind.
    sandbox.fence("dn01@s29", "dn01@s47");
    let ran = sandbox.pg_ctl("dn01@s29", &["start"]);
    assert!(ran.code == 1 && ran.err.contains("could not start server\nExamine the log output."), "{}", ran.err);
    std::fs::write(data.join("postgresql.conf"), conf).unwrap();
    assert_eq!(sandbox.pg_ctl("dn01@s29", &["start"]).code, 0);
    assert_eq!(sandbox.ask("dn01@s47", "select state from pg_stat_replication").await, "streaming");
    assert!(sandbox.status().contains("dn01@s29       datanode"), "{}", sandbox.status());
}

#[test]
fn tools_can_be_slow_or_fail() {
    let sandbox = Sandbox::up(&[]);
    sandbox.fault(&["fail", "pg_ctl"]);
    assert_eq!(sandbox.pg_ctl("dn01@s29", &["status"]).code, 1);
    assert_eq!(sandbox.pg_ctl("dn01@s29", &["status"]).code, 0);
    sandbox.fault(&["slow", "pg_ctl", "150"]);
    let began = Instant::now();
    sandbox.pg_ctl("dn01@s29", &["status"]);
    assert!(began.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn settings_are_read_again_on_reload() {
    let sandbox = Sandbox::up(&[]);
    let path = sandbox.data("dn01@s29").join("postgresql.conf");
    let conf = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, conf + "wal_keep_segments = 99\n").unwrap();
    assert_eq!(sandbox.ask("dn01@s29", "show wal_keep_segments").await, "32");
    assert_eq!(sandbox.ask("dn01@s29", "select pg_reload_conf()").await, "t");
    assert_eq!(sandbox.ask("dn01@s29", "show wal_keep_segments").await, "99");
}
