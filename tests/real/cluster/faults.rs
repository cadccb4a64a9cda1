//! What happens to real processes, in the words of the sandbox's faults.

use std::path::Path;
use std::time::Duration;

use otb::model::{Instance, NodeKind};
use rustix::process::{Pid, Signal};

use super::{Hands, Real};

/// Does what `words` say (`KIND INSTANCE [VALUE...]`) and answers as the sandbox does. Panics if it cannot.
pub(super) fn inflict(real: &Real, words: &[String]) -> String {
    let (kind, target, value) = (words[0].as_str(), words[1].as_str(), words.get(2).map(String::as_str));
    let instance = real.instance(target);
    let data = Path::new(&instance.data);
    match kind {
        "kill" => Hands::kill(data),
        "stop" => real.stop(instance),
        "start" => {
            real.start(&instance.id);
            real.wait_for_gtm(instance);
            return format!("{target} started\n");
        }
        "promote" if instance.kind == NodeKind::Gtm => {
            real.promote_gtm(instance);
            return String::new();
        }
        "promote" => {
            real.hands.must(&format!("{}/bin/pg_ctl -D {} promote -w", instance.install, instance.data), 90);
            return String::new();
        }
        "hang" => Hands::signal(data, Signal::STOP),
        "unhang" => Hands::signal(data, Signal::CONT),
        "readonly-recovery" => drop(real.hands.must(&format!("chmod 400 {}/recovery.conf", instance.data), 10)),
        "writable-recovery" => drop(real.hands.must(&format!("chmod 600 {}/recovery.conf", instance.data), 10)),
        "hide-data" => drop(real.hands.must(&format!("mv {0} {0}.away", instance.data), 10)),
        "show-data" => drop(real.hands.must(&format!("mv {0}.away {0}", instance.data), 10)),
        "wrong-route" => real.route_by_hand(instance, value.unwrap()),
        "stale-pool" => real.stale_pool(instance, value.unwrap()),
        "pause-replay" => real.tell(instance, "select pg_wal_replay_pause()"),
        "lag" => real.stop_receiving(instance),
        "resume" => real.resume(instance),
        "wal" => real.write_wal(instance, value.unwrap()),
        "recycle-wal" => real.recycle_wal(instance),
        "crash-lossy" => {
            let commits = words.get(3).map_or(1, |number| number.parse().unwrap());
            real.crash_lossy(instance, value.unwrap_or("8192"), commits);
        }
        "set" => {
            real.tell(
                instance,
                &format!("alter system set {} = '{}'", value.unwrap(), words.get(3).map_or("", String::as_str)),
            );
            real.tell(instance, "select pg_reload_conf()");
        }
        _ => panic!("{kind} cannot be done to real processes"),
    }
    format!("{kind} {target}\n")
}

impl Real {
    pub(super) fn stop(&self, instance: &Instance) {
        let stop = match instance.kind {
            // Its port is free only when its process has ended, some time after its pid file: a start in between dies.
            NodeKind::Gtm => format!(
                "process=$(head -n 1 {0}/gtm.pid); gtm_ctl -Z gtm -D {0} stop -m fast || exit; n=0; \
                 while kill -0 $process 2>/dev/null && test $n -lt 100; do sleep 0.1; n=$((n + 1)); done",
                instance.data
            ),
            _ => format!("pg_ctl -D {} stop -m fast -w -t 60", instance.data),
        };
        self.hands.must(&stop, 70);
    }

    /// NODE=HOST:PORT, with the host as scenarios know it: 127.0.0.x stands for the cluster's own network.
    fn route_by_hand(&self, router: &Instance, route: &str) {
        let (node, endpoint) = route.split_once('=').unwrap();
        let gtm = if node.starts_with("gtm") { "gtm " } else { "" };
        let (host, port) = endpoint.rsplit_once(':').unwrap();
        let last = host.strip_prefix("127.0.0.").expect("a host of the cluster's network");
        let network = router.endpoint.host.as_str().rsplit_once('.').unwrap().0;
        let host = format!("{network}.{last}");
        let at = |instance: &&Instance| {
            instance.endpoint.host.as_str() == host && instance.endpoint.port.to_string() == port
        };
        let place = match self.cluster.routers().flat_map(|node| node.instances.values()).find(at) {
            Some(instance) if gtm.is_empty() => self.place(instance),
            _ => format!("host='{host}',port={port}"),
        };
        self.tell(router, &format!("alter {gtm}node {node} with ({place})"));
        self.tell(router, "select pgxc_pool_reload()");
    }

    /// The pooler is told of the wrong address, the catalog then of the right one. A pool without connections
    /// would agree with anything, so one is opened.
    fn stale_pool(&self, router: &Instance, route: &str) {
        self.route_by_hand(router, route);
        let node = route.split('=').next().unwrap();
        self.tell(router, &format!("execute direct on ({node}) 'select 1'"));
        let right = self.masters().into_iter().find(|master| master.id.node.as_str() == node).unwrap();
        self.tell(router, &format!("alter node {node} with ({})", self.place(right)));
    }

    /// A standby whose receiver sleeps falls behind with whatever its master writes.
    fn stop_receiving(&self, standby: &Instance) {
        let pid = || self.ask(standby, "select pid from pg_stat_wal_receiver").and_then(|pid| pid.parse().ok());
        // One that lost its master a moment ago is started anew within five seconds.
        let receiver = (0..100).find_map(|_| {
            let receiver = pid().and_then(Pid::from_raw);
            if receiver.is_none() {
                std::thread::sleep(Duration::from_millis(100));
            }
            receiver
        });
        let receiver = receiver.expect("a WAL receiver");
        rustix::process::kill_process(receiver, Signal::STOP).unwrap();
    }

    /// Lets it go on, and waits until it has what its master has written so far; of a dead one it gets no more.
    fn resume(&self, standby: &Instance) {
        Hands::signal(standby.data.as_ref(), Signal::CONT);
        self.tell(standby, "select pg_wal_replay_resume()");
        let Some(written) = self.ask(self.master_of(standby), "select pg_current_wal_lsn()") else { return };
        let caught_up = format!("select pg_last_wal_replay_lsn() >= '{written}'");
        for _ in 0..300 {
            if self.ask(standby, &caught_up).as_deref() == Some("t") {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{} does not catch up to {written}", standby.id);
    }

    fn write_wal(&self, master: &Instance, bytes: &str) {
        self.write_message(master, bytes, true);
    }

    /// A message of a transaction is committed with it, another is WAL without a commit.
    fn write_message(&self, master: &Instance, bytes: &str, committed: bool) {
        let size: usize = bytes.parse().unwrap();
        // Where commits wait for a standby, this one is of a session that does not.
        let local = "set synchronous_commit = local";
        self.tell(master, &format!("{local}; select pg_logical_emit_message({committed}, 'otb', repeat('x', {size}))"));
    }

    /// A checkpoint throws away the files before the last one. A coordinator's runs on datanodes, too.
    fn recycle_wal(&self, master: &Instance) {
        let keep = |number: u32| {
            self.tell(master, &format!("alter system set wal_keep_segments = {number}"));
            self.tell(master, "select pg_reload_conf()");
        };
        keep(0);
        for _ in 0..2 {
            self.write_wal(master, "100");
            self.tell(master, "select pg_switch_wal()");
            self.tell(master, "checkpoint");
        }
        keep(32);
    }

    /// The senders sleep while the master writes and commits what no standby gets, and then everything dies at once.
    fn crash_lossy(&self, master: &Instance, bytes: &str, commits: u32) {
        let senders = self.ask(master, "select pid from pg_stat_replication").unwrap();
        for sender in senders.lines().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)) {
            rustix::process::kill_process(sender, Signal::STOP).unwrap();
        }
        self.write_message(master, bytes, false);
        for _ in 0..commits {
            self.write_wal(master, "100");
        }
        // The WAL writer brings to disk what no commit waits for: every 200 ms (wal_writer_delay).
        std::thread::sleep(Duration::from_millis(500));
        Hands::kill(master.data.as_ref());
    }
}
