//! The lock of a run: its holder, and how long otb waits for another run's lock.

use std::time::Duration;

use super::failure::Failure;
use super::{look, terminal};
use crate::apply::{Lock, LockError};
use crate::codes::ErrorCode;
use crate::model::Cluster;
use crate::transport::Connections;

/// Takes the lock, or says who has it after `patience`.
pub(super) async fn take(cluster: &Cluster, connections: &Connections, patience: Duration) -> Result<Lock, Failure> {
    let holder = format!("otb {}, pid {}, since {}", whoami(), std::process::id(), look::now());
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        match Lock::take(cluster, connections, &holder, Duration::from_secs(15)).await {
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
                    .hint("otb needs a shell on the servers: check `shell` in the file"));
            }
        }
    }
}

/// The operator's name and machine, for the run that finds the lock taken.
pub(super) fn whoami() -> String {
    let variable = |name| std::env::var(name).ok().filter(|user| !user.is_empty());
    let user = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(variable).unwrap_or_else(account);
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{user}@{host}")
}

/// The name of the account that otb runs as, where the environment does not say it: cron and containers.
fn account() -> String {
    let id = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(id, &accounts).map_or_else(|| format!("uid {id}"), str::to_owned)
}

fn name_of(id: u32, accounts: &str) -> Option<&str> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_account_is_named_as_the_system_names_it() {
        let accounts = "root:x:0:0:root:/root:/bin/sh\nbroken\nann:x:1000:100::/home/ann:/bin/sh\n";
        assert_eq!([0, 1000, 7].map(|id| super::name_of(id, accounts)), [Some("root"), Some("ann"), None]);
    }
}
