//! The commands of a switchover: pg_ctl, gtm_ctl, pg_controldata, pg_waldump, pg_basebackup and small files.
//! Each is one line for a shell, from typed parts.

use std::time::Duration;

use super::files::pid_file;
use super::shell::LOCK;
use super::{Command, quote};
use crate::model::{Control, Endpoint, Instance, NodeKind};

/// How long pg_ctl itself waits, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience(pub u32);

impl From<Duration> for Patience {
    fn from(limit: Duration) -> Self {
        Self(u32::try_from(limit.as_secs()).unwrap_or(u32::MAX))
    }
}

/// A fast stop: sessions are ended, a shutdown checkpoint is written. `-Z` also makes pg_ctl silent on success
/// (pg_ctl.c lets `case 'Z'` fall through into `-s`), so the status is all there is.
/// gtm_ctl's fast stop has no wait limit of its own worth setting.
///
/// pg_ctl checks ten times a second whether the pid file is gone, gtm_ctl once, and no client can write meanwhile. So
/// the command checks a hundred times a second, and leaves a stop of more than two seconds to the tool. (If sleep(1)
/// knows no fractions, it fails, and the tool does the rest.) For a GTM it also waits for the end of the first thread,
/// a moment after the pid file; the last thread keeps the port and only delays the next start ([`start`]).
pub fn stop(instance: &Instance, patience: Patience) -> Command {
    let data = quote(&instance.data);
    let (stop, waiting) = match instance.kind {
        NodeKind::Gtm => (format!("gtm_ctl -Z gtm -D {data} stop -m fast"), String::new()),
        kind => (format!("pg_ctl -Z {kind} -D {data} stop -m fast"), format!(" -w -t {}", patience.0)),
    };
    let pid = quote(&format!("{}/{}", instance.data, pid_file(instance.kind)));
    let (look, lives) = match instance.kind {
        NodeKind::Gtm => {
            let look = format!("process=$(head -n 1 {pid} 2>/dev/null); ");
            let first_thread = "{ read -r stat </proc/${process:-none}/stat && case $stat in *') Z '*) false;; esac; }";
            (look, format!("{{ test -e {pid} || {first_thread} 2>/dev/null; }}"))
        }
        NodeKind::Coordinator | NodeKind::Datanode => (String::new(), format!("test -e {pid}")),
    };
    Command::new(format!(
        "{{ {look}{stop} -W && {{ n=0; while {lives} && test $n -lt 150; do sleep 0.01; n=$((n + 1)); done; \
         test ! -e {pid} || {stop}{waiting} || test ! -e {pid}; }}; }}"
    ))
    .shown_as(format!("{stop}{waiting}"))
}

/// An immediate stop: every process of the server ends at once, and its next start replays WAL as after a crash.
pub fn stop_at_once(instance: &Instance, patience: Patience) -> Command {
    let (data, kind) = (quote(&instance.data), instance.kind);
    Command::new(format!("pg_ctl -Z {kind} -D {data} stop -m immediate -w -t {}", patience.0))
}

/// How long an immediate stop is waited for, in seconds: a process that hangs sees the signal only when it goes on (seen
/// live), and clients wait meanwhile.
const AT_ONCE: u32 = 5;

/// Ends a server that hangs: an immediate stop, then SIGKILL for its first process and all other processes of its
/// program that work in its directory. (All children of a killed v2.6 postmaster ended within 0.2 s, also stopped and
/// busy ones: seen live.) After a crash of the machine a pid file may name a foreign process; the working directory of
/// that process shows it.
///
/// `kill` is the shell's own; `env kill` is asked where that finds no such process. The pid file stays, as after a crash.
pub fn end(instance: &Instance) -> Command {
    let (data, file) = (quote(&instance.data), pid_file(instance.kind));
    let (stop, wait) = match instance.kind {
        NodeKind::Gtm => (format!("gtm_ctl -Z gtm -D {data} stop -m immediate -W"), true),
        _ => (stop_at_once(instance, Patience(AT_ONCE)).as_str().to_owned(), false),
    };
    // gtm_ctl has no wait limit of its own.
    let wait = if wait {
        format!("n=0; while test -e {data}/{file} && test $n -lt {}; do sleep 0.1; n=$((n + 1)); done; ", 10 * AT_ONCE)
    } else {
        String::new()
    };
    let strange = "test -e \"/proc/$pid/cwd/.\" && ! test \"/proc/$pid/cwd\" -ef";
    let gone = "case $(cut -d ')' -f 2 /proc/$pid/stat 2>/dev/null) in ' Z '*|'') true;; *) false;; esac";
    let mine =
        format!("test \"$(readlink $p/exe)\" = \"$exe\" && test $p/cwd -ef {data} && kill -KILL ${{p#/proc/}}; ");
    Command::new(format!(
        "{{ read -r pid <{data}/{file} && if {strange} {data}; then \
         echo \"its {file} names process $pid, which is not this server\" >&2; exit 1; fi; \
         exe=$(readlink /proc/$pid/exe); {stop} >&2; {wait}\
         if test -e {data}/{file}; then {{ kill -KILL $pid 2>/dev/null || env kill -KILL $pid; }} && {{ \
         n=0; until {gone} || test $n -ge 100; do sleep 0.1; n=$((n + 1)); done; sleep 0.3; \
         test -z \"$exe\" || for p in /proc/[0-9]*; do {mine}done 2>/dev/null; {gone}; }}; fi; }}"
    ))
    .shown_as(format!("{stop} || kill -KILL $(head -n 1 {data}/{file})"))
}

/// Starts the server and waits. It gets a session of its own, for pg_ctl of this family does not give it one:
/// it would be killed with the script's process group. Its outputs are redirected, or ssh would wait for ever.
/// On failure the end of the log follows on standard error.
///
/// A GTM that has stopped keeps its port for some two seconds more (seen live): its pid file and its first thread are
/// gone, another thread still sleeps. Started in between it dies ("Address already in use"), and gtm_ctl says nothing. So a
/// GTM's start waits for that, ten seconds at most. A postmaster closes its port before (CloseServerPorts, pqcomm.c).
pub fn start(instance: &Instance, patience: Patience) -> Command {
    let data = quote(&instance.data);
    let log = quote(&format!("{}/otb-start.log", instance.data));
    let said = quote(&format!("{}/otb-start.out", instance.data));
    let start = match instance.kind {
        NodeKind::Gtm => format!("gtm_ctl -Z gtm -D {data} -l {log} start"),
        kind => format!("pg_ctl -Z {kind} -D {data} -l {log} start -w -t {}", patience.0),
    };
    let wait = if instance.kind == NodeKind::Gtm { AFTER_A_GTM } else { "" };
    let stale = stale_pid_file(&data, pid_file(instance.kind));
    Command::new(format!(
        "{{ {wait}setsid {start} </dev/null >{said} 2>&1 {LOCK}<&-; status=$?; test ! -s {said} || cat {said} >&2; \
         test $status = 0 || {{ tail -n 5 {log}; {stale}}} >&2; test $status = 0 || exit $status; }}"
    ))
    .shown_as(start)
}

/// After a crash of the machine the number in a pid file may be that of another process. A postmaster treats any live
/// process of its own user as its predecessor and does not start (CreateLockFile, miscinit.c), and a GTM does the same
/// (seen live). The working directory of that process shows it.
fn stale_pid_file(data: &str, file: &str) -> String {
    format!(
        "{{ read -r pid <{data}/{file} && test -e \"/proc/$pid/cwd/.\" && ! test \"/proc/$pid/cwd\" -ef {data} \
         && echo \"its {file} names process $pid, which is not this server: remove that file, then apply again\"; \
         }} 2>/dev/null; "
    )
}

/// Waits while there is a GTM whose first thread has ended, which makes it a zombie, and that has others. A zombie without
/// others is one whose parent does not wait for it.
const AFTER_A_GTM: &str = "n=0; while { ends=; for stat in /proc/[0-9]*/stat; do read -r line <$stat && case $line in \
    *'(gtm) Z '*) case $(echo ${stat%stat}task/*) in *' '*) ends=1;; esac;; esac; done; test -n \"$ends\"; } 2>/dev/null \
    && test $n -lt 200; do sleep 0.05; n=$((n + 1)); done; ";

/// [`start`], and of a GTM a look whether it is there a second later: one that dies at its start (of its settings, its
/// active GTM) takes its pid file with it. The end of its log follows on standard error.
pub fn start_to_stay(instance: &Instance, patience: Patience) -> Command {
    let start = start(instance, patience);
    if instance.kind != NodeKind::Gtm {
        return start;
    }
    let pid = quote(&format!("{}/gtm.pid", instance.data));
    let log = quote(&format!("{}/otb-start.log", instance.data));
    Command::new(format!(
        "{{ {} && {{ n=0; while test ! -e {pid} && test $n -lt 100; do sleep 0.1; n=$((n + 1)); done; sleep 1; \
         test -e {pid} || {{ echo 'it ended at its start:' >&2; tail -n 5 {log} >&2; false; }}; }}; }}",
        start.as_str()
    ))
    .shown_as(start.to_string())
}

/// Asks for promotion and does not wait: pg_ctl looks ten times a second, and a time-out of its own leaves the
/// request in force. gtm_ctl only sends a signal and says nothing. For both: poll the role.
///
/// A client that connects to a promoted GTM before it has written its gtm.control again (0.2 to 0.3 s) may make it
/// hang when the old one rejoins (seen live, four of four times). So for a GTM the command waits, without connecting,
/// until that file's time has changed, for 30 s at most.
pub fn promote(instance: &Instance) -> Command {
    let data = quote(&instance.data);
    match instance.kind {
        NodeKind::Gtm => {
            let promote = format!("gtm_ctl -Z gtm -D {data} promote");
            let written = format!("stat -c %y {}", quote(&format!("{}/gtm.control", instance.data)));
            Command::new(format!(
                "{{ was=$({written}); {promote} && {{ n=0; while test \"$({written})\" = \"$was\" && test $n -lt 1500; \
                 do sleep 0.02; n=$((n + 1)); done; }}; }}"
            ))
            .shown_as(format!("{promote}, and wait until it has written gtm.control"))
        }
        kind => Command::new(format!("pg_ctl -Z {kind} -D {data} promote -W")),
    }
}

/// Whether a GTM has taken its pid file away: the end of an orderly stop.
pub fn gtm_pid_is_gone(instance: &Instance) -> Command {
    Command::new(format!("test ! -e {}", quote(&format!("{}/gtm.pid", instance.data))))
}

/// Whether the server runs. gtm_ctl asks the server itself too, and hangs as long as it does.
pub fn status(instance: &Instance) -> Command {
    let data = quote(&instance.data);
    Command::new(match instance.kind {
        NodeKind::Gtm => format!(
            "timeout -k 1 2 gtm_ctl -Z gtm -D {data} status -H {} -P {}",
            quote(instance.endpoint.host.as_str()),
            instance.endpoint.port
        ),
        kind => format!("pg_ctl -Z {kind} -D {data} status"),
    })
}

pub fn controldata(instance: &Instance) -> Command {
    Command::new(format!("pg_controldata {}", quote(&instance.data)))
}

/// Reads a stopped server's WAL from its last redo point to its end, and prints pg_waldump's last words, which show
/// the end. The filter (a transaction number that does not exist) suppresses the records. If the last words name a
/// page and not a position, the last whole record is printed below them: its length shows the end.
///
/// Until the first checkpoint after a promotion the redo point lies on the timeline before: in WAL files that
/// the last timeline does not have. There reading begins where that timeline does, which is the last thing its
/// history says.
pub fn end_of_wal(instance: &Instance, control: &Control, patience: Patience) -> Command {
    let wal = format!("{}/pg_wal", instance.data);
    let (look, begin) = if control.timeline == control.checkpoint_timeline {
        (String::new(), control.redo.to_string())
    } else {
        let history = quote(&format!("{wal}/{:08X}.history", control.timeline.0));
        let look = format!("begin=$(tail -n 1 {history} 2>/dev/null | cut -f 2); ");
        (look, format!("\"${{begin:-{}}}\"", control.redo))
    };
    let read = format!("timeout -k 1 {} pg_waldump -p {} -t {}", patience.0, quote(&wal), control.timeline);
    Command::new(format!(
        "{look}words=$({read} -s {begin} -x 4294967295 2>&1 | tail -n 1); echo \"$words\"; \
         case $words in *'error in WAL record at '*' in log segment '*) \
         last=${{words#*record at }}; {read} -s \"${{last%%:*}}\" -n 1 2>&1;; esac"
    ))
}

/// Copies `from` into `directory`, which must not exist or be empty. `-X f` fetches the WAL at the end, over
/// the same connection.
pub fn base_backup(directory: &str, from: &Endpoint, user: &str) -> Command {
    Command::new(format!(
        "pg_basebackup -D {} -X f -c fast -w -h {} -p {} -U {}",
        quote(directory),
        quote(from.host.as_str()),
        from.port,
        quote(user)
    ))
}

/// Writes a small file completely or not at all. Only its owner can read it (see [`super::Script::at`]), as the
/// server's user requires for recovery.conf.
pub fn write_file(path: &str, contents: &str) -> Command {
    let new = quote(&format!("{path}.otb-new"));
    Command::new(format!("printf %s {} >{new} && mv -fT {new} {}", quote(contents), quote(path)))
}

/// Writes a small file that no process reads before it is complete.
pub fn write_draft(path: &str, contents: &str) -> Command {
    Command::new(format!("printf %s {} >{}", quote(contents), quote(path)))
}

/// Moves a file or directory aside.
pub fn rename(from: &str, to: &str) -> Command {
    Command::new(format!("mv -T {} {}", quote(from), quote(to)))
}

/// Rewrites what a GTM would start as: `lines` replace startup, active_host and active_port, wherever they
/// stand, and an earlier fence. The other lines and the file's rights stay. The result lies at `to`, which may be
/// gtm.conf itself.
pub fn rewrite_gtm_conf(instance: &Instance, lines: &str, to: &str) -> Command {
    let conf = quote(&format!("{}/gtm.conf", instance.data));
    let new = quote(&format!("{}/gtm.conf.otb-new", instance.data));
    Command::new(format!(
        "cp -p {conf} {new} && {{ sed -e '/^[[:space:]]*startup[[:space:]]*=/d' \
         -e '/^[[:space:]]*active_host[[:space:]]*=/d' -e '/^[[:space:]]*active_port[[:space:]]*=/d' \
         -e '/^{fence}$/d' {conf} && printf '\\n%s' {lines}; }} >{new} && mv -fT {new} {to}",
        fence = super::FENCE,
        lines = quote(lines),
        to = quote(to)
    ))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{ControlState, Host, InstanceId, Lsn, NodeName, ServerName, SystemId, Timeline};

    pub(crate) fn instance(kind: NodeKind) -> Instance {
        Instance {
            id: InstanceId::new(NodeName::new("dn01").unwrap(), ServerName::new("s29").unwrap()),
            kind,
            endpoint: Endpoint { host: Host::new("172.16.0.29").unwrap(), port: 23001 },
            forward_port: None,
            data: "/data/dn 01".to_owned(),
            install: "/opt/otb".to_owned(),
        }
    }

    #[test]
    fn the_exact_texts_for_a_datanode() {
        let dn = instance(NodeKind::Datanode);
        let control = Control {
            state: ControlState::ShutDown,
            system_id: SystemId(1),
            timeline: Timeline(2),
            checkpoint_timeline: Timeline(2),
            checkpoint: Lsn(0x30_088F8),
            redo: Lsn(0x30_088F8),
            wal_segment_bytes: 16 << 20,
        };
        for (command, text) in [
            (
                stop(&dn, Patience(60)),
                "{ pg_ctl -Z datanode -D '/data/dn 01' stop -m fast -W && { n=0; \
                 while test -e '/data/dn 01/postmaster.pid' && test $n -lt 150; do sleep 0.01; n=$((n + 1)); done; \
                 test ! -e '/data/dn 01/postmaster.pid' || pg_ctl -Z datanode -D '/data/dn 01' stop -m fast -w -t 60 \
                 || test ! -e '/data/dn 01/postmaster.pid'; }; }",
            ),
            (
                start(&dn, Patience(60)),
                "{ setsid pg_ctl -Z datanode -D '/data/dn 01' -l '/data/dn 01/otb-start.log' start -w -t 60 \
                 </dev/null >'/data/dn 01/otb-start.out' 2>&1 8<&-; status=$?; \
                 test ! -s '/data/dn 01/otb-start.out' || cat '/data/dn 01/otb-start.out' >&2; \
                 test $status = 0 || { tail -n 5 '/data/dn 01/otb-start.log'; \
                 { read -r pid <'/data/dn 01'/postmaster.pid && test -e \"/proc/$pid/cwd/.\" \
                 && ! test \"/proc/$pid/cwd\" -ef '/data/dn 01' && echo \"its postmaster.pid names process $pid, \
                 which is not this server: remove that file, then apply again\"; } 2>/dev/null; } >&2; \
                 test $status = 0 || exit $status; }",
            ),
            (promote(&dn), "pg_ctl -Z datanode -D '/data/dn 01' promote -W"),
            (status(&dn), "pg_ctl -Z datanode -D '/data/dn 01' status"),
            (controldata(&dn), "pg_controldata '/data/dn 01'"),
            (
                end_of_wal(&dn, &control, Patience(20)),
                "words=$(timeout -k 1 20 pg_waldump -p '/data/dn 01/pg_wal' -t 2 -s 0/30088F8 -x 4294967295 2>&1 \
                 | tail -n 1); echo \"$words\"; \
                 case $words in *'error in WAL record at '*' in log segment '*) last=${words#*record at }; \
                 timeout -k 1 20 pg_waldump -p '/data/dn 01/pg_wal' -t 2 -s \"${last%%:*}\" -n 1 2>&1;; esac",
            ),
            (
                base_backup("/data/new", &dn.endpoint, "otb"),
                "pg_basebackup -D /data/new -X f -c fast -w -h 172.16.0.29 -p 23001 -U otb",
            ),
            (
                write_file("/data/recovery.conf", "a = 'b'\n"),
                "printf %s 'a = '\\''b'\\''\n' >/data/recovery.conf.otb-new \
                 && mv -fT /data/recovery.conf.otb-new /data/recovery.conf",
            ),
            (write_draft("/data/recovery.conf.otb", "a\n"), "printf %s 'a\n' >/data/recovery.conf.otb"),
            (rename("/data/a", "/data/b"), "mv -T /data/a /data/b"),
        ] {
            assert_eq!(command.as_str(), text);
        }
        let promoted = Control { timeline: Timeline(10), ..control };
        assert!(end_of_wal(&dn, &promoted, Patience(20)).as_str().starts_with(
            "begin=$(tail -n 1 '/data/dn 01/pg_wal/0000000A.history' 2>/dev/null | cut -f 2); \
             words=$(timeout -k 1 20 pg_waldump -p '/data/dn 01/pg_wal' -t 10 -s \"${begin:-0/30088F8}\" \
             -x 4294967295 2>&1 | tail -n 1); "
        ));
    }

    #[test]
    fn the_exact_texts_for_a_gtm() {
        let gtm = instance(NodeKind::Gtm);
        for (command, text) in [
            (
                stop(&gtm, Patience(60)),
                "{ process=$(head -n 1 '/data/dn 01/gtm.pid' 2>/dev/null); \
                 gtm_ctl -Z gtm -D '/data/dn 01' stop -m fast -W && { n=0; \
                 while { test -e '/data/dn 01/gtm.pid' || { read -r stat </proc/${process:-none}/stat \
                 && case $stat in *') Z '*) false;; esac; } 2>/dev/null; } && test $n -lt 150; do sleep 0.01; n=$((n + 1)); done; \
                 test ! -e '/data/dn 01/gtm.pid' || gtm_ctl -Z gtm -D '/data/dn 01' stop -m fast \
                 || test ! -e '/data/dn 01/gtm.pid'; }; }",
            ),
            (status(&gtm), "timeout -k 1 2 gtm_ctl -Z gtm -D '/data/dn 01' status -H 172.16.0.29 -P 23001"),
        ] {
            assert_eq!(command.as_str(), text);
        }
        assert_eq!(
            promote(&gtm).as_str(),
            "{ was=$(stat -c %y '/data/dn 01/gtm.control'); gtm_ctl -Z gtm -D '/data/dn 01' promote && { n=0; \
             while test \"$(stat -c %y '/data/dn 01/gtm.control')\" = \"$was\" && test $n -lt 1500; \
             do sleep 0.02; n=$((n + 1)); done; }; }"
        );
        let started = start(&gtm, Patience(1));
        assert!(started.as_str().contains("done; setsid gtm_ctl -Z gtm -D '/data/dn 01' -l "));
        assert_eq!(start_to_stay(&gtm, Patience(1)).to_string(), started.to_string());
        let node = instance(NodeKind::Datanode);
        assert_eq!(start_to_stay(&node, Patience(1)), start(&node, Patience(1)));
        assert!(
            rewrite_gtm_conf(&gtm, "startup = STANDBY\n", "/data/gtm.conf").as_str().contains("-e '/^# otb fence$/d'")
        );
    }
}
