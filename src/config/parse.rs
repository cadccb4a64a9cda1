//! YAML text → marked tree. What YAML allows and cluster.yaml does not (anchors, tags, several documents,
//! deep nesting) is refused here, before it can cost anything.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::code::Code;
use super::diagnostic::Findings;
use super::source::{Position, Source, Span};
use super::tree::{Entry, Marked, Scalar, ScalarKind, Style, Value};
use super::visible::quoted;

/// A cluster.yaml is six levels deep.
const MAX_DEPTH: usize = 16;

/// The parser cannot or need not go on; the reason has been reported.
struct Stop;

/// The file's one document, as far as it can be read.
pub(super) fn parse(source: &Source<'_>, findings: &mut Findings<'_>) -> Option<Marked> {
    refuse_control_characters(source, findings)?;
    let parser = Parser::new_from_str(source.text);
    let mut builder = Builder { parser, findings };
    builder.document().ok()
}

/// YAML has no place for control characters, and its versions disagree about whether U+2028 ends a line: behind
/// one, what is a comment to this parser is a key to another.
fn refuse_control_characters(source: &Source<'_>, findings: &mut Findings<'_>) -> Option<()> {
    let mut clean = Some(());
    for (number, line) in source.lines() {
        if let Some(at) = line.chars().position(is_disputed) {
            let hint = "remove this character; the file must be plain UTF-8 text";
            findings.add(
                Code::ControlCharacter,
                Span::on_line(number, at + 1, 1),
                "control character or exotic line break in the file",
                hint,
            );
            clean = None;
        }
    }
    clean
}

fn is_disputed(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

struct Builder<'f, 's, 't> {
    parser: Parser<'s, StrInput<'s>>,
    findings: &'f mut Findings<'t>,
}

type Spanned<'s> = (Event<'s>, Span);

impl<'s> Builder<'_, 's, '_> {
    fn document(&mut self) -> Result<Marked, Stop> {
        let (first, span) = loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_), _) => {}
                other => break other,
            }
        };
        if matches!(&first, Event::StreamEnd) {
            return Err(self.empty(Span::at(Position::START)));
        }
        let tree = self.value(first, span, 0)?;
        self.end_of_document()?;
        match &tree.value {
            Value::Scalar(scalar) if scalar.kind == ScalarKind::Null => Err(self.empty(span)),
            _ => Ok(tree),
        }
    }

    fn empty(&mut self, span: Span) -> Stop {
        let hint = "start from examples/minimal.yaml, or let `otb import` write the file from the live cluster";
        self.findings.add(Code::Empty, span, "the file is empty", hint);
        Stop
    }

    fn end_of_document(&mut self) -> Result<(), Stop> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_), span) => {
                    let hint = "keep one document: one file describes one cluster";
                    self.findings.add(Code::Documents, span, "a second YAML document begins", hint);
                    return Err(Stop);
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Spanned<'s>, Stop> {
        // After this many mistakes the rest is not reported.
        if self.findings.is_full() {
            return Err(Stop);
        }
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, convert(span))),
            Some(Err(error)) => Err(self.syntax(&error)),
            None => Ok((Event::StreamEnd, Span::at(Position::START))),
        }
    }

    fn syntax(&mut self, error: &ScanError) -> Stop {
        let start = position(error.marker());
        let (span, hint) = advice(self.findings.source, start, error.info());
        self.findings.add(Code::Syntax, span, format!("failed to read YAML: {}", error.info()), hint);
        Stop
    }

    /// The value that begins with `event`.
    fn value(&mut self, event: Event<'s>, span: Span, depth: usize) -> Result<Marked, Stop> {
        if depth > MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} levels of nesting");
            self.findings.add(
                Code::TooDeep,
                span,
                message,
                "write the value itself: no key of the file is nested \
                so deeply",
            );
            return Err(Stop);
        }
        self.refuse_extras(&event, span);
        match event {
            Event::Scalar(text, style, ..) => Ok(Marked { span, value: Value::Scalar(scalar(&text, style)) }),
            Event::SequenceStart(..) => self.list(span, depth),
            Event::MappingStart(..) => self.map(span, depth),
            _ => Ok(Marked { span, value: Value::Refused }),
        }
    }

    /// Anchors and aliases would make one line change several nodes; tags change what a value means.
    fn refuse_extras(&mut self, event: &Event<'s>, span: Span) {
        let (anchor, tag) = match event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor > 0, tag.as_deref())
            }
            Event::Alias(_) => (true, None),
            _ => (false, None),
        };
        if anchor {
            let hint = "write the value out where it is used, or put it in `defaults`";
            let message = "anchors and aliases are not allowed: one line of this file must change one thing";
            self.findings.add(Code::Alias, span, message, hint);
        }
        if let Some(tag) = tag {
            let message = format!("the tag {} is not allowed", shown(tag));
            self.findings.add(Code::Tag, span, message, "remove the tag; put a number into quotes if it is text");
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Marked, Stop> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Marked { span: enclosing(start, span), value: Value::List(items) });
            }
            items.push(self.value(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Marked, Stop> {
        let mut entries = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Ok(Marked { span: enclosing(start, span), value: Value::Map(entries) });
            }
            let key = self.value(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.value(event, span, depth + 1)?;
            self.insert(&mut entries, key, value);
        }
    }

    fn insert(&mut self, entries: &mut BTreeMap<String, Entry>, key: Marked, value: Marked) {
        let name = match key.value {
            Value::Scalar(scalar) if !scalar.text.is_empty() => scalar.text,
            Value::Refused => return,
            _ => {
                let hint = "write a name before the colon";
                self.findings.add(Code::Key, key.span, "this key is not plain text", hint);
                return;
            }
        };
        if let Some(first) = entries.get(&name) {
            let hint = format!("remove one of the two; the first is on line {}", first.key.start.line);
            let message = format!("{} is written twice in the same mapping", quoted(&name));
            self.findings.add(Code::DuplicateKey, key.span, message, hint);
            return;
        }
        entries.insert(name, Entry { key: key.span, value });
    }
}

/// A tag as it is written: the parser has replaced `!!` by what it stands for.
fn shown(tag: &Tag) -> String {
    let tag = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
    quoted(&tag)
}

fn scalar(text: &str, style: ScalarStyle) -> Scalar {
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    };
    let kind = if style == Style::Plain { ScalarKind::of_plain(text) } else { ScalarKind::Text };
    Scalar { text: text.to_owned(), kind, style }
}

/// Where to show a YAML error, and how it is usually fixed.
fn advice(source: &Source<'_>, start: Position, reason: &str) -> (Span, String) {
    // The scanner reports some mistakes on the line before or after them.
    for line in [start.line, start.line + 1, start.line.saturating_sub(1)] {
        if let Some(at) = tab_in_indent(source.line(line)) {
            return (Span::on_line(line, at + 1, 1), "indent with spaces: YAML does not allow tabs here".to_owned());
        }
    }
    let here = source.line(start.line);
    if here.contains("{node}") || here.contains("{server}") {
        return (Span::at(start), "put a path with {node} or {server} inside {…} in quotes".to_owned());
    }
    if reason.contains("quoted scalar") {
        return (Span::at(start), "close the quote that opens here, on the same line".to_owned());
    }
    (Span::at(start), "check indentation, colons, quotes and brackets here and on the line before".to_owned())
}

fn tab_in_indent(line: &str) -> Option<usize> {
    line.chars().take_while(|&c| c == ' ' || c == '\t').position(|c| c == '\t')
}

fn convert(span: saphyr_parser::Span) -> Span {
    Span { start: position(&span.start), end: position(&span.end) }
}

fn position(marker: &saphyr_parser::Marker) -> Position {
    Position { line: marker.line().max(1), column: marker.col() + 1 }
}

fn enclosing(start: Span, end: Span) -> Span {
    Span { start: start.start, end: end.end }
}
