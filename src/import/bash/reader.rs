//! The letters of a script, one after the other: blanks, comments, here-documents, brackets.

use super::super::SourceError;

/// How deep commands and expansions may lie in one another.
const DEEPEST: usize = 60;

pub(super) struct Reader {
    pub rest: Vec<char>,
    pub at: usize,
    pub line: usize,
    pub depth: usize,
    /// Ends of here-documents that begin after this line; true: leading tabs do not count.
    pub here: Vec<(String, bool)>,
}

/// The separators of words, for bash in any locale. (A file with Windows line ends is read as one without.)
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

impl Reader {
    pub(super) fn new(text: &str) -> Self {
        Self { rest: text.chars().collect(), at: 0, line: 1, depth: 0, here: Vec::new() }
    }

    /// A reader for a part of this text, with the same line numbers.
    pub(super) fn of_part(&self, text: &str, line: usize) -> Result<Self, SourceError> {
        let mut part = Self { line, depth: self.depth, ..Self::new(text) };
        part.deeper()?;
        Ok(part)
    }

    pub(super) fn deeper(&mut self) -> Result<(), SourceError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(SourceError::new(self.line, "this is nested too deep to be read"));
        }
        Ok(())
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    /// The letter `n` further on.
    pub(super) fn ahead(&self, n: usize) -> Option<char> {
        self.rest.get(self.at + n).copied()
    }

    pub(super) fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    pub(super) fn takes(&mut self, wanted: &str) -> bool {
        let is = self.starts_with(wanted);
        if is {
            for _ in wanted.chars() {
                self.next();
            }
        }
        is
    }

    pub(super) fn starts_with(&self, wanted: &str) -> bool {
        wanted.chars().enumerate().all(|(n, c)| self.ahead(n) == Some(c))
    }

    pub(super) fn letters(&mut self, is: fn(char) -> bool) -> String {
        let mut letters = String::new();
        while self.peek().is_some_and(is) {
            letters.extend(self.next());
        }
        letters
    }

    /// Spaces and tabs, and line ends behind a backslash.
    pub(super) fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some('\n') | None => return,
                Some(c) if is_blank(c) => drop(self.next()),
                Some('\\') if self.ahead(1) == Some('\n') => {
                    self.next();
                    self.next();
                }
                Some(_) => return,
            }
        }
    }

    /// The same, and line ends and comments.
    pub(super) fn skip_lines(&mut self) -> Result<(), SourceError> {
        loop {
            self.skip_blanks();
            match self.peek() {
                Some('\n') => {
                    self.next();
                    self.skip_here_documents()?;
                }
                Some('#') => self.skip_comment(),
                _ => return Ok(()),
            }
        }
    }

    pub(super) fn skip_comment(&mut self) {
        while self.peek().is_some_and(|c| c != '\n') {
            self.next();
        }
    }

    fn skip_here_documents(&mut self) -> Result<(), SourceError> {
        for (end, tabs) in std::mem::take(&mut self.here) {
            let begun = self.line;
            loop {
                let mut line = String::new();
                while self.peek().is_some_and(|c| c != '\n') {
                    line.extend(self.next());
                }
                let last = self.next().is_none();
                let line = if tabs { line.trim_start_matches('\t') } else { &line };
                if line == end {
                    break;
                }
                if last {
                    return Err(SourceError::new(begun, format!("the here-document has no line {end} that ends it")));
                }
            }
        }
        Ok(())
    }

    /// Passes from an opening bracket over the one that closes it; quotes hide brackets. Of `${` only another `${` opens
    /// one more, and within double quotes a single quote is a letter there.
    pub(super) fn skip_brackets(&mut self, quoted: bool) -> Result<(), SourceError> {
        self.deeper()?;
        let (line, arithmetic, open) = (self.line, self.starts_with("(("), self.next());
        let close = match open {
            Some('(') => ')',
            Some('[') => ']',
            _ => '}',
        };
        let mut depth = 1;
        while let Some(c) = self.peek() {
            match c {
                '\'' if !(quoted && close == '}') => {
                    self.next();
                    while self.next().is_some_and(|c| c != '\'') {}
                }
                '"' => self.skip_double_quotes()?,
                '\\' => {
                    self.next();
                    self.next();
                }
                '$' if self.ahead(1) == Some('{') => {
                    self.next();
                    self.skip_brackets(quoted && close == '}')?;
                }
                '#' if close == ')' && self.at > 0 && is_blank(self.rest[self.at - 1]) => self.skip_comment(),
                '<' if close == ')' && !arithmetic && self.starts_with("<<") && !self.starts_with("<<<") => {
                    return Err(SourceError::new(self.line, "otb does not read a here-document between brackets"));
                }
                _ => {
                    self.next();
                    depth += usize::from(Some(c) == open && close != '}');
                    depth -= usize::from(c == close);
                    if depth == 0 {
                        self.depth -= 1;
                        return Ok(());
                    }
                }
            }
        }
        let open = open.unwrap_or_default();
        Err(SourceError::new(line, format!("the bracket {open} is not closed by {close}")))
    }

    fn skip_double_quotes(&mut self) -> Result<(), SourceError> {
        let line = self.line;
        self.next();
        self.deeper()?;
        while let Some(c) = self.peek() {
            match c {
                '"' => {
                    self.next();
                    self.depth -= 1;
                    return Ok(());
                }
                '\\' => {
                    self.next();
                    self.next();
                }
                '$' if matches!(self.ahead(1), Some('(' | '{')) => {
                    self.next();
                    self.skip_brackets(true)?;
                }
                _ => drop(self.next()),
            }
        }
        Err(SourceError::new(line, "the quote \" is not closed"))
    }
}
