//! Turns the output of the script into facts. A missing or incomplete part is unknown, never "no".

use std::collections::BTreeMap;

use super::probe_output::{Output, ProbeOutput};
use super::{Look, Probe, Tools, asked_by};
use crate::model::{
    DataDir, Fact, HostEnvironment, Instance, Lsn, NodeKind, PidFile, Process, RecoveryFile, RecoverySettings, Role,
    Timeline, TimelineSwitch, UnknownKind,
};
use crate::opentenbase::{
    StandbyConf, host_environment, read_clock, read_control, read_gtm_conf, read_gtm_status_text, read_pg_status,
    read_pid_file, read_recovery_conf, recovery_settings, replication_name, replication_user, sanitize_for_display,
};

/// Why a tool was not run.
const BY_ITSELF: &str = "the process itself answers";

/// Reads what the script printed: one [`Probe`] for each of the same looks.
pub fn read_probe(looks: &[Look<'_>], text: &str) -> Vec<Probe> {
    let output = Output::read(text);
    looks
        .iter()
        .enumerate()
        .map(|(number, look)| {
            let version = asked_by(looks, number).map(|number| read_version(output.of(number)));
            let tools_version = version.unwrap_or_else(|| Fact::not_asked("gtm_ctl does not report its version"));
            Probe { tools_version, ..read_one(*look, output.of(number)) }
        })
        .collect()
}

fn read_one(Look { at, tools }: Look<'_>, said: ProbeOutput) -> Probe {
    let kind = at.kind;
    let data_dir = read_data_dir(kind, said);
    let (host_environment, clock) = read_host_environment(at, said);
    let (histories, tools_version) = (read_histories(said.text("history")), Fact::not_asked("it was not asked"));
    let (process, role) = match tools {
        Tools::None | Tools::Control => (Fact::not_asked(BY_ITSELF), None),
        Tools::Process | Tools::All => read_process(kind, said),
    };
    let control = match (tools, kind, said.tool("control")) {
        (Tools::None, ..) => Fact::not_asked(BY_ITSELF),
        (Tools::Process, ..) => Fact::not_asked("only the process was asked"),
        (_, NodeKind::Gtm, _) => Fact::not_asked("a GTM has no pg_control"),
        (.., Some((0, text))) => known_or(UnknownKind::Unreadable, read_control(text)),
        (.., Some((_, text))) => Fact::unknown(UnknownKind::Failed, sanitize_for_display(text)),
        (.., None) => cut_off("pg_controldata"),
    };
    let oldest_wal = said.tool("wal").map_or_else(|| cut_off("pg_wal"), |(_, text)| read_oldest_wal(text));
    Probe { process, role, control, data_dir, histories, oldest_wal, host_environment, clock, tools_version }
}

/// The instance's status is printed after everything else: if it exists, nothing is missing.
fn read_host_environment(instance: &Instance, said: ProbeOutput) -> (Fact<HostEnvironment>, Option<(i64, i64)>) {
    let server = said.of_the_server();
    let clock = server.tool("clock");
    if said.tool("mark").is_none() || clock.is_none() {
        return (cut_off("its host environment"), None);
    }
    let around = host_environment::read(instance, &|key| server.text(key).to_owned(), &|key| said.text(key).to_owned());
    (Fact::Known(around), clock.and_then(|(_, text)| read_clock(text)))
}

/// `pg_ctl (PostgreSQL) 10.0 OpenTenBase V2`
fn read_version(said: ProbeOutput) -> Fact<String> {
    match said.tool("version") {
        Some((0, text)) => match text.split_once(") ") {
            Some((_, version)) => Fact::Known(sanitize_for_display(version)),
            None => Fact::unknown(UnknownKind::Unreadable, sanitize_for_display(text)),
        },
        Some((_, text)) => Fact::unknown(UnknownKind::Failed, sanitize_for_display(text)),
        None => cut_off("pg_ctl --version"),
    }
}

fn read_process(kind: NodeKind, said: ProbeOutput) -> (Fact<Process>, Option<Role>) {
    let Some((status, text)) = said.tool("run") else { return (cut_off("the status command"), None) };
    let (proc, cwd) = (said.text("proc"), said.text("cwd"));
    let read = match kind {
        NodeKind::Gtm => read_gtm_status_text(status, text),
        _ => read_pg_status(status, text).map(|process| (process, None)),
    };
    match read {
        _ if is_not_there(said) => {
            let why = match kind {
                NodeKind::Gtm => "its data directory does not exist",
                _ => "its data directory does not exist: not mounted, or lost (docs/how-to/lost-standby.md)",
            };
            (Fact::unknown(UnknownKind::Failed, why), None)
        }
        Ok((Process::Running, _)) if proc == "Z" || cwd == "other" => (Fact::Known(Process::Stopped), None),
        Ok((process, role)) => (Fact::Known(process), role),
        // A GTM that hangs: gtm_ctl hangs with it, but its process is there.
        Err(_) if kind == NodeKind::Gtm && !matches!(proc, "" | "Z" | "gone") && cwd == "same" => {
            (Fact::Known(Process::Running), None)
        }
        // The same if /proc does not show it.
        Err(_) if kind == NodeKind::Gtm && proc != "Z" && cwd != "other" && said.text("lives") == "yes" => {
            (Fact::Known(Process::Running), None)
        }
        Err(why) => (Fact::unknown(UnknownKind::Failed, why), None),
    }
}

/// Whether the file that every data directory has was looked for and not found.
fn is_not_there(said: ProbeOutput) -> bool {
    said.tool("mark").is_some_and(|(status, text)| status != 0 && is_absent(text))
}

fn read_data_dir(kind: NodeKind, said: ProbeOutput) -> Fact<DataDir> {
    let Some((status, text)) = said.tool("mark") else { return cut_off("the data directory") };
    let present = status == 0;
    if !present && !is_not_there(said) {
        return Fact::unknown(UnknownKind::Failed, sanitize_for_display(text));
    }
    let free_bytes = said.tool("disk").filter(|(status, _)| *status == 0).and_then(|(_, text)| read_df(text));
    let recovery_conf = match (said.tool("conf"), said.tool("text")) {
        (Some((0, _)), Some((1.., text))) if kind == NodeKind::Gtm => {
            return Fact::unknown(UnknownKind::Failed, sanitize_for_display(text));
        }
        (Some((0, rights)), Some((read, text))) => {
            let owner = said.text("owner").split(':').next().unwrap_or_default();
            recovery_file(kind, rights, owner, read == 0, text)
        }
        (Some((_, error)), _) if is_absent(error) => None,
        (Some((_, error)), _) => return Fact::unknown(UnknownKind::Failed, sanitize_for_display(error)),
        _ => return cut_off("the data directory"),
    };
    let promotion_asked = kind.is_router() && said.text("promote") == "asked";
    Fact::Known(DataDir { present, recovery_conf, promotion_asked, free_bytes, pid_file: read_pid(kind, said) })
}

/// Its status is 1 if the file does not exist, and is not printed if the shell could not find out.
fn read_pid(kind: NodeKind, said: ProbeOutput) -> Fact<Option<PidFile>> {
    match said.tool("pid") {
        _ if kind == NodeKind::Gtm => Fact::not_asked("gtm.pid does not describe its own process"),
        Some((0, text)) => known_or(UnknownKind::Unreadable, read_pid_file(text).map(Some)),
        Some(_) => Fact::Known(None),
        None => Fact::unknown(UnknownKind::Failed, "postmaster.pid could not be read"),
    }
}

/// For a GTM the lines of gtm.conf that make it a standby stand for recovery.conf.
fn recovery_file(kind: NodeKind, rights: &str, owner: &str, readable: bool, text: &str) -> Option<RecoveryFile> {
    let conf = match (kind, readable) {
        (_, false) => StandbyConf { standby: true, ..StandbyConf::default() },
        (NodeKind::Gtm, true) => read_gtm_conf(text),
        // Without standby_mode the server recovers from an archive and comes up as a master.
        (_, true) => read_recovery_conf(text),
    };
    let (user, mode) = rights.rsplit_once(':')?;
    let owner_writes = u32::from_str_radix(mode, 8).is_ok_and(|mode| mode & 0o200 != 0);
    conf.standby.then(|| RecoveryFile {
        writable: user == owner && owner_writes,
        rights: sanitize_for_display(rights),
        upstream: conf.upstream,
        user: replication_user(text).filter(|_| kind.is_router()),
        application_name: replication_name(text).filter(|_| kind.is_router()),
        fence: conf.fence,
        own: if kind.is_router() { recovery_settings(text) } else { RecoverySettings::default() },
    })
}

/// Lines of `pg_wal/*.history`, each behind its file's timeline: `00000002 1<TAB>0/3000148<TAB>why`. Comments and
/// empty lines are legal in such files.
pub(super) fn read_histories(text: &str) -> BTreeMap<Timeline, Vec<TimelineSwitch>> {
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

/// The first WAL file of each timeline, `000000010000000000000003`: timeline, and two numbers that count segments of
/// [`USUAL_SEGMENT`].
pub(super) fn read_oldest_wal(text: &str) -> Fact<Lsn> {
    let number = |digits: Option<&str>| u64::from_str_radix(digits?, 16).ok();
    let begin = |name: &str| {
        let (log, segment) = (number(name.get(8..16))?, number(name.get(16..24))?);
        // With other segments than PostgreSQL 10's usual ones the numbers mean something else.
        (name.len() == 24 && segment < (1 << 32) / SEGMENT).then_some(Lsn((log << 32) | (segment * SEGMENT)))
    };
    match text.lines().map(begin).collect::<Option<Vec<Lsn>>>().and_then(|all| all.into_iter().min()) {
        Some(oldest) => Fact::Known(oldest),
        None => Fact::unknown(UnknownKind::Unreadable, "pg_wal has no WAL files that show where they begin"),
    }
}

/// Bytes of a WAL file, unless the server was built with others (configure --with-wal-segsize).
const SEGMENT: u64 = 16 << 20;

/// The same as `SHOW wal_segment_size` says it.
pub const USUAL_SEGMENT: &str = "16MB";

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
        Err(why) => Fact::unknown(kind, sanitize_for_display(&why)),
    }
}

fn cut_off<T>(what: &str) -> Fact<T> {
    Fact::unknown(UnknownKind::Unreadable, format!("the shell's answer ends before {what}"))
}
