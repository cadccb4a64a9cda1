//! A command that did not come about: exit code, what, and what to do next.

use super::Exit;

/// Why a command ends early.
#[derive(Debug)]
pub(super) struct Failure {
    pub exit: Exit,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    pub(super) fn error(message: impl Into<String>) -> Self {
        Self::new(Exit::Error, message)
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Hints at the known name nearest to what was written; `before` is what stands before the name.
    pub(super) fn meant<'a>(self, before: &str, text: &str, known: impl Iterator<Item = &'a str>) -> Self {
        let near = |name: &str| strsim::jaro_winkler(name, text);
        match known.max_by(|a, b| near(a).total_cmp(&near(b))) {
            Some(name) => self.hint(format!("did you mean {before}{name}?")),
            None => self,
        }
    }
}
