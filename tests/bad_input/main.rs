//! Bad input through the real binary: the exit code of the contract, a message that says what, where and what
//! to do next, nothing changed, no panic, no hang.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "../support/closed_port.rs"]
mod closed_port;
mod cut_off;
mod directories;
mod edits;
mod fakes;
mod fence;
mod file;
#[path = "../support/fixture.rs"]
mod fixture;
mod greeting;
mod gtm;
mod hostile;
mod injection;
mod journal;
#[path = "../support/limited.rs"]
mod limited;
mod lock;
mod promotion;
mod rehearse;
mod saved;
mod servers;
mod spelling;
mod split;
mod streams;
mod usage;
mod waivers;
mod writing;
