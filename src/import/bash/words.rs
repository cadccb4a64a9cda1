//! Words: quotes, escapes and expansions.

use super::reader::{Reader, is_blank};
use super::{Default, Expansion, Index, Piece, SourceError, Word, is_name, literal};

impl Reader {
    /// Reads a word up to a blank or an operator. In a plain assignment a `~` after a colon is expanded too.
    pub(super) fn word(&mut self, assigned: bool) -> Result<Word, SourceError> {
        let mut word = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '<' | '>' if self.ahead(1) == Some('(') => {
                    let begun = self.at;
                    self.next();
                    self.skip_brackets(false)?;
                    word.push(unknowable(self.since(begun), false));
                }
                c if is_blank(c) || matches!(c, ';' | ')' | '(' | '&' | '|' | '<' | '>') => break,
                '\'' => self.single_quoted(&mut word)?,
                '"' => self.double_quoted(&mut word)?,
                '$' | '`' => self.expansion(&mut word, false)?,
                '~' if word.is_empty() || assigned && ends_in_colon(&word) => self.tilde(&mut word),
                '\\' => {
                    self.next();
                    if !self.takes("\n") {
                        push(&mut word, self.next(), true);
                    }
                }
                _ => push(&mut word, self.next(), false),
            }
        }
        Ok(word)
    }

    /// All of the text as between double quotes, but that these are letters.
    pub(super) fn quoted_text(&mut self) -> Result<Word, SourceError> {
        let mut word = Vec::new();
        while let Some(c) = self.peek() {
            match c {
                '$' | '`' => self.expansion(&mut word, true)?,
                '"' => drop(self.next()),
                _ => push(&mut word, self.next(), true),
            }
        }
        Ok(word)
    }

    /// `~` is `$HOME`; another user's only the machine knows.
    fn tilde(&mut self, word: &mut Word) {
        let begun = self.at;
        self.next();
        let user = self.letters(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '+'));
        if user.is_empty() {
            let what = Expansion::Variable { name: "HOME".to_owned(), index: Index::None };
            word.push(Piece::Expansion { what, quoted: true });
        } else {
            word.push(unknowable(self.since(begun), true));
        }
    }

    fn since(&self, begun: usize) -> String {
        self.rest[begun..self.at].iter().collect()
    }

    fn single_quoted(&mut self, word: &mut Word) -> Result<(), SourceError> {
        let begun = self.line;
        self.next();
        push(word, None, true);
        loop {
            match self.next() {
                Some('\'') => return Ok(()),
                None => return Err(SourceError::new(begun, "the quote ' is not closed")),
                some => push(word, some, true),
            }
        }
    }

    fn double_quoted(&mut self, word: &mut Word) -> Result<(), SourceError> {
        let begun = self.line;
        self.next();
        if self.peek() == Some('"') {
            push(word, None, true);
        }
        loop {
            match self.peek() {
                None => return Err(SourceError::new(begun, "the quote \" is not closed")),
                Some('"') => {
                    self.next();
                    return Ok(());
                }
                Some('$' | '`') => self.expansion(word, true)?,
                Some('\\') => {
                    self.next();
                    match self.next() {
                        Some('\n') => {}
                        Some(c @ ('"' | '\\' | '$' | '`')) => push(word, Some(c), true),
                        other => {
                            push(word, Some('\\'), true);
                            push(word, other, true);
                        }
                    }
                }
                Some(_) => push(word, self.next(), true),
            }
        }
    }

    fn expansion(&mut self, word: &mut Word, quoted: bool) -> Result<(), SourceError> {
        let (begun, line) = (self.at, self.line);
        let first = self.next();
        match (first, self.peek()) {
            (Some('`'), _) => {
                while let Some(c) = self.next() {
                    if c == '\\' {
                        self.next();
                    } else if c == '`' {
                        word.push(unknowable(self.since(begun), quoted));
                        return Ok(());
                    }
                }
                return Err(SourceError::new(line, "the command between backquotes is not closed"));
            }
            (_, Some('(' | '{')) => {
                self.skip_brackets(quoted)?;
                let what = self.bracketed(&self.since(begun), line)?;
                word.push(Piece::Expansion { what, quoted });
            }
            (_, Some(c)) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self.letters(|c| c.is_ascii_alphanumeric() || c == '_');
                word.push(Piece::Expansion { what: Expansion::Variable { name, index: Index::None }, quoted });
            }
            (_, Some(c)) if c.is_ascii_digit() || matches!(c, '@' | '*' | '#' | '?' | '$' | '!' | '-') => {
                self.next();
                word.push(unknowable(self.since(begun), quoted));
            }
            (_, Some('\'')) if !quoted => {
                let text = self.at;
                self.single_quoted(&mut Vec::new())?;
                let text: String = self.rest[text + 1..self.at - 1].iter().collect();
                let plain = !text.contains('\\');
                word.push(if plain { Piece::Text { text, quoted: true } } else { unknowable(self.since(begun), true) });
            }
            // `$"…"` is translated text.
            (_, Some('"')) if !quoted => {}
            _ => push(word, Some('$'), true),
        }
        Ok(())
    }

    /// `$((…))`, `$(…)`, `${…}`
    fn bracketed(&self, text: &str, line: usize) -> Result<Expansion, SourceError> {
        if let Some(inner) = text.strip_prefix("$((").and_then(|text| text.strip_suffix("))")) {
            return Ok(Expansion::Arithmetic(self.of_part(inner, line)?.quoted_text()?));
        }
        let unknowable = || Expansion::Unknowable(text.to_owned());
        if let Some(inner) = text.strip_prefix("$(").and_then(|text| text.strip_suffix(')')) {
            let inner = inner.trim();
            let plain = inner.starts_with("seq ") && !inner.contains(['|', ';', '&', '<', '>', '\n', '(', '`']);
            if !plain {
                return Ok(unknowable());
            }
            let (mut reader, mut words) = (self.of_part(inner, line)?, Vec::new());
            while reader.peek().is_some() {
                words.push(reader.word(false)?);
                reader.skip_blanks();
            }
            return Ok(Expansion::Sequence(words.split_off(1)));
        }
        let Some(inner) = text.strip_prefix("${").and_then(|text| text.strip_suffix('}')) else {
            return Ok(unknowable());
        };
        let all = |text: &str| {
            let name = text.strip_suffix("[@]").or_else(|| text.strip_suffix("[*]"))?;
            is_name(name).then(|| name.to_owned())
        };
        if let Some(name) = inner.strip_prefix('#').and_then(all) {
            return Ok(Expansion::Count(name));
        }
        if let Some(name) = inner.strip_prefix('!').and_then(all) {
            return Ok(Expansion::Indices(name));
        }
        Ok(self.parameter(inner, line)?.unwrap_or_else(unknowable))
    }

    /// `NAME`, `NAME[index]`, `NAME:-word`; `None` means something else.
    fn parameter(&self, inner: &str, line: usize) -> Result<Option<Expansion>, SourceError> {
        let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
        let (name, rest) = inner.split_at(end);
        let (name, is_plain) = (name.to_owned(), is_name(name));
        if let Some(index) = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).filter(|_| is_plain) {
            let index = match index {
                "@" => Index::All,
                "*" => Index::Joined,
                _ => Index::At(self.of_part(index, line)?.quoted_text()?),
            };
            return Ok(Some(Expansion::Variable { name, index }));
        }
        let (empty, operator) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
        let mut letters = operator.chars();
        let with = match letters.next() {
            _ if !is_plain => return Ok(None),
            None if !empty => return Ok(Some(Expansion::Variable { name, index: Index::None })),
            Some('-') => Default::Use,
            Some('=') => Default::Assign,
            Some('+') => Default::Instead,
            // Without a value bash ends here, and pgxc_ctl with it.
            Some('?') => return Ok(Some(Expansion::Variable { name, index: Index::None })),
            _ => return Ok(None),
        };
        let mut reader = self.of_part(letters.as_str(), line)?;
        let mut word = reader.word(true)?;
        // Blanks belong to it, and whether what they separate becomes several words depends on where it stands.
        while reader.peek().is_some() {
            push(&mut word, reader.next(), true);
            word.extend(reader.word(true)?);
        }
        Ok(Some(Expansion::Default { name, with, empty, word }))
    }
}

fn unknowable(text: String, quoted: bool) -> Piece {
    Piece::Expansion { what: Expansion::Unknowable(text), quoted }
}

fn ends_in_colon(word: &Word) -> bool {
    matches!(word.last(), Some(Piece::Text { text, quoted: false }) if text.ends_with(':'))
}

fn push(word: &mut Word, c: Option<char>, quoted: bool) {
    match word.last_mut() {
        Some(Piece::Text { text, quoted: same }) if *same == quoted => text.extend(c),
        _ => word.push(Piece::Text { text: c.into_iter().collect(), quoted }),
    }
}

/// What is written there, for a here-document's end.
pub(super) fn written(word: &Word) -> String {
    literal(word).unwrap_or_else(|| {
        let pieces = word.iter().map(|piece| match piece {
            Piece::Text { text, .. } | Piece::Expansion { what: Expansion::Unknowable(text), .. } => text.clone(),
            Piece::Expansion { what: Expansion::Variable { name, .. }, .. } => format!("${name}"),
            Piece::Expansion { .. } => String::new(),
        });
        pieces.collect()
    })
}
