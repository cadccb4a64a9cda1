//! Drawings say what is there, before and after.

use otb::view::{Topology, dot_graph, mermaid_graph, plan_html, svg_graph};

use crate::values::{Shape, observed};

const SEED: Shape = Shape { servers: 2, coordinators: 2, datanodes: 2, moved: 1, name: "dn" };

#[test]
fn a_plan_is_drawn_with_its_move() {
    let topology = Topology::of_plan(&SEED.plan());
    let mermaid = mermaid_graph(&topology);
    let id = |label: &str| {
        let line = mermaid.lines().find(|line| line.contains(label)).unwrap_or_else(|| panic!("{label}\n{mermaid}"));
        line.trim().split('[').next().unwrap().to_owned()
    };
    let (old, new) = (id("dn0000<br/>master → standby"), id("dn0000<br/>standby → master"));
    assert!(mermaid.contains(&format!("{old} == switchover ==> {new}")), "{mermaid}");
    assert_eq!(mermaid.matches("subgraph ").count(), mermaid.matches("\n  end\n").count());
    let dot = dot_graph(&topology);
    assert!(dot.contains("\"dn0000@s0\" -> \"dn0000@s1\" [label=\"switchover\""), "{dot}");
    assert!(dot.contains("label=\"dn0000\\nmaster → standby\""), "{dot}");
}

#[test]
fn the_file_alone_and_the_live_cluster_differ_where_they_do() {
    let (declared, live) = SEED.clusters();
    let role = |topology: &Topology, id: &str| {
        let svg = svg_graph(topology);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let title = document.descendants().find(|node| {
            node.has_tag_name(("http://www.w3.org/2000/svg", "title"))
                && node.text().is_some_and(|text| text.contains(id))
        });
        title.unwrap().parent().unwrap().attribute("class").unwrap().to_owned()
    };
    assert_eq!(role(&Topology::declared(&declared), "dn0000@s1"), "master");
    assert_eq!(role(&Topology::of_live(&declared, &observed(&live)), "dn0000@s1"), "standby");
    assert_eq!(role(&Topology::of_plan(&SEED.plan()), "dn0000@s1"), "master changed");
}

#[test]
fn boxes_lie_within_the_picture_and_do_not_overlap() {
    for shape in [SEED, Shape { servers: 7, coordinators: 5, datanodes: 20, moved: 3, name: "dn" }, Shape::large(1)] {
        let svg = svg_graph(&Topology::of_plan(&shape.plan()));
        let document = roxmltree::Document::parse(&svg).unwrap();
        let number =
            |node: &roxmltree::Node<'_, '_>, name: &str| node.attribute(name).unwrap().parse::<usize>().unwrap();
        let root = document.root_element();
        let mut boxes: Vec<[usize; 4]> = document
            .descendants()
            .filter(|node| node.tag_name().name() == "g")
            .map(|group| group.children().find(|child| child.tag_name().name() == "rect").unwrap())
            .map(|rect| ["x", "y", "width", "height"].map(|name| number(&rect, name)))
            .collect();
        assert_eq!(boxes.len(), 2 + shape.coordinators + 2 * shape.datanodes);
        boxes.sort_unstable();
        for (n, [x, y, width, height]) in boxes.iter().copied().enumerate() {
            assert!(x + width <= number(&root, "width") && y + height <= number(&root, "height"));
            let apart =
                |other: &[usize; 4]| other[0] >= x + width || other[1] >= y + height || other[1] + other[3] <= y;
            assert!(boxes[n + 1..].iter().take(600).all(apart), "a box at {x}, {y} lies under another");
        }
    }
}

#[test]
fn a_page_draws_both_and_needs_nothing_else() {
    let page = plan_html(&SEED.plan());
    assert_eq!(page.matches("<svg ").count(), 2);
    let drawings: Vec<&str> = page.split("<svg ").skip(1).map(|part| part.split("</svg>").next().unwrap()).collect();
    let (before, after) = (drawings[0], drawings[1]);
    assert!(before.contains("dn0000@s0, master") && after.contains("dn0000@s0, standby"), "{before}\n{after}");
    for needs in ["<script", "<link", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(needs), "{needs}");
    }
    for wanted in ["default-src 'none'", "prefers-color-scheme: dark", "name=\"viewport\"", "<html lang="] {
        assert!(page.contains(wanted), "{wanted}");
    }
    // Not by colour alone.
    assert!(before.contains('●') && before.contains('○'));
    let large = plan_html(&Shape::large(1).plan());
    assert!(large.contains("Not drawn: "));
}
