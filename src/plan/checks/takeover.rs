//! Checks of one node whose master moves: may this standby take over from that master?

use super::{Finding, LOOK_AGAIN, hints, promotion, restart, way_out};
use crate::model::{
    Cluster, Fact, InstanceFacts, InstanceId, Node, NodeKind, Observation, Process, Role, StandbyFacts, Unknown,
};
use crate::opentenbase;
use crate::plan::check::{Check, CheckCode};
use crate::plan::hung::is_hung;
use crate::plan::situation::running_masters;

/// The free space below which a promotion may fail, because it writes a WAL segment and a history file (16 MiB and
/// reserve).
const PROMOTION_ROOM_BYTES: u64 = 64 << 20;

/// Everything that is looked at before `node` gets its declared master; `from` is the running master, if any.
pub(super) fn for_node(cluster: &Cluster, node: &Node, from: Option<&InstanceId>, seen: &Observation) -> Vec<Check> {
    let declared = node.master_id();
    let Some(standby) = seen.instances.get(&declared) else { return Vec::new() };
    let view = View { cluster, node, declared: &declared, standby, seen };
    if node.kind == NodeKind::Gtm {
        return view.of_gtm(from);
    }
    let mut checks = vec![
        view.identity(&declared, standby).of(CheckCode::Identity, &declared),
        view.replay().of(CheckCode::Replay, &node.name),
        view.recovery_conf().of(CheckCode::RecoveryConf, &declared),
        view.disk().of(CheckCode::Disk, &declared),
    ];
    match from.and_then(|id| Some((id, seen.instances.get(id)?))) {
        Some((id, master)) => checks.extend(view.with_master(id, master)),
        None => checks.extend(view.without_master()),
    }
    checks
}

pub(super) struct View<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) node: &'a Node,
    pub(super) declared: &'a InstanceId,
    pub(super) standby: &'a InstanceFacts,
    pub(super) seen: &'a Observation,
}

impl View<'_> {
    fn with_master(&self, id: &InstanceId, master: &InstanceFacts) -> Vec<Check> {
        let name = &self.node.name;
        let others = self.fence_besides(id).map(|finding| finding.of(CheckCode::Fence, name));
        others
            .into_iter()
            .chain([
                self.identity(id, master).of(CheckCode::Identity, id),
                self.system(id, master).of(CheckCode::System, name),
                self.version(master).of(CheckCode::Version, name),
                self.timeline(master).of(CheckCode::Timeline, name),
                self.attached(id, master).of(CheckCode::Attached, name),
                self.lag(master).of(CheckCode::Lag, name),
                shell(id, master).of(CheckCode::Shell, id),
            ])
            .collect()
    }

    fn without_master(&self) -> Vec<Check> {
        vec![
            self.fence().of(CheckCode::Fence, &self.node.name),
            self.data_loss().of(CheckCode::DataLoss, &self.node.name),
        ]
    }

    pub(super) fn identity(&self, id: &InstanceId, facts: &InstanceFacts) -> Finding {
        match &facts.node_name {
            Fact::Known(name) if *name == id.node => Finding::pass(format!("{id} calls itself {name}")),
            Fact::Known(name) => Finding::block(
                format!("the process at {} reports the name {name}, not {}", self.endpoint(id), id.node),
                "correct the address and port of this instance in the file",
            ),
            Fact::Unknown(why) => Finding::unknown(format!("the name of {id} is not known: {why}"), LOOK_AGAIN),
        }
    }

    fn endpoint(&self, id: &InstanceId) -> String {
        self.cluster.instance(id).map_or_else(|| id.to_string(), |instance| instance.endpoint.to_string())
    }

    pub(super) fn system(&self, id: &InstanceId, master: &InstanceFacts) -> Finding {
        match (&self.standby.system_id, &master.system_id) {
            (Fact::Known(a), Fact::Known(b)) if a == b => Finding::pass(format!("both have system identifier {a}")),
            (Fact::Known(a), Fact::Known(b)) => Finding::block(
                format!("{} has system identifier {a}, but {id} has {b}: it belongs to another node", self.declared),
                "correct the file so that it names this node's own standby, or rebuild the standby with \
                    pg_basebackup",
            ),
            (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => {
                Finding::unknown(format!("a system identifier is not known: {why}"), LOOK_AGAIN)
            }
        }
    }

    fn version(&self, master: &InstanceFacts) -> Finding {
        match (&self.standby.version, &master.version) {
            (Fact::Known(a), Fact::Known(b)) if a == b => Finding::pass(format!("both run {a}")),
            (Fact::Known(a), Fact::Known(b)) => Finding::block(
                format!("the standby runs {a}, the master {b}"),
                "install the same version on both servers",
            ),
            (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => {
                Finding::unknown(format!("a version is not known: {why}"), LOOK_AGAIN)
            }
        }
    }

    fn timeline(&self, master: &InstanceFacts) -> Finding {
        match (&self.standby.timeline, &master.timeline) {
            (Fact::Known(a), Fact::Known(b)) if a <= b => Finding::pass(format!("standby on {a}, master on {b}")),
            (Fact::Known(a), Fact::Known(b)) => Finding::block(
                format!("the standby is on timeline {a}, ahead of the master's timeline {b}"),
                "the standby was promoted once: find out which instance has the right data before you go on",
            ),
            (Fact::Unknown(why), _) | (_, Fact::Unknown(why)) => {
                Finding::unknown(format!("a timeline is not known: {why}"), LOOK_AGAIN)
            }
        }
    }

    pub(super) fn attached(&self, id: &InstanceId, master: &InstanceFacts) -> Finding {
        let upstream = self.endpoint(id);
        let unknown = |found| Finding::unknown(found, LOOK_AGAIN);
        match (&self.standby.standby, &master.senders) {
            (Fact::Unknown(why), _) => unknown(format!("replication of {} is not known: {why}", self.declared)),
            (Fact::Known(facts), _) if !facts.streaming => Finding::block(
                format!("{} does not stream from {id}", self.declared),
                match self.node.kind {
                    NodeKind::Gtm => format!(
                        "if it was just started, it needs some seconds; otherwise declare {} as master and apply: \
                            that starts it again",
                        id.server
                    ),
                    _ => format!("read the log of {}; if it lacks WAL, rebuild it with pg_basebackup", self.declared),
                },
            ),
            (Fact::Known(facts), _) if facts.upstream.as_ref().is_some_and(|at| at.to_string() != upstream) => {
                Finding::block(
                    format!("{} streams from {}, not from {upstream}", self.declared, shown(facts)),
                    "correct primary_conninfo in its recovery.conf and restart it",
                )
            }
            (_, Fact::Unknown(why)) => unknown(format!("the replication connections of {id} are not known: {why}")),
            (_, Fact::Known(all)) if !all.iter().any(|sender| sender.state == "streaming") => Finding::block(
                format!("{id} lists no standby that streams"),
                format!("compare pg_stat_replication on {id} with recovery.conf of {}", self.declared),
            ),
            _ => Finding::pass(format!("{} streams from {upstream}", self.declared)),
        }
    }

    fn replay(&self) -> Finding {
        match &self.standby.standby {
            Fact::Known(facts) if facts.replay_paused => Finding::block(
                format!("replay on {} is paused", self.declared),
                promotion::resume(self.cluster, self.declared, self.node, self.seen),
            ),
            Fact::Known(_) => Finding::pass("replay is not paused"),
            Fact::Unknown(why) => {
                Finding::unknown(format!("otb could not find out whether replay is paused: {why}"), LOOK_AGAIN)
            }
        }
    }

    pub(super) fn lag(&self, master: &InstanceFacts) -> Finding {
        let limit = self.cluster.policy.max_lag;
        let replayed = self.standby.standby.known().and_then(|facts| facts.replayed);
        match (&master.wal_end, replayed) {
            (Fact::Known(end), Some(replayed)) => {
                let behind = bytesize::ByteSize(end.bytes_ahead_of(replayed));
                let found = format!("{} is {behind} behind; the limit is {limit}", self.declared);
                if behind <= limit {
                    Finding::pass(found)
                } else {
                    Finding::block(found, "wait until it has caught up, or raise policy.max_lag")
                }
            }
            (Fact::Unknown(why), _) => {
                Finding::unknown(format!("the last WAL position of the master is not known: {why}"), LOOK_AGAIN)
            }
            (_, None) => Finding::unknown("the replay position of the standby is not known".to_owned(), LOOK_AGAIN),
        }
    }

    pub(super) fn recovery_conf(&self) -> Finding {
        let path = self.cluster.instance(self.declared).map(opentenbase::recovery_path).unwrap_or_default();
        let file_name = path.rsplit('/').next().unwrap_or_default();
        let otherwise = match self.node.kind {
            NodeKind::Gtm => "the promotion could not write `startup = ACT` to that file",
            NodeKind::Coordinator | NodeKind::Datanode => "pg_ctl promote would end the standby",
        };
        match &self.standby.data_dir {
            Fact::Unknown(why) => Finding::unknown(
                format!("{file_name} of {} could not be observed: {why}", self.declared),
                "otb needs a shell on the server: check `shell` in the file",
            ),
            Fact::Known(dir) if !dir.present => Finding::block(
                format!("the data directory {} does not exist", self.data(self.declared)),
                "correct `data` of this instance in the file",
            ),
            Fact::Known(dir) => match &dir.recovery_conf {
                Some(file) if file.writable => Finding::pass(format!("{file_name} is {}", file.rights)),
                Some(file) => Finding::block(
                    format!(
                        "{file_name} of {} is {}, so its server may not write it: {otherwise}",
                        self.declared, file.rights
                    ),
                    self.cluster
                        .instance(self.declared)
                        .map_or_else(String::new, |own| hints::give_to_the_server(own, &path)),
                ),
                None => Finding::block(
                    format!("{file_name} of {} does not make it a standby, but it runs as one", self.declared),
                    restart::way_back(self.cluster, self.declared, self.standby),
                ),
            },
        }
    }

    fn data(&self, id: &InstanceId) -> String {
        self.cluster.instance(id).map_or_else(String::new, |instance| instance.data.clone())
    }

    pub(super) fn disk(&self) -> Finding {
        let free = self.standby.data_dir.known().and_then(|dir| dir.free_bytes).map(bytesize::ByteSize);
        let limit = bytesize::ByteSize(PROMOTION_ROOM_BYTES);
        match free {
            Some(free) if free >= limit => Finding::pass(format!("at least {limit} are free")),
            Some(free) => Finding::block(
                format!("{free} are free where {} writes; a promotion requires {limit}", self.declared),
                "free space on that file system",
            ),
            None => Finding::warn("free space is not known", "run df on the server"),
        }
    }

    /// A failover must know that no other instance accepts writes (opentenbase-v2.6-live.md, "WAL and timelines":
    /// OpenTenBase does not report two masters).
    pub(super) fn fence(&self) -> Finding {
        let others: Vec<&InstanceId> = self.node.standbys().map(|instance| &instance.id).collect();
        self.fenced(&others)
    }

    /// In a switchover: the master itself is stopped and fenced, of the others it must be known.
    pub(super) fn fence_besides(&self, master: &InstanceId) -> Option<Finding> {
        let ids = self.node.standbys().map(|instance| &instance.id);
        let others: Vec<&InstanceId> = ids.filter(|id| *id != master).collect();
        (!others.is_empty()).then(|| self.fenced(&others))
    }

    fn fenced(&self, others: &[&InstanceId]) -> Finding {
        let (ids, open): (Vec<&InstanceId>, Vec<String>) =
            others.iter().filter_map(|id| Some((*id, self.may_write(id)?))).unzip();
        if open.is_empty() {
            let hung: Vec<String> = others.iter().filter(|id| self.hangs(id)).map(ToString::to_string).collect();
            let ended = match hung.as_slice() {
                [] => String::new(),
                hung => format!(": this run ends and fences {} first", hung.join(", ")),
            };
            return Finding::pass(format!("no other instance of {} can accept writes{ended}", self.node.name));
        }
        // A server without a free slot runs, and its clients may write: it is no candidate for a failover.
        let role =
            |id: &&InstanceId| self.seen.instances.get(*id)?.role.reason().filter(|why| why.kind.way_out().is_some());
        Finding::unknown(
            open.join("; "),
            way_out(
                ids.iter().find_map(role),
                format!(
                    "make sure by hand that it is off and stays off, then --waive {}:{} --reason ...",
                    CheckCode::Fence.word(),
                    self.node.name
                ),
            ),
        )
    }

    /// Whether this run ends it before the promotion: in a failover only.
    pub(super) fn hangs(&self, id: &InstanceId) -> bool {
        running_masters(self.node, self.seen).is_empty() && self.seen.instances.get(id).is_some_and(is_hung)
    }

    fn may_write(&self, id: &InstanceId) -> Option<String> {
        let facts = self.seen.instances.get(id)?;
        let why = |unknown: Option<&Unknown>| unknown.map_or_else(String::new, ToString::to_string);
        match (&facts.process, &facts.role) {
            // An instance that would start as a master gets a fence first, which requires reading its files.
            (Fact::Known(Process::Stopped), _) if facts.data_dir.known().is_none() => Some(format!(
                "{id} is stopped, but otb could not find out whether it would start as a master: {}",
                why(facts.data_dir.reason())
            )),
            (Fact::Known(Process::Stopped), _) | (Fact::Known(_), Fact::Known(Role::Standby)) => None,
            (Fact::Unknown(_), _) => {
                Some(format!("otb could not find out whether {id} still runs: {}", why(facts.process.reason())))
            }
            (Fact::Known(Process::Running), _) if self.hangs(id) => None,
            (Fact::Known(Process::Running), role) => {
                Some(format!("{id} runs, and otb could not find out whether it is a master: {}", why(role.reason())))
            }
        }
    }
}

pub(super) fn shell(id: &InstanceId, facts: &InstanceFacts) -> Finding {
    match &facts.data_dir {
        Fact::Known(dir) if dir.present => Finding::pass(format!("the data directory of {id} can be read")),
        Fact::Known(_) => Finding::block(
            format!("the data directory of {id} is not where the file declares it"),
            "correct `data` in the file",
        ),
        Fact::Unknown(why) => {
            Finding::unknown(format!("otb cannot run commands for {id}: {why}"), "check `shell` in the file")
        }
    }
}

fn shown(facts: &StandbyFacts) -> String {
    facts.upstream.as_ref().map_or_else(|| "an unknown server".to_owned(), ToString::to_string)
}
