//! The journal of a run: one JSON document per line, appended, and on disk before each act. Inside a write gap, where a
//! busy disk may take seconds, what is on disk before an act is that it is ahead. For audit and `otb history`: nothing
//! reads it to go on. What is in it comes from the plan and from apply's events, which hold no secrets.

mod place;

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::SystemTime;

use parking_lot::Mutex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use place::kept;

use super::failure::Failure;
use super::{Exit, terminal};
use crate::apply::{End, Event};
use crate::codes::ErrorCode;
use crate::model::{ClusterName, Observation};
use crate::plan::{Change, Phase, Plan, StepId, Waiver};

/// The journal's version, by Terraform's rules: a minor one adds, a major one breaks.
const JOURNAL_VERSION: &str = "2.0";

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalLine {
    /// A minor version adds keys, a major one breaks.
    pub format_version: String,
    /// RFC 3339 in UTC, to the millisecond.
    pub at: String,
    /// Which run: `USER@HOST, pid N`.
    pub run: String,
    pub entry: Entry,
}

/// The event itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Entry {
    /// The lock is held, the plan is decided, nothing of it is done yet. A run in two parts has two.
    Plan {
        otb_version: String,
        cluster: ClusterName,
        fingerprint: String,
        /// What is to become different.
        #[serde(default)]
        changes: Vec<Change>,
        waivers: Vec<Waiver>,
        steps: Vec<Planned>,
    },
    /// Clients will have to wait from the next line on: any of these steps may have begun when this is the last line
    /// that reached the disk.
    Ahead { steps: Vec<StepId> },
    /// Records an event of apply. A step's start is on disk before the step acts, or its name in `ahead` is.
    Event { event: Event },
    /// How it ended.
    End { end: End, exit: u8 },
}

/// One step as it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Planned {
    pub id: StepId,
    /// The exact statements or commands.
    pub run: Vec<String>,
}

/// An open journal.
pub(super) struct Journal {
    file: Mutex<File>,
    path: PathBuf,
    run: String,
    /// It could not be written: said once.
    failed: AtomicBool,
    /// Steps before and after which clients may be waiting.
    gap: Mutex<Gap>,
    /// Brings to disk what is written while clients wait; each word to it is one time.
    behind: Option<mpsc::Sender<()>>,
}

/// Which steps of the plan under way belong to a write gap.
#[derive(Debug, Default)]
struct Gap {
    steps: Vec<StepId>,
    is_open: bool,
}

/// The position of a step that starts.
#[derive(Debug, PartialEq, Eq)]
enum Begins {
    Outside,
    /// It opens the gap: these may follow.
    Opens(Vec<StepId>),
    Inside,
}

impl Gap {
    fn of(plan: &Plan) -> Self {
        let inside = plan.steps.iter().filter(|step| !matches!(step.phase, Phase::Prepare | Phase::Rejoin));
        Self { steps: inside.map(|step| step.id.clone()).collect(), is_open: false }
    }

    fn begin(&mut self, step: &StepId) -> Begins {
        if !self.steps.contains(step) {
            Begins::Outside
        } else if std::mem::replace(&mut self.is_open, true) {
            Begins::Inside
        } else {
            Begins::Opens(self.steps.iter().filter(|other| *other != step).cloned().collect())
        }
    }
}

impl Journal {
    /// Opens the journal where `--journal` says: then a failure is an error. Without it, below the operator's state
    /// directory: a failure there is a warning, for a cluster in need must not wait for a home directory.
    pub(super) fn open(
        wanted: Option<&Path>,
        (cluster, seen): (&ClusterName, &Observation),
        run: String,
    ) -> Result<Option<Self>, Failure> {
        let path = match wanted {
            Some(path) => Ok(path.to_owned()),
            None => place::default_path(cluster, &place::system_ids(seen)),
        };
        let opened = path.and_then(|path| open(&path).map(|file| (file, path.clone())).map_err(|e| at(&path, &e)));
        match opened {
            Ok((file, path)) => {
                let (behind, gap) = (sync_behind(&file), Mutex::default());
                Ok(Some(Self { file: Mutex::new(file), path, run, failed: AtomicBool::new(false), gap, behind }))
            }
            Err(why) if wanted.is_some() => {
                Err(Failure::new(ErrorCode::OutputUnwritable, format!("failed to open the journal: {why}"))
                    .hint("nothing was changed; name a file that otb can append to"))
            }
            Err(why) => {
                terminal::say(&format!(
                    "warning: this run has no journal: {why}; use --journal FILE to name another \
                    place"
                ));
                Ok(None)
            }
        }
    }

    /// The plan that is about to be carried out.
    pub(super) fn plan(&self, plan: &Plan) {
        *self.gap.lock() = Gap::of(plan);
        let steps = plan.steps.iter().map(|step| Planned { id: step.id.clone(), run: step.run.iter().collect() });
        let entry = Entry::Plan {
            otb_version: plan.otb_version.clone(),
            cluster: plan.cluster.name.clone(),
            fingerprint: plan.fingerprint.clone(),
            changes: plan.changes.clone(),
            waivers: plan.waivers.clone(),
            steps: steps.collect(),
        };
        self.write(entry, Sync::Before);
    }

    pub(super) fn event(&self, event: &Event) {
        let sync = match event {
            Event::StepStarted { step } => self.begin(step),
            Event::Undoing { .. } => Sync::Before,
            _ => Sync::Later,
        };
        self.write(Entry::Event { event: event.clone() }, sync);
    }

    /// Returns when the start of `step` must be on disk. Steps that may follow the one that opens a gap are written
    /// with it.
    fn begin(&self, step: &StepId) -> Sync {
        let begins = self.gap.lock().begin(step);
        match begins {
            Begins::Inside => return Sync::Behind,
            Begins::Opens(steps) if !steps.is_empty() => self.write(Entry::Ahead { steps }, Sync::Later),
            Begins::Opens(_) | Begins::Outside => {}
        }
        Sync::Before
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn end(&self, end: End, exit: Exit) {
        self.write(Entry::End { end, exit: exit.code() }, Sync::Before);
    }

    /// A journal that cannot be written in mid-run is a warning: to stop between a stop and a promotion would be worse.
    fn write(&self, entry: Entry, sync: Sync) {
        let at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let line = JournalLine { format_version: JOURNAL_VERSION.to_owned(), at, run: self.run.clone(), entry };
        let written = serde_json::to_string(&line).map_err(io::Error::other).and_then(|text| {
            let mut file = self.file.lock();
            // One write, so that lines of two runs never mix.
            file.write_all((text + "\n").as_bytes())?;
            match sync {
                Sync::Before => file.sync_data(),
                Sync::Behind if self.behind.as_ref().is_none_or(|behind| behind.send(()).is_err()) => file.sync_data(),
                Sync::Behind | Sync::Later => Ok(()),
            }
        });
        if let Err(error) = written
            && !self.failed.swap(true, Ordering::Relaxed)
        {
            terminal::say(&format!("warning: the journal is not complete: {}: {error}", self.path.display()));
        }
    }
}

/// When a line is to be on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sync {
    /// Before anything goes on.
    Before,
    /// Writes as soon as possible, while the work continues.
    Behind,
    /// With the next one that must be.
    Later,
}

/// A thread that ends with the journal; none where the file or the thread cannot be had twice.
fn sync_behind(file: &File) -> Option<mpsc::Sender<()>> {
    let file = file.try_clone().ok()?;
    let (sender, receiver) = mpsc::channel();
    let work = move || {
        while receiver.recv().is_ok() {
            // Serves tasks that asked meanwhile too. A failure here happens again at the end, and is reported there.
            while receiver.try_recv().is_ok() {}
            let _ = file.sync_data();
        }
    };
    std::thread::Builder::new().name("journal".to_owned()).spawn(work).ok()?;
    Some(sender)
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn at(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_nobody_waiting_inside_the_gap_was_announced_before_it() {
        let step = |id: &str| StepId::new(id, &crate::model::InstanceId::try_from("dn01@s29".to_owned()).unwrap());
        let mut gap = Gap { steps: ["stop", "promote"].map(step).into(), is_open: false };
        let began: Vec<Begins> = ["checkpoint", "stop", "promote", "rejoin"].map(|id| gap.begin(&step(id))).into();
        let opens = Begins::Opens(vec![step("promote")]);
        assert_eq!(began, [Begins::Outside, opens, Begins::Inside, Begins::Outside]);
    }
}
