//! Tokens of the commands that only OpenTenBase knows, and a reader over them.

use super::SqlError;

/// A word, quoted text or sign of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Unquoted, folded to lower case as PostgreSQL does.
    Word(String),
    Quoted(String),
    Text(String),
    Sign(char),
}

impl Token {
    pub(super) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(have) if have == word)
    }

    pub(super) fn shown(&self) -> String {
        match self {
            Self::Word(text) | Self::Quoted(text) => text.clone(),
            Self::Text(text) => format!("'{text}'"),
            Self::Sign(sign) => sign.to_string(),
        }
    }
}

/// Reads tokens one after the other.
pub(super) struct Reader {
    pub(super) tokens: std::vec::IntoIter<Token>,
}

impl Reader {
    pub(super) fn next(&mut self) -> Result<Token, SqlError> {
        self.tokens.next().ok_or_else(|| SqlError::syntax_near(""))
    }

    pub(super) fn peek_is(&self, word: &str) -> bool {
        self.tokens.as_slice().first().is_some_and(|token| token.is(word))
    }

    pub(super) fn skip(&mut self, word: &str) -> bool {
        let here = self.peek_is(word);
        if here {
            self.tokens.next();
        }
        here
    }

    pub(super) fn expect(&mut self, wanted: &Token) -> Result<(), SqlError> {
        let token = self.next()?;
        if token == *wanted { Ok(()) } else { Err(SqlError::syntax_near(&token.shown())) }
    }

    pub(super) fn name(&mut self) -> Result<String, SqlError> {
        match self.next()? {
            Token::Word(name) | Token::Quoted(name) => Ok(name),
            other => Err(SqlError::syntax_near(&other.shown())),
        }
    }

    pub(super) fn end(&mut self) -> Result<(), SqlError> {
        match self.tokens.next() {
            None => Ok(()),
            Some(token) => Err(SqlError::syntax_near(&token.shown())),
        }
    }
}

pub(super) fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            _ if c.is_whitespace() => {}
            '-' if chars.peek() == Some(&'-') => while chars.next().is_some_and(|c| c != '\n') {},
            '/' if chars.peek() == Some(&'*') => skip_comment(&mut chars),
            '\'' => tokens.push(Token::Text(quoted(&mut chars, '\''))),
            '"' => tokens.push(Token::Quoted(quoted(&mut chars, '"'))),
            _ if is_word(c) => {
                let mut word = c.to_ascii_lowercase().to_string();
                while let Some(c) = chars.next_if(|&c| is_word(c)) {
                    word.push(c.to_ascii_lowercase());
                }
                tokens.push(Token::Word(word));
            }
            _ => tokens.push(Token::Sign(c)),
        }
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn skip_comment(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut last = ' ';
    chars.next();
    for c in chars.by_ref() {
        if last == '*' && c == '/' {
            return;
        }
        last = c;
    }
}

/// The rest of a quoted piece; a doubled quote is one quote.
fn quoted(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        if c == quote && chars.next_if_eq(&quote).is_none() {
            break;
        }
        text.push(c);
    }
    text
}
