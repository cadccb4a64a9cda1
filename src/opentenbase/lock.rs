//! The script that holds the lock on one server.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::quote;
use crate::model::Instance;

/// The first output of the script when it has the lock.
const HELD: &str = "held";

/// The output before the holder's own words when another run has it.
const TAKEN: &str = "taken ";

/// The exit status of `flock` when another process has it.
const BUSY: u8 = 75;

/// Waits until no script runs any more in the directories `$@`, five seconds at most. A command that a killed run sent
/// continues and holds the directory in which it works ([`super::Script::alone_at`]). A run that observes the cluster
/// before that command has ended would plan from a state that changes a moment later. (Without /proc/locks, each step
/// still waits for itself.)
const SETTLE: &str = r#"inodes=$(stat -L -c %i -- "$@" 2>/dev/null)
busy() { while read -r number kind advisory mode pid place range; do case $kind in FLOCK) for inode in $inodes; do
case $place in *:"$inode") return 0;; esac; done;; esac; done; return 1; }
n=0; while test $n -lt 50 && test -r /proc/locks && busy </proc/locks; do sleep 0.1; n=$((n + 1)); done"#;

/// Whether the script waits for what an earlier run has left at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// It does: nothing of this run can be at work yet.
    Await,
    Ignore,
}

/// Holds `flock` on the directories in which the server's data directories lie, until its input ends.
///
/// Any user who may read a directory can lock it, no file must be created, and two files that declare the same
/// instance use the same directory. A rebuild renames a data directory, never its parent. The holder's name is written
/// into the first data directory, which the server's OS user owns, and goes with the lock. While it is missing, the
/// holder is about to write it or to leave, so the script tries again for a second.
pub fn lock_script(instances: &[&Instance], holder: &str, leftovers: Leftovers) -> String {
    let parents = locked_directories(instances);
    let note = instances.first().map_or_else(String::new, |instance| quote(&format!("{}/otb.holder", instance.data)));
    let mut chain = String::new();
    for directory in parents {
        // Writing to a String cannot fail.
        let _ = write!(chain, "flock -n -E {BUSY} {} ", quote(directory));
    }
    let (settle, awaited) = match leftovers {
        Leftovers::Await => (SETTLE, instances),
        Leftovers::Ignore => ("", &[][..]),
    };
    let script = format!(
        "note=$2; printf \"%s\\n\" \"$1\" 2>/dev/null >\"$note\"; shift 2\n{settle}\n\
         echo {HELD}; cat >/dev/null; rm -f -- \"$note\""
    );
    let directories: Vec<String> = awaited.iter().map(|instance| quote(&instance.data)).collect();
    let directories = directories.join(" ");
    format!(
        "tries=0; while {chain}sh -c {script} lock {holder} {note} {directories}\n\
         test $? = {BUSY}; do who=$(head -c 300 {note} 2>/dev/null | head -n 1)\n\
         if test -n \"$who\" || test $tries -ge 10; then echo {TAKEN}\"$who\"; break; fi\n\
         tries=$((tries + 1)); sleep 0.1; done\n",
        script = quote(&script),
        holder = quote(holder),
    )
}

/// The directories that the lock of these instances is held on.
pub fn locked_directories<'a>(instances: &[&'a Instance]) -> BTreeSet<&'a str> {
    instances.iter().map(|instance| parent(&instance.data)).collect()
}

fn parent(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// The answer of the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockAnswer {
    Held,
    /// Somebody else has it: the holder's own words.
    Taken(String),
}

/// Reads the first line of the script; `None` means that the line is not the script's.
pub fn read_lock(line: &str) -> Option<LockAnswer> {
    match line.strip_prefix(TAKEN) {
        _ if line == HELD => Some(LockAnswer::Held),
        Some(holder) if holder.trim().is_empty() => Some(LockAnswer::Taken("unknown holder".to_owned())),
        Some(holder) => Some(LockAnswer::Taken(super::sanitize_for_display(holder))),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::tests::instance;
    use super::*;
    use crate::model::NodeKind;

    #[test]
    fn the_holder_is_told() {
        let taken = |holder: &str| Some(LockAnswer::Taken(holder.to_owned()));
        assert_eq!(read_lock("held"), Some(LockAnswer::Held));
        assert_eq!(read_lock("taken otb ann@host, pid 1"), taken("otb ann@host, pid 1"));
        assert_eq!(read_lock("taken "), taken("unknown holder"));
        assert_eq!(["", "Welcome", "held by nobody"].map(read_lock), [None, None, None], "unknown holder has it");
    }

    #[test]
    fn each_directory_is_locked_once_and_the_holder_is_one_word() {
        let dn = instance(NodeKind::Datanode);
        for (leftovers, more) in [(Leftovers::Ignore, " "), (Leftovers::Await, " '/data/dn 01' '/data/dn 01'")] {
            let script = lock_script(&[&dn, &dn], "it's $(me)", leftovers);
            assert_eq!(script.matches("flock").count(), 1);
            assert!(script.contains("while flock -n -E 75 /data sh -c "), "{script}");
            assert!(script.contains(&format!(" lock 'it'\\''s $(me)' '/data/dn 01/otb.holder'{more}\n")), "{script}");
            assert_eq!(script.contains("/proc/locks"), leftovers == Leftovers::Await);
        }
    }

    #[test]
    fn the_parent_of_a_path() {
        assert_eq!(["/a/b/c", "/a/b/", "/a"].map(parent), ["/a/b", "/a", "/"]);
    }
}
