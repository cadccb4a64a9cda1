//! A command that failed: its code, what happened, and what to do next.

use super::Exit;
use crate::codes::{Code, ErrorCode};
use crate::config::{self, Diagnostics};

/// Why a command ends early.
#[derive(Debug)]
pub(super) struct Failure {
    pub code: Code,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code: Code::Error(code), message: message.into(), hint: None }
    }

    pub(super) fn exit(&self) -> Exit {
        self.code.exit()
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Hints at the known name that was meant, with what stands `before` and `behind` it; at some, where none is near.
    pub(super) fn meant<'a>(
        self,
        before: &str,
        text: &str,
        known: impl Iterator<Item = &'a str> + Clone,
        behind: &str,
    ) -> Self {
        match config::nearest(text, known.clone()) {
            Some(name) => self.hint(format!("did you mean {before}{name}{behind}?")),
            None => self.hint(format!("known values: {}", config::one_of(known))),
        }
    }
}

/// All mistakes of a cluster.yaml. Each has its own code in front; the first stands for all.
impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        let code = diagnostics.list.first().map_or(Code::Error(ErrorCode::InternalBug), |first| Code::File(first.code));
        Self { code, message: diagnostics.to_string(), hint: None }
    }
}
