//! The transport against servers that misbehave: throw-away listeners, shells and an sshd, all on loopback.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[cfg(test)]
#[path = "../support/closed_port.rs"]
mod closed_port;
#[cfg(test)]
mod common;
#[cfg(test)]
mod lanes;
mod local_shell;
#[cfg(test)]
mod lock;
#[cfg(test)]
mod login;
#[cfg(test)]
#[path = "../support/skip.rs"]
mod skip;
#[cfg(test)]
mod ssh;
#[cfg(test)]
#[path = "../support/sshd.rs"]
mod sshd;
#[cfg(test)]
mod tls;
