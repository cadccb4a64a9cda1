//! Assignments, and commands of one line.

use super::reader::{Reader, is_blank};
use super::words::written;
use super::{Assignment, Command, Kind, SourceError, Value, Word, is_name};

/// Commands whose words are assignments.
const DECLARES: [&str; 5] = ["export", "declare", "typeset", "readonly", "local"];

impl Reader {
    /// Assignments, or a command with its words; redirections are passed over.
    pub(super) fn simple(&mut self) -> Result<Command, SourceError> {
        let line = self.line;
        let (mut assigns, mut words, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let mut declares: Option<String> = None;
        loop {
            self.skip_blanks();
            match self.peek() {
                None | Some('\n' | ';' | '|' | ')') => break,
                Some('&') if self.ahead(1) != Some('>') => break,
                Some('#') => {
                    self.skip_comment();
                    break;
                }
                Some('<' | '>' | '&') if !(self.ahead(1) == Some('(') && self.peek() != Some('&')) => {
                    self.redirection(&mut words)?;
                    continue;
                }
                Some('(') => return Err(SourceError::new(self.line, "( has no place here")),
                Some(_) => {}
            }
            if (words.is_empty() || declares.is_some())
                && let Some(assignment) = self.assignment()?
            {
                assigns.push(assignment);
                continue;
            }
            let bare = self.bare_word();
            if words.is_empty() && declares.is_none() && assigns.is_empty() && DECLARES.contains(&bare.as_str()) {
                self.takes(&bare);
                declares = Some(String::new());
                continue;
            }
            let word = self.listed_word()?;
            match &mut declares {
                Some(options) if bare.starts_with(['-', '+']) => options.push_str(&bare),
                Some(_) => names.push(word),
                None => words.push(word),
            }
        }
        let kind = match declares {
            Some(options) => Kind::Declare { options, assigns, names },
            None if words.is_empty() => Kind::Assign(assigns),
            // An assignment before a command holds for that command only.
            None => Kind::Simple(words),
        };
        Ok(Command { line, kind })
    }

    /// `>file`, `2>&1`, `<<EOF`, `<<<word`
    pub(super) fn redirection(&mut self, words: &mut Vec<Word>) -> Result<(), SourceError> {
        let touches = self.at > 0 && !is_blank(self.rest[self.at - 1]);
        let number = |word: &Word| written(word).chars().all(|c| c.is_ascii_digit());
        if touches && words.last().is_some_and(number) {
            words.pop();
        }
        let here = self.starts_with("<<") && !self.starts_with("<<<");
        self.letters(|c| matches!(c, '<' | '>' | '&' | '|'));
        let tabs = here && self.takes("-");
        self.skip_blanks();
        if self.peek() == Some('(') {
            return Err(SourceError::new(self.line, "( has no place here"));
        }
        let to = self.word(false)?;
        if here {
            self.here.push((written(&to), tabs));
        }
        Ok(())
    }

    /// `NAME=`, `NAME+=`, `NAME[i]=` and what follows; else nothing is taken.
    fn assignment(&mut self) -> Result<Option<Assignment>, SourceError> {
        let begun = (self.at, self.line);
        let name = self.letters(|c| c.is_ascii_alphanumeric() || c == '_');
        let mut index = None;
        if is_name(&name) && self.peek() == Some('[') {
            let (at, line) = (self.at, self.line);
            self.skip_brackets(false)?;
            let text: String = self.rest[at + 1..self.at - 1].iter().collect();
            index = Some((text, line));
        }
        let appends = self.starts_with("+=");
        if !is_name(&name) || !(self.takes("+=") || self.takes("=")) {
            (self.at, self.line) = begun;
            return Ok(None);
        }
        let index = match index {
            Some((text, line)) => Some(self.of_part(&text, line)?.quoted_text()?),
            None => None,
        };
        Ok(Some(Assignment { name, index, appends, value: self.value()? }))
    }

    fn value(&mut self) -> Result<Value, SourceError> {
        if !self.takes("(") {
            return Ok(Value::One(self.word(true)?));
        }
        let begun = self.line;
        let mut words = Vec::new();
        loop {
            self.skip_lines()?;
            match self.peek() {
                None => return Err(SourceError::new(begun, "the list that begins with ( has no )")),
                Some(')') => {
                    self.next();
                    return Ok(Value::Many(words));
                }
                Some(c @ ('(' | ';' | '&' | '|')) => {
                    let what = format!("the list that begins with ( has no ) before the {c} on line {}", self.line);
                    return Err(SourceError::new(begun, what));
                }
                Some(_) => words.push(self.listed_word()?),
            }
        }
    }
}
