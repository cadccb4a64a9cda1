//! The book: its table lists every page, and every link leads somewhere.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{files, root};

/// Pages of the repository that link and are no part of the book.
const BESIDE: &[&str] = &["README.md", "README.zh-CN.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"];

#[test]
fn the_table_lists_every_page_once() {
    let listed: Vec<String> = links("docs/SUMMARY.md").iter().map(|to| format!("docs/{to}")).collect();
    let mut pages = files("docs", "md");
    pages.retain(|page| page != "docs/SUMMARY.md");
    let mut sorted = listed.clone();
    sorted.sort();
    assert_eq!(sorted, pages);
}

#[test]
fn every_link_leads_somewhere() {
    let pages = files("docs", "md").into_iter().chain(BESIDE.iter().map(ToString::to_string));
    let dead: Vec<String> = pages.flat_map(|page| dead(&page)).collect();
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

/// A page of the book may not link out of it: mdBook takes nothing else along.
#[test]
fn the_book_is_whole() {
    for page in files("docs", "md") {
        for to in links(&page).iter().filter(|to| !is_elsewhere(to)) {
            let target = target(&page, to.split('#').next().unwrap());
            assert!(
                target.starts_with("docs"),
                "{page} links to {to}, which is outside the book: name it without a link"
            );
        }
    }
}

/// The links of `page` that lead nowhere.
fn dead(page: &str) -> Vec<String> {
    let leads = |to: &String| {
        let (file, anchor) = to.split_once('#').unwrap_or((to, ""));
        let target = if file.is_empty() { PathBuf::from(page) } else { target(page, file) };
        let there = root().join(&target).exists();
        there && (anchor.is_empty() || anchors(&target).contains(anchor))
    };
    links(page).into_iter().filter(|to| !is_elsewhere(to) && !leads(to)).map(|to| format!("{page}: {to}")).collect()
}

fn is_elsewhere(to: &str) -> bool {
    to.starts_with("https://") || to.starts_with("http://")
}

fn target(page: &str, to: &str) -> PathBuf {
    let mut path = Path::new(page).parent().unwrap().to_path_buf();
    for part in Path::new(to).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{page}: {to} leaves the repository"),
            part => path.push(part),
        }
    }
    path
}

fn text(page: &Path) -> String {
    std::fs::read_to_string(root().join(page)).unwrap()
}

fn links(page: &str) -> Vec<String> {
    let text = text(Path::new(page));
    let found = Parser::new_ext(&text, Options::ENABLE_TABLES).filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
        _ => None,
    });
    found.collect()
}

/// The headings of a page, as forges and mdBook name them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = text(page);
    let mut found = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => found.extend(heading.take().map(|title| slug(&title))),
            Event::Text(part) | Event::Code(part) => heading.iter_mut().for_each(|title| title.push_str(&part)),
            _ => {}
        }
    }
    found
}

fn slug(title: &str) -> String {
    let kept = title.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Comments of the code cite a page of docs/explanation, some with a heading: `opentenbase-v2.6-live.md, "GTM"`.
#[test]
fn every_citation_in_the_code_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut cited, mut dead) = (0, Vec::new());
    let mut dirs = vec![root.join("src")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            let code = std::fs::read_to_string(&path).unwrap();
            for (at, _) in code.match_indices(".md") {
                let before =
                    code[..at].rsplit(|c: char| !(c.is_ascii_alphanumeric() || "-._/".contains(c))).next().unwrap();
                let name = format!("{}.md", before.rsplit('/').next().unwrap());
                let page = root.join("docs/explanation").join(&name);
                if !before.contains("docs/explanation") && !name.starts_with("opentenbase-v") {
                    continue;
                }
                cited += 1;
                let heading = code[at..].strip_prefix(".md, \"").and_then(|rest| rest.split('"').next());
                let is_there = |title: &str| anchors(&page).contains(&slug(title));
                if !page.is_file() || heading.is_some_and(|title| !is_there(title)) {
                    dead.push(format!("{}: {name} {heading:?}", path.display()));
                }
            }
        }
    }
    assert!(cited > 40, "{cited}");
    assert_eq!(dead, Vec::<String>::new());
}
