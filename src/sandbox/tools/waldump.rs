//! pg_waldump: good enough to find the end of a node's WAL and the transactions in it, in the words of a live v2.6.

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Lsn, Timeline};
use crate::sandbox::Flavor;
use crate::sandbox::server::{Daemon, disk_at};
use crate::sandbox::world::{Body, Postgres, Record, SEGMENT, Wal};

use super::Console;
use super::args::Parsed;

const LONG: &[(&str, char)] = &[
    ("path", 'p'),
    ("start", 's'),
    ("end", 'e'),
    ("timeline", 't'),
    ("limit", 'n'),
    ("stats", 'z'),
    ("rmgr", 'r'),
    ("xid", 'x'),
];

pub(super) fn run(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> u8 {
    let fatal = |text: &str| {
        console.err(format!("pg_waldump: FATAL:  {text}\n"));
        1
    };
    let parsed = match Parsed::parse(args, "psetnrx", "zbf", LONG) {
        Ok(parsed) => parsed,
        Err(error) => return fatal(&error),
    };
    let usage = |text: &str| {
        console.err(format!("pg_waldump: {text}\nTry \"pg_waldump --help\" for more information.\n"));
        1
    };
    if args.is_empty() {
        return usage("no arguments specified");
    }
    let number = |letter| parsed.value(letter).and_then(|text| text.parse::<u32>().ok());
    let Some(start) = parsed.value('s').and_then(|text| text.parse::<Lsn>().ok()) else {
        return fatal("no start WAL location given");
    };
    let timeline = Timeline(number('t').unwrap_or(1));
    let Some(data) = data_directory(&parsed, console) else {
        return fatal("could not open directory \"pg_wal\": No such file or directory");
    };
    let wanted = Wanted {
        timeline,
        start,
        end: parsed.value('e').and_then(|text| text.parse().ok()),
        limit: number('n').and_then(|limit| usize::try_from(limit).ok()),
        manager: parsed.value('r').map(ToOwned::to_owned),
        transaction: number('x'),
    };
    let dump = disk_at(&data).and_then(|disk| {
        daemon.with(|world, _| world.postgres(disk).map(|copy| dump(copy, &wanted, daemon.site.flavor)))
    });
    match dump {
        None => {
            let given = parsed.value('p').unwrap_or(".");
            usage(&format!("path \"{given}\" cannot be opened: No such file or directory"))
        }
        Some(Ok(text)) => {
            console.out(text);
            0
        }
        Some(Err((text, why))) => {
            console.out(text);
            fatal(&why)
        }
    }
}

/// `-p DIR/pg_wal` or `-p DIR`; else the current directory.
fn data_directory(parsed: &Parsed, console: &Console) -> Option<PathBuf> {
    let path = parsed.value('p').map_or_else(|| console.absolute("."), |path| console.absolute(path));
    if path.ends_with("pg_wal") { path.parent().map(PathBuf::from) } else { Some(path) }
}

/// What is asked for.
struct Wanted {
    timeline: Timeline,
    start: Lsn,
    end: Option<Lsn>,
    limit: Option<usize>,
    manager: Option<String>,
    transaction: Option<u32>,
}

impl Wanted {
    fn takes(&self, line: &Line) -> bool {
        self.manager.as_ref().is_none_or(|manager| manager.eq_ignore_ascii_case(line.manager))
            && self.transaction.is_none_or(|transaction| transaction == line.transaction)
    }
}

/// The records from `start` on, and how reading ended: with an error, unless a limit or the wanted end came first.
fn dump(copy: &Postgres, wanted: &Wanted, flavor: Flavor) -> Result<String, (String, String)> {
    let Wanted { timeline, start, .. } = *wanted;
    let wal = &copy.wal;
    let none = |why: String| Err((String::new(), why));
    let file = Wal::file_name(timeline, Lsn(start.0 + 1));
    if timeline > wal.timeline || timeline < wal.timeline_at(start) {
        return none(format!("could not find file \"{file}\": No such file or directory"));
    }
    // An older timeline's files end where it was left.
    let end = wal.history.iter().find(|(old, _)| *old == timeline).map_or(wal.end(), |(_, left)| *left);
    let to = wanted.end.map_or(end, |to| to.min(end));
    let records: Vec<(usize, &Arc<Record>)> =
        wal.records().iter().enumerate().filter(|(_, record)| record.start >= start && record.end <= to).collect();
    let (Some((_, first)), Some((_, last))) = (records.first(), records.last()) else {
        return none(format!("could not find a valid record after {start}"));
    };
    let mut text = String::new();
    if first.start != start && !start.0.is_multiple_of(SEGMENT) {
        let over = first.start.bytes_ahead_of(start);
        text = format!("first record is after {start}, at {}, skipping over {over} bytes\n", first.start);
    }
    let lines =
        records.iter().map(|(index, record)| Line::of(*index, record, flavor)).filter(|line| wanted.takes(line));
    let mut printed = 0;
    for line in lines.take(wanted.limit.unwrap_or(usize::MAX)) {
        text.push_str(&line.print(wal));
        printed += 1;
    }
    if wanted.limit.is_some_and(|limit| limit <= printed) || wanted.end.is_some_and(|wanted| wanted <= end) {
        return Ok(text);
    }
    Err((text, format!("error in WAL record at {}: invalid record length at {end}: wanted 24, got 0", last.start)))
}

/// A record as it is printed.
struct Line<'a> {
    record: &'a Record,
    manager: &'static str,
    transaction: u32,
    description: String,
}

impl<'a> Line<'a> {
    /// Each record that has a transaction has its own: its number in the log.
    fn of(index: usize, record: &'a Record, flavor: Flavor) -> Self {
        // Seen on a live v5.
        let gts = if flavor == Flavor::V5 { ", gts: 1" } else { "" };
        let own = 600 + u32::try_from(index).unwrap_or(u32::MAX - 600);
        let timeline = record.timeline;
        let (manager, transaction, description) = match &record.body {
            Body::Commit(_) => ("Transaction", own, format!("COMMIT {}{gts}", record.at.utc())),
            Body::Checkpoint { shutdown } => {
                let word = if *shutdown { "CHECKPOINT_SHUTDOWN" } else { "CHECKPOINT_ONLINE" };
                ("XLOG", 0, format!("{word} redo {}; tli {timeline}; prev tli {timeline}", record.start))
            }
            Body::EndOfRecovery { previous } => {
                ("XLOG", 0, format!("END_OF_RECOVERY tli {timeline}; prev tli {previous}; time {}", record.at))
            }
            Body::Filler(_) => ("Heap", own, "INSERT off 1".to_owned()),
            Body::Switch => ("XLOG", 0, "SWITCH ".to_owned()),
        };
        Self { record, manager, transaction, description }
    }

    fn print(&self, wal: &Wal) -> String {
        let Self { record, manager, transaction, description } = self;
        let length = record.end.bytes_ahead_of(record.start);
        let previous =
            wal.records().iter().rev().find(|other| other.end <= record.start).map_or(Lsn(0), |other| other.start);
        let padded = |lsn: Lsn| format!("{:X}/{:08X}", lsn.0 >> 32, lsn.0 & 0xFFFF_FFFF);
        format!(
            "rmgr: {manager:<11} len (rec/tot): {length:6}/{length:6}, tx: {transaction:10}, lsn: {}, prev {}, \
             desc: {description}\n",
            padded(record.start),
            padded(previous)
        )
    }
}
