//! What is typed: an answer, Ctrl-C, Ctrl-D.

use crate::terminal::{CTRL_C, CTRL_D};
use crate::{moving, on_terminal};

/// The line that begins with `start`: whatever was typed before must not stand in front of it.
#[track_caller]
fn begins_a_line(screen: &str, start: &str) {
    assert!(screen.lines().any(|line| line.starts_with(start)), "no line begins with {start:?}:\n{screen}");
}

#[test]
fn the_question_is_answered_and_progress_shown() {
    let place = moving(1200);
    let mut terminal = on_terminal(&place, "apply", 100, &[]);
    terminal.until("Only `yes` approves.\n> ");
    // The last lines of a small window say what happens, what clients notice, and until when it is undone.
    let screen = terminal.screen();
    let lines: Vec<&str> = screen.trim_end().lines().rev().take(6).collect();
    let last: Vec<&str> = lines.into_iter().rev().collect();
    assert!(last.iter().all(|line| line.chars().count() <= 80), "{last:#?}");
    let last = last.join("\n");
    for part in [
        "  switchover dn01 s29 -> s47: no writes to it for ",
        "  A failure or Ctrl-C undoes it until step 6, promote:dn01@s47.",
        "Apply these 19 steps to opentenbase_cluster?",
    ] {
        assert!(last.contains(part), "{part:?} is not in\n{last}");
    }
    terminal.types("yes\n");
    terminal.until("/19 steps");
    terminal.until("stop:dn01@s29, ");
    // The bar counts what is done, also while the last step takes its time.
    terminal.until("rejoin:dn01@s29, ");
    terminal.until(" 18/19 steps, ");
    let shown = terminal.end();
    shown.ends(
        0,
        &["done     promote:dn01@s47", "Done: the cluster is as declared", "19 of 19 steps done and verified"],
    );
    // What moved is gone.
    for rest in ["/19 steps", "stop:dn01@s29, ", "observing"] {
        assert!(!shown.screen.contains(rest), "{rest:?} is left:\n{}", shown.screen);
    }
    assert_eq!(shown.screen.matches("done     ").count(), 19, "{}", shown.screen);
    place.is_settled();
}

#[test]
fn at_the_question_a_key_is_a_no() {
    let place = moving(0);
    let before = place.state();
    for (key, code, parts) in [
        (CTRL_C, 130, ["interrupted, nothing was changed", "otb explain apply.interrupted"]),
        (CTRL_D, 1, ["not approved, nothing was changed", "in full"]),
        ("y\n", 1, ["not approved, nothing was changed", "in full"]),
    ] {
        let mut terminal = on_terminal(&place, "apply", 80, &[]);
        terminal.until("\n> ");
        terminal.types(key);
        let shown = terminal.end();
        shown.ends(code, &parts);
        begins_a_line(&shown.screen, "error[");
    }
    assert_eq!(place.state(), before);
}

#[test]
fn ctrl_c_while_it_looks_leaves_nothing_behind() {
    let place = moving(0);
    place.fault("hang cn01@s29");
    for command in ["apply --auto-approve", "plan", "drift", "status", "graph", "drain s29"] {
        let mut terminal = on_terminal(&place, &format!("{command} --timeout 20s"), 80, &[]);
        terminal.until("observing 8 instances, ");
        terminal.types(CTRL_C);
        let shown = terminal.end();
        shown.ends(130, &["interrupted, nothing was changed"]);
        for rest in ["^C", "observing"] {
            assert!(!shown.screen.contains(rest), "{rest:?} is left of {command}:\n{}", shown.screen);
        }
    }
}

#[test]
fn ctrl_c_before_the_promotion_takes_back() {
    let place = moving(1500);
    let before = place.state();
    let mut terminal = on_terminal(&place, "apply --auto-approve", 80, &[]);
    terminal.until("stop:dn01@s29, ");
    // The key may reach a shell that starts in the same moment: its step is then unknown, and undone all the same.
    std::thread::sleep(std::time::Duration::from_millis(400));
    terminal.types(CTRL_C);
    terminal.until(" steps, interrupted, ");
    terminal.until("undoing stop:dn01@s29, ");
    terminal.until("rolling back, ");
    let shown = terminal.end();
    shown.ends(6, &["Interrupted. Rolling back ", "undone   stop:dn01@s29", "otb explain apply.rolled-back"]);
    begins_a_line(&shown.screen, "Interrupted and rolled back: the cluster is as before, verified.");
    begins_a_line(&shown.screen, "  5 of 19 steps were done; their changes are undone");
    // Nothing failed, and nothing is to be fixed; what was never begun is told once for each reason.
    for word in ["ailed", "Fix what", "fix what"] {
        assert!(!shown.screen.contains(word), "{word:?} is on the screen:\n{}", shown.screen);
    }
    assert_eq!(shown.screen.matches("skipped").count(), 2, "{}", shown.screen);
    // The key itself is not shown: it would move what is drawn, and leave parts of it behind.
    for rest in ["^C", "stop:dn01@s29, ", "/19 steps", "rolling back, "] {
        assert!(!shown.screen.contains(rest), "{rest:?} is left:\n{}", shown.screen);
    }
    assert_eq!(place.state(), before);
}

#[test]
fn ctrl_c_after_the_promotion_finishes() {
    let place = moving(400);
    let mut terminal = on_terminal(&place, "apply --auto-approve", 80, &[]);
    terminal.until("done     promote:dn01@s47");
    terminal.types(CTRL_C);
    terminal.end().ends(0, &["Interrupted. Rolling back ", "Done: the cluster is as declared"]);
    place.is_settled();
}

#[test]
fn ctrl_c_twice_drops_everything_and_a_plan_finds_the_rest() {
    let place = moving(3000);
    let mut terminal = on_terminal(&place, "apply --auto-approve", 80, &[]);
    terminal.until("promote:dn01@s47, ");
    terminal.types(CTRL_C);
    terminal.until("Interrupted. Rolling back ");
    terminal.types(CTRL_C);
    terminal.end().ends(9, &["Interrupted twice", "promote:dn01@s47: dropped", "otb plan"]);
    place.fault("slow pg_ctl 0");
    place.otb("apply --auto-approve --lock-timeout 20s").run().ends(0);
    place.is_settled();
}
