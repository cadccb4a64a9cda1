//! Files that otb writes or moves in a data directory, and the commands that do it.

use super::command::{base_backup, rename, rewrite_gtm_conf, write_file};
use super::conf::fenced;
use super::conninfo::conninfo_value;
use super::{Command, FENCE, quote};
use crate::model::{Endpoint, Instance, NodeKind};

/// The file that makes an instance start as a standby: recovery.conf, or of a GTM gtm.conf.
pub fn recovery_path(instance: &Instance) -> String {
    let file = if instance.kind == NodeKind::Gtm { "gtm.conf" } else { "recovery.conf" };
    format!("{}/{file}", instance.data)
}

/// The place where the fence of a master waits until the master is stopped.
pub fn staged_fence(instance: &Instance) -> String {
    format!("{}.otb", recovery_path(instance))
}

/// Makes a stopped instance one that would start as a master.
pub fn lift_fence(instance: &Instance) -> Command {
    let conf = recovery_path(instance);
    match instance.kind {
        NodeKind::Gtm => {
            rewrite_gtm_conf(instance, "startup = ACT\n", &conf).shown_as(format!("write {conf}: startup = ACT"))
        }
        NodeKind::Coordinator | NodeKind::Datanode => remove_file(&conf),
    }
}

/// The same of one that may run: nothing where no fence of otb's lies.
pub fn lift_own_fence(instance: &Instance) -> Command {
    let (conf, lift) = (quote(&recovery_path(instance)), lift_fence(instance));
    let run = format!("if grep -qx '{FENCE}' {conf} 2>/dev/null; then {}; fi", lift.as_str());
    Command::new(run).shown_as(lift.to_string())
}

/// Writes a standby's recovery.conf. If the file is a fence with the same text, as after each switchover, only its
/// first line is written, in its place: no rename, and at no moment is the file without its other lines.
pub fn write_recovery_conf(path: &str, contents: &str) -> Command {
    let write = write_file(path, contents);
    let Some((fence, mark)) = fenced(contents) else { return write };
    let quoted = quote(path);
    Command::new(format!(
        "{{ text= line=; if test -f {quoted} && test ! -L {quoted} && test -w {quoted}; then \
         while IFS= read -r line; do text=$text$line'\n'; done <{quoted}; text=$text$line; fi; \
         if test \"$text\" = {}; then printf %s {} 1<>{quoted}; else {}; fi; }}",
        quote(&fence),
        quote(mark),
        write.as_str()
    ))
    .shown_as(write.to_string())
}

/// The place where a rebuilt instance is created.
fn fresh_directory(instance: &Instance) -> String {
    format!("{}.otb-new", instance.data)
}

/// Removes a file that otb wrote; one that is not there is fine.
pub fn remove_file(path: &str) -> Command {
    Command::new(format!("rm -f {}", quote(path)))
}

/// Reads what the instance would start as; no text if the file does not exist. A recovery.done, which every instance
/// has after a promotion, is not that file.
pub fn read_recovery_file(instance: &Instance) -> Command {
    let path = quote(&recovery_path(instance));
    Command::new(format!("{{ test ! -e {path} || cat {path}; }}"))
}

/// Reads what the node's own standby uses to replicate: recovery.conf, or recovery.done after its promotion.
pub fn read_replication_conf(instance: &Instance) -> Command {
    let file = |name: &str| quote(&format!("{}/{name}", instance.data));
    Command::new(format!("cat {} 2>/dev/null || cat {}", file("recovery.conf"), file("recovery.done")))
}

/// The user of primary_conninfo in a recovery.conf.
pub fn replication_user(recovery_conf: &str) -> Option<String> {
    super::conf::primary_conninfo(recovery_conf).and_then(|conninfo| conninfo_value(&conninfo, "user"))
}

/// The application_name of primary_conninfo in a recovery.conf.
pub fn replication_name(recovery_conf: &str) -> Option<String> {
    super::conf::primary_conninfo(recovery_conf).and_then(|conninfo| conninfo_value(&conninfo, "application_name"))
}

/// Builds a fresh copy beside the old directory, gives it the instance's own settings and puts it in its
/// place; the old directory is kept aside. Never pg_rewind, which leaves an OpenTenBase datanode full of
/// empty files and says "Done!" (opentenbase-v2.6-live.md, "WAL and timelines"). `recovery` is the text of recovery.conf.
pub fn rebuild(instance: &Instance, upstream: &Endpoint, user: &str, recovery: &str) -> Vec<Command> {
    let fresh = fresh_directory(instance);
    vec![
        // Removes what an interrupted rebuild has left.
        Command::new(format!("rm -rf {}", quote(&fresh))),
        base_backup(&fresh, upstream, user),
        carry_over_settings(&instance.data, &fresh),
        write_file(&format!("{fresh}/recovery.conf"), recovery)
            .shown_as(format!("write {fresh}/recovery.conf: a standby of {upstream}")),
        keep_aside(&instance.data),
        rename(&fresh, &instance.data),
    ]
}

/// Files with settings of an instance's own in its data directory. opentenbase_ctl and v5's initdb write the last two.
const SETTINGS: &str = "postgresql.conf postgresql.auto.conf pg_hba.conf pg_ident.conf gtm_proxy.conf pgbouncer.ini";

/// A base backup brings the master's port, pooler_port and listen_addresses. So the instance keeps its own files, with
/// the files and directories that its postgresql.conf includes (opentenbase_ctl writes postgresql.conf.user). An
/// included file that only the master has is removed, because the instance would read it. Files outside the data
/// directory stay.
fn carry_over_settings(from: &str, to: &str) -> Command {
    Command::new(format!(
        "( set -f; IFS='\n'; from={from}; to={to}; set -- {SETTINGS}; given=$#; n=0; \
         while test $# -gt 0 && test $n -lt 200; do f=${{1#\"$from\"/}}; shift; n=$((n + 1)); \
         case $f in ''|/*|..|../*|*/..|*/../*) continue;; */*) under=${{f%/*}}/;; *) under=;; esac; \
         if test -e \"$from/$f\"; then mkdir -p \"$to/$under\" && rm -rf \"$to/$f\" && cp -pR \"$from/$f\" \"$to/$f\" || exit; \
         elif test $n -gt $given; then rm -rf \"$to/$f\" || exit; fi; \
         case $f in pg_*|*.ini|gtm_*) continue;; esac; test -f \"$from/$f\" || continue; \
         for i in $({INCLUDES} \"$from/$f\"); do case $i in /*) ;; *) i=$under$i;; esac; set -- \"$@\" \"$i\"; done; done; \
         rm -f \"$to/recovery.done\" \"$to/recovery.conf.otb\" )",
        from = quote(from.trim_end_matches('/')),
        to = quote(to)
    ))
    .shown_as(format!("copy the files with settings (postgresql.conf and what it includes, pg_hba.conf and others) from {from} to {to}"))
}

/// Prints what a file of settings includes, a path a line, with quotes around it or without (guc-file.l: include,
/// include_if_exists, include_dir).
const INCLUDES: &str = "sed -n \"s/^[[:space:]]*[Ii][Nn][Cc][Ll][Uu][Dd][Ee][A-Za-z_]*[[:space:]]*=\\{0,1\\}[[:space:]]*//;t a\nb\n:a\n\
     s/^'\\([^']*\\)'.*/\\1/p;t\ns/[[:space:]#].*//\np\"";

/// The file in a data directory that names the process that runs there.
pub(super) fn pid_file(kind: NodeKind) -> &'static str {
    match kind {
        NodeKind::Gtm => "gtm.pid",
        NodeKind::Coordinator | NodeKind::Datanode => "postmaster.pid",
    }
}

/// Moves a directory to `NAME.otb-aside-TIME`, UTC. It refuses a directory in which a server was started meanwhile:
/// that server would continue there and keep the port.
fn keep_aside(directory: &str) -> Command {
    let directory = quote(directory);
    let aside = format!("mv -T {directory} {directory}.otb-aside-\"$(date -u +%Y%m%dT%H%M%SZ)\"");
    Command::new(format!(
        "if {{ read -r pid <{directory}/postmaster.pid && test \"/proc/$pid/cwd\" -ef {directory}; }} 2>/dev/null; \
            then echo \"process $pid runs in \"{directory}\": it was started meanwhile; stop it, then apply again\" \
            >&2; exit 1; fi; {aside}"
    ))
    .shown_as(aside)
}

#[cfg(test)]
mod tests {
    use super::super::command::tests::instance;
    use super::*;
    use crate::model::NodeKind;

    #[test]
    fn a_rebuild_never_touches_the_old_directory_before_the_copy_is_whole() {
        let dn = instance(NodeKind::Datanode);
        let commands = rebuild(&dn, &dn.endpoint, "otb", "standby_mode = on\n");
        let at = |text: &str| commands.iter().position(|command| command.as_str().contains(text)).unwrap();
        assert!(at("pg_basebackup") < at("otb-aside"));
        assert_eq!(commands[0].as_str(), "rm -rf '/data/dn 01.otb-new'");
        let aside = "mv -T '/data/dn 01' '/data/dn 01'.otb-aside-\"$(date -u +%Y%m%dT%H%M%SZ)\"";
        assert_eq!(commands[4].to_string(), aside);
        assert!(commands[4].as_str().ends_with(&format!("exit 1; fi; {aside}")), "{}", commands[4].as_str());
    }

    #[test]
    fn the_replication_user_is_read_from_recovery_conf() {
        let text = "standby_mode = on\nprimary_conninfo = 'host=a port=1 user=''o k'' application_name=x'\n";
        assert_eq!(replication_user("primary_conninfo = 'host=a user=repl port=1'\n").as_deref(), Some("repl"));
        assert_eq!(replication_user(text).as_deref(), Some("o k"));
        assert_eq!(replication_user("standby_mode = on\n"), None);
    }
}
