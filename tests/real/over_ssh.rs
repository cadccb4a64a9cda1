//! The same scenarios with the servers' shells behind sshds: a login as whoever runs the tests, and from there by
//! `sudo -n` to the servers' OS user.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::cluster::Real;
use crate::say;
use crate::support::ground::Ground as _;
use crate::support::over_ssh::{OverSsh, servers};
use crate::support::script;
use crate::support::sshd::Sshds;

/// There and back through a bastion.
pub(crate) fn switchover_through_a_proxy_jump(real: &Real) {
    scenario(real, "switchover_and_back.md", Sshds::behind_a_bastion);
}

/// A master that died, rebuilt over ssh.
pub(crate) fn failover(real: &Real) {
    scenario(real, "failover_of_a_killed_master.md", Sshds::start);
}

fn scenario(real: &Real, name: &str, start: fn(&[(&str, &str)]) -> Sshds) {
    let Some(sshds) = sshds(real, start) else { return };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios").join(name);
    script::run(&path, &OverSsh::new(real, &sshds, ""));
}

/// None, loudly, where there can be no ssh to the servers' OS user.
pub(crate) fn sshds(real: &Real, start: fn(&[(&str, &str)]) -> Sshds) -> Option<Sshds> {
    let may_sudo = || {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "-u", real.user(), "true"]).stdout(Stdio::null()).stderr(Stdio::null());
        sudo.status().is_ok_and(|status| status.success())
    };
    let no_sudo = real.hands().changes_over() && !may_sudo();
    if let Some(why) = Sshds::missing().or_else(|| no_sudo.then(|| "no sudo -n here".to_owned())) {
        say(&format!("SKIPPED 1 part of the real lane over ssh: {why}"));
        return None;
    }
    let servers = servers(&real.file());
    let servers: Vec<(&str, &str)> = servers.iter().map(|(name, at)| (name.as_str(), at.as_str())).collect();
    Some(start(&servers))
}
