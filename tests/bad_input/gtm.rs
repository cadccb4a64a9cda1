//! The GTM in trouble, and nodes with more than one standby.

use std::time::Duration;

use super::fixture::SandboxFixture;

const THREE: &str = "\
version: 1
cluster: three
connection: {user: opentenbase, database: postgres}
defaults: {install: /opt/x, data: \"/data/{node}\", shell: {via: local}}
servers: {s29: {address: 10.0.0.29}, s47: {address: 10.0.0.47}, s61: {address: 10.0.0.61}}
gtm:
  gtm_1: {master: s29, port: 21000, instances: [{server: s29}, {server: s47}, {server: s61}]}
coordinators:
  cn01: {master: s29, port: 15432, instances: [{server: s29}]}
datanodes:
  dn01: {master: s29, port: 23001, instances: [{server: s29}, {server: s47}, {server: s61}]}
policy: {max_lag: 16MiB, old_master: rejoin}
";

/// Whoever connects too early to a promoted GTM finds it hanging once the old one rejoins.
#[test]
fn the_gtms_trap_is_not_stepped_into() {
    let place = SandboxFixture::up("");
    place.fault("gtm-trap on");
    for server in ["s47", "s29"] {
        place.declare("gtm_1", server);
        place.otb("apply --auto-approve").run().ends(0).says(&["gtm_1 gave no timestamps for"]);
        place.is_settled();
    }
}

#[test]
fn the_named_standby_takes_over_and_the_others_follow_it() {
    let from = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(from.path(), THREE).unwrap();
    let place = SandboxFixture::up(&format!("--from {}", from.path().display()));
    let follow = |master: &str| {
        let at = |port: &str| format!("streams from {}:{port}", place.address(master));
        let status = place.otb("status --format markdown").run();
        for stream in [at("23001"), at("21000")] {
            assert_eq!(status.ends(0).stdout.matches(&stream).count(), 2, "{stream}\n{}", status.stdout);
        }
    };
    place.declare("dn01", "s47");
    place.declare("gtm_1", "s47");
    place.otb("apply --auto-approve").run().ends(0);
    follow("s47");
    place.fault("kill dn01@s47");
    place.fault("kill gtm_1@s47");
    place.declare("dn01", "s61");
    place.declare("gtm_1", "s61");
    place.otb("apply --auto-approve").run().ends(0).says(&["First part: the GTM serves"]);
    follow("s61");
    place.is_settled();
}

/// A GTM that accepts connections and says nothing may be active again any moment: it is ended first, within the limits.
#[test]
fn a_mute_gtm_is_ended_before_another_takes_over() {
    let place = SandboxFixture::up("");
    place.fault("hang gtm_1@s29");
    place.declare("gtm_1", "s47");
    let plan = place.otb("plan --timeout 2s").limit(Duration::from_secs(60)).run();
    plan.ends(0).says(&["gtm_1@s29 HANGS", "end:gtm_1@s29"]);
    place.otb("apply --auto-approve --timeout 2s").limit(Duration::from_secs(120)).run().ends(0);
    place.is_settled();
}

/// Its server out of sight, the operator has pulled the plug and says so.
#[test]
fn a_gtm_out_of_sight_is_failed_over_with_waivers_and_what_was_left_out_is_said() {
    let place = SandboxFixture::up("");
    place.fault("partition s29");
    place.declare("gtm_1", "s47");
    let apply = "apply --auto-approve --timeout 2s";
    place.otb(apply).limit(Duration::from_secs(90)).run().ends(3).says(&["fence:gtm_1", "routes:cn01@s29"]);
    let waived = format!("{apply} --waive fence:gtm_1 --waive routes:cn01@s29 --waive routes:dn01@s29 --reason pulled");
    let ended = place.otb(&waived).limit(Duration::from_secs(90)).run();
    ended.says(&["not observed: cn01@s29"]);
    // The routers in sight have a GTM again.
    let status = place.otb("status --timeout 2s").limit(Duration::from_secs(60)).run();
    status.says(&["cn02   cn    s47  "]);
    let plan = place.otb("plan --checks --timeout 2s").limit(Duration::from_secs(60)).run();
    plan.ends(0).says(&["gtm_1@s47 is the active GTM"]);
}

/// Nothing was sent to it yet: that is no outcome in doubt, and whoever mends it is not kept waiting.
#[test]
fn a_gtm_that_dies_while_its_standby_is_waited_for() {
    let place = SandboxFixture::up("");
    place.declare("gtm_1", "s47");
    // Each answer, and a connection, so long: the waiting is not over before the other one is dead.
    place.fault("slow gtm_1@s47 700");
    let mut run = place.otb("apply --auto-approve").limit(Duration::from_secs(60)).start();
    run.until_said("done     stage-fence:gtm_1@s29");
    place.fault("kill gtm_1@s29");
    place.fault("slow gtm_1@s47 0");
    let ended = run.wait();
    ended.ends(6).says(&["await-redo:gtm_1@s47", "undone   stage-fence:gtm_1@s29", "still: failover gtm_1 on s47"]);
    assert!(ended.took < Duration::from_secs(35), "{ended:?}");
    place.otb("apply --auto-approve").run().ends(0);
    place.is_settled();
}

/// The catalog of one router has lost its GTM row: refused before anything is stopped.
#[test]
fn a_router_without_a_gtm_row_refuses() {
    let place = SandboxFixture::up("");
    place.fault("forget-row dn02@s47 gtm_1");
    place.declare("gtm_1", "s47");
    let before = place.state();
    place.otb("apply --auto-approve").run().ends(3).says(&["gtm-row:dn02@s47"]);
    assert_eq!(place.state(), before);
}

/// gtm_ctl does not look whether what it started lives: otb does, and does not wait for minutes for a dead process.
#[test]
fn a_standby_that_dies_at_its_start_is_told_at_once() {
    let place = SandboxFixture::up("");
    place.fault("stop gtm_1@s47");
    let conf = place.dir().join("s47/gtm/gtm.conf");
    let before = std::fs::read_to_string(&conf).unwrap();
    // cn02's.
    std::fs::write(&conf, format!("{before}port = 15432\n")).unwrap();
    let ended = place.otb("apply --auto-approve").limit(Duration::from_secs(60)).run();
    ended.ends(8).says(&["it ended at its start", "could not create listen socket"]);
    std::fs::write(&conf, before).unwrap();
    place.otb("apply --auto-approve").run().ends(0);
    place.is_settled();
}
