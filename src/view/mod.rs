//! Rendering: values in, text out. Styles are ANSI; whoever prints strips them where they do not belong.

mod diff;
mod drift;
mod escape;
mod explain;
mod findings;
mod fold;
mod graph;
mod history;
mod html;
mod junit;
mod markdown;
mod outline;
mod progress;
mod prometheus;
mod status;
mod style;
mod text;
mod topology;
mod words;

pub use diff::route_diff;
pub use drift::drift_text;
pub use explain::{explained_text, listed_text};
pub use fold::fold;
pub use graph::{dot_graph, mermaid_graph, svg_graph};
pub use history::{HISTORY_VERSION, HistoryDocument, PastRun, PastStep, history_text, past_run_text};
pub use html::{plan_html, status_html};
pub use junit::drift_junit;
pub use markdown::{plan_markdown, status_markdown};
pub use outline::road;
pub use progress::{Looking, Motion, ProgressView, event_line};
pub use prometheus::drift_prometheus;
pub use status::{Disagreement, STATUS_VERSION, StatusDocument, status_text};
pub use style::{bold, error_line, headed, hint_line, more_line};
pub use text::{changes_text, first_part_text, moves_text, plan_text, question_text, refusal_text, report_text};
pub use topology::Topology;
