//! The lock of a run: who holds it, and how long one waits for somebody else's.

use std::time::Duration;

use super::failure::Failure;
use super::{look, terminal};
use crate::apply::{Lock, LockError};
use crate::codes::ErrorCode;
use crate::model::Cluster;
use crate::transport::Outside;

/// Takes the lock, or says who has it after `patience`.
pub(super) async fn take(cluster: &Cluster, outside: &Outside, patience: Duration) -> Result<Lock, Failure> {
    let holder = format!("otb {}, pid {}, since {}", whoami(), std::process::id(), look::now());
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        match Lock::take(cluster, outside, &holder, Duration::from_secs(15)).await {
            Ok(lock) => {
                for server in &lock.unreached {
                    terminal::say(&format!("warning: no lock on {server}"));
                }
                return Ok(lock);
            }
            Err(LockError::Taken { .. }) if tokio::time::Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error @ LockError::Taken { .. }) => {
                let hint = "wait for it, or use --lock-timeout 5m";
                return Err(Failure::new(ErrorCode::LockHeld, error.to_string()).hint(hint));
            }
            Err(error @ LockError::Nowhere(_)) => {
                return Err(Failure::new(ErrorCode::LockNowhere, error.to_string())
                    .hint("otb needs a shell on the servers: see `shell` in the file"));
            }
        }
    }
}

/// The operator's name and machine, for whoever finds the lock taken.
pub(super) fn whoami() -> String {
    let user =
        std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).unwrap_or_else(|_| "unknown user".to_owned());
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}")
}
