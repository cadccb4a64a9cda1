//! Login shells that print something of their own, before and after what otb runs.

use crate::Behind;

#[test]
fn a_whole_plan_behind_login_shells_that_greet() {
    let Some(behind) = Behind::a_greeting() else { return };
    behind.otb("status").run().ends(0);
    behind.place.fault("stop dn02@s29");
    for (node, server) in [("gtm_1", "s47"), ("dn01", "s47")] {
        behind.place.declare(node, server);
    }
    let applied = behind.otb("apply --auto-approve").limit(std::time::Duration::from_secs(90)).run();
    applied.ends(0).says(&["promote", "rejoin"]);
    behind.otb("plan --detailed-exitcode").run().ends(0).says(&["Nothing to do"]);
    let words = ["import", "--shell", "ssh", "--sslmode", "disable", "--coordinator"];
    let at = format!("{}:15432", behind.place.address("s29"));
    let imported = behind.otb("").args(words).args([&at]).run();
    imported.ends(0);
    assert!(!imported.stderr.contains("TODO"), "{imported:?}");
}
