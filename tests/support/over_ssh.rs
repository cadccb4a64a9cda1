//! Another ground, its servers' shells reached through sshds.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::ground::{Ran, TestCluster, otb_with};
use super::sshd::Sshds;

/// `G` with `shell: {via: ssh}`; who, where and with which key is ssh_config's business.
pub(crate) struct OverSsh<'a, G: TestCluster> {
    ground: &'a G,
    sshds: &'a Sshds,
}

impl<'a, G: TestCluster> OverSsh<'a, G> {
    /// Changes the shell in the ground's cluster.yaml; `more` follows `via: ssh`.
    pub(crate) fn new(ground: &'a G, sshds: &'a Sshds, more: &str) -> Self {
        let text = std::fs::read_to_string(ground.file()).unwrap();
        let over_ssh = text.replace("via: local", &format!("via: ssh{more}"));
        assert_ne!(text, over_ssh, "a cluster.yaml with local shells");
        std::fs::write(ground.file(), over_ssh).unwrap();
        Self { ground, sshds }
    }
}

/// A PATH on which the sshds' ssh comes first.
pub(crate) fn path(sshds: &Sshds) -> OsString {
    let old = std::env::var_os("PATH").unwrap();
    std::env::join_paths(std::iter::once(sshds.bin()).chain(std::env::split_paths(&old))).unwrap()
}

/// The servers of a cluster.yaml with their addresses.
pub(crate) fn servers(file: &Path) -> Vec<(String, String)> {
    let servers = otb::config::read(file).unwrap().cluster.servers;
    servers.into_values().map(|server| (server.name.to_string(), server.address.to_string())).collect()
}

impl<G: TestCluster> TestCluster for OverSsh<'_, G> {
    fn name(&self) -> &'static str {
        "a ground behind ssh"
    }

    fn file(&self) -> PathBuf {
        self.ground.file()
    }

    fn dir(&self) -> &Path {
        self.ground.dir()
    }

    fn fault(&self, words: &[String]) -> Ran {
        self.ground.fault(words)
    }

    fn endpoint(&self, instance: &str) -> (String, u16) {
        self.ground.endpoint(instance)
    }

    fn flavor(&self) -> Option<&'static str> {
        self.ground.flavor()
    }

    fn may_bless(&self) -> bool {
        false
    }

    fn otb(&self, args: &[String]) -> Ran {
        otb_with(&self.file(), args, &[("PATH", path(self.sshds))])
    }

    fn sql(&self, instance: &str, statement: &str) -> Ran {
        self.ground.sql(instance, statement)
    }

    fn shell(&self, script: &str) -> Ran {
        self.ground.shell(script)
    }
}
