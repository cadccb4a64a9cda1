//! The plan as Markdown.

use std::fmt::Write as _;

use super::MOST;
use super::findings::findings;
use super::part::{Part, length, part, with_note};
use crate::plan::{Change, Check, Plan, Undo, Verdict};
use crate::view::escape::{cut, fenced, html_code, markdown, markdown_code, visible};
use crate::view::graph::mermaid_graph;
use crate::view::outline::{self, Item};
use crate::view::rehearsal::rehearsal_markdown;
use crate::view::topology::Topology;
use crate::view::words::{because, count, listed};

/// Room of each part, in characters; what the others leave is the steps'.
const FINDINGS: usize = 6_000;
const CHANGES: usize = 12_000;
const CHECKS: usize = 7_000;
const UNSEEN: usize = 3_000;
const WAIVERS: usize = 2_000;
const REST: usize = 6_000;
const DRAWING: usize = 9_000;
const PASSED: usize = 4_000;
/// For the sentences between the parts.
const WORDS: usize = 3_000;
/// The most nodes of a drawing that is still read.
const DRAWN: usize = 24;
/// One step's statements: a router may have hundreds of rows to change.
const STATEMENTS: usize = 20;
const STATEMENT: usize = 1_000;
/// The most instances that one row names.
const IDS: usize = 8;
/// The maximum number of characters of a foreign sentence.
const SENTENCE: usize = 400;

/// Renders `plan` in at most 60,000 characters.
pub fn plan_markdown(plan: &Plan) -> String {
    let problems: Vec<_> = plan.findings.iter().filter(|finding| finding.severity.is_problem()).collect();
    let problems = findings(FINDINGS, &problems);
    let changes = changes(plan);
    let (stand, passed): (Vec<&Check>, Vec<&Check>) =
        plan.checks.iter().partition(|check| check.verdict != Verdict::Pass);
    let checks = checks(CHECKS, &stand, "\n### Checks that did not pass\n\n");
    let unseen = unseen(plan);
    let rest = rest(plan);
    let waivers = waivers(plan);
    let drawing = drawing(plan);
    let passed = passed_checks(&passed);
    let rehearsed = rehearsal_markdown(plan);
    let before: usize =
        [&problems, &changes, &rest, &checks, &unseen, &waivers, &passed].iter().map(|part| length(&part.text)).sum();
    let steps = steps(plan, MOST - WORDS - before - length(&drawing) - length(&rehearsed));

    let mut out = format!("{}\n", headline(plan));
    let all = [&problems, &changes, &rest, &checks, &unseen, &waivers, &steps, &passed];
    let missing: Vec<&str> = all.iter().filter_map(|part| part.missing.as_deref()).collect();
    if !missing.is_empty() {
        let _ = writeln!(
            out,
            "\n> Cut to fit {MOST} characters. Not shown: {}. `otb show PLAN` shows all of a saved plan.",
            missing.join(", ")
        );
    }
    for text in [
        with_note(&problems),
        with_note(&changes),
        with_note(&rest),
        with_note(&checks),
        with_note(&unseen),
        with_note(&waivers),
        rehearsed,
        drawing,
    ] {
        out.push_str(&text);
    }
    out.push_str(&steps.text);
    out.push_str(&with_note(&passed));
    foot(&mut out, plan);
    out
}

fn headline(plan: &Plan) -> String {
    let mark = if plan.is_refused() {
        "⛔"
    } else if plan.is_empty() {
        "✅"
    } else if plan.changes.is_empty() {
        "⚠️"
    } else {
        "🔀"
    };
    let name = markdown_code(plan.cluster.name.as_str());
    let road = outline::road_sentence(plan);
    let road = road.map_or_else(String::new, |road| format!(" {}.", markdown(&cut(&road, SENTENCE))));
    let apart = outline::independent_nodes(plan)
        .map_or_else(String::new, |apart| format!(" {}", markdown(&cut(&apart, SENTENCE))));
    format!("{mark} **otb plan** {name}: {}.{apart}{road}", markdown(&cut(&outline::sentence(plan), SENTENCE)))
}

fn changes(plan: &Plan) -> Part {
    let head = "\n### Changes\n\n| change | node | kind | master now | master after | why | routes updated on \
        |\n|---|---|---|---|---|---|---|\n";
    part(CHANGES, "change", &plan.changes, (head, ""), |change| change_row(plan, change))
}

fn change_row(plan: &Plan, change: &Change) -> String {
    let after = match (change.kind.moves_master(), plan.cluster.nodes.get(&change.node)) {
        (false, Some(node)) => &node.master,
        _ => &change.to,
    };
    let now = match &change.from {
        Some(from) => markdown_code(from.as_str()),
        None if change.kind.moves_master() => "none".to_owned(),
        None => markdown_code(after.as_str()),
    };
    let routers: Vec<String> = change.routers.iter().map(|router| markdown_code(&router.to_string())).collect();
    format!(
        "| {} | {} | {} | {now} | **{}** | {} | {} |\n",
        change.kind,
        markdown_code(change.node.as_str()),
        change.node_kind,
        markdown_code(after.as_str()),
        markdown(&cut(&because(change), SENTENCE)),
        listed(&routers)
    )
}

fn checks(room: usize, checks: &[&Check], title: &str) -> Part {
    let head = format!("{title}| verdict | check | found | next |\n|---|---|---|---|\n");
    part(room, "check", checks, (&head, ""), |check| {
        let next = match (&check.waived_because, &check.hint) {
            (Some(reason), _) => format!("waived: {}", markdown(&cut(reason, SENTENCE))),
            (None, Some(hint)) => markdown(&cut(hint, SENTENCE)),
            (None, None) => String::new(),
        };
        let lines = std::iter::once(&check.found).chain(&check.details).map(|line| markdown(&cut(line, SENTENCE)));
        let (id, found) = (markdown_code(check.id.as_str()), lines.collect::<Vec<_>>().join("<br>"));
        format!("| **{}** | {id} | {found} | {next} |\n", check.verdict.word())
    })
}

fn passed_checks(passed: &[&Check]) -> Part {
    let head = format!("\n<details><summary>{} passed</summary>\n\n", count(passed.len(), "check"));
    let head = format!("{head}| check | found |\n|---|---|\n");
    part(PASSED, "passed check", passed, (&head, "\n</details>\n"), |check| {
        format!("| {} | {} |\n", markdown_code(check.id.as_str()), markdown(&cut(&check.found, SENTENCE)))
    })
}

/// The second part of the run: who approves the first one approves it.
fn rest(plan: &Plan) -> Part {
    let Some(rest) = &plan.afterwards else { return Part::default() };
    let head = format!(
        "\n### Then, in the same run\n\nThe rest is planned once the GTM answers, because {}. Approving this plan \
            approves the rest too.\n\n| verdict | what | found | next |\n|---|---|---|---|\n",
        markdown(&cut(&rest.because, SENTENCE))
    );
    let changes = rest.expected.iter().map(|change| {
        let what = markdown_code(change.node.as_str());
        format!("| expected | {} {what} | {} | |\n", change.kind, markdown(&cut(&change.because, SENTENCE)))
    });
    let checks = rest.checks.iter().filter(|check| check.verdict != Verdict::Pass).map(|check| {
        let next = check.waived_because.as_ref().or(check.hint.as_ref()).map_or("", String::as_str);
        let (id, found) = (markdown_code(check.id.as_str()), markdown(&cut(&check.found, SENTENCE)));
        format!("| **{}** | {id} | {found} | {} |\n", check.verdict.word(), markdown(&cut(next, SENTENCE)))
    });
    let rows: Vec<String> = changes.chain(checks).collect();
    part(REST, "row of the rest", &rows, (&head, ""), Clone::clone)
}

fn unseen(plan: &Plan) -> Part {
    let head = "\n### Not observed\n\n| instance | fact | why |\n|---|---|---|\n";
    let besides = outline::unseen_besides(plan);
    let silent = plan.silent.iter().fold(String::new(), |mut rows, silent| {
        let why = markdown(&cut(&outline::silence(silent), SENTENCE));
        // Writing to a String cannot fail.
        let _ = writeln!(rows, "| {} | server | {why} |", markdown_code(silent.server.as_str()));
        rows
    });
    let head = format!("{head}{silent}");
    let hidden = outline::hidden(&besides);
    // Rows that are left out are counted: none may be so long that it is.
    let rows: Vec<_> = hidden.iter().flat_map(|one| one.instances.chunks(IDS).map(move |ids| (ids, one))).collect();
    if rows.is_empty() && !silent.is_empty() {
        return Part { text: head, ..Part::default() };
    }
    part(UNSEEN, "unseen row", &rows, (&head, ""), |(ids, one)| {
        let ids: Vec<String> = ids.iter().map(|(id, _)| markdown_code(id)).collect();
        format!("| {} | {} | {} |\n", ids.join(", "), markdown(one.fact), markdown(&cut(&one.why(), SENTENCE)))
    })
}

fn waivers(plan: &Plan) -> Part {
    let head = "\n### Waivers\n\n";
    part(WAIVERS, "waiver", &plan.waivers, (head, ""), |waiver| {
        format!("- {}: {}\n", markdown_code(waiver.check.as_str()), markdown(&cut(&waiver.reason, SENTENCE)))
    })
}

fn drawing(plan: &Plan) -> String {
    if plan.changes.is_empty() {
        return String::new();
    }
    let changing = outline::changing(plan);
    // Names may be long, and each of their letters an entity: fewer nodes until it fits.
    let mut most = DRAWN;
    loop {
        let topology = Topology::of_plan(plan).limited(&changing, most);
        let lines: Vec<String> = mermaid_graph(&topology).lines().map(str::to_owned).collect();
        let others = match topology.left_out {
            0 => String::new(),
            n => format!("\n_Not drawn: {}._\n", count(n, "node")),
        };
        let text = format!("\n### Placement\n\n{}{others}", fenced("mermaid", &lines));
        if length(&text) <= DRAWING {
            return text;
        }
        match most / 2 {
            0 => return String::new(),
            fewer => most = fewer,
        }
    }
}

/// Steps of one phase are folded together. Each phase has its share of the room, and leaves to the next what it does
/// not need: of a plan of thousands of steps the promotions are seen, too.
fn steps(plan: &Plan, room: usize) -> Part {
    let mut all = Part { text: "\n### Steps\n".to_owned(), ..Part::default() };
    let phases = outline::phases(plan);
    let mut left = room.saturating_sub(length(&all.text));
    for (n, (title, steps)) in phases.iter().enumerate() {
        let head = format!("\n<details><summary>{title}: {}</summary>\n\n", count(steps.len(), "step"));
        let share = left / (phases.len() - n);
        let phase = part(share, "step", steps, (&head, "</details>\n"), step_text);
        let text = with_note(&phase);
        left = left.saturating_sub(length(&text));
        all.shown += phase.shown;
        all.text.push_str(&text);
    }
    if plan.steps.is_empty() {
        return Part::default();
    }
    if all.shown < plan.steps.len() {
        all.missing = Some(format!("{} of {}", plan.steps.len() - all.shown, count(plan.steps.len(), "step")));
    }
    all
}

fn step_text(item: &Item<'_>) -> String {
    let Item { number, step, why } = item;
    let mut out = format!("**{number}.** {}", markdown_code(step.id.as_str()));
    if step.point_of_no_return {
        out.push_str(" ⚠️ **point of no return**");
    }
    if let Undo::Possible(how) = &step.undo {
        let _ = write!(out, " (can be undone: {})", markdown(&cut(how, SENTENCE)));
    }
    if let Some(why) = why {
        let _ = write!(out, "<br>{}", markdown(&cut(why, SENTENCE)));
    }
    out.push_str("\n\n");
    let texts: Vec<String> = step.run.iter().collect();
    let lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
    let shown: Vec<String> = lines.iter().take(STATEMENTS).map(|line| cut(&visible(line), STATEMENT)).collect();
    if !shown.is_empty() {
        out.push_str(&fenced("", &shown));
    }
    if let Some(more @ 1..) = lines.len().checked_sub(STATEMENTS) {
        let _ = writeln!(out, "\n_and {} more._", count(more, "line"));
    }
    out + "\n"
}

fn foot(out: &mut String, plan: &Plan) {
    let targets: Vec<String> = plan.targets.iter().map(|node| html_code(node.as_str())).collect();
    let only = if targets.is_empty() { String::new() } else { format!(", only {}", listed(&targets)) };
    let _ = writeln!(
        out,
        "\n<sub>Fingerprint {}, observed {}, otb {}{only}; observed {}</sub>",
        html_code(&cut(&plan.fingerprint, 64)),
        markdown(&cut(&plan.observed_at, 40)),
        markdown(&cut(&plan.otb_version, 40)),
        outline::looked_at(plan)
    );
}
