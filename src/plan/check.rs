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
    Identity = "identity", false, "The process on the declared endpoint is the declared node.";
    System = "system", false, "Master and standby share one system identifier.";
    Version = "version", true, "Master and standby run the same server version.";
    SplitBrain = "split-brain", true, "At most one instance of a node runs as master.";
    KeptCopy = "kept-copy", false, "Of two masters, the declared one is one that routers lead to; a GTM is not one whose clock is behind.";
    Standby = "standby", false, "The instance that is to become master runs as a standby.";
    Attached = "attached", true, "The standby streams from the present master.";
    Replay = "replay", false, "The standby's replay is not paused.";
    Delay = "delay", true, "The standby does not delay its replay (recovery_min_apply_delay).";
    Lag = "lag", true, "The standby is at most policy.max_lag behind.";
    Timeline = "timeline", false, "The standby's timeline is not ahead of the master's.";
    RecoveryConf = "recovery-conf", false, "recovery.conf of the standby is there and the server may write it.";
    Shell = "shell", false, "Commands can be run on the server, and they find the data directory.";
    DataDirectory = "data-directory", false, "Each process runs in the data directory that is declared for it; a stopped one's is of its node.";
    ToolsVersion = "tools-version", true, "The tools below `install` are of the server's version.";
    Disk = "disk", true, "The standby's file system has room for a new timeline.";
    Fence = "fence", true, "Every other copy of the node is known not to be writable.";
    DataLoss = "data-loss", true, "The standby holds every transaction the old master may have acknowledged.";
    Gtm = "gtm", false, "The GTM answers: ALTER NODE on a datanode needs it to commit.";
    Routes = "routes", true, "Every router's pgxc_node can be read and has one row for each node.";
    Forward = "forward", true, "On v5 each node's forward port is known, its processes have the one that the file says, and it is free where a master is made.";
    Sessions = "sessions", true, "How many sessions of clients the pool reloads of a v5 end (warns only).";
    GtmRow = "gtm-row", false, "Every router has exactly one GTM row.";
    Rejoin = "rejoin", true, "It is known how each old master can become a standby.";
    Superuser = "superuser", false, "otb's user may ALTER NODE on every router whose routes change.";
    ClusterName = "cluster-name", true, "The standby belongs to the cluster that the file names (pgxc_cluster_name).";
    HotStandby = "hot-standby", true, "hot_standby is on: a standby can be asked.";
    SyncStandbys = "sync-standbys", true, "Commits on the new master will have the standbys that they wait for.";
    Room = "room", true, "max_wal_senders of the standby leaves room for the other copies and a base backup.";
    WalKeep = "wal-keep", true, "The new master keeps WAL for the copies that rejoin (warns only).";
    PreparedLimit = "prepared-limit", true, "max_prepared_transactions of the standby is no less than the master's.";
    Admission = "admission", true, "The old master's server may open a replication connection to the standby: tried.";
    Backup = "backup", true, "No backup is running on the master.";
    Transactions = "transactions", true, "No transaction is old or idle on the master (warns only).";
    InDoubt = "in-doubt", true, "No two-phase transaction is in doubt on the master: clients wait behind one, and its fast stop may not end.";
    PgClean = "pg-clean", true, "pg_clean is there, by which otb finishes what a move leaves in doubt (warns only).";
    Hold = "hold", true, "No open transaction keeps clients from being held while the master moves, and none of them keeps a connection to it (warns only).";
    Slots = "slots", true, "No replication slot stays behind on the old master (warns only).";
    Archiver = "archiver", true, "No WAL waits for archiving, which a stop would wait for (warns only).";
    Tools = "tools", true, "The tools that otb runs are there and can be run.";
    Clocks = "clocks", true, "The servers' clocks agree within a second (warns only).";
    Supervisor = "supervisor", true, "Nothing would start the old master again behind otb's back (warns only).";
    Promotion = "promotion", false, "No other copy has been told to become a master and has yet to obey (warns where no master is made).";
    NextStart = "next-start", true, "Each running copy would be after its next start what it is now (warns only).";
    Strangers = "strangers", true, "Routers hold no rows for nodes that the file does not name.";
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it must be.
    Pass,
    /// Said, but in nobody's way.
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
    /// What to do next, where the verdict is not `pass`.
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
            return Err(format!("a waiver names a check and its subject, such as lag:dn01; {text:?} does not"));
        };
        match CheckCode::ALL.iter().find(|code| code.word() == word) {
            Some(code) if code.is_waivable() => {
                Ok(Self { check: CheckId::new(*code, subject), reason: reason.to_owned() })
            }
            Some(_) => Err(format!("the check {word} cannot be waived")),
            None => Err(format!("there is no check {word}")),
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
