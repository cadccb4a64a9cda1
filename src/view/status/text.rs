//! As text: what is wrong, the next commands, then one line for each node.

use std::fmt::Write as _;

use super::Status;
use super::sentence;
use super::table::table;
use crate::view::findings::findings_text;
use crate::view::style;

/// Findings first, then a table; it fits 80 columns.
pub fn status_text(status: &Status<'_>) -> String {
    let Status { subject, cluster, seen, findings } = status;
    let sentence = sentence(cluster, findings);
    let sentence = if findings.iter().any(|finding| finding.severity.is_problem()) {
        style::bad(sentence)
    } else {
        style::good(sentence)
    };
    let mut out = format!("{}: {sentence}\n", style::bold(subject));
    if !findings.is_empty() {
        out.push_str(&findings_text(findings));
    }
    let _ = write!(out, "\n{}", table(cluster, seen, findings));
    if !seen.in_doubt.is_empty() {
        let _ = writeln!(out, "\n{}", style::bold("In doubt"));
        for one in &seen.in_doubt {
            let text = one.to_string();
            let _ = writeln!(out, "  {}", if one.is_of_a_coordinator() { style::bad(text) } else { text });
        }
    }
    out
}
