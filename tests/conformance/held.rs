//! The sandbox held against the transcripts, and the list of them in docs/.

use std::fmt::Write as _;

use super::conformance;
use super::support::sandbox::Sandbox;

/// One test per topic, so that the runner names the one that failed.
macro_rules! topics {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            let topics = conformance::topics();
            let topic = topics.iter().find(|path| path.file_stem().unwrap() == stringify!($name)).unwrap();
            conformance::hold(topic, &Sandbox::up(&[]));
        })*

        /// The same of a v5.
        mod v5 {
            use super::*;

            $(#[test]
            fn $name() {
                let topics = conformance::topics();
                let topic = topics.iter().find(|path| path.file_stem().unwrap() == stringify!($name)).unwrap();
                conformance::hold(topic, &Sandbox::up(&["--flavor", "v5"]));
            })*
        }

        /// A file that no test runs would rot.
        #[test]
        fn every_topic_is_held() {
            let files = conformance::topics();
            let files: Vec<&str> = files.iter().map(|path| path.file_stem().unwrap().to_str().unwrap()).collect();
            let mut held = vec![$(stringify!($name)),*];
            held.sort_unstable();
            assert_eq!(files, held);
        }
    };
}

topics![backup, gtm, logins, paused, pooler, processes, promotion, replication, roles, routes, synchronous];

/// `OTB_BLESS=1` writes the page.
#[test]
fn every_check_is_on_its_page() {
    let mut text = String::from(include_str!("page.txt"));
    for topic in conformance::topics() {
        let name = topic.file_name().unwrap().to_str().unwrap().to_owned();
        let (script, checks) = (std::fs::read_to_string(&topic).unwrap(), conformance::checks(&topic));
        let title = script.lines().next().unwrap().trim_start_matches("# ");
        write!(text, "\n## {title}\n\n`tests/conformance/{name}`\n\n").unwrap();
        for check in checks {
            writeln!(text, "- {check}").unwrap();
        }
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference/conformance.md");
    if std::env::var_os("OTB_BLESS").is_some() {
        std::fs::write(page, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(page).unwrap(),
        text,
        "bless with OTB_BLESS=1 cargo test --test scenarios every_check"
    );
}
