//! The expansion of words.

use std::collections::BTreeMap;

use super::super::bash::{Default, Expansion, Index, Piece, Word, braces, counted};
use super::{Elements, Expanded, Variables, effects};

/// The longest text of one word.
const MOST_BYTES: usize = 1 << 16;

impl Variables {
    /// The word as one text: of an assignment, of a test in double brackets.
    pub(super) fn text(&mut self, word: &Word) -> Expanded {
        let mut text = Ok(String::new());
        for piece in word {
            // All of them are expanded: each may set a variable.
            let more = match piece {
                Piece::Text { text, .. } => Ok(text.clone()),
                Piece::Expansion { what, .. } => self.parts(what).and_then(|parts| {
                    parts.into_iter().collect::<Result<Vec<String>, String>>().map(|parts| parts.join(" "))
                }),
            };
            text = text.and_then(|text: String| bounded(text + &more?));
        }
        if let Err(why) = &text {
            self.forget_of(word, why);
        }
        text
    }

    /// The variables that the rest of the word may set.
    fn forget_of(&mut self, word: &Word, why: &str) {
        for name in effects::of_word(word).names {
            self.set_elements(&name, Err(why.to_owned()));
        }
    }

    /// The words that it becomes in a list; not known how many: why.
    pub(super) fn fields(&mut self, word: &Word) -> Result<Vec<Expanded>, String> {
        let fields = match braces(word) {
            Some(words) => {
                let lists: Vec<_> = words.iter().map(|word| self.split(word)).collect();
                lists.into_iter().collect::<Result<Vec<_>, String>>().map(|lists| lists.concat())
            }
            None => Err("a list in braces is too long for otb".to_owned()),
        };
        if let Err(why) = &fields {
            self.forget_of(word, why);
        }
        fields
    }

    /// The same of several.
    pub(super) fn all_fields(&mut self, words: &[Word]) -> Result<Vec<Expanded>, String> {
        // Each may set a variable, also where another one is not known.
        let lists: Vec<_> = words.iter().map(|word| self.fields(word)).collect();
        lists.into_iter().collect::<Result<Vec<_>, String>>().map(|lists| lists.concat())
    }

    fn split(&mut self, word: &Word) -> Result<Vec<Expanded>, String> {
        let mut fields = Fields::default();
        for piece in word {
            match piece {
                Piece::Text { text, quoted } => {
                    let is_pattern = !quoted && is_pattern(text);
                    fields.add(if is_pattern { Err(pattern(text)) } else { Ok(text.clone()) });
                }
                Piece::Expansion { what, quoted } => {
                    let counts = *quoted || !matches!(what, Expansion::Unknowable(_));
                    let mixed = !quoted && matches!(what, Expansion::Default { word, .. } if has_quotes(word));
                    let mut parts = self.parts(what)?;
                    if *quoted && matches!(what, Expansion::Variable { index: Index::Joined, .. }) {
                        parts = vec![parts.into_iter().collect::<Result<Vec<_>, _>>().map(|parts| parts.join(" "))];
                    }
                    for (n, part) in parts.into_iter().enumerate() {
                        if n > 0 {
                            fields.end();
                        }
                        match part {
                            // How many words a command's output has is not known either.
                            Err(why) if !counts => return Err(why),
                            // What is quoted within would stay together.
                            Ok(text) if mixed && text.contains(|c: char| c.is_ascii_whitespace()) => {
                                return Err(format!("{text:?} may be one word or several"));
                            }
                            Ok(text) if !quoted => fields.add_words(&text),
                            part => fields.add(part),
                        }
                    }
                }
            }
        }
        Ok(fields.finish())
    }

    /// The result of an expansion: one text, or as many as a list has; or why it is not known.
    fn parts(&mut self, what: &Expansion) -> Result<Vec<Expanded>, String> {
        match what {
            Expansion::Unknowable(text) => Ok(vec![Err(format!("otb does not evaluate {text}"))]),
            Expansion::Variable { name, index } => self.variable(name, index),
            Expansion::Default { name, with, empty, word } => Ok(vec![self.default(name, *with, *empty, word)]),
            Expansion::Count(name) => {
                let elements = self.known(name).and_then(|elements| elements);
                Ok(vec![elements.and_then(|elements| Ok(certain(&elements, i64::MAX)?.len().to_string()))])
            }
            Expansion::Indices(name) => {
                let elements = self.known(name).and_then(|elements| elements)?;
                certain(&elements, i64::MAX)?;
                Ok(elements.into_keys().map(|at| Ok(at.to_string())).collect())
            }
            Expansion::Arithmetic(text) => Ok(vec![self.arithmetic(text).map(|value| value.to_string())]),
            Expansion::Sequence(words) => {
                let numbers = words.iter().map(|word| self.text(word)).collect::<Result<Vec<_>, _>>()?;
                let sequence =
                    sequence(&numbers).ok_or_else(|| format!("otb does not evaluate $(seq {})", numbers.join(" ")))?;
                Ok(vec![Ok(sequence)])
            }
        }
    }

    fn known(&self, name: &str) -> Result<Elements, String> {
        self.elements(name).ok_or_else(|| unset(name))
    }

    fn variable(&mut self, name: &str, index: &Index) -> Result<Vec<Expanded>, String> {
        let elements = match self.known(name).and_then(|elements| elements) {
            Ok(elements) => elements,
            // A plain one is one word, whatever it is.
            Err(why) if *index == Index::None => return Ok(vec![Err(why)]),
            Err(why) => return Err(why),
        };
        let at = match index {
            Index::All | Index::Joined => return Ok(elements.into_values().collect()),
            Index::None => 0,
            Index::At(index) => match self.index(index, &Ok(elements.clone())) {
                Ok(at) => at,
                Err(why) => return Ok(vec![Err(why)]),
            },
        };
        // Bash expands what is not there to nothing.
        let element = certain(&elements, at).map(|elements| elements.get(&at).cloned());
        Ok(vec![element.and_then(|element| element.unwrap_or_else(|| Ok(String::new())))])
    }

    /// A variable without a given environment may be set there, so neither is known.
    fn default(&mut self, name: &str, with: Default, empty: bool, word: &Word) -> Expanded {
        let value = match self.known(name).and_then(|elements| elements) {
            Ok(elements) => elements.get(&0).cloned(),
            Err(why) => Some(Err(why)),
        };
        let value = match value {
            Some(Err(why)) => {
                let _ = self.text(word);
                if with == Default::Assign {
                    self.set_elements(name, Err(why.clone()));
                }
                return Err(why);
            }
            Some(Ok(value)) => Some(value).filter(|value| !(empty && value.is_empty())),
            None => None,
        };
        match (value, with) {
            (Some(_), Default::Instead) | (None, Default::Use) => self.text(word),
            (None, Default::Instead) => Ok(String::new()),
            (Some(value), _) => Ok(value),
            (None, Default::Assign) => {
                let text = self.text(word);
                self.set_elements(name, Ok(BTreeMap::from([(0, text.clone())])));
                text
            }
        }
    }
}

/// Words while they grow.
#[derive(Default)]
struct Fields {
    done: Vec<Expanded>,
    open: Option<Expanded>,
}

impl Fields {
    fn add(&mut self, more: Expanded) {
        self.open = Some(match self.open.take() {
            None => more,
            Some(begun) => begun.and_then(|begun| bounded(begun + &more?)),
        });
    }

    fn end(&mut self) {
        self.done.extend(self.open.take());
    }

    /// Blanks outside quotes end a word.
    fn add_words(&mut self, text: &str) {
        if text.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.end();
        }
        for (n, word) in text.split_ascii_whitespace().enumerate() {
            if n > 0 {
                self.end();
            }
            self.add(if is_pattern(word) { Err(pattern(word)) } else { Ok(word.to_owned()) });
        }
        if text.ends_with(|c: char| c.is_ascii_whitespace()) {
            self.end();
        }
    }

    fn finish(mut self) -> Vec<Expanded> {
        self.end();
        self.done
    }
}

/// The elements where those before `at` are known: else there may be more or fewer of them.
fn certain(elements: &BTreeMap<i64, Expanded>, at: i64) -> Result<&BTreeMap<i64, Expanded>, String> {
    match elements.iter().find_map(|(index, element)| Some((index, element.as_ref().err()?))) {
        Some((index, why)) if *index < at => Err(why.clone()),
        _ => Ok(elements),
    }
}

fn bounded(text: String) -> Expanded {
    if text.len() > MOST_BYTES { Err("it is too long for otb".to_owned()) } else { Ok(text) }
}

fn has_quotes(word: &Word) -> bool {
    word.iter().any(|piece| matches!(piece, Piece::Text { quoted: true, .. } | Piece::Expansion { quoted: true, .. }))
}

/// Whether file names are matched with it.
pub(super) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?']) || text.split_once('[').is_some_and(|(_, rest)| rest.contains(']'))
}

fn pattern(text: &str) -> String {
    format!("{text} is a pattern of file names")
}

/// Why a variable has no value.
pub(super) fn unset(name: &str) -> String {
    format!("${name} is not set in the file; use --set {name}=...")
}

/// `[2]=x` in a list.
pub(super) fn begins_with_index(piece: &Piece) -> bool {
    matches!(piece, Piece::Text { text, quoted: false } if text.starts_with('['))
}

/// What `seq LAST`, `seq FIRST LAST` and `seq FIRST STEP LAST` print.
fn sequence(numbers: &[String]) -> Option<String> {
    let numbers: Option<Vec<i64>> = numbers.iter().map(|text| text.parse().ok()).collect();
    let (from, step, to) = match numbers?.as_slice() {
        [to] => (1, 1, *to),
        [from, to] => (*from, 1, *to),
        [from, step, to] if *step > 0 => (*from, *step, *to),
        _ => return None,
    };
    if from > to {
        return Some(String::new());
    }
    let numbers = counted(from, to, step)?;
    Some(numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
}
