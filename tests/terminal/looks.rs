//! What it looks like: colours, widths, terminals that can do less.

use crate::{moving, on_terminal};

#[test]
fn colours_are_there_unless_they_are_not_wanted() {
    let place = moving(0);
    let raw = |env: &[(&str, &str)]| {
        let shown = on_terminal(&place, "plan", 80, env).end();
        shown.ends(0, &["switchover", "Next: otb -f "]);
        shown.raw
    };
    assert!(raw(&[]).contains("\u{1b}[1m"));
    assert!(!raw(&[("NO_COLOR", "1")]).contains("\u{1b}[1m"));
    let dumb = raw(&[("TERM", "dumb")]);
    assert!(!dumb.contains('\u{1b}'), "{dumb}");
}

#[test]
fn a_terminal_that_knows_ascii_gets_nothing_else() {
    let place = moving(500);
    for (locale, back) in [("C", "s29"), ("POSIX", "s47"), ("en_US.ISO-8859-1", "s29")] {
        let shown = on_terminal(&place, "apply --auto-approve", 80, &[("LC_ALL", locale)]).end();
        shown.ends(0, &["Done: "]);
        assert!(shown.raw.is_ascii(), "{locale}: {}", shown.raw);
        assert!(shown.raw.contains("##"), "no bar of ASCII:\n{}", shown.raw);
        place.declare("dn01", back);
    }
}

#[test]
fn a_window_that_is_pulled_narrow_loses_no_line() {
    let place = moving(1200);
    let mut terminal = on_terminal(&place, "apply --auto-approve", 120, &[]);
    terminal.until("stop:dn01@s29, ");
    terminal.resize(60);
    let shown = terminal.end();
    shown.ends(0, &["Done: the cluster is as declared"]);
    assert_eq!(shown.screen.matches("done     ").count(), 19, "{}", shown.screen);
    assert!(!shown.screen.contains("/19 steps"), "{}", shown.screen);
}
