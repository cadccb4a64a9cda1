//! WAL files as bytes: a page header like a real server's, and at each record's place a mark that names the record. A
//! file with these bytes has these records, however the bytes were brought.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use crate::model::Lsn;

use super::World;
use super::instance::{DiskId, Postgres};
use super::wal::{Record, SEGMENT, Wal};

/// Bytes of a mark: no record is shorter.
pub const MARK_BYTES: usize = 24;

/// The content of a WAL file: bytes at offsets, zeros elsewhere.
pub struct WalFile {
    pub name: String,
    pub parts: Vec<(u64, Vec<u8>)>,
}

impl Postgres {
    /// The copy's WAL files, oldest first.
    pub fn wal_files(&self) -> Vec<WalFile> {
        let wal = &self.wal;
        let oldest = wal.kept_from.unwrap_or_else(|| wal.end_of(0));
        let numbers = oldest.0 / SEGMENT..=wal.end().0.saturating_sub(1) / SEGMENT;
        numbers.map(|number| self.wal_file(number)).collect()
    }

    fn wal_file(&self, number: u64) -> WalFile {
        let (begin, end) = (number * SEGMENT, (number + 1) * SEGMENT);
        let timeline = self.wal.timeline_at(Lsn((end - 1).min(self.wal.end().0)));
        let own = self.wal.records().iter().filter(|record| (begin..end).contains(&record.start.0));
        let marks = own.map(|record| (record.start.0 - begin, mark(record).to_vec()));
        // XLogLongPageHeaderData: magic and flags, timeline, place, (no rest of a record), system, sizes.
        let header = [
            &0xD097_u16.to_le_bytes()[..],
            &2_u16.to_le_bytes(),
            &self.wal.timeline_at(Lsn(begin)).0.to_le_bytes(),
            &begin.to_le_bytes(),
            &[0; 8],
            &self.system_id.0.to_le_bytes(),
            &u32::try_from(SEGMENT).unwrap_or_default().to_le_bytes(),
            &8192_u32.to_le_bytes(),
        ];
        let parts = marks.chain([(0, header.concat())]).collect();
        WalFile { name: Wal::file_name(timeline, Lsn(begin + 1)), parts }
    }
}

fn mark(record: &Record) -> [u8; MARK_BYTES] {
    let mut hasher = DefaultHasher::new();
    (record.start, record.end, record.timeline, record.at.0, format!("{:?}", record.body)).hash(&mut hasher);
    let mut mark = [0; MARK_BYTES];
    mark[..8].copy_from_slice(&record.start.0.to_le_bytes());
    mark[8..16].copy_from_slice(&record.end.0.to_le_bytes());
    mark[16..].copy_from_slice(&hasher.finish().to_le_bytes());
    mark
}

impl World {
    /// A stopped copy finds a restored mark where its WAL ends: it takes that record. False: it is none.
    pub fn take_restored(&mut self, disk: DiskId, found: [u8; MARK_BYTES]) -> bool {
        let Some((end, system)) = self.postgres(disk).map(|copy| (copy.wal.end(), copy.system_id)) else {
            return false;
        };
        let known = self.disks().filter(|(_, copy)| copy.system_id == system);
        let here = known.flat_map(|(_, copy)| copy.wal.records()).filter(|record| record.start == end);
        let record: Option<Arc<Record>> = here.filter(|record| mark(record) == found).last().cloned();
        match (record, self.postgres.get_mut(&disk)) {
            (Some(record), Some(copy)) => {
                copy.wal.push(record);
                true
            }
            _ => false,
        }
    }
}
