//! A shell that prints something of its own, before and after what otb runs and on both streams.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use crate::fixture::SandboxFixture;

/// otb's own scripts only: what they run in turn is no login shell.
const SH: &str = r#"#!/bin/sh
case $2 in *otb-script-begins*) ;; *) exec /bin/sh "$@";; esac
printf 'Welcome\n0 mark.status 1\n0 says no\n0 status 9\ntaken ann\n$ '
printf 'Last login: never\notb-script-status 9' >&2
/bin/sh "$@"
status=$?
printf 'Goodbye\n0 status 9\n'; echo Goodbye >&2
exit $status
"#;

#[test]
fn a_whole_plan_is_applied_where_the_shell_greets() {
    let place = SandboxFixture::up("");
    let bin = place.dir().join("greeting");
    std::fs::create_dir(&bin).unwrap();
    std::fs::write(bin.join("sh"), SH).unwrap();
    std::fs::set_permissions(bin.join("sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let otb = |line: &str| place.otb(line).env("PATH", &path).limit(Duration::from_secs(90)).run();
    // A failover, a switchover and the GTM's: every kind of script.
    place.fault("kill dn02@s47");
    for (node, server) in [("gtm_1", "s47"), ("dn01", "s47"), ("dn02", "s29")] {
        place.declare(node, server);
    }
    otb("status").ends(0);
    let applied = otb("apply --auto-approve");
    applied.ends(0);
    assert!(!format!("{applied:?}").contains("Welcome"), "{applied:?}");
    otb("plan --detailed-exitcode").ends(0).says(&["Nothing to do"]);
}
