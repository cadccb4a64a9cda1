//! How a plan's rehearsal ended, as text, Markdown and HTML.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::escape::{cut, markdown, visible};
use super::style;
use super::words::count;
use crate::plan::{Plan, Rehearsal, RehearsedEnd, Story, Until, WithoutMaster};

/// How many of the values that were taken for facts are shown.
const ASSUMED: usize = 12;
const SENTENCE: usize = 400;

pub(super) fn rehearsal_text(out: &mut String, plan: &Plan) {
    let Some(rehearsal) = &plan.rehearsal else { return };
    let _ = writeln!(out, "\n{}", style::bold(format!("Rehearsal: {}", summary(rehearsal))));
    for (end, number, more) in ends(rehearsal) {
        let shown = format!("{number:>7} {}{more}", end.words());
        let _ = writeln!(out, "  {}", if end.is_bad() && number > 0 { style::bad(shown) } else { shown });
    }
    for line in facts(rehearsal) {
        let _ = writeln!(out, "  {line}");
    }
    for story in &rehearsal.worst {
        let head = format!("  Worst case that {}:", ends_so(story.end));
        let _ = writeln!(out, "{} {}", if story.end.is_bad() { style::bad(head) } else { head }, what(story));
        for (name, text) in parts(story) {
            let _ = writeln!(out, "      {name}: {text}");
        }
    }
}

pub(super) fn rehearsal_markdown(plan: &Plan) -> String {
    let Some(rehearsal) = &plan.rehearsal else { return String::new() };
    let bad = rehearsal.worst.iter().any(|story| story.end.is_bad());
    let mut out = format!("\n### Rehearsal\n\n{}{}.\n", if bad { "⚠️ " } else { "" }, markdown(&summary(rehearsal)));
    out.push_str("\n| end | runs |\n|---|---|\n");
    for (end, number, more) in ends(rehearsal) {
        let _ = writeln!(out, "| {}{} | {number} |", end.words(), markdown(&more));
    }
    out.push('\n');
    for line in facts(rehearsal) {
        let _ = writeln!(out, "- {}", markdown(&cut(&line, SENTENCE)));
    }
    if !rehearsal.worst.is_empty() {
        out.push_str("\n<details><summary>The worst run of each end</summary>\n\n");
        out.push_str("| end | fault | clients see | exit | way out |\n|---|---|---|---|---|\n");
        for story in &rehearsal.worst {
            let cell = |text: &str| markdown(&cut(text, SENTENCE));
            let (what, clients, way) = (cell(&what(story)), cell(&story.clients), cell(&story.way_out));
            let _ = writeln!(out, "| {} | {what} | {clients} | {} | {way} |", story.end.words(), exit(story));
        }
        out.push_str("\n</details>\n");
    }
    out
}

pub(super) fn rehearsal_html(plan: &Plan) -> Markup {
    html! {
        @if let Some(rehearsal) = &plan.rehearsal {
            h2 { "Rehearsal" }
            p { (visible(&summary(rehearsal))) "." }
            ul {
                @for (end, number, more) in ends(rehearsal) { li { (number) " " (end.words()) (visible(&more)) } }
            }
            @for line in facts(rehearsal) { p class="quiet" { (visible(&line)) } }
            @if !rehearsal.worst.is_empty() {
                details open[rehearsal.worst.iter().any(|story| story.end.is_bad())] {
                    summary { "The worst run of each end" }
                    table {
                        thead { tr { th { "end" } th { "fault" } th { "clients see" } th { "exit" } th { "way out" } } }
                        tbody {
                            @for story in &rehearsal.worst {
                                tr {
                                    td { (story.end.words()) }
                                    td { (visible(&what(story))) }
                                    td { (visible(&story.clients)) }
                                    td { (exit(story)) }
                                    td { (visible(&story.way_out)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn summary(rehearsal: &Rehearsal) -> String {
    let runs = runs(rehearsal.tried);
    let moments = count(usize::try_from(rehearsal.moments).unwrap_or(usize::MAX), "moment");
    format!("{runs} with one fault each, at {moments}; without a fault it ends {}", rehearsal.without_fault.words())
}

fn runs(number: u64) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "run")
}

fn ends(rehearsal: &Rehearsal) -> Vec<(RehearsedEnd, u64, String)> {
    let more = |end| match (end, rehearsal.after_the_fault) {
        (RehearsedEnd::Finished, number @ 1..) => format!(" ({number} of them only after the fault had ended)"),
        _ => String::new(),
    };
    RehearsedEnd::ALL.map(|end| (end, rehearsal.outcomes.of(end), more(end))).to_vec()
}

fn facts(rehearsal: &Rehearsal) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(longest) = &rehearsal.longest_without_master {
        lines.push(format!("Longest time without a master that can be reached: {}", without_master(longest)));
    }
    if let Some(pairs) = &rehearsal.pairs {
        let bad = pairs.outcomes.needs_person + pairs.outcomes.loses_data;
        let left_out = match pairs.left_out {
            0 => String::new(),
            number => format!("; no time was left for {number} first faults"),
        };
        let told = format!("{} with two faults: {bad} of them need a person or lose data{left_out}", runs(pairs.tried));
        lines.push(told);
    }
    for alike in &rehearsal.alike {
        let nodes: Vec<&str> = alike.nodes.iter().map(crate::model::NodeName::as_str).collect();
        lines.push(format!("{} stand for {} more in the same state", nodes.join(" and "), alike.stand_for));
    }
    for one in rehearsal.assumed.iter().take(ASSUMED) {
        lines.push(format!("Not observed: {} of {}; rehearsed as: {}", one.fact, one.instance, one.taken_as));
    }
    if let Some(more @ 1..) = rehearsal.assumed.len().checked_sub(ASSUMED) {
        lines.push(format!("and {} more that were not observed", count(more, "fact")));
    }
    lines
}

fn without_master(longest: &WithoutMaster) -> String {
    let until = match (longest.until, longest.milliseconds) {
        (Until::Run, Some(most)) => format!("at most {} s, while otb works", seconds(most)),
        (Until::Run, None) => "while otb works".to_owned(),
        (Until::NextApply, _) => "until otb apply runs again".to_owned(),
        (Until::FaultOver, _) => "until the fault ends and otb apply runs again".to_owned(),
        (Until::Person, _) => "until a person brings it back".to_owned(),
    };
    format!("{}, {until}", longest.node)
}

fn seconds(milliseconds: u64) -> String {
    match (milliseconds / 1000, milliseconds % 1000 / 100) {
        (whole, 0) => whole.to_string(),
        (whole, tenths) => format!("{whole}.{tenths}"),
    }
}

fn ends_so(end: RehearsedEnd) -> &'static str {
    match end {
        RehearsedEnd::AsPlanned => "ends as planned",
        RehearsedEnd::Finished => "another otb apply finishes",
        RehearsedEnd::RolledBack => "is rolled back",
        RehearsedEnd::NeedsPerson => "needs a person",
        RehearsedEnd::LosesData => "loses data",
    }
}

/// The fault and its moment.
fn what(story: &Story) -> String {
    let then = story.then.as_ref().map(|then| format!(", later {then}")).unwrap_or_default();
    format!("{} {} {}{then}", story.fault, story.moment.word(), story.step)
}

fn exit(story: &Story) -> String {
    story.exit.map_or_else(|| "none".to_owned(), |code| code.to_string())
}

fn parts(story: &Story) -> [(&'static str, String); 3] {
    let further = match story.further_applies {
        0 => String::new(),
        number => {
            format!("; then otb apply {}", super::words::count(usize::try_from(number).unwrap_or(9), "more time"))
        }
    };
    [
        ("clients", story.clients.clone()),
        ("exit", format!("{}{further}", exit(story))),
        ("way out", story.way_out.clone()),
    ]
}
