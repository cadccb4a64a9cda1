//! Rendering: values in, text out. Styles are ANSI; whoever prints strips them where they do not belong.

mod diff;
mod progress;
mod status;
mod style;
mod text;
mod words;

pub use diff::route_diff;
pub use progress::{ProgressView, event_line};
pub use status::status_text;
pub use style::{bold, dim, error_line, hint_line};
pub use text::{plan_text, report_text};
