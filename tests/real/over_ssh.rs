//! The same scenarios with the servers' shells behind sshds: a login as whoever runs the tests, and from there by
//! `sudo -n` to the servers' OS user.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cluster::Real;
use crate::support::ground::TestCluster as _;
use crate::support::over_ssh::{OverSsh, servers};
use crate::support::script;
use crate::support::sshd::Sshds;
use crate::{mishaps, say};

/// What apply says when everything is cut, and how much later; a stop and a promotion take some 100 ms.
const MOMENTS: [(&str, u64); 8] = [
    ("lock held", 0),
    ("done     stage-fence:dn01@OLD", 0),
    ("done     checkpoint:dn01@OLD", 60),
    ("done     stop:dn01@OLD", 0),
    ("done     catch-up:dn01@NEW", 5),
    ("done     catch-up:dn01@NEW", 60),
    ("done     promote:dn01@NEW", 0),
    ("done     prove:cn01", 30),
];

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

/// Connections that break in the middle: the exit code says what is so, and a fresh apply does the rest.
pub(crate) fn cut(real: &Real) {
    let Some(sshds) = sshds(real, Sshds::start) else { return };
    let ground = OverSsh::new(real, &sshds, "");
    let mut exits = Vec::new();
    for (run, (moment, milliseconds)) in MOMENTS.into_iter().enumerate() {
        let (from, to) = if run % 2 == 0 { ("s29", "s47") } else { ("s47", "s29") };
        mishaps::declare(real, to);
        let cut = || {
            std::thread::sleep(Duration::from_millis(milliseconds));
            sshds.cut("s29");
            sshds.cut("s47");
        };
        let path = [("PATH", crate::support::over_ssh::path(&sshds))];
        let code = mishaps::apply_until(real, &path, &moment.replace("OLD", from).replace("NEW", to), cut);
        let masters = [from, to].map(|server| mishaps::recovery(real, server) == "f");
        match code {
            0 | 8 => assert_eq!(masters, [false, true], "exit {code} after {moment}"),
            1 | 6 => assert_eq!(masters, [true, false], "exit {code} after {moment}"),
            7 | 9 => assert_ne!(masters, [true, true], "exit {code} after {moment}"),
            _ => panic!("exit {code} after {moment}"),
        }
        exits.push(code);
        let ran = ground.otb(&["apply", "--auto-approve", "--lock-timeout", "20s"].map(str::to_owned));
        assert_eq!(ran.code, 0, "cut after {moment}, then: {}{}", ran.stdout, ran.stderr);
        assert_eq!([from, to].map(|server| mishaps::recovery(real, server)), ["t", "f"], "cut after {moment}");
    }
    say(&format!("real lane: ssh cut at {} moments; apply exited {exits:?}", exits.len()));
}
