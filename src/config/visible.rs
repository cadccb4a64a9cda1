//! Text of unknown origin, made fit for a terminal.

use unicode_width::UnicodeWidthChar as _;

/// The most columns of a source line that are shown.
const WINDOW: usize = 110;
/// The most characters of a value that are quoted in a message.
const QUOTED: usize = 60;

/// A source line as it is shown: cut around the mistake, nothing in it invisible.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) text: String,
    /// Columns (not characters) before the caret.
    pub(super) indent: usize,
    /// How many columns the carets take; at least 1.
    pub(super) carets: usize,
}

/// Cuts `line` around the `length` characters from `start` (from 0).
pub(super) fn excerpt(line: &str, start: usize, length: usize) -> Excerpt {
    let length = length.max(1);
    let shown_length = length.min(WINDOW / 2);
    // A long line is shown from a third of the window before the mistake.
    let total = line.chars().count();
    let from = if total <= WINDOW { 0 } else { start.saturating_sub(WINDOW / 3).min(total - WINDOW) };
    let shown: Vec<char> = line.chars().skip(from).take(WINDOW).map(visible).collect();
    let columns = |chars: &[char]| chars.iter().copied().map(width).sum::<usize>();
    let caret = start.saturating_sub(from).min(shown.len());
    let end = (caret + shown_length).min(shown.len());
    let (before, after) = (if from > 0 { "…" } else { "" }, if from + shown.len() < total { "…" } else { "" });
    Excerpt {
        text: format!("{before}{}{after}", shown.iter().collect::<String>()),
        indent: columns(&shown[..caret]) + usize::from(from > 0),
        carets: columns(&shown[caret..end]).max(1),
    }
}

/// A value for a message, between backquotes, cut if it is long.
pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    let cut = if text.chars().nth(QUOTED).is_some() { "…" } else { "" };
    format!("`{}{cut}`", text.chars().take(QUOTED).map(visible).collect::<String>())
}

/// All of a text, nothing in it invisible.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// Control characters as Unicode's pictures of them; what would reorder or hide text as a replacement mark.
fn visible(c: char) -> char {
    match c {
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

/// Terminal columns of a character: a caret stands under Chinese, Japanese or Korean text, too.
fn width(c: char) -> usize {
    c.width().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_lines_are_shown_whole() {
        let shown = excerpt("  mastr: s29", 2, 5);
        assert_eq!(shown, Excerpt { text: "  mastr: s29".into(), indent: 2, carets: 5 });
    }

    #[test]
    fn long_lines_are_cut_on_both_sides() {
        let line = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let shown = excerpt(&line, 500, 4);
        assert_eq!(shown.text.chars().count(), WINDOW + 2);
        assert!(shown.text.starts_with('…') && shown.text.ends_with('…'));
        assert_eq!(shown.text.chars().skip(shown.indent).take(shown.carets).collect::<String>(), "HERE");
    }

    #[test]
    fn nothing_stays_invisible() {
        assert_eq!(excerpt("\ta\0\u{1b}[31m\u{202e}", 0, 1).text, "␉a␀␛[31m\u{fffd}");
        assert_eq!(quoted("a\nb"), "`a␊b`");
        assert_eq!(quoted(&"x".repeat(1000)).chars().count(), QUOTED + 3);
    }

    #[test]
    fn carets_stand_under_wide_characters() {
        let shown = excerpt("节点: 主", 4, 1);
        assert_eq!((shown.indent, shown.carets), (6, 2));
    }

    #[test]
    fn a_caret_may_stand_behind_the_end() {
        assert_eq!(excerpt("", 0, 0), Excerpt { text: String::new(), indent: 0, carets: 1 });
        assert_eq!(excerpt("ab", 9, 3).indent, 2);
    }
}
