//! Exit codes: a documented part of otb's interface (docs/reference/exit-codes.md).

/// How a run of otb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done and verified, or nothing to do.
    Done,
    /// An error; nothing was changed.
    Error,
    /// `plan --detailed-exitcode`, `drift`: differences.
    Differences,
    /// Refused by a check (apply, `plan --detailed-exitcode`); nothing was changed.
    Refused,
    /// The saved plan does not fit the live cluster any more; nothing was changed.
    Stale,
    /// Somebody else holds the lock.
    Locked,
    /// Failed or interrupted, and rolled back: the cluster is as before, verified.
    RolledBack,
    /// Stopped part-way.
    PartWay,
    /// The new master serves, but the old one is not a standby again.
    NotRejoined,
    /// Contact lost after the point of no return.
    UnknownOutcome,
    /// Wrong usage.
    Usage,
    /// Wrong cluster.yaml.
    Config,
    /// Interrupted before any change.
    Interrupted,
}

impl Exit {
    /// Every way to end, in the order of the reference.
    pub const ALL: [Self; 13] = [
        Self::Done,
        Self::Error,
        Self::Differences,
        Self::Refused,
        Self::Stale,
        Self::Locked,
        Self::RolledBack,
        Self::PartWay,
        Self::NotRejoined,
        Self::UnknownOutcome,
        Self::Usage,
        Self::Config,
        Self::Interrupted,
    ];

    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Differences => 2,
            Self::Refused => 3,
            Self::Stale => 4,
            Self::Locked => 5,
            Self::RolledBack => 6,
            Self::PartWay => 7,
            Self::NotRejoined => 8,
            Self::UnknownOutcome => 9,
            Self::Usage => 64,
            Self::Config => 78,
            Self::Interrupted => 130,
        }
    }

    /// The meaning, as the reference and the last line of `apply` say it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done and verified, or nothing to do",
            Self::Error => "error, nothing was changed",
            Self::Differences => {
                "differences (plan --detailed-exitcode, drift), or a node that could not fail over (ready)"
            }
            Self::Refused => "refused by a check, nothing was changed",
            Self::Stale => "the cluster changed since the plan was saved, nothing was changed",
            Self::Locked => "another otb holds the lock, nothing was changed",
            Self::RolledBack => "failed or interrupted, and rolled back: the cluster is as before, verified",
            Self::PartWay => "stopped part-way",
            Self::NotRejoined => "the new master serves, but the old master is not a standby yet",
            Self::UnknownOutcome => "outcome unknown: contact lost after the point of no return",
            Self::Usage => "wrong usage",
            Self::Config => "wrong cluster.yaml",
            Self::Interrupted => "interrupted before any change",
        }
    }

    /// Returns what to do next, for the reference; empty if nothing.
    pub fn next(self) -> &'static str {
        match self {
            Self::Done => "",
            Self::Error => "read the message, fix the problem, retry",
            Self::Differences => "review the plan, then `otb apply`",
            Self::Refused => "fix what the check names, or waive it with `--waive`",
            Self::Stale => "read what changed, then plan again",
            Self::Locked => "wait, or use `--lock-timeout 5m`",
            Self::RolledBack => "fix what failed, then plan again",
            Self::PartWay => "`otb plan` shows the remaining steps, `otb apply` does them",
            Self::NotRejoined => "read the log of that instance, then run `otb apply`",
            Self::UnknownOutcome => "run `otb plan`: it observes the cluster again",
            Self::Usage => "read the right spelling in the message, or in `otb COMMAND --help`",
            Self::Config => "fix each mistake; the message shows its place",
            Self::Interrupted => "run the same command again when you are ready",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn codes_are_the_contracts() {
        let codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 64, 78, 130]);
    }
}
