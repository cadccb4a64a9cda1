//! Tests that cannot run here say so loudly: past the test runner's capture, in a line that `.ci/test` repeats.

use std::io::Write as _;

/// Says that `what` did not run, and why.
pub(crate) fn skipped(what: &str, why: &str) {
    // print! and eprint! are captured for tests that pass; a write to the stream itself is not.
    let _ = writeln!(std::io::stderr(), "SKIPPED {what}: {why}");
}
