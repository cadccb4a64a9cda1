//! Words: quotes, escapes and expansions.

use super::{Piece, Reader, SourceError, Word, is_name};

impl Reader {
    pub(super) fn word(&mut self) -> Result<Word, SourceError> {
        let mut word = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                c if c.is_whitespace() || matches!(c, ';' | ')' | '(' | '&' | '|' | '<' | '>') => break,
                '\'' => self.single_quoted(&mut word)?,
                '"' => self.double_quoted(&mut word)?,
                '$' | '`' => self.expansion(&mut word)?,
                '~' if word.is_empty() => word.push(Piece::Unknowable(self.next().into_iter().collect())),
                '\\' => {
                    self.next();
                    if !self.takes('\n') {
                        push(&mut word, self.next());
                    }
                }
                _ => push(&mut word, self.next()),
            }
        }
        Ok(word)
    }

    pub(super) fn single_quoted(&mut self, word: &mut Word) -> Result<(), SourceError> {
        let begun = self.line;
        self.next();
        push(word, None);
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                None => return Err(SourceError::new(begun, "the quote ' is not closed")),
                some => push(word, some),
            }
        }
    }

    pub(super) fn double_quoted(&mut self, word: &mut Word) -> Result<(), SourceError> {
        let begun = self.line;
        self.next();
        push(word, None);
        loop {
            match self.peek() {
                None => return Err(SourceError::new(begun, "the quote \" is not closed")),
                Some('"') => {
                    self.next();
                    return Ok(());
                }
                Some('$' | '`') => self.expansion(word)?,
                Some('\\') => {
                    self.next();
                    match self.next() {
                        Some('\n') => {}
                        Some(c @ ('"' | '\\' | '$' | '`')) => push(word, Some(c)),
                        other => {
                            push(word, Some('\\'));
                            push(word, other);
                        }
                    }
                }
                Some(_) => push(word, self.next()),
            }
        }
    }

    /// `$NAME`, `${NAME}`, `${NAME[n]}`; `$(…)`, `` `…` `` and the rest are kept as written.
    pub(super) fn expansion(&mut self, word: &mut Word) -> Result<(), SourceError> {
        let (begun, line) = (self.at, self.line);
        let first = self.next();
        match (first, self.peek()) {
            (Some('`'), _) => {
                while let Some(c) = self.next() {
                    if c == '`' {
                        word.push(Piece::Unknowable(self.rest[begun..self.at].iter().collect()));
                        return Ok(());
                    }
                }
                Err(SourceError::new(line, "the command between backquotes is not closed"))
            }
            (_, Some(open @ ('(' | '{'))) => {
                self.matching(open, line)?;
                let text: String = self.rest[begun..self.at].iter().collect();
                word.push(variable(&text).unwrap_or(Piece::Unknowable(text)));
                Ok(())
            }
            (_, Some(c)) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self.letters(|c| c.is_ascii_alphanumeric() || c == '_');
                word.push(Piece::Variable { name, index: None });
                Ok(())
            }
            (_, Some(c)) if c.is_ascii_digit() || matches!(c, '@' | '*' | '#' | '?' | '$' | '!' | '-') => {
                self.next();
                word.push(Piece::Unknowable(self.rest[begun..self.at].iter().collect()));
                Ok(())
            }
            _ => {
                push(word, Some('$'));
                Ok(())
            }
        }
    }

    /// Up to the bracket that closes this one.
    fn matching(&mut self, open: char, line: usize) -> Result<(), SourceError> {
        let close = if open == '(' { ')' } else { '}' };
        let mut depth = 0;
        while let Some(c) = self.next() {
            if c == open {
                depth += 1;
            } else if c == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(());
                }
            }
        }
        Err(SourceError::new(line, format!("${open} is not closed by {close}")))
    }
}

fn push(word: &mut Word, c: Option<char>) {
    match word.last_mut() {
        Some(Piece::Text(text)) => text.extend(c),
        _ => word.push(Piece::Text(c.into_iter().collect())),
    }
}

/// `${NAME}` and `${NAME[index]}` as a variable.
fn variable(text: &str) -> Option<Piece> {
    let inner = text.strip_prefix("${")?.strip_suffix('}')?;
    let (name, index) = match inner.split_once('[') {
        Some((name, index)) => (name, Some(index.strip_suffix(']')?.to_owned())),
        None => (inner, None),
    };
    is_name(name).then(|| Piece::Variable { name: name.to_owned(), index })
}
