//! WAL files on disk: written when a server ends, restored by restore_command when it starts.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::model::Lsn;
use crate::sandbox::world::{DiskId, MARK_BYTES, Postgres, SEGMENT, Wal};

use super::daemon::Daemon;

/// Writes what a copy's WAL files hold, most of which is nothing.
pub(super) fn write(copy: &Postgres, data: &Path) -> io::Result<()> {
    for file in copy.wal_files() {
        let mut out = fs::File::create(data.join("pg_wal").join(&file.name))?;
        out.set_len(SEGMENT)?;
        for (offset, bytes) in file.parts {
            out.seek(SeekFrom::Start(offset))?;
            out.write_all(&bytes)?;
        }
    }
    Ok(())
}

impl Daemon {
    /// Asks `restore_command` for the files behind a stopped copy's last record, and takes the records in them.
    pub(super) fn restore(self: &Arc<Self>, disk: DiskId, data: &Path, command: &str) -> io::Result<()> {
        while let Some((timeline, end)) = self.with(|world, _| {
            let copy = world.postgres(disk)?;
            Some((copy.wal.timeline, copy.wal.end()))
        }) {
            let name = Wal::file_name(timeline, Lsn(end.0 + 1));
            if !run(command, data, &name)? {
                break;
            }
            let file = data.join("pg_wal").join(&name);
            fs::rename(data.join(RESTORED), &file)?;
            self.take_from(disk, &file)?;
            let now = self.with(|world, _| world.postgres(disk).map(|copy| copy.wal.end()));
            if now.is_none_or(|now| now.0 / SEGMENT == end.0 / SEGMENT) {
                break;
            }
        }
        Ok(())
    }

    fn take_from(self: &Arc<Self>, disk: DiskId, file: &Path) -> io::Result<()> {
        let mut file = fs::File::open(file)?;
        loop {
            let end = self.with(|world, _| world.postgres(disk).map_or(0, |copy| copy.wal.end().0));
            let mut mark = [0; MARK_BYTES];
            file.seek(SeekFrom::Start(end % SEGMENT))?;
            let is_whole = file.read_exact(&mut mark).is_ok();
            if !is_whole || !self.with(|world, _| world.take_restored(disk, mark)) {
                return Ok(());
            }
            let now = self.with(|world, _| world.postgres(disk).map_or(0, |copy| copy.wal.end().0));
            if now / SEGMENT != end / SEGMENT {
                return Ok(());
            }
        }
    }
}

/// The place where a restore_command puts a file (RestoreArchivedFile, xlogarchive.c).
const RESTORED: &str = "pg_wal/RECOVERYXLOG";

/// Runs a restore_command in the data directory: whether it had the file.
fn run(command: &str, data: &Path, name: &str) -> io::Result<bool> {
    let mut text = String::new();
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '%' => match letters.next() {
                Some('f') => text.push_str(name),
                Some('p') => text.push_str(RESTORED),
                Some(other) => text.push(other),
                None => text.push('%'),
            },
            letter => text.push(letter),
        }
    }
    let mut shell = Command::new("timeout");
    shell.args(["10", "sh", "-c", &text]).current_dir(data).stdin(Stdio::null()).stdout(Stdio::null());
    Ok(shell.stderr(Stdio::null()).status()?.success() && data.join(RESTORED).exists())
}
