//! A bash script as a tree of commands, read and not run.
//!
//! pgxc_ctl.conf is a script that pgxc_ctl sources. [`super::run`] follows what it does to its variables as far as that
//! can be known from the text.

pub(super) mod arithmetic;
mod brace;
mod commands;
mod compound;
mod reader;
mod simple;
mod words;

use super::SourceError;
pub(super) use brace::{braces, counted};
pub(super) use commands::read;

/// A word before expansion.
pub(super) type Word = Vec<Piece>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// `quoted`: no brace, no pattern and no reserved word.
    Text { text: String, quoted: bool },
    /// `quoted`: what it becomes is one word.
    Expansion { what: Expansion, quoted: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expansion {
    /// `$NAME`, `${NAME}`, `${NAME[2]}`, `${NAME[@]}`.
    Variable { name: String, index: Index },
    /// `${NAME:-word}` and its like; `empty`: an empty value counts as none (`:`).
    Default { name: String, with: Default, empty: bool, word: Word },
    /// `${#NAME[@]}`
    Count(String),
    /// `${!NAME[@]}`
    Indices(String),
    /// `$((…))`: what is between, before its own expansions.
    Arithmetic(Word),
    /// `$(seq …)` with its arguments.
    Sequence(Vec<Word>),
    /// A text that only running the script could decide, as written.
    Unknowable(String),
}

/// What `${NAME-word}` does where there is a value or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Default {
    /// `-`
    Use,
    /// `=`
    Assign,
    /// `+`: the other way round.
    Instead,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Index {
    /// The first, or the plain value.
    None,
    /// `@`
    All,
    /// `*`: within double quotes all are one word.
    Joined,
    /// Arithmetic.
    At(Word),
}

/// `NAME=value`, `NAME+=value`, `NAME[i]=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub name: String,
    pub index: Option<Word>,
    pub appends: bool,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    One(Word),
    Many(Vec<Word>),
}

/// A command and the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Command {
    pub line: usize,
    pub kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Assign(Vec<Assignment>),
    /// `export`, `declare` and the like: its options together, what it assigns, and names alone.
    Declare {
        options: String,
        assigns: Vec<Assignment>,
        names: Vec<Word>,
    },
    Simple(Vec<Word>),
    /// `((…))`
    Arithmetic(Word),
    /// `[[ … ]]`
    Test(Vec<Word>),
    Not(Box<Command>),
    /// `a && b || c`: each with whether it runs after success (`&&`) or failure.
    Chain(Box<Command>, Vec<(bool, Command)>),
    /// `{ … }`
    Group(Vec<Command>),
    /// `( … )`, the members of a pipeline, `… &`: nothing comes out.
    Subshell,
    For {
        name: String,
        words: Vec<Word>,
        body: Vec<Command>,
    },
    /// `for ((start; condition; step))`
    Count {
        start: Word,
        condition: Word,
        step: Word,
        body: Vec<Command>,
    },
    /// Conditions with their branches; the last without one is `else`.
    If {
        branches: Vec<(Vec<Command>, Vec<Command>)>,
        otherwise: Vec<Command>,
    },
    While {
        until: bool,
        condition: Vec<Command>,
        body: Vec<Command>,
    },
    /// Of `case` and `select`: what may run.
    Perhaps(Vec<Command>),
    Function(Box<Command>),
}

/// A plain word that is written as it is.
pub(super) fn literal(word: &Word) -> Option<String> {
    word.iter()
        .map(|piece| match piece {
            Piece::Text { text, .. } => Some(text.as_str()),
            Piece::Expansion { .. } => None,
        })
        .collect()
}

pub(super) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests;
