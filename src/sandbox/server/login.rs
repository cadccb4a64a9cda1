//! The start of a session: parameters, password, limits.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{Sink, SinkExt};
use pgwire::api::auth::{
    ServerParameterProvider, StartupHandler, finish_authentication, protocol_negotiation,
    save_startup_parameters_to_metadata,
};
use pgwire::api::{ClientInfo, ConnectionHandle, PgWireConnectionState};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::startup::{Authentication, SecretKey};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use crate::sandbox::Flavor;
use crate::sandbox::sql::SqlError;
use crate::sandbox::world::{Login, Replication};

use super::postgres::Backend;
use super::session::error_info;

/// The parameters that a server reports at login.
struct Parameters(Flavor);

impl ServerParameterProvider for Parameters {
    fn server_parameters<C: ClientInfo>(&self, client: &C) -> Option<HashMap<String, String>> {
        let given = |key: &str| client.metadata().get(key).cloned().unwrap_or_default();
        let fixed = [
            ("server_version", self.0.server_version()),
            ("server_encoding", "UTF8"),
            ("client_encoding", "UTF8"),
            ("is_superuser", "on"),
            ("DateStyle", "ISO, YMD"),
            ("IntervalStyle", "postgres"),
            ("TimeZone", "UTC"),
            ("integer_datetimes", "on"),
            ("standard_conforming_strings", "on"),
        ];
        let mut parameters: HashMap<String, String> =
            fixed.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        parameters.insert("application_name".to_owned(), given("application_name"));
        parameters.insert("session_authorization".to_owned(), given("user"));
        Some(parameters)
    }
}

#[async_trait]
impl StartupHandler for Backend {
    async fn on_startup<C>(&self, client: &mut C, message: PgWireFrontendMessage) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match message {
            PgWireFrontendMessage::Startup(ref startup) => {
                self.daemon.gate(self.disk).await;
                self.daemon.slowness(self.disk).await;
                protocol_negotiation(client, startup).await?;
                save_startup_parameters_to_metadata(client, startup);
                if self.daemon.site.password.is_some() {
                    let ask = PgWireBackendMessage::Authentication(Authentication::CleartextPassword);
                    client.send(ask).await?;
                    client.set_state(PgWireConnectionState::AuthenticationInProgress);
                    return Ok(());
                }
                self.log_in(client).await
            }
            PgWireFrontendMessage::PasswordMessageFamily(message) => {
                let given = message.into_password()?.password;
                let wanted = self.daemon.site.password.as_deref();
                if wanted != Some(given.as_str()) {
                    let user = client.metadata().get("user").cloned().unwrap_or_default();
                    let text = format!("password authentication failed for user \"{user}\"");
                    return Err(fatal("28P01", text));
                }
                self.log_in(client).await
            }
            _ => Ok(()),
        }
    }
}

fn fatal(code: &'static str, text: String) -> PgWireError {
    PgWireError::UserError(Box::new(error_info(SqlError::fatal(code, text))))
}

impl Backend {
    async fn log_in<C>(&self, client: &mut C) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let login = login(client.metadata(), client.socket_addr());
        let id = loop {
            let disk = self.disk;
            let wanted = login.clone();
            match self.daemon.with(|world, now| world.open(disk, wanted, now)) {
                Ok(Ok(id)) => break id,
                Ok(Err(error)) => return Err(PgWireError::UserError(Box::new(error_info(error)))),
                Err(_wait) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        let pid = self.daemon.with(|world, _| world.session(id).map_or(0, |session| session.pid));
        let pid = i32::try_from(pid).unwrap_or(i32::MAX);
        let secret = SecretKey::I32(i32::try_from(id.0 % 0x7FFF_FFFF).unwrap_or(0));
        client.set_pid_and_secret_key(pid, secret.clone());
        let (handle, guard) = self.cancels.register(pid, secret);
        client.session_extensions().insert::<Arc<ConnectionHandle>>(handle);
        client.session_extensions().insert(guard);
        self.opened(id);
        finish_authentication(client, &Parameters(self.daemon.site.flavor)).await
    }
}

/// The startup packet's parameters.
fn login(metadata: &HashMap<String, String>, client: std::net::SocketAddr) -> Login {
    let get = |key: &str| metadata.get(key).cloned();
    let user = get("user").unwrap_or_default();
    let mut settings = BTreeMap::new();
    for (key, value) in metadata {
        if !matches!(key.as_str(), "user" | "database" | "options" | "replication") && !key.starts_with("_pq_.") {
            settings.insert(key.to_ascii_lowercase(), value.clone());
        }
    }
    settings.extend(options(&get("options").unwrap_or_default()));
    let replication = match get("replication").as_deref() {
        Some("database") => Replication::Database,
        Some("true" | "on" | "yes" | "1") => Replication::Physical,
        _ => Replication::No,
    };
    Login {
        database: get("database").unwrap_or_else(|| user.clone()),
        user,
        client: Some(client),
        replication,
        settings,
    }
}

/// `-c a=b`, `-ca=b` and `--a=b`; a backslash takes the next character literally.
fn options(text: &str) -> BTreeMap<String, String> {
    let mut words = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => words.last_mut().into_iter().for_each(|word| word.extend(chars.next())),
            c if c.is_whitespace() => words.push(String::new()),
            c => words.last_mut().into_iter().for_each(|word| word.push(c)),
        }
    }
    let mut settings = BTreeMap::new();
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let pair = match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
            Some("") => words.next().unwrap_or_default(),
            Some(pair) => pair.to_owned(),
            None => continue,
        };
        if let Some((key, value)) = pair.split_once('=') {
            settings.insert(key.trim().replace('-', "_").to_ascii_lowercase(), value.to_owned());
        }
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_the_startup_packet_count() {
        let parsed = options(r"-c allow_dml_on_datanode=on --lock-timeout=2s -csearch_path=a\ b");
        let get = |key: &str| parsed.get(key).map(String::as_str);
        assert_eq!(get("allow_dml_on_datanode"), Some("on"));
        assert_eq!(get("lock_timeout"), Some("2s"));
        assert_eq!(get("search_path"), Some("a b"));
    }
}
