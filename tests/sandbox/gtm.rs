//! The GTM's own protocol (opentenbase-v2.6-live.md, "GTM").

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::harness::Sandbox;

/// Role and standbys as the wire tells them.
fn probe(sandbox: &Sandbox, name: &str) -> (bool, Vec<String>) {
    let endpoint = &sandbox.instance(name).endpoint;
    let mut stream = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).unwrap();
    let mut startup = vec![b'A'];
    startup.extend(84_i32.to_be_bytes());
    let mut packet = [0_u8; 80];
    packet[..3].copy_from_slice(b"otb");
    packet[64..68].copy_from_slice(&6_i32.to_ne_bytes());
    startup.extend(packet);
    stream.write_all(&startup).unwrap();
    let mut ready = [0; 9];
    stream.read_exact(&mut ready).unwrap();
    assert_eq!(ready[..5], [b'R', 0, 0, 0, 8]);
    let mut query = vec![b'C'];
    for part in [12_i32, 82, 1] {
        query.extend(part.to_be_bytes());
    }
    stream.write_all(&query).unwrap();
    let mut head = [0; 5];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[0], b'S');
    let length = i32::from_be_bytes(head[1..].try_into().unwrap());
    let mut body = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut body).unwrap();
    assert_eq!(body[..4], 16_i32.to_be_bytes());
    let is_standby = i32::from_ne_bytes(body[4..8].try_into().unwrap()) == 1;
    let gts = i64::from_ne_bytes(body[8..16].try_into().unwrap());
    assert!(gts > 0);
    let count = i32::from_be_bytes(body[24..28].try_into().unwrap());
    let mut at = 28;
    let mut standbys = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(i32::from_be_bytes(body[at + 4..at + 8].try_into().unwrap())).unwrap();
        standbys.push(String::from_utf8_lossy(&body[at + 8..at + 8 + length - 1]).into_owned());
        at += 8 + length + 16;
    }
    assert_eq!(at, body.len());
    (is_standby, standbys)
}

#[test]
fn both_roles_answer_and_the_master_lists_its_standbys() {
    let sandbox = Sandbox::up(&[]);
    assert_eq!(probe(&sandbox, "gtm_1@s29"), (false, vec!["localhost:21000".to_owned()]));
    assert_eq!(probe(&sandbox, "gtm_1@s47"), (true, Vec::new()));
}

#[test]
fn a_gtm_is_switched_over_by_stop_promote_and_conf() {
    let sandbox = Sandbox::up(&[]);
    let (old, new) = (sandbox.data("gtm_1@s29"), sandbox.data("gtm_1@s47"));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let ran = sandbox.tool("gtm_ctl", &["-Z", "gtm", "-D", old, "stop"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "waiting for server to shut down.... done\nserver stopped\n"));
    let ran = sandbox.tool("gtm_ctl", &["-Z", "gtm", "-D", new, "promote"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
    assert_eq!(probe(&sandbox, "gtm_1@s47"), (false, Vec::new()));
    let conf = std::fs::read_to_string(sandbox.data("gtm_1@s47").join("gtm.conf")).unwrap();
    assert!(conf.ends_with("startup = ACT\n"), "{conf}");
    let host = &sandbox.instance("gtm_1@s47").endpoint.host;
    let path = sandbox.data("gtm_1@s29").join("gtm.conf");
    let fence = format!("startup = STANDBY\nactive_host = '{host}'\nactive_port = 21000\n");
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + &fence).unwrap();
    let ran = sandbox.tool("gtm_ctl", &["-Z", "gtm", "-D", old, "start"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "server starting\n"));
    assert!(probe(&sandbox, "gtm_1@s29").0);
    assert_eq!(probe(&sandbox, "gtm_1@s47"), (false, vec!["localhost:21000".to_owned()]));
}

#[test]
fn gtm_ctl_status_says_what_a_live_one_says() {
    let sandbox = Sandbox::up(&[]);
    let (data, endpoint) = (sandbox.data("gtm_1@s47"), &sandbox.instance("gtm_1@s47").endpoint);
    let (data, host) = (data.to_str().unwrap(), endpoint.host.as_str());
    let ran = sandbox.tool("gtm_ctl", &["-Z", "gtm", "-D", data, "status", "-H", host, "-P", "21000"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("gtm_ctl: server is running (PID: "), "{}", ran.out);
    assert!(ran.out.contains("\ncurrent node [standby] gts["), "{}", ran.out);
    let ran = sandbox.tool("gtm_ctl", &["-Z", "gtm", "-D", data, "status"]);
    assert_eq!((ran.code, ran.err.lines().next()), (1, Some("gtm_ctl: option -P GTM_port is not specified")));
    let ran = sandbox.tool("gtm_ctl", &["-Z", "gtm", "-D", data, "status", "-H", host, "-P", "21999"]);
    assert!(ran.code == 0 && ran.out.contains("but can not get timestamp"), "{}", ran.out);
    sandbox.fault(&["kill", "gtm_1@s47"]);
    let ran = sandbox.tool("gtm_ctl", &["-Z", "gtm", "-D", data, "status", "-H", host, "-P", "21000"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, "gtm_ctl: no server running\n"));
}
