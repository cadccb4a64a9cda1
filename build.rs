//! The program of the sandbox's tools, and which commit a release was built from, for `otb --version`.
//!
//! Only release builds ask: what is under development changes with every commit, and would be compiled again for each.
//! Of a crate's tarball cargo has written the commit down; packagers may say it by OTB_COMMIT.

#![allow(clippy::disallowed_methods, reason = "a build script reads the environment and asks git")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=OTB_COMMIT");
    relay();
    let said = std::env::var("OTB_COMMIT").ok().filter(|commit| !commit.is_empty());
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = said.or_else(|| release.then(|| of_tarball().or_else(of_git)).flatten());
    let short: Option<String> = commit.map(|commit| commit.chars().filter(char::is_ascii_hexdigit).take(12).collect());
    println!("cargo:rustc-env=OTB_BUILD={}", short.map_or_else(String::new, |short| format!(" ({short})")));
}

/// Compiles what otb writes into a sandbox as pg_ctl and the others: it starts in half the time that otb takes.
fn relay() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    for file in ["relay.rs", "relay/main.rs", "socket.rs"] {
        println!("cargo:rerun-if-changed=src/sandbox/{file}");
    }
    let mut rustc = Command::new(variable("RUSTC"));
    rustc.args(["--crate-name=relay", "--crate-type=bin", "--edition=2024", "-Copt-level=s", "-Cpanic=abort"]);
    rustc.args(["--emit=link", "-Cstrip=symbols", "--target", &variable("TARGET")]);
    rustc.args(variable("CARGO_ENCODED_RUSTFLAGS").split('\u{1f}').filter(|flag| !flag.is_empty()));
    if let Ok(linker) = std::env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.arg("-o").arg(PathBuf::from(variable("OUT_DIR")).join("relay")).arg("src/sandbox/relay/main.rs");
    let status = rustc.status();
    assert!(status.as_ref().is_ok_and(ExitStatus::success), "{rustc:?}: {status:?}");
}

/// `cargo package` writes `{"git": {"sha1": "…"}}`.
fn of_tarball() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let rest = text.split_once("\"sha1\"")?.1;
    rest.split('"').nth(1).map(str::to_owned)
}

/// Only a repository of this crate's own: sources unpacked below somebody else's are not of that commit.
fn of_git() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // The log of HEAD grows whenever HEAD moves, also within its branch.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists());
    let watched = log.or_else(|| git(&["rev-parse", "--git-path", "HEAD"]))?;
    println!("cargo:rerun-if-changed={watched}");
    git(&["rev-parse", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
