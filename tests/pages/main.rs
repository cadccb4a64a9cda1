//! The pages that people follow, README included: what they tell to type is typed, and what they show is what comes.
//!
//! Every `console` block of these pages is run by bash, in an empty directory, with `NO_COLOR` and with `yes` on standard
//! input: a line that begins with `$ ` is a command, `> ` goes on with it, what follows up to the next one is everything it prints, a line
//! `[...]` stands for any number of lines, and `[exit N]` for its exit code (0 if it is not said). Every `sh` block is run
//! as a script that must not fail. Durations, sizes, WAL positions, digests and the sandbox's network differ from run
//! to run and are compared by their shape. `OTB_BLESS=1 cargo test --test pages` writes what came out, cut at the first `[...]`.
//! The Chinese pages have the same blocks (chinese.rs).

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

mod chinese;
mod links;
#[path = "../support/normal.rs"]
mod normal;
mod picture;
mod shell;
mod transcript;

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files with this extension in a directory of the repository and below, by their paths from the root.
fn files(directory: &str, extension: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(directory)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(files(&name, extension));
        } else if path.extension().is_some_and(|ending| ending == extension) {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// One test per page, so that the runner names the one that failed.
macro_rules! pages {
    ($($name:ident $file:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            transcript::hold(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/", $file)));
            chinese::hold($file);
        })*

        /// The English pages; each has a Chinese one.
        const PAGES: &[&str] = &[$($file),*];

        /// A page that no test runs would rot.
        #[test]
        fn every_page_is_run() {
            let mut run = PAGES.to_vec();
            run.sort_unstable();
            let mut there = files("docs/how-to", "md");
            there.extend(["README.md".to_owned(), "docs/tutorial.md".to_owned()]);
            there.sort();
            assert_eq!(there, run);
        }
    };
}

pages![
    readme "README.md",
    tutorial "docs/tutorial.md",
    adopt "docs/how-to/adopt.md",
    ci_gate "docs/how-to/ci-gate.md",
    cut_off "docs/how-to/cut-off.md",
    drain "docs/how-to/drain.md",
    drift_job "docs/how-to/drift-job.md",
    failover "docs/how-to/failover.md",
    gtm_loss "docs/how-to/gtm-loss.md",
    hung_master "docs/how-to/hung-master.md",
    readiness "docs/how-to/readiness.md",
    rehearse "docs/how-to/rehearse.md",
    lost_standby "docs/how-to/lost-standby.md",
    split_brain "docs/how-to/split-brain.md",
    switchover "docs/how-to/switchover.md",
];
