//! Effects of the world outside: the server does them, an exhaustive search ignores them.

use super::instance::DiskId;
use super::session::SessionId;

/// One thing to do in a copy's data directory or to its connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A process began: write its pid file, listen on its endpoint.
    Started(DiskId),
    /// A process ended: stop listening, cut its connections.
    Ended { disk: DiskId, how: Ending },
    /// v5: a master's forward process listens on its port.
    Forwarding(DiskId),
    /// recovery.conf becomes recovery.done.
    RenameRecoveryConf(DiskId),
    /// The file by which pg_ctl asks for a promotion lies there until the server begins to obey.
    PromotionAsked(DiskId),
    /// A line at the end of gtm.conf.
    AppendGtmConf(DiskId, String),
    /// A file in pg_wal: a timeline's history.
    WriteHistory { disk: DiskId, name: String, text: String },
    /// Of the WAL files in pg_wal, keep this one.
    RecycleWal { disk: DiskId, left: String },
    /// A line of the server's log.
    Log(DiskId, String),
    /// gtm.control is written again.
    TouchGtmControl(DiskId),
    /// Another session ended a session: its client gets a message.
    SessionEnded(SessionId),
    /// postgresql.conf must be read again.
    Reload(DiskId),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Clients get a message; the pid file is removed.
    Shutdown,
    /// Connections break; the pid file is removed (immediate shutdown, or a FATAL in the startup process).
    Abort,
    /// Connections break; the pid file stays.
    Killed,
}
