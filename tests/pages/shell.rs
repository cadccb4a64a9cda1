//! bash in a directory of its own, with the otb under test first on its path; what it exports stays for the next command.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What `cargo` does on the pages: the otb under test is installed already, and runs in place of a fresh build.
const CARGO: &str = "#!/bin/sh\ncase \"$*\" in\n'install --path .') ;;\n'run -- '*) shift 2; exec otb \"$@\" ;;\n\
                     'test '*) ;;\n*) echo \"not a command of the pages: cargo $*\" >&2; exit 99 ;;\nesac\n";

/// A shell and its directory; sandboxes in it are taken down when it is dropped.
pub(crate) struct Shell {
    /// Where commands run: below it lies nothing at first.
    work: tempfile::TempDir,
    /// The path, and what was exported.
    tools: tempfile::TempDir,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let temporary = || tempfile::Builder::new().prefix("otb-page-").tempdir().unwrap();
        let shell = Self { work: temporary(), tools: temporary() };
        let bin = shell.bin();
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_otb"), bin.join("otb")).unwrap();
        let cargo = bin.join("cargo");
        std::fs::write(&cargo, CARGO).unwrap();
        std::fs::set_permissions(&cargo, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::write(shell.exports(), "").unwrap();
        shell
    }

    fn bin(&self) -> PathBuf {
        self.tools.path().join("bin")
    }

    fn exports(&self) -> PathBuf {
        self.tools.path().join("exports")
    }

    pub(crate) fn work(&self) -> &Path {
        self.work.path()
    }

    /// Runs `script`, with `yes` to whoever asks; gives the exit code and all that was printed, in its order.
    pub(crate) fn run(&self, script: &str, strict: bool) -> (i32, String) {
        let exports = self.exports().display().to_string();
        let strict = if strict { "set -eo pipefail" } else { "" };
        let whole = format!(
            "exec 2>&1\nsource {exports}\ntrap 'export -p > {exports}' EXIT\n{strict}\n{}\n",
            self.local(script)
        );
        let output = Command::new("timeout")
            .args(["120", "bash", "-c", &whole])
            .current_dir(self.work())
            .env("PATH", format!("{}:{}", self.bin().display(), std::env::var("PATH").unwrap()))
            .env("NO_COLOR", "1")
            .env("XDG_STATE_HOME", self.tools.path())
            .env_remove("OTB_FILE")
            .env_remove("OTB_SANDBOX")
            .env_remove("PGPASSWORD")
            .stdin(self.yes())
            .output()
            .unwrap();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Pages write `127.0.0.29`; each sandbox takes a free network of its own.
    fn local(&self, script: &str) -> String {
        self.network().map_or_else(|| script.to_owned(), |own| script.replace("127.0.0.", &own))
    }

    /// The other way round.
    pub(crate) fn public(&self, text: &str) -> String {
        self.network().map_or_else(|| text.to_owned(), |own| text.replace(&own, "127.0.0."))
    }

    /// The sandbox's network, `127.3.4.`; none before it is up.
    fn network(&self) -> Option<String> {
        let file = std::fs::read_to_string(self.work().join("demo/cluster.yaml")).ok()?;
        let address = file.split("{address: ").nth(1)?.split('}').next()?;
        Some(format!("{}.", address.rsplit_once('.')?.0))
    }

    fn yes(&self) -> Stdio {
        let path = self.tools.path().join("yes");
        std::fs::write(&path, "yes\n").unwrap();
        std::fs::File::open(path).unwrap().into()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.run("for dir in */sandbox* */; do otb sandbox down --dir \"$dir\"; done", false);
    }
}
