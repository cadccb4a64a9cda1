//! Names and messages come from files and servers: in a document for people they are text, whatever they contain.

use std::fmt::Write as _;

use crate::opentenbase::is_dangerous;

/// Nothing invisible, nothing that reorders text, on one line.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            c if c.is_whitespace() => ' ',
            c if is_dangerous(c) => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect()
}

/// At most `most` characters; what is longer ends in `…`.
pub(super) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Text within a line of Markdown, in or out of a table. An entity is never structure (CommonMark 2.5), so the same
/// works everywhere. It also mentions no user: `@all` would call the whole project.
pub(super) fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in visible(text).chars() {
        match c {
            '@' if !before.is_alphanumeric() && before != '_' => out.push_str("@<!-- -->"),
            '&' | '<' | '>' | '`' | '*' | '[' | ']' | '|' | '~' | '#' | '\\' | '$' | '!' => entity(&mut out, c),
            '_' if !before.is_alphanumeric() => entity(&mut out, c),
            c => out.push(c),
        }
        before = c;
    }
    out
}

fn entity(out: &mut String, c: char) {
    let _ = write!(out, "&#{};", u32::from(c));
}

/// A code span within a line of Markdown, in or out of a table.
pub(super) fn markdown_code(text: &str) -> String {
    let text = visible(text);
    let plain = |c: char| c.is_alphanumeric() || " @:.,_-+/()=>'\"".contains(c);
    if !text.is_empty() && text.trim() == text && text.chars().all(plain) {
        format!("`{text}`")
    } else {
        html_code(&text)
    }
}

/// The same in HTML, for `<summary>`, where Markdown is not read; every letter that Markdown or HTML could take for
/// more is an entity.
pub(super) fn html_code(text: &str) -> String {
    let mut out = String::from("<code>");
    for c in visible(text).chars() {
        if c.is_alphanumeric() || " @:.,-+/()=".contains(c) { out.push(c) } else { entity(&mut out, c) }
    }
    out + "</code>"
}

/// A fenced block: the fence is longer than any in the text.
pub(super) fn fenced(language: &str, lines: &[String]) -> String {
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat((longest + 1).max(3));
    let mut out = format!("{fence}{language}\n");
    for line in lines {
        out.push_str(line);
        out.push('\n');
    }
    out + &fence + "\n"
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A label of Mermaid, which has entities of its own: `#35;`.
pub(super) fn mermaid(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text).chars() {
        if c.is_alphanumeric() || " @:.,_-/()→".contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", u32::from(c));
        }
    }
    out
}

/// A quoted string of DOT.
pub(super) fn dot(text: &str) -> String {
    format!("\"{}\"", visible(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "`|<b>*x*</b>|\n\u{202e}@all [a](b) _c_ $d$";

    #[test]
    fn hostile_text_has_no_structure_left() {
        let safe = markdown(HOSTILE);
        assert!(!safe.contains(['`', '|', '*', '[', '\n', '$', '\u{202e}']), "{safe}");
        assert!(!safe.replace("<!-- -->", "").contains('<'), "{safe}");
        assert!(safe.contains("@<!-- -->all"), "{safe}");
        let code = markdown_code(HOSTILE);
        assert!(code.starts_with("<code>&#96;&#124;&#60;b&#62;"), "{code}");
        assert!(!mermaid(HOSTILE).contains(['`', '"', '<', '\n', '[']));
        assert_eq!(dot("a\"b\\"), r#""a\"b\\""#);
    }

    #[test]
    fn ordinary_names_stay_readable() {
        assert_eq!(markdown("dn01@s29 of opentenbase_cluster"), "dn01@s29 of opentenbase_cluster");
        assert_eq!(markdown_code("promote:dn01@s47"), "`promote:dn01@s47`");
        assert_eq!(mermaid("dn01@s29"), "dn01@s29");
    }

    #[test]
    fn a_fence_is_longer_than_what_it_holds() {
        assert_eq!(fenced("", &["a ```` b".to_owned()]), "`````\na ```` b\n`````\n");
        assert_eq!(cut("abc", 2), "ab…");
        assert_eq!(cut("ab", 2), "ab");
    }
}
