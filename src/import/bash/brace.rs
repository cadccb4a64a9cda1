//! Brace lists: `a{b,c}`, `dn{01..12}`.

use super::{Piece, Word};

/// The most words that one becomes.
const MOST: usize = 2048;

#[derive(Clone)]
enum Unit {
    /// Unquoted.
    Letter(char),
    Other(Piece),
}

/// The words that `word` is short for; `None` means too many.
pub(in super::super) fn braces(word: &Word) -> Option<Vec<Word>> {
    let mut units = Vec::new();
    for piece in word {
        match piece {
            Piece::Text { text, quoted: false } => units.extend(text.chars().map(Unit::Letter)),
            other => units.push(Unit::Other(other.clone())),
        }
    }
    let open = units.iter().filter(|unit| matches!(unit, Unit::Letter('{'))).count();
    if open > 0 && units.len() > MOST {
        return None;
    }
    let mut words = Vec::new();
    expand(&units, &mut words, 0)?;
    Some(words.iter().map(|units| joined(units)).collect())
}

fn joined(units: &[Unit]) -> Word {
    let mut word: Word = Vec::new();
    for unit in units {
        match (unit, word.last_mut()) {
            (Unit::Letter(c), Some(Piece::Text { text, quoted: false })) => text.push(*c),
            (Unit::Letter(c), _) => word.push(Piece::Text { text: c.to_string(), quoted: false }),
            (Unit::Other(piece), _) => word.push(piece.clone()),
        }
    }
    word
}

/// The first list in it that is one is expanded, and what comes of it again.
fn expand(units: &[Unit], words: &mut Vec<Vec<Unit>>, depth: usize) -> Option<()> {
    if words.len() >= MOST || words.len() * units.len() > MOST * 64 || depth > 40 {
        return None;
    }
    for (at, _) in units.iter().enumerate().filter(|(_, unit)| matches!(unit, Unit::Letter('{'))) {
        let Some((parts, end)) = parts(units, at) else { continue };
        let parts = match parts.len() {
            1 => match range(&units[at + 1..end]) {
                Range::None => continue,
                Range::Long => return None,
                Range::Words(words) => words,
            },
            _ => parts,
        };
        for part in parts {
            expand(&[&units[..at], &part, &units[end + 1..]].concat(), words, depth + 1)?;
        }
        return Some(());
    }
    words.push(units.to_vec());
    Some(())
}

/// The parts between the commas of the list that begins at `at`, and the end of the list.
fn parts(units: &[Unit], at: usize) -> Option<(Vec<Vec<Unit>>, usize)> {
    let (mut depth, mut parts) = (0, vec![Vec::new()]);
    for (n, unit) in units.iter().enumerate().skip(at + 1) {
        match unit {
            Unit::Letter('}') if depth == 0 => return Some((parts, n)),
            Unit::Letter(',') if depth == 0 => {
                parts.push(Vec::new());
                continue;
            }
            Unit::Letter('{') => depth += 1,
            Unit::Letter('}') => depth -= 1,
            _ => {}
        }
        parts.last_mut()?.push(unit.clone());
    }
    None
}

enum Range {
    /// It is something else.
    None,
    /// It has more words than are read, or some that are not.
    Long,
    Words(Vec<Vec<Unit>>),
}

/// `1..3`, `01..12..2`, `a..c`
fn range(units: &[Unit]) -> Range {
    let letters = units.iter().map(|unit| match unit {
        Unit::Letter(c) => Some(*c),
        Unit::Other(_) => None,
    });
    let Some(letters) = letters.collect::<Option<String>>() else { return Range::None };
    let ends: Vec<&str> = letters.split("..").collect();
    let (first, last, step) = match ends.as_slice() {
        [first, last] => (*first, *last, Ok(1)),
        [first, last, step] => (*first, *last, step.parse::<i64>()),
        _ => return Range::None,
    };
    let Ok(step) = step else { return Range::None };
    let step = step.saturating_abs().max(1);
    let letter = |text: &str| {
        let mut letters = text.chars();
        letters.next().filter(|c| c.is_ascii_alphabetic() && letters.next().is_none()).map(|c| i64::from(u32::from(c)))
    };
    let digits = |text: &str| text.trim_start_matches('-').to_owned();
    let is_padded = |text: &str| digits(text).starts_with('0') && digits(text).len() > 1;
    let width = if is_padded(first) || is_padded(last) { first.len().max(last.len()) } else { 0 };
    let texts: Option<Vec<String>> = match (first.parse(), last.parse(), letter(first), letter(last)) {
        (Ok(from), Ok(to), ..) => {
            counted(from, to, step).map(|all| all.into_iter().map(|n| format!("{n:0width$}")).collect())
        }
        (_, _, Some(from), Some(to)) => counted(from, to, step).and_then(|all| all.into_iter().map(plain).collect()),
        _ => return Range::None,
    };
    match texts {
        Some(texts) => Range::Words(texts.iter().map(|text| text.chars().map(Unit::Letter).collect()).collect()),
        None => Range::Long,
    }
}

/// A letter by its code; between Z and a lie some that mean something.
fn plain(code: i64) -> Option<String> {
    char::from_u32(u32::try_from(code).ok()?).filter(char::is_ascii_alphabetic).map(String::from)
}

/// The numbers from one to the other, up or down; `None` means too many.
pub(in super::super) fn counted(from: i64, to: i64, step: i64) -> Option<Vec<i64>> {
    let step = usize::try_from(step).ok().filter(|step| *step > 0)?;
    let many = from.abs_diff(to) / u64::try_from(step).ok()?;
    if many >= MOST as u64 {
        return None;
    }
    Some(if from <= to { (from..=to).step_by(step).collect() } else { (to..=from).rev().step_by(step).collect() })
}
