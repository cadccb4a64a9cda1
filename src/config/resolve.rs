//! The file as written → the declared cluster: every name checked, every default filled in.

use std::collections::BTreeMap;

use super::code::Code;
use super::collision;
use super::diagnostic::Findings;
use super::node::{self, Draft, Lack, LackedKey, NodeContext, Setting};
use super::raw;
use super::server;
use super::source::Span;
use super::text;
use super::tree::Marks;
use super::visible::quoted;
use crate::model::{Cluster, Connection, Node, NodeKind, NodeName, Policy};

/// The cluster, if nothing of it is missing. Every mistake is reported, also when the cluster is not complete.
pub(super) fn resolve(file: &raw::File, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<Cluster> {
    let name = file.cluster.as_deref().and_then(|text| text::cluster_name(text, marks.key("cluster"), findings));
    let connection = connection(&file.connection, marks.key("connection"), findings);
    let policy = policy(&file.policy, marks.key("policy"), findings);
    let defaults = marks.key("defaults");
    let shell = server::default_shell(file.defaults.shell.as_ref(), defaults.key("shell"), findings);
    let servers = match &file.servers {
        Some(raw) => server::servers(raw, &shell, marks.key("servers"), findings),
        None => BTreeMap::new(),
    };
    let data = file.defaults.data.as_deref();
    let install = file.defaults.install.as_deref();
    let context = NodeContext {
        declared: file.servers.as_ref(),
        servers: &servers,
        data: Setting::read(data, defaults.key("data"), findings, text::data_path),
        install: Setting::read(install, defaults.key("install"), findings, text::install_path),
    };
    let nodes = nodes(file, &context, marks, findings);
    Some(Cluster { name: name?, connection: connection?, nodes: nodes?, policy: policy?, servers })
}

fn connection(raw: &raw::Connection, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<Connection> {
    let user = text::account(&raw.user, marks.key("user"), findings);
    let database = text::database(&raw.database, marks.key("database"), findings);
    let sslrootcert = match &raw.sslrootcert {
        Some(path) => Some(text::local_file(path, marks.key("sslrootcert"), findings)?),
        None => None,
    };
    Some(Connection { user: user?, database: database?, sslmode: raw.sslmode, sslrootcert })
}

fn policy(raw: &raw::Policy, marks: Marks<'_>, findings: &mut Findings<'_>) -> Option<Policy> {
    let max_lag = text::size(&raw.max_lag, marks.key("max_lag"), findings)?;
    let raw::Policy { old_master, fast_stop_seconds, hold, hold_wait_seconds, .. } = *raw;
    Some(Policy { max_lag, old_master, fast_stop_seconds, hold, hold_wait_seconds })
}

/// All nodes of all sections; none if one of them is incomplete.
fn nodes(
    file: &raw::File,
    context: &NodeContext<'_>,
    marks: Marks<'_>,
    findings: &mut Findings<'_>,
) -> Option<BTreeMap<NodeName, Node>> {
    let sections = [
        (NodeKind::Gtm, "gtm", &file.gtm),
        (NodeKind::Coordinator, "coordinators", &file.coordinators),
        (NodeKind::Datanode, "datanodes", &file.datanodes),
    ];
    let mut nodes = Some(BTreeMap::new());
    let mut all_placed = Vec::new();
    let mut all_lacks = Vec::new();
    let mut names = Vec::new();
    for (kind, section, raw) in sections {
        for (name, raw) in raw.iter().flatten() {
            let marks = marks.key(section).key(name);
            names.push((marks.label(), name.as_str(), section));
            let Draft { node, placed, lacks } = node::node(name, kind, raw, context, marks, findings);
            all_placed.extend(placed);
            all_lacks.extend(lacks);
            match (&mut nodes, node) {
                (Some(nodes), Some(node)) => {
                    nodes.insert(node.name.clone(), node);
                }
                (nodes, None) => *nodes = None,
                (None, Some(_)) => {}
            }
        }
    }
    check_names(names, findings);
    report_lacks(&all_lacks, findings);
    collision::check(all_placed, findings);
    nodes
}

/// One line in `defaults` cures most of them, so each such key is reported once.
fn report_lacks(lacks: &[Lack], findings: &mut Findings<'_>) {
    let keys = [
        (LackedKey::Data, "data", "/data/opentenbase/data/pgxz/{node}"),
        (LackedKey::Install, "install", "/data/opentenbase/install/pgxz"),
    ];
    for (key, name, example) in keys {
        let mut lacking = lacks.iter().filter(|lack| lack.key == key).map(|lack| lack.at);
        let Some(first) = lacking.next() else { continue };
        let others = match lacking.count() {
            0 => String::new(),
            more => format!(" ({more} more lack it)"),
        };
        let message = format!("this instance has no `{name}`, nor has its node, nor `defaults`{others}");
        findings.add(Code::MissingKey, first, message, format!("add `{name}: {example}` to `defaults`"));
    }
    for lack in lacks {
        let LackedKey::Port(kind) = lack.key else { continue };
        let example = match kind {
            NodeKind::Gtm => 21000,
            NodeKind::Coordinator => 15432,
            NodeKind::Datanode => 23001,
        };
        let message = "this instance has no `port`, nor has its node".to_owned();
        findings.add(
            Code::MissingKey,
            lack.at,
            message,
            format!("add `port: {example}` to the node, or to each instance"),
        );
    }
}

/// pgxc_node keys its rows by name, whatever the kind.
fn check_names(mut names: Vec<(Span, &str, &str)>, findings: &mut Findings<'_>) {
    names.sort_unstable();
    let mut first: BTreeMap<&str, (Span, &str)> = BTreeMap::new();
    for (span, name, section) in names {
        match first.get(name) {
            None => {
                first.insert(name, (span, section));
            }
            Some((at, other)) => {
                let message = format!("a second node named {}", quoted(name));
                let hint = format!("write another name; the first is in `{other}` on line {}", at.start.line);
                findings.add(Code::DuplicateNode, span, message, hint);
            }
        }
    }
}
