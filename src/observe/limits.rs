//! How long, and how much at once.

use std::num::NonZeroUsize;
use std::time::Duration;

/// Bounds on one look at the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// For one answer: a login, or a round of questions in one session.
    pub answer: Duration,
    /// For one server's shell: connection and script.
    pub shell: Duration,
    /// Sessions to coordinators, datanodes and GTMs at the same time.
    pub sockets: NonZeroUsize,
    /// Servers whose shell is used at the same time.
    pub shells: NonZeroUsize,
}

impl Limits {
    /// How long processes may keep silent before tools are run to learn what they do. (They are waited for all the
    /// same.) Not sooner: where all are slow because a machine is overloaded, hundreds of tools would be the end of it.
    pub(super) fn head_start(&self) -> Duration {
        self.answer / 2
    }

    /// How long otb waits for the next answer after that.
    pub(super) fn pause(&self) -> Duration {
        self.answer / 20
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(5),
            shell: Duration::from_secs(15),
            sockets: NonZeroUsize::MIN.saturating_add(2047),
            shells: NonZeroUsize::MIN.saturating_add(63),
        }
    }
}
