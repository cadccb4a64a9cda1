//! Drift as JUnit XML: one test case for each node and kind, so that a CI shows which node drifts and how.
//! A difference is a failure, what could not be seen an error, what is accepted is skipped.

use std::io;

use quick_xml::Writer;
use quick_xml::events::BytesText;

use crate::drift::{Accepted, Difference, Drift, Kind};
use crate::model::{NodeName, Unknown};
use crate::plan::Unseen;

/// The result of a case.
enum Outcome<'a> {
    Passed,
    Failed(Vec<&'a Difference>),
    Skipped(Vec<&'a Accepted>),
    Unseen(Vec<&'a Unseen>),
}

/// The document.
pub fn drift_junit(drift: &Drift) -> io::Result<String> {
    let cases: Vec<(&NodeName, &str, Outcome<'_>)> = drift.nodes.iter().flat_map(|node| cases(drift, node)).collect();
    let count =
        |test: fn(&Outcome<'_>) -> bool| cases.iter().filter(|(_, _, outcome)| test(outcome)).count().to_string();
    let numbers = [
        ("tests", cases.len().to_string()),
        ("failures", count(|outcome| matches!(outcome, Outcome::Failed(_)))),
        ("errors", count(|outcome| matches!(outcome, Outcome::Unseen(_)))),
        ("skipped", count(|outcome| matches!(outcome, Outcome::Skipped(_)))),
    ];
    let numbers = || numbers.iter().map(|(key, value)| (*key, value.as_str()));
    let name = format!("otb drift {}", drift.cluster);
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.create_element("testsuites").with_attributes(numbers()).write_inner_content(|writer| {
        let suite =
            writer.create_element("testsuite").with_attribute(("name", name.as_str())).with_attributes(numbers());
        // JUnit's timestamps have no zone.
        let suite = suite.with_attribute(("timestamp", drift.observed_at.trim_end_matches('Z')));
        suite.write_inner_content(|writer| {
            cases.iter().try_for_each(|(node, kind, outcome)| case(writer, node, kind, outcome))
        })?;
        Ok(())
    })?;
    let text = String::from_utf8(writer.into_inner()).map_err(io::Error::other)?;
    Ok(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}\n"))
}

/// The kinds of a node, and whether it could be seen.
fn cases<'a>(drift: &'a Drift, node: &'a NodeName) -> Vec<(&'a NodeName, &'a str, Outcome<'a>)> {
    let of = |kind: Kind| {
        let failed: Vec<&Difference> =
            drift.differences.iter().filter(|one| one.node == *node && one.kind == kind).collect();
        let skipped: Vec<&Accepted> =
            drift.accepted.iter().filter(|one| one.difference.node == *node && one.difference.kind == kind).collect();
        match (failed.is_empty(), skipped.is_empty()) {
            (false, _) => Outcome::Failed(failed),
            (true, false) => Outcome::Skipped(skipped),
            (true, true) => Outcome::Passed,
        }
    };
    let unseen: Vec<&Unseen> = drift.unseen.iter().filter(|one| one.instance.node == *node).collect();
    let seen = if unseen.is_empty() { Outcome::Passed } else { Outcome::Unseen(unseen) };
    let kinds = Kind::ALL.iter().map(|kind| (node, kind.word(), of(*kind)));
    kinds.chain([(node, "reachable", seen)]).collect()
}

fn case(writer: &mut Writer<Vec<u8>>, node: &NodeName, kind: &str, outcome: &Outcome<'_>) -> io::Result<()> {
    let element =
        writer.create_element("testcase").with_attribute(("classname", node.as_str())).with_attribute(("name", kind));
    let told = |texts: Vec<String>| visible(&texts.join("\n"));
    let (word, text) = match outcome {
        Outcome::Passed => return element.write_empty().map(drop),
        Outcome::Failed(all) => {
            let line = |one: &&Difference| format!("{}: expected {}, found {}", one.id, one.expected, one.found);
            ("failure", told(all.iter().map(line).collect()))
        }
        Outcome::Skipped(all) => {
            let line =
                |one: &&Accepted| format!("{}: accepted until {}: {}", one.difference.id, one.expires, one.reason);
            ("skipped", told(all.iter().map(line).collect()))
        }
        Outcome::Unseen(all) => {
            let line = |one: &&Unseen| {
                format!("{}: {}: {}", one.instance, one.fact, Unknown { kind: one.kind, why: one.why.clone() })
            };
            ("error", told(all.iter().map(line).collect()))
        }
    };
    element.write_inner_content(|writer| {
        let first = text.lines().next().unwrap_or_default();
        writer.create_element(word).with_attribute(("message", first)).write_text_content(BytesText::new(&text))?;
        Ok(())
    })?;
    Ok(())
}

/// XML has no way to say most control characters.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' || matches!(c, '\u{FFFE}' | '\u{FFFF}') { ' ' } else { c })
        .collect()
}
