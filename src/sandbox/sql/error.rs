//! Errors as PostgreSQL reports them: severity, SQLSTATE, message, detail, hint.

use std::fmt;

/// The fields of an ErrorResponse.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SqlError {
    pub severity: Severity,
    /// SQLSTATE, five characters.
    pub code: &'static str,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
}

/// Whether the session survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    Error,
    Fatal,
}

impl Severity {
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

impl SqlError {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, message: message.into(), detail: None, hint: None }
    }

    pub fn fatal(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fatal, ..Self::new(code, message) }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn syntax(message: impl Into<String>) -> Self {
        Self::new("42601", message)
    }

    pub fn syntax_near(token: &str) -> Self {
        if token.is_empty() {
            return Self::syntax("syntax error at end of input");
        }
        Self::syntax(format!("syntax error at or near \"{token}\""))
    }

    /// Something PostgreSQL can do and the sandbox cannot: said, never made up.
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::new("0A000", format!("{what} is not supported by the otb sandbox"))
    }

    pub fn no_column(name: &str) -> Self {
        Self::new("42703", format!("column \"{name}\" does not exist"))
    }

    pub fn no_relation(name: &str) -> Self {
        Self::new("42P01", format!("relation \"{name}\" does not exist"))
    }

    pub fn no_function(signature: &str) -> Self {
        Self::new("42883", format!("function {signature} does not exist"))
            .hint("No function matches the given name and argument types. You might need to add explicit type casts.")
    }

    pub fn no_setting(name: &str) -> Self {
        Self::new("42704", format!("unrecognized configuration parameter \"{name}\""))
    }

    pub fn bad_input(kind: &str, text: &str) -> Self {
        Self::new("22P02", format!("invalid input syntax for type {kind}: \"{text}\""))
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:  {}", self.severity.word(), self.message)
    }
}

impl std::error::Error for SqlError {}
