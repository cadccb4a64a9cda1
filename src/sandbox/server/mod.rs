//! The background process: holds a world and serves it over TCP, files and commands.

mod address;
mod call;
mod control;
mod conversation;
mod daemon;
mod delay;
mod encode;
mod files;
mod gtm_wire;
mod infer;
mod instances;
mod like_live;
mod listen;
mod login;
mod parsed;
mod postgres;
mod session;
mod wal_files;
mod wire;
mod writer;

pub(super) use address::choose_prefix;
pub(super) use control::{Reply, Request};
pub(super) use daemon::{Daemon, serve, start};
pub(super) use files::{append, append_log, disk_at, mark_disk, recovery_writable, start_files, write_recovery_conf};
