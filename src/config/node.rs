//! Nodes and their instances, each on its own; [`super::collision`] compares them with each other.

use std::collections::BTreeMap;

use super::code::Code;
use super::diagnostic::Findings;
use super::path::DataPath;
use super::raw;
use super::source::Span;
use super::suggest::{nearest, one_of};
use super::text;
use super::tree::Marks;
use super::visible::quoted;
use crate::model::{Endpoint, Instance, InstanceId, Node, NodeKind, NodeName, Server, ServerName};

/// What nodes refer to.
pub(super) struct NodeContext<'c> {
    /// Every server as written, for references; none if the section cannot be read.
    pub(super) declared: Option<&'c BTreeMap<String, raw::Server>>,
    pub(super) servers: &'c BTreeMap<ServerName, Server>,
    /// The checked `defaults.data` and `defaults.install`.
    pub(super) data: Setting<DataPath>,
    pub(super) install: Setting<String>,
}

/// A value that may be set on several levels.
#[derive(Debug, Clone)]
pub(super) enum Setting<T> {
    Absent,
    /// It is written, wrongly, and that has been reported.
    Wrong,
    Is(T),
}

impl<T> Setting<T> {
    /// What is written under `key`, checked with `check`.
    pub(super) fn read(
        written: Option<&str>,
        marks: Marks<'_>,
        findings: &mut Findings<'_>,
        check: fn(&str, Marks<'_>, &mut Findings<'_>) -> Option<T>,
    ) -> Self {
        match written {
            None if marks.is_written() => Self::Wrong,
            None => Self::Absent,
            Some(text) => check(text, marks, findings).map_or(Self::Wrong, Self::Is),
        }
    }

    fn or(self, wider: &Self) -> Self
    where
        T: Clone,
    {
        if matches!(self, Self::Absent) { wider.clone() } else { self }
    }
}

/// An instance and where it is written, for comparing it with others.
pub(super) struct Placed {
    pub(super) instance: Instance,
    pub(super) label: Span,
    pub(super) port: Span,
    pub(super) data: Span,
}

/// A node as far as it can be read.
pub(super) struct Draft {
    pub(super) node: Option<Node>,
    pub(super) placed: Vec<Placed>,
    pub(super) lacks: Vec<Lack>,
}

/// An instance without a value that is written on no level.
pub(super) struct Lack {
    pub(super) key: LackedKey,
    pub(super) at: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LackedKey {
    Data,
    Install,
    /// The node's own value: no default fits all nodes.
    Port(NodeKind),
}

/// Checks a node on its own. Every mistake is reported, whether or not the node can be used.
pub(super) fn node(
    name: &str,
    kind: NodeKind,
    raw: &raw::Node,
    context: &NodeContext<'_>,
    marks: Marks<'_>,
    findings: &mut Findings<'_>,
) -> Draft {
    let name = text::node_name(name, marks, findings);
    let own = Own {
        kind,
        port: raw.port,
        forward_port: raw.forward_port,
        marks,
        data: Setting::read(raw.data.as_deref(), marks.key("data"), findings, text::data_path).or(&context.data),
        install: Setting::read(raw.install.as_deref(), marks.key("install"), findings, text::install_path)
            .or(&context.install),
        name,
    };
    let list = raw.instances.as_deref().unwrap_or_default();
    let mut draft = Draft { node: None, placed: Vec::new(), lacks: Vec::new() };
    let mut seen = BTreeMap::new();
    for (index, raw) in list.iter().enumerate() {
        let marks = marks.key("instances").item(index);
        if let Some(server) = raw.server.as_deref() {
            check_server(server, &mut seen, context, marks.key("server"), findings);
        }
        let placed = instance(raw, &own, context, marks, &mut draft.lacks, findings);
        draft.placed.extend(placed);
    }
    check_master(raw, context, marks.key("master"), findings);
    draft.node = complete(own, raw.master.as_deref(), &draft.placed, list.len());
    draft
}

/// The values of a node for all its instances.
struct Own<'t> {
    marks: Marks<'t>,
    name: Option<NodeName>,
    kind: NodeKind,
    port: Option<u16>,
    forward_port: Option<u16>,
    data: Setting<DataPath>,
    install: Setting<String>,
}

fn instance(
    raw: &raw::Instance,
    own: &Own<'_>,
    context: &NodeContext<'_>,
    marks: Marks<'_>,
    lacks: &mut Vec<Lack>,
    findings: &mut Findings<'_>,
) -> Option<Placed> {
    let data = Setting::read(raw.data.as_deref(), marks.key("data"), findings, text::data_path).or(&own.data);
    let install =
        Setting::read(raw.install.as_deref(), marks.key("install"), findings, text::install_path).or(&own.install);
    let data = required(data, LackedKey::Data, marks, lacks);
    let install = required(install, LackedKey::Install, marks, lacks);
    if !marks.key("port").is_written() && !own.marks.key("port").is_written() {
        lacks.push(Lack { key: LackedKey::Port(own.kind), at: marks.label() });
    }
    let server = context.servers.get(&ServerName::new(raw.server.as_deref()?).ok()?)?;
    let id = InstanceId::new(own.name.clone()?, server.name.clone());
    // A port of its own that cannot be read is not the node's.
    let port = if marks.key("port").is_written() { raw.port } else { own.port };
    let endpoint = Endpoint { host: server.address.clone(), port: port? };
    let data = data?.expand(&id.node, &id.server);
    let forward_port = raw.forward_port.or(own.forward_port);
    let instance = Instance { id, kind: own.kind, endpoint, forward_port, data, install: install? };
    let (port, data) = (nearest_to(marks, own.marks, "port"), nearest_to(marks, own.marks, "data"));
    Some(Placed { instance, label: marks.label(), port, data })
}

/// The place of an instance's value: with itself, with its node, or else the instance.
fn nearest_to(instance: Marks<'_>, node: Marks<'_>, key: &str) -> Span {
    let levels = [instance.key(key), node.key(key)];
    levels.into_iter().find(|marks| marks.is_written()).map_or(instance.label(), Marks::span)
}

fn required<T>(setting: Setting<T>, key: LackedKey, marks: Marks<'_>, lacks: &mut Vec<Lack>) -> Option<T> {
    match setting {
        Setting::Is(value) => Some(value),
        Setting::Wrong => None,
        Setting::Absent => {
            lacks.push(Lack { key, at: marks.label() });
            None
        }
    }
}

fn check_server<'n>(
    server: &'n str,
    seen: &mut BTreeMap<&'n str, Span>,
    context: &NodeContext<'_>,
    marks: Marks<'_>,
    findings: &mut Findings<'_>,
) {
    if let Some(first) = seen.get(server) {
        let message = format!("a second instance on {}", quoted(server));
        let hint = format!("name another server; the first is on line {}", first.start.line);
        findings.add(Code::DuplicateInstance, marks.span(), message, hint);
        return;
    }
    check_declared(server, |name| !seen.contains_key(name), context, marks, findings);
    seen.insert(server, marks.span());
}

/// `fits` returns the declared servers that may be meant.
fn check_declared(
    server: &str,
    fits: impl Fn(&str) -> bool,
    context: &NodeContext<'_>,
    marks: Marks<'_>,
    findings: &mut Findings<'_>,
) {
    let Some(declared) = context.declared.filter(|declared| !declared.contains_key(server)) else { return };
    let names: Vec<&str> = declared.keys().map(String::as_str).filter(|name| fits(name)).collect();
    let declare = format!("declare {} in `servers`", quoted(server));
    let hint = match nearest(server, names.iter().copied()) {
        Some(meant) => format!("write {}, or {declare}", quoted(meant)),
        None if names.is_empty() => declare,
        None => format!("write {}, or {declare}", one_of(names)),
    };
    findings.add(Code::UnknownServer, marks.span(), format!("unknown server {}", quoted(server)), hint);
}

fn check_master(raw: &raw::Node, context: &NodeContext<'_>, marks: Marks<'_>, findings: &mut Findings<'_>) {
    let Some(master) = raw.master.as_deref() else { return };
    let servers: Option<Vec<&str>> =
        raw.instances.as_ref().and_then(|list| list.iter().map(|instance| instance.server.as_deref()).collect());
    match servers {
        // Some instance cannot be read: it may be the master's.
        None => check_declared(master, |_| true, context, marks, findings),
        Some(servers) if servers.is_empty() => check_declared(master, |_| true, context, marks, findings),
        Some(servers) if servers.contains(&master) => {}
        Some(servers) => {
            let message = format!("the master's server {} has no instance of this node", quoted(master));
            let hint = match nearest(master, servers.iter().copied()) {
                Some(meant) => format!("write {}", quoted(meant)),
                None => format!("write {}, or add {} to `instances`", one_of(servers), entry(master)),
            };
            findings.add(Code::MasterNotInstance, marks.span(), message, hint);
        }
    }
}

fn entry(server: &str) -> String {
    quoted(&format!("{{server: {server}}}"))
}

/// The node, if nothing of it is missing.
fn complete(own: Own<'_>, master: Option<&str>, placed: &[Placed], wanted: usize) -> Option<Node> {
    let master = ServerName::new(master?).ok()?;
    let instances: BTreeMap<_, _> =
        placed.iter().map(|placed| (placed.instance.id.server.clone(), placed.instance.clone())).collect();
    let whole = instances.len() == wanted && instances.contains_key(&master);
    whole.then_some(Node { name: own.name?, kind: own.kind, master, instances })
}
