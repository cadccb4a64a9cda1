//! Known drift: what is accepted, why, and until when.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::document::{Accepted, Difference, DriftId, Kind, Note, NoteKind};

/// A baseline that was read and checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Baseline {
    pub entries: Vec<Entry>,
}

/// One accepted difference.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// As `otb drift` prints it: `routes:cn02:dn01`.
    pub id: String,
    pub reason: String,
    /// The last day on which it is accepted, YYYY-MM-DD in UTC.
    pub expires: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u8,
    #[serde(default)]
    accepted: Vec<Entry>,
}

/// Why a baseline cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BaselineError(String);

impl Baseline {
    /// Reads the YAML text.
    pub fn read(text: &str) -> Result<Self, BaselineError> {
        let file: File = serde_yaml::from_str(text).map_err(|error| BaselineError(error.to_string()))?;
        if file.version != 1 {
            return Err(BaselineError(format!("its version is {}, but this otb reads 1", file.version)));
        }
        let mut seen = BTreeSet::new();
        for entry in &file.accepted {
            check(entry).map_err(|what| BaselineError(format!("{}: {what}", entry.id)))?;
            if !seen.insert(&entry.id) {
                return Err(BaselineError(format!("{}: it appears twice", entry.id)));
            }
        }
        Ok(Self { entries: file.accepted })
    }

    /// Sets aside what is accepted on `today` (YYYY-MM-DD).
    pub(super) fn apply(&self, found: Vec<Difference>, today: &str) -> (Vec<Difference>, Vec<Accepted>, Vec<Note>) {
        let (mut counts, mut accepted) = (Vec::new(), Vec::new());
        let mut notes: Vec<Note> = Vec::new();
        for entry in &self.entries {
            if !found.iter().any(|difference| difference.id.as_str() == entry.id) {
                let what = "this difference does not exist any more; remove the entry".to_owned();
                notes.push(Note { kind: NoteKind::MatchesNothing, id: DriftId(entry.id.clone()), what });
            }
        }
        for difference in found {
            let entry = self.entries.iter().find(|entry| entry.id == difference.id.as_str());
            match entry {
                // Days in this form sort as they follow each other.
                Some(entry) if entry.expires.as_str() >= today => {
                    let (reason, expires) = (entry.reason.clone(), entry.expires.clone());
                    accepted.push(Accepted { difference, reason, expires });
                }
                Some(entry) => {
                    let what = format!("it was accepted until {} ({}) and counts again", entry.expires, entry.reason);
                    notes.push(Note { kind: NoteKind::Expired, id: difference.id.clone(), what });
                    counts.push(difference);
                }
                None => counts.push(difference),
            }
        }
        (counts, accepted, notes)
    }
}

fn check(entry: &Entry) -> Result<(), String> {
    let kind = entry.id.split(':').next().unwrap_or_default();
    if kind == "unreachable" {
        return Err("otb cannot accept what it could not observe".to_owned());
    }
    if !Kind::ALL.iter().any(|known| known.word() == kind) || !entry.id.contains(':') {
        let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        return Err(format!("an id is KIND:SUBJECT as otb drift prints it; the kinds are {}", kinds.join(", ")));
    }
    if entry.reason.trim().is_empty() {
        return Err("it needs a reason: write who accepts it, and where that is recorded".to_owned());
    }
    let day = entry.expires.len() == 10 && humantime::parse_rfc3339(&format!("{}T00:00:00Z", entry.expires)).is_ok();
    if day { Ok(()) } else { Err(format!("expires must be a day such as 2026-12-31; {:?} is not", entry.expires)) }
}
