//! Conditions: `[ … ]` and `[[ … ]]`.

use super::super::bash::{Piece, Word, literal};
use super::Variables;

impl Variables {
    /// `[ … ]`, `test …`: its words are split as those of any command.
    pub(super) fn old_test(&mut self, words: &[Word]) -> Option<bool> {
        let words: Vec<String> = self.all_fields(words).ok()?.into_iter().collect::<Result<_, _>>().ok()?;
        match words.split_first()? {
            (name, rest) if name == "[" => {
                let (last, rest) = rest.split_last()?;
                if last == "]" { decide(rest) } else { None }
            }
            (_, rest) => decide(rest),
        }
    }

    /// `[[ … ]]`: nothing is split, and what stands to the right of `=` is a pattern.
    pub(super) fn test(&mut self, words: &[Word]) -> Option<bool> {
        let is_pattern = |word: &Word| {
            let open = |piece: &Piece| match piece {
                Piece::Text { text, quoted } => !quoted && text.contains(['*', '?', '[', '\\', '(', '|']),
                Piece::Expansion { quoted, .. } => !quoted,
            };
            word.iter().any(open)
        };
        let compared = matches!(words, [_, operator, pattern]
            if matches!(literal(operator).as_deref(), Some("=" | "==" | "!=")) && is_pattern(pattern));
        let texts = words.iter().map(|word| self.text(word)).collect::<Vec<_>>();
        let texts: Vec<String> = texts.into_iter().collect::<Result<_, _>>().ok()?;
        if compared && texts.last().is_some_and(|text| text.contains(['*', '?', '[', '\\', '(', '|'])) {
            return None;
        }
        decide(&texts)
    }
}

/// Whether it holds; `None` means that it depends on the machine, or is not understood.
fn decide(words: &[String]) -> Option<bool> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let number = |text: &str| text.trim().parse::<i64>().ok();
    match words.as_slice() {
        [] => Some(false),
        ["!", rest @ ..] if !rest.is_empty() && rest.len() != 2 => {
            let rest: Vec<String> = rest.iter().map(|word| (*word).to_owned()).collect();
            decide(&rest).map(|holds| !holds)
        }
        ["!", "-z", text] | ["-n", text] => Some(!text.is_empty()),
        ["!", "-n", text] | ["-z", text] => Some(text.is_empty()),
        [one] => Some(!one.is_empty()),
        [left, "=" | "==", right] => Some(left == right),
        [left, "!=", right] => Some(left != right),
        [left, operator, right] => {
            let (left, right) = (number(left)?, number(right)?);
            match *operator {
                "-eq" => Some(left == right),
                "-ne" => Some(left != right),
                "-lt" => Some(left < right),
                "-le" => Some(left <= right),
                "-gt" => Some(left > right),
                "-ge" => Some(left >= right),
                _ => None,
            }
        }
        _ => None,
    }
}
