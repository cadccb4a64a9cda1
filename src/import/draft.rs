//! A cluster.yaml to be, with what is known of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{ClusterName, Host, NodeKind, NodeName, ServerName};

/// What is known. Until the end, servers are identified by their addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// The source, for the head of the file.
    pub source: String,
    pub cluster: Option<ClusterName>,
    pub user: Option<String>,
    pub database: Option<String>,
    pub sslmode: Option<String>,
    pub shell: ShellDraft,
    pub servers: BTreeMap<Site, ServerName>,
    pub nodes: Vec<NodeDraft>,
    pub notes: Vec<Note>,
}

/// A server to be: its address, and of several with that address which one. otb knows one instance of a node per server,
/// so two of them on one machine are on two servers of one address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    pub host: Host,
    pub nth: usize,
}

impl Site {
    /// For one more instance at `host` beside these of its node.
    pub(super) fn beside(copies: &[CopyDraft], host: Host) -> Self {
        let nth = copies.iter().filter(|copy| copy.server.as_ref().is_some_and(|site| site.host == host)).count();
        Self { host, nth }
    }
}

impl From<Host> for Site {
    fn from(host: Host) -> Self {
        Self { host, nth: 0 }
    }
}

impl std::fmt::Display for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.nth {
            0 => write!(f, "{}", self.host),
            nth => write!(f, "{} ({})", self.host, nth + 1),
        }
    }
}

/// How to get to a shell, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShellDraft {
    pub local: bool,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub run_as: Option<String>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDraft {
    pub name: NodeName,
    pub kind: NodeKind,
    /// Its server; `None` means not known, and a note says why.
    pub master: Option<Site>,
    pub copies: Vec<CopyDraft>,
}

/// One instance of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CopyDraft {
    pub server: Option<Site>,
    pub port: Option<u16>,
    /// v5's forward port; `None` means that it has none, or that it is not known, which a note says.
    pub forward: Option<u16>,
    /// It has one, which is not known.
    pub forward_is_open: bool,
    pub data: Option<String>,
    pub install: Option<String>,
    /// Why something of it is not known.
    pub todo: Vec<String>,
}

/// What the user must check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// `dn01`, `dn01 on 10.0.0.2`, `cluster`, …
    pub about: String,
    pub what: String,
    /// The file cannot be used before this is filled in; else it is only said.
    pub open: bool,
}

impl Draft {
    pub(super) fn open(&mut self, about: impl Into<String>, what: impl Into<String>) {
        self.notes.push(Note { about: about.into(), what: what.into(), open: true });
    }

    pub(super) fn remark(&mut self, about: impl Into<String>, what: impl Into<String>) {
        self.notes.push(Note { about: about.into(), what: what.into(), open: false });
    }

    /// Whether everything a cluster.yaml needs is there.
    pub fn is_complete(&self) -> bool {
        !self.notes.iter().any(|note| note.open)
    }

    pub(super) fn name_of(&self, site: &Site) -> String {
        self.servers.get(site).map_or_else(|| site.to_string(), ToString::to_string)
    }

    /// Names every server that an instance is on; `names` are by [`name_servers`].
    pub(super) fn name_sites(&mut self, names: &BTreeMap<Host, ServerName>) {
        let sites: BTreeSet<Site> =
            self.nodes.iter().flat_map(|node| &node.copies).filter_map(|copy| copy.server.clone()).collect();
        let mut taken: BTreeSet<ServerName> = names.values().cloned().collect();
        for site in sites {
            let Some(name) = names.get(&site.host) else { continue };
            let own = match site.nth {
                0 => Some(name.clone()),
                nth => (nth + 1..nth + 100)
                    .filter_map(|n| ServerName::new(format!("{name}-{n}")).ok())
                    .find(|name| !taken.contains(name)),
            };
            if let Some(own) = own {
                taken.insert(own.clone());
                self.servers.insert(site, own);
            }
        }
    }

    /// The installation for every instance without a known one: that of the other instances on its server, if they
    /// agree. The GTM's tools are where the others' are.
    pub(super) fn share_installs(&mut self) {
        let host = |copy: &CopyDraft| copy.server.as_ref().map(|site| site.host.clone());
        let mut known: BTreeMap<Option<Host>, BTreeSet<String>> = BTreeMap::new();
        for copy in self.nodes.iter().flat_map(|node| &node.copies) {
            known.entry(host(copy)).or_default().extend(copy.install.clone());
        }
        for copy in self.nodes.iter_mut().flat_map(|node| &mut node.copies) {
            let installs = known.get(&host(copy)).filter(|installs| installs.len() == 1);
            copy.install = copy.install.take().or_else(|| installs?.first().cloned());
        }
    }

    /// Turns what is still missing into notes. Call once, last.
    pub(super) fn settle(&mut self) {
        self.share_installs();
        let names = &self.servers;
        for node in &mut self.nodes {
            // Sorted by name, so that a switchover does not reorder the file.
            node.copies.sort_by_key(|copy| copy.server.as_ref().and_then(|host| names.get(host)).cloned());
        }
        if self.cluster.is_none() && !self.notes.iter().any(|note| note.about == "cluster") {
            self.open(
                "cluster",
                "its name is not known; to read it: psql -c 'show pgxc_cluster_name' on a \
                coordinator",
            );
        }
        let nobody = !self.nodes.iter().flat_map(|node| &node.copies).any(|copy| copy.install.is_some());
        if nobody && !self.notes.iter().any(|note| note.about == "install") {
            self.open(
                "install",
                "otb does not know where OpenTenBase is installed on the servers: the directory above bin/",
            );
        }
        let mut notes = Vec::new();
        for node in &mut self.nodes {
            let several = node.copies.len() > 1;
            for copy in &mut node.copies {
                for (missing, what) in [
                    (copy.port.is_none(), "port"),
                    (copy.data.is_none(), "data directory"),
                    (copy.install.is_none() && !nobody, "installation"),
                ] {
                    // A reader of the other tool's file or of the cluster knows better why.
                    if missing && !copy.todo.iter().any(|todo| todo.contains(what)) {
                        copy.todo.push(format!("its {what} is not known"));
                    }
                }
                let server = copy.server.as_ref().filter(|_| several);
                let about = server.map_or_else(|| node.name.to_string(), |server| format!("{} on {server}", node.name));
                notes.extend(copy.todo.iter().map(|what| Note {
                    about: about.clone(),
                    what: what.clone(),
                    open: true,
                }));
            }
        }
        self.notes.extend(notes);
        self.notes.sort_by_key(|note| !note.open);
    }
}

/// A name for each server: the given one, else the first label of what it calls itself if no other has the same, else
/// its address.
pub fn name_servers(
    hosts: impl IntoIterator<Item = (Host, Option<String>)>,
    given: &BTreeMap<Host, ServerName>,
) -> BTreeMap<Host, ServerName> {
    let hosts: Vec<(Host, Option<String>)> = hosts.into_iter().collect();
    let label = |text: &str| text.split('.').next().and_then(|label| ServerName::new(label).ok());
    let own = |(host, name): &(Host, Option<String>)| {
        // An address that is a name is what people call the server.
        if is_numeric(host) { name.as_deref().and_then(label) } else { label(host.as_str()) }
    };
    let mut times: BTreeMap<ServerName, usize> = BTreeMap::new();
    for name in hosts.iter().filter_map(own) {
        *times.entry(name).or_default() += 1;
    }
    let taken: BTreeSet<&ServerName> = given.values().collect();
    let name = |entry: &(Host, Option<String>)| {
        let host = &entry.0;
        let own = own(entry).filter(|name| times.get(name) == Some(&1) && !taken.contains(name));
        let plain = || ServerName::new(host.as_str().replace([':', '%'], "-")).ok();
        Some((host.clone(), given.get(host).cloned().or(own).or_else(plain)?))
    };
    hosts.iter().filter_map(name).collect()
}

fn is_numeric(host: &Host) -> bool {
    host.as_str().parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(hosts: &[(&str, Option<&str>)]) -> Vec<String> {
        let hosts = hosts.iter().map(|(host, name)| (Host::new(*host).unwrap(), name.map(str::to_owned)));
        name_servers(hosts, &BTreeMap::new()).into_values().map(|name| name.to_string()).collect()
    }

    #[test]
    fn servers_are_called_what_they_call_themselves() {
        assert_eq!(named(&[("10.0.0.1", Some("db1.example.org")), ("10.0.0.2", Some("db2"))]), ["db1", "db2"]);
        assert_eq!(named(&[("127.0.0.29", Some("lab")), ("127.0.0.47", Some("lab"))]), ["127.0.0.29", "127.0.0.47"]);
        assert_eq!(named(&[("db1.example.org", None), ("fe80::1", None)]), ["db1", "fe80--1"]);
        assert_eq!(named(&[("db1.east", None), ("db1.west", None)]), ["db1.east", "db1.west"]);
    }
}
