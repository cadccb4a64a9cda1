//! The loss of a failover: the transactions in a stopped master's WAL that its standby never received.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Lsn;

/// The ends of transactions in a stopped instance's WAL, beyond what the node's declared master holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingWal {
    /// The declared master holds the WAL up to here.
    pub beyond: Lsn,
    /// How many transactions it lacks, whole or in part, that a client or another node may count on. A lower bound
    /// where not all WAL was read.
    pub lost: u64,
    /// How many it keeps prepared because it lacks their rollback.
    pub undecided: u64,
    /// The first of both kinds, in the order of the WAL.
    pub first: Vec<MissingTransaction>,
    /// Whether the WAL was read to its end.
    pub complete: bool,
}

/// A transaction whose end a standby lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissingTransaction {
    /// Its transaction id on that node.
    pub xid: u32,
    /// The records of it that the standby lacks.
    pub lacks: MissingEnd,
    /// When it ended, RFC 3339 in UTC. A PREPARE record shows no time.
    pub at: Option<String>,
}

/// The transaction records that a standby lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MissingEnd {
    /// COMMIT.
    Commit,
    /// PREPARE: another node may have committed its part.
    Prepare,
    /// PREPARE and COMMIT_PREPARED: the other nodes have committed their parts.
    PrepareAndCommit,
    /// COMMIT_PREPARED: the standby has the PREPARE, and keeps it in doubt.
    CommitPrepared,
    /// ABORT_PREPARED: the standby has the PREPARE, and keeps it in doubt. Nothing is lost.
    AbortPrepared,
}

impl MissingEnd {
    /// Whether something is lost that a client or another node may count on.
    pub fn is_lost(self) -> bool {
        self != Self::AbortPrepared
    }
}
