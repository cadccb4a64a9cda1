//! The assignments of a bash script, read and not run.
//!
//! pgxc_ctl.conf is a script that pgxc_ctl sources. Its assignments are data; whatever else it does is passed over
//! and told, and a value that only bash could know is kept as what it is written as.

mod words;

use super::SourceError;

/// `NAME=value` or `NAME=(a b c)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assignment {
    pub line: usize,
    pub name: String,
    pub value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    One(Word),
    Many(Vec<Word>),
}

/// A word before expansion.
pub(super) type Word = Vec<Piece>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    /// `$NAME`, `${NAME}`; with an index `${NAME[2]}`, `${NAME[@]}`.
    Variable {
        name: String,
        index: Option<String>,
    },
    /// What only running it would tell, as written.
    Unknowable(String),
}

/// A script as read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Script {
    pub assignments: Vec<Assignment>,
    /// Lines on which other commands begin.
    pub other: Vec<usize>,
}

/// Reads a script.
pub(super) fn read(text: &str) -> Result<Script, SourceError> {
    let mut reader = Reader { rest: text.chars().collect(), at: 0, line: 1, here: Vec::new() };
    let mut script = Script::default();
    while reader.skip_to_command()? {
        let line = reader.line;
        if let Some(name) = reader.assigned_name() {
            let value = reader.value()?;
            script.assignments.push(Assignment { line, name, value });
        } else {
            script.other.push(line);
            reader.skip_command()?;
        }
    }
    Ok(script)
}

struct Reader {
    rest: Vec<char>,
    at: usize,
    line: usize,
    /// Ends of here-documents that begin after this line; true: leading tabs do not count.
    here: Vec<(String, bool)>,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn takes(&mut self, wanted: char) -> bool {
        let is = self.peek() == Some(wanted);
        if is {
            self.next();
        }
        is
    }

    /// Blanks, comments, separators, here-documents; false at the end.
    fn skip_to_command(&mut self) -> Result<bool, SourceError> {
        loop {
            match self.peek() {
                None => return Ok(false),
                Some('\n') => {
                    self.next();
                    self.skip_here_documents()?;
                }
                Some(c) if c.is_whitespace() || c == ';' => drop(self.next()),
                Some('\\') if self.rest.get(self.at + 1) == Some(&'\n') => {
                    self.next();
                    self.next();
                }
                Some('#') => self.skip_comment(),
                Some(_) => return Ok(true),
            }
        }
    }

    fn skip_comment(&mut self) {
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

    /// `NAME=`, after `export`, `declare -x` and the like if there is one; else nothing is taken.
    fn assigned_name(&mut self) -> Option<String> {
        let begun = (self.at, self.line);
        loop {
            let word = self.letters(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            if self.peek() == Some('=') && is_name(&word) {
                self.next();
                return Some(word);
            }
            let is_prefix = matches!(word.as_str(), "export" | "declare" | "typeset" | "readonly" | "local");
            if !(is_prefix || word.starts_with('-') && self.at > begun.0) {
                (self.at, self.line) = begun;
                return None;
            }
            self.letters(|c| c == ' ' || c == '\t');
        }
    }

    fn letters(&mut self, is: fn(char) -> bool) -> String {
        let mut letters = String::new();
        while self.peek().is_some_and(is) {
            letters.extend(self.next());
        }
        letters
    }

    fn value(&mut self) -> Result<Value, SourceError> {
        if !self.takes('(') {
            return Ok(Value::One(self.word()?));
        }
        let begun = self.line;
        let mut words = Vec::new();
        loop {
            match self.peek() {
                None => return Err(SourceError::new(begun, "the list that begins with ( has no )")),
                Some(')') => {
                    self.next();
                    return Ok(Value::Many(words));
                }
                Some('#') => self.skip_comment(),
                Some('\\') if self.rest.get(self.at + 1) == Some(&'\n') => {
                    self.next();
                    self.next();
                }
                Some(c) if c.is_whitespace() => drop(self.next()),
                Some(c @ ('(' | ';' | '&' | '|' | '<' | '>')) => {
                    let what = format!("the list that begins with ( has no ) before the {c} on line {}", self.line);
                    return Err(SourceError::new(begun, what));
                }
                Some(_) => words.push(self.word()?),
            }
        }
    }

    /// Passes over one command, noting here-documents.
    fn skip_command(&mut self) -> Result<(), SourceError> {
        let mut nothing = Word::new();
        while let Some(c) = self.peek() {
            match c {
                '\n' | ';' => return Ok(()),
                '\'' => self.single_quoted(&mut nothing)?,
                '"' => self.double_quoted(&mut nothing)?,
                '$' | '`' => self.expansion(&mut nothing)?,
                '#' if self.at == 0 || self.rest[self.at - 1].is_whitespace() => self.skip_comment(),
                '\\' => {
                    self.next();
                    self.next();
                }
                '<' if self.rest[self.at..].starts_with(&['<', '<']) => self.here_document()?,
                _ => drop(self.next()),
            }
        }
        Ok(())
    }

    fn here_document(&mut self) -> Result<(), SourceError> {
        self.next();
        self.next();
        if self.takes('<') {
            return Ok(());
        }
        let tabs = self.takes('-');
        self.letters(|c| c == ' ' || c == '\t');
        let end = self.word()?.into_iter().map(|piece| match piece {
            Piece::Text(text) | Piece::Unknowable(text) => text,
            Piece::Variable { name, .. } => format!("${name}"),
        });
        self.here.push((end.collect(), tabs));
        Ok(())
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn assignments_among_other_things() {
        let script = read(
            "#!/usr/bin/env bash\nexport a=1 # one\nb=(x\n  y) # list\nif true; then c='d e'; fi\n\
             cat > $f <<EOF\nz=9\nEOF\nd=$HOME/\"$a\"\n",
        )
        .unwrap();
        let names: Vec<(&str, usize)> = script.assignments.iter().map(|one| (one.name.as_str(), one.line)).collect();
        assert_eq!(names, [("a", 2), ("b", 3), ("d", 9)]);
        assert_eq!(script.other, [5, 5, 5, 6]);
    }

    #[test]
    fn commands_are_not_run() {
        let script = read("a=$(rm -rf /)\nb=`id`\nc=${x:-y}\n").unwrap();
        for one in &script.assignments {
            let Value::One(word) = &one.value else { panic!("{one:?}") };
            assert!(matches!(word.as_slice(), [Piece::Unknowable(_)]), "{one:?}");
        }
    }

    #[test]
    fn mistakes_have_lines() {
        for (script, line) in [("a=1\nb='x\n", 2), ("a=(1\n2\n", 1), ("a=\n\nb=\"$(x\"\n", 3), ("cat <<E\nx\n", 2)] {
            assert_eq!(read(script).unwrap_err().line, line, "{script}");
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(text in "[a-c=()$\"'` \\n{}\\[\\]<\\\\#;~-]{0,40}") {
            let _ = read(&text);
        }
    }
}
