//! Text for people.

mod plan;
mod report;

pub use plan::{moves_text, plan_text};
pub use report::{first_part_text, report_text};
