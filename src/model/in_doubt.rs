//! Two-phase transactions that are prepared and not finished: on one master, and over the whole cluster.

use std::collections::BTreeMap;
use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fact, InstanceId, Instances, NodeName, Role};

/// A transaction that is prepared for longer than this is in doubt; a younger one may be a commit in progress.
pub const IN_DOUBT_SECONDS: u64 = 5;

/// How the gid begins that a coordinator gives to a commit over several nodes: `_$XC$6013:cn02:F:2:0`
/// (IsXidImplicit, src/backend/access/transam/xact.c; seen live on v2.6).
const COORDINATOR_MARK: &str = "_$XC$";

/// The content of one master's pg_prepared_xacts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreparedTransactions {
    /// How many there are.
    pub count: u64,
    /// The oldest of them, the oldest first; a server that holds thousands shows a part.
    pub oldest: Vec<PreparedTransaction>,
}

/// One row of pg_prepared_xacts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreparedTransaction {
    /// Its name, the same on every participant: `_$XC$6013:cn02:F:2:0`.
    pub gid: String,
    /// In which it was prepared.
    pub database: String,
    /// Seconds since it was prepared, by that server's clock.
    pub age_seconds: u64,
}

/// The session that prepared a transaction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A coordinator, to commit on several nodes at once. Only the coordinator finishes it, and pg_clean.
    Coordinator(String),
    /// A client, by PREPARE TRANSACTION. Only that client finishes it: otb never does.
    Client,
}

impl Origin {
    /// Reads the origin from a gid.
    pub fn of(gid: &str) -> Self {
        let coordinator = gid.strip_prefix(COORDINATOR_MARK).and_then(|rest| rest.split(':').nth(1));
        coordinator.map_or(Self::Client, |name| Self::Coordinator(name.to_owned()))
    }

    /// The coordinator that began it. `None` means that a client did.
    pub fn coordinator(&self) -> Option<&str> {
        match self {
            Self::Coordinator(name) => Some(name),
            Self::Client => None,
        }
    }

    /// The transaction id of the session that commits it, on the coordinator that began it (GetImplicit2PCGID,
    /// execRemote.c). `None` means that the gid is a client's.
    pub fn xid_of(gid: &str) -> Option<u32> {
        gid.strip_prefix(COORDINATOR_MARK)?.split(':').next()?.parse().ok()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coordinator(name) => write!(f, "begun by {name}"),
            Self::Client => f.write_str("prepared by a client"),
        }
    }
}

/// The state of a transaction on one of its participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransactionState {
    /// It waits for its end.
    Prepared,
    /// It is committed there.
    Committed,
    /// It is rolled back there.
    Aborted,
    /// No node knows the outcome.
    Unknown,
}

impl TransactionState {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Committed => "committed",
            Self::Aborted => "aborted",
            Self::Unknown => "unknown",
        }
    }
}

/// One transaction in doubt, over the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InDoubt {
    /// Its name, the same on every participant: `_$XC$6013:cn02:F:2:0`.
    pub gid: String,
    /// In which it was prepared.
    pub database: String,
    pub origin: Origin,
    /// Seconds since it was prepared; the largest of its participants'.
    pub age_seconds: u64,
    /// The masters that hold it prepared.
    pub prepared_on: Vec<InstanceId>,
    /// The pid of the coordinator's session that still commits it: then it is slow, and pg_clean must not be called. None:
    /// no such session was seen.
    #[serde(default)]
    pub session: Option<u32>,
    /// Its state on each participant, by node, from pg_clean_check_txn().
    pub states: Fact<BTreeMap<NodeName, TransactionState>>,
}

impl InDoubt {
    /// The transactions that any master holds prepared for longer than [`IN_DOUBT_SECONDS`], the oldest first; their
    /// states on other participants are not known yet.
    pub fn among(instances: &Instances) -> Vec<Self> {
        let mut found: IndexMap<&str, Self> = IndexMap::new();
        for (id, facts) in instances.iter().filter(|(_, facts)| facts.is_running(Role::Master)) {
            let Some(prepared) = facts.prepared.known() else { continue };
            for one in prepared.oldest.iter().filter(|one| one.age_seconds >= IN_DOUBT_SECONDS) {
                let entry = found.entry(&one.gid).or_insert_with(|| Self {
                    gid: one.gid.clone(),
                    database: one.database.clone(),
                    origin: Origin::of(&one.gid),
                    age_seconds: 0,
                    prepared_on: Vec::new(),
                    session: None,
                    states: Fact::not_asked("pg_clean was not asked"),
                });
                entry.age_seconds = entry.age_seconds.max(one.age_seconds);
                entry.prepared_on.push(id.clone());
            }
        }
        let mut all: Vec<Self> = found.into_values().collect();
        all.sort_by(|a, b| b.age_seconds.cmp(&a.age_seconds).then_with(|| a.gid.cmp(&b.gid)));
        all
    }

    /// Whether pg_clean may finish it; what a client has prepared only that client may.
    pub fn is_of_a_coordinator(&self) -> bool {
        matches!(self.origin, Origin::Coordinator(_))
    }
}

impl fmt::Display for InDoubt {
    /// `_$XC$6013:cn02:F:2:0 (postgres, begun by cn02, 12 s): dn01 prepared, dn02 committed`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { gid, database, origin, age_seconds, .. } = self;
        write!(f, "{gid} ({database}, {origin}, {age_seconds} s): ")?;
        let listed: Vec<String> = match self.states.known() {
            Some(states) => states.iter().map(|(node, state)| format!("{node} {}", state.word())).collect(),
            None => self.prepared_on.iter().map(|id| format!("{id} {}", TransactionState::Prepared.word())).collect(),
        };
        f.write_str(&listed.join(", "))?;
        self.session.map_or(Ok(()), |pid| write!(f, "; session {pid} still commits it"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceFacts, Process, UnknownKind};

    fn master(prepared: &[(&str, u64)]) -> InstanceFacts {
        let one = |(gid, age): &(&str, u64)| PreparedTransaction {
            gid: (*gid).to_owned(),
            database: "postgres".to_owned(),
            age_seconds: *age,
        };
        let oldest: Vec<_> = prepared.iter().map(one).collect();
        InstanceFacts {
            process: Fact::Known(Process::Running),
            role: Fact::Known(Role::Master),
            prepared: Fact::Known(PreparedTransactions { count: 1, oldest }),
            ..InstanceFacts::unknown(UnknownKind::NotAsked, "not asked")
        }
    }

    fn id(text: &str) -> InstanceId {
        InstanceId::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_gid_tells_who_prepared_it() {
        assert_eq!(Origin::of("_$XC$6013:cn02:F:2:0"), Origin::Coordinator("cn02".to_owned()));
        assert_eq!(Origin::xid_of("_$XC$6013:cn02:F:2:0"), Some(6013));
        for client in ["x", "_$XC$", "_$XC$12x", ""] {
            assert_eq!((Origin::of(client), Origin::xid_of(client)), (Origin::Client, None), "{client}");
        }
    }

    #[test]
    fn one_transaction_is_one_entry_and_a_commit_in_progress_is_none() {
        let instances = Instances::from([
            (id("dn01@s29"), master(&[("_$XC$1:cn01:F:2:0", 7), ("_$XC$2:cn01:F:2:0", 4)])),
            (id("dn02@s47"), master(&[("_$XC$1:cn01:F:2:0", 9), ("mine", 60)])),
        ]);
        let found = InDoubt::among(&instances);
        let told: Vec<_> = found.iter().map(|one| (one.gid.as_str(), one.age_seconds, one.prepared_on.len())).collect();
        assert_eq!(told, [("mine", 60, 1), ("_$XC$1:cn01:F:2:0", 9, 2)]);
        assert!(!found[0].is_of_a_coordinator() && found[1].is_of_a_coordinator());
        let told = "_$XC$1:cn01:F:2:0 (postgres, begun by cn01, 9 s): dn01@s29 prepared, dn02@s47 prepared";
        assert_eq!(found[1].to_string(), told);
    }
}
