//! Salvage: which parts of a dead master's WAL files its standby lacks, and the commands that read, stage and check them.
//!
//! The standby takes a staged file by restore_command, which recovery asks before it looks into pg_wal (WaitForWALToBecomeAvailable,
//! xlog.c). A restored file then replaces the one in pg_wal (KeepFileRestoredFromArchive, xlogarchive.c). So each staged
//! file is whole: the standby's own bytes, then those it lacks, then zeros, where replay ends.

mod conf;

pub use conf::{with_salvage, without_salvage};

use super::command::write_file;
use super::{Command, quote};
use crate::model::{Instance, Lsn, SystemId, Timeline};

/// One page of WAL (XLOG_BLCKSZ, which no OpenTenBase build changes; the page header shows it).
const PAGE: u64 = 8192;

/// The most that travels in one script: in base64 it stays below the MiB that is kept of a script's output.
pub const PIECE_BYTES: u64 = 88 * PAGE;

/// The WAL that a standby lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SalvageRange {
    pub timeline: Timeline,
    /// The standby has everything before.
    pub from: Lsn,
    /// The end of the dead master's WAL.
    pub to: Lsn,
    /// Size of one WAL file.
    pub segment_bytes: u32,
}

/// The part of one WAL file that a standby lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalPart {
    /// The file's name.
    pub name: String,
    /// The beginning of the file.
    pub begin: Lsn,
    /// How many of its bytes the standby has itself; whole pages.
    pub own: u64,
    /// How many of its bytes are wanted; whole pages.
    pub wanted: u64,
    segment_bytes: u32,
}

/// Some pages of a [`WalPart`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub offset: u64,
    pub bytes: u64,
}

/// The end of the last record, if WAL ends at `end`: a page begins with a header, and a standby that has replayed the
/// record before it has not replayed the header (XLogReadRecord, xlogreader.c).
pub fn end_of_last_record(end: Lsn, segment_bytes: u32) -> Lsn {
    // SizeOfXLogLongPHD, SizeOfXLogShortPHD
    let header = if end.0 % u64::from(segment_bytes.max(1)) < PAGE { 40 } else { 24 };
    if end.0 % PAGE == header { Lsn(end.0 - header) } else { end }
}

impl SalvageRange {
    /// The files that are staged, oldest first.
    pub fn parts(&self) -> Vec<WalPart> {
        let size = u64::from(self.segment_bytes.max(1));
        let last = self.to.0.saturating_sub(1) / size;
        (self.from.0 / size..=last).map(|number| self.part(number)).collect()
    }

    fn part(&self, number: u64) -> WalPart {
        let size = u64::from(self.segment_bytes.max(1));
        let begin = Lsn(number.saturating_mul(size));
        let own = self.from.bytes_ahead_of(begin) / PAGE * PAGE;
        let wanted = self.to.bytes_ahead_of(begin).next_multiple_of(PAGE).min(size);
        // XLogFileName, xlog_internal.h.
        let per_id = (1_u64 << 32) / size.min(1 << 32);
        let name = format!("{:08X}{:08X}{:08X}", self.timeline.0, number / per_id, number % per_id);
        WalPart { name, begin, own: own.min(wanted), wanted, segment_bytes: self.segment_bytes }
    }

    /// How many bytes travel.
    pub fn bytes(&self) -> u64 {
        self.parts().iter().map(|part| part.wanted - part.own).sum()
    }

    /// How many bytes the staged files have.
    pub fn staged_bytes(&self) -> u64 {
        let files = u64::try_from(self.parts().len()).unwrap_or(u64::MAX);
        files.saturating_mul(u64::from(self.segment_bytes))
    }
}

impl WalPart {
    /// The pieces to transfer, in order.
    pub fn pieces(&self) -> Vec<Piece> {
        let begins = (self.own..self.wanted).step_by(usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX));
        begins.map(|offset| Piece { offset, bytes: PIECE_BYTES.min(self.wanted - offset) }).collect()
    }
}

/// The staging directory: inside the data directory, so that files move into pg_wal without being copied again.
pub fn stage_directory(instance: &Instance) -> String {
    format!("{}/otb-salvage", instance.data)
}

fn wal_file(instance: &Instance, part: &WalPart) -> String {
    quote(&format!("{}/pg_wal/{}", instance.data, part.name))
}

fn staged(instance: &Instance, part: &WalPart) -> String {
    quote(&format!("{}/{}", stage_directory(instance), part.name))
}

/// Prints the size, the first page's header and the checksum of the wanted part of a dead master's WAL file.
pub fn describe_part(source: &Instance, part: &WalPart) -> Command {
    let file = wal_file(source, part);
    Command::new(format!(
        "{{ stat -L -c 'size %s' {file} && echo \"header $(od -An -v -tx1 -N40 {file} | tr -d ' \\n')\" && \
         echo \"sha256 $(head -c {} {file} | sha256sum | cut -c 1-64)\"; }}",
        part.wanted
    ))
    .shown_as(format!("head -c {} {file} | sha256sum", part.wanted))
}

/// Reads what [`describe_part`] printed: the checksum, if the file is that part of that database system's WAL.
pub fn read_part(text: &str, part: &WalPart, system: SystemId, timeline: Timeline) -> Result<String, String> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let name = &part.name;
    let size = u64::from(part.segment_bytes);
    if value("size ").and_then(|size| size.parse().ok()) != Some(size) {
        return Err(format!("WAL file {name} does not have {size} bytes"));
    }
    let header =
        value("header ").and_then(Header::read).ok_or_else(|| format!("WAL file {name} has no page header"))?;
    let Header { long, timeline: own, begin, system: its_system, segment, page } = header;
    if !long || u64::from(segment) != size || u64::from(page) != PAGE || begin != part.begin.0 {
        return Err(format!("the page header of WAL file {name} is not that of a file that begins at {}", part.begin));
    }
    if its_system != system.0 {
        return Err(format!("WAL file {name} belongs to system identifier {its_system}, not {system}"));
    }
    if own == 0 || own > timeline.0 {
        return Err(format!("WAL file {name} belongs to timeline {own}, not {timeline}"));
    }
    let sum = value("sha256 ").filter(|sum| sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()));
    sum.map(ToOwned::to_owned).ok_or_else(|| format!("WAL file {name} has no checksum"))
}

/// The long header of a WAL file's first page (XLogLongPageHeaderData, xlog_internal.h), of a little-endian server.
struct Header {
    long: bool,
    timeline: u32,
    begin: u64,
    system: u64,
    segment: u32,
    page: u32,
}

impl Header {
    fn read(hex: &str) -> Option<Self> {
        let digits = hex.as_bytes().chunks_exact(2);
        let bytes: Option<Vec<u8>> =
            digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
        let bytes = bytes?;
        let four = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let eight = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
        // XLP_LONG_HEADER
        let long = bytes.get(2)? & 2 != 0;
        Some(Self {
            long,
            timeline: four(4)?,
            begin: eight(8)?,
            system: eight(24)?,
            segment: four(32)?,
            page: four(36)?,
        })
    }
}

/// Prints some pages of a dead master's WAL file in base64.
pub fn read_piece(source: &Instance, part: &WalPart, piece: Piece) -> Command {
    let (skip, count) = (piece.offset / PAGE, piece.bytes / PAGE);
    let file = wal_file(source, part);
    Command::new(format!("dd if={file} bs={PAGE} skip={skip} count={count} 2>/dev/null | base64 -w 0"))
        .shown_as(format!("dd if={file} bs={PAGE} skip={skip} count={count}"))
}

/// What [`read_piece`] printed, if it is base64 of as many bytes as the piece has.
pub fn check_piece(text: &str, piece: Piece) -> Result<&str, String> {
    let text = text.trim();
    let padding = text.len() - text.trim_end_matches('=').len();
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let body = &text.as_bytes()[..text.len() - padding];
    let bytes = (text.len() / 4 * 3).checked_sub(padding).and_then(|bytes| u64::try_from(bytes).ok());
    if text.len().is_multiple_of(4) && bytes == Some(piece.bytes) && body.iter().all(|byte| is_base64(*byte)) {
        Ok(text)
    } else {
        Err(format!("{} bytes of WAL could not be read at offset {}", piece.bytes, piece.offset))
    }
}

/// Makes an empty staging directory.
pub fn begin_staging(standby: &Instance) -> Command {
    let stage = quote(&stage_directory(standby));
    Command::new(format!("{{ rm -rf {stage} && mkdir {stage}; }}"))
}

/// Begins a staged file with what the standby has of it itself.
pub fn begin_part(standby: &Instance, part: &WalPart) -> Command {
    let (own, staged) = (wal_file(standby, part), staged(standby, part));
    if part.own == 0 {
        return Command::new(format!(": >{staged}.part"));
    }
    Command::new(format!(
        "{{ head -c {} {own} >{staged}.part && test \"$(stat -c %s {staged}.part)\" = {}; }}",
        part.own, part.own
    ))
    .shown_as(format!("head -c {} {own} >{staged}", part.own))
}

/// Appends a piece in base64, checked by [`check_piece`], to a staged file.
pub fn append_piece(standby: &Instance, part: &WalPart, base64: &str) -> Command {
    let staged = staged(standby, part);
    Command::new(format!("printf %s '{base64}' | base64 -d >>{staged}.part")).shown_as(format!("append to {staged}"))
}

/// Fills a staged file up and gives it its name, if it has the checksum of the dead master's file.
pub fn seal_part(standby: &Instance, part: &WalPart, sha256: &str) -> Command {
    let staged = staged(standby, part);
    let (size, wanted, name) = (part.segment_bytes, part.wanted, &part.name);
    Command::new(format!(
        "{{ truncate -s {size} {staged}.part && \
         if test \"$(head -c {wanted} {staged}.part | sha256sum | cut -c 1-64)\" = {sha256}; \
         then mv -fT {staged}.part {staged}; \
         else echo 'the first {wanted} bytes of the staged {name} differ from the WAL of the dead master' >&2; false; fi; }}"
    ))
    .shown_as(format!("sha256sum {staged}"))
}

/// Removes everything that is staged.
pub fn end_staging(standby: &Instance) -> Command {
    Command::new(format!("rm -rf {}", quote(&stage_directory(standby))))
}

/// Writes `text`, of [`with_salvage`] or [`without_salvage`], as the standby's recovery.conf.
pub fn write_own_recovery_conf(standby: &Instance, text: &str) -> Command {
    let path = super::recovery_path(standby);
    write_file(&path, text).shown_as(format!("write {path}: as before the salvage"))
}

/// The same with the restore_command of a salvage.
pub fn write_salvage_conf(standby: &Instance, text: &str) -> Command {
    let path = super::recovery_path(standby);
    write_file(&path, text)
        .shown_as(format!("write {path}: restore_command takes files from {}", stage_directory(standby)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SYSTEM: SystemId = SystemId(7_714_178_063_143_921_311);

    /// Verbatim: od of a WAL file of a v2.6.0 datanode.
    const HEADER: &str = "97d00700010000000000000400000000571c1200000000009fe6cdb313440e6b0000000100200000";

    fn range(from: u64, to: u64) -> SalvageRange {
        SalvageRange { timeline: Timeline(1), from: Lsn(from), to: Lsn(to), segment_bytes: 16 << 20 }
    }

    fn described(size: u64) -> String {
        format!("size {size}\nheader {}\nsha256 {}\n", HEADER, "a".repeat(64))
    }

    #[test]
    fn one_page_travels_where_one_is_missing() {
        let parts = range(0x31D_4938, 0x31D_4A00).parts();
        let [part] = parts.as_slice() else { panic!("{parts:?}") };
        assert_eq!((part.name.as_str(), part.begin), ("000000010000000000000003", Lsn(0x300_0000)));
        assert_eq!((part.own, part.wanted), (0x1D_4000, 0x1D_6000));
        assert_eq!(part.pieces(), [Piece { offset: 0x1D_4000, bytes: 8192 }]);
    }

    #[test]
    fn several_files_are_whole_but_the_first_and_the_last() {
        let all = range(0x31D_4938, 0x507_06E8);
        let parts = all.parts();
        let sizes: Vec<_> = parts.iter().map(|part| (part.own, part.wanted)).collect();
        assert_eq!(sizes, [(0x1D_4000, 16 << 20), (0, 16 << 20), (0, 0x7_2000)]);
        assert_eq!(all.bytes(), parts.iter().flat_map(WalPart::pieces).map(|piece| piece.bytes).sum::<u64>());
        assert_eq!(all.staged_bytes(), 48 << 20);
        // Beginning and ending between two files.
        let parts = range(0x400_0000, 0x500_0000).parts();
        assert_eq!(parts.iter().map(|part| (part.own, part.wanted)).collect::<Vec<_>>(), [(0, 16 << 20)]);
        let small =
            SalvageRange { segment_bytes: 1 << 20, timeline: Timeline(2), ..range(0x1_0010_0010, 0x1_0010_0020) };
        assert_eq!(small.parts()[0].name, "000000020000000100000001");
    }

    #[test]
    fn a_page_that_has_only_its_header_holds_no_record() {
        let end = |lsn| end_of_last_record(Lsn(lsn), 16 << 20).0;
        assert_eq!((end(0x300_2018), end(0x300_0028)), (0x300_2000, 0x300_0000));
        assert_eq!((end(0x300_2028), end(0x300_0018), end(0x300_2000)), (0x300_2028, 0x300_0018, 0x300_2000));
    }

    #[test]
    fn a_file_of_another_system_timeline_or_place_is_refused() {
        let part = range(0x400_0000, 0x400_0100).parts().remove(0);
        let read = |text: &str, part: &WalPart, system, timeline| read_part(text, part, system, Timeline(timeline));
        assert_eq!(read(&described(16 << 20), &part, SYSTEM, 1), Ok("a".repeat(64)));
        for (text, system, timeline, why) in [
            (described(16 << 20), SystemId(1), 1, "belongs to system identifier 7714178063143921311, not 1"),
            (described(16 << 20), SYSTEM, 0, "belongs to timeline 1, not 0"),
            (described(4711), SYSTEM, 1, "does not have 16777216 bytes"),
            (described(16 << 20).replace("97d0070001", "97d0050001"), SYSTEM, 1, "page header"),
            ("size 16777216\nheader 97\nsha256 x\n".to_owned(), SYSTEM, 1, "has no page header"),
            (described(16 << 20).replace("aa", "zz"), SYSTEM, 1, "no checksum"),
        ] {
            let found = read(&text, &part, system, timeline).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
        let elsewhere = range(0x500_0000, 0x500_0100).parts().remove(0);
        assert!(read(&described(16 << 20), &elsewhere, SYSTEM, 1).unwrap_err().contains("begins at 0/5000000"));
    }

    #[test]
    fn a_piece_is_base64_of_its_length() {
        let piece = Piece { offset: 0, bytes: 4 };
        assert_eq!(check_piece("AAAAAA==\n", piece), Ok("AAAAAA=="));
        for bad in ["", "AAAA", "AAAAAAA=", "AAAA'A==", "AAAAA==", "AAAAAA==x"] {
            assert!(check_piece(bad, piece).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in any::<String>(), from in any::<u64>(), size in any::<u32>(), more in 0..1_u64 << 34) {
            let to = Lsn(from.saturating_add(more));
            let range = SalvageRange { timeline: Timeline(1), from: Lsn(from), to, segment_bytes: size.max(1 << 20) };
            for part in range.parts() {
                let _ = read_part(&text, &part, SYSTEM, Timeline(1));
                prop_assert!(part.own <= part.wanted);
            }
            let _ = check_piece(&text, Piece { offset: 0, bytes: 3 });
            let _ = without_salvage(&text);
        }
    }
}
