//! The events of apply for machines: one JSON object per line, on standard output (`--format json`) or in a file
//! (`--events`). The last line always reports how otb ended.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use parking_lot::Mutex;

use super::args::{Format, Global};
use super::failure::Failure;
use super::{Exit, outcome, terminal};
use crate::apply::{EVENTS_VERSION, Event, EventLine, Report};
use crate::codes::{Code, ErrorCode};
use crate::plan::Plan;

/// The stream of events, to wherever it is wanted.
pub(super) struct Events {
    on_stdout: bool,
    /// None: not wanted, or it could not be written any more.
    file: Mutex<Option<(PathBuf, File)>>,
}

impl Events {
    /// Opens the file, before anything else is done: an audit that cannot be written is known in time. Events are
    /// appended, so that the run that goes on does not wipe out the one that stopped.
    pub(super) fn open(global: &Global, path: Option<&Path>) -> Result<Self, Failure> {
        let open = |path: &Path| {
            let file = OpenOptions::new().create(true).append(true).open(path);
            file.map(|file| (path.to_owned(), file)).map_err(|error| {
                Failure::new(
                    ErrorCode::OutputUnwritable,
                    format!("failed to open {} for events: {error}; nothing was changed", path.display()),
                )
            })
        };
        let file = path.map(open).transpose()?;
        Ok(Self { on_stdout: global.format == Format::Json, file: Mutex::new(file) })
    }

    /// Writes one event.
    pub(super) fn tell(&self, event: &Event) {
        let mut file = self.file.lock();
        if !self.on_stdout && file.is_none() {
            return;
        }
        let line = line(event);
        if self.on_stdout {
            terminal::result(&line);
        }
        if let Some((path, open)) = &mut *file
            && let Err(error) = open.write_all(line.as_bytes())
        {
            // A full disk here is no reason to stop half-way over there.
            terminal::say(&format!(
                "warning: failed to write {}: {error}; otb writes no more events there",
                path.display()
            ));
            *file = None;
        }
    }

    pub(super) fn planned(&self, plan: &Plan) {
        self.tell(&Event::Planned { plan: Box::new(plan.clone()) });
    }

    /// The end of an apply that came to one.
    pub(super) fn finished(&self, exit: Exit, report: Option<&Report>, left: Option<&Plan>) {
        self.end(exit, outcome::code(exit).map(Code::Error), None, (report, left));
    }

    /// The end of an apply that failed early.
    pub(super) fn failed(&self, failure: &Failure) {
        self.end(failure.exit(), Some(failure.code), Some(failure.message.clone()), (None, None));
    }

    fn end(&self, exit: Exit, code: Option<Code>, why: Option<String>, so_far: (Option<&Report>, Option<&Plan>)) {
        let (exit, meaning) = (exit.code(), exit.meaning().to_owned());
        let code = code.map(|code| code.as_str().to_owned());
        let (report, left) = so_far;
        let left = left.map(|plan| Box::new(plan.clone()));
        self.tell(&Event::Finished { exit, meaning, code, why, report: report.cloned(), left });
    }
}

fn line(event: &Event) -> String {
    let at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let line = EventLine { format_version: EVENTS_VERSION.to_owned(), at, event: event.clone() };
    // Strings, numbers and maps with text keys: nothing in an event can fail to become JSON.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}
