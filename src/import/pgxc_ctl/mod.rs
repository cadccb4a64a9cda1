//! pgxc_ctl.conf (OpenTenBase v2.6 and v5, contrib/pgxc_ctl/pgxc_ctl_conf_part_full): lists side by side, one entry per
//! node.

mod names;

use std::collections::{BTreeMap, BTreeSet};

use names::{COORDINATORS, DATANODES, GTM_MASTER, GTM_SLAVE, Kind, Lists, is_read};

use super::draft::{CopyDraft, Draft, NodeDraft, Site, name_servers};
use super::run::{Expanded, Variables};
use super::{SourceError, bash};
use crate::model::{ClusterName, Host, NodeKind, NodeName};

/// Reads the file's text; `given` are variables that the file takes from its environment, such as `HOME`. A value that
/// cannot be known stays open; a list of the wrong length is an error.
pub fn from_pgxc_ctl(text: &str, given: &BTreeMap<String, String>) -> Result<Draft, SourceError> {
    let script = bash::read(text)?;
    let variables = Variables::of(&script, given);
    let mut reader = Reader { variables, draft: Draft::default() };
    reader.head();
    reader.gtm()?;
    reader.nodes(&COORDINATORS)?;
    reader.nodes(&DATANODES)?;
    let Reader { variables, mut draft } = reader;
    let hosts: BTreeSet<Host> =
        draft.nodes.iter().flat_map(|node| &node.copies).filter_map(|copy| Some(copy.server.clone()?.host)).collect();
    draft.name_sites(&name_servers(hosts.into_iter().map(|host| (host, None)), &BTreeMap::new()));
    if let Some(place) = variables.others() {
        let what = format!(
            "{place} may set variables that the file does not set, such as forward ports; otb does \
            not run it"
        );
        draft.remark("pgxc_ctl.conf", what);
    }
    if !variables.passed().is_empty() {
        let lines: Vec<String> = variables.passed().iter().map(ToString::to_string).collect();
        draft.remark("pgxc_ctl.conf", format!("not assignments, so otb did not run them: lines {}", lines.join(", ")));
    }
    draft.settle();
    Ok(draft)
}

/// Which entry of lists with how many.
#[derive(Clone, Copy)]
struct Entry {
    n: usize,
    of: usize,
}

struct Reader {
    variables: Variables,
    draft: Draft,
}

impl Reader {
    fn head(&mut self) {
        self.draft.user = self.known("connection", "pgxcOwner");
        if self.variables.line("defaultDatabase").is_some() {
            self.draft.database = self.known("connection", "defaultDatabase");
        }
        self.draft.shell.user = self.known("shell", "pgxcUser").or_else(|| self.draft.user.clone());
        let clusters = ["pgxcMainClusterName", "coordMasterCluster", "datanodeMasterCluster"];
        let first =
            |name: &str| self.variables.list(name)?.map_or_else(|why| Some(Err(why)), |list| list.into_iter().next());
        match clusters.into_iter().find_map(|name| Some((name, first(name)?))) {
            Some((_, Ok(name))) => self.draft.cluster = ClusterName::new(name).ok(),
            Some((name, Err(why))) => self.draft.open("cluster", format!("its name is not known: {name}: {why}")),
            None => {}
        }
        if let Some(Err(why)) = self.install() {
            self.draft.open(
                "install",
                format!(
                    "the install directory of OpenTenBase is not known: pgxcInstallDir: \
                {why}"
                ),
            );
        }
    }

    /// A plain variable; one that is set to what cannot be known is remarked on.
    fn known(&mut self, about: &str, name: &str) -> Option<String> {
        match self.variables.one(name)? {
            Ok(text) if is_none(&text) => None,
            Ok(text) => Some(text),
            Err(why) => {
                self.draft.remark(about, format!("{name} is skipped: {why}"));
                None
            }
        }
    }

    fn install(&self) -> Option<Expanded> {
        Some(match self.variables.one("pgxcInstallDir")? {
            Ok(text) if is_none(&text) => return None,
            Ok(text) => path(&text).map(|text| text.trim_end_matches('/').to_owned()),
            Err(why) => Err(why),
        })
    }

    fn gtm(&mut self) -> Result<(), SourceError> {
        let name = match self.variables.one("gtmName") {
            None => return Err(self.missing("gtmName", None)),
            Some(Err(why)) => {
                self.draft.open("gtm", format!("the active GTM is not known: gtmName: {why}"));
                return Ok(());
            }
            Some(Ok(name)) => self.node_name("gtmName", &name)?,
        };
        let entry = Entry { n: 0, of: 1 };
        let master = self.copy(&GTM_MASTER, entry, "gtmName", &[])?;
        let slaves = self.has_slaves("gtm", "gtmSlave", GTM_SLAVE.servers);
        let slave = self.slave(&slaves, &GTM_SLAVE, entry, "gtmSlave", master.as_ref())?;
        self.node(name, NodeKind::Gtm, master, slave);
        Ok(())
    }

    fn nodes(&mut self, kind: &Kind) -> Result<(), SourceError> {
        let names = match self.variables.list(kind.names) {
            None => return Err(self.missing(kind.names, None)),
            Some(Err(why)) => Err(why),
            Some(Ok(names)) => names.into_iter().collect::<Result<Vec<String>, String>>(),
        };
        let names = match names {
            Ok(names) if names.is_empty() => return Err(self.wrong(kind.names, "it names no node")),
            Ok(names) => names,
            Err(why) => {
                self.draft.open(kind.section, format!("the nodes are not known: {}: {why}", kind.names));
                return Ok(());
            }
        };
        let slaves = self.has_slaves(kind.section, kind.slave, kind.slaves.servers);
        for (n, name) in names.iter().enumerate() {
            let name = self.node_name(kind.names, name)?;
            let entry = Entry { n, of: names.len() };
            let master = self.copy(&kind.masters, entry, kind.names, &[])?;
            let slave = self.slave(&slaves, &kind.slaves, entry, kind.slave, master.as_ref())?;
            self.node(name, kind.node, master, slave);
        }
        Ok(())
    }

    fn node(&mut self, name: NodeName, kind: NodeKind, master: Option<CopyDraft>, slave: Option<CopyDraft>) {
        let site = master.as_ref().and_then(|copy| copy.server.clone());
        if site.is_none() {
            self.draft.open(name.to_string(), "the server of its master is not known");
        }
        self.draft.nodes.push(NodeDraft {
            name,
            kind,
            master: site,
            copies: master.into_iter().chain(slave).collect(),
        });
    }

    /// Whether there are slaves: pgxc_ctl takes y without any server for n (config.c, handle_no_slaves).
    fn has_slaves(&mut self, section: &str, slave: &str, servers: &str) -> Result<bool, String> {
        let Some(text) = self.variables.one(slave) else { return Ok(false) };
        let text = text.map_err(|why| format!("{slave}: {why}"))?;
        if !text.eq_ignore_ascii_case("y") {
            return Ok(false);
        }
        let none = match self.variables.list(servers) {
            None => true,
            Some(Ok(list)) => list.iter().all(|one| one.as_ref().is_ok_and(|text| is_none(text))),
            Some(Err(_)) => false,
        };
        if none {
            let what = format!("{slave} is y, but {servers} names no server: no slaves, as in pgxc_ctl");
            self.draft.remark(section, what);
        }
        Ok(!none)
    }

    /// The slave of a node, if there are any.
    fn slave(
        &self,
        slaves: &Result<bool, String>,
        lists: &Lists,
        entry: Entry,
        needed_by: &str,
        master: Option<&CopyDraft>,
    ) -> Result<Option<CopyDraft>, SourceError> {
        match slaves {
            Ok(true) => self.copy(lists, entry, needed_by, master.map(std::slice::from_ref).unwrap_or_default()),
            Ok(false) => Ok(None),
            Err(why) => {
                let what = "otb does not know whether it has a slave, nor its server, port, data directory and \
                    installation";
                Ok(Some(CopyDraft { todo: vec![format!("{what}: {why}")], ..CopyDraft::default() }))
            }
        }
    }

    /// An entry of the lists, beside the node's `others`; `None` means that there is no entry.
    fn copy(
        &self,
        lists: &Lists,
        entry: Entry,
        needed_by: &str,
        others: &[CopyDraft],
    ) -> Result<Option<CopyDraft>, SourceError> {
        let mut copy = CopyDraft::default();
        match self.entry(lists.servers, entry, needed_by)? {
            Ok(text) if is_none(&text) => return Ok(None),
            Ok(text) => {
                let host = Host::new(&*text)
                    .map_err(|error| self.wrong(lists.servers, format!("{text:?} is not a host: {error}")))?;
                copy.server = Some(Site::beside(others, host));
            }
            Err(why) => copy.todo.push(format!("its server is not known: {}: {why}", lists.servers)),
        }
        match self.entry(lists.ports, entry, needed_by)? {
            Ok(text) => copy.port = Some(self.port(lists.ports, &text)?),
            Err(why) => copy.todo.push(format!("its port is not known: {}: {why}", lists.ports)),
        }
        if self.variables.line(lists.forward).is_some() {
            match self.entry(lists.forward, entry, needed_by)? {
                Ok(text) if is_none(&text) || text == "0" => {}
                Ok(text) => copy.forward = Some(self.port(lists.forward, &text)?),
                Err(why) => {
                    copy.forward_is_open = true;
                    copy.todo.push(format!("its forward_port is not known: {}: {why}", lists.forward));
                }
            }
        }
        match self.entry(lists.directories, entry, needed_by)?.and_then(|text| path(&text)) {
            Ok(text) => copy.data = Some(text),
            Err(why) => copy.todo.push(format!("its data directory is not known: {}: {why}", lists.directories)),
        }
        copy.install = self.install().and_then(Result::ok);
        Ok(Some(copy))
    }

    fn port(&self, list: &str, text: &str) -> Result<u16, SourceError> {
        let port = text.parse().ok().filter(|port| *port > 0);
        port.ok_or_else(|| self.wrong(list, format!("{text:?} is not a port")))
    }

    /// An entry of a list that has as many as there are nodes.
    fn entry(&self, list: &str, Entry { n, of }: Entry, needed_by: &str) -> Result<Expanded, SourceError> {
        let values = match self.variables.list(list) {
            None => return Err(self.missing(list, Some(needed_by))),
            Some(Err(why)) => return Ok(Err(why)),
            Some(Ok(values)) => values,
        };
        // What is not known may be several words, or none.
        let unknown = values.iter().find_map(|value| value.as_ref().err());
        match (values.get(n), unknown) {
            (Some(value), _) if values.len() == of => Ok(value.clone()),
            (_, Some(why)) => Ok(Err(why.clone())),
            (_, None) => {
                let entries = if values.len() == 1 { "entry" } else { "entries" };
                let nodes = if of == 1 { "node" } else { "nodes" };
                Err(self.wrong(list, format!("it has {} {entries} for {of} {nodes}", values.len())))
            }
        }
    }

    fn node_name(&self, list: &str, text: &str) -> Result<NodeName, SourceError> {
        NodeName::new(text).map_err(|error| self.wrong(list, format!("{text:?} is not a node name: {error}")))
    }

    /// The message for a variable that is not set: a variable of a similar name, or the one that requires it.
    fn missing(&self, name: &str, needed_by: Option<&str>) -> SourceError {
        let near = self.variables.names().map(|other| (strsim::damerau_levenshtein(name, other), other));
        let near = near.filter(|(distance, other)| *distance <= 2 && !is_read(other)).min();
        match (near, needed_by) {
            (Some((_, near)), _) => SourceError {
                line: self.variables.line(near),
                what: format!("{name} is not set; did you mean it by {near}?"),
            },
            (None, Some(needed_by)) => SourceError {
                line: self.variables.line(needed_by),
                what: format!("{name} is not set, but {needed_by} requires it"),
            },
            (None, None) => SourceError { line: None, what: format!("{name} is not set") },
        }
    }

    fn wrong(&self, list: &str, what: impl std::fmt::Display) -> SourceError {
        SourceError { line: self.variables.line(list), what: format!("{list}: {what}") }
    }
}

fn path(text: &str) -> Expanded {
    let plain = text.starts_with('/') && !text.contains(|c: char| c.is_control() || matches!(c, '{' | '}'));
    if plain { Ok(text.to_owned()) } else { Err(format!("{text:?} is not an absolute path")) }
}

/// pgxc_ctl's word for nothing.
fn is_none(text: &str) -> bool {
    text.is_empty() || text == "none" || text == "N/A"
}

#[cfg(test)]
mod tests;
