//! Names and messages that would like to be more than text.

use otb::model::{Fact, UnknownKind};
use otb::plan::{Plan, Waiver};
use otb::view::{Status, dot_graph, mermaid_graph, plan_html, plan_markdown, status_html, status_markdown, svg_graph};

use crate::markdown::{assert_sound, read};
use crate::values::{Shape, diagnosed, observed, planned};

/// A node name may have every letter but white space, controls, a slash, a backslash and `@`.
const NAME: &str = "`|<img\u{a0}src=x>\"'*_[x](y){{}}%#&quot;;]>-->";
const REASON: &str =
    "line\n| a | b |\n```\n</details><script>alert(1)</script> @all /close \u{202e}gpj \u{1b}[2J\u{9b}2J\u{7}";

fn shape() -> Shape {
    // No-break space is white space: not allowed in a name.
    let name: &'static str = Box::leak(NAME.replace('\u{a0}', "").into_boxed_str());
    Shape { servers: 2, coordinators: 1, datanodes: 2, moved: 1, name }
}

/// A plan with hostile names, a hostile waiver and a hostile message of a server.
fn plan() -> Plan {
    let (declared, live) = shape().clusters();
    let mut seen = observed(&live);
    let standby =
        live.instances().find(|i| i.id.node.as_str().ends_with("0000") && i.id.server.as_str() == "s1").unwrap();
    let facts = seen.instances.get_mut(&standby.id).unwrap();
    facts.version = Fact::Known(REASON.to_owned());
    let check = format!("version:{}", standby.id.node);
    let coordinator = live.instances().find(|instance| instance.id.node.as_str() == "cn0000").unwrap();
    seen.instances.get_mut(&coordinator.id).unwrap().process = Fact::unknown(UnknownKind::TimedOut, REASON);
    planned(&declared, &seen, &[Waiver::new(&check, REASON).unwrap()])
}

#[test]
fn markdown_keeps_its_structure() {
    let plan = plan();
    assert!(plan.waivers.len() == 1 && !plan.unseen.is_empty(), "{plan:?}");
    let document = plan_markdown(&plan);
    let read = assert_sound(&plan);
    assert!(!read.html.iter().any(|tag| tag.contains("script") || tag.contains("img")), "{:?}", read.html);
    // What is shown is the name itself.
    assert!(read.text.contains(&plan.changes[0].node.to_string()), "{}", read.text);
    assert!(!document.contains('\u{202e}'), "no text is turned round");
    assert!(!document.contains(|c: char| c.is_control() && c != '\n'), "no cursor is moved: {document:?}");
    assert!(!document.contains(" @all"), "nobody is mentioned");
}

#[test]
fn a_long_name_of_entities_still_fits() {
    let name: &'static str = Box::leak("`|".repeat(29).into_boxed_str());
    assert_sound(&Shape { servers: 64, coordinators: 10, datanodes: 60, moved: 60, name }.plan());
}

#[test]
fn html_holds_no_foreign_tag() {
    let plan = plan();
    for page in [plan_html(&plan), {
        let (declared, live) = shape().clusters();
        status_html(&Status::new(&declared, &observed(&live), diagnosed(&declared, &observed(&live)), &[]), REASON)
    }] {
        for foreign in ["<img", "<script", "alert(1)</", "\u{202e}", "\u{1b}", "\u{9b}", "\u{7}"] {
            assert!(!page.contains(foreign), "{foreign} in\n{page}");
        }
        assert!(page.contains("&lt;img"), "shown as text");
    }
}

#[test]
fn drawings_hold() {
    let (declared, live) = shape().clusters();
    let seen = observed(&live);
    let topology = otb::view::Topology::of_live(&declared, &seen);
    let svg = svg_graph(&topology);
    roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{error}\n{svg}"));
    let mermaid = mermaid_graph(&topology);
    for line in mermaid.lines().filter(|line| line.contains("[\"")) {
        assert_eq!(line.matches('"').count(), 2, "{line}");
        assert!(!line.replace("<br/>", "").contains(['<', '>', '`', '{', '%']), "{line}");
    }
    for line in dot_graph(&topology).lines() {
        let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
        assert_eq!(quotes % 2, 0, "{line}");
    }
    read(&status_markdown(&Status::new(&declared, &seen, diagnosed(&declared, &seen), &[]), REASON));
}
