//! The figure of a drain: 32 masters leave a server of 64 datanodes at once, with one pool reload per router, in
//! about the time that one master takes.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/limited.rs"]
mod limited;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use fixture::SandboxFixture;

/// What a drain may take beside the move of one master is a figure for a quiet machine; here only gross mistakes are
/// caught, such as a shell for each command of each master, which takes five times as long on a busy machine, or moving
/// the masters one after the other, which takes more than ten times as long.
const LIMIT: f64 = 3.5;

/// Applies what the file says; gives how long the run took and how often each router was told to reload.
fn apply(place: &SandboxFixture, log: &str) -> (Duration, BTreeMap<String, usize>) {
    let log = place.dir().join(log);
    let run = place.otb("apply --auto-approve --log-file").args([&log]).limit(Duration::from_secs(280)).run();
    run.ends(0);
    let text = std::fs::read_to_string(log).unwrap();
    let mut reloads = BTreeMap::new();
    for line in text.lines().filter(|line| line.contains("select pgxc_pool_reload()")) {
        let at = line.split("at=").nth(1).expect("the log says where").split_whitespace().next().unwrap();
        *reloads.entry(at.to_owned()).or_insert(0) += 1;
    }
    (run.took, reloads)
}

#[test]
fn draining_a_server_of_64_datanodes_takes_one_reload_per_router() {
    let place = SandboxFixture::up("--datanodes 64");
    place.declare("dn02", "s29");
    let (one, reloads) = apply(&place, "one.log");
    assert_eq!(reloads.len(), 66, "{reloads:?}");
    place.otb("drain s29 --skip gtm_1 --skip cn01 --write").run().ends(0).says(&["dn63       datanode     s29 -> s47"]);
    let (all, reloads) = apply(&place, "all.log");
    assert_eq!(reloads.len(), 66, "{reloads:?}");
    assert!(reloads.values().all(|times| *times == 1), "{reloads:?}");
    place.is_settled();
    let ratio = all.as_secs_f64() / one.as_secs_f64();
    let _ = writeln!(
        std::io::stderr(),
        "drain: 1 master {:.2} s, 33 masters {:.2} s: {ratio:.2} times",
        one.as_secs_f64(),
        all.as_secs_f64()
    );
    assert!(ratio < LIMIT, "33 masters took {ratio:.2} times as long as one; the limit is {LIMIT}");
}

/// A drain looks at all to choose, and then again only at the nodes that it moves.
#[test]
fn only_what_is_moved_is_looked_at_twice() {
    let place = SandboxFixture::up("");
    let log = place.dir().join("drain.log");
    let run = place.otb("drain s29 --skip gtm_1 --skip cn01 --checks --log-file").args([&log]).run();
    // What is asked only of nodes that move was asked.
    run.ends(0).says(&["switchover dn01", "replication-access:dn01"]);
    let text = std::fs::read_to_string(log).unwrap();
    let logins = |server: &str, port: u16| {
        let at = format!(" at={}:{port} sql=show pgxc_node_name ", place.address(server));
        text.matches(&at).count()
    };
    assert_eq!([("s29", 23001), ("s47", 23001)].map(|(server, port)| logins(server, port)), [2, 2], "{text}");
    let others = [("s29", 15432), ("s47", 15432), ("s29", 23002), ("s47", 23002)];
    assert_eq!(others.map(|(server, port)| logins(server, port)), [1, 1, 1, 1], "{text}");
}

/// Who may replicate from the new master is asked by a process on its server: once, unless the plan is an old one.
#[test]
fn who_was_admitted_moments_ago_is_not_asked_again_under_the_lock() {
    let asked = |place: &SandboxFixture, apply: &str| {
        let log = place.dir().join("admission.log");
        let run = place.otb(apply).args(["--log-file".as_ref(), log.as_os_str()]).run();
        run.ends(0).says(&["dn01"]);
        (std::fs::read_to_string(log).unwrap().matches("-c IDENTIFY_SYSTEM").count(), run.took)
    };
    let place = SandboxFixture::moving("");
    let (times, took) = asked(&place, "apply --auto-approve");
    // On a machine so busy that the lock was not taken within three seconds it is asked once more.
    assert!(times == 1 || times == 2 && took > Duration::from_secs(3), "{times} times, {took:?}");
    let place = SandboxFixture::moving("");
    let saved = place.dir().join("saved.json");
    place.otb("plan -o").args([&saved]).run().ends(0);
    assert_eq!(asked(&place, &format!("apply {}", saved.display())).0, 1);
}

/// One process logs in for many masters. Who is turned away is told with the reason, and hides nothing of the others.
#[test]
fn one_process_asks_for_many_who_may_replicate() {
    let place = SandboxFixture::up("--datanodes 8");
    place.otb("drain s29 --skip gtm_1 --skip cn01 --write").run().ends(0);
    let log = place.dir().join("admissions.log");
    let plan = |verdicts: [&str; 4]| {
        let _ = std::fs::remove_file(&log);
        let run = place.otb("plan --checks --log-file").args([&log]).run();
        for (verdict, node) in verdicts.iter().zip(["dn01", "dn03", "dn05", "dn07"]) {
            run.says(&[&format!("{verdict:7} replication-access:{node}")]);
        }
        (std::fs::read_to_string(&log).unwrap().matches("psql -XAtqw").count(), run)
    };
    assert_eq!(plan(["pass"; 4]).0, 1);
    let hba = place.dir().join("s47/dn03/pg_hba.conf");
    std::fs::write(&hba, "host all all 127.0.0.0/8 trust\n").unwrap();
    let (times, run) = plan(["pass", "block", "pass", "pass"]);
    run.says(&["no pg_hba.conf entry for replication connection from host"]);
    // Each from the one that was turned away on is asked on its own.
    assert_eq!(times, 4);
    std::fs::rename(place.dir().join("s29/dn01"), place.dir().join("s29/elsewhere")).unwrap();
    assert_eq!(plan(["unknown", "block", "pass", "pass"]).0, 5);
}

/// Before they are rejoined one script looks at all old masters of a server. Should it have no end, for one directory that
/// hangs, each is looked at by itself.
#[test]
fn old_masters_are_looked_at_together() {
    for (hangs, looks) in [(false, 1), (true, 5)] {
        let place = SandboxFixture::up("--datanodes 8");
        place.otb("drain s29 --skip gtm_1 --skip cn01 --write").run().ends(0);
        // What the server's shell reads its script with.
        let delay = if hangs { "case $script in *'alive 3 '*) sleep 60;; esac" } else { "" };
        let head =
            place.write("head", format!("#!/bin/sh\nscript=$(/usr/bin/head \"$@\"); {delay}\nprintf %s \"$script\"\n"));
        std::fs::set_permissions(&head, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", place.dir().display(), std::env::var("PATH").unwrap());
        let log = place.dir().join("looks.log");
        let run = place.otb("apply --auto-approve --log-file").args([&log]).env("PATH", &path).run();
        run.ends(0);
        assert_eq!(std::fs::read_to_string(log).unwrap().matches("alive 0 ").count(), looks);
        place.is_settled();
    }
}

/// Seconds since midnight at which a statement of the log was sent and answered.
fn times(line: &str) -> (f64, f64) {
    let clock = line.split('T').nth(1).and_then(|rest| rest.split('Z').next()).expect("a time stamp");
    let answered = clock.split(':').fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap());
    let took = line.rsplit("took=").next().expect("how long it took").trim();
    let number: f64 = took.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    let unit = match took.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        other => panic!("unit {other} of {line}"),
    };
    (answered - number * unit, answered)
}

/// Between clients and a cluster far away one round trip proves all that moved, not one for each.
#[test]
fn the_proofs_through_a_coordinator_travel_together() {
    let place = SandboxFixture::up("--datanodes 12 --latency 20");
    place.otb("drain s29 --skip gtm_1 --skip cn01 --write").run().ends(0);
    let log = place.dir().join("proof.log");
    place.otb("apply --auto-approve --log-file").args([&log]).run().ends(0);
    let text = std::fs::read_to_string(log).unwrap();
    for server in ["s29", "s47"] {
        let at = format!(" at={}:15432 sql=execute direct on (", place.address(server));
        let asked: Vec<(f64, f64)> = text.lines().filter(|line| line.contains(&at)).map(times).collect();
        assert_eq!(asked.len(), 6, "{text}");
        let last_sent = asked.iter().map(|(sent, _)| *sent).fold(f64::MIN, f64::max);
        let first_answered = asked.iter().map(|(_, answered)| *answered).fold(f64::MAX, f64::min);
        assert!(last_sent < first_answered, "one was only sent {:.3} s later", last_sent - first_answered);
    }
}

/// What need not be known before the next question is sent costs no round trip while nobody can write.
#[test]
fn questions_of_the_write_gap_do_not_wait_for_each_other() {
    let place = SandboxFixture::up("--latency 40");
    place.declare("dn01", "s47");
    let log = place.dir().join("gap.log");
    place.otb("apply --auto-approve --log-file").args([&log]).run().ends(0);
    let text = std::fs::read_to_string(log).unwrap();
    let asked = |at: &str, port: u16, sql: &str| {
        let at = format!(" at={}:{port} sql={sql}", place.address(at));
        text.lines().filter(|line| line.contains(&at)).map(times).collect::<Vec<_>>()
    };
    for (server, port) in [("s29", 15432), ("s47", 15432), ("s47", 23001), ("s47", 23002)] {
        let (setting, alter) = (asked(server, port, "set lock_timeout"), asked(server, port, "alter node dn01"));
        let (&[(_, set)], &[(sent, _)]) = (&setting[..], &alter[..]) else { panic!("{server}:{port}\n{text}") };
        assert!(sent < set, "{server}:{port} was told {:.3} s after its lock_timeout", sent - set);
    }
    // The coordinators prove side by side, and who asks first has the new master asked meanwhile, for both.
    let through = ["s29", "s47"].map(|server| asked(server, 15432, "execute direct on (dn01)"));
    let roles = asked("s47", 23001, "select pg_is_in_recovery() as in_recovery, extract");
    let meanwhile = |&(sent, answered): &(f64, f64)| {
        through
            .iter()
            .flatten()
            .any(|(through_sent, through_answered)| sent < *through_answered && *through_sent < answered)
    };
    assert!(roles.iter().any(meanwhile), "{roles:?} beside {through:?}");
}
