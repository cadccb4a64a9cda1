//! A world in the image of an observed cluster. An unknown fact gets a value that is bad for a run, and is listed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{
    Cluster, ControlState, Fact, InstanceFacts, InstanceId, Lsn, Node, NodeKind, NodeName, Observation,
    Process as Runs, Role, Route, RouteKind, ServerName, SystemId,
};
use crate::sandbox::{Flavor, Moment};

use super::World;
use super::cluster::{node_id, seed_routes, system_id};
use super::data::{RouteRow, Routes};
use super::files::{Files, Recovery};
use super::gtm::{Gtm, GtmProcess, GtmRole};
use super::gtm_log::{GtmLog, RECORD_EVERY};
use super::image_copy::{Line, Subject, copy};
use super::instance::{DiskId, Home};
use super::stream::Unsettled;

/// A world, which disk belongs to which instance, and what lies in their directories.
#[derive(Debug)]
pub struct Image {
    pub world: World,
    pub disks: BTreeMap<InstanceId, DiskId>,
    pub files: BTreeMap<InstanceId, Files>,
    pub assumed: Vec<Assumed>,
}

/// A fact that was not seen, and the value that stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assumed {
    pub instance: InstanceId,
    pub fact: &'static str,
    pub taken_as: String,
}

/// The state of an instance, observed or assumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) runs: bool,
    pub(super) master: bool,
    /// It runs but does not answer.
    pub(super) hung: bool,
}

/// How an instance ran that is at rest now.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fault of its own, and any of them may hold")]
pub struct Life {
    pub id: InstanceId,
    pub disk: DiskId,
    pub master: bool,
    pub hung: bool,
    pub paused: bool,
    /// It gets no WAL.
    pub behind: bool,
    pub cut: bool,
}

impl Image {
    /// Stops everything without a trace, so that it can be started from files. Gives what ran.
    pub fn put_to_rest(&mut self) -> Vec<Life> {
        let world = &mut self.world;
        let mut lives = Vec::new();
        for (id, disk) in &self.disks {
            let word = world.word(*disk);
            if word == "stopped" {
                continue;
            }
            let standby = world.postgres(*disk).and_then(|copy| copy.process.as_ref()?.standby());
            lives.push(Life {
                id: id.clone(),
                disk: *disk,
                master: self.files.get(id).is_none_or(|files| files.recovery.is_none()),
                hung: word == "hung",
                paused: standby.is_some_and(|standby| standby.replay_paused),
                behind: standby.is_some_and(|standby| standby.upstream.is_none()),
                cut: world.is_cut(&id.server),
            });
        }
        for copy in world.postgres.values_mut() {
            if let Some(process) = copy.process.take() {
                copy.control.state =
                    if process.is_master() { ControlState::ShutDown } else { ControlState::ShutDownInRecovery };
            }
        }
        world.gtms.values_mut().for_each(|gtm| gtm.process = None);
        world.servers.values_mut().for_each(|server| server.cut = false);
        world.listening.clear();
        lives
    }
}

/// The world in the image of what was seen of `cluster`.
pub fn image(cluster: &Cluster, seen: &Observation, now: Moment) -> Image {
    let mut world = World::new(cluster, flavor_of(seen));
    let mut assumed = Vec::new();
    let (mut disks, mut files) = (BTreeMap::new(), BTreeMap::new());
    let nothing = InstanceFacts::unknown(crate::model::UnknownKind::NotAsked, "it was not looked at");
    let facts = |id: &InstanceId| seen.instances.get(id).unwrap_or(&nothing);
    let cut = cut_servers(cluster, &facts);
    for server in &cut {
        world.servers.get_mut(server).into_iter().for_each(|server| server.cut = true);
    }
    let masters = seen_masters(cluster, &facts);
    for node in cluster.nodes.values() {
        let routes = routes(cluster, node, &masters, seen, &mut assumed);
        let states: BTreeMap<InstanceId, State> = node
            .instances
            .values()
            .map(|own| (own.id.clone(), state(&own.id, facts(&own.id), node, &masters, &mut assumed)))
            .collect();
        let postgres = node.kind != NodeKind::Gtm;
        let line = postgres.then(|| Line::of(node, seen, &states, &routes, now, &mut assumed));
        for instance in node.instances.values() {
            let (id, facts, state) = (&instance.id, facts(&instance.id), states[&instance.id]);
            let disk = world.new_disk();
            let own = Files::of(cluster, id, facts, state, &mut assumed);
            let home = Home { node: node.name.clone(), kind: node.kind, server: id.server.clone() };
            let subject = Subject {
                id,
                home,
                host: &instance.endpoint.host,
                port: instance.endpoint.port,
                data: &instance.data,
                facts,
                state,
                system: node_system(node, seen),
                files: &own,
                upstream_lives: own.recovery.as_ref().is_some_and(|conf| lives(cluster, seen, conf)),
                user: &cluster.connection.user,
            };
            let pid = world.new_pid();
            if let Some(line) = &line {
                let mut made = copy(line, &subject, now);
                made.process.iter_mut().for_each(|process| process.pid = pid);
                world.postgres.insert(disk, made);
            } else {
                world.gtms.insert(disk, gtm(&subject, pid, now));
            }
            if state.runs {
                world.listening.insert((instance.endpoint.host.to_string(), instance.endpoint.port), disk);
            }
            files.insert(id.clone(), own);
            disks.insert(id.clone(), disk);
        }
    }
    // A standby that has just started has redone nothing.
    world.gtm_record_due = Moment(now.0 + RECORD_EVERY);
    world.unsettled = Unsettled::Everything;
    world.settle(now);
    world.take_effects();
    Image { world, disks, files, assumed }
}

/// Which OpenTenBase was seen: v5's version says so.
pub fn flavor_of(seen: &Observation) -> Flavor {
    let v5 = |facts: &InstanceFacts| facts.version.is_known_and(|version| version.contains("V5"));
    if seen.instances.values().any(v5) { Flavor::V5 } else { Flavor::V2 }
}

/// Servers of which nothing is known: they are cut off, and what runs there goes on.
fn cut_servers<'a>(cluster: &Cluster, facts: &impl Fn(&InstanceId) -> &'a InstanceFacts) -> Vec<ServerName> {
    let silent = |server: &&ServerName| {
        let mut there = cluster.instances().filter(|instance| instance.id.server == **server).peekable();
        there.peek().is_some() && there.all(|instance| facts(&instance.id).process.known().is_none())
    };
    cluster.servers.keys().filter(silent).cloned().collect()
}

/// The running masters of each node, as far as seen.
fn seen_masters<'a>(
    cluster: &Cluster,
    facts: &impl Fn(&InstanceId) -> &'a InstanceFacts,
) -> BTreeMap<NodeName, Vec<InstanceId>> {
    let of = |node: &Node| {
        let all = node.instances.values().map(|instance| instance.id.clone());
        all.filter(|id| facts(id).is_running(Role::Master)).collect()
    };
    cluster.nodes.values().map(|node| (node.name.clone(), of(node))).collect()
}

fn state(
    id: &InstanceId,
    facts: &InstanceFacts,
    node: &Node,
    masters: &BTreeMap<NodeName, Vec<InstanceId>>,
    assumed: &mut Vec<Assumed>,
) -> State {
    let runs = match facts.process {
        Fact::Known(Runs::Running) => true,
        Fact::Known(Runs::Stopped) => return State { runs: false, master: false, hung: false },
        Fact::Unknown(_) => {
            let taken_as = "it runs, and answers nobody".to_owned();
            assumed.push(Assumed { instance: id.clone(), fact: "process", taken_as });
            true
        }
    };
    let (master, hung) = match facts.role {
        Fact::Known(role) => (role == Role::Master, false),
        Fact::Unknown(_) => {
            let is_standby = facts.data_dir.is_known_and(|dir| dir.recovery_conf.is_some());
            let other = masters.get(&node.name).is_some_and(|masters| !masters.is_empty());
            let unseen = facts.data_dir.known().is_none();
            // A copy out of sight beside a master may be a second one only in name: otb has refused that by itself.
            let master = !(is_standby || unseen && other);
            let role = if master { Role::Master } else { Role::Standby };
            assumed.push(Assumed { instance: id.clone(), fact: "role", taken_as: role.to_string() });
            (master, true)
        }
    };
    State { runs, master, hung }
}

fn node_system(node: &Node, seen: &Observation) -> SystemId {
    let known = |instance: &crate::model::Instance| seen.instances.get(&instance.id)?.system_id.known().copied();
    node.instances.values().find_map(known).unwrap_or_else(|| system_id(&node.name))
}

/// Whether what a standby follows runs and answers.
fn lives(cluster: &Cluster, seen: &Observation, conf: &Recovery) -> bool {
    let there = |instance: &&crate::model::Instance| {
        instance.endpoint.host.as_str() == conf.host && instance.endpoint.port == conf.port
    };
    let followed = cluster.instances().find(there).and_then(|instance| seen.instances.get(&instance.id));
    followed.is_some_and(|facts| facts.role.known().is_some())
}

/// pgxc_node as this node's master has it; not seen: as its standby, else as another router.
fn routes(
    cluster: &Cluster,
    node: &Node,
    masters: &BTreeMap<NodeName, Vec<InstanceId>>,
    seen: &Observation,
    assumed: &mut Vec<Assumed>,
) -> Routes {
    if !node.kind.is_router() {
        return Routes::default();
    }
    let own = masters.get(&node.name).into_iter().flatten().chain(node.instances.values().map(|instance| &instance.id));
    let table = |id: &InstanceId| seen.instances.get(id)?.routes.known();
    let mut own = own.cloned().collect::<Vec<_>>().into_iter();
    if let Some(rows) = own.find_map(|id| table(&id)) {
        return rows_of(rows);
    }
    let taken_as = "as on another router".to_owned();
    assumed.push(Assumed { instance: node.master_id(), fact: "routes", taken_as });
    let other = seen.instances.values().find_map(|facts| facts.routes.known());
    other.map_or_else(|| seed_routes(cluster), |rows| rows_of(rows))
}

fn rows_of(rows: &[Route]) -> Routes {
    let row = |route: &Route| {
        let kind = match route.kind {
            RouteKind::Coordinator => 'C',
            RouteKind::Datanode => 'D',
            RouteKind::Gtm => 'G',
            RouteKind::Standby => 'S',
        };
        let row = RouteRow {
            node: route.node.clone(),
            kind,
            host: route.host.clone(),
            port: route.port,
            forward: route.forward.unwrap_or(0),
            primary: kind == 'G',
            preferred: false,
            id: node_id(&route.node),
            cluster: route.cluster.clone(),
        };
        (Arc::from(route.node.as_str()), Arc::new(row))
    };
    Arc::new(rows.iter().map(row).collect())
}

fn gtm(subject: &Subject<'_>, pid: u32, now: Moment) -> Gtm {
    let Subject { facts, state, files, .. } = subject;
    let mut gtm = Gtm::new(subject.home.clone());
    gtm.laid_down = false;
    gtm.served = facts.wal_end.known().map_or(0, |end| end.bytes_ahead_of(Lsn(0x20_0000)) / 132);
    if !state.runs {
        return gtm;
    }
    let role = match &files.recovery {
        Some(conf) if !state.master => GtmRole::Standby { host: conf.host.clone(), port: conf.port },
        _ => GtmRole::Active,
    };
    // It does not report how far it has replayed its log; otb waits for what must be known before a promotion.
    let follows = facts.standby.is_known_and(|standby| standby.streaming);
    let log = if state.master || !follows { GtmLog::EndKnown } else { GtmLog::EndUnknown };
    gtm.process = Some(GtmProcess {
        pid,
        started: now,
        host: subject.host.clone(),
        port: subject.port,
        data_directory: subject.data.to_owned(),
        hung: state.hung,
        role,
        checkpoint_due: None,
        poisoned: false,
        log,
        silent_until: None,
        ends_at: None,
    });
    gtm
}

/// The nodes that take part in a transaction that is in doubt.
pub(super) fn participants(gid: &str, seen: &Observation) -> Vec<String> {
    let one = seen.in_doubt.iter().find(|one| one.gid == gid);
    let told = one.and_then(|one| one.states.known()).into_iter().flatten().map(|(node, _)| node.to_string());
    let held = one.into_iter().flat_map(|one| &one.prepared_on).map(|id| id.node.to_string());
    told.chain(held).collect::<BTreeSet<_>>().into_iter().collect()
}
