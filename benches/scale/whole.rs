//! Whole runs of the binary on sandboxes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const OTB: &str = env!("CARGO_BIN_EXE_otb");

/// What one run took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub took: Duration,
    /// The most memory it ever had, where /proc tells.
    pub peak_kib: u64,
}

/// A running sandbox, taken down when dropped.
pub struct Sandbox {
    dir: tempfile::TempDir,
}

impl Sandbox {
    /// Half coordinators, half datanodes with a standby each.
    pub fn up(routers: usize, latency: u64) -> Self {
        let dir = tempfile::Builder::new().prefix("otb-bench-").tempdir().unwrap();
        let half = (routers / 2).to_string();
        let mut command = Command::new(OTB);
        command.args(["sandbox", "up", "--ttl", "900", "--coordinators", &half, "--datanodes", &half]);
        let up = command.args(["--latency", &latency.to_string(), "--dir"]).arg(dir.path());
        assert!(up.stdout(Stdio::null()).status().unwrap().success(), "a sandbox of {routers} routers");
        Self { dir }
    }

    pub fn file(&self) -> std::path::PathBuf {
        self.dir.path().join("cluster.yaml")
    }

    /// Declares dn01's master on the other server.
    pub fn move_one(&self) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        let (before, after) = text.split_once("\n  dn01:\n    master: ").unwrap();
        let (from, rest) = after.split_once('\n').unwrap();
        let to = if from == "s29" { "s47" } else { "s29" };
        std::fs::write(self.file(), format!("{before}\n  dn01:\n    master: {to}\n{rest}")).unwrap();
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let mut down = Command::new(OTB);
        let _ = down.args(["sandbox", "down", "--dir"]).arg(self.dir.path()).stdout(Stdio::null()).status();
    }
}

/// Runs `otb -f FILE WORDS`, which must end well.
pub fn otb(file: &Path, words: &[&str]) -> Run {
    let mut command = Command::new(OTB);
    command.arg("-f").arg(file).args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok());
        peak_kib = peak_kib.max(peak.unwrap_or(0));
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success(), "otb {words:?} ended with {ended}");
            return Run { took: begun.elapsed(), peak_kib };
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The best of `rounds` runs: what others do on the machine only ever adds.
pub fn best(rounds: usize, mut run: impl FnMut() -> Run) -> Run {
    (0..rounds).map(|_| run()).min_by_key(|run| run.took).unwrap()
}

/// A loop over all routers with one psql after the other, as a script would look; none without psql.
pub fn psql_loop(file: &Path) -> Option<Duration> {
    let cluster = otb::config::read(file).unwrap().cluster;
    let begun = Instant::now();
    for node in cluster.routers() {
        let at = &node.master_instance().unwrap().endpoint;
        let mut psql = Command::new("psql");
        psql.args(["-XAtqh", at.host.as_str(), "-p", &at.port.to_string(), "-U", &cluster.connection.user]);
        psql.args(["-d", &cluster.connection.database, "-c", "select * from pgxc_node"]);
        let ended = psql.stdin(Stdio::null()).stdout(Stdio::null()).status().ok()?;
        assert!(ended.success(), "psql on {at}");
    }
    Some(begun.elapsed())
}
