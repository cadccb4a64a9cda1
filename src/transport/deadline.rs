//! One time limit for several awaits.

use std::time::Duration;

use tokio::time::Instant;

/// When an answer must be there, and the limit that errors name.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    pub(super) at: Instant,
    pub(super) limit: Duration,
}

impl Deadline {
    /// Returns the remaining time.
    pub fn left(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

/// Counted from now.
impl From<Duration> for Deadline {
    fn from(limit: Duration) -> Self {
        Self { at: Instant::now() + limit, limit }
    }
}
