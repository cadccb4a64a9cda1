//! Short scripts that come together and share a shell.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use otb::model::ShellVia;
use otb::opentenbase::quote;
use otb::transport::{Output, ShellError, Shells};

use crate::common::{LONG, cluster, server};

fn shells() -> Shells {
    Shells::new(&cluster(ShellVia::Local))
}

async fn all(shells: &Shells, scripts: &[String], limit: Duration) -> Vec<Result<Output, ShellError>> {
    let server = server();
    join_all(scripts.iter().map(|script| shells.run_short(&server, script, limit))).await
}

#[tokio::test]
async fn each_gets_its_own_status_and_text() {
    let nasty = "'\"$`\\!*?~ #;&|<>(){}[] %s 数据 $(false) \\n\n";
    let gaps = format!("\n{nasty}\n\n 0 status 0\n");
    // More lines than go into one write, and as many as just do.
    let many = |count: usize| (0..count).map(|line| line.to_string() + "\n").collect::<String>();
    let scripts: Vec<String> = (0..48)
        .map(|number| match number % 6 {
            0 => format!("printf %s {}; exit {number}", quote(nasty)),
            1 => format!("echo {number}; echo; echo oh >&2; sleep 0.05; echo end"),
            2 => "cat; no-such-command-at-all".to_owned(),
            3 => format!("printf %s {}; exit {number}", quote(&gaps)),
            4 => format!("printf %s {}", quote(&many(300 + 2 * number))),
            _ => String::new(),
        })
        .collect();
    for (number, ended) in all(&shells(), &scripts, LONG).await.into_iter().enumerate() {
        let Output { status, text, truncated } = ended.unwrap();
        let code = i32::try_from(number).unwrap();
        match number % 6 {
            0 => assert_eq!((status, text.as_str()), (code, nasty)),
            1 => assert_eq!((status, text), (0, format!("{number}\n\noh\nend\n"))),
            2 => assert_eq!((status, text.contains("no-such-command")), (127, true)),
            3 => assert_eq!((status, text), (code, gaps.clone())),
            4 => assert_eq!((status, text), (0, many(300 + 2 * number))),
            _ => assert_eq!((status, text.as_str()), (0, "")),
        }
        assert!(!truncated);
    }
}

#[tokio::test]
async fn those_that_come_together_share_a_few_shells() {
    let scripts = vec!["echo $$; sleep 0.5".to_owned(); 30];
    let begun = Instant::now();
    let pids: BTreeSet<String> =
        all(&shells(), &scripts, LONG).await.into_iter().map(|ended| ended.unwrap().text).collect();
    assert!(pids.len() <= 6, "{pids:?}");
    // One after the other would be 15 s.
    assert!(begun.elapsed() < LONG, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn whoever_hangs_keeps_nobody_waiting() {
    let mut scripts = vec!["echo done".to_owned(); 12];
    scripts[7] = "sleep 60".to_owned();
    let (shells, server) = (shells(), server());
    let begun = Instant::now();
    let limit = LONG / 2;
    let ended = join_all(scripts.iter().map(|script| async {
        let ended = shells.run_short(&server, script, limit).await;
        (ended, begun.elapsed())
    }))
    .await;
    for (number, (ended, took)) in ended.into_iter().enumerate() {
        if number == 7 {
            assert_eq!(ended.unwrap_err(), ShellError::TimedOut { server: server.clone(), limit });
        } else {
            assert_eq!(ended.unwrap().text, "done\n");
            assert!(took < limit, "{number} waited {took:?}");
        }
    }
}

#[tokio::test]
async fn what_a_script_starts_does_not_ignore_signals() {
    let scripts = vec!["grep SigIgn /proc/self/status".to_owned(); 8];
    let ignored: BTreeSet<String> =
        all(&shells(), &scripts, LONG).await.into_iter().map(|ended| ended.unwrap().text).collect();
    let mask = |line: &String| u64::from_str_radix(line.trim().rsplit('\t').next().unwrap(), 16).unwrap();
    // SIGINT and SIGQUIT, by which servers are stopped.
    assert!(ignored.iter().all(|line| mask(line) & 0b110 == 0), "{ignored:?}");
}

#[tokio::test]
async fn a_shell_that_dies_leaves_outcomes_unknown() {
    let mut scripts = vec!["sleep 0.3; echo done".to_owned(); 8];
    // The whole group: the members of a shell whose own process is killed go on and tell.
    scripts[5] = "sleep 0.1; kill -9 0".to_owned();
    let ended = all(&shells(), &scripts, LONG).await;
    assert!(ended[5].as_ref().is_err_and(ShellError::is_outcome_unknown), "{:?}", ended[5]);
    for ended in ended {
        assert!(ended.as_ref().map_or_else(ShellError::is_outcome_unknown, |output| output.text == "done\n"));
    }
}

#[tokio::test]
async fn nobody_who_waits_is_nothing_that_runs() {
    let directory = tempfile::tempdir().unwrap();
    let mark = |number: usize| directory.path().join(number.to_string());
    let script = |number| format!("sleep 5; touch {}", quote(mark(number).to_str().unwrap()));
    let scripts: Vec<String> = (0..6).map(script).collect();
    let shells = shells();
    let dropped = tokio::time::timeout(Duration::from_millis(300), all(&shells, &scripts, LONG)).await;
    assert!(dropped.is_err());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!((0..6).filter(|number| mark(*number).exists()).count(), 0);
    assert_eq!(shells.run_short(&server(), "echo again", LONG).await.unwrap().text, "again\n");
}
