//! A plan as a comment on a change request: GitHub and GitLab render it, and take no more than so much.
//!
//! The order is that of reading: the one sentence, what changes, what stands in the way, the drawing, then the exact
//! statements and all checks, folded. Each part has its room; what does not fit is left out whole rows and whole steps
//! at a time, and said.

mod findings;
mod part;
mod plan;
mod ready;
mod status;

pub use plan::plan_markdown;
pub use ready::ready_markdown;
pub use status::status_markdown;

/// The most characters of a document. GitHub refuses comments of more than 65,536; a pipeline may add its own words.
const MOST: usize = 60_000;
