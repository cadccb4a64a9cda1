//! Wrong statements about a real cluster: each is refused by name before anything is touched.

use crate::cluster::{Hands, Real};
use crate::over_ssh::sshds;
use crate::support::ground::TestCluster as _;
use crate::support::over_ssh::OverSsh;
use crate::support::sshd::Sshds;
use crate::{mishaps, say};

/// A cluster.yaml that is wrong in one way, and what its refusal says.
struct Wrong<'a> {
    what: &'a str,
    file: String,
    says: &'a [&'a str],
}

pub(crate) fn wrong_statements(real: &Real) {
    let right = std::fs::read_to_string(real.file()).unwrap();
    let root = real.hands().root().to_str().unwrap().to_owned();
    let mut wrong = vec![
        Wrong {
            what: "an install of another version",
            file: right.replace(&format!("{root}/s47/install"), &other_version(real)),
            says: &["tools-version:dn01", "the tools of dn01@s47 have version 14.5", "correct `install`"],
        },
        Wrong {
            what: "the data directories of two nodes, each the other's",
            file: swapped(&right, &root),
            says: &["data-directory:dn01", "the directory declared for dn01@s47", "correct `data`"],
        },
    ];
    if real.hands().changes_over() {
        wrong.push(Wrong {
            what: "an OS user without rights",
            file: right.replace(&format!("run_as: {}", real.user()), "run_as: nobody"),
            says: &["recovery-conf:dn01@s47", "Permission denied", "check `shell` in the file"],
        });
    } else {
        say("SKIPPED 1 part of the real lane: only root can become an OS user without rights");
    }
    for Wrong { what, file, says } in wrong {
        assert_ne!(file, right, "{what}");
        std::fs::write(real.file(), file).unwrap();
        is_refused(real, real, what, says);
    }
}

/// The standby's port answers, calls itself dn01, and has nothing to do with dn01's master.
pub(crate) fn standby_of_another_cluster(real: &Real) {
    let (standby, master) = (real.instance("dn01@s47"), real.instance("dn01@s29"));
    real.make_stranger(standby, master);
    is_refused(real, real, "a standby of another cluster", &["system:dn01", "it belongs to another node"]);
}

pub(crate) fn wrong_host_key(real: &Real) {
    let Some(sshds) = sshds(real, Sshds::start) else { return };
    sshds.distrust("s47");
    let says =
        ["recovery-conf:dn01@s47", "the shell of s47 cannot be reached", "its host key is not the one in known_hosts"];
    is_refused(real, &OverSsh::new(real, &sshds, ""), "a wrong host key", &says);
}

/// A file system with less room than a promotion wants, under the standby.
pub(crate) fn full_disk(real: &Real) {
    let standby = real.instance("dn01@s47");
    let Some(_mounted) = Small::under(real, &standby.data) else {
        return say("SKIPPED 1 part of the real lane: no tmpfs can be mounted here");
    };
    real.copy_into(standby, real.instance("dn01@s29"));
    let room = format!("df -P -k {} | tail -n 1 | awk '{{print $4 - 20000}}'", standby.data);
    real.hands().must(&format!("head -c $(($({room}) * 1024)) /dev/zero >{}/ballast", standby.data), 60);
    is_refused(real, real, "a full disk", &["disk:dn01@s47", "are free where dn01@s47 writes", "free space"]);
    Hands::kill(standby.data.as_ref());
}

/// dn01 shall move, is not moved, and its processes are the same as before.
fn is_refused(real: &Real, through: &dyn crate::support::ground::TestCluster, what: &str, says: &[&str]) {
    mishaps::declare(real, "s47");
    let started = || ["dn01@s29", "dn01@s47"].map(|id| real.sql(id, "select pg_postmaster_start_time()").stdout);
    let before = started();
    let ran = through.otb(&["apply".to_owned(), "--auto-approve".to_owned()]);
    assert_eq!(ran.code, 3, "{what}: {}{}", ran.stdout, ran.stderr);
    for part in says {
        assert!(ran.stdout.contains(part), "{what}: {part:?} is not in\n{}", ran.stdout);
    }
    assert_eq!(started(), before, "{what}");
    assert_eq!(mishaps::recovery(real, "s29"), "f", "{what}");
    let staged = format!("{}/recovery.conf.otb", real.instance("dn01@s29").data);
    assert!(!std::path::Path::new(&staged).exists(), "{what}");
}

/// An install whose tools say that they are of another version.
fn other_version(real: &Real) -> String {
    let root = real.hands().root().display();
    let other = format!("{root}/s47/other");
    let script = format!(
        "mkdir -p {other}/bin && ln -sf {root}/s47/install/bin/* {other}/bin/ && ln -sfn {root}/s47/install/lib {other}/lib && \
         rm {other}/bin/pg_ctl && printf '#!/bin/sh\\ntest \"$1\" != --version || exec echo \"pg_ctl (PostgreSQL) 14.5\"\\n\
         exec {root}/s47/install/bin/pg_ctl \"$@\"\\n' >{other}/bin/pg_ctl && chmod 755 {other}/bin/pg_ctl"
    );
    real.hands().must(&script, 20);
    other
}

/// On s47 dn01 and dn02 are declared in each other's directory.
fn swapped(right: &str, root: &str) -> String {
    let (head, nodes) = right.split_once("  dn01:\n").unwrap();
    let (dn01, dn02) = nodes.split_once("  dn02:\n").unwrap();
    let own = format!("install: {root}/s47/install");
    let with = |text: &str, node: &str| text.replace(&own, &format!("{own}, data: {root}/s47/{node}"));
    format!("{head}  dn01:\n{}  dn02:\n{}", with(dn01, "dn02"), with(dn02, "dn01"))
}

/// A small file system over a directory, as long as it is held.
struct Small(String);

impl Small {
    /// The directory's content is moved into it.
    fn under(real: &Real, directory: &str) -> Option<Self> {
        Hands::kill(directory.as_ref());
        real.hands().must(&format!("rm -rf {directory} && mkdir -m 700 {directory}"), 20);
        let user = real.user();
        let mount =
            format!("mount -t tmpfs -o size=1g tmpfs {directory} && chown {user} {directory} && chmod 700 {directory}");
        let mounted =
            std::process::Command::new("sh").args(["-c", &mount]).output().is_ok_and(|ran| ran.status.success());
        mounted.then(|| Self(directory.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").args(["-l", &self.0]).output();
    }
}
