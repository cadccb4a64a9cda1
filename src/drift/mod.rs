//! Differences between the live cluster and the file, by kind, without those that are known and accepted.
//!
//! Pure, and without a way to change anything: this room knows no transport, no command and no apply. It compares an
//! observation; what could not be seen is neither a difference nor its absence.

mod baseline;
mod compare;
mod document;

#[cfg(test)]
mod tests;

pub use baseline::{Baseline, BaselineError, Entry};
pub use compare::{Input, drift};
pub use document::{Accepted, Difference, Drift, DriftId, FORMAT_VERSION, Kind, Note, NoteKind, Verdict};
