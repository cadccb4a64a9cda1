//! What apply tells while it works. Events flow one way: executor → views.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::NodeName;
use crate::plan::StepId;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The lock is held from here on.
    Locked {
        servers: usize,
    },
    /// The steps are about to begin.
    Started {
        steps: usize,
    },
    StepStarted {
        step: StepId,
    },
    /// A step's state became final.
    StepEnded {
        step: StepId,
        outcome: Outcome,
        milliseconds: u64,
    },
    /// A step that had been done was taken back.
    Undone {
        step: StepId,
        ok: bool,
        detail: String,
    },
    /// Something worth knowing that is no failure.
    Note {
        text: String,
    },
    /// How long nobody could write to a moved node.
    Gap {
        node: NodeName,
        milliseconds: u64,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Outcome {
    /// Its postcondition was seen to hold.
    Done,
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

    pub(super) fn not_done(why: impl Into<String>) -> Self {
        Self::NotDone { why: why.into() }
    }

    pub(super) fn skipped(why: impl Into<String>) -> Self {
        Self::Skipped { why: why.into() }
    }
}

/// Milliseconds of a duration, for events.
pub(super) fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
