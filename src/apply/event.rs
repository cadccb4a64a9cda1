//! The events of apply while it works. They flow one way: executor → views.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::held::HoldReport;
use super::report::{Report, Undone};
use crate::model::NodeName;
use crate::plan::{ExpectedGap, Plan, StepId};

/// The version of the stream of events, by Terraform's rules: a minor one adds, a major one breaks.
pub const EVENTS_VERSION: &str = "2.0";

/// One line of `otb apply --format json` and of `--events FILE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventLine {
    /// The version of the stream: a minor version adds, a major one breaks.
    pub format_version: String,
    /// When it happened, RFC 3339 in UTC, with milliseconds.
    pub at: String,
    #[serde(flatten)]
    pub event: Event,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// What is to be applied. The first event, unless nothing could be planned. A plan with `afterwards` is followed by
    /// a second one once its steps are done: the rest.
    Planned { plan: Box<Plan> },
    /// The lock is held from here on.
    Locked {
        /// On how many servers.
        servers: usize,
    },
    /// The steps are about to begin.
    Started {
        /// How many.
        steps: usize,
    },
    /// A step's precondition is asked, then it is done.
    StepStarted { step: StepId },
    /// A step's state became final.
    StepEnded {
        step: StepId,
        outcome: Outcome,
        /// From its start until its outcome was known.
        milliseconds: u64,
    },
    /// A step is about to be taken back.
    Undoing { step: StepId },
    /// A step that had been done was taken back.
    Undone(Undone),
    /// Something worth knowing that is no failure.
    Note { text: String },
    /// How long no client could write to a moved node, as otb measured it: from the stop until the last coordinator
    /// reached the new master.
    Gap {
        node: NodeName,
        milliseconds: u64,
        /// The gap that the plan expected.
        #[serde(default)]
        expected: Option<ExpectedGap>,
    },
    /// Clients waited while masters moved.
    Hold(HoldReport),
    /// The last event, always: how otb ended.
    Finished {
        /// otb's exit code (docs/reference/exit-codes.md).
        exit: u8,
        /// The meaning of that code.
        meaning: String,
        /// The code for `otb explain`; `None` means that the run ended well.
        code: Option<String>,
        /// The error message, where it ended with one.
        why: Option<String>,
        /// Every step's outcome, for the plan that was announced last; `None` means that nothing was started.
        report: Option<Report>,
        /// The plan made last, under the lock or after the run: what is left to do.
        left: Option<Box<Plan>>,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// Its postcondition was seen to hold.
    Done,
    /// Its act was never sent: a precondition did not hold, or nothing could be sent to its server.
    NotBegun { why: String },
    /// It did not happen, or was seen not to have helped.
    NotDone { why: String },
    /// Contact was lost: it may or may not have happened.
    Unknown { why: String },
    /// Left out because something it depends on failed, or because of an interrupt.
    Skipped { why: String },
}

impl Outcome {
    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done)
    }

    pub fn not_done(why: impl Into<String>) -> Self {
        Self::NotDone { why: why.into() }
    }

    pub fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped { why: why.into() }
    }
}

/// Milliseconds of a duration, for events.
pub(super) fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
