//! The statements of a step as text: equal lines for hundreds of routers, each with its place in front.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Lines that begin alike. In JSON a list of texts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Lines {
    lead: String,
    rest: Arc<Vec<String>>,
}

impl Lines {
    /// `lead` in front of each of the lines, which other steps may share.
    pub(super) fn new(lead: String, rest: Arc<Vec<String>>) -> Self {
        Self { lead, rest }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Each line as a whole.
    pub fn iter(&self) -> impl Iterator<Item = String> {
        self.rest.iter().map(|line| format!("{}{line}", self.lead))
    }
}

impl From<Vec<String>> for Lines {
    fn from(lines: Vec<String>) -> Self {
        Self::new(String::new(), Arc::new(lines))
    }
}

impl From<Lines> for Vec<String> {
    fn from(lines: Lines) -> Self {
        lines.iter().collect()
    }
}

/// The read text counts.
impl PartialEq for Lines {
    fn eq(&self, other: &Self) -> bool {
        self.lead == other.lead && self.rest == other.rest || self.iter().eq(other.iter())
    }
}

impl Eq for Lines {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_read_alike_are_equal_however_they_are_kept() {
        let shared = Lines::new("cn01@s29=> ".to_owned(), Arc::new(vec!["a".to_owned(), "b".to_owned()]));
        let json = serde_json::to_string(&shared).unwrap();
        assert_eq!(json, r#"["cn01@s29=> a","cn01@s29=> b"]"#);
        assert_eq!(serde_json::from_str::<Lines>(&json).unwrap(), shared);
        assert_ne!(Lines::new("cn02@s47=> ".to_owned(), Arc::clone(&shared.rest)), shared);
    }
}
