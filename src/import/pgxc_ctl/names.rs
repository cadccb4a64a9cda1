//! The names of pgxc_ctl's variables (varnames.h).

use crate::model::NodeKind;

/// The lists of one kind: of its masters or of its slaves.
pub(super) struct Lists {
    pub servers: &'static str,
    pub ports: &'static str,
    /// v5's.
    pub forward: &'static str,
    pub directories: &'static str,
}

pub(super) struct Kind {
    pub node: NodeKind,
    /// The section in cluster.yaml.
    pub section: &'static str,
    pub names: &'static str,
    pub masters: Lists,
    /// y or n: whether there are slaves at all.
    pub slave: &'static str,
    pub slaves: Lists,
}

pub(super) const COORDINATORS: Kind = Kind {
    node: NodeKind::Coordinator,
    section: "coordinators",
    names: "coordNames",
    masters: Lists {
        servers: "coordMasterServers",
        ports: "coordPorts",
        forward: "coordForwardPorts",
        directories: "coordMasterDirs",
    },
    slave: "coordSlave",
    slaves: Lists {
        servers: "coordSlaveServers",
        ports: "coordSlavePorts",
        forward: "coordSlaveForwardPorts",
        directories: "coordSlaveDirs",
    },
};

pub(super) const DATANODES: Kind = Kind {
    node: NodeKind::Datanode,
    section: "datanodes",
    names: "datanodeNames",
    masters: Lists {
        servers: "datanodeMasterServers",
        ports: "datanodePorts",
        forward: "datanodeForwardPorts",
        directories: "datanodeMasterDirs",
    },
    slave: "datanodeSlave",
    slaves: Lists {
        servers: "datanodeSlaveServers",
        ports: "datanodeSlavePorts",
        forward: "datanodeSlaveForwardPorts",
        directories: "datanodeSlaveDirs",
    },
};

/// A GTM has no forward port.
pub(super) const GTM_MASTER: Lists =
    Lists { servers: "gtmMasterServer", ports: "gtmMasterPort", forward: "", directories: "gtmMasterDir" };
pub(super) const GTM_SLAVE: Lists =
    Lists { servers: "gtmSlaveServer", ports: "gtmSlavePort", forward: "", directories: "gtmSlaveDir" };

/// Whether a name is one of those that are read.
pub(super) fn is_read(name: &str) -> bool {
    let lists = |lists: &Lists| [lists.servers, lists.ports, lists.forward, lists.directories].contains(&name);
    let kind = |kind: &Kind| [kind.names, kind.slave].contains(&name) || lists(&kind.masters) || lists(&kind.slaves);
    kind(&COORDINATORS)
        || kind(&DATANODES)
        || lists(&GTM_MASTER)
        || lists(&GTM_SLAVE)
        || ["gtmName", "gtmSlave"].contains(&name)
}
