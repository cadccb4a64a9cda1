//! The live cluster as Markdown.

use super::MOST;
use super::findings::findings;
use super::part::{part, with_note};
use crate::view::escape::{cut, markdown, markdown_code};
use crate::view::status::{NodeStatus, Status, is_bad, nodes, sentence};
use crate::view::words::count;

/// Room of the findings and of the instances that are not in order, in characters; the others have the rest.
const FINDINGS: usize = 20_000;
const WRONG: usize = 20_000;
/// For the sentences around the tables.
const WORDS: usize = 1_000;
/// The most characters of a server's sentence.
const SENTENCE: usize = 400;

const HEAD: &str = "\n| node | kind | instance | endpoint | state |\n|---|---|---|---|---|\n";

/// Renders the live cluster in at most 60,000 characters: what is wrong first, what is in order folded.
pub fn status_markdown(status: &Status<'_>, observed_at: &str) -> String {
    let Status { subject, cluster, seen, findings: found } = status;
    let nodes = nodes(cluster, seen);
    let found_part = findings(FINDINGS, &found.iter().collect::<Vec<_>>());
    let (bad, right): (Vec<String>, Vec<String>) = rows(&nodes);
    let bad = part(WRONG, "instance", &bad, (HEAD, ""), Clone::clone);
    let folded = format!("\n<details><summary>{} in order</summary>\n{HEAD}", count(right.len(), "instance"));
    let room = MOST - FINDINGS - WRONG - WORDS;
    let right = part(room, "instance", &right, (&folded, "\n</details>\n"), Clone::clone);
    format!(
        "**otb status** {}: {}.\n{}{}{}\n<sub>observed {}</sub>\n",
        markdown_code(subject),
        sentence(cluster, found),
        with_note(&found_part),
        with_note(&bad),
        with_note(&right),
        markdown(observed_at)
    )
}

/// Rows of instances that are not in order, and of the others.
fn rows(nodes: &[NodeStatus<'_>]) -> (Vec<String>, Vec<String>) {
    let (mut bad, mut right) = (Vec::new(), Vec::new());
    for status in nodes {
        for (instance, line) in &status.instances {
            let is_bad = is_bad(line);
            let words: String = line.iter().map(|(_, text)| text.as_str()).collect();
            let words = markdown(&cut(&words, SENTENCE));
            let row = format!(
                "| {} | {} | {} | {} | {} |\n",
                markdown_code(status.node.name.as_str()),
                status.node.kind,
                markdown_code(&instance.id.to_string()),
                markdown_code(&instance.endpoint.to_string()),
                if is_bad { format!("**{words}**") } else { words }
            );
            if is_bad { bad.push(row) } else { right.push(row) }
        }
    }
    (bad, right)
}
