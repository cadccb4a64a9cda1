//! Servers that cannot be what they say, or will not let otb in: refused by name, nothing touched.

use crate::Behind;
use crate::support::sshd::BASTION;

/// A switchover is refused while `server` cannot be used, for the reason that has all of `parts`.
#[track_caller]
fn is_refused(behind: &Behind, parts: &[&str]) {
    behind.place.declare("dn01", "s47");
    let before = behind.place.state();
    let plan = behind.otb("plan --detailed-exitcode").run();
    plan.ends(3).says(parts);
    let apply = behind.otb("apply --auto-approve").run();
    apply.ends(3).says(&["Refused", "shell:dn01@s29", "recovery-conf:dn01@s47"]).says(parts);
    assert_eq!(behind.place.state(), before);
}

#[test]
fn a_wrong_host_key() {
    let Some(behind) = Behind::up() else { return };
    behind.sshds.distrust("s47");
    behind.place.declare("dn01", "s47");
    let before = behind.place.state();
    let why =
        ["recovery-conf:dn01@s47", "the shell of s47 cannot be reached", "its host key is not the one in known_hosts"];
    behind.otb("apply --auto-approve").run().ends(3).says(&["Refused"]).says(&why);
    assert_eq!(behind.place.state(), before);
    // Put right, the same change goes through.
    behind.sshds.trust_all();
    behind.otb("apply --auto-approve").run().ends(0);
}

/// known_hosts is strict unless somebody says otherwise: nobody is asked, nothing is remembered.
#[test]
fn a_host_key_that_nobody_knows() {
    let Some(behind) = Behind::up() else { return };
    behind.sshds.know_nobody();
    is_refused(&behind, &["Host key verification failed"]);
    assert_eq!(std::fs::read_to_string(behind.sshds.path("known_hosts")).unwrap(), "");
}

#[test]
fn a_key_that_is_not_authorized() {
    let Some(behind) = Behind::up() else { return };
    behind.sshds.authorize_nobody();
    is_refused(&behind, &["the shell of s29 refused otb", "Permission denied"]);
}

/// The login works, and the user may do nothing there.
#[test]
fn a_user_whom_sudo_does_not_know() {
    let Some(behind) = Behind::up() else { return };
    let text = behind.place.text().replace("via: ssh", "via: ssh, run_as: otb-nobody-knows");
    std::fs::write(behind.place.file(), text).unwrap();
    is_refused(&behind, &["otb-nobody-knows"]);
}

/// The bastion is the only way to the servers: without it there is none.
#[test]
fn a_bastion_that_is_down() {
    let Some(mut behind) = Behind::a_bastion() else { return };
    behind.place.declare("dn01", "s47");
    behind.otb("plan --detailed-exitcode").run().ends(2).says(&["1 change in 19 steps. Observed"]);
    behind.sshds.stop(BASTION);
    is_refused(&behind, &["the shell of s29 cannot be reached", "the shell of s47 cannot be reached"]);
}
