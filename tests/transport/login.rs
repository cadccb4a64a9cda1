//! Logins and the GTM's role, where the other side hangs, closes, refuses or talks nonsense.

use std::time::{Duration, Instant};

use otb::model::{Endpoint, NodeKind, SslMode, UnknownKind};
use otb::transport::{Passwords, Session, SqlError, Tls, ask_gtm};

use crate::common::{LONG, Manner, SHORT, connection, fatal, listener, message, nobody, welcome};

const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

async fn open(at: &Endpoint, limit: Duration) -> Result<Session, SqlError> {
    let connection = connection(SslMode::Disable);
    let tls = Tls::new(&connection).unwrap();
    Session::open(&connection, &Passwords::default(), &tls, at, NodeKind::Coordinator, limit).await
}

async fn kind(manner: Manner, limit: Duration) -> (UnknownKind, String) {
    let error = open(&listener(manner).await, limit).await.err().unwrap();
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn whoever_never_answers_is_timed_out() {
    let at = listener(Manner::Hangs).await;
    let begun = Instant::now();
    let error = open(&at, SHORT).await.err().unwrap();
    assert!(begun.elapsed() < LONG);
    assert_eq!(error.to_string(), format!("no answer from {at} within 0.4 s"));
    assert_eq!(error.kind(), UnknownKind::TimedOut);
    let error = ask_gtm(&at, SHORT).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no answer from {at} within 0.4 s"));
}

#[tokio::test]
async fn a_refusal_is_a_refusal() {
    let at = nobody();
    let error = open(&at, LONG).await.err().unwrap();
    assert_eq!((error.kind(), error.to_string()), (UnknownKind::Refused, format!("{at} refused the connection")));
    assert_eq!(ask_gtm(&at, LONG).await.unwrap_err().kind(), UnknownKind::Refused);
}

#[tokio::test]
async fn a_closed_door_is_unreachable() {
    let (kind, why) = kind(Manner::Closes, LONG).await;
    assert_eq!(kind, UnknownKind::Unreachable, "{why}");
    let error = ask_gtm(&listener(Manner::Closes).await, LONG).await.unwrap_err();
    assert_eq!(error.kind(), UnknownKind::Unreachable);
}

#[tokio::test]
async fn another_protocol_is_unreadable() {
    let (unexpected, why) = kind(Manner::Says(message(b'X', b"")), LONG).await;
    assert_eq!(unexpected, UnknownKind::Unreadable, "{why}");
    // "HTTP/" reads as the head of a message of 1.4 GB, the rest of which never comes.
    let (http, why) = kind(Manner::Says(HTTP.to_vec()), SHORT).await;
    assert!(matches!(http, UnknownKind::Unreadable | UnknownKind::TimedOut), "{why}");
    let error = ask_gtm(&listener(Manner::Says(HTTP.to_vec())).await, LONG).await.unwrap_err();
    assert_eq!(error.kind(), UnknownKind::Unreadable);
    let endless = ask_gtm(&listener(Manner::Says(b"S\x7f\xff\xff\xff".to_vec())).await, LONG).await.unwrap_err();
    assert_eq!(endless.kind(), UnknownKind::Unreadable);
}

#[tokio::test]
async fn a_server_that_starts_up_is_a_process() {
    let error = open(&listener(Manner::Says(fatal("57P03", "the database \x1b[31mis starting up"))).await, LONG)
        .await
        .err()
        .unwrap();
    assert!(error.proves_a_process(), "{error}");
    let server = error.server().unwrap();
    assert_eq!((server.sqlstate.as_str(), server.fatal), ("57P03", true));
    assert_eq!(server.message, "the database [31mis starting up");
}

#[tokio::test]
async fn a_wrong_password_is_a_denial() {
    let (kind, why) = kind(Manner::Says(fatal("28P01", "wrong password")), LONG).await;
    assert_eq!(kind, UnknownKind::Denied, "{why}");
    assert!(why.ends_with("refused the login: wrong password"));
}

#[tokio::test]
async fn a_mute_session_times_reads_out_and_leaves_acts_unknown() {
    let at = listener(Manner::Says(welcome())).await;
    let session = open(&at, LONG).await.unwrap();
    assert_eq!(session.version(), Some("10.0"));
    let error = session.query(&otb::opentenbase::query::node_name(), SHORT).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no answer from {at} within 0.4 s"));
    let begun = Instant::now();
    let again = session.query(&otb::opentenbase::query::routes(), LONG).await.unwrap_err();
    assert_eq!(again, error);
    assert!(begun.elapsed() < LONG, "a session that is over answers at once");

    let session = open(&at, LONG).await.unwrap();
    let error = session.act(&otb::opentenbase::pool_reload(), SHORT).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
}

#[tokio::test]
async fn several_questions_share_one_limit() {
    let session = open(&listener(Manner::Says(welcome())).await, LONG).await.unwrap();
    let begun = Instant::now();
    let questions: Vec<_> = (0..50).map(|_| otb::opentenbase::query::node_name()).collect();
    let answers = session.query_all(&questions, SHORT).await;
    // One limit for each would be 20 s.
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
    assert_eq!(answers.len(), 50);
    assert!(answers.iter().all(|answer| matches!(answer, Err(SqlError::TimedOut { .. }))));
}
