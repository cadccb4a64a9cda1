//! `synchronous_standby_names`: how many standbys a commit waits for, and which ones count.

use crate::model::{InstanceId, Settings};

/// The name of a standby whose primary_conninfo has no application_name (libpqwalreceiver.c).
pub const NAMELESS_STANDBY: &str = "walreceiver";

/// The application_name that otb writes into the recovery.conf of an instance.
pub fn standby_name(id: &InstanceId) -> String {
    format!("{}_{}", id.node, id.server)
}

/// A setting of `synchronous_standby_names` that is not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncNames {
    /// `ANY n`: every listed standby counts. Else `FIRST n`: the first `n` of the list that stream.
    pub any: bool,
    /// How many standbys a commit waits for.
    pub number: usize,
    names: Vec<String>,
}

impl SyncNames {
    /// Reads the setting, as syncrep_gram.y and syncrep_scanner.l do. `Ok(None)` means that no commit waits.
    pub fn read(text: &str) -> Result<Option<Self>, String> {
        let tokens = tokens(text)?;
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
        let wrong = || format!("synchronous_standby_names = '{text}' cannot be read");
        let (any, count, list) = match tokens.as_slice() {
            [] => return Ok(None),
            [Token::Word(word), Token::Word(count), Token::Open, list @ .., Token::Close]
                if word.eq_ignore_ascii_case("any") || word.eq_ignore_ascii_case("first") =>
            {
                (word.eq_ignore_ascii_case("any"), number(count).ok_or_else(wrong)?, list)
            }
            [Token::Word(count), Token::Open, list @ .., Token::Close] => {
                (false, number(count).ok_or_else(wrong)?, list)
            }
            list => (false, 1, list),
        };
        let mut names = Vec::new();
        for pair in list.chunks(2) {
            match pair {
                [Token::Word(name) | Token::Quoted(name)] | [Token::Word(name) | Token::Quoted(name), Token::Comma] => {
                    names.push(name.clone());
                }
                _ => return Err(wrong()),
            }
        }
        if list.len() % 2 == 0 { Err(wrong()) } else { Ok(Some(Self { any, number: count, names })) }
    }

    /// Reads the setting of a server. `Ok(None)` means that no commit waits by default: the list is empty, or
    /// synchronous_commit is `local` or `off`.
    pub fn of(settings: &Settings) -> Result<Option<Self>, String> {
        let waits = !matches!(settings.text("synchronous_commit"), Some("off" | "local"));
        match settings.text("synchronous_standby_names") {
            Some(names) if waits => Self::read(names),
            _ => Ok(None),
        }
    }

    /// Whether a standby of this application_name counts. `*` stands for every name; upper and lower case are the same
    /// (SyncRepGetStandbyPriority, syncrep.c).
    pub fn count(&self, application_name: &str) -> bool {
        self.names.iter().any(|name| name == "*" || name.eq_ignore_ascii_case(application_name))
    }

    /// The place in the list, from 1; 0 where the name is not in it. The lowest is preferred by `FIRST`.
    pub fn priority(&self, application_name: &str) -> usize {
        let at = self.names.iter().position(|name| name == "*" || name.eq_ignore_ascii_case(application_name));
        at.map_or(0, |at| if self.any { 1 } else { at + 1 })
    }
}

/// The text with `more` at its end, for a hint: the same list and one name more.
pub fn with_name(text: &str, more: &str) -> String {
    let plain = more.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && more.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'));
    let more = if plain { more.to_owned() } else { format!("\"{}\"", more.replace('"', "\"\"")) };
    match text.trim_end().strip_suffix(')') {
        Some(list) => format!("{list}, {more})"),
        None => format!("{text}, {more}"),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Comma,
    Open,
    Close,
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
    while let Some(c) = letters.next() {
        tokens.push(match c {
            c if c.is_ascii_whitespace() => continue,
            ',' => Token::Comma,
            '(' => Token::Open,
            ')' => Token::Close,
            '*' => Token::Word("*".to_owned()),
            '"' => Token::Quoted(quoted(&mut letters).ok_or_else(|| format!("a quote in '{text}' has no end"))?),
            c if in_word(c) => {
                let mut word = String::from(c);
                while let Some(c) = letters.next_if(|c| in_word(*c)) {
                    word.push(c);
                }
                Token::Word(word)
            }
            c => return Err(format!("'{text}' has the letter {c:?} outside of quotes")),
        });
    }
    Ok(tokens)
}

fn quoted(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut name = String::new();
    loop {
        match letters.next()? {
            '"' if letters.next_if_eq(&'"').is_some() => name.push('"'),
            '"' => return Some(name),
            c => name.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> SyncNames {
        SyncNames::read(text).unwrap().unwrap()
    }

    #[test]
    fn every_form_of_the_manual() {
        for (text, any, number, names) in [
            ("*", false, 1, vec!["*"]),
            ("s1, s2", false, 1, vec!["s1", "s2"]),
            ("2 (s1,s2 , s3)", false, 2, vec!["s1", "s2", "s3"]),
            ("FIRST 3 (a,b,c)", false, 3, vec!["a", "b", "c"]),
            ("any 1 (dn01_s29, \"dn01@s47\", \"a\"\"b\")", true, 1, vec!["dn01_s29", "dn01@s47", "a\"b"]),
            ("first, any", false, 1, vec!["first", "any"]),
            ("1", false, 1, vec!["1"]),
        ] {
            let names = names.into_iter().map(str::to_owned).collect();
            assert_eq!(read(text), SyncNames { any, number, names }, "{text}");
        }
        assert_eq!(SyncNames::read(" "), Ok(None));
        for text in ["a b", "a,", ",a", "any 0 (a)", "2 ()", "any x (a)", "dn01-s29", "\"a", "2 (a", "(a)"] {
            assert!(SyncNames::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_counts_whatever_its_case_and_a_star_is_every_name() {
        let names = read("ANY 1 (DN01_s29, x)");
        assert!(names.count("dn01_S29") && names.count("x") && !names.count("dn01"));
        assert!(read("a, \"*\"").count("anything"));
        assert_eq!(["b", "c", "z"].map(|name| read("a, b, c").priority(name)), [2, 3, 0]);
        assert_eq!(["b", "c", "z"].map(|name| read("ANY 1 (a, b, c)").priority(name)), [1, 1, 0]);
    }

    #[test]
    fn a_commit_that_is_local_waits_for_no_standby() {
        let of = |commit: &str| {
            let pairs = [("synchronous_commit", commit), ("synchronous_standby_names", "*")];
            SyncNames::of(&Settings(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())).unwrap()
        };
        assert!(["local", "off"].iter().all(|commit| of(commit).is_none()));
        assert!(["on", "remote_write", "remote_apply"].iter().all(|commit| of(commit).is_some()));
    }

    proptest! {
        #[test]
        fn a_name_that_is_added_counts(name in "\\PC{1,20}", list in prop::sample::select(vec!["a", "ANY 1 (a)", "2 (a, b)"])) {
            let longer = read(&with_name(list, &name));
            prop_assert!(longer.count(&name), "{:?}", longer);
            prop_assert_eq!(longer.number, read(list).number);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-z0-9 ,()*\"]{0,30}") {
            let _ = SyncNames::read(&text);
        }
    }
}
