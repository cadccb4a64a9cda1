//! A part of the document with its room: what goes in goes in whole.

use crate::view::words::count;

/// Text and how many of its items did not fit.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) text: String,
    /// How many items are in it.
    pub(super) shown: usize,
    /// `412 of 512 changes`, where some were left out.
    pub(super) missing: Option<String>,
}

/// Characters, as the limits of forges count them.
pub(super) fn length(text: &str) -> usize {
    text.chars().count()
}

/// `head`, then as many of `items` as fit into `room`, then `foot`; nothing at all without items.
pub(super) fn part<T>(room: usize, noun: &str, items: &[T], frame: (&str, &str), item: impl Fn(&T) -> String) -> Part {
    let (head, foot) = frame;
    if items.is_empty() {
        return Part::default();
    }
    let mut left = room.saturating_sub(length(head) + length(foot));
    let mut text = head.to_owned();
    for (n, value) in items.iter().enumerate() {
        let row = item(value);
        let Some(rest) = left.checked_sub(length(&row)) else {
            let missing = Some(format!("{} of {}", items.len() - n, count(items.len(), noun)));
            return Part { text: text + foot, shown: n, missing };
        };
        left = rest;
        text.push_str(&row);
    }
    Part { text: text + foot, shown: items.len(), missing: None }
}

/// The sentence that says what was left out, where it was.
pub(super) fn with_note(part: &Part) -> String {
    match &part.missing {
        Some(missing) => format!("{}\n_Not shown here: {missing}._\n", part.text),
        None => part.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_the_frame_stays_whole() {
        let rows = ["one\n", "two\n", "three\n"];
        let all = part(100, "row", &rows, ("<\n", ">\n"), |row| (*row).to_owned());
        assert_eq!((all.text.as_str(), all.missing), ("<\none\ntwo\nthree\n>\n", None));
        let some = part(12, "row", &rows, ("<\n", ">\n"), |row| (*row).to_owned());
        assert_eq!((some.text.as_str(), some.missing.as_deref()), ("<\none\ntwo\n>\n", Some("1 of 3 rows")));
        let none: [&str; 0] = [];
        assert_eq!(part(100, "row", &none, ("<\n", ">\n"), |row| (*row).to_owned()).text, "");
    }
}
