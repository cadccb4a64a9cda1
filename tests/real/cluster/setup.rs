//! initgtm, initdb, routes, pg_basebackup, in the order of the guide.

use otb::model::{Instance, InstanceId, NodeKind};

use super::{Real, layout};

/// Limits in seconds: two cores may be shared by many.
const INIT: u32 = 300;
const START: u32 = 120;

impl Real {
    pub(super) fn set_up(&self) {
        for server in self.cluster.servers.keys() {
            self.lay_out_server(server.as_str());
        }
        self.start_gtms();
        let masters = self.masters();
        if self.is_v5() {
            // Each initdb of a v5 wants 2.3 GB for its forward process: side by side they were seen not to end in three minutes.
            for master in &masters {
                self.make_master(master);
            }
        } else {
            side_by_side(&masters, |master| self.make_master(master));
        }
        side_by_side(&masters, |router| self.introduce(router, &masters));
        self.share_out(&masters);
        side_by_side(&self.standbys(), |standby| self.make_standby(standby, self.master_of(standby)));
    }

    /// The masters as declared, without the GTM.
    pub(super) fn masters(&self) -> Vec<&Instance> {
        self.cluster.routers().map(|node| node.master_instance().unwrap()).collect()
    }

    pub(super) fn standbys(&self) -> Vec<&Instance> {
        self.cluster.routers().flat_map(otb::model::Node::standbys).collect()
    }

    pub(super) fn master_of(&self, standby: &Instance) -> &Instance {
        self.cluster.nodes[&standby.id.node].master_instance().unwrap()
    }

    /// An install of its own for each server: the real one, but for the directory in which a server's pooler
    /// looks for the unix socket of a neighbour (it names no host then, and libpq takes PGHOST).
    pub(super) fn lay_out_server(&self, server: &str) {
        let (root, install) = (self.hands.root().display(), self.hands.install().display());
        self.hands.must(
            &format!(
                "mkdir -p {root}/{server}/sockets {root}/{server}/install/bin && cd {root}/{server}/install || exit\n\
                 ln -s {install}/lib {install}/share . && ln -s {install}/bin/* bin/ && rm bin/pg_ctl || exit\n\
                 printf '#!/bin/sh\\nPGHOST={root}/{server}/sockets exec {install}/bin/pg_ctl \"$@\"\\n' >bin/pg_ctl\n\
                 chmod 755 bin/pg_ctl"
            ),
            20,
        );
    }

    fn start_gtms(&self) {
        for node in self.cluster.nodes_of(NodeKind::Gtm) {
            let active = node.master_instance().unwrap();
            for gtm in std::iter::once(active).chain(node.standbys()) {
                self.init_gtm(gtm, active);
                std::thread::sleep(std::time::Duration::from_secs(1));
            }
        }
    }

    /// Lays out a GTM that is, or follows, `active`, and starts it.
    pub(super) fn init_gtm(&self, gtm: &Instance, active: &Instance) {
        self.hands.must(&format!("initgtm -Z gtm -D {}", gtm.data), INIT);
        self.append(&format!("{}/gtm.conf", gtm.data), &layout::gtm_settings(gtm, active));
        self.start(&gtm.id);
    }

    fn make_master(&self, master: &Instance) {
        let gtm = self.cluster.nodes_of(NodeKind::Gtm).next().unwrap();
        let gtm_at = &gtm.master_instance().unwrap().endpoint;
        let (data, user) = (&master.data, self.hands.user());
        self.hands.must(
            &format!(
                "initdb --locale=C -U {user} -E utf8 -D {data} --nodename={} --nodetype={} \
                 --master_gtm_nodename {} --master_gtm_ip {} --master_gtm_port {} && \
                 mkdir -p {data}/log/audit {data}/log/maintain {data}/pg_log/audit {data}/pg_log/maintain",
                master.id.node, master.kind, gtm.name, gtm_at.host, gtm_at.port
            ),
            INIT,
        );
        self.append(&format!("{data}/postgresql.conf"), &layout::settings(master, self.is_v5()));
        self.hands.must(&format!("printf '%s' '{}' >{data}/pg_hba.conf", layout::HBA), 10);
        self.start(&master.id);
    }

    /// Tells one router of all the others.
    fn introduce(&self, router: &Instance, masters: &[&Instance]) {
        self.tell(router, &format!("alter node {} with ({})", router.id.node, self.place(router)));
        for other in masters.iter().filter(|other| other.id != router.id) {
            self.tell(
                router,
                &format!(
                    "create node {} with (type={},{},primary=false,preferred=false)",
                    other.id.node,
                    other.kind,
                    self.place(other)
                ),
            );
        }
        self.tell(router, "select pgxc_pool_reload()");
    }

    fn share_out(&self, masters: &[&Instance]) {
        let coordinator = masters.iter().find(|master| master.kind == NodeKind::Coordinator).unwrap();
        let datanodes = masters.iter().filter(|master| master.kind == NodeKind::Datanode);
        let names: Vec<String> = datanodes.map(|master| master.id.node.to_string()).collect();
        self.tell(coordinator, &format!("create default node group default_group with ({})", names.join(",")));
        self.tell(coordinator, "create sharding group to group default_group");
        std::thread::sleep(std::time::Duration::from_secs(1));
        self.tell(coordinator, "clean sharding");
        // From contrib; on every node at once.
        self.tell(coordinator, "create extension pg_clean");
    }

    /// Copies `master` into the standby's directory, whatever was there, and starts it.
    pub(crate) fn make_standby(&self, standby: &Instance, master: &Instance) {
        super::Hands::kill(standby.data.as_ref());
        self.hands.must(&format!("rm -rf {}", standby.data), 60);
        self.copy_into(standby, master);
    }

    /// The same into its directory, which is empty.
    pub(crate) fn copy_into(&self, standby: &Instance, master: &Instance) {
        let (data, user, at) = (&standby.data, self.hands.user(), &master.endpoint);
        let (host, port) = (&at.host, at.port);
        self.hands.must(
            &format!(
                "pg_basebackup -h {host} -p {port} -U {user} -D {data} -X f -c fast -w && \
                 rm -f {data}/recovery.done {data}/recovery.conf.otb {data}/otb.holder"
            ),
            INIT,
        );
        self.append(&format!("{data}/postgresql.conf"), &layout::settings(standby, self.is_v5()));
        self.follow(standby, master);
    }

    /// A master that was stopped cleanly after the other had everything: recovery.conf and a start are enough.
    pub(crate) fn follow_after_a_clean_stop(&self, standby: &Instance, master: &Instance) {
        self.hands.must(&format!("rm -f {}/recovery.conf", standby.data), 10);
        self.follow(standby, master);
    }

    /// Stops an instance and starts it again, with settings that want it.
    pub(crate) fn start_anew(&self, id: &str) {
        let instance = self.instance(id);
        self.hands.must(&format!("pg_ctl -D {} stop -m fast", instance.data), 100);
        self.start(&instance.id);
    }

    /// Writes recovery.conf and starts it.
    fn follow(&self, standby: &Instance, master: &Instance) {
        let (data, user, at) = (&standby.data, self.hands.user(), &master.endpoint);
        self.append(
            &format!("{data}/recovery.conf"),
            &format!(
                "standby_mode = on\nprimary_conninfo = 'host={} port={} user={user} application_name={}_{}'\n\
                 recovery_target_timeline = 'latest'\n",
                at.host, at.port, standby.id.node, standby.id.server
            ),
        );
        self.start(&standby.id);
    }

    /// In the standby's place a new cluster's node of the same name, told to follow `master`.
    pub(crate) fn make_stranger(&self, standby: &Instance, master: &Instance) {
        super::Hands::kill(standby.data.as_ref());
        self.hands.must(&format!("rm -rf {}", standby.data), 60);
        self.make_master(standby);
        self.stop(standby);
        self.follow(standby, master);
    }

    /// Starts an instance as its files say, and waits.
    pub(super) fn start(&self, id: &InstanceId) {
        let instance = self.cluster.instance(id).unwrap();
        let (install, data) = (&instance.install, &instance.data);
        let start = match instance.kind {
            NodeKind::Gtm => format!("{install}/bin/gtm_ctl -Z gtm -D {data} start"),
            kind => format!("{install}/bin/pg_ctl -Z {kind} -D {data} -l {data}.log start -w -t {START}"),
        };
        let ran = self.hands.run(&format!("{start} </dev/null >{data}.out 2>&1"), &[], START + 10);
        assert_eq!(ran.code, 0, "{id} did not start: see {data}.log");
    }

    /// Runs a statement that must succeed. A GTM of v5 that was promoted gives no timestamps for up to 5 s.
    pub(crate) fn tell(&self, instance: &Instance, statement: &str) {
        let mut ran = self.psql(instance, statement);
        for _ in 0..20 {
            if !(self.is_v5() && ran.stderr.contains("could not obtain global timestamp")) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(500));
            ran = self.psql(instance, statement);
        }
        assert_eq!(ran.code, 0, "{}: {statement}\n{}", instance.id, ran.stderr);
    }

    fn append(&self, file: &str, text: &str) {
        let ran = self.hands.run(&format!("umask 077; printf '%s' \"$1\" >>{file}"), &[text], 10);
        assert_eq!(ran.code, 0, "{file}: {}", ran.stderr);
    }
}

/// Does the same to each at the same time; the first that fails fails all.
pub(super) fn side_by_side<'a>(instances: &[&'a Instance], act: impl Fn(&'a Instance) + Sync) {
    std::thread::scope(|scope| {
        let all: Vec<_> = instances.iter().map(|instance| scope.spawn(|| act(instance))).collect();
        for one in all {
            one.join().unwrap();
        }
    });
}
