use proptest::prelude::*;

use super::read::{read_histories, read_oldest_wal};
use super::*;
use crate::model::NodeKind;
use crate::opentenbase::command::tests::instance;

const MASTER: &str = "\
0 run pg_ctl: server is running (PID: 16181)
0 run /opt/opentenbase/bin/postgres \"--datanode\" \"-D\" \"/data/dn01\"
0 run.status 0
0 control pg_controldata: could not open file \"x\" for reading: Permission denied
0 control.status 1
0 mark opentenbase
0 mark.status 0
0 conf stat: cannot statx '/data/dn01/recovery.conf': No such file or directory
0 conf.status 1
0 text cat: /data/dn01/recovery.conf: No such file or directory
0 text.status 1
0 owner opentenbase
0 owner.status 0
0 disk Filesystem     1024-blocks     Used Available Capacity Mounted on
0 disk overlay          263174212 56012312 193720132      23% /
0 disk.status 0
0 proc S
0 cwd same
";

fn one(kind: NodeKind, text: &str) -> Probe {
    let instance = instance(kind);
    read_probe(&[Look { at: &instance, tools: Tools::All }], text).remove(0)
}

#[test]
fn a_running_master() {
    let probe = one(NodeKind::Datanode, MASTER);
    assert_eq!(probe.process, Fact::Known(Process::Running));
    assert_eq!(probe.control.reason().unwrap().kind, UnknownKind::Failed);
    let dir = probe.data_dir.known().unwrap();
    assert_eq!((dir.present, dir.free_bytes), (true, Some(193_720_132 * 1024)));
    assert_eq!(dir.recovery_conf, None);
}

#[test]
fn a_dead_but_unburied_process_and_a_stranger_are_no_server() {
    for text in [MASTER.replace("proc S", "proc Z"), MASTER.replace("cwd same", "cwd other")] {
        assert_eq!(one(NodeKind::Datanode, &text).process, Fact::Known(Process::Stopped));
    }
}

#[test]
fn a_standby_whose_recovery_conf_is_roots() {
    let text = MASTER
        .replace(
            "0 conf stat: cannot statx '/data/dn01/recovery.conf': No such file or directory\n0 conf.status 1",
            "0 conf root:644\n0 conf.status 0",
        )
        .replace(
            "0 text cat: /data/dn01/recovery.conf: No such file or directory\n0 text.status 1",
            "0 text # otb fence\n0 text standby_mode = on\n0 text primary_conninfo = 'host=h port=1'\n0 text.status 0",
        );
    let file = one(NodeKind::Datanode, &text).data_dir.known().unwrap().recovery_conf.clone().unwrap();
    assert_eq!((file.writable, file.rights.as_str(), file.fence), (false, "root:644", true));
    assert_eq!(file.upstream.unwrap().to_string(), "h:1");
}

#[test]
fn a_hanging_gtm_runs() {
    let text =
        MASTER.replace("0 run.status 0", "0 run.status 124").replace("0 run pg_ctl: server is running", "0 run x");
    assert_eq!(one(NodeKind::Gtm, &text).process, Fact::Known(Process::Running));
    assert!(one(NodeKind::Gtm, &text.replace("proc S", "proc gone")).process.known().is_none());
}

#[test]
fn no_directory_tells_nothing_of_a_process() {
    let text = MASTER
        .replace("0 mark opentenbase\n0 mark.status 0", "0 mark stat: '/x': No such file or directory\n0 mark.status 1")
        .replace("0 run.status 0", "0 run.status 4");
    let probe = one(NodeKind::Datanode, &text);
    assert!(probe.process.known().is_none());
    assert!(!probe.data_dir.known().unwrap().present);
}

/// It is asked inside the write gap: no file is read but the pid file, and no process is started to begin with.
#[test]
fn a_process_alone_is_asked_for_without_its_files() {
    let (a, b) = (instance(NodeKind::Datanode), instance(NodeKind::Datanode));
    let elsewhere = Instance { install: "/opt/other".to_owned(), ..instance(NodeKind::Datanode) };
    let of = |at, tools| probe_script(&[Look { at: &a, tools: Tools::Process }, Look { at, tools }]);
    let alone = of(&b, Tools::Process);
    assert!(alone.contains("\nalive 1 '/data/dn 01' PG_VERSION postmaster.pid\n"), "{alone}");
    assert!(!alone.contains("look") && !alone.contains("gather") && !alone.contains("(\n"), "{alone}");
    // Beside another one's tools, or what is read of its files, each has a subshell for its own tools.
    assert_eq!(of(&elsewhere, Tools::Process).matches("\n(\n").count(), 2);
    let beside = of(&b, Tools::All);
    assert!(beside.contains("\nalive 0 ") && beside.contains("\nlook 1 ") && beside.contains("\n(\n"), "{beside}");
    // What it says is enough to tell that nothing runs, and that there is nothing to tell of.
    let look = [Look { at: &a, tools: Tools::Process }];
    let read = |text: &str| read_probe(&look, text).remove(0).process;
    assert_eq!(read("0 run no server running: no postmaster.pid\n0 run.status 3\n"), Fact::Known(Process::Stopped));
    let absent = "0 run x\n0 run.status 4\n0 mark No such file or directory\n0 mark.status 1\n";
    assert!(read(absent).reason().unwrap().why.contains("does not exist"));
}

#[test]
fn histories_are_read_per_timeline() {
    let text = "00000002 1\t0/3000148\tno recovery target specified\n00000003 # a comment\n\
                00000003 1\t0/3000148\tno\n00000003 2\t0/5000000\tno\nrubbish\n00000004 x y\n";
    let switch = |timeline, at: &str| TimelineSwitch { timeline: Timeline(timeline), at: at.parse().unwrap() };
    let histories = read_histories(text);
    assert_eq!(histories[&Timeline(2)], [switch(1, "0/3000148")]);
    assert_eq!(histories[&Timeline(3)], [switch(1, "0/3000148"), switch(2, "0/5000000")]);
    assert_eq!(histories.len(), 2);
}

#[test]
fn the_oldest_wal_file_tells_where_wal_begins() {
    let of = |text: &str| read_oldest_wal(text).known().copied();
    let at = |lsn: &str| Some(lsn.parse().unwrap());
    assert_eq!(of("000000020000000000000003\n000000030000000000000005"), at("0/3000000"));
    assert_eq!(of("0000000100000002000000FF\n000000020000000300000000"), at("2/FF000000"));
    // Nothing, something else, or segments of another size: nothing is made up.
    for text in ["", "00000001000000000000000", "000000010000000000000100", "00000001000000000000XYZW"] {
        assert_eq!(of(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_cut_answer_never_makes_a_fact_up(cut in 0..MASTER.len()) {
        let whole = one(NodeKind::Datanode, MASTER);
        let probe = one(NodeKind::Datanode, &MASTER[..cut]);
        prop_assert!(probe.process.known().is_none() || probe.process == whole.process);
        prop_assert!(probe.data_dir.known().is_none_or(|dir| dir.present && dir.recovery_conf.is_none()));
    }

    #[test]
    fn any_text_is_read(text in "([0-2] (run|conf|text|mark|control|disk|proc|cwd)(.status)? .{0,20}\n){0,20}") {
        let (a, b) = (instance(NodeKind::Gtm), instance(NodeKind::Coordinator));
        let looks = [Look { at: &a, tools: Tools::All }, Look { at: &b, tools: Tools::None }];
        prop_assert_eq!(read_probe(&looks, &text).len(), 2);
    }
}
