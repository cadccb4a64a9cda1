//! The comment on a change request, read by a parser as forges read it.

use otb::plan::Plan;
use otb::view::{Status, plan_markdown, status_markdown};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::values::{Shape, diagnosed, observed, planned};

/// What a parser found.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Columns of each table.
    tables: Vec<usize>,
    /// Cells of each row, heads too, with the table they are in.
    rows: Vec<(usize, usize)>,
    pub(crate) languages: Vec<String>,
    pub(crate) code: Vec<String>,
    /// Tags of HTML, in order.
    pub(crate) html: Vec<String>,
    pub(crate) text: String,
}

/// Reads `document` and checks that nothing in it is broken off.
pub(crate) fn read(document: &str) -> Read {
    let mut read = Read::default();
    let (mut cells, mut in_code) = (0, false);
    for event in Parser::new_ext(document, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(Tag::Table(columns)) => read.tables.push(columns.len()),
            Event::Start(Tag::TableHead | Tag::TableRow) => cells = 0,
            Event::End(TagEnd::TableCell) => cells += 1,
            Event::End(TagEnd::TableHead | TagEnd::TableRow) => read.rows.push((read.tables.len(), cells)),
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                in_code = true;
                read.languages.push(language.to_string());
            }
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(text) if in_code => read.code.push(text.to_string()),
            Event::Text(text) | Event::Code(text) => read.text.push_str(&text),
            Event::Html(html) | Event::InlineHtml(html) => read.html.extend(tags(&html)),
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => panic!("a link in\n{document}"),
            _ => {}
        }
    }
    for (table, cells) in &read.rows {
        assert_eq!(*cells, read.tables[table - 1], "a row of table {table} in\n{document}");
    }
    let count = |tag: &str| read.html.iter().filter(|html| *html == tag).count();
    for tag in ["details", "summary", "sub", "code"] {
        assert_eq!(count(&format!("<{tag}>")), count(&format!("</{tag}>")), "{tag} in\n{document}");
    }
    read
}

fn tags(html: &str) -> Vec<String> {
    html.split('<').skip(1).map(|tag| format!("<{}>", tag.split('>').next().unwrap_or_default())).collect()
}

pub(crate) fn assert_sound(plan: &Plan) -> Read {
    let document = plan_markdown(plan);
    assert!(document.chars().count() <= 60_000, "{}", document.chars().count());
    let known = ["details", "/details", "summary", "/summary", "sub", "/sub", "code", "/code", "br", "!-- --"];
    let read = read(&document);
    for tag in &read.html {
        assert!(known.iter().any(|known| *tag == format!("<{known}>")), "{tag} in\n{document}");
    }
    // A line that begins with a slash outside code is a command to GitLab.
    let mut fenced = false;
    for line in document.lines() {
        fenced ^= line.starts_with("```");
        assert!(fenced || !line.starts_with('/'), "{line}");
    }
    read
}

#[test]
fn a_change_begins_with_its_one_sentence() {
    let shape = Shape { servers: 2, coordinators: 2, datanodes: 2, moved: 1, name: "dn" };
    let plan = shape.plan();
    let document = plan_markdown(&plan);
    let first = document.lines().next().unwrap();
    assert!(first.contains("1 change in") && first.contains("switchover dn0000 s0 → s1"), "{first}");
    let read = assert_sound(&plan);
    assert_eq!(read.languages.iter().filter(|language| *language == "mermaid").count(), 1);
    // Every statement of every step, to the letter.
    for step in &plan.steps {
        for line in step.run.iter().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()) {
            assert!(read.code.iter().any(|code| code.contains(&line)), "{line}");
        }
    }
    for check in &plan.checks {
        assert!(read.text.contains(check.id.as_str()), "{}", check.id);
    }
    assert!(read.text.contains(&plan.fingerprint));
    assert!(!document.contains("Left out"));
    let order: Vec<_> = ["### Changes", "### Placement", "### Steps", "checks passed", "Fingerprint"]
        .iter()
        .map(|part| document.find(part).unwrap_or_else(|| panic!("{part} is not in\n{document}")))
        .collect();
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn nothing_to_do_is_said_with_what_was_looked_at() {
    let plan = Shape { servers: 2, coordinators: 1, datanodes: 1, moved: 0, name: "dn" }.plan();
    let document = plan_markdown(&plan);
    assert!(document.lines().next().unwrap().contains("nothing to do, observed 5 instances"), "{document}");
    assert!(!document.contains("mermaid"));
    assert_sound(&plan);
}

#[test]
fn however_large_the_cluster_it_fits_a_comment_and_says_what_is_left_out() {
    for moved in [1, 40] {
        let plan = Shape::large(moved).plan();
        assert_eq!(plan.changes.len(), moved);
        let read = assert_sound(&plan);
        let document = plan_markdown(&plan);
        assert!(document.contains("> Cut to fit 60000 characters. Not shown: "), "{moved}");
        // Of thousands of steps the ones that matter most are among those shown.
        assert!(read.text.contains("promote:dn0000@s1"), "{moved}");
        assert!(read.text.contains("point of no return"), "{moved}");
        assert!(document.contains("_Not drawn: "), "{moved}");
    }
}

#[test]
fn a_router_that_disagrees_everywhere_does_not_push_out_the_rest() {
    let (declared, live) = Shape::large(0).clusters();
    let mut seen = observed(&live);
    let router = live.nodes.values().find(|node| node.name.as_str() == "cn0000").unwrap().master_id();
    if let otb::model::Fact::Known(rows) = &mut seen.instances.get_mut(&router).unwrap().routes {
        std::sync::Arc::make_mut(rows).iter_mut().filter(|row| row.node.starts_with("dn")).for_each(|row| row.port = 1);
    }
    let plan = planned(&declared, &seen, &[]);
    let step = plan.steps.iter().find(|step| step.run.len() > 400).expect("one step of hundreds of statements");
    let document = plan_markdown(&plan);
    assert_sound(&plan);
    assert!(document.contains(&format!("_and {} lines more._", step.run.len() - 20)), "{document}");
    assert!(document.contains("reload:cn0000@s0"));
    let (changes, rest) = document.split_once("_Not shown here: ").unwrap();
    let shown = changes.lines().filter(|line| line.starts_with("| reroute |")).count();
    let missing = rest.split(' ').next().unwrap().parse::<usize>().unwrap();
    assert!(shown > 10 && shown + missing == 480, "{shown} and {missing}");

    let status =
        status_markdown(&Status::new(&declared, &seen, diagnosed(&declared, &seen), &[]), "2026-01-01T00:00:00Z");
    assert!(status.chars().count() <= 60_000);
    assert!(status.lines().next().unwrap().contains("480 problems"), "{status}");
    assert!(status.contains("_Not shown here: "));
    read(&status);
}
