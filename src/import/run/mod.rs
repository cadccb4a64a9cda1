//! The effects of a bash script on its variables, as far as its text decides them.
//!
//! Nothing is run. What is understood is followed: assignments, loops over known lists, conditions on known values.
//! Whatever is set by anything else (`source`, a command's output, a condition on the machine) is not known, and why is
//! kept in its place: a value is either the one that bash would have, or none.

mod assign;
mod effects;
mod flow;
mod test;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use effects::{Effects, effects};

use super::bash::{Command, Kind, Word, literal};

/// A value, or why it cannot be known.
pub(super) type Expanded = Result<String, String>;

/// The most commands that are followed.
const MOST_COMMANDS: usize = 20_000;

/// The elements of a variable by their index, a plain one's at 0; or why they are not known.
type Elements = Result<BTreeMap<i64, Expanded>, String>;

#[derive(Debug, Clone)]
struct Variable {
    line: usize,
    elements: Elements,
}

/// Every variable with its values.
#[derive(Debug, Default)]
pub(super) struct Variables {
    set: BTreeMap<String, Variable>,
    /// The environment when the script runs.
    given: BTreeMap<String, String>,
    /// Names that can change at any time, and why.
    loose: BTreeMap<String, String>,
    /// A command that may have set any name that the script does not set.
    others: Option<String>,
    /// Why nothing can be known.
    nothing: Option<String>,
    /// Lines of commands that are not run.
    passed: BTreeSet<usize>,
    line: usize,
    commands: usize,
    ended: bool,
}

impl Variables {
    /// After the whole script.
    pub(super) fn of(script: &[Command], given: &BTreeMap<String, String>) -> Self {
        let mut variables = Self { given: given.clone(), ..Self::default() };
        variables.run(script);
        variables
    }

    /// A command that may have set any name that the script does not set.
    pub(super) fn others(&self) -> Option<&str> {
        self.others.as_deref()
    }

    /// Lines of commands that are not run.
    pub(super) fn passed(&self) -> &BTreeSet<usize> {
        &self.passed
    }

    /// The elements of a list as pgxc_ctl sees it, if it is set: it prints each unquoted and reads words, so an empty
    /// element is none, and one with blanks several (contrib/pgxc_ctl/pgxc_ctl_bash_2, print_array).
    pub(super) fn list(&self, name: &str) -> Option<Result<Vec<Expanded>, String>> {
        let elements = match self.elements(name)? {
            Ok(elements) => elements,
            Err(why) => return Some(Err(why)),
        };
        Some(Ok(elements.into_values().flat_map(words_of).collect()))
    }

    /// A plain variable that is set and not empty: of a list the first element.
    pub(super) fn one(&self, name: &str) -> Option<Expanded> {
        let first = match self.elements(name)? {
            Ok(mut elements) => elements.remove(&0)?,
            Err(why) => Err(why),
        };
        let mut words = words_of(first).into_iter();
        match (words.next(), words.next()) {
            (one, None) => one,
            _ => Some(Err("it has several words".to_owned())),
        }
    }

    /// The line on which it is set last.
    pub(super) fn line(&self, name: &str) -> Option<usize> {
        self.set.get(name).map(|variable| variable.line)
    }

    /// The names that are set.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.set.keys().map(String::as_str)
    }

    /// None: it is not set, in the script or by what was given.
    fn elements(&self, name: &str) -> Option<Elements> {
        if let Some(why) = self.nothing.as_ref().or_else(|| self.loose.get(name)) {
            return Some(Err(why.clone()));
        }
        if let Some(variable) = self.set.get(name) {
            return Some(variable.elements.clone());
        }
        match (self.given.get(name), &self.others) {
            (Some(given), _) => Some(Ok(BTreeMap::from([(0, Ok(given.clone()))]))),
            (None, Some(place)) => {
                Some(Err(format!("{place} may set ${name}, but otb does not run it; use --set {name}=...")))
            }
            (None, None) => None,
        }
    }

    fn run(&mut self, commands: &[Command]) -> Option<bool> {
        let mut status = Some(true);
        for command in commands {
            if self.ended {
                break;
            }
            status = self.command(command);
        }
        status
    }

    /// Follows one command; whether it succeeds, if that is known.
    fn command(&mut self, command: &Command) -> Option<bool> {
        self.commands += 1;
        if self.commands > MOST_COMMANDS {
            self.nothing = Some("the script does more than otb follows".to_owned());
            self.ended = true;
            return None;
        }
        self.line = command.line;
        match &command.kind {
            Kind::Assign(assignments) => {
                for assignment in assignments {
                    self.assign(assignment);
                }
                Some(true)
            }
            Kind::Declare { options, assigns, names } => self.declare(command, options, assigns, names),
            Kind::Simple(words) => self.simple(command, words),
            Kind::Arithmetic(text) => self.arithmetic(text).ok().map(|value| value != 0),
            Kind::Test(words) => self.test(words),
            Kind::Not(inner) => self.command(inner).map(|status| !status),
            Kind::Chain(first, rest) => self.chain(first, rest),
            Kind::Group(body) => self.run(body),
            Kind::Subshell => {
                self.passed.insert(command.line);
                None
            }
            Kind::For { name, words, body } => self.each(command, name, words, body),
            Kind::Count { start, condition, step, body } => self.count(command, [start, condition, step], body),
            Kind::If { branches, otherwise } => self.branches(command, branches, otherwise),
            Kind::While { until, condition, body } => self.while_so(command, *until, condition, body),
            Kind::Perhaps(_) => self.may_run(command),
            Kind::Function(body) => {
                self.passed.insert(command.line);
                let effects = effects(body);
                let why = format!("a function on line {} may set it", command.line);
                self.loose.extend(effects.names.into_iter().map(|name| (name, why.clone())));
                if effects.anything {
                    self.nothing = Some(format!("the function on line {} may set any variable", command.line));
                }
                Some(true)
            }
        }
    }

    /// The variables that the command may set are not known any more.
    fn may_run(&mut self, command: &Command) -> Option<bool> {
        self.line = command.line;
        self.passed.insert(command.line);
        let effects = effects(command);
        self.forget(&effects, &format!("line {}", command.line));
        None
    }

    /// `place` is the command that may have these effects.
    fn forget(&mut self, effects: &Effects, place: &str) {
        let why = |name: &str| format!("{place} may set ${name}, but otb does not run it");
        for name in &effects.names {
            self.set_elements(name, Err(why(name)));
        }
        if effects.anything {
            for (name, variable) in &mut self.set {
                variable.elements = Err(why(name));
            }
            self.others = Some(place.to_owned());
        }
        if effects.may_return {
            self.nothing = Some(format!("the script may end on line {}", self.line));
        }
    }

    fn simple(&mut self, command: &Command, words: &[Word]) -> Option<bool> {
        let name = words.first().and_then(literal).unwrap_or_default();
        match name.as_str() {
            "[" | "test" => return self.old_test(words),
            "true" => return Some(true),
            "false" => return Some(false),
            "exit" => {
                self.nothing = Some(format!("the script ends on line {}", command.line));
                self.ended = true;
                return None;
            }
            "return" => {
                self.ended = true;
                return None;
            }
            ":" => {}
            _ => {
                self.passed.insert(command.line);
            }
        }
        // Also the words of what is not run may set a variable.
        for word in words {
            let _ = self.fields(word);
        }
        let effects = effects::of_simple(words);
        self.forget(&effects, &format!("line {} ({})", command.line, shown(words)));
        if name == ":" { Some(true) } else { None }
    }

    fn set_elements(&mut self, name: &str, elements: Elements) {
        self.set.insert(name.to_owned(), Variable { line: self.line, elements });
    }
}

/// A command as people know it.
fn shown(words: &[Word]) -> String {
    words.iter().filter_map(literal).take(2).collect::<Vec<_>>().join(" ")
}

/// The words that pgxc_ctl reads of an element.
fn words_of(element: Expanded) -> Vec<Expanded> {
    let text = match element {
        Ok(text) => text,
        Err(why) => return vec![Err(why)],
    };
    let words = text.split_ascii_whitespace().map(|word| {
        let strange = word.contains(['*', '?', '[', '#', '\'', '"']);
        if strange { Err(format!("pgxc_ctl does not read {word:?} as it is")) } else { Ok(word.to_owned()) }
    });
    words.collect()
}
