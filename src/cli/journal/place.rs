//! The place of a cluster's journal without `--journal`.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::super::look;
use super::at;
use crate::model::{ClusterName, Observation, SystemId};

const FILE: &str = "journal.ndjson";

/// A file in a journal's directory: the system identifiers of its databases, one per line. If it is missing, an
/// earlier otb chose the journal by the cluster's name alone.
const IDENTITY: &str = "system-identifiers";

/// The most bytes of that file that are read.
const MOST_BYTES: u64 = 1 << 20;

/// `$XDG_STATE_HOME/otb/CLUSTER/journal.ndjson`, otherwise below ~/.local/state. If several clusters have one name,
/// each has its own directory, `CLUSTER-SYSTEM_IDENTIFIER` for all except the first.
pub(super) fn default_path(cluster: &ClusterName, ids: &BTreeSet<SystemId>) -> Result<PathBuf, String> {
    let directory = own_directory(&state_directory()?, cluster, ids);
    claim(&directory, ids).map_err(|error| at(&directory, &error))?;
    Ok(directory.join(FILE))
}

/// Returns the journals of all clusters with this name; without any, the place of the first one.
pub(in super::super) fn kept(cluster: &ClusterName) -> Result<Vec<PathBuf>, String> {
    let state = state_directory()?;
    let name = directory_name(cluster);
    let plain = state.join(&name).join(FILE);
    // Not that of a cluster whose name ends in a number.
    let of_this_name =
        others(&state, &name).into_iter().filter(|(id, path)| known(path).is_some_and(|k| k.contains(id)));
    let mut kept: Vec<PathBuf> = of_this_name.map(|(_, path)| path.join(FILE)).filter(|path| path.exists()).collect();
    kept.sort();
    if kept.is_empty() || plain.exists() {
        kept.insert(0, plain);
    }
    Ok(kept)
}

/// Returns the directory above all clusters.
fn state_directory() -> Result<PathBuf, String> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    Ok(state.ok_or("neither XDG_STATE_HOME nor HOME names a directory")?.join("otb"))
}

/// The directories `NAME-SYSTEM_IDENTIFIER`.
fn others(state: &Path, name: &str) -> Vec<(SystemId, PathBuf)> {
    let entries = std::fs::read_dir(state).into_iter().flatten().filter_map(Result::ok);
    let other = |entry: std::fs::DirEntry| {
        let file_name = entry.file_name();
        let id = file_name.to_str()?.strip_prefix(name)?.strip_prefix('-')?.parse().ok()?;
        Some((id, entry.path()))
    };
    entries.filter_map(other).collect()
}

/// The system identifiers of a cluster, as far as they were seen.
pub(super) fn system_ids(seen: &Observation) -> BTreeSet<SystemId> {
    seen.instances.values().filter_map(|facts| facts.system_id.known().copied()).collect()
}

/// Returns the directory that has a database of this cluster, otherwise one that no other cluster has. If nothing was
/// observed, only the name decides.
fn own_directory(state: &Path, cluster: &ClusterName, ids: &BTreeSet<SystemId>) -> PathBuf {
    let name = directory_name(cluster);
    let plain = state.join(&name);
    let plain_ids = known(&plain);
    let is_own = |known: &BTreeSet<SystemId>| !known.is_disjoint(ids);
    if ids.is_empty() || plain_ids.as_ref().is_some_and(is_own) {
        return plain;
    }
    let mut others = others(state, &name).into_iter().map(|(_, path)| path);
    if let Some(own) = others.find(|path| known(path).as_ref().is_some_and(is_own)) {
        return own;
    }
    match (plain_ids, ids.first()) {
        (Some(_), Some(id)) => state.join(format!("{name}-{}", id.0)),
        _ => plain,
    }
}

/// Returns the databases of a directory's journal. `None` means that it does not record them.
fn known(directory: &Path) -> Option<BTreeSet<SystemId>> {
    let text = look::read_text(&directory.join(IDENTITY), MOST_BYTES).ok()?;
    Some(text.lines().filter_map(|line| line.parse().ok()).collect())
}

/// Makes the directory, and writes down what is not yet known of its cluster.
fn claim(directory: &Path, ids: &BTreeSet<SystemId>) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let known = known(directory).unwrap_or_default();
    let lines: String = ids.difference(&known).map(|id| String::from(*id) + "\n").collect();
    if lines.is_empty() {
        return Ok(());
    }
    let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(directory.join(IDENTITY))?;
    file.write_all(lines.as_bytes())
}

/// The cluster's name as one component of a path, whatever it is made of.
fn directory_name(cluster: &ClusterName) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
    cluster.as_str().chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_name_never_leaves_the_directory() {
        for (name, directory) in [("prod", "prod"), ("..", "__"), ("a/b", "a_b"), ("数据", "数据")] {
            // Names with a slash are refused by the model; here it must not matter.
            if let Ok(name) = ClusterName::new(name) {
                assert_eq!(directory_name(&name), directory);
            }
        }
    }

    #[test]
    fn each_cluster_of_one_name_has_its_own() {
        let state = tempfile::tempdir().unwrap();
        let name = ClusterName::new("prod").unwrap();
        let ids = |ids: &[u64]| ids.iter().copied().map(SystemId).collect::<BTreeSet<_>>();
        let kept = |seen: &[u64]| {
            let directory = own_directory(state.path(), &name, &ids(seen));
            claim(&directory, &ids(seen)).unwrap();
            directory.strip_prefix(state.path()).unwrap().to_string_lossy().into_owned()
        };
        std::fs::create_dir(state.path().join("prod")).unwrap();
        assert_eq!(kept(&[7, 8]), "prod", "an earlier otb's");
        assert_eq!(kept(&[17, 18]), "prod-17");
        // One node was added, one cannot be seen.
        assert_eq!([kept(&[8, 9]), kept(&[9]), kept(&[18, 12]), kept(&[12])].join(" "), "prod prod prod-17 prod-17");
        assert_eq!(kept(&[]), "prod", "nothing was seen");
    }
}
