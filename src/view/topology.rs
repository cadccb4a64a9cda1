//! The topology: servers with their instances, each in a state. Every drawing is made from it: of a plan (now and
//! after), of the live cluster, or of the file alone.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Cluster, Condition, InstanceId, NodeKind, NodeName, Observation, Role};
use crate::plan::{ChangeKind, Plan, role_words};

/// A cluster as it is drawn.
#[derive(Debug, Clone)]
pub struct Topology {
    pub(super) cluster: String,
    pub(super) machines: Vec<Machine>,
    pub(super) moves: Vec<Move>,
    /// Nodes that are there and not drawn, because they stay as they are and the drawing would drown in them.
    pub(super) left_out: usize,
}

/// A server and what is on it.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) seats: Vec<Seat>,
}

/// An instance in its states.
#[derive(Debug, Clone)]
pub(super) struct Seat {
    pub(super) id: InstanceId,
    pub(super) kind: NodeKind,
    pub(super) port: u16,
    pub(super) now: State,
    /// Once the plan is done; the same as `now` where there is none.
    pub(super) then: State,
}

impl Seat {
    pub(super) fn changes(&self) -> bool {
        self.now.kind != self.then.kind
    }
}

/// The state of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) kind: StateKind,
    /// All that is known of it: `stopped (in production)`.
    pub(super) words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StateKind {
    Master,
    Standby,
    Stopped,
    Unknown,
}

impl StateKind {
    pub(super) const ALL: [Self; 4] = [Self::Master, Self::Standby, Self::Stopped, Self::Unknown];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Master => "master",
            Self::Standby => "standby",
            Self::Stopped => "stopped",
            Self::Unknown => "unknown",
        }
    }
}

impl State {
    fn of(kind: StateKind) -> Self {
        Self { kind, words: kind.word().to_owned() }
    }

    /// Reads the words of a plan's role facts; what it does not know is unknown.
    fn read(words: &str) -> Self {
        let kind = StateKind::ALL.into_iter().find(|kind| words.split(' ').next() == Some(kind.word()));
        Self { kind: kind.unwrap_or(StateKind::Unknown), words: words.to_owned() }
    }
}

/// Another instance becomes master.
#[derive(Debug, Clone)]
pub(super) struct Move {
    pub(super) kind: ChangeKind,
    pub(super) from: InstanceId,
    pub(super) to: InstanceId,
}

impl Topology {
    /// Now, as the plan saw it, and once it is done.
    pub fn of_plan(plan: &Plan) -> Self {
        let then = after(plan);
        let state = |id: &InstanceId| {
            let words = plan.facts.get(&format!("{id}: role")).map_or(StateKind::Unknown.word(), String::as_str);
            let now = State::read(words);
            let then = then.get(id).map_or_else(|| now.clone(), |kind| State::of(*kind));
            (now, then)
        };
        let moves = plan.changes.iter().filter(|change| change.kind.moves_master()).filter_map(|change| {
            let at = |server: &_| InstanceId::new(change.node.clone(), Clone::clone(server));
            Some(Move { kind: change.kind, from: at(change.from.as_ref()?), to: at(&change.to) })
        });
        Self { moves: moves.collect(), ..Self::build(&plan.cluster, &state) }
    }

    /// The live cluster.
    pub fn of_live(cluster: &Cluster, seen: &Observation) -> Self {
        Self::build(cluster, &|id| {
            let words = seen.instances.get(id).map_or_else(|| StateKind::Unknown.word().to_owned(), role_words);
            (State::read(&words), State::read(&words))
        })
    }

    /// The declared state.
    pub fn declared(cluster: &Cluster) -> Self {
        Self::build(cluster, &|id| {
            let is_master = cluster.nodes.get(&id.node).is_some_and(|node| node.master == id.server);
            let state = State::of(if is_master { StateKind::Master } else { StateKind::Standby });
            (state.clone(), state)
        })
    }

    fn build(cluster: &Cluster, state: &dyn Fn(&InstanceId) -> (State, State)) -> Self {
        let machines = cluster.servers.values().map(|server| {
            let here = cluster.instances().filter(|instance| instance.id.server == server.name);
            let seats = here.map(|instance| {
                let (now, then) = state(&instance.id);
                Seat { id: instance.id.clone(), kind: instance.kind, port: instance.endpoint.port, now, then }
            });
            let mut seats: Vec<Seat> = seats.collect();
            seats.sort_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
            Machine { name: server.name.to_string(), address: server.address.to_string(), seats }
        });
        Self { cluster: cluster.name.to_string(), machines: machines.collect(), moves: Vec::new(), left_out: 0 }
    }

    /// At most `most` nodes, and of a larger cluster only those of `nodes`.
    pub(super) fn limited(mut self, nodes: &[&NodeName], most: usize) -> Self {
        let all: BTreeSet<NodeName> = self.seats().map(|seat| seat.id.node.clone()).collect();
        if all.len() <= most {
            return self;
        }
        let kept: BTreeSet<&NodeName> = nodes.iter().copied().take(most).collect();
        for machine in &mut self.machines {
            machine.seats.retain(|seat| kept.contains(&seat.id.node));
        }
        self.machines.retain(|machine| !machine.seats.is_empty());
        self.moves.retain(|change| kept.contains(&change.to.node));
        self.left_out = all.len() - kept.len();
        self
    }

    pub(super) fn seats(&self) -> impl Iterator<Item = &Seat> {
        self.machines.iter().flat_map(|machine| &machine.seats)
    }

    /// For each node of more than one instance, the present master (or the first) and the others.
    pub(super) fn copies(&self) -> Vec<(&Seat, &Seat)> {
        let mut nodes: BTreeMap<&NodeName, Vec<&Seat>> = BTreeMap::new();
        for seat in self.seats() {
            nodes.entry(&seat.id.node).or_default().push(seat);
        }
        let pairs = nodes.into_values().flat_map(|seats| {
            let hub = seats.iter().position(|seat| seat.now.kind == StateKind::Master).unwrap_or(0);
            let ends: Vec<(&Seat, &Seat)> =
                (0..seats.len()).filter(|n| *n != hub).map(|n| (seats[hub], seats[n])).collect();
            ends
        });
        pairs.collect()
    }
}

/// The state after the steps, by their postconditions.
fn after(plan: &Plan) -> BTreeMap<InstanceId, StateKind> {
    let mut states = BTreeMap::new();
    for condition in plan.steps.iter().flat_map(|step| &step.after) {
        let (instance, kind) = match condition {
            Condition::Runs { instance, role: Role::Master } => (instance, StateKind::Master),
            Condition::Runs { instance, role: Role::Standby } | Condition::Streams { standby: instance, .. } => {
                (instance, StateKind::Standby)
            }
            Condition::Stopped { instance } | Condition::CleanlyStopped { instance } => (instance, StateKind::Stopped),
            _ => continue,
        };
        states.insert(instance.clone(), kind);
    }
    states
}
