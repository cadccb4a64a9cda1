//! The PostgreSQL protocol, with tokio-postgres.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::types::PgLsn;

use crate::harness::{Sandbox, ask};

#[tokio::test]
async fn simple_and_extended_queries_answer_the_same() {
    let sandbox = Sandbox::up(&[]);
    let client = sandbox.connect("cn01@s29").await;
    let sql = "select node_name, node_port, nodeis_primary, node_type from pgxc_node where node_name = $1";
    let row = client.query_one(sql, &[&"gtm_1"]).await.unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i32>(1), row.get::<_, bool>(2)), ("gtm_1", 21_000, true));
    assert_eq!(u8::try_from(row.get::<_, i8>(3)).unwrap(), b'G');
    let simple =
        ask(&client, "select node_name, node_port, nodeis_primary, node_type from pgxc_node where node_name = 'gtm_1'")
            .await;
    assert_eq!(simple, "gtm_1|21000|t|G");
}

#[tokio::test]
async fn typed_values_travel_in_binary() {
    let sandbox = Sandbox::up(&[]);
    let client = sandbox.connect("dn01@s29").await;
    let sql = "select pg_is_in_recovery(), pg_current_wal_lsn(), pg_postmaster_start_time() < now(), count(*), null::text from pg_stat_replication";
    let error = client.query_one(sql, &[]).await;
    assert!(error.is_ok(), "{error:?}");
    let row = client
        .query_one("select pg_current_wal_lsn() as lsn, system_identifier from pg_control_system()", &[])
        .await
        .unwrap();
    assert!(u64::from(row.get::<_, PgLsn>(0)) > 0x0300_0000);
    assert!(row.get::<_, i64>(1) > 7_000_000_000_000_000_000);
}

#[tokio::test]
async fn a_steady_writer_prepares_and_binds() {
    let sandbox = Sandbox::up(&[]);
    let client = sandbox.connect("cn01@s29").await;
    client.batch_execute("create table gap_probe(id int primary key, n int) distribute by shard(id)").await.unwrap();
    let insert = client.prepare("insert into gap_probe(id, n) values ($1, $2)").await.unwrap();
    for id in 0..20_i32 {
        assert_eq!(client.execute(&insert, &[&id, &0_i32]).await.unwrap(), 1);
    }
    let update = client.prepare("update gap_probe set n = n + 1 where id = $1").await.unwrap();
    assert_eq!(client.execute(&update, &[&7_i32]).await.unwrap(), 1);
    let row = client.query_one("select sum(n), count(*) from gap_probe where id < $1", &[&100_i32]).await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, 20));
}

#[tokio::test]
async fn startup_options_count() {
    let sandbox = Sandbox::up(&[]);
    for (name, wanted) in [("dn01@s29", "off"), ("dn01@s47", "on")] {
        assert_eq!(sandbox.ask(name, "show transaction_read_only").await, "on", "{name}");
        let mut config = sandbox.config(name);
        config.options("-c allow_dml_on_datanode=on").application_name("otb");
        let client = sandbox.try_connect(&config).await.unwrap();
        assert_eq!(ask(&client, "show transaction_read_only").await, wanted, "{name}");
        assert_eq!(ask(&client, "show application_name").await, "otb");
    }
}

#[tokio::test]
async fn errors_carry_sqlstate_hint_and_transaction_state() {
    let sandbox = Sandbox::up(&[]);
    let client = sandbox.connect("dn01@s47").await;
    let error = client.simple_query("select pg_current_wal_lsn()").await.unwrap_err();
    let db = error.as_db_error().unwrap();
    assert_eq!(
        (db.code().code(), db.hint()),
        ("55000", Some("WAL control functions cannot be executed during recovery."))
    );
    let client = sandbox.connect("cn01@s29").await;
    assert_eq!(ask(&client, "begin; select nope()").await, "42883: function nope() does not exist");
    assert!(ask(&client, "select 1").await.starts_with("25P02"));
    assert_eq!(ask(&client, "rollback").await, "");
    assert_eq!(ask(&client, "select 1; select 2").await, "1 2");
}

#[tokio::test]
async fn a_stopped_or_killed_process_refuses_connections() {
    let sandbox = Sandbox::up(&[]);
    for (fault, name) in [("stop", "dn01@s29"), ("kill", "cn02@s47"), ("kill", "gtm_1@s47")] {
        sandbox.fault(&[fault, name]);
        let endpoint = &sandbox.instance(name).endpoint;
        let refused = tokio::net::TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await;
        assert_eq!(refused.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused, "{name}");
        sandbox.fault(&["start", name]);
    }
    assert_eq!(sandbox.ask("dn01@s29", "select 1").await, "1");
}

#[tokio::test]
async fn a_hung_process_accepts_and_never_answers() {
    let sandbox = Sandbox::up(&[]);
    let client = sandbox.connect("cn01@s29").await;
    sandbox.fault(&["hang", "cn01@s29"]);
    let endpoint = &sandbox.instance("cn01@s29").endpoint;
    tokio::net::TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.unwrap();
    let short = Duration::from_millis(200);
    assert!(timeout(short, sandbox.try_connect(&sandbox.config("cn01@s29"))).await.is_err());
    assert!(timeout(short, client.simple_query("select 1")).await.is_err());
    sandbox.fault(&["unhang", "cn01@s29"]);
    assert_eq!(ask(&client, "select 2").await, "2");
}

#[tokio::test]
async fn a_partitioned_server_answers_nobody_and_heals() {
    let sandbox = Sandbox::up(&[]);
    sandbox.fault(&["partition", "s47"]);
    let short = Duration::from_millis(200);
    assert!(timeout(short, sandbox.try_connect(&sandbox.config("cn02@s47"))).await.is_err());
    let ran = sandbox.pg_ctl("dn01@s47", &["status"]);
    assert_eq!(ran.code, 255);
    assert!(ran.err.starts_with("ssh: connect to host 127."), "{}", ran.err);
    sandbox.fault(&["heal", "all"]);
    assert_eq!(sandbox.ask("cn02@s47", "select 1").await, "1");
}

#[tokio::test]
async fn a_fast_shutdown_tells_its_sessions() {
    let sandbox = Sandbox::up(&[]);
    let client = sandbox.connect("dn01@s29").await;
    sandbox.fault(&["stop", "dn01@s29"]);
    let answer = ask(&client, "select 1").await;
    assert!(answer.starts_with("57P01") || answer.starts_with("broken"), "{answer}");
}

#[tokio::test]
async fn lock_timeout_ends_a_waiting_alter_node() {
    let sandbox = Sandbox::up(&[]);
    sandbox.fault(&["lock-routes", "cn01@s29"]);
    let client = sandbox.connect("cn01@s29").await;
    let began = Instant::now();
    let answer = ask(&client, "set lock_timeout = '200ms'; alter node dn01 with (port=23001)").await;
    assert_eq!(answer, "55P03: canceling statement due to lock timeout");
    assert!(began.elapsed() >= Duration::from_millis(200));
    sandbox.fault(&["lock-routes", "cn01@s29", "off"]);
    assert_eq!(ask(&client, "alter node dn01 with (port=23001)").await, "");
}

#[tokio::test]
async fn a_running_query_can_be_cancelled() {
    let sandbox = Sandbox::up(&[]);
    sandbox.fault(&["hang", "gtm_1@s29"]);
    let client = sandbox.connect("cn01@s29").await;
    let token = client.cancel_token();
    let began = Instant::now();
    let cancel = async {
        // One that comes before the query is for nobody.
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            token.cancel_query(tokio_postgres::NoTls).await.unwrap();
        }
    };
    let answer = tokio::select! {
        answer = ask(&client, "select 1") => answer,
        () = cancel => unreachable!(),
    };
    assert_eq!(answer, "57014: canceling statement due to user request");
    // By itself it would have ended after a minute.
    assert!(began.elapsed() < Duration::from_secs(50), "{:?}", began.elapsed());
}

#[tokio::test]
async fn latency_delays_each_answer_and_blocks_nobody() {
    let sandbox = Sandbox::up(&["--latency", "500"]);
    let clients = join_all((0..20).map(|n| sandbox.connect(["cn01@s29", "cn02@s47"][n % 2]))).await;
    let began = Instant::now();
    join_all(clients.iter().map(|client| ask(client, "select 1"))).await;
    // Twenty answers one after the other would take ten seconds.
    assert!((500..8000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn passwords_are_checked_if_asked_for() {
    let sandbox = Sandbox::up(&["--password", "secret"]);
    let mut config = sandbox.config("cn01@s29");
    config.password("wrong");
    let error = sandbox.try_connect(&config).await.err().unwrap();
    assert_eq!(error.as_db_error().unwrap().code().code(), "28P01");
    config.password("secret");
    assert_eq!(ask(&sandbox.try_connect(&config).await.unwrap(), "select 1").await, "1");
}

#[tokio::test]
async fn a_missing_gtm_costs_a_second_and_statement_timeout_cuts_it_short() {
    let sandbox = Sandbox::up(&[]);
    let client = sandbox.connect("cn01@s29").await;
    sandbox.fault(&["kill", "gtm_1@s29"]);
    let began = Instant::now();
    assert!(ask(&client, "select 1").await.starts_with("08006: GTM error"));
    assert!(began.elapsed() >= Duration::from_secs(1));
    let began = Instant::now();
    ask(&client, "set statement_timeout = 300").await;
    let answer = ask(&client, "select 1").await;
    assert_eq!(answer, "57014: canceling statement due to statement timeout");
    assert!(began.elapsed() >= Duration::from_millis(300));
    ask(&client, "set statement_timeout = 0").await;
    back_within_the_second(&sandbox, &client).await;
}

/// The GTM is away, and comes back while a statement waits for it: no client sees it. On a machine on which the second is
/// over before that, nothing has been seen.
async fn back_within_the_second(sandbox: &Sandbox, client: &Client) {
    for _ in 0..20 {
        let began = Instant::now();
        let asked = ask(client, "select 1");
        let back = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            sandbox.fault(&["start", "gtm_1@s29"]);
            began.elapsed()
        };
        let (answer, took) = tokio::join!(asked, back);
        if took < Duration::from_secs(1) {
            assert_eq!(answer, "1", "back within the second: no client sees it");
            return;
        }
        sandbox.fault(&["kill", "gtm_1@s29"]);
    }
    panic!("a GTM was never started within a second");
}
