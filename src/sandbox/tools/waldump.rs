//! pg_waldump: good enough to find the end of a node's WAL, in the words of a live v2.6.

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Lsn, Timeline};
use crate::sandbox::server::{Daemon, disk_at};
use crate::sandbox::world::{Body, Postgres, Record, Wal};

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
    let dump = disk_at(&data).and_then(|disk| {
        daemon.with(|world, _| world.postgres(disk).map(|copy| dump(copy, timeline, start, number('n'))))
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

/// The records from `start` on, and how reading ended: with an error, unless a limit came first.
fn dump(copy: &Postgres, timeline: Timeline, start: Lsn, limit: Option<u32>) -> Result<String, (String, String)> {
    let wal = &copy.wal;
    let none = |why: String| Err((String::new(), why));
    let file = Wal::file_name(timeline, Lsn(start.0 + 1));
    if timeline > wal.timeline || timeline < wal.timeline_at(start) {
        return none(format!("could not find file \"{file}\": No such file or directory"));
    }
    // An older timeline's files end where it was left.
    let end = wal.history.iter().find(|(old, _)| *old == timeline).map_or(wal.end(), |(_, left)| *left);
    let records: Vec<&Arc<Record>> =
        wal.records().iter().filter(|record| record.start >= start && record.end <= end).collect();
    let Some(last) = records.last() else {
        return none(format!("could not find a valid record after {start}"));
    };
    let wanted = limit.and_then(|limit| usize::try_from(limit).ok());
    let mut text = String::new();
    for record in records.iter().take(wanted.unwrap_or(usize::MAX)) {
        text.push_str(&line(record, wal));
    }
    if wanted.is_some_and(|wanted| wanted <= records.len()) {
        return Ok(text);
    }
    let (last, end) = (last.start, last.end);
    Err((text, format!("error in WAL record at {last}: invalid record length at {end}: wanted 24, got 0")))
}

fn line(record: &Record, wal: &Wal) -> String {
    let length = record.end.bytes_ahead_of(record.start);
    let previous =
        wal.records().iter().rev().find(|other| other.end <= record.start).map_or(Lsn(0), |other| other.start);
    let (manager, transaction, description) = match &record.body {
        Body::Commit(_) => ("Transaction", 600, format!("COMMIT {}", record.at)),
        Body::Checkpoint { shutdown } => {
            let word = if *shutdown { "CHECKPOINT_SHUTDOWN" } else { "CHECKPOINT_ONLINE" };
            ("XLOG", 0, format!("{word} redo {}; tli {}; prev tli {}", record.start, record.timeline, record.timeline))
        }
        Body::EndOfRecovery { previous } => {
            ("XLOG", 0, format!("END_OF_RECOVERY tli {}; prev tli {previous}; time {}", record.timeline, record.at))
        }
        Body::Filler(_) => ("Heap", 601, "INSERT off 1".to_owned()),
        Body::Switch => ("XLOG", 0, "SWITCH ".to_owned()),
    };
    let padded = |lsn: Lsn| format!("{:X}/{:08X}", lsn.0 >> 32, lsn.0 & 0xFFFF_FFFF);
    format!(
        "rmgr: {manager:<11} len (rec/tot): {length:6}/{length:6}, tx: {transaction:10}, lsn: {}, prev {}, desc: {description}\n",
        padded(record.start),
        padded(previous)
    )
}
