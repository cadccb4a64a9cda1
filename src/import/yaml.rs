//! A draft as the text of a cluster.yaml: what holds for most stands once, a node's `master:` on a line of its own.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::draft::{CopyDraft, Draft, NodeDraft};
use crate::model::NodeKind;

/// Longer lists of instances stand one below the other.
const WIDTH: usize = 100;

/// The placeholder for an unknown value that would otherwise be inherited. The file cannot be used with it.
const OPEN: &str = "TODO";

/// The file's text.
pub fn yaml(draft: &Draft) -> String {
    let common = Common::of(draft);
    let mut text = String::from("# yaml-language-server: $schema=cluster.schema.json\n#\n");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# Imported by otb from {}.", draft.source);
    text.push_str("# For completion in editors: otb schema cluster > cluster.schema.json\n");
    if !draft.is_complete() {
        text.push_str("# TODO marks what otb could not find out; `otb validate` lists what is missing.\n");
    }
    text.push_str("\nversion: 1\n");
    match &draft.cluster {
        Some(name) => {
            let _ = writeln!(text, "cluster: {}", scalar(name.as_str()));
        }
        None => todo(&mut text, "", "cluster: its name, as `show pgxc_cluster_name` prints it"),
    }
    text.push('\n');
    connection(&mut text, draft);
    defaults(&mut text, draft, &common);
    text.push_str("\nservers:\n");
    for (site, name) in &draft.servers {
        let _ = writeln!(text, "  {}: {{address: {}}}", scalar(name.as_str()), scalar(site.host.as_str()));
    }
    for (section, kind) in
        [("gtm", NodeKind::Gtm), ("coordinators", NodeKind::Coordinator), ("datanodes", NodeKind::Datanode)]
    {
        let _ = writeln!(text, "\n{section}:");
        let mut nodes = draft.nodes.iter().filter(|node| node.kind == kind).peekable();
        if nodes.peek().is_none() {
            todo(&mut text, "  ", "none is known");
        }
        nodes.for_each(|found| node(&mut text, found, draft, &common));
    }
    text
}

fn todo(text: &mut String, indent: &str, what: &str) {
    let _ = writeln!(text, "{indent}# TODO otb: {what}");
}

fn connection(text: &mut String, draft: &Draft) {
    let known = [("user", &draft.user), ("database", &draft.database), ("sslmode", &draft.sslmode)];
    let known = known.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let parts: Vec<String> = known.map(|(key, value)| format!("{key}: {}", scalar(value))).collect();
    if !parts.is_empty() {
        let _ = writeln!(text, "connection: {{{}}}   # passwords: PGPASSWORD or ~/.pgpass\n", parts.join(", "));
    }
}

fn defaults(text: &mut String, draft: &Draft, common: &Common) {
    text.push_str("defaults:\n");
    match &common.install {
        Some(install) => {
            let _ = writeln!(text, "  install: {}   # bin/ and lib/ lie below it", scalar(install));
        }
        None => todo(
            text,
            "install: where OpenTenBase is installed, the directory above bin/ and lib/",
            "install: where OpenTenBase is installed; bin/ and lib/ lie below it",
        ),
    }
    if let Some(data) = &common.data {
        let _ = writeln!(text, "  data: {}", scalar(data));
    }
    let shell = &draft.shell;
    let mut parts = vec![format!("via: {}", if shell.local { "local" } else { "ssh" })];
    parts.extend(shell.user.iter().map(|user| format!("user: {}", scalar(user))));
    parts.extend(shell.port.iter().map(|port| format!("port: {port}")));
    parts.extend(shell.run_as.iter().map(|user| format!("run_as: {}", scalar(user))));
    let _ = writeln!(text, "  shell: {{{}}}", parts.join(", "));
}

/// What is written once.
struct Common {
    install: Option<String>,
    /// A template, where it holds for two copies or more.
    data: Option<String>,
}

impl Common {
    fn of(draft: &Draft) -> Self {
        let copies = || draft.nodes.iter().flat_map(|node| node.copies.iter().map(move |copy| (node, copy)));
        let install = most(copies().filter_map(|(_, copy)| copy.install.clone())).map(|(install, _)| install);
        let templates = copies().flat_map(|(node, copy)| templates(draft, node, copy));
        let data = most(templates).filter(|(_, times)| *times > 1).map(|(template, _)| template);
        Self { install, data }
    }
}

/// The most frequent value; among equal ones the first in the alphabet, so that the same cluster gives the same file.
fn most(all: impl Iterator<Item = String>) -> Option<(String, usize)> {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for one in all {
        *times.entry(one).or_default() += 1;
    }
    times.into_iter().rev().max_by_key(|(_, times)| *times)
}

/// The ways to write a copy's directory for all nodes: with the node's name, the server's, or both left open. One that
/// leaves neither open could hold for one node only.
fn templates(draft: &Draft, node: &NodeDraft, copy: &CopyDraft) -> Vec<String> {
    let (Some(data), Some(server)) = (&copy.data, &copy.server) else { return Vec::new() };
    let by_node = replaced(data, node.name.as_str(), "{node}");
    let by_both = by_node.as_deref().and_then(|text| replaced(text, &draft.name_of(server), "{server}"));
    by_node.into_iter().chain(by_both).collect()
}

/// Whole components of the path only.
fn replaced(path: &str, name: &str, with: &str) -> Option<String> {
    let mut found = false;
    let parts = path.split('/').map(|part| {
        if part == name {
            found = true;
            with
        } else {
            part
        }
    });
    let parts: Vec<&str> = parts.collect();
    found.then(|| parts.join("/"))
}

/// The value that holds for most instances of one node, as it is or with the server's name left open.
fn own_template(draft: &Draft, node: &NodeDraft) -> Option<String> {
    let by_server =
        |copy: &CopyDraft| replaced(copy.data.as_deref()?, &draft.name_of(copy.server.as_ref()?), "{server}");
    let by_server = most(node.copies.iter().filter_map(by_server)).filter(|(_, times)| *times > 1);
    let plain = most(node.copies.iter().filter_map(|copy| copy.data.clone()));
    let best = plain.into_iter().chain(by_server).max_by_key(|(_, times)| *times);
    best.map(|(template, _)| template)
}

fn expanded(template: &str, draft: &Draft, node: &NodeDraft, copy: &CopyDraft) -> String {
    let server = copy.server.as_ref().map_or_else(String::new, |server| draft.name_of(server));
    template.replace("{node}", node.name.as_str()).replace("{server}", &server)
}

fn node(text: &mut String, node: &NodeDraft, draft: &Draft, common: &Common) {
    let _ = writeln!(text, "  {}:", scalar(node.name.as_str()));
    match &node.master {
        Some(host) => {
            let _ = writeln!(text, "    master: {}", scalar(&draft.name_of(host)));
        }
        None => todo(text, "master: the server of its master", "master: the server on which its master is"),
    }
    let master = node.copies.iter().find(|copy| copy.server == node.master).or(node.copies.first());
    let port = master.and_then(|copy| copy.port);
    match port {
        Some(port) => {
            let _ = writeln!(text, "    port: {port}");
        }
        None => todo(text, "    ", "port: its TCP port"),
    }
    let forward = own_forward(node);
    if let Some(port) = forward {
        let _ = writeln!(text, "    forward_port: {port}");
    }
    let fits = |copy: &CopyDraft| match (&copy.data, &common.data) {
        (Some(data), Some(template)) => *data == expanded(template, draft, node, copy),
        _ => false,
    };
    let own_data = if node.copies.iter().any(fits) { None } else { own_template(draft, node) };
    if let Some(data) = &own_data {
        let _ = writeln!(text, "    data: {}", scalar(data));
    }
    let one = |copy: &CopyDraft| {
        let own = own_data.as_ref().map(|template| expanded(template, draft, node, copy));
        let inherited = own_data.as_ref().or(common.data.as_ref()).is_some();
        let data = match &copy.data {
            // It would be taken for what holds for the others.
            None => inherited.then(|| OPEN.to_owned()),
            Some(_) if fits(copy) || own.is_some() && own == copy.data => None,
            Some(data) => Some(scalar(data)),
        };
        instance(copy, draft, (port, forward), data, common.install.as_deref())
    };
    let copies: Vec<(String, &[String])> = node.copies.iter().map(|copy| (one(copy), copy.todo.as_slice())).collect();
    instances(text, &copies);
}

/// v5's, where all copies have the same: one that is not known would take another's.
fn own_forward(node: &NodeDraft) -> Option<u16> {
    let first = node.copies.first()?.forward?;
    node.copies.iter().all(|copy| copy.forward == Some(first)).then_some(first)
}

/// `port`, `forward` and `install` are what is written for all; `data` is what is to be written for this one.
fn instance(
    copy: &CopyDraft,
    draft: &Draft,
    (port, forward): (Option<u16>, Option<u16>),
    data: Option<String>,
    install: Option<&str>,
) -> String {
    let mut parts = Vec::new();
    parts.extend(copy.server.iter().map(|host| format!("server: {}", scalar(&draft.name_of(host)))));
    match copy.port {
        None => parts.extend(port.map(|_| format!("port: {OPEN}"))),
        own => parts.extend(own.filter(|_| own != port).map(|port| format!("port: {port}"))),
    }
    parts.extend(copy.forward.filter(|own| Some(*own) != forward).map(|port| format!("forward_port: {port}")));
    parts.extend(copy.forward_is_open.then(|| format!("forward_port: {OPEN}")));
    parts.extend(data.map(|data| format!("data: {data}")));
    match &copy.install {
        None => parts.extend(install.map(|_| format!("install: {OPEN}"))),
        Some(own) => parts
            .extend(Some(own).filter(|own| Some(own.as_str()) != install).map(|i| format!("install: {}", scalar(i)))),
    }
    format!("{{{}}}", parts.join(", "))
}

fn instances(text: &mut String, copies: &[(String, &[String])]) {
    let line =
        format!("    instances: [{}]", copies.iter().map(|(one, _)| one.as_str()).collect::<Vec<_>>().join(", "));
    let plain = copies.iter().all(|(one, todo)| todo.is_empty() && !one.contains(','));
    if plain && line.len() <= WIDTH {
        text.push_str(&line);
        text.push('\n');
        return;
    }
    text.push_str("    instances:\n");
    for (one, open) in copies {
        open.iter().for_each(|what| todo(text, "      ", what));
        let _ = writeln!(text, "      - {one}");
    }
}

/// Plain where it cannot be read as anything else, else in single quotes. Flow style is the strictest, so it is the
/// measure.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '{' | '}');
    let first = text.starts_with(|c: char| c.is_alphabetic() || matches!(c, '/' | '_')) || is_dotted(text);
    let word = matches!(
        text.to_ascii_lowercase().as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "y" | "n"
    );
    // In flow style a brace ends a plain scalar; `data: /x/{node}` in block style is fine and what people write.
    if first && !word && text.chars().all(plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// An address such as 10.0.0.1, which is no number.
fn is_dotted(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.matches('.').count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Host, NodeName};

    #[test]
    fn scalars_read_back_as_text() {
        for text in [
            "s29",
            "10.0.0.29",
            "1.5",
            "1e3",
            "0x1f",
            "true",
            "No",
            "it's",
            "数据",
            "a b",
            "-x",
            "/data/dn 1",
            "12",
            "node#1",
        ] {
            let read: serde_yaml::Value = serde_yaml::from_str(&format!("[{}]", scalar(text))).unwrap();
            assert_eq!(
                read,
                serde_yaml::from_str::<serde_yaml::Value>(&format!("['{}']", text.replace('\'', "''"))).unwrap(),
                "{text}"
            );
        }
    }

    #[test]
    fn one_forward_port_stands_once_and_is_nobody_elses() {
        let copy = |host: &str, forward| CopyDraft {
            server: Some(Host::new(host).unwrap().into()),
            port: Some(23001),
            forward,
            data: Some("/data/dn01".to_owned()),
            ..CopyDraft::default()
        };
        let text = |of_second| {
            let node = NodeDraft {
                name: NodeName::new("dn01").unwrap(),
                kind: NodeKind::Datanode,
                master: Some(Host::new("10.0.0.1").unwrap().into()),
                copies: vec![copy("10.0.0.1", Some(6669)), copy("10.0.0.2", of_second)],
            };
            yaml(&Draft { nodes: vec![node], ..Draft::default() })
        };
        assert!(
            text(Some(6669)).contains("    port: 23001\n    forward_port: 6669\n    instances:"),
            "{}",
            text(Some(6669))
        );
        assert_eq!(text(Some(6669)).matches("forward_port").count(), 1);
        let unknown = text(None);
        assert!(unknown.contains("{server: 10.0.0.1, forward_port: 6669}"), "{unknown}");
        assert!(unknown.contains("{server: 10.0.0.2}"), "{unknown}");
    }

    #[test]
    fn names_are_replaced_as_whole_components() {
        assert_eq!(replaced("/data/s29/dn01", "dn01", "{node}").as_deref(), Some("/data/s29/{node}"));
        assert_eq!(replaced("/data/dn01x", "dn01", "{node}"), None);
    }
}
