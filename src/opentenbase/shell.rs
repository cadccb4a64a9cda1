//! POSIX shell quoting, and scripts put together from commands.

use std::fmt;

use super::command::Patience;
use crate::model::Instance;

/// The file descriptor that holds a script's lock on its instance's data directory. A process that outlives the script
/// must not have it.
pub(super) const LOCK: u8 = 8;

/// `text` as one word of a POSIX shell. It stays bare where it means itself in every shell.
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | ',' | '@' | '+');
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// One shell command with its arguments quoted: what people see as "what this step runs".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    run: String,
    /// The text that people see, without technical parts.
    shown: Option<String>,
}

impl Command {
    /// For this room's own builders; everything variable in `text` is quoted already.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { run: text.into(), shown: None }
    }

    /// The part of it that matters to people, in place of the redirections around it.
    pub(super) fn shown_as(mut self, text: impl Into<String>) -> Self {
        self.shown = Some(text.into());
        self
    }

    pub fn as_str(&self) -> &str {
        &self.run
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.shown.as_deref().unwrap_or(&self.run))
    }
}

/// Commands in the tool_environment of one installation. A script stops at the first command that fails, with
/// that command's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script(String);

impl Script {
    /// With bin/ and lib/ below the instance's installation in front of everything, and the C locale, because
    /// the outputs are read by machine. New files are the owner's alone.
    pub fn at(instance: &Instance) -> Self {
        Self(format!("{}cd / && umask 077\n", tool_environment(&instance.install)))
    }

    /// Like the above, but alone in the instance's data directory: it waits up to `patience` for an earlier script
    /// that has not ended. A script whose connection broke continues on its server, and only this lock shows when it
    /// has ended.
    pub fn alone_at(instance: &Instance, patience: Patience) -> Self {
        let (Self(tool_environment), data) = (Self::at(instance), quote(&instance.data));
        // Any user who may read a directory can lock it. The lock ends with the last process that has it open.
        Self(format!(
            "{tool_environment}if test -d {data} && test -r {data}; then exec {LOCK}<{data}; flock -w {} {LOCK} || \
             {{ echo \"an earlier command still runs in \"{data} >&2; exit 75; }}; fi\n",
            patience.0.max(1)
        ))
    }

    #[must_use]
    pub fn then(mut self, command: &Command) -> Self {
        self.0.push_str(command.as_str());
        self.0.push_str(" || exit\n");
        self
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The lines that make the tools below `install` the ones that are found.
pub(super) fn tool_environment(install: &str) -> String {
    format!(
        "PATH={bin}:$PATH LD_LIBRARY_PATH={lib}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}} LC_ALL=C\n\
         export PATH LD_LIBRARY_PATH LC_ALL\n",
        bin = quote(&format!("{install}/bin")),
        lib = quote(&format!("{install}/lib")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NodeKind;
    use crate::opentenbase::command::tests::instance;

    #[test]
    fn words_are_quoted() {
        for (text, quoted) in [
            ("/data/dn01", "/data/dn01"),
            ("", "''"),
            ("it's", r"'it'\''s'"),
            ("a b", "'a b'"),
            ("$(x)`y`", "'$(x)`y`'"),
            ("~root", "'~root'"),
            ("数据", "'数据'"),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn a_script_stops_where_it_fails() {
        let script = Script::at(&instance(NodeKind::Datanode)).then(&Command::new("a")).then(&Command::new("b"));
        assert_eq!(
            script.as_str(),
            "PATH=/opt/otb/bin:$PATH LD_LIBRARY_PATH=/opt/otb/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} LC_ALL=C\n\
             export PATH LD_LIBRARY_PATH LC_ALL\ncd / && umask 077\na || exit\nb || exit\n"
        );
    }
}
