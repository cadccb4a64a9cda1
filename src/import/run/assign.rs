//! Assignments, and arithmetic, which may assign as well.

use std::collections::BTreeMap;

use super::super::bash::{Assignment, Command, Value, Word, arithmetic, braces, literal};
use super::{Elements, Expanded, Variables, effects, words};

/// The longest list that is read.
const MOST_ELEMENTS: usize = 2048;

/// Stands for elements of which it is not known whether they are there.
const OTHERS: i64 = i64::MAX / 2;

impl Variables {
    pub(super) fn assign(&mut self, assignment: &Assignment) {
        let Assignment { name, index, appends, value } = assignment;
        if name == "IFS" {
            self.nothing = Some(format!("line {} changes IFS, which decides how bash splits words", self.line));
        }
        let elements = match (value, index) {
            (Value::One(word), None) => {
                let text = self.text(word);
                // The environment may have set what the file only appends to.
                let before = if *appends {
                    self.elements(name).ok_or_else(|| words::unset(name))
                } else {
                    Ok(self.before(name))
                };
                before.and_then(|before| Self::put(before, *appends, 0, text, !appends))
            }
            (Value::One(word), Some(index)) => {
                let text = self.text(word);
                match self.index(index, &self.before(name)) {
                    Ok(at) => Self::put(self.before(name), *appends, at, text, false),
                    Err(why) => Err(why),
                }
            }
            (Value::Many(_), Some(_)) => Err("otb does not read a list in a list".to_owned()),
            (Value::Many(words), None) => {
                let fields = self.all_fields(words);
                let begin = if *appends { self.before(name) } else { Ok(BTreeMap::new()) };
                fields.and_then(|fields| Self::many(begin, words, fields))
            }
        };
        self.set_elements(name, elements);
    }

    /// The value of a name after the expansion of the assigned words, which may have set it.
    fn before(&self, name: &str) -> Elements {
        self.elements(name).unwrap_or_else(|| Ok(BTreeMap::new()))
    }

    /// One element; `alone`: a plain value takes the place of all.
    fn put(before: Elements, appends: bool, at: i64, text: Expanded, alone: bool) -> Elements {
        // A list keeps its other elements.
        let mut elements = match before {
            Ok(elements) => elements,
            // It may be a list, whose other elements stay.
            Err(why) if alone => BTreeMap::from([(OTHERS, Err(why))]),
            Err(why) => return Err(why),
        };
        let old = if appends { elements.remove(&at) } else { None };
        let new = match (old, text) {
            (Some(old), text) => old.and_then(|old| Ok(old + &text?)),
            (None, text) => text,
        };
        elements.insert(at, new);
        Ok(elements)
    }

    fn many(begin: Elements, words: &[Word], fields: Vec<Expanded>) -> Elements {
        let mut elements = begin?;
        if words.iter().any(|word| word.first().is_some_and(words::begins_with_index)) {
            return Err("otb does not read a list with [index]=value".to_owned());
        }
        let next = elements.keys().next_back().map_or(0, |last| last + 1);
        if elements.len() + fields.len() > MOST_ELEMENTS {
            return Err("the list is too long for otb".to_owned());
        }
        elements.extend((next..).zip(fields));
        Ok(elements)
    }

    pub(super) fn declare(
        &mut self,
        command: &Command,
        options: &str,
        assigns: &[Assignment],
        names: &[Word],
    ) -> Option<bool> {
        if options.chars().all(|c| matches!(c, '-' | 'x' | 'r' | 'a' | 'g')) {
            for assignment in assigns {
                // These are words as well, which braces would multiply.
                let plain = match &assignment.value {
                    Value::One(word) => braces(word).is_some_and(|words| words.len() == 1),
                    Value::Many(_) => true,
                };
                self.assign(assignment);
                if !plain {
                    self.set_elements(&assignment.name, Err(format!("otb does not run line {}", command.line)));
                }
            }
            return Some(true);
        }
        // Numbers, references, other letters: whatever is set later is no longer what is written.
        let why = format!("line {} declares it with an option that otb does not read", command.line);
        let names = names.iter().filter_map(literal).chain(assigns.iter().map(|assignment| assignment.name.clone()));
        self.loose.extend(names.map(|name| (name, why.clone())));
        None
    }

    /// An index; below zero it counts from the end.
    pub(super) fn index(&mut self, index: &Word, of: &Elements) -> Result<i64, String> {
        let at = self.arithmetic(index)?;
        if at >= 0 {
            return Ok(at);
        }
        let last = of.as_ref().ok().and_then(|elements| elements.keys().next_back().copied());
        last.map(|last| last + 1 + at).filter(|at| *at >= 0).ok_or_else(|| "its index is less than zero".to_owned())
    }

    pub(super) fn arithmetic(&mut self, text: &Word) -> Result<i64, String> {
        let value = self.text(text).and_then(|text| arithmetic::evaluate(&text, self));
        if let Err(why) = &value {
            // Some of it may have been done.
            for name in effects::of_arithmetic(text).names {
                self.set_elements(&name, Err(why.clone()));
            }
        }
        value
    }
}

impl arithmetic::Names for Variables {
    fn get(&mut self, name: &str) -> Result<i64, String> {
        let elements = self.elements(name).ok_or_else(|| words::unset(name))??;
        let text = elements.get(&0).cloned().unwrap_or_else(|| Ok(String::new()))?;
        let text = text.trim();
        if text.is_empty() {
            return Ok(0);
        }
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
        let number = arithmetic::number(digits).filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()));
        number.map(|number| sign * number).ok_or_else(|| format!("${name} is not a number"))
    }

    fn set(&mut self, name: &str, value: i64) {
        self.set_elements(name, Ok(BTreeMap::from([(0, Ok(value.to_string()))])));
    }
}
