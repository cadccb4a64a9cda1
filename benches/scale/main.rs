//! How otb grows with the cluster: planner, rendering, plans and applies on sandboxes. Prints Markdown tables.
//! `cargo bench --bench scale`; `-- 8 64` runs only these sizes, `-- planner` only what needs no sandbox.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "touches the outside"
)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "what cannot be measured must be seen")]
#![allow(unreachable_pub, reason = "a binary's modules")]

mod synthetic;
mod whole;

use std::time::{Duration, Instant};

use otb::plan::{Input, Plan, plan};
use whole::{Run, Sandbox, best, otb, psql_loop};

const SIZES: [usize; 4] = [8, 64, 256, 1024];
const LATENCIES: [u64; 3] = [0, 5, 50];
const ROUNDS: usize = 3;

fn main() {
    // cargo bench says --bench.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let mut sizes: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    if sizes.is_empty() {
        sizes.extend(SIZES);
    }
    planner();
    if !words.iter().any(|word| word == "planner") {
        runs(&sizes);
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1000.0)
}

fn fastest<T>(mut act: impl FnMut() -> T) -> (Duration, T) {
    let once = |act: &mut dyn FnMut() -> T| {
        let begun = Instant::now();
        let made = act();
        (begun.elapsed(), made)
    };
    (0..ROUNDS).map(|_| once(&mut act)).min_by_key(|(took, _)| *took).unwrap()
}

fn planner() {
    println!("| nodes | to move | planner ms | text ms | JSON ms | JSON MiB |\n|---|---|---|---|---|---|");
    for (nodes, moving) in [(8, 1), (64, 1), (256, 1), (1024, 1), (2048, 0), (2048, 1), (2048, 100)] {
        let (cluster, seen) = synthetic::cluster(nodes, moving);
        let input = || Input {
            cluster: &cluster,
            seen: &seen,
            targets: &[],
            waivers: &[],
            observed_at: "2026-01-01T00:00:00Z".to_owned(),
            owes_reloads: false,
        };
        let (planning, plan): (_, Plan) = fastest(|| plan(&input()));
        assert_eq!(plan.changes.len(), moving, "{:?}", plan.unseen.first());
        let (text, _) = fastest(|| otb::view::plan_text(&plan, true));
        let (json, bytes) = fastest(|| serde_json::to_string_pretty(&plan).unwrap().len());
        let (planning, text, json) = (milliseconds(planning), milliseconds(text), milliseconds(json));
        println!("| {nodes} | {moving} | {planning} | {text} | {json} | {} |", bytes >> 20);
    }
    println!();
}

fn runs(sizes: &[usize]) {
    println!(
        "| routers | latency ms | up s | plan s | per router ms | MiB | latency cost in round trips | apply s | psql loop / plan |\n\
         |---|---|---|---|---|---|---|---|---|"
    );
    for &routers in sizes {
        let mut still = None;
        for latency in LATENCIES {
            row(routers, latency, &mut still);
        }
    }
}

fn row(routers: usize, latency: u64, still: &mut Option<Duration>) {
    let begun = Instant::now();
    let sandbox = Sandbox::up(routers, latency);
    let up = begun.elapsed().as_secs_f64();
    let file = sandbox.file();
    let Run { took, peak_kib } = best(ROUNDS, || otb(&file, &["plan"]));
    let still = *still.get_or_insert(took);
    let more = took.saturating_sub(still).as_secs_f64() * 1000.0;
    let trips =
        if latency == 0 { "-".to_owned() } else { format!("{:.1}", more / f64::from(u32::try_from(latency).unwrap())) };
    let each = took.as_secs_f64() * 1000.0 / f64::from(u32::try_from(routers).unwrap());
    // One psql after the other takes minutes on many routers with latency: once is enough.
    let wanted = latency == 5 && routers <= 256;
    let psql = wanted.then(|| psql_loop(&file)).flatten();
    let psql = psql.map_or_else(|| "-".to_owned(), |psql| format!("{:.1}", psql.as_secs_f64() / took.as_secs_f64()));
    sandbox.move_one();
    let apply = otb(&file, &["apply", "--auto-approve"]).took.as_secs_f64();
    let (took, mib) = (took.as_secs_f64(), peak_kib >> 10);
    println!("| {routers} | {latency} | {up:.2} | {took:.3} | {each:.2} | {mib} | {trips} | {apply:.2} | {psql} |");
}
