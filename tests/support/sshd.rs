//! Throw-away sshds on loopback, each with a host key of its own, one user key, and an ssh_config that leads to
//! them. Without an sshd on this machine there are none: whoever asks says what is skipped.

#![allow(dead_code, reason = "each test that shares this file uses a part of it")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const SSHD: &str = "/usr/sbin/sshd";

/// A login shell that prints, before and after what it runs and on both streams, what otb could take for its own.
const GREETING: &str = r#"printf 'Welcome\n0 mark.status 0\n0 says hello\n0 lines 1\n0 status 0\nheld\ntaken ann\nend'
printf 'Last login: never\nsudo: nobody\notb-script-status 7' >&2
/bin/sh -c "$SSH_ORIGINAL_COMMAND"
status=$?
printf 'Goodbye\n0 status 1\nname other\n'; echo Goodbye >&2
exit $status
"#;

/// The sshd through which the others are reached, where they are reached through one.
pub(crate) const BASTION: &str = "bastion";

/// Running sshds, and everything below one directory that a client needs for them.
pub(crate) struct Sshds {
    daemons: Vec<Sshd>,
    directory: tempfile::TempDir,
}

struct Sshd {
    /// As ssh_config calls it.
    alias: String,
    address: String,
    port: u16,
    process: Child,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // A session holds its connection also without the daemon.
        self.cut();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sshd {
    /// SIGKILL for the daemon's sessions, not for what they run: as a network that breaks in between.
    fn cut(&self) {
        let own = |pid: &Pid| parent(*pid) == Some(Pid::from_child(&self.process));
        let first: Vec<Pid> = processes().into_iter().filter(own).collect();
        // A privileged session has an unprivileged child of the same name that holds the connection.
        let second = processes()
            .into_iter()
            .filter(|pid| parent(*pid).is_some_and(|parent| first.contains(&parent)) && name(*pid).starts_with("sshd"));
        for pid in second.chain(first.iter().copied()) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

impl Sshds {
    /// Why none can be started here.
    pub(crate) fn missing() -> Option<String> {
        let no_client = Command::new("ssh").arg("-V").output().is_err();
        (no_client || !Path::new(SSHD).exists()).then(|| format!("no {SSHD} or no ssh here"))
    }

    /// One sshd for each alias and address.
    pub(crate) fn start(servers: &[(&str, &str)]) -> Self {
        Self::start_with(servers, "", "")
    }

    /// The same, with one session on each connection.
    pub(crate) fn of_one_session(servers: &[(&str, &str)]) -> Self {
        Self::start_with(servers, "", "MaxSessions 1\n")
    }

    /// The same, whose login shells print something of their own.
    pub(crate) fn that_greet(servers: &[(&str, &str)]) -> Self {
        Self::start_with(servers, GREETING, "")
    }

    fn start_with(servers: &[(&str, &str)], forced: &str, more: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("otb-sshd-").tempdir().unwrap();
        let mut sshds = Self { daemons: Vec::new(), directory };
        for key in ["user", "other"] {
            sshds.make_key(key);
        }
        std::fs::copy(sshds.path("user.pub"), sshds.path("authorized")).unwrap();
        if !forced.is_empty() {
            std::fs::write(sshds.path("forced.sh"), forced).unwrap();
        }
        std::fs::write(sshds.path("more.conf"), more).unwrap();
        let _ = std::fs::create_dir_all("/run/sshd");
        for (alias, address) in servers {
            sshds.make_key(alias);
            let daemon = sshds.launch(alias, address);
            sshds.daemons.push(daemon);
        }
        sshds.trust_all();
        sshds.write_config("");
        sshds
    }

    /// The same, all of them behind one more, the bastion.
    pub(crate) fn behind_a_bastion(servers: &[(&str, &str)]) -> Self {
        let mut sshds = Self::start(servers);
        sshds.make_key(BASTION);
        let bastion = sshds.launch(BASTION, "127.0.0.1");
        sshds.daemons.push(bastion);
        sshds.trust_all();
        sshds.write_config(&format!(" ProxyJump {BASTION}\n"));
        sshds
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// An ssh_config in which aliases and addresses lead to the daemons.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("ssh_config")
    }

    /// A directory whose `ssh` is the system's with [`Self::config`] for a configuration file: ssh finds its
    /// user's by the user database and not by HOME.
    pub(crate) fn bin(&self) -> PathBuf {
        let (bin, ssh) = (self.path("bin"), self.path("bin/ssh"));
        if !ssh.exists() {
            let real = std::env::split_paths(&std::env::var_os("PATH").unwrap())
                .map(|directory| directory.join("ssh"))
                .find(|ssh| ssh.exists())
                .unwrap();
            std::fs::create_dir(&bin).unwrap();
            let config = self.config();
            let text = format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", real.display(), config.display());
            std::fs::write(&ssh, text).unwrap();
            let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&ssh, executable).unwrap();
        }
        bin
    }

    /// known_hosts expects each daemon's own key.
    pub(crate) fn trust_all(&self) {
        let lines: String = self.daemons.iter().map(|daemon| self.known_host(daemon, &daemon.alias)).collect();
        std::fs::write(self.path("known_hosts"), lines).unwrap();
    }

    /// known_hosts expects another key of this daemon.
    pub(crate) fn distrust(&self, alias: &str) {
        let key = |daemon: &Sshd| if daemon.alias == alias { "other".to_owned() } else { daemon.alias.clone() };
        let lines: String = self.daemons.iter().map(|daemon| self.known_host(daemon, &key(daemon))).collect();
        std::fs::write(self.path("known_hosts"), lines).unwrap();
    }

    /// known_hosts has nobody.
    pub(crate) fn know_nobody(&self) {
        std::fs::write(self.path("known_hosts"), "").unwrap();
    }

    /// No key is authorized any more.
    pub(crate) fn authorize_nobody(&self) {
        std::fs::write(self.path("authorized"), "").unwrap();
    }

    /// Cuts every connection to this daemon; new ones are accepted.
    pub(crate) fn cut(&self, alias: &str) {
        self.daemon(alias).cut();
    }

    /// The daemon and its connections are gone.
    pub(crate) fn stop(&mut self, alias: &str) {
        self.daemons.retain(|daemon| daemon.alias != alias);
    }

    fn daemon(&self, alias: &str) -> &Sshd {
        self.daemons.iter().find(|daemon| daemon.alias == alias).unwrap()
    }

    fn known_host(&self, daemon: &Sshd, key: &str) -> String {
        let public = std::fs::read_to_string(self.path(&format!("{key}.pub"))).unwrap();
        format!("[{}]:{} {public}", daemon.address, daemon.port)
    }

    fn make_key(&self, name: &str) {
        let mut make = Command::new("ssh-keygen");
        make.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(self.path(name));
        assert!(make.status().unwrap().success());
    }

    fn launch(&self, alias: &str, address: &str) -> Sshd {
        // Between the look at a port and the start somebody else may take it.
        let found = (0..20).find_map(|_| {
            let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
            self.listening(alias, address, port)
        });
        found.unwrap_or_else(|| panic!("no sshd listens on {address}: {:?}", self.log(alias)))
    }

    fn log(&self, alias: &str) -> String {
        std::fs::read_to_string(self.path(&format!("{alias}.log"))).unwrap_or_default()
    }

    /// One that says that it listens, or none if it has ended.
    fn listening(&self, alias: &str, address: &str, port: u16) -> Option<Sshd> {
        let config = self.path(&format!("{alias}.sshd_config"));
        let text = format!(
            "Port {port}\nListenAddress {address}\nHostKey {0}/{alias}\nAuthorizedKeysFile {0}/authorized\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n",
            self.directory.path().display()
        );
        let forced = self.path("forced.sh");
        let forced =
            if forced.exists() { format!("ForceCommand /bin/sh {}\n", forced.display()) } else { String::new() };
        let more = std::fs::read_to_string(self.path("more.conf")).unwrap_or_default();
        std::fs::write(&config, text + &forced + &more).unwrap();
        let mut sshd = Command::new(SSHD);
        sshd.arg("-D").arg("-f").arg(&config).arg("-E").arg(self.path(&format!("{alias}.log"))).stderr(Stdio::null());
        let process = sshd.spawn().unwrap();
        let mut daemon = Sshd { alias: alias.to_owned(), address: address.to_owned(), port, process };
        let listens = format!("Server listening on {address} port {port}.");
        let begun = Instant::now();
        while !self.log(alias).contains(&listens) {
            if daemon.process.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "sshd does not listen on {address}:{port}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(daemon)
    }

    /// `more` is said of each daemon but the bastion.
    fn write_config(&self, more: &str) {
        let entry = |daemon: &Sshd| {
            let Sshd { alias, address, port, .. } = daemon;
            let (names, more) =
                if alias == BASTION { (alias.clone(), "") } else { (format!("{alias} {address}"), more) };
            format!(
                "Host {names}\n HostName {address}\n Port {port}\n IdentityFile {0}/user\n IdentitiesOnly yes\n \
                 UserKnownHostsFile {0}/known_hosts\n GlobalKnownHostsFile /dev/null\n{more}",
                self.directory.path().display()
            )
        };
        let text: String = self.daemons.iter().map(entry).collect();
        std::fs::write(self.config(), text).unwrap();
    }
}

fn processes() -> Vec<Pid> {
    let all = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    all.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// Its name and what follows it in /proc/PID/stat.
fn stat(pid: Pid) -> Option<(String, String)> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let (head, tail) = text.rsplit_once(") ")?;
    Some((head.split_once('(')?.1.to_owned(), tail.to_owned()))
}

fn name(pid: Pid) -> String {
    stat(pid).map_or_else(String::new, |(name, _)| name)
}

fn parent(pid: Pid) -> Option<Pid> {
    stat(pid).and_then(|(_, tail)| Pid::from_raw(tail.split(' ').nth(1)?.parse().ok()?))
}
