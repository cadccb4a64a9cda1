use super::super::yaml;
use super::*;

const SMALL: &str = "pgxcInstallDir=/data/install\npgxcOwner=otb\npgxcMainClusterName=main\nroot=/data/nodes\n\
    gtmName=gtm_1\ngtmMasterServer=10.0.0.29\ngtmMasterPort=21000\ngtmMasterDir=$root/gtm\ngtmSlave=y\n\
    gtmSlaveServer=10.0.0.47\ngtmSlavePort=21000\ngtmSlaveDir=${root}/gtm\n\
    coordNames=(cn01)\ncoordPorts=(15432)\ncoordMasterServers=(10.0.0.29)\ncoordMasterDirs=($root/cn01)\ncoordSlave=n\n\
    datanodeNames=(dn01\n dn02)\ndatanodePorts=(23001 23002)\ndatanodeMasterServers=(10.0.0.29 10.0.0.47)\n\
    datanodeMasterDirs=($root/dn01 $root/dn02)\ndatanodeSlave=y\ndatanodeSlaveServers=(10.0.0.47 none)\n\
    datanodeSlavePorts=(23101 0)\ndatanodeSlaveDirs=(/mnt/fast/dn01 none)\n";

#[test]
fn a_small_cluster() {
    let mut draft = from_pgxc_ctl(SMALL, &BTreeMap::new()).unwrap();
    draft.source = "pgxc_ctl.conf".to_owned();
    assert!(draft.is_complete(), "{:?}", draft.notes);
    let text = yaml(&draft);
    assert!(text.contains("  dn01:\n    master: 10.0.0.29\n    port: 23001\n"), "{text}");
    assert!(text.contains("  data: /data/nodes/{node}\n"), "{text}");
    assert!(text.contains("      - {server: 10.0.0.47, port: 23101, data: /mnt/fast/dn01}\n"), "{text}");
    assert!(
        text.contains("    data: /data/nodes/gtm\n    instances: [{server: 10.0.0.29}, {server: 10.0.0.47}]\n"),
        "{text}"
    );
}

#[test]
fn what_only_bash_knows_stays_open() {
    let draft = from_pgxc_ctl(&SMALL.replace("root=/data/nodes", "root=$HOME/nodes"), &BTreeMap::new()).unwrap();
    assert!(!draft.is_complete());
    let text = yaml(&draft);
    assert!(
        text.contains("# TODO otb: its data directory is not known: datanodeMasterDirs: $HOME is not set in the file"),
        "{text}"
    );
}

#[test]
fn mistakes_name_their_line() {
    for (from, to, line, part) in [
        ("datanodePorts=(23001 23002)", "datanodePorts=(23001)", 20, "it has 1 entry for 2 nodes"),
        ("coordPorts=(15432)", "coordPorts=(x)", 14, "not a port"),
        ("coordNames=(cn01)", "coordNames=(cn01", 13, "has no )"),
        ("gtmName=gtm_1", "gtmName='gtm_1", 5, "not closed"),
    ] {
        let error = from_pgxc_ctl(&SMALL.replace(from, to), &BTreeMap::new()).unwrap_err();
        assert_eq!(error.line, Some(line), "{error}");
        assert!(error.what.contains(part), "{error}");
    }
}
