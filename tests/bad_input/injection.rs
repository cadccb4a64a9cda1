//! A cluster.yaml from an untrusted branch: whatever stands in a field, no command comes of it. A value is refused
//! (78), or it is one word, one name, one path, and nothing else.

use std::path::Path;
use std::time::Duration;

use crate::limited::otb;

/// Each field by the text that stands for it.
const FILE: &str = "
version: 1
cluster: @cluster
connection: {user: @user, database: @database, sslmode: @sslmode, sslrootcert: @cert}
defaults: {install: @install, data: @data}
servers:
  @server: {address: @address, @shell}
gtm:
  @gtm: {master: @server, port: 1, data: @gtmdata, instances: [{server: @server}]}
coordinators:
  @cn: {master: @server, port: 2, instances: [{server: @server}]}
datanodes:
  dn01: {master: @server, port: @port, instances: [{server: @server, data: @own}]}
";

/// A value for each that is in nobody's way. Longer names first: `@data` begins `@database`.
const GOOD: [(&str, &str); 17] = [
    ("@database", "postgres"),
    ("@sslmode", "prefer"),
    ("@server", "s1"),
    ("@shelluser", "otb"),
    ("@shellhost", "127.0.0.1"),
    ("@runas", "otb"),
    ("@install", "/opt/otb"),
    ("@gtmdata", "/data/gtm"),
    ("@cluster", "c1"),
    ("@address", "127.0.0.1"),
    ("@user", "opentenbase"),
    ("@data", "/data/{node}"),
    ("@cert", "/nonexistent/root.crt"),
    ("@gtm", "gtm_1"),
    ("@cn", "cn01"),
    ("@port", "3"),
    ("@own", "/data/own"),
];

const SHELLS: [&str; 2] = [
    "shell: {via: local, run_as: @runas}",
    "ssh: @shellhost, shell: {via: ssh, user: @shelluser, port: 4, run_as: @runas}",
];

/// What a careless program would carry out; MARK is the file that must not come to be.
const POISON: [&str; 10] = [
    "$(touch MARK)",
    "`touch MARK`",
    "'; touch MARK; '",
    "\"; touch MARK; \"",
    "x; touch MARK #",
    "x\ntouch MARK\n",
    "x | touch MARK",
    "-oProxyCommand=touch MARK",
    "/x/$(touch MARK)/'; touch MARK; '",
    "'); copy (select 1) to program 'touch MARK'; --",
];

/// The file with `poison` in `field`, as a YAML double-quoted scalar.
fn poisoned(shell: &str, field: &str, poison: &str) -> String {
    let mut text = FILE.replace("@shell}", &format!("{shell}}}"));
    for (name, good) in GOOD {
        let value = if name == field { poison } else { good };
        let quoted = if name == "@port" && name != field { value.to_owned() } else { format!("{value:?}") };
        text = text.replace(name, &quoted.replace("\\'", "'"));
    }
    text
}

#[track_caller]
fn harmless(dir: &Path, field: &str) {
    let mark = dir.join("mark");
    for poison in POISON {
        let poison = poison.replace("MARK", mark.to_str().unwrap());
        let shell = SHELLS[usize::from(field.starts_with("@shell"))];
        let path = dir.join("cluster.yaml");
        std::fs::write(&path, poisoned(shell, field, &poison)).unwrap();
        let line = "apply --auto-approve --timeout 1s";
        let ended = otb(&path).line(line).limit(Duration::from_secs(60)).run();
        assert!([1, 3, 78].contains(&ended.code), "{field} = {poison:?}: {ended:?}");
        assert!(!mark.exists(), "{field} = {poison:?} was carried out");
        let shown = ended.stdout + &ended.stderr;
        assert!(!shown.contains("\ntouch "), "{field}: a line end reached the terminal:\n{shown}");
    }
}

#[test]
fn no_field_becomes_a_command() {
    for (field, _) in GOOD {
        let dir = tempfile::tempdir().unwrap();
        harmless(dir.path(), field);
    }
}

/// The poison must be able to get that far: the untouched file is a valid one.
#[test]
fn the_base_of_these_tests_is_valid() {
    for shell in SHELLS {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cluster.yaml");
        std::fs::write(&path, poisoned(shell, "none", "")).unwrap();
        otb(&path).line("validate").run().ends(0);
    }
}
