//! What a server says that would like to be more than text, in every view and every file that otb writes.

use crate::fakes::{Fake, listen};
use crate::fixture::SandboxFixture;
use crate::limited::otb;
use crate::servers::elsewhere;

/// Neither control characters nor those that turn the direction of writing.
#[track_caller]
fn assert_clean(what: &str, text: &str) {
    let odd = |c: char| c.is_control() && c != '\n' || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.contains(odd), "{what}: {text:?}");
}

#[test]
fn an_error_that_would_take_over_the_terminal_is_text_everywhere() {
    let place = SandboxFixture::up("");
    let port = listen(&place.address("s47"), Fake::Terminal);
    let file = elsewhere(&place, "dn02", port);
    let written = ["log", "drift.xml", "drift.prom"].map(|name| place.dir().join(name));
    let [log, junit, metrics] = written.each_ref().map(|path| path.to_str().unwrap());
    let lines = [
        "plan --checks".to_owned(),
        "plan --format markdown".to_owned(),
        "plan --format html".to_owned(),
        "plan --format json".to_owned(),
        "status".to_owned(),
        "status --format markdown".to_owned(),
        "status --format html".to_owned(),
        "status --format json".to_owned(),
        "drift".to_owned(),
        format!("drift --format json --junit {junit} --prometheus {metrics}"),
        "graph".to_owned(),
        format!("-v --log-file {log} plan"),
    ];
    for line in lines {
        let ended = otb(&file).line(&line).args(["--timeout", "10s"]).run();
        assert!([0, 2].contains(&ended.code), "{line}: {ended:?}");
        assert_clean(&line, &ended.stdout);
        assert_clean(&line, &ended.stderr);
        if ["plan", "status", "drift"].contains(&line.split(' ').next().unwrap()) {
            assert!(ended.stdout.contains("all is well"), "{line} does not show what the server said: {ended:?}");
        }
    }
    for path in written {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_clean(&path.display().to_string(), &text);
        assert!(!text.is_empty());
    }
}
