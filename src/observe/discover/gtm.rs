//! A GTM, asked what it is.

use super::super::Limits;
use super::ask::{NodeAnswers, Standby};
use crate::model::{Endpoint, Fact};
use crate::transport::ask_gtm;

pub(super) async fn ask(at: &Endpoint, limits: &Limits) -> NodeAnswers {
    let status = match ask_gtm(at, limits.answer).await {
        Ok(status) => status,
        Err(error) => return NodeAnswers::nothing(&error.unknown()),
    };
    let standbys = status.standbys.into_iter().map(|standby| {
        // `localhost:21100` (seen live): the port is right, the host is what the standby calls itself.
        let (host, port) = standby.name.rsplit_once(':').map_or((None, None), |(host, port)| {
            (Some(host.to_owned()).filter(|host| !host.is_empty()), port.parse().ok())
        });
        Standby { name: standby.name, host, port }
    });
    NodeAnswers {
        role: Fact::Known(status.role),
        name: Fact::not_asked("a GTM does not report it"),
        data: Fact::not_asked("a GTM does not report its data directory; its server's shell does"),
        system_id: Fact::not_asked("a GTM has none"),
        started: Fact::not_asked("a GTM does not report it"),
        forward: Fact::Known(None),
        standbys: standbys.collect(),
    }
}
