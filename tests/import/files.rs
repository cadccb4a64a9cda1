//! Files of pgxc_ctl that people really have, each with one trait: what import makes of it, and that every value it
//! knows is the one that bash has. `OTB_BLESS=1 cargo test --test import` rewrites what is expected.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use otb::import::{Draft, from_pgxc_ctl};

use crate::limited::otb;

/// What pgxc_ctl reads plainly, and as lists (contrib/pgxc_ctl/pgxc_ctl_bash_2, print_values).
const PLAIN: [&str; 13] = [
    "pgxcInstallDir",
    "pgxcOwner",
    "pgxcUser",
    "pgxcMainClusterName",
    "gtmName",
    "gtmMasterServer",
    "gtmMasterPort",
    "gtmMasterDir",
    "gtmSlave",
    "gtmSlaveServer",
    "gtmSlavePort",
    "gtmSlaveDir",
    "coordSlave",
];
const LISTS: [&str; 19] = [
    "datanodeSlave",
    "coordNames",
    "coordPorts",
    "coordForwardPorts",
    "coordMasterServers",
    "coordMasterDirs",
    "coordSlaveServers",
    "coordSlavePorts",
    "coordSlaveForwardPorts",
    "coordSlaveDirs",
    "datanodeNames",
    "datanodePorts",
    "datanodeForwardPorts",
    "datanodeMasterServers",
    "datanodeMasterDirs",
    "datanodeSlaveServers",
    "datanodeSlavePorts",
    "datanodeSlaveForwardPorts",
    "datanodeSlaveDirs",
];

fn samples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import/pgxc_ctl");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    assert!(files.len() > 25, "{files:?}");
    files
}

/// The words behind `# otb: ` in a file.
fn arguments(text: &str) -> Vec<&str> {
    let line = text.lines().find_map(|line| line.strip_prefix("# otb: "));
    line.map(|line| line.split_whitespace().collect()).unwrap_or_default()
}

/// The `--set NAME=VALUE` of a file.
fn given(text: &str) -> Vec<(String, String)> {
    let values = arguments(text).into_iter().filter_map(|word| word.split_once('='));
    values.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn what_import_makes_of_each() {
    let (mut wrong, directory) = (Vec::new(), tempfile::tempdir().unwrap());
    for file in samples() {
        let (text, golden) = (fs::read_to_string(&file).unwrap(), file.with_extension("txt"));
        let folder = file.parent().unwrap();
        let ended =
            otb(&folder.join("none.yaml")).args(["import", "--pgxc-ctl"]).args([&file]).args(arguments(&text)).run();
        if ended.code == 0 {
            // A file with open places cannot be used before they are filled in, any other one can.
            let imported = directory.path().join("imported.yaml");
            fs::write(&imported, &ended.stdout).unwrap();
            let is_open = ended.stderr.contains("TODO");
            let validated = otb(&imported).line("validate").run();
            assert_eq!(
                validated.code,
                if is_open { 78 } else { 0 },
                "{}\n{validated:?}\n{}",
                file.display(),
                ended.stdout
            );
        }
        let folder = format!("{}/", folder.display());
        let actual = format!("exit {}\n\n{}\n{}", ended.code, ended.stderr.replace(&folder, ""), ended.stdout);
        if std::env::var_os("OTB_BLESS").is_some() {
            fs::write(&golden, &actual).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if expected != actual {
            wrong.push(format!("{}\n--- expected\n{expected}\n--- actual\n{actual}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "look at OTB_BLESS=1\n{}", wrong.join("\n"));
}

/// As bash leaves the variables of `file` where the machine is as `world` says: a script of plain lists.
fn by_bash(file: &Path, given: &[(String, String)], world: &dyn Fn(&Path, &mut Command)) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut script = format!("source {} >/dev/null 2>&1 </dev/null\n", file.display());
    // Each as pgxc_ctl prints it.
    for name in PLAIN {
        let _ = writeln!(script, "echo {name} ${name}");
    }
    for name in LISTS {
        let _ = writeln!(script, "echo {name} ${{{name}[@]}}");
    }
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(script).current_dir(directory.path()).env_clear().env("PATH", std::env::var_os("PATH")?);
    world(directory.path(), &mut bash);
    bash.envs(given.iter().map(|(name, value)| (name, value)));
    let said = String::from_utf8(bash.output().ok()?.stdout).unwrap();
    let list = |line: &str| {
        let (name, values) = line.split_once(' ')?;
        let values: Vec<String> = values.split_whitespace().map(|value| format!("'{value}'")).collect();
        (!values.is_empty()).then(|| format!("{name}=({})\n", values.join(" ")))
    };
    Some(said.lines().filter_map(list).collect())
}

/// A machine that has nothing and says nothing.
fn bare(_: &Path, _: &mut Command) {}

/// One that sets what it can, and to something else.
fn hostile(directory: &Path, bash: &mut Command) {
    let other = |name: &str| match name {
        _ if name.ends_with("Names") => {
            "(cn01 cn02)".replace("cn", if name.starts_with("coord") { "cn" } else { "dn" })
        }
        _ if name.ends_with("Ports") => "(6001 6002)".to_owned(),
        _ if name.ends_with("Servers") => "(10.9.9.1 10.9.9.2)".to_owned(),
        _ if name.ends_with("Dirs") => "(/other/1 /other/2)".to_owned(),
        _ if name.ends_with("Port") => "6003".to_owned(),
        _ if name.ends_with("Server") => "10.9.9.3".to_owned(),
        _ if name.ends_with("Slave") => "n".to_owned(),
        _ => "/other".to_owned(),
    };
    let mut text = "root=${root:-/other}\n".to_owned();
    for name in LISTS.iter().chain(&PLAIN) {
        let _ = writeln!(text, "{name}={}", other(name));
    }
    fs::write(directory.join("cluster.env"), text).unwrap();
    fs::write(directory.join("ports"), "6001 6002\n").unwrap();
    fs::write(directory.join("port"), "6003\n").unwrap();
    fs::write(directory.join("name"), "other\n").unwrap();
    fs::write(directory.join("nodes.txt"), "dn08 x\ndn09 y\n").unwrap();
    for (name, value) in [
        ("HOME", "/other"),
        ("STAGE", "test"),
        ("PGXC_ROOT", "/other"),
        ("BASE", "7000"),
        ("WITH_SLAVES", "y"),
        ("OVERRIDES", "datanodePorts=(6001 6002)"),
        ("DB1", "10.9.9.1"),
        ("DB2", "10.9.9.2"),
        ("root", "/other"),
    ] {
        bash.env(name, value);
    }
}

/// Of what is known nothing is otherwise.
fn agrees(known: &Draft, real: &Draft) -> Result<(), String> {
    fn same<T: PartialEq + std::fmt::Debug>(what: &str, known: Option<&T>, real: Option<&T>) -> Result<(), String> {
        match known {
            Some(_) if known != real => Err(format!("{what}: {known:?}, and bash has {real:?}")),
            _ => Ok(()),
        }
    }
    same("cluster", known.cluster.as_ref(), real.cluster.as_ref())?;
    same("user", known.user.as_ref(), real.user.as_ref())?;
    for node in &known.nodes {
        let Some(other) = real.nodes.iter().find(|other| other.name == node.name) else {
            return Err(format!("bash has no {}", node.name));
        };
        let kinds = (node.kind, other.kind);
        same(&format!("kind of {}", node.name), Some(&kinds.0), Some(&kinds.1))?;
        same(&format!("master of {}", node.name), node.master.as_ref(), other.master.as_ref())?;
        for copy in &node.copies {
            let Some(server) = &copy.server else { continue };
            let Some(other) = other.copies.iter().find(|other| other.server.as_ref() == Some(server)) else {
                return Err(format!("bash has no {} on {server}", node.name));
            };
            let what = |key: &str| format!("{key} of {} on {server}", node.name);
            same(&what("port"), copy.port.as_ref(), other.port.as_ref())?;
            same(&what("forward_port"), copy.forward.as_ref(), other.forward.as_ref())?;
            same(&what("data"), copy.data.as_ref(), other.data.as_ref())?;
            same(&what("install"), copy.install.as_ref(), other.install.as_ref())?;
        }
    }
    if known.is_complete()
        && known.nodes.iter().zip(&real.nodes).any(|(one, other)| one.copies.len() != other.copies.len())
    {
        return Err("bash has other instances".to_owned());
    }
    Ok(())
}

#[test]
fn every_value_that_is_known_is_the_one_that_bash_has() {
    if Command::new("bash").arg("--version").output().is_err() {
        return crate::skip::skipped("1 test of import", "no bash here");
    }
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for file in samples() {
        let text = fs::read_to_string(&file).unwrap();
        let given = given(&text);
        let Ok(known) = from_pgxc_ctl(&text, &given.iter().cloned().collect()) else { continue };
        for (world, name) in [(&bare as &dyn Fn(&Path, &mut Command), "bare"), (&hostile, "hostile")] {
            let plain = by_bash(&file, &given, world).unwrap();
            // Where it has no names or no ports for bash, pgxc_ctl refuses it as well.
            let Ok(real) = from_pgxc_ctl(&plain, &std::collections::BTreeMap::new()) else { continue };
            compared += 1;
            if let Err(why) = agrees(&known, &real) {
                wrong.push(format!("{} on a {name} machine: {why}\n{plain}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared > 60, "{compared}");
}
