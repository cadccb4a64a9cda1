//! The recovery.conf of a standby during a salvage.

use super::super::conf::{conf_literal, setting};
use super::super::quote;
use super::stage_directory;
use crate::model::Instance;

/// The line of a recovery.conf below which stand otb's own for a salvage.
const MARK: &str = "# otb salvage";

/// A standby's recovery.conf with the staged files before whatever else it restores.
///
/// A staged file moves: none is left that could be restored over a newer one at a later start. Recovery's end removes the
/// directory also if otb is killed.
pub fn with_salvage(recovery_conf: &str, standby: &Instance) -> String {
    let own = without_salvage(recovery_conf);
    let stage = quote(&stage_directory(standby)).replace('%', "%%");
    let value =
        |key: &str| own.lines().filter_map(setting).filter(|(name, _)| name == key).map(|(_, value)| value).next_back();
    let restore = format!("test -e {stage}/%f && mv -f {stage}/%f %p");
    let restore = match value("restore_command").filter(|command| !command.trim().is_empty()) {
        Some(command) => format!("{{ {restore}; }} || {{ {command}; }}"),
        None => restore,
    };
    let end = match value("recovery_end_command").filter(|command| !command.trim().is_empty()) {
        Some(command) => format!("rm -rf {stage}; {command}"),
        None => format!("rm -rf {stage}"),
    };
    let line_end = if own.is_empty() || own.ends_with('\n') { "" } else { "\n" };
    format!(
        "{own}{line_end}{MARK}\nrestore_command = {}\nrecovery_end_command = {}\n",
        conf_literal(&restore),
        conf_literal(&end)
    )
}

/// A standby's recovery.conf as it was before a salvage.
pub fn without_salvage(recovery_conf: &str) -> &str {
    let is_mark = |line: &str| line.trim_end() == MARK;
    let mut at = 0;
    for line in recovery_conf.split_inclusive('\n') {
        if is_mark(line) {
            return &recovery_conf[..at];
        }
        at += line.len();
    }
    recovery_conf
}

#[cfg(test)]
mod tests {
    use super::super::super::command::tests::instance;
    use super::*;
    use crate::model::NodeKind;

    #[test]
    fn recovery_conf_gets_its_own_text_back() {
        let standby = instance(NodeKind::Datanode);
        let own = "standby_mode = on\nprimary_conninfo = 'host=a'";
        let with = with_salvage(own, &standby);
        assert_eq!(
            with,
            "standby_mode = on\nprimary_conninfo = 'host=a'\n# otb salvage\n\
             restore_command = 'test -e ''/data/dn 01/otb-salvage''/%f && mv -f ''/data/dn 01/otb-salvage''/%f %p'\n\
             recovery_end_command = 'rm -rf ''/data/dn 01/otb-salvage'''\n"
        );
        assert_eq!(without_salvage(&with), format!("{own}\n"));
        // A salvage that was cut off has left its lines.
        assert_eq!(with_salvage(&with, &standby), with);
        let archive = with_salvage("restore_command = 'cp /a/%f %p'\nrecovery_end_command = 'true'\n", &standby);
        assert!(archive.contains("%f %p; } || { cp /a/%f %p; }'\n"), "{archive}");
        assert!(archive.ends_with("; true'\n"), "{archive}");
    }
}
