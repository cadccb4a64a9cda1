//! What people and machines see of a plan: documents that hold whatever is in them, of any size.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod browser;
mod commands;
#[path = "../support/fixture.rs"]
mod fixture;
mod graph;
mod hostile;
#[path = "../support/limited.rs"]
mod limited;
mod markdown;
mod report;
#[path = "../support/skip.rs"]
mod skip;
#[path = "../support/values.rs"]
mod values;
