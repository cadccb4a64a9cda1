//! opentenbase_config.ini (OpenTenBase v5, contrib/opentenbase_ctl): servers and how many nodes each has. Names follow
//! a rule of the tool (src/types/types.cpp, generate_nodes); ports it draws when it installs, and directories lie
//! below the home directory of its user on each server, so neither is in the file.

use std::collections::{BTreeMap, BTreeSet};

use super::SourceError;
use super::draft::{CopyDraft, Draft, NodeDraft, Site, name_servers};
use super::ini::Ini;
use crate::model::{ClusterName, Host, NodeKind, NodeName};

/// Reads the file's text.
pub fn from_config_ini(text: &str) -> Result<Draft, SourceError> {
    let ini = Ini::read(text)?;
    let wrong = |section: &str, key: &str, what: String| {
        SourceError::new(ini.line(section, key), format!("[{section}] {key}: {what}"))
    };
    if ini.get("instance", "type") == Some("centralized") {
        return Err(wrong(
            "instance",
            "type",
            "a centralized cluster has no coordinator and no GTM; otb is for distributed clusters".to_owned(),
        ));
    }
    let mut draft = Draft::default();
    draft.shell.user = ini.get("server", "ssh-user").map(str::to_owned);
    let port = ini.get("server", "ssh-port").map(str::parse::<u16>).transpose();
    draft.shell.port = port.map_err(|_| wrong("server", "ssh-port", "it is not a port".to_owned()))?;
    if ini.get("server", "ssh-password").is_some() {
        draft.remark("shell", "ssh-password is not imported: otb logs in with a key or an agent");
    }
    let instance = ini.get("instance", "name").map(str::to_owned);
    if let Some(instance) = &instance {
        let named = ClusterName::new(&**instance).is_ok();
        let hint = if named {
            format!("; the instance is named {instance}, which may be another name")
        } else {
            String::new()
        };
        draft.open(
            "cluster",
            format!("its name is not in the file; to read it: show pgxc_cluster_name on a coordinator{hint}"),
        );
    }
    for (section, kind, prefix) in SECTIONS {
        nodes(&ini, section, kind, prefix, instance.as_deref(), &mut draft)?;
    }
    draft.remark(
        "names",
        "the nodes have the names that opentenbase_ctl gives them; to compare: select node_name from pgxc_node",
    );
    let hosts: BTreeSet<Host> =
        draft.nodes.iter().flat_map(|node| &node.copies).filter_map(|copy| Some(copy.server.clone()?.host)).collect();
    draft.name_sites(&name_servers(hosts.into_iter().map(|host| (host, None)), &BTreeMap::new()));
    draft.settle();
    Ok(draft)
}

const SECTIONS: [(&str, NodeKind, &str); 3] = [
    ("gtm", NodeKind::Gtm, "gtm"),
    ("coordinators", NodeKind::Coordinator, "cn"),
    ("datanodes", NodeKind::Datanode, "dn"),
];

/// The tool numbers masters through all servers; its slaves count through the same names again.
fn nodes(
    ini: &Ini,
    section: &str,
    kind: NodeKind,
    prefix: &str,
    instance: Option<&str>,
    draft: &mut Draft,
) -> Result<(), SourceError> {
    let wrong =
        |key: &str, what: String| SourceError::new(ini.line(section, key), format!("[{section}] {key}: {what}"));
    let hosts = |key: &str| -> Result<Vec<Host>, SourceError> {
        let list = ini.list(section, key).into_iter();
        list.map(|text| Host::new(text).map_err(|error| wrong(key, format!("{text:?} is not a host: {error}"))))
            .collect()
    };
    let masters = hosts("master")?;
    let slaves = hosts("slave")?;
    if masters.is_empty() {
        return Err(wrong("master", "it names no server".to_owned()));
    }
    let each = match ini.get(section, "nodes-per-server") {
        None => 1,
        Some(text) => match text.parse::<usize>() {
            Ok(each @ 1..=5) => each,
            _ => return Err(wrong("nodes-per-server", format!("{text:?} is not a number from 1 to 5"))),
        },
    };
    if kind != NodeKind::Gtm && slaves.len() % masters.len() != 0 {
        let what = format!("{} servers, which is not a multiple of the {} masters", slaves.len(), masters.len());
        return Err(wrong("slave", what));
    }
    let many = if kind == NodeKind::Gtm { 1 } else { masters.len() * each };
    let spread = |hosts: &[Host]| -> Vec<Host> {
        hosts
            .iter()
            .flat_map(|host| std::iter::repeat_n(host.clone(), if kind == NodeKind::Gtm { 1 } else { each }))
            .collect()
    };
    let (masters, slaves) = (spread(&masters), spread(&slaves));
    for n in 0..many {
        let text = format!("{prefix}{:04}", n + 1);
        let name = NodeName::new(&*text).map_err(|error| wrong("master", format!("{text:?}: {error}")))?;
        let own_slaves = slaves.iter().skip(n).step_by(many);
        let mut copies: Vec<CopyDraft> = Vec::new();
        for host in masters.get(n).into_iter().chain(own_slaves) {
            // The GTM's standbys have numbers of their own (get_node_name), a node's have its name.
            let own = if kind == NodeKind::Gtm { format!("{prefix}{:04}", copies.len() + 1) } else { text.clone() };
            let place = format!("run/instance/{}/{own}/data", instance.unwrap_or("NAME"));
            copies.push(CopyDraft {
                server: Some(Site::beside(&copies, host.clone())),
                todo: vec![format!(
                    "its port and data directory are not known: opentenbase_ctl chooses the port at random, and the \
                        directory is {place} under the home directory"
                )],
                ..CopyDraft::default()
            });
        }
        draft.nodes.push(NodeDraft { name, kind, master: masters.get(n).cloned().map(Site::from), copies });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    const INI: &str = "[instance]\nname=test_cluster06\ntype=distributed\npackage=/x.tar.gz\n\n[gtm]\nmaster=172.16.16.49\n\
        slave=172.16.16.131\n\n[coordinators]\nmaster=172.16.16.49\nslave= 172.16.16.131\nnodes-per-server=1\n\n\
        [datanodes]\nmaster=172.16.16.49,172.16.16.131\nslave=172.16.16.131,172.16.16.49\nnodes-per-server=2\n\n\
        [server]\nssh-user=opentenbase\nssh-password=secret\nssh-port=36000\n";

    #[test]
    fn nodes_are_named_as_the_tool_names_them() {
        let draft = from_config_ini(INI).unwrap();
        let shown: Vec<String> = draft
            .nodes
            .iter()
            .map(|node| {
                let copies: Vec<String> =
                    node.copies.iter().map(|copy| copy.server.as_ref().unwrap().to_string()).collect();
                format!("{} on {} of {}", node.name, node.master.as_ref().unwrap(), copies.join(" "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "gtm0001 on 172.16.16.49 of 172.16.16.131 172.16.16.49",
                "cn0001 on 172.16.16.49 of 172.16.16.131 172.16.16.49",
                "dn0001 on 172.16.16.49 of 172.16.16.131 172.16.16.49",
                "dn0002 on 172.16.16.49 of 172.16.16.131 172.16.16.49",
                "dn0003 on 172.16.16.131 of 172.16.16.131 172.16.16.49",
                "dn0004 on 172.16.16.131 of 172.16.16.131 172.16.16.49",
            ]
        );
        let text = yaml(&draft);
        assert!(
            !text.contains("secret") && text.contains("# TODO otb: its port and data directory are not known"),
            "{text}"
        );
    }

    #[test]
    fn mistakes_name_their_line() {
        for (from, to, line) in [
            ("nodes-per-server=2", "nodes-per-server=9", 18),
            ("[gtm]", "[gtm", 6),
            ("type=distributed", "type=centralized", 3),
            ("ssh-port=36000", "ssh-port=x", 23),
            ("slave=172.16.16.131,172.16.16.49", "slave=172.16.16.131", 17),
        ] {
            assert_eq!(from_config_ini(&INI.replace(from, to)).unwrap_err().line, Some(line), "{to}");
        }
    }
}
