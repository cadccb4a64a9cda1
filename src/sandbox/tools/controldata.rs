//! pg_controldata of v2.6, line for line (seen live).

use std::fmt::Write;
use std::sync::Arc;

use crate::model::{Lsn, Timeline};
use crate::sandbox::server::{Daemon, disk_at};
use crate::sandbox::world::{Postgres, Wal};

use super::Console;

pub(super) fn run(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> u8 {
    if args.iter().any(|arg| arg == "--version" || arg == "-V") {
        console.out(format!("pg_controldata (PostgreSQL) {}\n", daemon.site.flavor.server_version()));
        return 0;
    }
    let given = match args {
        [flag, path] if flag == "-D" => Some(path.as_str()),
        [path] => Some(path.strip_prefix("--pgdata=").or_else(|| path.strip_prefix("-D")).unwrap_or(path)),
        _ => None,
    };
    let Some(path) = given.map(|path| console.absolute(path)).or_else(|| console.pgdata.clone()) else {
        console
            .err("pg_controldata: no data directory specified\nTry \"pg_controldata --help\" for more information.\n");
        return 1;
    };
    let text = disk_at(&path).and_then(|disk| daemon.with(|world, _| world.postgres(disk).map(lines)));
    if let Some(text) = text {
        console.out(text);
        0
    } else {
        let file = path.join("global/pg_control");
        let why = match std::fs::metadata(&file) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => "Permission denied",
            _ => "No such file or directory",
        };
        let shown = file.display();
        console.err(format!("pg_controldata: could not open file \"{shown}\" for reading: {why}\n"));
        1
    }
}

/// The build and initdb settings of the server, the same for every instance.
const SETTINGS: &[(&str, &str)] = &[
    ("Backup start location:", "0/0"),
    ("Backup end location:", "0/0"),
    ("End-of-backup record required:", "no"),
    ("wal_level setting:", "logical"),
    ("wal_log_hints setting:", "on"),
    ("max_connections setting:", "200"),
    ("max_worker_processes setting:", "128"),
    ("max_prepared_xacts setting:", "60"),
    ("max_locks_per_xact setting:", "64"),
    ("track_commit_timestamp setting:", "on"),
    ("Maximum data alignment:", "8"),
    ("Database block size:", "8192"),
    ("Blocks per segment of large relation:", "131072"),
    ("WAL block size:", "8192"),
    ("Bytes per WAL segment:", "16777216"),
    ("Maximum length of identifiers:", "64"),
    ("Maximum columns in an index:", "32"),
    ("Maximum size of a TOAST chunk:", "1972"),
    ("Size of a large-object chunk:", "2048"),
    ("Date/time type storage:", "64-bit integers"),
    ("Float4 argument passing:", "by value"),
    ("Float8 argument passing:", "by value"),
    ("Data page checksum version:", "0"),
];

/// The state of an instance, as the first half of the output shows it.
fn state(copy: &Postgres) -> Vec<(&'static str, String)> {
    let control = &copy.control;
    let recovering = control.min_recovery_timeline != Timeline(0);
    let recovery_end = if recovering { copy.replayed() } else { Lsn(0) };
    let xid = 580 + copy.applied;
    let file = Wal::file_name(control.timeline, control.redo);
    let gts = (1_000_000_000 + xid).to_string();
    vec![
        ("pg_control version number:", "1002".into()),
        ("Catalog version number:", "201707211".into()),
        ("Database system identifier:", copy.system_id.to_string()),
        ("Database cluster state:", control.state.words().into()),
        ("pg_control last modified:", control.modified.ctime()),
        ("Latest checkpoint location:", control.checkpoint.to_string()),
        ("Prior checkpoint location:", control.prior_checkpoint.to_string()),
        ("Latest checkpoint's REDO location:", control.redo.to_string()),
        ("Latest checkpoint's REDO WAL file:", file),
        ("Latest checkpoint's TimeLineID:", control.timeline.to_string()),
        ("Latest checkpoint's PrevTimeLineID:", control.timeline.to_string()),
        ("Latest checkpoint's full_page_writes:", "on".into()),
        ("Latest checkpoint's NextXID:", format!("0:{xid}")),
        ("Latest checkpoint's NextOID:", "24576".into()),
        ("Latest checkpoint's NextMultiXactId:", "1".into()),
        ("Latest checkpoint's NextMultiOffset:", "0".into()),
        ("Latest checkpoint's oldestXID:", "3".into()),
        ("Latest checkpoint's oldestXID's DB:", "1".into()),
        ("Latest checkpoint's oldestActiveXID:", xid.to_string()),
        ("Latest checkpoint's oldestMultiXid:", "1".into()),
        ("Latest checkpoint's oldestMulti's DB:", "1".into()),
        ("Latest checkpoint's oldestCommitTsXid:", "3".into()),
        ("Latest checkpoint's newestCommitTsXid:", "3".into()),
        ("Latest checkpoint's latestCommitTs:", gts.clone()),
        ("Latest checkpoint's latestGTS:", gts),
        ("Time of latest checkpoint:", control.checkpoint_time.ctime()),
        ("Fake LSN counter for unlogged rels:", "0/1".into()),
        ("Minimum recovery ending location:", recovery_end.to_string()),
        ("Min recovery ending loc's timeline:", control.min_recovery_timeline.to_string()),
    ]
}

fn lines(copy: &Postgres) -> String {
    let settings = SETTINGS.iter().map(|(label, value)| (*label, (*value).to_owned()));
    let last = [
        ("Mock authentication nonce:", format!("{:064x}", copy.system_id.0)),
        ("Need mvcc if page is visible:", "0".into()),
    ];
    let mut text = String::new();
    for (label, value) in state(copy).into_iter().chain(settings).chain(last) {
        // v2.6's own two lines are not aligned (seen live).
        let width = if label.contains("'s latest") { 0 } else { 38 };
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{label:<width$}{value}");
    }
    text
}
