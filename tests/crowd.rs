//! A hundred runs that contradict each other: a binary of its own, for whatever ran beside them would be starved.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/limited.rs"]
mod limited;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use fixture::SandboxFixture;
use limited::otb;

/// How many start at the same moment.
const AT_ONCE: usize = 100;

/// Half of them want dn01's master on s29, half on s47; the journals show that only one at a time acts.
#[test]
fn a_hundred_contradicting_applies() {
    let place = SandboxFixture::up("");
    let stays = place.write("stays.yaml", place.text());
    place.declare("dn01", "s47");
    let journal = place.dir().join("journal");
    let apply = |n: usize| {
        let file = if n.is_multiple_of(2) { place.file() } else { stays.clone() };
        let line = otb(&file).line("apply --auto-approve --timeout 60s --journal").args([&journal]);
        line.limit(Duration::from_secs(170)).start()
    };
    let runs: Vec<_> = (0..AT_ONCE).map(apply).collect();
    let ended: Vec<_> = runs.into_iter().map(crate::limited::Running::wait).collect();
    for run in &ended {
        assert!([0, 3, 4, 5].contains(&run.code), "{run:?}");
    }
    assert!(ended.iter().any(|run| run.code == 0), "nobody got through");
    one_at_a_time(&journal);
    place.otb("apply --auto-approve").limit(Duration::from_secs(60)).run().ends(0);
    place.is_settled();
}

/// From a run's plan to its end no line is another run's.
fn one_at_a_time(journal: &Path) {
    let mut acting: Option<String> = None;
    let mut acted = BTreeSet::new();
    for line in std::fs::read_to_string(journal).unwrap_or_default().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let run = line["run"].as_str().unwrap().to_owned();
        match line["entry"]["is"].as_str().unwrap() {
            "plan" => {
                assert_eq!(acting, None, "{run} began while another was at work");
                acted.insert(run.clone());
                acting = Some(run);
            }
            "end" => assert_eq!(acting.take(), Some(run)),
            _ => assert_eq!(acting.as_ref(), Some(&run), "{line}"),
        }
    }
    assert_eq!(acting, None);
    assert!(!acted.is_empty(), "nobody acted");
}
