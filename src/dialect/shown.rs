//! What a server or a command says is untrusted: before people see it, control characters go.

/// The most characters of somebody else's text that end up in one of our messages.
pub const MOST_SHOWN: usize = 400;

/// `text` on one line: control characters (terminal escapes, bidirectional overrides) become spaces, runs of
/// white space become one space, and what is too long ends in `…`.
pub fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MOST_SHOWN));
    let mut room = MOST_SHOWN;
    for word in text.split(|c: char| c.is_whitespace() || is_dangerous(c)).filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        for c in word.chars() {
            if room == 0 {
                out.push('…');
                return out;
            }
            room -= 1;
            out.push(c);
        }
    }
    out
}

/// The same for bytes of any encoding.
pub fn shown_bytes(bytes: &[u8]) -> String {
    shown(&String::from_utf8_lossy(bytes))
}

/// Controls, and the invisible characters that reorder or hide text on a terminal.
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_line_ends_become_spaces() {
        assert_eq!(shown("a\x1b[31mred\r\n  b\t\u{202e}c\0"), "a [31mred b c");
        assert_eq!(shown_bytes(b"\xff ok\x07"), "\u{fffd} ok");
    }

    #[test]
    fn long_texts_are_cut() {
        let long = shown(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), MOST_SHOWN + 1);
        assert!(long.ends_with('…'));
    }
}
