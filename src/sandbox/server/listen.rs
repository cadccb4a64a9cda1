//! Ports: one task per listening process, none per idle router beyond that.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::sandbox::world::{DiskId, Ending};

use super::daemon::{Daemon, Listening};
use super::delay::far_away;
use super::{gtm_wire, postgres};

/// Listens for the process on `disk`.
pub(super) async fn open(daemon: &Arc<Daemon>, disk: DiskId, host: &str, port: u16) -> io::Result<()> {
    let listener = bind(host, port).await?;
    let (ended, watching) = watch::channel(None);
    let task = tokio::spawn(accept(Arc::clone(daemon), disk, listener, watching));
    daemon.listeners.lock().insert(disk, Listening { task, ended });
    Ok(())
}

/// Listens as a forward process does, and ends each connection: no rows are moved here.
pub(super) fn forward(host: &str, port: u16) -> io::Result<JoinHandle<()>> {
    let listener = std::net::TcpListener::bind((host, port))?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    Ok(tokio::spawn(async move {
        loop {
            if listener.accept().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }))
}

/// A port that was just closed may need a moment.
async fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut tries = 0;
    loop {
        match TcpListener::bind((host, port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < 20 => tries += 1,
            result => return result,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn accept(daemon: Arc<Daemon>, disk: DiskId, listener: TcpListener, ended: watch::Receiver<Option<Ending>>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // The connection lives until its client goes or its process ends; no task waits for it.
                tokio::spawn(connection(Arc::clone(&daemon), disk, stream, ended.clone()));
            }
            // Out of file descriptors: try again when some are free.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn connection(daemon: Arc<Daemon>, disk: DiskId, stream: TcpStream, mut ended: watch::Receiver<Option<Ending>>) {
    let latency = Duration::from_millis(daemon.site.latency_ms);
    let Ok(stream) = far_away(stream, latency).await else { return };
    let is_gtm = daemon.with(|world, _| world.gtm(disk).is_some());
    if !is_gtm {
        return postgres::serve(daemon, disk, stream, ended).await;
    }
    tokio::select! {
        // An unreadable client is simply dropped, as the GTM does.
        _ = gtm_wire::serve(&daemon, disk, stream) => {}
        _ = ended.wait_for(Option::is_some) => {}
    }
}

impl Daemon {
    /// Waits as long as the process on `disk` must not answer.
    pub(super) async fn gate(self: &Arc<Self>, disk: DiskId) {
        while self.with(|world, _| world.is_silent(disk)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The delay that a fault adds to each answer.
    pub(super) async fn slowness(&self, disk: DiskId) {
        let slow = self.weather.lock().slow_instances.get(&disk).copied().unwrap_or(0);
        if slow > 0 {
            tokio::time::sleep(Duration::from_millis(slow)).await;
        }
    }
}
