//! Readiness as Markdown.

use super::MOST;
use super::part::{part, with_note};
use crate::diagnosis::{NodeReadiness, Readiness, Ready, StandbyReadiness};
use crate::plan::Check;
use crate::view::escape::{cut, markdown, markdown_code};
use crate::view::ready::{loses, sentence};

/// Room of the table, in characters; the checks have the rest.
const TABLE: usize = 30_000;
/// For the sentences around them.
const WORDS: usize = 1_000;
/// The most characters of a sentence.
const SENTENCE: usize = 400;

/// Renders in at most 60,000 characters.
pub fn ready_markdown(readiness: &Readiness) -> String {
    let rows: Vec<String> = readiness.nodes.iter().flat_map(rows).collect();
    let head = "\n| node | kind | standby | ready | a failover now loses |\n|---|---|---|---|---|\n";
    let table = part(TABLE, "standby", &rows, (head, ""), Clone::clone);
    let standbys = readiness.nodes.iter().flat_map(|node| &node.standbys);
    let checks = standbys.flat_map(|standby| &standby.checks).chain(&readiness.checks);
    let refusing: Vec<&Check> = checks.filter(|check| check.verdict.refuses()).collect();
    let head = "\n| check | verdict | found | what to do |\n|---|---|---|---|\n";
    let checks = part(MOST - TABLE - WORDS, "check", &refusing, (head, ""), |check| {
        let words = |text: &str| markdown(&cut(text, SENTENCE));
        let hint = check.hint.as_deref().unwrap_or_default();
        let (id, verdict) = (markdown_code(check.id.as_str()), check.verdict.word());
        format!("| {id} | {verdict} | {} | {} |\n", words(&check.found), words(hint))
    });
    format!(
        "**otb ready** {}: {}.\n{}{}\n<sub>observed {}</sub>\n",
        markdown_code(readiness.cluster.as_str()),
        sentence(readiness),
        with_note(&table),
        with_note(&checks),
        markdown(&readiness.observed_at)
    )
}

fn rows(node: &NodeReadiness) -> Vec<String> {
    let name = markdown_code(node.node.as_str());
    if node.standbys.is_empty() {
        return vec![format!("| {name} | {} | | {} | |\n", node.kind, Ready::NoStandby.word())];
    }
    let row = |standby: &StandbyReadiness| {
        let (id, word) = (markdown_code(&standby.instance.to_string()), standby.verdict.word());
        let word = if standby.verdict.refuses() { format!("**{word}**") } else { word.to_owned() };
        format!("| {name} | {} | {id} | {word} | {} |\n", node.kind, loses(node, standby))
    };
    node.standbys.iter().map(row).collect()
}
