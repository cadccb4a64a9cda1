//! What is wrong with cluster.yaml, where, and what to write instead.

use std::fmt;

use serde::Serialize;

use super::code::Code;
use super::source::{Source, Span};
use super::visible;

/// The most mistakes that are reported in one run.
const LIMIT: usize = 20;

/// One mistake. All text in it is fit for a terminal; there is no colour in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub code: Code,
    /// One clause without a full stop.
    pub message: String,
    /// What to write or do instead.
    pub hint: String,
    /// The file's name as the user gave it.
    pub file: String,
    /// None for mistakes that have no line, such as a missing file.
    pub place: Option<Place>,
}

/// The line of a mistake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In characters, on this line.
    pub length: usize,
    /// The line, control characters made visible, a long one cut around the mistake.
    pub source_line: String,
    /// Terminal columns of `source_line` before the carets.
    pub indent: usize,
    /// Terminal columns under which the carets stand.
    pub carets: usize,
}

impl Place {
    fn new(source: &Source<'_>, span: Span) -> Self {
        let line = source.line(span.start.line);
        let start = span.start.column.saturating_sub(1);
        let rest = line.chars().count().saturating_sub(start);
        // A mapping or list over several lines is marked on its first line only.
        let length = if span.end.line == span.start.line {
            span.end.column.saturating_sub(span.start.column)
        } else {
            line.trim_end().chars().count().saturating_sub(start)
        };
        let length = length.min(rest);
        let shown = visible::excerpt(line, start, length);
        Self {
            line: span.start.line,
            column: span.start.column,
            length,
            source_line: shown.text,
            indent: shown.indent,
            carets: shown.carets,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code, self.message)?;
        let Some(place) = &self.place else {
            writeln!(f, "  --> {}", self.file)?;
            return write!(f, "  = {}", self.hint);
        };
        let number = place.line.to_string();
        let pad = " ".repeat(number.len());
        writeln!(f, "{pad}--> {}:{}:{}", self.file, place.line, place.column)?;
        writeln!(f, "{pad} |")?;
        writeln!(f, "{number} | {}", place.source_line)?;
        write!(f, "{pad} | {}{} {}", " ".repeat(place.indent), "^".repeat(place.carets), self.hint)
    }
}

/// Every mistake of one run, in the order of the file. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostics {
    pub list: Vec<Diagnostic>,
    /// How many more there were than are worth reading at once.
    pub more: usize,
}

impl Diagnostics {
    /// A mistake that is not on any line of the file.
    pub(super) fn of_file(file: &str, code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let file = visible::printable(file);
        let diagnostic = Diagnostic { code, message: message.into(), hint: hint.into(), file, place: None };
        Self { list: vec![diagnostic], more: 0 }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.list.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n\n" };
            write!(f, "{gap}{diagnostic}")?;
        }
        if self.more > 0 {
            write!(f, "\n\n… and {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Collects mistakes while the file is being read.
pub(super) struct Findings<'t> {
    pub(super) source: &'t Source<'t>,
    found: Vec<(Span, Diagnostic)>,
    more: usize,
}

impl<'t> Findings<'t> {
    pub(super) fn new(source: &'t Source<'t>) -> Self {
        Self { source, found: Vec::new(), more: 0 }
    }

    /// Notes a mistake. Every one says what to write instead.
    pub(super) fn add(&mut self, code: Code, span: Span, message: impl Into<String>, hint: impl Into<String>) {
        if self.is_full() {
            self.count_unshown();
            return;
        }
        let file = visible::printable(&self.source.file);
        let place = Some(Place::new(self.source, span));
        self.found.push((span, Diagnostic { code, message: message.into(), hint: hint.into(), file, place }));
    }

    /// Notes a mistake that is one too many to be shown.
    pub(super) fn count_unshown(&mut self) {
        self.more += 1;
    }

    /// Whether further mistakes would only be counted.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= LIMIT
    }

    /// `value`, unless something was found.
    pub(super) fn into_result<T>(mut self, value: Option<T>) -> Result<T, Diagnostics> {
        self.found.sort_by_key(|(span, _)| span.start);
        let list: Vec<_> = self.found.into_iter().map(|(_, diagnostic)| diagnostic).collect();
        match value {
            Some(value) if list.is_empty() => Ok(value),
            _ if list.is_empty() => Err(unexplained(&self.source.file)),
            _ => Err(Diagnostics { list, more: self.more }),
        }
    }
}

/// No usable value and no mistake came out: a defect of otb, which is reported and not hidden.
fn unexplained(file: &str) -> Diagnostics {
    let hint = "this is a defect in otb: please report it with the file";
    Diagnostics::of_file(file, Code::Syntax, "failed to understand the file, and failed to explain why", hint)
}
