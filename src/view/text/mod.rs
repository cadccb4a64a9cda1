//! Text for people.

mod plan;
mod report;

pub use plan::plan_text;
pub use report::report_text;
