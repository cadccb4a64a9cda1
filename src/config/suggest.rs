//! Suggests the known word that is most similar.

use super::visible::quoted;

/// The most words that are offered at once.
const OFFERED: usize = 9;

/// Longer words than this are no typing mistakes of ours.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, if one is near enough to be meant.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase();
    let scored = candidates.into_iter().map(|candidate| (distance(&word, candidate), candidate));
    let near = scored.filter(|(distance, candidate)| *distance <= tolerance(candidate));
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// Typing mistakes between two words; `-` and `_` are the same key to a hurried hand.
fn distance(word: &str, candidate: &str) -> usize {
    let plain = |text: &str| text.to_lowercase().replace('-', "_");
    strsim::osa_distance(&plain(word), &plain(candidate))
}

/// A third of the letters may be wrong, at least one.
fn tolerance(candidate: &str) -> usize {
    (candidate.chars().count() / 3).max(1)
}

/// `a`, `b` or `c`.
pub fn one_of<'c>(words: impl IntoIterator<Item = &'c str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(quoted).collect();
    if words.len() > OFFERED {
        let others = words.len() - OFFERED + 1;
        words.truncate(OFFERED - 1);
        words.push(format!("one of {others} others"));
    }
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_mistakes_are_understood() {
        let keys = ["master", "port", "instances", "max_lag", "via"];
        for (written, meant) in
            [("mastr", "master"), ("instance", "instances"), ("max-lag", "max_lag"), ("Port", "port"), ("vai", "via")]
        {
            assert_eq!(nearest(written, keys), Some(meant), "{written}");
        }
        for written in ["", "replicas", &"master".repeat(100)] {
            assert_eq!(nearest(written, keys), None, "{written}");
        }
    }

    #[test]
    fn choices_read_like_a_sentence() {
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert!(one_of(["a"; 100]).ends_with("`a`, `a` or one of 92 others"), "{}", one_of(["a"; 100]));
    }
}
