//! otb beside what others do, in one run, on one cluster, under the same load: a table for docs/performance.md.
//! Runs only where `OTB_TEST_PEERS` says how many rounds.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::cluster::Real;
use crate::fat;
use crate::rows::{table, writers};
use crate::say;
use crate::support::ground::TestCluster as _;
use crate::writer::Writer;

/// Nobody waits longer for clients to write again by themselves.
const CAP: Duration = Duration::from_secs(12);

/// A client that has written within this time writes again.
const WRITES: Duration = Duration::from_millis(300);

/// In milliseconds: a move whose steps are worth a look.
const SLOW: u64 = 1000;

/// Who moves dn01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    /// `checkpoint`, then the two commands that nobody can do without; the rest of the work all at once.
    Bare,
    /// The same without the checkpoint.
    Unprepared,
    /// The guide's commands, one after the other.
    Guide,
    /// The same with a pool reload after each ALTER NODE, which the guide leaves out.
    GuideAndReload,
    /// `pgxc_ctl failover datanode`, its ssh replaced by a local shell.
    PgxcCtl,
    Otb,
}

impl Who {
    fn words(self) -> &'static str {
        match self {
            Self::Bare => "checkpoint, stop, promote by hand",
            Self::Unprepared => "stop, promote by hand",
            Self::Guide => "the guide's script",
            Self::GuideAndReload => "the same and pool reloads",
            Self::PgxcCtl => "pgxc_ctl failover datanode",
            Self::Otb => "otb apply",
        }
    }
}

/// What one move cost.
#[derive(Debug)]
struct Move {
    load: &'static str,
    who: Who,
    /// How long the unluckiest writer waited. None: not within [`CAP`].
    waited: Option<Duration>,
    /// What the two commands alone took, where they were given by hand.
    commands: Option<Duration>,
}

/// Moves dn01 to and fro, by everybody in turn.
pub(crate) fn beside_others(real: &Real) {
    let rounds = std::env::var("OTB_TEST_PEERS").ok().and_then(|text| text.parse::<u32>().ok());
    let Some(rounds) = rounds else { return say("SKIPPED peers: OTB_TEST_PEERS says no number of rounds") };
    table(real);
    let mut moves = Vec::new();
    let mut bench = Bench { real, writers: writers(real), told: Told::default() };
    for _ in 0..rounds {
        for who in [Who::Bare, Who::GuideAndReload, Who::Otb] {
            moves.extend(bench.there_and_back("steady", who));
        }
    }
    moves.extend(bench.there_and_back("steady", Who::Guide));
    moves.extend(bench.pgxc_ctl());
    fat::grow(real);
    bench.writes_again();
    let load = fat::Load::begin(real);
    std::thread::scope(|scope| {
        let running = load.run(scope);
        for _ in 0..rounds {
            for who in [Who::Bare, Who::Unprepared, Who::GuideAndReload, Who::Otb] {
                moves.extend(bench.there_and_back(fat::NAME, who));
            }
        }
        drop(running);
    });
    say(&rendered(&moves));
    say(&bench.told.words());
}

/// What otb itself said of its gaps.
#[derive(Debug, Default)]
struct Told {
    gaps: Vec<u64>,
    within: usize,
}

impl Told {
    /// The gap in milliseconds, from `  dn01 could not be written to for 178 ms; expected: 82 ms to 1710 ms`.
    fn read(&mut self, report: &str) -> u64 {
        let line = report.lines().find(|line| line.contains("could not be written to for")).expect("a gap");
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [gap, least, most] = numbers[..] else { panic!("no expectation in {line:?}") };
        self.gaps.push(gap);
        self.within += usize::from((least..=most).contains(&gap));
        gap
    }

    fn words(&self) -> String {
        format!("otb's own figures: {:?} ms; as expected: {} of {}", self.gaps, self.within, self.gaps.len())
    }
}

struct Bench<'a> {
    real: &'a Real,
    writers: Vec<Writer>,
    told: Told,
}

impl Bench<'_> {
    fn there_and_back(&mut self, load: &'static str, who: Who) -> Vec<Move> {
        [("s29", "s47"), ("s47", "s29")].map(|(from, to)| self.once(load, who, from, to)).into()
    }

    fn once(&mut self, load: &'static str, who: Who, from: &str, to: &str) -> Move {
        if load == fat::NAME {
            fat::dirty(self.real, from, to);
            self.writes_again();
        }
        self.writers.iter().for_each(Writer::mark);
        let commands = match who {
            Who::Otb => {
                self.by_otb(to);
                None
            }
            Who::Bare | Who::Unprepared => Some(self.bare(who, from, to)),
            Who::Guide | Who::GuideAndReload | Who::PgxcCtl => {
                self.by_script(who, from, to);
                None
            }
        };
        let waited = self.waited();
        if waited.is_none() {
            self.reload_everywhere();
        }
        if who != Who::Otb {
            self.real.follow_after_a_clean_stop(
                self.real.instance(&format!("dn01@{from}")),
                self.real.instance(&format!("dn01@{to}")),
            );
            crate::mishaps::declare(self.real, to);
        }
        self.writes_again();
        say(&format!("peers: {load}, {}, to {to}: {waited:?}, the commands {commands:?}", who.words()));
        Move { load, who, waited, commands }
    }

    fn by_otb(&mut self, to: &str) {
        crate::mishaps::declare(self.real, to);
        let ran = self.real.otb(&["apply".to_owned(), "--auto-approve".to_owned()]);
        assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
        if self.told.read(&ran.stdout) > SLOW {
            say(&format!("peers: a slow move:\n{}", ran.stderr));
        }
    }

    fn bare(&self, who: Who, from: &str, to: &str) -> Duration {
        let (old, new) = (self.real.instance(&format!("dn01@{from}")), self.real.instance(&format!("dn01@{to}")));
        if who == Who::Bare {
            // Twice, as a careful operator would: the second has what was written while the first ran.
            self.real.tell(old, "checkpoint");
            self.real.tell(old, "checkpoint");
        }
        let begun = Instant::now();
        self.real
            .hands()
            .must(&format!("pg_ctl -D {} stop -m fast -t 100 && pg_ctl -D {} promote", old.data, new.data), 120);
        let took = begun.elapsed();
        self.real.lead_to(new);
        took
    }

    /// The guide's commands in its order, each ALTER NODE by a psql of its own.
    fn by_script(&self, who: Who, from: &str, to: &str) {
        let (old, new) = (self.real.instance(&format!("dn01@{from}")), self.real.instance(&format!("dn01@{to}")));
        let at = &new.endpoint;
        let alter = format!("alter node dn01 with (host='{}',port={})", at.host, at.port);
        let mut script = format!(
            "pg_ctl -Z datanode -D {} stop -m f -t 100 && pg_ctl -Z datanode -D {} promote || exit\n",
            old.data, new.data
        );
        for router in ["cn01@s29", "cn02@s47", &format!("dn01@{to}"), "dn02@s47"] {
            let (host, port) = self.real.endpoint(router);
            let psql = format!("psql -X -h {host} -p {port} -d postgres -U {}", self.real.user());
            let _ = writeln!(script, "{psql} -c \"{alter}\" || exit");
            if who == Who::GuideAndReload {
                let _ = writeln!(script, "{psql} -c 'select pgxc_pool_reload()' || exit");
            }
        }
        self.real.hands().must(&script, 150);
    }

    /// Once is enough: the new master stays down, both copies are lost to the cluster, and it has to be put back.
    fn pgxc_ctl(&mut self) -> Option<Move> {
        self.writers.iter().for_each(Writer::mark);
        let said = self.real.pgxc_ctl_failover("dn01")?;
        let waited = self.waited();
        say(&format!("peers: pgxc_ctl said:\n{said}\npeers: clients waited {waited:?}"));
        self.real.reset();
        self.writes_again();
        Some(Move { load: "steady", who: Who::PgxcCtl, waited, commands: None })
    }

    /// How long the unluckiest writer waited; none if one still does.
    fn waited(&self) -> Option<Duration> {
        // Who has written a moment ago may yet find out that nobody answers any more.
        std::thread::sleep(2 * WRITES);
        let begun = Instant::now();
        while begun.elapsed() < CAP {
            if self.writers.iter().all(|writer| writer.idle() < WRITES) {
                return self.writers.iter().map(Writer::gap).max();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    fn reload_everywhere(&self) {
        for coordinator in ["cn01@s29", "cn02@s47"] {
            self.real.tell(self.real.instance(coordinator), "select pgxc_pool_reload()");
        }
    }

    /// Waits until everybody has written for a while without a pause.
    fn writes_again(&self) {
        let quiet = || self.writers.iter().all(|writer| writer.gap() < WRITES);
        for _ in 0..200 {
            self.writers.iter().for_each(Writer::mark);
            std::thread::sleep(Duration::from_millis(500));
            if quiet() {
                return;
            }
        }
        panic!("the writers do not write again");
    }
}

fn rendered(moves: &[Move]) -> String {
    let mut out = "| load | who | moves | clients waited, median s | least to most s | times by hand | the two commands alone, median s |\n\
                   |---|---|---|---|---|---|---|\n"
        .to_owned();
    for load in ["steady", fat::NAME] {
        let of = |who: Who| moves.iter().filter(move |one| one.load == load && one.who == who);
        let waits = |who: Who| sorted(of(who).map(|one| one.waited.unwrap_or(CAP)));
        let by_hand = median(&waits(Who::Bare)).unwrap_or(f64::NAN);
        for who in [Who::Bare, Who::Unprepared, Who::Guide, Who::GuideAndReload, Who::PgxcCtl, Who::Otb] {
            let all = waits(who);
            let Some(middle) = median(&all) else { continue };
            let beyond = if middle >= CAP.as_secs_f64() { "> " } else { "" };
            let commands = median(&sorted(of(who).filter_map(|one| one.commands)));
            let _ = writeln!(
                out,
                "| {load} | {} | {} | {beyond}{middle:.3} | {:.3} to {:.3} | {beyond}{:.2} | {} |",
                who.words(),
                all.len(),
                all[0].as_secs_f64(),
                all[all.len() - 1].as_secs_f64(),
                middle / by_hand,
                commands.map_or(String::new(), |seconds| format!("{seconds:.3}")),
            );
        }
    }
    out
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut all: Vec<Duration> = times.collect();
    all.sort();
    all
}

fn median(sorted: &[Duration]) -> Option<f64> {
    sorted.get(sorted.len() / 2).map(Duration::as_secs_f64)
}
