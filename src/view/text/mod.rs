//! Text for people.

mod plan;
mod report;

pub use plan::{changes_text, moves_text, plan_text, question_text, refusal_text};
pub use report::{first_part_text, report_text};
