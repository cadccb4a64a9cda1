//! A look at a real cluster, for whoever has one: `OTB_LIVE_CLUSTER` names a JSON file with a resolved
//! [`otb::model::Cluster`]. Read only. Prints what was seen.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]

use otb::model::Cluster;
use otb::observe::{Limits, observe};
use otb::transport::Outside;

#[tokio::test]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the purpose of this test is to be read")]
async fn a_real_cluster() {
    let Ok(file) = std::env::var("OTB_LIVE_CLUSTER") else {
        eprintln!("skipped: OTB_LIVE_CLUSTER is not set");
        return;
    };
    let cluster: Cluster = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let outside = Outside::new(&cluster).unwrap();
    let begun = std::time::Instant::now();
    let observation = observe(&cluster, &outside, &Limits::default()).await;
    let took = begun.elapsed();
    outside.close().await;
    println!("{}\nobserved in {took:?}", serde_json::to_string_pretty(&observation).unwrap());
    assert_eq!(observation.instances.len(), cluster.instances().count());
}
