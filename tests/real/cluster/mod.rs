//! Real processes as a ground: the example cluster, laid out and started from an OpenTenBase install.
//!
//! Setting it up takes about a minute, so there is one for all scenarios, put back after each by [`Real::reset`]
//! without any help from otb. Everything lies below one temporary directory and is removed when dropped.

mod faults;
mod gtm;
mod hands;
mod layout;
mod pgxc_ctl;
mod reap;
mod reset;
mod setup;
mod third;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use otb::model::{Cluster, Instance, InstanceId};

use crate::support::ground::{Ran, TestCluster};
pub(crate) use hands::Hands;

/// A running cluster of real processes.
pub(crate) struct Real {
    hands: Arc<Hands>,
    cluster: Cluster,
    /// cluster.yaml as the cluster was set up.
    declared: String,
}

impl Real {
    /// Where OpenTenBase is to be installed: `OTB_TEST_INSTALL`, with commas between several, else /opt/opentenbase (v2.6)
    /// and /opt/opentenbase5 (v5). An error names one that is not there.
    pub(crate) fn installs() -> Vec<Result<PathBuf, PathBuf>> {
        let named = std::env::var("OTB_TEST_INSTALL");
        let named = named.as_deref().unwrap_or("/opt/opentenbase,/opt/opentenbase5");
        let install = |path: &str| {
            let install = PathBuf::from(path);
            if install.join("bin/pg_ctl").exists() { Ok(install) } else { Err(install) }
        };
        named.split(',').map(install).collect()
    }

    /// Whether the install is a v5.
    pub(crate) fn is_v5(&self) -> bool {
        self.hands.is_v5()
    }

    /// What an ALTER NODE or CREATE NODE says of an instance's place: v5's has a forward port.
    pub(crate) fn place(&self, instance: &Instance) -> String {
        let at = &instance.endpoint;
        let forward = if self.is_v5() { format!(",forward={}", layout::forward_port(instance)) } else { String::new() };
        format!("host='{}',port={}{forward}", at.host, at.port)
    }

    /// Lays out and starts the example cluster, if `wide` with a standby of each coordinator.
    pub(crate) fn up(install: &Path, wide: bool) -> Self {
        let hands = Arc::new(Hands::new(install));
        let declared = layout::cluster_yaml(&hands, &layout::free_network(), wide);
        std::fs::write(hands.root().join("cluster.yaml"), &declared).unwrap();
        let cluster = otb::config::read(&hands.root().join("cluster.yaml")).unwrap().cluster;
        let real = Self { hands, cluster, declared };
        real.set_up();
        real
    }

    pub(crate) fn hands(&self) -> &Hands {
        &self.hands
    }

    pub(crate) fn user(&self) -> &str {
        self.hands.user()
    }

    pub(crate) fn instance(&self, id: &str) -> &Instance {
        let id = InstanceId::try_from(id.to_owned()).unwrap();
        self.cluster.instance(&id).unwrap_or_else(|| panic!("no instance {id}"))
    }

    /// What an instance answers to one statement; none if it does not.
    fn ask(&self, instance: &Instance, statement: &str) -> Option<String> {
        let ran = self.psql(instance, statement);
        (ran.code == 0).then(|| ran.stdout.trim().to_owned())
    }

    fn psql(&self, instance: &Instance, statement: &str) -> Ran {
        let psql = format!(
            "PGCONNECT_TIMEOUT=5 psql -AtX -v ON_ERROR_STOP=1 -h {} -p {} -U {} -d postgres -c \"$1\"",
            instance.endpoint.host,
            instance.endpoint.port,
            self.hands.user()
        );
        self.hands.run(&psql, &[statement], 30)
    }
}

impl TestCluster for Real {
    fn name(&self) -> &'static str {
        "real processes"
    }

    fn file(&self) -> PathBuf {
        self.hands.root().join("cluster.yaml")
    }

    fn dir(&self) -> &Path {
        self.hands.root()
    }

    fn fault(&self, words: &[String]) -> Ran {
        let text = faults::inflict(self, words);
        Ran { code: 0, stdout: text, stderr: String::new() }
    }

    fn endpoint(&self, instance: &str) -> (String, u16) {
        let endpoint = &self.instance(instance).endpoint;
        (endpoint.host.to_string(), endpoint.port)
    }

    fn shell(&self, script: &str) -> Ran {
        self.hands.run(script, &[], 120)
    }

    fn may_bless(&self) -> bool {
        false
    }

    fn flavor(&self) -> Option<&'static str> {
        self.is_v5().then_some("v5")
    }

    fn sql(&self, instance: &str, statement: &str) -> Ran {
        self.psql(self.instance(instance), statement)
    }
}
