//! Commands that hold others: loops, conditions, groups, functions.

use super::commands::ends_word;
use super::reader::Reader;
use super::{Command, Kind, Piece, SourceError, Word};

impl Reader {
    pub(super) fn command(&mut self) -> Result<Command, SourceError> {
        let line = self.line;
        let kind = match self.bare_word().as_str() {
            "for" => self.each("for", line)?,
            "select" => match self.each("select", line)? {
                Kind::For { name, words, body } => {
                    Kind::Perhaps(vec![Command { line, kind: Kind::For { name, words, body } }])
                }
                other => other,
            },
            "if" => self.branches(line)?,
            word @ ("while" | "until") => {
                let (until, word) = (word == "until", word.to_owned());
                self.takes(&word);
                let condition = self.list()?;
                let body = self.body(&word, line)?;
                Kind::While { until, condition, body }
            }
            "case" => self.case(line)?,
            "function" => {
                self.takes("function");
                self.skip_blanks();
                self.letters(|c| !ends_word(c));
                self.function_body()?
            }
            "{" => {
                self.takes("{");
                let body = self.list()?;
                self.expects("}", "group {", line)?;
                Kind::Group(body)
            }
            "[[" => self.test(line)?,
            _ if self.starts_with("((") => {
                let (begun, line) = (self.at, self.line);
                self.skip_brackets(false)?;
                let text: String = self.rest[begun..self.at].iter().collect();
                match text.strip_prefix("((").and_then(|text| text.strip_suffix("))")) {
                    Some(inner) => Kind::Arithmetic(self.of_part(inner, line)?.quoted_text()?),
                    None => Kind::Subshell,
                }
            }
            _ if self.takes("(") => {
                self.list()?;
                if !self.takes(")") {
                    return Err(SourceError::new(line, "the bracket ( is not closed by )"));
                }
                Kind::Subshell
            }
            _ if self.is_function() => {
                self.letters(|c| !ends_word(c));
                self.function_body()?
            }
            _ => return self.simple(),
        };
        self.redirections()?;
        Ok(Command { line, kind })
    }

    /// Those of a whole.
    fn redirections(&mut self) -> Result<(), SourceError> {
        loop {
            self.skip_blanks();
            let digits = self.rest[self.at..].iter().take_while(|c| c.is_ascii_digit()).count();
            match (self.ahead(digits), self.ahead(digits + 1)) {
                (Some('<' | '>'), _) | (Some('&'), Some('>')) => {
                    self.at += digits;
                    self.redirection(&mut Vec::new())?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Whether `NAME ()` is ahead.
    fn is_function(&self) -> bool {
        let name = self.rest[self.at..].iter().take_while(|c| !ends_word(**c)).count();
        let (name, rest) = self.rest[self.at..].split_at(name);
        let mut rest = rest.iter().filter(|c| !matches!(c, ' ' | '\t'));
        !name.is_empty()
            && !name.iter().any(|c| matches!(c, '=' | '$' | '\'' | '"' | '`' | '\\'))
            && rest.next() == Some(&'(')
            && rest.next() == Some(&')')
    }

    fn function_body(&mut self) -> Result<Kind, SourceError> {
        self.skip_blanks();
        if self.takes("(") {
            self.skip_blanks();
            self.takes(")");
        }
        self.skip_lines()?;
        self.deeper()?;
        let body = self.command()?;
        self.depth -= 1;
        Ok(Kind::Function(Box::new(body)))
    }

    fn body(&mut self, of: &str, line: usize) -> Result<Vec<Command>, SourceError> {
        self.expects("do", of, line)?;
        let body = self.list()?;
        self.expects("done", of, line)?;
        Ok(body)
    }

    fn each(&mut self, of: &str, line: usize) -> Result<Kind, SourceError> {
        self.takes(of);
        self.skip_blanks();
        if self.starts_with("((") {
            let begun = self.at;
            self.skip_brackets(false)?;
            let text: String = self.rest[begun + 2..(self.at - 2).max(begun + 2)].iter().collect();
            let parts = text.split(';').map(|part| self.of_part(part, line)?.quoted_text());
            let Ok([start, condition, step]) = <[Word; 3]>::try_from(parts.collect::<Result<Vec<_>, _>>()?) else {
                return Err(SourceError::new(line, "this is no for ((start; condition; step))"));
            };
            return Ok(Kind::Count { start, condition, step, body: self.body(of, line)? });
        }
        let name = self.letters(|c| c.is_ascii_alphanumeric() || c == '_');
        self.skip_lines()?;
        let mut words = Vec::new();
        if self.takes_word("in") {
            self.skip_blanks();
            while !matches!(self.peek(), None | Some('\n' | ';')) {
                words.push(self.listed_word()?);
                self.skip_blanks();
            }
        }
        Ok(Kind::For { name, words, body: self.body(of, line)? })
    }

    /// A word, or an operator that has no place here as one.
    pub(super) fn listed_word(&mut self) -> Result<Word, SourceError> {
        let at = self.at;
        let word = self.word(false)?;
        if self.at == at {
            let what = self.peek().unwrap_or_default();
            return Err(SourceError::new(self.line, format!("{what} has no place here")));
        }
        Ok(word)
    }

    fn branches(&mut self, line: usize) -> Result<Kind, SourceError> {
        self.takes("if");
        let mut branches = Vec::new();
        loop {
            let condition = self.list()?;
            self.expects("then", "if", line)?;
            branches.push((condition, self.list()?));
            if !self.takes_word("elif") {
                break;
            }
        }
        let otherwise = if self.takes_word("else") { self.list()? } else { Vec::new() };
        self.expects("fi", "if", line)?;
        Ok(Kind::If { branches, otherwise })
    }

    fn case(&mut self, line: usize) -> Result<Kind, SourceError> {
        self.takes("case");
        self.skip_blanks();
        self.word(false)?;
        self.expects("in", "case", line)?;
        let mut bodies = Vec::new();
        loop {
            self.skip_lines()?;
            if self.takes_word("esac") {
                return Ok(Kind::Perhaps(bodies));
            }
            self.takes("(");
            while self.peek().is_some_and(|c| c != ')') {
                let at = self.at;
                self.word(false)?;
                if self.at == at {
                    self.next();
                }
            }
            if !self.takes(")") {
                return Err(SourceError::new(line, "the case that begins here has no esac"));
            }
            bodies.extend(self.list()?);
            let _ = self.takes(";;&") || self.takes(";;") || self.takes(";&");
        }
    }

    /// `[[ … ]]`: its operators are words, too.
    fn test(&mut self, line: usize) -> Result<Kind, SourceError> {
        self.takes("[[");
        let mut words = Vec::new();
        loop {
            self.skip_lines()?;
            if self.takes_word("]]") {
                return Ok(Kind::Test(words));
            }
            let operator = ["&&", "||"].into_iter().find(|operator| self.takes(operator));
            if let Some(operator) = operator {
                words.push(plain(operator));
                continue;
            }
            let at = self.at;
            let word = self.word(false)?;
            words.push(if self.at > at {
                word
            } else if let Some(c) = self.next() {
                plain(&c.to_string())
            } else {
                return Err(SourceError::new(line, "the test that begins here has no ]]"));
            });
        }
    }
}

fn plain(text: &str) -> Word {
    vec![Piece::Text { text: text.to_owned(), quoted: false }]
}
