//! `sh` on this machine.

use std::time::{Duration, Instant};

use otb::model::{ServerName, ShellVia};
use otb::transport::{Output, ShellError, Shells};

use crate::common::{LONG, SHORT, cluster, is_free, server};

fn shells() -> Shells {
    Shells::new(&cluster(ShellVia::Local))
}

async fn run(script: &str) -> Result<Output, ShellError> {
    shells().run(&server(), script, LONG).await
}

#[tokio::test]
async fn status_and_what_was_said_come_back() {
    let output = run("echo out; echo err >&2; echo end; exit 7").await.unwrap();
    assert_eq!((output.status, output.text.as_str()), (7, "out\nerr\nend\n"));
    assert_eq!(run("no-such-command-at-all").await.unwrap().status, 127);
    assert_eq!(run("exit 255").await.unwrap().status, 255);
    assert_eq!(run("").await.unwrap().status, 0);
}

#[tokio::test]
async fn no_letter_of_a_script_is_lost_or_read_twice() {
    let nasty = r#"'"$`\!*?~ #;&|<>(){}[] %s 数据 $(false) \n"#;
    let output = run(&format!("printf %s {}", otb::opentenbase::quote(nasty))).await.unwrap();
    assert_eq!(output.text, nasty);
    let long = format!("printf %s {}", otb::opentenbase::quote(&"x".repeat(300_000)));
    assert_eq!(run(&long).await.unwrap().text.len(), 300_000);
}

#[tokio::test]
async fn a_script_finds_nothing_on_its_standard_input() {
    assert_eq!(run("cat; echo after").await.unwrap().text, "after\n");
}

#[tokio::test]
async fn output_is_bounded_and_the_status_is_still_known() {
    let output = run("head -c 3000000 /dev/zero | tr '\\0' x; head -c 3000000 /dev/zero >&2; exit 3").await.unwrap();
    assert_eq!((output.status, output.truncated), (3, true));
    // The lines around it count, too.
    assert!(((1 << 20) - 100..=1 << 20).contains(&output.text.len()), "{}", output.text.len());
}

#[tokio::test]
async fn the_limit_kills_the_whole_process_group() {
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("mark");
    let script = format!("(sleep 5; touch {}) & sleep 60", otb::opentenbase::quote(mark.to_str().unwrap()));
    let begun = Instant::now();
    let error = shells().run(&server(), &script, SHORT).await.unwrap_err();
    // The script itself would take a minute.
    assert!(begun.elapsed() < LONG);
    assert_eq!(error.to_string(), "no answer from the shell of s1 within 0.4 s");
    assert!(error.is_outcome_unknown());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(!mark.exists(), "a child of the script outlived it");
}

#[tokio::test]
async fn a_killed_shell_is_an_unknown_outcome() {
    let error = run("kill -9 $$").await.unwrap_err();
    assert!(error.is_outcome_unknown(), "{error}");
}

#[tokio::test]
async fn a_held_script_ends_with_its_holder() {
    let directory = tempfile::tempdir().unwrap();
    let lock = otb::opentenbase::quote(directory.path().join("lock").to_str().unwrap());
    let script = format!("exec 9>{lock}; if flock -n 9; then echo mine; cat >/dev/null; else echo taken; fi");
    let shells = shells();
    let mut first = shells.hold(&server(), &script, LONG).await.unwrap();
    assert_eq!(first.first_line(), "mine");
    assert!(first.is_alive());
    let second = shells.hold(&server(), &script, LONG).await.unwrap();
    assert_eq!(second.first_line(), "taken");
    first.close(LONG).await;
    let third = shells.hold(&server(), &script, LONG).await.unwrap();
    assert_eq!(third.first_line(), "mine");
    drop(third);
    assert!(is_free(&shells, &script).await);
}

#[tokio::test]
async fn a_held_script_without_a_word_is_an_error() {
    let error = shells().hold(&server(), "echo why >&2; exit 1", LONG).await.err().unwrap();
    assert!(error.to_string().contains("why"), "{error}");
    let late = shells().hold(&server(), "sleep 60", SHORT).await.err().unwrap();
    assert!(matches!(late, ShellError::TimedOut { .. }));
}

#[tokio::test]
async fn a_server_nobody_declared_has_no_shell() {
    let nobody = ServerName::new("s9").unwrap();
    assert!(matches!(shells().run(&nobody, "true", LONG).await, Err(ShellError::NoServer(_))));
}

#[tokio::test]
async fn a_fence_becomes_a_standbys_file_where_it_lies() {
    use std::os::unix::fs::MetadataExt as _;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("it's $(one) recovery.conf");
    let to = otb::model::Endpoint { host: otb::model::Host::new("10.0.0.1").unwrap(), port: 23001 };
    let conf = |user: &str, fence| otb::opentenbase::recovery_conf(&to, user, "dn01_s29", fence);
    let wanted = conf("it's \\ $(me) `", false);
    let fence = conf("it's \\ $(me) `", true);
    let write = otb::opentenbase::write_recovery_conf(path.to_str().unwrap(), &wanted);
    // The very fence is written over; anything else, whole or not, is replaced.
    let other = [conf("me", true), wanted.clone(), fence.trim_end().to_owned(), fence.clone() + "\n", String::new()];
    let other = other.into_iter().chain([fence.clone() + "standby_mode = off"]);
    for (before, in_place) in [(fence, true)].into_iter().chain(other.map(|before| (before, false))) {
        std::fs::write(&path, &before).unwrap();
        let was = std::fs::metadata(&path).unwrap().ino();
        let output = run(write.as_str()).await.unwrap();
        assert_eq!((output.status, output.text.as_str()), (0, ""), "{before:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted, "{before:?}");
        assert_eq!(std::fs::metadata(&path).unwrap().ino() == was, in_place, "{before:?}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(run(write.as_str()).await.unwrap().is_success(), "there was none");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
}

/// A command that hands its words on, with an environment of its own.
fn by_command(command: &[&str]) -> Shells {
    Shells::new(&cluster(ShellVia::Exec { command: command.iter().map(|word| (*word).to_owned()).collect() }))
}

#[tokio::test]
async fn a_shell_by_command_runs_behind_that_command() {
    let there = by_command(&["env", "OTB_PLACE=a container"]);
    let output = there.run(&server(), "echo \"$OTB_PLACE\"; exit 7", LONG).await.unwrap();
    assert_eq!((output.status, output.text.as_str()), (7, "a container\n"));
    assert_eq!(there.run(&server(), "exit 255", LONG).await.unwrap().status, 255, "the script's own status");
    let held = there.hold(&server(), "echo held; cat", LONG).await.unwrap();
    assert_eq!(held.first_line(), "held");
    held.close(LONG).await;
}

#[tokio::test]
async fn what_a_command_does_not_hand_on_is_not_taken_for_done() {
    for (command, said) in [("exit 126", "126"), ("echo no such container >&2; exit 1", "no such container")] {
        let error = by_command(&["sh", "-c", command, "sh"]).run(&server(), "echo done", LONG).await.unwrap_err();
        assert!(matches!(error, ShellError::Lost { .. }), "{error:?}");
        assert!(error.to_string().contains(said) || said == "126", "{error}");
    }
    let missing = by_command(&["no-such-program-at-all"]).run(&server(), "echo done", LONG).await.unwrap_err();
    assert!(missing.to_string().contains("no-such-program-at-all cannot be run"), "{missing}");
}
