//! `sandbox up --like-live`: a sandbox in the image of a cluster that was seen.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::{Instance, NodeKind, Observation};
use crate::sandbox::world::{DiskId, Files, Life, Recovery, Upstream, Wal, World, image};

use super::daemon::{Daemon, now};
use super::files;

/// What of a server's settings is taken over.
const SETTINGS: [&str; 6] = [
    "hot_standby",
    "max_prepared_transactions",
    "max_wal_senders",
    "synchronous_commit",
    "synchronous_standby_names",
    "wal_keep_segments",
];

impl Daemon {
    /// Creates every data directory as it was seen. Gives what is to run, and how.
    pub(super) fn lay_down_like(self: &Arc<Self>, seen: &Observation) -> io::Result<Vec<Life>> {
        let cluster = self.site.cluster.clone();
        let mut image = image(&cluster, seen, now());
        let lives = image.put_to_rest();
        let made = std::mem::replace(&mut image.world, World::new(&cluster, self.site.flavor));
        self.with(|world, _| *world = made);
        for instance in cluster.instances() {
            let (Some(disk), Some(own)) = (image.disks.get(&instance.id), image.files.get(&instance.id)) else {
                continue;
            };
            self.write_like(*disk, instance, own, seen)?;
        }
        Ok(lives)
    }

    fn write_like(
        self: &Arc<Self>,
        disk: DiskId,
        instance: &Instance,
        own: &Files,
        seen: &Observation,
    ) -> io::Result<()> {
        let path = PathBuf::from(&instance.data);
        let wal = self.with(|world, _| world.postgres(disk).map(|copy| copy.wal.clone()));
        let file = wal.as_ref().map(|wal| Wal::file_name(wal.timeline, wal.end())).unwrap_or_default();
        files::place_disk(&path, disk, instance, &file)?;
        if instance.kind == NodeKind::Gtm {
            return files::write_gtm_conf(&path, instance, own.recovery.as_ref().and_then(|conf| self.at(conf)));
        }
        if let Some(wal) = wal.filter(|wal| wal.timeline.0 > 1) {
            fs::write(path.join(format!("pg_wal/{:08X}.history", wal.timeline.0)), wal.history_file())?;
        }
        let set = seen.instances.get(&instance.id).and_then(|facts| facts.settings.known());
        for (name, value) in SETTINGS.iter().filter_map(|name| Some((name, set?.text(name)?))) {
            files::append(&path.join("postgresql.conf"), &format!("{name} = '{}'\n", value.replace('\'', "''")))?;
        }
        own.recovery.as_ref().map_or(Ok(()), |conf| self.write_recovery(&path, instance, conf))
    }

    fn write_recovery(&self, path: &Path, instance: &Instance, conf: &Recovery) -> io::Result<()> {
        let upstream = Upstream {
            host: conf.host.clone(),
            port: conf.port,
            user: self.site.cluster.connection.user.clone(),
            application_name: format!("{}_{}", instance.id.node, instance.id.server),
        };
        files::write_recovery_conf(path, &upstream)?;
        if conf.writable {
            return Ok(());
        }
        fs::set_permissions(path.join("recovery.conf"), fs::Permissions::from_mode(0o400))
    }

    fn at(&self, conf: &Recovery) -> Option<&Instance> {
        let there = |one: &&Instance| one.endpoint.host.as_str() == conf.host && one.endpoint.port == conf.port;
        self.site.cluster.instances().find(there)
    }

    /// Starts what ran, masters first, and does to it what had happened to the real one.
    pub(super) async fn start_like(self: &Arc<Self>, mut lives: Vec<Life>) -> io::Result<()> {
        let cluster = self.site.cluster.clone();
        let kind = |life: &Life| cluster.instance(&life.id).map(|instance| instance.kind);
        lives.sort_by_key(|life| (kind(life), !life.master));
        for life in &lives {
            let Some(instance) = cluster.instance(&life.id) else { continue };
            if let Err(failure) = self.start_at(Path::new(&instance.data)).await {
                // One that could not be started as it ran is down: a GTM's standby without its active one.
                self.complain(&format!("{} is not started: {}", life.id, failure.0));
            }
        }
        for life in lives {
            self.with(|world, now| {
                if life.behind {
                    world.set_allowance(life.disk, Some(0), now);
                }
                if life.paused {
                    world.pause_replay(life.disk, true, now);
                }
                if life.hung {
                    world.set_hung(life.disk, true, now);
                }
                if life.cut {
                    world.set_cut(&life.id.server, true, now);
                }
            });
        }
        Ok(())
    }
}
