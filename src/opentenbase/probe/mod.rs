//! One script that looks at every instance of a server, and the reader of what it prints.
//!
//! Each line of the output is `NUMBER KEY TEXT`, whatever the tools say: the number is the instance's place in
//! the list, `KEY.status` carries a tool's exit status. Nothing is written and nothing is asked of a server
//! but by gtm_ctl, within two seconds.

mod probe_output;
mod read;
mod script;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use read::{USUAL_SEGMENT, read_probe};
pub use script::{probe_script, survey_script};

use crate::model::{
    Control, DataDir, Fact, HostEnvironment, Instance, Lsn, Process, Role, Timeline, TimelineSwitch, UnknownKind,
};

/// One instance to look at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub at: &'a Instance,
    pub tools: Tools,
}

/// Which of an instance's own tools are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tools {
    /// The process reports its state and its directory, or all processes of its node are as declared.
    None,
    /// Asks for the content of its directory; the process itself reports its state.
    Control,
    /// Asks for the state of the process.
    Process,
    /// Both.
    All,
}

/// How many instances one script may look at: beyond, several scripts do it side by side, and the lists of files
/// stay below what a process takes as arguments.
pub const MOST_LOOKS: usize = 100;

/// What the shell knows of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub process: Fact<Process>,
    /// A GTM's, by gtm_ctl.
    pub role: Option<Role>,
    pub control: Fact<Control>,
    pub data_dir: Fact<DataDir>,
    /// The ends of the ancestors of each timeline that has a history file.
    pub histories: BTreeMap<Timeline, Vec<TimelineSwitch>>,
    /// The beginning of the WAL files in pg_wal.
    pub oldest_wal: Fact<Lsn>,
    /// Told by [`survey_script`] only.
    pub host_environment: Fact<HostEnvironment>,
    /// The server's clock, as [`super::read_clock`] reads it.
    pub clock: Option<(i64, i64)>,
    /// Told by [`survey_script`] only.
    pub tools_version: Fact<String>,
}

/// Everything unknown for the same reason.
pub fn no_probe(kind: UnknownKind, why: &str) -> Probe {
    Probe {
        process: Fact::unknown(kind, why),
        role: None,
        control: Fact::unknown(kind, why),
        data_dir: Fact::unknown(kind, why),
        histories: BTreeMap::new(),
        oldest_wal: Fact::unknown(kind, why),
        host_environment: Fact::unknown(kind, why),
        clock: None,
        tools_version: Fact::unknown(kind, why),
    }
}

/// The number under which the version of an instance's tools is printed.
fn asked_by(looks: &[Look<'_>], number: usize) -> Option<usize> {
    let install = &looks.get(number).filter(|look| look.at.kind.is_router())?.at.install;
    looks.iter().position(|look| look.at.kind.is_router() && look.at.install == *install)
}
