//! Files that otb writes: on a full disk, into directories that take nothing, over what is no file.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::file::{GOOD, written};

/// What pgxc_ctl would write; enough to import from.
const CONF: &str = "pgxcInstallDir=/opt/otb\npgxcOwner=otb\npgxcMainClusterName=c1\ngtmName=g\ngtmMasterServer=127.0.0.1\n\
    gtmMasterPort=6666\ngtmMasterDir=/g\ncoordNames=(cn01)\ncoordPorts=(15432)\ncoordMasterServers=(127.0.0.1)\n\
    coordMasterDirs=(/c)\ndatanodeNames=(dn01)\ndatanodePorts=(23001)\ndatanodeMasterServers=(127.0.0.1)\n\
    datanodeMasterDirs=(/d)\n";

/// Runs `$OTB ARGS` in `dir` after `first`; gives its exit code and standard error.
fn sh(dir: &Path, first: &str, args: &str) -> (i32, String) {
    let line = format!("{first}\nexec timeout 30 $OTB --timeout 300ms {args}");
    let mut command = Command::new("bash");
    command.args(["-c", &line]).current_dir(dir).env("OTB", env!("CARGO_BIN_EXE_otb")).env("NO_COLOR", "1");
    let output = command.env_remove("OTB_FILE").stdin(Stdio::null()).stdout(Stdio::null()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Every command that writes a file for the user, and the file.
const WRITERS: [(&str, &str); 6] = [
    ("plan -o out", "out"),
    ("drift --junit out", "out"),
    ("drift --prometheus out", "out"),
    ("import --pgxc-ctl pgxc_ctl.conf --force -o out", "out"),
    ("move dn01 b --write", "cluster.yaml"),
    ("drain a --skip gtm_1 --skip cn01 --write", "cluster.yaml"),
];

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A place where nothing more than a kilobyte can be written: what a full disk looks like from inside.
#[test]
fn a_full_disk_leaves_the_old_file_whole() {
    for (args, out) in WRITERS {
        let (dir, _) = written("cluster.yaml", GOOD.to_owned() + &"# a line\n".repeat(400));
        std::fs::write(dir.path().join("pgxc_ctl.conf"), CONF).unwrap();
        let path = dir.path().join(out);
        if out == "out" {
            std::fs::write(&path, "old").unwrap();
        }
        let (before, listed) = (std::fs::read(&path).unwrap(), names(dir.path()));
        let full = if args.contains("prometheus") || args.contains("import") { "0" } else { "1" };
        let (code, said) = sh(dir.path(), &format!("trap '' XFSZ; ulimit -f {full}"), args);
        assert_eq!(code, 1, "{args}: {said}");
        assert!(said.contains(&format!("failed to write {out}: File too large")), "{args}: {said}");
        assert!(said.contains("nothing was changed"), "{args}: {said}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{args}");
        assert_eq!(names(dir.path()), listed, "{args} left something behind");
    }
}

/// Neither root nor anybody else makes a file in /proc.
#[test]
fn a_directory_that_takes_no_files_is_named() {
    for (args, _) in &WRITERS[..4] {
        let (dir, _) = written("cluster.yaml", GOOD);
        std::fs::write(dir.path().join("pgxc_ctl.conf"), CONF).unwrap();
        let (code, said) = sh(dir.path(), "", &args.replace(" out", " /proc/out"));
        assert_eq!(code, 1, "{args}: {said}");
        assert!(said.contains("failed to write /proc/out: otb cannot create a file in /proc: "), "{args}: {said}");
    }
    if rustix::process::getuid().is_root() {
        return;
    }
    let (dir, path) = written("cluster.yaml", GOOD);
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let (code, said) = sh(dir.path(), "", WRITERS[4].0);
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("Permission denied") && said.contains("nothing was changed"), "{said}");
    assert_eq!(std::fs::read_to_string(path).unwrap(), GOOD);
}

#[test]
fn what_is_no_file_is_written_to_and_stays() {
    let (dir, _) = written("cluster.yaml", GOOD);
    let (code, said) = sh(dir.path(), "mkfifo pipe; cat pipe > got & sleep 0.1", "plan -o pipe");
    assert_eq!(code, 0, "{said}");
    let pipe = dir.path().join("pipe");
    assert!(!std::fs::symlink_metadata(&pipe).unwrap().is_file());
    let (code, said) = sh(dir.path(), "", "drift --prometheus /dev/null");
    assert_eq!(code, 1, "the cluster does not answer: {said}");
    assert!(!said.contains("failed to write"), "{said}");
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn a_replaced_file_keeps_its_mode_and_its_link() {
    let (dir, _) = written("cluster.yaml", GOOD);
    let real = dir.path().join("real.json");
    std::fs::write(&real, "old").unwrap();
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o604)).unwrap();
    symlink(&real, dir.path().join("out")).unwrap();
    let (code, said) = sh(dir.path(), "", "plan -o out");
    assert_eq!(code, 0, "{said}");
    assert!(std::fs::symlink_metadata(dir.path().join("out")).unwrap().is_symlink());
    assert!(std::fs::read_to_string(&real).unwrap().starts_with('{'));
    assert_eq!(std::fs::metadata(&real).unwrap().mode() & 0o777, 0o604);
    // A new one is what the shell would make.
    let (code, said) = sh(dir.path(), "umask 027", "plan -o new.json");
    assert_eq!(code, 0, "{said}");
    assert_eq!(std::fs::metadata(dir.path().join("new.json")).unwrap().mode() & 0o777, 0o640);
}
