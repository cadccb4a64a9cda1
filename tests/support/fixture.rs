//! A sandbox of one's own, driven through [`super::limited`].

#![allow(dead_code, reason = "each test that shares this file uses a part of it")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::limited::{Ended, Otb, otb};

/// Names the place in the environment of all that runs for it.
const MARK: &str = "OTB_TEST_PLACE";

/// A running sandbox, taken down when dropped.
pub(crate) struct SandboxFixture {
    dir: tempfile::TempDir,
}

impl SandboxFixture {
    /// The example cluster; `more` are further arguments of `otb sandbox up`.
    pub(crate) fn up(more: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("otb-").tempdir().unwrap();
        let place = Self { dir };
        let up = place.otb("sandbox up --ttl 300 --dir").args([place.dir()]).line(more);
        up.run().ends(0);
        place
    }

    /// The same, where dn01 is declared on the other server.
    pub(crate) fn moving(more: &str) -> Self {
        let place = Self::up(more);
        place.declare("dn01", "s47");
        place
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir().join("cluster.yaml")
    }

    /// What it starts can be told by its environment.
    pub(crate) fn otb(&self, line: &str) -> Otb {
        otb(&self.file()).env(MARK, self.dir().to_str().unwrap()).line(line)
    }

    /// Goes on after a run of otb that was killed. What that one had sent may come to its end while this one looks: then
    /// this one may change nothing. Once nothing of it runs any more it must be done.
    #[track_caller]
    pub(crate) fn goes_on(&self, apply: &str, after: &str) {
        let apply = || self.otb(apply).args(["--lock-timeout", "20s"]).limit(Duration::from_secs(90)).run();
        let first = apply();
        if first.code == 0 {
            return;
        }
        assert!([1, 3, 4, 6].contains(&first.code), "{after}\n{first:?}");
        let begun = Instant::now();
        while self.is_at_work() {
            assert!(begun.elapsed() < Duration::from_secs(60), "what was sent does not end: {after}");
            std::thread::sleep(Duration::from_millis(10));
        }
        let second = apply();
        assert_eq!(second.code, 0, "{after}\n{first:?}\n{second:?}");
    }

    /// Whether anything runs that an otb of this place started, but for the sandbox itself.
    fn is_at_work(&self) -> bool {
        let mark = format!("{MARK}={}", self.dir().display());
        let is_ours = |process: &Path| {
            let read = |name| std::fs::read(process.join(name)).unwrap_or_default();
            let (environment, words) = (read("environ"), read("cmdline"));
            let has = |bytes: &[u8], word: &str| bytes.split(|byte| *byte == 0).any(|part| part == word.as_bytes());
            has(&environment, &mark) && !has(&words, "serve")
        };
        std::fs::read_dir("/proc").unwrap().flatten().any(|process| is_ours(&process.path()))
    }

    /// A fault that must succeed.
    #[track_caller]
    pub(crate) fn fault(&self, line: &str) {
        self.try_fault(line).ends(0);
    }

    pub(crate) fn try_fault(&self, line: &str) -> Ended {
        self.otb("sandbox fault --dir").args([self.dir()]).line(line).run()
    }

    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    /// Another file beside cluster.yaml.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The one-line change.
    pub(crate) fn declare(&self, node: &str, server: &str) {
        let node = otb::model::NodeName::new(node).unwrap();
        let server = otb::model::ServerName::new(server).unwrap();
        let text = otb::config::with_master(&self.text(), &node, &server).unwrap();
        std::fs::write(self.file(), text).unwrap();
    }

    /// A server's address.
    pub(crate) fn address(&self, server: &str) -> String {
        let loaded = otb::config::read(&self.file()).unwrap();
        loaded.cluster.servers.iter().find(|(name, _)| name.as_str() == server).unwrap().1.address.to_string()
    }

    /// What the sandbox says of itself, but for WAL positions: nothing may have changed if this has not.
    pub(crate) fn state(&self) -> String {
        let ended = self.otb("sandbox status --dir").args([self.dir()]).run();
        let line = |line: &str| line.split(" wal ").next().unwrap_or_default().to_owned() + "\n";
        ended.ends(0).stdout.lines().map(line).collect()
    }

    /// Applies what is declared, and then it is so.
    #[track_caller]
    pub(crate) fn settles(&self) {
        self.otb("apply --auto-approve").run().ends(0);
        self.is_settled();
    }

    /// The cluster is as declared, and a plan says so.
    #[track_caller]
    pub(crate) fn is_settled(&self) {
        self.otb("plan --detailed-exitcode").limit(Duration::from_secs(60)).run().ends(0).says(&["Nothing to do"]);
    }
}

impl Drop for SandboxFixture {
    fn drop(&mut self) {
        let _ = self.otb("sandbox down --dir").args([self.dir()]).run();
    }
}
