//! `otb import` on the sandbox: what it writes plans empty against the cluster it came from.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]

#[path = "support/closed_port.rs"]
mod closed_port;
#[path = "bad_input/fakes.rs"]
mod fakes;
#[path = "import/files.rs"]
mod files;
#[path = "support/fixture.rs"]
mod fixture;
#[path = "support/limited.rs"]
mod limited;
#[path = "support/skip.rs"]
mod skip;

use std::path::PathBuf;

use fixture::SandboxFixture;
use limited::{Ended, otb};

/// Imports from the instance of `server` that listens on `port`.
fn import(place: &SandboxFixture, server: &str, port: u16, more: &str) -> (PathBuf, Ended) {
    let out = place.dir().join("imported.yaml");
    let at = format!("{}:{port}", place.address(server));
    let ended = place
        .otb("import --shell local --sslmode disable --timeout 5s --force --coordinator")
        .args([at.as_str(), "-o", out.to_str().unwrap()])
        .line(more)
        .run();
    (out, ended)
}

fn names(place: &SandboxFixture) -> String {
    format!("--server s29={} --server s47={}", place.address("s29"), place.address("s47"))
}

/// One statement on the instance of `server` that listens on `port`.
fn tell(place: &SandboxFixture, server: &str, port: u16, statement: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut config = tokio_postgres::Config::new();
        config.host(place.address(server)).port(port).user("opentenbase").dbname("postgres");
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.simple_query(statement).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    });
}

/// The declared cluster of a file.
fn cluster(file: &std::path::Path) -> otb::model::Cluster {
    otb::config::read(file).unwrap_or_else(|wrong| panic!("{wrong}")).cluster
}

#[test]
fn a_live_cluster_goes_round() {
    let place = SandboxFixture::up("--coordinators 3 --coordinator-standbys");
    let (file, ended) = import(&place, "s29", 15432, &names(&place));
    ended.ends(0);
    assert_eq!(cluster(&file).nodes, cluster(&place.file()).nodes, "{}", std::fs::read_to_string(&file).unwrap());
    otb(&file).line("validate").run().ends(0);
    otb(&file).line("plan --detailed-exitcode").run().ends(0).says(&["Nothing to do"]);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\n  dn01:\n    master: s29\n    port: 23001\n"), "{text}");
    assert!(text.contains("/{server}/{node}\n"), "{text}");
}

#[test]
fn after_a_switchover_the_master_is_where_it_is() {
    let place = SandboxFixture::up("");
    place.declare("dn01", "s47");
    place.otb("apply --auto-approve").run().ends(0);
    let (file, ended) = import(&place, "s47", 15432, &names(&place));
    ended.ends(0);
    otb(&file).line("plan --detailed-exitcode").run().ends(0);
    assert!(std::fs::read_to_string(file).unwrap().contains("\n  dn01:\n    master: s47\n"));
}

#[test]
fn a_standby_that_is_down_is_found_by_its_directory() {
    let place = SandboxFixture::up("");
    place.fault("stop dn01@s47");
    let (file, ended) = import(&place, "s29", 15432, &names(&place));
    ended.ends(0);
    assert_eq!(cluster(&file).nodes, cluster(&place.file()).nodes);
    otb(&file).line("plan --detailed-exitcode").run().ends(2).says(&["rejoin"]);
}

#[test]
fn a_master_that_is_out_of_sight_stays_open() {
    let place = SandboxFixture::up("");
    place.fault("hang dn02@s47");
    let (file, ended) = import(&place, "s29", 15432, &names(&place));
    ended.fails(0, &["dn02", "otb could not find out whether its master runs", "no answer from"]);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("\n  dn02:\n    master: s47\n"), "{text}");
}

#[test]
fn without_a_shell_what_only_it_tells_is_marked() {
    let place = SandboxFixture::up("");
    let out = place.dir().join("imported.yaml");
    let at = format!("{}:15432", place.address("s29"));
    // Nobody is there to be logged in to by ssh.
    let port = closed_port::closed_port(&place.address("s29"));
    let ended = place
        .otb("import --timeout 5s --sslmode disable --shell ssh --shell-port")
        .args([port.to_string().as_str(), "--coordinator", &at, "-o", out.to_str().unwrap()])
        .run();
    ended.fails(0, &["TODO: gtm_1", "its data directory is not known", "TODO: install", "otb -f"]);
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.contains("# TODO otb: its data directory is not known"), "{text}");
    assert!(text.contains("# TODO otb: install:"), "{text}");
    otb(&out).line("validate").run().fails(78, &["install"]);
}

#[test]
fn what_is_no_coordinator() {
    let place = SandboxFixture::up("");
    import(&place, "s29", 23001, "").1.fails(1, &["is the datanode dn01, not a coordinator", "cn01 at", "cn02 at"]);
    import(&place, "s29", 21000, "").1.fails(1, &["failed to log in", "hint", "--coordinator"]);
    let port = closed_port::closed_port(&place.address("s29"));
    import(&place, "s29", port, "").1.fails(1, &["refused the connection", "hint"]);
    assert!(!place.dir().join("imported.yaml").exists());
}

#[test]
fn without_a_gtm_no_master_tells_its_routes() {
    let place = SandboxFixture::up("");
    place.fault("kill gtm_1@s29");
    import(&place, "s29", 15432, "").1.fails(1, &["no pgxc_node that otb can read", "timestamp", "start the GTM"]);
}

#[test]
fn a_file_that_is_there_is_not_replaced() {
    let place = SandboxFixture::up("");
    let before = place.text();
    let at = format!("{}:15432", place.address("s29"));
    let out = place.file();
    let words = ["import", "--coordinator", &at, "-o", out.to_str().unwrap()];
    place.otb("").args(words).run().fails(1, &["exists already", "--force"]);
    assert_eq!(place.text(), before);
    let words = ["import", "--coordinator", &at, "-o", "/nonexistent/cluster.yaml", "--shell", "local"];
    place.otb("").args(words).run().fails(1, &["failed to write /nonexistent/cluster.yaml"]);
}

/// Each copy's own, so that a move to any of them routes it by the port it has.
#[test]
fn forward_ports_of_v5_come_with_every_copy() {
    let place = SandboxFixture::up("--flavor v5 --coordinator-standbys");
    let (file, ended) = import(&place, "s29", 15432, &names(&place));
    ended.ends(0);
    assert!(!ended.stderr.contains("forward_port"), "{ended:?}");
    assert_eq!(cluster(&file).nodes, cluster(&place.file()).nodes, "{}", std::fs::read_to_string(&file).unwrap());
    otb(&file).line("plan --detailed-exitcode").run().ends(0).says(&["Nothing to do"]);
    let (node, to) = (otb::model::NodeName::new("dn01").unwrap(), otb::model::ServerName::new("s47").unwrap());
    let moved = otb::config::with_master(&std::fs::read_to_string(&file).unwrap(), &node, &to).unwrap();
    std::fs::write(&file, moved).unwrap();
    otb(&file).line("apply --auto-approve").run().ends(0).says(&["forward=30001"]);
    otb(&file).line("plan --detailed-exitcode").run().ends(0).says(&["Nothing to do"]);
}

/// Of one that does not answer its configuration tells; without a shell only the coordinator's row of a master does.
#[test]
fn a_forward_port_that_nobody_tells_is_left_out() {
    let place = SandboxFixture::up("--flavor v5");
    place.fault("stop dn01@s47");
    place.fault("stop dn02@s47");
    let (file, ended) = import(&place, "s29", 15432, &names(&place));
    ended.fails(0, &["dn02", "otb could not find out whether its master runs"]);
    assert!(!ended.stderr.contains("forward_port"), "{ended:?}");
    assert_eq!(cluster(&file).nodes, cluster(&place.file()).nodes);

    for node in ["dn01", "dn02"] {
        let conf = place.dir().join("s47").join(node).join("postgresql.conf");
        let text = std::fs::read_to_string(&conf).unwrap();
        assert!(text.contains("forward_port"), "{text}");
        std::fs::write(&conf, text.replace("forward_port", "#forward_port")).unwrap();
    }
    let (file, ended) = import(&place, "s29", 15432, &names(&place));
    let at = format!("{}:23001 did not report its forward_port", place.address("s47"));
    ended.fails(0, &["note: dn01", &at, "refused the connection", "is missing"]);
    let imported = cluster(&file);
    let forward = |id: &str| {
        let id = otb::model::InstanceId::try_from(id.to_owned()).unwrap();
        imported.instance(&id).unwrap().forward_port
    };
    assert_eq!((forward("dn01@s29"), forward("dn01@s47")), (Some(25001), None));
    assert_eq!(forward("dn02@s47"), Some(30002), "of a master that is down the coordinator tells");
}

/// The process counts, for that is where somebody listens; the plan puts the routes right.
#[test]
fn a_forward_port_that_is_routed_wrongly_is_told() {
    let place = SandboxFixture::up("--flavor v5");
    tell(&place, "s29", 15432, "alter node dn02 with (forward=6669)");
    let (file, ended) = import(&place, "s29", 15432, &names(&place));
    ended.fails(0, &["note: dn02: ", "has forward_port 30002, but the coordinator's pgxc_node has 6669"]);
    assert_eq!(cluster(&file).nodes, cluster(&place.file()).nodes);
    otb(&file).line("plan --detailed-exitcode").run().ends(2).says(&["reroute", "forward=30002"]);
}

/// The sandbox as pgxc_ctl would have been told of it.
fn pgxc_ctl(place: &SandboxFixture) -> String {
    let cluster = cluster(&place.file());
    let of = |id: &str| cluster.instance(&otb::model::InstanceId::try_from(id.to_owned()).unwrap()).unwrap().clone();
    let field = |ids: &[&str], field: fn(&otb::model::Instance) -> String| {
        ids.iter().map(|id| field(&of(id))).collect::<Vec<_>>().join(" ")
    };
    let host: fn(&otb::model::Instance) -> String = |one| one.endpoint.host.to_string();
    let port: fn(&otb::model::Instance) -> String = |one| one.endpoint.port.to_string();
    let data: fn(&otb::model::Instance) -> String = |one| one.data.clone();
    let (cn, dn, slaves) = (["cn01@s29", "cn02@s47"], ["dn01@s29", "dn02@s47"], ["dn01@s47", "dn02@s29"]);
    format!(
        "#!/usr/bin/env bash\npgxcInstallDir={}\npgxcOwner=opentenbase\npgxcMainClusterName=opentenbase_cluster\n\
         gtmName=gtm_1\ngtmMasterServer={}\ngtmMasterPort=21000\ngtmMasterDir={}\ngtmSlave=y\ngtmSlaveServer={}\n\
         gtmSlavePort=21000\ngtmSlaveDir={}\ncoordNames=(cn01 cn02)\ncoordPorts=({})\ncoordMasterServers=({})\n\
         coordMasterDirs=({})\ncoordSlave=n\ncat > /dev/null <<EOF\nport = 1\nEOF\ndatanodeNames=(dn01 dn02)\n\
         datanodePorts=({})\ndatanodeMasterServers=({})\ndatanodeMasterDirs=({})\ndatanodeSlave=y\n\
         datanodeSlavePorts=({})\ndatanodeSlaveServers=({})\ndatanodeSlaveDirs=({})\n",
        of("dn01@s29").install,
        host(&of("gtm_1@s29")),
        data(&of("gtm_1@s29")),
        host(&of("gtm_1@s47")),
        data(&of("gtm_1@s47")),
        field(&cn, port),
        field(&cn, host),
        field(&cn, data),
        field(&dn, port),
        field(&dn, host),
        field(&dn, data),
        field(&slaves, port),
        field(&slaves, host),
        field(&slaves, data),
    )
}

#[test]
fn pgxc_ctls_configuration_goes_round() {
    let place = SandboxFixture::up("");
    let conf = place.write("pgxc_ctl.conf", pgxc_ctl(&place));
    let ended = place.otb("import --pgxc-ctl").args([&conf]).run();
    ended.fails(0, &["note: pgxc_ctl.conf: not assignments, so otb did not run them: lines 18"]);
    // The shells of a sandbox are this machine's own.
    let local = ended.stdout.replace("shell: {via: ssh, user: opentenbase}", "shell: {via: local}");
    let file = place.write("imported.yaml", &local);
    otb(&file).line("validate").run().ends(0);
    otb(&file).line("plan --detailed-exitcode").run().ends(0).says(&["Nothing to do"]);
}

#[test]
fn what_the_environment_said_can_be_told() {
    let place = SandboxFixture::up("");
    let dir = place.dir().display().to_string();
    let conf = place.write("pgxc_ctl.conf", pgxc_ctl(&place).replace(&dir, "$HOME"));
    let ended = place.otb("import --pgxc-ctl").args([&conf]).run();
    ended.fails(0, &["TODO: dn01", "$HOME is not set in the file; use --set HOME=..."]);
    let set = format!("HOME={dir}");
    let ended = place.otb("import --pgxc-ctl").args([conf.to_str().unwrap(), "--set", &set]).run();
    assert!(!ended.stderr.contains("TODO"), "{ended:?}");
    assert!(ended.stdout.contains(&format!("install: {dir}/install")), "{ended:?}");
    place.otb("import --pgxc-ctl x --set HOME").run().fails(64, &["NAME=VALUE"]);
}

#[test]
fn other_tools_files_that_cannot_be_read() {
    let place = SandboxFixture::up("");
    let broken = place.write("broken.conf", "gtmName=gtm_1\ncoordNames=(cn01\n");
    place.otb("import --pgxc-ctl").args([&broken]).run().fails(1, &["line 2", "has no )", "coordNames=(cn01", "hint"]);
    let broken = place.write("broken.ini", "[gtm]\nmaster=10.0.0.1\nnonsense\n");
    place.otb("import --config-ini").args([&broken]).run().fails(1, &["line 3", "key=value", "nonsense"]);
    place.otb("import --config-ini /nonexistent").run().fails(1, &["failed to read /nonexistent"]);
    place.otb("import --pgxc-ctl /dev/zero").run().fails(1, &["failed to read /dev/zero"]);
    place.otb("import").run().fails(64, &["--coordinator"]);
    place.otb("import --pgxc-ctl x --coordinator a:1").run().fails(64, &["cannot be used with"]);
    place.otb("import --coordinator here").run().fails(64, &["HOST:PORT"]);
}
