//! A steady writer inside the daemon: rows go through a coordinator, as an application's would.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::model::NodeKind;
use crate::sandbox::sql::parse;
use crate::sandbox::world::{Login, Ran, Replication, SessionId};

use super::daemon::Daemon;

/// The table it writes to.
const TABLE: &str = "otb_sandbox_rows";

/// The writer's state.
#[derive(Default)]
pub(crate) struct Writer {
    task: Mutex<Option<JoinHandle<()>>>,
    /// The next id.
    next: AtomicU64,
}

impl Daemon {
    /// Writes `count` rows through the first coordinator that works; returns how many were committed.
    pub(crate) fn write_rows(self: &Arc<Self>, count: u64) -> Result<u64, String> {
        let session = self.writing_session()?;
        let mut written = 0;
        let mut failure = None;
        self.statement(session, &format!("create table if not exists {TABLE} (id bigint primary key, v text)"))?;
        for _ in 0..count {
            let id = self.writer.next.fetch_add(1, Ordering::Relaxed);
            match self.statement(session, &format!("insert into {TABLE} values ({id}, 'row {id}')")) {
                Ok(()) => written += 1,
                Err(error) => failure = Some(error),
            }
        }
        self.with(|world, _| world.close(session));
        match failure {
            Some(error) if written == 0 => Err(error),
            _ => Ok(written),
        }
    }

    /// Starts or stops writing a row every ten milliseconds.
    pub(crate) fn set_writer(self: &Arc<Self>, on: bool) {
        let mut task = self.writer.task.lock();
        if let Some(task) = task.take() {
            task.abort();
        }
        if on {
            let daemon = Arc::clone(self);
            *task = Some(tokio::spawn(async move {
                loop {
                    // A row that cannot be written now is an application's lost attempt: the next one comes.
                    let _ = daemon.write_rows(1);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }));
        }
    }

    fn writing_session(self: &Arc<Self>) -> Result<SessionId, String> {
        let login = Login {
            user: self.site.cluster.connection.user.clone(),
            database: "postgres".to_owned(),
            client: None,
            replication: Replication::No,
            settings: [("application_name".to_owned(), "otb sandbox writer".to_owned())].into(),
        };
        let coordinators: Vec<_> =
            self.site.cluster.nodes_of(NodeKind::Coordinator).map(|node| node.name.clone()).collect();
        for name in coordinators {
            let opened = self.with(|world, now| {
                let disk = world.master(&name).filter(|disk| !world.is_silent(*disk))?;
                world.open(disk, login.clone(), now).ok()?.ok()
            });
            if let Some(opened) = opened {
                return Ok(opened);
            }
        }
        Err("no coordinator takes connections".to_owned())
    }

    fn statement(self: &Arc<Self>, session: SessionId, sql: &str) -> Result<(), String> {
        let statement = parse(sql).map_err(|error| error.to_string())?;
        let ran = self.with(|world, now| {
            world.note_query(session, sql, now);
            world.run(session, &statement, &[], now)
        });
        match ran {
            Ran::Done(outcome) => outcome.result.map(|_| ()).map_err(|error| error.to_string()),
            Ran::Wait(_) => Err("a node does not answer".to_owned()),
        }
    }
}
