//! Putting the cluster back between scenarios, by hand and not by otb.

use std::time::{Duration, Instant};

use otb::model::{Instance, Node};
use rustix::process::Signal;

use super::setup::side_by_side;
use super::{Hands, Real};

/// How long a standby may take to stream.
const STREAMS: Duration = Duration::from_secs(20);

impl Real {
    /// Restores the declared placement: roles, standbys, routes, pools and files.
    pub(crate) fn reset(&self) {
        std::fs::write(self.hands.root().join("cluster.yaml"), &self.declared).unwrap();
        Hands::signal(self.hands.root(), Signal::CONT);
        self.hands.run(
            &format!(
                "cd {} && for away in */*.away; do test ! -d \"$away\" || mv -T \"$away\" \"${{away%.away}}\"; done; \
                 rm -rf */*.otb-aside-* */*.otb-new */*/recovery.conf.otb */*/gtm.conf.otb; \
                 chmod -f 600 */*/recovery.conf; sed -i '/^synchronous_/d; /^persistent_/d' */*/postgresql.auto.conf; \
                 for file in */*/postmaster.pid; do kill -HUP $(head -n 1 $file); done; true",
                self.hands.root().display()
            ),
            &[],
            60,
        );
        self.put_gtm_back();
        for node in self.cluster.routers() {
            self.put_back(node);
        }
        let masters = self.masters();
        side_by_side(&masters, |router| self.put_routes_back(router, &masters));
    }

    fn put_back(&self, node: &Node) {
        let wanted = node.master_instance().unwrap();
        let is_master = |instance: &&Instance| self.in_recovery(instance) == Some(false);
        let running: Vec<&Instance> = node.instances.values().filter(is_master).collect();
        match running.as_slice() {
            // Of two masters the declared one counts.
            _ if running.iter().any(|instance| instance.id == wanted.id) => {}
            [] => self.start_as_master(self.last_master(node)),
            _ => {}
        }
        if self.in_recovery(wanted) != Some(false) {
            let master = node.instances.values().find(is_master).expect("a master to copy from");
            self.make_standby(wanted, master);
            assert!(self.streams(wanted, master), "{} does not stream", wanted.id);
            self.stop(master);
            std::thread::sleep(Duration::from_millis(300));
            self.hands.must(&format!("pg_ctl -D {} promote -w", wanted.data), 90);
        }
        for standby in node.standbys().filter(|standby| !self.follows(standby, wanted)) {
            self.make_standby(standby, wanted);
            assert!(self.streams(standby, wanted), "{} does not stream", standby.id);
        }
    }

    /// The copy whose control file says that it was a master; the declared one if none does.
    fn last_master<'a>(&self, node: &'a Node) -> &'a Instance {
        let was_master = |instance: &&Instance| {
            let state = self.hands.must(&format!("pg_controldata {} | grep 'cluster state'", instance.data), 10);
            state.trim_end().ends_with(" shut down") || state.contains("in production")
        };
        let declared = node.master_instance().unwrap();
        let mut all = std::iter::once(declared).chain(node.standbys());
        all.find(was_master).unwrap_or(declared)
    }

    fn start_as_master(&self, instance: &Instance) {
        Hands::kill(instance.data.as_ref());
        self.hands.must(&format!("rm -f {}/recovery.conf", instance.data), 10);
        self.start(&instance.id);
    }

    fn in_recovery(&self, instance: &Instance) -> Option<bool> {
        self.ask(instance, "select pg_is_in_recovery()").map(|answer| answer == "t")
    }

    /// Whether it streams from `master` right now, and its WAL can be replayed.
    fn follows(&self, standby: &Instance, master: &Instance) -> bool {
        if self.in_recovery(standby) != Some(true) {
            return false;
        }
        self.ask(standby, "select pg_wal_replay_resume()");
        self.streams(standby, master)
    }

    pub(super) fn streams(&self, standby: &Instance, master: &Instance) -> bool {
        let upstream = format!("host={} ", master.endpoint.host);
        let begun = Instant::now();
        while begun.elapsed() < STREAMS {
            let row = self.ask(standby, "select status || ' ' || conninfo || ' ' from pg_stat_wal_receiver");
            if row.is_some_and(|row| row.starts_with("streaming") && row.contains(&upstream)) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        false
    }

    /// Tells every router, of a node that moved the new master, where its master is now.
    pub(crate) fn lead_to(&self, master: &Instance) {
        let others = self.masters().into_iter().filter(|router| router.id.node != master.id.node);
        let routers: Vec<&Instance> = others.chain([master]).collect();
        side_by_side(&routers, |router| {
            self.tell(router, &format!("alter node {} with ({})", master.id.node, self.place(master)));
            self.tell(router, "select pgxc_pool_reload()");
        });
    }

    fn put_routes_back(&self, router: &Instance, masters: &[&Instance]) {
        for node in masters {
            self.tell(router, &format!("alter node {} with ({})", node.id.node, self.place(node)));
        }
        self.tell(router, "select pgxc_pool_reload()");
    }
}
