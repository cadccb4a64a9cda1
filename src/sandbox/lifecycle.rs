//! `otb sandbox up`, `down`, `status`, `fault`, `serve`: the caller's side.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::model::{Cluster, NameError, Observation};

use super::Flavor;
use super::args::{FaultArgs, UpArgs};
use super::server::{self, Reply, Request, choose_prefix};
use super::site::Site;
use super::socket::socket_path;
use super::status::Status;
use super::world::flavor_of;
use super::{like, tools, topology};

/// Why a sandbox command failed; completes "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("start a sandbox in {0}: one runs there already")]
    InUse(PathBuf),
    #[error("start a sandbox in {0}: it is not empty, and no sandbox made it")]
    NotEmpty(PathBuf),
    #[error("find free loopback addresses for the sandbox's ports")]
    NoAddress,
    #[error("start the sandbox: it ended at once, saying: {0}")]
    Ended(String),
    #[error("reach the sandbox in {0}: none runs there")]
    NotRunning(PathBuf),
    #[error("start the sandbox: it was not ready in time; see {0}")]
    NotReady(PathBuf),
    #[error("{0}")]
    Refused(String),
    #[error("name a part of the sandbox: {0}")]
    Name(#[from] NameError),
    #[error("work with the sandbox's files: {0}")]
    Io(#[from] io::Error),
}

/// How many other addresses are tried when a port turns out to be taken.
const MORE_ADDRESSES: usize = 5;

/// How long a fresh daemon may take.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// Starts a sandbox in the background and returns what it serves. `from` is the cluster of `--from`.
pub fn up(args: &UpArgs, from: Option<Cluster>, like: Option<Observation>) -> Result<Site, SandboxError> {
    let site = prepare(args, from, like)?;
    let exe = std::env::current_exe()?;
    write_tools(&site, &exe)?;
    let log = fs::OpenOptions::new().create(true).append(true).open(site.dir.join("log"))?;
    let daemon = Command::new(exe)
        .args(["sandbox", "serve", "--dir"])
        .arg(&site.dir)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .current_dir("/")
        .spawn()?;
    wait_ready(&site, daemon)?;
    // The daemon has chosen the addresses.
    Ok(Site::read(&site.dir)?)
}

/// Writes what a daemon needs to know.
fn prepare(args: &UpArgs, from: Option<Cluster>, like: Option<Observation>) -> Result<Site, SandboxError> {
    fs::create_dir_all(&args.dir)?;
    let dir = args.dir.canonicalize()?;
    if UnixStream::connect(socket_path(&dir)).is_ok() {
        return Err(SandboxError::InUse(dir));
    }
    clear(&dir)?;
    let mut cluster = match from {
        Some(cluster) => cluster,
        None => topology::seed(args)?,
    };
    let flavor = like.as_ref().map_or(args.flavor, flavor_of);
    if flavor == Flavor::V5 && like.is_none() {
        topology::give_forward_ports(&mut cluster);
    }
    let site = Site {
        format_version: 1,
        dir,
        cluster,
        flavor,
        latency_ms: args.latency,
        password: args.password.clone(),
        ttl_seconds: args.ttl,
        seen: like.map(Box::new),
    };
    site.write()?;
    Ok(site)
}

/// Removes what an earlier sandbox left; refuses a directory that holds anything else.
fn clear(dir: &Path) -> Result<(), SandboxError> {
    let Ok(old) = Site::read(dir) else {
        return match fs::read_dir(dir)?.next() {
            None => Ok(()),
            Some(_) => Err(SandboxError::NotEmpty(dir.to_owned())),
        };
    };
    for server in old.cluster.servers.keys() {
        remove_tree(&dir.join(server.as_str()))?;
    }
    remove_tree(&dir.join("install"))?;
    for file in ["cluster.yaml", "sandbox.json", "log", "daemon.pid", "control.sock"] {
        match fs::remove_file(dir.join(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The program that is each of a sandbox's tools.
const RELAY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/relay"));

/// The commands in DIR/install/bin: one small program under their names or, where none can be run from there, links to this
/// one. A script that starts it would be one more process for each run of a tool.
fn write_tools(site: &Site, exe: &Path) -> io::Result<()> {
    let bin = site.dir.join("install/bin");
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(site.dir.join("install/lib"))?;
    let relay = site.dir.join("install/relay");
    fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(&relay)?.write_all(RELAY)?;
    // It finds no sandbox and says so, if it runs.
    let runs = Command::new(&relay).stdin(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    tools::NAMES.iter().map(|name| bin.join(name)).try_for_each(|tool| {
        if runs {
            fs::hard_link(&relay, &tool).or_else(|_| fs::copy(&relay, &tool).map(drop))
        } else {
            symlink(exe, tool)
        }
    })
}

fn wait_ready(site: &Site, mut daemon: Child) -> Result<(), SandboxError> {
    let began = Instant::now();
    while UnixStream::connect(site.socket()).is_err() {
        let log = site.dir.join("log");
        if daemon.try_wait()?.is_some() {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(SandboxError::Ended(said.lines().last().unwrap_or("no reason given").to_owned()));
        }
        if began.elapsed() > READY_WITHIN {
            return Err(SandboxError::NotReady(log));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Serves the sandbox that `up` prepared in `dir`, in this process, until it ends.
pub async fn serve(dir: &Path) -> Result<(), SandboxError> {
    // A session of its own: the terminal's signals are not for it. It may lead one already.
    let _ = rustix::process::setsid();
    let dir = dir.canonicalize()?;
    let mut site = Site::read(&dir)?;
    let octets = topology::octets(&site.cluster).into_values().collect();
    let ports = topology::ports(&site.cluster);
    let (was, seen) = (site.cluster.clone(), site.seen.take());
    let mut tries = 0;
    loop {
        // Held to the end, so that no other sandbox comes between.
        let prefix = choose_prefix(&dir, &octets, &ports, tries).ok_or(SandboxError::NoAddress)?;
        topology::settle(&mut site.cluster, &dir, prefix.high, prefix.low)?;
        site.seen = seen.as_deref().map(|seen| Box::new(like::moved(&was, &site.cluster, seen)));
        site.write()?;
        fs::write(dir.join("cluster.yaml"), topology::yaml(&site.cluster, &dir))?;
        match server::start(site.clone()).await {
            Ok(daemon) => return Ok(server::serve(daemon).await?),
            // Another program took a port between the look and the start: the next addresses, then.
            Err(_) if tries < MORE_ADDRESSES => tries += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Ends the sandbox in `dir`; its files stay.
pub fn down(dir: &Path) -> Result<(), SandboxError> {
    let dir = dir.canonicalize()?;
    ask(&dir, &Request::Down)?;
    let began = Instant::now();
    while dir.join("daemon.pid").exists() && began.elapsed() < READY_WITHIN {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// The processes in the sandbox.
pub fn status(dir: &Path) -> Result<Status, SandboxError> {
    match ask(dir, &Request::Status)? {
        Reply::Status { status } => Ok(status),
        other => Err(SandboxError::Refused(format!("read the sandbox's status: it said {other:?}"))),
    }
}

/// Inflicts a fault; returns what was done, in words.
pub fn fault(args: &FaultArgs) -> Result<String, SandboxError> {
    let request = Request::Fault { kind: args.kind.clone(), target: args.target.clone(), value: args.value.clone() };
    match ask(&args.sandbox.dir, &request)? {
        Reply::Done { message } => Ok(message),
        Reply::Failed { message } => Err(SandboxError::Refused(message)),
        other @ Reply::Status { .. } => {
            Err(SandboxError::Refused(format!("inflict a fault: the sandbox said {other:?}")))
        }
    }
}

/// One request, its reply.
fn ask(dir: &Path, request: &Request) -> Result<Reply, SandboxError> {
    let not_running = || SandboxError::NotRunning(dir.to_owned());
    let full = dir.canonicalize().map_err(|_| not_running())?;
    let mut stream = UnixStream::connect(socket_path(&full)).map_err(|_| not_running())?;
    let mut line = serde_json::to_string(request).map_err(io::Error::from)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply)?;
    if reply.is_empty() {
        return Err(not_running());
    }
    Ok(serde_json::from_str(&reply).map_err(io::Error::from)?)
}
