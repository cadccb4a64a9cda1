//! One copy of a coordinator or datanode in the image of what was seen: its log, its control file, its process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{
    ControlState, Host, InstanceFacts, InstanceId, Lsn, Node, NodeKind, Observation, SystemId, Timeline,
};
use crate::sandbox::Moment;

use super::data::{Change, Data, Prepared, Routes};
use super::files::Files;
use super::image::{Assumed, State, participants};
use super::instance::{
    Control, FaultMode, Forwarding, Home, Mode, Pooler, Postgres, Process, Receiver, Standby, Upstream, Waiters,
};
use super::wal::{Body, Record, Wal};

/// The end of an unknown log.
const SOMEWHERE: Lsn = Lsn(0x0300_0060);

/// The commits that an unobserved master may have made without its standby: a few bytes.
const UNSEEN_COMMIT: u64 = 0x100;

/// One stretch of a log on one timeline.
type Stretch = (Timeline, Lsn, Lsn);

/// The logs of a node's copies: where they part, and where any of them ends.
#[derive(Debug)]
pub(super) struct Line {
    stretches: BTreeMap<InstanceId, Vec<Stretch>>,
    /// Ends of records, by timeline.
    cuts: BTreeSet<(Timeline, Lsn)>,
    /// Ends of shutdown checkpoints.
    shutdowns: BTreeSet<(Timeline, Lsn)>,
    /// No transaction ends beyond.
    idle_from: Option<Lsn>,
    first: Body,
}

/// The source of an instance's image.
pub(super) struct Subject<'a> {
    pub(super) id: &'a InstanceId,
    pub(super) home: Home,
    pub(super) host: &'a Host,
    pub(super) port: u16,
    pub(super) data: &'a str,
    pub(super) facts: &'a InstanceFacts,
    pub(super) state: State,
    pub(super) system: SystemId,
    pub(super) files: &'a Files,
    /// Whether what it follows answers.
    pub(super) upstream_lives: bool,
    pub(super) user: &'a str,
}

impl Line {
    pub(super) fn of(
        node: &Node,
        seen: &Observation,
        states: &BTreeMap<InstanceId, State>,
        routes: &Routes,
        now: Moment,
        assumed: &mut Vec<Assumed>,
    ) -> Self {
        let facts: Vec<(&InstanceId, &InstanceFacts)> =
            node.instances.values().filter_map(|own| Some((&own.id, seen.instances.get(&own.id)?))).collect();
        let history = facts.iter().filter_map(|(_, facts)| facts.history.known()).max_by_key(|known| known.len());
        let history: Vec<(Timeline, Lsn)> =
            history.into_iter().flatten().map(|switch| (switch.timeline, switch.at)).collect();
        let newest = facts.iter().filter_map(|(_, facts)| facts.timeline.known().copied()).max();
        let newest = newest.unwrap_or(Timeline(1));
        let furthest = facts.iter().filter_map(|(_, facts)| held(facts)).max().unwrap_or(SOMEWHERE);
        let mut line = Self {
            stretches: BTreeMap::new(),
            cuts: BTreeSet::new(),
            shutdowns: BTreeSet::new(),
            idle_from: None,
            first: first(node, seen, routes, now),
        };
        for (id, facts) in facts {
            let state = states.get(id).copied();
            let end = held(facts).unwrap_or_else(|| {
                let may_have_more = state.is_none_or(|state| state.master && !state.hung || !state.runs);
                let end = if may_have_more { Lsn(furthest.0 + UNSEEN_COMMIT) } else { furthest };
                assumed.push(Assumed { instance: id.clone(), fact: "WAL", taken_as: format!("it ends at {end}") });
                end
            });
            let timeline = facts.timeline.known().copied().unwrap_or(newest);
            let own = facts.history.known().map(|known| known.iter().map(|at| (at.timeline, at.at)).collect());
            let own: Vec<(Timeline, Lsn)> = own.unwrap_or_else(|| history.clone());
            let stretches = stretches(&own, timeline, end);
            line.cuts.extend(stretches.iter().map(|(timeline, _, to)| (*timeline, *to)));
            let replayed = facts.standby.known().and_then(|standby| standby.replayed);
            line.cuts.extend(replayed.map(|replayed| (timeline, replayed)));
            let control = facts.control.known().filter(|control| control.state == ControlState::ShutDown);
            if let Some(control) = control.filter(|control| control.checkpoint < end && facts.is_stopped()) {
                line.cuts.insert((timeline, control.checkpoint));
                line.shutdowns.insert((timeline, end));
            }
            let idle = facts.unreplicated.known().filter(|missing| missing.complete && missing.lost == 0);
            line.idle_from = line.idle_from.or(idle.map(|missing| missing.beyond));
            line.cuts.extend(facts.unreplicated.known().map(|missing| (timeline, missing.beyond)));
            line.stretches.insert(id.clone(), stretches);
        }
        line
    }

    fn log(&self, id: &InstanceId, newest: Option<Timeline>, at: Moment) -> Wal {
        let own = self.stretches.get(id).cloned().unwrap_or_else(|| vec![(Timeline(1), Lsn(0), SOMEWHERE)]);
        let mut records: Vec<Arc<Record>> = Vec::new();
        for (timeline, from, to) in &own {
            let mut start = *from;
            let ends = self.cuts.range((*timeline, Lsn(from.0 + 1))..=(*timeline, *to)).map(|(_, end)| *end);
            for end in ends {
                let body = match () {
                    () if records.is_empty() => self.first.clone(),
                    () if self.shutdowns.contains(&(*timeline, end)) => Body::Checkpoint { shutdown: true },
                    () if self.idle_from.is_some_and(|idle| start >= idle) => Body::Filler(end.bytes_ahead_of(start)),
                    () => Body::Commit(Vec::new()),
                };
                records.push(Arc::new(Record { start, end, timeline: *timeline, at, body }));
                start = end;
            }
        }
        let timeline = own.last().map_or(Timeline(1), |(timeline, ..)| *timeline);
        let history = own.iter().take(own.len().saturating_sub(1)).map(|(timeline, _, to)| (*timeline, *to)).collect();
        Wal::with_records(timeline, history, records, newest)
    }
}

/// The end of what a copy holds.
fn held(facts: &InstanceFacts) -> Option<Lsn> {
    let standby = facts.standby.known().and_then(crate::model::StandbyFacts::holds);
    standby.or(facts.wal_end.known().copied()).filter(|end| end.0 > 0)
}

fn stretches(history: &[(Timeline, Lsn)], timeline: Timeline, end: Lsn) -> Vec<Stretch> {
    let mut all = Vec::new();
    let mut from = Lsn(0);
    for (left, at) in history.iter().filter(|(left, at)| *left < timeline && *at < end) {
        if *at > from {
            all.push((*left, from, *at));
            from = *at;
        }
    }
    all.push((timeline, from, end));
    all
}

/// The base of every copy: its table of routes, and what is in doubt.
fn first(node: &Node, seen: &Observation, routes: &Routes, now: Moment) -> Body {
    let mut changes = vec![Change::FirstRoutes(Arc::clone(routes))];
    let held = node.instances.values().filter_map(|own| seen.instances.get(&own.id)?.prepared.known());
    for one in held.flat_map(|prepared| &prepared.oldest) {
        let at = now.before(std::time::Duration::from_secs(one.age_seconds));
        let mut participants = participants(&one.gid, seen);
        if participants.is_empty() {
            participants.push(node.name.to_string());
        }
        let (gid, database) = (one.gid.clone(), one.database.clone());
        changes.push(Change::Prepare(Prepared { gid, at, owner: "opentenbase".to_owned(), database, participants }));
    }
    for one in &seen.in_doubt {
        use crate::model::TransactionState::{Aborted, Committed};
        let committed = match one.states.known().and_then(|states| states.get(&node.name)) {
            Some(Committed) => true,
            Some(Aborted) => false,
            _ => continue,
        };
        changes.push(Change::FinishPrepared { gid: one.gid.clone(), committed: Some(committed) });
    }
    Body::Commit(changes)
}

/// The copy itself; its process has no number yet.
pub(super) fn copy(line: &Line, subject: &Subject<'_>, now: Moment) -> Postgres {
    let Subject { id, facts, state, .. } = *subject;
    let wal = line.log(id, facts.newest_history.known().copied(), now);
    let control = control(&wal, facts, state, now);
    let replayed = facts.standby.known().filter(|_| state.runs && !state.master).and_then(|standby| standby.replayed);
    let applied = replayed
        .map_or(wal.len(), |replayed| wal.records().iter().take_while(|record| record.end <= replayed).count().max(1));
    let mut copy = Postgres {
        home: subject.home.clone(),
        system_id: subject.system,
        wal,
        applied: 0,
        data: Data::default(),
        control,
        process: None,
        crash_recovered: None,
        full: false,
        hidden: false,
    };
    while copy.applied < applied && copy.replay_one() {}
    copy.wal.kept_from = facts.oldest_wal.known().copied();
    if state.runs {
        copy.process = Some(process(&copy, subject, now));
    }
    copy
}

fn control(wal: &Wal, facts: &InstanceFacts, state: State, now: Moment) -> Control {
    let last = wal.records().last().map_or(Lsn(0), |record| record.start);
    let default = match (state.runs, state.master) {
        (true, false) => ControlState::InArchiveRecovery,
        _ => ControlState::InProduction,
    };
    let known = facts.control.known();
    let checkpoint = known.map_or(last, |control| control.checkpoint);
    let timeline = known.map_or(wal.timeline, |control| control.checkpoint_timeline);
    let reached = known.map_or(wal.timeline, |control| control.timeline);
    let now_state = known.map_or(default, |control| control.state);
    let is_of_a_master = now_state.is_of_a_master();
    Control {
        state: now_state,
        timeline,
        checkpoint,
        prior_checkpoint: checkpoint,
        redo: known.map_or(last, |control| control.redo),
        checkpoint_time: now,
        modified: now,
        min_recovery_timeline: if is_of_a_master && reached == timeline { Timeline(0) } else { reached },
    }
}

fn process(copy: &Postgres, subject: &Subject<'_>, now: Moment) -> Process {
    let Subject { facts, state, .. } = subject;
    let mode = if state.master { Mode::Master } else { Mode::Standby(standby(subject, now)) };
    let mut pooler = Pooler::from_routes(&copy.data.routes, FaultMode::Keeps);
    if subject.home.kind == NodeKind::Coordinator {
        pooler.used = copy.data.routes.keys().map(ToString::to_string).collect();
    }
    if facts.pool_agrees.is_known_and(|agrees| !agrees)
        && let Some(datanode) = copy.data.datanodes().first()
    {
        pooler.redirect(datanode, "127.0.0.1", 1);
    }
    let waits = facts.load.is_known_and(|load| load.waiting > 0);
    Process {
        pid: 0,
        started: now,
        host: subject.host.clone(),
        port: subject.port,
        data_directory: subject.data.to_owned(),
        settings: facts.settings.known().map(|settings| settings.0.clone()).unwrap_or_default(),
        hung: state.hung,
        mode,
        pooler,
        stop_pending: None,
        alters_waiting: BTreeSet::new(),
        routes_read_by_fault: false,
        slots_taken_by_fault: false,
        waiters: if waits { Waiters::Wait } else { Waiters::None },
        forwarding: Forwarding::default(),
        checkpoint_due: None,
    }
}

fn standby(subject: &Subject<'_>, now: Moment) -> Standby {
    let seen = subject.facts.standby.known();
    let streams = seen.is_some_and(|standby| standby.streaming);
    let follows = subject.files.recovery.as_ref().map(|conf| (conf.host.clone(), conf.port));
    let shown = seen.and_then(|standby| standby.upstream.as_ref()).map(|at| (at.host.to_string(), at.port));
    // One that does not stream although what it follows answers is kept away by something that is not simulated.
    let kept_away = seen.is_some() && !streams && subject.upstream_lives;
    let upstream = shown.or(follows).filter(|_| !kept_away).map(|(host, port)| Upstream {
        host,
        port,
        user: subject.user.to_owned(),
        application_name: format!("{}_{}", subject.id.node, subject.id.server),
    });
    Standby {
        upstream,
        receiver: if streams { Receiver::Streaming } else { Receiver::Down(String::new()) },
        received_from: Lsn(0),
        has_streamed: streams || seen.is_some_and(|standby| standby.received >= standby.replayed),
        last_message: now,
        replay_paused: seen.is_some_and(|standby| standby.replay_paused),
        promote_requested: subject.facts.data_dir.is_known_and(|dir| dir.promotion_asked),
        allowance: None,
        last_replayed: None,
    }
}
