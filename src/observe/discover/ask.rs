//! One endpoint, asked what it is.

use tokio::sync::Semaphore;

use super::super::Limits;
use super::super::answer::{self, fact};
use super::gtm;
use crate::model::{Endpoint, Fact, NodeKind, NodeName, Role, SystemId, Unknown, UnknownKind};
use crate::opentenbase::query;
use crate::transport::Connections;

/// Somebody to ask.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    pub kind: NodeKind,
    pub at: Endpoint,
}

/// The answers of one process.
#[derive(Debug, Clone)]
pub(super) struct NodeAnswers {
    pub role: Fact<Role>,
    /// Not a GTM's, which does not say.
    pub name: Fact<NodeName>,
    pub data: Fact<String>,
    pub system_id: Fact<SystemId>,
    pub started: Fact<String>,
    /// v5's forward_port; `None` means that it has no such setting.
    pub forward: Fact<Option<u16>>,
    pub standbys: Vec<Standby>,
}

/// A standby as its master sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standby {
    /// For people.
    pub name: String,
    pub host: Option<String>,
    pub port: Option<u16>,
}

impl NodeAnswers {
    pub(super) fn nothing(unknown: &Unknown) -> Self {
        Self {
            role: Fact::Unknown(unknown.clone()),
            name: Fact::Unknown(unknown.clone()),
            data: Fact::Unknown(unknown.clone()),
            system_id: Fact::Unknown(unknown.clone()),
            started: Fact::Unknown(unknown.clone()),
            forward: Fact::Unknown(unknown.clone()),
            standbys: Vec::new(),
        }
    }
}

/// Asks.
pub(super) async fn ask(who: &Who, connections: &Connections, sockets: &Semaphore, limits: &Limits) -> NodeAnswers {
    // The semaphore is never closed.
    let _permit = sockets.acquire().await.ok();
    match who.kind {
        NodeKind::Gtm => gtm::ask(&who.at, limits).await,
        NodeKind::Coordinator | NodeKind::Datanode => postgres(who, connections, limits).await,
    }
}

/// SHOW works without a GTM, so what needs none goes first.
async fn postgres(who: &Who, connections: &Connections, limits: &Limits) -> NodeAnswers {
    let session = match connections.session_at(&who.at, who.kind, limits.answer).await {
        Ok(session) => session,
        Err(error) => return NodeAnswers::nothing(&error.unknown()),
    };
    let questions = [
        query::stay_read_only(),
        query::node_name(),
        query::data_directory(),
        query::role(),
        query::system_id(),
        query::senders(),
        query::settings(),
    ];
    let answers = session.query_all(&questions, limits.answer).await;
    session.close().await;
    let [_, name, data, role, system_id, senders, settings] = answers.as_slice() else {
        return NodeAnswers::nothing(&Unknown {
            kind: UnknownKind::Unreadable,
            why: format!("{} did not answer", who.at),
        });
    };
    let senders = fact(senders, answer::senders);
    let streaming = senders.known().into_iter().flatten().filter(|sender| sender.sent.is_some());
    NodeAnswers {
        role: fact(role, answer::role),
        name: fact(name, answer::node_name),
        data: fact(data, |rows| directory(answer::one_word(rows)?)),
        system_id: fact(system_id, answer::parsed::<SystemId>),
        started: fact(role, answer::started),
        forward: fact(settings, answer::forward_port),
        standbys: streaming
            .map(|sender| Standby {
                name: format!(
                    "{} from {}",
                    sender.application_name,
                    sender.client_addr.as_deref().unwrap_or("a socket")
                ),
                host: sender.client_addr.clone(),
                port: None,
            })
            .collect(),
    }
}

fn directory(text: &str) -> Result<String, String> {
    let usable = text.starts_with('/') && !text.contains(|c: char| c.is_control() || matches!(c, '{' | '}'));
    if usable { Ok(text.to_owned()) } else { Err(format!("{text:?} is not an absolute path that can be declared")) }
}
