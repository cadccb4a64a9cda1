//! Values and their types, with PostgreSQL's text form.

use std::cmp::Ordering;

use crate::model::Lsn;
use crate::sandbox::moment::Moment;

use super::SqlError;

/// One value of a row. No floating point, so that a world can be compared and hashed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    Lsn(Lsn),
    Time(Moment),
}

/// The type of a column or an expression, as far as the sandbox has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Bool,
    /// The one-byte `"char"` type of catalogs.
    Char,
    Name,
    Text,
    Int4,
    Int8,
    Oid,
    Xid,
    Numeric,
    Lsn,
    TimestampTz,
    Interval,
    Inet,
    /// A quoted literal or parameter without a type yet.
    Unknown,
}

impl Kind {
    /// PostgreSQL's type oid.
    pub fn oid(self) -> u32 {
        match self {
            Self::Bool => 16,
            Self::Char => 18,
            Self::Name => 19,
            Self::Int8 => 20,
            Self::Int4 => 23,
            // An unknown literal in a select list is reported as text since PostgreSQL 10.
            Self::Text | Self::Unknown => 25,
            Self::Oid => 26,
            Self::Xid => 28,
            Self::Inet => 869,
            Self::TimestampTz => 1184,
            Self::Interval => 1186,
            Self::Numeric => 1700,
            Self::Lsn => 3220,
        }
    }

    /// The name used in casts and error texts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bool => "boolean",
            Self::Char => "\"char\"",
            Self::Name => "name",
            Self::Text => "text",
            Self::Int4 => "integer",
            Self::Int8 => "bigint",
            Self::Oid => "oid",
            Self::Xid => "xid",
            Self::Numeric => "numeric",
            Self::Lsn => "pg_lsn",
            Self::TimestampTz => "timestamp with time zone",
            Self::Interval => "interval",
            Self::Inet => "inet",
            Self::Unknown => "unknown",
        }
    }

    pub fn is_number(self) -> bool {
        matches!(self, Self::Int4 | Self::Int8 | Self::Oid | Self::Numeric)
    }

    fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Name | Self::Char | Self::Inet | Self::Unknown | Self::Interval)
    }
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A count, a size or a port.
    pub fn count(n: impl TryInto<i64>) -> Self {
        Self::Int(n.try_into().unwrap_or(i64::MAX))
    }

    pub fn or_null<T>(value: Option<T>, wrap: impl FnOnce(T) -> Self) -> Self {
        value.map_or(Self::Null, wrap)
    }

    pub fn is_true(&self) -> bool {
        *self == Self::Bool(true)
    }

    /// The text protocol's form; none for NULL.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Bool(b) => Some(if *b { "t" } else { "f" }.to_owned()),
            Self::Int(n) => Some(n.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Lsn(lsn) => Some(lsn.to_string()),
            Self::Time(moment) => Some(moment.to_string()),
        }
    }

    /// Converts to `kind`, as an assignment or an explicit cast does.
    pub fn cast(&self, kind: Kind) -> Result<Self, SqlError> {
        let Some(text) = self.to_text() else { return Ok(Self::Null) };
        if kind.is_text() {
            // A cast of a boolean to text says true, its output function says t.
            return Ok(match self {
                Self::Bool(b) => Self::text(b.to_string()),
                _ => Self::Text(text),
            });
        }
        let bad = || SqlError::bad_input(kind.word(), &text);
        match kind {
            Kind::Bool => match text.to_ascii_lowercase().as_str() {
                "t" | "true" | "on" | "yes" | "1" => Ok(Self::Bool(true)),
                "f" | "false" | "off" | "no" | "0" => Ok(Self::Bool(false)),
                _ => Err(bad()),
            },
            Kind::Int4 | Kind::Int8 | Kind::Oid | Kind::Xid | Kind::Numeric => match self {
                Self::Bool(b) => Ok(Self::Int(i64::from(*b))),
                _ => text.trim().parse().map(Self::Int).map_err(|_| bad()),
            },
            Kind::Lsn => text.trim().parse().map(Self::Lsn).map_err(|_| bad()),
            Kind::TimestampTz => match self {
                Self::Time(_) => Ok(self.clone()),
                _ => Err(SqlError::unsupported("reading a timestamp")),
            },
            Kind::Char | Kind::Name | Kind::Text | Kind::Interval | Kind::Inet | Kind::Unknown => Ok(Self::Text(text)),
        }
    }

    /// Compares two values that are not NULL, coercing text to the other side's type.
    pub fn compare(&self, other: &Self) -> Result<Ordering, SqlError> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Ok(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Ok(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Ok(a.cmp(b)),
            (Self::Lsn(a), Self::Lsn(b)) => Ok(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Ok(a.cmp(b)),
            (Self::Text(_), _) => self.cast(other.natural_kind())?.compare(other),
            (_, Self::Text(_)) => self.compare(&other.cast(self.natural_kind())?),
            _ => Err(SqlError::new("42883", "operator does not exist for these types")),
        }
    }

    /// The kind a value has by itself.
    pub fn natural_kind(&self) -> Kind {
        match self {
            Self::Null => Kind::Unknown,
            Self::Bool(_) => Kind::Bool,
            Self::Int(_) => Kind::Int8,
            Self::Text(_) => Kind::Text,
            Self::Lsn(_) => Kind::Lsn,
            Self::Time(_) => Kind::TimestampTz,
        }
    }
}

/// A named, typed column.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

impl Column {
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// Columns and rows: a virtual table, a user table, or a result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relation {
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Value>>,
}
