//! The commands of a salvage: there may be hundreds of files, so the first one is shown and the others are counted.

use bytesize::ByteSize;

use super::limits::START;
use crate::model::{Instance, InstanceId};
use crate::opentenbase::salvage::{SalvageRange, stage_directory};
use crate::opentenbase::{self, command, query};

/// The commands and what they do, in order.
pub(super) fn run(standby: &Instance, source: &InstanceId, range: &SalvageRange) -> Vec<String> {
    let parts = range.parts();
    let Some(first) = parts.first() else { return Vec::new() };
    let others = match parts.len() - 1 {
        0 => String::new(),
        1 => " and the next file".to_owned(),
        more => format!(" and the next {more} files"),
    };
    let (from, to, stage) = (&source.server, &standby.id.server, stage_directory(standby));
    let (bytes, conf) = (ByteSize(range.bytes()), opentenbase::recovery_path(standby));
    vec![
        format!(
            "{from}$ read pg_wal/{}{others} from {} to {} ({bytes}), with sha256",
            first.name, range.from, range.to
        ),
        format!("{to}$ write {stage}/{}{others}: its own bytes, then those of {from}; check sha256", first.name),
        format!("{to}$ {}", command::stop(standby, START.into())),
        format!("{to}$ write {conf}: restore_command takes these files"),
        format!("{to}$ {}", command::start(standby, START.into())),
        format!("{}=> {}", standby.id, query::replayed()),
        format!("{to}$ write {conf}: as it was before"),
        format!("{to}$ rm -rf {stage}"),
    ]
}
