//! The file as a tree in which every value knows where it stands.

use std::collections::BTreeMap;

use super::source::Span;

/// A value and where it is written.
#[derive(Debug)]
pub(super) struct Marked {
    pub(super) span: Span,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Map(BTreeMap<String, Entry>),
    List(Vec<Marked>),
    Scalar(Scalar),
    /// Something otb does not read, such as an alias; already reported.
    Refused,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Span,
    pub(super) value: Marked,
}

#[derive(Debug)]
pub(super) struct Scalar {
    /// As written, without quotes.
    pub(super) text: String,
    pub(super) kind: ScalarKind,
    pub(super) style: Style,
}

/// How a scalar is written, as far as it matters for changing it in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|` or `>`.
    Block,
}

/// The kinds of an unquoted scalar in YAML 1.2's core schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    Null,
    Bool,
    /// A whole number; one beyond 64 bits is the largest there is, and out of every bound.
    Integer(i64),
    /// Any other number.
    Fraction,
    Text,
}

impl ScalarKind {
    /// Returns the kind of an unquoted scalar. `yes`, `0o17` and `021000` are text: their meaning depends on the YAML
    /// version, and no value of the file needs them.
    pub(super) fn of_plain(text: &str) -> Self {
        match text {
            "" | "~" | "null" | "Null" | "NULL" => Self::Null,
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Self::Bool,
            _ if is_whole(text) => Self::Integer(saturated(text)),
            _ if is_fraction(text) => Self::Fraction,
            _ => Self::Text,
        }
    }
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    all_digits && (digits == "0" || !digits.starts_with('0'))
}

fn saturated(digits: &str) -> i64 {
    digits.parse().unwrap_or(if digits.starts_with('-') { i64::MIN } else { i64::MAX })
}

/// `1.5` and `1e3`, but neither `021000` nor `infinity`.
fn is_fraction(text: &str) -> bool {
    let number = text.trim_start_matches(['-', '+']);
    let begins_like_one = number.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    begins_like_one && number.contains(['.', 'e', 'E']) && number.parse::<f64>().is_ok()
}

/// Walks the tree together with the values made from it, to find the place of a value. A value that the file does not
/// contain has the place of the nearest one around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks<'t> {
    /// None below what the file leaves out.
    node: Option<&'t Marked>,
    /// The file has something else where this would be.
    spoilt: bool,
    /// The key that leads here, or for a list's item its beginning.
    label: Span,
}

impl<'t> Marks<'t> {
    pub(super) fn root(tree: &'t Marked) -> Self {
        Self { node: Some(tree), spoilt: false, label: Span::at(tree.span.start) }
    }

    pub(super) fn key(self, name: &str) -> Self {
        match self.node.map(|node| &node.value) {
            Some(Value::Map(entries)) => match entries.get(name) {
                Some(entry) => Self { node: Some(&entry.value), spoilt: false, label: entry.key },
                None => Self { node: None, ..self },
            },
            Some(_) => Self { node: None, spoilt: true, ..self },
            None => self,
        }
    }

    pub(super) fn item(self, index: usize) -> Self {
        match self.node.map(|node| &node.value) {
            Some(Value::List(items)) => match items.get(index) {
                Some(item) => Self { node: Some(item), spoilt: false, label: item.span },
                None => Self { node: None, ..self },
            },
            Some(_) => Self { node: None, spoilt: true, ..self },
            None => self,
        }
    }

    /// Whether the file says something here, were it nonsense.
    pub(super) fn is_written(self) -> bool {
        self.node.is_some() || self.spoilt
    }

    /// Returns the place of the key.
    pub(super) fn label(self) -> Span {
        self.label
    }

    /// Returns the place of the value if it is a scalar, otherwise of its key.
    pub(super) fn span(self) -> Span {
        match self.node {
            Some(Marked { span, value: Value::Scalar(_) }) => *span,
            _ => self.label,
        }
    }

    pub(super) fn scalar(self) -> Option<(&'t Scalar, Span)> {
        match self.node {
            Some(Marked { span, value: Value::Scalar(scalar) }) => Some((scalar, *span)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_the_core_schema_says() {
        let cases = [
            ("", ScalarKind::Null),
            ("~", ScalarKind::Null),
            ("True", ScalarKind::Bool),
            ("0", ScalarKind::Integer(0)),
            ("-7", ScalarKind::Integer(-7)),
            ("21000", ScalarKind::Integer(21000)),
            ("99999999999999999999", ScalarKind::Integer(i64::MAX)),
            ("1.5", ScalarKind::Fraction),
            (".5", ScalarKind::Fraction),
            ("1e3", ScalarKind::Fraction),
            ("021000", ScalarKind::Text),
            ("172.16.0.29", ScalarKind::Text),
            ("16MiB", ScalarKind::Text),
            ("yes", ScalarKind::Text),
            ("s29", ScalarKind::Text),
            ("-", ScalarKind::Text),
            (".", ScalarKind::Text),
            ("infinity", ScalarKind::Text),
        ];
        for (text, kind) in cases {
            assert_eq!(ScalarKind::of_plain(text), kind, "{text}");
        }
    }
}
