//! `postgres -C NAME`: what the files of a data directory set. It runs no server.

use std::sync::Arc;

use crate::model::Host;
use crate::sandbox::Flavor;
use crate::sandbox::server::{Daemon, start_files};
use crate::sandbox::world::default_setting;

use super::Console;

/// What a v5 says before each answer, and once more by its logger (check_unused_bool_guc_set, guc.c; seen live).
const REMOVED: &str = "WARNING:  01000: The logical code corresponding to the GUC has been removed.\n";

pub(super) fn run(daemon: &Arc<Daemon>, args: &[String], console: &Console) -> u8 {
    if args.iter().any(|arg| arg == "--version" || arg == "-V") {
        console.out(format!("postgres (PostgreSQL) {}\n", daemon.site.flavor.server_version()));
        return 0;
    }
    if !args.iter().any(|arg| arg == "--datanode" || arg == "--coordinator") {
        console.err(
            "postgres: Postgres-XL: must start as either a Coordinator (--coordinator) or Data Node (--datanode)\n",
        );
        return 1;
    }
    let value = |flag: &str| args.iter().position(|arg| arg == flag).and_then(|at| args.get(at + 1));
    let (Some(name), Some(data)) = (value("-C"), value("-D")) else {
        console.err("postgres: the sandbox knows -C NAME -D DIR only\n");
        return 1;
    };
    let path = console.absolute(data);
    let own = Host::new("127.0.0.1").ok();
    let files = own.and_then(|own| start_files(&path, &own).ok());
    let Some(files) = files else {
        console.err(format!(
            "postgres: could not access the server configuration file \"{}/postgresql.conf\"\n",
            path.display()
        ));
        return 2;
    };
    if daemon.site.flavor == Flavor::V5 {
        console.err(REMOVED);
    }
    let value = files.settings.get(name).map(String::as_str).or_else(|| default_setting(name));
    if let Some(value) = value {
        console.out(format!("{value}\n"));
        return 0;
    }
    console.err(format!("FATAL:  unrecognized configuration parameter \"{name}\"\n"));
    1
}
