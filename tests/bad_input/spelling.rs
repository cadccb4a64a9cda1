//! Hosts that the cluster writes in another way than the file: no move, no restart, no change of a row.

use crate::fixture::SandboxFixture;

/// Another way to write a loopback address, which every resolver reads: 127.163.88.47 is 127.163.22575.
fn other_way(address: &str) -> String {
    let parts: Vec<u32> = address.split('.').map(|part| part.parse().unwrap()).collect();
    format!("{}.{}.{}", parts[0], parts[1], parts[2] * 256 + parts[3])
}

/// Lets a standby write its upstream's host in the other way, as an operator does it: in its file, before a start.
fn follows_by(place: &SandboxFixture, instance: &str, file: &str) {
    let path = place.dir().join("s47").join(file);
    let address = place.address("s29");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(&address), "{text}");
    place.fault(&format!("stop {instance}"));
    std::fs::write(&path, text.replace(&address, &other_way(&address))).unwrap();
    place.fault(&format!("start {instance}"));
}

#[test]
fn rows_and_standbys_that_write_hosts_otherwise_are_as_declared() {
    let place = SandboxFixture::up("");
    let other = other_way(&place.address("s29"));
    for router in ["cn01", "cn02", "dn01", "dn02"] {
        place.fault(&format!("wrong-route {router} dn01={other}:23001"));
        place.fault(&format!("wrong-route {router} gtm_1={other}:21000"));
    }
    follows_by(&place, "dn01@s47", "dn01/recovery.conf");
    follows_by(&place, "gtm_1@s47", "gtm/gtm.conf");
    place.settles();

    let plan = place.otb("plan --detailed-exitcode --checks").run();
    plan.ends(0).says(&["Nothing to do", "warn    spelling:opentenbase_cluster", &other]);
    plan.says(&["cn01@s29, cn02@s47, dn01@s29 and 3 more: pgxc_node has "]);
    plan.says(&["dn01@s47, gtm_1@s47: the standby's upstream has "]);
    place.otb("status").run().ends(0).says(&["all in order"]);
    place.otb("drift").run().ends(0).says(&["No drift"]);

    // A move changes the rows of the node that moves, and restarts nothing but its old master.
    place.declare("dn01", "s47");
    let moved = place.otb("apply --auto-approve").run();
    moved.ends(0).says(&["19 of 19 steps done and verified"]);
    assert!(!moved.stdout.contains("restart:"), "{}", moved.stdout);
    // The GTM's rows stay as they were written.
    let after = place.otb("plan --detailed-exitcode --checks").run();
    after.ends(0).says(&["Nothing to do", "gtm_1@s47: the standby's upstream has ", "pgxc_node has "]);
}

#[test]
fn a_gtm_whose_standby_writes_its_host_otherwise_is_moved() {
    let place = SandboxFixture::up("");
    follows_by(&place, "gtm_1@s47", "gtm/gtm.conf");
    place.settles();
    place.otb("ready --target gtm_1").run().ends(0).says(&["1 of 1 node could fail over now"]);
    place.declare("gtm_1", "s47");
    place.otb("apply --auto-approve").run().ends(0);
    place.is_settled();
}
