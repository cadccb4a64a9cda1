//! The sandbox as a ground: one of its own for each scenario.

use std::path::{Path, PathBuf};

use super::ground::{Ran, TestCluster, otb};

/// A running sandbox, taken down when dropped.
pub(crate) struct Sandbox {
    dir: tempfile::TempDir,
    flavor: Option<&'static str>,
}

impl Sandbox {
    /// Brings up the example cluster; `more` are further arguments of `otb sandbox up`.
    pub(crate) fn up(more: &[&str]) -> Self {
        let dir = tempfile::Builder::new().prefix("otb-").tempdir().unwrap();
        let flavor = more.contains(&"v5").then_some("v5");
        let sandbox = Self { dir, flavor };
        let mut args = vec!["sandbox", "up", "--dir", sandbox.path(), "--ttl", "300"];
        args.extend(more);
        let ran = otb(&sandbox.file(), &words(&args));
        assert_eq!(ran.code, 0, "sandbox up: {}{}", ran.stdout, ran.stderr);
        sandbox
    }

    /// What an operator does by hand.
    fn promote(&self, instance: &str) -> Ran {
        let loaded = otb::config::read(&self.file()).unwrap();
        let id = otb::model::InstanceId::try_from(instance.to_owned()).unwrap();
        let instance = loaded.cluster.instance(&id).unwrap();
        if instance.kind == otb::model::NodeKind::Gtm {
            let (bin, data) = (format!("{}/bin", instance.install), &instance.data);
            // Left alone until it has written its gtm.control anew (docs/explanation/opentenbase-v2.6-live.md).
            let promote = format!("{bin}/gtm_ctl -Z gtm -D {data} promote && sleep 1");
            return self.shell(&promote);
        }
        self.shell(&format!("{}/bin/pg_ctl -Z {} -D {} promote", instance.install, instance.kind, instance.data))
    }

    fn path(&self) -> &str {
        self.dir.path().to_str().unwrap()
    }
}

fn words(args: &[&str]) -> Vec<String> {
    args.iter().map(ToString::to_string).collect()
}

impl TestCluster for Sandbox {
    fn name(&self) -> &'static str {
        "the sandbox"
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("cluster.yaml")
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn fault(&self, args: &[String]) -> Ran {
        if args[0] == "promote" {
            return self.promote(&args[1]);
        }
        let mut all = words(&["sandbox", "fault", "--dir", self.path()]);
        // Scenarios know the sandbox's network as 127.0.0.x.
        let (host, _) = self.endpoint("cn01@s29");
        let network = host.rsplit_once('.').unwrap().0;
        all.extend(args.iter().map(|word| word.replace("=127.0.0.", &format!("={network}."))));
        otb(&self.file(), &all)
    }

    fn endpoint(&self, instance: &str) -> (String, u16) {
        let loaded = otb::config::read(&self.file()).unwrap();
        let id = otb::model::InstanceId::try_from(instance.to_owned()).unwrap();
        let endpoint = &loaded.cluster.instance(&id).unwrap().endpoint;
        (endpoint.host.to_string(), endpoint.port)
    }

    fn shell(&self, script: &str) -> Ran {
        let mut command = std::process::Command::new("timeout");
        command.args(["120", "sh", "-c", script]).stdin(std::process::Stdio::null()).output().expect("sh runs").into()
    }

    fn may_bless(&self) -> bool {
        true
    }

    fn flavor(&self) -> Option<&'static str> {
        self.flavor
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        otb(&self.file(), &words(&["sandbox", "down", "--dir", self.path()]));
    }
}
