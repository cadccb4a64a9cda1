//! sshds that allow one session on each connection (MaxSessions 1): the lock has it, and otb opens another connection.

use crate::Behind;

#[test]
fn a_whole_switchover_through_sshds_of_one_session() {
    let Some(behind) = Behind::one_session() else { return };
    behind.otb("status").run().ends(0);
    behind.place.declare("dn01", "s47");
    let applied = behind.otb("apply --auto-approve").limit(std::time::Duration::from_secs(120)).run();
    applied.ends(0).says(&["promote", "rejoin"]);
    behind.otb("plan --detailed-exitcode").run().ends(0).says(&["Nothing to do"]);
}
