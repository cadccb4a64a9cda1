//! pgxc_ctl.conf (OpenTenBase v2.6, contrib/pgxc_ctl/pgxc_ctl_conf_part_full): lists side by side, one entry per node.

use std::collections::BTreeMap;

use super::draft::{CopyDraft, Draft, NodeDraft, name_servers};
use super::expand::{Expanded, Variables};
use super::{SourceError, bash};
use crate::model::{ClusterName, Host, NodeKind, NodeName};

/// Reads the file's text; `given` are variables that the file takes from its environment, `HOME` and the like. An entry that cannot be known stays open; a list that does not fit is an error.
pub fn from_pgxc_ctl(text: &str, given: &BTreeMap<String, String>) -> Result<Draft, SourceError> {
    let script = bash::read(text)?;
    let variables = Variables::of(&script, given);
    let mut reader = Reader { variables, draft: Draft::default() };
    reader.head();
    reader.gtm()?;
    reader.nodes(&COORDINATORS)?;
    reader.nodes(&DATANODES)?;
    let mut draft = reader.draft;
    let hosts: std::collections::BTreeSet<Host> =
        draft.nodes.iter().flat_map(|node| &node.copies).filter_map(|copy| copy.server.clone()).collect();
    draft.servers = name_servers(hosts.into_iter().map(|host| (host, None)), &BTreeMap::new());
    if !script.other.is_empty() {
        let mut lines: Vec<String> = script.other.iter().map(ToString::to_string).collect();
        lines.dedup();
        draft.remark("pgxc_ctl.conf", format!("not assignments, and not run: lines {}", lines.join(", ")));
    }
    draft.settle();
    Ok(draft)
}

/// The names of one kind's lists.
struct Lists {
    kind: NodeKind,
    names: &'static str,
    ports: &'static str,
    servers: &'static str,
    directories: &'static str,
    /// y or n: whether there are slaves at all.
    slave: &'static str,
    slave_ports: &'static str,
    slave_servers: &'static str,
    slave_directories: &'static str,
}

const COORDINATORS: Lists = Lists {
    kind: NodeKind::Coordinator,
    names: "coordNames",
    ports: "coordPorts",
    servers: "coordMasterServers",
    directories: "coordMasterDirs",
    slave: "coordSlave",
    slave_ports: "coordSlavePorts",
    slave_servers: "coordSlaveServers",
    slave_directories: "coordSlaveDirs",
};

const DATANODES: Lists = Lists {
    kind: NodeKind::Datanode,
    names: "datanodeNames",
    ports: "datanodePorts",
    servers: "datanodeMasterServers",
    directories: "datanodeMasterDirs",
    slave: "datanodeSlave",
    slave_ports: "datanodeSlavePorts",
    slave_servers: "datanodeSlaveServers",
    slave_directories: "datanodeSlaveDirs",
};

struct Reader {
    variables: Variables,
    draft: Draft,
}

impl Reader {
    fn head(&mut self) {
        self.draft.user = self.known("connection", "pgxcOwner");
        self.draft.database = self.known("connection", "defaultDatabase");
        self.draft.shell.user = self.known("shell", "pgxcUser").or_else(|| self.draft.user.clone());
        let cluster = ["pgxcMainClusterName", "coordMasterCluster", "datanodeMasterCluster"];
        let name = cluster.into_iter().find_map(|name| self.variables.one(name).and_then(|value| value.clone().ok()));
        self.draft.cluster = name.and_then(|name| ClusterName::new(name).ok());
    }

    /// A plain variable; one that is set to what cannot be known is remarked on.
    fn known(&mut self, about: &str, name: &str) -> Option<String> {
        match self.variables.one(name)? {
            Ok(text) if is_none(text) => None,
            Ok(text) => Some(text.clone()),
            Err(why) => {
                self.draft.remark(about, format!("{name} is left out: {why}"));
                None
            }
        }
    }

    fn gtm(&mut self) -> Result<(), SourceError> {
        let name = self.required("gtmName")?;
        let name = self.node_name("gtmName", &name)?;
        let mut copies = vec![self.copy("gtmMasterServer", "gtmMasterPort", "gtmMasterDir", 0)?];
        if self.is_yes("gtmSlave") {
            copies.push(self.copy("gtmSlaveServer", "gtmSlavePort", "gtmSlaveDir", 0)?);
        }
        self.node(name, NodeKind::Gtm, copies);
        Ok(())
    }

    fn nodes(&mut self, lists: &Lists) -> Result<(), SourceError> {
        let names = self.variables.list(lists.names).map(<[Expanded]>::to_vec).unwrap_or_default();
        if names.is_empty() {
            return Err(SourceError::new(
                self.variables.line(lists.names).max(1),
                format!("{} names no node", lists.names),
            ));
        }
        for (n, name) in names.iter().enumerate() {
            let name = name.clone().map_err(|why| self.wrong(lists.names, format!("entry {}: {why}", n + 1)))?;
            let name = self.node_name(lists.names, &name)?;
            let mut copies = vec![self.copy(lists.servers, lists.ports, lists.directories, n)?];
            if self.is_yes(lists.slave) {
                copies.push(self.copy(lists.slave_servers, lists.slave_ports, lists.slave_directories, n)?);
            }
            self.node(name, lists.kind, copies);
        }
        Ok(())
    }

    /// Adds a node with the copies that there are.
    fn node(&mut self, name: NodeName, kind: NodeKind, copies: Vec<Option<CopyDraft>>) {
        let mut kept: Vec<CopyDraft> = Vec::new();
        let master = copies.first().cloned().flatten().and_then(|copy| copy.server);
        if master.is_none() {
            self.draft.open(name.to_string(), "on which server its master is, is not known");
        }
        for copy in copies.into_iter().flatten() {
            if kept.iter().any(|other| other.server == copy.server) && copy.server.is_some() {
                let what = "its slave is on its master's server and left out: otb knows one copy per server";
                self.draft.remark(name.to_string(), what);
            } else {
                kept.push(copy);
            }
        }
        self.draft.nodes.push(NodeDraft { name, kind, master, copies: kept });
    }

    /// Entry `n` of three lists; none: the file says that there is none.
    fn copy(&self, servers: &str, ports: &str, directories: &str, n: usize) -> Result<Option<CopyDraft>, SourceError> {
        let mut copy = CopyDraft::default();
        match self.entry(servers, n)? {
            Ok(text) if is_none(&text) => return Ok(None),
            Ok(text) => {
                let host =
                    Host::new(&*text).map_err(|error| self.wrong(servers, format!("{text:?} is no host: {error}")))?;
                copy.server = Some(host);
            }
            Err(why) => return Err(self.wrong(servers, format!("entry {}: {why}, and a server must be named", n + 1))),
        }
        match self.entry(ports, n)? {
            Ok(text) => {
                let port = text.parse().ok().filter(|port| *port > 0);
                copy.port = Some(port.ok_or_else(|| self.wrong(ports, format!("{text:?} is no port")))?);
            }
            Err(why) => copy.todo.push(format!("its port is not known: {ports}: {why}")),
        }
        match self.entry(directories, n)? {
            Ok(text) if text.starts_with('/') && !text.contains(|c: char| c.is_control() || matches!(c, '{' | '}')) => {
                copy.data = Some(text);
            }
            Ok(text) => copy.todo.push(format!("its data directory is not known: {text:?} is no absolute path")),
            Err(why) => copy.todo.push(format!("its data directory is not known: {directories}: {why}")),
        }
        copy.install = match self.variables.one("pgxcInstallDir") {
            Some(Ok(install)) if install.starts_with('/') => Some(install.trim_end_matches('/').to_owned()),
            _ => None,
        };
        Ok(Some(copy))
    }

    fn entry(&self, list: &str, n: usize) -> Result<Expanded, SourceError> {
        let values = self.variables.list(list).ok_or_else(|| SourceError::new(1, format!("{list} is not set")))?;
        let value = values.get(n).cloned();
        value.ok_or_else(|| self.wrong(list, format!("it has {} entries, and entry {} is wanted", values.len(), n + 1)))
    }

    fn required(&self, name: &str) -> Result<String, SourceError> {
        self.entry(name, 0)?.map_err(|why| self.wrong(name, why))
    }

    fn node_name(&self, list: &str, text: &str) -> Result<NodeName, SourceError> {
        NodeName::new(text).map_err(|error| self.wrong(list, format!("{text:?} is no node name: {error}")))
    }

    fn is_yes(&self, name: &str) -> bool {
        self.variables.one(name).is_some_and(|value| value.as_ref().is_ok_and(|text| text.eq_ignore_ascii_case("y")))
    }

    fn wrong(&self, list: &str, what: impl std::fmt::Display) -> SourceError {
        SourceError::new(self.variables.line(list).max(1), format!("{list}: {what}"))
    }
}

/// pgxc_ctl's word for nothing.
fn is_none(text: &str) -> bool {
    text.is_empty() || text == "none" || text == "N/A"
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    const SMALL: &str = "pgxcInstallDir=/data/install\npgxcOwner=otb\npgxcMainClusterName=main\nroot=/data/nodes\n\
        gtmName=gtm_1\ngtmMasterServer=10.0.0.29\ngtmMasterPort=21000\ngtmMasterDir=$root/gtm\ngtmSlave=y\n\
        gtmSlaveServer=10.0.0.47\ngtmSlavePort=21000\ngtmSlaveDir=${root}/gtm\n\
        coordNames=(cn01)\ncoordPorts=(15432)\ncoordMasterServers=(10.0.0.29)\ncoordMasterDirs=($root/cn01)\ncoordSlave=n\n\
        datanodeNames=(dn01\n dn02)\ndatanodePorts=(23001 23002)\ndatanodeMasterServers=(10.0.0.29 10.0.0.47)\n\
        datanodeMasterDirs=($root/dn01 $root/dn02)\ndatanodeSlave=y\ndatanodeSlaveServers=(10.0.0.47 none)\n\
        datanodeSlavePorts=(23101 0)\ndatanodeSlaveDirs=(/mnt/fast/dn01 none)\n";

    #[test]
    fn a_small_cluster() {
        let mut draft = from_pgxc_ctl(SMALL, &BTreeMap::new()).unwrap();
        draft.source = "pgxc_ctl.conf".to_owned();
        assert!(draft.is_complete(), "{:?}", draft.notes);
        let text = yaml(&draft);
        assert!(text.contains("  dn01:\n    master: 10.0.0.29\n    port: 23001\n"), "{text}");
        assert!(text.contains("  data: /data/nodes/{node}\n"), "{text}");
        assert!(text.contains("      - {server: 10.0.0.47, port: 23101, data: /mnt/fast/dn01}\n"), "{text}");
        assert!(
            text.contains("    data: /data/nodes/gtm\n    instances: [{server: 10.0.0.29}, {server: 10.0.0.47}]\n"),
            "{text}"
        );
    }

    #[test]
    fn what_only_bash_knows_stays_open() {
        let draft = from_pgxc_ctl(&SMALL.replace("root=/data/nodes", "root=$HOME/nodes"), &BTreeMap::new()).unwrap();
        assert!(!draft.is_complete());
        let text = yaml(&draft);
        assert!(
            text.contains(
                "# TODO otb: its data directory is not known: datanodeMasterDirs: $HOME is not set in the file"
            ),
            "{text}"
        );
    }

    #[test]
    fn mistakes_name_their_line() {
        for (from, to, line, part) in [
            ("datanodePorts=(23001 23002)", "datanodePorts=(23001)", 20, "entry 2"),
            ("coordPorts=(15432)", "coordPorts=(x)", 14, "no port"),
            ("coordNames=(cn01)", "coordNames=(cn01", 13, "has no )"),
            ("gtmName=gtm_1", "gtmName='gtm_1", 5, "not closed"),
            ("coordMasterServers=(10.0.0.29)", "coordMasterServers=($NODE)", 15, "$NODE is not set"),
        ] {
            let error = from_pgxc_ctl(&SMALL.replace(from, to), &BTreeMap::new()).unwrap_err();
            assert_eq!(error.line, line, "{error}");
            assert!(error.what.contains(part), "{error}");
        }
    }
}
