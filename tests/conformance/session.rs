//! A client's session, and what it sees: rows, or the error's SQLSTATE, message, detail and hint.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

/// No statement of a transcript takes longer.
const PATIENCE: Duration = Duration::from_secs(90);

/// A session that is kept open, in a thread of its own: its statements may wait.
pub(super) struct Session {
    statements: Sender<String>,
    answers: Receiver<String>,
}

impl Session {
    pub(super) fn open(config: Config) -> Self {
        let (statements, wanted) = channel::<String>();
        let (told, answers) = channel();
        std::thread::spawn(move || {
            runtime().block_on(async {
                match connect(&config).await {
                    Ok(client) => {
                        for statement in wanted {
                            if told.send(ask(&client, &statement).await).is_err() {
                                return;
                            }
                        }
                    }
                    Err(error) => drop(told.send(seen(&error))),
                }
            });
        });
        Self { statements, answers }
    }

    pub(super) fn begin(&self, statement: &str) {
        // A session that could not be opened has its answer ready.
        let _ = self.statements.send(statement.to_owned());
    }

    pub(super) fn answer(&self) -> String {
        self.answers.recv_timeout(PATIENCE).unwrap_or_else(|_| "no answer\n".to_owned())
    }
}

/// What one statement in a session of its own says.
pub(super) fn once(config: &Config, statement: &str) -> String {
    runtime().block_on(async {
        match connect(config).await {
            Ok(client) => ask(&client, statement).await,
            Err(error) => seen(&error),
        }
    })
}

fn runtime() -> tokio::runtime::Runtime {
    // Two threads: one keeps the connection going.
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn connect(config: &Config) -> Result<Client, tokio_postgres::Error> {
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn ask(client: &Client, statement: &str) -> String {
    match tokio::time::timeout(PATIENCE, client.simple_query(statement)).await {
        Err(_) => "no answer\n".to_owned(),
        Ok(Err(error)) => seen(&error),
        Ok(Ok(messages)) => messages.iter().map(line).collect(),
    }
}

/// A row as `psql -At` shows it, with NULL told from nothing.
fn line(message: &SimpleQueryMessage) -> String {
    match message {
        SimpleQueryMessage::Row(row) => {
            let values: Vec<&str> = (0..row.len()).map(|n| row.get(n).unwrap_or("NULL")).collect();
            values.join("|") + "\n"
        }
        _ => String::new(),
    }
}

fn seen(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => {
            let more =
                |what: &str, text: Option<&str>| text.map(|text| format!("{what}: {text}\n")).unwrap_or_default();
            format!("{} {}: {}\n", db.severity(), db.code().code(), db.message())
                + &more("DETAIL", db.detail())
                + &more("HINT", db.hint())
        }
        // Refused, reset, closed: the words are the client's, not the server's.
        None if error.is_closed() => "connection closed\n".to_owned(),
        None => match std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>()) {
            Some(io) => format!("{:?}\n", io.kind()),
            None => format!("{error}\n"),
        },
    }
}
