//! Variables of a bash script, as far as the script itself says them.

use std::collections::BTreeMap;

use super::bash::{Piece, Script, Value, Word};

/// A value, or why it cannot be known.
pub(super) type Expanded = Result<String, String>;

/// Every variable with its values; a plain one has one.
pub(super) struct Variables(BTreeMap<String, (usize, Vec<Expanded>)>);

impl Variables {
    /// In the order of the script: a later assignment counts, an earlier one is what later ones expand to.
    /// `given` is what the environment said when the script was run.
    pub(super) fn of(script: &Script, given: &BTreeMap<String, String>) -> Self {
        let given = given.iter().map(|(name, value)| (name.clone(), (0, vec![Ok(value.clone())])));
        let mut variables = Self(given.collect());
        for assignment in &script.assignments {
            let values = match &assignment.value {
                Value::One(word) => vec![variables.word(word)],
                Value::Many(words) => words.iter().flat_map(|word| variables.words(word)).collect(),
            };
            variables.0.insert(assignment.name.clone(), (assignment.line, values));
        }
        variables
    }

    /// The values of `name`, if it is assigned.
    pub(super) fn list(&self, name: &str) -> Option<&[Expanded]> {
        self.0.get(name).map(|(_, values)| values.as_slice())
    }

    pub(super) fn one(&self, name: &str) -> Option<&Expanded> {
        self.list(name)?.first()
    }

    /// The line on which it is assigned last.
    pub(super) fn line(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, |(line, _)| *line)
    }

    /// `${list[@]}` alone gives as many words as the list has.
    fn words(&self, word: &Word) -> Vec<Expanded> {
        match word.as_slice() {
            [Piece::Variable { name, index: Some(index) }] if matches!(index.as_str(), "@" | "*") => {
                self.list(name).map_or_else(|| vec![Err(unset(name))], <[Expanded]>::to_vec)
            }
            _ => vec![self.word(word)],
        }
    }

    fn word(&self, word: &Word) -> Expanded {
        word.iter().map(|piece| self.piece(piece)).collect()
    }

    fn piece(&self, piece: &Piece) -> Expanded {
        match piece {
            Piece::Text(text) => Ok(text.clone()),
            Piece::Unknowable(text) => Err(format!("{text} is not run")),
            Piece::Variable { name, index } => {
                let index = index.as_deref().map_or(Ok(0), str::parse::<usize>);
                let index = index.map_err(|_| format!("${name} has an index that is no number"))?;
                let values = self.list(name).ok_or_else(|| unset(name))?;
                // Bash expands what is not there to nothing.
                values.get(index).cloned().unwrap_or_else(|| Ok(String::new()))
            }
        }
    }
}

fn unset(name: &str) -> String {
    format!("${name} is not set in the file; --set {name}=...")
}
