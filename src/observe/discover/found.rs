//! From answers and directories to the copies of each node.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{NodeAnswers, Who};
use super::{Masters, Row};
use crate::model::{Endpoint, Fact, FoundInstance, FoundNode, Host, NodeKind, Role, Unknown};
use crate::opentenbase::{DataDirScan, Directory};

/// Everything that was learned so far.
pub(super) struct Look<'a> {
    pub rows: &'a [Row],
    pub masters: &'a Masters,
    pub data_dir_scan: &'a BTreeMap<Host, Fact<DataDirScan>>,
    /// Whether each server has a machine of its own, as far as known.
    pub ssh: bool,
}

impl<'a> Look<'a> {
    /// An address from which a standby replicates may be another one of a server that pgxc_node names.
    pub(super) fn real_servers(&self, hosts: &BTreeSet<Host>) -> BTreeSet<Host> {
        let named: BTreeSet<&Host> = self.rows.iter().map(|row| &row.at.host).collect();
        let addresses = |host: &Host| {
            self.data_dir_scan.get(host).and_then(Fact::known).map(|data_dir_scan| &data_dir_scan.addresses)
        };
        let is_another_ones = |host: &Host| {
            named.iter().filter_map(|named| addresses(named)).any(|all| all.iter().any(|one| one == host.as_str()))
        };
        hosts.iter().filter(|host| named.contains(host) || !is_another_ones(host)).cloned().collect()
    }

    /// The places where an instance may answer: every directory that was found, and without a shell, the ports of the
    /// nodes.
    pub(super) fn candidates(&self, hosts: &BTreeSet<Host>) -> BTreeSet<Who> {
        let masters: BTreeSet<&Endpoint> = self.rows.iter().map(|row| &row.at).collect();
        let mut candidates = BTreeSet::new();
        for host in hosts {
            match self.directories(host) {
                Some(directories) => {
                    for directory in directories.filter(|directory| directory.listens_at(host.as_str()) != Some(false))
                    {
                        let kind = if directory.gtm { NodeKind::Gtm } else { NodeKind::Datanode };
                        let at = directory.port.map(|port| Endpoint { host: host.clone(), port });
                        candidates.extend(at.map(|at| Who { kind, at }));
                    }
                }
                None => candidates.extend(self.rows.iter().flat_map(|row| {
                    self.ports(row).map(|port| Who {
                        kind: if row.kind == NodeKind::Gtm { NodeKind::Gtm } else { NodeKind::Datanode },
                        at: Endpoint { host: host.clone(), port },
                    })
                })),
            }
        }
        candidates.retain(|who| !masters.contains(&who.at));
        candidates
    }

    /// The likely ports of this node's standbys: the port of its master, and those that its master reports.
    fn ports(&self, row: &'a Row) -> impl Iterator<Item = u16> + 'a {
        let reports = self.masters.get(&row.name).into_iter().flat_map(|said| &said.standbys);
        std::iter::once(row.at.port).chain(reports.filter_map(|standby| standby.port))
    }

    fn directories(&self, host: &Host) -> Option<impl Iterator<Item = &'a Directory>> {
        Some(self.data_dir_scan.get(host)?.known()?.directories.iter())
    }

    /// The directory whose server answers, or would answer, at `at`.
    fn directory(&self, at: &Endpoint, gtm: bool, data: Option<&str>) -> Option<&'a Directory> {
        let fits = |directory: &&Directory| {
            let here = match directory.listens_at(at.host.as_str()) {
                Some(listens) => listens,
                // On one machine with several servers' addresses, a wildcard address decides nothing.
                None => self.ssh || data == Some(directory.path.as_str()),
            };
            directory.gtm == gtm && here && directory.port == Some(at.port)
        };
        let mut all: Vec<&Directory> = self.directories(&at.host)?.filter(fits).collect();
        all.sort_by_key(|directory| (data != Some(directory.path.as_str()), !directory.running));
        all.first().copied()
    }

    /// The nodes with their copies.
    pub(super) fn nodes(&self, hosts: &BTreeSet<Host>, asked: &[(Who, NodeAnswers)]) -> Vec<FoundNode> {
        let nodes = self.rows.iter().map(|row| {
            let master = self.masters.get(&row.name);
            let mut instances: Vec<FoundInstance> =
                master.map(|said| self.instance(row, &row.at, said)).into_iter().collect();
            let mut runs: BTreeSet<(String, String)> = master.and_then(run).into_iter().collect();
            for (who, said) in asked {
                let new = run(said).is_none_or(|run| runs.insert(run));
                if new && hosts.contains(&who.at.host) && self.belongs(row, who, said) {
                    instances.push(self.instance(row, &who.at, said));
                }
            }
            let missing =
                master.map_or(0, |said| said.standbys.len()).saturating_sub(instances.len().saturating_sub(1));
            let reports = master.map(|said| said.standbys.iter().map(|standby| standby.name.clone()).collect());
            let lost = if missing > 0 { reports.unwrap_or_default() } else { Vec::new() };
            let (name, route) = (row.name.clone(), row.at.clone());
            FoundNode { name, kind: row.kind, route, forward: row.forward, instances, lost }
        });
        nodes.collect()
    }

    /// Whether what answers there, or lies there, is a copy of this node.
    fn belongs(&self, row: &Row, who: &Who, said: &NodeAnswers) -> bool {
        if (row.kind == NodeKind::Gtm) != (who.kind == NodeKind::Gtm) {
            return false;
        }
        let directory = self.directory(&who.at, who.kind == NodeKind::Gtm, said.data.known().map(String::as_str));
        let follows =
            directory.is_some_and(|directory| directory.standby && directory.upstream.as_ref() == Some(&row.at));
        if row.kind == NodeKind::Gtm {
            // A GTM says nothing of its cluster: its gtm.conf must, or its master by the standby's port.
            let reports = self
                .masters
                .get(&row.name)
                .is_some_and(|said| said.standbys.iter().any(|s| s.port == Some(who.at.port)));
            return follows || directory.is_none() && reports && said.role.known() == Some(&Role::Standby);
        }
        match &said.name {
            Fact::Known(name) => {
                let own = self.masters.get(&row.name).and_then(|master| master.system_id.known());
                let same = own.zip(said.system_id.known()).is_none_or(|(own, other)| own == other);
                *name == row.name && same
            }
            Fact::Unknown(_) => follows,
        }
    }

    fn instance(&self, row: &Row, at: &Endpoint, said: &NodeAnswers) -> FoundInstance {
        let reports = said.data.known().map(String::as_str);
        let directory = self.directory(at, row.kind == NodeKind::Gtm, reports);
        let data = match (&said.data, directory) {
            (Fact::Known(data), _) => Fact::Known(data.clone()),
            (Fact::Unknown(_), Some(directory)) => Fact::Known(directory.path.clone()),
            (Fact::Unknown(why), None) => Fact::Unknown(self.why_no_directory(at, why)),
        };
        let install = directory.and_then(|directory| directory.install.clone());
        let forward = match (&said.forward, directory.and_then(|directory| directory.forward)) {
            (Fact::Unknown(_), Some(written)) => Fact::Known(Some(written)),
            (said, _) => said.clone(),
        };
        FoundInstance { at: at.clone(), role: said.role.clone(), data, install, forward }
    }

    fn why_no_directory(&self, at: &Endpoint, own: &Unknown) -> Unknown {
        match self.data_dir_scan.get(&at.host).and_then(Fact::reason) {
            Some(shell) => Unknown { kind: shell.kind, why: format!("{}, and {}", own.why, shell.why) },
            None => Unknown { kind: own.kind, why: format!("{}, and no directory on its server fits", own.why) },
        }
    }
}

/// Which run of which process answered: one that listens on all addresses is not two.
fn run(said: &NodeAnswers) -> Option<(String, String)> {
    said.started.known().cloned().zip(said.data.known().cloned())
}
