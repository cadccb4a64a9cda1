//! The text of cluster.yaml and places in it.

use std::ops::Range;

/// A position. Line and column count from 1; the column counts characters, as editors do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// From the first character to the one after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: Position,
    pub(super) end: Position,
}

impl Span {
    /// A place without a length, such as the end of the file.
    pub(super) fn at(start: Position) -> Self {
        Self { start, end: start }
    }

    /// A stretch of one line.
    pub(super) fn on_line(line: usize, column: usize, length: usize) -> Self {
        Self { start: Position { line, column }, end: Position { line, column: column + length } }
    }
}

/// A file's name and text, with its lines found once.
#[derive(Debug)]
pub(super) struct Source<'t> {
    pub(super) file: String,
    /// Without a byte order mark: it belongs to no line, and columns do not count it.
    pub(super) text: &'t str,
    /// The range of each line in `text`, without its line break.
    lines: Vec<Range<usize>>,
}

impl<'t> Source<'t> {
    pub(super) fn new(file: &str, text: &'t str) -> Self {
        let text = without_mark(text);
        Self { file: file.to_owned(), text, lines: lines_of(text) }
    }

    /// The text of a line (from 1); empty where there is none.
    pub(super) fn line(&self, number: usize) -> &'t str {
        let range = number.checked_sub(1).and_then(|index| self.lines.get(index));
        range.and_then(|range| self.text.get(range.clone())).unwrap_or_default()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &'t str)> {
        (1..=self.lines.len()).map(|number| (number, self.line(number)))
    }

    /// The bytes of `text` that a span covers; none for a span that no line holds.
    pub(super) fn bytes(&self, span: Span) -> Option<Range<usize>> {
        Some(self.offset(span.start)?..self.offset(span.end)?)
    }

    fn offset(&self, position: Position) -> Option<usize> {
        let range = self.lines.get(position.line.checked_sub(1)?)?;
        let line = self.text.get(range.clone())?;
        let before = line.char_indices().map(|(at, _)| at).chain([line.len()]);
        Some(range.start + before.into_iter().nth(position.column.checked_sub(1)?)?)
    }
}

/// The text behind the byte order mark that some editors on Windows write.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// YAML's line breaks: `\n`, `\r\n`, and `\r` alone.
fn lines_of(text: &str) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let mut start = 0;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        let next = match byte {
            b'\n' => at + 1,
            b'\r' => bytes.next_if(|&(_, next)| next == b'\n').map_or(at + 1, |(at, _)| at + 1),
            _ => continue,
        };
        lines.push(start..at);
        start = next;
    }
    lines.push(start..text.len());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_break_ends_a_line() {
        let source = Source::new("f", "\u{feff}a\r\nb\rc\nd");
        assert_eq!(source.lines().map(|(_, line)| line).collect::<Vec<_>>(), ["a", "b", "c", "d"]);
    }

    #[test]
    fn columns_count_characters_and_bytes_are_found_again() {
        let source = Source::new("f", "x\nné: s29\n");
        let range = source.bytes(Span::on_line(2, 5, 3)).unwrap();
        assert_eq!(&source.text[range], "s29");
        assert_eq!(source.bytes(Span::on_line(9, 1, 1)), None);
        assert_eq!(source.bytes(Span::on_line(1, 5, 1)), None);
    }
}
