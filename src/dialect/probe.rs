//! One script that looks at every instance of a server, and the reader of what it prints.
//!
//! Each line of the output is `NUMBER KEY TEXT`, whatever the tools say: the number is the instance's place in
//! the list, `KEY.status` carries a tool's exit status. Nothing is written and nothing is asked of a server
//! but by gtm_ctl, within two seconds.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::command::{controldata, status};
use super::shell::surroundings;
use super::{
    StandbyConf, quote, read_control, read_gtm_conf, read_gtm_status_text, read_pg_status, read_recovery_conf, shown,
};
use super::{around, replication_user};
use crate::model::{
    Control, DataDir, Fact, Instance, NodeKind, Process, RecoveryFile, Role, Surroundings, Timeline, TimelineSwitch,
    UnknownKind,
};

/// The parts that are the same for each instance. `try` runs a command and tags what it says; `look` tells of
/// the files below a data directory. /proc tells a process that is dead but unburied, or a stranger that got the
/// number of a dead one, from the real one; where there is no /proc, the tools' word counts.
///
/// A plan looks at every instance, and each process that it does not start there is a millisecond less: lines are
/// tagged by the shell's own word splitting, small files are read by `read`, and `gather` runs one stat and one df
/// for all. Only if those fail is each file asked for by itself, to learn which and why.
const FUNCTIONS: &str = r#"set -f; IFS='
'
files= tags= dirs= numbers=
try() { key=$1; shift; said=$("$@" 2>&1); status=$?
for line in $said; do printf '%s\n' "$n $key $line"; done; echo "$n $key.status $status"; }
seen() { if test -e "$2"; then files=$files$2$IFS tags="$tags$n $1$IFS"
elif test -x "$data" && ! test -L "$2"; then echo "$n $1 No such file or directory"; echo "$n $1.status 1"
else try "$1" stat -L -c '%U:%a' "$2"; fi; }
look() { n=$1; data=$2; mark=$3; conf=$2/$4; pidfile=$5; pid=; count=0
seen mark "$data/$mark"; seen conf "$conf"; seen owner "$data"
if test -f "$conf" && test -r "$conf"; then
while test $count -lt 2000 && { read -r line || test -n "$line"; }; do count=$((count + 1)); printf '%s\n' "$n text $line"; done <"$conf"
echo "$n text.status 0"
elif test -e "$conf"; then try text head -c 65536 "$conf"; fi
if test -d "$data"; then dirs=$dirs$data$IFS numbers=$numbers$n$IFS; fi
set +f; set -- "$data"/pg_wal/????????.history; set -f
for file; do test -r "$file" || continue; name=${file##*/}
while read -r line; do printf '%s\n' "$n history ${name%.history} $line"; done <"$file"; done
read -r pid 2>/dev/null <"$data/$pidfile"; pid=${pid%%[!0-9]*}
if test -n "$pid" && test -r /proc/self/stat; then
proc=gone; read -r proc 2>/dev/null <"/proc/$pid/stat"; proc=${proc##*) }; echo "$n proc ${proc%% *}"
if test -e "$data/." && test -e "/proc/$pid/cwd/."; then test "$data" -ef "/proc/$pid/cwd"
case $? in 0) echo "$n cwd same";; 1) echo "$n cwd other";; esac; fi
fi; }
gather() { if test -n "$files"; then said=$(stat -L -c '%U:%a' $files 2>/dev/null); status=$?
set -- $tags
if test $status = 0; then for line in $said; do echo "$1 $line"; echo "$1.status 0"; shift; done
else for file in $files; do n=${1%% *}; try "${1#* }" stat -L -c '%U:%a' "$file"; shift; done; fi; fi
if test -n "$dirs"; then said=$(df -P -k $dirs 2>/dev/null); status=$?
set -- head $numbers
if test $status = 0; then for line in $said; do test "$1" = head || { echo "$1 disk $line"; echo "$1 disk.status 0"; }; shift; done
else shift; for dir in $dirs; do n=$1; try disk df -P -k "$dir"; shift; done; fi; fi; }
"#;

/// One instance to look at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub at: &'a Instance,
    /// Whether its own tools are run to learn what the process does: not needed where it says so itself.
    pub tools: bool,
}

/// How many instances one script may look at: beyond, several scripts do it side by side, and the lists of files
/// stay below what a process takes as arguments.
pub const MOST_LOOKS: usize = 100;

/// What the shell knows of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    pub process: Fact<Process>,
    /// A GTM's, by gtm_ctl.
    pub role: Option<Role>,
    pub control: Fact<Control>,
    pub data_dir: Fact<DataDir>,
    /// Where the ancestors of each timeline that has a history file ended.
    pub histories: BTreeMap<Timeline, Vec<TimelineSwitch>>,
    /// Told by [`survey_script`] only.
    pub surroundings: Fact<Surroundings>,
    /// What the server's clock said, as [`super::read_clock`] reads it.
    pub clock: Option<(i64, i64)>,
    /// Told by [`survey_script`] only.
    pub tools_version: Fact<String>,
}

/// The script for `looks`, all of one server and at most [`MOST_LOOKS`].
pub fn probe_script(looks: &[Look<'_>]) -> String {
    script(looks, false)
}

/// As [`probe_script`], and what stands around the instances as well.
pub fn survey_script(looks: &[Look<'_>]) -> String {
    script(looks, true) + &tools_script(looks)
}

fn script(looks: &[Look<'_>], around: bool) -> String {
    let mut script = String::from("cd /\n");
    script.push_str(FUNCTIONS);
    if around {
        script.push_str(&around::server_script(looks));
    }
    for (number, Look { at, tools }) in looks.iter().enumerate().filter(|(_, look)| look.tools || around) {
        // A subshell each, so that one's installation is not the next one's. Writing to a String cannot fail.
        let _ = writeln!(script, "( n={number}\n{}", surroundings(&at.install).trim_end());
        if *tools {
            let _ = writeln!(script, "try run {}", status(at));
            if at.kind.is_router() {
                let _ = writeln!(script, "try control {}", controldata(at));
            }
        }
        if around {
            script.push_str(&around::instance_script(at));
        }
        script.push_str(")\n");
    }
    script.push_str("LC_ALL=C; export LC_ALL\n");
    for (number, Look { at, .. }) in looks.iter().enumerate() {
        let files = files(at.kind);
        let _ = writeln!(script, "look {number} {} {} {} {}", quote(&at.data), files.mark, files.conf, files.pid);
    }
    script.push_str("gather\n");
    script
}

/// Asks the tools of each installation for their version, once. (gtm_ctl has no `--version`.)
fn tools_script(looks: &[Look<'_>]) -> String {
    let mut script = String::new();
    for (number, Look { at, .. }) in
        looks.iter().enumerate().filter(|(number, _)| asked_by(looks, *number) == Some(*number))
    {
        let _ = writeln!(script, "( n={number}\n{}try version pg_ctl --version )", surroundings(&at.install));
    }
    script
}

/// The number under which the version of an instance's tools is told.
fn asked_by(looks: &[Look<'_>], number: usize) -> Option<usize> {
    let install = &looks.get(number).filter(|look| look.at.kind.is_router())?.at.install;
    looks.iter().position(|look| look.at.kind.is_router() && look.at.install == *install)
}

/// Reads what the script printed: one [`Probe`] for each of the same looks.
pub fn read_probe(looks: &[Look<'_>], text: &str) -> Vec<Probe> {
    let mut said: BTreeMap<(usize, String), String> = BTreeMap::new();
    // A line without its end is no answer.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    for line in whole.lines() {
        let mut words = line.splitn(3, ' ');
        let number = words.next().and_then(|word| word.parse::<usize>().ok());
        if let (Some(number), Some(key)) = (number, words.next()) {
            let lines = said.entry((number, key.to_owned())).or_default();
            lines.push_str(words.next().unwrap_or_default());
            lines.push('\n');
        }
    }
    looks
        .iter()
        .enumerate()
        .map(|(number, look)| {
            let version = asked_by(looks, number).map(|number| read_version(&Said { number, said: &said }));
            let tools_version = version.unwrap_or_else(|| Fact::not_asked("gtm_ctl does not tell its version"));
            Probe { tools_version, ..read_one(*look, &Said { number, said: &said }) }
        })
        .collect()
}

/// Everything unknown for the same reason.
pub fn no_probe(kind: UnknownKind, why: &str) -> Probe {
    Probe {
        process: Fact::unknown(kind, why),
        role: None,
        control: Fact::unknown(kind, why),
        data_dir: Fact::unknown(kind, why),
        histories: BTreeMap::new(),
        surroundings: Fact::unknown(kind, why),
        clock: None,
        tools_version: Fact::unknown(kind, why),
    }
}

struct Files {
    /// A file that every data directory of this kind has.
    mark: &'static str,
    conf: &'static str,
    pid: &'static str,
}

fn files(kind: NodeKind) -> Files {
    match kind {
        NodeKind::Gtm => Files { mark: "gtm.conf", conf: "gtm.conf", pid: "gtm.pid" },
        _ => Files { mark: "PG_VERSION", conf: "recovery.conf", pid: "postmaster.pid" },
    }
}

/// What was said of one instance.
struct Said<'a> {
    number: usize,
    said: &'a BTreeMap<(usize, String), String>,
}

impl Said<'_> {
    fn text(&self, key: &str) -> &str {
        self.said.get(&(self.number, key.to_owned())).map_or("", |text| text.trim_end_matches('\n'))
    }

    /// A tool's exit status and output; nothing if the output ends before it.
    fn tool(&self, key: &str) -> Option<(i32, &str)> {
        let status = self.text(&format!("{key}.status")).parse().ok()?;
        Some((status, self.text(key)))
    }
}

fn read_one(Look { at, tools }: Look<'_>, said: &Said) -> Probe {
    let kind = at.kind;
    let data_dir = read_data_dir(kind, said);
    let (surroundings, clock) = read_surroundings(at, said);
    let (histories, tools_version) = (read_histories(said.text("history")), Fact::not_asked("it was not asked"));
    if !tools {
        let why = "the process answers for itself";
        let (process, control) = (Fact::not_asked(why), Fact::not_asked(why));
        return Probe { process, role: None, control, data_dir, histories, surroundings, clock, tools_version };
    }
    let (process, role) = read_process(kind, said, data_dir.known().is_none_or(|dir| dir.present));
    let control = match (kind, said.tool("control")) {
        (NodeKind::Gtm, _) => Fact::not_asked("a GTM has no pg_control"),
        (_, Some((0, text))) => known_or(UnknownKind::Unreadable, read_control(text)),
        (_, Some((_, text))) => Fact::unknown(UnknownKind::Failed, shown(text)),
        (_, None) => cut_off("pg_controldata"),
    };
    Probe { process, role, control, data_dir, histories, surroundings, clock, tools_version }
}

/// The instance's status is told after everything around it: once it is there, nothing is missing.
fn read_surroundings(instance: &Instance, said: &Said) -> (Fact<Surroundings>, Option<(i64, i64)>) {
    let server = Said { number: 0, said: said.said };
    let clock = server.tool("clock");
    if said.tool("mark").is_none() || clock.is_none() {
        return (cut_off("what stands around it"), None);
    }
    let around = around::read(instance, &|key| server.text(key).to_owned(), &|key| said.text(key).to_owned());
    (Fact::Known(around), clock.and_then(|(_, text)| super::read_clock(text)))
}

/// `pg_ctl (PostgreSQL) 10.0 OpenTenBase V2`
fn read_version(said: &Said) -> Fact<String> {
    match said.tool("version") {
        Some((0, text)) => match text.split_once(") ") {
            Some((_, version)) => Fact::Known(shown(version)),
            None => Fact::unknown(UnknownKind::Unreadable, shown(text)),
        },
        Some((_, text)) => Fact::unknown(UnknownKind::Failed, shown(text)),
        None => cut_off("pg_ctl --version"),
    }
}

fn read_process(kind: NodeKind, said: &Said, present: bool) -> (Fact<Process>, Option<Role>) {
    let Some((status, text)) = said.tool("run") else { return (cut_off("the status command"), None) };
    let (proc, cwd) = (said.text("proc"), said.text("cwd"));
    let read = match kind {
        NodeKind::Gtm => read_gtm_status_text(status, text),
        _ => read_pg_status(status, text).map(|process| (process, None)),
    };
    match read {
        _ if !present => (Fact::unknown(UnknownKind::Failed, "its data directory is not there"), None),
        Ok((Process::Running, _)) if proc == "Z" || cwd == "other" => (Fact::Known(Process::Stopped), None),
        Ok((process, role)) => (Fact::Known(process), role),
        // A GTM that hangs: gtm_ctl hangs with it, but its process is there.
        Err(_) if kind == NodeKind::Gtm && !matches!(proc, "" | "Z" | "gone") && cwd == "same" => {
            (Fact::Known(Process::Running), None)
        }
        Err(why) => (Fact::unknown(UnknownKind::Failed, why), None),
    }
}

fn read_data_dir(kind: NodeKind, said: &Said) -> Fact<DataDir> {
    let Some((status, text)) = said.tool("mark") else { return cut_off("a look at the data directory") };
    let present = match (status, is_absent(text)) {
        (0, _) => true,
        (_, true) => false,
        _ => return Fact::unknown(UnknownKind::Failed, shown(text)),
    };
    let free_bytes = said.tool("disk").filter(|(status, _)| *status == 0).and_then(|(_, text)| read_df(text));
    let recovery_conf = match (said.tool("conf"), said.tool("text")) {
        (Some((0, _)), Some((1.., text))) if kind == NodeKind::Gtm => {
            return Fact::unknown(UnknownKind::Failed, shown(text));
        }
        (Some((0, rights)), Some((read, text))) => {
            let owner = said.text("owner").split(':').next().unwrap_or_default();
            recovery_file(kind, rights, owner, read == 0, text)
        }
        (Some((_, error)), _) if is_absent(error) => None,
        (Some((_, error)), _) => return Fact::unknown(UnknownKind::Failed, shown(error)),
        _ => return cut_off("a look at the data directory"),
    };
    Fact::Known(DataDir { present, recovery_conf, free_bytes })
}

/// For a GTM the lines of gtm.conf that make it a standby stand for recovery.conf.
fn recovery_file(kind: NodeKind, rights: &str, owner: &str, readable: bool, text: &str) -> Option<RecoveryFile> {
    let conf = match (kind, readable) {
        (_, false) => StandbyConf { standby: true, ..StandbyConf::default() },
        (NodeKind::Gtm, true) => read_gtm_conf(text),
        (_, true) => StandbyConf { standby: true, ..read_recovery_conf(text) },
    };
    let (user, mode) = rights.rsplit_once(':')?;
    let owner_writes = u32::from_str_radix(mode, 8).is_ok_and(|mode| mode & 0o200 != 0);
    conf.standby.then(|| RecoveryFile {
        writable: user == owner && owner_writes,
        rights: shown(rights),
        upstream: conf.upstream,
        user: replication_user(text).filter(|_| kind.is_router()),
        fence: conf.fence,
    })
}

/// Lines of `pg_wal/*.history`, each behind its file's timeline: `00000002 1<TAB>0/3000148<TAB>why`. Comments and
/// empty lines are legal in such files.
fn read_histories(text: &str) -> BTreeMap<Timeline, Vec<TimelineSwitch>> {
    let mut histories: BTreeMap<Timeline, Vec<TimelineSwitch>> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let timeline = words.next().and_then(|hex| u32::from_str_radix(hex, 16).ok()).map(Timeline);
        let parent = words.next().and_then(|word| word.parse().ok()).map(Timeline);
        let at = words.next().and_then(|word| word.parse().ok());
        if let (Some(timeline), Some(parent), Some(at)) = (timeline, parent, at) {
            histories.entry(timeline).or_default().push(TimelineSwitch { timeline: parent, at });
        }
    }
    histories
}

/// `df -P -k`: the fourth column of the last line is free KiB.
fn read_df(text: &str) -> Option<u64> {
    let kib: u64 = text.lines().last()?.split_whitespace().nth(3)?.parse().ok()?;
    kib.checked_mul(1024)
}

fn is_absent(error: &str) -> bool {
    error.contains("No such file or directory")
}

fn known_or<T>(kind: UnknownKind, read: Result<T, String>) -> Fact<T> {
    match read {
        Ok(value) => Fact::Known(value),
        Err(why) => Fact::unknown(kind, shown(&why)),
    }
}

fn cut_off<T>(what: &str) -> Fact<T> {
    Fact::unknown(UnknownKind::Unreadable, format!("the shell's answer ends before {what}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::command::tests::instance;

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
        read_probe(&[Look { at: &instance, tools: true }], text).remove(0)
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
            .replace("0 conf stat: cannot statx '/data/dn01/recovery.conf': No such file or directory\n0 conf.status 1",
                     "0 conf root:644\n0 conf.status 0")
            .replace("0 text cat: /data/dn01/recovery.conf: No such file or directory\n0 text.status 1",
                     "0 text # otb fence\n0 text standby_mode = on\n0 text primary_conninfo = 'host=h port=1'\n0 text.status 0");
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
            .replace(
                "0 mark opentenbase\n0 mark.status 0",
                "0 mark stat: '/x': No such file or directory\n0 mark.status 1",
            )
            .replace("0 run.status 0", "0 run.status 4");
        let probe = one(NodeKind::Datanode, &text);
        assert!(probe.process.known().is_none());
        assert!(!probe.data_dir.known().unwrap().present);
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
            let looks = [Look { at: &a, tools: true }, Look { at: &b, tools: false }];
            prop_assert_eq!(read_probe(&looks, &text).len(), 2);
        }
    }
}
