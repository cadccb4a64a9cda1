//! `pgxc_ctl failover datanode` on this cluster. Its ssh is replaced by a local shell, which only makes it faster.

use otb::model::{Endpoint, Instance, NodeKind};

use super::Real;

/// `ssh USER@HOST COMMAND...`, here.
const SSH: &str = "#!/bin/sh\nshift\nexec sh -c \"$*\"\n";

impl Real {
    /// What it said; none if the install has no pgxc_ctl. It never stops the old master: nobody stops it here either.
    pub(crate) fn pgxc_ctl_failover(&self, node: &str) -> Option<String> {
        if !self.hands.install().join("bin/pgxc_ctl").exists() {
            return None;
        }
        let home = self.hands.root().join("pgxc_ctl");
        let home = home.display();
        self.hands.must(
            &format!("mkdir -p {home}/bin && printf '%s' '{SSH}' >{home}/bin/ssh && chmod 755 {home}/bin/ssh"),
            10,
        );
        let ran = self.hands.run(
            &format!("umask 077; printf '%s' \"$1\" >{home}/pgxc_ctl.conf"),
            &[&self.pgxc_ctl_conf()],
            10,
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let command = format!("PATH={home}/bin:$PATH pgxc_ctl --home {home} failover datanode {node}");
        let ran = self.hands.run(&command, &[], 120);
        Some(format!("{}{}[exit {}]", ran.stdout, ran.stderr, ran.code))
    }

    fn pgxc_ctl_conf(&self) -> String {
        let of = |kind: NodeKind, pick: fn(&Instance) -> String| {
            let nodes = self.cluster.nodes_of(kind).filter_map(otb::model::Node::master_instance);
            nodes.map(pick).collect::<Vec<_>>().join(" ")
        };
        let slaves = |pick: fn(&Instance) -> String| {
            let nodes = self.cluster.nodes_of(NodeKind::Datanode).filter_map(|node| node.standbys().next());
            nodes.map(pick).collect::<Vec<_>>().join(" ")
        };
        let name = |instance: &Instance| instance.id.node.to_string();
        let host = |instance: &Instance| instance.endpoint.host.to_string();
        let port = |instance: &Instance| instance.endpoint.port.to_string();
        let pooler = |instance: &Instance| (instance.endpoint.port + 1000).to_string();
        let data = |instance: &Instance| instance.data.clone();
        let none = |_: &Instance| "none".to_owned();
        let (cn, dn) = (NodeKind::Coordinator, NodeKind::Datanode);
        let gtm = self.cluster.nodes_of(NodeKind::Gtm).find_map(otb::model::Node::master_instance).unwrap();
        let Endpoint { host: gtm_host, port: gtm_port } = &gtm.endpoint;
        let user = self.hands.user();
        format!(
            "pgxcInstallDir={}\npgxcOwner={user}\npgxcUser={user}\ntmpDir=/tmp\nlocalTmpDir=/tmp\nconfigBackup=n\n\
             defaultDatabase=postgres\ngtmName={}\ngtmMasterServer={gtm_host}\ngtmMasterPort={gtm_port}\ngtmMasterDir={}\n\
             gtmSlave=n\ngtmProxy=n\n\
             coordNames=({})\ncoordPorts=({})\npoolerPorts=({})\ncoordMasterServers=({})\ncoordMasterDirs=({})\n\
             coordMaxWALSenders=({})\ncoordSlave=n\ncoordSpecificExtraConfig=({})\ncoordSpecificExtraPgHba=({})\n\
             primaryDatanode={}\ndatanodeNames=({})\ndatanodePorts=({})\ndatanodePoolerPorts=({})\n\
             datanodeMasterServers=({})\ndatanodeMasterDirs=({})\ndatanodeMaxWALSenders=({})\n\
             datanodeSlave=y\ndatanodeSlaveSync=n\ndatanodeSlaveServers=({})\ndatanodeSlavePorts=({})\n\
             datanodeSlavePoolerPorts=({})\ndatanodeSlaveDirs=({})\ndatanodeArchLogDirs=({})\n\
             datanodeSpecificExtraConfig=({})\ndatanodeSpecificExtraPgHba=({})\n",
            self.hands.install().display(),
            gtm.id.node,
            gtm.data,
            of(cn, name),
            of(cn, port),
            of(cn, pooler),
            of(cn, host),
            of(cn, data),
            of(cn, |_| "5".to_owned()),
            of(cn, none),
            of(cn, none),
            of(dn, name).split(' ').next().unwrap_or_default(),
            of(dn, name),
            of(dn, port),
            of(dn, pooler),
            of(dn, host),
            of(dn, data),
            of(dn, |_| "5".to_owned()),
            slaves(host),
            slaves(port),
            slaves(pooler),
            slaves(data),
            slaves(|instance| format!("{}.archive", instance.data)),
            of(dn, none),
            of(dn, none),
        )
    }
}
