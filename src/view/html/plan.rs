//! The plan as a page.

use maud::{Markup, html};

use super::{DRAWN, figure, findings, legend, page, table};
use crate::model::Finding;
use crate::plan::{Check, Plan, Undo, Verdict};
use crate::view::escape::visible;
use crate::view::graph::When;
use crate::view::outline::{self, Item};
use crate::view::rehearsal::rehearsal_html;
use crate::view::topology::Topology;
use crate::view::words::{because, count, listed};

/// Renders `plan` as one page.
pub fn plan_html(plan: &Plan) -> String {
    let name = visible(plan.cluster.name.as_str());
    let topology = Topology::of_plan(plan).limited(&outline::changing(plan), DRAWN);
    let body = html! {
        h1 { "otb plan: " (name) }
        (banner(plan))
        (findings(&problems(plan)))
        (changes(plan))
        (rest(plan))
        (failing(plan))
        (rehearsal_html(plan))
        h2 { "Topology" }
        @if plan.changes.is_empty() {
            (figure("Now", &topology, When::Now))
        } @else {
            div class="pair" {
                (figure("Before", &topology, When::Now))
                (figure(if plan.is_refused() { "After, if it were not refused" } else { "After" }, &topology, When::Then))
            }
        }
        (legend(&topology))
        (steps(plan))
        (passed(plan))
        (foot(plan))
    };
    page(&format!("otb plan: {name}"), &body)
}

/// The problems now, except those that the changes show.
fn problems(plan: &Plan) -> Vec<Finding> {
    plan.findings.iter().filter(|finding| finding.severity.is_problem()).cloned().collect()
}

fn banner(plan: &Plan) -> Markup {
    let (class, more) = if plan.is_refused() {
        ("refused", "Refused: fix what the checks below name, then plan again.")
    } else if plan.is_empty() {
        (
            "done",
            if plan.targets.is_empty() { "The cluster is as declared." } else { "The selected nodes are as declared." },
        )
    } else if plan.changes.is_empty() {
        ("", "The list below shows what could not be observed.")
    } else {
        ("go", "Nothing has been changed yet.")
    };
    html! {
        div class=(format!("banner {class}")) {
            strong { (visible(&outline::sentence(plan))) "." } " " (more)
            @if let Some(apart) = outline::independent_nodes(plan) { " " (visible(&apart)) }
            @if let Some(road) = outline::road_sentence(plan) { " " (visible(&road)) }
        }
    }
}

fn code(text: &str) -> Markup {
    html! { code { (visible(text)) } }
}

fn text(text: &str) -> Markup {
    html! { (visible(text)) }
}

fn changes(plan: &Plan) -> Markup {
    let rows = plan.changes.iter().map(|change| {
        let place = html! {
            @match &change.from {
                Some(from) => { (code(from.as_str())) " → " strong { (code(change.to.as_str())) } }
                None => { "on " (code(change.to.as_str())) }
            }
        };
        let routers: Vec<String> = change.routers.iter().map(ToString::to_string).collect();
        let node = html! { strong { (visible(change.node.as_str())) } " " (change.node_kind) };
        let kind = html! { span class="tag" { (change.kind) } };
        vec![kind, node, place, text(&because(change)), text(&listed(&routers))]
    });
    let rows: Vec<Vec<Markup>> = rows.collect();
    html! {
        @if !rows.is_empty() {
            h2 { (count(rows.len(), "change")) }
            (table(&["change", "node", "master", "why", "routes updated on"], rows))
        }
    }
}

/// The second part of the run: who approves the first one approves it.
fn rest(plan: &Plan) -> Markup {
    let Some(rest) = &plan.afterwards else { return html! {} };
    let changes: Vec<Vec<Markup>> = rest
        .expected
        .iter()
        .map(|change| vec![text(&format!("{} {}", change.kind, change.node)), text(&change.because)])
        .collect();
    let checks: Vec<&Check> = rest.checks.iter().filter(|check| check.verdict != Verdict::Pass).collect();
    html! {
        h2 { "Then, in the same run" }
        p {
            "The rest is planned once the GTM answers, because " (visible(&rest.because))
            ". Approving this plan approves the rest too."
        }
        @if !changes.is_empty() { (table(&["expected", "why"], changes)) }
        @if !checks.is_empty() { (check_table(&checks)) }
    }
}

/// The checks that refuse, waived ones, and parts that could not be observed.
fn failing(plan: &Plan) -> Markup {
    let checks: Vec<&Check> = plan.checks.iter().filter(|check| check.verdict != Verdict::Pass).collect();
    let besides = outline::unseen_besides(plan);
    let hidden = outline::hidden(&besides);
    let servers =
        plan.silent.iter().map(|one| vec![code(one.server.as_str()), text("server"), text(&outline::silence(one))]);
    let unseen = hidden.iter().map(|one| vec![code(&one.names()), text(one.fact), text(&one.why())]);
    let unseen: Vec<Vec<Markup>> = servers.chain(unseen).collect();
    html! {
        @if !checks.is_empty() {
            h2 { "Checks that did not pass" }
            (check_table(&checks))
        }
        @if !unseen.is_empty() {
            h2 { "Not observed" }
            (table(&["instance", "fact", "why"], unseen))
        }
    }
}

fn check_table(checks: &[&Check]) -> Markup {
    let row = |check: &&Check| {
        let class = match check.verdict {
            Verdict::Pass => "tag",
            Verdict::Warn | Verdict::Waived => "tag careful",
            Verdict::Unknown | Verdict::Block => "tag refuses",
        };
        let next = match (&check.waived_because, &check.hint) {
            (Some(reason), _) => format!("waived: {reason}"),
            (None, hint) => hint.clone().unwrap_or_default(),
        };
        let verdict = html! { span class=(class) { (check.verdict.word()) } };
        let found = html! { (text(&check.found)) @for detail in &check.details { br; (text(detail)) } };
        vec![verdict, code(check.id.as_str()), found, text(&next)]
    };
    table(&["verdict", "check", "found", "next"], checks.iter().map(row).collect())
}

fn steps(plan: &Plan) -> Markup {
    html! {
        @if !plan.steps.is_empty() { h2 { (count(plan.steps.len(), "step")) } }
        @for (title, steps) in outline::phases(plan) {
            details {
                summary { (title) ": " (count(steps.len(), "step")) }
                ol start=(steps.first().map_or(1, |item| item.number)) {
                    @for item in steps { li { (step_item(&item)) } }
                }
            }
        }
    }
}

fn step_item(item: &Item<'_>) -> Markup {
    let step = item.step;
    html! {
        (code(step.id.as_str()))
        @if step.point_of_no_return { " " span class="tag refuses" { "point of no return" } }
        @if let Undo::Possible(how) = &step.undo { " " span class="quiet" { "can be undone: " (visible(how)) } }
        @if let Some(why) = item.why { div class="quiet" { (visible(why)) } }
        @if !step.run.is_empty() {
            pre { @for text in step.run.iter() { @for line in text.lines() { (visible(line)) "\n" } } }
        }
    }
}

fn passed(plan: &Plan) -> Markup {
    let passed: Vec<&Check> = plan.checks.iter().filter(|check| check.verdict == Verdict::Pass).collect();
    html! {
        @if !passed.is_empty() {
            h2 { "Checks" }
            details {
                summary { (passed.len()) " of " (count(plan.checks.len(), "check")) " passed" }
                (check_table(&passed))
            }
        }
    }
}

fn foot(plan: &Plan) -> Markup {
    let targets: Vec<String> = plan.targets.iter().map(|node| visible(node.as_str())).collect();
    html! {
        p class="quiet" {
            "Fingerprint " (code(&plan.fingerprint)) ", observed " (visible(&plan.observed_at)) ", otb "
            (visible(&plan.otb_version))
            @if !targets.is_empty() { ", only " (listed(&targets)) }
            "; observed {}" (outline::looked_at(plan)) "."
        }
    }
}
