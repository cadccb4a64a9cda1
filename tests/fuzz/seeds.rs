//! What the inputs are made from: texts that their readers accept, and some that they refuse.

use otb::plan::{Input, Plan, Waiver, plan};
use otb::rehearsal::observe;

use super::lab::{declare, id, seed};

pub(crate) const CONTROL: &str = include_str!("../support/controldata.txt");

/// What stands in files and what tools print, of each reader of such text.
pub(crate) const TOOLS: [&str; 6] = [
    CONTROL,
    "pg_waldump: FATAL: error in WAL record at 0/30088F8: invalid record length at 0/3008968: wanted 24, got 0\n",
    "standby_mode = on\nprimary_conninfo = 'host=10.0.0.1 port=1 user=''a b'''\n# otb fence\n",
    "nodename = 'one'\nstartup = STANDBY # x\nactive_host = '10.0.0.1'\nactive_port = 21000\nstartup = ACT\n",
    "host=10.0.0.1 port=23001 user=otb password='a \\' b' hostaddr=::1 application_name=dn01_s47",
    "gtm_ctl: server is running (PID: 12)\ncurrent node [primary] gts[1000] xlog [0/20]\n[standby/async] host[h]\n",
];

pub(crate) const PROBE: &str = "\
0 clock 1700000000.123456789\n0 clock.status 0\n0 keeper /etc/cron.d/x:* * * * * pg_ctl -D /data/dn01 start
0 run pg_ctl: server is running (PID: 16181)\n0 run.status 0\n0 control.status 1\n0 mark otb\n0 mark.status 0
0 conf otb:600\n0 conf.status 0\n0 text standby_mode = on\n0 text.status 0\n0 owner otb\n0 owner.status 0
0 disk overlay          263174212 56012312 193720132      23% /\n0 disk.status 0\n0 ready 3\n0 proc S\n0 cwd same
0 history 00000002 1\t0/3000148\tno recovery target specified
1 run pg_ctl: no server running\n1 run.status 3\n1 control Database cluster state:               shut down
1 control Latest checkpoint location:           0/30088F8\n1 control.status 0\n1 conf otb:400\n1 conf.status 0
2 text startup = STANDBY\n2 text active_host = '10.0.0.1'\n2 text.status 0\n2 proc Z\n2 cwd other\n2 ready
";

pub(crate) const PGPASS: &str = "# comment\n10.0.0.1:15432:postgres:otb:a\\:b\\\\c\n*:*:*:otb:any:thing\n";

/// Fields of rows by comma; `~` is NULL.
pub(crate) const ROWS: [&[u8]; 4] = [
    b"dn01,D,23001,10.0.0.1,~,c\ndn02,D,23002,10.0.0.2,~,c\n",
    b"gtm_1,G,21000,h,29001,p\ncn01,C,15432,10.0.0.1,0,p\n",
    b"dn01s,S,23001,10.0.0.1,65535,c\n",
    "dn\"01\",D,-1,\u{202e}h,~,\n".as_bytes(),
];

/// Every file that tests/config holds against the loader, the right and the wrong ones.
pub(crate) fn cluster_files() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for room in ["valid", "invalid"] {
        let room = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config").join(room);
        let mut paths: Vec<_> = std::fs::read_dir(room).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ext| ext == "yaml"));
        paths.sort();
        files.extend(paths.iter().map(|path| std::fs::read(path).unwrap()));
    }
    assert!(files.len() > 20, "{}", files.len());
    files
}

/// Nothing to do, a switchover, one with a waiver, one with the GTM, a failover, and a plan that is refused.
pub(crate) fn plans() -> Vec<Plan> {
    let made = |moves: &[&str], killed: &[&str], waived: &[&str]| {
        let mut lab = seed();
        for node in moves {
            declare(&mut lab, node, "s47");
        }
        for copy in killed {
            let now = lab.now();
            lab.world.kill(lab.disk(&id(copy)), now);
        }
        let waivers: Vec<Waiver> = waived.iter().map(|check| Waiver::new(check, "CHG-1").unwrap()).collect();
        plan(&Input {
            cluster: &lab.cluster,
            seen: &observe(&lab),
            targets: &[],
            waivers: &waivers,
            observed_at: "2026-01-01T00:00:00Z".to_owned(),
            owes_reloads: false,
        })
    };
    vec![
        made(&[], &[], &[]),
        made(&["dn01"], &[], &[]),
        made(&["dn01"], &[], &["lag:dn01"]),
        made(&["gtm_1", "dn01"], &[], &[]),
        made(&["dn01"], &["dn01@s29"], &[]),
        made(&["dn01"], &["dn01@s47"], &[]),
    ]
}

/// A GTM's status with `standbys` standbys, of whose counts and lengths each is wrong by `lie`.
pub(crate) fn gtm_status(standbys: u8, lie: i32) -> Vec<u8> {
    let mut status = Vec::new();
    for number in [16_i32, 0] {
        status.extend(number.to_be_bytes());
    }
    status.extend([7_u8; 16]);
    status.extend(i32::from(standbys).wrapping_add(lie).to_be_bytes());
    for _ in 0..standbys {
        let name = b"localhost:21000\0";
        status.extend(1_i32.to_be_bytes());
        status.extend(i32::try_from(name.len()).unwrap().wrapping_add(lie).to_be_bytes());
        status.extend(name);
        status.extend([9_u8; 16]);
    }
    status
}
