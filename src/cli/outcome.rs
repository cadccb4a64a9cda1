//! How an apply ended: the exit code and the report.

use super::args::{Format, Global};
use super::events::Events;
use super::failure::Failure;
use super::{Exit, terminal};
use crate::apply::Report;
use crate::codes::ErrorCode;
use crate::plan::Plan;
use crate::rehearsal::exit_of;
use crate::view;

/// Why an apply that came to its end did not end well.
pub(super) fn code(exit: Exit) -> Option<ErrorCode> {
    Some(match exit {
        Exit::Error => ErrorCode::ApplyFailed,
        Exit::Refused => ErrorCode::ApplyRefused,
        Exit::RolledBack => ErrorCode::ApplyRolledBack,
        Exit::PartWay => ErrorCode::ApplyPartWay,
        Exit::NotRejoined => ErrorCode::ApplyNotRejoined,
        Exit::UnknownOutcome => ErrorCode::ApplyUnknownOutcome,
        Exit::Interrupted => ErrorCode::ApplyInterrupted,
        // Done needs none; the others end an apply before it has begun, as failures with a code of their own.
        Exit::Done | Exit::Differences | Exit::Stale | Exit::Locked | Exit::Usage | Exit::Config => return None,
    })
}

/// The end of a run without work: refused, nothing to do, or not known. `None` means that there is work.
pub(super) fn settled(plan: &Plan) -> Option<Exit> {
    match (plan.is_refused(), plan.changes.is_empty(), plan.unseen.is_empty()) {
        (true, _, _) => Some(Exit::Refused),
        (false, false, _) => None,
        (false, true, true) => Some(Exit::Done),
        // A part that was not observed can be in any state: that is not "nothing to do".
        (false, true, false) => Some(Exit::Error),
    }
}

/// Ends an apply that did not begin; `left` is the plan made under the lock, if it came so far.
pub(super) fn not_begun(exit: Exit, left: Option<&Plan>, events: &Events) -> Result<Exit, Failure> {
    if exit == Exit::Error {
        let hint = "bring back what the plan lists as not observed, then apply again";
        let text = "nothing was done: otb could not observe the whole cluster";
        return Err(Failure::new(ErrorCode::ApplyUnseen, text).hint(hint));
    }
    events.finished(exit, None, left);
    Ok(exit)
}

/// Ends an apply that ran; `first` is what was done before `plan` could be made.
pub(super) fn finish(
    first: Option<&(Plan, Report)>,
    plan: &Plan,
    report: &Report,
    left: &Plan,
    (is_interrupted, global, events): (bool, &Global, &Events),
) -> Exit {
    let exit = match (exit(plan, report, left), first) {
        // The GTM has moved: whatever became of the rest, the cluster is not as before.
        (Exit::Error | Exit::RolledBack | Exit::Interrupted, Some(_)) => Exit::PartWay,
        (exit, _) => exit,
    };
    if global.format == Format::Text {
        if let Some((plan, report)) = first {
            terminal::prose(&view::first_part_text(plan, report));
        }
        terminal::prose(&view::report_text(plan, report, left, is_interrupted));
        if let Some(code) = code(exit) {
            terminal::more(&[code.as_str()]);
        }
    }
    events.finished(exit, Some(report), Some(left));
    exit
}

fn exit(plan: &Plan, report: &Report, left: &Plan) -> Exit {
    exit_of(report.end.held_against(plan, left))
}
