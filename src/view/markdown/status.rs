//! The live cluster as Markdown.

use super::MOST;
use super::part::{part, with_note};
use crate::model::{Cluster, Observation};
use crate::view::escape::{cut, markdown, markdown_code};
use crate::view::status::{NodeStatus, is_bad, nodes, sentence};

/// Room of the disagreements, in characters; the instances have the rest.
const DISAGREEMENTS: usize = 20_000;
/// For the sentences around the tables.
const WORDS: usize = 1_000;
/// The most characters of a server's sentence.
const SENTENCE: usize = 400;

/// Renders the live cluster in at most 60,000 characters: what is wrong first.
pub fn status_markdown(cluster: &Cluster, seen: &Observation, observed_at: &str) -> String {
    let nodes = nodes(cluster, seen);
    let wrong: Vec<_> = nodes.iter().flat_map(|status| &status.disagreements).collect();
    let head = "\n| node | router | routes it to | its master |\n|---|---|---|---|\n";
    let wrong_part = part(DISAGREEMENTS, "route", &wrong, (head, ""), |wrong| {
        format!(
            "| {} | {} | {} | {} |\n",
            markdown_code(wrong.node.as_str()),
            markdown_code(&wrong.router.to_string()),
            markdown_code(&wrong.routed_to),
            markdown_code(&wrong.master.to_string())
        )
    });
    let (bad, right): (Vec<String>, Vec<String>) = rows(&nodes);
    let rows: Vec<String> = bad.iter().chain(&right).cloned().collect();
    let head = "\n| node | kind | instance | endpoint | state |\n|---|---|---|---|---|\n";
    let room = MOST - DISAGREEMENTS - WORDS;
    let table = part(room, "instance", &rows, (head, ""), Clone::clone);
    format!(
        "**otb status** {}: {}.\n{}{}\n<sub>observed {}</sub>\n",
        markdown_code(cluster.name.as_str()),
        sentence(&nodes),
        with_note(&wrong_part),
        with_note(&table),
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
