//! psql connects too.

use std::process::Command;

use crate::harness::{Ran, Sandbox};

fn psql(sandbox: &Sandbox, name: &str, options: &str, sql: &str) -> Option<Ran> {
    let endpoint = &sandbox.instance(name).endpoint;
    let conninfo = format!("host={} port={} user=opentenbase dbname=postgres {options}", endpoint.host, endpoint.port);
    match Command::new("psql").args(["-XAtq", &conninfo, "-v", "VERBOSITY=verbose", "-c", sql]).output() {
        Ok(output) => Some(output.into()),
        Err(error) => {
            crate::skip::skipped("1 psql test", &format!("there is no psql here ({error})"));
            None
        }
    }
}

#[test]
fn psql_selects_routes_and_sees_errors() {
    let sandbox = Sandbox::up(&[]);
    let Some(ran) = psql(
        &sandbox,
        "cn01@s29",
        "",
        "select node_name, node_port from pgxc_node where node_type = 'D' order by node_name desc",
    ) else {
        return;
    };
    assert_eq!((ran.code, ran.out.as_str()), (0, "dn02|23002\ndn01|23001\n"));
    let ran = psql(&sandbox, "cn01@s29", "", "select * from nowhere").unwrap();
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("ERROR:  42P01: relation \"nowhere\" does not exist"), "{}", ran.err);
}

#[test]
fn psql_identifies_a_system_over_a_replication_connection() {
    let sandbox = Sandbox::up(&[]);
    let Some(ran) = psql(&sandbox, "dn01@s29", "replication=database", "IDENTIFY_SYSTEM") else { return };
    assert!(ran.out.contains("|1|0/") && ran.out.ends_with("|postgres\n"), "{}{}", ran.out, ran.err);
}

#[test]
fn psql_is_told_about_a_missing_gtm() {
    let sandbox = Sandbox::up(&[]);
    sandbox.fault(&["kill", "gtm_1@s29"]);
    let Some(ran) = psql(&sandbox, "cn01@s29", "", "select 1") else { return };
    assert!(ran.err.contains("WARNING") && ran.err.contains("08006: GTM error"), "{}", ran.err);
}
