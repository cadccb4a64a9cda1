//! The Chinese texts of codes, from a catalogue by code.

use super::Explanation;

/// Blocks of four lines, separated by an empty line: code, title, why, next.
const CATALOGUE: &str = include_str!("zh_CN.txt");

/// Returns the explanation with Chinese texts. `None` means that the catalogue does not have its code, so that English is
/// shown.
pub(super) fn translated(entry: &Explanation) -> Option<Explanation> {
    let [title, why, next] = texts(&entry.code)?;
    let own = |text: &str| text.to_owned();
    Some(Explanation { title: own(title), why: own(why), next: own(next), ..entry.clone() })
}

fn texts(code: &str) -> Option<[&'static str; 3]> {
    let mut lines = CATALOGUE.lines();
    // A code stands in the first line and after each block of four lines and an empty one.
    loop {
        let (found, texts) = (lines.next()?, [lines.next()?, lines.next()?, lines.next().unwrap_or_default()]);
        if found == code {
            return Some(texts);
        }
        lines.next();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::codes::all;

    /// Commands and settings are the same in both languages.
    fn words(text: &str) -> BTreeSet<&str> {
        text.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn every_code_has_chinese_texts() {
        for entry in all() {
            let chinese = translated(&entry).unwrap_or_else(|| panic!("{} is not in the catalogue", entry.code));
            for (english, chinese) in
                [(&entry.title, &chinese.title), (&entry.why, &chinese.why), (&entry.next, &chinese.next)]
            {
                assert_eq!(english.is_empty(), chinese.is_empty(), "{}", entry.code);
                assert_eq!(words(english), words(chinese), "{}", entry.code);
            }
        }
        assert_eq!(texts("nonsense"), None);
    }
}
