//! Every reader of what a script printed, with lines around its own that others printed: a tool that is wrapped, a loader
//! that complains. (What a login shell prints is taken away before: `transport/shell/wrap.rs`.)

use super::command::tests::instance;
use super::*;
use crate::model::NodeKind;

const BEFORE: &str = "Welcome to db-29\n\nERROR: ld.so: object 'x.so' cannot be preloaded: ignored.\n";
const BEHIND: &str = "\nlogout\nGood bye: 1|x\n";

/// The reading of `text` is the same with foreign lines around it.
#[track_caller]
fn is_read<T: PartialEq + std::fmt::Debug>(text: &str, read: impl Fn(&str) -> T) {
    let nothing = read("");
    assert_ne!(read(text), nothing, "{text}");
    assert_eq!(read(&format!("{BEFORE}{text}{BEHIND}")), read(text), "{text}");
    assert_eq!(read(&format!("{BEFORE}{BEHIND}")), nothing);
}

#[test]
fn foreign_lines_change_no_reading() {
    let dn = instance(NodeKind::Datanode);
    let looks = [Look { at: &dn, tools: Tools::All }];
    is_read(
        "0 run pg_ctl: server is running (PID: 1)\n0 run.status 0\n0 proc S\n0 cwd same\n0 mark otb\n0 mark.status 0\n",
        |text| read_probe(&looks, text),
    );
    is_read("name db-29\ndir node /data/dn01\nconf port = 23001\nend\n", read_data_dir_scan);
    is_read("standby_mode = on\nprimary_conninfo = 'host=10.0.0.47 port=23001 user=otb'\n", |text| {
        (read_recovery_conf(text), replication_user(text))
    });
    is_read("startup = STANDBY\nactive_host = '10.0.0.47'\nactive_port = 21000\n", read_gtm_conf);
    is_read("7713789778691097467|1|0/30087E8|\n", read_replication_access);
    is_read("pg_ctl: server is running (PID: 16181)\n", |text| read_pg_status(0, text).ok());
    is_read("gtm_ctl: server is running (PID: 15234)\ncurrent node [primary] gts[1]\n", |text| {
        read_gtm_status_text(0, text).ok()
    });
    let control = include_str!("../../tests/support/controldata.txt");
    is_read(control, |text| read_control(text).ok());
    let stopped = read_control(control).unwrap();
    is_read(
        "pg_waldump: FATAL:  error in WAL record at 0/2065FF0: invalid record length at 0/2066040: wanted 24, got 0\n",
        |text| read_end_of_wal(text, &stopped).ok(),
    );
    is_read("0 says x\n0 says .\n0 lines 2\n0 status 3\n", |text| {
        let mut answers = Answers::to(1);
        text.lines().filter_map(|line| answers.line(line)).collect::<Vec<_>>()
    });
    is_read("held\n", |text| text.lines().find_map(read_lock));
    is_read("taken otb ann@host, pid 1\n", |text| text.lines().find_map(read_lock));
}
