//! Two masters of one node on real processes: what clients wrote to the copy that is kept is there, what they wrote to
//! the other is in the directory that is kept aside; and the same of the GTM, whose clock decides.

use otb::model::Instance;

use crate::cluster::Real;
use crate::mishaps::{declare, declare_node, kill_with, recovery};
use crate::rows::table;
use crate::support::ground::{Ran, TestCluster as _};

const WAIVED: [&str; 4] = ["--waive", "split-brain:dn01", "--reason", "CHG-1"];

/// Each router's clients write to another copy; the one that is declared is kept.
pub(crate) fn rows_of_both(real: &Real) {
    let rows = two_written_to(real, promoted);
    applies(real, &WAIVED);
    are_of_the_kept_one(real, &rows);
}

/// The same beside a third copy, which follows the master that is given up: it has that one's row, and the kept one's
/// afterwards; as it was it is kept aside, too.
pub(crate) fn rows_of_both_and_of_a_standby(real: &Real) {
    let third = real.with_a_third_copy("dn01");
    let rows = two_written_to(&third, promoted);
    applies(&third, &WAIVED);
    are_of_the_kept_one(&third, &rows);
    third_is_of_the_kept_one(&third, &rows);
}

/// The same under one timeline, and otb is killed when it has stopped the one that is given up: no number tells any more
/// that what the third copy holds is no part of what is kept.
pub(crate) fn rows_of_both_under_one_timeline(real: &Real) {
    let third = real.with_a_third_copy("dn01");
    let rows = two_written_to(&third, without_recovery_conf);
    let timelines = ["s29", "s47", "s63"].map(|server| {
        let copy = third.instance(&format!("dn01@{server}"));
        third.hands().must(&format!("pg_controldata {} | grep 'TimeLineID:' | sort -u", copy.data), 10)
    });
    assert!(timelines.iter().all(|timeline| *timeline == timelines[0]), "{timelines:?}");
    kill_with(&third, &WAIVED, "done     stop:dn01@s29");
    let said = applies(&third, &[]);
    let [standby, master] = ["rejoin:dn01@s63", "rejoin:dn01@s29"].map(|step| said.find(step));
    assert!(standby.is_some() && standby < master, "{said}");
    are_of_the_kept_one(&third, &rows);
    third_is_of_the_kept_one(&third, &rows);
}

/// The rows by which one can tell.
struct Written {
    /// On the copy that is kept.
    kept: i32,
    /// On the one that is given up.
    lost: i32,
}

/// The standby becomes a second master in the way of `second`, and clients of each router write to another one.
fn two_written_to(real: &Real, second: fn(&Real, &Instance)) -> Written {
    table(real);
    let new = real.instance("dn01@s47");
    second(real, new);
    let (cn01, cn02) = (real.instance("cn01@s29"), real.instance("cn02@s47"));
    real.tell(cn02, &format!("alter node dn01 with (host='{}',port={})", new.endpoint.host, new.endpoint.port));
    real.tell(cn02, "select pgxc_pool_reload()");
    let of_dn01 = "select id from otb_rows where xc_node_id = (select node_id from pgxc_node where node_name = 'dn01')";
    let ids: Vec<i32> = real.sql("cn01@s29", of_dn01).stdout.lines().map(|id| id.parse().unwrap()).collect();
    let (lost, kept) = (ids[0], ids[1]);
    real.tell(cn01, &format!("update otb_rows set n = 29 where id = {lost}"));
    real.tell(cn02, &format!("update otb_rows set n = 47 where id = {kept}"));

    declare(real, "s47");
    let ran = apply(real, &[]);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("--waive split-brain:dn01 --reason"), "{}", ran.stdout);
    assert_eq!((recovery(real, "s29").as_str(), recovery(real, "s47").as_str()), ("f", "f"), "nothing was touched");
    Written { kept, lost }
}

fn promoted(real: &Real, standby: &Instance) {
    real.hands().must(&format!("pg_ctl -D {} promote -w", standby.data), 90);
}

/// Whoever removes recovery.conf and starts the standby gets a master on the timeline of the other.
fn without_recovery_conf(real: &Real, standby: &Instance) {
    let data = &standby.data;
    let start = format!(
        "pg_ctl -D {data} stop -m fast -w -t 60 && rm {data}/recovery.conf && \
         pg_ctl -Z datanode -D {data} -l {data}.log start -w -t 60 </dev/null >{data}.out 2>&1"
    );
    real.hands().must(&start, 120);
    assert_eq!(recovery(real, "s47"), "f");
}

fn are_of_the_kept_one(real: &Real, Written { kept, lost }: &Written) {
    assert_eq!((recovery(real, "s29").as_str(), recovery(real, "s47").as_str()), ("t", "f"));
    for router in ["cn01@s29", "cn02@s47"] {
        let n = |id| real.sql(router, &format!("select n from otb_rows where id = {id}")).stdout.trim().to_owned();
        assert_eq!((n(kept).as_str(), n(lost).as_str()), ("47", "0"), "through {router}");
    }
    assert_eq!(of_the_directory_aside(real, real.instance("dn01@s29"), *lost), "29", "what was given up is on disk");
}

fn third_is_of_the_kept_one(real: &Real, Written { kept, lost }: &Written) {
    assert_eq!(recovery(real, "s63"), "t");
    let follows = "select conninfo like '%.47 %' from pg_stat_wal_receiver where status = 'streaming'";
    assert_eq!(real.sql("dn01@s63", follows).stdout.trim(), "t", "the third copy follows the master that is kept");
    let n = |id| real.sql("dn01@s63", &format!("select n from otb_rows where id = {id}")).stdout.trim().to_owned();
    assert_eq!((n(kept).as_str(), n(lost).as_str()), ("47", "0"), "on the third copy");
    let aside = of_the_directory_aside(real, real.instance("dn01@s63"), *lost);
    assert_eq!(aside, "29", "the third copy had followed the other");
}

/// Started under another port as it lies there: its fence makes it a standby that can be read.
fn of_the_directory_aside(real: &Real, copy: &Instance, id: i32) -> String {
    let (data, host) = (&copy.data, &copy.endpoint.host);
    let aside = real.hands().must(&format!("ls -d {data}.otb-aside-*"), 10).trim().to_owned();
    let start = format!(
        "pg_ctl -Z datanode -D {aside} -o '-p 23909 -c pooler_port=24909' -l {aside}.log start -w -t 60 \
         </dev/null >{aside}.out 2>&1 || cat {aside}.log {aside}/log/pg.log"
    );
    let said = real.hands().must(&start, 90);
    let select = format!(
        "psql -AtX -h {host} -p 23909 -U {} -d postgres -c 'select n from otb_rows where id = {id}'",
        real.user()
    );
    let ran = real.hands().run(&select, &[], 30);
    real.hands().must(&format!("pg_ctl -D {aside} stop -m fast -w"), 60);
    assert_eq!(ran.code, 0, "{said}{}", ran.stderr);
    ran.stdout.trim().to_owned()
}

/// What apply says, which does what is declared.
fn applies(real: &Real, more: &[&str]) -> String {
    let ran = apply(real, more);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

fn apply(real: &Real, more: &[&str]) -> Ran {
    let words = ["apply", "--auto-approve"].iter().chain(more);
    real.otb(&words.map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

/// The old GTM is started again as the active one, as an operator would who does not know better: its clock leaps ahead
/// by the time it had reserved. Nodes that saw a commit of it refuse who comes from the other: only it can be kept.
pub(crate) fn gtm_started_again(real: &Real) {
    let (old, new) = (real.instance("gtm_1@s29"), real.instance("gtm_1@s47"));
    declare_node(real, "gtm_1", "s47");
    let ran = apply(real, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    table(real);
    real.hands().must(
        &format!(
            "gtm_ctl -Z gtm -D {0} stop -m fast; printf '\\nstartup = ACT\\n' >>{0}/gtm.conf; \
             gtm_ctl -Z gtm -D {0} start </dev/null >{0}.out 2>&1; sleep 2",
            old.data
        ),
        60,
    );
    let count = |router: &str| real.sql(router, "select count(*) from otb_rows where n = 1");
    real.tell_of_gtm_at("cn02@s47", old);
    real.tell(real.instance("cn02@s47"), "update otb_rows set n = 1");
    let too_old = |router: &str| {
        let ran = count(router);
        // A v5 router that has itself seen a later timestamp says it in other words.
        let said = ["is too old", "is earlier than local gts"].iter().any(|words| ran.stderr.contains(words));
        assert!(said, "{router}: {}{}", ran.stdout, ran.stderr);
    };
    // The datanodes have seen a commit that this router's GTM has not come to.
    too_old("cn01@s29");
    assert_eq!(count("cn02@s47").stdout.trim(), "400");
    let waived = ["--waive", "split-brain:gtm_1", "--reason", "CHG-1"];
    let ran = apply(real, &waived);
    assert_eq!(ran.code, 3, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("a node that saw a later commit refuses all statements"), "{}", ran.stdout);
    real.tell_of_gtm_at("cn02@s47", new);
    too_old("cn02@s47");
    real.tell_of_gtm_at("cn02@s47", old);

    declare_node(real, "gtm_1", "s29");
    let mut ran = apply(real, &waived);
    // A router of v5 that sees the later timestamp between two looks refuses the second.
    if ran.code == 4 {
        ran = apply(real, &waived);
    }
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(count("cn01@s29").stdout.trim(), "400");
    let conf = real.hands().must(&format!("grep -E '^(startup|active_host)' {}/gtm.conf | tail -n 2", new.data), 10);
    assert!(conf.contains("STANDBY") && conf.contains(old.endpoint.host.as_str()), "{conf}");
}
