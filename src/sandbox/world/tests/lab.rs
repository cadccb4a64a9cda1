//! The example cluster as a pure world, driven without sockets.

use std::collections::BTreeMap;

use crate::model::{Cluster, InstanceId};
use crate::sandbox::args::UpArgs;
use crate::sandbox::moment::Moment;
use crate::sandbox::sql::{SqlError, Value, parse};
use crate::sandbox::topology;
use crate::sandbox::world::{
    Answer, DiskId, GaveUp, GtmConf, Login, Outcome, Postgres, Promotion, Ran, Replication, SessionId, StartFailure,
    StartFiles, Upstream, Wait, World,
};

/// A running seed cluster at a clock of its own.
pub(super) struct Lab {
    pub world: World,
    pub cluster: Cluster,
    disks: BTreeMap<InstanceId, DiskId>,
    clock: u64,
}

pub(super) const S29: &str = "127.0.0.29";
pub(super) const S47: &str = "127.0.0.47";

impl Lab {
    pub(super) fn new() -> Self {
        Self::of(crate::sandbox::Flavor::V2)
    }

    pub(super) fn of(flavor: crate::sandbox::Flavor) -> Self {
        let args = UpArgs {
            dir: "/sandbox".into(),
            from: None,
            like_live: None,
            coordinators: 2,
            datanodes: 2,
            coordinator_standbys: false,
            flavor,
            latency: 0,
            password: None,
            ttl: None,
        };
        let mut cluster = topology::seed(&args).unwrap();
        if flavor == crate::sandbox::Flavor::V5 {
            topology::give_forward_ports(&mut cluster);
        }
        topology::settle(&mut cluster, &args.dir, 0, 0).unwrap();
        let mut world = World::new(&cluster, args.flavor);
        let disks = world.lay_down(&cluster, Moment(1_000_000));
        let mut lab = Self { world, cluster, disks, clock: 2_000_000 };
        for name in ["gtm_1@s29", "gtm_1@s47", "cn01@s29", "cn02@s47", "dn01@s29", "dn02@s47"] {
            lab.start(name, None);
        }
        lab.start("dn01@s47", Some((S29, 23_001)));
        lab.start("dn02@s29", Some((S47, 23_002)));
        lab
    }

    pub(super) fn now(&mut self) -> Moment {
        self.clock += 1000;
        Moment(self.clock)
    }

    pub(super) fn disk(&self, name: &str) -> DiskId {
        self.disks[&InstanceId::try_from(name.to_owned()).unwrap()]
    }

    pub(super) fn copy(&self, name: &str) -> &Postgres {
        self.world.postgres(self.disk(name)).unwrap()
    }

    /// Starts an instance; with an upstream as its standby.
    pub(super) fn start(&mut self, name: &str, upstream: Option<(&str, u16)>) {
        self.try_start(name, upstream).unwrap();
    }

    pub(super) fn try_start(&mut self, name: &str, upstream: Option<(&str, u16)>) -> Result<(), StartFailure> {
        let id = InstanceId::try_from(name.to_owned()).unwrap();
        let instance = self.cluster.instance(&id).unwrap().clone();
        let (disk, now) = (self.disk(name), self.now());
        if self.world.gtm(disk).is_some() {
            let standby_of = (name == "gtm_1@s47").then(|| (S29.to_owned(), 21_000));
            return self.start_gtm(name, standby_of);
        }
        let recovery = upstream.map(|(host, port)| {
            Some(Upstream {
                host: host.to_owned(),
                port,
                user: "opentenbase".to_owned(),
                application_name: name.replace('@', "_"),
            })
        });
        let files = StartFiles {
            host: instance.endpoint.host,
            port: instance.endpoint.port,
            data_directory: instance.data,
            settings: BTreeMap::new(),
            recovery,
        };
        self.world.start(disk, files, now)
    }

    pub(super) fn start_gtm(&mut self, name: &str, standby_of: Option<(String, u16)>) -> Result<(), StartFailure> {
        let id = InstanceId::try_from(name.to_owned()).unwrap();
        let instance = self.cluster.instance(&id).unwrap().clone();
        let (disk, now) = (self.disk(name), self.now());
        let (host, port) = (instance.endpoint.host, instance.endpoint.port);
        self.world.start_gtm(disk, GtmConf { host, port, data_directory: instance.data, standby_of }, now)
    }

    pub(super) fn stop(&mut self, name: &str) {
        let (disk, now) = (self.disk(name), self.now());
        self.world.shut_down(disk, now);
        self.world.stop_gtm(disk);
    }

    pub(super) fn kill(&mut self, name: &str) {
        let (disk, now) = (self.disk(name), self.now());
        self.world.kill(disk, now);
    }

    pub(super) fn promote(&mut self, name: &str) -> Promotion {
        let (disk, now) = (self.disk(name), self.now());
        self.world.promote(disk, true, now)
    }

    pub(super) fn session(&mut self, name: &str) -> SessionId {
        self.session_with(name, &[])
    }

    pub(super) fn session_with(&mut self, name: &str, settings: &[(&str, &str)]) -> SessionId {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.log_in(name, Replication::No, settings).unwrap().unwrap()
    }

    pub(super) fn log_in(
        &mut self,
        name: &str,
        replication: Replication,
        settings: BTreeMap<String, String>,
    ) -> Result<Result<SessionId, SqlError>, Wait> {
        let login = Login {
            user: "opentenbase".to_owned(),
            database: "postgres".to_owned(),
            client: Some("127.0.0.1:5000".parse().unwrap()),
            replication,
            settings,
        };
        let (disk, now) = (self.disk(name), self.now());
        self.world.open(disk, login, now)
    }

    /// Runs one statement in a session.
    pub(super) fn ran(&mut self, session: SessionId, sql: &str) -> Ran {
        let now = self.now();
        self.world.run(session, &parse(sql).unwrap(), &[], now)
    }

    pub(super) fn done(&mut self, session: SessionId, sql: &str) -> Outcome {
        match self.ran(session, sql) {
            Ran::Done(outcome) => outcome,
            Ran::Wait(wait @ (Wait::NoGtm | Wait::NoGtmAtCommit)) => {
                let now = self.now();
                self.world.give_up(session, wait, GaveUp::OutOfPatience, now)
            }
            Ran::Wait(wait) => panic!("{sql} waits: {wait:?}"),
        }
    }

    /// The rows as text, `|` between columns; an error's SQLSTATE and message.
    pub(super) fn rows(&mut self, session: SessionId, sql: &str) -> Vec<String> {
        match self.done(session, sql).result {
            Ok(Answer::Rows { relation, .. }) => relation.rows.iter().map(|row| shown(row)).collect(),
            Ok(Answer::Done { tag, rows: Some(rows) }) => vec![format!("{tag} {rows}")],
            Ok(Answer::Done { tag, rows: None } | Answer::Ended { tag }) => vec![tag.to_owned()],
            Ok(Answer::Began) => vec!["BEGIN".to_owned()],
            Err(error) => vec![format!("{}: {}", error.code, error.message)],
        }
    }

    pub(super) fn one(&mut self, session: SessionId, sql: &str) -> String {
        let mut rows = self.rows(session, sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows.remove(0)
    }

    /// In a session of its own.
    pub(super) fn ask(&mut self, name: &str, sql: &str) -> String {
        let session = self.session(name);
        let answer = self.one(session, sql);
        self.world.close(session);
        answer
    }
}

fn shown(row: &[Value]) -> String {
    let texts: Vec<String> = row.iter().map(|value| value.to_text().unwrap_or_else(|| "NULL".to_owned())).collect();
    texts.join("|")
}
