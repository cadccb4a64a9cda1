//! The lock of a cluster, taken by shells of this machine.

use otb::apply::{Lock, LockError};
use otb::model::Cluster;
use otb::transport::Connections;

use crate::common::LONG;

/// Master and standby of dn01 on one machine, as two servers with one address, beside each other below `root`.
fn one_host(root: &std::path::Path) -> Cluster {
    for data in ["gtm", "cn01", "dn01", "slave/dn01", "dn01_slave"] {
        std::fs::create_dir_all(root.join(data)).unwrap();
    }
    let root = root.display();
    let text = format!(
        "version: 1\ncluster: c\ndefaults: {{install: /opt/otb, data: '{root}/{{node}}', shell: {{via: local}}}}\n\
         servers: {{s1: {{address: 127.0.0.1}}, s1-2: {{address: 127.0.0.1}}}}\n\
         gtm: {{gtm: {{master: s1, port: 21000, instances: [{{server: s1}}]}}}}\n\
         coordinators: {{cn01: {{master: s1, port: 15432, instances: [{{server: s1}}]}}}}\n\
         datanodes: {{dn01: {{master: s1, port: 23001, instances: [{{server: s1}}, \
         {{server: s1-2, port: 23101, data: '{root}/dn01_slave'}}]}}}}\n"
    );
    let file = std::path::Path::new(&root.to_string()).join("cluster.yaml");
    std::fs::write(&file, text).unwrap();
    otb::config::read(&file).unwrap_or_else(|wrong| panic!("{wrong}")).cluster
}

#[tokio::test]
async fn two_servers_that_are_one_machine_share_a_lock() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = one_host(directory.path());
    let connections = Connections::new(&cluster).unwrap();
    let mut lock = Lock::take(&cluster, &connections, "first", LONG).await.unwrap();
    assert_eq!((lock.servers(), lock.unreached.len()), (1, 0));
    let second = Lock::take(&cluster, &connections, "second", LONG).await.map(drop).unwrap_err();
    assert!(matches!(&second, LockError::Taken { holder, .. } if holder == "first"), "{second}");
    assert_eq!(lock.keep(&connections).await, Ok(Vec::new()));
    lock.release().await;
    Lock::take(&cluster, &connections, "third", LONG).await.map(drop).unwrap();
}
