//! `otb ready` on the sandbox: every check of a takeover, none made, and what a failover would lose.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/limited.rs"]
mod limited;

use fixture::SandboxFixture;
use limited::Ended;
use serde_json::Value;

/// The document, which must fit its schema.
fn document(ended: &Ended) -> Value {
    let document: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    let schema = serde_json::from_str(include_str!("../schemas/ready.schema.json")).unwrap();
    jsonschema::validate(&schema, &document).unwrap_or_else(|error| panic!("{error}"));
    document
}

fn node<'a>(document: &'a Value, name: &str) -> &'a Value {
    document["nodes"].as_array().unwrap().iter().find(|node| node["node"] == name).unwrap()
}

#[test]
fn a_healthy_cluster_could_fail_over_and_nothing_is_touched() {
    let place = SandboxFixture::up("");
    let before = place.state();
    let ended = place.otb("ready --format json").run();
    let document = document(ended.ends(0));
    assert_eq!(document["verdict"], "yes");
    for (name, verdict) in [("gtm_1", "yes"), ("dn01", "yes"), ("dn02", "yes"), ("cn01", "no_standby")] {
        assert_eq!(node(&document, name)["verdict"], verdict, "{name}");
    }
    let checks = node(&document, "dn01")["standbys"][0]["checks"].as_array().unwrap().clone();
    let codes: Vec<&str> = checks.iter().map(|check| check["code"].as_str().unwrap()).collect();
    for code in
        ["identity", "replay", "recovery-conf", "disk", "lag", "replication-access", "prepared-limit", "sync-standbys"]
    {
        assert!(codes.contains(&code), "{code} is not among {codes:?}");
    }
    assert!(checks.iter().all(|check| check["verdict"] != "unknown"), "every check could be made: {checks:?}");
    assert_eq!(place.state(), before);
}

#[test]
fn what_would_refuse_a_takeover_is_named() {
    for (fault, check) in [
        ("readonly-recovery dn01@s47", "recovery-conf:dn01@s47"),
        ("pause-replay dn01@s47", "replay:dn01"),
        ("stop dn01@s47", "standby:dn01"),
    ] {
        let place = SandboxFixture::up("");
        place.fault(fault);
        place.otb("ready").run().ends(2).says(&["2 of 3 nodes could fail over now", check]);
        place.otb("ready --format markdown").run().ends(2).says(&["**NO**", check]);
        place.otb("ready --target dn02").run().ends(0).says(&["1 of 1 node could fail over now"]);
    }
}

#[test]
fn what_a_failover_would_lose_is_counted() {
    let place = SandboxFixture::up("");
    place.fault("lag dn01@s47");
    place.fault("wal dn01@s29 3000000");
    let ended = place.otb("ready --target dn01 --format json").run();
    let loses = node(&document(ended.ends(0)), "dn01")["standbys"][0]["loses_bytes"].as_u64().unwrap();
    assert!(loses >= 3_000_000, "{loses}");
    place.otb("ready --target dn01").run().ends(0).says(&["MiB of WAL"]);
}

#[test]
fn after_a_switchover_the_old_master_is_the_standby() {
    let place = SandboxFixture::moving("");
    // Declared elsewhere than it runs: the standby is the declared one.
    place.otb("ready --target dn01").run().ends(0).says(&["s47"]);
    place.settles();
    place.otb("ready --target dn01").run().ends(0).says(&["s29"]);
}

#[test]
fn one_of_two_standbys_is_enough() {
    let place = SandboxFixture::up("--from tests/support/several_standbys.yaml");
    place.fault("pause-replay dn01@s47");
    let ended = place.otb("ready --target dn01 --format json").run();
    let document = document(ended.ends(0));
    let standbys = node(&document, "dn01")["standbys"].as_array().unwrap();
    let verdicts: Vec<&str> = standbys.iter().map(|standby| standby["verdict"].as_str().unwrap()).collect();
    assert!(verdicts.contains(&"no") && verdicts.contains(&"yes"), "{verdicts:?}");
    assert_eq!(document["verdict"], "yes");
}
