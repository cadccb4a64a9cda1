//! Pure: the declared cluster and an observation become a plan.

mod audit;
mod changes;
mod check;
mod checks;
mod document;
mod fingerprint;
mod gap;
mod gtm;
mod hung;
mod independent_nodes;
mod kept;
mod limits;
mod lines;
mod placement;
mod planner;
mod readiness;
mod rehearsal;
mod rejoin;
mod routes;
mod salvage;
mod salvage_wording;
mod silent;
mod situation;
mod split;
mod step;
mod steps;
mod survey;
mod sync;
mod unread;
mod wording;

#[cfg(test)]
mod tests;

pub use audit::audit;
pub(crate) use changes::in_doubt_on;
pub use check::{Check, CheckCode, CheckId, Verdict, Waiver};
pub(crate) use checks::{becomes, is_told_to_promote};
pub use document::{Afterwards, Change, ChangeKind, FORMAT_VERSION, LookedAt, Plan, SilentServer, Unseen};
pub use fingerprint::{declared_differently, is_intact, moved, role_words};
pub use gap::ExpectedGap;
pub use kept::KeptObservation;
pub(crate) use limits::{AT_ONCE, HOLD_ATTEMPT, LONGEST_HOLD, SERVES_AGAIN, START};
pub use lines::Lines;
pub use placement::{Drain, Move, drain};
pub use planner::{Input, plan, unused_waivers};
pub use readiness::{exposed_bytes, shared_takeover_checks, takeover_checks};
pub use rehearsal::{Alike, AssumedFact, Outcomes, Pairs, Rehearsal, RehearsedEnd, Story, Until, When, WithoutMaster};
pub(crate) use routes::wanted_forward;
pub(crate) use situation::{facts, running_masters};
pub use step::{Action, Phase, RejoinMethod, Step, StepId, Undo};
