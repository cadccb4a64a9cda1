//! Putting the GTM back by hand: roles by gtm.conf, a promotion that is left alone until it is over, every router
//! told.

use std::time::{Duration, Instant};

use otb::model::{Instance, Node, NodeKind};

use super::{Hands, Real};

impl Real {
    /// The declared GTM is the active one, the others are its standbys, and the masters know it.
    pub(super) fn put_gtm_back(&self) {
        for node in self.cluster.nodes_of(NodeKind::Gtm) {
            let wanted = node.master_instance().unwrap();
            if self.gtm_role(wanted).as_deref() != Some("primary") {
                self.move_gtm(node, wanted);
            }
            for standby in node.standbys() {
                if self.gtm_role(standby).as_deref() != Some("standby") || !self.is_attached(standby, wanted) {
                    self.make_gtm_standby(standby, wanted);
                }
            }
            self.tell_of_gtm(wanted);
        }
    }

    fn move_gtm(&self, node: &Node, wanted: &Instance) {
        let active = node.instances.values().find(|gtm| self.gtm_role(gtm).as_deref() == Some("primary"));
        if let Some(active) = active {
            if self.gtm_role(wanted).is_none() || !self.is_attached(wanted, active) {
                self.make_gtm_standby(wanted, active);
            }
            self.stop(active);
        }
        if self.gtm_role(wanted).is_some() {
            self.promote_gtm(wanted);
        } else {
            self.append_to_gtm_conf(wanted, "startup = ACT");
            self.start(&wanted.id);
            std::thread::sleep(Duration::from_secs(1));
        }
        for other in node.standbys() {
            self.make_gtm_standby(other, wanted);
        }
    }

    /// By hand: a client that connects before gtm.control is written again may make the GTM hang later.
    pub(crate) fn promote_gtm(&self, gtm: &Instance) {
        let data = &gtm.data;
        self.hands.must(
            &format!(
                "was=$(stat -c %y {data}/gtm.control); gtm_ctl -Z gtm -D {data} promote || exit; n=0; \
                 while test \"$(stat -c %y {data}/gtm.control)\" = \"$was\" && test $n -lt 500; \
                 do sleep 0.02; n=$((n+1)); done"
            ),
            30,
        );
    }

    pub(crate) fn make_gtm_standby(&self, standby: &Instance, active: &Instance) {
        Hands::kill(standby.data.as_ref());
        let at = &active.endpoint;
        self.append_to_gtm_conf(
            standby,
            &format!("startup = STANDBY\nactive_host = ''{}''\nactive_port = {}", at.host, at.port).replace("''", "'"),
        );
        self.start(&standby.id);
        assert!((0..60).any(|_| self.is_attached(standby, active)), "{} does not attach", standby.id);
        self.wait_for_a_record(standby, active);
    }

    /// By their own words and not by otb's: each runs as a standby, gets what `active` writes, and is on its list.
    pub(crate) fn follow_the_gtm(&self, standbys: &[&str], active: &str) {
        let active = self.instance(active);
        assert_eq!(self.gtm_role(active).as_deref(), Some("primary"), "{}", active.id);
        for standby in standbys {
            let standby = self.instance(standby);
            // A standby that still copies its master's state accepts connections but does not answer.
            let is_standby = |_| {
                let role = self.gtm_role(standby);
                role.as_deref() == Some("standby") || {
                    assert_eq!(role, None, "{}", standby.id);
                    std::thread::sleep(Duration::from_millis(500));
                    false
                }
            };
            assert!((0..20).any(is_standby), "{} does not answer", standby.id);
            self.wait_for_a_record(standby, active);
        }
        let listed = self.gtm_status(active).unwrap_or_default().matches("[standby/").count();
        assert!(listed >= standbys.len(), "{} lists {listed} standbys", active.id);
    }

    /// A standby promoted before it has redone a record of its active GTM loses its place in the log; an idle GTM
    /// writes one every five seconds.
    fn wait_for_a_record(&self, standby: &Instance, active: &Instance) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut level = None;
        while Instant::now() < deadline {
            let (own, of_active) = (self.gtm_flushed(standby), self.gtm_flushed(active));
            match &level {
                None if own.is_some() && own == of_active => level = own,
                Some(level) if own.as_ref().is_some_and(|own| own != level) => return,
                _ => {}
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{} redoes nothing of {}\n{}", standby.id, active.id, self.gtm_logs());
    }

    /// gtm_ctl does not wait: a standby needs a second or two until its active GTM lists it.
    pub(super) fn wait_for_gtm(&self, started: &Instance) {
        if started.kind == NodeKind::Gtm {
            let gtms = || self.cluster.nodes[&started.id.node].instances.values();
            let upstream = || gtms().find(|active| active.id != started.id && self.is_attached(started, active));
            for _ in 0..60 {
                if self.gtm_role(started).as_deref() == Some("primary") {
                    return;
                }
                if let Some(active) = upstream() {
                    return self.wait_for_a_record(started, active);
                }
            }
            panic!("{} does not attach\n{}", started.id, self.gtm_logs());
        }
    }

    /// The last line of a kind counts.
    fn append_to_gtm_conf(&self, gtm: &Instance, lines: &str) {
        let ran = self.hands.run(&format!("printf '\\n%s\\n' \"$1\" >>{}/gtm.conf", gtm.data), &[lines], 10);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    /// ALTER GTM NODE on every master; a standby refuses it and gets it by WAL.
    pub(crate) fn tell_of_gtm(&self, active: &Instance) {
        let at = &active.endpoint;
        let alter = format!("alter gtm node {} with (host='{}',port={})", active.id.node, at.host, at.port);
        for router in self.cluster.routers().flat_map(|node| node.instances.values()) {
            let _ = self.ask(router, &alter);
        }
    }

    /// The same on one router.
    pub(crate) fn tell_of_gtm_at(&self, router: &str, active: &Instance) {
        let at = &active.endpoint;
        let alter = format!("alter gtm node {} with (host='{}',port={})", active.id.node, at.host, at.port);
        self.tell(self.instance(router), &alter);
    }

    /// What the GTMs said last: why one died is written nowhere else.
    pub(crate) fn gtm_logs(&self) -> String {
        let root = self.hands.root().display();
        let logs = format!("{root}/*/gtm/gtm_log/* {root}/*/gtm/otb-start.log {root}/*/gtm.out");
        self.hands.run(&format!("tail -n 40 {logs} 2>/dev/null | grep -v LOCATION"), &[], 10).stdout
    }

    /// The ends of the logs of the node's copies: where a server ended, its log says why.
    pub(crate) fn logs_of(&self, node: &str) -> String {
        let root = self.hands.root().display();
        self.hands
            .run(&format!("tail -n 60 {root}/*/{node}/log/pg.log {root}/*/{node}/otb-start.log 2>&1"), &[], 10)
            .stdout
    }

    /// Whether a GTM's process is there, be it without a pid file, and says nothing, not even after a while.
    pub(crate) fn a_gtm_hangs(&self) -> bool {
        let lives = |gtm: &&Instance| {
            // The brackets keep the pattern from matching the shell that looks for it.
            let process = format!("kill -0 $(head -n 1 {0}/gtm.pid) || pgrep -f '[g]tm .*-D {0}'", gtm.data);
            self.hands.run(&process, &[], 5).code == 0
        };
        let mut gtms = self.cluster.nodes_of(NodeKind::Gtm).flat_map(|node| node.instances.values()).filter(lives);
        gtms.any(|gtm| (0..2).all(|_| self.gtm_status(gtm).is_none()))
    }

    pub(crate) fn gtm_role(&self, gtm: &Instance) -> Option<String> {
        let text = self.gtm_status(gtm)?;
        let role = text.split_once("current node [")?.1.split(']').next()?;
        Some(role.to_owned())
    }

    pub(crate) fn is_attached(&self, standby: &Instance, active: &Instance) -> bool {
        let name = format!("host[localhost:{}]", standby.endpoint.port);
        let attached = self.gtm_status(active).is_some_and(|text| text.contains(&name));
        if !attached {
            std::thread::sleep(Duration::from_millis(300));
        }
        attached
    }

    fn gtm_flushed(&self, gtm: &Instance) -> Option<String> {
        let text = self.gtm_status(gtm)?;
        Some(text.split_once("xlog [")?.1.split(']').next()?.to_owned())
    }

    fn gtm_status(&self, gtm: &Instance) -> Option<String> {
        let at = &gtm.endpoint;
        let ran = self.hands.run(&format!("gtm_ctl -Z gtm status -H {} -P {}", at.host, at.port), &[], 5);
        ran.stdout.contains("current node [").then_some(ran.stdout)
    }
}
