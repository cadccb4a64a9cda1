//! A master is killed under transfers before its standby has everything: otb brings the rest from its disk. What clients
//! saw committed is there, and the balance over all shards is right, without a waiver.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use tokio_postgres::NoTls;

use crate::cluster::{Hands, Real};
use crate::mishaps::declare_node;
use crate::say;
use crate::support::ground::TestCluster as _;

/// After how long an answer counts as lost; the transfer may have been committed then.
const LOST: Duration = Duration::from_secs(10);

/// Clients through each coordinator.
const CLIENTS: u32 = 6;

/// How long the standby gets nothing before its master dies: what is committed meanwhile is on one disk only.
const UNSENT: Duration = Duration::from_millis(60);

/// `OTB_TEST_ROUNDS` asks for more.
fn rounds() -> u32 {
    std::env::var("OTB_TEST_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(2)
}

pub(crate) fn nothing_is_lost(real: &Real) {
    crate::rows::table(real);
    let cn01 = real.instance("cn01@s29");
    real.tell(cn01, "create extension if not exists pg_clean");
    real.tell(cn01, "drop table if exists otb_transfers");
    real.tell(cn01, "create table otb_transfers(id text primary key) distribute by shard(id)");
    let (mut salvaged, mut transfers, mut took) = (0, 0, Vec::new());
    let (mut old, mut new) = ("s29", "s47");
    for round in 0..rounds() {
        let clients = clients(real, round);
        std::thread::sleep(Duration::from_secs(2));
        kill_unsent(real, &format!("dn01@{old}"));
        declare_node(real, "dn01", new);
        let begun = Instant::now();
        let ran = real.otb(&["apply".to_owned(), "--auto-approve".to_owned()]);
        assert_eq!(ran.code, 0, "{}{}\n{}", ran.stdout, ran.stderr, real.logs_of("dn01"));
        took.push(begun.elapsed());
        salvaged += u32::from((ran.stdout + &ran.stderr).contains("salvage:dn01"));
        let seen: Vec<String> = clients.into_iter().flat_map(Client::finish).collect();
        transfers += seen.len();
        compare(real, &seen);
        std::mem::swap(&mut old, &mut new);
    }
    took.sort_unstable();
    say(&format!(
        "real lane: {} failovers of dn01 under {} clients, {salvaged} with a salvage: none of {transfers} transfers lost, \
         balance right; apply took {:.1} s (median; up to {:.1} s)",
        rounds(),
        2 * CLIENTS,
        took[took.len() / 2].as_secs_f64(),
        took[took.len() - 1].as_secs_f64()
    ));
    assert!(salvaged > 0, "no failover had anything to salvage");
}

/// Nothing reaches the standby any more, clients commit, and the master is gone.
fn kill_unsent(real: &Real, master: &str) {
    let senders = real.sql(master, "select pid from pg_stat_replication").stdout;
    for sender in senders.lines().filter_map(|pid| Pid::from_raw(pid.trim().parse().ok()?)) {
        rustix::process::kill_process(sender, Signal::STOP).unwrap();
    }
    std::thread::sleep(UNSENT);
    Hands::kill(real.instance(master).data.as_ref());
}

/// Every transfer that was answered is there, and each coordinator counts the same balance.
fn compare(real: &Real, seen: &[String]) {
    assert!(seen.len() > 20, "{} transfers are too few to tell", seen.len());
    for coordinator in ["cn01@s29", "cn02@s47"] {
        let balance = real.sql(coordinator, "select sum(n) from otb_rows");
        assert_eq!(balance.stdout.trim(), "0", "the balance through {coordinator} {}", balance.stderr);
    }
    let there = real.sql("cn02@s47", "select id from otb_transfers").stdout;
    let there: std::collections::BTreeSet<&str> = there.lines().collect();
    let lost: Vec<&String> = seen.iter().filter(|id| !there.contains(id.as_str())).collect();
    assert!(lost.is_empty(), "{} transfers that were seen committed are lost: {lost:?}", lost.len());
}

/// A thread that transfers until it is told to stop, and remembers what was answered.
struct Client {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Client {
    fn finish(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn clients(real: &Real, round: u32) -> Vec<Client> {
    let through = ["cn01@s29", "cn02@s47"].map(|id| real.endpoint(id));
    let all = through.iter().flat_map(|(host, port)| (0..CLIENTS).map(move |number| (host.clone(), *port, number)));
    all.map(|(host, port, number)| {
        let conninfo = format!("host={host} port={port} user={} dbname=postgres", real.user());
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let name = format!("{round}-{port}-{host}-{number}");
        Client { stop, thread: std::thread::spawn(move || transfer(&conninfo, &name, number, &told)) }
    })
    .collect()
}

fn transfer(conninfo: &str, name: &str, seed: u32, stop: &AtomicBool) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut seen, mut dice) = (Vec::new(), seed.wrapping_mul(7919).wrapping_add(1));
    runtime.block_on(async {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            let connecting = tokio::time::timeout(LOST, tokio_postgres::connect(conninfo, NoTls)).await;
            let Ok(Ok((client, connection))) = connecting else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            tokio::spawn(connection);
            while !stop.load(Ordering::Relaxed) {
                // A linear congruential generator: which rows does not matter, that they differ does.
                dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let (one, other) = (dice >> 8 & 0x7F, 200 + (dice >> 16 & 0x7F));
                let id = format!("{name}-{count}");
                count += 1;
                let work = format!(
                    "begin; update otb_rows set n = n - 1 where id = {}; update otb_rows set n = n + 1 where id = {other}; \
                     insert into otb_transfers values ('{id}'); commit",
                    one + 1
                );
                match tokio::time::timeout(LOST, client.simple_query(&work)).await {
                    Ok(Ok(_)) => seen.push(id),
                    _ => break,
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    seen
}
