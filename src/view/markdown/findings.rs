//! Findings in Markdown.

use super::part::{Part, part};
use crate::model::{Finding, NextCommand};
use crate::view::escape::{cut, markdown, markdown_code};

/// The most characters of a sentence.
const SENTENCE: usize = 400;

/// At most `room` characters, whole findings at a time.
pub(super) fn findings(room: usize, found: &[&Finding]) -> Part {
    part(room, "finding", found, ("\n", ""), |finding| {
        let next: String = finding.next.iter().map(command).collect();
        let (what, means) = (markdown(&cut(&finding.what, SENTENCE)), markdown(&cut(&finding.means, SENTENCE)));
        format!("- **{what}** ({})  \n  {means}\n{next}", finding.severity)
    })
}

fn command(NextCommand { command, when }: &NextCommand) -> String {
    let when = when.as_ref().map_or_else(String::new, |when| format!(" ({})", markdown(when)));
    format!("  - next{when}: {}\n", markdown_code(command))
}
