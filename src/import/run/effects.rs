//! The variables that a command may set if it runs.

use std::collections::BTreeSet;

use super::super::bash::{Assignment, Command, Default, Expansion, Index, Kind, Piece, Value, Word, is_name, literal};

/// Signals on which a `trap` runs when the script has ended.
const AT_THE_END: [&str; 6] = ["EXIT", "0", "INT", "TERM", "HUP", "QUIT"];

const ABOUT_PATTERNS: [&str; 8] = ["-s", "-u", "nullglob", "extglob", "failglob", "dotglob", "globstar", "nocaseglob"];

/// The possible changes.
#[derive(Debug, Default)]
pub(super) struct Effects {
    pub names: BTreeSet<String>,
    /// Any variable.
    pub anything: bool,
    /// The script may end here and leave what follows undone.
    pub may_return: bool,
}

pub(super) fn effects(command: &Command) -> Effects {
    let mut all = Effects::default();
    all.add(command);
    all
}

/// The changes of a command itself; its words are already done.
pub(super) fn of_simple(words: &[Word]) -> Effects {
    let mut all = Effects::default();
    all.run(words);
    all
}

pub(super) fn of_word(word: &Word) -> Effects {
    let mut all = Effects::default();
    all.word(word);
    all
}

pub(super) fn of_arithmetic(text: &Word) -> Effects {
    let mut all = Effects::default();
    all.arithmetic(text);
    all
}

/// Whether a loop's body has `break`, `continue` or `return`.
pub(super) fn leaves_early(body: &[Command]) -> bool {
    body.iter().any(|command| match &command.kind {
        Kind::Simple(words) => {
            let name = words.first().and_then(literal);
            matches!(name.as_deref(), Some("break" | "continue" | "return" | "exit"))
        }
        Kind::Not(inner) => leaves_early(std::slice::from_ref(inner)),
        Kind::Chain(first, rest) => {
            leaves_early(std::slice::from_ref(first))
                || rest.iter().any(|(_, next)| leaves_early(std::slice::from_ref(next)))
        }
        Kind::Group(body) | Kind::Perhaps(body) | Kind::For { body, .. } | Kind::Count { body, .. } => {
            leaves_early(body)
        }
        Kind::While { condition, body, .. } => leaves_early(condition) || leaves_early(body),
        Kind::If { branches, otherwise } => {
            leaves_early(otherwise)
                || branches.iter().any(|(condition, body)| leaves_early(condition) || leaves_early(body))
        }
        Kind::Assign(_)
        | Kind::Declare { .. }
        | Kind::Arithmetic(_)
        | Kind::Test(_)
        | Kind::Subshell
        | Kind::Function(_) => false,
    })
}

impl Effects {
    fn all(&mut self, commands: &[Command]) {
        for command in commands {
            self.add(command);
        }
    }

    fn add(&mut self, command: &Command) {
        match &command.kind {
            Kind::Assign(assignments) => self.assignments(assignments),
            Kind::Declare { assigns, names, .. } => {
                self.assignments(assigns);
                self.names.extend(names.iter().filter_map(literal));
            }
            Kind::Simple(words) => self.simple(words),
            Kind::Arithmetic(text) => self.arithmetic(text),
            Kind::Test(words) => self.words(words),
            Kind::Not(inner) | Kind::Function(inner) => self.add(inner),
            Kind::Chain(first, rest) => {
                self.add(first);
                for (_, command) in rest {
                    self.add(command);
                }
            }
            Kind::Group(body) | Kind::Perhaps(body) => self.all(body),
            Kind::Subshell => {}
            Kind::For { name, words, body } => {
                self.names.insert(name.clone());
                self.words(words);
                self.all(body);
            }
            Kind::Count { start, condition, step, body } => {
                for text in [start, condition, step] {
                    self.arithmetic(text);
                }
                self.all(body);
            }
            Kind::If { branches, otherwise } => {
                for (condition, body) in branches {
                    self.all(condition);
                    self.all(body);
                }
                self.all(otherwise);
            }
            Kind::While { condition, body, .. } => {
                self.all(condition);
                self.all(body);
            }
        }
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        for Assignment { name, index, value, .. } in assignments {
            self.names.insert(name.clone());
            self.anything |= name == "IFS";
            if let Some(index) = index {
                self.arithmetic(index);
            }
            match value {
                Value::One(word) => self.word(word),
                Value::Many(words) => self.words(words),
            }
        }
    }

    fn simple(&mut self, words: &[Word]) {
        self.words(words);
        self.run(words);
    }

    /// A program of its own changes nothing here; some commands of the shell do.
    fn run(&mut self, words: &[Word]) {
        let Some((first, rest)) = words.split_first() else { return };
        let name = literal(first);
        match name.as_deref() {
            Some("command" | "builtin" | "time") => self.run(rest),
            // For an unknown command nothing is known.
            None | Some("source" | "." | "eval" | "enable") => self.anything = true,
            // A command that runs at the end changes nothing any more.
            Some("trap") => self.anything |= rest.get(1..).is_some_and(|signals| has_other(signals, &AT_THE_END)),
            // They are about patterns only.
            Some("shopt") => self.anything |= has_other(rest, &ABOUT_PATTERNS),
            Some("return") => self.may_return = true,
            Some("printf") if !rest.iter().any(|word| literal(word).is_none_or(|word| word.starts_with("-v"))) => {}
            Some(
                "printf" | "read" | "mapfile" | "readarray" | "getopts" | "unset" | "let" | "declare" | "export"
                | "typeset" | "readonly",
            ) => {
                for word in rest {
                    let Some(word) = literal(word) else {
                        self.anything = true;
                        continue;
                    };
                    let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(word.len());
                    self.names.extend(Some(word[..end].to_owned()).filter(|name| is_name(name)));
                }
                // Without a name, `read` and `mapfile` use a default name.
                self.names.extend(["REPLY", "MAPFILE"].map(str::to_owned));
            }
            Some(_) => {}
        }
    }

    fn words(&mut self, words: &[Word]) {
        for word in words {
            self.word(word);
        }
    }

    fn word(&mut self, word: &Word) {
        for piece in word {
            let Piece::Expansion { what, .. } = piece else { continue };
            match what {
                Expansion::Default { name, with, word, .. } => {
                    if *with == Default::Assign {
                        self.names.insert(name.clone());
                    }
                    self.word(word);
                }
                Expansion::Variable { index: Index::At(text), .. } | Expansion::Arithmetic(text) => {
                    self.arithmetic(text);
                }
                Expansion::Sequence(words) => self.words(words),
                Expansion::Variable { .. } | Expansion::Count(_) | Expansion::Indices(_) | Expansion::Unknowable(_) => {
                }
            }
        }
    }

    /// Every name in it, where anything is set.
    fn arithmetic(&mut self, text: &Word) {
        self.word(text);
        let written: String = text
            .iter()
            .map(|piece| match piece {
                Piece::Text { text, .. } => text.as_str(),
                Piece::Expansion { .. } => " ",
            })
            .collect();
        if written.contains('=') || written.contains("++") || written.contains("--") {
            let names = written.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            self.names.extend(names.filter(|name| is_name(name)).map(str::to_owned));
        }
    }
}

/// Whether there is a word that is none of `known`.
fn has_other(words: &[Word], known: &[&str]) -> bool {
    words.iter().any(|word| literal(word).is_none_or(|word| !known.contains(&word.as_str())))
}
