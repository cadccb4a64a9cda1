//! Output of a server or a command is untrusted: control characters are removed before people see it.

/// The maximum number of foreign characters in one of otb's messages.
pub const MOST_DISPLAYED: usize = 400;

/// `text` on one line: control characters (terminal escapes, bidirectional overrides) become spaces, runs of
/// white space become one space, and what is too long ends in `…`.
pub fn sanitize_for_display(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MOST_DISPLAYED));
    let mut room = MOST_DISPLAYED;
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
pub fn sanitize_bytes_for_display(bytes: &[u8]) -> String {
    sanitize_for_display(&String::from_utf8_lossy(bytes))
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
        assert_eq!(sanitize_for_display("a\x1b[31mred\r\n  b\t\u{202e}c\0"), "a [31mred b c");
        assert_eq!(sanitize_bytes_for_display(b"\xff ok\x07"), "\u{fffd} ok");
    }

    #[test]
    fn long_texts_are_cut() {
        let long = sanitize_for_display(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), MOST_DISPLAYED + 1);
        assert!(long.ends_with('…'));
    }
}
