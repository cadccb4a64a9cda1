//! Text for people.

mod plan;
mod report;

pub use plan::{moves_text, plan_text};
pub use report::report_text;
