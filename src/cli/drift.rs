//! `otb drift`: observes, compares, reports. tests/architecture.rs holds that no code that changes a cluster can be
//! reached from here.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::args::{Format, Global};
use super::failure::Failure;
use super::file::{self, Over};
use super::{Exit, json, look, terminal};
use crate::codes::ErrorCode;
use crate::drift::{self, Baseline, Drift, Verdict};
use crate::view;

/// The largest baseline that is read, in bytes.
const MOST_BYTES: u64 = 4 << 20;

/// Report differences between the live cluster and the file, for scheduled jobs; read only
///
/// Exit 0: no drift, and the whole cluster was observed. 2: differences. 1: no difference was found, but otb could not
/// observe the whole cluster.
#[derive(Debug, Args)]
#[command(after_help = "Example: otb -f cluster.yaml drift --baseline known-drift.yaml --junit drift.xml")]
pub(super) struct DriftArgs {
    /// File of known drift; each entry has a reason and an expiry date
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write JUnit XML to this file too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write metrics to this file too, for the node exporter's textfile collector
    #[arg(long, value_name = "FILE")]
    prometheus: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, args: &DriftArgs) -> Result<Exit, Failure> {
    let cluster = look::load(global)?.cluster;
    let targets = global.targets(&cluster)?;
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?.unwrap_or_default();
    let connections = look::connections(&cluster)?;
    let seen = look::observe(&cluster, &connections, global).await;
    connections.close().await;
    let plan = look::diagnosed(global, &cluster, &seen, &targets, &[]);
    let drift = drift::drift(&drift::Input { cluster: &cluster, seen: &seen, plan: &plan, baseline: &baseline });
    print(&drift, global)?;
    write_files(&drift, args)?;
    Ok(match drift.verdict {
        Verdict::None => Exit::Done,
        Verdict::Drift => Exit::Differences,
        Verdict::Unknown => {
            let text = "otb found no drift, but it could not observe the whole cluster";
            terminal::failure(
                &Failure::new(ErrorCode::DriftUnseen, text)
                    .hint("bring back what is listed as not observed, then run otb drift again"),
            );
            Exit::Error
        }
    })
}

fn print(drift: &Drift, global: &Global) -> Result<(), Failure> {
    match global.format {
        Format::Json => {
            terminal::result(&json::pretty(drift)?);
            for note in &drift.baseline {
                terminal::say(&format!("warning: baseline: {}: {}", note.id, note.what));
            }
        }
        _ => terminal::prose(&view::drift_text(drift)),
    }
    Ok(())
}

fn read_baseline(path: &Path) -> Result<Baseline, Failure> {
    let failed = |why: String| {
        Failure::new(ErrorCode::DriftBaseline, format!("failed to read the baseline {}: {why}", path.display()))
    };
    let text = look::read_text(path, MOST_BYTES).map_err(|error| failed(error.to_string()))?;
    let hint = "docs/reference/drift.md shows a baseline";
    Baseline::read(&text).map_err(|error| failed(error.to_string()).hint(hint))
}

/// Each file is tried, so that a full disk for one does not prevent the other.
fn write_files(drift: &Drift, args: &DriftArgs) -> Result<(), Failure> {
    let junit = args.junit.as_deref().map(|path| {
        let text = view::drift_junit(drift)
            .map_err(|error| Failure::new(ErrorCode::InternalBug, format!("failed to make JUnit XML: {error}")))?;
        file::write(path, &text, Over::Anything)
    });
    let prometheus = args.prometheus.as_deref().map(|path| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        file::write(path, &view::drift_prometheus(drift, now), Over::Anything)
    });
    junit.transpose()?;
    prometheus.transpose()?;
    Ok(())
}
