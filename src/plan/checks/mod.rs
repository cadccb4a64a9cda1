//! The preflight: every check that matters for a set of changes, all made, all reported.

mod cluster;
mod takeover;

use super::check::{Check, CheckCode, CheckId, Verdict, Waiver};

pub(crate) use cluster::{for_routers, for_unclear};
pub(crate) use takeover::for_node;

/// What a check found, before it has a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    verdict: Verdict,
    found: String,
    hint: Option<String>,
}

impl Finding {
    pub(crate) fn pass(found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Pass, found: found.into(), hint: None }
    }

    pub(crate) fn warn(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, found: found.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn block(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { verdict: Verdict::Block, found: found.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn unknown(found: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unknown, found: found.into(), hint: Some(hint.into()) }
    }

    pub(crate) fn of(self, code: CheckCode, subject: impl std::fmt::Display) -> Check {
        let Self { verdict, found, hint } = self;
        Check { id: CheckId::new(code, subject), code, verdict, found, hint, waived_because: None }
    }
}

/// Lifts the blocks that a waiver names. Returns the waivers that named nothing.
pub(crate) fn apply_waivers(checks: &mut [Check], waivers: &[Waiver]) -> Vec<CheckId> {
    let mut unused = Vec::new();
    for waiver in waivers {
        let mut matched = false;
        for check in checks.iter_mut().filter(|check| check.id == waiver.check) {
            matched = true;
            if check.verdict.refuses() {
                check.verdict = Verdict::Waived;
                check.waived_because = Some(waiver.reason.clone());
            }
        }
        if !matched {
            unused.push(waiver.check.clone());
        }
    }
    unused
}
