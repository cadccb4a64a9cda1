//! Checks: what must be true before anything is touched, each with a verdict and a hint.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::step::StepId;

/// Names a check and its subject, as `--waive` takes it: `lag:dn01`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CheckId(String);

impl CheckId {
    pub fn new(code: CheckCode, subject: impl fmt::Display) -> Self {
        Self(format!("{}:{subject}", code.word()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The node that its subject is or belongs to: `dn01` of `lag:dn01` and of `disk:dn01@s47`.
    pub fn node(&self) -> &str {
        let subject = self.0.split_once(':').map_or("", |(_, subject)| subject);
        subject.split_once('@').map_or(subject, |(node, _)| node)
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $word:literal, $waivable:literal, $about:literal;)*) => {
        /// What is checked. The word is stable: users write it in waivers.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum CheckCode { $($(#[$doc])* #[doc = $about] $code,)* }

        impl CheckCode {
            /// Every code, in the order of the reference.
            pub const ALL: &[Self] = &[$(Self::$code,)*];

            /// The stable word: `lag`.
            pub fn word(self) -> &'static str {
                match self { $(Self::$code => $word,)* }
            }

            /// Whether `--waive` may lift a block of this code.
            pub fn is_waivable(self) -> bool {
                match self { $(Self::$code => $waivable,)* }
            }

            /// One sentence for the reference.
            pub fn about(self) -> &'static str {
                match self { $(Self::$code => $about,)* }
            }
        }
    };
}

codes! {
    Identity = "identity", false, "The process at the declared endpoint is the declared node.";
    System = "system", false, "The master and the standby have the same system identifier.";
    Version = "version", true, "The master and the standby run the same server version.";
    SplitBrain = "split-brain", true, "At most one instance of a node runs as master.";
    KeptCopy = "kept-copy", false, "If a node has two masters, routers lead to the declared one; the clock of a \
        declared GTM is not behind.";
    Standby = "standby", false, "The instance that will become master runs as a standby.";
    Attached = "attached", true, "The standby streams from the present master.";
    Replay = "replay", false, "The standby's replay is not paused.";
    Delay = "delay", true, "The standby does not delay its replay (recovery_min_apply_delay).";
    Lag = "lag", true, "The standby is at most policy.max_lag behind.";
    Timeline = "timeline", false, "The standby's timeline is not ahead of the master's timeline.";
    RecoveryConf = "recovery-conf", false, "The standby has a recovery.conf that the server may write.";
    Shell = "shell", false, "Commands can run on the server, and they find the data directory.";
    DataDirectory = "data-directory", false, "Each process runs in its declared data directory; the directory of a \
        stopped instance belongs to its node.";
    ToolsVersion = "tools-version", true, "The tools under `install` have the server's version.";
    Disk = "disk", true, "The standby's file system has room for a new timeline.";
    Fence = "fence", true, "No other instance of the node can accept writes.";
    DataLoss = "data-loss", true, "The standby has every transaction that the old master may have committed.";
    Gtm = "gtm", false, "The GTM answers: ALTER NODE on a datanode cannot commit without it.";
    Routes = "routes", true, "otb can read every router's pgxc_node, and it has one row for each node.";
    Forward = "forward", true, "On v5 each node's forward port is known, its processes use the one in the file, and \
        it is free where an instance becomes master.";
    Sessions = "sessions", true, "How many client sessions the pool reloads of v5 end (warns only).";
    GtmRow = "gtm-row", false, "Every router has exactly one GTM row.";
    Rejoin = "rejoin", true, "otb knows how each old master can become a standby.";
    Superuser = "superuser", false, "otb's user may run ALTER NODE on every router whose routes change.";
    ClusterName = "cluster-name", true, "The standby belongs to the cluster in the file (pgxc_cluster_name).";
    HotStandby = "hot-standby", true, "hot_standby is on, so that the standby accepts queries.";
    SyncStandbys = "sync-standbys", true, "The new master will have the standbys that its commits wait for.";
    Room = "room", true, "max_wal_senders of the standby has room for the other instances and a base backup.";
    WalKeep = "wal-keep", true, "The new master keeps WAL for the instances that rejoin (warns only).";
    PreparedLimit = "prepared-limit", true, "max_prepared_transactions of the standby is at least the master's \
        value.";
    ReplicationAccess = "replication-access", true, "The standby accepts a replication connection from the old master's server; otb \
        tries it.";
    Backup = "backup", true, "No backup is running on the master.";
    Transactions = "transactions", true, "No transaction is old or idle on the master (warns only).";
    InDoubt = "in-doubt", true, "No two-phase transaction is in doubt on the master: clients wait behind it, and a \
        fast stop may not end.";
    PgClean = "pg-clean", true, "The extension pg_clean exists; otb uses it to finish transactions in doubt (warns \
        only).";
    Hold = "hold", true, "No open transaction prevents the hold of clients, and no idle session keeps a connection \
        to the master (warns only).";
    Slots = "slots", true, "The old master has no replication slot, because slots do not move (warns only).";
    Archiver = "archiver", true, "No WAL waits for archiving: a stop would wait for it (warns only).";
    Tools = "tools", true, "The tools that otb runs exist and can run.";
    Clocks = "clocks", true, "The servers' clocks agree within a second (warns only).";
    Supervisor = "supervisor", true, "No other program would start the old master again (warns only).";
    Promotion = "promotion", false, "No other instance has a promotion request that it has not obeyed yet (warns if \
        no instance becomes master).";
    NextStart = "next-start", true, "Each running instance keeps its role at its next start (warns only).";
    Spelling = "spelling", true, "The cluster writes hosts as the file does (warns only).";
    Strangers = "strangers", true, "Routers have no rows for nodes that the file does not declare.";
    Rehearsal = "rehearsal", true, "With --rehearse: no single fault makes the plan lose data or require a person (warns only).";
}

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it must be.
    Pass,
    /// A warning that blocks nothing.
    Warn,
    /// Lifted by a waiver of that name.
    Waived,
    /// Could not be learned; refuses like a block.
    Unknown,
    /// Refuses.
    Block,
}

impl Verdict {
    pub fn refuses(self) -> bool {
        matches!(self, Self::Block | Self::Unknown)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Waived => "waived",
            Self::Unknown => "unknown",
            Self::Block => "block",
        }
    }
}

/// One check with what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    pub id: CheckId,
    pub code: CheckCode,
    pub verdict: Verdict,
    /// The fact and, where there is one, the limit.
    pub found: String,
    /// What `found` counts, one line each: the transactions that a failover would lose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// The step without which it would refuse: what it asks for is so only after that step.
    #[serde(default)]
    pub rests_on: Option<StepId>,
    /// What to do next, if the verdict is not `pass`.
    pub hint: Option<String>,
    /// The reason given with `--waive`.
    pub waived_because: Option<String>,
}

/// `--waive lag:dn01 --reason "CHG-1234"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiver {
    pub check: CheckId,
    /// As given with `--reason`.
    pub reason: String,
}

impl Waiver {
    /// Reads `CODE:SUBJECT`; the code must be known and waivable.
    pub fn new(text: &str, reason: &str) -> Result<Self, String> {
        let Some((word, subject)) = text.split_once(':').filter(|(_, subject)| !subject.is_empty()) else {
            return Err(format!("a waiver is CHECK:SUBJECT, such as lag:dn01; {text:?} is not"));
        };
        match CheckCode::ALL.iter().find(|code| code.word() == word) {
            Some(code) if code.is_waivable() => {
                Ok(Self { check: CheckId::new(*code, subject), reason: reason.to_owned() })
            }
            Some(_) => Err(format!("the check {word} cannot be waived")),
            None => Err(format!("otb has no check {word}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiver_names_a_waivable_check_and_a_subject() {
        assert_eq!(Waiver::new("lag:dn01", "CHG-1").unwrap().check.as_str(), "lag:dn01");
        for bad in ["lag", "lag:", "kept-copy:dn01", "nonsense:dn01"] {
            assert!(Waiver::new(bad, "CHG-1").is_err(), "{bad}");
        }
    }
}
