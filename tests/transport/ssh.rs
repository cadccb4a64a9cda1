//! The system's ssh client against a throw-away sshd on loopback. Without an sshd these tests are skipped, and
//! say so.

use std::time::Duration;

use otb::model::ShellVia;
use otb::transport::{ShellError, ShellSettings, Shells};

use crate::common::{LONG, SHORT, cluster, is_free, server};
use crate::sshd::Sshds;

/// The way there is an alias that only ssh_config knows.
const LAB: &str = "lab";

fn sshd() -> Option<Sshds> {
    if let Some(why) = Sshds::missing() {
        crate::skip::skipped("1 ssh test", &why);
        return None;
    }
    Some(Sshds::start(&[(LAB, "127.0.0.1")]))
}

fn shells(sshd: &Sshds) -> Shells {
    let settings = ShellSettings { ssh_config: Some(sshd.config()), ..ShellSettings::default() };
    Shells::with(&cluster(ShellVia::Ssh { user: None, host: LAB.to_owned(), port: None }), &settings)
}

#[tokio::test]
async fn a_script_runs_there_and_the_connection_is_kept() {
    let Some(sshd) = sshd() else { return };
    let shells = shells(&sshd);
    shells.open(&server(), LONG).await.unwrap();
    let output = shells.run(&server(), "echo \"$0 it's\"; cat; echo err >&2; exit 127", LONG).await.unwrap();
    assert_eq!((output.status, output.text.as_str()), (127, "sh it's\nerr\n"));
    assert_eq!(shells.run(&server(), "exit 255", LONG).await.unwrap().status, 255);
    let begun = std::time::Instant::now();
    let server = server();
    let many = (0..20).map(|_| shells.run(&server, "sleep 0.1; echo $PPID", LONG));
    let many = futures_util::future::join_all(many).await;
    assert!(many.iter().all(|output| output.as_ref().is_ok_and(|output| output.status == 0)), "{many:?}");
    assert!(begun.elapsed() < LONG);
    shells.close().await;
}

/// Every way to run a script: alone, with others in one shell, and held.
#[tokio::test]
async fn what_a_login_shell_prints_is_no_part_of_an_answer() {
    if sshd().is_none() {
        return;
    }
    let sshd = Sshds::that_greet(&[(LAB, "127.0.0.1")]);
    let (shells, server) = (shells(&sshd), server());
    for (script, status, text) in
        [("echo out; echo err >&2; exit 3", 3, "out\nerr\n"), ("printf x", 0, "x"), ("", 0, "")]
    {
        let output = shells.run(&server, script, LONG).await.unwrap();
        assert_eq!((output.status, output.text.as_str(), output.truncated), (status, text, false), "{script}");
    }
    let long = shells.run(&server, "head -c 3000000 /dev/zero | tr '\\0' x; exit 3", LONG).await.unwrap();
    assert_eq!((long.status, long.truncated), (3, true));
    assert!(long.text.bytes().all(|byte| byte == b'x'), "only what it printed");
    let scripts: Vec<String> = (0..40).map(|number| format!("sleep 0.3; echo {number}; exit {number}")).collect();
    let ended = scripts.iter().map(|script| shells.run_short(&server, script, LONG));
    for (number, output) in (0..).zip(futures_util::future::join_all(ended).await) {
        let output = output.unwrap();
        assert_eq!((output.status, output.text), (number, format!("{number}\n")));
    }
    let held = shells.hold(&server, "echo mine; echo more; cat >/dev/null", LONG).await.unwrap();
    assert_eq!(held.first_line(), "mine");
    let error = shells.hold(&server, "echo why >&2; exit 1", LONG).await.err().unwrap();
    assert_eq!(error.to_string(), "contact with the shell of s1 was lost: why Goodbye");
    shells.close().await;
}

#[tokio::test]
async fn more_scripts_than_an_sshd_lets_sessions_be_opened() {
    let Some(sshd) = sshd() else { return };
    let (shells, server) = (shells(&sshd), server());
    let scripts: Vec<String> = (0..40).map(|number| format!("sleep 0.3; echo {number}; exit {number}")).collect();
    let begun = std::time::Instant::now();
    let ended = scripts.iter().map(|script| shells.run_short(&server, script, LONG));
    for (number, output) in (0..).zip(futures_util::future::join_all(ended).await) {
        let output = output.unwrap();
        assert_eq!((output.status, output.text), (number, format!("{number}\n")));
    }
    // One after the other would be 12 s.
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
    shells.close().await;
}

#[tokio::test]
async fn a_wrong_host_key_is_refused() {
    let Some(sshd) = sshd() else { return };
    sshd.distrust(LAB);
    let error = shells(&sshd).run(&server(), "true", LONG).await.unwrap_err();
    assert!(matches!(error, ShellError::Unreachable { .. }) && !error.is_outcome_unknown(), "{error}");
    assert!(error.to_string().contains("host key is not the one in known_hosts"), "{error}");
    sshd.know_nobody();
    let error = shells(&sshd).run(&server(), "true", LONG).await.unwrap_err();
    assert!(matches!(error, ShellError::Unreachable { .. }), "an unknown key is refused too: {error}");
}

#[tokio::test]
async fn a_key_nobody_knows_is_a_denial() {
    let Some(sshd) = sshd() else { return };
    sshd.authorize_nobody();
    let error = shells(&sshd).run(&server(), "true", LONG).await.unwrap_err();
    assert!(matches!(error, ShellError::Denied { .. }), "{error}");
}

#[tokio::test]
async fn a_cut_connection_is_an_unknown_outcome_and_the_next_script_gets_a_new_one() {
    let Some(sshd) = sshd() else { return };
    let shells = shells(&sshd);
    shells.open(&server(), LONG).await.unwrap();
    // The session's sshd is the grandparent of the script: sh, timeout, sh of the login, sshd.
    let suicide = "p=$PPID; while read -r name < /proc/$p/comm && test \"$name\" != sshd && test \"$name\" != sshd-session; \
                   do p=$(sed 's/.*) . //;s/ .*//' /proc/$p/stat); done; kill -9 $p; sleep 30";
    let error = shells.run(&server(), suicide, LONG).await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
    assert_eq!(shells.run(&server(), "echo back", LONG).await.unwrap().text, "back\n");
    let server = server();
    let many = (0..8).map(|number| shells.run_short(&server, if number == 5 { suicide } else { "sleep 30" }, LONG));
    for ended in futures_util::future::join_all(many).await {
        assert!(ended.as_ref().is_err_and(ShellError::is_outcome_unknown), "{ended:?}");
    }
    assert_eq!(shells.run_short(&server, "echo back", LONG).await.unwrap().text, "back\n");
    shells.close().await;
}

#[tokio::test]
async fn past_the_limit_the_script_is_ended_there() {
    let Some(sshd) = sshd() else { return };
    let shells = shells(&sshd);
    shells.open(&server(), LONG).await.unwrap();
    let mark = sshd.path("mark");
    let script = format!("sleep 6; touch {}", otb::opentenbase::quote(mark.to_str().unwrap()));
    let error = shells.run(&server(), &script, SHORT).await.unwrap_err();
    assert!(matches!(error, ShellError::TimedOut { .. }), "{error}");
    tokio::time::sleep(Duration::from_secs(7)).await;
    assert!(!mark.exists(), "the script went on");
    shells.close().await;
}

#[tokio::test]
async fn a_held_lock_goes_with_its_holder() {
    let Some(sshd) = sshd() else { return };
    let shells = shells(&sshd);
    let lock = otb::opentenbase::quote(sshd.path("lock").to_str().unwrap());
    let script = format!("exec 9>{lock}; if flock -n 9; then echo mine; cat >/dev/null; else echo taken; fi");
    let first = shells.hold(&server(), &script, LONG).await.unwrap();
    assert_eq!(first.first_line(), "mine");
    assert_eq!(shells.hold(&server(), &script, LONG).await.unwrap().first_line(), "taken");
    drop(first);
    assert!(is_free(&shells, &script).await);
    shells.close().await;
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let Some(mut sshd) = sshd() else { return };
    sshd.stop(LAB);
    let error = shells(&sshd).run(&server(), "true", LONG).await.unwrap_err();
    assert!(matches!(error, ShellError::Unreachable { .. }), "{error}");
}
