//! The check of a failover: does the standby lack a transaction that the old master may have acknowledged?

use std::fmt;

use bytesize::ByteSize;

use super::takeover::View;
use super::{Finding, LOOK_AGAIN};
use crate::model::{
    Fact, InstanceFacts, InstanceId, Lsn, MissingEnd, MissingTransaction, MissingWal, Role, StandbyFacts,
};
use crate::opentenbase::salvage::SalvageRange;
use crate::plan::check::{CheckCode, CheckId};
use crate::plan::salvage::{self, Salvage};

/// The commits that this does not cover.
const UNACKNOWLEDGED: &str = "sessions with synchronous_commit = local or off did not wait, and sessions whose wait \
    was cancelled did not either: their last commits may be lost";

/// The WAL of another instance that the declared master lacks.
struct Lacking {
    of: InstanceId,
    found: String,
    loss: Loss,
    details: Vec<String>,
}

/// What happens to it, the least bad case first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Loss {
    /// It holds no commit.
    None,
    /// It holds the rollback of prepared transactions, which the declared master keeps prepared.
    Undecided,
    /// So many transactions.
    Transactions(Count),
    /// It could not be read.
    Unknown,
}

/// A number of transactions, and whether there may be more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Count {
    number: u64,
    at_least: bool,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_least = if self.at_least { "at least " } else { "" };
        let plural = if self.number == 1 { "" } else { "s" };
        write!(f, "{at_least}{} transaction{plural}", self.number)
    }
}

impl View<'_> {
    pub(super) fn data_loss(&self) -> Finding {
        let Some(have) = held(self.standby) else {
            return Finding::unknown(format!("the WAL position of {} is not known", self.declared), LOOK_AGAIN);
        };
        let salvage = salvage::decide(self.node, self.seen);
        let lacking = |have| -> Vec<Lacking> {
            let copies = self.node.standbys().filter(|instance| !self.hangs(&instance.id));
            copies.filter_map(|instance| self.lacking(&instance.id, have)).collect()
        };
        if let Some(finding) = self.salvaged(&salvage, &lacking) {
            return finding;
        }
        let lacking = lacking(have);
        let Some(worst) = lacking.iter().map(|lacking| &lacking.loss).max() else {
            let hung = self.node.standbys().map(|instance| &instance.id).find(|id| self.hangs(id));
            return Finding::pass(match hung {
                Some(id) => format!(
                    "{} has all WAL up to {have}; otb reads how far {id} went after it has ended it, before the \
                        promotion",
                    self.declared
                ),
                None => format!("{} has all WAL up to {have}, and no other instance has more", self.declared),
            });
        };
        let mut found = lacking.iter().map(|lacking| lacking.found.as_str()).collect::<Vec<_>>().join("; ");
        if let (Salvage::Impossible { source, why }, true) = (&salvage, *worst > Loss::None) {
            found = format!("{found}; otb cannot bring it from {source}: {why}");
        }
        let finding = match worst {
            Loss::None => return Finding::pass(found),
            Loss::Undecided => Finding::warn(
                found,
                "they stay in doubt after the failover: pg_clean_check_txn(120) lists them, pg_clean_execute(120) \
                    finishes them (extension pg_clean)",
            ),
            Loss::Transactions(_) | Loss::Unknown if self.waited_for(self.declared).is_some() => {
                Finding::warn(self.unacknowledged(&found), UNACKNOWLEDGED)
            }
            Loss::Transactions(count) => Finding::block(found, self.way(&format!("the loss of {count}"))),
            Loss::Unknown => Finding::block(found, self.way("the loss")),
        };
        finding.listing(lacking.into_iter().flat_map(|lacking| lacking.details).collect())
    }

    fn unacknowledged(&self, found: &str) -> String {
        let master = self.waited_for(self.declared).map_or_else(String::new, ToString::to_string);
        format!("{found}; no client saw a commit in it, because commits on {master} waited for {}", self.declared)
    }

    /// Nothing is lost of what a step brings before the promotion, where no copy holds more than that.
    fn salvaged(&self, salvage: &Salvage, lacking: &dyn Fn(Lsn) -> Vec<Lacking>) -> Option<Finding> {
        let Salvage::From { source, range } = salvage else { return None };
        // Of WAL without an end of a transaction more is no loss; a page header is not even a record.
        if lacking(range.to).iter().any(|lacking| lacking.loss > Loss::None && lacking.of != *source) {
            return None;
        }
        let step = salvage.step(self.declared)?;
        let SalvageRange { from, to, .. } = range;
        let (bytes, declared) = (ByteSize(to.bytes_ahead_of(*from)), self.declared);
        let details = lacking(*from).into_iter().filter(|lacking| lacking.of == *source);
        let details = details.flat_map(|lacking| lacking.details).collect();
        let found = format!(
            "{source} has WAL up to {to}, {bytes} more than {declared} received ({from}), and {step} brings it \
                before the promotion"
        );
        Some(Finding::pass(found).listing(details).resting_on(step))
    }

    /// What to do instead of losing transactions.
    fn way(&self, loss: &str) -> String {
        let node = &self.node.name;
        let way = match self.complete_standby() {
            Some(id) => format!("{id} has all of it: declare `master: {}` for {node}", id.server),
            None if self.better_standby().is_some() => self.better_standby().map_or_else(String::new, |id| {
                format!(
                    "commits waited for {id}, so it has every commit that a client saw: declare `master: {}` \
                    for {node}",
                    id.server
                )
            }),
            None => "bring the other instance back and switch over from it".to_owned(),
        };
        let waiver = CheckId::new(CheckCode::DataLoss, node);
        format!("{way}, or accept {loss}: --waive {waiver} --reason ...")
    }

    /// Another standby that runs, and that no copy has more than: of that one nothing would be lost.
    fn complete_standby(&self) -> Option<&InstanceId> {
        let others = || self.node.standbys().map(|instance| &instance.id);
        let facts = |id: &InstanceId| self.seen.instances.get(id);
        let ends: Option<Vec<Lsn>> = others().map(|id| facts(id)?.wal_end.known().copied()).collect();
        let most = ends?.into_iter().max()?;
        others().find(|id| {
            facts(id).is_some_and(|facts| facts.is_running(Role::Standby) && held(facts).is_some_and(|end| end >= most))
        })
    }

    fn lacking(&self, id: &InstanceId, have: Lsn) -> Option<Lacking> {
        let facts = self.seen.instances.get(id)?;
        let end = match &facts.wal_end {
            Fact::Known(end) if *end <= have => return None,
            Fact::Known(end) => *end,
            Fact::Unknown(why) => {
                let found = format!("the last WAL position of {id} is not known: {why}");
                return Some(Lacking { of: id.clone(), found, loss: Loss::Unknown, details: Vec::new() });
            }
        };
        let declared = self.declared;
        let bytes = ByteSize(end.bytes_ahead_of(have));
        let more = format!("{id} has WAL up to {end}, {bytes} more than {declared} received ({have})");
        let missing = match &facts.unreplicated {
            Fact::Known(missing) if missing.beyond == have => missing,
            unread => {
                let why = unread.hidden().map_or_else(String::new, |why| {
                    format!(
                        ", and otb could not find out which transactions end in \
                        it: {why}"
                    )
                });
                return Some(Lacking { of: id.clone(), found: more + &why, loss: Loss::Unknown, details: Vec::new() });
            }
        };
        let only = format!("the {bytes} of WAL that {id} has and {declared} lacks contain no commit");
        let loss = loss(missing);
        let found = match &loss {
            Loss::None => only,
            Loss::Undecided => {
                format!(
                    "{only}, except the rollback of {}, which {declared} keeps prepared",
                    counted(missing.undecided)
                )
            }
            Loss::Transactions(count) => format!("{more}, and {count} would be lost"),
            Loss::Unknown => format!("{more}; the part that was read contains no commit, and the rest was not read"),
        };
        Some(Lacking { of: id.clone(), found, loss, details: listed(id, declared, missing) })
    }
}

fn held(standby: &InstanceFacts) -> Option<Lsn> {
    standby.standby.known().and_then(StandbyFacts::holds)
}

fn loss(missing: &MissingWal) -> Loss {
    match missing {
        MissingWal { complete: false, lost: 0, .. } => Loss::Unknown,
        MissingWal { lost: 0, undecided: 0, .. } => Loss::None,
        MissingWal { lost: 0, .. } => Loss::Undecided,
        MissingWal { lost, complete, .. } => Loss::Transactions(Count { number: *lost, at_least: !complete }),
    }
}

fn counted(number: u64) -> Count {
    Count { number, at_least: false }
}

/// A line for each of the first transactions, and how many more there are.
fn listed(from: &InstanceId, to: &InstanceId, missing: &MissingWal) -> Vec<String> {
    let mut lines: Vec<String> = missing.first.iter().map(|transaction| line(from, to, transaction)).collect();
    let shown = u64::try_from(lines.len()).unwrap_or(u64::MAX);
    let more = (missing.lost + missing.undecided).saturating_sub(shown);
    if more > 0 {
        let at_least = if missing.complete { "" } else { "at least " };
        lines.push(format!("and {at_least}{more} more"));
    }
    lines
}

fn line(from: &InstanceId, to: &InstanceId, transaction: &MissingTransaction) -> String {
    let MissingTransaction { xid, lacks, at } = transaction;
    let at = at.as_ref().map_or_else(String::new, |at| format!(" {at}"));
    let became = match lacks {
        MissingEnd::Commit => format!("committed{at}"),
        MissingEnd::Prepare => format!("prepared{at}; another node may have committed its part"),
        MissingEnd::PrepareAndCommit => format!("committed in two phases{at}; the other nodes keep their parts"),
        MissingEnd::CommitPrepared => format!("committed in two phases{at}; {to} keeps it prepared, in doubt"),
        MissingEnd::AbortPrepared => format!("rolled back in two phases{at}; {to} keeps it prepared, in doubt"),
    };
    format!("xid {xid} of {from}: {became}")
}
