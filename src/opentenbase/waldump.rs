//! The transactions in a stopped instance's WAL: what pg_waldump is asked, and what its lines mean.

use indexmap::IndexMap;

use super::command::Patience;
use super::control::end_of_record;
use super::{Command, quote, sanitize_for_display};
use crate::model::{Control, Instance, Lsn, MissingEnd, MissingTransaction, MissingWal, Timeline};

/// The most WAL that is read for it: pg_waldump reads that much in a second or two.
const MOST_WAL_BYTES: u64 = 64 << 20;
/// The maximum number of records to transfer. If there are more, the count is a lower bound.
const MOST_RECORDS: usize = 1000;
/// The most transactions that are listed: a screenful with what stands around them.
const MOST_LISTED: usize = 10;
/// What is kept of a line: inval messages can make it very long, and follow what is read.
const MOST_COLUMNS: usize = 200;

/// The part of a stopped instance's WAL that its node's declared master may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingRange {
    /// The beginning of a record, not later than `beyond`: a record that crosses `beyond` is missing too.
    pub start: Lsn,
    /// The declared master holds the WAL up to here.
    pub beyond: Lsn,
    /// The end of the WAL.
    pub end: Lsn,
}

impl MissingRange {
    fn read_to(&self) -> Lsn {
        self.end.min(Lsn(self.start.0.saturating_add(MOST_WAL_BYTES)))
    }
}

/// Prints the records of `range` that end a transaction, at most `MOST_RECORDS`, and below them pg_waldump's status,
/// unless there are more. pg_waldump ends with status 0 where its `-e` ends (XLogDumpReadPage, pg_waldump.c); it prints
/// times in the zone that TZ names (timestamptz_to_str, compat.c).
pub fn missing_transactions(
    instance: &Instance,
    control: &Control,
    range: &MissingRange,
    patience: Patience,
) -> Command {
    let wal = quote(&format!("{}/pg_wal", instance.data));
    let read =
        format!("pg_waldump -p {wal} -t {} -s {} -e {} -r Transaction", control.timeline, range.start, range.read_to());
    Command::new(format!(
        "{{ TZ=UTC timeout -k 1 {} {read} 2>&1; echo \"status $?\"; }} \
         | grep -E '^status |^pg_waldump: |desc: (COMMIT|COMMIT_PREPARED|PREPARE|ABORT_PREPARED) ' \
         | cut -c 1-{MOST_COLUMNS} | head -n {MOST_RECORDS}",
        patience.0
    ))
    .shown_as(read)
}

/// Succeeds if `instance` has received WAL of `timeline` in the file that holds `last`, its last byte: a walreceiver
/// writes what it streams into files of that timeline, from the beginning of a file on (walreceiver.c). The control file
/// of a standby knows of its timeline only some time later.
pub fn has_received(
    instance: &Instance,
    timeline: Timeline,
    last: Lsn,
    segment_bytes: u32,
    patience: Patience,
) -> Command {
    let wal = quote(&format!("{}/pg_wal", instance.data));
    let begin = Lsn(last.0 - last.0 % u64::from(segment_bytes.max(1)));
    Command::new(format!("timeout -k 1 {} pg_waldump -p {wal} -t {timeline} -s {begin} -n 1", patience.0))
}

/// Reads what [`missing_transactions`] printed. A record that ends no later than `range.beyond` is not missing.
pub fn read_missing_transactions(text: &str, control: &Control, range: &MissingRange) -> Result<MissingWal, String> {
    let mut found: IndexMap<u32, MissingTransaction> = IndexMap::new();
    let mut status = None;
    let mut words = "";
    for line in text.lines() {
        if let Some(number) = line.strip_prefix("status ") {
            status = Some(number);
        } else if line.starts_with("pg_waldump: ") {
            words = line;
        } else {
            let record = Record::read(line, control)
                .ok_or_else(|| format!("pg_waldump printed {:?}", sanitize_for_display(line)))?;
            if record.end > range.beyond {
                record.note_in(&mut found);
            }
        }
    }
    let complete = match status {
        Some("0") => range.read_to() == range.end,
        // timeout's own status, and that of what it had to kill.
        Some("124" | "137") | None if !text.is_empty() => false,
        _ => return Err(format!("pg_waldump printed {:?}", sanitize_for_display(words))),
    };
    let lost = found.values().filter(|transaction| transaction.lacks.is_lost()).count();
    Ok(MissingWal {
        beyond: range.beyond,
        lost: u64::try_from(lost).unwrap_or(u64::MAX),
        undecided: u64::try_from(found.len() - lost).unwrap_or(u64::MAX),
        first: found.into_values().take(MOST_LISTED).collect(),
        complete,
    })
}

/// A transaction record as pg_waldump prints it (XLogDumpDisplayRecord, pg_waldump.c; xactdesc.c).
struct Record {
    end: Lsn,
    xid: u32,
    lacks: MissingEnd,
    at: Option<String>,
}

impl Record {
    /// Reads `rmgr: Transaction len (rec/tot):     54/    54, tx:        585, lsn: 0/0304A388, prev 0/0304A340, desc:
    /// COMMIT 2026-12-01 00:37:18.469886 UTC; …`. The record that ends a prepared transaction names it behind the word:
    /// `COMMIT_PREPARED 584: 2026-12-01 …`.
    fn read(line: &str, control: &Control) -> Option<Self> {
        let (head, desc) = line.strip_prefix("rmgr: Transaction")?.split_once(", desc: ")?;
        let field = |label: &str| {
            let (_, rest) = head.split_once(label)?;
            rest.split(',').next().map(str::trim)
        };
        let total = field("len (rec/tot):")?.split_once('/')?.1.trim().parse().ok()?;
        let end = end_of_record(field(" lsn: ")?.parse().ok()?, total, control)?;
        let (word, rest) = desc.split_once(' ').unwrap_or((desc, ""));
        let own = || field(" tx: ")?.parse().ok();
        let named = || {
            let (xid, time) = rest.split_once(": ")?;
            Some((xid.parse().ok()?, time))
        };
        let (xid, lacks, at) = match word {
            "COMMIT" => (own()?, MissingEnd::Commit, time(rest)),
            "PREPARE" => (own()?, MissingEnd::Prepare, None),
            "COMMIT_PREPARED" => named().map(|(xid, at)| (xid, MissingEnd::CommitPrepared, time(at)))?,
            "ABORT_PREPARED" => named().map(|(xid, at)| (xid, MissingEnd::AbortPrepared, time(at)))?,
            _ => return None,
        };
        Some(Self { end, xid, lacks, at })
    }

    /// Adds it to what is known of its transaction. One whose PREPARE is missing with its rollback leaves nothing behind.
    fn note_in(self, found: &mut IndexMap<u32, MissingTransaction>) {
        let Self { xid, lacks, at, .. } = self;
        let is_prepared = found.get(&xid).is_some_and(|known| known.lacks == MissingEnd::Prepare);
        let lacks = match lacks {
            MissingEnd::AbortPrepared if is_prepared => {
                found.shift_remove(&xid);
                return;
            }
            MissingEnd::CommitPrepared if is_prepared => MissingEnd::PrepareAndCommit,
            lacks => lacks,
        };
        found.insert(xid, MissingTransaction { xid, lacks, at });
    }
}

/// `2026-12-01 00:37:18.469886 UTC`, with whatever follows, as RFC 3339.
fn time(text: &str) -> Option<String> {
    let mut words = text.split([' ', ';', ',']);
    let (day, clock, zone) = (words.next()?, words.next()?, words.next()?);
    let is_made_of = |text: &str, others: &str| text.chars().all(|c| c.is_ascii_digit() || others.contains(c));
    (zone == "UTC" && is_made_of(day, "-") && is_made_of(clock, ":.")).then(|| format!("{day}T{clock}Z"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{ControlState, NodeKind, SystemId};
    use crate::opentenbase::command::tests::instance;

    /// Verbatim from v2.6.0 datanodes.
    const COMMIT: &str = "rmgr: Transaction len (rec/tot):     54/    54, tx:        585, lsn: 0/0304A388, \
                          prev 0/0304A340, desc: COMMIT 2026-12-01 00:37:18.469886 UTC";
    const COMMIT_WITH_MORE: &str = "rmgr: Transaction len (rec/tot):     90/    90, tx:      20459, lsn: 0/03931E48, \
                          prev 0/03931AE0, desc: COMMIT 2026-12-01 00:40:06.398150 UTC; inval msgs: catcache 86 catcache 86";
    const PREPARE: &str = "rmgr: Transaction len (rec/tot):    258/   258, tx:        584, lsn: 0/03049E50, \
                          prev 0/03049E08, desc: PREPARE ";
    const COMMIT_PREPARED: &str = "rmgr: Transaction len (rec/tot):     58/    58, tx:          0, lsn: 0/03049F90, \
                          prev 0/03049F58, desc: COMMIT_PREPARED 584: 2026-12-01 00:37:18.428087 UTC";
    const ABORT_PREPARED: &str = "rmgr: Transaction len (rec/tot):     50/    50, tx:          0, lsn: 0/0368BE28, \
                          prev 0/0368BDC8, desc: ABORT_PREPARED 15605: 2026-12-01 00:39:43.361542 UTC";

    /// Verbatim from a v5 datanode.
    const COMMIT_OF_V5: &str = "rmgr: Transaction len (rec/tot):    110/   110, tx:       1353, lsn: 0/0304A388, \
                          prev 0/0304A340, desc: COMMIT 2026-12-01 09:57:10.779137 UTC, gts: 1; inval msgs: catcache 74";

    fn control() -> Control {
        Control {
            state: ControlState::InProduction,
            system_id: SystemId(1),
            timeline: Timeline(2),
            checkpoint_timeline: Timeline(2),
            checkpoint: Lsn(0x0300_0098),
            redo: Lsn(0x0300_0028),
            wal_segment_bytes: 16 << 20,
        }
    }

    fn range(beyond: u64, end: u64) -> MissingRange {
        MissingRange { start: Lsn(0x0300_0028), beyond: Lsn(beyond), end: Lsn(end) }
    }

    const ALL: MissingRange = MissingRange { start: Lsn(0x0300_0028), beyond: Lsn(0x0300_0028), end: Lsn(0x0393_20C0) };

    fn read(lines: &[&str], range: &MissingRange) -> Result<MissingWal, String> {
        read_missing_transactions(&lines.join("\n"), &control(), range)
    }

    fn listed(lines: &[&str], range: &MissingRange) -> Vec<(u32, MissingEnd, Option<String>)> {
        let found = read(lines, range).unwrap();
        assert_eq!(found.lost + found.undecided, u64::try_from(found.first.len()).unwrap());
        found.first.into_iter().map(|one| (one.xid, one.lacks, one.at)).collect()
    }

    #[test]
    fn the_exact_text() {
        let text = |range| missing_transactions(&instance(NodeKind::Datanode), &control(), &range, Patience(14));
        assert_eq!(
            text(range(0x0304_9F90, 0x0393_20C0)).as_str(),
            "{ TZ=UTC timeout -k 1 14 pg_waldump -p '/data/dn 01/pg_wal' -t 2 -s 0/3000028 -e 0/39320C0 -r Transaction 2>&1; \
             echo \"status $?\"; } \
             | grep -E '^status |^pg_waldump: |desc: (COMMIT|COMMIT_PREPARED|PREPARE|ABORT_PREPARED) ' \
             | cut -c 1-200 | head -n 1000"
        );
        let standby = instance(NodeKind::Datanode);
        assert_eq!(
            has_received(&standby, Timeline(4), Lsn(0x0304_9F8F), 16 << 20, Patience(14)).as_str(),
            "timeout -k 1 14 pg_waldump -p '/data/dn 01/pg_wal' -t 4 -s 0/3000000 -n 1"
        );
        assert!(text(range(0x0304_9F90, 0x1000_0000)).as_str().contains(" -e 0/7000028 -r "));
    }

    #[test]
    fn every_record_that_ends_a_transaction() {
        let at = |text: &str| Some(text.to_owned());
        for (lines, found) in [
            (&[COMMIT][..], vec![(585, MissingEnd::Commit, at("2026-12-01T00:37:18.469886Z"))]),
            (&[COMMIT_WITH_MORE], vec![(20459, MissingEnd::Commit, at("2026-12-01T00:40:06.398150Z"))]),
            (&[COMMIT_OF_V5], vec![(1353, MissingEnd::Commit, at("2026-12-01T09:57:10.779137Z"))]),
            (&[PREPARE], vec![(584, MissingEnd::Prepare, None)]),
            (&[PREPARE.trim_end()], vec![(584, MissingEnd::Prepare, None)]),
            (
                &[PREPARE, COMMIT, COMMIT_PREPARED],
                vec![
                    (584, MissingEnd::PrepareAndCommit, at("2026-12-01T00:37:18.428087Z")),
                    (585, MissingEnd::Commit, at("2026-12-01T00:37:18.469886Z")),
                ],
            ),
            (&[COMMIT_PREPARED], vec![(584, MissingEnd::CommitPrepared, at("2026-12-01T00:37:18.428087Z"))]),
            (&[ABORT_PREPARED], vec![(15605, MissingEnd::AbortPrepared, at("2026-12-01T00:39:43.361542Z"))]),
            (&[PREPARE, &ABORT_PREPARED.replace("15605", "584")], vec![]),
            (&[], vec![]),
        ] {
            let lines: Vec<&str> = lines.iter().copied().chain(["status 0"]).collect();
            assert_eq!(listed(&lines, &ALL), found, "{lines:?}");
        }
        let found = read(&[ABORT_PREPARED, COMMIT, "status 0"], &ALL).unwrap();
        assert_eq!((found.lost, found.undecided, found.complete), (1, 1, true));
    }

    /// The standby's last byte may be the end of a record, or in the midst of one, which it then lacks.
    #[test]
    fn a_record_is_missing_whose_end_is() {
        let lines = [COMMIT_PREPARED, COMMIT, "status 0"];
        let xids =
            |beyond| listed(&lines, &range(beyond, 0x0393_20C0)).into_iter().map(|(xid, ..)| xid).collect::<Vec<_>>();
        assert_eq!(xids(0x0304_9F90), [584, 585]);
        // 58 bytes from 0/3049F90 on, and six to the next multiple of 8.
        assert_eq!(xids(0x0304_9FC8), [584, 585]);
        assert_eq!(xids(0x0304_9FD0), [585]);
        assert_eq!(xids(0x0304_A3C0), [0; 0]);
        // A record that runs over the end of a page goes on behind the next one's header.
        let torn = COMMIT.replace("0/0304A388", "0/0304BFE8");
        let lines = [torn.as_str(), "status 0"];
        let count = |beyond| listed(&lines, &range(beyond, 0x0393_20C0)).len();
        assert_eq!((count(0x0304_C000), count(0x0304_C030), count(0x0304_C038)), (1, 1, 0));
    }

    #[test]
    fn what_was_not_read_to_its_end_is_not_complete() {
        let complete =
            |lines: &[&str], range: &MissingRange| read(lines, range).map(|found| (found.lost, found.complete));
        assert_eq!(complete(&[COMMIT, "status 0"], &ALL), Ok((1, true)));
        // More than is read at most: of WAL, of time, of records.
        assert_eq!(complete(&[COMMIT, "status 0"], &range(0x0300_0028, 0x1000_0000)), Ok((1, false)));
        for status in ["status 124", "status 137", ""] {
            assert_eq!(complete(&[COMMIT, status], &ALL), Ok((1, false)));
        }
        // Nothing came, or pg_waldump found something else than the end.
        let gone = "pg_waldump: FATAL:  could not find file \"000000020000000000000003\": No such file or directory";
        assert!(complete(&[gone, "status 1"], &ALL).unwrap_err().contains("could not find file"));
        let torn = "pg_waldump: FATAL:  error in WAL record at 0/3931FB0: invalid record length at 0/39320C0: wanted 24, got 0";
        assert!(complete(&[COMMIT, torn, "status 1"], &ALL).is_err());
        assert!(complete(&[], &ALL).is_err());
        for bad in [&COMMIT[..60], "rmgr: Transaction", "desc: COMMIT "] {
            assert!(complete(&[bad, "status 0"], &ALL).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_screenful_is_listed_and_all_are_counted() {
        let line = |xid: usize| COMMIT.replace("585", &xid.to_string());
        let lines: Vec<String> = (1000..1040).map(line).chain(["status 0".to_owned()]).collect();
        let found = read_missing_transactions(&lines.join("\n"), &control(), &ALL).unwrap();
        assert_eq!((found.lost, found.first.len(), found.first[0].xid), (40, MOST_LISTED, 1000));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in any::<String>(), at in any::<u64>()) {
            let range = MissingRange { start: Lsn(at), beyond: Lsn(at), end: Lsn(u64::MAX) };
            let _ = read_missing_transactions(&text, &control(), &range);
            let _ = read_missing_transactions(&format!("{COMMIT} {text}\nrmgr: Transaction{text}"), &control(), &range);
        }
    }
}
