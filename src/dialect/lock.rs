//! The script that holds the lock on one server.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::quote;
use crate::model::Instance;

/// What the script prints first when it has the lock.
const HELD: &str = "held";

/// What it prints before the holder's own words when somebody else has it.
const TAKEN: &str = "taken ";

/// The exit status by which `flock` says that somebody else has it.
const BUSY: u8 = 75;

/// Holds `flock` on the directories in which the server's data directories lie, until its input ends.
///
/// A directory can be locked by whoever may read it, nothing has to be created, and any two files that declare
/// the same instance meet in the same directory. A rebuild renames a data directory, never its parent. Who
/// holds it is written into the first data directory, which the server's OS user owns.
pub fn lock_script(instances: &[&Instance], holder: &str) -> String {
    let parents: BTreeSet<&str> = instances.iter().map(|instance| parent(&instance.data)).collect();
    let note = instances.first().map_or_else(String::new, |instance| quote(&format!("{}/otb.holder", instance.data)));
    let mut chain = String::new();
    for directory in parents {
        // Writing to a String cannot fail.
        let _ = write!(chain, "flock -n -E {BUSY} {} ", quote(directory));
    }
    format!(
        "{chain}sh -c 'printf \"%s\\n\" \"$1\" 2>/dev/null >\"$2\"; echo {HELD}; cat >/dev/null' lock {holder} {note}\n\
         test $? != {BUSY} || echo {TAKEN}\"$(head -c 300 {note} 2>/dev/null | head -n 1)\"\n",
        holder = quote(holder),
    )
}

fn parent(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit_once('/') {
        Some(("", _)) | None => "/",
        Some((parent, _)) => parent,
    }
}

/// Whether the first line of the script says that the lock is held; else who has it.
pub fn read_lock(line: &str) -> Result<(), String> {
    match line.strip_prefix(TAKEN) {
        _ if line == HELD => Ok(()),
        Some(holder) => Err(super::shown(holder)),
        None => Err(format!("the lock script said {:?}", super::shown(line))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::tests::instance;
    use super::*;
    use crate::model::NodeKind;

    #[test]
    fn the_holder_is_told() {
        assert_eq!(read_lock("held"), Ok(()));
        assert_eq!(read_lock("taken otb ann@host, pid 1"), Err("otb ann@host, pid 1".to_owned()));
        assert!(read_lock("").is_err());
    }

    #[test]
    fn each_directory_is_locked_once_and_the_holder_is_one_word() {
        let dn = instance(NodeKind::Datanode);
        let script = lock_script(&[&dn, &dn], "it's $(me)");
        assert_eq!(script.matches("flock").count(), 1);
        assert!(script.starts_with("flock -n -E 75 /data sh -c "), "{script}");
        assert!(script.contains(" lock 'it'\\''s $(me)' '/data/dn 01/otb.holder'\n"), "{script}");
    }

    #[test]
    fn the_parent_of_a_path() {
        assert_eq!(["/a/b/c", "/a/b/", "/a"].map(parent), ["/a/b", "/a", "/"]);
    }
}
