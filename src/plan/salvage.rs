//! Whether a failover can first bring the dead master's last WAL to its standby: then nothing is lost.

use bytesize::ByteSize;

use super::step::{Action, StepId};
use crate::model::{Fact, InstanceFacts, InstanceId, Lsn, MissingWal, Node, Observation, Role, StandbyFacts};
use crate::opentenbase::salvage::{SalvageRange, end_of_last_record};

/// The most that otb brings: at 4 MiB a second more than an hour.
const MOST_BYTES: u64 = 16 << 30;

/// The free space that the standby's file system needs beside the staged files.
const ROOM_BYTES: u64 = 64 << 20;

/// What happens to the WAL that a node's declared master lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Salvage {
    /// No stopped copy holds more, or nothing of what it holds more was acknowledged.
    NotNeeded,
    /// It is brought from `source`.
    From { source: InstanceId, range: SalvageRange },
    /// It cannot be brought from `source`.
    Impossible { source: InstanceId, why: String },
}

impl Salvage {
    /// The step that does it for `standby`.
    pub(crate) fn action(&self, standby: &InstanceId) -> Option<Action> {
        let Self::From { source, range } = self else { return None };
        let SalvageRange { timeline, from, to, segment_bytes } = *range;
        Some(Action::Salvage { standby: standby.clone(), source: source.clone(), timeline, from, to, segment_bytes })
    }

    pub(crate) fn step(&self, standby: &InstanceId) -> Option<StepId> {
        self.action(standby).map(|action| action.id())
    }

    /// The end of the WAL that the declared master has before its promotion, if it is brought.
    pub(crate) fn end(&self) -> Option<Lsn> {
        match self {
            Self::From { range, .. } => Some(range.to),
            Self::NotNeeded | Self::Impossible { .. } => None,
        }
    }
}

/// Decides for a node without a running master whose declared master runs as a standby.
pub(crate) fn decide(node: &Node, seen: &Observation) -> Salvage {
    let declared = node.master_id();
    let Some(standby) = seen.instances.get(&declared).filter(|facts| facts.is_running(Role::Standby)) else {
        return Salvage::NotNeeded;
    };
    let Some(have) = standby.standby.known().and_then(StandbyFacts::holds) else { return Salvage::NotNeeded };
    if !node.kind.is_router() {
        return Salvage::NotNeeded;
    }
    let stopped = node.standbys().filter_map(|copy| Some((&copy.id, seen.instances.get(&copy.id)?)));
    let stopped = stopped.filter(|(_, facts)| facts.is_stopped());
    let ahead = stopped.filter_map(|(id, facts)| Some((id, facts, *facts.wal_end.known()?)));
    let furthest = ahead.filter(|(.., end)| *end > have).max_by_key(|(.., end)| *end);
    match furthest {
        Some((id, facts, end)) if is_worth_it(facts, have) => match range(standby, facts, have, end) {
            Ok(range) => Salvage::From { source: id.clone(), range },
            Err(why) => Salvage::Impossible { source: id.clone(), why },
        },
        _ => Salvage::NotNeeded,
    }
}

/// WAL without the end of a transaction loses nothing.
fn is_worth_it(source: &InstanceFacts, have: Lsn) -> bool {
    match &source.unreplicated {
        Fact::Known(MissingWal { beyond, lost: 0, undecided: 0, complete: true, .. }) => *beyond != have,
        _ => true,
    }
}

/// The range that is brought, or why it cannot be.
fn range(standby: &InstanceFacts, source: &InstanceFacts, have: Lsn, end: Lsn) -> Result<SalvageRange, String> {
    let control = source.control.known().ok_or("its control file could not be read")?;
    // Read from the standby's end on without an error: the files are there, and follow one another.
    match &source.unreplicated {
        Fact::Known(missing) if missing.beyond == have => {}
        unread => {
            let why = unread.hidden().map_or_else(|| "it was not read".to_owned(), ToString::to_string);
            return Err(format!("its WAL could not be read: {why}"));
        }
    }
    match standby.system_id.known() {
        Some(own) if *own == control.system_id => {}
        Some(own) => return Err(format!("it has system identifier {}, but the standby has {own}", control.system_id)),
        None => return Err("the standby's system identifier is not known".to_owned()),
    }
    let timeline = control.timeline;
    let follows = |fact: &Fact<crate::model::Timeline>| fact.is_known_and(|own| *own >= timeline);
    if !follows(&standby.timeline) && !follows(&standby.newest_history) {
        return Err(format!("the standby does not have its timeline {timeline}"));
    }
    let to = end_of_last_record(end, control.wal_segment_bytes);
    let range = SalvageRange { timeline, from: have, to, segment_bytes: control.wal_segment_bytes };
    if range.bytes() > MOST_BYTES {
        let (bytes, most) = (ByteSize(range.bytes()), ByteSize(MOST_BYTES));
        return Err(format!("{bytes} are missing, and otb brings at most {most}"));
    }
    let needed = range.staged_bytes().saturating_add(ROOM_BYTES);
    match standby.data_dir.known() {
        None => Err("the standby's data directory could not be observed".to_owned()),
        Some(dir) => match dir.free_bytes {
            Some(free) if free < needed => {
                let (free, needed) = (ByteSize(free), ByteSize(needed));
                Err(format!("it needs {needed} on the standby's file system, which has {free} free"))
            }
            _ => Ok(range),
        },
    }
}
