//! The Chinese pages: each has the commands and outputs of its English page, and names the English text it translates.
//!
//! They are not run a second time. A block that equals one that was run a moment ago needs no run of its own, and a run
//! of all pages takes minutes. `OTB_BLESS=1` copies the blocks of the English page.
//!
//! The last line of a Chinese page has a digest of each section of the English text. Line breaks and blocks do not count.
//! A section that differs is named. `OTB_TRANSLATED=docs/zh-CN/tutorial.md` (commas between several) renews the digests
//! of a page, after its translation. `OTB_BLESS` does not: nobody would notice that the translation is missing.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{PAGES, files, root};

/// Has the terms and no English page: docs/glossary.md has these.
const TERMS: &str = "docs/zh-CN/README.md";

const MARK: &str = "<!-- translated from ";

enum Piece<'a> {
    Text(Vec<&'a str>),
    /// From its opening line to its closing one.
    Block(Vec<&'a str>),
}

#[test]
fn every_page_has_a_chinese_one() {
    let mut there = files("docs/zh-CN", "md");
    there.retain(|page| page != TERMS);
    there.push("README.zh-CN.md".to_owned());
    there.sort();
    let mut due: Vec<String> = PAGES.iter().map(|page| chinese(page)).collect();
    due.sort();
    assert_eq!(there, due);
}

#[test]
fn no_chinese_page_is_older_than_its_english_one() {
    let renewed = std::env::var("OTB_TRANSLATED").unwrap_or_default();
    let mut old = Vec::new();
    for english in PAGES {
        let page = chinese(english);
        let (original, translated) = (read(english), read(&page));
        assert_eq!(levels(&original), levels(&translated), "{page} has other headings than {english}");
        let original = sections(&original);
        let text = translated.split(MARK).next().unwrap();
        let due = format!("{text}{}\n", mark(english, &original));
        if due == translated {
            continue;
        }
        if renewed.split(',').any(|named| named == page) {
            std::fs::write(root().join(&page), due).unwrap();
            continue;
        }
        let known = translated.split(MARK).nth(1).unwrap_or_default();
        let new: Vec<&str> =
            original.iter().filter(|one| !known.contains(&one.digest)).map(|one| one.heading).collect();
        old.push(format!(
            "{page} is older than {english}: {}\n  translate what changed, then OTB_TRANSLATED={page} cargo test --test pages older",
            if new.is_empty() { "a section is gone or moved".to_owned() } else { new.join(", ") }
        ));
    }
    assert!(old.is_empty(), "{}", old.join("\n"));
}

/// The Chinese page of an English one, by its path.
fn chinese(english: &str) -> String {
    match english.strip_prefix("docs/") {
        Some(page) => format!("docs/zh-CN/{page}"),
        None => english.replace(".md", ".zh-CN.md"),
    }
}

/// Compares the blocks of the Chinese page with those of the English one, which was run.
pub(crate) fn hold(english: &str) {
    let page = chinese(english);
    let (original, translated) = (read(english), read(&page));
    let actual = with_blocks(&page, &translated, &original);
    if actual == translated {
        return;
    }
    if std::env::var_os("OTB_BLESS").is_some() {
        std::fs::write(root().join(&page), actual).unwrap();
        return;
    }
    let diff = similar::TextDiff::from_lines(&translated, &actual);
    let diff = diff.unified_diff().context_radius(4).header(&page, english).to_string();
    panic!("{page} has not the blocks of {english} (OTB_BLESS=1 copies them):\n{diff}");
}

/// The translated page with the blocks of the original, where they differ in more than their comments.
fn with_blocks(page: &str, translated: &str, original: &str) -> String {
    let is_block = |piece: &Piece| matches!(piece, Piece::Block(_));
    let (own, due) = (pieces(translated), pieces(original));
    let count = |pieces: &[Piece]| pieces.iter().filter(|piece| is_block(piece)).count();
    assert_eq!(count(&own), count(&due), "{page} has other blocks than its English page");
    let mut due = due.iter().filter(|piece| is_block(piece));
    let mut out = String::new();
    for piece in &own {
        let lines = match piece {
            Piece::Text(lines) => lines,
            Piece::Block(own) => match due.next().unwrap() {
                Piece::Block(due) if typed(own) != typed(due) => due,
                _ => own,
            },
        };
        for line in lines {
            writeln!(out, "{line}").unwrap();
        }
    }
    out
}

/// What is typed and printed in a block: a script's comments may be translated.
fn typed(block: &[&str]) -> Vec<String> {
    let is_script = block[0] == "```sh";
    let code = |line: &&str| if is_script { line.split(" # ").next().unwrap().trim_end() } else { line }.to_owned();
    block.iter().map(code).collect()
}

fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut lines = page.lines().peekable();
    while let Some(first) = lines.peek() {
        if first.starts_with("```") {
            let mut block = vec![lines.next().unwrap()];
            block.extend(lines.by_ref().take_while(|line| *line != "```"));
            block.push("```");
            found.push(Piece::Block(block));
        } else {
            let mut text = Vec::new();
            while let Some(line) = lines.next_if(|line| !line.starts_with("```")) {
                text.push(line);
            }
            found.push(Piece::Text(text));
        }
    }
    found
}

struct Section<'a> {
    heading: &'a str,
    digest: String,
}

/// The sections of a page without their blocks, with a digest of the words of each.
fn sections(page: &str) -> Vec<Section<'_>> {
    let mut found: Vec<(&str, String)> = Vec::new();
    for piece in pieces(page) {
        let Piece::Text(lines) = piece else { continue };
        for line in lines {
            if line.starts_with('#') {
                found.push((line, String::new()));
            }
            let words = &mut found.last_mut().expect("a page begins with its title").1;
            for word in line.split_whitespace() {
                write!(words, "{word} ").unwrap();
            }
        }
    }
    let digest = |words: String| {
        let whole = Sha256::digest(words.as_bytes());
        format!("{:08x}", u32::from_be_bytes([whole[0], whole[1], whole[2], whole[3]]))
    };
    found.into_iter().map(|(heading, words)| Section { heading, digest: digest(words) }).collect()
}

/// How deep each heading of a page is.
fn levels(page: &str) -> Vec<usize> {
    sections(page).iter().map(|one| one.heading.chars().take_while(|c| *c == '#').count()).collect()
}

fn mark(english: &str, sections: &[Section]) -> String {
    let digests: Vec<&str> = sections.iter().map(|one| one.digest.as_str()).collect();
    format!("{MARK}{english}: {} -->", digests.join(" "))
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap()
}
