//! Copies of a node beside its master and the standby that takes over: what keeps them from being masters.

use crate::cluster::Real;
use crate::mishaps::{declare, declare_node, recovery};
use crate::rows::table;
use crate::support::ground::{Ran, TestCluster as _};

/// A third copy that is stopped and has lost its recovery.conf, and then a master that was killed: by their files both
/// would come up as masters. Left alone after the move, and started by hand, they come up as standbys.
pub(crate) fn stopped_copies_stay_fenced(real: &Real) {
    let third = real.with_a_third_copy("dn01");
    let real: &Real = &third;
    table(real);
    let rejoining = left_alone(real);
    let copy = real.instance("dn01@s63");
    real.hands().must(&format!("pg_ctl -D {0} stop -m fast && rm {0}/recovery.conf", copy.data), 60);
    declare(real, "s47");
    applies_with(real, "fence:dn01@s63");
    for old in ["dn01@s29", "dn01@s63"] {
        comes_up_harmless(real, old, "dn01@s47");
    }

    crate::cluster::Hands::kill(real.instance("dn01@s47").data.as_ref());
    declare(real, "s63");
    applies_with(real, "fence:dn01@s47");
    comes_up_harmless(real, "dn01@s47", "dn01@s63");

    std::fs::write(real.file(), rejoining).unwrap();
    declare(real, "s29");
    applies_with(real, "rejoin:dn01@s47");
}

/// A GTM with two standbys moves, and the one that was told anew takes over next: it can only if it streamed, and only
/// then no value of a sequence comes twice.
pub(crate) fn the_gtms_other_standby_has_everything(real: &Real) {
    let third = real.with_a_third_copy("gtm_1");
    let real: &Real = &third;
    real.tell(real.instance("cn01@s29"), "create sequence otb_values");
    let mut last = 0;
    let mut next = |router: &str| {
        let ran = real.sql(router, "select nextval('otb_values')");
        let value: i64 = ran.stdout.trim().parse().unwrap_or_else(|_| panic!("{router}: {}{}", ran.stdout, ran.stderr));
        assert!(value > last, "{router}: {value} after {last}");
        last = value;
    };
    next("cn01@s29");
    declare_node(real, "gtm_1", "s47");
    applies_with(real, "rejoin:gtm_1@s63");
    real.follow_the_gtm(&["gtm_1@s29", "gtm_1@s63"], "gtm_1@s47");
    for _ in 0..20 {
        next("cn01@s29");
        next("cn02@s47");
    }
    // An idle GTM writes a record every five seconds: what is in its log by then both standbys have.
    real.follow_the_gtm(&["gtm_1@s63"], "gtm_1@s47");
    crate::cluster::Hands::kill(real.instance("gtm_1@s47").data.as_ref());
    declare_node(real, "gtm_1", "s63");
    applies_with(real, "rejoin:gtm_1@s29");
    real.follow_the_gtm(&["gtm_1@s29", "gtm_1@s47"], "gtm_1@s63");
    next("cn02@s47");
    next("cn01@s29");
    declare_node(real, "gtm_1", "s29");
    applies_with(real, "rejoin:gtm_1@s63");
    next("cn01@s29");
    real.tell(real.instance("cn01@s29"), "drop sequence otb_values");
}

/// Otherwise otb makes them standbys itself, and nobody has to start anything. Gives back the file as it was.
fn left_alone(real: &Real) -> String {
    let text = std::fs::read_to_string(real.file()).unwrap();
    assert!(text.contains("old_master: rejoin"), "{text}");
    std::fs::write(real.file(), text.replace("old_master: rejoin", "old_master: leave")).unwrap();
    text
}

fn applies_with(real: &Real, step: &str) {
    let ran: Ran = real.otb(&["apply", "--auto-approve"].map(str::to_owned));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains(step), "{step} is not in\n{}", ran.stdout);
}

/// Started by hand: it is in recovery, refuses writes even of those who ask for them, and routers go where they did.
fn comes_up_harmless(real: &Real, old: &str, master: &str) {
    let (copy, (host, port)) = (real.instance(old), real.endpoint(old));
    let start = format!("pg_ctl -Z datanode -D {0} -l {0}.log start -w -t 60 </dev/null >{0}.out 2>&1", copy.data);
    real.hands().must(&start, 90);
    assert_eq!(recovery(real, copy.id.server.as_str()), "t", "{old}");
    let write = format!(
        "PGOPTIONS='-c allow_dml_on_datanode=on' psql -AtX -h {host} -p {port} -U {} -d postgres \
         -c 'update otb_rows set n = 13'",
        real.user()
    );
    let ran = real.hands().run(&write, &[], 30);
    assert!(ran.stderr.contains("read-only transaction"), "{old}: {}{}", ran.stdout, ran.stderr);
    let started = |at: &str, ask: &str| real.sql(at, ask).stdout.trim().to_owned();
    let of_master = started(master, "select pg_postmaster_start_time()");
    for router in ["cn01@s29", "cn02@s47"] {
        let through = started(router, "execute direct on (dn01) 'select pg_postmaster_start_time()'");
        assert_eq!(through, of_master, "{router} with {old} started");
        real.tell(real.instance(router), "update otb_rows set n = n + 1");
    }
}

/// A promotion that is asked for while replay is paused comes once it goes on. The master that was stopped for it is not
/// started again before that standby has been stopped, word for word as the hint says.
pub(crate) fn nobody_turns_back_before_a_promotion(real: &Real) {
    declare(real, "s29");
    let (standby, asked) = (real.instance("dn01@s47"), "select pg_wal_replay_pause()");
    assert_eq!(real.sql("dn01@s47", asked).code, 0);
    let ran = real.fault(&["stop", "dn01@s29"].map(str::to_owned));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    real.hands().must(&format!("pg_ctl -Z datanode -D {} promote -W", standby.data), 10);
    let ran = real.otb(&["apply", "--auto-approve"].map(str::to_owned));
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("block   promotion:dn01@s47"), "{}", ran.stdout);
    let (_, rest) = ran.stdout.split_once("on s47 run `").unwrap();
    real.hands().must(rest.split_once('`').unwrap().0, 60);
    let ran = real.otb(&["apply", "--auto-approve"].map(str::to_owned));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!([recovery(real, "s29"), recovery(real, "s47")], ["f", "t"]);
}
