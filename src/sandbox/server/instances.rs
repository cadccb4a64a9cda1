//! Instances of the daemon: created, started from their files, and the effects of the world on them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{Instance, InstanceId, NodeKind};
use crate::sandbox::world::{DiskId, Effect, Ending, StartFailure, Upstream, Wal, World};

use super::daemon::{Daemon, now};
use super::files;
use super::{listen, wal_files};

impl Daemon {
    /// Creates every data directory of a fresh sandbox.
    pub(super) fn lay_down(self: &Arc<Self>) -> io::Result<()> {
        let cluster = self.site.cluster.clone();
        let disks = self.with(|world, now| world.lay_down(&cluster, now));
        for (id, disk) in &disks {
            let Some(instance) = cluster.instance(id) else { continue };
            self.write_files(*disk, instance)?;
        }
        Ok(())
    }

    fn write_files(&self, disk: DiskId, instance: &Instance) -> io::Result<()> {
        let path = PathBuf::from(&instance.data);
        let wal_file = Wal::file_name(crate::model::Timeline(1), crate::model::Lsn(0x0300_0028));
        files::place_disk(&path, disk, instance, &wal_file)?;
        let node = self.site.cluster.nodes.get(&instance.id.node);
        let master = node.and_then(|node| node.master_instance()).filter(|master| master.id != instance.id);
        match (instance.kind, master) {
            (NodeKind::Gtm, master) => files::write_gtm_conf(&path, instance, master),
            (_, None) => Ok(()),
            (_, Some(master)) => {
                let upstream = Upstream {
                    host: master.endpoint.host.to_string(),
                    port: master.endpoint.port,
                    user: self.site.cluster.connection.user.clone(),
                    application_name: format!("{}_{}", instance.id.node, instance.id.server),
                };
                files::write_recovery_conf(&path, &upstream)
            }
        }
    }

    /// Starts everything: GTMs, masters, standbys.
    pub(super) async fn start_all(self: &Arc<Self>) -> io::Result<()> {
        let cluster = self.site.cluster.clone();
        let mut instances: Vec<&Instance> = cluster.instances().collect();
        let is_standby = |instance: &Instance| {
            cluster.nodes.get(&instance.id.node).is_some_and(|node| node.master != instance.id.server)
        };
        instances.sort_by_key(|instance| (instance.kind, is_standby(instance)));
        for instance in instances {
            self.start_at(Path::new(&instance.data))
                .await
                .map_err(|failure| io::Error::other(format!("{}: {}", instance.id, failure.0)))?;
        }
        Ok(())
    }

    /// Starts the server whose data directory this is.
    pub(crate) async fn start_at(self: &Arc<Self>, path: &Path) -> Result<DiskId, StartFailure> {
        let failure = |text: String| StartFailure(format!("FATAL:  {text}"));
        let disk = files::disk_at(path).ok_or_else(|| failure("could not read pg_control".to_owned()))?;
        self.quiesce().await;
        let server = self.site.server_of(path).cloned();
        let own = self.with(|world, _| {
            let server = server.as_ref()?;
            world.server_address(server).cloned()
        });
        let own = own.ok_or_else(|| failure(format!("{} is on no server of the sandbox", path.display())))?;
        let is_gtm = self.with(|world, _| world.gtm(disk).is_some());
        self.paths.lock().insert(disk, path.to_owned());
        let io_failure = |error: io::Error| failure(format!("could not read the configuration: {error}"));
        let (host, port) = if is_gtm {
            let conf = files::gtm_files(path, &own).map_err(io_failure)?;
            let endpoint = (conf.host.clone(), conf.port);
            self.with(|world, now| world.start_gtm(disk, conf, now))?;
            endpoint
        } else {
            let start = files::start_files(path, &own).map_err(io_failure)?;
            let endpoint = (start.host.clone(), start.port);
            if let Some(command) = files::restore_command(path).filter(|_| start.recovery.is_some()) {
                self.restore(disk, path, &command).map_err(|error| failure(format!("could not restore: {error}")))?;
            }
            self.with(|world, now| world.start(disk, start, now))?;
            endpoint
        };
        if let Err(error) = listen::open(self, disk, host.as_str(), port).await {
            self.with(|world, now| world.kill(disk, now));
            return Err(failure(format!("could not bind \"{host}\" port {port}: {error}")));
        }
        Ok(disk)
    }

    /// Does the effects of the world.
    pub(super) fn carry_out(self: &Arc<Self>, world: &mut World, effect: Effect) {
        let path = |disk: DiskId| self.paths.lock().get(&disk).cloned();
        // A data directory that was taken away under a running server is the operator's doing: the
        // simulated server goes on, as a real one would for a while.
        let done = match effect {
            Effect::Started(disk) => path(disk).map_or(Ok(()), |path| {
                files::forget_promotion(&path)?;
                write_pid(world, disk, &path)?;
                self.write_opts(world, disk, &path)
            }),
            Effect::Forwarding(disk) => {
                self.open_forwarder(world, disk);
                Ok(())
            }
            Effect::Ended { disk, how } => {
                self.close_port(disk, how);
                if let Some((copy, path)) = world.postgres(disk).zip(path(disk))
                    && let Err(error) = wal_files::write(copy, &path)
                {
                    self.complain(&format!("could not write WAL files: {error}"));
                }
                match (how, path(disk)) {
                    (Ending::Killed, _) | (_, None) => Ok(()),
                    (Ending::Shutdown | Ending::Abort, Some(path)) => {
                        let kind = world.home(disk).map_or(NodeKind::Datanode, |home| home.kind);
                        fs::remove_file(path.join(files::pid_file(kind)))
                    }
                }
            }
            Effect::RenameRecoveryConf(disk) => path(disk).map_or(Ok(()), |path| {
                files::forget_promotion(&path)?;
                fs::rename(path.join("recovery.conf"), path.join("recovery.done"))
            }),
            Effect::PromotionAsked(disk) => path(disk).map_or(Ok(()), |path| fs::write(path.join(files::PROMOTE), "")),
            Effect::AppendGtmConf(disk, line) => {
                path(disk).map_or(Ok(()), |path| files::append(&path.join("gtm.conf"), &format!("{line}\n")))
            }
            Effect::WriteHistory { disk, name, text } => {
                path(disk).map_or(Ok(()), |path| fs::write(path.join("pg_wal").join(name), text))
            }
            Effect::RecycleWal { disk, left } => path(disk).map_or(Ok(()), |path| files::recycle_wal(&path, &left)),
            Effect::Log(disk, line) => path(disk).map_or(Ok(()), |path| {
                let stamp = now().log_stamp();
                files::append(&path.join("log/pg.log"), &format!("{stamp} [{},coord(0.0)] {line}\n", disk.0))
            }),
            Effect::TouchGtmControl(disk) => path(disk).map_or(Ok(()), |path| files::mark_gtm(&path, disk)),
            Effect::SessionEnded(id) => {
                if let Some(backend) = self.backends.lock().remove(&id) {
                    backend.notify_one();
                }
                Ok(())
            }
            Effect::Reload(disk) => path(disk).map_or(Ok(()), |path| Self::reload(world, disk, &path)),
        };
        if let Err(error) = done {
            self.complain(&format!("could not write to a data directory: {error}"));
        }
    }

    /// postmaster.opts: the program and its arguments, as a live v2.6 writes them.
    fn write_opts(&self, world: &World, disk: DiskId, path: &Path) -> io::Result<()> {
        let Some(kind) = world.home(disk).map(|home| home.kind).filter(|kind| kind.is_router()) else { return Ok(()) };
        let program = self.site.dir.join("install/bin/postgres");
        let line = format!("{} \"--{kind}\" \"-D\" \"{}\"\n", program.display(), path.display());
        fs::write(path.join("postmaster.opts"), line)
    }

    /// postgresql.conf is read again.
    pub(crate) fn reload(world: &mut World, disk: DiskId, path: &Path) -> io::Result<()> {
        let own = world.home(disk).and_then(|home| world.server_address(&home.server)).cloned();
        if let Some(own) = own {
            let start = files::start_files(path, &own)?;
            world.reload(disk, start.settings);
        }
        Ok(())
    }

    /// A v5 master whose forward port is taken does not serve.
    fn open_forwarder(&self, world: &mut World, disk: DiskId) {
        let Some((host, port)) = world.forwards_at(disk) else { return };
        match listen::forward(host.as_str(), port) {
            Ok(forwarder) => {
                self.forwarders.lock().insert(disk, forwarder);
            }
            Err(_) => world.cannot_forward(disk),
        }
    }

    fn close_port(&self, disk: DiskId, how: Ending) {
        if let Some(forwarder) = self.forwarders.lock().remove(&disk) {
            forwarder.abort();
            self.dying.lock().push(forwarder);
        }
        if let Some(listening) = self.listeners.lock().remove(&disk) {
            listening.ended.send_replace(Some(how));
            listening.task.abort();
            self.dying.lock().push(listening.task);
        }
    }

    /// Closes every port, when a start has failed half-way.
    pub(super) fn close_all(&self) {
        let disks: Vec<DiskId> = self.listeners.lock().keys().copied().collect();
        for disk in disks {
            self.close_port(disk, Ending::Killed);
        }
    }

    /// A line in the daemon's own log.
    pub(crate) fn complain(&self, line: &str) {
        let _ = files::append(&self.site.dir.join("log"), &format!("{} {line}\n", now().log_stamp()));
    }

    /// Every instance with its copy, for status.
    pub(crate) fn instances(self: &Arc<Self>) -> BTreeMap<InstanceId, Option<DiskId>> {
        let ids: Vec<InstanceId> = self.site.cluster.instances().map(|instance| instance.id.clone()).collect();
        ids.into_iter().map(|id| (id.clone(), self.disk_of(&id))).collect()
    }
}

fn write_pid(world: &World, disk: DiskId, path: &Path) -> io::Result<()> {
    let shown = path.display();
    if let Some(process) = world.gtm(disk).and_then(|gtm| gtm.process.as_ref()) {
        let mode = i32::from(matches!(process.role, crate::sandbox::world::GtmRole::Active));
        files::append(&path.join("gtm.opts"), "")?;
        return files::write_pid(path, NodeKind::Gtm, &format!("{}\n{shown}\n{mode}\n", process.pid));
    }
    let Some(copy) = world.postgres(disk) else { return Ok(()) };
    let Some(process) = &copy.process else { return Ok(()) };
    files::write_pid(path, copy.home.kind, &process.pid_file(disk))
}
