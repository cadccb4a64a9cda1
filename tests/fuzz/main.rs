//! Readers of what others write, on millions of mutilated inputs: they may refuse, they may not panic or hang.
//!
//! `OTB_CASES` says how many inputs each reader gets (default 2000), `OTB_SEED` where the random numbers begin
//! (default 1); a failure prints both the reader and the input. docs/testing.md has the command for ten million.

#![allow(clippy::disallowed_methods, reason = "tests touch the outside")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on must fail")]
#![allow(clippy::print_stdout, reason = "the rate is to be seen")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use otb::dialect::{
    Look, gtm_body_length, read_control, read_end_of_wal, read_gtm_status, read_probe, read_recovery_conf,
};
use otb::observe::read_routes;
use otb::plan::{Input, Plan, audit, is_intact, plan};
use otb::transport::{Passwords, Rows};

const FILE: &str = include_str!("config/valid/contract.yaml");

const CONTROL: &str = include_str!("support/controldata.txt");

const PROBE: &str = "\
0 clock 1700000000.123456789\n0 clock.status 0\n0 keeper /etc/cron.d/x:* * * * * pg_ctl -D /data/dn01 start
0 run pg_ctl: server is running (PID: 16181)\n0 run.status 0\n0 control.status 1\n0 mark otb\n0 mark.status 0
0 conf otb:600\n0 conf.status 0\n0 text standby_mode = on\n0 text.status 0\n0 owner otb\n0 owner.status 0
0 disk overlay          263174212 56012312 193720132      23% /\n0 disk.status 0\n0 ready 3\n0 proc S\n0 cwd same
0 history 00000002 1\t0/3000148\tno recovery target specified
";

const PGPASS: &str = "# comment\n10.0.0.1:15432:postgres:otb:a\\:b\\\\c\n*:*:*:otb:any:thing\n";

const RECOVERY: &str = "standby_mode = on\nprimary_conninfo = 'host=10.0.0.1 port=1 user=''a b'''\n# otb fence\n";

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers everywhere, and no crate.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    /// A letter that readers stumble over more often than others.
    fn byte(&mut self) -> u8 {
        const SHARP: &[u8] = b"\0\n\r\t \"'\\:=,{}[]#-&*!|>%@`0189/.;\x1b\x7f\xff\xc3\xe2";
        if self.below(3) == 0 { self.roll().to_le_bytes()[0] } else { SHARP[self.below(SHARP.len())] }
    }

    /// `seed` with up to eight cuts, doublings, swaps and foreign bytes.
    fn mutilate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(8) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(24)).min(bytes.len());
            match self.below(6) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let part = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, part);
                }
                3 if at < bytes.len() => bytes[at] = self.byte(),
                4 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                _ => bytes.insert(at, self.byte()),
            }
        }
        bytes
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Feeds `read` with mutilated copies of `seeds`; prints how many a second it took.
fn feed(name: &str, seeds: &[&[u8]], read: impl Fn(&[u8])) {
    let (cases, mut dice) = (number("OTB_CASES", 2000), Dice(number("OTB_SEED", 1)));
    let began = Instant::now();
    for _ in 0..cases {
        let seed = seeds[dice.below(seeds.len())];
        let input = dice.mutilate(seed);
        let outcome = catch_unwind(AssertUnwindSafe(|| read(&input)));
        assert!(outcome.is_ok(), "{name} panicked on {:?}", String::from_utf8_lossy(&input));
    }
    let rate = f64::from(u32::try_from(cases).unwrap_or(u32::MAX)) / began.elapsed().as_secs_f64();
    println!("{name}: {cases} inputs, {rate:.0} a second");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn seed_plan() -> Plan {
    let cluster = otb::config::load("cluster.yaml", FILE).unwrap().cluster;
    let seen = otb::model::Observation::default();
    plan(&Input {
        cluster: &cluster,
        seen: &seen,
        targets: &[],
        waivers: &[],
        observed_at: String::new(),
        owes_reloads: false,
    })
}

#[test]
fn cluster_yaml() {
    feed("cluster.yaml", &[FILE.as_bytes()], |bytes| drop(otb::config::load("cluster.yaml", &text(bytes))));
}

#[test]
fn saved_plans() {
    let saved = serde_json::to_vec(&seed_plan()).unwrap();
    assert!(is_intact(&serde_json::from_slice(&saved).unwrap()));
    feed("saved plan", &[&saved], |bytes| {
        if let Ok(plan) = serde_json::from_slice::<Plan>(bytes) {
            let _ = (is_intact(&plan), audit(&plan), otb::view::plan_text(&plan, true));
        }
    });
}

#[test]
fn rows_of_pgxc_node() {
    let columns = ["node_name", "node_type", "node_port", "node_host", "node_forward_port", "node_cluster_name"];
    feed("pgxc_node", &[b"dn01,D,23001,10.0.0.1,,c", b"gtm_1,G,21000,h,29001,p"], |bytes| {
        let line = text(bytes);
        let fields: Vec<Option<&str>> = line.split(',').map(|field| (field != "~").then_some(field)).collect();
        let width = fields.len().min(columns.len());
        let _ = read_routes(&Rows::of(&columns[..width], &[&fields[..width]]));
    });
}

#[test]
fn answers_of_a_gtm() {
    let mut status = Vec::new();
    for number in [16_i32, 0] {
        status.extend(number.to_be_bytes());
    }
    status.extend([7_u8; 16]);
    status.extend(1_i32.to_be_bytes());
    status.extend([0, 0, 0, 1, 0, 0, 0, 3, b'a', b'b', 0]);
    status.extend([9_u8; 16]);
    assert!(read_gtm_status(&status).is_ok(), "{:?}", read_gtm_status(&status));
    feed("GTM answer", &[&status, b"S\0\0\0\x20"], |bytes| {
        let _ = read_gtm_status(bytes);
        if let Some(head) = bytes.first_chunk() {
            let _ = gtm_body_length(*head);
        }
    });
}

#[test]
fn what_tools_say() {
    let control = read_control(CONTROL).unwrap();
    let end =
        b"pg_waldump: FATAL: error in WAL record at 0/30088F8: invalid record length at 0/3008968: wanted 24, got 0";
    feed("pg_controldata", &[CONTROL.as_bytes(), end, RECOVERY.as_bytes()], |bytes| {
        let said = text(bytes);
        let _ = (read_control(&said), read_end_of_wal(&said, &control), read_recovery_conf(&said));
    });
    let cluster = otb::config::load("cluster.yaml", FILE).unwrap().cluster;
    let looks: Vec<Look<'_>> = cluster.instances().take(3).map(|at| Look { at, tools: true }).collect();
    feed("probe", &[PROBE.as_bytes()], |bytes| drop(read_probe(&looks, &text(bytes))));
}

#[test]
fn password_files() {
    let cluster = otb::config::load("cluster.yaml", FILE).unwrap().cluster;
    let endpoint = &cluster.instances().next().unwrap().endpoint;
    feed(".pgpass", &[PGPASS.as_bytes()], |bytes| {
        let passwords = Passwords::from_text(&text(bytes));
        let _ = passwords.find(&cluster.connection, endpoint);
        assert!(!format!("{passwords:?}").contains("any:thing"));
    });
}
