//! What otb imports from the live cluster plans empty against it, and there is no drift.

use std::process::Command;

use crate::cluster::Real;
use crate::support::ground::{Ran, TestCluster as _, otb};

/// From one coordinator's address: standbys by their directories, ports and roles, the GTM's by its own protocol.
pub(crate) fn goes_round(real: &Real) {
    let (host, port) = real.endpoint("cn01@s29");
    let mut words = vec!["import".to_owned(), "--coordinator".to_owned(), format!("{host}:{port}")];
    words.extend(["--user", real.user(), "--shell", "local"].map(str::to_owned));
    if real.hands().changes_over() {
        words.extend(["--run-as", real.user()].map(str::to_owned));
    }
    for (server, instance) in [("s29", "cn01@s29"), ("s47", "cn02@s47")] {
        words.extend(["--server".to_owned(), format!("{server}={}", real.endpoint(instance).0)]);
    }
    let file = real.dir().join("imported.yaml");
    let ran: Ran = Command::new(env!("CARGO_BIN_EXE_otb")).args(&words).arg("-o").arg(&file).output().unwrap().into();
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let text = std::fs::read_to_string(&file).unwrap();
    crate::say(&text);
    let imported = otb::config::read(&file).unwrap_or_else(|wrong| panic!("{wrong}\n{text}\n{}", ran.stderr)).cluster;
    let declared = otb::config::read(&real.file()).unwrap().cluster;
    for node in declared.nodes.values() {
        let found = &imported.nodes[&node.name];
        assert_eq!((&found.master, found.instances.len()), (&node.master, node.instances.len()), "{text}");
        for instance in node.instances.values() {
            let found = &found.instances[&instance.id.server];
            assert_eq!((&found.endpoint, &found.data), (&instance.endpoint, &instance.data), "{text}");
        }
    }
    let plan = otb(&file, &["plan".to_owned(), "--detailed-exitcode".to_owned()]);
    assert_eq!(plan.code, 0, "{}{}", plan.stdout, plan.stderr);
    let drift = real.otb(&["drift".to_owned()]);
    assert_eq!(drift.code, 0, "{}{}", drift.stdout, drift.stderr);
}
