//! `otb drift` on the sandbox: every kind, the baseline, the files it writes, and that it changes nothing.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/limited.rs"]
mod limited;

use fixture::SandboxFixture;
use limited::Ended;

fn drift(place: &SandboxFixture, more: &str) -> Ended {
    place.otb("drift").line(more).run()
}

/// The ids of all differences, and the document.
fn ids(ended: &Ended) -> (Vec<String>, serde_json::Value) {
    let document: serde_json::Value =
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let schema = serde_json::from_str(include_str!("../schemas/drift.schema.json")).unwrap();
    jsonschema::validate(&schema, &document).unwrap_or_else(|error| panic!("{error}"));
    let list = document["differences"].as_array().unwrap().iter();
    (list.map(|one| one["id"].as_str().unwrap().to_owned()).collect(), document)
}

/// What is done to the sandbox, what drift exits with, and what differs.
#[track_caller]
fn shows(faults: &[&str], exit: i32, expected: &[&str]) {
    let place = SandboxFixture::up("");
    for fault in faults {
        place.fault(&fault.replace("S29", &place.address("s29")).replace("S47", &place.address("s47")));
    }
    let ended = drift(&place, "--format json");
    ended.ends(exit);
    assert_eq!(ids(&ended).0, expected, "{}", ended.stdout);
}

#[test]
fn no_drift() {
    let place = SandboxFixture::up("");
    drift(&place, "").ends(0).says(&["No drift", "8 instances", "4 routers"]);
    drift(&place, "--target dn01").ends(0);
}

#[test]
fn the_file_was_changed() {
    let place = SandboxFixture::up("");
    place.declare("dn01", "s47");
    let ended = drift(&place, "--format json");
    ended.ends(2);
    assert_eq!(ids(&ended).0, ["placement:dn01"]);
    drift(&place, "").ends(2).says(&["placement:dn01", "expected  the master on s47", "found     the master on s29"]);
    drift(&place, "--target dn02").ends(0);
}

#[test]
fn one_router_disagrees() {
    shows(&["wrong-route cn02@s47 dn01=S47:23001"], 2, &["routes:cn02:dn01"]);
}

#[test]
fn a_router_lacks_a_row() {
    shows(&["forget-row cn02@s47 dn01"], 2, &["routes:cn02:dn01"]);
}

#[test]
fn a_stale_pooler() {
    shows(&["stale-pool cn01@s29 dn01=S47:23001"], 2, &["pooler:cn01"]);
}

#[test]
fn roles() {
    shows(&["stop dn01@s47"], 2, &["role:dn01@s47"]);
    shows(&["kill dn01@s29"], 2, &["role:dn01@s29", "role:dn01@s47"]);
    shows(&["stop gtm_1@s47"], 2, &["role:gtm_1@s47"]);
}

/// A standby that follows and that a failover could not use.
#[test]
fn standbys_that_could_not_take_over() {
    shows(&["pause-replay dn01@s47"], 2, &["role:dn01@s47"]);
    shows(&["readonly-recovery dn01@s47"], 2, &["readiness:dn01@s47"]);
}

#[test]
fn two_masters() {
    let place = SandboxFixture::up("");
    place.fault("kill dn01@s47");
    std::fs::remove_file(place.dir().join("s47/dn01/recovery.conf")).unwrap();
    place.fault("start dn01@s47");
    let ended = drift(&place, "--format json");
    ended.ends(2);
    assert_eq!(ids(&ended).0, ["split-brain:dn01"], "{}", ended.stdout);
}

#[test]
fn what_the_next_start_would_change() {
    let place = SandboxFixture::up("");
    let conf = |server: &str| place.dir().join(server).join("dn01/recovery.conf");
    std::fs::rename(conf("s47"), conf("s29")).unwrap();
    let gtm = place.dir().join("s29/gtm/gtm.conf");
    let text = std::fs::read_to_string(&gtm).unwrap();
    std::fs::write(&gtm, text + "startup = STANDBY\n").unwrap();
    let ended = drift(&place, "--format json");
    ended.ends(2);
    let expected = ["next-start:dn01@s29", "next-start:dn01@s47", "next-start:gtm_1@s29"];
    assert_eq!(ids(&ended).0, expected, "{}", ended.stdout);
    place.otb("plan --detailed-exitcode").run().ends(0).says(&["Nothing to do", "warn    next-start:dn01@s29"]);
    place
        .otb("plan")
        .run()
        .says(&["hint: run otb plan again; if the message stays: on s47 run `pg_ctl -Z datanode", "then otb apply"]);
    // It is as it says.
    place.fault("kill dn01@s47");
    place.fault("start dn01@s47");
    let ended = drift(&place, "--format json");
    assert!(ids(&ended).0.contains(&"split-brain:dn01".to_owned()), "{}", ended.stdout);
}

/// What the next start of one copy would change says nothing of another one that does not follow.
#[test]
fn what_one_copy_lacks_hides_no_other() {
    let place = SandboxFixture::up("--from tests/support/several_standbys.yaml");
    std::fs::remove_file(place.dir().join("s63/dn01/recovery.conf")).unwrap();
    place.fault("stop dn01@s47");
    let ended = drift(&place, "--format json");
    assert_eq!(ids(&ended).0, ["role:dn01@s47", "next-start:dn01@s63"], "{}", ended.stdout);
    // Its own cure: stopped, it is written anew and started.
    place.fault("stop dn01@s63");
    place.settles();
    drift(&place, "").ends(0);
}

/// Without a look into the directories nobody can say what a restart would bring.
#[test]
fn closed_directories_are_not_no_drift() {
    let place = SandboxFixture::up("");
    std::fs::write(place.file(), place.text().replacen("via: local", "via: ssh", 1)).unwrap();
    let ended = drift(&place, "--format json");
    ended.ends(1);
    let (differences, document) = ids(&ended);
    assert!(differences.is_empty() && document["unseen"].to_string().contains("data directory"), "{document}");
    place.otb("plan --detailed-exitcode").run().says(&["no change can be planned", "gtm_1@s47    replication"]);
    place.otb("status").run().ends(0).says(&["replication of gtm_1@s47 is not known: the shell of s47"]);
}

#[test]
fn out_of_sight_is_not_no_drift() {
    let place = SandboxFixture::up("");
    place.fault("hang dn01@s47");
    let ended = drift(&place, "--format json");
    ended.fails(1, &["could not observe the whole cluster", "hint"]);
    let (differences, document) = ids(&ended);
    assert!(differences.is_empty() && document["verdict"] == "unknown", "{document}");
    assert!(!document["unseen"].as_array().unwrap().is_empty());
    // A difference elsewhere is one all the same.
    place.fault("stop dn02@s29");
    drift(&place, "").ends(2).says(&["role:dn02@s29", "Not observed", "dn01@s47"]);
}

#[test]
fn a_baseline_sets_aside_for_a_time() {
    let place = SandboxFixture::up("");
    place.fault("stop dn01@s47");
    let entry = |id: &str, expires: &str| format!("  - {{id: '{id}', reason: CHG-1234, expires: {expires}}}\n");
    let write = |entries: &str| place.write("known.yaml", format!("version: 1\naccepted:\n{entries}"));
    let known = format!("--baseline {}", write(&entry("role:dn01@s47", "9999-12-31")).display());
    drift(&place, &known).ends(0).says(&["No drift", "Accepted", "role:dn01@s47 until 9999-12-31: CHG-1234"]);
    write(&entry("role:dn01@s47", "2020-01-01"));
    drift(&place, &known).ends(2).says(&["role:dn01@s47 expired", "until 2020-01-01", "counts again"]);
    write(&(entry("role:dn01@s47", "9999-12-31") + &entry("pooler:cn01", "9999-12-31")));
    drift(&place, &known).ends(0).says(&["pooler:cn01 matches nothing"]);
    drift(&place, &format!("{known} --format json")).fails(0, &["warning: baseline: pooler:cn01"]);
    write(&entry("unreachable:dn01@s47", "9999-12-31"));
    drift(&place, &known).fails(1, &["failed to read the baseline", "could not observe", "hint"]);
    drift(&place, "--baseline /nonexistent").fails(1, &["failed to read the baseline /nonexistent"]);
}

#[test]
fn junit_and_prometheus() {
    let place = SandboxFixture::up("");
    place.fault("stop dn01@s47");
    let (junit, metrics) = (place.dir().join("drift.xml"), place.dir().join("otb.prom"));
    let to = format!("--junit {} --prometheus {}", junit.display(), metrics.display());
    drift(&place, &to).ends(2);
    let text = std::fs::read_to_string(&junit).unwrap();
    assert!(text.contains("<testsuites tests=\"45\" failures=\"1\" errors=\"0\" skipped=\"0\">"), "{text}");
    assert!(text.contains("<testcase classname=\"dn01\" name=\"role\">"), "{text}");
    assert!(text.contains("message=\"role:dn01@s47: expected a running standby, found stopped\""), "{text}");
    let mut reader = quick_xml::Reader::from_str(&text);
    while !matches!(reader.read_event().unwrap(), quick_xml::events::Event::Eof) {}
    let text = std::fs::read_to_string(&metrics).unwrap();
    for line in [
        "# TYPE otb_drift_differences gauge",
        "otb_drift_differences{cluster=\"opentenbase_cluster\",kind=\"role\"} 1",
        "otb_drift_differences{cluster=\"opentenbase_cluster\",kind=\"placement\"} 0",
        "otb_drift_unseen_facts{cluster=\"opentenbase_cluster\"} 0",
    ] {
        assert!(text.lines().any(|written| written == line), "{line} is not in\n{text}");
    }
    place.fault("hang dn02@s29");
    drift(&place, &to).ends(2);
    assert!(std::fs::read_to_string(&junit).unwrap().contains("errors=\"1\""));
    // Nothing is left beside them.
    let left = std::fs::read_dir(place.dir()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!left.into_iter().any(|name| name.starts_with(".otb.prom") || name.starts_with(".drift.xml")));
    drift(&place, "--junit /nonexistent/x.xml").fails(1, &["failed to write /nonexistent/x.xml"]);
}

/// Every statement that is sent is a SHOW, a SELECT of known reading functions, or makes the session read-only; every
/// SELECT comes after that; and the cluster is afterwards what it was.
#[test]
fn only_reads() {
    let place = SandboxFixture::up("--coordinator-standbys");
    place.fault("wrong-route cn02@s47 dn01=127.0.0.1:1");
    place.fault("kill dn02@s47");
    let before = place.state();
    let log = place.dir().join("log.txt");
    place.otb("drift --log-file").args([&log]).run().ends(2);
    assert_eq!(place.state(), before);
    let text = std::fs::read_to_string(log).unwrap();
    let statements: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once(" sql=").map(|(_, rest)| rest.split(" rows=").next().unwrap()))
        .collect();
    assert!(statements.len() > 40, "{text}");
    for sql in statements {
        let reads = sql.starts_with("show ")
            || sql.starts_with("select ")
            || sql.starts_with("set default_transaction_read_only = on");
        let acts = [
            "pgxc_pool_reload",
            "pg_reload_conf",
            "pg_switch_wal",
            "pg_promote",
            "advisory",
            "pg_wal_replay",
            "pg_clean_execute",
            "clean connection",
        ];
        assert!(reads && !acts.iter().any(|act| sql.contains(act)), "{sql}");
    }
}
