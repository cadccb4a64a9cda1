//! Conformance: transcripts of what OpenTenBase v2.6 says and does, held word for word on real processes and on the
//! sandbox. A file is a topic; each `## ` heading in it is one check.
//!
//! The expected words are those of real processes: `OTB_BLESS=1` writes them in the real lane only. Where the
//! sandbox says something else, the sandbox is wrong.

mod bench;
mod session;

use std::path::{Path, PathBuf};

use crate::support::ground::TestCluster;
use crate::support::script;

/// The topics, by name.
pub(crate) fn topics() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    let all = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut topics: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    topics.sort();
    topics
}

/// The checks of a topic: the headings of its file.
pub(crate) fn checks(topic: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(topic).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_owned).collect()
}

/// Holds a topic against `ground`. What a v5 says otherwise is in a transcript of its own, `v5/TOPIC.md`.
pub(crate) fn hold(topic: &Path, ground: &dyn TestCluster) {
    let mut bench = bench::Bench::new(ground);
    let own = script::of_flavor(topic, ground.flavor());
    let to = ground
        .flavor()
        .map_or_else(|| topic.to_owned(), |flavor| topic.with_file_name(flavor).join(topic.file_name().unwrap()));
    script::hold_as(&own, &to, ground.name(), !ground.may_bless(), false, |command| bench.run(command));
}
