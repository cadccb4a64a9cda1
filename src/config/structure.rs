//! The marked tree against the shape of the file: unknown and missing keys, types, bounds. What is usable
//! is handed on as a plain value, so that one mistake does not hide the others.

use std::collections::BTreeMap;
use std::fmt;

use serde_yaml::{Mapping, Value as Plain};

use super::code::Code;
use super::diagnostic::Findings;
use super::shape::{Form, Shape};
use super::source::Span;
use super::suggest::{nearest, one_of};
use super::tree::{Entry, Marked, Scalar, ScalarKind, Value};
use super::visible::quoted;

/// Reports every mistake of structure in the file and returns what is usable of it.
pub(super) fn check(shape: &Shape, tree: &Marked, findings: &mut Findings<'_>) -> Option<Plain> {
    let at = At { subject: Subject::File, label: Span::at(tree.span.start) };
    Checker { findings }.value(shape, tree, at)
}

/// The name of a value in a message, and the place to point at if something in it is missing.
#[derive(Clone, Copy)]
struct At<'n> {
    subject: Subject<'n>,
    label: Span,
}

#[derive(Clone, Copy)]
enum Subject<'n> {
    File,
    Key(&'n str),
    EntryOf(&'n str),
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("the file"),
            Self::Key(name) => f.write_str(&quoted(name)),
            Self::EntryOf(name) => write!(f, "an entry of {}", quoted(name)),
        }
    }
}

/// A whole number as it is written.
struct Number<'n> {
    value: i64,
    text: &'n str,
    span: Span,
}

struct Checker<'f, 't> {
    findings: &'f mut Findings<'t>,
}

impl Checker<'_, '_> {
    /// None: the value is unusable, and that has been reported.
    fn value(&mut self, shape: &Shape, marked: &Marked, at: At<'_>) -> Option<Plain> {
        match (&shape.form, &marked.value) {
            (_, Value::Refused) => None,
            (Form::Record { fields, required }, Value::Map(entries)) => {
                Some(self.record(fields, required, entries, at))
            }
            (Form::Table { entries: shape, least, most }, Value::Map(entries)) => {
                self.count(entries.len(), *least, *most, at);
                Some(self.table(shape, entries))
            }
            (Form::List { items: shape, least }, Value::List(items)) => {
                self.count(items.len(), *least, u64::MAX, at);
                Some(self.list(shape, items, at))
            }
            (Form::Choice(words), Value::Scalar(scalar)) if scalar.kind == ScalarKind::Text => {
                self.choice(words, scalar, marked.span, at)
            }
            (
                Form::Integer { least, most } | Form::Size { least, most },
                Value::Scalar(Scalar { kind: ScalarKind::Integer(number), text, .. }),
            ) => {
                let written = Number { value: *number, text, span: marked.span };
                self.integer(&written, (*least, *most), at)
            }
            (Form::Text | Form::Size { .. }, Value::Scalar(scalar)) if scalar.kind == ScalarKind::Text => {
                Some(text(scalar))
            }
            _ => self.wrong_type(shape, marked, at),
        }
    }

    fn record(
        &mut self,
        fields: &BTreeMap<String, Shape>,
        required: &[String],
        entries: &BTreeMap<String, Entry>,
        at: At<'_>,
    ) -> Plain {
        let mut usable = Mapping::new();
        let mut missing: Vec<&str> =
            required.iter().map(String::as_str).filter(|k| !entries.contains_key(*k)).collect();
        for (name, entry) in entries {
            match fields.get(name) {
                Some(shape) => {
                    if let Some(value) =
                        self.value(shape, &entry.value, At { subject: Subject::Key(name), label: entry.key })
                    {
                        usable.insert(Plain::from(name.as_str()), value);
                    }
                }
                None => self.unknown_key(name, entry.key, fields, entries, &mut missing),
            }
        }
        for name in missing {
            self.missing_key(name, fields.get(name), at);
        }
        Plain::Mapping(usable)
    }

    fn unknown_key(
        &mut self,
        name: &str,
        span: Span,
        fields: &BTreeMap<String, Shape>,
        entries: &BTreeMap<String, Entry>,
        missing: &mut Vec<&str>,
    ) {
        if self.findings.is_full() {
            // Suggestions for more keys than a user reads would take seconds in a file of 100,000 mistakes.
            self.findings.count_unshown();
            return;
        }
        let free = || fields.keys().map(String::as_str).filter(|field| !entries.contains_key(*field));
        let hint = match nearest(name, free()) {
            Some(meant) => {
                // It is not missing: it is this one.
                missing.retain(|name| *name != meant);
                format!("write `{meant}`")
            }
            None if free().next().is_none() => "remove it: all keys are already there".to_owned(),
            None => format!("remove it, or write {}", one_of(free())),
        };
        self.findings.add(Code::UnknownKey, span, format!("unknown key {}", quoted(name)), hint);
    }

    fn missing_key(&mut self, name: &str, shape: Option<&Shape>, at: At<'_>) {
        let hint = match shape.and_then(|shape| shape.example.as_deref()) {
            Some(example) => format!("add `{name}: {example}`"),
            None => format!("add `{name}:`"),
        };
        self.findings.add(Code::MissingKey, at.label, format!("{} has no `{name}`", at.subject), hint);
    }

    /// Names keep their place even when what they name is unusable, so that references to them are understood.
    fn table(&mut self, shape: &Shape, entries: &BTreeMap<String, Entry>) -> Plain {
        let mut usable = Mapping::new();
        for (name, entry) in entries {
            let value = self.value(shape, &entry.value, At { subject: Subject::Key(name), label: entry.key });
            usable.insert(Plain::from(name.as_str()), value.unwrap_or_else(nothing));
        }
        Plain::Mapping(usable)
    }

    /// Items keep their place too: later checks count them.
    fn list(&mut self, shape: &Shape, items: &[Marked], at: At<'_>) -> Plain {
        let subject = match at.subject {
            Subject::Key(name) | Subject::EntryOf(name) => Subject::EntryOf(name),
            Subject::File => Subject::File,
        };
        let values = items.iter().map(|item| {
            let at = At { subject, label: item.span };
            self.value(shape, item, at).unwrap_or_else(nothing)
        });
        Plain::Sequence(values.collect())
    }

    fn count(&mut self, count: usize, least: u64, most: u64, at: At<'_>) {
        let count = count as u64;
        if (least..=most).contains(&count) {
            return;
        }
        let (wanted, hint) = match (least, most) {
            (1, 1) if count > 1 => ("exactly one entry", "keep one of them"),
            (1, 1) => ("exactly one entry", "add one"),
            _ => ("at least one entry", "add one"),
        };
        let message = format!("{} must have {wanted}, and has {count}", at.subject);
        self.findings.add(Code::Count, at.label, message, hint);
    }

    fn choice(&mut self, words: &[String], scalar: &Scalar, span: Span, at: At<'_>) -> Option<Plain> {
        if words.contains(&scalar.text) {
            return Some(text(scalar));
        }
        let words = || words.iter().map(String::as_str);
        let hint = match nearest(&scalar.text, words()) {
            Some(meant) => format!("write `{meant}`"),
            None => format!("write {}", one_of(words())),
        };
        let message = format!("{} cannot be {}", at.subject, quoted(&scalar.text));
        self.findings.add(Code::WrongValue, span, message, hint);
        None
    }

    fn integer(&mut self, number: &Number<'_>, (least, most): (i64, i64), at: At<'_>) -> Option<Plain> {
        if (least..=most).contains(&number.value) {
            return Some(Plain::from(number.value));
        }
        let hint = match (least, most) {
            (least, most) if least == most => format!("write {least}: otb supports no other value"),
            _ => format!("write a number from {least} to {most}"),
        };
        let message = format!("{} cannot be {}", at.subject, quoted(number.text));
        self.findings.add(Code::WrongValue, number.span, message, hint);
        None
    }

    fn wrong_type(&mut self, shape: &Shape, marked: &Marked, at: At<'_>) -> Option<Plain> {
        let found = found(&marked.value);
        let empty = matches!(&marked.value, Value::Scalar(Scalar { kind: ScalarKind::Null, .. }));
        let span = if empty { at.label } else { marked.span };
        let message = if empty {
            format!("{} has no value", at.subject)
        } else {
            format!("{} must be {}, not {found}", at.subject, wanted(&shape.form))
        };
        self.findings.add(Code::WrongType, span, message, instead(shape, &marked.value, at.subject));
        None
    }
}

fn text(scalar: &Scalar) -> Plain {
    Plain::from(scalar.text.as_str())
}

fn nothing() -> Plain {
    Plain::Mapping(Mapping::new())
}

fn wanted(form: &Form) -> &'static str {
    match form {
        Form::Record { .. } | Form::Table { .. } => "a mapping",
        Form::List { .. } => "a list",
        Form::Text | Form::Choice(_) => "text",
        Form::Integer { .. } => "a whole number",
        Form::Size { .. } => "a size",
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Map(_) => "a mapping",
        Value::List(_) => "a list",
        Value::Refused => "this",
        Value::Scalar(scalar) => match scalar.kind {
            ScalarKind::Null => "nothing",
            ScalarKind::Bool => "true or false",
            ScalarKind::Integer(_) => "a number",
            ScalarKind::Fraction => "a fraction",
            ScalarKind::Text => "text",
        },
    }
}

/// Returns what to write in place of a value of the wrong type.
fn instead(shape: &Shape, value: &Value, subject: Subject<'_>) -> String {
    if let Value::Scalar(scalar) = value
        && scalar.kind != ScalarKind::Null
        && let Some(hint) = rewritten(shape, scalar)
    {
        return hint;
    }
    match (&shape.form, shape.example.as_deref(), subject) {
        (Form::Choice(words), ..) => format!("write {}", one_of(words.iter().map(String::as_str))),
        (_, Some(example), Subject::Key(name)) => format!("write `{name}: {example}`"),
        (_, Some(example), _) => format!("write `{example}`"),
        (Form::Record { required, .. }, None, _) if !required.is_empty() => {
            format!("write a mapping with {}", all_of(required))
        }
        (form, ..) => format!("write {} here", wanted(form)),
    }
}

/// The same scalar in the form that was wanted, where there is one.
fn rewritten(shape: &Shape, scalar: &Scalar) -> Option<String> {
    let shown = quoted(&scalar.text);
    let text = shown.trim_matches('`');
    match &shape.form {
        Form::Text => Some(format!("write it in quotes: \"{text}\"")),
        Form::Integer { .. } if matches!(ScalarKind::of_plain(&scalar.text), ScalarKind::Integer(_)) => {
            Some(format!("write it without quotes: {text}"))
        }
        Form::Record { required, .. } => match required.as_slice() {
            [only] => Some(format!("write `{{{only}: {text}}}`")),
            _ => None,
        },
        _ => None,
    }
}

fn all_of(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => words.concat(),
    }
}
