//! INI as opentenbase_ctl reads it: sections, `key=value`, `#` and `;` begin comments of whole lines.

use std::collections::BTreeMap;

use super::SourceError;

/// The values by section and key, each with its line.
pub(super) struct Ini(BTreeMap<(String, String), (usize, String)>);

impl Ini {
    pub(super) fn read(text: &str) -> Result<Self, SourceError> {
        let mut values = BTreeMap::new();
        let mut section: Option<String> = None;
        for (n, line) in text.lines().enumerate() {
            let (n, line) = (n + 1, line.trim_start_matches('\u{feff}').trim());
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let name = rest.strip_suffix(']').ok_or_else(|| SourceError::new(n, "the section has no ]"))?;
                section = Some(name.trim().to_owned());
                continue;
            }
            let (key, value) =
                line.split_once('=').ok_or_else(|| SourceError::new(n, "this is neither a [section] nor key=value"))?;
            let section = section.clone().ok_or_else(|| SourceError::new(n, "this is before the first [section]"))?;
            values.insert((section, key.trim().to_owned()), (n, value.trim().to_owned()));
        }
        Ok(Self(values))
    }

    /// A value that is not empty.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let (_, value) = self.0.get(&(section.to_owned(), key.to_owned()))?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    pub(super) fn line(&self, section: &str, key: &str) -> usize {
        self.0.get(&(section.to_owned(), key.to_owned())).map_or(1, |(line, _)| *line)
    }

    /// A list between commas.
    pub(super) fn list(&self, section: &str, key: &str) -> Vec<&str> {
        let value = self.get(section, key).unwrap_or_default();
        value.split(',').map(str::trim).filter(|one| !one.is_empty()).collect()
    }
}
