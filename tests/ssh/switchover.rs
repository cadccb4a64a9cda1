//! Scenarios of the other lanes, unchanged.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::ground::TestCluster as _;
use crate::support::over_ssh::{OverSsh, servers};
use crate::support::sandbox::Sandbox;
use crate::support::sshd::Sshds;
use crate::support::{script, skip};
use crate::{available, borrowed};

fn scenario(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(name)
}

#[test]
fn failover_of_a_killed_master() {
    if !available() {
        return;
    }
    let sandbox = Sandbox::up(&[]);
    let sshds = Sshds::start(&borrowed(&servers(&sandbox.file())));
    script::run(&scenario("failover_of_a_killed_master.md"), &OverSsh::new(&sandbox, &sshds, ""));
}

#[test]
fn switchover_and_back_through_a_proxy_jump() {
    if !available() {
        return;
    }
    let sandbox = Sandbox::up(&[]);
    let sshds = Sshds::behind_a_bastion(&borrowed(&servers(&sandbox.file())));
    script::run(&scenario("switchover_and_back.md"), &OverSsh::new(&sandbox, &sshds, ""));
}

#[test]
fn switchover_and_back_as_another_user_by_sudo() {
    if !available() {
        return;
    }
    let me = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let sudo = Command::new("sudo").args(["-n", "-u", me.trim(), "true"]).stderr(Stdio::null()).status();
    if !sudo.is_ok_and(|status| status.success()) {
        return skip::skipped("1 test of the ssh lane", "sudo -n does not work without a password");
    }
    let sandbox = Sandbox::up(&[]);
    let sshds = Sshds::start(&borrowed(&servers(&sandbox.file())));
    let more = format!(", run_as: {}", me.trim());
    script::run(&scenario("switchover_and_back.md"), &OverSsh::new(&sandbox, &sshds, &more));
}
