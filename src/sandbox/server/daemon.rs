//! The daemon: one world, its listeners, its files, its end.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::model::InstanceId;
use crate::sandbox::moment::Moment;
use crate::sandbox::site::Site;
use crate::sandbox::world::{DiskId, Ending, SessionId, World};

use super::control;
use super::parsed::Known;
use super::writer::Writer;

/// Everything the connections and commands share.
pub(crate) struct Daemon {
    pub site: Site,
    world: Mutex<World>,
    pub(super) listeners: Mutex<BTreeMap<DiskId, Listening>>,
    /// The data directory of a running process when it started.
    pub(super) paths: Mutex<BTreeMap<DiskId, PathBuf>>,
    /// Forward processes of v5's masters.
    pub(super) forwarders: Mutex<BTreeMap<DiskId, JoinHandle<()>>>,
    /// Aborted listener tasks whose sockets may still be open.
    pub(super) dying: Mutex<Vec<JoinHandle<()>>>,
    pub(super) stop: watch::Sender<bool>,
    pub weather: Mutex<Weather>,
    pub(super) writer: Writer,
    /// How a session's connection hears that its session was ended.
    pub(super) backends: Mutex<BTreeMap<SessionId, Arc<Notify>>>,
    /// Running queries by their backend's pid and secret.
    pub(super) cancels: Arc<pgwire::api::ConnectionManager>,
    pub(super) parsed: Mutex<Known>,
}

/// Delays and failures that faults ordered.
#[derive(Debug, Default)]
pub(crate) struct Weather {
    /// Milliseconds more per answer of an instance's process.
    pub slow_instances: BTreeMap<DiskId, u64>,
    /// Milliseconds more per run of a tool.
    pub slow_tools: BTreeMap<String, u64>,
    /// How many more runs of a tool fail.
    pub failing_tools: BTreeMap<String, u32>,
}

/// A process's open port.
pub(super) struct Listening {
    pub task: JoinHandle<()>,
    /// Tells its connections how the process ended.
    pub ended: watch::Sender<Option<Ending>>,
}

/// The clock, read here and nowhere below.
pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

impl Daemon {
    fn new(site: Site) -> Arc<Self> {
        let world = World::new(&site.cluster, site.flavor);
        let (stop, _) = watch::channel(false);
        Arc::new(Self {
            site,
            world: Mutex::new(world),
            listeners: Mutex::default(),
            paths: Mutex::default(),
            forwarders: Mutex::default(),
            dying: Mutex::default(),
            stop,
            weather: Mutex::default(),
            writer: Writer::default(),
            backends: Mutex::default(),
            cancels: Arc::default(),
            parsed: Mutex::default(),
        })
    }

    /// Changes the world, and then does the effects outside.
    pub(crate) fn with<T>(self: &Arc<Self>, act: impl FnOnce(&mut World, Moment) -> T) -> T {
        let mut world = self.world.lock();
        let result = act(&mut world, now());
        let mut effects = world.take_effects();
        while !effects.is_empty() {
            for effect in effects {
                self.carry_out(&mut world, effect);
            }
            // Reading a file again may have changed the world.
            effects = world.take_effects();
        }
        result
    }

    /// Waits until the ports of ended processes are really closed.
    pub(crate) async fn quiesce(&self) {
        let dying = std::mem::take(&mut *self.dying.lock());
        for task in dying {
            // Aborted: the only result there is.
            let _ = task.await;
        }
    }

    /// The copy that is, or would be, this instance: the running one, else what lies in its data directory.
    pub(crate) fn disk_of(self: &Arc<Self>, id: &InstanceId) -> Option<DiskId> {
        let running = self.with(|world, _| world.running(id));
        running.or_else(|| self.site.data_dir(id).and_then(|path| super::disk_at(&path)))
    }

    pub(crate) fn path_of(&self, disk: DiskId) -> Option<PathBuf> {
        self.paths.lock().get(&disk).cloned()
    }

    pub(crate) fn request_stop(&self) {
        self.stop.send_replace(true);
    }
}

/// Serves a sandbox until it is stopped, its directory disappears, or its time is up.
pub(crate) async fn serve(daemon: Arc<Daemon>) -> io::Result<()> {
    let dir = daemon.site.dir.clone();
    // Whoever reaches the socket finds everything there, this too.
    std::fs::write(dir.join("daemon.pid"), format!("{}\n", std::process::id()))?;
    let control = control::listen(&daemon)?;
    let ttl = daemon.site.ttl_seconds.map_or(Duration::MAX, Duration::from_secs);
    let mut stopped = daemon.stop.subscribe();
    let ticking = tokio::spawn(tick(Arc::clone(&daemon)));
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => {}
        () = tokio::time::sleep(ttl) => {}
        () = directory_gone(dir.clone()) => {}
        () = super::control::terminated() => {}
    }
    ticking.abort();
    control.abort();
    let _ = std::fs::remove_file(daemon.site.socket());
    let _ = std::fs::remove_file(dir.join("daemon.pid"));
    Ok(())
}

/// Lays a site's instances down and starts them all.
pub(crate) async fn start(site: Site) -> io::Result<Arc<Daemon>> {
    let daemon = Daemon::new(site);
    let started = if let Some(seen) = daemon.site.seen.clone() {
        let lives = daemon.lay_down_like(&seen)?;
        daemon.start_like(lives).await
    } else {
        daemon.lay_down()?;
        daemon.start_all().await
    };
    match started {
        Ok(()) => Ok(daemon),
        Err(error) => {
            daemon.close_all();
            daemon.quiesce().await;
            Err(error)
        }
    }
}

/// Events without a client: a promotion's checkpoint, retried connections of standbys.
async fn tick(daemon: Arc<Daemon>) {
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        daemon.with(World::tick);
    }
}

async fn directory_gone(dir: PathBuf) {
    while dir.join("sandbox.json").exists() {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
