//! The sandbox over its sockets and commands, through the binary, as a user has it.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

#[path = "sandbox/gtm.rs"]
mod gtm;
#[path = "sandbox/harness.rs"]
mod harness;
#[path = "sandbox/lifecycle.rs"]
mod lifecycle;
#[path = "sandbox/postgres.rs"]
mod postgres;
#[path = "sandbox/psql.rs"]
mod psql;
#[path = "support/skip.rs"]
mod skip;
#[path = "sandbox/tools.rs"]
mod tools;
