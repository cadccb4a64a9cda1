//! Reading pg_controldata, and pg_waldump's last words.

use crate::model::{Control, ControlState, Lsn, Timeline};

/// Reads pg_controldata's text (LC_ALL=C). The timeline is the higher one of the last checkpoint's and the
/// minimum recovery point's: straight after a promotion only the latter knows the new timeline (seen live).
pub fn read_control(text: &str) -> Result<Control, String> {
    let value = |label: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(label)?.strip_prefix(':'))
            .map(str::trim)
            .ok_or_else(|| format!("pg_controldata does not print {label:?}"))
    };
    let state = value("Database cluster state")?;
    let number = |label: &str| {
        let text = value(label)?;
        text.parse::<u32>().map_err(|_| format!("{label}: {text:?} is not a number"))
    };
    let timeline = number("Latest checkpoint's TimeLineID")?;
    let reached = number("Min recovery ending loc's timeline").unwrap_or_default();
    Ok(Control {
        state: ControlState::ALL
            .into_iter()
            .find(|known| known.words() == state)
            .ok_or_else(|| format!("unknown database cluster state {state:?}"))?,
        system_id: value("Database system identifier")?.parse()?,
        timeline: Timeline(timeline.max(reached)),
        checkpoint_timeline: Timeline(timeline),
        checkpoint: value("Latest checkpoint location")?.parse()?,
        redo: value("Latest checkpoint's REDO location")?.parse()?,
        wal_segment_bytes: number("Bytes per WAL segment")?,
    })
}

/// Reads the line in which pg_waldump reports the end of the WAL: where the next record would begin, as far as it
/// shows. Any other text (a time-out, a missing redo point) is an error.
///
/// - `… error in WAL record at X: … at Y…`: Y.
/// - The same with a page instead of a Y (`unexpected pageaddr … in log segment …`), where a page or a recycled file
///   holds no WAL: the end of the record at X, the last that is whole, by its length on the line below.
/// - `could not find file "…"`: the file before is full (a base backup switches WAL files, seen live), and the
///   missing one was never begun.
pub fn read_end_of_wal(text: &str, control: &Control) -> Result<Lsn, String> {
    let unclear = || format!("pg_waldump printed {:?}", super::sanitize_for_display(text));
    if let Some((_, rest)) = text.split_once("could not find file \"") {
        return begin_of_file(rest, control).filter(|begin| *begin > control.redo).ok_or_else(unclear);
    }
    let (_, after) = text.split_once("error in WAL record at ").ok_or_else(unclear)?;
    let (last, rest) = after.split_once(": ").ok_or_else(unclear)?;
    let (reason, below) = rest.split_once('\n').unwrap_or((rest, ""));
    let last: Lsn = last.trim().parse().map_err(|_| unclear())?;
    let ends = reason.match_indices(" at ").filter_map(|(at, word)| leading_lsn(&reason[at + word.len()..]));
    let end = ends.last().or_else(|| end_of_record(last, total_length(below)?, control)).ok_or_else(unclear)?;
    if end < last { Err(unclear()) } else { Ok(end) }
}

/// The second number of pg_waldump's `len (rec/tot):     80/   106,`.
fn total_length(record: &str) -> Option<u64> {
    let (_, lengths) = record.split_once("len (rec/tot):")?;
    let (_, total) = lengths.split_once(',')?.0.split_once('/')?;
    total.trim().parse().ok()
}

/// XLOG_BLCKSZ of a build as it comes (src/include/pg_config.h).
const WAL_BLOCK_BYTES: u64 = 8192;
/// The header of each block: of the first block of a file, and of the others (access/xlog_internal.h).
const LONG_HEADER_BYTES: u64 = 40;
const SHORT_HEADER_BYTES: u64 = 24;

/// Returns the end of the record at `start`, with the headers of the blocks that it crosses: the next record would
/// begin there, at a multiple of 8.
pub(super) fn end_of_record(start: Lsn, total: u64, control: &Control) -> Option<Lsn> {
    let mut at = start.0;
    let mut left = total;
    loop {
        let room = WAL_BLOCK_BYTES - at % WAL_BLOCK_BYTES;
        if left <= room {
            return at.checked_add(left)?.checked_next_multiple_of(8).map(Lsn);
        }
        left -= room;
        at = at.checked_add(room)?;
        let first = at.is_multiple_of(u64::from(control.wal_segment_bytes));
        let header = if first { LONG_HEADER_BYTES } else { SHORT_HEADER_BYTES };
        at = at.checked_add(header)?;
    }
}

/// Returns the beginning of the WAL file whose name is at the start of `text`: timeline, and number in two parts.
/// Valid only if reading began on the timeline of that redo point; otherwise the first file may be the missing one.
fn begin_of_file(text: &str, control: &Control) -> Option<Lsn> {
    let part = |n: usize| u64::from_str_radix(text.get(n * 8..n * 8 + 8)?, 16).ok();
    let (timeline, high, low) = (part(0)?, part(1)?, part(2)?);
    let is_its_own = timeline == u64::from(control.timeline.0) && control.timeline == control.checkpoint_timeline;
    is_its_own.then(|| Lsn((high << 32) | (low * u64::from(control.wal_segment_bytes))))
}

fn leading_lsn(text: &str) -> Option<Lsn> {
    let end = text.find(|c: char| !c.is_ascii_hexdigit() && c != '/').unwrap_or(text.len());
    text[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::SystemId;

    /// Verbatim from a v2.6.0 datanode that was stopped fast (the lines that follow are left out).
    const STOPPED: &str = "\
pg_control version number:            1002
Catalog version number:               201707211
Database system identifier:           7711080223426993833
Database cluster state:               shut down
pg_control last modified:             Sun Nov 22 19:31:29 2026
Latest checkpoint location:           0/30088F8
Prior checkpoint location:            0/2000098
Latest checkpoint's REDO location:    0/30088F8
Latest checkpoint's REDO WAL file:    000000010000000000000003
Latest checkpoint's TimeLineID:       1
Latest checkpoint's PrevTimeLineID:   1
Latest checkpoint's full_page_writes: on
Latest checkpoint's NextXID:          0:583
Latest checkpoint's latestGTS:1413972021
Time of latest checkpoint:            Sun Nov 22 19:31:29 2026
Minimum recovery ending location:     0/0
Min recovery ending loc's timeline:   0
Bytes per WAL segment:                16777216
";

    #[test]
    fn a_clean_stop() {
        let control = read_control(STOPPED).unwrap();
        assert_eq!(
            control,
            Control {
                state: ControlState::ShutDown,
                system_id: SystemId(7_711_080_223_426_993_833),
                timeline: Timeline(1),
                checkpoint_timeline: Timeline(1),
                checkpoint: Lsn(0x0300_88F8),
                redo: Lsn(0x0300_88F8),
                wal_segment_bytes: 16 << 20,
            }
        );
    }

    #[test]
    fn straight_after_a_promotion_the_higher_timeline_counts() {
        let text = STOPPED
            .replace("state:               shut down", "state:               in production")
            .replace("timeline:   0", "timeline:   2");
        let control = read_control(&text).unwrap();
        assert_eq!((control.state, control.timeline), (ControlState::InProduction, Timeline(2)));
        assert_eq!(control.checkpoint_timeline, Timeline(1));
    }

    #[test]
    fn every_state_is_read_and_no_other() {
        for state in ControlState::ALL {
            let text = STOPPED.replace("  shut down\n", &format!("  {}\n", state.words()));
            assert_eq!(read_control(&text).unwrap().state, state);
        }
        let text = STOPPED.replace("  shut down\n", "  dreaming\n");
        assert_eq!(read_control(&text).unwrap_err(), "unknown database cluster state \"dreaming\"");
        assert!(read_control("pg_controldata: could not open file").is_err());
    }

    #[test]
    fn the_end_of_wal() {
        let control = read_control(STOPPED).unwrap();
        for (text, end) in [
            (
                "pg_waldump: FATAL:  error in WAL record at 0/2065FF0: invalid record length at 0/2066040: wanted 24, got 0",
                Some("0/2066040"),
            ),
            (
                "pg_waldump: FATAL:  error in WAL record at 0/30088F8: record with incorrect prev-link 0/1 at 0/3008978\n",
                Some("0/3008978"),
            ),
            (
                "pg_waldump: FATAL:  could not find file \"000000010000000000000004\": No such file or directory",
                Some("0/4000000"),
            ),
            // The file of the redo point itself, and one of another timeline.
            ("pg_waldump: FATAL:  could not find file \"000000010000000000000003\": No such file or directory", None),
            ("pg_waldump: FATAL:  could not find file \"000000020000000000000004\": No such file or directory", None),
            ("pg_waldump: FATAL:  could not find file \"00000\"", None),
            // A page that holds no WAL: by the length of the last record, with the headers of the pages it runs over.
            (
                "pg_waldump: FATAL:  error in WAL record at 0/3001F90: unexpected pageaddr 0/1002000 in log segment \
                 000000010000000000000003, offset 8192\nrmgr: Heap        len (rec/tot):     54/   106, tx:        600, \
                 lsn: 0/03001F90, prev 0/03001F50, desc: INSERT off 1\n",
                Some("0/3002000"),
            ),
            (
                "pg_waldump: FATAL:  error in WAL record at 0/3001F90: unexpected pageaddr 0/1002000 in log segment \
                 000000010000000000000003, offset 16384\nrmgr: Heap        len (rec/tot):     54/   120, tx:        600, ",
                Some("0/3002020"),
            ),
            (
                "pg_waldump: FATAL:  error in WAL record at 0/3FFFFF0: unexpected pageaddr 0/1002000 in log segment \
                 000000010000000000000004, offset 8192\nrmgr: Heap        len (rec/tot):     54/  8168, tx:        600, ",
                Some("0/4002000"),
            ),
            (
                "pg_waldump: FATAL:  error in WAL record at 0/5: unexpected pageaddr 0/1 in log segment 0, offset 0",
                None,
            ),
            ("pg_waldump: FATAL:  error in WAL record at 0/5: invalid record length at 0/4", None),
            ("", None),
        ] {
            assert_eq!(read_end_of_wal(text, &control).ok().map(|lsn| lsn.to_string()).as_deref(), end, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,80}") {
            let control = read_control(STOPPED).unwrap();
            let _ = (read_control(&text), read_end_of_wal(&text, &control));
            let _ = read_end_of_wal(&format!("error in WAL record at 0/1: {text}"), &control);
            let _ = read_end_of_wal(&format!("could not find file \"{text}"), &control);
        }

        #[test]
        fn a_cut_control_file_is_refused_or_right(cut in 0..STOPPED.len()) {
            if let Ok(control) = read_control(&STOPPED[..cut]) {
                prop_assert_eq!(control.state, ControlState::ShutDown);
            }
        }
    }
}
