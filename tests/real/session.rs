//! A session that is kept, for questions in quick succession.

use tokio_postgres::{Client, NoTls, SimpleQueryMessage, Statement};

use crate::clients::words;
use crate::cluster::Real;
use crate::support::ground::TestCluster as _;

/// A session that is kept: a statement takes a millisecond, where psql has to start first.
pub(crate) struct Session {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Session {
    pub(crate) fn open(real: &Real, instance: &str) -> Self {
        let (host, port) = real.endpoint(instance);
        let conninfo = format!("host={host} port={port} user={} dbname=postgres connect_timeout=10", real.user());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&conninfo, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Self { runtime, client }
    }

    /// The first column of the first row.
    pub(crate) fn ask(&self, statement: &str) -> Option<String> {
        let answer = self.runtime.block_on(self.client.simple_query(statement)).unwrap();
        answer.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        })
    }

    /// Prepares a statement on the server.
    pub(crate) fn prepare(&self, statement: &str) -> Statement {
        self.runtime.block_on(self.client.prepare(statement)).unwrap()
    }

    /// Runs a prepared statement with one number; the error in words.
    pub(crate) fn run(&self, statement: &Statement, number: i64) -> Result<u64, String> {
        self.runtime.block_on(self.client.execute(statement, &[&number])).map_err(|error| words(&error))
    }
}
