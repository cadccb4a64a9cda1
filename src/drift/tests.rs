//! The baseline, and what becomes of differences by it.

use super::*;
use crate::model::NodeName;

fn difference(id: &str) -> Difference {
    Difference {
        id: DriftId(id.to_owned()),
        kind: Kind::Routes,
        node: NodeName::new("cn01").unwrap(),
        instance: None,
        expected: "x".to_owned(),
        found: "y".to_owned(),
    }
}

fn read(entry: &str) -> Result<Baseline, BaselineError> {
    Baseline::read(&format!("version: 1\naccepted:\n  - {entry}\n"))
}

#[test]
fn an_entry_accepts_until_its_day_ends() {
    let baseline = read("{id: 'routes:cn01:dn01', reason: CHG-1, expires: 2026-12-31}").unwrap();
    let found = || vec![difference("routes:cn01:dn01"), difference("routes:cn01:dn02")];
    let (counts, accepted, notes) = baseline.apply(found(), "2026-12-31");
    assert_eq!((counts.len(), accepted.len(), notes.len()), (1, 1, 0));
    let (counts, accepted, notes) = baseline.apply(found(), "2027-01-01");
    assert_eq!((counts.len(), accepted.len()), (2, 0));
    assert_eq!(notes[0].kind, NoteKind::Expired);
    let (_, _, notes) = baseline.apply(Vec::new(), "2026-12-31");
    assert_eq!(notes[0].kind, NoteKind::MatchesNothing);
}

#[test]
fn what_a_baseline_cannot_say() {
    for (entry, part) in [
        ("{id: 'unreachable:dn01', reason: x, expires: 2026-12-31}", "could not observe"),
        ("{id: 'nonsense:dn01', reason: x, expires: 2026-12-31}", "the kinds are split-brain"),
        ("{id: routes, reason: x, expires: 2026-12-31}", "KIND:SUBJECT"),
        ("{id: 'role:a@b', reason: ' ', expires: 2026-12-31}", "reason"),
        ("{id: 'role:a@b', reason: x, expires: 2026-02-30}", "is not"),
        ("{id: 'role:a@b', reason: x, expires: tomorrow}", "is not"),
        ("{id: 'role:a@b', reason: x}", "missing field `expires`"),
        ("{id: 'role:a@b', reason: x, expires: 2026-12-31, until: 1}", "unknown field `until`"),
    ] {
        let error = read(entry).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    assert!(Baseline::read("version: 2\n").unwrap_err().to_string().contains("version is 2"));
    assert_eq!(Baseline::read("version: 1\n").unwrap(), Baseline::default());
}
