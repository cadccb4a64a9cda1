//! Commands: what runs, what may run, and what runs where nothing of it is left.

use super::reader::{Reader, is_blank};
use super::{Command, Kind, SourceError};

/// Words that end a list of commands.
const ENDS: [&str; 8] = ["then", "else", "elif", "fi", "do", "done", "esac", "}"];

/// Reads a script.
pub(in super::super) fn read(text: &str) -> Result<Vec<Command>, SourceError> {
    let mut reader = Reader::new(text.trim_start_matches('\u{feff}'));
    let commands = reader.list()?;
    let Some(next) = reader.peek() else { return Ok(commands) };
    let what = Some(reader.bare_word()).filter(|word| !word.is_empty()).unwrap_or_else(|| next.to_string());
    Err(SourceError::new(reader.line, format!("nothing is open that {what} would end")))
}

impl Reader {
    /// Commands up to a word that ends them, a `)`, a `;;` or the end.
    pub(super) fn list(&mut self) -> Result<Vec<Command>, SourceError> {
        self.deeper()?;
        let mut commands = Vec::new();
        loop {
            self.skip_lines()?;
            if self.starts_with(";;") || self.starts_with(";&") || matches!(self.peek(), None | Some(')')) {
                break;
            }
            if self.takes(";") || self.takes("&") {
                continue;
            }
            if ENDS.contains(&self.bare_word().as_str()) {
                break;
            }
            let at = self.at;
            let command = self.chain()?;
            commands.push(command);
            if self.at == at {
                let what = self.peek().unwrap_or_default();
                return Err(SourceError::new(self.line, format!("{what} cannot begin a command")));
            }
        }
        self.depth -= 1;
        Ok(commands)
    }

    /// The word ahead, if no letter of it is quoted or expanded; nothing is taken.
    pub(super) fn bare_word(&self) -> String {
        let word: String = self.rest[self.at..].iter().take_while(|c| !ends_word(**c)).take(12).collect();
        if word.contains(['\'', '"', '$', '`', '\\']) { String::new() } else { word }
    }

    pub(super) fn takes_word(&mut self, wanted: &str) -> bool {
        self.bare_word() == wanted && self.takes(wanted)
    }

    pub(super) fn expects(&mut self, wanted: &str, of: &str, line: usize) -> Result<(), SourceError> {
        self.skip_lines()?;
        while self.takes(";") {
            self.skip_lines()?;
        }
        if self.takes_word(wanted) {
            return Ok(());
        }
        Err(SourceError::new(line, format!("the {of} that begins here has no {wanted}")))
    }

    fn chain(&mut self) -> Result<Command, SourceError> {
        let line = self.line;
        let first = self.pipeline()?;
        let mut rest = Vec::new();
        loop {
            self.skip_blanks();
            let after_success = match () {
                () if self.takes("&&") => true,
                () if self.takes("||") => false,
                () => break,
            };
            self.skip_lines()?;
            rest.push((after_success, self.pipeline()?));
        }
        let in_background = self.peek() == Some('&') && self.ahead(1) != Some('>');
        Ok(match (in_background, rest.is_empty()) {
            (true, _) => Command { line, kind: Kind::Subshell },
            (false, true) => first,
            (false, false) => Command { line, kind: Kind::Chain(Box::new(first), rest) },
        })
    }

    fn pipeline(&mut self) -> Result<Command, SourceError> {
        let line = self.line;
        if self.takes_word("!") {
            self.skip_blanks();
            self.deeper()?;
            let command = self.pipeline()?;
            self.depth -= 1;
            return Ok(Command { line, kind: Kind::Not(Box::new(command)) });
        }
        let first = self.command()?;
        let mut several = false;
        loop {
            self.skip_blanks();
            if self.peek() != Some('|') || self.ahead(1) == Some('|') {
                break;
            }
            self.next();
            self.takes("&");
            self.skip_lines()?;
            self.command()?;
            several = true;
        }
        Ok(if several { Command { line, kind: Kind::Subshell } } else { first })
    }
}

pub(super) fn ends_word(c: char) -> bool {
    is_blank(c) || matches!(c, ';' | ')' | '(' | '&' | '|' | '<' | '>')
}
